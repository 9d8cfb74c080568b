/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Faults of the device, each by its name, through both interfaces: every request ends once, with
 * the truth, and the channel goes on or is out of use until it is reset.
 */

#include "channel_test.h"

static int
setup_32(void **state)
{
	(void)state;
	return setup_version(0x32);
}

static void
engine_hangs(void **state)
{
	(void)state;
	udma_ioat_hang_us = 20000;
	RIG_SET(g_rig, hangs, true);
	build(0, 0);
	build_spdk(1);
	spdk_ioat_flush(g_chan);
	build(2, 0); /* has never been announced */
	while (udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING) {
		spdk_ioat_process_events(g_chan);
	}
	assert_ended(0, UDMA_IOAT_HUNG);
	assert_int_equal(g_ended[1].times, 0);
	assert_ended(2, UDMA_IOAT_HUNG);
	assert_failed(-EIO);

	/* It hangs on: it cannot be brought back. */
	assert_int_equal(udma_ioat_reset(g_chan), -EIO);
	assert_failed(-EIO);
	RIG_SET(g_rig, hangs, false);
	udma_ioat_hang_us = USUAL_HANG_US;
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

static void
time_without_polls_is_no_hang(void **state)
{
	(void)state;
	udma_ioat_hang_us = 80000;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	/* The program polls, and is stopped for longer than an engine may hang: as by a debugger,
	 * which stops an engine in the process as well. */
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	usleep(2000);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	usleep(300000);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	udma_ioat_hang_us = USUAL_HANG_US;
	rig_resume(g_rig);
	poll_until(1);
	assert_ended(0, UDMA_IOAT_OK);
}

static void
long_batch_is_no_hang(void **state)
{
	(void)state;
	udma_ioat_hang_us = 80000;
	rig_pause(g_rig);
	for (unsigned i = 0; i < 64; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	/* One completion word for all; the status shows that they are being carried out. */
	for (unsigned i = 0; i < 63; i++) {
		rig_step(g_rig, 1);
		usleep(3000);
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	rig_resume(g_rig);
	poll_until(64);
	for (unsigned i = 0; i < 64; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
}

/** A device that is late to show its status shows one from behind what has completed. */
static void
late_status_is_no_hang(void **state)
{
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR), last;

	(void)state;
	udma_ioat_hang_us = 80000;
	rig_pause(g_rig);
	build(0, 0);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 2);
	assert_int_equal(rig_poll(g_chan, 2), 2);
	last = rig_read64(g_rig, BAR_CHANSTS) & ~0x3full;
	assert_true(last > ring);
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_int_equal(udma_ioat_null(g_chan, 0, on_end, &g_ended[2 + i]), 0);
	}
	spdk_ioat_flush(g_chan);
	/* ACTIVE, and the descriptor in front of the last one. In a full ring that may be the last
	 * but one of those outstanding. */
	rig_poke(g_rig, BAR_CHANSTS, 8, last - 64);
	for (unsigned i = 0; i < 60; i++) {
		usleep(3000);
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
		if (i > 5) {
			rig_step(g_rig, 1);
		}
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	rig_resume(g_rig);
	poll_until(2 + RING - 1);
	assert_ended(0, UDMA_IOAT_OK);
	assert_int_equal(g_ended[RING].result.status, UDMA_IOAT_OK);
}

static void
detach_waits_for_a_long_batch(void **state)
{
	(void)state;
	RIG_SET(g_rig, slow_ms, 60); /* longer in all than an engine may do nothing */
	for (unsigned i = 0; i < 60; i++) {
		build(i, 0);
	}
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	for (unsigned i = 0; i < 60; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
}

static void
removal_waits_for_a_long_batch(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	RIG_SET(g_rig, slow_ms, 60); /* longer in all than an engine may do nothing */
	for (unsigned i = 0; i < 60; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	assert_int_equal(spdk_mem_unregister(page, 4096), 0);
	poll_until(60);
	munmap(page, 4096);
}

static void
device_goes(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_spdk(1);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_int_equal(g_ended[1].times, 0);
	assert_failed(-ENODEV);
	assert_int_equal(udma_ioat_reset(g_chan), -ENODEV);
	assert_failed(-ENODEV);
}

static void
device_goes_at_a_halt(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build_bad(0, 0);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10);
	rig_vanish(g_rig);
	/* The word says that it has halted; there is nothing any more to be restarted. */
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_ended(1, UDMA_IOAT_GONE);
	assert_failed(-ENODEV);
}

static void
device_goes_before_an_abort(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	assert_int_equal(udma_ioat_abort(g_chan), -ENODEV);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_failed(-ENODEV);
}

/** It is as after power-on, and knows nothing of what it was asked to do. */
static void
function_is_reset_by_someone_else(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_spdk(1);
	spdk_ioat_flush(g_chan);
	pthread_mutex_lock(&g_rig->lock);
	udma_emu_reset(g_rig->function.emu);
	udma_emu_watch_publish_all(&g_rig->function.watch);
	pthread_mutex_unlock(&g_rig->lock);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_int_equal(g_ended[1].times, 0);
	assert_failed(-ENODEV);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

static void
device_is_removed_but_answers(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	g_rig->function.device.internal.removed = true;
	assert_int_equal(poll_for_error(), -ENODEV);
	assert_ended(0, UDMA_IOAT_GONE);
	/* Its memory may be used again, so that the engine must have stopped. */
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 3);
	assert_failed(-ENODEV);
	g_rig->function.device.internal.removed = false;
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

static void
halts_again_and_again(void **state)
{
	const unsigned count = 2000;
	unsigned i = 0;

	(void)state;
	for (i = 0; i < count; i++) {
		build_bad(i, 0);
	}
	spdk_ioat_flush(g_chan);
	while (udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING) {
		spdk_ioat_process_events(g_chan);
	}
	for (i = 0; g_ended[i].result.status == UDMA_IOAT_BAD_DESTINATION; i++) {
		assert_int_equal(g_ended[i].result.chanerr & ~0x202u, 0);
		assert_int_not_equal(g_ended[i].result.chanerr, 0);
		assert_ended(i, UDMA_IOAT_BAD_DESTINATION);
	}
	/* Those that the engine has met have its cause, the others that it was given up. */
	assert_in_range(i, 1000, count - 1);
	for (; i < count; i++) {
		assert_ended(i, UDMA_IOAT_FAILED);
	}
	assert_failed(-EIO);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(count);
}

static void
halts_between_good_descriptors_wear_nothing_out(void **state)
{
	const unsigned count = 3000;

	(void)state;
	for (unsigned i = 0; i < count; i += 2) {
		build_bad(i, 0);
		build(i + 1, 0);
	}
	spdk_ioat_flush(g_chan);
	poll_until(count);
	for (unsigned i = 0; i < count; i++) {
		assert_ended(i, i % 2 == 0 ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_works(count);
}

static void
reset_never_ends(void **state)
{
	uint16_t command;

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_bad(1, 0);
	build_spdk(2);
	build(3, 0);
	spdk_ioat_flush(g_chan);
	RIG_SET(g_rig, ignore_reset, true);
	rig_resume(g_rig);
	assert_int_equal(poll_until(3), 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_BAD_DESTINATION);
	assert_int_equal(g_ended[2].times, 0);
	assert_ended(3, UDMA_IOAT_FAILED);
	assert_failed(-EIO);
	/* It may not master the bus, so that nothing is written to what others use. */
	assert_int_equal(g_rig->function.device.cfg_read(&g_rig->function.device, &command, 2, 4),
			 0);
	assert_int_equal(command & 4, 0);
	assert_int_equal(udma_ioat_reset(g_chan), -EIO);
	RIG_SET(g_rig, ignore_reset, false);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

/** The engine carries out what has been built, and its completion word does not arrive. */
static void
carry_out_without_a_word(void)
{
	rig_pause(g_rig);
	RIG_SET(g_rig, loses_words, true);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10);
	RIG_SET(g_rig, loses_words, false);
}

static void
completion_word_is_lost(void **state)
{
	(void)state;
	build(0, 0);
	build_spdk(1);
	carry_out_without_a_word();
	/* An idle engine that shows the last descriptor has finished it. */
	assert_int_equal(poll_until(2), 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_int_equal(g_ended[1].times, 1);
	rig_resume(g_rig);
	assert_works(10);
}

static void
completion_word_is_lost_and_then_it_is_quiet(void **state)
{
	(void)state;
	completion_word_is_lost(state);
	build(20, 0);
	carry_out_without_a_word();
	poll_until(5);
	/* The time in which nothing was asked of it is not held against the next request. */
	udma_ioat_hang_us = 20000;
	usleep(100000);
	build(21, 0);
	spdk_ioat_flush(g_chan);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
		usleep(1000);
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	rig_resume(g_rig);
	poll_until(6);
	assert_ended(21, UDMA_IOAT_OK);
}

static void
completion_word_is_lost_and_the_ring_full(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	build(0, 0);
	carry_out_without_a_word();
	poll_until(1);
	/* The word that was there before must not be taken for one of the next lap. */
	for (unsigned i = 1; i < RING; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(spdk_mem_unregister(page, 4096), -EBUSY);
	rig_resume(g_rig);
	assert_int_equal(poll_until(RING), 0);
	assert_int_equal(spdk_mem_unregister(page, 4096), 0);
	munmap(page, 4096);
}

/** Halts in the middle of a batch; nothing but the status register says so. */
static void
halt_is_not_pushed(void)
{
	RIG_SET(g_rig, resume_at_command, true);
	for (unsigned i = 0; i < 2; i++) {
		build(i, 0);
	}
	build_bad(2, 0);
	build_spdk(3);
	carry_out_without_a_word();
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 3);
}

/**
 * A device that shows its registers from time to time has stored words already when its status is
 * still what RESET has left: HALTED, no address and no cause.
 */
static void
status_is_older_than_the_word(void **state)
{
	struct udma_ioat_stats stats;

	(void)state;
	udma_ioat_complete_every(g_chan, 1);
	rig_pause(g_rig);
	build(0, 0);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	rig_poke(g_rig, BAR_CHANSTS, 8, 3);
	assert_int_equal(poll_until(1), 0);
	for (unsigned i = 0; i < 20; i++) {
		usleep(1000);
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	rig_resume(g_rig);
	assert_int_equal(poll_until(2), 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_OK);
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.recoveries, 0);
}

/** The word of a halt has come, and CHANERR reads 0 yet. */
static void
halt_without_showing_why(unsigned i)
{
	rig_pause(g_rig);
	build_bad(i, 0);
	build(i + 1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10);
	rig_poke(g_rig, BAR_CHANERR, 4, 0);
	RIG_SET(g_rig, resume_at_command, true);
}

static void
cause_of_a_halt_is_shown_late(void **state)
{
	struct pollfd event = {.events = POLLIN};

	(void)state;
	halt_without_showing_why(0);
	/* No poll waits for it, nor does what has a time limit; and nobody sleeps on it. */
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(udma_ioat_drain(g_chan, 1), -ETIMEDOUT);
	assert_int_equal(udma_ioat_wait(g_chan, 1), -ETIMEDOUT);
	event.fd = udma_ioat_get_fd(g_chan);
	assert_int_equal(udma_ioat_before_sleep(g_chan), 0);
	assert_int_equal(poll(&event, 1, 0), 1);
	assert_int_equal(stats_now().recoveries, 0);
	rig_poke(g_rig, BAR_CHANERR, 4, 0x200);
	assert_int_equal(spdk_ioat_process_events(g_chan), 1);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	poll_until(2);
	assert_ended(1, UDMA_IOAT_OK);
	assert_works(10);
}

static void
causes_that_are_never_shown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i += 2) {
		halt_without_showing_why(i);
		assert_int_equal(udma_ioat_drain(g_chan, 1), -ETIMEDOUT);
		assert_int_equal(poll_until(i + 2), 0);
		assert_ended(i, UDMA_IOAT_UNKNOWN);
		assert_ended(i + 1, UDMA_IOAT_OK);
		/* Each time it is waited for half as long. */
		assert_int_equal(g_chan->halt.causeless, i / 2 + 1);
		assert_int_equal(stats_now().recoveries, i / 2 + 1);
	}
	assert_works(10);
}

static void
device_goes_before_a_cause_is_shown(void **state)
{
	(void)state;
	halt_without_showing_why(0);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	g_rig->function.device.internal.removed = true;
	assert_int_equal(spdk_ioat_process_events(g_chan), 2);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_ended(1, UDMA_IOAT_GONE);
	assert_failed(-ENODEV);
	g_rig->function.device.internal.removed = false;
}

static void
halt_is_not_pushed_to_memory(void **state)
{
	(void)state;
	halt_is_not_pushed();
	assert_int_equal(poll_until(4), 0);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_OK);
	assert_ended(2, UDMA_IOAT_BAD_DESTINATION);
	assert_int_equal(g_ended[3].times, 1);
	assert_works(10);
}

/** The halves of the status do not belong together: it is not known what has succeeded. */
static void
halt_is_not_pushed_to_memory_and_its_status_torn(void **state)
{
	(void)state;
	halt_is_not_pushed();
	rig_poke(g_rig, BAR_CHANSTS + 4, 4, 0x12345678);
	assert_int_equal(poll_for_error(), -EIO); /* the one of SPDK's */
	for (unsigned i = 0; i < 3; i++) {
		assert_ended(i, UDMA_IOAT_BAD_DESTINATION);
	}
	assert_int_equal(g_ended[3].times, 0);
	assert_works(10);
}

static void
halt_is_not_pushed_at_the_first_descriptor(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_abort(g_chan), 0); /* armed here */
	RIG_SET(g_rig, resume_at_command, true);
	build_bad(0, 0);
	build(1, 0);
	carry_out_without_a_word();
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS), 3);
	poll_until(2);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	assert_ended(1, UDMA_IOAT_OK);
}

static void
restart_at_every_place_around_the_wrap(void **state)
{
	unsigned i = 0;

	(void)state;
	/* Position 1 is the first of ours, behind the start and the trial fill. */
	for (unsigned lap = RING; lap <= 2 * RING; lap += RING) {
		for (; i < lap - 40; i++) {
			build(i, 0);
			if (i % 512 == 511) {
				spdk_ioat_flush(g_chan);
				poll_until(i + 1);
			}
		}
		/* Batches of 5, with the fault at each place of them, across the wrap. */
		for (; i < lap + 40; i++) {
			if (i % 5 == i / 5 % 5) {
				build_bad(i, 0);
			} else {
				build(i, 0);
			}
			if (i % 5 == 4) {
				spdk_ioat_flush(g_chan);
				poll_until(i + 1);
			}
		}
		spdk_ioat_flush(g_chan);
		poll_until(i);
	}
	for (unsigned k = 0; k < i; k++) {
		unsigned from_wrap = (k + 40) % RING;
		bool is_bad = k >= RING - 40 && from_wrap < 80 && k % 5 == k / 5 % 5;

		assert_ended(k, is_bad ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK);
		assert_int_equal(g_ended[k].order, k);
	}
}

static void
restart_with_a_full_ring_at_the_wrap(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RING - 10; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	poll_until(RING - 10);
	rig_pause(g_rig);
	for (unsigned i = RING - 10; i < 2 * RING - 11; i++) {
		if (i == RING || i == 2 * RING - 12) {
			build_bad(i, 0);
		} else {
			build(i, 0);
		}
	}
	assert_int_equal(udma_ioat_room(g_chan), 0);
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	poll_until(2 * RING - 11);
	for (unsigned i = 0; i < 2 * RING - 11; i++) {
		assert_ended(i, i == RING || i == 2 * RING - 12 ? UDMA_IOAT_BAD_DESTINATION
								: UDMA_IOAT_OK);
	}
}

static void
more_than_65536_descriptors_between_two_errors(void **state)
{
	const unsigned between = 70000;

	(void)state;
	build_bad(0, 0);
	for (unsigned i = 1; i <= between; i++) {
		build(i, 0);
		if (i % 1000 == 0) {
			spdk_ioat_flush(g_chan);
			poll_until(i + 1);
		}
	}
	build_bad(between + 1, 0);
	build(between + 2, 0);
	spdk_ioat_flush(g_chan);
	assert_int_equal(poll_until(between + 3), 0);
	for (unsigned i = 0; i < between + 3; i++) {
		assert_ended(i,
			     i == 0 || i == between + 1 ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK);
	}
}

static void
fence_is_on_the_request_itself(void **state)
{
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR);
	uint16_t first = rig_read16(g_rig, BAR_DMACOUNT);

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build(1, UDMA_IOAT_FENCE);
	/* Section 6.1: bit 4 of the control word, before the doorbell covers it. */
	for (unsigned i = 0; i < 2; i++) {
		uint32_t control = *(uint32_t *)(uintptr_t)(ring + (first + i) * 64ull + 4);

		assert_int_equal(control >> 4 & 1, i);
	}
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), first);
	rig_resume(g_rig);
	spdk_ioat_flush(g_chan);
	poll_until(2);
}

