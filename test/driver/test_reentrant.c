/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Callbacks that drain, abort, reset and detach the channel that calls them, and what polls tell of
 * requests without a status.
 */

#include "channel_test.h"

static unsigned g_inner; /* the record that a callback's own request gets */
static int g_rc;         /* what the call in a callback has returned */
static bool g_again;     /* that call has been made */

/** One that was handed over, with an engine that is at work on it. */
static void
hand_over(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
}

static void
on_end_drain(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	build(g_inner, 0);
	g_rc = udma_ioat_drain(g_chan, 60000000);
}

static void
drain_in_a_callback(void **state)
{
	(void)state;
	g_inner = 50;
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_drain, &g_ended[0]),
		0);
	for (unsigned i = 1; i < 10; i++) {
		build(i, 0);
	}
	g_rc = -1;
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_rc, 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_ended(50, UDMA_IOAT_OK);
}

static void
on_end_build(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	build(g_inner, 0);
}

static void
drain_waits_only_for_what_was_built(void **state)
{
	(void)state;
	g_inner = 50;
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_build, &g_ended[0]),
		0);
	/* What the callback has built is not announced: a drain that waited for it never ended. */
	assert_int_equal(udma_ioat_drain(g_chan, 5000000), 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_int_equal(g_ended[50].times, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_ended(50, UDMA_IOAT_OK);
}

static void
drain_without_a_limit(void **state)
{
	(void)state;
	rig_pause(g_rig);
	hand_over(3);
	assert_int_equal(udma_ioat_drain(g_chan, 1000), -ETIMEDOUT);
	assert_int_equal(udma_ioat_drain(g_chan, 0), -ETIMEDOUT);
	rig_resume(g_rig);
	/* More microseconds than the clock has ticks; the first is 1 modulo 2^64 of those. */
	assert_int_equal(udma_ioat_drain(g_chan, UINT64_MAX / (spdk_get_ticks_hz() / 1000000) + 1),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, UINT64_MAX), 0);
	assert_ended(2, UDMA_IOAT_OK);
}

static void
on_end_abort(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	if (!g_again) {
		g_again = true;
		g_rc = udma_ioat_abort(g_chan);
		build(g_inner, 0);
		spdk_ioat_flush(g_chan);
	}
}

static void
abort_in_a_callback(void **state)
{
	(void)state;
	g_again = false;
	g_inner = 50;
	rig_pause(g_rig);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0,
						on_end_abort, &g_ended[i]),
				 0);
		if (i == 9) {
			spdk_ioat_flush(g_chan);
		}
	}
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10); /* ten have finished */
	rig_resume(g_rig);
	poll_until(21);
	assert_int_equal(g_rc, 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].order, i);
		assert_true(g_ended[i].result.status == UDMA_IOAT_OK ||
			    (i >= 10 && g_ended[i].result.status == UDMA_IOAT_ABORTED));
	}
	assert_ended(50, UDMA_IOAT_OK);
}

static void
what_had_finished_before_an_abort(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	hand_over(5);
	build(5, 0);
	rig_step(g_rig, 5);
	/* Nobody has polled; what was handed over has been carried out all the same. */
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	assert_ended(5, UDMA_IOAT_ABORTED);
}

static void
on_end_reset(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	if (!g_again) {
		g_again = true;
		g_rc = udma_ioat_reset(g_chan);
		RIG_SET(g_rig, hangs, true); /* until it is seen that nothing of it is lost */
		build(g_inner, 0);
		spdk_ioat_flush(g_chan);
	}
}

static void
let_it_hang(udma_ioat_cb first)
{
	udma_ioat_hang_us = 20000;
	g_again = false;
	g_inner = 50;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, first, &g_ended[0]), 0);
	for (unsigned i = 1; i < 5; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
}

static void
reset_in_a_callback(void **state)
{
	(void)state;
	let_it_hang(on_end_reset);
	while (g_order < 5) {
		spdk_ioat_process_events(g_chan);
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	RIG_SET(g_rig, hangs, false);
	poll_until(6);
	assert_int_equal(g_rc, 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_ended(i, UDMA_IOAT_HUNG);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_ended(50, UDMA_IOAT_OK);
	assert_works(60);
}

static void
on_end_reset_outside(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	/* The next one's callback resets as well, inside this reset. */
	g_rc = udma_ioat_reset(g_chan);
}

static void
reset_in_a_callback_of_a_reset(void **state)
{
	(void)state;
	let_it_hang(on_end_reset_outside);
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_reset, &g_ended[5]),
		0);
	while (g_order < 6) {
		spdk_ioat_process_events(g_chan);
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	assert_int_equal(g_rc, 0);
	/* What the inner one's caller has handed over is not lost to the outer one. */
	assert_int_equal(g_ended[50].times, 0);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	RIG_SET(g_rig, hangs, false);
	poll_until(7);
	assert_ended(50, UDMA_IOAT_OK);
	assert_works(60);
}

static void
on_end_detach(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	spdk_ioat_detach(g_chan);
}

static void
detach_in_a_callback_of_a_reset_in_a_callback(void **state)
{
	(void)state;
	let_it_hang(on_end_reset_outside);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_detach,
					&g_ended[5]),
			 0);
	while (g_order < 6) {
		spdk_ioat_process_events(g_chan);
	}
	/* Nothing of the device is touched any more. */
	assert_int_equal(g_rc, -ESHUTDOWN);
	attach();
	assert_works(60);
}

