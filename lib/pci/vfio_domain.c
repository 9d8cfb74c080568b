/* SPDX-License-Identifier: BSD-3-Clause */

#include "vfio_domain.h"

#include "env/sysfs.h"
#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"

#include <linux/capability.h>
#include <linux/vfio.h>
#include <sys/resource.h>

/* The kernel did not always say what an IOMMU can map. This much all of them can. */
#define BITS_OF_ANY_IOMMU 39

/* What the kernel calls the user namespace of the machine itself (PROC_USER_INIT_INO). */
#define FIRST_USER_NAMESPACE 0xeffffffd

#define LIMIT_FILE "module/vfio_iommu_type1/parameters/dma_entry_limit"

/* Far beyond what there is to say: more is not believed. */
#define INFO_BYTES_MAX 65536

/* ---- What the IOMMU can do -------------------------------------------------------------- */

/** \return the kernel's description, to be freed, `argsz` bytes of it; NULL with errno. */
static struct vfio_iommu_type1_info *
read_info(int container)
{
	struct vfio_iommu_type1_info *info = NULL, *grown;
	uint32_t size = sizeof(*info), needed = size;

	do {
		size = needed;
		grown = realloc(info, size);
		if (grown == NULL) {
			free(info);
			errno = ENOMEM;
			return NULL;
		}
		info = grown;
		memset(info, 0, size);
		info->argsz = size;
		if (ioctl(container, VFIO_IOMMU_GET_INFO, info) != 0) {
			free(info);
			return NULL;
		}
		needed = info->argsz;
	} while (needed > size && needed <= INFO_BYTES_MAX);
	info->argsz = size;
	return info;
}

/** Finds a capability. \return it, with `len` bytes from its header on; NULL. */
static const struct vfio_info_cap_header *
find_capability(const struct vfio_iommu_type1_info *info, uint16_t id, size_t *len)
{
	bool any = (info->flags & VFIO_IOMMU_INFO_CAPS) && info->argsz > sizeof(*info);
	uint32_t at = any ? info->cap_offset : 0;

	/* Each lies behind the one before: a chain that turns back ends. */
	while (at >= sizeof(*info) && at <= info->argsz - sizeof(struct vfio_info_cap_header)) {
		const struct vfio_info_cap_header *header = (const void *)((const char *)info + at);

		if (header->id == id) {
			*len = info->argsz - at;
			return header;
		}
		if (header->next <= at) {
			break;
		}
		at = header->next;
	}
	return NULL;
}

static struct udma_iova_ranges
ranges_of(const struct vfio_iommu_type1_info *info)
{
	struct udma_iova_ranges ranges = {0};
	const struct vfio_iommu_type1_info_cap_iova_range *all;
	size_t len, count = 0;

	all = (const void *)find_capability(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, &len);
	if (all != NULL && len >= sizeof(*all)) {
		count = (len - sizeof(*all)) / sizeof(all->iova_ranges[0]);
		count = spdk_min(count, (size_t)all->nr_iovas);
	}
	for (size_t i = 0; i < count && ranges.count < UDMA_IOVA_RANGES; i++) {
		uint64_t first = all->iova_ranges[i].start, last = all->iova_ranges[i].end;

		if (first <= last &&
		    (ranges.count == 0 || first > ranges.range[ranges.count - 1].last)) {
			ranges.range[ranges.count].first = first;
			ranges.range[ranges.count++].last = last;
		}
	}
	return ranges.count > 0 ? ranges : udma_iova_ranges_of(BITS_OF_ANY_IOMMU);
}

int
udma_vfio_read_ranges(int container, struct udma_iova_ranges *ranges, uint32_t *avail)
{
	struct vfio_iommu_type1_info *info = read_info(container);
	const struct vfio_iommu_type1_info_dma_avail *left;
	size_t len;

	if (info == NULL) {
		return -errno;
	}
	*ranges = ranges_of(info);
	if (avail != NULL) {
		left = (const void *)find_capability(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, &len);
		*avail = left != NULL && len >= sizeof(*left) ? left->avail : 0;
	}
	free(info);
	return 0;
}

/* ---- What goes wrong, and why ----------------------------------------------------------- */

/** \return a line of what /proc says of this thread, read by a format for one number; 0 if there is
 * none. */
static uint64_t
status_number(const char *format)
{
	FILE *status = fopen("/proc/thread-self/status", "re");
	uint64_t number = 0;
	char line[256];

	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (sscanf(line, format, &number) == 1) {
			break;
		}
	}
	if (status != NULL) {
		fclose(status);
	}
	return number;
}

/** The kernel asks for the capability on the machine: root of a container does not have it. */
static bool
is_limit_ignored(void)
{
	return (status_number("CapEff: %" SCNx64) & 1ULL << CAP_IPC_LOCK) &&
	       udma_pci_is_in_namespace("user", FIRST_USER_NAMESPACE);
}

/**
 * Says that a mapping would lock more memory than the process may, and what all that is registered
 * takes: a limit for this mapping alone would be met again by the next. \return whether it would.
 */
