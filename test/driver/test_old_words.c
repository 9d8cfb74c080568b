/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A completion word holds an address, which does not tell one lap of the ring from the next
 * (section 9). With more than half the ring outstanding an old word, stored a second time, names
 * descriptors that are yet to come.
 */

#include "channel_test.h"

#include "spdk/env.h"

static uint64_t g_old_word;

/** Two requests end, and the ring is full behind them; then there is the word of the first again.
 */
static void
fill_ring_behind_an_old_word(void)
{
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	g_old_word = *rig_completion_word(g_rig);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_int_equal(udma_ioat_null(g_chan, 0, on_end, &g_ended[2 + i]), 0);
	}
	spdk_ioat_flush(g_chan);
	/* Nothing of it is carried out: the engine takes the doorbell in, no more. */
	rig_step(g_rig, 0);
	*rig_completion_word(g_rig) = g_old_word;
}

static void
assert_all_ended(enum udma_ioat_status status)
{
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_int_equal(g_ended[2 + i].times, 1);
		assert_int_equal(g_ended[2 + i].result.status, status);
	}
}

static void
old_word_in_a_full_ring(void **state)
{
	(void)state;
	fill_ring_behind_an_old_word();
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
		usleep(1000);
	}
	assert_int_equal(g_ended[2].times, 0);
	/* The engine goes on, and with it the channel. */
	rig_resume(g_rig);
	poll_until(2 + RING - 1);
	assert_all_ended(UDMA_IOAT_OK);
	assert_works(50000);
}

/** An old word hides no engine that hangs. */
static void
hang_behind_an_old_word(void **state)
{
	(void)state;
	fill_ring_behind_an_old_word();
	RIG_SET(g_rig, resume_at_command, true);
	RIG_SET(g_rig, hangs, true);
	udma_ioat_hang_us = 20000;
	while (udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING) {
		spdk_ioat_process_events(g_chan);
	}
	udma_ioat_hang_us = USUAL_HANG_US;
	assert_int_equal(g_ended[2].times, 1);
	assert_all_ended(UDMA_IOAT_HUNG);
	RIG_SET(g_rig, hangs, false);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works(50000);
}

/** A word in the far half that is new: that of a long batch. */
static void
new_word_of_a_long_batch(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_int_equal(udma_ioat_null(g_chan, 0, on_end, &g_ended[2 + i]), 0);
	}
	spdk_ioat_flush(g_chan);
	poll_until(RING - 1);
	assert_all_ended(UDMA_IOAT_OK);
	assert_works(50000);
}

static void
abort_behind_an_old_word(void **state)
{
	(void)state;
	fill_ring_behind_an_old_word();
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	assert_all_ended(UDMA_IOAT_ABORTED);
	assert_works(50000);
}

static void *
unregister(void *buf)
{
	return (void *)(intptr_t)spdk_mem_unregister(buf, 0x200000);
}

/** Memory stays registered while an engine may be inside, whatever an old word says. */
static void
removal_behind_an_old_word(void **state)
{
	void *buf =
		mmap(NULL, 0x400000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *region = (void *)(((uintptr_t)buf + 0x1fffff) & ~(uintptr_t)0x1fffff);
	pthread_t thread;
	void *rc;

	(void)state;
	assert_int_equal(spdk_mem_register(region, 0x200000), 0);
	fill_ring_behind_an_old_word();
	assert_int_equal(pthread_create(&thread, NULL, unregister, region), 0);
	usleep(100000);
	assert_int_equal(pthread_tryjoin_np(thread, &rc), EBUSY);
	rig_resume(g_rig);
	poll_until(2 + RING - 1);
	pthread_join(thread, &rc);
	assert_null(rc);
	munmap(buf, 0x400000);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(old_word_in_a_full_ring),    WITH_CHANNEL(hang_behind_an_old_word),
		WITH_CHANNEL(new_word_of_a_long_batch),   WITH_CHANNEL(abort_behind_an_old_word),
		WITH_CHANNEL(removal_behind_an_old_word),
	};

	if (argc == 2) {
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("old words", tests, NULL, NULL);
}
