/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * VFIO's groups and containers. All groups of the process are in one container, so that memory is
 * mapped, and counted as locked, once. It exists as long as a group is in it, and is a domain
 * (env/domain.h) of the address space. Groups without an IOMMU need a container of their own, in
 * which nothing is mapped.
 */

#include "vfio_domain.h"

#include "env/sysfs.h"
#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"

#include <linux/vfio.h>

/* A program that starts looks at groups for a moment (udma_vfio_ask()), and keeps others out. What
 * is held for longer than all tries together take is in use. */
#define BUSY_TRIES    20
#define BUSY_PAUSE_NS 5000000

#define SET_UP "run 'udma setup', or bind the function to vfio-pci again"

static struct container {
	int fd;
	unsigned groups;
	struct udma_vfio_domain vfio_domain;
} g_containers[2] = {{.fd = -1}, {.fd = -1}};

static LIST_HEAD(, udma_vfio_group) g_groups = LIST_HEAD_INITIALIZER(g_groups);

static struct container *
container_of(const struct udma_vfio_group *group)
{
	return &g_containers[group->no_iommu];
}

static int
group_path(char *path, size_t size, int number, bool no_iommu)
{
	int n = snprintf(path, size, "%s/vfio/%s%d", udma_pci_dev_dir, no_iommu ? "noiommu-" : "",
			 number);

	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* ---- Steps, each without a word --------------------------------------------------------- */

/** \return a descriptor; a negative errno. */
static int
open_container(void)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/vfio/vfio", udma_pci_dev_dir);
	fd = udma_stay_open(path);
	if (fd < 0) {
		return fd;
	}
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
		udma_stay_close(fd);
		return -ENOTSUP;
	}
	return fd;
}

/** Opens the group's file, also of a group without an IOMMU. \return 0; a negative errno. */
static int
open_group(struct udma_vfio_group *group, char *path, size_t size)
{
	int rc = -ENOENT;

	for (int no_iommu = 0; rc == -ENOENT && no_iommu <= 1; no_iommu++) {
		rc = group_path(path, size, group->number, no_iommu);
		if (rc != 0) {
			return rc;
		}
		group->no_iommu = no_iommu;
		group->fd = udma_stay_open(path);
		rc = spdk_min(group->fd, 0);
	}
	if (rc == -ENOENT) {
		group_path(path, size, group->number, false);
	}
	return rc;
}

/** As open_group(), but waits while a group is busy. `tries` says how often yet, and is used up. */
static int
open_when_free(struct udma_vfio_group *group, char *path, size_t size, unsigned *tries)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	int rc = open_group(group, path, size);

	for (; rc == -EBUSY && *tries > 0; (*tries)--) {
		nanosleep(&pause, NULL);
		rc = open_group(group, path, size);
	}
	return rc;
}

static bool
is_viable(const struct udma_vfio_group *group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	return ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status) == 0 &&
	       (status.flags & VFIO_GROUP_FLAGS_VIABLE);
}

/** Puts a group into a container, and gives a container with its first group an IOMMU. */
static int
join(const struct udma_vfio_group *group, int container, bool first)
{
	int type = group->no_iommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
	int rc;

	if (ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container) != 0) {
		return -errno;
	}
	if (!first || ioctl(container, VFIO_SET_IOMMU, type) == 0) {
		return 0;
	}
	rc = -errno;
	ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER);
	return rc;
}

/* ---- What goes wrong, and why ----------------------------------------------------------- */

static void
log_busy(const struct udma_pci_real *real, const char *path)
{
	pid_t holder = udma_pci_find_holder(path);
	char name[32];

	if (holder == 0) {
		SPDK_ERRLOG("%s: IOMMU group %d is held by another process, which this user cannot "
			    "see; as root, 'fuser %s' names it\n",
			    real->name, real->iommu_group, path);
		return;
	}
	udma_pci_process_name(holder, name, sizeof(name));
	SPDK_ERRLOG(
		"%s: IOMMU group %d is held by process %d (%s), and the kernel gives a group to "
		"one process at a time; end that one, or choose a function of another group\n",
		real->name, real->iommu_group, (int)holder, name);
}

