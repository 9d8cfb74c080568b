/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * UDMA_IOAT_ELSE_CPU: what the engine cannot carry out, the CPU does, in its turn, and fences hold
 * in both directions.
 */

#include "channel_test.h"
#include "emu/emu_internal.h"
#include "udma/fault.h"

static uint8_t g_stranger[4096]; /* not registered */

/** Builds a copy from memory that no engine reaches: the CPU's. */
static void
build_strange(unsigned i, void *dst, unsigned flags)
{
	assert_int_equal(udma_ioat_copy(g_chan, dst, g_stranger, 64, flags | UDMA_IOAT_ELSE_CPU,
					on_end, &g_ended[i]),
			 0);
}

static int
setup_without_fill(void **state)
{
	(void)state;
	create(0x2021, 20);
	rig_poke(g_rig, BAR_DMACAP, 4, 0);
	set_up();
	memset(g_stranger, 0x77, sizeof(g_stranger));
	return 0;
}

static int
setup_strange(void **state)
{
	setup(state);
	memset(g_stranger, 0x77, sizeof(g_stranger));
	return 0;
}

/* ---- What the engine cannot ---- */

static void
operations_that_the_part_does_not_have(void **state)
{
	const void *sources[] = {g_memory + 4096, g_memory + 4200, g_stranger};
	const uint8_t coefficients[] = {1, 2, 4};
	uint8_t pattern[] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint64_t word;

	(void)state;
	memcpy(&word, pattern, 8);
	assert_int_equal(udma_ioat_fill(g_chan, g_memory, word, 20, 0, on_end, &g_ended[0]),
			 -ENOTSUP);
	assert_int_equal(udma_ioat_fill(g_chan, g_memory + 1, word, 20, UDMA_IOAT_ELSE_CPU, on_end,
					&g_ended[0]),
			 0);
	assert_int_equal(udma_ioat_pq(g_chan, g_memory + 100, g_memory + 200, sources, coefficients,
				      3, 64, UDMA_IOAT_ELSE_CPU, on_end, &g_ended[1]),
			 0);
	sources[0] = NULL; /* the lists are not the library's */
	build(2, 0);
	spdk_ioat_flush(g_chan);
	poll_until(3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(g_ended[i].order, i);
		assert_int_equal(g_ended[i].result.status, UDMA_IOAT_OK);
	}
	assert_int_equal(g_ended[0].result.bytes, 20);
	assert_int_equal(stats_now().by_cpu, 2);
	assert_int_equal(stats_now().requests, 3);
	assert_int_equal(stats_now().bytes, 20 + 64 + 64);
	assert_int_equal(g_memory[100], 0x5a ^ 0x5a ^ 0x77);
	/* Times 2 and 4: 0x5a + 0xb4 + (0x77 << 2 = 0x1dc, less 11Dh: 0xc1) */
	assert_int_equal(g_memory[200], 0x5a ^ 0xb4 ^ 0xc1);
}

