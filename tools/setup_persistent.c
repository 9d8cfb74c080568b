/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup config --persistent: what an administrator may install to have it after each boot. */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"

#include <string.h>

#define MEMINFO_BYTES 16384

/** A pattern that matches functions: those that are wanted, or all. */
static void
print_names(const struct setup_machine *machine, bool wanted_only)
{
	const char *before = "ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"";

	for (unsigned i = 0; i < machine->count; i++) {
		if (machine->list[i].wanted || !wanted_only) {
			printf("%s%s", before, machine->list[i].name);
			before = "|";
		}
	}
	printf("\"");
}

/**
 * Whichever function of the machine comes first, all that are wanted are marked: behind this rule
 * udev loads the kernel's driver for it, which would take those that are not.
 */
static void
print_marks(const struct setup_machine *machine)
{
	print_names(machine, false);
	for (unsigned i = 0; i < machine->count; i++) {
		const struct setup_function *function = &machine->list[i];

		if (function->wanted) {
			printf(", \\\n  ATTR{[pci/%s]driver_override}=\"%s\"", function->name,
			       function->driver);
		}
	}
	puts("");
}

static void
print_rules(const struct setup_machine *machine, const struct setup_options *options)
{
	bool any = false;

	puts("# /etc/udev/rules.d/60-udma.rules");
	for (unsigned i = 0; i < machine->count; i++) {
		any = any || machine->list[i].wanted;
	}
	if (!any) {
		return;
	}
	print_marks(machine);
	/* The driver may be there already, and has not seen that it may have them. */
	print_names(machine, true);
	puts(", RUN+=\"/bin/sh -c 'echo %k >/sys/bus/pci/drivers_probe'\"");
	for (unsigned i = 0; i < machine->count && options->user != NULL; i++) {
		const struct setup_function *function = &machine->list[i];

		if (function->wanted && setup_can_give(function)) {
			printf("SUBSYSTEM==\"vfio\", KERNEL==\"%d\", OWNER=\"%s\"\n",
			       function->pci.iommu_group, options->user);
		}
	}
}

static void
print_modules(const struct setup_machine *machine)
{
	const char *last = "";

	puts("\n# /etc/modules-load.d/udma.conf");
	for (unsigned i = 0; i < machine->count; i++) {
		const struct setup_function *function = &machine->list[i];

		if (function->wanted && strcmp(function->driver, last) != 0) {
			last = function->driver;
			puts(last);
		}
	}
}

/** Whether a size of hugepages is the kernel's default, which sysctl sets the number of. */
static bool
is_default_size(unsigned kilobytes)
{
	char text[MEMINFO_BYTES], *line;
	unsigned usual;

	return udma_sysfs_read(text, sizeof(text), "../proc/meminfo") == 0 &&
	       (line = strstr(text, "Hugepagesize:")) != NULL &&
	       sscanf(line, "Hugepagesize: %u kB", &usual) == 1 && usual == kilobytes;
}

static bool
is_any_wanted(const struct setup_requests *requests)
{
	bool any = requests->all_nodes && requests->total > 0;

	for (unsigned i = 0; i < requests->count; i++) {
		any = any || requests->list[i].count > 0;
	}
	return any;
}

/** sysctl knows no nodes, and one size; systemd-tmpfiles writes to a file. */
static void
print_pages(const struct setup_requests *requests)
{
	if (!is_any_wanted(requests)) {
		return;
	}
	if (requests->all_nodes && is_default_size(requests->kilobytes)) {
		printf("\n# /etc/sysctl.d/60-udma.conf\nvm.nr_hugepages = %lu\n", requests->total);
		return;
	}
	puts("\n# /etc/tmpfiles.d/udma.conf");
	if (requests->all_nodes) {
		printf("w /sys/kernel/mm/hugepages/hugepages-%ukB/nr_hugepages - - - - %lu\n",
		       requests->kilobytes, requests->total);
	}
	for (unsigned i = 0; i < requests->count; i++) {
		if (requests->list[i].count == 0) {
			continue;
		}
		printf("w /sys/devices/system/node/node%d/hugepages/hugepages-%ukB/nr_hugepages"
		       " - - - - %lu\n",
		       requests->list[i].node, requests->kilobytes, requests->list[i].count);
	}
}

static bool
is_any_given(const struct setup_machine *machine)
{
	bool any = false;

	for (unsigned i = 0; i < machine->count; i++) {
		any = any || (machine->list[i].wanted && setup_can_give(&machine->list[i]));
	}
	return any;
}

void
setup_print_persistent(const struct setup_machine *machine, const struct setup_options *options,
		       const struct setup_requests *requests)
{
	print_rules(machine, options);
	print_modules(machine);
	if (!options->no_huge) {
		print_pages(requests);
	}
	if (options->user != NULL && is_any_given(machine)) {
		printf("\n# /etc/security/limits.d/udma.conf\n%s - memlock unlimited\n",
		       options->user);
	}
}
