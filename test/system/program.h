/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the whole programs here share: options, channels, one worker on each core, random numbers.
 * Public API only, as in a program of anybody's.
 */

#ifndef UDMA_TEST_PROGRAM_H
#define UDMA_TEST_PROGRAM_H

#include "spdk/env.h"
#include "spdk/ioat.h"

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

/** A pseudo-random number (splitmix64). */
static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/** \return a number below `limit`. */
static inline uint64_t
random_below(uint64_t *state, uint64_t limit)
{
	return random_next(state) % limit;
}

void random_fill(uint64_t *state, void *memory, size_t size);

#endif
