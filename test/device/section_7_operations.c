/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6 and 7: descriptors, and what the operations do to memory.
 */

#include "host.h"

/** Around each destination: as many bytes on either side must stay what they were. */
#define MARGIN 64

static void
assert_margins(struct host *h, uint64_t dst, size_t len)
{
	assert_all(h, dst - MARGIN, MARGIN, 0xA5);
	assert_all(h, dst + len, MARGIN, 0xA5);
}

static void
clear(struct host *h, uint64_t dst, size_t len)
{
	uint64_t at;
	static const uint8_t value = 0xA5;

	for (at = dst - MARGIN; at < dst + len + MARGIN; at++) {
		put(h, at, &value, 1);
	}
}

/* Copy */

static void
section_7_copy_of_every_alignment(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 1000, 2048};
	struct host *h = *state;
	unsigned i, src, dst;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (src = 0; src < 8; src++) {
			for (dst = 0; dst < 8; dst++) {
				scribble(h, SRC, sizes[i] + 8, src * 8 + dst);
				clear(h, DST + dst, sizes[i]);
				copy_succeeds(h, SRC + src, DST + dst, sizes[i]);
				assert_same(h, SRC + src, DST + dst, sizes[i]);
				assert_margins(h, DST + dst, sizes[i]);
			}
		}
	}
}

static void
section_7_copy_leaves_the_source(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 4096, 1);
	scribble(h, SRC + 0x10000, 4096, 1);
	copy_succeeds(h, SRC, DST, 4096);
	assert_same(h, SRC, SRC + 0x10000, 4096);
}

static void
section_7_copy_of_large_sizes(void **state)
{
	struct host *h = *state;
	uint32_t size = 0x40000 - 2 * MARGIN;

	scribble(h, SRC, size, 3);
	clear(h, DST + MARGIN, size);
	copy_succeeds(h, SRC, DST + MARGIN, size);
	assert_same(h, SRC, DST + MARGIN, size);
	assert_margins(h, DST + MARGIN, size);
}

static void
section_7_copy_onto_itself_changes_nothing(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 4096, 1);
	scribble(h, DST, 4096, 1);
	copy_succeeds(h, SRC, SRC, 4096);
	assert_same(h, SRC, DST, 4096);
}

/** Undefined in the sources, yet it must end and stay within the destination. */
static void
section_7_copy_that_overlaps_ends(void **state)
{
	struct host *h = *state;

	clear(h, DST, 5000);
	copy_succeeds(h, DST, DST + 100, 4900);
	assert_margins(h, DST, 5000);
	copy_succeeds(h, DST + 100, DST, 4900);
	assert_margins(h, DST, 5000);
}

/** Snoop, DCA, hint, fence and bundle bits have no functional effect (sections 6.1 and 7). */
static void
section_7_copy_with_bits_without_effect(void **state)
{
	static const uint32_t bits[] = {0x001, 0x002, 0x004, 0x010, 0x100, 0x200, 0x400, 0x717};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		scribble(h, SRC, 300, i);
		put_copy(h, RING, bits[i], SRC, DST, 300, RING);
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_same(h, SRC, DST, 300);
	}
}

/* Copy with page break */

static void
put_broken_copy(struct host *h, uint32_t breaks, uint32_t size, uint64_t src, uint64_t next_src,
		uint64_t dst, uint64_t next_dst)
{
	struct raw raw = {.size = size,
			  .control = COMPL_UPDATE | breaks,
			  .q1 = src,
			  .q2 = dst,
			  .next = RING,
			  .q4 = next_src,
			  .q5 = next_dst};

	put_descriptor(h, RING, raw);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
section_7_page_break_of_two_whole_pages(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x4000, 7);
	clear(h, DST, 0x1000);
	clear(h, DST + 0x5000, 0x1000);
	put_broken_copy(h, SRC_PAGE_BREAK | DST_PAGE_BREAK, 8192, SRC, SRC + 0x3000, DST,
			DST + 0x5000);
	assert_same(h, SRC, DST, 4096);
	assert_same(h, SRC + 0x3000, DST + 0x5000, 4096);
	assert_margins(h, DST, 4096);
	assert_margins(h, DST + 0x5000, 4096);
}

