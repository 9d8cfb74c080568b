/* SPDX-License-Identifier: BSD-3-Clause */

/* The allow and block lists: which functions are offered by enumeration. */

#include "pci_internal.h"
#include "spdk/log.h"

struct addr_list {
	struct spdk_pci_addr *addr;
	size_t count;
};

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static bool g_only_listed;          /* the list from the options allows; otherwise it blocks */
static struct addr_list g_listed;   /* from the options */
static struct addr_list g_excepted; /* allowed whatever the options say */

static bool
has(const struct addr_list *list, const struct spdk_pci_addr *addr)
{
	for (size_t i = 0; i < list->count; i++) {
		if (spdk_pci_addr_compare(&list->addr[i], addr) == 0) {
			return true;
		}
	}
	return false;
}

static void
clear(struct addr_list *list)
{
	free(list->addr);
	*list = (struct addr_list){0};
}

static int
append(struct addr_list *list, const struct spdk_pci_addr *addr, size_t count)
{
	struct spdk_pci_addr *grown;

	grown = reallocarray(list->addr, list->count + count, sizeof(*grown));
	if (grown == NULL) {
		SPDK_ERRLOG("cannot keep a list of %zu PCI addresses: no memory\n",
			    list->count + count);
		return -ENOMEM;
	}
	memcpy(grown + list->count, addr, count * sizeof(*grown));
	list->addr = grown;
	list->count += count;
	return 0;
}

int
udma_pci_lists_init(const struct spdk_env_opts *opts)
{
	const struct spdk_pci_addr *given =
		opts->pci_allowed ? opts->pci_allowed : opts->pci_blocked;
	int rc = 0;

	if (opts->num_pci_addr == 0 || given == NULL) {
		return 0;
	}
	if (opts->pci_allowed != NULL && opts->pci_blocked != NULL) {
		SPDK_ERRLOG("pci_allowed and pci_blocked given: set one of them to NULL\n");
		return -EINVAL;
	}
	pthread_mutex_lock(&g_lock);
	clear(&g_listed);
	g_only_listed = opts->pci_allowed != NULL;
	rc = append(&g_listed, given, opts->num_pci_addr);
	pthread_mutex_unlock(&g_lock);
	return rc;
}

void
udma_pci_lists_fini(void)
{
	pthread_mutex_lock(&g_lock);
	clear(&g_listed);
	clear(&g_excepted);
	g_only_listed = false;
	pthread_mutex_unlock(&g_lock);
}

bool
udma_pci_is_allowed(const struct spdk_pci_addr *addr)
{
	bool allowed;

	pthread_mutex_lock(&g_lock);
	allowed = has(&g_listed, addr) == g_only_listed || has(&g_excepted, addr);
	pthread_mutex_unlock(&g_lock);
	return allowed;
}

int
spdk_pci_device_allow(struct spdk_pci_addr *pci_addr)
{
	int rc = 0;

	if (pci_addr == NULL) {
		SPDK_ERRLOG("cannot allow a PCI device: no address given\n");
		return -EINVAL;
	}
	pthread_mutex_lock(&g_lock);
	if (!has(&g_excepted, pci_addr)) {
		rc = append(&g_excepted, pci_addr, 1);
	}
	pthread_mutex_unlock(&g_lock);
	return rc;
}
