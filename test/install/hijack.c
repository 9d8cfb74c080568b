/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A program with functions of its own under our names, as one that has SPDK in it: the library must
 * go on calling its own. Each of these is called by others inside the library.
 */

#include "spdk/ioat.h"
#include "spdk/log.h"

static unsigned hijacked;

void
spdk_ioat_flush(struct spdk_ioat_chan *chan)
{
	(void)chan;
	hijacked++;
}

void *
spdk_malloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags)
{
	(void)size, (void)align, (void)unused, (void)numa_id, (void)flags;
	hijacked++;
	return NULL;
}

void *
spdk_zmalloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags)
{
	(void)size, (void)align, (void)unused, (void)numa_id, (void)flags;
	hijacked++;
	return NULL;
}

void
spdk_free(void *buf)
{
	(void)buf;
	hijacked++;
}

uint64_t
spdk_vtophys(const void *buf, uint64_t *size)
{
	(void)buf, (void)size;
	hijacked++;
	return SPDK_VTOPHYS_ERROR;
}

int
spdk_pci_enumerate(struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb, void *enum_ctx)
{
	(void)driver, (void)enum_cb, (void)enum_ctx;
	hijacked++;
	return -1;
}

void
spdk_log(enum spdk_log_level level, const char *file, const int line, const char *func,
	 const char *format, ...)
{
	(void)level, (void)file, (void)line, (void)func, (void)format;
	hijacked++;
}

static struct spdk_ioat_chan *channel;

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return channel == NULL;
}

static void
attached(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	(void)ctx, (void)device;
	channel = ioat;
}

static void
copied(void *arg)
{
	*(bool *)arg = true;
}

/** Submits, which flushes; in memory that spdk_dma_zmalloc() takes from spdk_malloc(). */
static bool
copy(void)
{
	char *memory = (char *)spdk_dma_zmalloc(8192, 0, NULL);
	bool done = false;
	bool good;

	if (memory == NULL) {
		return false;
	}
	memset(memory, 'x', 4096);
	good = spdk_ioat_submit_copy(channel, &done, copied, memory + 4096, memory, 4096) == 0;
	while (good && !done) {
		good = spdk_ioat_process_events(channel) >= 0;
	}
	good = good && memcmp(memory, memory + 4096, 4096) == 0;
	spdk_dma_free(memory);
	return good;
}

int
main(void)
{
	bool good;

	if (spdk_env_init(NULL) != 0 || spdk_ioat_probe(NULL, want, attached) != 0 ||
	    channel == NULL) {
		printf("no channel; %u calls went astray\n", hijacked);
		return 1;
	}
	good = copy();
	/* The refusal of what is on the stack is logged, by the library's own spdk_log(). */
	good = good &&
	       spdk_ioat_submit_copy(channel, NULL, NULL, &good, &good, sizeof(good)) == -EINVAL;
	spdk_ioat_detach(channel);
	spdk_env_fini();
	printf("copy %s; %u calls went astray\n", good ? "right" : "WRONG", hijacked);
	return good && hijacked == 0 ? 0 : 1;
}
