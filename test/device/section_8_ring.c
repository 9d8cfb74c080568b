/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 8: the chain and DMACOUNT.
 */

#include "host.h"

/** A closed ring of `count` null descriptors at RING. */
static void
put_ring(struct host *h, unsigned count, uint32_t control)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		put_null(h, RING + 64 * i, control, RING + 64 * ((i + 1) % count));
	}
}

static void
section_8_next_may_lead_anywhere(void **state)
{
	static const uint64_t slots[] = {RING + 0x300, RING, MEMORY + 0xC0000, RING + 0x40, SRC};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < 5; i++) {
		put_null(h, slots[i], COMPL_UPDATE, slots[(i + 1) % 5]);
	}
	start(h, slots[0]);
	wr(h, DMACOUNT, 2, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(udma_emu_step(h->emu), i < 4);
		assert_int_equal(rd(h, CHANSTS, 8), slots[i] | (i < 4 ? ACTIVE : IDLE));
		assert_int_equal(get64(h, WORD) & ~7ull, slots[i]);
	}
}

static void
section_8_closed_ring_goes_round(void **state)
{
	struct host *h = *state;
	unsigned round;

	put_ring(h, 4, 0);
	start(h, RING + 128); /* in the middle of it, as Linux restarts */
	for (round = 1; round <= 10; round++) {
		wr(h, DMACOUNT, 2, 3 * round);
		assert_int_equal(run(h), 3);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * ((2 + 3 * round - 1) % 4)) | IDLE);
	}
}

static void
section_8_ring_of_one(void **state)
{
	struct host *h = *state;

	put_ring(h, 1, 0);
	start(h, RING);
	wr(h, DMACOUNT, 2, 1000);
	assert_int_equal(run(h), 1000);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
section_8_dmacount_wraps_at_16_bits(void **state)
{
	struct host *h = *state;
	unsigned done = 0, count;

	/* 100 slots, so that the wrap of the count is none of the ring; 200,000 descriptors. */
	put_ring(h, 100, COMPL_UPDATE);
	start(h, RING);
	for (count = 1000; count <= 200000; count += 1000) {
		wr(h, DMACOUNT, 2, count & 0xFFFF);
		done += run(h);
		assert_int_equal(done, count);
		assert_int_equal(rd(h, DMACOUNT, 2), count & 0xFFFF);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * ((count - 1) % 100)) | IDLE);
		assert_int_equal(get64(h, WORD) & ~7ull, RING + 64 * ((count - 1) % 100));
	}
}

static void
section_8_dmacount_0_after_the_wrap_is_work(void **state)
{
	struct host *h = *state;

	put_ring(h, 64, 0);
	start(h, RING);
	wr(h, DMACOUNT, 2, 0xFFFF);
	assert_int_equal(run(h), 0xFFFF);
	wr(h, DMACOUNT, 2, 0);
	assert_int_equal(rd(h, CHANSTS, 1) & 7, ACTIVE);
	assert_int_equal(run(h), 1);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * 63) | IDLE);
	wr(h, DMACOUNT, 2, 0);
	assert_int_equal(rd(h, CHANSTS, 1) & 7, IDLE);
}

static void
section_8_difference_is_modulo_65536(void **state)
{
	struct host *h = *state;

	put_ring(h, 64, 0);
	start(h, RING);
	wr(h, DMACOUNT, 2, 0xFFF0);
	assert_int_equal(run(h), 0xFFF0);
	wr(h, DMACOUNT, 2, 0x0010);
	assert_int_equal(run(h), 0x20);
	/* One less than the internal count is 65,535 more. */
	wr(h, DMACOUNT, 2, 0x000F);
	assert_int_equal(run(h), 0xFFFF);
}

static void
section_8_counts_start_again_at_chainaddr(void **state)
{
	struct host *h = *state;

	put_ring(h, 64, 0);
	start_and_run(h, 50);
	wr(h, CHAINADDR, 8, RING + 64 * 10);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	wr(h, DMACOUNT, 2, 3);
	assert_int_equal(run(h), 3);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * 12) | IDLE);
}

/** What is not covered by DMACOUNT belongs to software: it is read only after it was announced. */
static void
section_8_unannounced_slots_are_not_read(void **state)
{
	struct host *h = *state;

	put_ring(h, 4, 0);
	put_copy(h, RING + 128, COMPL_UPDATE, 0, 0, 0, 0); /* nothing but errors */
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64) | IDLE);
	forbid(h, EVERYTHING, RING + 128, 64);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(h->refusals, 0);
	/* Altered in place just before its announcement, as SPDK does. */
	forbid(h, NOTHING, 0, 0);
	put_null(h, RING + 128, COMPL_UPDATE, RING);
	wr(h, DMACOUNT, 2, 3);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 128) | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 128);
}

static void
section_8_one_step_is_one_descriptor(void **state)
{
	struct host *h = *state;
	unsigned i;

	put_ring(h, 8, COMPL_UPDATE);
	start(h, RING);
	wr(h, DMACOUNT, 2, 5);
	for (i = 0; i < 5; i++) {
		udma_emu_step(h->emu);
		assert_int_equal(get64(h, WORD) & ~7ull, RING + 64 * i);
	}
}

/** Without ANY_ERR_ABORT_EN a bad descriptor is skipped; the count goes on, the address does not.
 */
static void
section_8_skipped_descriptors_count(void **state)
{
	struct host *h = *state;

	put_ring(h, 4, COMPL_UPDATE);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 0, RING + 128);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x0004);
	wr(h, DMACOUNT, 2, 4);
	assert_true(udma_emu_step(h->emu));
	assert_true(udma_emu_step(h->emu));
	assert_int_equal(rd(h, CHANSTS, 8), RING | ACTIVE);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
	assert_int_equal(run(h), 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 192) | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_8_next_may_lead_anywhere),
		T(section_8_closed_ring_goes_round),
		T(section_8_ring_of_one),
		T(section_8_dmacount_wraps_at_16_bits),
		T(section_8_dmacount_0_after_the_wrap_is_work),
		T(section_8_difference_is_modulo_65536),
		T(section_8_counts_start_again_at_chainaddr),
		T(section_8_unannounced_slots_are_not_read),
		T(section_8_one_step_is_one_descriptor),
		T(section_8_skipped_descriptors_count),
	};

	return cmocka_run_group_tests_name("section_8_ring", tests, NULL, NULL);
}
