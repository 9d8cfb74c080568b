/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/util.h"
#include "heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size)   ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

/** A stretch of a chunk, free or allocated. No two neighbours are both free. */
struct udma_heap_block {
	struct udma_heap_chunk *chunk;
	struct udma_heap_block *previous, *next; /* neighbours in the chunk */
	LIST_ENTRY(udma_heap_block) link;        /* in the heap's list of its size, if free */
	uintptr_t start;
	size_t granules;
	size_t size; /* in bytes, as asked for; 0 if free */
};

/* ---- Size classes ----------------------------------------------------------------------- */

struct size_class {
	unsigned first, second;
};

/** The class that a free block of this size is listed in. */
static struct size_class
class_of(size_t granules)
{
	unsigned log2 = (unsigned)spdk_u64log2(granules);

	if (log2 < UDMA_HEAP_SECOND_BITS) {
		return (struct size_class){0, (unsigned)granules};
	}
	return (struct size_class){log2 - UDMA_HEAP_SECOND_BITS + 1,
				   (granules >> (log2 - UDMA_HEAP_SECOND_BITS)) &
					   (UDMA_HEAP_SECOND_LEVELS - 1)};
}

/** Rounds up to the lowest size of a class, so that each block of that class or above will do. */
static size_t
round_to_class(size_t granules)
{
	unsigned log2 = (unsigned)spdk_u64log2(granules);
	size_t step =
		log2 < UDMA_HEAP_SECOND_BITS ? 1 : (size_t)1 << (log2 - UDMA_HEAP_SECOND_BITS);

	return SPDK_ALIGN_CEIL(granules, step);
}

/** Finds the lowest class with a free block, from `class` on. \return whether there is one. */
static bool
next_class(const struct udma_heap *heap, struct size_class *class)
{
	uint32_t second;
	uint64_t first;

	if (class->first >= UDMA_HEAP_FIRST_LEVELS) {
		return false;
	}
	second = class->second < UDMA_HEAP_SECOND_LEVELS
			 ? heap->second_map[class->first] & (UINT32_MAX << class->second)
			 : 0;
	if (second == 0) {
		first = heap->first_map & (UINT64_MAX << 1 << class->first);
		if (first == 0) {
			return false;
		}
		class->first = (unsigned)__builtin_ctzll(first);
		second = heap->second_map[class->first];
	}
	class->second = (unsigned)__builtin_ctz(second);
	return true;
}

/* ---- Blocks ----------------------------------------------------------------------------- */

static void
list_free(struct udma_heap *heap, struct udma_heap_block *block)
{
	struct size_class class = class_of(block->granules);

	LIST_INSERT_HEAD(&heap->free[class.first][class.second], block, link);
	heap->second_map[class.first] |= 1u << class.second;
	heap->first_map |= 1ULL << class.first;
}

static void
unlist_free(struct udma_heap *heap, struct udma_heap_block *block)
{
	struct size_class class = class_of(block->granules);

	LIST_REMOVE(block, link);
	if (LIST_EMPTY(&heap->free[class.first][class.second])) {
		heap->second_map[class.first] &= ~(1u << class.second);
		if (heap->second_map[class.first] == 0) {
			heap->first_map &= ~(1ULL << class.first);
		}
	}
}

static struct udma_heap_block **
allocated_slot(struct udma_heap_chunk *chunk, uintptr_t start)
{
	return &chunk->allocated[(start - chunk->base) / UDMA_HEAP_GRANULE];
}

/** Splits a block that is not listed. `rest` becomes its upper part, unlisted and free. */
static void
split(struct udma_heap_block *block, size_t granules, struct udma_heap_block *rest)
{
	*rest = (struct udma_heap_block){
		.chunk = block->chunk,
		.previous = block,
		.next = block->next,
		.start = block->start + granules * UDMA_HEAP_GRANULE,
		.granules = block->granules - granules,
	};
	if (rest->next != NULL) {
		rest->next->previous = rest;
	}
	block->next = rest;
	block->granules = granules;
}

