/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Registration and translation. A registration is one region, or with physical addresses one
 * region for each contiguous piece. The map of regions is at once the set of registrations and
 * what translation looks up.
 */

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "domain.h"
#include "iova.h"
#include "range_map.h"
#include "registry.h"
#include "translate.h"
#include "vma.h"

#include <sys/syscall.h>

/* The value of a region is its IOVA minus its virtual address, a multiple of the page, and these.
 */
#define REGION_CONTINUES   1ULL /* a further piece of the registration of the region before it */
#define REGION_NO_CHILD    2ULL /* kept from the children of fork() */
#define REGION_CHUNK       4ULL /* of spdk_malloc(), whose it is to unregister */
#define REGION_READ_ONLY   8ULL /* devices must not write there */
#define REGION_OFFSET_MASK (~(UDMA_RANGE_MAP_PAGE - 1))

#define MPOL_F_NODE (1 << 0)
#define MPOL_F_ADDR (1 << 1)

uint64_t udma_translation_epoch;

static pthread_mutex_t lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static bool started;
static struct udma_range_map regions;

/* ---- Translation ------------------------------------------------------------------------ */

bool
udma_translation_find(struct udma_translation *t, uint64_t va)
{
	/* Before the lookup: if the region is removed in between, the memory of it is stale at
	 * once. */
	uint64_t epoch = __atomic_load_n(&udma_translation_epoch, __ATOMIC_ACQUIRE);
	struct udma_range range;

	if (!udma_range_map_lookup(&regions, va, &range)) {
		return false;
	}
	t->start = range.start;
	t->len = range.len;
	t->offset = range.value & REGION_OFFSET_MASK;
	t->epoch = epoch;
	return true;
}

uint64_t
spdk_vtophys(const void *buf, uint64_t *size)
{
	uint64_t va = (uintptr_t)buf;
	struct udma_range range;

	if (!udma_range_map_lookup(&regions, va, &range)) {
		return SPDK_VTOPHYS_ERROR;
	}
	if (size != NULL) {
		*size = spdk_min(*size, range.start + range.len - va);
	}
	return va + (range.value & REGION_OFFSET_MASK);
}

bool
spdk_iommu_is_enabled(void)
{
	return started && udma_iova_kind() != UDMA_IOVA_PA;
}

/* ---- The set ---------------------------------------------------------------------------- */

int
udma_registry_lock(void)
{
	int rc = -pthread_mutex_lock(&lock);

	if (rc != 0) {
		SPDK_ERRLOG("a callback that is told of registrations may not change what is "
			    "registered, nor the maps; do it after the callback\n");
	}
	return rc;
}

void
udma_registry_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

bool
udma_registry_next(uint64_t vaddr, struct udma_registration *reg)
{
	struct udma_range range;

	if (!udma_range_map_next(&regions, vaddr, &range)) {
		return false;
	}
	reg->vaddr = range.start;
	do {
		reg->len = range.start + range.len - reg->vaddr;
	} while (udma_range_map_lookup(&regions, reg->vaddr + reg->len, &range) &&
		 (range.value & REGION_CONTINUES));
	return true;
}

bool
udma_registry_find(uint64_t vaddr, struct udma_registration *reg)
{
	struct udma_range range;

	do {
		if (!udma_range_map_lookup(&regions, vaddr, &range)) {
			return false;
		}
		vaddr = range.start - 1;
	} while (range.value & REGION_CONTINUES);
	return udma_registry_next(range.start, reg);
}

bool
udma_registry_previous(uint64_t vaddr, struct udma_registration *reg)
{
	struct udma_range range;

	return udma_range_map_previous(&regions, vaddr, &range) &&
	       udma_registry_find(range.start, reg);
}

static struct udma_region
region_of(const struct udma_range *range)
{
	return (struct udma_region){
		.vaddr = range->start,
		.iova = range->start + (range->value & REGION_OFFSET_MASK),
		.len = range->len,
		.writable = !(range->value & REGION_READ_ONLY),
	};
}

bool
udma_registry_next_region(uint64_t vaddr, struct udma_region *region)
{
	struct udma_range range;

	if (!udma_range_map_next(&regions, vaddr, &range)) {
		return false;
	}
	*region = region_of(&range);
	return true;
}

/** Takes the regions of a registration out, so that they translate no more. */
static void
forget(const struct udma_registration *reg)
{
	struct udma_range range;

	for (uint64_t at = reg->vaddr; at < reg->vaddr + reg->len; at += range.len) {
		struct udma_region region;

		if (!udma_range_map_lookup(&regions, at, &range)) {
			break;
		}
		region = region_of(&range);
		udma_range_map_clear(&regions, range.start, range.len);
		udma_iova_release(region.vaddr, region.iova, region.len);
		/* Who sees the new one finds the region gone; who had found it looks again. */
		__atomic_fetch_add(&udma_translation_epoch, 1, __ATOMIC_RELEASE);
		/* Last, when nobody can be given the address any more. */
		udma_domains_unmap(&region);
		if (range.value & REGION_NO_CHILD) {
			madvise((void *)(uintptr_t)range.start, range.len, MADV_DOFORK);
		}
	}
}