static void
fill_by_the_cpu(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_fill(g_chan, g_memory + 3, 0x0807060504030201, 21,
					UDMA_IOAT_ELSE_CPU, on_end, &g_ended[0]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(1);
	assert_int_equal(g_memory[2], 0);
	for (unsigned i = 0; i < 21; i++) {
		assert_int_equal(g_memory[3 + i], i % 8 + 1);
	}
	assert_int_equal(g_memory[24], 0);
}

static void
memory_that_is_not_registered(void **state)
{
	uint8_t to[300];
	const struct iovec dst[] = {{to, 100}, {NULL, 0}, {to + 100, 200}};
	const struct iovec src[] = {{g_memory + 4096, 250}, {g_stranger, 50}};

	(void)state;
	assert_int_equal(
		udma_ioat_copyv(g_chan, dst, 3, src, 2, UDMA_IOAT_ELSE_CPU, on_end, &g_ended[0]),
		0);
	assert_int_equal(
		udma_ioat_copy(g_chan, NULL, NULL, 0, UDMA_IOAT_ELSE_CPU, on_end, &g_ended[1]), 0);
	assert_int_equal(udma_ioat_null(g_chan, UDMA_IOAT_ELSE_CPU, on_end, &g_ended[2]), 0);
	/* The engine's, for it can. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, UDMA_IOAT_ELSE_CPU,
					on_end, &g_ended[3]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(4);
	assert_int_equal(g_ended[0].result.bytes, 300);
	assert_memory_equal(to, g_memory + 4096, 250);
	assert_memory_equal(to + 250, g_stranger, 50);
	assert_ended(3, UDMA_IOAT_OK);
	assert_int_equal(stats_now().by_cpu, 1);
	/* What is wrong stays wrong. */
	assert_int_equal(udma_ioat_copyv(g_chan, dst, 1, src, 1, UDMA_IOAT_ELSE_CPU, NULL, NULL),
			 -EINVAL);
}

static void
checks_by_the_cpu(void **state)
{
	const void *sources[] = {g_stranger, g_stranger + 2000};
	const uint8_t coefficients[] = {1, 1};
	uint8_t p[2000] = {0}, q[2000] = {0};

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		memset(&g_ended[0], 0, sizeof(g_ended[0]));
		p[1500] = round & 1;
		q[1400] = round & 2;
		assert_int_equal(udma_ioat_pq_check(g_chan, p, q, sources, coefficients, 2, 2000,
						    UDMA_IOAT_ELSE_CPU, on_end, &g_ended[0]),
				 0);
		spdk_ioat_flush(g_chan);
		poll_until(round + 1);
		assert_int_equal(g_ended[0].result.status,
				 round == 0 ? UDMA_IOAT_OK : UDMA_IOAT_MISMATCH);
		assert_int_equal(g_ended[0].result.chanerr,
				 (round & 1 ? 0x10000 : 0) | (round & 2 ? 0x20000 : 0));
		assert_int_equal(g_ended[0].result.bytes, round & 2   ? 1400
							  : round & 1 ? 1500
								      : 2000);
	}
	assert_int_equal(stats_now().errors[UDMA_IOAT_MISMATCH], 3);
}

/* ---- Order and fences ---- */

static void
in_its_turn(void **state)
{
	(void)state;
	rig_pause(g_rig);
	for (unsigned i = 0; i < 9; i++) {
		if (i % 3 == 1) {
			build_strange(i, g_memory + 64 * i, 0);
		} else {
			build(i, 0);
		}
	}
	spdk_ioat_flush(g_chan);
	/* It waits for what is before it, not for a flush or a poll alone. */
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(g_memory[64], 0);
	rig_resume(g_rig);
	poll_until(9);
	for (unsigned i = 0; i < 9; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_int_equal(g_memory[64], 0x77);
	assert_int_equal(stats_now().by_cpu, 3);
}

/** The engine's to the CPU's to the engine's: each needs what is before its fence. */
static void
fences_both_ways(void **state)
{
	uint8_t between[64] = {0};

	(void)state;
	memset(g_memory + 4096, 0x11, 64);
	for (unsigned round = 0; round < 50; round++) {
		memset(g_ended, 0, sizeof(g_ended[0]) * 4);
		memset(g_memory, 0, 4096);
		memset(g_memory + 4096, (int)round + 1, 64);
		memset(between, 0, sizeof(between));
		build(0, UDMA_IOAT_FENCE); /* to g_memory */
		assert_int_equal(udma_ioat_copy(g_chan, between, g_memory, 64,
						UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE, on_end,
						&g_ended[1]),
				 0);
		assert_int_equal(udma_ioat_copy(g_chan, g_memory + 1000, between, 64,
						UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE, on_end,
						&g_ended[2]),
				 0);
		assert_int_equal(udma_ioat_copy(g_chan, g_memory + 2000, g_memory + 1000, 64, 0,
						on_end, &g_ended[3]),
				 0);
		spdk_ioat_flush(g_chan);
		poll_until(4 * (round + 1));
		for (unsigned i = 0; i < 4; i++) {
			assert_ended(i, UDMA_IOAT_OK);
		}
		assert_int_equal(g_memory[2000], round + 1);
		assert_int_equal(g_memory[2063], round + 1);
	}
}

/** A fence of the engine's own behind a request of the CPU's waits for that, too. */
static void
fence_behind_one_of_the_cpu(void **state)
{
	uint64_t announced;

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	build_strange(1, g_memory + 1000, 0);
	build(2, 0);
	build(3, UDMA_IOAT_FENCE);
	announced = g_chan->head;
	assert_int_equal(udma_ioat_copy(g_chan, g_memory + 2000, g_memory + 1000, 64, 0, on_end,
					&g_ended[4]),
			 0);
	spdk_ioat_flush(g_chan);
	/* The engine is not told of what is behind the fence. */
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), announced);
	rig_step(g_rig, 10);
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), announced);
	rig_resume(g_rig);
	poll_until(5);
	assert_int_equal(g_memory[2000], 0x77);
	for (unsigned i = 0; i < 5; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
}

