/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Channels that meet errors, through both interfaces: every request ends exactly once, with the
 * truth, and one bad request does not cost its neighbours. The emulated engine ends every n-th
 * descriptor with an error that it is told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "udma/ioat.h"

#define SIZE  4096
#define COUNT 200

struct ended {
	unsigned times;
	struct udma_ioat_result result;
	unsigned order;
};

static struct spdk_ioat_chan *g_chan;
static uint8_t *g_src, *g_dst;
static struct ended g_ended[COUNT];
static unsigned g_order, g_called;

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

/** Starts with what UDMA_EMULATE asks for, and data to copy. */
static void
start(const char *emulate)
{
	g_chan = NULL;
	g_order = g_called = 0;
	memset(g_ended, 0, sizeof(g_ended));
	setenv("UDMA_EMULATE", emulate, 1);
	assert_int_equal(spdk_env_init(NULL), 0);
	assert_int_equal(spdk_ioat_probe(NULL, want, take), 0);
	assert_non_null(g_chan);
	g_src = spdk_dma_malloc(COUNT * SIZE, SIZE, NULL);
	g_dst = spdk_dma_zmalloc(COUNT * SIZE, SIZE, NULL);
	assert_non_null(g_src);
	assert_non_null(g_dst);
	for (unsigned i = 0; i < COUNT * SIZE; i++) {
		g_src[i] = (uint8_t)(i * 31 + i / SIZE + 1);
	}
}

static void
end(void)
{
	if (g_chan != NULL) {
		spdk_ioat_detach(g_chan);
	}
	spdk_dma_free(g_src);
	spdk_dma_free(g_dst);
	spdk_env_fini();
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	struct ended *ended = arg;

	ended->times++;
	ended->result = *result;
	ended->order = g_order++;
}

static void
on_success(void *arg)
{
	((struct ended *)arg)->times++;
	g_called++;
}

static void
build(unsigned i, unsigned flags)
{
	assert_int_equal(udma_ioat_copy(g_chan, g_dst + i * SIZE, g_src + i * SIZE, SIZE, flags,
					on_end, &g_ended[i]),
			 0);
}

static bool
is_copied(unsigned i)
{
	return memcmp(g_dst + i * SIZE, g_src + i * SIZE, SIZE) == 0;
}

static bool
is_untouched(unsigned i)
{
	static const uint8_t zeroes[SIZE];

	return memcmp(g_dst + i * SIZE, zeroes, SIZE) == 0;
}

/** The trial fill at the start is the engine's first data-moving descriptor. */
static bool
fails(unsigned i, unsigned every)
{
	return (i + 2) % every == 0;
}

static void
each_request_ends_once_with_its_status(void **state)
{
	struct udma_ioat_stats stats;
	unsigned failed = 0;

	(void)state;
	start("1,error=8/7");
	for (unsigned i = 0; i < COUNT; i++) {
		build(i, 0);
		if (i % 50 == 49) {
			spdk_ioat_flush(g_chan);
		}
	}
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		const struct udma_ioat_result *result = &g_ended[i].result;

		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].order, i);
		if (fails(i, 7)) {
			failed++;
			assert_int_equal(result->status, UDMA_IOAT_BAD_SOURCE);
			assert_int_equal(result->chanerr, 0x100);
			assert_int_equal(result->bytes, 0);
			assert_true(is_untouched(i));
		} else {
			assert_int_equal(result->status, UDMA_IOAT_OK);
			assert_int_equal(result->bytes, SIZE);
			assert_true(is_copied(i));
		}
	}
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests, COUNT);
	assert_int_equal(stats.failed, failed);
	assert_int_equal(stats.completed, COUNT - failed);
	assert_int_equal(stats.recoveries, failed);
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_RUNNING);
	end();
}

