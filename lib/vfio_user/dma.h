/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The memory that a client has mapped for its device (section 5).
 */

#ifndef UDMA_VFIO_USER_DMA_H
#define UDMA_VFIO_USER_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

struct udma_vu_region {
	uint64_t address;
	uint64_t size;
	uint32_t flags;  /* UDMA_VU_DMA_READABLE, _WRITABLE */
	uint8_t *memory; /* where `address` is; NULL: reached by messages only */
	/* What is mapped, in whole pages of the file; and which file it is. */
	void *mapping;
	size_t mapping_size;
	uint64_t offset;
	dev_t device;
	ino_t inode;
};

struct udma_vu_dma {
	struct udma_vu_region *regions; /* by address */
	unsigned count, room;
	unsigned mapped;     /* regions with a mapping */
	unsigned max_mapped; /* 0: no limit but the protocol's */
	unsigned recent;     /* the region found last */
	bool lost;           /* a file has become shorter than what was mapped of it */
};

/**
 * Maps a region.
 *
 * \param fd the memory, which the caller keeps; -1: reached by messages only.
 * \return 0, also for an exact repetition; a negative errno as section 16 suggests.
 */
int udma_vu_dma_map(struct udma_vu_dma *dma, const struct udma_vu_dma_map *map, int fd);
/**
 * Unmaps all regions in a range. Behind a virtual IOMMU QEMU unmaps what was mapped page by page in
 * larger pieces, as the kernel's VFIO lets it.
 *
 * \return 0; -ENOENT if there is none, or one of them is only partly in the range.
 */
int udma_vu_dma_unmap(struct udma_vu_dma *dma, uint64_t address, uint64_t size);
void udma_vu_dma_unmap_all(struct udma_vu_dma *dma);
/** \return the region that an address lies in; NULL if there is none. */
const struct udma_vu_region *udma_vu_dma_find(struct udma_vu_dma *dma, uint64_t address);

/**
 * A client can make the file behind a region shorter at any time, and an access is SIGBUS then.
 * From now on, in this thread, such an access finds zeroes instead and sets `dma->lost`.
 */
void udma_vu_dma_guard_thread(struct udma_vu_dma *dma);
/** Takes SIGBUS for that. Once a process. \return 0; a negative errno. */
int udma_vu_dma_guard_process(void);

#endif
