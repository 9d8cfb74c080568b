/* SPDX-License-Identifier: BSD-3-Clause */

/* What a program asks of one device. BARs and configuration space are served by its functions. */

#include <endian.h>

#include "pci_internal.h"
#include "spdk/log.h"

/* Sizes and capability layout of PCI Express configuration space. */
#define CFG_SIZE             4096
#define EXT_CAP_START        0x100
#define EXT_CAP_ID(header)   ((header)&0xffff)
#define EXT_CAP_NEXT(header) ((header) >> 20 & 0xffc)
#define EXT_CAP_ID_SERIAL    3
#define EXT_CAP_MAX          ((CFG_SIZE - EXT_CAP_START) / 8)
#define BAR_COUNT            6
#define SERIAL_TEXT_LEN      17

uint32_t
spdk_pci_device_get_domain(struct spdk_pci_device *dev)
{
	return dev->addr.domain;
}

uint8_t
spdk_pci_device_get_bus(struct spdk_pci_device *dev)
{
	return dev->addr.bus;
}

uint8_t
spdk_pci_device_get_dev(struct spdk_pci_device *dev)
{
	return dev->addr.dev;
}

uint8_t
spdk_pci_device_get_func(struct spdk_pci_device *dev)
{
	return dev->addr.func;
}

struct spdk_pci_addr
spdk_pci_device_get_addr(struct spdk_pci_device *dev)
{
	return dev->addr;
}

uint16_t
spdk_pci_device_get_vendor_id(struct spdk_pci_device *dev)
{
	return dev->id.vendor_id;
}

uint16_t
spdk_pci_device_get_device_id(struct spdk_pci_device *dev)
{
	return dev->id.device_id;
}

uint16_t
spdk_pci_device_get_subvendor_id(struct spdk_pci_device *dev)
{
	return dev->id.subvendor_id;
}

uint16_t
spdk_pci_device_get_subdevice_id(struct spdk_pci_device *dev)
{
	return dev->id.subdevice_id;
}

struct spdk_pci_id
spdk_pci_device_get_id(struct spdk_pci_device *dev)
{
	return dev->id;
}

int
spdk_pci_device_get_numa_id(struct spdk_pci_device *dev)
{
	return dev->numa_id;
}

const char *
spdk_pci_device_get_type(const struct spdk_pci_device *dev)
{
	return dev->type;
}

bool
spdk_pci_device_is_removed(struct spdk_pci_device *dev)
{
	if (!__atomic_load_n(&dev->internal.pending_removal, __ATOMIC_RELAXED) &&
	    udma_pci_real_is_wanted_back(dev)) {
		__atomic_store_n(&dev->internal.pending_removal, true, __ATOMIC_RELAXED);
	}
	/* An emulated function's thread sets it. */
	return __atomic_load_n(&dev->internal.removed, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&dev->internal.pending_removal, __ATOMIC_RELAXED);
}

int
spdk_pci_device_map_bar(struct spdk_pci_device *dev, uint32_t bar, void **mapped_addr,
			uint64_t *phys_addr, uint64_t *size)
{
	int rc;

	if (dev == NULL || mapped_addr == NULL || phys_addr == NULL || size == NULL ||
	    bar >= BAR_COUNT) {
		SPDK_ERRLOG("cannot map BAR %u: %s\n", bar,
			    bar >= BAR_COUNT ? "a function has 0 to 5" : "an argument is NULL");
		return -EINVAL;
	}
	*mapped_addr = NULL;
	*phys_addr = 0;
	*size = 0;
	rc = dev->map_bar(dev, bar, mapped_addr, phys_addr, size);
	if (rc != 0) {
		*mapped_addr = NULL; /* a device that failed half way leaves nothing to be used */
		*phys_addr = 0;
		*size = 0;
	}
	return rc;
}

int
spdk_pci_device_unmap_bar(struct spdk_pci_device *dev, uint32_t bar, void *mapped_addr)
{
	if (dev == NULL || bar >= BAR_COUNT) {
		SPDK_ERRLOG("cannot unmap BAR %u: %s\n", bar,
			    bar >= BAR_COUNT ? "a function has 0 to 5" : "the device is NULL");
		return -EINVAL;
	}
	return dev->unmap_bar(dev, bar, mapped_addr);
}

