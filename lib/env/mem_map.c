/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "range_map.h"
#include "registry.h"

struct spdk_mem_map {
	uint64_t default_translation;
	struct spdk_mem_map_ops ops;
	void *cb_ctx;
	pthread_mutex_t
		write_lock; /* not the registry's, which is held when callbacks set translations */
	struct udma_range_map translations;
	TAILQ_ENTRY(spdk_mem_map) link;
};

/* In the order they were made. */
static TAILQ_HEAD(mem_map_list, spdk_mem_map) maps = TAILQ_HEAD_INITIALIZER(maps);

static int
tell(struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
     const struct udma_registration *reg)
{
	int rc;

	if (map->ops.notify_cb == NULL) {
		return 0;
	}
	rc = map->ops.notify_cb(map->cb_ctx, map, action, (void *)(uintptr_t)reg->vaddr, reg->len);
	return rc > 0 ? -rc : rc;
}

int
udma_mem_maps_tell_registered(const struct udma_registration *reg)
{
	struct spdk_mem_map *map;
	int rc;

	TAILQ_FOREACH (map, &maps, link) {
		rc = tell(map, SPDK_MEM_MAP_NOTIFY_REGISTER, reg);
		if (rc != 0) {
			while ((map = TAILQ_PREV(map, mem_map_list, link)) != NULL) {
				tell(map, SPDK_MEM_MAP_NOTIFY_UNREGISTER, reg);
			}
			return rc;
		}
	}
	return 0;
}

int
udma_mem_maps_tell_removed(const struct udma_registration *reg)
{
	struct spdk_mem_map *map;
	int rc;

	TAILQ_FOREACH_REVERSE(map, &maps, mem_map_list, link)
	{
		rc = tell(map, SPDK_MEM_MAP_NOTIFY_UNREGISTER, reg);
		if (rc != 0) {
			while ((map = TAILQ_NEXT(map, link)) != NULL) {
				tell(map, SPDK_MEM_MAP_NOTIFY_REGISTER, reg);
			}
			return rc;
		}
	}
	return 0;
}

static int
reserve(struct spdk_mem_map *map, uint64_t len)
{
	int rc;

	pthread_mutex_lock(&map->write_lock);
	rc = udma_range_map_reserve(&map->translations, len);
	pthread_mutex_unlock(&map->write_lock);
	return rc;
}

int
udma_mem_maps_reserve(uint64_t len)
{
	struct spdk_mem_map *map;
	int rc = 0;

	TAILQ_FOREACH (map, &maps, link) {
		rc = reserve(map, len);
		if (rc != 0) {
			break;
		}
	}
	return rc;
}

/** Tells one map of everything. \return 0; what it refused with, and all has been taken back. */
static int
tell_everything(struct spdk_mem_map *map)
{
	struct udma_registration reg;
	uint64_t at = 0;

	while (udma_registry_next(at, &reg)) {
		int rc = tell(map, SPDK_MEM_MAP_NOTIFY_REGISTER, &reg);

		if (rc != 0) {
			while (udma_registry_previous(reg.vaddr, &reg)) {
				tell(map, SPDK_MEM_MAP_NOTIFY_UNREGISTER, &reg);
			}
			return rc;
		}
		at = reg.vaddr + reg.len;
	}
	return 0;
}

static void
destroy(struct spdk_mem_map *map)
{
	udma_range_map_destroy(&map->translations);
	pthread_mutex_destroy(&map->write_lock);
	free(map);
}

struct spdk_mem_map *
spdk_mem_map_alloc(uint64_t default_translation, const struct spdk_mem_map_ops *ops, void *cb_ctx)
{
	struct spdk_mem_map *map = calloc(1, sizeof(*map));

	if (map == NULL) {
		SPDK_ERRLOG("no memory for a memory map\n");
		return NULL;
	}
	map->default_translation = default_translation;
	map->cb_ctx = cb_ctx;
	if (ops != NULL) {
		map->ops = *ops;
	}
	pthread_mutex_init(&map->write_lock, NULL);

	if (udma_registry_lock() != 0) {
		destroy(map);
		return NULL;
	}
	if (tell_everything(map) != 0) {
		destroy(map);
		map = NULL;
	} else {
		TAILQ_INSERT_TAIL(&maps, map, link);
	}
	udma_registry_unlock();
	return map;
}

