/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Registered memory as devices see it, for whoever carries out their accesses or maps an IOMMU.
 */

#ifndef UDMA_ENV_REGION_H
#define UDMA_ENV_REGION_H

#include <stdbool.h>
#include <stdint.h>

/** Memory that is one piece on both sides. */
struct udma_region {
	uint64_t vaddr;
	uint64_t iova;
	uint64_t len;
	bool writable; /* by devices: it was mapped writable when it was registered */
};

/**
 * Looks a region up by an I/O virtual address in it. Enters no kernel, takes no lock. As long as
 * udma_translation_epoch (translate.h) does not move, the answer stays true.
 *
 * \return whether there is one.
 */
bool udma_region_find(uint64_t iova, struct udma_region *region);

#endif