static void
section_7_page_break_of_the_source_alone(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x4000, 8);
	clear(h, DST, 8192);
	put_broken_copy(h, SRC_PAGE_BREAK, 8192, SRC, SRC + 0x3000, DST, 0);
	assert_same(h, SRC, DST, 4096);
	assert_same(h, SRC + 0x3000, DST + 4096, 4096);
	assert_margins(h, DST, 8192);
}

static void
section_7_page_break_of_the_destination_alone(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x4000, 9);
	clear(h, DST, 4096);
	clear(h, DST + 0x5000, 4096);
	put_broken_copy(h, DST_PAGE_BREAK, 8192, SRC, 0, DST, DST + 0x5000);
	assert_same(h, SRC, DST, 4096);
	assert_same(h, SRC + 4096, DST + 0x5000, 4096);
	assert_margins(h, DST, 4096);
	assert_margins(h, DST + 0x5000, 4096);
}

/** Point 14: the split is at the end of the first address's page, for each side by itself. */
static void
section_7_page_break_of_unaligned_starts(void **state)
{
	struct host *h = *state;
	/* 100 bytes are left in the source's page, 300 in the destination's. */
	uint64_t src = SRC + 0x1000 - 100, next_src = SRC + 0x3007;
	uint64_t dst = DST + 0x1000 - 300, next_dst = DST + 0x5003;

	scribble(h, SRC, 0x5000, 10);
	clear(h, dst, 300);
	clear(h, next_dst, 700);
	put_broken_copy(h, SRC_PAGE_BREAK | DST_PAGE_BREAK, 1000, src, next_src, dst, next_dst);
	assert_same(h, src, dst, 100);
	assert_same(h, next_src, dst + 100, 200);
	assert_same(h, next_src + 200, next_dst, 700);
	assert_margins(h, dst, 300);
	assert_margins(h, next_dst, 700);
}

/** What lies behind the break is as long as it is: it goes on beyond a page. */
static void
section_16_14_page_break_beyond_the_second_page(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x8000, 11);
	put_broken_copy(h, SRC_PAGE_BREAK | DST_PAGE_BREAK, 0x4000, SRC, SRC + 0x3000, DST,
			DST + 0x5000);
	assert_same(h, SRC, DST, 0x1000);
	assert_same(h, SRC + 0x3000, DST + 0x5000, 0x3000);
}

static void
section_16_14_page_break_that_is_not_reached(void **state)
{
	struct host *h = *state;

	/* The second addresses are not granted, and are not needed. */
	scribble(h, SRC, 0x1000, 12);
	put_broken_copy(h, SRC_PAGE_BREAK | DST_PAGE_BREAK, 500, SRC + 0x1000 - 500, 0,
			DST + 0x1000 - 500, 0);
	assert_same(h, SRC + 0x1000 - 500, DST + 0x1000 - 500, 500);
}

static void
section_6_3_second_addresses_mean_nothing_without_the_bits(void **state)
{
	struct host *h = *state;

	scribble(h, SRC, 0x2000, 13);
	put_broken_copy(h, 0, 0x2000, SRC, MEMORY - 1, DST, MEMORY - 1);
	assert_same(h, SRC, DST, 0x2000);
}

/** q6 and q7 of a copy, a null descriptor and a fill are the driver's: not used, and not changed.
 */
