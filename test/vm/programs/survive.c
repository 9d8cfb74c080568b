/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * For a guest: rows of copies through a channel that is made to fail, and what has become of them.
 * Each has to end once, in order and with the truth; a channel that has failed is reset until it is
 * back.
 *
 * usage: survive ROWS SECONDS (to wait for a channel that has failed) [ask (behind each row whether
 *        the kernel wants the function back, and then give it back)]
 */

#include "udma/ioat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT  64u
#define STRIDE 8192u
#define OFFSET 1000u /* of a target in its place: what is around it must stay */
#define SIZE   5000u
#define AROUND 0xA5

static struct spdk_ioat_chan *g_chan;
static struct spdk_pci_device *g_device;
static uint8_t *g_src, *g_dst;
static unsigned g_ended;
static enum udma_ioat_status g_status[COUNT];
static uint64_t g_bytes[COUNT];
static uint64_t g_count[UDMA_IOAT_FAILED + 1];

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return g_chan == NULL;
}

static void
keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	g_device = device;
	g_chan = chan;
}

static void
fail(const char *what, unsigned which)
{
	printf("%s: %u\n", what, which);
	exit(1);
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	if (i != g_ended) {
		fail("not in order, or not once", i);
	}
	g_ended++;
	g_status[i] = result->status;
	g_bytes[i] = result->bytes;
	g_count[result->status]++;
}

/** Bytes of a target are as they were, or as its source; the first ones the latter. */
static void
check(unsigned i)
{
	const uint8_t *src = g_src + i * STRIDE, *dst = g_dst + i * STRIDE;

	for (unsigned at = 0; at < STRIDE; at++) {
		bool inside = at >= OFFSET && at < OFFSET + SIZE;
		bool certain = inside && at - OFFSET < g_bytes[i];

		if (dst[at] != (certain ? src[at] : AROUND) && (!inside || dst[at] != src[at])) {
			fail("a byte is wrong", i * STRIDE + at);
		}
	}
	if (g_status[i] == UDMA_IOAT_OK && g_bytes[i] != SIZE) {
		fail("done, but not all of it", i);
	}
}

/** \return how many were accepted. */
static unsigned
copy_row(unsigned row)
{
	unsigned built = 0;

	for (unsigned at = 0; at < COUNT * STRIDE; at++) {
		g_src[at] = (uint8_t)(at * 7 + at / STRIDE + row) & 0x7F;
	}
	memset(g_dst, AROUND, COUNT * STRIDE);
	g_ended = 0;
	while (built < COUNT && udma_ioat_copy(g_chan, g_dst + built * STRIDE + OFFSET,
					       g_src + built * STRIDE + OFFSET, SIZE, 0, on_end,
					       (void *)(uintptr_t)built) == 0) {
		spdk_ioat_flush(g_chan);
		built++;
	}
	while (g_ended < built) {
		spdk_ioat_process_events(g_chan);
	}
	for (unsigned i = 0; i < built; i++) {
		check(i);
	}
	return built;
}

static bool
bring_back(unsigned seconds)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() * seconds;

	while (udma_ioat_reset(g_chan) != 0) {
		if (spdk_get_ticks() > end) {
			return false;
		}
		usleep(200000);
	}
	return true;
}

static void
report(const char *end)
{
	struct udma_ioat_stats stats;

	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	for (unsigned i = 0; i <= UDMA_IOAT_FAILED; i++) {
		if (g_count[i] > 0) {
			printf("%llu: %s\n", (unsigned long long)g_count[i],
			       udma_ioat_status_text((enum udma_ioat_status)i));
		}
	}
	printf("%llu: recoveries\n%s\n", (unsigned long long)stats.recoveries, end);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	unsigned rows = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	bool is_back = true, asks = argc > 3, is_wanted = false;

	spdk_env_opts_init(&opts);
	if (rows == 0 || spdk_env_init(&opts) != 0 || spdk_ioat_probe(NULL, want, keep) != 0 ||
	    g_chan == NULL) {
		fail("no channel", rows);
	}
	g_src = spdk_dma_malloc(COUNT * STRIDE, STRIDE, NULL);
	g_dst = spdk_dma_malloc(COUNT * STRIDE, STRIDE, NULL);
	if (g_src == NULL || g_dst == NULL) {
		fail("no memory", rows);
	}
	for (unsigned row = 0; row < rows && is_back && !is_wanted; row++) {
		unsigned built = copy_row(row);
		bool failed;

		if (row == 0) {
			printf("copying\n");
			fflush(stdout);
		}
		failed = udma_ioat_get_state(g_chan) == UDMA_IOAT_HAS_FAILED;

		if (built < COUNT && !failed) {
			fail("refused by a channel that has not failed", built);
		}
		if (failed) {
			is_back = bring_back((unsigned)atoi(argv[2]));
		}
		is_wanted = asks && spdk_pci_device_is_removed(g_device);
	}
	report(is_wanted ? "the function is wanted back"
	       : is_back ? "the channel copies"
			 : "the channel does not come back");
	spdk_ioat_detach(g_chan);
	spdk_env_fini();
	return is_back ? 0 : 3;
}