/** Adds the block above to a block; neither is listed. */
static void
join(struct udma_heap_block *block)
{
	struct udma_heap_block *above = block->next;

	block->granules += above->granules;
	block->next = above->next;
	if (block->next != NULL) {
		block->next->previous = block;
	}
	free(above);
}

/** Joins a free, unlisted block with free neighbours, and lists it. */
static void
coalesce(struct udma_heap *heap, struct udma_heap_block *block)
{
	if (block->next != NULL && block->next->size == 0) {
		unlist_free(heap, block->next);
		join(block);
	}
	if (block->previous != NULL && block->previous->size == 0) {
		block = block->previous;
		unlist_free(heap, block);
		join(block);
	}
	list_free(heap, block);
}

/* ---- Chunks ----------------------------------------------------------------------------- */

void
udma_heap_init(struct udma_heap *heap)
{
	memset(heap, 0, sizeof(*heap));
}

struct udma_heap_chunk *
udma_heap_add(struct udma_heap *heap, void *base, size_t len)
{
	size_t granules = len / UDMA_HEAP_GRANULE;
	struct udma_heap_block *block = calloc(1, sizeof(*block));
	/* One pointer a granule, of which those pages are touched in which allocations begin. */
	struct udma_heap_chunk *chunk = calloc(1, sizeof(*chunk) + granules * sizeof(block));

	if (block == NULL || chunk == NULL) {
		free(block);
		free(chunk);
		return NULL;
	}
	chunk->heap = heap;
	chunk->base = (uintptr_t)base;
	chunk->len = len;
	chunk->first = block;
	LIST_INSERT_HEAD(&heap->chunks, chunk, link);
	block->chunk = chunk;
	block->start = chunk->base;
	block->granules = granules;
	list_free(heap, block);
	ASAN_POISON_MEMORY_REGION(base, len);
	return chunk;
}

void
udma_heap_remove(struct udma_heap_chunk *chunk)
{
	struct udma_heap_block *block, *next;

	for (block = chunk->first; block != NULL; block = next) {
		next = block->next;
		if (block->size == 0 && block->link.le_prev != NULL) {
			unlist_free(chunk->heap, block);
		}
		free(block);
	}
	ASAN_UNPOISON_MEMORY_REGION((void *)chunk->base, chunk->len);
	LIST_REMOVE(chunk, link);
	free(chunk);
}

void
udma_heap_withdraw(struct udma_heap_chunk *chunk)
{
	unlist_free(chunk->heap, chunk->first);
	chunk->first->link.le_prev = NULL;
}

void
udma_heap_offer(struct udma_heap_chunk *chunk)
{
	list_free(chunk->heap, chunk->first);
}

size_t
udma_heap_chunk_len(size_t size, size_t align, size_t base_align)
{
	size_t limit = (size_t)UDMA_HEAP_GRANULE << (UDMA_HEAP_FIRST_LEVELS - 2);

	if (size > limit || align > limit) {
		return 0;
	}
	if (align > base_align) {
		size += align - base_align;
	}
	return round_to_class(SPDK_CEIL_DIV(size, UDMA_HEAP_GRANULE)) * UDMA_HEAP_GRANULE;
}

/* ---- Allocation ------------------------------------------------------------------------- */

/** How many granules to skip in a block to be aligned. \return SIZE_MAX if the rest is too small.
 */
static size_t
skip_to_fit(const struct udma_heap_block *block, size_t granules, size_t align)
{
	size_t skip = (SPDK_ALIGN_CEIL(block->start, align) - block->start) / UDMA_HEAP_GRANULE;

	return skip <= block->granules && block->granules - skip >= granules ? skip : SIZE_MAX;
}

