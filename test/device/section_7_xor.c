/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6.3 and 7: XOR and XOR validate, with and without an extension.
 */

#include "parity.h"

#include <isa-l/raid.h>

/** Around the blocks of the two RAID granules that implementations tend to have. */
static const uint32_t g_sizes[] = {1,   2,   7,    8,    9,    63,   64,   65,
				   511, 512, 1000, 1023, 1024, 1025, 4096, 5000};
#define SIZES (sizeof(g_sizes) / sizeof(g_sizes[0]))

/* XOR */

static void
section_7_xor_of_2_to_8_sources(void **state)
{
	struct host *h = *state;
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		for (i = 0; i < SIZES; i++) {
			struct parity x = parity_of(h, OP_XOR, count, g_sizes[i]);

			parity_succeeds(h, &x);
		}
	}
}

/** Against the other half of isa-l, which is not built on its tables. */
static void
section_7_xor_is_that_of_isa_l(void **state)
{
	static uint8_t buffers[9][4096] __attribute__((aligned(64)));
	struct host *h = *state;
	void *array[9];
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		struct parity x = parity_of(h, OP_XOR, count, 4096);

		for (i = 0; i < count; i++) {
			get(h, x.source[i], buffers[i], 4096);
			array[i] = buffers[i];
		}
		array[count] = buffers[count];
		assert_int_equal(xor_gen(count + 1, 4096, array), 0);
		put(h, DST + 0x20000, buffers[count], 4096);
		run_parity(h, &x);
		assert_same(h, DST + 0x20000, x.p, 4096);
		get(h, x.p, buffers[count], 4096);
		assert_int_equal(xor_check(count + 1, 4096, array), 0);
	}
}

static void
section_7_xor_of_every_alignment(void **state)
{
	struct host *h = *state;
	unsigned shift;

	for (shift = 0; shift < 64; shift++) {
		struct parity x = parity_of(h, OP_XOR, 3, 200);

		x.source[shift % 3] += shift;
		x.p = P_RESULT + (shift * 7) % 64;
		parity_succeeds(h, &x);
	}
}

static void
section_7_xor_up_to_xfercap(void **state)
{
	struct udma_emu_config config = {.device_id = 0x6F2E, .xfercap = 16};
	struct host *h = host_new(&config);
	struct parity x = {.op = OP_XOR,
			   .count = 2,
			   .source = {SRC, SRC + 0x20001},
			   .p = DST + 5,
			   .size = 0x10000};

	(void)state;
	scribble(h, SRC, 0x40000, 1);
	store_expected(h, &x, DST + 0x20000, DST + 0x40000);
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_same(h, DST + 0x20000, x.p, x.size);
	x.size++;
	run_parity(h, &x);
	assert_halted(h, 11, 0);
	host_free(h);
}

/** The result may take the place of a source. */
static void
section_7_xor_in_place(void **state)
{
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < 6; i++) {
		struct parity x = parity_of(h, OP_XOR, 6, 5000);

		x.p = x.source[i];
		store_expected(h, &x, DST, DST + 0x8000);
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_same(h, DST, x.p, 5000);
	}
}

static void
section_7_xor_of_a_block_with_itself_is_zero(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 2, 3000);

	x.source[1] = x.source[0];
	scribble(h, x.p, 3000, 9);
	run_parity(h, &x);
	assert_all(h, x.p, 3000, 0);
}

static void
section_7_xor_leaves_its_sources(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 8, 4096);
	unsigned i;

	run_parity(h, &x);
	for (i = 0; i < 8; i++) {
		scribble(h, DST + 0x10000, 4096, i + 4096);
		assert_same(h, DST + 0x10000, x.source[i], 4096);
	}
}

/** Snoop, fence, bundle, DCA, hint and the reserved bits have no functional effect (6.1). */
static void
section_6_1_xor_with_bits_without_effect(void **state)
{
	static const uint32_t bits[] = {0x0002, 0x0004, 0x0010, 0x0100, 0x0200,
					0x0400, 0x0800, 0x1000, 0x2000, 0xFF3F16};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		struct parity x = parity_of(h, OP_XOR, 6, 600);

		x.control = bits[i];
		parity_succeeds(h, &x);
	}
}

/* The extension (section 6.3) */

