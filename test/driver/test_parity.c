/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * XOR and P+Q through the driver, on a part that has them: what is built (sections 6.1 to 6.3), and
 * what becomes of it at errors. Results over many sizes are in test/system/test_parity.c.
 */

#include <isa-l/erasure_code.h>

#include "channel_test.h"

/* Control bits (section 6.1), written out. */
#define COMPLETION (1u << 3)
#define FENCE      (1u << 4)
#define NULL_BIT   (1u << 5)

#define SIZE 512

static uint8_t *g_data; /* 16 blocks of SIZE bytes: sources, and from the 12th on results */
static const void *g_sources[8];
static uint8_t g_coefficients[8];

static uint8_t *
block(unsigned i)
{
	return g_data + i * SIZE;
}

static int
setup_part(uint16_t device_id, uint8_t xfercap)
{
	create(device_id, xfercap);
	set_up();
	g_data = spdk_dma_zmalloc(16 * SIZE, SIZE, NULL);
	assert_non_null(g_data);
	for (unsigned i = 0; i < 11 * SIZE; i++) {
		g_data[i] = (uint8_t)(i * 7 + i / 251 + 3);
	}
	for (unsigned i = 0; i < 8; i++) {
		g_sources[i] = block(i);
		g_coefficients[i] = (uint8_t)(1u << i);
	}
	return 0;
}

static int
setup_bwd(void **state)
{
	(void)state;
	return setup_part(0x0C50, 20);
}

static int
teardown_part(void **state)
{
	spdk_dma_free(g_data);
	return teardown(state);
}

/** What P and Q must be at a place, by isa-l. */
static uint8_t
p_at(unsigned count, unsigned at)
{
	uint8_t p = 0;

	for (unsigned i = 0; i < count; i++) {
		p ^= block(i)[at];
	}
	return p;
}

static uint8_t
q_at(unsigned count, unsigned at)
{
	uint8_t q = 0;

	for (unsigned i = 0; i < count; i++) {
		q ^= gf_mul(g_coefficients[i], block(i)[at]);
	}
	return q;
}

static bool
is_p(const uint8_t *result, unsigned count)
{
	for (unsigned at = 0; at < SIZE; at++) {
		if (result[at] != p_at(count, at)) {
			return false;
		}
	}
	return true;
}

static bool
is_q(const uint8_t *result, unsigned count)
{
	for (unsigned at = 0; at < SIZE; at++) {
		if (result[at] != q_at(count, at)) {
			return false;
		}
	}
	return true;
}

static bool
is_zero(const uint8_t *result)
{
	static const uint8_t zeroes[SIZE];

	return memcmp(result, zeroes, SIZE) == 0;
}

static void
build_xor(unsigned i, void *dst, unsigned count, unsigned flags)
{
	assert_int_equal(
		udma_ioat_xor(g_chan, dst, g_sources, count, SIZE, flags, on_end, &g_ended[i]), 0);
}

static void
build_xor_check(unsigned i, const void *expected, unsigned count, unsigned flags)
{
	assert_int_equal(udma_ioat_xor_check(g_chan, expected, g_sources, count, SIZE, flags,
					     on_end, &g_ended[i]),
			 0);
}

static void
build_pq(unsigned i, void *p, void *q, unsigned count, unsigned flags)
{
	assert_int_equal(udma_ioat_pq(g_chan, p, q, g_sources, g_coefficients, count, SIZE, flags,
				      on_end, &g_ended[i]),
			 0);
}

static void
build_pq_check(unsigned i, const void *p, const void *q, unsigned count, unsigned flags)
{
	assert_int_equal(udma_ioat_pq_check(g_chan, p, q, g_sources, g_coefficients, count, SIZE,
					    flags, on_end, &g_ended[i]),
			 0);
}

static void
assert_end(unsigned i, enum udma_ioat_status status, uint32_t chanerr, uint64_t bytes)
{
	assert_int_equal(g_ended[i].times, 1);
	assert_int_equal(g_ended[i].result.status, status);
	assert_int_equal(g_ended[i].result.chanerr, chanerr);
	assert_int_equal(g_ended[i].result.bytes, bytes);
}

