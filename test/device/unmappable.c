/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The contract of the host's read and write: memory that it reaches without mapping it does
 * everything that other memory does, in pieces too.
 */

#include "parity.h"

/** All of the memory is reached by copying only. */
static int
setup(void **state)
{
	struct udma_emu_config config = {.device_id = 0x0C50};
	struct host *h = host_new_that_copies(&config);

	h->unmappable = MEMORY;
	h->unmappable_size = MEMORY_SIZE;
	*state = h;
	return 0;
}

/** Only a part of it is. */
static void
only(struct host *h, uint64_t from, uint64_t size)
{
	h->unmappable = from;
	h->unmappable_size = size;
}

/* How far one copy reaches: 0 is as far as asked. The completion word needs a multiple of 8. */
static const uint64_t g_reaches[] = {0, 8, 64, 1000, 4096};
#define REACHES (sizeof(g_reaches) / sizeof(g_reaches[0]))

/* Operations */

static void
unmappable_null_and_completion_word(void **state)
{
	struct host *h = *state;

	put64(h, WORD - 8, 0x5555);
	put64(h, WORD + 8, 0x5555);
	put_null(h, RING, COMPL_UPDATE, RING + 0x1000);
	put_null(h, RING + 0x1000, COMPL_UPDATE, RING);
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 0x1000) | IDLE);
	assert_int_equal(get64(h, WORD), RING + 0x1000);
	assert_int_equal(get64(h, WORD - 8), 0x5555);
	assert_int_equal(get64(h, WORD + 8), 0x5555);
	assert_int_equal(h->refusals, 0);
	/* Each descriptor and each word in one copy. */
	assert_int_equal(h->copies, 4);
}

static void
unmappable_copy(void **state)
{
	static const uint32_t sizes[] = {1, 63, 64, 65, 4095, 4096, 4097, 20000};
	struct host *h = *state;
	unsigned reach, i, shift;

	for (reach = 0; reach < REACHES; reach++) {
		h->reach = g_reaches[reach];
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			for (shift = 0; shift < 4; shift++) {
				scribble(h, SRC, 20010, i + shift);
				scribble(h, DST, 20010, i + shift + 1);
				copy_succeeds(h, SRC + shift, DST + 3 * shift, sizes[i]);
				assert_same(h, SRC + shift, DST + 3 * shift, sizes[i]);
			}
		}
	}
}

/** In pieces of any size at all: descriptors as well, but not the word. */
static void
unmappable_in_odd_pieces(void **state)
{
	static const uint64_t reaches[] = {1, 3, 13, 50};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
		h->reach = reaches[i];
		scribble(h, SRC, 3000, i);
		put_copy(h, RING, 0, SRC, DST + 1, 3000, RING + 64);
		put_descriptor(h, RING + 64,
			       (struct raw){.size = 1000,
					    .control = OP(0x01),
					    .q1 = 0x0807060504030201,
					    .q2 = DST + 0x10005});
		start_and_run(h, 2);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64) | IDLE);
		assert_same(h, SRC, DST + 1, 3000);
		assert_int_equal(get64(h, DST + 0x10005), 0x0807060504030201);
		assert_int_equal(get64(h, DST + 0x10005 + 992), 0x0807060504030201);
		assert_all(h, DST + 0x10005 + 1000, 64, 0);
	}
}

/** Where one side can be mapped, or a part of one. */
static void
unmappable_on_one_side(void **state)
{
	static const struct {
		uint64_t from, size;
	} parts[] = {
		{SRC, 0x10000},        /* the source */
		{DST, 0x10000},        /* the destination */
		{SRC + 2000, 3000},    /* the middle of the source */
		{DST + 1, 1},          /* a byte of the destination */
		{DST + 9999, 0x10000}, /* its end */
		{RING, 64},            /* the descriptor */
		{WORD, 8},             /* the word */
		{WORD, 0},             /* nothing */
	};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		only(h, parts[i].from, parts[i].size);
		scribble(h, SRC, 10000, i);
		copy_succeeds(h, SRC, DST, 10000);
		assert_same(h, SRC, DST, 10000);
		assert_int_equal(get64(h, WORD) & ~7ull, RING);
	}
	assert_int_equal(h->refusals, 0);
}

static void
unmappable_page_break(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x4000, 1);
	put_descriptor(h, RING,
		       (struct raw){.size = 8192,
				    .control = SRC_PAGE_BREAK | DST_PAGE_BREAK | COMPL_UPDATE,
				    .q1 = SRC + 0x2000,
				    .q2 = DST + 0x1000,
				    .q4 = SRC,
				    .q5 = DST + 0x3000});
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_same(h, SRC + 0x2000, DST + 0x1000, 0x1000);
	assert_same(h, SRC, DST + 0x3000, 0x1000);
	assert_all(h, DST + 0x2000, 0x1000, 0);
}

