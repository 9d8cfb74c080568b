/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Batches that are submitted whole or not at all, completion of every k-th descriptor, counters,
 * and the dump.
 */

#include "channel_test.h"

/** Not registered. */
static uint8_t g_stranger[4096];

/* ---- Batches ---- */

static void
batch_is_one_doorbell(void **state)
{
	const struct iovec dst[] = {{g_memory, 100}, {g_memory + 200, 100}};
	const struct iovec src = {g_memory + 4096, 200};
	struct udma_ioat_op ops[] = {
		copy_op(1, 0),
		{.kind = UDMA_IOAT_OP_FILL,
		 .cb = on_end,
		 .cb_arg = &g_ended[2],
		 .dst = g_memory + 1000,
		 .pattern = 0x0101010101010101,
		 .nbytes = 16},
		{.kind = UDMA_IOAT_OP_NULL, .cb = on_end, .cb_arg = &g_ended[3]},
		{.kind = UDMA_IOAT_OP_COPYV,
		 .cb = on_end,
		 .cb_arg = &g_ended[4],
		 .dst_list = dst,
		 .dst_count = 2,
		 .src_list = &src,
		 .src_count = 1},
	};
	uint64_t doorbells = stats_now().doorbells;

	(void)state;
	build(0, 0); /* goes with it */
	assert_int_equal(udma_ioat_submit(g_chan, ops, 4), 0);
	assert_int_equal(stats_now().doorbells, doorbells + 1);
	assert_int_equal(poll_until(5), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].order, i);
		assert_int_equal(g_ended[i].result.status, UDMA_IOAT_OK);
	}
	assert_int_equal(g_ended[4].result.bytes, 200);
	assert_memory_equal(g_memory, g_memory + 4096, 100);
	assert_memory_equal(g_memory + 200, g_memory + 4196, 100);
	assert_int_equal(g_memory[1015], 1);
	assert_int_equal(stats_now().bytes, 64 + 64 + 16 + 200);
	assert_int_equal(udma_ioat_submit(g_chan, NULL, 0), 0);
}

static void
batch_that_cannot_be_leaves_nothing(void **state)
{
	struct udma_ioat_op ops[] = {copy_op(1, 0), copy_op(2, UDMA_IOAT_FENCE), copy_op(3, 0)};
	struct udma_ioat_stats before, after;
	uint32_t room;
	uint16_t dmacount;

	(void)state;
	ops[2].src = g_stranger;
	build(0, 0);
	before = stats_now();
	room = udma_ioat_room(g_chan);
	dmacount = rig_read16(g_rig, BAR_DMACOUNT);
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), -EINVAL);
	after = stats_now();
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(udma_ioat_room(g_chan), room);
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), dmacount);
	ops[2] = copy_op(3, 0x8000); /* a flag that there is not */
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), -EINVAL);
	ops[2] = (struct udma_ioat_op){.kind = (enum udma_ioat_op_kind)99};
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), -EINVAL);
	/* What was built before stands, and what comes after. */
	spdk_ioat_flush(g_chan);
	assert_int_equal(poll_until(1), 0);
	assert_ended(0, UDMA_IOAT_OK);
	ops[2] = copy_op(3, 0);
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), 0);
	assert_int_equal(poll_until(4), 0);
	for (unsigned i = 1; i < 4; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
}

