/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * spdk_malloc() and its family: heaps whose chunks are made when they are needed.
 *
 * The lock is never held while a chunk is registered or unregistered: whoever is told of that may
 * allocate what the chunks there are have room for, and free. It gets no new chunk, because that
 * would have to be registered (-EDEADLK).
 */

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "dma_chunk.h"
#include "heap.h"
#include "iova.h"
#include "memory_internal.h"
#include "range_map.h"
#include "registry.h"
#include "sysfs.h"

/* Nodes above are as good as any other. */
#define MAX_NUMA_NODES 64

/* Hugepages of 1 GiB are the coarsest that anything wants alignment for. */
#define MAX_CHUNK_ALIGN ((size_t)1 << 30)

SPDK_LOG_REGISTER_COMPONENT(udma_memory);

static struct {
	pthread_mutex_t lock;
	bool started;
	bool huge;
	bool enforce_numa;
	uint64_t numa_nodes; /* those there are */
	size_t limit;        /* mem_size, or all the memory of the machine */
	size_t total;        /* in all chunks, and in those about to be made */
	uint64_t next_base;
	struct udma_range_map chunk_map; /* address to chunk */
	TAILQ_HEAD(, udma_dma_chunk) chunks;
	struct udma_dma_chunk *spare; /* kept although it was wholly free; it may not be any more */
	struct udma_heap *heaps[1 + MAX_NUMA_NODES]; /* any node, node 0, node 1 … */
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct udma_dma_chunk *
chunk_of(const void *ptr)
{
	struct udma_range range;

	return udma_range_map_lookup(&memory.chunk_map, (uintptr_t)ptr, &range)
		       ? (struct udma_dma_chunk *)(uintptr_t)range.value
		       : NULL;
}

/* ---- Shrinking -------------------------------------------------------------------------- */

/** Gives a wholly free chunk up; locked, but not all the time. \return whether it is gone. */
static bool
give_up(struct udma_dma_chunk *chunk)
{
	int rc;

	udma_heap_withdraw(chunk->heap_chunk);
	TAILQ_REMOVE(&memory.chunks, chunk, link);
	pthread_mutex_unlock(&memory.lock);
	rc = udma_registry_remove_chunk(chunk->base, chunk->len);
	pthread_mutex_lock(&memory.lock);
	if (rc != 0) {
		/* Something may still write there; so it stays, and is used again. */
		TAILQ_INSERT_TAIL(&memory.chunks, chunk, link);
		udma_heap_offer(chunk->heap_chunk);
		return false;
	}
	udma_range_map_clear(&memory.chunk_map, (uintptr_t)chunk->base, chunk->len);
	udma_heap_remove(chunk->heap_chunk);
	memory.total -= chunk->len;
	udma_dma_chunk_unmap(chunk);
	return true;
}

/** Gives up the chunk that was kept. \return whether there was one, and it is gone. */
static bool
give_up_spare(void)
{
	struct udma_dma_chunk *spare = memory.spare;

	memory.spare = NULL;
	return spare != NULL && spare->heap_chunk->used == 0 && give_up(spare);
}

/** Gives a wholly free chunk up, or keeps it if there is no smaller one. */
static void
shrink(struct udma_dma_chunk *chunk)
{
	struct udma_dma_chunk *other = memory.spare;

	if (other == NULL || other == chunk || other->heap_chunk->used != 0) {
		memory.spare = chunk;
		return;
	}
	if (other->len > chunk->len) {
		memory.spare = chunk;
		chunk = other;
	}
	give_up(chunk);
}

/* ---- Growing ---------------------------------------------------------------------------- */

/** Sets bytes aside from the limit. \return the length a chunk may have; 0 if `need` is too much.
 */
static size_t
charge(size_t need)
{
	/* Chunks grow with what there is, so that there are never very many of them. */
	size_t len = spdk_max(need, SPDK_ALIGN_FLOOR(memory.total / 8, UDMA_DMA_CHUNK_ALIGN));

	if (need > memory.limit - memory.total) {
		return 0;
	}
	len = spdk_min(len, SPDK_ALIGN_FLOOR(memory.limit - memory.total, UDMA_DMA_CHUNK_ALIGN));
	memory.total += len;
	return len;
}

/** Makes a chunk, of hugepages if possible, and as long as is reasonable or at least needed. */
static int
make_chunk(struct udma_dma_chunk_spec *spec, size_t need, struct udma_dma_chunk **chunk)
{
	/* Ordinary pages have no physical address that lasts. */
	int least = memory.huge && udma_iova_kind() == UDMA_IOVA_PA;
	size_t wanted = spec->len;
	int rc = -ENOMEM;

	for (int huge = memory.huge; huge >= least; huge--) {
		spec->huge = huge;
		spec->len = wanted;
		rc = udma_dma_chunk_create(spec, chunk);
		if (rc != 0 && (rc == -ENOMEM || !spec->refused) && wanted > need) {
			spec->len = need;
			rc = udma_dma_chunk_create(spec, chunk);
		}
		if (rc == 0 || spec->refused) { /* other pages would be refused as well */
			break;
		}
	}
	return rc;
}

/** Puts a new chunk where it is found again; locked. */
static int
enter(struct udma_heap *heap, struct udma_dma_chunk *chunk)
{
	if (udma_range_map_set(&memory.chunk_map, (uintptr_t)chunk->base, chunk->len,
			       (uintptr_t)chunk) != 0) {
		return -ENOMEM;
	}
	chunk->heap_chunk = udma_heap_add(heap, chunk->base, chunk->len);
	if (chunk->heap_chunk == NULL) {
		udma_range_map_clear(&memory.chunk_map, (uintptr_t)chunk->base, chunk->len);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&memory.chunks, chunk, link);
	memory.next_base = (uintptr_t)chunk->base + chunk->len;
	return 0;
}

static const char *
way_out(int rc)
{
	switch (rc) {
	case -EMFILE:
		return "close files, or raise 'ulimit -n'";
	case -ENFILE:
		return "close files, or raise fs.file-max";
	case -EFBIG:
		return "raise 'ulimit -f'";
	case -ENOMEM:
	case -ENOSPC:
		return udma_iova_kind() == UDMA_IOVA_PA
			       ? "devices see physical addresses, which takes hugepages: provide "
				 "more " UDMA_HUGE_WAY
			       : "free some, or provide more hugepages";
	case -EAGAIN:
		return "other threads took each room for it; try again";
	default:
		return "the program must be allowed memfd_create(), mmap() and mbind()";
	}
}

/**
 * Adds a chunk from which an allocation succeeds; locked, but not all the time.
 *
 * \param refused set if that has been logged.
 * \return 0; -EDQUOT if the limit does not allow it; another negative errno.
 */
static int
grow(unsigned heap_index, size_t size, size_t align, bool *refused)
{
	size_t base_align = spdk_max(spdk_min(align, MAX_CHUNK_ALIGN), UDMA_DMA_CHUNK_ALIGN);
	size_t need =
		SPDK_ALIGN_CEIL(udma_heap_chunk_len(size, align, base_align), UDMA_DMA_CHUNK_ALIGN);
	struct udma_dma_chunk_spec spec = {
		.len = need != 0 ? charge(need) : 0,
		.align = base_align,
		.hint = memory.next_base,
		.numa_id = (int)heap_index - 1,
		.numa_only = memory.enforce_numa,
	};
	size_t charged = spec.len;
	struct udma_dma_chunk *chunk;
	int rc;

	if (charged == 0) {
		return -EDQUOT;
	}
	pthread_mutex_unlock(&memory.lock);
	rc = make_chunk(&spec, need, &chunk);
	pthread_mutex_lock(&memory.lock);

	*refused = spec.refused;
	memory.total -= charged - (rc == 0 ? spec.len : 0);
	if (rc == 0 && enter(memory.heaps[heap_index], chunk) != 0) {
		memory.total -= chunk->len;
		pthread_mutex_unlock(&memory.lock);
		if (udma_registry_remove_chunk(chunk->base, chunk->len) == 0) {
			udma_dma_chunk_unmap(chunk);
		}
		pthread_mutex_lock(&memory.lock);
		rc = -ENOMEM;
	}
	return rc;
}

/** Allocates from a chunk that it adds; locked, but not all the time. \return NULL, logged. */
static void *
grow_and_alloc(unsigned heap_index, size_t size, size_t align)
{
	bool refused = false;
	int rc = grow(heap_index, size, align, &refused);

	if ((rc == -EDQUOT || rc == -ENOMEM) && give_up_spare()) {
		rc = grow(heap_index, size, align, &refused);
	}
	if (rc == 0) {
		return udma_heap_alloc(memory.heaps[heap_index], size, align);
	}
	if (rc == -EDQUOT) {
		SPDK_ERRLOG("no room for %zu bytes of DMA memory: %zu MiB are taken of the %zu MiB "
			    "that mem_size and the machine allow; free some, or raise mem_size\n",
			    size, memory.total >> 20, memory.limit >> 20);
	} else if (!refused) {
		SPDK_ERRLOG("no DMA memory for %zu bytes: %s; %s\n", size, strerror(-rc),
			    way_out(rc));
	}
	return NULL;
}

/* ---- Allocating ------------------------------------------------------------------------- */

/** Which heap serves a node. \return -1 if there is no such node and it must be that one. */
static int
heap_for(int numa_id)
{
	bool exists = numa_id >= 0 && numa_id < MAX_NUMA_NODES &&
		      ((memory.numa_nodes >> numa_id) & 1) != 0;

	if (exists) {
		/* On a machine with one node, every heap would be that node's. */
		return (memory.numa_nodes & (memory.numa_nodes - 1)) == 0 ? 0 : numa_id + 1;
	}
	return numa_id != SPDK_ENV_NUMA_ID_ANY && memory.enforce_numa ? -1 : 0;
}

static struct udma_heap *
get_heap(int heap_index)
{
	if (heap_index < 0) {
		return NULL;
	}
	if (memory.heaps[heap_index] == NULL) {
		memory.heaps[heap_index] = malloc(sizeof(struct udma_heap));
		if (memory.heaps[heap_index] != NULL) {
			udma_heap_init(memory.heaps[heap_index]);
		}
	}
	return memory.heaps[heap_index];
}

/** Allocates from a heap. \return NULL, logged. */
static void *
allocate(int heap_index, size_t size, size_t align)
{
	struct udma_heap *heap;
	void *ptr = NULL;

	pthread_mutex_lock(&memory.lock);
	if (!memory.started) {
		SPDK_ERRLOG("there is no DMA memory before spdk_env_init()\n");
	} else {
		heap = get_heap(heap_index);
		if (heap == NULL) {
			SPDK_ERRLOG("no DMA memory: the NUMA node does not exist, and enforce_numa "
				    "is set\n");
		} else {
			ptr = udma_heap_alloc(heap, size, align);
			if (ptr == NULL) {
				ptr = grow_and_alloc((unsigned)heap_index, size, align);
			}
		}
	}
	pthread_mutex_unlock(&memory.lock);
	return ptr;
}

void *
spdk_malloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags)
{
	if (size == 0) {
		return NULL;
	}
	if (unused != NULL || flags == 0 || (align & (align - 1)) != 0) {
		SPDK_ERRLOG("DMA memory is allocated with a flag (SPDK_MALLOC_DMA), an alignment "
			    "that is a power of two, and no place for a physical address\n");
		return NULL;
	}
	return allocate(heap_for(numa_id), size, spdk_max(align, (size_t)UDMA_HEAP_GRANULE));
}

