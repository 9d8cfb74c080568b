/* SPDX-License-Identifier: BSD-3-Clause */

/* Who uses a channel: a process that has its file open, or a client in the kernel. */

#include "setup.h"
#include "tool.h"

#include "env/sysfs.h"
#include "pci/pci_internal.h"

#include <string.h>
#include <unistd.h>

#define DEVICES       "bus/pci/devices"
#define SUMMARY_BYTES 65536

/* ---- A process ---- */

/** Looks for the process that has a file open, until one is found. */
static void
find_holder(struct setup_function *function, const char *folder, const char *name)
{
	char file[PATH_MAX], comm[32];
	pid_t holder = 0;

	if (function->user[0] == '\0') {
		snprintf(file, sizeof(file), "%s%s", folder, name);
		holder = udma_pci_find_holder(file);
	}
	if (holder != 0) {
		udma_pci_process_name(holder, comm, sizeof(comm));
		snprintf(function->user, sizeof(function->user), "process %d (%s)", (int)holder,
			 comm);
		function->used_by_process = true;
	}
}

static void
note_uio(void *ctx, const char *name)
{
	find_holder(ctx, "/dev/", name);
}

static void
note_vfio(void *ctx, const char *name)
{
	find_holder(ctx, "/dev/vfio/devices/", name);
}

/** By each way to open it: its group, itself, or UIO. */
static void
find_process(struct setup_function *function)
{
	char path[PATH_MAX], group[16];

	if (function->pci.iommu_group >= 0) {
		snprintf(group, sizeof(group), "%d", function->pci.iommu_group);
		find_holder(function, function->has_iommu ? "/dev/vfio/" : "/dev/vfio/noiommu-",
			    group);
	}
	setup_path(path, "/sys/" DEVICES "/%s/vfio-dev", function->name);
	setup_each_name(path, note_vfio, function);
	setup_path(path, "/sys/" DEVICES "/%s/uio", function->name);
	setup_each_name(path, note_uio, function);
}

/* ---- The kernel ---- */

/** What the kernel says of a channel in debugfs: "dma0chan0    | who". \return whether it does. */
static bool
read_summary(const char *channel, char *who, size_t size)
{
	char text[SUMMARY_BYTES], *line, *rest = text;

	if (udma_sysfs_read(text, sizeof(text), "kernel/debug/dmaengine/summary") != 0) {
		return false;
	}
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t length = strlen(channel);
		char *bar = strchr(line, '|');

		line += strspn(line, " ");
		if (bar != NULL && strncmp(line, channel, length) == 0 && line[length] == ' ') {
			snprintf(who, size, "%.64s", bar + 1 + strspn(bar + 1, " "));
			/* It has no name there. */
			return strcmp(who, "in-use") != 0;
		}
	}
	return false;
}

/** The modules that use any channel that they can get, as far as they are loaded. */
static void
name_modules(char *who, size_t size)
{
	static const char *const modules[] = {"async_tx", "dmatest", "ntb_transport", "ntb_perf"};
	size_t used = 0;
	char path[PATH_MAX];

	who[0] = '\0';
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		setup_path(path, "/sys/module/%s", modules[i]);
		if (access(path, F_OK) == 0 && used < size) {
			used += (size_t)snprintf(who + used, size - used, "%s%s",
						 used > 0 ? " or " : "", modules[i]);
		}
	}
}

static void
look_at_channel(void *ctx, const char *channel)
{
	struct setup_function *function = ctx;
	char who[96];
	long clients;

	if (udma_sysfs_read_number(&clients, 0, INT_MAX, DEVICES "/%s/dma/%s/in_use",
				   function->name, channel) != 0 ||
	    clients == 0) {
		return;
	}
	if (!read_summary(channel, who, sizeof(who))) {
		name_modules(who, sizeof(who));
	}
	make_printable(who);
	snprintf(function->user, sizeof(function->user), "the kernel%s%s%s",
		 who[0] != '\0' ? " (" : "", who, who[0] != '\0' ? ")" : "");
}

void
setup_find_user(struct setup_function *function)
{
	char path[PATH_MAX];

	setup_path(path, "/sys/" DEVICES "/%s/dma", function->name);
	setup_each_name(path, look_at_channel, function);
	if (function->user[0] == '\0') {
		find_process(function);
	}
}
