/* SPDX-License-Identifier: BSD-3-Clause */

#include "histogram.h"

void
histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		histogram->counts[i] += other->counts[i];
	}
	if (other->max > histogram->max) {
		histogram->max = other->max;
	}
}

uint64_t
histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += histogram->counts[i];
	}
	return count;
}

/** \return the value in the middle of a bucket. */
static uint64_t
middle_of(unsigned bucket)
{
	unsigned octave = bucket >> HISTOGRAM_BITS;
	unsigned shift = octave > 0 ? octave - 1 : 0;
	uint64_t first = (uint64_t)(bucket - (shift << HISTOGRAM_BITS)) << shift;

	return first + (((uint64_t)1 << shift) - 1) / 2;
}

uint64_t
histogram_quantile(const struct histogram *histogram, unsigned parts, unsigned whole)
{
	uint64_t count = histogram_count(histogram);
	/* Rounded up, without overflow: the rank of the value, from 1. */
	uint64_t rank = count / whole * parts + ((count % whole) * parts + whole - 1) / whole;
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (histogram->counts[i] > 0 && seen >= rank) {
			uint64_t value = middle_of(i);

			return value < histogram->max ? value : histogram->max;
		}
	}
	return 0;
}
