/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6.3 and 7: PQ of 9 to 16 sources with its super-extended descriptor (SED), and the
 * write-back of error status into a descriptor (DWBES). Both are offered on 0C50h.
 */

#include "parity.h"

static const uint32_t g_sizes[] = {1, 8, 65, 1000, 1024, 1025, 3000};
#define SIZES (sizeof(g_sizes) / sizeof(g_sizes[0]))

static void
section_7_pq16_of_9_to_16_sources(void **state)
{
	struct host *h = *state;
	unsigned count, i;

	for (count = 9; count <= 16; count++) {
		for (i = 0; i < SIZES; i++) {
			struct parity x = parity_of(h, OP_PQ16, count, g_sizes[i]);

			parity_succeeds(h, &x);
		}
	}
}

/** Point 18: coefficients 1 to 8 are in the base descriptor, 9 to 16 in the SED. */
static void
section_16_18_pq16_coefficients_of_each_source(void **state)
{
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < 16; i++) {
		struct parity x = parity_of(h, OP_PQ16, 16, 64);

		memset(x.coef, 0, sizeof(x.coef));
		x.coef[i] = 1;
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_same(h, x.source[i], x.q, 64);
	}
}

/** Where each address is: spelled out once more, without the helper that writes descriptors. */
static void
section_16_18_pq16_layout(void **state)
{
	struct host *h = *state;
	struct raw base = {.size = 1,
			   .control = OP(OP_PQ16) | 7u << 5, /* 16 - 9 */
			   .q1 = SRC,
			   .q2 = DST,
			   .next = RING,
			   .q4 = SRC + 1,
			   .q5 = SED};
	uint8_t p, q;
	unsigned i;

	put_descriptor(h, RING, base);
	put64(h, RING + 48, 0x0101010101010101);
	put64(h, RING + 56, DST + 1);
	put64(h, SED, 0);
	for (i = 2; i < 16; i++) {
		/* Sources 3 to 9 behind the coefficients, 10 to 16 in the second 64 bytes. */
		put64(h, SED + (i < 9 ? 8 * (i - 1) : 64 + 8 * (i - 9)), SRC + i);
	}
	for (i = 0; i < 16; i++) {
		put(h, SRC, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
		put(h, SRC + i, "\x80", 1);
		start_and_run(h, 1);
		get(h, DST, &p, 1);
		get(h, DST + 1, &q, 1);
		assert_int_equal(p, 0x80);
		assert_int_equal(q, i < 8 ? 0x80 : 0);
	}
}

/** With nine sources the SED is 64 bytes: what is behind it is not read. */
static void
section_6_3_pq16_of_9_sources_has_a_short_sed(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ16, 9, 100);

	forbid(h, EVERYTHING, SED + 64, 64);
	parity_succeeds(h, &x);
	assert_int_equal(h->refusals, 0);
}

/** It takes one slot of the ring, and the completion is that slot's. */
static void
section_6_3_pq16_takes_one_slot(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ16, 16, 100);

	x.control = COMPL_UPDATE;
	assert_int_equal(put_parity(h, RING, &x), 1);
	put_null(h, RING + 64, 0, RING);
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64) | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
}

static void
section_7_pq16_without_p_or_q(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ16, 12, 1500);

	x.control = P_DISABLE;
	parity_succeeds(h, &x);
	x.control = Q_DISABLE;
	parity_succeeds(h, &x);
}

/* Validation and DWBES */

static struct parity
validation(struct host *h, uint8_t op)
{
	struct parity x = parity_of(h, op, op == OP_PQ_VAL ? 5 : 13, 2000);

	store_expected(h, &x, x.p, x.q);
	x.control = COMPL_UPDATE;
	return x;
}

static void
section_7_pq16_validate(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, OP_PQ16_VAL);

	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	spoil(h, x.p + 1999);
	run_parity(h, &x);
	assert_halted(h, 16, 0);
	wr(h, CHANERR, 4, 0x10000);
	cfg_wr(h, 0x180, 4, 0x10000);
	spoil(h, x.p + 1999);
	spoil(h, x.q);
	run_parity(h, &x);
	assert_halted(h, 17, 0);
}

