/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Copies by one channel against memcpy() of the same buffers: in turns, in one run, so that the
 * ratio means something where the times do not.
 *
 *     bench_copy [BYTES [SECONDS]]
 */

#include "bench.h"

#define ROUND 1024 /* copies by one before it is the other's turn */

static double
engine_round(struct spdk_ioat_chan *chan, uint8_t *destination, const uint8_t *source, size_t bytes)
{
	double start = bench_seconds();

	for (unsigned i = 0; i < ROUND; i++) {
		int rc = spdk_ioat_submit_copy(chan, NULL, NULL, destination, source, bytes);

		while (rc == 0) {
			rc = spdk_ioat_process_events(chan);
		}
		if (rc < 0) {
			fprintf(stderr, "copy failed: %d\n", rc);
			exit(1);
		}
	}
	return bench_seconds() - start;
}

static double
memcpy_round(uint8_t *destination, const uint8_t *source, size_t bytes)
{
	double start = bench_seconds();

	for (unsigned i = 0; i < ROUND; i++) {
		memcpy(destination, source, bytes);
		__asm__ volatile("" ::: "memory");
	}
	return bench_seconds() - start;
}

int
main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoull(argv[1], NULL, 0) : 1 << 20;
	double limit = argc > 2 ? strtod(argv[2], NULL) : 3;
	struct spdk_ioat_chan *chan = bench_start();
	uint8_t *source = (uint8_t *)spdk_dma_zmalloc(bytes, 4096, NULL);
	uint8_t *destination = (uint8_t *)spdk_dma_zmalloc(bytes, 4096, NULL);
	double by_engine = 0, by_memcpy = 0, end = bench_seconds() + limit;
	unsigned long copies = 0;

	if (source == NULL || destination == NULL || bytes == 0) {
		fprintf(stderr, "no memory for two buffers of %zu bytes\n", bytes);
		return 1;
	}
	engine_round(chan, destination, source, bytes);
	memcpy_round(destination, source, bytes);
	while (bench_seconds() < end) {
		by_engine += engine_round(chan, destination, source, bytes);
		by_memcpy += memcpy_round(destination, source, bytes);
		copies += ROUND;
	}
	printf("%zu bytes: engine %.2f GB/s, memcpy %.2f GB/s, ratio %.3f (%lu copies each)\n",
	       bytes, (double)copies * (double)bytes / by_engine / 1e9,
	       (double)copies * (double)bytes / by_memcpy / 1e9, by_memcpy / by_engine, copies);
	spdk_free(source);
	spdk_free(destination);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return 0;
}
