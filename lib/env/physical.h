/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Physical addresses, for devices that no IOMMU stands before.
 */

#ifndef UDMA_ENV_PHYSICAL_H
#define UDMA_ENV_PHYSICAL_H

#include <stdint.h>

/** \return 0; -EPERM if this process is not shown physical addresses. Logged. */
int udma_physical_init(void);

/**
 * Finds the physically contiguous piece of pinned memory that begins at an address, and puts
 * memory behind it if there is none yet.
 *
 * \param len in: bytes asked for; out: bytes in the piece.
 * \return 0; -ENOTSUP if it is neither hugetlb memory nor a device's, which alone stay where
 * they are; another negative errno. Logged.
 */
int udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical);

#endif