/* Configuration accesses stay inside the space, whatever the device's function would do. */
static bool
is_cfg_access(const struct spdk_pci_device *dev, const void *buf, uint32_t len, uint32_t offset)
{
	if (dev != NULL && buf != NULL && offset <= CFG_SIZE && len <= CFG_SIZE - offset) {
		return true;
	}
	SPDK_ERRLOG("cannot access %u bytes of configuration space at 0x%x: %s\n", len, offset,
		    dev == NULL || buf == NULL ? "an argument is NULL" : "it ends at 0x1000");
	return false;
}

int
spdk_pci_device_cfg_read(struct spdk_pci_device *dev, void *buf, uint32_t len, uint32_t offset)
{
	return is_cfg_access(dev, buf, len, offset) ? dev->cfg_read(dev, buf, len, offset)
						    : -EINVAL;
}

int
spdk_pci_device_cfg_write(struct spdk_pci_device *dev, void *buf, uint32_t len, uint32_t offset)
{
	return is_cfg_access(dev, buf, len, offset) ? dev->cfg_write(dev, buf, len, offset)
						    : -EINVAL;
}

int
spdk_pci_device_cfg_read8(struct spdk_pci_device *dev, uint8_t *value, uint32_t offset)
{
	return spdk_pci_device_cfg_read(dev, value, sizeof(*value), offset);
}

int
spdk_pci_device_cfg_write8(struct spdk_pci_device *dev, uint8_t value, uint32_t offset)
{
	return spdk_pci_device_cfg_write(dev, &value, sizeof(value), offset);
}

/* Configuration space is little-endian. */
int
spdk_pci_device_cfg_read16(struct spdk_pci_device *dev, uint16_t *value, uint32_t offset)
{
	int rc = spdk_pci_device_cfg_read(dev, value, sizeof(*value), offset);

	if (rc == 0) {
		*value = le16toh(*value);
	}
	return rc;
}

int
spdk_pci_device_cfg_write16(struct spdk_pci_device *dev, uint16_t value, uint32_t offset)
{
	value = htole16(value);
	return spdk_pci_device_cfg_write(dev, &value, sizeof(value), offset);
}

int
spdk_pci_device_cfg_read32(struct spdk_pci_device *dev, uint32_t *value, uint32_t offset)
{
	int rc = spdk_pci_device_cfg_read(dev, value, sizeof(*value), offset);

	if (rc == 0) {
		*value = le32toh(*value);
	}
	return rc;
}

int
spdk_pci_device_cfg_write32(struct spdk_pci_device *dev, uint32_t value, uint32_t offset)
{
	value = htole32(value);
	return spdk_pci_device_cfg_write(dev, &value, sizeof(value), offset);
}

/* \return where an extended capability starts; 0 if there is none; a negative errno. */
static int
find_ext_cap(struct spdk_pci_device *dev, uint16_t id)
{
	uint32_t offset = EXT_CAP_START;

	/* A chain that bites its own tail ends too. */
	for (int i = 0; i < EXT_CAP_MAX && offset >= EXT_CAP_START; i++) {
		uint32_t header;
		int rc = spdk_pci_device_cfg_read32(dev, &header, offset);

		if (rc != 0) {
			return rc;
		}
		if (header == 0 || header == UINT32_MAX) {
			return 0;
		}
		if (EXT_CAP_ID(header) == id) {
			return (int)offset;
		}
		offset = EXT_CAP_NEXT(header);
	}
	return 0;
}

int
spdk_pci_device_get_serial_number(struct spdk_pci_device *dev, char *sn, size_t len)
{
	uint32_t low, high;
	int offset, rc;

	if (dev == NULL || sn == NULL || len < SERIAL_TEXT_LEN) {
		SPDK_ERRLOG("cannot give a serial number: it needs a device, and room for %d "
			    "characters\n",
			    SERIAL_TEXT_LEN);
		return -EINVAL;
	}
	offset = find_ext_cap(dev, EXT_CAP_ID_SERIAL);
	if (offset <= 0) {
		return offset == 0 ? -ENOENT : offset;
	}
	rc = spdk_pci_device_cfg_read32(dev, &low, (uint32_t)offset + 4);
	if (rc == 0) {
		rc = spdk_pci_device_cfg_read32(dev, &high, (uint32_t)offset + 8);
	}
	if (rc == 0) {
		snprintf(sn, len, "%08x%08x", high, low);
	}
	return rc;
}
