/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 9: the completion word.
 */

#include "host.h"

#define UNTOUCHED 0x5555555555555555ull

static void
section_9_word_is_address_and_state(void **state)
{
	struct host *h = *state;

	put64(h, WORD - 8, UNTOUCHED);
	put64(h, WORD + 8, UNTOUCHED);
	put_null(h, RING + 0xFC0, COMPL_UPDATE, RING);
	start(h, RING + 0xFC0);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	/* Point 11: the state is ACTIVE, 0. */
	assert_int_equal(get64(h, WORD), RING + 0xFC0);
	assert_int_equal(get64(h, WORD - 8), UNTOUCHED);
	assert_int_equal(get64(h, WORD + 8), UNTOUCHED);
}

static void
section_9_word_only_with_compl_update(void **state)
{
	struct host *h = *state;

	put64(h, WORD, UNTOUCHED);
	put_null(h, RING, 0, RING + 64);
	put_null(h, RING + 64, COMPL_UPDATE, RING + 128);
	put_null(h, RING + 128, 0, RING);
	start(h, RING);
	wr(h, DMACOUNT, 2, 3);
	udma_emu_step(h->emu);
	assert_int_equal(get64(h, WORD), UNTOUCHED);
	udma_emu_step(h->emu);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 64);
	udma_emu_step(h->emu);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 64);
	/* CHANSTS knows of all. */
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 128) | IDLE);
}

static void
section_9_nothing_is_stored_before_a_descriptor_is_done(void **state)
{
	struct host *h = *state;

	put64(h, WORD, UNTOUCHED);
	put_null(h, RING, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, DMACOUNT, 2, 1);
	assert_int_equal(get64(h, WORD), UNTOUCHED);
}

static void
section_9_word_follows_chancmp(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, RING + 64);
	put_null(h, RING + 64, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	wr(h, CHANCMP, 8, WORD + 0x100);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
	assert_int_equal(get64(h, WORD + 0x100) & ~7ull, RING + 64);
}

static void
section_9_error_word_is_last_good_and_halted(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING + 64);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 0, RING);
	start_and_run(h, 2);
	assert_int_equal(get64(h, WORD), RING | 3);
}

static void
section_9_error_word_is_3_if_none_was_good(void **state)
{
	struct host *h = *state;

	put64(h, WORD, UNTOUCHED);
	put_copy(h, RING, 0, SRC, DST, 0, RING);
	start_and_run(h, 1);
	assert_int_equal(get64(h, WORD), 0x0000000000000003);
}

/** Of descriptors before CHAINADDR was written the word does not speak. */
static void
section_9_error_word_forgets_the_chain_before(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, RING + 64);
	put_copy(h, RING + 64, 0, SRC, DST, 0, RING);
	start_and_run(h, 1);
	start(h, RING + 64);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(get64(h, WORD), 0x0000000000000003);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
}

/** Point 12, and FreeBSD (section 15.5): no error word that was not asked for. */
static void
section_9_no_error_word_without_err_completion_en(void **state)
{
	struct host *h = *state;

	put64(h, WORD, UNTOUCHED);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 0, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x0008);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 11, 0);
	assert_int_equal(get64(h, WORD), UNTOUCHED);
}

static void
section_9_nothing_is_stored_once_halted(void **state)
{
	struct host *h = *state;
	unsigned grants;

	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 0, RING + 64);
	put_null(h, RING + 64, COMPL_UPDATE, RING);
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	put64(h, WORD, UNTOUCHED);
	grants = h->grants;
	wr(h, DMACOUNT, 2, 3);
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, CHANCMD, 1, 0x03); /* one error more */
	run(h);
	assert_int_equal(get64(h, WORD), UNTOUCHED);
	assert_int_equal(h->grants, grants);
}

/** A word of a suspended channel is not pushed to memory. */
static void
section_9_suspend_stores_nothing(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, RING);
	start_and_run(h, 1);
	put64(h, WORD, UNTOUCHED);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_int_equal(get64(h, WORD), UNTOUCHED);
}

/* Order: data, then the word, then CHANSTS. Looked at whenever the function asks for memory. */

static unsigned g_word_grants;

static void
look_at_the_order(struct host *h, uint64_t iova, bool write)
{
	if (iova != WORD) {
		return;
	}
	assert_true(write);
	g_word_grants++;
	assert_same(h, SRC, DST, 3000);
	assert_int_equal(rd(h, CHANSTS, 8), 0 | ACTIVE);
}

static void
section_9_order_is_data_word_status(void **state)
{
	struct host *h = *state;

	g_word_grants = 0;
	scribble(h, SRC, 3000, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 3000, RING);
	h->on_grant = look_at_the_order;
	start_and_run(h, 1);
	h->on_grant = NULL;
	assert_int_equal(g_word_grants, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
look_at_the_error_order(struct host *h, uint64_t iova, bool write)
{
	(void)write;
	if (iova == WORD) {
		g_word_grants++;
		assert_int_not_equal(rd(h, CHANSTS, 1) & 7, HALTED);
	}
}

static void
section_9_order_of_an_error_is_word_status(void **state)
{
	struct host *h = *state;

	g_word_grants = 0;
	put_copy(h, RING, 0, SRC, DST, 0, RING);
	h->on_grant = look_at_the_error_order;
	start_and_run(h, 1);
	h->on_grant = NULL;
	assert_int_equal(g_word_grants, 1);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_9_word_is_address_and_state),
		T(section_9_word_only_with_compl_update),
		T(section_9_nothing_is_stored_before_a_descriptor_is_done),
		T(section_9_word_follows_chancmp),
		T(section_9_error_word_is_last_good_and_halted),
		T(section_9_error_word_is_3_if_none_was_good),
		T(section_9_error_word_forgets_the_chain_before),
		T(section_9_no_error_word_without_err_completion_en),
		T(section_9_nothing_is_stored_once_halted),
		T(section_9_suspend_stores_nothing),
		T(section_9_order_is_data_word_status),
		T(section_9_order_of_an_error_is_word_status),
	};

	return cmocka_run_group_tests_name("section_9_completion", tests, NULL, NULL);
}
