/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * XOR and P+Q by an emulated engine, by the CPU in its place, and by isa-l: the same bytes over
 * random sizes, sources, offsets and coefficients, in pieces of every cut, and through errors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <isa-l/erasure_code.h>

#include "udma/ioat.h"

#define ROUNDS   150
#define LARGEST  20000
#define OPERANDS 10
#define ALL      ((size_t)OPERANDS * AREA)
#define AREA     (6 * 4096) /* whole pages */

static struct spdk_ioat_chan *g_chan;
static uint8_t *g_memory; /* an area for each operand */
static uint64_t g_random = 1;

static unsigned
any(unsigned below)
{
	g_random = g_random * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(g_random >> 33) % below;
}

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return g_chan == NULL;
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	(void)device;
	g_chan = chan;
}

static void
start(const char *emulate)
{
	g_chan = NULL;
	setenv("UDMA_EMULATE", emulate, 1);
	assert_int_equal(spdk_env_init(NULL), 0);
	assert_int_equal(spdk_ioat_probe(NULL, want, take), 0);
	assert_non_null(g_chan);
	/* In registrations that do not end where areas do. From the last on: where addresses are
	 * given out in turn, none goes on in the next. */
	g_memory = mmap(NULL, ALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g_memory != MAP_FAILED);
	for (size_t end = ALL; end > 0;) {
		size_t at = (end - 1) / 12288 * 12288;

		assert_int_equal(spdk_mem_register(g_memory + at, end - at), 0);
		end = at;
	}
}

static void
end(void)
{
	spdk_ioat_detach(g_chan);
	for (size_t at = 0; at < ALL; at += 4096 * 3) {
		size_t left = ALL - at;

		assert_int_equal(spdk_mem_unregister(g_memory + at, left < 12288 ? left : 12288),
				 0);
	}
	munmap(g_memory, ALL);
	spdk_env_fini();
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	*(struct udma_ioat_result *)arg = *result;
}

/** What is asked for, and what must come of it. */
struct work {
	const void *sources[8];
	uint8_t coefficients[8];
	unsigned count;
	uint64_t bytes;
	uint8_t *p, *q;
	uint8_t want_p[LARGEST], want_q[LARGEST];
};

static void
choose(struct work *work)
{
	work->count = 2 + any(7);
	work->bytes = 1 + any(any(4) == 0 ? LARGEST - 1 : 300);
	for (unsigned i = 0; i < work->count; i++) {
		uint8_t *source = g_memory + i * AREA + any(4000);

		for (unsigned at = 0; at < work->bytes; at++) {
			source[at] = (uint8_t)any(256);
		}
		work->sources[i] = source;
		work->coefficients[i] = (uint8_t)any(256);
	}
	work->p = g_memory + 8 * AREA + 64 + any(3000);
	work->q = g_memory + 9 * AREA + 64 + any(3000);
	for (unsigned at = 0; at < work->bytes; at++) {
		work->want_p[at] = work->want_q[at] = 0;
		for (unsigned i = 0; i < work->count; i++) {
			uint8_t byte = ((const uint8_t *)work->sources[i])[at];

			work->want_p[at] ^= byte;
			work->want_q[at] ^= gf_mul(work->coefficients[i], byte);
		}
	}
	memset(g_memory + 8 * AREA, 0xEE, 2 * AREA);
}

/** \return whether a result is there, and nothing around it. */
static bool
is_there(const uint8_t *result, const uint8_t *expected, uint64_t bytes)
{
	return memcmp(result, expected, bytes) == 0 && result[-1] == 0xEE && result[bytes] == 0xEE;
}