/* ---- What is built ---- */

static void
capabilities(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_get_capabilities(g_chan),
			 UDMA_IOAT_CAN_COPY | UDMA_IOAT_CAN_FILL | UDMA_IOAT_CAN_XOR |
				 UDMA_IOAT_CAN_PQ);
	/* SPDK's interface has no such bits. */
	assert_int_equal(spdk_ioat_get_dma_capabilities(g_chan), 3);
	assert_int_equal(udma_ioat_max_piece(g_chan), 1 << 20);
}

static void
xor_of_eight(void **state)
{
	const uint64_t *ring = (const uint64_t *)g_chan->ring;
	uint64_t at = g_chan->head;
	const uint64_t *base = ring + at * 8, *ext = base + 8, *null = base + 16;

	(void)state;
	rig_pause(g_rig);
	build_xor(0, block(12), 8, 0);
	spdk_ioat_flush(g_chan);
	/* Size; operation 87h, six more than two sources, and the fence before the null one. */
	assert_int_equal(base[0], (0x87000000ull | 6 << 5 | FENCE) << 32 | SIZE);
	assert_int_equal(base[1], (uintptr_t)block(0));
	assert_int_equal(base[2], (uintptr_t)block(12));
	assert_int_equal(base[3], (uintptr_t)ext);
	assert_int_equal(base[4], (uintptr_t)block(1));
	assert_int_equal(base[5], (uintptr_t)block(2));
	assert_int_equal(base[6], (uintptr_t)block(3));
	assert_int_equal(base[7], (uintptr_t)block(4));
	assert_int_equal(ext[0], (uintptr_t)block(5));
	assert_int_equal(ext[1], (uintptr_t)block(6));
	assert_int_equal(ext[2], (uintptr_t)block(7));
	assert_int_equal(ext[3], (uintptr_t)null);
	assert_int_equal(null[0] >> 32, COMPLETION | NULL_BIT);
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), at + 3);
	rig_resume(g_rig);
	poll_until(1);
	assert_end(0, UDMA_IOAT_OK, 0, SIZE);
	assert_true(is_p(block(12), 8));
	assert_true(is_zero(block(13)));
}

static void
pq_of_eight(void **state)
{
	const uint64_t *ring = (const uint64_t *)g_chan->ring;
	uint64_t at = g_chan->head;
	const uint64_t *base = ring + at * 8, *ext = base + 8, *null = base + 16;

	(void)state;
	rig_pause(g_rig);
	build_pq(0, block(12), block(14), 8, UDMA_IOAT_FENCE);
	spdk_ioat_flush(g_chan);
	assert_int_equal(base[0], (0x89000000ull | 6 << 5 | FENCE) << 32 | SIZE);
	assert_int_equal(base[1], (uintptr_t)block(0));
	assert_int_equal(base[2], (uintptr_t)block(12));
	assert_int_equal(base[4], (uintptr_t)block(1));
	assert_int_equal(base[5], (uintptr_t)block(2));
	assert_int_equal(base[6], 0x8040201008040201); /* the coefficients, the first one lowest */
	assert_int_equal(base[7], (uintptr_t)block(14));
	assert_int_equal(ext[0], (uintptr_t)block(3));
	assert_int_equal(ext[1], (uintptr_t)block(4));
	assert_int_equal(ext[2], (uintptr_t)block(5));
	assert_int_equal(ext[4], (uintptr_t)block(6));
	assert_int_equal(ext[5], (uintptr_t)block(7));
	assert_int_equal(null[0] >> 32, COMPLETION | NULL_BIT | FENCE);
	rig_resume(g_rig);
	poll_until(1);
	assert_end(0, UDMA_IOAT_OK, 0, SIZE);
	assert_true(is_p(block(12), 8));
	assert_true(is_q(block(14), 8));
	assert_true(is_zero(block(13)) && is_zero(block(15)));
}