static void
batch_without_room(void **state)
{
	struct udma_ioat_op *ops = calloc(RING, sizeof(*ops));

	(void)state;
	for (unsigned i = 0; i < RING; i++) {
		ops[i] = copy_op(i, 0);
	}
	/* More than there ever is room for. */
	assert_int_equal(udma_ioat_submit(g_chan, ops, RING), -E2BIG);
	rig_pause(g_rig);
	for (unsigned i = 0; i < 3; i++) {
		build(i, 0);
	}
	/* More than there is now: what was built before is announced, so that polling helps. */
	assert_int_equal(udma_ioat_submit(g_chan, &ops[3], RING - 3), -ENOMEM);
	assert_int_equal(udma_ioat_room(g_chan), RING - 1 - 3);
	assert_int_equal(stats_now().requests, 3);
	assert_int_equal(stats_now().descriptors, 3);
	rig_resume(g_rig);
	assert_int_equal(poll_until(3), 0);
	assert_int_equal(udma_ioat_submit(g_chan, &ops[3], RING - 3), 0);
	assert_int_equal(poll_until(RING), 0);
	for (unsigned i = 0; i < RING; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_int_equal(stats_now().high_water, RING - 3);
	free(ops);
}

static void
error_and_fence_in_a_batch(void **state)
{
	struct udma_ioat_op ops[] = {copy_op(0, 0), copy_op(1, 0), copy_op(2, UDMA_IOAT_FENCE),
				     copy_op(3, 0), copy_op(4, 0)};
	static const enum udma_ioat_status expected[] = {UDMA_IOAT_OK, UDMA_IOAT_BAD_DESTINATION,
							 UDMA_IOAT_OK, UDMA_IOAT_ABORTED,
							 UDMA_IOAT_ABORTED};

	(void)state;
	ops[1].dst = g_readonly;
	assert_int_equal(udma_ioat_submit(g_chan, ops, 5), 0);
	assert_int_equal(poll_until(5), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_ended(i, expected[i]);
	}
	assert_int_equal(stats_now().errors[UDMA_IOAT_BAD_DESTINATION], 1);
	assert_int_equal(stats_now().errors[UDMA_IOAT_ABORTED], 2);
	assert_int_equal(stats_now().failed, 3);
	assert_works(10);
}

static void
abort_of_a_batch(void **state)
{
	struct udma_ioat_op ops[] = {copy_op(0, 0), copy_op(1, 0), copy_op(2, 0)};

	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	RIG_SET(g_rig, hangs, true);
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), 0);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_ended(i, UDMA_IOAT_ABORTED);
	}
	RIG_SET(g_rig, hangs, false);
	assert_works(10);
}

static void
batch_on_a_channel_that_has_failed(void **state)
{
	struct udma_ioat_op ops[] = {copy_op(1, 0), copy_op(2, 0)};

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_int_equal(udma_ioat_submit(g_chan, ops, 2), -ENODEV);
	assert_int_equal(g_order, 1);
	assert_failed(-ENODEV);
}

/* ---- Completion of every k-th ---- */

static void
every_third_completes(void **state)
{
	(void)state;
	udma_ioat_complete_every(g_chan, 3);
	rig_pause(g_rig);
	for (unsigned i = 0; i < 10; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	for (unsigned i = 0; i < 10; i++) {
		unsigned expected = i + 1 == 10 ? 10 : (i + 1) / 3 * 3;

		rig_step(g_rig, 1);
		spdk_ioat_process_events(g_chan);
		assert_int_equal(g_order, expected);
		assert_int_equal(stats_now().finished, expected);
	}
	/* Off again: the last only. */
	udma_ioat_complete_every(g_chan, 0);
	for (unsigned i = 10; i < 20; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	for (unsigned i = 10; i < 20; i++) {
		assert_int_equal(g_order, 10);
		rig_step(g_rig, 1);
		spdk_ioat_process_events(g_chan);
	}
	assert_int_equal(g_order, 20);
}

/** Of a request of many descriptors, `finished` goes on, and its callback runs at its end. */
static void
every_second_of_a_long_request(void **state)
{
	const struct iovec dst = {g_memory, 90};
	struct iovec src[9];

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		src[i] = (struct iovec){g_memory + 4096 + 100 * i, 10};
	}
	udma_ioat_complete_every(g_chan, 2);
	rig_pause(g_rig);
	assert_int_equal(udma_ioat_copyv(g_chan, &dst, 1, src, 9, 0, on_end, &g_ended[0]), 0);
	spdk_ioat_flush(g_chan);
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(g_order, 0);
		rig_step(g_rig, 1);
		spdk_ioat_process_events(g_chan);
		assert_int_equal(stats_now().finished, i == 8 ? 9 : (i + 1) / 2 * 2);
	}
	assert_int_equal(g_ended[0].result.bytes, 90);
}

static void
every_kth_through_errors(void **state)
{
	(void)state;
	for (unsigned every = 1; every < 6; every++) {
		unsigned before = g_order;

		memset(g_ended, 0, sizeof(g_ended[0]) * 100);
		udma_ioat_complete_every(g_chan, every);
		for (unsigned i = 0; i < 20; i++) {
			if (i % 7 == 3) {
				build_bad(i, 0);
			} else {
				build(i, 0);
			}
		}
		spdk_ioat_flush(g_chan);
		poll_until(before + 20);
		for (unsigned i = 0; i < 20; i++) {
			assert_ended(i, i % 7 == 3 ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK);
			assert_int_equal(g_ended[i].order, before + i);
		}
	}
}