static void
run(const struct work *work, unsigned flags, uint64_t *mismatches)
{
	struct udma_ioat_result ends[4];
	uint8_t *spoilt = any(2) ? work->p : work->q;
	unsigned at = any((unsigned)work->bytes);

	memset(ends, 0xff, sizeof(ends));
	assert_int_equal(udma_ioat_pq(g_chan, work->p, work->q, work->sources, work->coefficients,
				      work->count, work->bytes, flags | UDMA_IOAT_FENCE, on_end,
				      &ends[0]),
			 0);
	assert_int_equal(udma_ioat_pq_check(g_chan, work->p, work->q, work->sources,
					    work->coefficients, work->count, work->bytes, flags,
					    on_end, &ends[1]),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(ends[0].status, UDMA_IOAT_OK);
	assert_int_equal(ends[0].bytes, work->bytes);
	assert_int_equal(ends[1].status, UDMA_IOAT_OK);
	assert_true(is_there(work->p, work->want_p, work->bytes));
	assert_true(is_there(work->q, work->want_q, work->bytes));

	spoilt[at] ^= 1 + any(255);
	assert_int_equal(udma_ioat_pq_check(g_chan, work->p, work->q, work->sources,
					    work->coefficients, work->count, work->bytes, flags,
					    on_end, &ends[2]),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(ends[2].status, UDMA_IOAT_MISMATCH);
	assert_int_equal(ends[2].chanerr, spoilt == work->p ? 0x10000 : 0x20000);
	assert_true(ends[2].bytes <= at);
	++*mismatches;

	assert_int_equal(udma_ioat_xor(g_chan, work->p, work->sources, work->count, work->bytes,
				       flags | UDMA_IOAT_FENCE, on_end, &ends[0]),
			 0);
	assert_int_equal(udma_ioat_xor_check(g_chan, work->p, work->sources, work->count,
					     work->bytes, flags, on_end, &ends[1]),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(ends[0].status, UDMA_IOAT_OK);
	assert_int_equal(ends[1].status, UDMA_IOAT_OK);
	assert_true(is_there(work->p, work->want_p, work->bytes));
}

static void
run_many(const char *emulate, bool by_cpu)
{
	static struct work work;
	struct udma_ioat_stats stats;
	uint64_t mismatches = 0;

	start(emulate);
	for (unsigned round = 0; round < ROUNDS; round++) {
		choose(&work);
		run(&work, by_cpu ? UDMA_IOAT_ELSE_CPU : 0, &mismatches);
	}
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.errors[UDMA_IOAT_MISMATCH], mismatches);
	assert_int_equal(stats.failed, mismatches);
	assert_int_equal(stats.by_cpu, by_cpu ? stats.requests : 0);
	end();
}

static void
by_the_engine(void **state)
{
	(void)state;
	run_many("1,generation=bwd", false);
}

/** Pieces of 4 KiB, and an IOMMU that gives each registration an offset of its own. */
static void
by_the_engine_in_pieces(void **state)
{
	(void)state;
	run_many("1,generation=bwd,xfercap=12,iova_bits=39", false);
}

static void
by_the_cpu(void **state)
{
	(void)state;
	run_many("1,generation=skx", true);
}

/** Every fifth descriptor ends with an error: the CPU carries those out, the engine the others. */
static void
by_both_through_errors(void **state)
{
	static struct work work;
	struct udma_ioat_stats stats;
	struct udma_ioat_result ended;

	(void)state;
	start("1,generation=bwd,error=8/5");
	for (unsigned round = 0; round < ROUNDS; round++) {
		choose(&work);
		memset(&ended, 0xff, sizeof(ended));
		assert_int_equal(udma_ioat_pq(g_chan, work.p, work.q, work.sources,
					      work.coefficients, work.count, work.bytes,
					      UDMA_IOAT_ELSE_CPU, on_end, &ended),
				 0);
		assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
		assert_int_equal(ended.status, UDMA_IOAT_OK);
		assert_int_equal(ended.bytes, work.bytes);
		assert_true(is_there(work.p, work.want_p, work.bytes));
		assert_true(is_there(work.q, work.want_q, work.bytes));
	}
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.failed, 0);
	assert_true(stats.by_cpu >= ROUNDS / 5);
	assert_int_equal(stats.recoveries, stats.by_cpu);
	end();
}

/** What writes into its own source is not begun a second time. */
static void
what_spoils_its_source_fails(void **state)
{
	struct udma_ioat_result ended;

	(void)state;
	start("1,error=8/2");
	/* The trial fill at the start was the first. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 10, 100, UDMA_IOAT_ELSE_CPU,
					on_end, &ended),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(ended.status, UDMA_IOAT_BAD_SOURCE);
	end();
	start("1,error=6/2");
	/* Nor is damaged data read again. */
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory + 1000, 100, UDMA_IOAT_ELSE_CPU,
					on_end, &ended),
			 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(ended.status, UDMA_IOAT_BAD_DATA);
	end();
}

/** One that failed on the engine and was carried out by the CPU has not failed: fences hold. */
static void
fences_around_what_the_cpu_carries_out_again(void **state)
{
	enum { COUNT = 60 };
	static struct udma_ioat_result ends[COUNT];

	(void)state;
	start("1,error=9/4");
	for (unsigned round = 0; round < 20; round++) {
		/* A chain: each needs what the one before has written. */
		memset(ends, 0xff, sizeof(ends));
		memset(g_memory, 0, (COUNT + 1) * 64);
		memset(g_memory, (int)round + 1, 64);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(udma_ioat_copy(g_chan, g_memory + (i + 1) * 64,
							g_memory + i * 64, 64,
							UDMA_IOAT_ELSE_CPU | UDMA_IOAT_FENCE,
							on_end, &ends[i]),
					 0);
		}
		assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(ends[i].status, UDMA_IOAT_OK);
			assert_int_equal(g_memory[(i + 1) * 64], round + 1);
		}
	}
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_engine),
		cmocka_unit_test(by_the_engine_in_pieces),
		cmocka_unit_test(by_the_cpu),
		cmocka_unit_test(by_both_through_errors),
		cmocka_unit_test(what_spoils_its_source_fails),
		cmocka_unit_test(fences_around_what_the_cpu_carries_out_again),
	};

	return cmocka_run_group_tests_name("parity", tests, NULL, NULL);
}
