/* SPDX-License-Identifier: BSD-3-Clause */

/* Times at any rate of the ticks: one that was measured is a multiple of nothing. */

#include "channel_test.h"

static uint64_t g_hz;

uint64_t __wrap_spdk_get_ticks(void);
uint64_t __wrap_spdk_get_ticks_hz(void);

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
__wrap_spdk_get_ticks(void)
{
	uint64_t ns = now_ns();

	return ns / 1000000000 * g_hz + ns % 1000000000 * g_hz / 1000000000;
}

uint64_t
__wrap_spdk_get_ticks_hz(void)
{
	return g_hz;
}

static void
assert_waits(uint64_t us)
{
	uint64_t start, took;

	build(0, 0);
	start = now_ns();
	assert_int_equal(udma_ioat_wait(g_chan, us), -ETIMEDOUT);
	took = now_ns() - start;
	/* The first tick may have begun a while ago. */
	if (took + 1000000000 / g_hz + 1 < us * 1000) {
		fail_msg("at %" PRIu64 " Hz a wait of %" PRIu64 " us took %" PRIu64 " ns", g_hz, us,
			 took);
	}
}

static void
a_wait_takes_its_time_at_any_rate(void **state)
{
	static const uint64_t rates[] = {2299997740, 62500000, 24000000,   19200000,  999999,
					 1000,       1000000,  5000000000, 1000000000};

	(void)state;
	rig_pause(g_rig);
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		g_hz = rates[i];
		for (unsigned round = 0; round < 20; round++) {
			assert_waits(900);
		}
		assert_waits(7013);
		assert_waits(300000);
	}
	g_hz = 1000000000;
	rig_resume(g_rig);
}

static void
assert_ticks(uint64_t hz, uint64_t us, uint64_t ticks)
{
	g_hz = hz;
	assert_int_equal(udma_ioat_ticks_of_us(us), ticks);
}

/** Rounded up: a time does not end early. */
static void
times_are_exact(void **state)
{
	(void)state;
	assert_ticks(2299997740, 900000, 2069997966);
	assert_ticks(2299997740, 1, 2300);
	assert_ticks(62500000, 1, 63);
	assert_ticks(62500000, 2, 125);
	assert_ticks(24000000, 1000001, 24000024);
	assert_ticks(19200000, 5, 96);
	assert_ticks(19200000, 6, 116);
	assert_ticks(1000, 1, 1);
	assert_ticks(1000, 1001, 2);
	assert_ticks(999999, 2000000, 1999998);
	assert_ticks(2299997740, 0, 0);
	/* What is longer than ticks can say is without end. */
	assert_ticks(1000000, UINT64_MAX, UINT64_MAX);
	assert_ticks(1000001, UINT64_MAX, UINT64_MAX);
	assert_ticks(2299997740, UINT64_MAX, UINT64_MAX);
	assert_ticks(2299997740, UINT64_MAX / 2299 - 1000, UINT64_MAX);
	assert_ticks(2000000, UINT64_MAX / 2, UINT64_MAX - 1);
	assert_ticks(2000000, UINT64_MAX / 2 + 1, UINT64_MAX);
	/* Slow ticks can say every time; yet this one is without end. */
	assert_ticks(1000, UINT64_MAX, UINT64_MAX);
}

static int
setup_clock(void **state)
{
	g_hz = 1000000000;
	return setup(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_exact),
		cmocka_unit_test_setup_teardown(a_wait_takes_its_time_at_any_rate, setup_clock,
						teardown),
	};

	return cmocka_run_group_tests_name("wait, any clock", tests, NULL, NULL);
}
