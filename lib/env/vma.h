/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the kernel says of the mappings of this process.
 */

#ifndef UDMA_ENV_VMA_H
#define UDMA_ENV_VMA_H

#include <stdbool.h>
#include <stdint.h>

/** What all mappings in a range have in common. */
struct udma_vma {
	bool readable;
	bool writable;
	bool shared;
};

/**
 * Looks at every mapping in a range.
 *
 * \return 0; -EFAULT if part of it is not mapped; another negative errno if the kernel does not
 * say.
 */
int udma_vma_query(uint64_t vaddr, uint64_t len, struct udma_vma *common);

/** \return the end of the mapping at an address if it is of a character device; 0 otherwise. */
uint64_t udma_vma_device_end(uint64_t vaddr);

#endif
