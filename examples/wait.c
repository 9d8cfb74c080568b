/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Copies in an event loop: the program sleeps while the engine works.
 *
 *	cc wait.c $(pkg-config --cflags --libs udma) -o wait
 *	UDMA_EMULATE=1 ./wait
 */

#include <sys/epoll.h>

#include "udma/ioat.h"

#define COPIES 1000
#define SIZE   4096

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

/* Called once for each copy, whatever becomes of it. */
static void
ended(void *arg, const struct udma_ioat_result *result)
{
	if (result->status != UDMA_IOAT_OK) {
		fprintf(stderr, "a copy failed: %s\n", udma_ioat_status_text(result->status));
	}
	++*(unsigned *)arg;
}

/* The loop may watch other descriptors as well. */
static int
run_loop(int loop, char *memory)
{
	unsigned built = 0, done = 0;
	int rc = 0;

	while (done < COPIES && rc >= 0) {
		struct epoll_event event;

		while (built < COPIES && built - done < 8 && rc >= 0) {
			rc = udma_ioat_copy(channel, memory, memory + SIZE, SIZE, 0, ended, &done);
			built += rc == 0;
		}
		/* Announces the copies, polls, and says whether the program may sleep: always the
		 * last thing before it does. */
		if (rc == 0) {
			rc = udma_ioat_before_sleep(channel);
		}
		if (rc == 0) {
			epoll_wait(loop, &event, 1, -1);
		}
		rc = rc > 0 ? 0 : rc;
	}
	if (rc < 0) {
		fprintf(stderr, "the channel does not go on: %s\n", strerror(-rc));
	} else {
		printf("%u copies, and asleep between them\n", done);
	}
	return rc < 0;
}

int
main(void)
{
	struct epoll_event event = {EPOLLIN, {NULL}};
	int loop = epoll_create1(EPOLL_CLOEXEC), rc = 1;
	char *memory;

	if (loop < 0 || spdk_env_init(NULL) != 0) {
		return 1;
	}
	memory = (char *)spdk_dma_zmalloc(2 * SIZE, SIZE, NULL);
	if (memory == NULL || spdk_ioat_probe(NULL, want, attached) != 0 || channel == NULL) {
		fprintf(stderr, "no I/OAT channel: bind one to vfio-pci, or set UDMA_EMULATE=1 to "
				"try without hardware\n");
	} else {
		int fd = udma_ioat_get_fd(channel);

		if (fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0) {
			rc = run_loop(loop, memory);
		}
		spdk_ioat_detach(channel);
	}
	spdk_dma_free(memory);
	spdk_env_fini();
	return rc;
}
