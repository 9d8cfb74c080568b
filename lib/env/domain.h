/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The domains of the process: whatever translates I/O virtual addresses for some of its devices (a
 * VFIO container, say). All of them map the same regions at the same addresses.
 */

#ifndef UDMA_ENV_DOMAIN_H
#define UDMA_ENV_DOMAIN_H

#include "iova.h"
#include "region.h"

#include <sys/queue.h>
#include <sys/types.h>

/** One domain, part of whatever its owner keeps about it. */
struct udma_domain {
	/** Lets devices reach a region. \return 0; a negative errno, logged. */
	int (*map)(struct udma_domain *domain, const struct udma_region *region);
	/** Undoes map(), of exactly that region. */
	void (*unmap)(struct udma_domain *domain, const struct udma_region *region);
	struct udma_iova_ranges ranges; /* that it can map; map() is asked for no others */

	pid_t process; /* that it belongs to: a child of fork() changes nothing in it */
	TAILQ_ENTRY(udma_domain) link;
};

/**
 * Maps all that is registered, and from then on what will be.
 *
 * \return 0; a negative errno, logged, and what had been mapped is unmapped again.
 */
int udma_domain_add(struct udma_domain *domain);
/** Places no region outside of these ranges, from now on. */
void udma_domains_limit(const struct udma_iova_ranges *ranges);
/** As udma_domains_limit(), for a domain that can map less than before. */
void udma_domain_limit(struct udma_domain *domain, const struct udma_iova_ranges *ranges);
/** Tells it of no more changes. What is mapped stays, and ends with the domain. */
void udma_domain_remove(struct udma_domain *domain);

/**
 * Maps a region in every domain; with the registry's lock.
 *
 * \return 0; what one of them refused with, and none has it.
 */
int udma_domains_map(const struct udma_region *region);
/** \return the bytes of all that is registered, `region` among them: it may just be about to be;
 * with the registry's lock. */
uint64_t udma_domains_bytes(const struct udma_region *region);
/** Takes a region out of every domain; with the registry's lock. */
void udma_domains_unmap(const struct udma_region *region);

#endif
