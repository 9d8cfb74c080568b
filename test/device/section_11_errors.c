/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 11: which bit of CHANERR and CHANERR_INT each error sets, exactly one, and the halt.
 */

#include "host.h"

/** A good null descriptor in slot 0; the test puts its own into slot 1. Both run, and slot 2 not.
 */
static void
run_behind_a_good_one(struct host *h)
{
	put_null(h, RING, COMPL_UPDATE, RING + 64);
	put_null(h, RING + 128, COMPL_UPDATE, RING);
	start_and_run(h, 3);
}

static void
assert_halted_behind_a_good_one(struct host *h, unsigned bit)
{
	assert_halted(h, bit, RING);
	assert_int_equal(get64(h, WORD), RING | HALTED);
}

static void
section_11_bit_2_next_misaligned(void **state)
{
	struct host *h = *state;
	unsigned low;

	for (low = 1; low < 64; low++) {
		put_null(h, RING + 64, COMPL_UPDATE, RING + 128 + low);
		run_behind_a_good_one(h);
		assert_halted(h, 2, RING + 64);
		assert_int_equal(get64(h, WORD), (RING + 64) | HALTED);
		wr(h, CHANERR, 4, 0x4);
		cfg_wr(h, 0x180, 4, 0x4);
	}
}

static void
section_11_bit_2_next_not_granted(void **state)
{
	struct host *h = *state;

	put_null(h, RING + 64, COMPL_UPDATE, MEMORY + MEMORY_SIZE);
	run_behind_a_good_one(h);
	assert_halted(h, 2, RING + 64);
}

/** `next` matters only when something is announced behind it. */
static void
section_11_bit_2_not_before_it_is_needed(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, 0x123);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_halted(h, 2, RING);
}

/** A descriptor whose second half is not granted has not been read. */
static void
section_11_bit_2_half_a_descriptor(void **state)
{
	struct host *h = *state;

	put_null(h, RING + 64, COMPL_UPDATE, RING + 128);
	forbid(h, EVERYTHING, RING + 96, 32);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 2);
}

static void
section_11_bit_4_chain_address_misaligned(void **state)
{
	struct host *h = *state;
	unsigned low;

	for (low = 1; low < 64; low++) {
		start(h, RING + low);
		assert_int_equal(rd(h, CHANSTS, 8), ARMED);
		wr(h, DMACOUNT, 2, 1);
		assert_int_equal(run(h), 1);
		assert_halted(h, 4, 0);
		assert_int_equal(get64(h, WORD), HALTED);
		wr(h, CHANERR, 4, 0x10);
		cfg_wr(h, 0x180, 4, 0x10);
	}
	assert_int_equal(h->refusals, 0);
}

static void
section_11_bit_4_chain_address_not_granted(void **state)
{
	static const uint64_t addresses[] = {0, 64, MEMORY - 64, MEMORY + MEMORY_SIZE,
					     0xFFFFFFFFFFFFFFC0};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		start(h, addresses[i]);
		wr(h, DMACOUNT, 2, 1);
		run(h);
		assert_halted(h, 4, 0);
		wr(h, CHANERR, 4, 0x10);
		cfg_wr(h, 0x180, 4, 0x10);
	}
}

static void
section_11_bit_5_command_error_halts(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, RING);
	start_and_run(h, 1);
	wr(h, CHANCMD, 1, RESET | SUSPEND);
	assert_halted(h, 5, RING);
	assert_int_equal(get64(h, WORD), RING | HALTED);
}

static void
section_11_bit_8_source_not_granted(void **state)
{
	static const uint64_t sources[] = {0, MEMORY - 1, MEMORY + MEMORY_SIZE, 0xFFFFFFFFFFFFFFFF,
					   0x8000000000000000};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		scribble(h, DST, 100, 1);
		scribble(h, SRC, 100, 1);
		put_copy(h, RING + 64, COMPL_UPDATE, sources[i], DST, 100, RING + 128);
		run_behind_a_good_one(h);
		assert_halted_behind_a_good_one(h, 8);
		assert_same(h, SRC, DST, 100);
		wr(h, CHANERR, 4, 0x100);
		cfg_wr(h, 0x180, 4, 0x100);
	}
}

static void
section_11_bit_8_source_granted_in_part(void **state)
{
	struct host *h = *state;

	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 3000, RING + 128);
	forbid(h, EVERYTHING, SRC + 2999, 1);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 8);
}

static void
section_11_bit_8_second_source_not_granted(void **state)
{
	struct host *h = *state;
	struct raw raw = {.size = 8192,
			  .control = SRC_PAGE_BREAK | COMPL_UPDATE,
			  .q1 = SRC,
			  .q2 = DST,
			  .next = RING + 128,
			  .q4 = MEMORY + MEMORY_SIZE};

	put_descriptor(h, RING + 64, raw);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 8);
}

