/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The contract of the host's grant: every byte goes through it, an answer may hold for a part only,
 * and nothing outside of what was granted is touched.
 */

#include "parity.h"

static void
grant_of_contiguous_memory_is_one_for_each_side(void **state)
{
	struct host *h = *state;

	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 0x40000, RING);
	start_and_run(h, 1);
	/* The descriptor, the source, the destination, the completion word. */
	assert_int_equal(h->grants, 4);
}

static void
grant_in_pieces(void **state)
{
	static const uint64_t reaches[] = {64, 100, 1000, 4096, 5000};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
		scribble(h, SRC, 30000, i);
		h->reach = reaches[i];
		/* Not a multiple of 8 may cut the completion word: none is asked for. */
		put_copy(h, RING, 0, SRC + 33, DST + 7, 29000, RING);
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_same(h, SRC + 33, DST + 7, 29000);
		assert_all(h, DST, 7, 0);
		assert_all(h, DST + 7 + 29000, 4096, 0);
	}
}

/** A descriptor may be granted byte by byte, too. */
static void
grant_of_one_byte_at_a_time(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 300, 1);
	h->reach = 1;
	put_copy(h, RING, 0, SRC, DST, 300, RING);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_same(h, SRC, DST, 300);
}

/** Pages that follow one another there need not do so here. */
static void
grant_of_scattered_pages(void **state)
{
	struct host *h = *state;

	h->scattered = true;
	scribble(h, SRC, 50000, 1);
	copy_succeeds(h, SRC + 11, DST + 3001, 40000);
	assert_same(h, SRC + 11, DST + 3001, 40000);
	assert_all(h, DST, 3001, 0);
	assert_all(h, DST + 43001, 10000, 0);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
}

/** What was before the refusal may have been moved; nothing behind it is. */
static void
grant_refused_in_the_middle(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 10000, 1);
	forbid(h, EVERYTHING, DST + 5000, 100);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 10000, RING);
	start_and_run(h, 1);
	assert_halted(h, 9, 0);
	assert_all(h, DST + 5000, 10000, 0);
	/* As it happens, all that was granted before is. */
	assert_same(h, SRC, DST, 5000);
}

static void
grant_refused_source_is_not_read(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 10000, 1);
	forbid(h, EVERYTHING, SRC + 100, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 10000, RING);
	start_and_run(h, 1);
	assert_halted(h, 8, 0);
	assert_all(h, DST + 100, 10000, 0);
}

/** The last byte of memory is memory, the one behind it is not. */
static void
grant_up_to_the_last_byte(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 1000, 1);
	copy_succeeds(h, SRC, MEMORY + MEMORY_SIZE - 1000, 1000);
	assert_same(h, SRC, MEMORY + MEMORY_SIZE - 1000, 1000);
	put_copy(h, RING, COMPL_UPDATE, SRC, MEMORY + MEMORY_SIZE - 1000, 1001, RING);
	start_and_run(h, 1);
	assert_halted(h, 9, 0);
}

/** Memory at the very top: addresses do not go round to 0. */
static void
grant_at_the_highest_addresses(void **state)
{
	struct host *h = *state;
	uint64_t top = 0 - MEMORY_SIZE; /* the memory ends at the highest address there is */

	h->base = top;
	scribble(h, top + 0x40000, 1000, 1);
	put_copy(h, top, 0, top + 0x40000, 0ull - 1000, 1000, top + 64);
	put_copy(h, top + 64, 0, top + 0x40000, 0ull - 1000, 1001, top + 128);
	wr(h, CHANCTRL, 2, 0x0008);
	wr(h, CHAINADDR, 8, top);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), top | IDLE);
	assert_same(h, top + 0x40000, 0ull - 1000, 1000);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_halted(h, 9, top);
}