/** In another thread than the channel's. */
static void *
remove_page(void *page)
{
	return spdk_mem_unregister(page, 4096) == 0 ? NULL : page;
}

static void
removal_at_a_halt(void **state)
{
	uint8_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;
	void *refused;

	(void)state;
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	rig_pause(g_rig);
	build_bad(0, 0);
	assert_int_equal(udma_ioat_copy(g_chan, page, g_memory, 64, 0, on_end, &g_ended[1]), 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 10);
	rig_resume(g_rig);
	/* The engine has halted in front of the page, and the next poll restarts it. */
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 3);
	assert_int_equal(spdk_mem_unregister(page, 4096), -EBUSY);

	/* With polls going on the removal waits for it. */
	assert_int_equal(pthread_create(&thread, NULL, remove_page, page), 0);
	usleep(10000);
	poll_until(2);
	assert_int_equal(pthread_join(thread, &refused), 0);
	assert_null(refused);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	assert_ended(1, UDMA_IOAT_OK);
	munmap(page, 4096);
}

static void
removal_behind_a_halt_and_the_ring_full(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	build(0, 0);
	build_bad(1, 0);
	spdk_ioat_flush(g_chan);
	poll_until(2);
	/* The word of the halt must not be taken for one of the next lap. */
	rig_pause(g_rig);
	for (unsigned i = 2; i < RING + 1; i++) {
		build(i, 0);
	}
	spdk_ioat_flush(g_chan);
	assert_int_equal(udma_ioat_room(g_chan), 0);
	assert_int_equal(spdk_mem_unregister(page, 4096), -EBUSY);
	rig_resume(g_rig);
	assert_int_equal(poll_until(RING + 1), 0);
	assert_int_equal(spdk_mem_unregister(page, 4096), 0);
	munmap(page, 4096);
}

