/* SPDX-License-Identifier: BSD-3-Clause */

/* Drivers by name. They register from constructors, maybe before any of ours has run. */

#include "pci_internal.h"
#include "spdk/log.h"

struct spdk_pci_driver {
	const char *name;
	struct spdk_pci_id *id_table;
	uint32_t flags;
	struct spdk_pci_driver *next;
};

static struct spdk_pci_driver g_ioat = {
	.name = "ioat",
	.id_table = udma_pci_ioat_ids,
	.flags = SPDK_PCI_DRIVER_NEED_MAPPING,
};

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static struct spdk_pci_driver *g_drivers = &g_ioat;

static struct spdk_pci_driver *
find_driver(const char *name)
{
	struct spdk_pci_driver *driver = g_drivers;

	while (driver != NULL && strcmp(driver->name, name) != 0) {
		driver = driver->next;
	}
	return driver;
}

void
spdk_pci_driver_register(const char *name, struct spdk_pci_id *id_table, uint32_t flags)
{
	struct spdk_pci_driver *driver;

	if (name == NULL || id_table == NULL) {
		SPDK_ERRLOG("cannot register a PCI driver without %s\n", name ? "ids" : "a name");
		return;
	}
	pthread_mutex_lock(&g_lock);
	driver = find_driver(name);
	if (driver == NULL && (driver = calloc(1, sizeof(*driver))) != NULL) {
		driver->name = name;
		driver->next = g_drivers;
		g_drivers = driver;
	}
	if (driver != NULL) {
		driver->id_table = id_table;
		driver->flags = flags;
	}
	pthread_mutex_unlock(&g_lock);
	if (driver == NULL) {
		SPDK_ERRLOG("cannot register the PCI driver '%s': no memory\n", name);
	}
}

struct spdk_pci_driver *
spdk_pci_get_driver(const char *name)
{
	struct spdk_pci_driver *driver;

	if (name == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&g_lock);
	driver = find_driver(name);
	pthread_mutex_unlock(&g_lock);
	return driver;
}

struct spdk_pci_driver *
spdk_pci_ioat_get_driver(void)
{
	return &g_ioat;
}

struct spdk_pci_driver *
spdk_pci_nvme_get_driver(void)
{
	return spdk_pci_get_driver("nvme");
}

struct spdk_pci_driver *
spdk_pci_vmd_get_driver(void)
{
	return spdk_pci_get_driver("vmd");
}

struct spdk_pci_driver *
spdk_pci_idxd_get_driver(void)
{
	return spdk_pci_get_driver("idxd");
}

struct spdk_pci_driver *
spdk_pci_ae4dma_get_driver(void)
{
	return spdk_pci_get_driver("ae4dma");
}

struct spdk_pci_driver *
spdk_pci_virtio_get_driver(void)
{
	return spdk_pci_get_driver("virtio");
}
