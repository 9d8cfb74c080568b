/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6.3 and 7: PQ of up to eight sources, PQ validate, and PQ update.
 */

#include "parity.h"

#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>

static const uint32_t g_sizes[] = {1, 7, 8, 63, 64, 65, 1000, 1023, 1024, 1025, 5000};
#define SIZES (sizeof(g_sizes) / sizeof(g_sizes[0]))

/* PQ */

static void
section_7_pq_of_2_to_8_sources(void **state)
{
	struct host *h = *state;
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		for (i = 0; i < SIZES; i++) {
			struct parity x = parity_of(h, OP_PQ, count, g_sizes[i]);

			parity_succeeds(h, &x);
		}
	}
}

/** With the powers of 2 as coefficients it is RAID 6, as isa-l has it without its tables. */
static void
section_7_pq_is_that_of_isa_l(void **state)
{
	static uint8_t buffers[10][4096] __attribute__((aligned(64)));
	struct host *h = *state;
	void *array[10];
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		struct parity x = parity_of(h, OP_PQ, count, 4096);

		for (i = 0; i < count; i++) {
			get(h, x.source[i], buffers[i], 4096);
			array[i] = buffers[i];
		}
		array[count] = buffers[count];
		array[count + 1] = buffers[count + 1];
		assert_int_equal(pq_gen(count + 2, 4096, array), 0);
		put(h, DST + 0x20000, buffers[count], 4096);
		put(h, DST + 0x28000, buffers[count + 1], 4096);
		run_parity(h, &x);
		assert_same(h, DST + 0x20000, x.p, 4096);
		assert_same(h, DST + 0x28000, x.q, 4096);
		get(h, x.p, buffers[count], 4096);
		get(h, x.q, buffers[count + 1], 4096);
		assert_int_equal(pq_check(count + 2, 4096, array), 0);
	}
}

/** Each byte times each coefficient. */
static void
section_7_pq_multiplies_in_the_field_of_11d(void **state)
{
	struct host *h = *state;
	struct parity x = {.op = OP_PQ,
			   .control = P_DISABLE,
			   .count = 2,
			   .source = {SRC, SRC + 0x1000},
			   .q = DST,
			   .size = 256};
	uint8_t result[256];
	unsigned coef, i;

	for (i = 0; i < 256; i++) {
		put(h, SRC + i, &(uint8_t){i}, 1);
	}
	for (coef = 0; coef < 256; coef++) {
		x.coef[0] = coef;
		run_parity(h, &x);
		get(h, DST, result, 256);
		for (i = 0; i < 256; i++) {
			assert_int_equal(result[i], gf_mul(coef, i));
		}
	}
	/* 2 times 80h leaves the polynomial's remainder: written out, in case isa-l has another. */
	x.coef[0] = 2;
	run_parity(h, &x);
	get(h, DST + 0x80, result, 1);
	assert_int_equal(result[0], 0x1D);
}

/** Any coefficients, zero among them, for each source by itself. */
static void
section_7_pq_of_any_coefficients(void **state)
{
	struct host *h = *state;
	unsigned count, round, i;

	for (count = 2; count <= 8; count++) {
		for (round = 0; round < 8; round++) {
			struct parity x = parity_of(h, OP_PQ, count, 300);

			for (i = 0; i < count; i++) {
				x.coef[i] = 37 * round + 101 * i;
			}
			parity_succeeds(h, &x);
		}
	}
}

static void
section_7_pq_without_p_or_q(void **state)
{
	static const uint32_t disabled[] = {P_DISABLE, Q_DISABLE};
	struct host *h = *state;
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		for (i = 0; i < 2; i++) {
			struct parity x = parity_of(h, OP_PQ, count, 1500);

			x.control = disabled[i];
			parity_succeeds(h, &x);
		}
	}
}

/** The address of what is disabled may be anything. */
static void
section_7_pq_disabled_address_is_not_used(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ, 3, 100);

	x.control = P_DISABLE;
	x.p = 0xFFFFFFFFFFFFFFFF;
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	x.control = Q_DISABLE;
	x.p = P_RESULT;
	x.q = 0xFFFFFFFFFFFFFFFF;
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(h->refusals, 0);
}

/**
 * Linux continues an operation with the old P (coefficient 0) and Q (coefficients 1 and 0) as
 * sources, in place: Q is in P twice, and so not at all.
 */
