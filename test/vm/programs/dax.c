/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * For a guest with a DAX device: maps and registers it, and copies from it and to it: all of what
 * is mapped, then pieces at random for some seconds.
 *
 * dax /dev/dax0.0 [SECONDS]
 */

#include "spdk/env.h"
#include "spdk/ioat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES         (2 << 20)
#define PIECE         65536
#define LIMIT_SECONDS 100

static struct spdk_ioat_chan *g_chan;

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return g_chan == NULL;
}

static void
keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx, (void)device;
	g_chan = chan;
}

static void
fail(const char *what, int rc)
{
	printf("%s: %d (%s)\n", what, rc, strerror(abs(rc)));
	exit(1);
}

static void
copy(void *to, const void *from, size_t bytes)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() * LIMIT_SECONDS;
	int rc = spdk_ioat_submit_copy(g_chan, NULL, NULL, to, from, bytes);

	while (rc == 0 && spdk_get_ticks() < end) {
		rc = spdk_ioat_process_events(g_chan);
	}
	if (rc != 1) {
		fail("the copy was not done", rc);
	}
	if (memcmp(to, from, bytes) != 0) {
		fail("what was copied differs", 0);
	}
}

static void
fill(uint8_t *dax)
{
	for (size_t i = 0; i < BYTES; i++) {
		dax[i] = (uint8_t)rand();
	}
}

/** Copies pieces, each to where something else was, and back. \return how many. */
static unsigned long
copy_pieces(uint8_t *dax, uint8_t *memory, unsigned long seconds)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() * seconds;
	unsigned long count = 0;

	while (spdk_get_ticks() < end) {
		size_t bytes = (size_t)rand() % PIECE + 1;
		size_t from = (size_t)rand() % (BYTES - bytes),
		       to = (size_t)rand() % (BYTES - bytes);

		copy(memory + to, dax + from, bytes);
		copy(dax + to, memory + from, bytes);
		count += 2;
	}
	return count;
}

int
main(int argc, char **argv)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	unsigned long seconds = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	uint8_t *dax = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *memory;
	int rc;

	if (dax == MAP_FAILED) {
		fail("the DAX device cannot be mapped", 0);
	}
	spdk_env_opts_init(&opts);
	rc = spdk_env_init(&opts);
	if (rc == 0) {
		rc = spdk_mem_register(dax, BYTES);
	}
	if (rc == 0) {
		rc = spdk_ioat_probe(NULL, want, keep);
	}
	memory = spdk_dma_zmalloc(BYTES, 0, NULL);
	if (rc != 0 || g_chan == NULL || memory == NULL) {
		fail("no memory, or no channel", rc);
	}
	fill(dax);
	copy(memory, dax, BYTES);
	memset(memory, 0x3c, BYTES);
	copy(dax, memory, BYTES);
	fill(dax);
	printf("copied from the DAX device, and to it; then %lu pieces\n",
	       copy_pieces(dax, memory, seconds));
	spdk_ioat_detach(g_chan);
	rc = spdk_mem_unregister(dax, BYTES);
	spdk_dma_free(memory);
	spdk_env_fini();
	return rc == 0 ? 0 : 1;
}
