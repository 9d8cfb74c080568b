/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Between a halt, which the completion word tells of, and its cause, which CHANERR shows later
 * (section 9): nobody is blamed for it who was not there, and nothing waits for who is to go on.
 */

#include "channel_test.h"

/** The device stops, and what it shows in CHANERR is nothing yet. */
static void
hide_the_cause(void)
{
	rig_poke(g_rig, BAR_CHANERR, 4, 0);
	RIG_SET(g_rig, resume_at_command, true);
}

static void
halt_with_nothing_outstanding(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	*rig_completion_word(g_rig) |= 3;
	hide_the_cause();
	poll_until(1);
	assert_ended(0, UDMA_IOAT_OK);
	assert_int_equal(stats_now().recoveries, 1);
	/* It is none of the next request's, when it shows. */
	assert_works(10);
	assert_int_equal(stats_now().recoveries, 1);
}

static int g_rc;

static void
on_end_unregister(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	g_rc = spdk_mem_unregister(g_readonly, 4096);
}

/** Removals of memory wait for the engine (quiesce.c), which this thread's polls restart. */
static void
unregistering_in_a_callback_before_a_halt(void **state)
{
	(void)state;
	rig_pause(g_rig);
	g_rc = 1;
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_unregister,
					&g_ended[0]),
			 0);
	build_bad(1, 0);
	build(2, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10);
	hide_the_cause();
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(g_rc, 1);
	rig_poke(g_rig, BAR_CHANERR, 4, 0x200);
	poll_until(3);
	assert_int_equal(g_rc, 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_BAD_DESTINATION);
	assert_ended(2, UDMA_IOAT_OK);
	assert_int_equal(spdk_mem_register(g_readonly, 4096), 0);
}

/** The word of the halt was an old one: there comes another, and the engine goes on. */
static void
engine_that_goes_on(void **state)
{
	uint64_t *word = rig_completion_word(g_rig);

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	*word |= 3;
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	rig_step(g_rig, 1);
	poll_until(2);
	for (unsigned i = 2; i < 40; i++) {
		build(i, 0);
		spdk_ioat_flush(g_chan);
		rig_step(g_rig, 1);
		poll_until(i + 1);
	}
	build(40, 0);
	spdk_ioat_flush(g_chan);
	while (g_chan->halt.awaits_cause) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	rig_step(g_rig, 1);
	poll_until(41);
	for (unsigned i = 0; i <= 40; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	assert_int_equal(stats_now().recoveries, 0);
	rig_resume(g_rig);
}

/** So is this one, behind which there is none: an engine that shows that it is done, is. */
static void
engine_that_is_done(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 2);
	*rig_completion_word(g_rig) = (*rig_completion_word(g_rig) - 64) | 3;
	poll_until(2);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_OK);
	assert_int_equal(stats_now().recoveries, 0);
	rig_resume(g_rig);
	assert_works(10);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(halt_with_nothing_outstanding),
		WITH_CHANNEL(unregistering_in_a_callback_before_a_halt),
		WITH_CHANNEL(engine_that_goes_on),
		WITH_CHANNEL(engine_that_is_done),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
