/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A machine made of files: functions in a tree that stands in for sysfs and /dev, and what the
 * tests of real functions do with them.
 */

#ifndef PCI_TEST_H
#define PCI_TEST_H

#include "support.h"
#include "env/sysfs.h"
#include "pci/real.h"
#include "udma/pci.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#define DEVICES 4

static struct spdk_pci_device *g_device[DEVICES]; /* taken, by function number */
static char g_offered[64];                        /* function numbers, in order */
static int g_answer;                              /* of the callback */

static inline void
set(const char *address, const char *file, const char *text)
{
	char name[128];

	snprintf(name, sizeof(name), "bus/pci/devices/%s/%s", address, file);
	tree_file(name, text);
}

static inline void
bind_to(const char *address, const char *driver)
{
	char name[128], target[128];

	snprintf(name, sizeof(name), "bus/pci/devices/%s/driver", address);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	unlink(tree_path(name));
	if (driver[0] != '\0') {
		tree_link(name, target);
	}
}

/** \param group -1 for none. */
static inline void
add_function(const char *address, const char *driver, int group)
{
	char name[128], target[128];

	set(address, "vendor", "0x8086\n");
	set(address, "device", "0x2021\n");
	set(address, "numa_node", "0\n");
	set(address, "resource",
	    "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n"
	    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
	bind_to(address, driver);
	if (group >= 0) {
		snprintf(name, sizeof(name), "bus/pci/devices/%s/iommu_group", address);
		snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%d", group);
		tree_link(name, target);
		snprintf(name, sizeof(name), "kernel/iommu_groups/%d/devices/%s", group, address);
		tree_link(name, "..");
	}
}

static inline int
start_env(const char *iova_mode)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	spdk_env_opts_init(&opts);
	opts.iova_mode = iova_mode;
	return spdk_env_init(&opts);
}

static inline int
take(void *ctx, struct spdk_pci_device *device)
{
	char number[8];

	(void)ctx;
	snprintf(number, sizeof(number), "%u ", device->addr.func);
	strcat(g_offered, number);
	assert_true(device->addr.func < DEVICES);
	if (g_answer == 0) {
		g_device[device->addr.func] = device;
	}
	return g_answer;
}

/** Offers all functions. \return the numbers of those offered. */
static inline const char *
enumerate(void)
{
	g_offered[0] = '\0';
	assert_int_equal(spdk_pci_enumerate(spdk_pci_ioat_get_driver(), take, NULL), 0);
	return g_offered;
}

static inline int
map_bar(unsigned function, unsigned bar)
{
	uint64_t phys, size;
	void *addr;

	return spdk_pci_device_map_bar(g_device[function], bar, &addr, &phys, &size);
}

static inline void
make_machine(void)
{
	static char dev[96];

	make_tree();
	snprintf(dev, sizeof(dev), "%s/dev", g_tree);
	udma_sysfs_root = g_tree;
	udma_pci_claim_dir = g_tree;
	udma_pci_dev_dir = dev;
	mkdir(dev, 0755);
	unsetenv("UDMA_EMULATE");
	memset(g_device, 0, sizeof(g_device));
	g_offered[0] = '\0';
	g_answer = 0;
	capture_log();
}

static inline void
remove_machine(void)
{
	spdk_env_fini();
	remove_tree();
	spdk_log_close();
}

/** The log since capture_log() contains `text`. */
static inline void
assert_logged(const char *text)
{
	if (strstr(g_logged, text) == NULL) {
		fail_msg("expected '%s' in the log: %s", text, g_logged);
	}
	capture_log();
}

static inline unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count;
}

/** Whether a descriptor of this process leads to a file of the tree below `name`. */
static inline bool
has_open_below(const char *name)
{
	char below[512], target[PATH_MAX];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	bool found = false;

	snprintf(below, sizeof(below), "%s", tree_path(name));
	while ((entry = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		found = found || strncmp(target, below, strlen(below)) == 0;
	}
	closedir(dir);
	return found;
}

/** An emulator of the processor takes any advice about memory, and follows none. */
static inline bool
is_advice_followed(void *addr)
{
	return madvise(addr, 1, 9999) != 0;
}

/** What a child of fork() has of the function that its parent drives. \return 0: nothing, and it
 * can end the environment, and goes on in one of its own. */
static inline int
inherits(const char *file, void *bar)
{
	uint16_t value;
	int other;

	if (has_open_below("dev") || has_open_below(file)) {
		return 1;
	}
	if (is_advice_followed(bar) && (msync(bar, 1, MS_ASYNC) == 0 || errno != ENOMEM)) {
		return 2;
	}
	if (spdk_pci_device_cfg_read16(g_device[0], &value, 0) != -EPERM ||
	    map_bar(0, 0) != -EPERM) {
		return 3;
	}
	/* What is the child's own stays when it lets go of what it has of its parent. */
	other = open("/dev/null", O_RDWR);
	if (mmap(bar, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != bar) {
		return 4;
	}
	spdk_pci_device_detach(g_device[0]);
	spdk_env_fini();
	if (fcntl(other, F_GETFD) < 0 || msync(bar, 1, MS_ASYNC) != 0) {
		return 5;
	}
	return start_env(NULL) == 0 ? 0 : 6;
}

static inline void
assert_not_inherited(const char *file)
{
	uint64_t phys, size;
	uint16_t value;
	int status;
	pid_t child;
	void *bar;

	assert_int_equal(spdk_pci_device_map_bar(g_device[0], 0, &bar, &phys, &size), 0);
	child = fork();
	if (child == 0) {
		_exit(inherits(file, bar));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* For the parent nothing has changed. */
	assert_true(has_open_below("dev") && has_open_below(file));
	*(volatile uint32_t *)bar = 42;
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 4), 0);
	assert_int_equal(value, 2);
}

/** A child that does something first, and then waits to be ended. \return its id. */
static inline pid_t
start_holder(void (*hold)(void))
{
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves it behind */
		hold();
		if (write(ready[1], "", 1) != 1) {
			_exit(1);
		}
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static inline void
end_holder(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#endif
