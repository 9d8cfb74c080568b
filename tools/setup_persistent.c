/* SPDX-License-Identifier: BSD-3-Clause */

/* udma setup config --persistent: what an administrator may install to have it after each boot. */

#include "setup.h"
#include "tool.h"

#include <string.h>

static void
print_rules(const struct setup_machine *machine, const struct setup_options *options)
{
	puts("# /etc/udev/rules.d/60-udma.rules");
	for (unsigned i = 0; i < machine->count; i++) {
		const struct setup_function *function = &machine->list[i];

		if (!function->wanted) {
			continue;
		}
		/* The driver may be there already, and has not seen that it may have it. */
		printf("ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", "
		       "ATTR{driver_override}=\"%s\", "
		       "RUN+=\"/bin/sh -c 'echo %%k >/sys/bus/pci/drivers_probe'\"\n",
		       function->name, function->driver);
		if (options->user != NULL && function->has_iommu) {
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

/** sysctl knows no nodes; systemd-tmpfiles writes to a file. */
static void
print_pages(const struct setup_requests *requests)
{
	if (requests->all_nodes) {
		printf("\n# /etc/sysctl.d/60-udma.conf\nvm.nr_hugepages = %lu\n", requests->total);
		return;
	}
	puts("\n# /etc/tmpfiles.d/udma.conf");
	for (unsigned i = 0; i < requests->count; i++) {
		printf("w /sys/devices/system/node/node%d/hugepages/hugepages-%ukB/nr_hugepages"
		       " - - - - %lu\n",
		       requests->list[i].node, requests->kilobytes, requests->list[i].count);
	}
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
	if (options->user != NULL) {
		printf("\n# /etc/security/limits.d/udma.conf\n%s - memlock unlimited\n",
		       options->user);
	}
}
