/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The messages of vfio-user: numbers, layouts and limits, as the Linux VFIO interface has them.
 *
 * Section numbers are those of the protocol reference. Integers are in host byte order; structures
 * are laid out as listed there, and have no padding.
 */

#ifndef UDMA_VFIO_USER_PROTOCOL_H
#define UDMA_VFIO_USER_PROTOCOL_H

#include <stdint.h>

#include "spdk/assert.h"

#define UDMA_VU_MAJOR 0
#define UDMA_VU_MINOR 1 /* the highest that is answered */

/* Commands (section 3) */
enum udma_vu_command {
	UDMA_VU_VERSION = 1,
	UDMA_VU_DMA_MAP = 2,
	UDMA_VU_DMA_UNMAP = 3,
	UDMA_VU_DEVICE_GET_INFO = 4,
	UDMA_VU_DEVICE_GET_REGION_INFO = 5,
	UDMA_VU_DEVICE_GET_REGION_IO_FDS = 6,
	UDMA_VU_DEVICE_GET_IRQ_INFO = 7,
	UDMA_VU_DEVICE_SET_IRQS = 8,
	UDMA_VU_REGION_READ = 9,
	UDMA_VU_REGION_WRITE = 10,
	UDMA_VU_DMA_READ = 11,
	UDMA_VU_DMA_WRITE = 12,
	UDMA_VU_DEVICE_RESET = 13,
	UDMA_VU_REGION_WRITE_MULTI = 15,
};

/* Flags (section 2) */
#define UDMA_VU_TYPE         0x0Fu
#define UDMA_VU_TYPE_COMMAND 0x00u
#define UDMA_VU_TYPE_REPLY   0x01u
#define UDMA_VU_NO_REPLY     0x10u
#define UDMA_VU_ERROR        0x20u

struct udma_vu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* with the header */
	uint32_t flags;
	uint32_t error;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_header) == 16, "section 2");

/* Limits (sections 4 and 12) */
#define UDMA_VU_MAX_XFER      (1024u * 1024)
#define UDMA_VU_MAX_PAYLOAD   (UDMA_VU_MAX_XFER + 64)
#define UDMA_VU_MAX_FDS       8u
#define UDMA_VU_MAX_DMA_MAPS  65535u
#define UDMA_VU_DMA_PAGE_SIZE 4096u

struct udma_vu_version {
	uint16_t major;
	uint16_t minor;
	/* JSON, with a terminating NUL */
};

/* Section 5 */
#define UDMA_VU_DMA_READABLE  0x1u
#define UDMA_VU_DMA_WRITABLE  0x2u
#define UDMA_VU_DMA_UNMAP_ALL 0x2u

struct udma_vu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_dma_map) == 32, "section 5.1");

struct udma_vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_dma_unmap) == 24, "section 5.2");

/* Section 6.1 */
#define UDMA_VU_INFO_RESET 0x1u
#define UDMA_VU_INFO_PCI   0x2u

struct udma_vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_device_info) == 16, "section 6.1");

/* Section 6.2 */
#define UDMA_VU_REGION_FLAG_READ  0x1u
#define UDMA_VU_REGION_FLAG_WRITE 0x2u
#define UDMA_VU_REGION_FLAG_MMAP  0x4u
#define UDMA_VU_REGION_FLAG_CAPS  0x8u

struct udma_vu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_region_info) == 32, "section 6.2");

#define UDMA_VU_CAP_SPARSE_MMAP 1

/** The sparse mmap capability, with one area. */
struct udma_vu_sparse {
	uint16_t id;
	uint16_t version;
	uint32_t next;
	uint32_t nr_areas;
	uint32_t reserved;
	uint64_t area_offset;
	uint64_t area_size;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_sparse) == 32, "section 6.2");

/* Section 6.4 */
#define UDMA_VU_IRQ_EVENTFD 0x1u

struct udma_vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_irq_info) == 16, "section 6.4");

/* Section 7 */
#define UDMA_VU_IRQ_DATA_NONE      0x01u
#define UDMA_VU_IRQ_DATA_BOOL      0x02u
#define UDMA_VU_IRQ_DATA_EVENTFD   0x04u
#define UDMA_VU_IRQ_DATA           0x07u
#define UDMA_VU_IRQ_ACTION_MASK    0x08u
#define UDMA_VU_IRQ_ACTION_UNMASK  0x10u
#define UDMA_VU_IRQ_ACTION_TRIGGER 0x20u
#define UDMA_VU_IRQ_ACTION         0x38u

struct udma_vu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	/* for BOOL a byte each */
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_irq_set) == 20, "section 7");

/** Sections 8.1 and 8.2. The data follows. */
struct udma_vu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_region_access) == 16, "section 8.1");

/** Section 8.3, behind a 64-bit count of them. */
struct udma_vu_multi_entry {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	uint8_t data[8];
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_multi_entry) == 24, "section 8.3");

/** Section 9, as the specification has it. The data follows. */
struct udma_vu_dma_access {
	uint64_t address;
	uint64_t count;
};
SPDK_STATIC_ASSERT(sizeof(struct udma_vu_dma_access) == 16, "section 9");

/* Indexes (section 12) */
enum {
	UDMA_VU_REGION_BAR0 = 0,
	UDMA_VU_REGION_CONFIG = 7,
	UDMA_VU_REGIONS = 9,
};
enum udma_vu_irq {
	UDMA_VU_IRQ_INTX = 0,
	UDMA_VU_IRQ_MSI = 1,
	UDMA_VU_IRQ_MSIX = 2,
	UDMA_VU_IRQ_ERR = 3,
	UDMA_VU_IRQ_REQ = 4,
	UDMA_VU_IRQS = 5,
};

#endif