static void
fence_of_a_failed_request_before(void **state)
{
	(void)state;
	build_bad(0, UDMA_IOAT_FENCE);
	build_strange(1, g_memory + 1000, 0);
	build(2, 0);
	spdk_ioat_flush(g_chan);
	poll_until(3);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	assert_ended(1, UDMA_IOAT_ABORTED);
	assert_ended(2, UDMA_IOAT_ABORTED);
	assert_int_equal(g_memory[1000], 0);
	assert_int_equal(stats_now().by_cpu, 0);
	assert_works(10);
}

/** The CPU's check differs: what is behind its fence has not been told to the engine. */
static void
fence_behind_a_difference(void **state)
{
	const void *sources[] = {g_stranger, g_stranger};

	(void)state;
	g_stranger[5] = 1;
	assert_int_equal(udma_ioat_xor_check(g_chan, g_stranger, sources, 2, 64,
					     UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE, on_end,
					     &g_ended[0]),
			 0);
	build(1, 0);
	build_strange(2, g_memory + 1000, UDMA_IOAT_FENCE);
	build(3, 0);
	spdk_ioat_flush(g_chan);
	poll_until(4);
	assert_int_equal(g_ended[0].result.status, UDMA_IOAT_MISMATCH);
	for (unsigned i = 1; i < 4; i++) {
		assert_ended(i, UDMA_IOAT_ABORTED);
	}
	assert_int_equal(g_memory[0], 0);
	assert_int_equal(g_memory[1000], 0);
	assert_works(10);
}