void *
spdk_zmalloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags)
{
	void *buf = spdk_malloc(size, align, unused, numa_id, flags);

	return buf != NULL ? memset(buf, 0, size) : NULL;
}

void
spdk_free(void *buf)
{
	struct udma_dma_chunk *chunk;

	if (buf == NULL) {
		return;
	}
	pthread_mutex_lock(&memory.lock);
	chunk = chunk_of(buf);
	if (chunk == NULL || udma_heap_free(chunk->heap_chunk, buf) != 0) {
		SPDK_ERRLOG("%p was not allocated as DMA memory, or has been freed already\n", buf);
	} else if (chunk->heap_chunk->used == 0) {
		shrink(chunk);
	}
	pthread_mutex_unlock(&memory.lock);
}

void *
spdk_realloc(void *buf, size_t size, size_t align)
{
	struct udma_dma_chunk *chunk;
	size_t old_size = 0;
	int heap_index = 0;
	void *moved;

	if (buf == NULL) {
		return spdk_dma_malloc(size, align, NULL);
	}
	if (size == 0) {
		spdk_free(buf);
		return NULL;
	}
	if ((align & (align - 1)) != 0) {
		SPDK_ERRLOG("an alignment of %zu is not a power of two\n", align);
		return NULL;
	}
	align = spdk_max(align, (size_t)UDMA_HEAP_GRANULE);

	pthread_mutex_lock(&memory.lock);
	chunk = chunk_of(buf);
	if (chunk != NULL) {
		old_size = udma_heap_size(chunk->heap_chunk, buf);
		while (memory.heaps[heap_index] != chunk->heap_chunk->heap) {
			heap_index++;
		}
	}
	if (old_size != 0 && ((uintptr_t)buf & (align - 1)) == 0 &&
	    udma_heap_resize(chunk->heap_chunk, buf, size)) {
		pthread_mutex_unlock(&memory.lock);
		return buf;
	}
	pthread_mutex_unlock(&memory.lock);
	if (old_size == 0) {
		SPDK_ERRLOG("%p was not allocated as DMA memory, or has been freed already\n", buf);
		return NULL;
	}
	moved = allocate(heap_index, size, align);
	if (moved != NULL) {
		memcpy(moved, buf, spdk_min(old_size, size));
		spdk_free(buf);
	}
	return moved;
}