static void
either_result_may_be_left_out(void **state)
{
	(void)state;
	build_pq(0, block(12), NULL, 4, 0);
	build_pq(1, NULL, block(13), 3, 0);
	build_pq_check(2, block(12), NULL, 4, 0);
	build_pq_check(3, NULL, block(13), 3, 0);
	/* P alone needs no coefficients. */
	assert_int_equal(udma_ioat_pq(g_chan, block(14), NULL, g_sources, NULL, 2, SIZE, 0, on_end,
				      &g_ended[4]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(5);
	for (unsigned i = 0; i < 5; i++) {
		assert_end(i, UDMA_IOAT_OK, 0, SIZE);
	}
	assert_true(is_p(block(12), 4));
	assert_true(is_q(block(13), 3));
	assert_true(is_p(block(14), 2));
}

static void
what_is_no_request(void **state)
{
	uint64_t requests = g_chan->request_head;

	(void)state;
	assert_int_equal(udma_ioat_xor(g_chan, block(12), g_sources, 1, SIZE, 0, NULL, NULL),
			 -EINVAL);
	assert_int_equal(udma_ioat_xor(g_chan, block(12), g_sources, 9, SIZE, 0, NULL, NULL),
			 -EINVAL);
	assert_int_equal(udma_ioat_xor(g_chan, NULL, g_sources, 2, SIZE, 0, NULL, NULL), -EINVAL);
	assert_int_equal(
		udma_ioat_pq(g_chan, NULL, NULL, g_sources, g_coefficients, 2, SIZE, 0, NULL, NULL),
		-EINVAL);
	assert_int_equal(
		udma_ioat_pq(g_chan, NULL, block(12), g_sources, NULL, 2, SIZE, 0, NULL, NULL),
		-EINVAL);
	assert_int_equal(udma_ioat_xor(g_chan, block(12), g_sources, 2, SIZE, 0x80, NULL, NULL),
			 -EINVAL);
	/* Memory that is not registered, in each place. */
	for (unsigned i = 0; i < 8; i++) {
		static uint8_t stranger[SIZE];

		g_sources[i] = stranger;
		assert_int_equal(
			udma_ioat_xor(g_chan, block(12), g_sources, 8, SIZE, 0, NULL, NULL),
			-EINVAL);
		g_sources[i] = block(i);
		assert_int_equal(udma_ioat_pq(g_chan, stranger, block(12), g_sources,
					      g_coefficients, 8, SIZE, 0, NULL, NULL),
				 -EINVAL);
		assert_int_equal(udma_ioat_pq(g_chan, block(12), stranger, g_sources,
					      g_coefficients, 8, SIZE, 0, NULL, NULL),
				 -EINVAL);
	}
	assert_int_equal(g_chan->request_head, requests);
	/* None of it is carried out. */
	build(0, 0);
	spdk_ioat_flush(g_chan);
	poll_until(1);
	assert_true(is_zero(block(12)));
	/* Zero bytes complete. */
	assert_int_equal(udma_ioat_xor(g_chan, block(12), g_sources, 2, 0, 0, on_end, &g_ended[1]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(2);
	assert_end(1, UDMA_IOAT_OK, 0, 0);
}

static void
parts_without(void **state)
{
	(void)state;
	assert_int_equal(
		udma_ioat_get_capabilities(g_chan) & (UDMA_IOAT_CAN_XOR | UDMA_IOAT_CAN_PQ), 0);
	assert_int_equal(udma_ioat_xor(g_chan, block(12), g_sources, 2, SIZE, 0, NULL, NULL),
			 -ENOTSUP);
	assert_int_equal(udma_ioat_pq_check(g_chan, block(12), block(13), g_sources, g_coefficients,
					    2, SIZE, 0, NULL, NULL),
			 -ENOTSUP);
	assert_works(0);
}

/** Broadwell's RAID function says that it has them, which errata forbid to use (section 13). */
static int
setup_6f2e(void **state)
{
	(void)state;
	return setup_part(0x6F2E, 20);
}

static int
setup_0c52(void **state)
{
	(void)state;
	return setup_part(0x0C52, 20);
}

static void
xor_needs_room(void **state)
{
	(void)state;
	rig_pause(g_rig);
	/* Three slots for each: a base, its extension, and the null one. */
	for (unsigned i = 0; i < 10922; i++) {
		build_xor(i, block(12), 8, 0);
	}
	assert_int_equal(udma_ioat_room(g_chan), 1);
	assert_int_equal(
		udma_ioat_xor(g_chan, block(12), g_sources, 2, SIZE, 0, on_end, &g_ended[99999]),
		-ENOMEM);
	build(10922, 0);
	assert_int_equal(udma_ioat_room(g_chan), 0);
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);
	poll_until(10923);
	for (unsigned i = 0; i < 10922; i++) {
		assert_end(i, UDMA_IOAT_OK, 0, SIZE);
	}
	assert_int_equal(g_ended[99999].times, 0);
	assert_true(is_p(block(12), 8));
}

/* ---- Checks ---- */

static void
checks_that_differ(void **state)
{
	(void)state;
	build_xor(0, block(12), 8, 0);
	build_pq(1, block(13), block(14), 5, 0);
	spdk_ioat_flush(g_chan);
	poll_until(2);
	block(12)[SIZE - 1] ^= 1;
	build_xor_check(2, block(12), 8, 0);
	build(3, 0);
	build_pq_check(4, block(13), block(14), 5, 0);
	block(14)[0] ^= 0x80; /* before the engine hears of it */
	build(5, 0);
	spdk_ioat_flush(g_chan);
	poll_until(6);
	assert_end(2, UDMA_IOAT_MISMATCH, 0x10000, 0);
	assert_ended(3, UDMA_IOAT_OK);
	assert_end(4, UDMA_IOAT_MISMATCH, 0x20000, 0);
	assert_ended(5, UDMA_IOAT_OK);
	block(13)[7] ^= 2;
	build_pq_check(6, block(13), block(14), 5, 0);
	build_pq_check(7, block(13), NULL, 5, 0);
	spdk_ioat_flush(g_chan);
	poll_until(8);
	assert_end(6, UDMA_IOAT_MISMATCH, 0x30000, 0);
	assert_end(7, UDMA_IOAT_MISMATCH, 0x10000, 0);
	/* And when all is well again. */
	block(12)[SIZE - 1] ^= 1;
	block(13)[7] ^= 2;
	block(14)[0] ^= 0x80;
	build_xor_check(8, block(12), 8, 0);
	build_pq_check(9, block(13), block(14), 5, 0);
	spdk_ioat_flush(g_chan);
	poll_until(10);
	assert_end(8, UDMA_IOAT_OK, 0, SIZE);
	assert_end(9, UDMA_IOAT_OK, 0, SIZE);
}

/** A difference is an answer, not trouble: a channel halts at any number of them. */
static void
differences_do_not_wear_a_channel_out(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1100; i++) {
		build_xor_check(i, block(12), 3, 0);
	}
	spdk_ioat_flush(g_chan);
	poll_until(1100);
	for (unsigned i = 0; i < 1100; i++) {
		assert_end(i, UDMA_IOAT_MISMATCH, 0x10000, 0);
	}
	assert_works(2000);
}

static void
fence_behind_a_difference(void **state)
{
	struct udma_ioat_stats stats;

	(void)state;
	build_xor_check(0, block(12), 8, UDMA_IOAT_FENCE);
	build_xor(1, block(13), 8, 0);
	build_pq(2, block(14), block(15), 8, UDMA_IOAT_FENCE);
	build(3, 0);
	spdk_ioat_flush(g_chan);
	build_pq(4, block(14), block(15), 8, 0); /* not announced yet */
	poll_until(4);
	spdk_ioat_flush(g_chan);
	poll_until(5);
	assert_end(0, UDMA_IOAT_MISMATCH, 0x10000, 0);
	for (unsigned i = 1; i < 5; i++) {
		assert_end(i, UDMA_IOAT_ABORTED, 0, 0);
	}
	assert_true(is_zero(block(13)) && is_zero(block(14)) && is_zero(block(15)));
	/* Neither they nor their extensions have made the engine halt once more. */
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.recoveries, 1);
	build_xor(5, block(13), 8, 0);
	spdk_ioat_flush(g_chan);
	poll_until(6);
	assert_true(is_p(block(13), 8));
}

/* ---- Recovery ---- */

/** The engine halts at each place of a batch, and goes on at no extension. */
static void
restart_around_extensions(void **state)
{
	(void)state;
	for (unsigned bad = 0; bad < 6; bad++) {
		unsigned before = g_order;

		memset(g_ended, 0, sizeof(g_ended[0]) * 6);
		memset(block(12), 0, 4 * SIZE);
		for (unsigned i = 0; i < 6; i++) {
			void *result = i == bad ? g_readonly : block(12);

			switch (i % 3) {
			case 0:
				build_xor(i, result, 8, 0);
				break;
			case 1:
				build_pq(i, i == bad ? g_readonly : block(13), block(14), 8, 0);
				break;
			default:
				assert_int_equal(
					udma_ioat_copy(g_chan,
						       result == g_readonly ? g_readonly : g_memory,
						       g_memory + 4096, SIZE, 0, on_end,
						       &g_ended[i]),
					0);
			}
		}
		spdk_ioat_flush(g_chan);
		poll_until(before + 6);
		for (unsigned i = 0; i < 6; i++) {
			assert_end(i, i == bad ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK,
				   i == bad ? 0x200 : 0, i == bad ? 0 : SIZE);
			assert_int_equal(g_ended[i].order, before + i);
		}
		assert_true(is_p(block(12), 8));
		assert_true(is_p(block(13), 8) && is_q(block(14), 8));
	}
}

/** The status names the first slot of an extended operation; its halt is behind the second. */
static void
halt_right_behind_an_extension(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	build_xor(0, block(12), 8, 0);
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1); /* the operation, but not its null descriptor */
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS),
			 (uintptr_t)g_chan->ring + (g_chan->head - 4) * 64);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	/* Its null descriptor becomes one that there is not. */
	g_chan->ring[g_chan->head - 2].generic.u.control.op = 0x55;
	rig_resume(g_rig);
	poll_until(2);
	/* The engine is known to have carried out all of it. */
	assert_end(0, UDMA_IOAT_BAD_DESCRIPTOR, 0x400, SIZE);
	assert_ended(1, UDMA_IOAT_OK);
	assert_true(is_p(block(12), 8));
	assert_works(10);
}

