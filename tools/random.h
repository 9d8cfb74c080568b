/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Pseudo-random numbers (splitmix64): the same state gives the same numbers.
 */

#ifndef UDMA_TOOL_RANDOM_H
#define UDMA_TOOL_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static inline void
random_fill(uint64_t *state, void *memory, size_t size)
{
	char *to = (char *)memory;

	while (size > 0) {
		uint64_t word = random_next(state);
		size_t part = size < sizeof(word) ? size : sizeof(word);

		memcpy(to, &word, part);
		to += part;
		size -= part;
	}
}

#endif
