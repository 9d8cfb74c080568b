/* SPDX-License-Identifier: BSD-3-Clause */

#include "dma.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM 64

/** \return the index of the first region that ends behind `address`. */
static unsigned
lower_bound(const struct udma_vu_dma *dma, uint64_t address)
{
	unsigned low = 0, high = dma->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct udma_vu_region *region = &dma->regions[middle];

		if (region->address + (region->size - 1) < address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

const struct udma_vu_region *
udma_vu_dma_find(struct udma_vu_dma *dma, uint64_t address)
{
	unsigned at = dma->recent;

	if (at >= dma->count || address - dma->regions[at].address >= dma->regions[at].size) {
		at = lower_bound(dma, address);
	}
	if (at == dma->count || address < dma->regions[at].address) {
		return NULL;
	}
	dma->recent = at;
	return &dma->regions[at];
}

/* ---- Mapping ---- */

static int
check_map(const struct udma_vu_dma_map *map)
{
	uint32_t access = UDMA_VU_DMA_READABLE | UDMA_VU_DMA_WRITABLE;

	if (map->argsz < sizeof(*map) || (map->flags & ~access) != 0 ||
	    (map->flags & access) == 0 || map->size == 0 ||
	    map->address % UDMA_VU_DMA_PAGE_SIZE != 0 || map->size % UDMA_VU_DMA_PAGE_SIZE != 0 ||
	    map->address + (map->size - 1) < map->address ||
	    map->offset + map->size < map->offset) {
		return -EINVAL;
	}
	return 0;
}

/** Maps the file's part, from and to whole pages of it, which may be large ones. */
static int
map_file(struct udma_vu_region *region, int fd)
{
	struct stat stat;
	uint64_t page, before;
	int prot = region->flags & UDMA_VU_DMA_WRITABLE ? PROT_READ | PROT_WRITE : PROT_READ;

	if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size < 0 ||
	    (uint64_t)stat.st_size < region->offset + region->size) {
		return -EINVAL;
	}
	page = (uint64_t)getpagesize();
	page = stat.st_blksize > (blksize_t)page ? (uint64_t)stat.st_blksize : page;
	before = region->offset % page;
	region->mapping_size = (before + region->size + page - 1) / page * page;
	region->mapping = mmap(NULL, region->mapping_size, prot, MAP_SHARED | MAP_NORESERVE, fd,
			       (off_t)(region->offset - before));
	if (region->mapping == MAP_FAILED) {
		region->mapping = NULL;
		return -errno;
	}
	region->memory = (uint8_t *)region->mapping + before;
	region->device = stat.st_dev;
	region->inode = stat.st_ino;
	return 0;
}

/** \return whether a region is just what is asked for again. */
static bool
is_repetition(const struct udma_vu_region *region, const struct udma_vu_dma_map *map, int fd)
{
	struct stat stat;

	if (region->address != map->address || region->size != map->size ||
	    region->flags != map->flags || region->offset != map->offset ||
	    (region->memory == NULL) != (fd < 0)) {
		return false;
	}
	return fd < 0 || (fstat(fd, &stat) == 0 && stat.st_dev == region->device &&
			  stat.st_ino == region->inode);
}

static int
make_room(struct udma_vu_dma *dma)
{
	unsigned room = dma->room == 0 ? FIRST_ROOM : dma->room * 2;
	struct udma_vu_region *larger;

	if (dma->count < dma->room) {
		return 0;
	}
	larger = realloc(dma->regions, room * sizeof(*larger));
	if (larger == NULL) {
		return -ENOMEM;
	}
	dma->regions = larger;
	dma->room = room;
	return 0;
}

int
udma_vu_dma_map(struct udma_vu_dma *dma, const struct udma_vu_dma_map *map, int fd)
{
	struct udma_vu_region region = {
		.address = map->address,
		.size = map->size,
		.flags = map->flags,
		.offset = map->offset,
	};
	unsigned at;
	int rc = check_map(map);

	if (rc != 0) {
		return rc;
	}
	at = lower_bound(dma, map->address);
	if (at < dma->count && dma->regions[at].address <= map->address + (map->size - 1)) {
		return is_repetition(&dma->regions[at], map, fd) ? 0 : -EEXIST;
	}
	if (dma->count == UDMA_VU_MAX_DMA_MAPS ||
	    (fd >= 0 && dma->max_mapped != 0 && dma->mapped >= dma->max_mapped)) {
		return -ENOSPC;
	}
	rc = make_room(dma);
	if (rc == 0 && fd >= 0) {
		rc = map_file(&region, fd);
	}
	if (rc != 0) {
		return rc;
	}
	memmove(dma->regions + at + 1, dma->regions + at, (dma->count - at) * sizeof(region));
	dma->regions[at] = region;
	dma->count++;
	dma->mapped += region.mapping != NULL;
	return 0;
}

static void
unmap_region(struct udma_vu_dma *dma, struct udma_vu_region *region)
{
	if (region->mapping != NULL) {
		munmap(region->mapping, region->mapping_size);
		dma->mapped--;
	}
}

int
udma_vu_dma_unmap(struct udma_vu_dma *dma, uint64_t address, uint64_t size)
{
	uint64_t last = address + (size - 1);
	unsigned first = lower_bound(dma, address), end = first;

	while (end < dma->count && dma->regions[end].address <= last) {
		const struct udma_vu_region *region = &dma->regions[end++];

		if (region->address < address || region->address + (region->size - 1) > last) {
			return -ENOENT;
		}
	}
	if (end == first || size == 0 || last < address) {
		return -ENOENT;
	}
	for (unsigned at = first; at < end; at++) {
		unmap_region(dma, &dma->regions[at]);
	}
	memmove(dma->regions + first, dma->regions + end,
		(dma->count - end) * sizeof(dma->regions[0]));
	dma->count -= end - first;
	return 0;
}

void
udma_vu_dma_unmap_all(struct udma_vu_dma *dma)
{
	for (unsigned i = 0; i < dma->count; i++) {
		unmap_region(dma, &dma->regions[i]);
	}
	free(dma->regions);
	*dma = (struct udma_vu_dma){.max_mapped = dma->max_mapped};
}

/* ---- Files that become shorter ---- */

static __thread struct udma_vu_dma *t_guarded;

/** \return whether the fault was in a region, which holds zeroes there now. */
static bool
replace_page(uint8_t *fault)
{
	uintptr_t page = (uintptr_t)fault & ~(uintptr_t)(UDMA_VU_DMA_PAGE_SIZE - 1);

	for (unsigned i = 0; t_guarded != NULL && i < t_guarded->count; i++) {
		struct udma_vu_region *region = &t_guarded->regions[i];
		uintptr_t into = (uintptr_t)fault - (uintptr_t)region->mapping;

		if (region->mapping == NULL || into >= region->mapping_size) {
			continue;
		}
		t_guarded->lost = true;
		/* One of large pages can only be replaced whole. */
		return mmap((void *)page, UDMA_VU_DMA_PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED ||
		       mmap(region->mapping, region->mapping_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			    0) != MAP_FAILED;
	}
	return false;
}

static void
on_sigbus(int signal, siginfo_t *info, void *context)
{
	int error = errno;

	(void)context;
	if (!replace_page(info->si_addr)) {
		/* Not ours: the access is repeated, and ends the process as it would have. */
		struct sigaction action = {.sa_handler = SIG_DFL};

		sigaction(signal, &action, NULL);
	}
	errno = error;
}

void
udma_vu_dma_guard_thread(struct udma_vu_dma *dma)
{
	t_guarded = dma;
}

int
udma_vu_dma_guard_process(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}
