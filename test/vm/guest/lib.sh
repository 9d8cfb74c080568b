# shellcheck shell=ash
# SPDX-License-Identifier: BSD-3-Clause
# What the tests ask of a guest: drivers, channels, dmatest. Sourced by the guest's shell (busybox).
