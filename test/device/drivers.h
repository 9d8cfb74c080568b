/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What drivers do with a channel, access by access (sections 12 and 14), for tests of more than one
 * file.
 */

#ifndef DEVICE_TEST_DRIVERS_H
#define DEVICE_TEST_DRIVERS_H

#include "host.h"

/** Runs the engine as a host's thread would while the driver polls. */
void let_run(struct host *h);
/** Section 12.1, as Linux, SPDK and FreeBSD have it; `config` if they touch configuration space. */
void reset_sequence(struct host *h, bool config);

/** Linux: control of a descriptor that completes. */
#define LINUX_CONTROL (COMPL_UPDATE | INT_EN)
/** Writes a 64-bit register as Linux does, low half first. */
void wr_halves(struct host *h, uint32_t offset, uint64_t value);
/** Section 14.1, rows 2 to 6; INTRCTRL as the kind of interrupt has it. */
void linux_probe(struct host *h, uint8_t intrctrl);
/** Rows 7 and 8: a null descriptor in slot 0 of RING. */
void linux_start(struct host *h);

/** Section 14.4, rows 4 to 12: a null descriptor in slot 0 of RING. */
void freebsd_reset(struct host *h);

#endif