static void
section_7_pq_continue(void **state)
{
	struct host *h = *state;
	struct parity all = parity_of(h, OP_PQ, 8, 3000), first = all, more = all;

	store_expected(h, &all, DST + 0x20000, DST + 0x28000);
	first.count = 4;
	run_parity(h, &first);
	more.count = 7;
	memcpy(more.source, all.source + 4, 4 * sizeof(uint64_t));
	memcpy(more.coef, all.coef + 4, 4);
	more.source[4] = all.p;
	more.coef[4] = 0;
	more.source[5] = more.source[6] = all.q;
	more.coef[5] = 1;
	more.coef[6] = 0;
	run_parity(h, &more);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_same(h, DST + 0x20000, all.p, 3000);
	assert_same(h, DST + 0x28000, all.q, 3000);
}

static void
section_6_1_pq_with_bits_without_effect(void **state)
{
	static const uint32_t bits[] = {0x0002, 0x0004, 0x0010, 0x0100,
					0x0200, 0x0400, 0x2000, 0xFFE716};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		struct parity x = parity_of(h, OP_PQ, 5, 600);

		x.control = bits[i];
		parity_succeeds(h, &x);
	}
}

/* The extension (section 6.3): with more than three sources */

static void
section_6_3_pq_extension_from_4_sources_on(void **state)
{
	struct host *h = *state;
	unsigned count;

	for (count = 2; count <= 8; count++) {
		struct parity x = parity_of(h, OP_PQ, count, 64);
		unsigned slots;

		x.control = COMPL_UPDATE;
		slots = put_parity(h, RING, &x);
		assert_int_equal(slots, count > 3 ? 2 : 1);
		put_null(h, RING + 64 * slots, 0, RING);
		start_and_run(h, slots + 1);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * slots) | IDLE);
		assert_int_equal(get64(h, WORD) & ~7ull, RING); /* the base slot */
	}
}

/* PQ validate */

/** A validation of `count` sources, whose P and Q are right. */
static struct parity
validation(struct host *h, unsigned count, uint32_t size)
{
	struct parity x = parity_of(h, OP_PQ_VAL, count, size);

	store_expected(h, &x, x.p, x.q);
	return x;
}

static void
assert_halted_and_clear(struct host *h, uint32_t chanerr)
{
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(rd(h, CHANERR, 4), chanerr);
	assert_int_equal(cfg(h, 0x180, 4), chanerr);
	assert_int_equal(get64(h, WORD), HALTED);
	wr(h, CHANERR, 4, chanerr);
	cfg_wr(h, 0x180, 4, chanerr);
}

static void
section_7_pq_validate_good(void **state)
{
	struct host *h = *state;
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		for (i = 0; i < SIZES; i++) {
			struct parity x = validation(h, count, g_sizes[i]);

			x.control = COMPL_UPDATE;
			forbid(h, WRITES, RING, MEMORY_SIZE - 0x1000);
			run_parity(h, &x);
			assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
			assert_int_equal(rd(h, CHANERR, 4), 0);
			assert_int_equal(get64(h, WORD) & ~7ull, RING);
			assert_int_equal(h->refusals, 0);
		}
	}
}

/** A wrong P is bit 16, a wrong Q bit 17, a wrong source both, wherever the byte is. */
static void
section_7_pq_validate_bad(void **state)
{
	static const uint32_t places[] = {0, 1023, 1024, 2999};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct parity x = validation(h, 5, 3000);

		forbid(h, WRITES, RING, MEMORY_SIZE - 0x1000);
		spoil(h, x.p + places[i]);
		run_parity(h, &x);
		assert_halted_and_clear(h, 0x10000);
		spoil(h, x.q + places[i]);
		run_parity(h, &x);
		assert_halted_and_clear(h, 0x30000);
		spoil(h, x.p + places[i]);
		run_parity(h, &x);
		assert_halted_and_clear(h, 0x20000);
		spoil(h, x.q + places[i]);
		spoil(h, x.source[4] + places[i]);
		run_parity(h, &x);
		assert_halted_and_clear(h, 0x30000);
		assert_int_equal(h->refusals, 0);
	}
}

/** A P that is wrong in one place and a Q that is wrong in another are both told. */
static void
section_7_pq_validate_bad_in_two_places(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, 3, 5000);

	spoil(h, x.p + 10);
	spoil(h, x.q + 4990);
	run_parity(h, &x);
	assert_halted_and_clear(h, 0x30000);
}

/** What is disabled is not compared, and not read. */
static void
section_7_pq_validate_of_one_result(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, 4, 1000);

	spoil(h, x.p);
	x.control = P_DISABLE;
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	x.p = 0;
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	spoil(h, x.q);
	run_parity(h, &x);
	assert_halted_and_clear(h, 0x20000);
	x.control = Q_DISABLE;
	x.p = P_RESULT + 1; /* which is still wrong */
	x.q = 0;
	run_parity(h, &x);
	assert_halted_and_clear(h, 0x10000);
	spoil(h, x.p);
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