static void
abort_of_extended_operations(void **state)
{
	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	RIG_SET(g_rig, hangs, true);
	build_xor(0, block(12), 8, 0);
	build_pq(1, block(13), block(14), 8, 0);
	spdk_ioat_flush(g_chan);
	build_pq(2, block(13), block(14), 8, 0);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_end(i, UDMA_IOAT_ABORTED, 0, 0);
	}
	RIG_SET(g_rig, hangs, false);
	assert_true(is_zero(block(12)) && is_zero(block(13)) && is_zero(block(14)));
	assert_works(10);
	build_xor(3, block(12), 8, 0);
	spdk_ioat_flush(g_chan);
	poll_until(g_order + 1);
	assert_true(is_p(block(12), 8));
}

/** A completion of every k-th is never asked of an extension, nor of what it extends. */
static void
every_kth_around_extensions(void **state)
{
	(void)state;
	for (unsigned every = 1; every < 8; every++) {
		unsigned before = g_order;

		memset(g_ended, 0, sizeof(g_ended[0]) * 20);
		udma_ioat_complete_every(g_chan, every);
		rig_pause(g_rig);
		for (unsigned i = 0; i < 20; i++) {
			if (i % 4 == 3) {
				build(i, 0);
			} else {
				build_xor(i, block(12), i % 4 == 0 ? 8 : 2, 0);
			}
		}
		spdk_ioat_flush(g_chan);
		for (uint64_t at = g_chan->completed; at != g_chan->head; at++) {
			const union spdk_ioat_hw_desc *desc = udma_ioat_slot(g_chan, at);

			if (desc->generic.u.control.op == 0x87) {
				assert_int_equal(desc->generic.u.control_raw & COMPLETION, 0);
			}
		}
		rig_resume(g_rig);
		poll_until(before + 20);
		for (unsigned i = 0; i < 20; i++) {
			assert_end(i, UDMA_IOAT_OK, 0, i % 4 == 3 ? 64 : SIZE);
		}
	}
}