/** Finds a free block that has room for an allocation, however it has to be aligned. */
static struct udma_heap_block *
find(const struct udma_heap *heap, size_t granules, size_t align)
{
	size_t worst = granules + align / UDMA_HEAP_GRANULE - 1;
	struct size_class class = class_of(round_to_class(worst));

	if (next_class(heap, &class)) {
		return LIST_FIRST(&heap->free[class.first][class.second]);
	}
	/* No block is large enough for any alignment; the first of a class may be aligned luckily,
	 * as that of a new chunk is. */
	class = class_of(granules);
	while (next_class(heap, &class)) {
		struct udma_heap_block *block = LIST_FIRST(&heap->free[class.first][class.second]);

		if (skip_to_fit(block, granules, align) != SIZE_MAX) {
			return block;
		}
		class.second++;
	}
	return NULL;
}

/** Cuts [skip, skip + granules) out of a listed free block, and lists what is left of it. */
static struct udma_heap_block *
cut_out(struct udma_heap *heap, struct udma_heap_block *block, size_t skip, size_t granules)
{
	struct udma_heap_block *tail = NULL, *middle = NULL;

	if (skip > 0 && (middle = malloc(sizeof(*middle))) == NULL) {
		return NULL;
	}
	if (block->granules - skip > granules && (tail = malloc(sizeof(*tail))) == NULL) {
		free(middle);
		return NULL;
	}
	unlist_free(heap, block);
	if (middle != NULL) {
		split(block, skip, middle);
		list_free(heap, block);
		block = middle;
	}
	if (tail != NULL) {
		split(block, granules, tail);
		list_free(heap, tail);
	}
	return block;
}

void *
udma_heap_alloc(struct udma_heap *heap, size_t size, size_t align)
{
	size_t granules = size / UDMA_HEAP_GRANULE + (size % UDMA_HEAP_GRANULE != 0);
	struct udma_heap_block *block;
	struct udma_heap_chunk *chunk;

	align = spdk_max(align, (size_t)UDMA_HEAP_GRANULE);
	if (size == 0 || udma_heap_chunk_len(size, align, UDMA_HEAP_GRANULE) == 0) {
		return NULL;
	}
	block = find(heap, granules, align);
	if (block == NULL) {
		return NULL;
	}
	block = cut_out(heap, block, skip_to_fit(block, granules, align), granules);
	if (block == NULL) {
		return NULL;
	}
	chunk = block->chunk;
	block->size = size;
	*allocated_slot(chunk, block->start) = block;
	chunk->used += granules * UDMA_HEAP_GRANULE;
	chunk->allocations++;
	ASAN_UNPOISON_MEMORY_REGION((void *)block->start, size);
	return (void *)block->start;
}

static struct udma_heap_block *
find_allocated(const struct udma_heap_chunk *chunk, const void *ptr)
{
	uintptr_t into = (uintptr_t)ptr - chunk->base;

	if (into >= chunk->len || into % UDMA_HEAP_GRANULE != 0) {
		return NULL;
	}
	return chunk->allocated[into / UDMA_HEAP_GRANULE];
}

int
udma_heap_free(struct udma_heap_chunk *chunk, void *ptr)
{
	struct udma_heap_block *block = find_allocated(chunk, ptr);

	if (block == NULL) {
		return -EINVAL;
	}
	*allocated_slot(chunk, block->start) = NULL;
	chunk->used -= block->granules * UDMA_HEAP_GRANULE;
	chunk->allocations--;
	block->size = 0;
	ASAN_POISON_MEMORY_REGION(ptr, block->granules * UDMA_HEAP_GRANULE);
	coalesce(chunk->heap, block);
	return 0;
}

