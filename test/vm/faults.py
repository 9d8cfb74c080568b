# SPDX-License-Identifier: BSD-3-Clause
"""Channels that are made to fail under the kernel's driver, by the module udma_fault.c."""

import contextlib
import os
import tempfile

import fetch
import kernel
from initramfs import HERE

# An error of the data: the driver's interrupt handler reports that copy as failed, aborts those
# behind it, resets the channel and goes on. The ninth copy of sixteen is spoilt.
HANDLED = {"source": "0{8}RA{7}", "destination": "0{8}WA{7}"}
# What has been written then: the copies before it.
SPOILT = "1" * 8 + "0" * 8


@contextlib.contextmanager
def fault_module(kernel_name):
    """Builds the module for a kernel: files for a guest."""
    with tempfile.TemporaryDirectory(prefix="udma-vm-") as folder:
        kernel.build(fetch.have()[kernel_name], os.path.join(HERE, "guest/udma_fault.c"), folder)
        yield {"udma_fault.ko": os.path.join(folder, "udma_fault.ko")}


def fails(guest, fault, *more):
    """Makes the first channel fail. Returns what udma_fault says of it, {name: value}, and what
    else the kernel says."""
    text = guest.sh(f"fault dma0chan0 fault={fault} {' '.join(more)}")
    return dict(line.split() for line in text.splitlines()), guest.sh("since")