void *
spdk_dma_malloc_socket(size_t size, size_t align, uint64_t *unused, int numa_id)
{
	return spdk_malloc(size, align, unused, numa_id, SPDK_MALLOC_DMA);
}

void *
spdk_dma_malloc(size_t size, size_t align, uint64_t *unused)
{
	return spdk_dma_malloc_socket(size, align, unused, SPDK_ENV_NUMA_ID_ANY);
}

void *
spdk_dma_zmalloc_socket(size_t size, size_t align, uint64_t *unused, int numa_id)
{
	return spdk_zmalloc(size, align, unused, numa_id, SPDK_MALLOC_DMA);
}

void *
spdk_dma_zmalloc(size_t size, size_t align, uint64_t *unused)
{
	return spdk_dma_zmalloc_socket(size, align, unused, SPDK_ENV_NUMA_ID_ANY);
}

void *
spdk_dma_realloc(void *buf, size_t size, size_t align, uint64_t *unused)
{
	return unused == NULL ? spdk_realloc(buf, size, align) : NULL;
}

void
spdk_dma_free(void *buf)
{
	spdk_free(buf);
}

int
spdk_mem_get_fd_and_offset(void *vaddr, uint64_t *offset)
{
	struct udma_dma_chunk *chunk;
	int fd = -EINVAL;

	pthread_mutex_lock(&memory.lock);
	chunk = chunk_of(vaddr);
	if (chunk != NULL) {
		*offset = (uintptr_t)vaddr - (uintptr_t)chunk->base;
		fd = chunk->fd;
	}
	pthread_mutex_unlock(&memory.lock);
	return fd;
}