/* ---- Counters ---- */

static void
counters_of_another_size(void **state)
{
	struct {
		struct udma_ioat_stats stats;
		uint64_t later[4];
	} larger;
	uint64_t one;

	(void)state;
	build(0, 0);
	spdk_ioat_flush(g_chan);
	poll_until(1);
	/* A program that is older or newer than the library. */
	udma_ioat_get_stats(g_chan, (struct udma_ioat_stats *)&one, sizeof(one));
	assert_int_equal(one, 1);
	memset(&larger, 0xff, sizeof(larger));
	udma_ioat_get_stats(g_chan, &larger.stats, sizeof(larger));
	assert_int_equal(larger.stats.requests, 1);
	assert_int_equal(larger.stats.bytes, 64);
	assert_int_equal(larger.stats.finished, 1);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(larger.later[i], 0);
	}
}

static void
high_water(void **state)
{
	(void)state;
	assert_int_equal(stats_now().high_water, 0);
	rig_pause(g_rig);
	for (unsigned i = 0; i < 7; i++) {
		build(i, 0);
	}
	assert_int_equal(stats_now().high_water, 0); /* the engine has not been told */
	spdk_ioat_flush(g_chan);
	assert_int_equal(stats_now().high_water, 7);
	rig_resume(g_rig);
	poll_until(7);
	build(8, 0);
	spdk_ioat_flush(g_chan);
	poll_until(8);
	assert_int_equal(stats_now().high_water, 7);
}

static void
empty_polls(void **state)
{
	(void)state;
	assert_int_equal(stats_now().empty_polls, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0); /* nothing outstanding */
	}
	assert_int_equal(stats_now().empty_polls, 3);
	rig_pause(g_rig);
	build(0, 0);
	assert_int_equal(udma_ioat_wait(g_chan, 0), -ETIMEDOUT); /* polls once */
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(stats_now().empty_polls, 5);
	rig_step(g_rig, 1);
	assert_int_equal(spdk_ioat_process_events(g_chan), 1);
	assert_int_equal(stats_now().empty_polls, 5);
	rig_resume(g_rig);
}

/** Also of what ends otherwise than by a completion. */
static void
high_water_of_what_did_not_finish(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_abort(g_chan), 0); /* no word of its chain has come */
	rig_pause(g_rig);
	for (unsigned i = 0; i < 100; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	build(100, 0);
	RIG_SET(g_rig, hangs, true);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	assert_int_equal(stats_now().high_water, 100);
	RIG_SET(g_rig, hangs, false);

	/* Halts at the first; no word before it says that any has finished. */
	rig_pause(g_rig);
	for (unsigned i = 0; i < 200; i++) {
		build_bad(101 + i, 0);
	}
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	poll_until(301);
	assert_int_equal(stats_now().high_water, 200);
}

static void
high_water_of_a_channel_that_fails(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_abort(g_chan), 0); /* no word of its chain has come */
	rig_pause(g_rig);
	for (unsigned i = 0; i < 100; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	for (unsigned i = 100; i < 300; i++) {
		build(i, 0); /* the engine has not been told */
	}
	rig_vanish(g_rig);
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_int_equal(stats_now().high_water, 100);
}

/* ---- The dump ---- */

static char g_text[65536];

static void
dump(void)
{
	FILE *file = fmemopen(g_text, sizeof(g_text), "w");

	assert_non_null(file);
	udma_ioat_dump(g_chan, file);
	assert_int_equal(fclose(file), 0);
}

static void
assert_dumped(const char *text)
{
	if (strstr(g_text, text) == NULL) {
		fail_msg("expected '%s' in:\n%s", text, g_text);
	}
}