static bool
is_in_dev(const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", udma_pci_dev_dir, name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

/** Says that the kernel has been built with the newer interface to VFIO only. \return whether. */
static bool
log_no_groups(const struct udma_pci_real *real)
{
	if (is_in_dev("vfio/vfio") || !(is_in_dev("vfio/devices") || is_in_dev("iommu"))) {
		return false;
	}
	SPDK_ERRLOG("%s: this kernel has VFIO by iommufd only, without groups and containers: udma "
		    "needs one that is built with CONFIG_VFIO_GROUP and CONFIG_VFIO_CONTAINER\n",
		    real->name);
	return true;
}

static void
log_not_opened(const struct udma_pci_real *real, const char *path, int rc)
{
	if (rc == -ENOENT && log_no_groups(real)) {
		return;
	}
	if (rc == -EBUSY) {
		log_busy(real, path);
	} else if (rc == -EACCES || rc == -EPERM) {
		SPDK_ERRLOG("%s: this user may not open %s: make it the owner ('udma setup' does "
			    "for TARGET_USER), or run as root\n",
			    real->name, path);
	} else if (rc == -ENOENT) {
		SPDK_ERRLOG("%s: there is no %s: load vfio-pci and vfio_iommu_type1; " SET_UP "\n",
			    real->name, path);
	} else {
		SPDK_ERRLOG("%s: cannot open %s: %s\n", real->name, path, spdk_strerror(-rc));
	}
}

static void
log_no_container(const struct udma_pci_real *real, int rc)
{
	if (rc != -ENOENT || !log_no_groups(real)) {
		SPDK_ERRLOG("%s: cannot open %s/vfio/vfio: %s; load vfio_iommu_type1, and let this "
			    "user open it\n",
			    real->name, udma_pci_dev_dir, spdk_strerror(-rc));
	}
}

/** Adds "address (driver)" of each member of the group but the function itself. */
static void
list_members(const struct udma_pci_real *real, char *text, size_t size)
{
	char path[PATH_MAX], driver[64];
	size_t len = 0;
	struct dirent *entry;
	DIR *dir = NULL;

	if (udma_sysfs_path(path, sizeof(path), "kernel/iommu_groups/%d/devices",
			    real->iommu_group) == 0) {
		dir = opendir(path);
	}
	snprintf(text, size, "none are seen in sysfs");
	while (dir != NULL && (entry = readdir(dir)) != NULL && len < size) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, real->name) == 0) {
			continue;
		}
		if (udma_sysfs_read_link(driver, sizeof(driver), "bus/pci/devices/%s/driver",
					 entry->d_name) != 0) {
			snprintf(driver, sizeof(driver), "no driver");
		}
		len += (size_t)snprintf(text + len, size - len, "%s%s (%s)", len > 0 ? ", " : "",
					entry->d_name, driver);
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

static void
log_not_viable(const struct udma_pci_real *real)
{
	char members[1024];

	list_members(real, members, sizeof(members));
	SPDK_ERRLOG("%s: IOMMU group %d is not viable: some of its other members are in use by the "
		    "kernel: %s. Bind all of them to vfio-pci or to no driver, or use another "
		    "slot\n",
		    real->name, real->iommu_group, members);
}

static void
log_not_joined(const struct udma_pci_real *real, int rc, bool first)
{
	if (rc == -EPERM) {
		SPDK_ERRLOG("%s: the kernel refuses IOMMU group %d: its interrupts are not "
			    "remapped; enable interrupt remapping in the firmware, or allow it: "
			    "vfio_iommu_type1.allow_unsafe_interrupts=1\n",
			    real->name, real->iommu_group);
	} else if (first && (rc == -ENODEV || rc == -EINVAL)) {
		SPDK_ERRLOG("%s: the kernel has no type-1 IOMMU for VFIO: load vfio_iommu_type1; "
			    "%s\n",
			    real->name, spdk_strerror(-rc));
	} else if (rc == -EBUSY) {
		SPDK_ERRLOG("%s: IOMMU group %d is in another container already\n", real->name,
			    real->iommu_group);
	} else if (!first) {
		SPDK_ERRLOG("%s: IOMMU group %d cannot join the container of this process: %s; its "
			    "IOMMU cannot map what is registered. Attach it first, or in a process "
			    "of its own\n",
			    real->name, real->iommu_group, spdk_strerror(-rc));
	} else {
		SPDK_ERRLOG("%s: IOMMU group %d cannot be put into a container: %s\n", real->name,
			    real->iommu_group, spdk_strerror(-rc));
	}
}

/* ---- Groups ----------------------------------------------------------------------------- */

/** Without an IOMMU devices see physical addresses. */
static int
check_kind(const struct udma_pci_real *real, const struct udma_vfio_group *group)
{
	if (!group->no_iommu || udma_iova_kind() == UDMA_IOVA_PA) {
		return 0;
	}
	SPDK_ERRLOG("%s: no IOMMU stands before it, and the addresses of this process are not the "
		    "physical ones; start with iova_mode \"pa\"\n",
		    real->name);
	return -ENOTSUP;
}

/** Makes the container a domain, once its IOMMU is known. */
static int
start_domain(const struct udma_pci_real *real, struct container *container)
{
	int rc = udma_vfio_domain_add(&container->vfio_domain, container->fd);

	if (rc != 0) {
		SPDK_ERRLOG("%s: the memory that is registered could not be mapped for it: %s\n",
			    real->name, spdk_strerror(-rc));
	}
	return rc;
}