/* ---- Start and end ---------------------------------------------------------------------- */

static uint64_t
find_numa_nodes(void)
{
	char path[PATH_MAX];
	uint64_t nodes = 0;

	for (int node = 0; node < MAX_NUMA_NODES; node++) {
		if (udma_sysfs_path(path, sizeof(path), "devices/system/node/node%d", node) == 0 &&
		    access(path, F_OK) == 0) {
			nodes |= 1ULL << node;
		}
	}
	return nodes != 0 ? nodes : 1; /* a kernel without NUMA */
}

void
udma_dma_memory_init(const struct spdk_env_opts *opts)
{
	pthread_mutex_lock(&memory.lock);
	TAILQ_INIT(&memory.chunks);
	memory.huge = !opts->no_huge;
	memory.enforce_numa = opts->enforce_numa;
	memory.numa_nodes = find_numa_nodes();
	memory.limit = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)getpagesize();
	if (opts->mem_size > 0) {
		memory.limit = spdk_min(memory.limit, SPDK_ALIGN_CEIL((size_t)opts->mem_size << 20,
								      UDMA_DMA_CHUNK_ALIGN));
	}
	memory.next_base = opts->base_virtaddr;
	memory.started = true;
	pthread_mutex_unlock(&memory.lock);
}

void
udma_dma_memory_fini(void)
{
	struct udma_dma_chunk *chunk;
	size_t allocations = 0, bytes = 0;

	pthread_mutex_lock(&memory.lock);
	if (!memory.started) {
		pthread_mutex_unlock(&memory.lock);
		return;
	}
	memory.started = false;
	memory.spare = NULL;
	memory.total = 0;
	while ((chunk = TAILQ_FIRST(&memory.chunks)) != NULL) {
		TAILQ_REMOVE(&memory.chunks, chunk, link);
		allocations += chunk->heap_chunk->allocations;
		bytes += chunk->heap_chunk->used;
		udma_heap_remove(chunk->heap_chunk);
		pthread_mutex_unlock(&memory.lock);
		if (udma_registry_remove_chunk(chunk->base, chunk->len) == 0) {
			udma_dma_chunk_unmap(chunk);
		} else {
			/* Better lost than written to after it has become something else. */
			SPDK_ERRLOG(
				"%zu bytes of DMA memory at %p are left mapped: an engine may be "
				"writing to them\n",
				chunk->len, chunk->base);
			free(chunk);
		}
		pthread_mutex_lock(&memory.lock);
	}
	udma_range_map_destroy(&memory.chunk_map);
	for (size_t i = 0; i < SPDK_COUNTOF(memory.heaps); i++) {
		free(memory.heaps[i]);
		memory.heaps[i] = NULL;
	}
	pthread_mutex_unlock(&memory.lock);
	if (allocations != 0) {
		SPDK_INFOLOG(
			udma_memory,
			"%zu allocations of DMA memory, %zu bytes, were not freed by the program\n",
			allocations, bytes);
	}
}
