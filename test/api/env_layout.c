/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every type, field and constant that programs written for SPDK take from spdk/env.h, spdk/log.h
 * and spdk/pci_ids.h: written out from the description of SPDK's interface, not taken from our
 * headers. What differs does not compile.
 */

#include "spdk/stdinc.h"

#include "spdk/env.h"
#include "spdk/ioat.h"
#include "spdk/log.h"
#include "spdk/pci_ids.h"

#include "layout.h"

/* ---- The options of spdk_env_init(): 128 bytes ---- */

#define OPTION(name, type, offset) FIELD(struct spdk_env_opts, name, type, offset)

OPTION(name, const char *, 0);
OPTION(core_mask, const char *, 8);
OPTION(lcore_map, const char *, 16);
OPTION(shm_id, int, 24);
OPTION(mem_channel, int, 28);
OPTION(main_core, int, 32);
OPTION(mem_size, int, 36);
OPTION(no_pci, bool, 40);
OPTION(hugepage_single_segments, bool, 41);
OPTION(unlink_hugepage, bool, 42);
OPTION(no_huge, bool, 43);
OPTION(reserved, uint32_t, 44);
OPTION(num_pci_addr, size_t, 48);
OPTION(hugedir, const char *, 56);
OPTION(pci_blocked, struct spdk_pci_addr *, 64);
OPTION(pci_allowed, struct spdk_pci_addr *, 72);
OPTION(iova_mode, const char *, 80);
OPTION(base_virtaddr, uint64_t, 88);
OPTION(env_context, void *, 96);
OPTION(vf_token, const char *, 104);
OPTION(opts_size, size_t, 112);
OPTION(enforce_numa, bool, 120);
OPTION(reserved2, uint8_t[7], 121);
SIZE(struct spdk_env_opts, 128);

/* ---- PCI ---- */

FIELD(struct spdk_pci_addr, domain, uint32_t, 0);
FIELD(struct spdk_pci_addr, bus, uint8_t, 4);
FIELD(struct spdk_pci_addr, dev, uint8_t, 5);
FIELD(struct spdk_pci_addr, func, uint8_t, 6);
SIZE(struct spdk_pci_addr, 8);

FIELD(struct spdk_pci_id, class_id, uint32_t, 0);
FIELD(struct spdk_pci_id, vendor_id, uint16_t, 4);
FIELD(struct spdk_pci_id, device_id, uint16_t, 6);
FIELD(struct spdk_pci_id, subvendor_id, uint16_t, 8);
FIELD(struct spdk_pci_id, subdevice_id, uint16_t, 10);
SIZE(struct spdk_pci_id, 12);

#define DEVICE(name, type, offset) FIELD(struct spdk_pci_device, name, type, offset)

typedef int (*map_bar_fn)(struct spdk_pci_device *dev, uint32_t bar, void **mapped_addr,
			  uint64_t *phys_addr, uint64_t *size);
typedef int (*unmap_bar_fn)(struct spdk_pci_device *dev, uint32_t bar, void *addr);
typedef int (*cfg_fn)(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset);

DEVICE(parent, struct spdk_pci_device *, 0);
DEVICE(dev_handle, void *, 8);
DEVICE(addr, struct spdk_pci_addr, 16);
DEVICE(id, struct spdk_pci_id, 24);
DEVICE(numa_id, int, 36);
DEVICE(socket_id, int, 36);
DEVICE(type, const char *, 40);
DEVICE(map_bar, map_bar_fn, 48);
DEVICE(unmap_bar, unmap_bar_fn, 56);
DEVICE(cfg_read, cfg_fn, 64);
DEVICE(cfg_write, cfg_fn, 72);
DEVICE(internal, struct _spdk_pci_device_internal, 80);
DEVICE(internal.driver, struct spdk_pci_driver *, 80);
DEVICE(internal.attached, bool, 88);
DEVICE(internal.claim_fd, int, 92);
DEVICE(internal.pending_removal, bool, 96);
DEVICE(internal.removed, bool, 97);
DEVICE(internal.tailq.tqe_next, struct spdk_pci_device *, 104);
SIZE(struct spdk_pci_device, 120);

typedef int (*provider_attach_fn)(const struct spdk_pci_addr *addr);
typedef void (*provider_detach_fn)(struct spdk_pci_device *dev);

FIELD(struct spdk_pci_device_provider, name, const char *, 0);
FIELD(struct spdk_pci_device_provider, attach_cb, provider_attach_fn, 8);
FIELD(struct spdk_pci_device_provider, detach_cb, provider_detach_fn, 16);
FIELD(struct spdk_pci_device_provider, tailq.tqe_next, struct spdk_pci_device_provider *, 24);
SIZE(struct spdk_pci_device_provider, 40);

IS(SPDK_UEVENT_ADD, 0);
IS(SPDK_UEVENT_REMOVE, 1);
FIELD(struct spdk_pci_event, action, enum spdk_pci_event_type, 0);
FIELD(struct spdk_pci_event, traddr, struct spdk_pci_addr, 4);

