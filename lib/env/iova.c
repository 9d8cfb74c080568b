/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "iova.h"
#include "physical.h"
#include "range_map.h"
#include "region.h"

/* The value of a region is its virtual address minus its IOVA, a multiple of the page, and this. */
#define REGION_WRITABLE 1ULL

/* Nothing is placed below: an address that should never have been used will not hit memory. */
#define LOWEST_IOVA (1ULL << 20)

/*
 * Writes to these addresses are interrupts, which an IOMMU does not translate: the local APICs of
 * x86, and the window that Linux reserves on arm64.
 */
static const struct {
	uint64_t start, end;
} interrupt_windows[] = {
	{0x08000000, 0x08100000},
	{0xfee00000, 0xfef00000},
};

static struct {
	enum udma_iova_kind kind;
	uint64_t last;   /* highest address that devices can send */
	uint64_t cursor; /* behind the region placed last */
	struct udma_iova_ranges ranges;
	struct udma_range_map regions;
} space;

int
udma_iova_init(enum udma_iova_kind kind, unsigned bits)
{
	int rc = kind == UDMA_IOVA_PA ? udma_physical_init() : 0;

	if (rc != 0) {
		return rc;
	}
	space.kind = kind;
	space.last = bits < 64 ? (1ULL << bits) - 1 : UINT64_MAX;
	space.cursor = LOWEST_IOVA;
	space.ranges = udma_iova_ranges_of(64);
	return 0;
}

void
udma_iova_limit(const struct udma_iova_ranges *ranges)
{
	udma_iova_ranges_intersect(&space.ranges, ranges);
}

void
udma_iova_fini(void)
{
	udma_range_map_destroy(&space.regions);
}

enum udma_iova_kind
udma_iova_kind(void)
{
	return space.kind;
}

bool
udma_region_find(uint64_t iova, struct udma_region *region)
{
	struct udma_range range;

	if (!udma_range_map_lookup(&space.regions, iova, &range)) {
		return false;
	}
	region->iova = range.start;
	region->len = range.len;
	region->vaddr = range.start + (range.value & ~REGION_WRITABLE);
	region->writable = (range.value & REGION_WRITABLE) != 0;
	return true;
}

/** \return the end of another region in [start, start + len), or 0 if there is none. */
static uint64_t
other_region(uint64_t start, uint64_t len)
{
	struct udma_range range;

	if (udma_range_map_next(&space.regions, start, &range) && range.start < start + len) {
		return range.start + range.len;
	}
	return 0;
}

/** \return the end of something in the way of [start, start + len), or 0 if it is free. */
static uint64_t
obstacle(uint64_t start, uint64_t len)
{
	if (!udma_iova_ranges_hold(&space.ranges, start, len)) {
		for (unsigned i = 0; i < space.ranges.count; i++) {
			if (space.ranges.range[i].first > start) {
				return space.ranges.range[i].first;
			}
		}
		return UINT64_MAX;
	}
	for (size_t i = 0; i < SPDK_COUNTOF(interrupt_windows); i++) {
		if (start < interrupt_windows[i].end && start + len > interrupt_windows[i].start) {
			return interrupt_windows[i].end;
		}
	}
	return other_region(start, len);
}

/** The lowest free place from `from` on, congruent to `vaddr` modulo `align`. \return 0 if none. */
static uint64_t
find_place(uint64_t from, uint64_t vaddr, uint64_t len, uint64_t align)
{
	uint64_t last = spdk_min(space.last, (1ULL << UDMA_RANGE_MAP_ADDR_BITS) - 1);
	uint64_t behind = from;

	while (behind != 0) {
		if (behind > last) {
			return 0;
		}
		from = behind + ((vaddr - behind) & (align - 1));
		if (from > last || len - 1 > last - from) {
			return 0;
		}
		behind = obstacle(from, len);
	}
	return from;
}

/**
 * Places a region. An IOMMU maps it with large pages only where virtual and I/O address agree in
 * the offset within a large page, so that is kept if the region has such a page in it and there is
 * room. The search goes on from where the last one ended: each placement stays cheap however many
 * regions there are, and an address that was just given back, which a broken device may still use,
 * is the last one to be given out again.
 */
static int
place(uint64_t vaddr, uint64_t len, uint64_t *iova)
{
	static const uint64_t page_sizes[] = {1ULL << 30, 2ULL << 20, UDMA_RANGE_MAP_PAGE};

	for (size_t i = 0; i < SPDK_COUNTOF(page_sizes); i++) {
		uint64_t size = page_sizes[i];

		if (SPDK_ALIGN_CEIL(vaddr, size) + size > vaddr + len) {
			continue;
		}
		*iova = find_place(space.cursor, vaddr, len, size);
		if (*iova == 0) {
			*iova = find_place(LOWEST_IOVA, vaddr, len, size);
		}
		if (*iova != 0) {
			space.cursor = *iova + len;
			return 0;
		}
	}
	SPDK_ERRLOG("no room for %" PRIu64
		    " bytes in the I/O address space, which ends at %#" PRIx64
		    "; unregister memory that is not used\n",
		    len, space.last);
	return -ENOSPC;
}

int
udma_iova_take(uint64_t vaddr, uint64_t *len, bool writable, uint64_t *iova)
{
	int rc = 0;

	if (space.kind == UDMA_IOVA_PA) {
		rc = udma_physical_find(vaddr, len, iova);
	} else if (space.kind == UDMA_IOVA_MAPPED) {
		rc = place(vaddr, *len, iova);
	} else {
		*iova = vaddr;
	}
	if (rc != 0) {
		return rc;
	}
	if (*iova > space.last || *len - 1 > space.last - *iova) {
		SPDK_ERRLOG("devices cannot reach %#" PRIx64 ", they send addresses up to %#" PRIx64
			    "; with iova_mode \"mapped\" memory is placed below\n",
			    *iova, space.last);
		return -ENOTSUP;
	}
	/* One page may be mapped twice: the region is then found at the address that was first. */
	if (space.kind == UDMA_IOVA_PA && other_region(*iova, *len) != 0) {
		return 0;
	}
	rc = udma_range_map_set(&space.regions, *iova, *len,
				(vaddr - *iova) | (writable ? REGION_WRITABLE : 0));
	if (rc != 0) {
		SPDK_ERRLOG("no memory to register %" PRIu64 " bytes at %#" PRIx64 "\n", *len,
			    vaddr);
	}
	return rc;
}

void
udma_iova_release(uint64_t vaddr, uint64_t iova, uint64_t len)
{
	struct udma_region region;

	if (udma_region_find(iova, &region) && region.vaddr == vaddr && region.len == len) {
		udma_range_map_clear(&space.regions, iova, len);
	}
}

int
udma_iova_reserve(uint64_t len)
{
	return udma_range_map_reserve(&space.regions, len);
}