static void
through_spdk_each_failure_is_one_error(void **state)
{
	unsigned errors = 0, expected = 0;

	(void)state;
	start("1,error=9/5");
	for (unsigned i = 0; i < COUNT; i++) {
		int rc;

		assert_int_equal(spdk_ioat_submit_copy(g_chan, &g_ended[i], on_success,
						       g_dst + i * SIZE, g_src + i * SIZE, SIZE),
				 0);
		do {
			rc = spdk_ioat_process_events(g_chan);
		} while (rc == 0);
		assert_int_equal(rc, fails(i, 5) ? -EIO : 1);
		errors += rc < 0;
		expected += fails(i, 5);
		assert_int_equal(g_ended[i].times, fails(i, 5) ? 0 : 1);
		assert_true(fails(i, 5) ? is_untouched(i) : is_copied(i));
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	assert_int_equal(errors, expected);
	assert_int_equal(g_called, COUNT - expected);
	end();
}

static void
every_cause_has_its_status(void **state)
{
	static const struct {
		unsigned bit;
		enum udma_ioat_status status;
	} rows[] = {
		{0, UDMA_IOAT_BAD_SOURCE},      {1, UDMA_IOAT_BAD_DESTINATION},
		{2, UDMA_IOAT_BAD_DESCRIPTOR},  {3, UDMA_IOAT_BAD_DESCRIPTOR},
		{4, UDMA_IOAT_BAD_DESCRIPTOR},  {5, UDMA_IOAT_BAD_DESCRIPTOR},
		{6, UDMA_IOAT_BAD_DATA},        {7, UDMA_IOAT_BAD_DATA},
		{8, UDMA_IOAT_BAD_SOURCE},      {9, UDMA_IOAT_BAD_DESTINATION},
		{10, UDMA_IOAT_BAD_DESCRIPTOR}, {11, UDMA_IOAT_BAD_DESCRIPTOR},
		{12, UDMA_IOAT_BAD_COMPLETION}, {13, UDMA_IOAT_UNKNOWN},
		{14, UDMA_IOAT_BAD_DESCRIPTOR}, {15, UDMA_IOAT_UNKNOWN},
		{16, UDMA_IOAT_MISMATCH},       {17, UDMA_IOAT_MISMATCH},
		{18, UDMA_IOAT_BAD_DESCRIPTOR}, {19, UDMA_IOAT_MISMATCH},
		{23, UDMA_IOAT_BAD_DESCRIPTOR}, {27, UDMA_IOAT_MISMATCH},
		{28, UDMA_IOAT_UNKNOWN},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char emulate[32];

		snprintf(emulate, sizeof(emulate), "1,error=%u/2", rows[i].bit);
		start(emulate);
		build(0, 0);
		build(1, 0);
		assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
		assert_int_equal(g_ended[0].result.status, rows[i].status);
		assert_int_equal(g_ended[0].result.chanerr, 1u << rows[i].bit);
		assert_int_equal(g_ended[1].result.status, UDMA_IOAT_OK);
		assert_true(strlen(udma_ioat_status_text(rows[i].status)) > 0);
		end();
	}
}

/** Of a request of several descriptors those before the bad one are certain. */
static void
bytes_that_are_certain(void **state)
{
	(void)state;
	start("1,xfercap=12,error=8/5");
	/* Ten descriptors; the fourth of them is the engine's fifth. */
	assert_int_equal(udma_ioat_copy(g_chan, g_dst, g_src, 10 * SIZE, 0, on_end, &g_ended[0]),
			 0);
	build(20, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_ended[0].result.status, UDMA_IOAT_BAD_SOURCE);
	assert_int_equal(g_ended[0].result.bytes, 3 * SIZE);
	assert_true(is_copied(0) && is_copied(1) && is_copied(2));
	/* What was left of it has not been carried out. */
	for (unsigned i = 3; i < 10; i++) {
		assert_true(is_untouched(i));
	}
	assert_int_equal(g_ended[20].result.status, UDMA_IOAT_OK);
	end();
}

static void
behind_the_fence_of_a_failed_request(void **state)
{
	(void)state;
	start("1,error=8/4");
	build(0, 0);
	build(1, 0);
	build(2, 0); /* the fourth, with the trial fill */
	build(3, 0);
	build(4, UDMA_IOAT_FENCE);
	build(5, 0);
	build(6, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	for (unsigned i = 0; i < 7; i++) {
		enum udma_ioat_status expected = i == 2  ? UDMA_IOAT_BAD_SOURCE
						 : i > 4 ? UDMA_IOAT_ABORTED
							 : UDMA_IOAT_OK;

		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].result.status, expected);
		assert_true(expected == UDMA_IOAT_OK ? is_copied(i) : is_untouched(i));
	}
	/* What is built afterwards knows of it. */
	build(7, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_ended[7].result.status, UDMA_IOAT_OK);
	end();
}

