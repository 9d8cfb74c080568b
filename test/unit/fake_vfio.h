/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The kernel's VFIO as far as the library asks it: the answers to ioctl() on the files of the tree,
 * by what file it is. Needs -Wl,--wrap=ioctl, open64 and close.
 */

#ifndef FAKE_VFIO_H
#define FAKE_VFIO_H

#include "pci_test.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#define GROUPS      4
#define BAR_BYTES   16384
#define CFG_AT      (1 << 20)
#define CFG_BYTES   4096
#define DMA_ENTRIES 65535
#define INFO_BYTES  512
#define IRQ_INDICES 5

struct fake_group {
	bool not_viable;
	bool joined;
	unsigned joins;
	int join_error;
};

static struct fake_vfio {
	struct fake_group group[GROUPS];
	int api_version;
	int set_iommu_error;
	unsigned long iommu; /* type that has been set; 0 for none */
	struct vfio_iova_range ranges[8];
	unsigned range_count; /* 0: the kernel does not say */
	uint32_t entries;     /* mappings that are left */
	int map_error;
	uint64_t refused; /* address that is not mapped: EFAULT */
	unsigned maps, unmaps;
	uint64_t mapped_bytes;
	uint32_t last_flags;
	int get_device_error;
	uint32_t device_flags;
	uint32_t device_regions;
	int region_error;
	uint32_t bar_flags;
	uint64_t bar_size;
	uint64_t cfg_size;
	unsigned resets;
	int reset_error;
	struct {
		uint32_t count; /* offered */
		int error;      /* of setting them */
		int fd;         /* of the first; -1: none */
		unsigned sets;
		unsigned unmasks;
	} irq[IRQ_INDICES];
	const char *open_refused; /* the end of a path that cannot be opened */
	int open_error;
	unsigned open_refusals; /* how often */
} g_vfio;

int __real_open64(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_close(int fd);
int __wrap_close(int fd);

static inline bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/** The IOMMU and all mappings go with the last group, or the container. */
static inline void
end_container(void)
{
	g_vfio.entries += g_vfio.maps - g_vfio.unmaps;
	g_vfio.maps = g_vfio.unmaps = 0;
	g_vfio.mapped_bytes = 0;
	g_vfio.iommu = 0;
}

static inline void
leave(struct fake_group *group)
{
	group->joined = false;
	for (unsigned i = 0; i < GROUPS; i++) {
		if (g_vfio.group[i].joined) {
			return;
		}
	}
	end_container();
}

int
__wrap_open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? (mode_t)va_arg(args, int) : 0;
	va_end(args);
	if (g_vfio.open_refused != NULL && g_vfio.open_refusals > 0 &&
	    ends_with(path, g_vfio.open_refused)) {
		g_vfio.open_refusals--;
		errno = g_vfio.open_error;
		return -1;
	}
	if (ends_with(path, "/dev/vfio/vfio")) {
		end_container();
	}
	return __real_open64(path, flags, mode);
}

/** What file of the tree a descriptor is. \return false if it is of none. */
static inline bool
tree_name(int fd, char *name, size_t size)
{
	char link[64], path[PATH_MAX];
	size_t root = strlen(g_tree);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (strncmp(path, g_tree, root) != 0) {
		return false;
	}
	snprintf(name, size, "%s", path + root);
	return true;
}

/** A group that is closed leaves its container. */
int
__wrap_close(int fd)
{
	char name[256];
	unsigned number;

	if (tree_name(fd, name, sizeof(name)) && sscanf(name, "/dev/vfio/%u", &number) == 1) {
		leave(&g_vfio.group[number]);
	}
	return __real_close(fd);
}

static inline int
answer(int error)
{
	errno = error;
	return error != 0 ? -1 : 0;
}

/** A chain of two capabilities: the ranges, and how many mappings are left. */
static inline int
fake_info(struct vfio_iommu_type1_info *info)
{
	char full[INFO_BYTES] = {0};
	struct vfio_iommu_type1_info *all = (void *)full;
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	struct vfio_iommu_type1_info_dma_avail *avail;
	uint32_t size = sizeof(*all), wanted = info->argsz;

	if (g_vfio.range_count > 0) {
		ranges = (void *)(full + size);
		ranges->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
		ranges->header.version = 1;
		ranges->nr_iovas = g_vfio.range_count;
		memcpy(ranges->iova_ranges, g_vfio.ranges, sizeof(g_vfio.ranges));
		size += (uint32_t)(sizeof(*ranges) + g_vfio.range_count * sizeof(g_vfio.ranges[0]));
		ranges->header.next = size;
		avail = (void *)(full + size);
		avail->header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
		avail->header.version = 1;
		avail->avail = g_vfio.entries;
		size += sizeof(*avail);
		all->flags = VFIO_IOMMU_INFO_CAPS;
		all->cap_offset = wanted < size ? 0 : sizeof(*all);
	}
	all->argsz = size;
	memcpy(info, full, spdk_min(wanted, size));
	return 0;
}

static inline int
fake_container(unsigned long request, void *arg)
{
	const struct vfio_iommu_type1_dma_map *map = arg;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return g_vfio.api_version;
	case VFIO_SET_IOMMU:
		if (g_vfio.set_iommu_error == 0) {
			g_vfio.iommu = (unsigned long)arg;
		}
		return answer(g_vfio.set_iommu_error);
	case VFIO_IOMMU_GET_INFO:
		return g_vfio.iommu != 0 ? fake_info(arg) : answer(EINVAL);
	case VFIO_IOMMU_MAP_DMA:
		if (g_vfio.map_error != 0 || map->vaddr == g_vfio.refused) {
			return answer(g_vfio.map_error != 0 ? g_vfio.map_error : EFAULT);
		}
		if (g_vfio.entries == 0 || g_vfio.iommu == 0) {
			return answer(g_vfio.iommu == 0 ? EINVAL : ENOSPC);
		}
		g_vfio.entries--;
		g_vfio.maps++;
		g_vfio.mapped_bytes += map->size;
		g_vfio.last_flags = map->flags;
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
		g_vfio.entries++;
		g_vfio.unmaps++;
		g_vfio.mapped_bytes -= ((struct vfio_iommu_type1_dma_unmap *)arg)->size;
		return 0;
	default:
		return answer(ENOTTY);
	}
}

