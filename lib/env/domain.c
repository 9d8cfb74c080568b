/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "domain.h"
#include "registry.h"

static TAILQ_HEAD(domain_list, udma_domain) domains = TAILQ_HEAD_INITIALIZER(domains);

/** After a fork the parent's devices go on, and what they reach is the parent's to change. */
static bool
is_ours(const struct udma_domain *domain)
{
	return domain->process == getpid();
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
		rc = domain->map(domain, &region);
		if (rc != 0) {
			unmap_below(domain, region.vaddr);
		}
	}
	if (rc == 0) {
		TAILQ_INSERT_TAIL(&domains, domain, link);
	}
	udma_registry_unlock();
	return rc;
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
		int rc = is_ours(domain) ? domain->map(domain, region) : 0;

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
