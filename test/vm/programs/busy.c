/* SPDX-License-Identifier: BSD-3-Clause */

/*
 *     busy FILE     copies for ever, and writes into FILE how many copies have been completed
 *
 * The ring is never empty: whenever this is killed, the engine is in the middle of something.
 */

#include "probe.h"

#define BYTES (256u << 10)
#define DEPTH 32u

static uint64_t g_completed;

static void
count(void *arg)
{
	(void)arg;
	g_completed++;
}

/** Each number is as long as the one before, or longer: none is left standing behind it. */
static int
tell(int fd)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%" PRIu64 "\n", g_completed);

	return pwrite(fd, line, (size_t)len, 0) == len ? 0 : -EIO;
}

/** \return what has gone wrong. */
static int
copy(struct spdk_ioat_chan *chan, uint8_t *memory, int fd)
{
	uint64_t submitted = 0, told = 0;
	int rc = 0;

	while (rc >= 0) {
		while (rc >= 0 && submitted - g_completed < DEPTH) {
			rc = spdk_ioat_build_copy(chan, NULL, count, memory, memory + BYTES, BYTES);
			submitted += rc == 0;
		}
		spdk_ioat_flush(chan);
		rc = rc >= 0 ? spdk_ioat_process_events(chan) : rc;
		if (rc >= 0 && g_completed != told) {
			told = g_completed;
			rc = tell(fd);
		}
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct spdk_ioat_chan *chan;
	uint8_t *memory;
	int fd;

	if (argc != 2 || (chan = probe_first()) == NULL) {
		return 1;
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	memory = spdk_dma_zmalloc((size_t)2 * BYTES, 4096, NULL);
	if (fd < 0 || memory == NULL) {
		return 1;
	}
	printf("the copies end with %d\n", copy(chan, memory, fd));
	return 1;
}