static inline int
fake_group(unsigned number, unsigned long request, void *arg)
{
	struct fake_group *group = &g_vfio.group[number];
	char name[64];

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)arg)->flags =
			group->not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		if (group->join_error == 0) {
			group->joined = true;
			group->joins++;
		}
		return answer(group->join_error);
	case VFIO_GROUP_UNSET_CONTAINER:
		leave(group);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		if (g_vfio.get_device_error != 0) {
			return answer(g_vfio.get_device_error);
		}
		snprintf(name, sizeof(name), "device/%s", (const char *)arg);
		return __real_open64(tree_path(name), O_RDWR);
	default:
		return answer(ENOTTY);
	}
}

static inline int
fake_region(struct vfio_region_info *region)
{
	region->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	region->size = 0;
	region->offset = 0;
	if (region->index == VFIO_PCI_BAR0_REGION_INDEX) {
		region->size = g_vfio.bar_size;
		region->flags |= g_vfio.bar_flags;
	} else if (region->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		region->size = g_vfio.cfg_size;
		region->offset = CFG_AT;
	}
	return answer(g_vfio.region_error);
}

static inline int
fake_set_irqs(const struct vfio_irq_set *set)
{
	uint32_t fds = set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? set->count : 0;

	assert_int_equal(set->argsz, sizeof(*set) + fds * sizeof(int));
	if (set->index >= IRQ_INDICES || set->count > g_vfio.irq[set->index].count) {
		return answer(EINVAL);
	}
	if (g_vfio.irq[set->index].error != 0) {
		return answer(g_vfio.irq[set->index].error);
	}
	if (set->flags & VFIO_IRQ_SET_ACTION_UNMASK) {
		g_vfio.irq[set->index].unmasks++;
		return answer(0);
	}
	g_vfio.irq[set->index].fd = -1;
	if (fds > 0) {
		memcpy(&g_vfio.irq[set->index].fd, set->data, sizeof(int));
		g_vfio.irq[set->index].sets++;
	} else {
		assert_int_equal(set->count, 0);
	}
	return answer(0);
}

static inline int
fake_device(unsigned long request, void *arg)
{
	struct vfio_device_info *info = arg;
	struct vfio_irq_info *irq = arg;

	switch (request) {
	case VFIO_DEVICE_GET_IRQ_INFO:
		if (irq->index >= IRQ_INDICES) {
			return answer(EINVAL);
		}
		irq->count = g_vfio.irq[irq->index].count;
		irq->flags = VFIO_IRQ_INFO_EVENTFD;
		return answer(0);
	case VFIO_DEVICE_SET_IRQS:
		return fake_set_irqs(arg);
	case VFIO_DEVICE_GET_INFO:
		info->flags = g_vfio.device_flags;
		info->num_regions = g_vfio.device_regions;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return fake_region(arg);
	case VFIO_DEVICE_RESET:
		g_vfio.resets += g_vfio.reset_error == 0;
		return answer(g_vfio.reset_error);
	default:
		return answer(ENOTTY);
	}
}

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	char name[256];
	unsigned number;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!tree_name(fd, name, sizeof(name))) {
		return __real_ioctl(fd, request, arg);
	}
	if (strcmp(name, "/dev/vfio/vfio") == 0) {
		return fake_container(request, arg);
	}
	if (sscanf(name, "/dev/vfio/%u", &number) == 1 ||
	    sscanf(name, "/dev/vfio/noiommu-%u", &number) == 1) {
		return fake_group(number, request, arg);
	}
	return fake_device(request, arg);
}

static inline void
set_ranges(unsigned count, const struct vfio_iova_range *ranges)
{
	g_vfio.range_count = count;
	memcpy(g_vfio.ranges, ranges, count * sizeof(ranges[0]));
}

static inline void
make_vfio(void)
{
	static const struct vfio_iova_range usual[] = {
		{0, 0xfedfffff},
		{0xfef00000, 0xffffffffffff},
	};

	g_vfio = (struct fake_vfio){
		.entries = DMA_ENTRIES,
		.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.device_regions = VFIO_PCI_NUM_REGIONS,
		.bar_flags = VFIO_REGION_INFO_FLAG_MMAP,
		.bar_size = BAR_BYTES,
		.cfg_size = CFG_BYTES,
	};
	for (unsigned i = 0; i < IRQ_INDICES; i++) {
		g_vfio.irq[i].fd = -1;
		g_vfio.irq[i].count = i != VFIO_PCI_ERR_IRQ_INDEX;
	}
	set_ranges(2, usual);
	tree_file("dev/vfio/vfio", "");
	for (unsigned i = 0; i < GROUPS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "dev/vfio/%u", i);
		tree_file(name, "");
	}
}

/** A function that VFIO gives: its registers and configuration space are a file. */
static inline void
add_vfio_function(const char *address, int group)
{
	char name[64];

	add_function(address, "vfio-pci", group);
	snprintf(name, sizeof(name), "device/%s", address);
	tree_file(name, "");
	assert_int_equal(truncate(tree_path(name), CFG_AT + CFG_BYTES), 0);
}

#endif
