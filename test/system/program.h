/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the whole programs here share: options, channels, one worker on each core.
 * Public API only, as in a program of anybody's.
 */

#ifndef UDMA_TEST_PROGRAM_H
#define UDMA_TEST_PROGRAM_H

#include "spdk/env.h"
#include "spdk/ioat.h"

#include "random.h"

#define MAX_CHANNELS 64

struct options {
	uint64_t seconds;      /* -t */
	const char *core_mask; /* -c */
	uint64_t depth;        /* -q: requests outstanding on each channel */
	uint64_t size;         /* -o: bytes in a request, or the most that are in one */
};

/** Replaces the defaults by what is on the command line. \return false after printing the usage. */
bool options_parse(struct options *options, int argc, char **argv);

/** A channel, and the address of its function. */
struct channel {
	struct spdk_ioat_chan *ioat;
	char name[16];
};

struct channels {
	struct channel list[MAX_CHANNELS];
	unsigned count;
	unsigned wanted;
};

/** Attaches `wanted` channels. \return false, with the reason printed. */
bool channels_attach(struct channels *channels, unsigned wanted);
/** Detaches them all. \return whether all are on offer again, none being left attached. */
bool channels_detach(struct channels *channels);

/**
 * Runs `fn` on every core, on the calling one last.
 *
 * \param arguments one for each core, in the order of cores, `size` bytes apart.
 * \return whether all could be launched.
 */
bool run_on_all_cores(thread_start_fn fn, void *arguments, size_t size);

#endif
