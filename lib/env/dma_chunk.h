/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Chunks of memory for the DMA heap: mapped, shared and registered.
 */

#ifndef UDMA_ENV_DMA_CHUNK_H
#define UDMA_ENV_DMA_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spdk/queue.h"

/** The hugepages of chunks, whatever size the kernel's default is; 'udma setup' makes these. */
#define UDMA_HUGE_SHIFT  21
#define UDMA_HUGE_FOLDER "hugepages-2048kB" /* their name in sysfs */
/** How to come by some, for a message. */
#define UDMA_HUGE_WAY                                                                              \
	"('udma setup', or write how many to /sys/kernel/mm/hugepages/" UDMA_HUGE_FOLDER           \
	"/nr_hugepages)"

/** Chunks are multiples of this, and aligned to it, so that hugepages fit. */
#define UDMA_DMA_CHUNK_ALIGN ((size_t)1 << UDMA_HUGE_SHIFT)

struct udma_heap_chunk;

struct udma_dma_chunk {
	void *base;
	size_t len;
	int fd;
	struct udma_heap_chunk *heap_chunk; /* once it is in a heap */
	TAILQ_ENTRY(udma_dma_chunk) link;
};

/** What a chunk is to be like. */
struct udma_dma_chunk_spec {
	size_t len;
	size_t align;
	uint64_t hint;  /* where it would best be */
	bool huge;      /* of hugepages */
	int numa_id;    /* SPDK_ENV_NUMA_ID_ANY for any */
	bool numa_only; /* not from another node */
	bool refused; /* out: there was memory, but registering it failed, which has been logged */
};

/** Whether the kernel has a hugepage for a chunk now, which is tried out. */
bool udma_dma_chunk_huge_is_possible(void);
/** \return 0; a negative errno. */
int udma_dma_chunk_create(struct udma_dma_chunk_spec *spec, struct udma_dma_chunk **chunk);
/** Unmaps and frees a chunk that has been unregistered. */
void udma_dma_chunk_unmap(struct udma_dma_chunk *chunk);

#endif
