/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/util.h"
#include "iova.h"

struct udma_iova_ranges
udma_iova_ranges_of(unsigned bits)
{
	return (struct udma_iova_ranges){
		.count = bits > 0,
		.range[0].last = bits < 64 ? (1ULL << bits) - 1 : UINT64_MAX,
	};
}

void
udma_iova_ranges_intersect(struct udma_iova_ranges *ranges, const struct udma_iova_ranges *others)
{
	struct udma_iova_ranges both = {0};
	unsigned a = 0, b = 0;

	/* Should there be too many, what is left out is merely not used. */
	while (a < ranges->count && b < others->count && both.count < UDMA_IOVA_RANGES) {
		uint64_t first = spdk_max(ranges->range[a].first, others->range[b].first);
		uint64_t last = spdk_min(ranges->range[a].last, others->range[b].last);

		if (first <= last) {
			both.range[both.count].first = first;
			both.range[both.count++].last = last;
		}
		if (ranges->range[a].last < others->range[b].last) {
			a++;
		} else {
			b++;
		}
	}
	*ranges = both;
}

bool
udma_iova_ranges_hold(const struct udma_iova_ranges *ranges, uint64_t iova, uint64_t len)
{
	for (unsigned i = 0; i < ranges->count; i++) {
		if (iova >= ranges->range[i].first && iova <= ranges->range[i].last) {
			return len - 1 <= ranges->range[i].last - iova;
		}
	}
	return false;
}

unsigned
udma_iova_ranges_bits(const struct udma_iova_ranges *ranges)
{
	uint64_t last = ranges->count > 0 ? ranges->range[ranges->count - 1].last : 0;

	return last == UINT64_MAX ? 64 : 63 - (unsigned)__builtin_clzll(last + 1);
}
