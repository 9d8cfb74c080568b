/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Faults of interrupts, for programs that wait: by udma_ioat_wait() and in an event loop, for
 * requests of both interfaces.
 */

#include "fixture.h"

#include <sys/epoll.h>

#define FOREVER UINT64_MAX
#define HOUR_US 3600000000ull
/* Longer than a wait polls for before it sleeps. */
#define DELAY "delay:us=1000:every=1"

enum way { WAIT, EVENT_LOOP };

static int g_loop;

static int
setup(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};

	(void)state;
	start("1");
	g_loop = epoll_create1(EPOLL_CLOEXEC);
	assert_true(g_loop >= 0);
	assert_int_equal(epoll_ctl(g_loop, EPOLL_CTL_ADD, udma_ioat_get_fd(g_chan), &event), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(g_loop);
	udma_ioat_tick_us = 100000;
	end();
	return 0;
}

/** \return as udma_ioat_wait(), but never 0. */
static int
sleep_in_loop(void)
{
	struct epoll_event event;
	int rc;

	while ((rc = udma_ioat_before_sleep(g_chan)) == 0) {
		assert_int_equal(epoll_wait(g_loop, &event, 1, -1), 1);
	}
	return rc;
}

/** A row of copies; each is slept for. */
static void
wait_for_copies(enum interface interface, enum way way)
{
	scribble();
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(build(interface, i), 0);
		while (g_order + g_errors <= i) {
			int rc = way == WAIT ? udma_ioat_wait(g_chan, FOREVER) : sleep_in_loop();

			assert_true(rc > 0 || rc == -EIO);
			g_errors += rc < 0;
		}
	}
}

static void
expect_all_waited_for(const char *fault, enum udma_fault_kind kind, may_end_fn may_end)
{
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		for (enum way way = WAIT; way <= EVENT_LOOP; way++) {
			inject(DELAY);
			inject(fault);
			wait_for_copies(interface, way);
			check_copies(interface, may_end);
			assert_true(udma_fault_count(g_device, kind) > 0);
			assert_int_equal(udma_fault_withdraw(g_device), 0);
		}
	}
}

static void
lost_interrupt(void **state)
{
	(void)state;
	udma_ioat_tick_us = 5000;
	expect_all_waited_for("lost-interrupt:every=1", UDMA_FAULT_LOST_INTERRUPT, only_ok);
	expect_all_waited_for("lost-interrupt:every=3", UDMA_FAULT_LOST_INTERRUPT, only_ok);
	expect_all_waited_for("lost-interrupt:random=2:seed=1", UDMA_FAULT_LOST_INTERRUPT, only_ok);
}

static bool
faulty_cannot_be_read(unsigned i, enum udma_ioat_status status)
{
	return status == (i == FAULTY ? UDMA_IOAT_BAD_SOURCE : UDMA_IOAT_OK);
}

static void
lost_interrupt_of_an_error(void **state)
{
	(void)state;
	udma_ioat_tick_us = 5000;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		for (enum way way = WAIT; way <= EVENT_LOOP; way++) {
			inject("lost-interrupt:every=1");
			inject("error:bit=8:at=8");
			wait_for_copies(interface, way);
			check_copies(interface, faulty_cannot_be_read);
			assert_int_equal(udma_fault_withdraw(g_device), 0);
		}
	}
}

/** What it wakes for is looked at, found to be nothing, and slept for again. */
static void
spurious_interrupt(void **state)
{
	(void)state;
	udma_ioat_tick_us = HOUR_US;
	udma_ioat_hang_us = 10 * HOUR_US;
	expect_all_waited_for("spurious-interrupt:every=1", UDMA_FAULT_SPURIOUS_INTERRUPT, only_ok);
	expect_all_waited_for("spurious-interrupt:every=2", UDMA_FAULT_SPURIOUS_INTERRUPT, only_ok);
	udma_ioat_hang_us = HANG_US;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lost_interrupt),
		TEST(lost_interrupt_of_an_error),
		TEST(spurious_interrupt),
	};

	return cmocka_run_group_tests_name("faults of interrupts", tests, NULL, NULL);
}