static bool
log_locked(const struct udma_vfio_domain *vfio, const struct udma_region *region)
{
	uint64_t locked = status_number("VmLck: %" SCNu64 " kB") * 1024;
	uint64_t others = locked - spdk_min(locked, vfio->bytes);
	uint64_t needed = others + udma_domains_bytes(region);
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
	    locked + region->len <= limit.rlim_cur || is_limit_ignored()) {
		return false;
	}
	SPDK_ERRLOG(
		"cannot map %" PRIu64 " bytes at %#" PRIx64 " for devices: %" PRIu64
		" bytes of locked memory are needed for all that is registered, %" PRIu64
		" of them are in use, and the limit (RLIMIT_MEMLOCK) is %" PRIu64
		" bytes; put at least '* - memlock %" PRIu64
		"' (KiB) into /etc/security/limits.conf and log in again, or LimitMEMLOCK=%" PRIu64
		" into the systemd unit\n",
		region->len, region->vaddr, needed, locked, (uint64_t)limit.rlim_cur, needed / 1024,
		needed);
	return true;
}

static void
log_limit(const struct udma_vfio_domain *vfio, const struct udma_region *region)
{
	long limit = vfio->limit;

	udma_sysfs_read_number(&limit, 1, LONG_MAX, LIMIT_FILE);
	SPDK_ERRLOG("cannot map %" PRIu64 " bytes at %#" PRIx64
		    " for devices: all %ld mappings that VFIO allows are in use, one for each "
		    "registration; register memory in larger pieces, or raise the limit: 'options "
		    "vfio_iommu_type1 dma_entry_limit=N' in /etc/modprobe.d\n",
		    region->len, region->vaddr, limit);
}

static void
log_not_mapped(const struct udma_vfio_domain *vfio, const struct udma_region *region, int rc)
{
	const char *why;

	if (rc == -ENOSPC) {
		log_limit(vfio, region);
		return;
	}
	if (rc == -ENOMEM && log_locked(vfio, region)) {
		return;
	}
	switch (rc) {
	case -ENOMEM:
		why = "the kernel has no memory to pin it, or for the IOMMU's tables";
		break;
	case -EEXIST:
		why = "something is mapped there; memory that is physically the same can be "
		      "registered once";
		break;
	case -EFAULT:
	case -EOPNOTSUPP:
		why = "the kernel cannot keep it in place, as with a file of a disk that is mapped "
		      "shared; use anonymous memory, hugepages or a device";
		break;
	case -EINVAL:
		why = "the IOMMU does not take the address, or not this page size";
		break;
	default:
		why = "the kernel refuses";
		break;
	}
	SPDK_ERRLOG("cannot map %" PRIu64 " bytes at %#" PRIx64 " (I/O address %#" PRIx64
		    ") for devices: %s: %s\n",
		    region->len, region->vaddr, region->iova, spdk_strerror(-rc), why);
}

/* ---- The domain ------------------------------------------------------------------------- */

static int
map(struct udma_domain *domain, const struct udma_region *region)
{
	struct udma_vfio_domain *vfio = SPDK_CONTAINEROF(domain, struct udma_vfio_domain, domain);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (region->writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = region->vaddr,
		.iova = region->iova,
		.size = region->len,
	};
	int rc = ioctl(vfio->fd, VFIO_IOMMU_MAP_DMA, &map) != 0 ? -errno : 0;

	if (rc != 0) {
		log_not_mapped(vfio, region, rc);
		return rc;
	}
	vfio->bytes += region->len;
	return 0;
}

static void
unmap(struct udma_domain *domain, const struct udma_region *region)
{
	struct udma_vfio_domain *vfio = SPDK_CONTAINEROF(domain, struct udma_vfio_domain, domain);
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = region->iova,
		.size = region->len,
	};
	int rc = ioctl(vfio->fd, VFIO_IOMMU_UNMAP_DMA, &unmap) != 0 ? -errno : 0;

	vfio->bytes -= rc == 0 ? region->len : 0;
	if (rc != 0 || unmap.size != region->len) {
		SPDK_ERRLOG("%" PRIu64 " bytes at %#" PRIx64
			    " stay within reach of devices: VFIO unmapped %" PRIu64 " bytes: %s\n",
			    region->len, region->vaddr, rc == 0 ? (uint64_t)unmap.size : 0,
			    rc == 0 ? "fewer than it had mapped" : spdk_strerror(-rc));
	}
}

int
udma_vfio_domain_add(struct udma_vfio_domain *vfio, int container)
{
	int rc = udma_vfio_read_ranges(container, &vfio->domain.ranges, &vfio->limit);

	if (rc != 0) {
		SPDK_ERRLOG("VFIO does not say what its IOMMU can map: %s\n", spdk_strerror(-rc));
		return rc;
	}
	vfio->domain.map = map;
	vfio->domain.unmap = unmap;
	vfio->fd = container;
	vfio->bytes = 0;
	return udma_domain_add(&vfio->domain);
}

void
udma_vfio_domain_refresh(struct udma_vfio_domain *vfio)
{
	struct udma_iova_ranges ranges;

	if (udma_vfio_read_ranges(vfio->fd, &ranges, NULL) == 0) {
		udma_domain_limit(&vfio->domain, &ranges);
	}
}

void
udma_vfio_domain_remove(struct udma_vfio_domain *vfio)
{
	udma_domain_remove(&vfio->domain);
}
