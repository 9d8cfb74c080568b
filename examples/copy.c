/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The shortest whole program: one copy, carried out by an I/OAT channel.
 *
 *	cc copy.c $(pkg-config --cflags --libs udma) -o copy
 *	UDMA_EMULATE=1 ./copy
 */

/* These bring the C library's headers with them. */
#include "spdk/env.h"
#include "spdk/ioat.h"

#define SIZE (1024 * 1024)

static struct spdk_ioat_chan *channel;

/* Asked for each channel that no program has: take one. */
static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return channel == NULL;
}

/* The channel is up. It belongs to the thread that uses it. */
static void
attached(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	(void)ctx, (void)device;
	channel = ioat;
}

/* Called by a poll, once, when the copy has succeeded. */
static void
copied(void *arg)
{
	*(bool *)arg = true;
}

static int
copy_on(struct spdk_ioat_chan *chan, char *to, char *from)
{
	bool done = false;
	int rc;

	memset(from, 'x', SIZE);
	rc = spdk_ioat_submit_copy(chan, &done, copied, to, from, SIZE);
	/* The engine works by itself; nothing is heard of it until somebody polls. */
	while (rc >= 0 && !done) {
		rc = spdk_ioat_process_events(chan);
	}
	if (rc < 0) {
		fprintf(stderr, "the copy failed: %s\n", strerror(-rc));
		return 1;
	}
	printf("%d bytes copied: %s\n", SIZE, memcmp(to, from, SIZE) ? "different" : "equal");
	return memcmp(to, from, SIZE) != 0;
}

int
main(void)
{
	int rc = 1;
	char *memory = (char *)mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* What goes wrong in the library is logged there, with the way out. */
	if (memory == MAP_FAILED || spdk_env_init(NULL) != 0) {
		return 1;
	}
	/* A device reaches registered memory only, and that without asking: it stays mapped until
	 * it is unregistered. */
	if (spdk_mem_register(memory, 2 * SIZE) == 0) {
		if (spdk_ioat_probe(NULL, want, attached) == 0 && channel != NULL) {
			rc = copy_on(channel, memory, memory + SIZE);
			spdk_ioat_detach(channel);
		} else {
			fprintf(stderr, "no I/OAT channel: bind one to vfio-pci, or set "
					"UDMA_EMULATE=1 to try without hardware\n");
		}
		spdk_mem_unregister(memory, 2 * SIZE);
	}
	spdk_env_fini();
	munmap(memory, 2 * SIZE);
	return rc;
}