void
spdk_mem_map_free(struct spdk_mem_map **pmap)
{
	struct udma_registration reg;
	uint64_t at = 0;

	if (pmap == NULL || *pmap == NULL || udma_registry_lock() != 0) {
		return;
	}
	TAILQ_REMOVE(&maps, *pmap, link);
	while (udma_registry_next(at, &reg)) {
		tell(*pmap, SPDK_MEM_MAP_NOTIFY_UNREGISTER, &reg);
		at = reg.vaddr + reg.len;
	}
	udma_registry_unlock();
	destroy(*pmap);
	*pmap = NULL;
}

/** \return 0 for a range of whole pages, also an empty one; -EINVAL, logged. */
static int
check_range(const char *what, uint64_t vaddr, uint64_t size)
{
	uint64_t space = 1ULL << UDMA_RANGE_MAP_ADDR_BITS;

	if (((vaddr | size) & (UDMA_RANGE_MAP_PAGE - 1)) != 0 || vaddr > space ||
	    size > space - vaddr) {
		SPDK_ERRLOG("cannot %s the translation of %" PRIu64 " bytes at %#" PRIx64
			    ": address and size must be multiples of %llu, below 2^%d\n",
			    what, size, vaddr, UDMA_RANGE_MAP_PAGE, UDMA_RANGE_MAP_ADDR_BITS);
		return -EINVAL;
	}
	return 0;
}

int
spdk_mem_map_set_translation(struct spdk_mem_map *map, uint64_t vaddr, uint64_t size,
			     uint64_t translation)
{
	int rc = check_range("set", vaddr, size);

	if (rc != 0 || size == 0) {
		return rc;
	}
	pthread_mutex_lock(&map->write_lock);
	rc = udma_range_map_set(&map->translations, vaddr, size, translation);
	pthread_mutex_unlock(&map->write_lock);
	if (rc != 0) {
		SPDK_ERRLOG("cannot set the translation of %" PRIu64 " bytes at %#" PRIx64 ": %s\n",
			    size, vaddr, strerror(-rc));
	}
	return rc;
}

int
spdk_mem_map_clear_translation(struct spdk_mem_map *map, uint64_t vaddr, uint64_t size)
{
	int rc = check_range("clear", vaddr, size);

	if (rc != 0 || size == 0) {
		return rc;
	}
	pthread_mutex_lock(&map->write_lock);
	rc = udma_range_map_clear(&map->translations, vaddr, size);
	pthread_mutex_unlock(&map->write_lock);
	if (rc != 0) {
		SPDK_ERRLOG("cannot clear the translation of %" PRIu64 " bytes at %#" PRIx64
			    ": %s\n",
			    size, vaddr, strerror(-rc));
	}
	return rc;
}

uint64_t
spdk_mem_map_translate(const struct spdk_mem_map *map, uint64_t vaddr, uint64_t *size)
{
	struct udma_range range;
	bool is_set = udma_range_map_lookup(&map->translations, vaddr, &range);
	uint64_t translation = is_set ? range.value : map->default_translation;
	uint64_t behind = range.start + range.len;

	if (size == NULL) {
		return translation;
	}
	/* What is not set comes in stretches too, which are one answer. */
	while (behind - vaddr < *size && behind > vaddr && (!is_set || map->ops.are_contiguous)) {
		uint64_t previous = range.value;

		if (udma_range_map_lookup(&map->translations, behind, &range) != is_set ||
		    (is_set && !map->ops.are_contiguous(previous, range.value))) {
			break;
		}
		behind = range.start + range.len;
	}
	*size = spdk_min(*size, behind - vaddr);
	return translation;
}