static void
halts_around_it(void **state)
{
	(void)state;
	build_strange(0, g_memory + 1000, 0);
	build_bad(1, 0);
	build_strange(2, g_memory + 2000, 0);
	build_bad(3, 0);
	build_strange(4, g_memory + 3000, UDMA_IOAT_FENCE);
	build(5, 0);
	spdk_ioat_flush(g_chan);
	poll_until(6);
	/* Two have failed in front of the fence. */
	for (unsigned i = 0; i < 6; i++) {
		assert_ended(i, i == 5       ? UDMA_IOAT_ABORTED
				: i % 2 == 1 ? UDMA_IOAT_BAD_DESTINATION
					     : UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_int_equal(g_memory[1000], 0x77);
	assert_int_equal(g_memory[2000], 0x77);
	assert_int_equal(g_memory[3000], 0x77);
	assert_works(10);
}

/** Lets the engine, which is paused, halt at the next descriptors that move something. */
static void
inject_halts(unsigned times)
{
	const struct udma_fault fault = {.kind = UDMA_FAULT_HALT,
					 .step = UDMA_FAULT_READ,
					 .value = 1u << 8,
					 .every = 1,
					 .times = times};

	assert_int_equal(udma_emu_inject(g_rig->function.emu, &fault), 0);
}

/** What the engine halts at is the CPU's, and what is before it has been carried out by then. */
static void
a_halt_behind_what_is_the_cpus(void **state)
{
	(void)state;
	rig_pause(g_rig);
	inject_halts(1);
	build_strange(0, g_memory + 1000, 0);
	build_strange(1, g_memory + 1032, 0);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory + 2000, g_memory + 1000, 64,
					UDMA_IOAT_ELSE_CPU, on_end, &g_ended[2]),
			 0);
	build(3, 0);
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	poll_until(4);
	for (unsigned i = 0; i < 4; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_memory_equal(g_memory + 2000, g_stranger, 64);
	assert_int_equal(stats_now().by_cpu, 3);
	assert_int_equal(stats_now().recoveries, 1);
	assert_int_equal(g_chan->cpus, 0);
}

static void
build_for_both(unsigned i, unsigned flags)
{
	assert_int_equal(udma_ioat_copy(g_chan, g_memory + 1000 + i % 1000, g_memory + 4096, 64,
					flags | UDMA_IOAT_ELSE_CPU, on_end, &g_ended[i]),
			 0);
}

/** Also of a channel that has failed with it: at a known place it has carried out no more. */
static void
halts_until_the_channel_fails(void **state)
{
	(void)state;
	rig_pause(g_rig);
	inject_halts(0);
	for (unsigned i = 0; i < 2000; i++) {
		build_for_both(i, i % 100 == 99 && i < 1000 ? UDMA_IOAT_FENCE : 0);
	}
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	poll_until(2000);
	for (unsigned i = 0; i < 2000; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
	assert_int_equal(stats_now().by_cpu, 2000);
	assert_failed(-EIO);
}

/** What is not the CPU's ends because of it; so does what is behind a fence of that. */
static void
halts_at_the_end_with_fences(void **state)
{
	(void)state;
	rig_pause(g_rig);
	inject_halts(1);
	build_for_both(0, 0);
	build_for_both(1, 0);
	build(2, 0);
	build_for_both(3, UDMA_IOAT_FENCE);
	build_for_both(4, 0);
	spdk_ioat_flush(g_chan);
	RIG_SET(g_rig, ignore_reset, true);
	rig_resume(g_rig);
	poll_until(5);
	assert_ended(0, UDMA_IOAT_OK);
	assert_ended(1, UDMA_IOAT_OK);
	assert_ended(2, UDMA_IOAT_FAILED);
	assert_ended(3, UDMA_IOAT_OK);
	assert_ended(4, UDMA_IOAT_ABORTED);
	assert_int_equal(stats_now().by_cpu, 3);
	RIG_SET(g_rig, ignore_reset, false);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

static void
many_fences_and_a_full_ring(void **state)
{
	unsigned built = 0;

	(void)state;
	while (built < 90000) {
		unsigned flags = built % 5 == 0 ? UDMA_IOAT_FENCE : 0;
		int rc;

		if (built % 7 == 3) {
			rc = udma_ioat_copy(g_chan, g_memory, g_stranger, 64,
					    flags | UDMA_IOAT_ELSE_CPU, on_end, &g_ended[built]);
		} else {
			rc = udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, flags, on_end,
					    &g_ended[built]);
		}
		if (rc == -ENOMEM) {
			assert_true(spdk_ioat_process_events(g_chan) >= 0);
			continue;
		}
		assert_int_equal(rc, 0);
		built++;
	}
	spdk_ioat_flush(g_chan);
	poll_until(90000);
	for (unsigned i = 0; i < 90000; i++) {
		assert_ended(i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].order, i);
	}
	assert_int_equal(g_chan->cpus, 0);
	assert_false(g_chan->held);
}

/* ---- Channels that fail, aborts, batches ---- */

static void
channel_that_has_failed(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, UDMA_IOAT_ELSE_CPU,
					on_end, &g_ended[1]),
			 0);
	build_strange(2, g_memory + 1000, 0);
	spdk_ioat_flush(g_chan);
	/* Never announced: nobody but the CPU has it. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory + 2000, g_memory + 4096, 64,
					UDMA_IOAT_ELSE_CPU, on_end, &g_ended[3]),
			 0);
	build(4, UDMA_IOAT_FENCE);
	build_strange(5, g_memory + 3000, 0);
	rig_vanish(g_rig);
	while (g_order < 6) {
		spdk_ioat_process_events(g_chan);
	}
	assert_ended(0, UDMA_IOAT_GONE);
	/* It may have been carried out, and its source overwritten since. */
	assert_ended(1, UDMA_IOAT_GONE);
	assert_ended(2, UDMA_IOAT_OK);
	assert_ended(3, UDMA_IOAT_OK);
	assert_ended(4, UDMA_IOAT_GONE);
	assert_ended(5, UDMA_IOAT_ABORTED);
	assert_int_equal(g_memory[1000], 0x77);
	assert_int_equal(g_memory[2000], 0x5a);
	assert_int_equal(g_memory[3000], 0);
	/* And from then on, without the engine. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, NULL, NULL),
			 -ENODEV);
	for (unsigned i = 10; i < 20; i++) {
		assert_int_equal(udma_ioat_copy(g_chan, g_memory + i, g_memory + 4096, 64,
						UDMA_IOAT_ELSE_CPU, on_end, &g_ended[i]),
				 0);
		assert_int_equal(g_ended[i].times, 0);
	}
	assert_int_equal(spdk_ioat_process_events(g_chan), 10);
	assert_int_equal(spdk_ioat_process_events(g_chan), -ENODEV);
	for (unsigned i = 10; i < 20; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	assert_failed(-ENODEV);
	assert_int_equal(stats_now().by_cpu, 12);
}

static void
fail_by_hang(void)
{
	udma_ioat_hang_us = 20000;
	RIG_SET(g_rig, hangs, true);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	assert_int_equal(poll_for_error(), -EIO);
}

static void
end_hang_and_reset(void)
{
	RIG_SET(g_rig, hangs, false);
	udma_ioat_hang_us = USUAL_HANG_US;
	assert_int_equal(udma_ioat_reset(g_chan), 0);
}

/** From its callback the next: each poll carries out one, and comes back. */
static void
on_end_build(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	if ((struct ended *)arg == &g_ended[50]) {
		return;
	}
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_stranger, 64, UDMA_IOAT_ELSE_CPU,
					on_end_build, (struct ended *)arg + 1),
			 0);
}

