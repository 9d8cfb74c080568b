/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 11: the errors of XOR and PQ, exactly one bit each, behind a good descriptor.
 */

#include "parity.h"

#define NOT_THERE (MEMORY + MEMORY_SIZE)

/** Runs it behind a good null descriptor, with `count` slots of it announced. */
static void
run_behind_a_good_one(struct host *h, const struct parity *x, unsigned count)
{
	put_null(h, RING, COMPL_UPDATE, RING + 64);
	put_parity(h, RING + 64, x);
	start_and_run(h, 1 + count);
}

static void
assert_halted_behind_a_good_one(struct host *h, unsigned bit)
{
	assert_halted(h, bit, RING);
	assert_int_equal(get64(h, WORD), RING | HALTED);
	wr(h, CHANERR, 4, 1u << bit);
	cfg_wr(h, 0x180, 4, 1u << bit);
}

static unsigned
slots_of(const struct parity *x)
{
	bool is_xor = x->op == OP_XOR || x->op == OP_XOR_VAL;
	bool is_pq = x->op == OP_PQ || x->op == OP_PQ_VAL;

	return (is_xor && x->count > 5) || (is_pq && x->count > 3) ? 2 : 1;
}

static void
expect_error(struct host *h, const struct parity *x, unsigned bit)
{
	run_behind_a_good_one(h, x, slots_of(x));
	assert_halted_behind_a_good_one(h, bit);
}

/** Each operation, with as many sources as it can have. */
static const struct {
	uint8_t op;
	unsigned count;
} g_ops[] = {{OP_XOR, 8},    {OP_XOR_VAL, 8}, {OP_PQ, 8},
	     {OP_PQ_VAL, 8}, {OP_PQ16, 16},   {OP_PQ16_VAL, 16}};
#define OPS (sizeof(g_ops) / sizeof(g_ops[0]))

static bool
validates(uint8_t op)
{
	return op == OP_XOR_VAL || op == OP_PQ_VAL || op == OP_PQ16_VAL;
}

/** An operation, with right results where they are compared. */
static struct parity
operation(struct host *h, unsigned i, uint32_t size)
{
	struct parity x = parity_of(h, g_ops[i].op, g_ops[i].count, size);

	x.control = COMPL_UPDATE;
	if (validates(x.op)) {
		store_expected(h, &x, x.p, x.q);
	}
	return x;
}

/* Memory */

static void
section_11_bit_8_each_parity_source_not_granted(void **state)
{
	static const uint64_t bad[] = {0, NOT_THERE, NOT_THERE - 99, 0xFFFFFFFFFFFFFFFF};
	struct host *h = *state;
	unsigned op, source, i;

	for (op = 0; op < OPS; op++) {
		for (source = 0; source < g_ops[op].count; source++) {
			for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
				struct parity x = operation(h, op, 100);

				x.source[source] = bad[i];
				expect_error(h, &x, 8);
			}
		}
	}
}

/** Before any result is written. */
static void
section_11_bit_8_of_parity_writes_nothing(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < OPS; op++) {
		struct parity x = operation(h, op, 1000);

		x.source[g_ops[op].count - 1] = 0;
		forbid(h, WRITES, RING, MEMORY_SIZE - 0x1000);
		h->refusals = 0;
		run_behind_a_good_one(h, &x, slots_of(&x));
		assert_int_equal(h->refusals, 1); /* the source */
		assert_halted_behind_a_good_one(h, 8);
	}
}

static void
section_11_bit_9_each_parity_result_not_granted(void **state)
{
	static const uint64_t bad[] = {0, NOT_THERE, NOT_THERE - 99, 0xFFFFFFFFFFFFFFFF};
	struct host *h = *state;
	unsigned op, i;

	for (op = 0; op < OPS; op++) {
		for (i = 0; !validates(g_ops[op].op) && i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct parity x = operation(h, op, 100);

			x.p = bad[i];
			expect_error(h, &x, 9);
			x.p = P_RESULT;
			if (x.op != OP_XOR) {
				x.q = bad[i];
				expect_error(h, &x, 9);
			}
		}
	}
}

static void
section_11_bit_9_parity_result_read_only(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < OPS; op++) {
		struct parity x = operation(h, op, 100);

		if (!validates(x.op)) {
			forbid(h, WRITES, x.p + 99, 1);
			expect_error(h, &x, 9);
			forbid(h, WRITES, x.q, 100);
			if (x.op != OP_XOR) {
				expect_error(h, &x, 9);
			}
			forbid(h, NOTHING, 0, 0);
		}
	}
}