static void
unmappable_fill(void **state)
{
	struct host *h = *state;
	unsigned reach, i;
	uint8_t byte;

	for (reach = 0; reach < REACHES; reach++) {
		h->reach = g_reaches[reach];
		put_descriptor(h, RING,
			       (struct raw){.size = 5000,
					    .control = OP(0x01) | COMPL_UPDATE,
					    .q1 = 0x8877665544332211,
					    .q2 = DST + 3});
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		for (i = 0; i < 5000; i++) {
			get(h, DST + 3 + i, &byte, 1);
			assert_int_equal(byte, 0x11 * (i % 8 + 1));
		}
		assert_all(h, DST, 3, 0);
		assert_all(h, DST + 5003, 64, 0);
		/* One byte over and over goes the same way. */
		put_descriptor(h, RING,
			       (struct raw){.size = 5000,
					    .control = OP(0x01),
					    .q1 = 0x4444444444444444,
					    .q2 = DST + 3});
		start_and_run(h, 1);
		assert_all(h, DST + 3, 5000, 0x44);
		assert_all(h, DST + 5003, 64, 0);
	}
}

static void
unmappable_xor_and_pq(void **state)
{
	static const struct {
		uint8_t op;
		unsigned count;
	} ops[] = {{OP_XOR, 8}, {OP_PQ, 8}, {OP_PQ16, 16}};
	struct host *h = *state;
	unsigned reach, i;

	for (reach = 0; reach < REACHES; reach++) {
		h->reach = g_reaches[reach];
		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			struct parity x = parity_of(h, ops[i].op, ops[i].count, 3000);

			x.control = COMPL_UPDATE;
			parity_succeeds(h, &x);
			assert_int_equal(get64(h, WORD) & ~7ull, RING);
		}
	}
}

static void
unmappable_validation_and_write_back(void **state)
{
	struct host *h = *state;
	unsigned reach;

	for (reach = 0; reach < REACHES; reach++) {
		struct parity x = parity_of(h, OP_PQ_VAL, 6, 3000);

		h->reach = g_reaches[reach];
		store_expected(h, &x, x.p, x.q);
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		spoil(h, x.q + 2999);
		x.control = WB_EN;
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_int_equal((uint32_t)get64(h, RING), 0x84000000);
		x.control = 0;
		run_parity(h, &x);
		assert_halted(h, 17, 0);
		wr(h, CHANERR, 4, 0x20000);
		cfg_wr(h, 0x180, 4, 0x20000);
	}
}

static void
unmappable_pq_update(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 2000, 1);
	put_descriptor(h, RING,
		       (struct raw){.size = 2000,
				    .control = OP(OP_PQ_UP) | 1u << 16,
				    .q1 = SRC,
				    .q2 = DST,
				    .q4 = SRC + 0x4000, /* zeros */
				    .q5 = SRC + 0x8000});
	put64(h, RING + 48, SRC + 0x8000);
	put64(h, RING + 56, DST + 0x1000);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_same(h, SRC, DST, 2000);
	assert_same(h, SRC, DST + 0x1000, 2000);
}

/* What is not there */

static void
unmappable_errors(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 10000, 1);
	/* The source ends in the middle. */
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 10000, RING);
	forbid(h, EVERYTHING, SRC + 5000, 100);
	start_and_run(h, 1);
	assert_halted(h, 8, 0);
	assert_int_equal(get64(h, WORD), HALTED);
	assert_all(h, DST + 5000, 5000, 0);
	wr(h, CHANERR, 4, 0x100);
	cfg_wr(h, 0x180, 4, 0x100);
	/* The destination cannot be written, in its middle. */
	forbid(h, WRITES, DST + 5000, 100);
	start_and_run(h, 1);
	assert_halted(h, 9, 0);
	assert_all(h, DST + 5000, 5000, 0);
	wr(h, CHANERR, 4, 0x200);
	cfg_wr(h, 0x180, 4, 0x200);
	put_descriptor(
		h, RING,
		(struct raw){
			.size = 10000, .control = OP(0x01), .q1 = 0x0101010101010101, .q2 = DST});
	start_and_run(h, 1);
	assert_halted(h, 9, 0);
	assert_all(h, DST + 5000, 5000, 0);
	wr(h, CHANERR, 4, 0x200);
	cfg_wr(h, 0x180, 4, 0x200);
	/* The chain, and `next`. */
	start(h, MEMORY + MEMORY_SIZE);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 4, 0);
	wr(h, CHANERR, 4, 0x10);
	cfg_wr(h, 0x180, 4, 0x10);
	put_null(h, RING, 0, MEMORY + MEMORY_SIZE - 32);
	start_and_run(h, 2);
	assert_halted(h, 2, RING);
}