static void
callbacks_that_build_on_a_failed_channel(void **state)
{
	(void)state;
	fail_by_hang();
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_stranger, 64, UDMA_IOAT_ELSE_CPU,
					on_end_build, &g_ended[1]),
			 0);
	for (unsigned i = 1; i < 10; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 1);
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i + 1].times, 0);
	}
	/* One is outstanding as the channel comes back. */
	end_hang_and_reset();
	assert_int_equal(g_ended[10].times, 1);
	spdk_ioat_flush(g_chan);
	while (g_ended[50].times == 0) {
		spdk_ioat_process_events(g_chan);
		spdk_ioat_flush(g_chan);
	}
	for (unsigned i = 1; i < 51; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	assert_works(60);
}

static void
on_end_build_fenced(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_stranger, 64,
					UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE, on_end,
					(struct ended *)arg + 1),
			 0);
}

/** The engine starts although a fence holds back what is behind. */
static void
a_fence_that_is_outstanding_at_a_reset(void **state)
{
	(void)state;
	fail_by_hang();
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_stranger, 64, UDMA_IOAT_ELSE_CPU,
					on_end_build_fenced, &g_ended[1]),
			 0);
	end_hang_and_reset();
	assert_ended(1, UDMA_IOAT_OK);
	assert_ended(2, UDMA_IOAT_OK);
	assert_false(g_chan->held);
	assert_works(10);
}

/** The halt is none of its request's: the null descriptor only keeps the place of a check that is
 * the CPU's, and does not differ. */
static void
a_halt_in_its_place_without_a_restart(void **state)
{
	const void *sources[] = {g_stranger, g_stranger + 100};

	(void)state;
	rig_pause(g_rig);
	assert_int_equal(udma_ioat_xor_check(g_chan, g_memory, sources, 2, 64, UDMA_IOAT_ELSE_CPU,
					     on_end, &g_ended[0]),
			 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 0);
	udma_emu_channel_error(g_rig->function.emu, UDMA_EMU_XOR_P);
	RIG_SET(g_rig, ignore_reset, true);
	rig_resume(g_rig);
	poll_until(1);
	assert_ended(0, UDMA_IOAT_OK);
	assert_failed(-EIO);
	RIG_SET(g_rig, ignore_reset, false);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(10);
}

/** Whether lists overlap is found out piece by piece, but not for seconds. */
static void
a_halt_at_long_lists(void **state)
{
	static struct iovec dst[2000], src[2000];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		dst[i] = (struct iovec){g_memory + i, 1};
		src[i] = (struct iovec){g_memory + 4096 + i, 1};
	}
	for (unsigned i = 0; i < 2; i++) {
		unsigned count = i == 0 ? 200 : 2000;

		rig_pause(g_rig);
		assert_int_equal(udma_ioat_copyv(g_chan, dst, count, src, count, UDMA_IOAT_ELSE_CPU,
						 on_end, &g_ended[i]),
				 0);
		spdk_ioat_flush(g_chan);
		rig_step(g_rig, 3);
		udma_emu_channel_error(g_rig->function.emu, UDMA_EMU_SOURCE_ADDRESS);
		rig_resume(g_rig);
		poll_until(i + 1);
	}
	assert_int_equal(g_ended[0].result.status, UDMA_IOAT_OK);
	assert_int_equal(g_ended[0].result.bytes, 200);
	assert_int_equal(g_ended[1].result.status, UDMA_IOAT_BAD_SOURCE);
	assert_int_equal(g_ended[1].result.bytes, 3);
	assert_works(10);
}