/** Which slots are taken: an extension with more than five sources. */
static void
section_6_3_xor_extension_from_6_sources_on(void **state)
{
	struct host *h = *state;
	unsigned count;

	for (count = 2; count <= 8; count++) {
		struct parity x = parity_of(h, OP_XOR, count, 64);
		unsigned slots;

		x.control = COMPL_UPDATE;
		slots = put_parity(h, RING, &x);
		assert_int_equal(slots, count > 5 ? 2 : 1);
		put_null(h, RING + 64 * slots, COMPL_UPDATE, RING);
		start_and_run(h, slots + 1);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * slots) | IDLE);
		assert_int_equal(get64(h, WORD) & ~7ull, RING + 64 * slots);
	}
}

/** The completion address, CHANSTS and CDAR are those of the base slot. */
static void
section_6_3_xor_completes_at_its_base(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 7, 100);

	x.control = COMPL_UPDATE;
	run_parity(h, &x);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(rd(h, CDAR, 8), RING);
	assert_int_equal(rd(h, DMACOUNT, 2), 2);
}

/** The base's `next` leads to it, wherever it is, and its own leads on. */
static void
section_6_3_xor_extension_may_lie_anywhere(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 8, 1000);
	uint64_t quads[8];

	store_expected(h, &x, DST + 0x20000, DST + 0x28000);
	put_parity(h, RING, &x);
	get(h, RING + 64, quads, 64);
	put64(h, RING + 24, MEMORY + 0x20040);
	quads[3] = MEMORY + 0x30000;
	put(h, MEMORY + 0x20040, quads, 64);
	put_null(h, MEMORY + 0x30000, COMPL_UPDATE, RING);
	forbid(h, EVERYTHING, RING + 64, 64);
	start_and_run(h, 3);
	assert_int_equal(rd(h, CHANSTS, 8), (MEMORY + 0x30000) | IDLE);
	assert_same(h, DST + 0x20000, x.p, 1000);
}

/** An extension has no control word: where others have theirs are bits of an address. */
static void
section_6_3_xor_extension_is_no_descriptor(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 6, 100);

	enable_msi(h);
	wr(h, INTRCTRL, 1, 1);
	/* The high half of an address in MEMORY is 123h: INT_EN, SRC_SNOOP_DIS, NULL, BUNDLE. */
	assert_int_equal(x.source[5] >> 32, 0x123);
	parity_succeeds(h, &x);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(get64(h, WORD), 0);
	/* The unused sources of an extension are not looked at. */
	x.source[6] = x.source[7] = 0xFFFFFFFFFFFFFFFF;
	parity_succeeds(h, &x);
}

/** Both slots count, through the wrap of DMACOUNT. */
static void
section_8_xor_extension_counts(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 6, 8);
	unsigned done = 0, count;

	/* Three slots: XOR, its extension, and a null descriptor, as Linux has them. */
	put_parity(h, RING, &x);
	put_null(h, RING + 128, COMPL_UPDATE, RING);
	start(h, RING);
	for (count = 3000; count <= 90000; count += 3000) {
		wr(h, DMACOUNT, 2, count & 0xFFFF);
		done += run(h);
		assert_int_equal(done, count / 3 * 2); /* operations */
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 128) | IDLE);
	}
}

static void
section_10_xor_interrupts(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_XOR, 8, 100);
	unsigned count = 0;

	enable_msi(h);
	wr(h, INTRCTRL, 1, 1);
	x.control = INT_EN;
	run_parity(h, &x);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/* XOR validate: all-zero over all blocks, with the one in q2 */

/** A validation of `count` sources, whose parity is right. */
static struct parity
validation(struct host *h, unsigned count, uint32_t size)
{
	struct parity x = parity_of(h, OP_XOR_VAL, count, size);

	store_expected(h, &x, x.p, DST + 0x28000);
	return x;
}

static void
section_7_xor_validate_good(void **state)
{
	struct host *h = *state;
	unsigned count, i;

	for (count = 2; count <= 8; count++) {
		for (i = 0; i < SIZES; i++) {
			struct parity x = validation(h, count, g_sizes[i]);

			x.control = COMPL_UPDATE;
			/* Nothing is written but the word. */
			forbid(h, WRITES, RING, MEMORY_SIZE - 0x1000);
			run_parity(h, &x);
			assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
			assert_int_equal(rd(h, CHANERR, 4), 0);
			assert_int_equal(get64(h, WORD) & ~7ull, RING);
			assert_int_equal(h->refusals, 0);
		}
	}
}

