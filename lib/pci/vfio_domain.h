/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A container of VFIO as a domain of the address space: what it can map, and mapping it.
 */

#ifndef UDMA_PCI_VFIO_DOMAIN_H
#define UDMA_PCI_VFIO_DOMAIN_H

#include "env/domain.h"
#include "real.h"

struct udma_vfio_domain {
	struct udma_domain domain;
	int fd;         /* of the container */
	uint64_t bytes; /* that are mapped */
	uint32_t limit; /* mappings that it takes; 0 if the kernel does not say */
};

/**
 * Asks the kernel which addresses the IOMMU of a container can map, and how many mappings are left.
 *
 * \param avail may be NULL; 0 if the kernel does not say.
 * \return 0; a negative errno.
 */
int udma_vfio_read_ranges(int container, struct udma_iova_ranges *ranges, uint32_t *avail);

/** Maps all that is registered, now and later. \return 0; a negative errno, logged. */
int udma_vfio_domain_add(struct udma_vfio_domain *vfio, int container);
/** Another group has joined, whose IOMMU may have fewer addresses. */
void udma_vfio_domain_refresh(struct udma_vfio_domain *vfio);
/** The mappings end with the container. */
void udma_vfio_domain_remove(struct udma_vfio_domain *vfio);

#endif