/** Makes one region: places it, maps it for devices, and lets it be found. */
static int
learn_region(uint64_t vaddr, uint64_t *len, uint64_t flags)
{
	struct udma_region region = {.vaddr = vaddr, .writable = !(flags & REGION_READ_ONLY)};
	int rc = udma_iova_take(vaddr, len, region.writable, &region.iova);

	if (rc != 0) {
		return rc;
	}
	region.len = *len;
	rc = udma_domains_map(&region);
	if (rc == 0) {
		rc = udma_range_map_set(&regions, vaddr, *len, (region.iova - vaddr) | flags);
		if (rc != 0) {
			SPDK_ERRLOG("no memory to register %" PRIu64 " bytes at %#" PRIx64 "\n",
				    *len, vaddr);
			udma_domains_unmap(&region);
		}
	}
	if (rc != 0) {
		udma_iova_release(vaddr, region.iova, *len);
	}
	return rc;
}

/** Makes memory translatable. \return 0; a negative errno, logged, and nothing has changed. */
static int
learn(const struct udma_registration *reg, const struct udma_vma *vma, uint64_t flags)
{
	uint64_t end = reg->vaddr + reg->len, len;

	flags |= vma->writable ? 0 : REGION_READ_ONLY;
	/*
	 * A child of fork() that shares private pages would leave the parent with a copy at its
	 * first write, and the device with the original. Where an IOMMU is behind the addresses,
	 * the kernel has pinned the pages and copies them for the child instead.
	 */
	if (udma_iova_kind() == UDMA_IOVA_PA && !vma->shared &&
	    madvise((void *)(uintptr_t)reg->vaddr, reg->len, MADV_DONTFORK) == 0) {
		flags |= REGION_NO_CHILD;
	}
	for (uint64_t at = reg->vaddr; at < end; at += len) {
		int rc;

		len = end - at;
		rc = learn_region(at, &len, flags);
		if (rc != 0) {
			if (flags & REGION_NO_CHILD) {
				madvise((void *)(uintptr_t)at, end - at, MADV_DOFORK);
			}
			forget(&(struct udma_registration){reg->vaddr, at - reg->vaddr});
			return rc;
		}
		flags |= REGION_CONTINUES;
	}
	return 0;
}

/* ---- Registering ------------------------------------------------------------------------ */

/** \return 0 for a range of whole pages, also an empty one; -EINVAL, logged. */
static int
check_range(const char *what, const void *vaddr, size_t len)
{
	uint64_t start = (uintptr_t)vaddr, page = (uint64_t)getpagesize();

	if (((start | len) & (page - 1)) != 0 || start + len < start) {
		SPDK_ERRLOG("cannot %s %zu bytes at %p: address and length must be multiples of "
			    "the page, %" PRIu64 " bytes\n",
			    what, len, vaddr, page);
		return -EINVAL;
	}
	return 0;
}

static int
check_mapped(const struct udma_registration *reg, struct udma_vma *vma)
{
	int rc = udma_vma_query(reg->vaddr, reg->len, vma);

	if (rc == 0 && !vma->readable) {
		rc = -EFAULT;
	}
	if (rc == -EFAULT) {
		SPDK_ERRLOG("cannot register %" PRIu64 " bytes at %#" PRIx64
			    ": not all of it is mapped and readable\n",
			    reg->len, reg->vaddr);
	} else if (rc != 0) {
		SPDK_ERRLOG("cannot register memory: /proc/self/maps cannot be read: %s; mount "
			    "/proc\n",
			    strerror(-rc));
	}
	return rc;
}

static int
register_locked(const struct udma_registration *reg, uint64_t flags)
{
	struct udma_range there;
	struct udma_vma vma;
	int rc;

	if (!started) {
		SPDK_ERRLOG("cannot register memory before spdk_env_init()\n");
		return -EINVAL;
	}
	if (udma_range_map_next(&regions, reg->vaddr, &there) &&
	    there.start < reg->vaddr + reg->len) {
		SPDK_ERRLOG("cannot register %" PRIu64 " bytes at %#" PRIx64 ": %" PRIu64
			    " bytes at %#" PRIx64 " are registered already\n",
			    reg->len, reg->vaddr, there.len, there.start);
		return -EBUSY;
	}
	rc = check_mapped(reg, &vma);
	if (rc == 0) {
		rc = learn(reg, &vma, flags);
	}
	if (rc == 0) {
		rc = udma_mem_maps_tell_registered(reg);
		if (rc != 0) {
			forget(reg);
		}
	}
	return rc;
}

static int
register_range(void *vaddr, size_t len, uint64_t flags)
{
	struct udma_registration reg = {(uintptr_t)vaddr, len};
	int rc = check_range("register", vaddr, len);

	if (rc != 0 || len == 0) {
		return rc;
	}
	rc = udma_registry_lock();
	if (rc == 0) {
		rc = register_locked(&reg, flags);
		udma_registry_unlock();
	}
	return rc;
}

int
spdk_mem_register(void *vaddr, size_t len)
{
	return register_range(vaddr, len, 0);
}