static void
abort_ends_the_cpus_too(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	RIG_SET(g_rig, hangs, true);
	build(0, 0);
	build_strange(1, g_memory + 1000, UDMA_IOAT_FENCE);
	build(2, 0);
	spdk_ioat_flush(g_chan);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_ended(i, UDMA_IOAT_ABORTED);
	}
	assert_int_equal(g_memory[1000], 0);
	RIG_SET(g_rig, hangs, false);
	assert_false(g_chan->held);
	assert_int_equal(g_chan->cpus, 0);
	assert_works(10);
}

static void
detach_carries_out_the_cpus(void **state)
{
	(void)state;
	build(0, 0);
	build_strange(1, g_memory + 1000, UDMA_IOAT_FENCE);
	build(2, 0);
	build_strange(3, g_memory + 2000, UDMA_IOAT_FENCE);
	build(4, 0);
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	for (unsigned i = 0; i < 5; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	assert_int_equal(g_memory[2000], 0x77);
}

static void
batch_with_the_cpus_in_it(void **state)
{
	struct udma_ioat_op ops[3] = {0};
	struct udma_ioat_stats before, after;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		ops[i] = (struct udma_ioat_op){.kind = UDMA_IOAT_OP_COPY,
					       .flags = UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE,
					       .cb = on_end,
					       .cb_arg = &g_ended[i],
					       .dst = g_memory + 1000 * i,
					       .src = g_stranger,
					       .nbytes = 64};
	}
	ops[2].flags = 0; /* which cannot be */
	before = stats_now();
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), -EINVAL);
	after = stats_now();
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(g_chan->cpus, 0);
	assert_false(g_chan->held);
	assert_works(10);
	ops[2].flags = UDMA_IOAT_ELSE_CPU;
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), 0);
	poll_until(5);
	for (unsigned i = 0; i < 3; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	/* On a channel that has failed as well, whole or not at all. */
	rig_pause(g_rig);
	build(20, 0);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	poll_for_error();
	memset(g_ended, 0, sizeof(g_ended[0]) * 3);
	ops[2].flags = 0;
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), -ENODEV);
	assert_failed(-ENODEV);
	assert_int_equal(g_ended[0].times, 0);
	ops[2].flags = UDMA_IOAT_ELSE_CPU;
	assert_int_equal(udma_ioat_submit(g_chan, ops, 3), 0);
	assert_int_equal(spdk_ioat_process_events(g_chan), 3);
	assert_failed(-ENODEV);
}

#define WITH_STRANGER(test) cmocka_unit_test_setup_teardown(test, setup_strange, teardown)
#define WITHOUT_FILL(test)  cmocka_unit_test_setup_teardown(test, setup_without_fill, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITHOUT_FILL(operations_that_the_part_does_not_have),
		WITHOUT_FILL(fill_by_the_cpu),
		WITH_STRANGER(memory_that_is_not_registered),
		WITH_STRANGER(checks_by_the_cpu),
		WITH_STRANGER(in_its_turn),
		WITH_STRANGER(fences_both_ways),
		WITH_STRANGER(fence_behind_one_of_the_cpu),
		WITH_STRANGER(fence_of_a_failed_request_before),
		WITH_STRANGER(fence_behind_a_difference),
		WITH_STRANGER(halts_around_it),
		WITH_STRANGER(a_halt_behind_what_is_the_cpus),
		WITH_STRANGER(halts_until_the_channel_fails),
		WITH_STRANGER(halts_at_the_end_with_fences),
		WITH_STRANGER(many_fences_and_a_full_ring),
		WITH_STRANGER(channel_that_has_failed),
		WITH_STRANGER(callbacks_that_build_on_a_failed_channel),
		WITH_STRANGER(a_fence_that_is_outstanding_at_a_reset),
		WITH_STRANGER(a_halt_in_its_place_without_a_restart),
		WITH_STRANGER(a_halt_at_long_lists),
		WITH_STRANGER(abort_ends_the_cpus_too),
		WITH_STRANGER(detach_carries_out_the_cpus),
		WITH_STRANGER(batch_with_the_cpus_in_it),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("else_cpu", tests, NULL, NULL);
}