static void
section_6_3_user_fields_are_the_drivers(void **state)
{
	static const uint32_t ops[] = {OP(0x00), OP(0x00) | NULL_BIT, OP(0x01)};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		put_copy(h, RING, ops[i] | COMPL_UPDATE, SRC, DST, 100, RING);
		put64(h, RING + 48, 0xFFFFFFFFFFFFFFFF);
		put64(h, RING + 56, 0x0123456789ABCDEF);
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_int_equal(get64(h, RING + 48), 0xFFFFFFFFFFFFFFFF);
		assert_int_equal(get64(h, RING + 56), 0x0123456789ABCDEF);
	}
	assert_int_equal(h->refusals, 0);
}

/* Null */

static void
section_7_null_touches_nothing(void **state)
{
	struct host *h = *state;

	scribble(h, DST, 256, 1);
	scribble(h, SRC, 256, 1);
	put_descriptor(h, RING,
		       (struct raw){.size = 256,
				    .control = NULL_BIT | COMPL_UPDATE,
				    .q1 = SRC + 1,
				    .q2 = DST,
				    .next = RING});
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_same(h, SRC, DST, 256);
}

static void
section_7_null_with_zero_addresses(void **state)
{
	static const uint32_t sizes[] = {1, 8, 0x100000}; /* Linux, SPDK and FreeBSD; the largest */
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < 3; i++) {
		put_descriptor(h, RING,
			       (struct raw){.size = sizes[i],
					    .control = NULL_BIT | COMPL_UPDATE | SRC_PAGE_BREAK,
					    .next = 0});
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		assert_int_equal(get64(h, WORD) & ~7ull, RING);
	}
	assert_int_equal(h->refusals, 0);
}

/* Fill */

static void
put_fill(struct host *h, uint64_t pattern, uint64_t dst, uint32_t size)
{
	struct raw raw = {.size = size,
			  .control = OP(0x01) | COMPL_UPDATE,
			  .q1 = pattern,
			  .q2 = dst,
			  .next = RING};

	put_descriptor(h, RING, raw);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
assert_pattern(struct host *h, uint64_t pattern, uint64_t dst, uint32_t from, uint32_t to)
{
	uint8_t byte;
	uint32_t i;

	for (i = from; i < to; i++) {
		get(h, dst + i - from, &byte, 1);
		assert_int_equal(byte, pattern >> 8 * (i % 8) & 0xFF);
	}
}

/** DPDK's own lengths, and some more. */
static void
section_7_fill_of_every_length(void **state)
{
	static const uint32_t sizes[] = {8, 50, 64, 89, 100, 1024, 1,    2,
					 7, 9,  63, 65, 71,  128,  4095, 10000};
	static const uint64_t pattern = 0x8877665544332211;
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		clear(h, DST, sizes[i]);
		put_fill(h, pattern, DST, sizes[i]);
		assert_pattern(h, pattern, DST, 0, sizes[i]);
		assert_margins(h, DST, sizes[i]);
	}
}

/** Point 13: the pattern begins at the destination, wherever that is. */
static void
section_16_13_fill_is_anchored_at_the_destination(void **state)
{
	static const uint64_t pattern = 0x8877665544332211;
	struct host *h = *state;
	unsigned shift;

	for (shift = 0; shift < 8; shift++) {
		clear(h, DST + shift, 300);
		put_fill(h, pattern, DST + shift, 300);
		assert_pattern(h, pattern, DST + shift, 0, 300);
		assert_margins(h, DST + shift, 300);
	}
}

static void
section_7_fill_with_one_byte(void **state)
{
	struct host *h = *state;

	clear(h, DST + 3, 1001);
	put_fill(h, 0x5A5A5A5A5A5A5A5A, DST + 3, 1001);
	assert_all(h, DST + 3, 1001, 0x5A);
	assert_margins(h, DST + 3, 1001);
	put_fill(h, 0, DST + 3, 1001);
	assert_all(h, DST + 3, 1001, 0);
	assert_margins(h, DST + 3, 1001);
}

/** The pattern is data, not an address: none is asked for. */
static void
section_7_fill_reads_no_source(void **state)
{
	struct host *h = *state;

	put_fill(h, 0xFFFFFFFFFFFF0001, DST, 64);
	assert_int_equal(h->refusals, 0);
	/* The descriptor, the destination, the completion word. */
	assert_int_equal(h->grants, 3);
}

