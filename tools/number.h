/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Numbers and sizes on the command line. Whatever is wrong with one is said here.
 */

#ifndef UDMA_TOOL_NUMBER_H
#define UDMA_TOOL_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define MAX_SIZES    64
#define LARGEST_SIZE ((uint64_t)1 << 30)

struct sizes {
	uint64_t list[MAX_SIZES];
	unsigned count;
};

/** Reads a whole number from 1 to `max`. \param option its name ("--depth"). \return an exit
 * status. */
int parse_count(const char *option, const char *text, unsigned max, unsigned *number);
/** Reads seconds up to `most`, which may have a fraction. \return an exit status. */
int parse_seconds(const char *option, const char *text, double most, double *seconds);
/**
 * Reads sizes separated by commas; "A-B" stands for A and each doubling of it up to B. Units are K,
 * M and G, powers of 1024.
 *
 * \return an exit status.
 */
int parse_sizes(const char *option, const char *text, struct sizes *sizes);

/** Writes a size in the largest unit that holds it exactly ("64K"). \return `text`. */
const char *size_exact_text(uint64_t bytes, char *text, size_t size);

#endif