/* ---- Pieces ---- */

/** XFERCAP 4 KiB, and memory in registrations that end at other places for each operand. */
static void
pieces_at_the_borders_of_every_operand(void **state)
{
	static const unsigned first_pages[] = {1, 2, 3, 1, 2};
	const size_t all = 4 * 4096;
	uint8_t *operand[5];
	const void *sources[3];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		size_t first = first_pages[i] * 4096;

		operand[i] =
			mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_int_equal(spdk_mem_register(operand[i], first), 0);
		assert_int_equal(spdk_mem_register(operand[i] + first, all - first), 0);
		for (unsigned at = 0; at < all; at++) {
			operand[i][at] = (uint8_t)(at * (2 * i + 3) + at / 253);
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		sources[i] = operand[i] + 100 * i;
	}
	/* Off the pages: no operand's border is another's. */
	assert_int_equal(udma_ioat_pq(g_chan, operand[3] + 7, operand[4] + 1001, sources,
				      g_coefficients, 3, 15000, 0, on_end, &g_ended[0]),
			 0);
	assert_int_equal(udma_ioat_pq_check(g_chan, operand[3] + 7, operand[4] + 1001, sources,
					    g_coefficients, 3, 15000, 0, on_end, &g_ended[1]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(2);
	assert_end(0, UDMA_IOAT_OK, 0, 15000);
	assert_end(1, UDMA_IOAT_OK, 0, 15000);
	for (unsigned at = 0; at < 15000; at++) {
		const uint8_t *const *s = (const uint8_t *const *)sources;

		assert_int_equal(operand[3][7 + at], s[0][at] ^ s[1][at] ^ s[2][at]);
		assert_int_equal(operand[4][1001 + at],
				 s[0][at] ^ gf_mul(2, s[1][at]) ^ gf_mul(4, s[2][at]));
	}
	assert_int_equal(operand[3][6], (uint8_t)(6 * 9));
	/* A difference in a piece behind others: what is certain is those before it. */
	operand[3][7 + 14000] ^= 1;
	assert_int_equal(udma_ioat_pq_check(g_chan, operand[3] + 7, NULL, sources, NULL, 3, 15000,
					    0, on_end, &g_ended[2]),
			 0);
	spdk_ioat_flush(g_chan);
	poll_until(3);
	assert_int_equal(g_ended[2].result.status, UDMA_IOAT_MISMATCH);
	assert_true(g_ended[2].result.bytes > 4096);
	assert_true(g_ended[2].result.bytes <= 14000);
	for (unsigned i = 0; i < 5; i++) {
		size_t first = first_pages[i] * 4096;

		assert_int_equal(spdk_mem_unregister(operand[i], first), 0);
		assert_int_equal(spdk_mem_unregister(operand[i] + first, all - first), 0);
		munmap(operand[i], all);
	}
}

static int
setup_4k(void **state)
{
	(void)state;
	return setup_part(0x0C50, 12);
}

#define WITH(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown_part)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH(setup_bwd, capabilities),
		WITH(setup_bwd, xor_of_eight),
		WITH(setup_bwd, pq_of_eight),
		WITH(setup_bwd, either_result_may_be_left_out),
		WITH(setup_bwd, what_is_no_request),
		WITH(setup_6f2e, parts_without),
		WITH(setup_0c52, parts_without),
		WITH(setup_bwd, xor_needs_room),
		WITH(setup_bwd, checks_that_differ),
		WITH(setup_bwd, differences_do_not_wear_a_channel_out),
		WITH(setup_bwd, fence_behind_a_difference),
		WITH(setup_bwd, restart_around_extensions),
		WITH(setup_bwd, halt_right_behind_an_extension),
		WITH(setup_bwd, abort_of_extended_operations),
		WITH(setup_bwd, every_kth_around_extensions),
		WITH(setup_4k, pieces_at_the_borders_of_every_operand),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("parity", tests, NULL, NULL);
}
