/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Functions bound to vfio-pci, by group and container. When the last descriptor of one is closed,
 * also by the death of the process, the kernel takes bus mastering from it and resets it if it can.
 */

#include "real.h"

#include "spdk/log.h"
#include "spdk/string.h"

#include <linux/vfio.h>

/** \return a descriptor of the function; a negative errno, logged. */
static int
open_device(struct udma_pci_real *real)
{
	int fd;

	udma_stay_begin();
	fd = ioctl(real->group->fd, VFIO_GROUP_GET_DEVICE_FD, real->name);
	if (fd >= 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	fd = udma_stay_end(fd >= 0 ? fd : -errno);
	if (fd < 0) {
		SPDK_ERRLOG("%s: VFIO does not give the function: %s; is it still bound to "
			    "vfio-pci? The kernel's log may tell more\n",
			    real->name, spdk_strerror(-fd));
	}
	return fd;
}

static int
region_info(const struct udma_pci_real *real, unsigned index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){.argsz = sizeof(*info), .index = index};
	if (ioctl(real->fd, VFIO_DEVICE_GET_REGION_INFO, info) != 0) {
		int rc = -errno;

		SPDK_ERRLOG("%s: VFIO does not describe region %u of it: %s\n", real->name, index,
			    spdk_strerror(-rc));
		return rc;
	}
	return 0;
}

static int
find_config_space(struct udma_pci_real *real)
{
	struct vfio_device_info device = {.argsz = sizeof(device)};
	struct vfio_region_info region;
	int rc;

	if (ioctl(real->fd, VFIO_DEVICE_GET_INFO, &device) != 0) {
		rc = -errno;
		SPDK_ERRLOG("%s: VFIO does not describe the function: %s\n", real->name,
			    spdk_strerror(-rc));
		return rc;
	}
	if (!(device.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    device.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX) {
		SPDK_ERRLOG("%s: VFIO gives a device that is not a PCI function (flags %#x, %u "
			    "regions)\n",
			    real->name, device.flags, device.num_regions);
		return -ENODEV;
	}
	rc = region_info(real, VFIO_PCI_CONFIG_REGION_INDEX, &region);
	if (rc == 0) {
		real->cfg_fd = real->fd;
		real->cfg_offset = region.offset;
		real->cfg_size = region.size;
	}
	return rc;
}

static void
vfio_close(struct udma_pci_real *real)
{
	if (real->request_fd >= 0) {
		close(real->request_fd);
		real->request_fd = -1;
	}
	udma_stay_close(real->fd);
	real->fd = -1;
	udma_vfio_group_put(real->group);
	real->group = NULL;
}

static int
vfio_open(struct udma_pci_real *real)
{
	int rc = udma_vfio_group_get(real, &real->group);

	if (rc != 0) {
		return rc;
	}
	real->fd = open_device(real);
	if (real->fd < 0) {
		udma_vfio_group_put(real->group);
		real->group = NULL;
		return real->fd;
	}
	rc = find_config_space(real);
	if (rc != 0) {
		vfio_close(real);
		return rc;
	}
	udma_vfio_hear_requests(real);
	return 0;
}

static int
vfio_find_bar(struct udma_pci_real *real, unsigned bar, struct udma_pci_bar *where)
{
	struct vfio_region_info region;
	int rc = region_info(real, VFIO_PCI_BAR0_REGION_INDEX + bar, &region);

	if (rc != 0) {
		return rc;
	}
	if (region.size == 0) {
		SPDK_ERRLOG("%s: the function has no BAR %u, or the firmware gave it no address\n",
			    real->name, bar);
		return -ENODEV;
	}
	if (!(region.flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		SPDK_ERRLOG("%s: VFIO does not let BAR %u of %llu bytes be mapped: it is smaller "
			    "than a page and shares it, or is no memory\n",
			    real->name, bar, region.size);
		return -ENOTSUP;
	}
	where->fd = real->fd;
	where->offset = region.offset;
	where->size = region.size;
	return 0;
}

static int
vfio_reset(struct udma_pci_real *real)
{
	struct vfio_device_info device = {.argsz = sizeof(device)};
	int rc;

	if (ioctl(real->fd, VFIO_DEVICE_GET_INFO, &device) != 0 ||
	    !(device.flags & VFIO_DEVICE_FLAGS_RESET)) {
		return -ENOTSUP;
	}
	rc = ioctl(real->fd, VFIO_DEVICE_RESET) != 0 ? -errno : 0;
	if (rc != 0) {
		SPDK_ERRLOG("%s: the kernel cannot reset the function: %s\n", real->name,
			    spdk_strerror(-rc));
	}
	return rc;
}

const struct udma_pci_bus udma_pci_vfio = {
	.open = vfio_open,
	.close = vfio_close,
	.find_bar = vfio_find_bar,
	.reset = vfio_reset,
	.interrupts = {.enable = udma_vfio_irq_enable,
		       .disable = udma_vfio_irq_disable,
		       .again = udma_vfio_irq_again},
};
