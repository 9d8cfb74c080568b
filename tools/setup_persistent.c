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
		printf("ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", "
		       "ATTR{driver_override}=\"%s\"\n",
		       function->name, function->driver);
		if (options->user != NULL && function->pci.iommu_group >= 0) {
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

struct sum {
	const struct setup_options *options;
	unsigned nodes, kilobytes;
	unsigned long count;
};

static void
count_nodes(void *ctx, const struct setup_pages *pages)
{
	struct sum *sum = ctx;

	sum->nodes += pages->kilobytes == sum->kilobytes;
}

/** sysctl knows no nodes; systemd-tmpfiles writes to a file. */
static void
print_node(void *ctx, const struct setup_pages *pages)
{
	struct sum *sum = ctx;
	unsigned long count;

	if (pages->kilobytes == sum->kilobytes &&
	    setup_pages_wanted(sum->options, pages->node, sum->nodes, &count) == STATUS_OK &&
	    count > 0) {
		printf("w /sys/devices/system/node/node%d/hugepages/hugepages-%ukB/nr_hugepages - "
		       "- - - %lu\n",
		       pages->node, pages->kilobytes, count);
	}
}

static void
print_pages(const struct setup_options *options)
{
	struct sum sum = {.options = options, .kilobytes = setup_usual_kilobytes()};

	if (options->huge_nodes != NULL) {
		puts("\n# /etc/tmpfiles.d/udma.conf");
		setup_each_pages(count_nodes, &sum);
		setup_each_pages(print_node, &sum);
		return;
	}
	setup_pages_wanted(options, -1, 1, &sum.count);
	printf("\n# /etc/sysctl.d/60-udma.conf\nvm.nr_hugepages = %lu\n", sum.count);
}

void
setup_print_persistent(const struct setup_machine *machine, const struct setup_options *options)
{
	print_rules(machine, options);
	print_modules(machine);
	if (!options->no_huge) {
		print_pages(options);
	}
	if (options->user != NULL) {
		printf("\n# /etc/security/limits.d/udma.conf\n%s - memlock unlimited\n",
		       options->user);
	}
}
