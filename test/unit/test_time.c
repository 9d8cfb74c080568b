/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "spdk/env.h"

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void *
ask_hz(void *arg)
{
	*(uint64_t *)arg = spdk_get_ticks_hz();
	return NULL;
}

static void
every_thread_gets_the_same_rate(void **state)
{
	pthread_t thread[4];
	uint64_t hz[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&thread[i], NULL, ask_hz, &hz[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(hz[i] != 0 && hz[i] == spdk_get_ticks_hz());
	}
}

/* The readings of the clock enclose those of the ticks, so this holds however late we are run. */
static void
the_rate_is_that_of_the_ticks(void **state)
{
	double hz = (double)spdk_get_ticks_hz(), least, most;
	uint64_t ns[4], ticks[2];

	(void)state;
	ns[0] = now_ns();
	ticks[0] = spdk_get_ticks();
	ns[1] = now_ns();
	usleep(200000);
	ns[2] = now_ns();
	ticks[1] = spdk_get_ticks();
	ns[3] = now_ns();
	most = (double)(ticks[1] - ticks[0]) * 1e9 / (double)(ns[2] - ns[1]);
	least = (double)(ticks[1] - ticks[0]) * 1e9 / (double)(ns[3] - ns[0]);
	assert_true(hz > least * 0.99 && hz < most * 1.01);
}

static void
ticks_rise(void **state)
{
	uint64_t last = spdk_get_ticks();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t ticks = spdk_get_ticks();

		assert_true(ticks >= last);
		last = ticks;
	}
}

static void
a_delay_lasts_at_least_as_long(void **state)
{
	static const unsigned delays[] = {0, 1, 100, 20000};

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		uint64_t start = now_ns();

		spdk_delay_us(delays[i]);
		/* The clock of the delay may be slewed against this one. */
		assert_true(now_ns() - start >= delays[i] * 990ull);
	}
	spdk_pause();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_thread_gets_the_same_rate),
		cmocka_unit_test(the_rate_is_that_of_the_ticks),
		cmocka_unit_test(ticks_rise),
		cmocka_unit_test(a_delay_lasts_at_least_as_long),
	};

	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
