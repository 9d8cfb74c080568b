/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the benchmarks share: one channel, and a clock.
 */

#ifndef TEST_BENCH_H
#define TEST_BENCH_H

#include "spdk/ioat.h"

static inline bool
bench_say_yes(void *ctx, struct spdk_pci_device *device)
{
	return *(struct spdk_ioat_chan **)ctx == NULL && device != NULL;
}

static inline void
bench_take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	*(struct spdk_ioat_chan **)ctx = chan;
}

/** Starts the environment with one emulated channel, unless UDMA_EMULATE says otherwise. */
static inline struct spdk_ioat_chan *
bench_start(void)
{
	struct spdk_ioat_chan *chan = NULL;
	struct spdk_env_opts opts;

	setenv("UDMA_EMULATE", "1", 0);
	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	if (spdk_env_init(&opts) != 0 || spdk_ioat_probe(&chan, bench_say_yes, bench_take) != 0 ||
	    chan == NULL) {
		fprintf(stderr, "no channel: set UDMA_EMULATE=1\n");
		exit(2);
	}
	return chan;
}

static inline double
bench_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