/** Likewise for each address of XOR and PQ, to the byte. */
static void
grant_of_parity_at_the_highest_addresses(void **state)
{
	struct udma_emu_config config = {.device_id = 0x6F2E};
	struct host *h = host_new(&config);
	uint64_t top = 0 - MEMORY_SIZE, end = 0ull - 1000;
	/* Where the address is in a descriptor of PQ, of its validation, and of an update. */
	static const struct {
		uint8_t op, at;
		unsigned bit;
	} fields[] = {
		{OP_PQ, 8, 8},      {OP_PQ, 32, 8},     {OP_PQ, 16, 9},    {OP_PQ, 56, 9},
		{OP_PQ_VAL, 16, 8}, {OP_PQ_VAL, 56, 8}, {OP_PQ_UP, 40, 8}, {OP_PQ_UP, 48, 8},
	};
	unsigned i;

	(void)state;
	h->base = top;
	wr(h, CHANCTRL, 2, 0x0008);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct raw raw = {.size = 1000,
				  .control = OP(fields[i].op),
				  .q1 = top + 0x40000,
				  .q2 = top + 0x50000,
				  .q4 = top + 0x40000,
				  .q5 = top + 0x60000};

		/* Zeros, of which everything is zero. */
		memset(h->memory, 0, MEMORY_SIZE);
		put_descriptor(h, top, raw);
		put64(h, top + 48, fields[i].op == OP_PQ_UP ? top + 0x60000 : 0);
		put64(h, top + 56, top + 0x70000);
		put64(h, top + fields[i].at, end);
		run_alone(h, top);
		assert_int_equal(rd(h, CHANERR, 4), 0);
		assert_int_equal(rd(h, CHANSTS, 8), top | IDLE);
		put(h, top, &(uint32_t){1001}, 4);
		run_alone(h, top);
		assert_halted(h, fields[i].bit, 0);
		wr(h, CHANERR, 4, 0xFFFFFFFF);
		cfg_wr(h, 0x180, 4, 0xFFFFFFFF);
	}
	host_free(h);
}

/** Memory at 0 is memory like any other, for a host that grants it. */
static void
grant_at_address_0(void **state)
{
	struct host *h = *state;

	h->base = 0;
	scribble(h, 0, 1000, 1);
	put_copy(h, 0x1000, COMPL_UPDATE, 0, 0x2000, 1000, 0);
	wr(h, CHANCTRL, 2, 0x0008);
	wr(h, CHANCMP, 8, 0x800);
	wr(h, CHAINADDR, 8, 0x1000);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), 0x1000 | IDLE);
	assert_same(h, 0, 0x2000, 1000);
	assert_int_equal(get64(h, 0x800) & ~7ull, 0x1000);
}

/* A hostile driver rewrites a descriptor while it is carried out. */

static void
rewrite_the_descriptor(struct host *h, uint64_t iova, bool write)
{
	(void)write;
	if (iova >= SRC && iova < SRC + 0x10000) {
		put_copy(h, RING, OP(0xFF), 0, 0, 0xFFFFFFFF, 0x123);
	}
}

static void
grant_of_a_descriptor_is_read_once(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 5000, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 5000, RING + 64);
	put_null(h, RING + 64, COMPL_UPDATE, RING);
	h->reach = 1000;
	h->on_grant = rewrite_the_descriptor;
	start_and_run(h, 2);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 64) | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_same(h, SRC, DST, 5000);
}

/** A host that breaks the contract does not hang the engine. */
static void
grant_of_nothing_is_a_refusal(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING);
	h->empty = true;
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANERR, 4), 0x10);
}

/** The ring and the source need not be writable. */
static void
grant_for_writing_only_where_it_writes(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 100, 1);
	forbid(h, WRITES, RING, DST - RING);
	copy_succeeds(h, SRC, DST, 100);
	assert_same(h, SRC, DST, 100);
}

/** A host that takes back what it granted before is believed at once: nothing is remembered. */
static void
grant_is_asked_for_each_descriptor(void **state)
{
	struct host *h = *state;

	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 100, RING);
	start_and_run(h, 1);
	forbid(h, EVERYTHING, SRC, 100);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_halted(h, 8, RING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(grant_of_contiguous_memory_is_one_for_each_side),
		T(grant_in_pieces),
		T(grant_of_one_byte_at_a_time),
		T(grant_of_scattered_pages),
		T(grant_refused_in_the_middle),
		T(grant_refused_source_is_not_read),
		T(grant_up_to_the_last_byte),
		T(grant_at_the_highest_addresses),
		T(grant_of_parity_at_the_highest_addresses),
		T(grant_at_address_0),
		T(grant_of_a_descriptor_is_read_once),
		T(grant_of_nothing_is_a_refusal),
		T(grant_for_writing_only_where_it_writes),
		T(grant_is_asked_for_each_descriptor),
	};

	return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
