/* SPDX-License-Identifier: BSD-3-Clause */

/* The I/OAT functions as udma setup needs to know them: with driver, group, and who uses them. */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "spdk/string.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES "bus/pci/devices"

void
setup_driver_of(const char *name, char *driver, size_t size)
{
	if (udma_sysfs_read_link(driver, size, DEVICES "/%s/driver", name) != 0) {
		driver[0] = '\0';
	}
}

void
setup_read_override(const char *name, char *driver, size_t size)
{
	/* The kernel prints "(null)" for none. */
	if (udma_sysfs_read(driver, size, DEVICES "/%s/driver_override", name) != 0 ||
	    strcmp(driver, "(null)") == 0) {
		driver[0] = '\0';
	}
}

void
setup_each_member(int group, void (*fn)(void *ctx, const char *name), void *ctx)
{
	char path[PATH_MAX];

	setup_path(path, "/sys/kernel/iommu_groups/%d/devices", group);
	setup_each_name(path, fn, ctx);
}

static bool
is_ioat(const char *name)
{
	long vendor, device;

	return udma_sysfs_read_number(&vendor, 0, UINT16_MAX, DEVICES "/%s/vendor", name) == 0 &&
	       udma_sysfs_read_number(&device, 0, UINT16_MAX, DEVICES "/%s/device", name) == 0 &&
	       vendor == SPDK_PCI_VID_INTEL && udma_pci_generation((uint16_t)device) != NULL;
}

/** Notes a member of the group that is no channel. */
static void
note_other(void *ctx, const char *name)
{
	struct setup_function *function = ctx;
	size_t used = strlen(function->others);
	char driver[DRIVER_BYTES];

	if (!is_ioat(name)) {
		setup_driver_of(name, driver, sizeof(driver));
		snprintf(function->others + used, sizeof(function->others) - used, "%s%s (%s)",
			 used > 0 ? ", " : "", name, driver[0] != '\0' ? driver : "no driver");
	}
}

/** VFIO makes a group for a function that it drives without an IOMMU. */
static bool
is_made_up(int group)
{
	char name[DRIVER_BYTES];

	return udma_sysfs_read(name, sizeof(name), "kernel/iommu_groups/%d/name", group) == 0 &&
	       strcmp(name, "vfio-noiommu") == 0;
}

/** Counts the groups that are the IOMMU's. */
static void
count_group(void *ctx, const char *name)
{
	struct setup_machine *machine = ctx;

	machine->groups += !is_made_up(atoi(name));
}

static int
add(void *ctx, const struct udma_pci_function *pci)
{
	struct setup_machine *machine = ctx;
	struct setup_function *function;

	function = reallocarray(machine->list, machine->count + 1, sizeof(*machine->list));
	if (function == NULL) {
		return -ENOMEM;
	}
	machine->list = function;
	function += machine->count++;
	*function = (struct setup_function){.pci = *pci};
	spdk_pci_addr_fmt(function->name, sizeof(function->name), &pci->addr);
	setup_read_override(function->name, function->override_driver,
			    sizeof(function->override_driver));
	function->has_iommu = pci->iommu_group >= 0 && !is_made_up(pci->iommu_group);
	if (pci->iommu_group >= 0) {
		setup_each_member(pci->iommu_group, note_other, function);
	}
	setup_find_user(function);
	return 0;
}

int
setup_machine_read(struct setup_machine *machine)
{
	char path[PATH_MAX], text[DRIVER_BYTES];
	int rc;

	memset(machine, 0, sizeof(*machine));
	rc = udma_pci_scan(add, machine);
	/* Without PCI there is no channel, and nothing wrong. */
	if (rc != 0 && rc != -ENOENT) {
		complain("cannot read the PCI devices in sysfs: %s", spdk_strerror(-rc));
		setup_machine_free(machine);
		return STATUS_FAILED;
	}
	setup_path(path, "/sys/kernel/iommu_groups");
	setup_each_name(path, count_group, machine);
	machine->noiommu =
		udma_sysfs_read(text, sizeof(text),
				"module/vfio/parameters/enable_unsafe_noiommu_mode") == 0 &&
		strcmp(text, "Y") == 0;
	return STATUS_OK;
}

void
setup_machine_free(struct setup_machine *machine)
{
	free(machine->list);
	machine->list = NULL;
	machine->count = 0;
}

struct setup_function *
setup_find(const struct setup_machine *machine, const char *name)
{
	for (unsigned i = 0; i < machine->count; i++) {
		if (strcmp(machine->list[i].name, name) == 0) {
			return &machine->list[i];
		}
	}
	return NULL;
}