/** Runs a validation with WB_EN that fails, and expects this status in its descriptor. */
static void
assert_written_back(struct host *h, const struct parity *x, uint32_t status)
{
	uint64_t before[8], after[8];
	unsigned slots = put_parity(h, RING, x);

	put_null(h, RING + 64 * slots, 0, RING);
	get(h, RING, before, 64);
	put64(h, WORD, 0);
	start_and_run(h, slots + 1);
	/* It goes on, and is a good descriptor with a completion like any other. */
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(cfg(h, 0x180, 4), 0);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * slots) | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
	/* The status takes the place of the size; everything else is as it was. */
	get(h, RING, after, 64);
	assert_int_equal((uint32_t)after[0], status);
	assert_int_equal(after[0] >> 32, before[0] >> 32);
	assert_memory_equal(after + 1, before + 1, 56);
}

static void
check_write_back(struct host *h, uint8_t op)
{
	struct parity x = validation(h, op);

	x.control |= WB_EN;
	assert_written_back(h, &x, x.size); /* nothing to report */
	spoil(h, x.p + 1500);
	assert_written_back(h, &x, 0x82000000); /* bit 31 written, 25 P */
	spoil(h, x.q + 1);
	assert_written_back(h, &x, 0x86000000); /* 25 P, 26 Q */
	spoil(h, x.p + 1500);
	assert_written_back(h, &x, 0x84000000); /* 26 Q */
	/* What is disabled is not reported. */
	x.control |= Q_DISABLE;
	assert_written_back(h, &x, x.size);
}

/** Point 18: where Linux reads it. The channel goes on, and CHANERR has no bit. */
static void
section_7_dwbes_of_pq_validate(void **state)
{
	check_write_back(*state, OP_PQ_VAL);
}

static void
section_7_dwbes_of_pq16_validate(void **state)
{
	check_write_back(*state, OP_PQ16_VAL);
}

/** Without WB_EN a mismatch halts, DWBES or not. */
static void
section_7_dwbes_only_with_wb_en(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, OP_PQ_VAL);

	spoil(h, x.p);
	run_parity(h, &x);
	assert_halted(h, 16, 0);
	assert_int_equal((uint32_t)get64(h, RING), x.size);
}

/** It reports mismatches only: any other error halts, and the slot stays as it is. */
static void
section_7_dwbes_is_not_for_other_errors(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, OP_PQ_VAL);

	x.control |= WB_EN;
	x.source[2] = 0;
	run_parity(h, &x);
	assert_halted(h, 8, 0);
	assert_int_equal((uint32_t)get64(h, RING), x.size);
}

/** A generation has nothing to report. */
static void
section_7_dwbes_is_not_for_generation(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ, 4, 500);

	x.control = WB_EN;
	parity_succeeds(h, &x);
	assert_int_equal((uint32_t)get64(h, RING), 500);
}

/** A slot that cannot be written: the write of data fails (bit 9). */
static void
section_7_dwbes_into_a_read_only_slot(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, OP_PQ_VAL);

	x.control |= WB_EN;
	spoil(h, x.p);
	forbid(h, WRITES, RING, 64);
	run_parity(h, &x);
	assert_halted(h, 9, 0);
}

/** Section 13: Linux masks bits 16 and 17, and reads the status when the completion comes. */
static void
section_13_linux_uses_dwbes(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, OP_PQ_VAL);
	unsigned count = 0;

	enable_msi(h);
	wr(h, INTRCTRL, 1, 1);
	wr(h, CHANERRMSK, 4, rd(h, CHANERRMSK, 4) | 0x30000);
	x.control = WB_EN;
	spoil(h, x.q);
	assert_int_equal(put_parity(h, RING, &x), 2);
	put_null(h, RING + 128, COMPL_UPDATE | INT_EN | FENCE, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x001D);
	wr(h, DMACOUNT, 2, 3);
	run(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 128);
	assert_int_equal((uint32_t)get64(h, RING), 0x84000000);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, parity16_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_7_pq16_of_9_to_16_sources),
		T(section_16_18_pq16_coefficients_of_each_source),
		T(section_16_18_pq16_layout),
		T(section_6_3_pq16_of_9_sources_has_a_short_sed),
		T(section_6_3_pq16_takes_one_slot),
		T(section_7_pq16_without_p_or_q),
		T(section_7_pq16_validate),
		T(section_7_dwbes_of_pq_validate),
		T(section_7_dwbes_of_pq16_validate),
		T(section_7_dwbes_only_with_wb_en),
		T(section_7_dwbes_is_not_for_other_errors),
		T(section_7_dwbes_is_not_for_generation),
		T(section_7_dwbes_into_a_read_only_slot),
		T(section_13_linux_uses_dwbes),
	};

	return cmocka_run_group_tests_name("section_7_pq16", tests, NULL, NULL);
}