static void
section_7_fill_of_pieces_keeps_the_phase(void **state)
{
	static const uint64_t pattern = 0x8877665544332211;
	struct host *h = *state;

	h->reach = 13;
	clear(h, DST + 5, 500);
	/* No completion word is written, which does not come in pieces. */
	put_descriptor(
		h, RING,
		(struct raw){.size = 500, .control = OP(0x01), .q1 = pattern, .q2 = DST + 5});
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_pattern(h, pattern, DST + 5, 0, 500);
	assert_margins(h, DST + 5, 500);
}

static void
section_7_fill_with_page_break(void **state)
{
	static const uint64_t pattern = 0x8877665544332211;
	struct host *h = *state;
	uint64_t dst = DST + 0x1000 - 13, next_dst = DST + 0x5001;
	struct raw raw = {.size = 100,
			  .control = OP(0x01) | DST_PAGE_BREAK,
			  .q1 = pattern,
			  .q2 = dst,
			  .next = RING,
			  .q5 = next_dst};

	clear(h, dst, 13);
	clear(h, next_dst, 87);
	put_descriptor(h, RING, raw);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_pattern(h, pattern, dst, 0, 13);
	assert_pattern(h, pattern, next_dst, 13, 100);
	assert_margins(h, dst, 13);
	assert_margins(h, next_dst, 87);
}

/** Bits 5 and 6 are reserved in a fill: it is no null descriptor and reads no second source. */
static void
section_6_1_fill_ignores_reserved_bits(void **state)
{
	struct host *h = *state;
	struct raw raw = {.size = 64,
			  .control = OP(0x01) | NULL_BIT | SRC_PAGE_BREAK | 0x02,
			  .q1 = 0x0101010101010101,
			  .q2 = DST};

	put_descriptor(h, RING, raw);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_all(h, DST, 64, 0x01);
}

/* Fence and order */

static void
section_7_fence_sees_what_was_before_it(void **state)
{
	struct host *h = *state;

	/* SRC to DST, fenced, then DST to DST + 64 KiB. */
	scribble(h, SRC, 5000, 14);
	put_copy(h, RING, FENCE, SRC, DST, 5000, RING + 64);
	put_copy(h, RING + 64, COMPL_UPDATE, DST, DST + 0x10000, 5000, RING);
	start_and_run(h, 2);
	assert_same(h, SRC, DST + 0x10000, 5000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_7_copy_of_every_alignment),
		T(section_7_copy_leaves_the_source),
		T(section_7_copy_of_large_sizes),
		T(section_7_copy_onto_itself_changes_nothing),
		T(section_7_copy_that_overlaps_ends),
		T(section_7_copy_with_bits_without_effect),
		T(section_7_page_break_of_two_whole_pages),
		T(section_7_page_break_of_the_source_alone),
		T(section_7_page_break_of_the_destination_alone),
		T(section_7_page_break_of_unaligned_starts),
		T(section_16_14_page_break_beyond_the_second_page),
		T(section_16_14_page_break_that_is_not_reached),
		T(section_6_3_second_addresses_mean_nothing_without_the_bits),
		T(section_6_3_user_fields_are_the_drivers),
		T(section_7_null_touches_nothing),
		T(section_7_null_with_zero_addresses),
		T(section_7_fill_of_every_length),
		T(section_16_13_fill_is_anchored_at_the_destination),
		T(section_7_fill_with_one_byte),
		T(section_7_fill_reads_no_source),
		T(section_7_fill_of_pieces_keeps_the_phase),
		T(section_7_fill_with_page_break),
		T(section_6_1_fill_ignores_reserved_bits),
		T(section_7_fence_sees_what_was_before_it),
	};

	return cmocka_run_group_tests_name("section_7_operations", tests, NULL, NULL);
}
