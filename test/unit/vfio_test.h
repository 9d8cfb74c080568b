/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A machine with a function bound to vfio-pci, for the tests of such functions.
 */

#ifndef VFIO_TEST_H
#define VFIO_TEST_H

#include "spdk/util.h"
#include "fake_vfio.h"
#include "memory_test.h"

#define F0 "0000:00:04.0"
#define F1 "0000:00:04.1"
#define F2 "0000:00:04.2"

static inline int
setup(void **state)
{
	(void)state;
	make_machine();
	make_vfio();
	add_vfio_function(F0, 1);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	remove_machine();
	return 0;
}

/** Starts the environment and takes all functions; nothing has been opened by then. */
static inline void
start(void)
{
	assert_int_equal(start_env(NULL), 0);
	enumerate();
}

static inline void
assert_refused(int rc, const char *text)
{
	unsigned before = count_descriptors();

	assert_int_equal(map_bar(0, 0), rc);
	assert_logged(text);
	assert_int_equal(count_descriptors(), before);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
