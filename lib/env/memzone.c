/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "spdk/log.h"
#include "memory_internal.h"

struct memzone {
	char name[SPDK_MAX_MEMZONE_NAME_LEN];
	void *addr;
	size_t len;
	TAILQ_ENTRY(memzone) link;
};

static TAILQ_HEAD(, memzone) zones = TAILQ_HEAD_INITIALIZER(zones);
static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;

/** Locked. */
static struct memzone *
find_zone(const char *name)
{
	struct memzone *zone;

	TAILQ_FOREACH (zone, &zones, link) {
		if (strcmp(zone->name, name) == 0) {
			return zone;
		}
	}
	return NULL;
}

/** Whether devices see a stretch of memory in one piece. With physical addresses they may not. */
static bool
is_contiguous(const void *addr, size_t len)
{
	uint64_t size = len;

	return spdk_vtophys(addr, &size) != SPDK_VTOPHYS_ERROR && size == len;
}

static struct memzone *
create_zone(const char *name, size_t len, int numa_id, unsigned flags, unsigned align)
{
	struct memzone *zone = calloc(1, sizeof(*zone));

	if (zone == NULL) {
		SPDK_ERRLOG("no memory to remember memory zone %s with\n", name);
		return NULL;
	}
	zone->addr = spdk_zmalloc(len, align, NULL, numa_id, SPDK_MALLOC_DMA);
	if (zone->addr == NULL) {
		free(zone);
		return NULL;
	}
	if (!(flags & SPDK_MEMZONE_NO_IOVA_CONTIG) && !is_contiguous(zone->addr, len)) {
		SPDK_ERRLOG("memory zone %s of %zu bytes is not contiguous for devices; if it need "
			    "not be, say SPDK_MEMZONE_NO_IOVA_CONTIG\n",
			    name, len);
		spdk_free(zone->addr);
		free(zone);
		return NULL;
	}
	zone->len = len;
	snprintf(zone->name, sizeof(zone->name), "%s", name);
	return zone;
}

void *
spdk_memzone_reserve_aligned(const char *name, size_t len, int numa_id, unsigned flags,
			     unsigned align)
{
	struct memzone *zone;
	void *addr;

	if (name == NULL || strlen(name) >= SPDK_MAX_MEMZONE_NAME_LEN) {
		SPDK_ERRLOG("the name of a memory zone has at most %d characters\n",
			    SPDK_MAX_MEMZONE_NAME_LEN - 1);
		return NULL;
	}
	if (len == 0) {
		SPDK_ERRLOG("memory zone %s cannot have a length of 0\n", name);
		return NULL;
	}
	if (spdk_memzone_lookup(name) != NULL) {
		SPDK_ERRLOG("there is a memory zone %s already\n", name);
		return NULL;
	}
	/* Not under the lock, because allocating may run callbacks. */
	zone = create_zone(name, len, numa_id, flags, align);
	if (zone == NULL) {
		return NULL;
	}
	addr = zone->addr;
	pthread_mutex_lock(&zones_lock);
	if (find_zone(name) == NULL) {
		TAILQ_INSERT_TAIL(&zones, zone, link);
		zone = NULL;
	}
	pthread_mutex_unlock(&zones_lock);
	if (zone != NULL) {
		SPDK_ERRLOG("there is a memory zone %s already\n", name);
		spdk_free(addr);
		free(zone);
		return NULL;
	}
	return addr;
}

void *
spdk_memzone_reserve(const char *name, size_t len, int numa_id, unsigned flags)
{
	return spdk_memzone_reserve_aligned(name, len, numa_id, flags, 0);
}

void *
spdk_memzone_lookup(const char *name)
{
	struct memzone *zone;
	void *addr;

	if (name == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&zones_lock);
	zone = find_zone(name);
	addr = zone != NULL ? zone->addr : NULL;
	pthread_mutex_unlock(&zones_lock);
	return addr;
}

int
spdk_memzone_free(const char *name)
{
	struct memzone *zone;

	if (name == NULL) {
		SPDK_ERRLOG("a memory zone is freed by its name, not by NULL\n");
		return -1;
	}
	pthread_mutex_lock(&zones_lock);
	zone = find_zone(name);
	if (zone != NULL) {
		TAILQ_REMOVE(&zones, zone, link);
	}
	pthread_mutex_unlock(&zones_lock);
	if (zone == NULL) {
		SPDK_ERRLOG("there is no memory zone %s to free\n", name);
		return -1;
	}
	spdk_free(zone->addr);
	free(zone);
	return 0;
}

void
spdk_memzone_dump(FILE *f)
{
	struct memzone *zone;

	pthread_mutex_lock(&zones_lock);
	TAILQ_FOREACH (zone, &zones, link) {
		fprintf(f, "%s: %p, %zu bytes\n", zone->name, zone->addr, zone->len);
	}
	pthread_mutex_unlock(&zones_lock);
}

void
udma_memzones_fini(void)
{
	struct memzone *zone;

	while ((zone = TAILQ_FIRST(&zones)) != NULL) {
		TAILQ_REMOVE(&zones, zone, link);
		spdk_free(zone->addr);
		free(zone);
	}
}