static void
section_11_bit_9_destination_not_granted(void **state)
{
	static const uint64_t destinations[] = {0, MEMORY - 1, MEMORY + MEMORY_SIZE,
						0xFFFFFFFFFFFFFFFF};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
		put_copy(h, RING + 64, COMPL_UPDATE, SRC, destinations[i], 100, RING + 128);
		run_behind_a_good_one(h);
		assert_halted_behind_a_good_one(h, 9);
		wr(h, CHANERR, 4, 0x200);
		cfg_wr(h, 0x180, 4, 0x200);
	}
}

static void
section_11_bit_9_destination_read_only(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 200, 1);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 200, RING + 128);
	forbid(h, WRITES, DST, 4096);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 9);
	assert_all(h, DST, 4096, 0);
}

/** To read what must not be written is no error. */
static void
section_11_read_only_source_is_good(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 200, 1);
	forbid(h, WRITES, SRC, 4096);
	copy_succeeds(h, SRC, DST, 200);
	assert_same(h, SRC, DST, 200);
}

static void
section_11_bit_9_fill_not_granted(void **state)
{
	struct host *h = *state;
	struct raw raw = {.size = 100,
			  .control = OP(0x01) | COMPL_UPDATE,
			  .q2 = MEMORY + MEMORY_SIZE - 99,
			  .next = RING + 128};

	put_descriptor(h, RING + 64, raw);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 9);
}

static void
section_11_bit_9_fill_read_only(void **state)
{
	struct host *h = *state;
	struct raw raw = {.size = 100,
			  .control = OP(0x01) | COMPL_UPDATE,
			  .q1 = 0x1111111111111111,
			  .q2 = DST,
			  .next = RING + 128};

	put_descriptor(h, RING + 64, raw);
	forbid(h, WRITES, DST + 99, 1);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 9);
	assert_all(h, DST + 99, 100, 0);
}

static void
section_11_bit_9_second_destination_not_granted(void **state)
{
	struct host *h = *state;
	struct raw raw = {.size = 8192,
			  .control = DST_PAGE_BREAK | COMPL_UPDATE,
			  .q1 = SRC,
			  .q2 = DST,
			  .next = RING + 128,
			  .q5 = MEMORY + MEMORY_SIZE};

	put_descriptor(h, RING + 64, raw);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 9);
}

/** Bits 8 and 9 together stop Linux with a BUG: the source is looked at first, and only it is told.
 */
static void
section_11_both_sides_not_granted_is_one_bit(void **state)
{
	struct host *h = *state;

	put_copy(h, RING + 64, COMPL_UPDATE, 0, 0, 100, RING + 128);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 8);
}

/** Each opcode but copy and fill, of the table in section 6.2 and of none. */
static void
section_11_bit_10_unknown_opcodes(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 2; op < 256; op++) {
		/* Of size 0, so that an error of the size would show. */
		put_copy(h, RING + 64, OP(op) | COMPL_UPDATE, SRC, DST, op % 2 * 64, RING + 128);
		run_behind_a_good_one(h);
		assert_halted_behind_a_good_one(h, 10);
		wr(h, CHANERR, 4, 0x400);
		cfg_wr(h, 0x180, 4, 0x400);
	}
}

static void
assert_bad_size(struct host *h, uint32_t control, uint32_t size)
{
	put_copy(h, RING + 64, control | COMPL_UPDATE, SRC, DST, size, RING + 128);
	run_behind_a_good_one(h);
	assert_halted_behind_a_good_one(h, 11);
	wr(h, CHANERR, 4, 0x800);
	cfg_wr(h, 0x180, 4, 0x800);
}

static void
section_11_bit_11_size_0(void **state)
{
	assert_bad_size(*state, 0, 0);
	assert_bad_size(*state, OP(0x01), 0);
	assert_bad_size(*state, NULL_BIT, 0);
}

static void
section_11_bit_11_size_above_xfercap(void **state)
{
	static const uint32_t sizes[] = {0x100001, 0x200000, 0x80000000, 0xFFFFFFFF};
	unsigned i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_bad_size(*state, 0, sizes[i]);
		assert_bad_size(*state, OP(0x01), sizes[i]);
	}
}

static void
section_11_bit_11_limit_follows_xfercap(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 12};
	struct host *h = host_new(&config);

	(void)state;
	copy_succeeds(h, SRC, DST, 4096);
	assert_bad_size(h, 0, 4097);
	host_free(h);
}

static void
assert_bad_completion(struct host *h, uint64_t chancmp)
{
	put_null(h, RING, 0, RING + 64);
	scribble(h, SRC, 100, 1);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 100, RING + 128);
	put_null(h, RING + 128, 0, RING);
	start(h, RING);
	wr(h, CHANCMP, 8, chancmp);
	wr(h, DMACOUNT, 2, 3);
	run(h);
	assert_halted(h, 12, RING);
	wr(h, CHANERR, 4, 0x1000);
	cfg_wr(h, 0x180, 4, 0x1000);
}

static void
section_11_bit_12_completion_address_misaligned(void **state)
{
	struct host *h = *state;
	unsigned low;

	for (low = 1; low < 8; low++) {
		assert_bad_completion(h, WORD + low);
	}
	assert_int_equal(get64(h, WORD), 0);
	assert_int_equal(get64(h, WORD + 8), 0);
}

