/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Copies of lists of pages: two of them take one descriptor, which says where the second page of
 * each side is (section 7: "copy with page break"); and only whole pages do.
 */

#include "channel_test.h"
#include "spdk/util.h"

#define PAGE       4096u
#define PAGES      16
#define BOTH_APART (UDMA_IOAT_CONTROL_SRC_PAGE_BREAK | UDMA_IOAT_CONTROL_DST_PAGE_BREAK)

static uint8_t *g_pages; /* the first half are sources, each of another byte */
static struct iovec g_dst[PAGES], g_src[PAGES];

static int
setup_part(uint8_t xfercap, uint32_t capability)
{
	create(0x2021, xfercap);
	rig_poke(g_rig, BAR_DMACAP, 4, capability);
	g_pages = spdk_dma_zmalloc(2 * PAGES * PAGE, PAGE, NULL);
	for (unsigned i = 0; i < PAGES * PAGE; i++) {
		g_pages[i] = (uint8_t)(i / PAGE * 16 + i % 13 + 1);
	}
	return set_up();
}

static int
setup_pairs(void **state)
{
	(void)state;
	return setup_part(20, 0x41);
}

static int
setup_two_at_the_most(void **state)
{
	(void)state;
	return setup_part(13, 0x41);
}

static int
setup_no_page_break(void **state)
{
	(void)state;
	return setup_part(20, 0x40);
}

static int
setup_no_room_for_two(void **state)
{
	(void)state;
	return setup_part(12, 0x41);
}

static int
teardown_pages(void **state)
{
	spdk_dma_free(g_pages);
	return teardown(state);
}

static uint8_t *
source(unsigned page)
{
	return g_pages + page * PAGE;
}

static uint8_t *
destination(unsigned page)
{
	return g_pages + (PAGES + page) * PAGE;
}

/** A page as the `i`-th piece of both lists. */
static void
put(unsigned i, unsigned to, unsigned from)
{
	g_dst[i] = (struct iovec){destination(to), PAGE};
	g_src[i] = (struct iovec){source(from), PAGE};
}

/** Builds a copy of so many pieces of both. \return how many descriptors it has taken. */
static unsigned
copy(unsigned dst_count, unsigned src_count, unsigned ended)
{
	uint64_t before = g_chan->head;

	assert_int_equal(udma_ioat_copyv(g_chan, g_dst, dst_count, g_src, src_count, 0, on_end,
					 &g_ended[ended]),
			 0);
	return (unsigned)(g_chan->head - before);
}

static const union spdk_ioat_hw_desc *
last(unsigned before)
{
	return udma_ioat_slot(g_chan, g_chan->head - 1 - before);
}

static void
assert_two_pages(const union spdk_ioat_hw_desc *desc, uint32_t control, unsigned first)
{
	assert_int_equal(desc->raw.field[0], (uint64_t)control << 32 | 2 * PAGE);
	assert_int_equal(desc->raw.field[1], spdk_vtophys(g_src[first].iov_base, NULL));
	assert_int_equal(desc->raw.field[2], spdk_vtophys(g_dst[first].iov_base, NULL));
	if (control & UDMA_IOAT_CONTROL_SRC_PAGE_BREAK) {
		assert_int_equal(desc->raw.field[4], spdk_vtophys(g_src[first + 1].iov_base, NULL));
	}
	if (control & UDMA_IOAT_CONTROL_DST_PAGE_BREAK) {
		assert_int_equal(desc->raw.field[5], spdk_vtophys(g_dst[first + 1].iov_base, NULL));
	}
}

static void
carry_out(unsigned ended, uint64_t bytes)
{
	spdk_ioat_flush(g_chan);
	poll_until(ended);
	assert_int_equal(g_ended[ended - 1].result.status, UDMA_IOAT_OK);
	assert_int_equal(g_ended[ended - 1].result.bytes, bytes);
}

/* ---- Two in one ---- */

static void
pages_that_lie_apart(void **state)
{
	static const unsigned to[] = {9, 4, 15, 0, 11}, from[] = {3, 12, 1, 7, 6};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		put(i, to[i], from[i]);
	}
	assert_int_equal(copy(5, 5, 0), 3);
	assert_two_pages(last(2), BOTH_APART, 0);
	assert_two_pages(last(1), BOTH_APART, 2);
	assert_int_equal(last(0)->raw.field[0], PAGE);
	carry_out(1, 5 * PAGE);
	for (unsigned i = 0; i < 5; i++) {
		assert_memory_equal(destination(to[i]), source(from[i]), PAGE);
	}
	assert_int_equal(destination(5)[0], 0);
	assert_int_equal(destination(10)[0], 0);
}

