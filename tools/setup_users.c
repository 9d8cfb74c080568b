/* SPDX-License-Identifier: BSD-3-Clause */

/* Who uses a channel: a process that has its file open, or a client in the kernel. */

#include "setup.h"

#include "env/sysfs.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define DEVICES       "bus/pci/devices"
#define SUMMARY_BYTES 65536
#define MOST_FILES    4

/* ---- A process ---- */

struct search {
	struct setup_function *function;
	char files[MOST_FILES][64]; /* "/dev/vfio/7", "/dev/uio0" */
	unsigned count;
	const char *process;
};

static void
add_file(struct search *search, const char *folder, const char *name)
{
	if (search->count < MOST_FILES) {
		snprintf(search->files[search->count++], sizeof(search->files[0]), "%.32s%.31s",
			 folder, name);
	}
}

static bool
is_searched(const struct search *search, const char *file)
{
	for (unsigned i = 0; i < search->count; i++) {
		if (strcmp(search->files[i], file) == 0) {
			return true;
		}
	}
	return false;
}

static void
look_at_descriptor(void *ctx, const char *name)
{
	struct search *search = ctx;
	char path[PATH_MAX], target[PATH_MAX], comm[32];
	ssize_t length;

	setup_path(path, "/proc/%s/fd/%s", search->process, name);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	if (!is_searched(search, target) || search->function->user[0] != '\0') {
		return;
	}
	if (udma_sysfs_read(comm, sizeof(comm), "../proc/%s/comm", search->process) != 0) {
		strcpy(comm, "?");
	}
	setup_make_printable(comm);
	snprintf(search->function->user, sizeof(search->function->user), "process %.10s (%s)",
		 search->process, comm);
	search->function->used_by_process = true;
}

static void
look_at_process(void *ctx, const char *name)
{
	struct search *search = ctx;
	char path[PATH_MAX];

	if (isdigit((unsigned char)name[0])) {
		search->process = name;
		setup_path(path, "/proc/%s/fd", name);
		setup_each_name(path, look_at_descriptor, search);
	}
}

static void
note_uio(void *ctx, const char *name)
{
	add_file(ctx, "/dev/", name);
}

static void
note_vfio(void *ctx, const char *name)
{
	add_file(ctx, "/dev/vfio/devices/", name);
}

/** By each way to open it: its group, itself, or UIO. */
static void
find_process(struct setup_function *function)
{
	struct search search = {.function = function};
	char path[PATH_MAX], group[16];

	if (function->pci.iommu_group >= 0) {
		snprintf(group, sizeof(group), "%d", function->pci.iommu_group);
		add_file(&search, function->has_iommu ? "/dev/vfio/" : "/dev/vfio/noiommu-", group);
	}
	setup_path(path, "/sys/" DEVICES "/%s/vfio-dev", function->name);
	setup_each_name(path, note_vfio, &search);
	setup_path(path, "/sys/" DEVICES "/%s/uio", function->name);
	setup_each_name(path, note_uio, &search);
	if (search.count > 0) {
		setup_path(path, "/proc");
		setup_each_name(path, look_at_process, &search);
	}
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
	setup_make_printable(who);
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
