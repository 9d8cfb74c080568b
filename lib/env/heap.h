/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A heap over chunks of memory that it is given: a two-level segregated fit allocator (M. Masmano,
 * I. Ripoll, A. Crespo, J. Real, "TLSF: a new dynamic memory allocator for real-time systems",
 * ECRTS 2004). Allocation and freeing take bounded time.
 *
 * What it knows of the blocks it keeps elsewhere, not before each block as TLSF has it. Devices
 * write to this memory: what they write in a wrong place must not lead the allocator astray. And a
 * block then is exactly as large as asked for, so that 2 MiB fit in a hugepage.
 *
 * The caller brings the lock, and knows which chunk an address is in.
 */

#ifndef UDMA_ENV_HEAP_H
#define UDMA_ENV_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spdk/queue.h"

/** Blocks begin at multiples of this, and have multiples of it: a cache line, as a descriptor
 * needs. */
#define UDMA_HEAP_GRANULE 64

/* Sizes are in granules. Those of a power of two and up to the next one share a first level, in
 * which they are told apart by five bits more. The lowest first level is 0 to 31, one by one. */
#define UDMA_HEAP_SECOND_BITS   5
#define UDMA_HEAP_SECOND_LEVELS (1u << UDMA_HEAP_SECOND_BITS)
#define UDMA_HEAP_FIRST_LEVELS  48

struct udma_heap_block;
LIST_HEAD(udma_heap_list, udma_heap_block);

/** A chunk of memory and the blocks in it. */
struct udma_heap_chunk {
	struct udma_heap *heap;
	uintptr_t base;
	size_t len;
	size_t used; /* bytes in blocks that are allocated */
	size_t allocations;
	struct udma_heap_block *first; /* the lowest */
	LIST_ENTRY(udma_heap_chunk) link;
	struct udma_heap_block *allocated[]; /* by the granule an allocation begins at */
};

struct udma_heap {
	uint64_t first_map; /* first levels in which there is a free block */
	uint32_t second_map[UDMA_HEAP_FIRST_LEVELS];
	struct udma_heap_list free[UDMA_HEAP_FIRST_LEVELS][UDMA_HEAP_SECOND_LEVELS];
	LIST_HEAD(, udma_heap_chunk) chunks;
};

void udma_heap_init(struct udma_heap *heap);

/**
 * Adds memory. It stays the caller's, and is not touched.
 *
 * \param base, len multiples of UDMA_HEAP_GRANULE.
 * \return the chunk; NULL if there is no memory to remember it with.
 */
struct udma_heap_chunk *udma_heap_add(struct udma_heap *heap, void *base, size_t len);
/** Takes a chunk away, with all that is allocated in it. */
void udma_heap_remove(struct udma_heap_chunk *chunk);

/** Keeps a wholly free chunk from being allocated from. */
void udma_heap_withdraw(struct udma_heap_chunk *chunk);
/** Undoes udma_heap_withdraw(). */
void udma_heap_offer(struct udma_heap_chunk *chunk);

/**
 * How long a chunk has to be for an allocation to be sure to succeed from it.
 *
 * \param base_align what the chunk's base will be aligned to.
 * \return the length; 0 if it is too much for any chunk.
 */
size_t udma_heap_chunk_len(size_t size, size_t align, size_t base_align);

/** \param align a power of two. \return NULL if there is no fitting block. */
void *udma_heap_alloc(struct udma_heap *heap, size_t size, size_t align);
/** \return 0; -EINVAL if nothing is allocated that begins there. */
int udma_heap_free(struct udma_heap_chunk *chunk, void *ptr);
/** Changes the size where it is. \return whether that was possible. */
bool udma_heap_resize(struct udma_heap_chunk *chunk, void *ptr, size_t size);
/** \return the size that was asked for; 0 if nothing is allocated that begins there. */
size_t udma_heap_size(const struct udma_heap_chunk *chunk, const void *ptr);

/** Checks everything against everything. \return whether it is consistent. For tests. */
bool udma_heap_check(const struct udma_heap *heap);

#endif
