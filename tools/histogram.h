/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A log-linear histogram: how often which value came, of any size, to better than half a percent.
 *
 * Each power of two is cut into the same number of equal buckets, and small values have a bucket
 * each. Adding a value takes no memory, no branch but one and no division.
 */

#ifndef UDMA_TOOL_HISTOGRAM_H
#define UDMA_TOOL_HISTOGRAM_H

#include <stdint.h>

/* A value is off by half the width of its bucket: 1 part in 2^(HISTOGRAM_BITS + 1). */
#define HISTOGRAM_BITS    7
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

/** All zeroes is an empty one. */
struct histogram {
	uint64_t max;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

/** \return the bucket of a value. */
static inline unsigned
histogram_bucket(uint64_t value)
{
	unsigned shift = 63 - HISTOGRAM_BITS -
			 (unsigned)__builtin_clzll(value | (uint64_t)1 << HISTOGRAM_BITS);

	return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

static inline void
histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[histogram_bucket(value)]++;
	if (value > histogram->max) {
		histogram->max = value;
	}
}

/** Adds what another one holds. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/** \return how many values were added. */
uint64_t histogram_count(const struct histogram *histogram);
/**
 * \return the smallest value that `parts` in `whole` of those added do not exceed (99 in 100: the
 * 99th percentile), to the precision of the buckets and never more than the largest; 0 if there
 * are none. \param parts 1 to `whole`.
 */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned parts, unsigned whole);

#endif