IS(SPDK_PCI_DRIVER_NEED_MAPPING, 1);
IS(SPDK_PCI_DRIVER_WC_ACTIVATE, 2);

/* ---- Memory, pools, cores ---- */

FIELD(struct spdk_mem_map_ops, notify_cb, spdk_mem_map_notify_cb, 0);
FIELD(struct spdk_mem_map_ops, are_contiguous, spdk_mem_map_contiguous_translations, 8);
SIZE(struct spdk_mem_map_ops, 16);
IS(SPDK_MEM_MAP_NOTIFY_REGISTER, 0);
IS(SPDK_MEM_MAP_NOTIFY_UNREGISTER, 1);
SIZE(enum spdk_mem_map_notify_action, sizeof(int));

IS(SPDK_MALLOC_DMA, 0x01);
IS(SPDK_MALLOC_SHARE, 0x02);
IS(SPDK_MAX_MEMZONE_NAME_LEN, 32);
IS(SPDK_MEMZONE_NO_IOVA_CONTIG, 0x100000);
IS(SPDK_MAX_MEMPOOL_NAME_LEN, 29);
IS(SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SIZE_MAX);
IS(SPDK_RING_TYPE_SP_SC, 0);
IS(SPDK_RING_TYPE_MP_SC, 1);
IS(SPDK_RING_TYPE_MP_MC, 2);
SIZE(enum spdk_ring_type, sizeof(int));

IS(SPDK_ENV_NUMA_ID_ANY, -1);
IS(SPDK_ENV_SOCKET_ID_ANY, -1);
IS(SPDK_ENV_LCORE_ID_ANY, UINT32_MAX);
IS(SPDK_VTOPHYS_ERROR, ~0ULL);
SIZE(__typeof__(SPDK_VTOPHYS_ERROR), 8);

/* ---- Channels ---- */

IS(SPDK_IOAT_ENGINE_COPY_SUPPORTED, 0x1);
IS(SPDK_IOAT_ENGINE_FILL_SUPPORTED, 0x2);
SIZE(enum spdk_ioat_dma_capability_flags, sizeof(int));

/* ---- Log ---- */

IS(SPDK_LOG_DISABLED, -1);
IS(SPDK_LOG_ERROR, 0);
IS(SPDK_LOG_WARN, 1);
IS(SPDK_LOG_NOTICE, 2);
IS(SPDK_LOG_INFO, 3);
IS(SPDK_LOG_DEBUG, 4);
SIZE(enum spdk_log_level, sizeof(int));

FIELD(struct spdk_log_flag, tailq.tqe_next, struct spdk_log_flag *, 0);
FIELD(struct spdk_log_flag, name, const char *, 16);
FIELD(struct spdk_log_flag, enabled, bool, 24);
SIZE(struct spdk_log_flag, 32);

/* ---- Device ids: the driver's table, and 3C2F that is named but not in it ---- */

IS(PCI_DEVICE_ID_INTEL_IOAT_SNB0, 0x3c20);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB1, 0x3c21);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB2, 0x3c22);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB3, 0x3c23);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB4, 0x3c24);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB5, 0x3c25);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB6, 0x3c26);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB7, 0x3c27);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB8, 0x3c2e);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB0, 0x0e20);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB1, 0x0e21);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB2, 0x0e22);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB3, 0x0e23);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB4, 0x0e24);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB5, 0x0e25);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB6, 0x0e26);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB7, 0x0e27);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB8, 0x0e2e);
IS(PCI_DEVICE_ID_INTEL_IOAT_IVB9, 0x0e2f);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW0, 0x2f20);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW1, 0x2f21);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW2, 0x2f22);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW3, 0x2f23);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW4, 0x2f24);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW5, 0x2f25);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW6, 0x2f26);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW7, 0x2f27);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW8, 0x2f2e);
IS(PCI_DEVICE_ID_INTEL_IOAT_HSW9, 0x2f2f);
IS(PCI_DEVICE_ID_INTEL_IOAT_BWD0, 0x0C50);
IS(PCI_DEVICE_ID_INTEL_IOAT_BWD1, 0x0C51);
IS(PCI_DEVICE_ID_INTEL_IOAT_BWD2, 0x0C52);
IS(PCI_DEVICE_ID_INTEL_IOAT_BWD3, 0x0C53);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDXDE0, 0x6f50);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDXDE1, 0x6f51);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDXDE2, 0x6f52);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDXDE3, 0x6f53);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX0, 0x6f20);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX1, 0x6f21);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX2, 0x6f22);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX3, 0x6f23);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX4, 0x6f24);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX5, 0x6f25);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX6, 0x6f26);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX7, 0x6f27);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX8, 0x6f2e);
IS(PCI_DEVICE_ID_INTEL_IOAT_BDX9, 0x6f2f);
IS(PCI_DEVICE_ID_INTEL_IOAT_SKX, 0x2021);
IS(PCI_DEVICE_ID_INTEL_IOAT_ICX, 0x0b00);
IS(PCI_DEVICE_ID_INTEL_IOAT_SNB9, 0x3c2f);
IS(SPDK_PCI_VID_INTEL, 0x8086);