/** What a validation compares with is read: it is a source (choices.h, operations). */
static void
section_11_bit_8_validated_result_not_granted(void **state)
{
	static const uint64_t bad[] = {0, NOT_THERE, NOT_THERE - 99, 0xFFFFFFFFFFFFFFFF};
	struct host *h = *state;
	unsigned op, i;

	for (op = 0; op < OPS; op++) {
		for (i = 0; validates(g_ops[op].op) && i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct parity x = operation(h, op, 100);
			uint64_t p = x.p;

			x.p = bad[i];
			expect_error(h, &x, 8);
			x.p = p;
			if (x.op != OP_XOR_VAL) {
				x.q = bad[i];
				expect_error(h, &x, 8);
			}
		}
	}
}

/** Section 11: bits beside 16 and 17 stop Linux. A mismatch found before an error of memory is not
 * told. */
static void
section_11_mismatch_and_memory_error_is_one_bit(void **state)
{
	struct host *h = *state;
	struct parity x = operation(h, 3, 3000);

	spoil(h, x.p);
	forbid(h, EVERYTHING, x.source[2] + 2500, 1);
	expect_error(h, &x, 8);
	forbid(h, NOTHING, 0, 0);
	x.q = 0;
	expect_error(h, &x, 8);
}

static void
section_11_pq_update_memory(void **state)
{
	/* Which quadword is spoiled (section 6.3), and the bit that tells it. */
	static const struct {
		unsigned quad, bit;
	} spoiled[] = {{1, 8}, {4, 8}, {5, 8}, {6, 8}, {2, 9}, {7, 9}};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
		put_null(h, RING, COMPL_UPDATE, RING + 64);
		put_descriptor(h, RING + 64,
			       (struct raw){.size = 100,
					    .control = OP(OP_PQ_UP) | COMPL_UPDATE,
					    .q1 = SRC,
					    .q2 = DST,
					    .q4 = SRC,
					    .q5 = SRC});
		put64(h, RING + 64 + 48, SRC);
		put64(h, RING + 64 + 56, DST + 0x1000);
		put64(h, RING + 64 + 8 * spoiled[i].quad, i % 2 == 0 ? 0 : 0xFFFFFFFFFFFFFFF0);
		start_and_run(h, 2);
		assert_halted_behind_a_good_one(h, spoiled[i].bit);
	}
}

/* The SED (bit 14) */

static void
section_11_bit_14_sed_misaligned(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ16, 16, 100);
	unsigned low;

	for (low = 1; low < 64; low++) {
		put_null(h, RING, COMPL_UPDATE, RING + 64);
		put_parity(h, RING + 64, &x);
		put64(h, RING + 64 + 40, SED + low);
		start_and_run(h, 2);
		assert_halted_behind_a_good_one(h, 14);
	}
	assert_int_equal(h->refusals, 0);
}

static void
section_11_bit_14_sed_not_granted(void **state)
{
	static const uint64_t bad[] = {0, NOT_THERE, NOT_THERE - 64, 0xFFFFFFFFFFFFFFC0};
	struct host *h = *state;
	unsigned op, i;

	for (op = 4; op < OPS; op++) {
		struct parity x = operation(h, op, 100);

		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			put_null(h, RING, COMPL_UPDATE, RING + 64);
			put_parity(h, RING + 64, &x);
			put64(h, RING + 64 + 40, bad[i]);
			start_and_run(h, 2);
			assert_halted_behind_a_good_one(h, 14);
		}
		/* Its second half, with more than nine sources. */
		forbid(h, EVERYTHING, SED + 64, 64);
		expect_error(h, &x, 14);
		forbid(h, NOTHING, 0, 0);
	}
}

/* Extensions (bits 2 and 18) */

static void
section_11_bit_18_extension_not_announced(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < 4; op++) {
		struct parity x = operation(h, op, 100);

		/* Nor is it read (section 8). */
		forbid(h, EVERYTHING, RING + 128, 64);
		h->refusals = 0;
		run_behind_a_good_one(h, &x, 1);
		assert_halted_behind_a_good_one(h, 18);
		assert_int_equal(h->refusals, 0);
		forbid(h, NOTHING, 0, 0);
	}
}