static void
dump_at_a_halt(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_bad(1, UDMA_IOAT_FENCE);
	build(2, 0);
	spdk_ioat_flush(g_chan);
	build(3, 0);
	rig_step(g_rig, 2);
	dump();
	assert_dumped("I/OAT channel 0000:80:04.0\n");
	assert_dumped("HALTED, slot 2\n"); /* behind the start's null descriptor and trial fill */
	assert_dumped("CHANERR         0x00000200  destination could not be written\n");
	assert_dumped("state           running\n");
	assert_dumped("requests outstanding: 4\n");
	assert_dumped("descriptors 3 to 3, fence, announced\n");
	assert_dumped("descriptors 5 to 5, not announced\n");
	assert_dumped("3 (slot 3) announced: copy, 64 bytes, fence\n");
	assert_dumped("4 (slot 4) announced: copy, 64 bytes, completion\n");
	assert_dumped("5 (slot 5) built: copy, 64 bytes\n");
	rig_resume(g_rig);
	poll_until(3);
	dump();
	assert_dumped("4 accepted, 1 succeeded, 2 failed");
	/* The restart has changed the registers. */
	assert_dumped("last halt at descriptor 3 (slot 3)\n");
	assert_dumped("CHANERR         0x00000200  destination could not be written\n");
	assert_dumped("waiting         has not been asked for\n");
	assert_true(udma_ioat_coalesce(g_chan, 7) == 0);
	dump();
	assert_dumped("INTRCTRL        0x09\n");
	assert_dumped("INTRDELAY       0x8007\n");
	assert_dumped(
		", interrupts MSI-X, not armed, timer 0 us, held back 7 us, silent until 5\n");
}

static void
on_end_dump(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	dump();
}

/** In the first callback of a channel that fails: all has ended by then, and the engine was reset.
 */
static void
dump_of_a_channel_that_has_failed(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_bad(1, 0);
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, on_end_dump, &g_ended[2]),
		0);
	build(3, 0);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, UDMA_IOAT_ELSE_CPU,
					on_end, &g_ended[4]),
			 0);
	spdk_ioat_flush(g_chan);
	build(5, 0);
	RIG_SET(g_rig, ignore_reset, true);
	rig_step(g_rig, 10);
	poll_until(6);
	assert_failed(-EIO);
	assert_dumped("failed at descriptor 3 (slot 3)\n");
	assert_dumped("HALTED, slot 2\n");
	assert_dumped("CHANERR         0x00000200  destination could not be written\n");
	assert_dumped("descriptors 7 to 7, the channel has failed\n");
	assert_dumped("2 (slot 2) finished: copy, 64 bytes\n");
	assert_dumped("3 (slot 3) announced: copy, 64 bytes\n");
	assert_dumped("7 (slot 7) built: copy, 64 bytes\n");
	RIG_SET(g_rig, ignore_reset, false);
	rig_resume(g_rig);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

static void
dump_of_a_channel_that_is_gone(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	dump();
	assert_dumped("CHANSTS         0xffffffffffffffff  ?, or nothing answers\n");
	assert_int_equal(poll_for_error(), -ENODEV);
	dump();
	assert_dumped("state           failed; polls return -19, requests are refused with -19\n");
	assert_dumped("ended           1: the device is gone\n");
	g_rig->function.device.internal.pending_removal = true;
	dump();
	assert_dumped("registers: the device has been removed\n");
	g_rig->function.device.internal.pending_removal = false;
}

static void
dump_of_a_full_ring(void **state)
{
	(void)state;
	rig_pause(g_rig);
	for (unsigned i = 0; i < RING - 1; i++) {
		build(i, 0);
	}
	dump();
	assert_dumped("... and 32751 more\n");
	rig_resume(g_rig);
	spdk_ioat_flush(g_chan);
	poll_until(RING - 1);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(batch_is_one_doorbell),
		WITH_CHANNEL(batch_that_cannot_be_leaves_nothing),
		WITH_CHANNEL(batch_without_room),
		WITH_CHANNEL(error_and_fence_in_a_batch),
		WITH_CHANNEL(abort_of_a_batch),
		WITH_CHANNEL(batch_on_a_channel_that_has_failed),
		WITH_CHANNEL(every_third_completes),
		WITH_CHANNEL(every_second_of_a_long_request),
		WITH_CHANNEL(every_kth_through_errors),
		WITH_CHANNEL(counters_of_another_size),
		WITH_CHANNEL(high_water),
		WITH_CHANNEL(high_water_of_what_did_not_finish),
		WITH_CHANNEL(high_water_of_a_channel_that_fails),
		WITH_CHANNEL(empty_polls),
		WITH_CHANNEL(dump_at_a_halt),
		WITH_CHANNEL(dump_of_a_channel_that_has_failed),
		WITH_CHANNEL(dump_of_a_channel_that_is_gone),
		WITH_CHANNEL(dump_of_a_full_ring),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}
