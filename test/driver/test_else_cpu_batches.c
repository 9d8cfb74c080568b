/* SPDX-License-Identifier: BSD-3-Clause */

/* Batches of requests that the CPU may carry out: what does not fit the ring, or has no memory. */

#include "channel_test.h"

#define MANY 40000 /* more than the ring has */

static struct udma_ioat_op g_ops[MANY];
static struct iovec g_pieces[MANY], g_places[MANY];

/* ---- Memory that runs out ---- */

static unsigned g_callocs; /* those that succeed before one fails; 0: all of them do */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	if (g_callocs > 0 && --g_callocs == 0) {
		return NULL;
	}
	return __real_calloc(count, size);
}

static struct udma_ioat_op
op(unsigned i, enum udma_ioat_op_kind kind)
{
	struct udma_ioat_op copy = copy_op(i, UDMA_IOAT_ELSE_CPU);

	copy.kind = kind;
	return copy;
}

/** A copy of `pieces` bytes, each of them a piece. */
static struct udma_ioat_op
scattered(unsigned i, unsigned pieces)
{
	struct udma_ioat_op copyv = op(i, UDMA_IOAT_OP_COPYV);

	for (unsigned j = 0; j < pieces; j++) {
		g_pieces[j] = (struct iovec){g_memory + 4096 + j % 4096, 1};
		g_places[j] = (struct iovec){g_memory + j % 4096, 1};
	}
	copyv.dst_list = g_places;
	copyv.src_list = g_pieces;
	copyv.dst_count = copyv.src_count = pieces;
	return copyv;
}

/** Nothing of a batch is left. */
static void
assert_refused(unsigned count, int error)
{
	struct udma_ioat_stats before = stats_now(), after;
	uint32_t room = udma_ioat_room(g_chan);

	assert_int_equal(udma_ioat_submit(g_chan, g_ops, count), error);
	after = stats_now();
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(udma_ioat_room(g_chan), room);
	assert_int_equal(g_chan->cpus, 0);
}

static void
one_too_large_in_a_batch_is_the_cpus(void **state)
{
	(void)state;
	g_ops[0] = op(0, UDMA_IOAT_OP_NULL);
	g_ops[1] = scattered(1, MANY);
	g_ops[2] = op(2, UDMA_IOAT_OP_NULL);
	g_ops[2].flags |= UDMA_IOAT_FENCE;
	g_ops[3] = scattered(3, MANY);
	assert_int_equal(udma_ioat_submit(g_chan, g_ops, 4), 0);
	poll_until(4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].order, i);
		assert_int_equal(g_ended[i].result.status, UDMA_IOAT_OK);
		assert_int_equal(g_ended[i].result.bytes, i % 2 == 1 ? MANY : 0);
	}
	assert_int_equal(stats_now().by_cpu, 2);
	assert_memory_equal(g_memory, g_memory + 4096, 4096);
	assert_works(10);
}

/** What is too much is the batch: it can be submitted in parts. */
static void
one_that_fits_alone_is_the_engines(void **state)
{
	(void)state;
	g_ops[0] = op(0, UDMA_IOAT_OP_NULL);
	g_ops[1] = scattered(1, RING - 1);
	assert_refused(2, -E2BIG);
	assert_int_equal(udma_ioat_submit(g_chan, &g_ops[0], 1), 0);
	poll_until(1);
	assert_int_equal(udma_ioat_submit(g_chan, &g_ops[1], 1), 0);
	poll_until(2);
	assert_int_equal(g_ended[1].result.bytes, RING - 1);
	/* The engine's as before, where it has only to wait for others. */
	rig_pause(g_rig);
	build(2, 0);
	spdk_ioat_flush(g_chan);
	assert_refused(2, -ENOMEM);
	rig_resume(g_rig);
	poll_until(3);
	assert_int_equal(stats_now().by_cpu, 0);
}

static void
too_many_on_a_channel_that_has_failed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		g_ops[i] = op(i, UDMA_IOAT_OP_COPY);
	}
	assert_refused(MANY, -E2BIG);
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_vanish(g_rig);
	while (g_order < 1) {
		spdk_ioat_process_events(g_chan);
	}
	g_ended[0].times = 0;
	assert_refused(MANY, -E2BIG);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, UDMA_IOAT_ELSE_CPU,
					on_end, &g_ended[MANY]),
			 0);
	/* There is room for them when that has ended. */
	assert_int_equal(udma_ioat_submit(g_chan, g_ops, RING - 1), -ENOMEM);
	assert_int_equal(spdk_ioat_process_events(g_chan), 1);
	assert_int_equal(udma_ioat_submit(g_chan, g_ops, RING - 1), 0);
	assert_int_equal(spdk_ioat_process_events(g_chan), RING - 1);
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
}

static void
no_memory_is_no_lack_of_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		g_ops[i] = op(i, UDMA_IOAT_OP_COPY);
	}
	for (unsigned i = 1; i <= 3; i++) {
		g_callocs = i;
		assert_refused(3, -ENOMEM);
		assert_int_equal(g_callocs, 0);
	}
	assert_int_equal(udma_ioat_submit(g_chan, g_ops, 3), 0);
	poll_until(3);
	for (unsigned i = 0; i < 3; i++) {
		assert_ended(i, UDMA_IOAT_OK);
	}
	/* Nor is that for finding out whether one would fit alone. */
	g_ops[0] = op(3, UDMA_IOAT_OP_NULL);
	g_ops[1] = scattered(4, MANY);
	g_callocs = 3; /* behind a record for each */
	assert_refused(2, -ENOMEM);
	assert_int_equal(g_callocs, 0);
	assert_int_equal(udma_ioat_submit(g_chan, g_ops, 2), 0);
	poll_until(5);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(one_too_large_in_a_batch_is_the_cpus),
		WITH_CHANNEL(one_that_fits_alone_is_the_engines),
		WITH_CHANNEL(too_many_on_a_channel_that_has_failed),
		WITH_CHANNEL(no_memory_is_no_lack_of_room),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("else_cpu, batches", tests, NULL, NULL);
}