/** The channel does not know where to go on: it halts, whatever CHANCTRL says. */
static void
section_4_1_extension_not_announced_is_fatal(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 6, 100);

	put_parity(h, RING, &x);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 18, 0);
}

static void
section_11_bit_2_extension_misaligned_or_not_granted(void **state)
{
	static const uint64_t bad[] = {RING + 128 + 8, 0, NOT_THERE, 0xFFFFFFFFFFFFFFC0};
	struct host *h = *state;
	unsigned op, i;

	for (op = 0; op < 4; op++) {
		struct parity x = operation(h, op, 100);

		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			put_null(h, RING, COMPL_UPDATE, RING + 64);
			put_parity(h, RING + 64, &x);
			put64(h, RING + 64 + 24, bad[i]);
			start_and_run(h, 3);
			assert_halted_behind_a_good_one(h, 2);
		}
	}
}

/* Control and size (bits 10 and 11) */

/** SRC_CNT 7 would be nine sources, of which eight are the most (section 6.1). */
static void
section_11_bit_10_nine_sources(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < 4; op++) {
		struct parity x = operation(h, op, 100);

		x.count = 9;
		expect_error(h, &x, 10);
	}
}

static void
section_11_bit_10_both_results_disabled(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 2; op < OPS; op++) {
		struct parity x = operation(h, op, 100);

		x.control |= P_DISABLE | Q_DISABLE;
		expect_error(h, &x, 10);
	}
	put_null(h, RING, COMPL_UPDATE, RING + 64);
	put_descriptor(h, RING + 64,
		       (struct raw){.size = 100,
				    .control = OP(OP_PQ_UP) | P_DISABLE | Q_DISABLE,
				    .q1 = SRC,
				    .q2 = DST,
				    .q4 = SRC,
				    .q5 = SRC});
	start_and_run(h, 2);
	assert_halted_behind_a_good_one(h, 10);
}

static void
section_16_15_parity_sizes_are_bit_11(void **state)
{
	static const uint32_t sizes[] = {0, 0x100001, 0x80000000, 0xFFFFFFFF};
	struct host *h = *state;
	unsigned op, i;

	for (op = 0; op < OPS; op++) {
		struct parity x = operation(h, op, 100);

		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			x.size = sizes[i];
			expect_error(h, &x, 11);
		}
	}
}

/* The completion word (bit 12) */

static void
section_11_bit_12_parity_word_not_granted(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < OPS; op++) {
		struct parity x = operation(h, op, 100);

		put_null(h, RING, 0, RING + 64);
		put_parity(h, RING + 64, &x);
		start(h, RING);
		wr(h, CHANCMP, 8, NOT_THERE);
		wr(h, DMACOUNT, 2, 1 + slots_of(&x));
		run(h);
		assert_halted(h, 12, RING);
		wr(h, CHANERR, 4, 0x1000);
		cfg_wr(h, 0x180, 4, 0x1000);
	}
}

/** Section 5: CHANERR cleared and CHAINADDR written, it works again without a reset. */
static void
section_5_parity_after_an_error(void **state)
{
	struct host *h = *state;
	unsigned op;

	for (op = 0; op < OPS; op++) {
		struct parity x = operation(h, op, 100);
		uint64_t source = x.source[1];

		x.source[1] = 0;
		expect_error(h, &x, 8);
		x.source[1] = source;
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, parity16_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_11_bit_8_each_parity_source_not_granted),
		T(section_11_bit_8_of_parity_writes_nothing),
		T(section_11_bit_9_each_parity_result_not_granted),
		T(section_11_bit_9_parity_result_read_only),
		T(section_11_bit_8_validated_result_not_granted),
		T(section_11_mismatch_and_memory_error_is_one_bit),
		T(section_11_pq_update_memory),
		T(section_11_bit_14_sed_misaligned),
		T(section_11_bit_14_sed_not_granted),
		T(section_11_bit_18_extension_not_announced),
		T(section_4_1_extension_not_announced_is_fatal),
		T(section_11_bit_2_extension_misaligned_or_not_granted),
		T(section_11_bit_10_nine_sources),
		T(section_11_bit_10_both_results_disabled),
		T(section_16_15_parity_sizes_are_bit_11),
		T(section_11_bit_12_parity_word_not_granted),
		T(section_5_parity_after_an_error),
	};

	return cmocka_run_group_tests_name("section_11_parity_errors", tests, NULL, NULL);
}
