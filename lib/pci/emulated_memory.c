/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The memory that emulated functions of this process reach: what is registered.
 */

#include "emulated.h"

#include "env/region.h"
#include "env/translate.h"

#include "spdk/util.h"

/* A copy is in four regions: ring, source, destination, completion word. */
#define RECENT_REGIONS 4

/* Found before, and true as long as the epoch is: a large copy leaves nothing of the tables in the
 * cache that finding them takes. It belongs to whoever has the models. */
static struct {
	struct udma_region recent[RECENT_REGIONS];
	unsigned oldest;
	uint64_t epoch;
} g_memory;

static const struct udma_region *
find_region(uint64_t iova)
{
	uint64_t epoch = __atomic_load_n(&udma_translation_epoch, __ATOMIC_ACQUIRE);
	struct udma_region *oldest = &g_memory.recent[g_memory.oldest];
	struct udma_region found;

	if (epoch != g_memory.epoch) {
		memset(g_memory.recent, 0, sizeof(g_memory.recent));
		g_memory.epoch = epoch;
	}
	for (unsigned i = 0; i < RECENT_REGIONS; i++) {
		if (iova - g_memory.recent[i].iova < g_memory.recent[i].len) {
			return &g_memory.recent[i];
		}
	}
	if (!udma_region_find(iova, &found)) {
		return NULL;
	}
	*oldest = found;
	g_memory.oldest = (g_memory.oldest + 1) % RECENT_REGIONS;
	return oldest;
}

void *
udma_emulated_grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	const struct udma_region *region = find_region(iova);
	uint64_t into;

	(void)ctx;
	if (region == NULL || (write && !region->writable)) {
		return NULL;
	}
	into = iova - region->iova;
	*len = spdk_min(*len, region->len - into);
	return (void *)(uintptr_t)(region->vaddr + into);
}

void
udma_emulated_forget_memory(void)
{
	memset(g_memory.recent, 0, sizeof(g_memory.recent));
}