bool
udma_heap_resize(struct udma_heap_chunk *chunk, void *ptr, size_t size)
{
	size_t granules = size / UDMA_HEAP_GRANULE + (size % UDMA_HEAP_GRANULE != 0);
	struct udma_heap_block *block = find_allocated(chunk, ptr), *above, *rest = NULL;
	size_t room;

	if (block == NULL || size == 0) {
		return false;
	}
	above = block->next != NULL && block->next->size == 0 ? block->next : NULL;
	room = block->granules + (above != NULL ? above->granules : 0);
	if (granules > room) {
		return false;
	}
	if (granules != block->granules) {
		if (granules < room && (rest = malloc(sizeof(*rest))) == NULL) {
			return false;
		}
		chunk->used += (granules - block->granules) * UDMA_HEAP_GRANULE;
		if (above != NULL) {
			unlist_free(chunk->heap, above);
			join(block);
		}
		if (rest != NULL) {
			split(block, granules, rest);
			list_free(chunk->heap, rest);
		}
	}
	block->size = size;
	ASAN_POISON_MEMORY_REGION(ptr, room * UDMA_HEAP_GRANULE);
	ASAN_UNPOISON_MEMORY_REGION(ptr, size);
	return true;
}

size_t
udma_heap_size(const struct udma_heap_chunk *chunk, const void *ptr)
{
	const struct udma_heap_block *block = find_allocated(chunk, ptr);

	return block != NULL ? block->size : 0;
}

/* ---- For tests -------------------------------------------------------------------------- */

static bool
is_listed(const struct udma_heap *heap, const struct udma_heap_block *block)
{
	struct size_class class = class_of(block->granules);
	const struct udma_heap_block *listed;

	LIST_FOREACH (listed, &heap->free[class.first][class.second], link) {
		if (listed == block) {
			return true;
		}
	}
	return false;
}

static bool
check_chunk(const struct udma_heap_chunk *chunk, size_t *free_blocks)
{
	const struct udma_heap_block *block, *previous = NULL;
	size_t used = 0, allocations = 0, slots = 0;
	uintptr_t at = chunk->base;

	for (block = chunk->first; block != NULL; previous = block, block = block->next) {
		if (block->chunk != chunk || block->start != at || block->granules == 0 ||
		    block->previous != previous) {
			return false;
		}
		if (block->size == 0) {
			if ((previous != NULL && previous->size == 0) ||
			    !is_listed(chunk->heap, block)) {
				return false;
			}
			++*free_blocks;
		} else {
			if (find_allocated(chunk, (void *)block->start) != block ||
			    SPDK_CEIL_DIV(block->size, UDMA_HEAP_GRANULE) != block->granules) {
				return false;
			}
			used += block->granules * UDMA_HEAP_GRANULE;
			allocations++;
		}
		at += block->granules * UDMA_HEAP_GRANULE;
	}
	for (size_t i = 0; i < chunk->len / UDMA_HEAP_GRANULE; i++) {
		slots += chunk->allocated[i] != NULL;
	}
	return at == chunk->base + chunk->len && used == chunk->used &&
	       allocations == chunk->allocations && slots == allocations;
}

bool
udma_heap_check(const struct udma_heap *heap)
{
	const struct udma_heap_chunk *chunk;
	const struct udma_heap_block *block;
	size_t free_blocks = 0, listed = 0;

	LIST_FOREACH (chunk, &heap->chunks, link) {
		if (chunk->heap != heap || !check_chunk(chunk, &free_blocks)) {
			return false;
		}
	}
	for (unsigned first = 0; first < UDMA_HEAP_FIRST_LEVELS; first++) {
		if (((heap->first_map >> first) & 1) != (heap->second_map[first] != 0)) {
			return false;
		}
		for (unsigned second = 0; second < UDMA_HEAP_SECOND_LEVELS; second++) {
			const struct udma_heap_list *list = &heap->free[first][second];

			if (((heap->second_map[first] >> second) & 1) == LIST_EMPTY(list)) {
				return false;
			}
			LIST_FOREACH (block, list, link) {
				listed++;
			}
		}
	}
	return listed == free_blocks;
}