static void
pieces_cut_in_other_places(void **state)
{
	struct iovec dst[40], src[40];
	uint32_t random = 1;

	(void)state;
	start("1");
	for (unsigned round = 0; round < COUNT; round++) {
		size_t left = 20000, at = 0, from = 0;
		unsigned n = 0, m = 0;

		memset(g_dst, 0, 2 * 20000);
		while (at < left) {
			size_t piece = (random = random * 1664525 + 1013904223) >> 8 & 2047;

			piece = at + piece > left || n == 39 ? left - at : piece;
			dst[n++] = (struct iovec){g_dst + at, piece};
			at += piece;
		}
		while (from < left) {
			size_t piece = (random = random * 1664525 + 1013904223) >> 8 & 4095;

			piece = from + piece > left || m == 39 ? left - from : piece;
			src[m++] = (struct iovec){g_src + from + 7, piece};
			from += piece;
		}
		assert_int_equal(
			udma_ioat_copyv(g_chan, dst, n, src, m, 0, on_end, &g_ended[round]), 0);
		assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
		assert_int_equal(g_ended[round].result.bytes, 20000);
		assert_memory_equal(g_dst, g_src + 7, 20000);
		assert_int_equal(g_dst[20000], 0);
	}
	dst[0].iov_len++;
	assert_int_equal(udma_ioat_copyv(g_chan, dst, 1, src, 1, 0, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_copyv(g_chan, dst, 0, src, 0, 0, on_end, &g_ended[0]), 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_ended[0].times, 2);
	end();
}

static void
abort_ends_everything_and_the_channel_goes_on(void **state)
{
	unsigned aborted = 0;

	(void)state;
	start("1");
	for (unsigned i = 0; i < 100; i++) {
		build(i, 0);
		if (i == 60) {
			spdk_ioat_flush(g_chan);
		}
	}
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(g_ended[i].times, 1);
		aborted += g_ended[i].result.status == UDMA_IOAT_ABORTED;
		if (g_ended[i].result.status == UDMA_IOAT_OK) {
			assert_true(is_copied(i));
		} else {
			assert_int_equal(g_ended[i].result.status, UDMA_IOAT_ABORTED);
		}
	}
	/* Those that were never announced at the least. */
	assert_true(aborted >= 39);
	build(150, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_ended[150].result.status, UDMA_IOAT_OK);
	assert_true(is_copied(150));
	end();
}

static void
detach_ends_everything(void **state)
{
	(void)state;
	start("1");
	for (unsigned i = 0; i < 100; i++) {
		build(i, 0);
	}
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].result.status, UDMA_IOAT_OK);
		assert_true(is_copied(i));
	}
	end();
}

/** Callbacks of both kinds mix, and submit and poll in turn. */
static void
on_end_submit(void *arg, const struct udma_ioat_result *result)
{
	unsigned i = (unsigned)((struct ended *)arg - g_ended);

	on_end(arg, result);
	if (i + 1 < COUNT) {
		assert_int_equal(udma_ioat_copy(g_chan, g_dst + (i + 1) * SIZE,
						g_src + (i + 1) * SIZE, SIZE, 0, on_end_submit,
						&g_ended[i + 1]),
				 0);
		spdk_ioat_flush(g_chan);
		spdk_ioat_process_events(g_chan);
	}
}

static void
callbacks_submit_and_poll_through_errors(void **state)
{
	(void)state;
	start("1,error=1/3");
	assert_int_equal(udma_ioat_copy(g_chan, g_dst, g_src, SIZE, 0, on_end_submit, &g_ended[0]),
			 0);
	/* What callbacks build is not what a drain waits for. */
	while (g_order < COUNT) {
		assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(g_ended[i].times, 1);
		assert_int_equal(g_ended[i].result.status,
				 fails(i, 3) ? UDMA_IOAT_BAD_DESTINATION : UDMA_IOAT_OK);
	}
	end();
}

static void
flags_that_do_not_exist(void **state)
{
	(void)state;
	start("1");
	assert_int_equal(udma_ioat_copy(g_chan, g_dst, g_src, 8, 0x80, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_fill(g_chan, g_dst, 0, 8, 0x80, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_null(g_chan, 0x80, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_room(g_chan), spdk_ioat_get_max_descriptors(g_chan) - 1);
	end();
}

static void
reset_of_a_channel_that_works(void **state)
{
	(void)state;
	start("1");
	for (unsigned round = 0; round < 20; round++) {
		build(round, 0);
		assert_int_equal(udma_ioat_reset(g_chan), 0);
		assert_int_equal(g_ended[round].times, 1);
	}
	build(100, 0);
	assert_int_equal(udma_ioat_drain(g_chan, 60000000), 0);
	assert_int_equal(g_ended[100].result.status, UDMA_IOAT_OK);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_ends_once_with_its_status),
		cmocka_unit_test(through_spdk_each_failure_is_one_error),
		cmocka_unit_test(every_cause_has_its_status),
		cmocka_unit_test(bytes_that_are_certain),
		cmocka_unit_test(behind_the_fence_of_a_failed_request),
		cmocka_unit_test(pieces_cut_in_other_places),
		cmocka_unit_test(abort_ends_everything_and_the_channel_goes_on),
		cmocka_unit_test(detach_ends_everything),
		cmocka_unit_test(callbacks_submit_and_poll_through_errors),
		cmocka_unit_test(flags_that_do_not_exist),
		cmocka_unit_test(reset_of_a_channel_that_works),
	};

	return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
