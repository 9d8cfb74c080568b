/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A pool is one piece of DMA memory and a stack of pointers into it. The pointers are not kept in
 * the elements, whose contents are the program's and devices' also while they are in the pool.
 */

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "memory_internal.h"
#include "spin.h"

/* No two elements share a cache line. */
#define ELEMENT_ALIGN 64

#define OUT_BITS 64 /* in a word of the map of elements that are out */

struct spdk_mempool {
	char name[SPDK_MAX_MEMPOOL_NAME_LEN];
	char *memory;
	size_t stride; /* from element to element */
	size_t count;
	TAILQ_ENTRY(spdk_mempool) link;

	struct udma_spin lock;
	uint64_t *out; /* see take_out(): a bit for each ELEMENT_ALIGN of memory */
	size_t available;
	void *stack[];
};

static TAILQ_HEAD(, spdk_mempool) pools = TAILQ_HEAD_INITIALIZER(pools);
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Names ------------------------------------------------------------------------------ */

/** Locked. */
static struct spdk_mempool *
find_pool(const char *name)
{
	struct spdk_mempool *mp;

	TAILQ_FOREACH (mp, &pools, link) {
		if (strcmp(mp->name, name) == 0) {
			return mp;
		}
	}
	return NULL;
}

struct spdk_mempool *
spdk_mempool_lookup(const char *name)
{
	struct spdk_mempool *mp;

	if (name == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&pools_lock);
	mp = find_pool(name);
	pthread_mutex_unlock(&pools_lock);
	return mp;
}

char *
spdk_mempool_get_name(struct spdk_mempool *mp)
{
	return mp->name;
}

/** \return whether the name was free. */
static bool
enter(struct spdk_mempool *mp)
{
	bool is_free;

	pthread_mutex_lock(&pools_lock);
	is_free = find_pool(mp->name) == NULL;
	if (is_free) {
		TAILQ_INSERT_TAIL(&pools, mp, link);
	}
	pthread_mutex_unlock(&pools_lock);
	return is_free;
}

/* ---- Pools ------------------------------------------------------------------------------ */

static void
destroy(struct spdk_mempool *mp)
{
	spdk_free(mp->memory);
	free(mp->out);
	free(mp);
}

static struct spdk_mempool *
create(const char *name, size_t count, size_t ele_size, int numa_id)
{
	size_t stride, len, stack;
	struct spdk_mempool *mp;

	if (count == 0 || count > UINT32_MAX || ele_size > SIZE_MAX / 2) {
		SPDK_ERRLOG("pool %s cannot have %zu elements of %zu bytes\n", name, count,
			    ele_size);
		return NULL;
	}
	stride = SPDK_ALIGN_CEIL(spdk_max(ele_size, (size_t)1), ELEMENT_ALIGN);
	if (__builtin_mul_overflow(count, stride, &len) ||
	    __builtin_mul_overflow(count, sizeof(void *), &stack)) {
		SPDK_ERRLOG("pool %s cannot have %zu elements of %zu bytes\n", name, count,
			    ele_size);
		return NULL;
	}
	mp = calloc(1, sizeof(*mp) + stack);
	if (mp == NULL) {
		SPDK_ERRLOG("no memory for pool %s of %zu elements\n", name, count);
		return NULL;
	}
	mp->memory = spdk_zmalloc(len, ELEMENT_ALIGN, NULL, numa_id, SPDK_MALLOC_DMA);
	if (mp->memory == NULL) {
		free(mp);
		return NULL;
	}
	mp->out = calloc(SPDK_CEIL_DIV(len / ELEMENT_ALIGN, OUT_BITS), sizeof(*mp->out));
	if (mp->out == NULL) {
		SPDK_ERRLOG("no memory for pool %s of %zu elements\n", name, count);
		destroy(mp);
		return NULL;
	}
	snprintf(mp->name, sizeof(mp->name), "%s", name);
	mp->stride = stride;
	mp->count = count;
	mp->available = count;
	for (size_t i = 0; i < count; i++) {
		mp->stack[count - 1 - i] = mp->memory + i * stride;
	}
	return mp;
}

struct spdk_mempool *
spdk_mempool_create_ctor(const char *name, size_t count, size_t ele_size, size_t cache_size,
			 int numa_id, spdk_mempool_obj_cb_t *obj_init, void *obj_init_arg)
{
	struct spdk_mempool *mp;

	(void)cache_size;
	if (name == NULL || strlen(name) >= SPDK_MAX_MEMPOOL_NAME_LEN) {
		SPDK_ERRLOG("the name of a pool has at most %d characters\n",
			    SPDK_MAX_MEMPOOL_NAME_LEN - 1);
		return NULL;
	}
	if (spdk_mempool_lookup(name) != NULL) {
		SPDK_ERRLOG("there is a pool %s already\n", name);
		return NULL;
	}
	mp = create(name, count, ele_size, numa_id);
	if (mp == NULL) {
		return NULL;
	}
	if (obj_init != NULL) {
		spdk_mempool_obj_iter(mp, obj_init, obj_init_arg);
	}
	if (!enter(mp)) {
		SPDK_ERRLOG("there is a pool %s already\n", name);
		destroy(mp);
		return NULL;
	}
	return mp;
}