/** WB_EN asks for a write-back that needs DWBES: without it a mismatch halts. */
static void
section_7_pq_validate_without_dwbes_halts(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, 3, 100);

	x.control = WB_EN;
	spoil(h, x.q);
	run_parity(h, &x);
	assert_halted_and_clear(h, 0x20000);
}

/* PQ update (8Bh): new P and Q from the old ones, old data and new data */

/** From what is at SRC and SRC + 4000h, and the old results at DST + 20000h and DST + 28000h. */
static void
put_update(struct host *h, uint32_t control, uint64_t p, uint64_t q, uint32_t size)
{
	struct raw base = {.size = size,
			   .control = OP(OP_PQ_UP) | control,
			   .q1 = SRC,
			   .q2 = p,
			   .next = RING,
			   .q4 = SRC + 0x4000,
			   .q5 = DST + 0x20000};

	put_descriptor(h, RING, base);
	put64(h, RING + 48, DST + 0x28000);
	put64(h, RING + 56, q);
}

/**
 * P = P source ^ src1 ^ src2, Q = Q source + coefficient * (src1 ^ src2): what became of a stripe
 * of which one block has changed.
 */
static void
section_7_pq_update_follows_a_changed_block(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ, 5, 3000);
	unsigned block;

	for (block = 0; block < 5; block++) {
		struct parity stripe = x;

		/* Its old data is at SRC, its new data at SRC + 4000h, the others elsewhere. */
		stripe.source[0] = SRC + 0x10000;
		stripe.source[1] = SRC + 0x14000;
		stripe.source[block] = SRC;
		scribble(h, SRC, 3000, block);
		scribble(h, SRC + 0x4000, 3000, block + 100);
		store_expected(h, &stripe, DST + 0x20000, DST + 0x28000);
		put_update(h, (uint32_t)x.coef[block] << 16, DST, DST + 0x8000, 3000);
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		stripe.source[block] = SRC + 0x4000;
		store_expected(h, &stripe, DST + 0x30000, DST + 0x38000);
		assert_same(h, DST + 0x30000, DST, 3000);
		assert_same(h, DST + 0x38000, DST + 0x8000, 3000);
	}
}

/** In place, and each result by itself; what is disabled is neither read nor written. */
static void
section_7_pq_update_in_place_and_in_part(void **state)
{
	struct host *h = *state;
	uint8_t p[4], q[4], a[4], b[4], seen[4];
	unsigned i;

	scribble(h, SRC, 4, 1);
	scribble(h, SRC + 0x4000, 4, 2);
	scribble(h, DST + 0x20000, 4, 3);
	scribble(h, DST + 0x28000, 4, 4);
	get(h, SRC, a, 4);
	get(h, SRC + 0x4000, b, 4);
	get(h, DST + 0x20000, p, 4);
	get(h, DST + 0x28000, q, 4);
	put_update(h, 0x8E0000 | Q_DISABLE, DST + 0x20000, 0, 4);
	put64(h, RING + 48, 0);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	get(h, DST + 0x20000, seen, 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(seen[i], p[i] ^ a[i] ^ b[i]);
	}
	put_update(h, 0x8E0000 | P_DISABLE, 0, DST + 0x28000, 4);
	put64(h, RING + 40, 0);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	get(h, DST + 0x28000, seen, 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(seen[i], q[i] ^ gf_mul(0x8E, a[i] ^ b[i]));
	}
	assert_int_equal(h->refusals, 0);
}

/** It takes one slot, whatever SRC_CNT says. */
static void
section_6_3_pq_update_has_no_extension(void **state)
{
	struct host *h = *state;
	unsigned src_cnt;

	for (src_cnt = 0; src_cnt < 8; src_cnt++) {
		put_update(h, 0x020000 | src_cnt << 5, DST, DST + 0x8000, 100);
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_int_equal(rd(h, CHANERR, 4), 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, parity_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_7_pq_of_2_to_8_sources),
		T(section_7_pq_is_that_of_isa_l),
		T(section_7_pq_multiplies_in_the_field_of_11d),
		T(section_7_pq_of_any_coefficients),
		T(section_7_pq_without_p_or_q),
		T(section_7_pq_disabled_address_is_not_used),
		T(section_7_pq_continue),
		T(section_6_1_pq_with_bits_without_effect),
		T(section_6_3_pq_extension_from_4_sources_on),
		T(section_7_pq_validate_good),
		T(section_7_pq_validate_bad),
		T(section_7_pq_validate_bad_in_two_places),
		T(section_7_pq_validate_of_one_result),
		T(section_7_pq_validate_without_dwbes_halts),
		T(section_7_pq_update_follows_a_changed_block),
		T(section_7_pq_update_in_place_and_in_part),
		T(section_6_3_pq_update_has_no_extension),
	};

	return cmocka_run_group_tests_name("section_7_pq", tests, NULL, NULL);
}