/** Gets an open, viable group into the container of its kind. */
static int
enter(const struct udma_pci_real *real, struct udma_vfio_group *group)
{
	struct container *container = container_of(group);
	bool first = container->groups == 0;
	int rc;

	if (first) {
		container->fd = open_container();
		if (container->fd < 0) {
			log_no_container(real, container->fd);
			return container->fd;
		}
	}
	rc = join(group, container->fd, first);
	if (rc != 0) {
		log_not_joined(real, rc, first);
	} else if (!group->no_iommu && first) {
		rc = start_domain(real, container);
		if (rc != 0) {
			ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER);
		}
	} else if (!group->no_iommu) {
		udma_vfio_domain_refresh(&container->vfio_domain);
	}
	if (rc == 0) {
		container->groups++;
	} else if (first) {
		udma_stay_close(container->fd);
		container->fd = -1;
	}
	return rc;
}

static void
leave(struct udma_vfio_group *group)
{
	struct container *container = container_of(group);

	/* With its last group a container loses the IOMMU, and can map nothing any more. */
	if (--container->groups == 0 && !group->no_iommu) {
		udma_vfio_domain_remove(&container->vfio_domain);
	}
	ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER);
	if (container->groups == 0) {
		udma_stay_close(container->fd);
		container->fd = -1;
	}
}

static int
open_and_enter(const struct udma_pci_real *real, struct udma_vfio_group *group)
{
	unsigned tries = BUSY_TRIES;
	char path[PATH_MAX];
	int rc = open_when_free(group, path, sizeof(path), &tries);

	if (rc != 0) {
		log_not_opened(real, path, rc);
		return rc;
	}
	if (!is_viable(group)) {
		log_not_viable(real);
		rc = -EPERM;
	}
	if (rc == 0) {
		rc = check_kind(real, group);
	}
	if (rc == 0) {
		rc = enter(real, group);
	}
	if (rc != 0) {
		udma_stay_close(group->fd);
	}
	return rc;
}

int
udma_vfio_group_get(const struct udma_pci_real *real, struct udma_vfio_group **result)
{
	struct udma_vfio_group *group;
	int rc;

	if (real->iommu_group < 0) {
		SPDK_ERRLOG("%s: it is in no IOMMU group: switch the IOMMU on (firmware; "
			    "intel_iommu=on on the kernel's command line), or bind it to "
			    "uio_pci_generic\n",
			    real->name);
		return -ENODEV;
	}
	LIST_FOREACH (group, &g_groups, link) {
		if (group->number == real->iommu_group) {
			group->users++;
			*result = group;
			return 0;
		}
	}
	group = calloc(1, sizeof(*group));
	if (group == NULL) {
		return -ENOMEM;
	}
	group->number = real->iommu_group;
	group->users = 1;
	rc = open_and_enter(real, group);
	if (rc != 0) {
		free(group);
		return rc;
	}
	LIST_INSERT_HEAD(&g_groups, group, link);
	*result = group;
	return 0;
}

void
udma_vfio_group_put(struct udma_vfio_group *group)
{
	if (--group->users > 0) {
		return;
	}
	leave(group);
	udma_stay_close(group->fd);
	LIST_REMOVE(group, link);
	free(group);
}

/* ---- Asking ----------------------------------------------------------------------------- */

void
udma_vfio_ask(const int *numbers, unsigned count, struct udma_pci_reach *reach)
{
	struct udma_vfio_group *groups = calloc(count, sizeof(*groups));
	int container = groups != NULL ? open_container() : -ENOMEM;
	struct udma_iova_ranges ranges;
	char path[PATH_MAX];
	/* For all of them: groups that others keep do not add up to a long start. */
	unsigned open = 0, joined = 0, tries = BUSY_TRIES;

	for (unsigned i = 0; container >= 0 && i < count; i++) {
		struct udma_vfio_group *group = &groups[open];

		group->number = numbers[i];
		if (open_when_free(group, path, sizeof(path), &tries) != 0) {
			continue;
		}
		open++;
		if (group->no_iommu) {
			reach->physical = true;
		} else if (is_viable(group)) {
			joined += join(group, container, joined == 0) == 0;
		}
	}
	if (joined > 0 && udma_vfio_read_ranges(container, &ranges, NULL) == 0) {
		udma_iova_ranges_intersect(&reach->ranges, &ranges);
	}
	while (open > 0) {
		udma_stay_close(groups[--open].fd);
	}
	if (container >= 0) {
		udma_stay_close(container);
	}
	free(groups);
}