struct spdk_mempool *
spdk_mempool_create(const char *name, size_t count, size_t ele_size, size_t cache_size, int numa_id)
{
	return spdk_mempool_create_ctor(name, count, ele_size, cache_size, numa_id, NULL, NULL);
}

void
spdk_mempool_free(struct spdk_mempool *mp)
{
	if (mp == NULL) {
		return;
	}
	pthread_mutex_lock(&pools_lock);
	TAILQ_REMOVE(&pools, mp, link);
	pthread_mutex_unlock(&pools_lock);
	destroy(mp);
}

void
udma_mempools_fini(void)
{
	struct spdk_mempool *mp;

	while ((mp = TAILQ_FIRST(&pools)) != NULL) {
		spdk_mempool_free(mp);
	}
}

/* ---- Elements --------------------------------------------------------------------------- */

/** Takes an element, and sets the bit of where it begins, which says that it is out; locked. */
static void *
take_out(struct spdk_mempool *mp)
{
	/* What was put last is the likeliest to be in a cache. */
	char *ele = mp->stack[--mp->available];
	size_t at = (size_t)(ele - mp->memory) / ELEMENT_ALIGN;

	mp->out[at / OUT_BITS] |= 1ULL << at % OUT_BITS;
	return ele;
}

/** Puts an element back; locked. \return false if it is not one, or was not out. */
static bool
put_back(struct spdk_mempool *mp, void *ele)
{
	uintptr_t into = (uintptr_t)ele - (uintptr_t)mp->memory;
	size_t at = into / ELEMENT_ALIGN;
	uint64_t bit = 1ULL << at % OUT_BITS;

	if (into >= mp->count * mp->stride || into % ELEMENT_ALIGN != 0 ||
	    !(mp->out[at / OUT_BITS] & bit)) {
		return false;
	}
	mp->out[at / OUT_BITS] &= ~bit;
	mp->stack[mp->available++] = ele;
	return true;
}

int
spdk_mempool_get_bulk(struct spdk_mempool *mp, void **ele_arr, size_t count)
{
	int rc = -ENOMEM;

	udma_spin_lock(&mp->lock);
	if (count <= mp->available) {
		for (size_t i = 0; i < count; i++) {
			ele_arr[i] = take_out(mp);
		}
		rc = 0;
	}
	udma_spin_unlock(&mp->lock);
	return rc;
}

void *
spdk_mempool_get(struct spdk_mempool *mp)
{
	void *ele;

	return spdk_mempool_get_bulk(mp, &ele, 1) == 0 ? ele : NULL;
}

void
spdk_mempool_put_bulk(struct spdk_mempool *mp, void **ele_arr, size_t count)
{
	size_t refused = 0;
	void *first = NULL;

	udma_spin_lock(&mp->lock);
	for (size_t i = 0; i < count; i++) {
		if (!put_back(mp, ele_arr[i]) && refused++ == 0) {
			first = ele_arr[i];
		}
	}
	udma_spin_unlock(&mp->lock);
	if (refused != 0) {
		SPDK_ERRLOG("%zu of %zu not put into pool %s, first %p: not an element of it, or "
			    "put already; put each once, by the address that getting it gave\n",
			    refused, count, mp->name, first);
	}
}

void
spdk_mempool_put(struct spdk_mempool *mp, void *ele)
{
	spdk_mempool_put_bulk(mp, &ele, 1);
}

size_t
spdk_mempool_count(const struct spdk_mempool *pool)
{
	struct spdk_mempool *mp = (struct spdk_mempool *)(uintptr_t)pool;
	size_t available;

	udma_spin_lock(&mp->lock);
	available = mp->available;
	udma_spin_unlock(&mp->lock);
	return available;
}

uint32_t
spdk_mempool_obj_iter(struct spdk_mempool *mp, spdk_mempool_obj_cb_t obj_cb, void *obj_cb_arg)
{
	for (size_t i = 0; i < mp->count; i++) {
		obj_cb(mp, obj_cb_arg, mp->memory + i * mp->stride, (unsigned)i);
	}
	return (uint32_t)mp->count;
}

uint32_t
spdk_mempool_mem_iter(struct spdk_mempool *mp, spdk_mempool_mem_cb_t mem_cb, void *mem_cb_arg)
{
	uint64_t len = mp->count * mp->stride, piece;
	uint32_t pieces = 0;

	for (uint64_t at = 0; at < len; at += piece) {
		uint64_t iova;

		piece = len - at;
		iova = spdk_vtophys(mp->memory + at, &piece);
		mem_cb(mp, mem_cb_arg, mp->memory + at, iova, piece, pieces);
		pieces++;
	}
	return pieces;
}
