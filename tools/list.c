/* SPDX-License-Identifier: BSD-3-Clause */

/* udma list: the I/OAT functions of the machine, whoever drives them, and the emulated ones. */

#include "device.h"
#include "list.h"
#include "tool.h"

#include "pci/pci_internal.h"
#include "spdk/string.h"
#include "udma/pci.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"udma list - list the I/OAT channels of this machine\n"
	"\n"
	"Usage: udma list [OPTION]...\n"
	"\n"
	"For each channel: its address, vendor and device id, generation, whether it is real or\n"
	"emulated, the kernel driver that is bound to it, its NUMA node, whether udma can have it\n"
	"(its driver leaves it to user space, and no process holds it), what it can do (known of\n"
	"emulated ones only: others are not opened), and the process that holds it. '-' is none,\n"
	"or not known; '?' is a holder that this user is not told, if there is one.\n"
	"\n"
	"Options:\n"
	"  --emulate[=N[,OPTION=VALUE]...]\n"
	"                     list N emulated channels as well (default 1);\n" HELP_EMULATE_OPTIONS
	"  --json             print an array of objects\n"
	"  --help             print this\n"
	"\n"
	"Example:\n"
	"  udma list --emulate=2\n"
	"\n"
	"Exit status: 0 fine; 1 failed; 2 wrong usage, or no device.\n";

static struct entry *
add(struct entries *entries)
{
	struct entry *larger =
		reallocarray(entries->list, entries->count + 1, sizeof(*entries->list));

	if (larger == NULL) {
		entries->no_memory = true;
		return NULL;
	}
	entries->list = larger;
	larger[entries->count] = (struct entry){0};
	return &larger[entries->count++];
}

static int
add_real(void *ctx, const struct udma_pci_function *function)
{
	struct entry *entry = add(ctx);

	if (entry == NULL) {
		return -ENOMEM;
	}
	entry->function = *function;
	entry->kind = "real";
	if (function->holder > 0) {
		udma_pci_process_name(function->holder, entry->holder_name,
				      sizeof(entry->holder_name));
	}
	return 0;
}

static void
add_emulated(void *ctx, struct spdk_pci_device *device)
{
	struct entry *entry;

	if (strcmp(device_kind(device), "emulated") != 0) {
		return; /* sysfs has told of it */
	}
	entry = add(ctx);
	if (entry == NULL) {
		return;
	}
	entry->function.addr = spdk_pci_device_get_addr(device);
	entry->function.id = spdk_pci_device_get_id(device);
	entry->function.numa_id = spdk_pci_device_get_numa_id(device);
	entry->function.iommu_group = -1;
	entry->function.usable = true;
	entry->function.holder = getpid();
	entry->kind = "emulated";
	udma_pci_process_name(getpid(), entry->holder_name, sizeof(entry->holder_name));
}

static bool
is_emulated(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	return strcmp(device_kind(device), "emulated") == 0;
}

/** What a channel can do shows when it is open. */
static void
note_capabilities(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	struct spdk_pci_addr address = spdk_pci_device_get_addr(device);
	struct entries *entries = ctx;

	for (unsigned i = 0; i < entries->count; i++) {
		if (spdk_pci_addr_compare(&entries->list[i].function.addr, &address) == 0) {
			entries->list[i].capabilities = udma_ioat_get_capabilities(ioat);
		}
	}
	spdk_ioat_detach(ioat);
}

static int
add_all_emulated(struct entries *entries)
{
	int status = device_start(true);

	if (status != STATUS_OK) {
		return status;
	}
	spdk_pci_for_each_device(entries, add_emulated);
	if (spdk_ioat_probe(entries, is_emulated, note_capabilities) != 0) {
		complain("no emulated channel could be brought up");
		status = STATUS_FAILED;
	}
	spdk_env_fini();
	return status;
}

static int
collect(struct entries *entries)
{
	int rc = udma_pci_scan(add_real, entries);
	int status = STATUS_OK;

	/* Without sysfs there is nothing to find in it. */
	if (rc != 0 && rc != -ENOENT && rc != -ENOMEM) {
		complain("cannot read the PCI devices in sysfs: %s", spdk_strerror(-rc));
		return STATUS_FAILED;
	}
	if (device_is_emulating()) {
		status = add_all_emulated(entries);
	}
	if (entries->no_memory) {
		complain("no memory for the list");
		return STATUS_FAILED;
	}
	return status;
}

/* ---- The command ---- */

enum option_id {
	OPTION_EMULATE = 256,
	OPTION_JSON,
	OPTION_HELP,
};

static int
list(bool json)
{
	struct entries entries = {0};
	int status = collect(&entries);

	if (status == STATUS_OK && json) {
		list_print_json(&entries);
	} else if (status == STATUS_OK && entries.count > 0) {
		status = list_print_table(&entries);
	}
	if (status == STATUS_OK && entries.count == 0) {
		device_explain_none();
		status = STATUS_USAGE;
	}
	free(entries.list);
	return status;
}

int
list_main(int argc, char **argv)
{
	static const struct option known[] = {
		{"emulate", optional_argument, NULL, OPTION_EMULATE},
		{"json", no_argument, NULL, OPTION_JSON},
		{"help", no_argument, NULL, OPTION_HELP},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case OPTION_EMULATE:
			device_emulate(optarg != NULL ? optarg : "1");
			break;
		case OPTION_JSON:
			json = true;
			break;
		case OPTION_HELP:
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return bad_option(argv);
		}
	}
	if (optind < argc) {
		complain("'%s' is not expected; a value of --emulate follows after '='",
			 argv[optind]);
		return STATUS_USAGE;
	}
	return list(json);
}
