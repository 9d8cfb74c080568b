/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include "domain.h"
#include "registry.h"

static TAILQ_HEAD(domain_list, udma_domain) domains = TAILQ_HEAD_INITIALIZER(domains);

/** After a fork the parent's devices go on, and what they reach is the parent's to change. */
static bool
is_ours(const struct udma_domain *domain)
{
	return domain->process == getpid();
}

static int
map(struct udma_domain *domain, const struct udma_region *region)
{
	if (!udma_iova_ranges_hold(&domain->ranges, region->iova, region->len)) {
		SPDK_ERRLOG("an IOMMU cannot map %" PRIu64 " bytes at the I/O address %#" PRIx64
			    ", it takes other addresses, up to %u bits; with iova_mode \"mapped\" "
			    "memory is placed where it can\n",
			    region->len, region->iova, udma_iova_ranges_bits(&domain->ranges));
		return -ENOTSUP;
	}
	return domain->map(domain, region);
}

/** Unmaps what is registered below an address. */
static void
unmap_below(struct udma_domain *domain, uint64_t end)
{
	struct udma_region region;

	for (uint64_t at = 0; udma_registry_next_region(at, &region) && region.vaddr < end;
	     at = region.vaddr + region.len) {
		domain->unmap(domain, &region);
	}
}

int
udma_domain_add(struct udma_domain *domain)
{
	struct udma_region region;
	int rc = udma_registry_lock();

	if (rc != 0) {
		return rc;
	}
	domain->process = getpid();
	for (uint64_t at = 0; rc == 0 && udma_registry_next_region(at, &region);
	     at = region.vaddr + region.len) {
		rc = map(domain, &region);
		if (rc != 0) {
			unmap_below(domain, region.vaddr);
		}
	}
	if (rc == 0) {
		udma_iova_limit(&domain->ranges);
		TAILQ_INSERT_TAIL(&domains, domain, link);
	}
	udma_registry_unlock();
	return rc;
}

void
udma_domains_limit(const struct udma_iova_ranges *ranges)
{
	if (udma_registry_lock() == 0) {
		udma_iova_limit(ranges);
		udma_registry_unlock();
	}
}

void
udma_domain_limit(struct udma_domain *domain, const struct udma_iova_ranges *ranges)
{
	if (udma_registry_lock() == 0) {
		domain->ranges = *ranges;
		udma_iova_limit(ranges);
		udma_registry_unlock();
	}
}

void
udma_domain_remove(struct udma_domain *domain)
{
	if (udma_registry_lock() == 0) {
		TAILQ_REMOVE(&domains, domain, link);
		udma_registry_unlock();
	}
}

int
udma_domains_map(const struct udma_region *region)
{
	struct udma_domain *domain;

	TAILQ_FOREACH (domain, &domains, link) {
		int rc = is_ours(domain) ? map(domain, region) : 0;

		if (rc != 0) {
			while ((domain = TAILQ_PREV(domain, domain_list, link)) != NULL) {
				if (is_ours(domain)) {
					domain->unmap(domain, region);
				}
			}
			return rc;
		}
	}
	return 0;
}

void
udma_domains_unmap(const struct udma_region *region)
{
	struct udma_domain *domain;

	TAILQ_FOREACH (domain, &domains, link) {
		if (is_ours(domain)) {
			domain->unmap(domain, region);
		}
	}
}

uint64_t
udma_domains_bytes(const struct udma_region *region)
{
	struct udma_region known;
	uint64_t sum = region->len;

	for (uint64_t at = 0; udma_registry_next_region(at, &known); at = known.vaddr + known.len) {
		sum += known.vaddr != region->vaddr ? known.len : 0;
	}
	return sum;
}