static void
on_end_detach_and_abort(void *arg, const struct udma_ioat_result *result)
{
	uint64_t chain;

	on_end(arg, result);
	spdk_ioat_detach(g_chan);
	chain = rig_read64(g_rig, BAR_CHAINADDR);
	g_rc = udma_ioat_abort(g_chan);
	/* Nothing of the device is touched any more. */
	assert_int_equal(rig_read64(g_rig, BAR_CHAINADDR), chain);
}

static void
abort_behind_a_detach_in_a_callback(void **state)
{
	(void)state;
	build(1, 0);
	build(2, 0);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0,
					on_end_detach_and_abort, &g_ended[0]),
			 0);
	spdk_ioat_flush(g_chan);
	while (g_order < 3) {
		spdk_ioat_process_events(g_chan);
	}
	assert_int_equal(g_rc, -ESHUTDOWN);
	attach();
	assert_works(60);
}

static void
detach_in_a_callback_of_a_drain(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_detach,
					&g_ended[0]),
			 0);
	build(1, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), -ESHUTDOWN);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_OK);
	attach();
}

static void
on_end_drain_outside(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	g_rc = udma_ioat_drain(g_chan, 60000000);
}

static void
detach_in_a_callback_of_a_drain_in_a_callback(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0,
					on_end_drain_outside, &g_ended[0]),
			 0);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_detach,
					&g_ended[1]),
			 0);
	spdk_ioat_flush(g_chan);
	while (g_order < 2) {
		spdk_ioat_process_events(g_chan);
	}
	assert_int_equal(g_rc, -ESHUTDOWN);
	attach();
}

static void
detach_in_a_callback_of_an_abort(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_detach,
					&g_ended[0]),
			 0);
	build(1, 0);
	assert_int_equal(udma_ioat_abort(g_chan), -ESHUTDOWN);
	assert_ended(0, UDMA_IOAT_ABORTED);
	assert_ended(1, UDMA_IOAT_ABORTED);
	attach();
}

/* ---- Requests of SPDK's that fail: each is one error of one poll ---- */

static void
two_failures_are_two_errors(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	build_spdk(0);
	build_spdk(1);
	spdk_ioat_flush(g_chan);
	/* A halt of which it is not known where: both end with it. */
	rig_poke(g_rig, BAR_CHANERR, 4, 0x100);
	rig_poke(g_rig, BAR_CHANSTS, 8, 3);
	assert_int_equal(poll_for_error(), -EIO);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	assert_int_equal(g_order, 0);
	assert_works(10);
}

static void
failure_found_by_a_drain_is_told_by_the_next_poll(void **state)
{
	(void)state;
	build_spdk(0);
	build_bad_spdk(1);
	build_bad_spdk(2);
	build_spdk(3);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_order, 2);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_works(10);
}

static void
failure_before_an_abort_is_told_of(void **state)
{
	(void)state;
	build_spdk(0);
	build_bad_spdk(1);
	build_spdk(2);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	build_spdk(3);
	/* What is aborted is known to whoever aborts; the failure before it is not. */
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(g_ended[3].times, 0);
	assert_works(10);
}

/** The channel fails and is brought back, in the callback of a request that has succeeded. */
static void
fail_and_reset(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	*rig_completion_word(g_rig) = UINT64_MAX;
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
}

static void
failure_before_a_reset_in_a_drain_is_over(void **state)
{
	(void)state;
	build_bad_spdk(0);
	/* The drain has met the error by then, and keeps it for the polls behind it. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, fail_and_reset,
					&g_ended[1]),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_ended(1, UDMA_IOAT_OK);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_works(10);
}

static void
behind_the_fence_each_is_an_error(void **state)
{
	unsigned errors;

	(void)state;
	rig_pause(g_rig);
	build_bad(0, UDMA_IOAT_FENCE);
	build_spdk(1);
	build_spdk(2);
	build(3, 0);
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	errors = poll_until(2);
	while (spdk_ioat_process_events(g_chan) == -EIO) {
		errors++;
	}
	assert_int_equal(errors, 2);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	assert_ended(3, UDMA_IOAT_ABORTED);
	assert_int_equal(g_ended[1].times + g_ended[2].times, 0);
	assert_works(10);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(drain_in_a_callback),
		WITH_CHANNEL(drain_waits_only_for_what_was_built),
		WITH_CHANNEL(drain_without_a_limit),
		WITH_CHANNEL(abort_in_a_callback),
		WITH_CHANNEL(what_had_finished_before_an_abort),
		WITH_CHANNEL(reset_in_a_callback),
		WITH_CHANNEL(reset_in_a_callback_of_a_reset),
		WITH_CHANNEL(detach_in_a_callback_of_a_reset_in_a_callback),
		WITH_CHANNEL(abort_behind_a_detach_in_a_callback),
		WITH_CHANNEL(detach_in_a_callback_of_a_drain),
		WITH_CHANNEL(detach_in_a_callback_of_a_drain_in_a_callback),
		WITH_CHANNEL(detach_in_a_callback_of_an_abort),
		WITH_CHANNEL(two_failures_are_two_errors),
		WITH_CHANNEL(failure_found_by_a_drain_is_told_by_the_next_poll),
		WITH_CHANNEL(failure_before_an_abort_is_told_of),
		WITH_CHANNEL(failure_before_a_reset_in_a_drain_is_over),
		WITH_CHANNEL(behind_the_fence_each_is_an_error),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("reentrant", tests, NULL, NULL);
}
