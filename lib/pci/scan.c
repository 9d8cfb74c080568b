/* SPDX-License-Identifier: BSD-3-Clause */

/* The machine's I/OAT functions, as sysfs shows them. */

#include "pci_internal.h"
#include "../env/sysfs.h"
#include "spdk/log.h"
#include "udma/pci.h"

#define DEVICES "bus/pci/devices"

struct function_list {
	struct udma_pci_function *function;
	size_t count;
};

/* \return a file's number; `otherwise` if it is missing or holds anything else. */
static long
number_or(long otherwise, const char *name, const char *file, long min, long max)
{
	long value;

	return udma_sysfs_read_number(&value, min, max, DEVICES "/%s/%s", name, file) == 0
		       ? value
		       : otherwise;
}

static int
iommu_group(const char *name)
{
	char text[32], *end;
	long group;

	if (udma_sysfs_read_link(text, sizeof(text), DEVICES "/%s/iommu_group", name) != 0 ||
	    !isdigit((unsigned char)text[0])) {
		return -1;
	}
	group = strtol(text, &end, 10);
	return *end == '\0' && group <= INT_MAX ? (int)group : -1;
}

/* vfio-pci; or uio_pci_generic, or another that makes a UIO device of it. */
static bool
is_usable(const char *name, const char *driver)
{
	char path[PATH_MAX];

	return strcmp(driver, UDMA_PCI_VFIO_DRIVER) == 0 ||
	       (udma_sysfs_path(path, sizeof(path), DEVICES "/%s/uio", name) == 0 &&
		access(path, F_OK) == 0);
}

/* \return whether a directory of sysfs is an I/OAT function. */
static bool
read_function(struct udma_pci_function *function, const char *name)
{
	memset(function, 0, sizeof(*function));
	if (udma_pci_addr_parse(&function->addr, name, strlen(name)) != 0) {
		return false;
	}
	function->id.vendor_id = (uint16_t)number_or(0, name, "vendor", 0, UINT16_MAX);
	function->id.device_id = (uint16_t)number_or(0, name, "device", 0, UINT16_MAX);
	if (function->id.vendor_id != SPDK_PCI_VID_INTEL ||
	    udma_pci_generation(function->id.device_id) == NULL) {
		return false;
	}
	function->id.class_id = (uint32_t)number_or(0, name, "class", 0, 0xffffff);
	function->id.subvendor_id = (uint16_t)number_or(0, name, "subsystem_vendor", 0, UINT16_MAX);
	function->id.subdevice_id = (uint16_t)number_or(0, name, "subsystem_device", 0, UINT16_MAX);
	function->numa_id = (int)number_or(SPDK_ENV_NUMA_ID_ANY, name, "numa_node", 0, INT_MAX);
	if (udma_sysfs_read_link(function->driver, sizeof(function->driver), DEVICES "/%s/driver",
				 name) != 0) {
		function->driver[0] = '\0';
	}
	function->usable = is_usable(name, function->driver);
	function->iommu_group = iommu_group(name);
	return true;
}

static int
append(struct function_list *list, const struct udma_pci_function *function)
{
	struct udma_pci_function *grown;

	grown = reallocarray(list->function, list->count + 1, sizeof(*grown));
	if (grown == NULL) {
		return -ENOMEM;
	}
	grown[list->count++] = *function;
	list->function = grown;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct udma_pci_function *left = a, *right = b;

	return spdk_pci_addr_compare(&left->addr, &right->addr);
}

/* Reads all before any is shown: a visitor may do what it likes, and takes its time. */
static int
read_functions(struct function_list *list)
{
	struct udma_pci_function function;
	char path[PATH_MAX];
	struct dirent *entry;
	int rc = udma_sysfs_path(path, sizeof(path), DEVICES);
	DIR *dir;

	if (rc != 0) {
		return rc;
	}
	dir = opendir(path);
	if (dir == NULL) {
		return -errno;
	}
	do {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			rc = -errno;
		} else if (read_function(&function, entry->d_name)) {
			rc = append(list, &function);
		}
	} while (entry != NULL && rc == 0);
	closedir(dir);
	return rc;
}

int
udma_pci_scan(int (*fn)(void *ctx, const struct udma_pci_function *function), void *ctx)
{
	struct function_list list = {0};
	int rc = read_functions(&list);

	/* A machine without PCI is an answer, not a failure. */
	if (rc != 0 && rc != -ENOENT) {
		SPDK_ERRLOG("cannot list PCI devices in %s/" DEVICES ": %s\n", udma_sysfs_root,
			    strerror(-rc));
	}
	if (list.count > 0) {
		qsort(list.function, list.count, sizeof(*list.function), compare);
	}
	for (size_t i = 0; rc == 0 && i < list.count; i++) {
		list.function[i].holder = udma_pci_claim_holder(&list.function[i].addr);
		rc = fn(ctx, &list.function[i]);
	}
	free(list.function);
	return rc;
}