/** One byte that is wrong, in any source or in the parity, at any place. */
static void
section_7_xor_validate_bad(void **state)
{
	static const uint32_t places[] = {0, 1, 1023, 1024, 2999};
	struct host *h = *state;
	unsigned block, i;

	for (block = 0; block <= 7; block++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			struct parity x = validation(h, 7, 3000);

			spoil(h, (block < 7 ? x.source[block] : x.p) + places[i]);
			scribble(h, DST + 0x10000, 3000, block);
			forbid(h, WRITES, RING, MEMORY_SIZE - 0x1000);
			run_parity(h, &x);
			/* Only bit 16: bit 17 on 88h stops Linux (section 11). */
			assert_halted(h, 16, 0);
			assert_int_equal(get64(h, WORD), HALTED);
			assert_int_equal(h->refusals, 0);
			wr(h, CHANERR, 4, 0x10000);
			cfg_wr(h, 0x180, 4, 0x10000);
		}
	}
}

/** Bytes around the blocks do not matter. */
static void
section_7_xor_validate_looks_at_size_bytes(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, 3, 100);

	spoil(h, x.p + 100);
	spoil(h, x.p - 1);
	spoil(h, x.source[1] + 100);
	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

/** With blocks of zeros it is good, and one bit makes it bad. */
static void
section_7_xor_validate_of_zeros(void **state)
{
	struct host *h = *state;
	struct parity x = {
		.op = OP_XOR_VAL, .count = 2, .source = {SRC, SRC}, .p = DST, .size = 64};
	uint8_t bit;

	run_parity(h, &x);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	for (bit = 0; bit < 8; bit++) {
		put(h, DST + bit * 8, &(uint8_t){1u << bit}, 1);
		run_parity(h, &x);
		assert_halted(h, 16, 0);
		put(h, DST + bit * 8, &(uint8_t){0}, 1);
		wr(h, CHANERR, 4, 0x10000);
		cfg_wr(h, 0x180, 4, 0x10000);
	}
}

/** WB_EN (bit 13) is reserved in an XOR: its validation halts, DWBES or not. */
static void
section_6_1_xor_validate_has_no_write_back(void **state)
{
	struct udma_emu_config config = {.device_id = 0x0C50};
	struct host *h = host_new(&config);
	struct parity x = validation(h, 3, 100);

	(void)state;
	x.control = WB_EN;
	spoil(h, x.p);
	run_parity(h, &x);
	assert_halted(h, 16, 0);
	host_free(h);
}

/** Without ANY_ERR_ABORT_EN a bad one is skipped, with its extension (sections 4.1 and 8). */
static void
section_8_xor_validate_bad_is_skipped_with_its_extension(void **state)
{
	struct host *h = *state;
	struct parity x = validation(h, 7, 100);

	spoil(h, x.p);
	put_null(h, RING, 0, RING + 64);
	assert_int_equal(put_parity(h, RING + 64, &x), 2);
	put_null(h, RING + 192, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0x0004);
	wr(h, DMACOUNT, 2, 4);
	assert_true(udma_emu_step(h->emu));
	assert_true(udma_emu_step(h->emu));
	assert_int_equal(rd(h, CHANSTS, 8), RING | ACTIVE);
	assert_int_equal(rd(h, CHANERR, 4), 0x10000);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 192) | IDLE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, parity_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_7_xor_of_2_to_8_sources),
		T(section_7_xor_is_that_of_isa_l),
		T(section_7_xor_of_every_alignment),
		T(section_7_xor_up_to_xfercap),
		T(section_7_xor_in_place),
		T(section_7_xor_of_a_block_with_itself_is_zero),
		T(section_7_xor_leaves_its_sources),
		T(section_6_1_xor_with_bits_without_effect),
		T(section_6_3_xor_extension_from_6_sources_on),
		T(section_6_3_xor_completes_at_its_base),
		T(section_6_3_xor_extension_may_lie_anywhere),
		T(section_6_3_xor_extension_is_no_descriptor),
		T(section_8_xor_extension_counts),
		T(section_10_xor_interrupts),
		T(section_7_xor_validate_good),
		T(section_7_xor_validate_bad),
		T(section_7_xor_validate_looks_at_size_bytes),
		T(section_7_xor_validate_of_zeros),
		T(section_6_1_xor_validate_has_no_write_back),
		T(section_8_xor_validate_bad_is_skipped_with_its_extension),
	};

	return cmocka_run_group_tests_name("section_7_xor", tests, NULL, NULL);
}