static void
section_11_bit_12_completion_address_not_granted(void **state)
{
	struct host *h = *state;

	assert_bad_completion(h, 0);
	assert_bad_completion(h, MEMORY + MEMORY_SIZE);
	assert_bad_completion(h, 0xFFFFFFFFFFFFFFF8);
	forbid(h, WRITES, WORD, 8);
	assert_bad_completion(h, WORD);
	/* Half of it is not enough: it is one store. */
	forbid(h, WRITES, WORD + 4, 4);
	assert_bad_completion(h, WORD);
	assert_int_equal(get64(h, WORD), 0);
}

/** CHANCMP is not looked at before it is used. */
static void
section_11_bit_12_not_before_it_is_needed(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING);
	start(h, RING);
	wr(h, CHANCMP, 8, WORD + 1);
	wr(h, DMACOUNT, 2, 5);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

/** If the error's own word cannot be stored, there is still one bit. */
static void
section_11_error_word_not_granted_adds_no_bit(void **state)
{
	struct host *h = *state;

	put_copy(h, RING, 0, 0, DST, 100, RING);
	start(h, RING);
	wr(h, CHANCMP, 8, MEMORY + MEMORY_SIZE);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 8, 0);
}

/* ANY_ERR_ABORT_EN (section 4.1) */

static void
section_4_1_without_abort_data_errors_do_not_halt(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 100, 1);
	put_copy(h, RING, COMPL_UPDATE, 0, DST, 100, RING + 64);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, 0, 100, RING + 128);
	put_copy(h, RING + 128, COMPL_UPDATE | OP(0x87), SRC, DST, 100, RING + 192);
	put_copy(h, RING + 192, COMPL_UPDATE, SRC, DST, 100, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x0004);
	wr(h, DMACOUNT, 2, 4);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 192) | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0x700);
	assert_int_equal(cfg(h, 0x180, 4), 0x700);
	assert_same(h, SRC, DST, 100);
	assert_int_equal(get64(h, WORD), RING + 192);
}

static void
section_4_1_without_abort_a_skipped_last_one_has_no_word(void **state)
{
	struct host *h = *state;

	put_copy(h, RING, COMPL_UPDATE, 0, DST, 100, RING + 64);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x0004);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), 0 | IDLE);
	assert_int_equal(get64(h, WORD), 0);
}

static void
section_4_1_without_abort_a_command_error_does_not_halt(void **state)
{
	struct host *h = *state;

	put_null(h, RING, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	assert_int_equal(rd(h, CHANERR, 4), 0x20);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
section_4_1_without_abort_fatal_errors_halt(void **state)
{
	struct host *h = *state;

	/* The chain is lost. */
	put_null(h, RING, 0, RING + 1);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_halted(h, 2, RING);
	wr(h, CHANERR, 4, 0x4);
	cfg_wr(h, 0x180, 4, 0x4);
	start(h, 0);
	wr(h, CHANCTRL, 2, 0);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 4, 0);
	wr(h, CHANERR, 4, 0x10);
	cfg_wr(h, 0x180, 4, 0x10);
	/* There is nowhere to report. */
	put_null(h, RING, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, CHANCMP, 8, 0);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 12, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_11_bit_2_next_misaligned),
		T(section_11_bit_2_next_not_granted),
		T(section_11_bit_2_not_before_it_is_needed),
		T(section_11_bit_2_half_a_descriptor),
		T(section_11_bit_4_chain_address_misaligned),
		T(section_11_bit_4_chain_address_not_granted),
		T(section_11_bit_5_command_error_halts),
		T(section_11_bit_8_source_not_granted),
		T(section_11_bit_8_source_granted_in_part),
		T(section_11_bit_8_second_source_not_granted),
		T(section_11_bit_9_destination_not_granted),
		T(section_11_bit_9_destination_read_only),
		T(section_11_read_only_source_is_good),
		T(section_11_bit_9_fill_not_granted),
		T(section_11_bit_9_fill_read_only),
		T(section_11_bit_9_second_destination_not_granted),
		T(section_11_both_sides_not_granted_is_one_bit),
		T(section_11_bit_10_unknown_opcodes),
		T(section_11_bit_11_size_0),
		T(section_11_bit_11_size_above_xfercap),
		T(section_11_bit_11_limit_follows_xfercap),
		T(section_11_bit_12_completion_address_misaligned),
		T(section_11_bit_12_completion_address_not_granted),
		T(section_11_bit_12_not_before_it_is_needed),
		T(section_11_error_word_not_granted_adds_no_bit),
		T(section_4_1_without_abort_data_errors_do_not_halt),
		T(section_4_1_without_abort_a_skipped_last_one_has_no_word),
		T(section_4_1_without_abort_a_command_error_does_not_halt),
		T(section_4_1_without_abort_fatal_errors_halt),
	};

	return cmocka_run_group_tests_name("section_11_errors", tests, NULL, NULL);
}
