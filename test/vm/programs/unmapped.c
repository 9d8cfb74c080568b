/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * For a guest with an IOMMU: takes a page away from under the library, behind its back, and copies
 * there. The IOMMU is all that is left to stop the engine.
 */

#include "spdk/env.h"
#include "spdk/ioat.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE          4096
#define PATTERN       0x5a
#define LIMIT_SECONDS 100

static struct spdk_ioat_chan *g_chan;
static unsigned g_done;

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
count(void *arg)
{
	(void)arg;
	g_done++;
}

static void
fail(const char *what, int rc)
{
	printf("%s: %d (%s)\n", what, rc, strerror(abs(rc)));
	exit(1);
}

/** The container that the library has open, from /proc. */
static int
find_container(void)
{
	char link[64], target[64];

	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strcmp(target, "/dev/vfio/vfio") == 0) {
			return fd;
		}
	}
	fail("no container is open", -ENOENT);
	return -1;
}

static void
unmap(void *page)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = spdk_vtophys(page, NULL),
		.size = PAGE,
	};

	if (ioctl(find_container(), VFIO_IOMMU_UNMAP_DMA, &unmap) != 0 || unmap.size != PAGE) {
		fail("VFIO does not unmap the page", -errno);
	}
}

/** \return 1 for a copy that was done; the error. */
static int
copy(void *to, const void *from)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() * LIMIT_SECONDS;
	int rc = spdk_ioat_submit_copy(g_chan, NULL, count, to, from, PAGE);

	while (rc == 0 && spdk_get_ticks() < end) {
		rc = spdk_ioat_process_events(g_chan);
	}
	return rc;
}

int
main(void)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	uint8_t *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *from, *to;
	int rc;

	spdk_env_opts_init(&opts);
	rc = spdk_env_init(&opts);
	if (rc == 0) {
		rc = spdk_ioat_probe(NULL, want, keep);
	}
	if (rc != 0 || g_chan == NULL) {
		fail("no channel", rc);
	}
	from = spdk_dma_zmalloc(PAGE, PAGE, NULL);
	to = spdk_dma_zmalloc(PAGE, PAGE, NULL);
	memset(page, PATTERN, PAGE);
	rc = spdk_mem_register(page, PAGE);
	if (from == NULL || to == NULL || rc != 0) {
		fail("no memory", rc);
	}
	unmap(page);
	rc = copy(page, from);
	if (rc >= 0 || g_done != 0) {
		fail("the copy to a page that is not mapped did not fail", rc);
	}
	for (unsigned i = 0; i < PAGE; i++) {
		if (page[i] != PATTERN) {
			fail("the page was written to", (int)i);
		}
	}
	printf("refused: %s; the page is as it was\n", strerror(-rc));

	/* The channel goes on behind the error, and one that is attached again works too. */
	memset(from, PATTERN, PAGE);
	for (unsigned i = 0; i < 2; i++) {
		memset(to, 0, PAGE);
		rc = copy(to, from);
		if (rc != 1 || memcmp(to, from, PAGE) != 0) {
			fail("the channel does not copy any more", rc);
		}
		spdk_ioat_detach(g_chan);
		g_chan = NULL;
		rc = i == 0 ? spdk_ioat_probe(NULL, want, keep) : 0;
		if (rc != 0 || (i == 0 && g_chan == NULL)) {
			fail("the channel cannot be attached again", rc);
		}
	}
	printf("the channel copies\n");
	spdk_env_fini();
	return 0;
}