static void
unmappable_parity_errors(void **state)
{
	struct host *h = *state;
	struct parity x = parity_of(h, OP_PQ16, 16, 3000);

	forbid(h, EVERYTHING, x.source[9] + 2999, 1);
	run_parity(h, &x);
	assert_halted(h, 8, 0);
	wr(h, CHANERR, 4, 0x100);
	cfg_wr(h, 0x180, 4, 0x100);
	forbid(h, WRITES, x.q + 2999, 1);
	run_parity(h, &x);
	assert_halted(h, 9, 0);
	wr(h, CHANERR, 4, 0x200);
	cfg_wr(h, 0x180, 4, 0x200);
	forbid(h, EVERYTHING, SED + 127, 1);
	run_parity(h, &x);
	assert_halted(h, 14, 0);
}

/** The word in one piece or not at all (bit 12); misaligned it is not even asked for. */
static void
unmappable_completion_word_errors(void **state)
{
	struct host *h = *state;
	unsigned copies;

	put_null(h, RING, COMPL_UPDATE, RING);
	forbid(h, WRITES, WORD, 8);
	start_and_run(h, 1);
	assert_halted(h, 12, 0);
	wr(h, CHANERR, 4, 0x1000);
	cfg_wr(h, 0x180, 4, 0x1000);
	forbid(h, NOTHING, 0, 0);
	start(h, RING);
	wr(h, CHANCMP, 8, WORD + 4);
	copies = h->copies;
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_halted(h, 12, 0);
	assert_int_equal(h->copies, copies + 1); /* the descriptor */
	wr(h, CHANERR, 4, 0x1000);
	cfg_wr(h, 0x180, 4, 0x1000);
	/* A host that copies a part of it has not copied it. */
	h->reach = 4;
	start_and_run(h, 1);
	assert_halted(h, 12, 0);
}

/* Order and trust */

static unsigned g_looked;

static void
look_at_the_order(struct host *h, uint64_t iova, bool write)
{
	if (iova == WORD) {
		assert_true(write);
		assert_same(h, SRC, DST, 3000);
		assert_int_equal(rd(h, CHANSTS, 8), 0 | ACTIVE);
		g_looked++;
	}
}

/** Section 9: data, the word, CHANSTS. */
static void
unmappable_order_is_data_word_status(void **state)
{
	struct host *h = *state;

	g_looked = 0;
	scribble(h, SRC, 3000, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 3000, RING);
	h->on_grant = look_at_the_order;
	start_and_run(h, 1);
	h->on_grant = NULL;
	assert_int_equal(g_looked, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
rewrite_the_descriptor(struct host *h, uint64_t iova, bool write)
{
	(void)write;
	if (iova >= SRC && iova < SRC + 0x10000) {
		put_copy(h, RING, OP(0xFF), 0, 0, 0xFFFFFFFF, 0x123);
	}
}

/** A driver that rewrites a descriptor while it is carried out gains nothing. */
static void
unmappable_descriptor_is_read_once(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 5000, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 5000, RING + 64);
	put_null(h, RING + 64, COMPL_UPDATE, RING);
	h->on_grant = rewrite_the_descriptor;
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64) | IDLE);
	assert_same(h, SRC, DST, 5000);
}

/** The byte that is to be flipped is flipped here, too. */
static void
unmappable_flip(void **state)
{
	struct udma_emu_config config = {.device_id = 0x6F2E, .flip_every = 1};
	struct host *h = host_new_that_copies(&config);
	uint8_t src[512], dst[512];
	unsigned i, at, different;

	(void)state;
	only(h, MEMORY, MEMORY_SIZE);
	for (i = 0; i < 20; i++) {
		different = 0;
		scribble(h, SRC, sizeof(src), i);
		copy_succeeds(h, SRC, DST, sizeof(src));
		get(h, SRC, src, sizeof(src));
		get(h, DST, dst, sizeof(dst));
		for (at = 0; at < sizeof(src); at++) {
			different += src[at] != dst[at];
		}
		assert_int_equal(different, 1);
	}
	host_free(h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(unmappable_null_and_completion_word),
		T(unmappable_copy),
		T(unmappable_in_odd_pieces),
		T(unmappable_on_one_side),
		T(unmappable_page_break),
		T(unmappable_fill),
		T(unmappable_xor_and_pq),
		T(unmappable_validation_and_write_back),
		T(unmappable_pq_update),
		T(unmappable_errors),
		T(unmappable_parity_errors),
		T(unmappable_completion_word_errors),
		T(unmappable_order_is_data_word_status),
		T(unmappable_descriptor_is_read_once),
		T(unmappable_flip),
	};

	return cmocka_run_group_tests_name("unmappable", tests, NULL, NULL);
}