int
udma_registry_add_chunk(void *vaddr, size_t len)
{
	return register_range(vaddr, len, REGION_CHUNK);
}

/**
 * \param flags what the regions have to have of REGION_CHUNK.
 * \return 0 if [start, end) is made of whole registrations; -EINVAL; -ERANGE; logged.
 */
static int
check_whole(uint64_t start, uint64_t end, uint64_t flags)
{
	struct udma_registration reg;
	struct udma_range range;

	for (uint64_t at = start; at < end; at = reg.vaddr + reg.len) {
		if (!udma_registry_find(at, &reg)) {
			SPDK_ERRLOG("cannot unregister %" PRIu64 " bytes at %#" PRIx64
				    ": nothing is registered at %#" PRIx64 "\n",
				    end - start, start, at);
			return -EINVAL;
		}
		udma_range_map_lookup(&regions, at, &range);
		if ((range.value & REGION_CHUNK) != flags) {
			SPDK_ERRLOG("cannot unregister %" PRIu64 " bytes at %#" PRIx64
				    ": the memory at %#" PRIx64 " is from spdk_malloc(); "
				    "spdk_free() it\n",
				    end - start, start, at);
			return -EINVAL;
		}
		if (reg.vaddr < at || reg.vaddr + reg.len > end) {
			SPDK_ERRLOG("cannot unregister %" PRIu64 " bytes at %#" PRIx64 ": %" PRIu64
				    " bytes at %#" PRIx64 " were registered, and go as a whole\n",
				    end - start, start, reg.len, reg.vaddr);
			return -ERANGE;
		}
	}
	return 0;
}

static int
unregister_locked(uint64_t start, uint64_t end, uint64_t flags)
{
	struct udma_registration reg;
	int rc = check_whole(start, end, flags);

	if (rc != 0) {
		return rc;
	}
	for (uint64_t at = start; at < end; at += reg.len) {
		udma_registry_find(at, &reg);
		rc = udma_mem_maps_tell_removed(&reg);
		if (rc != 0) {
			while (at > start) {
				udma_registry_find(at - 1, &reg);
				udma_mem_maps_tell_registered(&reg);
				at = reg.vaddr;
			}
			return rc;
		}
	}
	for (uint64_t at = start; at < end; at += reg.len) {
		udma_registry_find(at, &reg);
		forget(&reg);
	}
	return 0;
}

static int
unregister_range(void *vaddr, size_t len, uint64_t flags)
{
	int rc = check_range("unregister", vaddr, len);

	if (rc != 0 || len == 0) {
		return rc;
	}
	rc = udma_registry_lock();
	if (rc == 0) {
		rc = unregister_locked((uintptr_t)vaddr, (uintptr_t)vaddr + len, flags);
		udma_registry_unlock();
	}
	return rc;
}

int
spdk_mem_unregister(void *vaddr, size_t len)
{
	return unregister_range(vaddr, len, 0);
}

int
udma_registry_remove_chunk(void *vaddr, size_t len)
{
	return unregister_range(vaddr, len, REGION_CHUNK);
}

int
spdk_mem_reserve(void *vaddr, size_t len)
{
	int rc = check_range("reserve", vaddr, len);

	if (rc != 0 || len == 0) {
		return rc;
	}
	rc = udma_registry_lock();
	if (rc != 0) {
		return rc;
	}
	if (udma_range_map_reserve(&regions, len) != 0 || udma_iova_reserve(len) != 0 ||
	    udma_mem_maps_reserve(len) != 0) {
		SPDK_ERRLOG("no memory to prepare for the registration of %zu bytes\n", len);
		rc = -ENOMEM;
	}
	udma_registry_unlock();
	return rc;
}

int32_t
spdk_mem_get_numa_id(const void *buf, uint64_t *size)
{
	uint64_t va = (uintptr_t)buf, page = (uint64_t)getpagesize();
	int node = SPDK_ENV_NUMA_ID_ANY;
	struct udma_range range;

	if (size != NULL) {
		/* The kernel answers for a page, and the next one may be elsewhere. */
		*size = spdk_min(*size, page - va % page);
	}
	if (!udma_range_map_lookup(&regions, va, &range) ||
	    syscall(SYS_get_mempolicy, &node, NULL, 0, va & ~(page - 1),
		    MPOL_F_NODE | MPOL_F_ADDR) != 0) {
		return SPDK_ENV_NUMA_ID_ANY;
	}
	return node;
}

/* ---- Start and end ---------------------------------------------------------------------- */

int
udma_registry_init(enum udma_iova_kind kind, unsigned iova_bits)
{
	int rc = udma_iova_init(kind, iova_bits);

	started = rc == 0;
	return rc;
}

void
udma_registry_fini(void)
{
	struct udma_registration reg;

	if (udma_registry_lock() != 0) {
		return;
	}
	while (udma_registry_next(0, &reg)) {
		udma_mem_maps_tell_removed(&reg);
		forget(&reg);
	}
	started = false;
	udma_range_map_destroy(&regions);
	udma_iova_fini();
	udma_registry_unlock();
}
