/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * For a guest with a DAX device: maps and registers it, and copies from it and to it.
 *
 * dax /dev/dax0.0
 */

#include "spdk/env.h"
#include "spdk/ioat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES         (2 << 20)
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
copy(void *to, const void *from)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() * LIMIT_SECONDS;
	int rc = spdk_ioat_submit_copy(g_chan, NULL, NULL, to, from, BYTES);

	while (rc == 0 && spdk_get_ticks() < end) {
		rc = spdk_ioat_process_events(g_chan);
	}
	if (rc != 1) {
		fail("the copy was not done", rc);
	}
	if (memcmp(to, from, BYTES) != 0) {
		fail("what was copied differs", 0);
	}
}

int
main(int argc, char **argv)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
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
	for (size_t i = 0; i < BYTES; i++) {
		dax[i] = (uint8_t)(i * 7 + i / 4096);
	}
	copy(memory, dax);
	memset(memory, 0x3c, BYTES);
	copy(dax, memory);
	printf("copied from the DAX device, and to it\n");
	spdk_ioat_detach(g_chan);
	rc = spdk_mem_unregister(dax, BYTES);
	spdk_dma_free(memory);
	spdk_env_fini();
	return rc == 0 ? 0 : 1;
}