static void
pages_of_one_side_only(void **state)
{
	(void)state;
	/* Sources in one piece. */
	g_dst[0] = (struct iovec){destination(8), PAGE};
	g_dst[1] = (struct iovec){destination(2), PAGE};
	g_src[0] = (struct iovec){source(4), 2 * PAGE};
	assert_int_equal(copy(2, 1, 0), 1);
	assert_two_pages(last(0), UDMA_IOAT_CONTROL_DST_PAGE_BREAK, 0);
	/* Destinations in one piece. */
	g_src[0] = (struct iovec){source(9), PAGE};
	g_src[1] = (struct iovec){source(1), PAGE};
	g_dst[0] = (struct iovec){destination(4), 2 * PAGE};
	assert_int_equal(copy(1, 2, 1), 1);
	assert_two_pages(last(0), UDMA_IOAT_CONTROL_SRC_PAGE_BREAK, 0);
	carry_out(2, 2 * PAGE);
	assert_memory_equal(destination(8), source(4), PAGE);
	assert_memory_equal(destination(2), source(5), PAGE);
	assert_memory_equal(destination(4), source(9), PAGE);
	assert_memory_equal(destination(5), source(1), PAGE);
}

static void
pages_that_follow_each_other(void **state)
{
	(void)state;
	put(0, 4, 8);
	put(1, 5, 9);
	assert_int_equal(copy(2, 2, 0), 1);
	assert_two_pages(last(0), 0, 0);
	carry_out(1, 2 * PAGE);
	assert_memory_equal(destination(4), source(8), 2 * PAGE);
}

/** A fence is on the descriptor, and the next batch's completion too. */
static void
what_else_a_descriptor_says(void **state)
{
	const uint32_t more = UDMA_IOAT_CONTROL_FENCE | UDMA_IOAT_CONTROL_COMPLETION_UPDATE;

	(void)state;
	put(0, 4, 8);
	put(1, 0, 3);
	rig_pause(g_rig);
	assert_int_equal(
		udma_ioat_copyv(g_chan, g_dst, 2, g_src, 2, UDMA_IOAT_FENCE, on_end, &g_ended[0]),
		0);
	spdk_ioat_flush(g_chan);
	assert_two_pages(last(0), BOTH_APART | more, 0);
	rig_resume(g_rig);
	carry_out(1, 2 * PAGE);
}

/* ---- One in one ---- */

static void
parts_of_pages(void **state)
{
	static const struct {
		unsigned to, from, bytes;
	} second[] = {{8, 0, PAGE}, {0, 8, PAGE}, {0, 0, PAGE - 1}, {0, 0, PAGE / 2}};

	(void)state;
	for (unsigned i = 0; i < SPDK_COUNTOF(second); i++) {
		/* As the second piece, and as the first. */
		for (unsigned odd = 0; odd < 2; odd++) {
			put(0, 4, 8);
			put(1, 9, 12);
			g_dst[odd] = (struct iovec){destination(2) + second[i].to, second[i].bytes};
			g_src[odd] = (struct iovec){source(2) + second[i].from, second[i].bytes};
			assert_int_equal(copy(2, 2, 2 * i + odd), 2);
			assert_int_equal(last(0)->dma.u.control_raw & BOTH_APART, 0);
			assert_int_equal(last(1)->dma.u.control_raw & BOTH_APART, 0);
			carry_out(2 * i + odd + 1, PAGE + second[i].bytes);
		}
	}
}

/** Pieces of several pages are one run each, however long. */
static void
runs_of_pages(void **state)
{
	(void)state;
	put(0, 0, 4);
	put(1, 4, 0);
	g_dst[0].iov_len = g_src[0].iov_len = 3 * PAGE;
	g_dst[1].iov_len = g_src[1].iov_len = 3 * PAGE;
	assert_int_equal(copy(2, 2, 0), 2);
	carry_out(1, 6 * PAGE);
	assert_memory_equal(destination(0), source(4), 3 * PAGE);
	assert_memory_equal(destination(4), source(0), 3 * PAGE);
}

