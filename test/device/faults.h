/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the tests of faults share: places, and the injection of one.
 */

#ifndef DEVICE_TEST_FAULTS_H
#define DEVICE_TEST_FAULTS_H

#include "host.h"

#include <errno.h>

#include "udma/fault.h"

#define COUNT     5u
#define SIZE      256u
#define SLOT(i)   (RING + (i)*64ull)
#define SOURCE(i) (SRC + (i)*4096ull)
#define TARGET(i) (DST + (i)*4096ull)
#define UNTOUCHED TARGET(COUNT)

static inline void
inject(struct host *h, struct udma_fault fault)
{
	assert_int_equal(udma_emu_inject(h->emu, &fault), 0);
}

/** A copy that is not finished. */
static inline void
copy_hangs(struct host *h)
{
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 64, RING);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), ACTIVE);
}

#define FAULT_TEST(test) cmocka_unit_test_setup_teardown(test, host_setup, host_teardown)

#endif
