/* SPDX-License-Identifier: BSD-3-Clause */

/*
 *     wait COUNT     waits for that many copies, by udma_ioat_wait() and in an event loop, in turns
 *     wait gone      waits until the kernel wants the function back, and gives it back
 */

#include <sys/epoll.h>

#include "probe.h"
#include "udma/ioat.h"

/* One descriptor: the function delays each so long that the program sleeps. */
#define BYTES (64u << 10)

static void
count(void *arg, const struct udma_ioat_result *result)
{
	if (result->status == UDMA_IOAT_OK) {
		++*(unsigned *)arg;
	}
}

/** \return what before_sleep() has said that is no reason to sleep. */
static int
sleep_in_loop(struct spdk_ioat_chan *chan, int loop)
{
	struct epoll_event event;
	int rc;

	while ((rc = udma_ioat_before_sleep(chan)) == 0) {
		epoll_wait(loop, &event, 1, -1);
	}
	return rc;
}

static int
wait_for_copies(struct spdk_ioat_chan *chan, int loop, uint8_t *memory, unsigned copies)
{
	unsigned done = 0;

	for (unsigned i = 0; i < copies; i++) {
		int rc;

		memset(memory, 0, BYTES);
		memset(memory + BYTES, (int)(i % 255 + 1), BYTES);
		rc = udma_ioat_copy(chan, memory, memory + BYTES, BYTES, 0, count, &done);
		if (rc == 0) {
			rc = i % 2 ? udma_ioat_wait(chan, UINT64_MAX) : sleep_in_loop(chan, loop);
		}
		if (rc != 1 || done != i + 1 || memcmp(memory, memory + BYTES, BYTES) != 0) {
			printf("copy %u: %d\n", i, rc);
			return 1;
		}
	}
	printf("waited for %u copies\n", done);
	return 0;
}

/** Prints the lines of the kernel's table that are of functions in user space: how many of what. */
static void
print_interrupts(void)
{
	static const char *const names[] = {"vfio-msix", "vfio-msi", "vfio-intx",
					    "uio_pci_generic"};
	FILE *file = fopen("/proc/interrupts", "r");
	char line[512];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		unsigned long long sum = 0, count;
		char *at = strchr(line, ':');
		int length;

		for (size_t i = 0; i < 4 && at != NULL; i++) {
			if (strstr(line, names[i]) != NULL) {
				at++;
				while (sscanf(at, "%llu%n", &count, &length) == 1) {
					sum += count;
					at += length;
				}
				printf("%s: %llu interrupts\n", names[i], sum);
				break;
			}
		}
	}
	if (file != NULL) {
		fclose(file);
	}
}

int
main(int argc, char **argv)
{
	struct spdk_ioat_chan *chan;
	struct epoll_event event = {.events = EPOLLIN};
	int loop = epoll_create1(0), rc;
	uint8_t *memory;

	if (argc != 2 || (chan = probe_first()) == NULL) {
		return 1;
	}
	memory = spdk_dma_zmalloc(2 * BYTES, 4096, NULL);
	if (memory == NULL || epoll_ctl(loop, EPOLL_CTL_ADD, udma_ioat_get_fd(chan), &event) != 0) {
		return 1;
	}
	if (strcmp(argv[1], "gone") == 0) {
		rc = sleep_in_loop(chan, loop);
		printf("%s\n", rc == -ENODEV ? "the function is wanted back" : "woken in vain");
		rc = rc != -ENODEV;
	} else {
		rc = wait_for_copies(chan, loop, memory, (unsigned)atoi(argv[1]));
		print_interrupts();
	}
	spdk_dma_free(memory);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return rc;
}