/** One that takes two descriptors: a page behind it is not added to the second. */
static void
pages_around_a_long_piece(void **state)
{
	const unsigned bytes = 2 * PAGE + 100;

	(void)state;
	put(0, 0, 4);
	put(1, 4, 8);
	put(2, 1, 12);
	g_dst[1].iov_len = g_src[1].iov_len = bytes;
	assert_int_equal(copy(3, 3, 0), 4);
	carry_out(1, 2 * PAGE + bytes);
	assert_memory_equal(destination(0), source(4), PAGE);
	assert_memory_equal(destination(4), source(8), bytes);
	assert_memory_equal(destination(1), source(12), PAGE);
	assert_int_equal(destination(6)[100], 0);
}

static void
part_that_cannot(void **state)
{
	(void)state;
	put(0, 4, 8);
	put(1, 9, 12);
	put(2, 0, 1);
	assert_int_equal(copy(3, 3, 0), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(last(i)->dma.size, PAGE);
		assert_int_equal(last(i)->dma.u.control_raw & BOTH_APART, 0);
	}
	carry_out(1, 3 * PAGE);
}

/* ---- Refused, and in trouble ---- */

static void
room_for_half_as_many(void **state)
{
	uint64_t head;

	(void)state;
	rig_pause(g_rig);
	while (udma_ioat_room(g_chan) > 2) {
		assert_int_equal(udma_ioat_null(g_chan, 0, NULL, NULL), 0);
	}
	for (unsigned i = 0; i < 5; i++) {
		put(i, 2 * i, 2 * i);
	}
	head = g_chan->head;
	assert_int_equal(udma_ioat_copyv(g_chan, g_dst, 5, g_src, 5, 0, on_end, &g_ended[0]),
			 -ENOMEM);
	assert_int_equal(g_chan->head, head);
	assert_int_equal(copy(4, 4, 0), 2);
	rig_resume(g_rig);
	carry_out(1, 4 * PAGE);
	assert_memory_equal(destination(6), source(6), PAGE);
}

static void
second_page_not_registered(void **state)
{
	static uint8_t stranger[2 * PAGE] __attribute__((aligned(4096)));
	uint64_t head = g_chan->head;

	(void)state;
	put(0, 4, 8);
	put(1, 9, 12);
	g_src[1].iov_base = stranger;
	assert_int_equal(udma_ioat_copyv(g_chan, g_dst, 2, g_src, 2, 0, NULL, NULL), -EINVAL);
	put(1, 9, 12);
	g_dst[1].iov_base = stranger;
	assert_int_equal(udma_ioat_copyv(g_chan, g_dst, 2, g_src, 2, 0, NULL, NULL), -EINVAL);
	assert_int_equal(g_chan->head, head);
}

/** What was before its descriptor is certain; the page before it in the same descriptor is not. */
static void
halt_at_the_fourth_page(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		put(i, 2 * i, i);
	}
	g_dst[3].iov_base = g_readonly;
	assert_int_equal(copy(6, 6, 0), 3);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	poll_until(2);
	assert_int_equal(g_ended[0].result.status, UDMA_IOAT_BAD_DESTINATION);
	assert_int_equal(g_ended[0].result.bytes, 2 * PAGE);
	assert_memory_equal(destination(2), source(1), PAGE);
	assert_int_equal(destination(8)[0], 0);
	assert_ended(1, UDMA_IOAT_OK);
}

static void
dump_says_so(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	put(0, 4, 8);
	put(1, 9, 12);
	rig_pause(g_rig);
	copy(2, 2, 0);
	udma_ioat_dump(g_chan, file);
	fclose(file);
	assert_non_null(strstr(text, "copy, 8192 bytes in two pages\n"));
	free(text);
	rig_resume(g_rig);
	carry_out(1, 2 * PAGE);
}

#define PAIRS(test) cmocka_unit_test_setup_teardown(test, setup_pairs, teardown_pages)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PAIRS(pages_that_lie_apart),
		PAIRS(pages_of_one_side_only),
		PAIRS(pages_that_follow_each_other),
		PAIRS(what_else_a_descriptor_says),
		PAIRS(parts_of_pages),
		PAIRS(runs_of_pages),
		cmocka_unit_test_setup_teardown(pages_around_a_long_piece, setup_two_at_the_most,
						teardown_pages),
		cmocka_unit_test_setup_teardown(pages_that_lie_apart, setup_two_at_the_most,
						teardown_pages),
		cmocka_unit_test_setup_teardown(part_that_cannot, setup_no_page_break,
						teardown_pages),
		cmocka_unit_test_setup_teardown(part_that_cannot, setup_no_room_for_two,
						teardown_pages),
		PAIRS(room_for_half_as_many),
		PAIRS(second_page_not_registered),
		PAIRS(halt_at_the_fourth_page),
		PAIRS(dump_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