static void
engine_that_cannot_fill_is_not_counted(void **state)
{
	struct udma_ioat_stats stats;

	(void)state;
	spdk_ioat_detach(g_chan);
	RIG_SET(g_rig, refuse_fills, true);
	attach();
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests, 0);
	assert_int_equal(stats.completed, 0);
	assert_int_equal(stats.descriptors, 0);
	assert_int_equal(stats.doorbells, 0);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(stats.recoveries, 0);
	RIG_SET(g_rig, refuse_fills, false);
	assert_works(0);
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.completed, 2);
}

static void
what_was_never_announced_is_not_counted(void **state)
{
	struct udma_ioat_stats stats;

	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	build(1, 0);
	build(2, 0);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests, 3);
	assert_int_equal(stats.failed + stats.completed, 3);
	assert_int_equal(stats.descriptors, 1);
	assert_int_equal(stats.doorbells, 1);
}

#define WITH_32(test) cmocka_unit_test_setup_teardown(test, setup_32, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(engine_hangs),
		WITH_CHANNEL(time_without_polls_is_no_hang),
		WITH_CHANNEL(long_batch_is_no_hang),
		WITH_CHANNEL(late_status_is_no_hang),
		WITH_CHANNEL(detach_waits_for_a_long_batch),
		WITH_CHANNEL(removal_waits_for_a_long_batch),
		WITH_CHANNEL(device_goes),
		WITH_CHANNEL(device_goes_at_a_halt),
		WITH_CHANNEL(device_goes_before_an_abort),
		WITH_CHANNEL(function_is_reset_by_someone_else),
		WITH_CHANNEL(device_is_removed_but_answers),
		WITH_CHANNEL(halts_again_and_again),
		WITH_CHANNEL(halts_between_good_descriptors_wear_nothing_out),
		WITH_CHANNEL(reset_never_ends),
		WITH_CHANNEL(completion_word_is_lost),
		WITH_CHANNEL(completion_word_is_lost_and_then_it_is_quiet),
		WITH_CHANNEL(completion_word_is_lost_and_the_ring_full),
		WITH_CHANNEL(status_is_older_than_the_word),
		WITH_CHANNEL(cause_of_a_halt_is_shown_late),
		WITH_CHANNEL(causes_that_are_never_shown),
		WITH_CHANNEL(device_goes_before_a_cause_is_shown),
		WITH_CHANNEL(halt_is_not_pushed_to_memory),
		WITH_32(halt_is_not_pushed_to_memory),
		WITH_CHANNEL(halt_is_not_pushed_to_memory_and_its_status_torn),
		WITH_32(halt_is_not_pushed_to_memory_and_its_status_torn),
		WITH_CHANNEL(halt_is_not_pushed_at_the_first_descriptor),
		WITH_CHANNEL(restart_at_every_place_around_the_wrap),
		WITH_CHANNEL(restart_with_a_full_ring_at_the_wrap),
		WITH_CHANNEL(more_than_65536_descriptors_between_two_errors),
		WITH_CHANNEL(fence_is_on_the_request_itself),
		WITH_CHANNEL(removal_at_a_halt),
		WITH_CHANNEL(removal_behind_a_halt_and_the_ring_full),
		WITH_CHANNEL(engine_that_cannot_fill_is_not_counted),
		WITH_CHANNEL(what_was_never_announced_is_not_counted),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
