/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The environment: start-up, DMA memory, registration and translation, cores and threads, pools,
 * time, and PCI devices.
 *
 * Unless a call says otherwise it returns 0 or a negative errno, and logs one line for an error.
 * Memory, pools and translation may be called from any thread; init, fini, enumeration, attach,
 * detach and hooking from one thread at a time. Nothing here ends the process, installs a signal
 * handler or changes the affinity of the calling thread.
 */

#ifndef SPDK_ENV_H
#define SPDK_ENV_H

#include "spdk/stdinc.h"
#include "spdk/queue.h"
#include "spdk/pci_ids.h"
#include "spdk/assert.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** As a NUMA node: any. */
#define SPDK_ENV_NUMA_ID_ANY   (-1)
#define SPDK_ENV_SOCKET_ID_ANY SPDK_ENV_NUMA_ID_ANY
/** As a core: any; also what a thread that is on no core of ours reads as its core. */
#define SPDK_ENV_LCORE_ID_ANY (UINT32_MAX)

/* ---- Start and end ---------------------------------------------------------------------- */

struct spdk_pci_addr {
	uint32_t domain;
	uint8_t bus;
	uint8_t dev;
	uint8_t func;
};

/**
 * Options of spdk_env_init(). The caller sets `opts_size` to sizeof(struct spdk_env_opts) before
 * spdk_env_opts_init(); programs from before that field existed do not, and are served too.
 */
struct spdk_env_opts {
	/** Name of the program. Default "spdk". */
	const char *name;
	/** Cores: a mask ("0x3") or a list ("[0,2-3]"). Default "0x1". */
	const char *core_mask;
	/** Cores as "core[@cpu]" or ranges, separated by commas; excludes core_mask. Default NULL.
	 */
	const char *lcore_map;
	/** Ignored: memory is not shared between processes. Default -1. */
	int shm_id;
	/** Ignored. Default -1. */
	int mem_channel;
	/** The core of the thread that calls spdk_env_init(); -1 (default) for the lowest one. */
	int main_core;
	/** Largest amount of DMA memory in MiB, rounded up to 2; -1 (default) or 0 for no limit. */
	int mem_size;
	/** Leave the PCI devices of the machine alone. Emulated and hooked ones still appear. */
	bool no_pci;
	/** Ignored: every piece of DMA memory is in one segment of its own already. */
	bool hugepage_single_segments;
	/** Ignored: hugepages never have a name in a file system here. */
	bool unlink_hugepage;
	/** Take DMA memory from ordinary shared memory even where there are hugepages. */
	bool no_huge;
	uint32_t reserved;
	/** Entries in pci_blocked or pci_allowed. */
	size_t num_pci_addr;
	/** Ignored: hugepages are taken from the kernel without a mount. */
	const char *hugedir;
	/** Functions that are not offered. Not together with pci_allowed. */
	struct spdk_pci_addr *pci_blocked;
	/** The only functions that are offered. */
	struct spdk_pci_addr *pci_allowed;
	/** "va", "mapped" or "pa"; NULL (default) to settle it from the devices. */
	const char *iova_mode;
	/** Where DMA memory is placed if the kernel agrees. A hint. Default 0x200000000000. */
	uint64_t base_virtaddr;
	/** Ignored: there is no other environment underneath to pass it to. */
	void *env_context;
	/** VFIO token of virtual functions, a UUID. Default NULL. */
	const char *vf_token;
	/** Size of this structure as the caller knows it. */
	size_t opts_size;
	/** Refuse DMA memory from another node than asked for. */
	bool enforce_numa;
	uint8_t reserved2[7];
};
SPDK_STATIC_ASSERT(sizeof(struct spdk_env_opts) == 128, "programs rely on the layout");

/** Sets every field to its default. Works on uninitialised memory. */
void spdk_env_opts_init(struct spdk_env_opts *opts);

/**
 * Starts the environment. The calling thread becomes the one on the main core.
 *
 * The variable UDMA_EMULATE=N[,option=value…] makes N emulated I/OAT channels appear. Options:
 * generation=snb, ivb, hsw, bdx, bwd, bdxde, skx, icx or a device id (which part it is; skx),
 * xfercap=12…31 (log2 of the largest transfer, 20), iova_bits=32…64 (width of the emulated IOMMU,
 * 64), flip=N (spoil one byte in every N-th descriptor, to see that it is noticed; 0), error=BIT/N
 * (end every N-th descriptor with this bit of CHANERR), fault=TEXT (any other fault of
 * udma/fault.h). The last two may be given more than once. The first descriptor that counts is a
 * fill which the attach of a channel tries.
 *
 * \param opts NULL for the defaults.
 * \return 0; -EINVAL for a bad option, or if it has been started already; -ENOTSUP for an
 * iova_mode that the devices present cannot serve, or "pa" without a hugepage; -ENOMEM.
 */
int spdk_env_init(const struct spdk_env_opts *opts);

/**
 * Ends the environment: detaches what is still attached (with a log line), frees the DMA memory
 * and forgets registrations. Threads launched on cores must have been waited for. It can be
 * started again afterwards. Harmless when it has not been started.
 */
void spdk_env_fini(void);

/* ---- DMA memory ------------------------------------------------------------------------- */

/** Memory that devices can reach, as all memory of this group is. */
#define SPDK_MALLOC_DMA 0x01
/** Memory for other processes too. Here it is the same as SPDK_MALLOC_DMA: nothing is shared. */
#define SPDK_MALLOC_SHARE 0x02

/**
 * Memory that is registered already: from hugepages where there are some, else from ordinary
 * shared memory. Where hugepages run out, the rest is ordinary.
 *
 * \param size in bytes; 0 gives NULL.
 * \param align a power of two, or 0; the result is never aligned to less than 64.
 * \param unused must be NULL.
 * \param numa_id preferred NUMA node, or SPDK_ENV_NUMA_ID_ANY.
 * \param flags one of those above, or both; 0 gives NULL.
 * \return the memory, to be given back with spdk_free(); NULL if there is none.
 */
void *spdk_malloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags);
/** As spdk_malloc(), zeroed. */
void *spdk_zmalloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags);
/**
 * Changes the size of a piece of memory, which may move; its contents are kept.
 *
 * \param buf from spdk_malloc(); NULL to allocate.
 * \param size 0 frees, and returns NULL.
 * \return the memory; NULL if there is none, and `buf` stays as it was.
 */
void *spdk_realloc(void *buf, size_t size, size_t align);
/** Gives memory back. \param buf from any call of this group; NULL is harmless. */
void spdk_free(void *buf);

/** spdk_malloc() for devices, on any node. */
void *spdk_dma_malloc(size_t size, size_t align, uint64_t *unused);
/** spdk_malloc() for devices, preferably on one node. */
void *spdk_dma_malloc_socket(size_t size, size_t align, uint64_t *unused, int numa_id);
/** spdk_zmalloc() for devices, on any node. */
void *spdk_dma_zmalloc(size_t size, size_t align, uint64_t *unused);
/** spdk_zmalloc() for devices, preferably on one node. */
void *spdk_dma_zmalloc_socket(size_t size, size_t align, uint64_t *unused, int numa_id);
/** spdk_realloc(). \param unused must be NULL. */
void *spdk_dma_realloc(void *buf, size_t size, size_t align, uint64_t *unused);
/** spdk_free(). */
void spdk_dma_free(void *buf);

#define SPDK_MAX_MEMZONE_NAME_LEN   32
#define SPDK_MEMZONE_NO_IOVA_CONTIG 0x00100000

/**
 * Named, zeroed DMA memory that lives until it is freed by name or the environment ends.
 *
 * \param name shorter than SPDK_MAX_MEMZONE_NAME_LEN.
 * \param flags SPDK_MEMZONE_NO_IOVA_CONTIG if the devices need not see it in one piece.
 * \return the memory; NULL if the name is taken or too long, `len` is 0, or there is no memory.
 */
void *spdk_memzone_reserve(const char *name, size_t len, int numa_id, unsigned flags);
/** As spdk_memzone_reserve(). \param align a power of two. */
void *spdk_memzone_reserve_aligned(const char *name, size_t len, int numa_id, unsigned flags,
				   unsigned align);
/** \return the memory of that name; NULL if there is none. */
void *spdk_memzone_lookup(const char *name);
/** \return 0; -1 if there is none of that name. */
int spdk_memzone_free(const char *name);
/** Prints name, address and length of each. */
void spdk_memzone_dump(FILE *f);

/* ---- Pools and rings -------------------------------------------------------------------- */

#define SPDK_MAX_MEMPOOL_NAME_LEN       29
#define SPDK_MEMPOOL_DEFAULT_CACHE_SIZE SIZE_MAX

/** Equal pieces of DMA memory. Opaque. */
struct spdk_mempool;

/** Called for each element, in order. */
typedef void(spdk_mempool_obj_cb_t)(struct spdk_mempool *mp, void *opaque, void *obj,
				    unsigned obj_idx);
/** Called for each contiguous piece of the pool's memory. \param iova as devices see it. */
typedef void(spdk_mempool_mem_cb_t)(struct spdk_mempool *mp, void *opaque, void *addr,
				    uint64_t iova, size_t len, unsigned mem_idx);

/**
 * Creates a pool. All `count` elements can be had by any one thread.
 *
 * \param name unique, shorter than SPDK_MAX_MEMPOOL_NAME_LEN.
 * \param cache_size ignored: there are no caches in which elements could be stuck.
 * \return the pool; NULL if the name is taken or too long, or there is no memory.
 */
struct spdk_mempool *spdk_mempool_create(const char *name, size_t count, size_t ele_size,
					 size_t cache_size, int numa_id);
/** As spdk_mempool_create(). \param obj_init called for each element before it can be had. */
struct spdk_mempool *spdk_mempool_create_ctor(const char *name, size_t count, size_t ele_size,
					      size_t cache_size, int numa_id,
					      spdk_mempool_obj_cb_t *obj_init, void *obj_init_arg);
char *spdk_mempool_get_name(struct spdk_mempool *mp);
/** Frees a pool, also the elements still out. NULL is harmless. */
void spdk_mempool_free(struct spdk_mempool *mp);
/** \return an element with the contents it was put back with; NULL if the pool is empty. */
void *spdk_mempool_get(struct spdk_mempool *mp);
/** All or nothing. \return 0; -ENOMEM if there are fewer than `count`. */
int spdk_mempool_get_bulk(struct spdk_mempool *mp, void **ele_arr, size_t count);
/** Gives an element back to the pool it is from. What is not an element that is out is refused. */
void spdk_mempool_put(struct spdk_mempool *mp, void *ele);
void spdk_mempool_put_bulk(struct spdk_mempool *mp, void **ele_arr, size_t count);
/** \return how many elements are in the pool now. */
size_t spdk_mempool_count(const struct spdk_mempool *pool);
/** Visits all elements, also those that are out. \return how many. */
uint32_t spdk_mempool_obj_iter(struct spdk_mempool *mp, spdk_mempool_obj_cb_t obj_cb,
			       void *obj_cb_arg);
/** Visits the pool's memory. \return how many pieces. */
uint32_t spdk_mempool_mem_iter(struct spdk_mempool *mp, spdk_mempool_mem_cb_t mem_cb,
			       void *mem_cb_arg);
/** \return the pool of that name; NULL if there is none. */
struct spdk_mempool *spdk_mempool_lookup(const char *name);

/** A queue of pointers between threads. Opaque. */
struct spdk_ring;

/** Who may use a ring at the same time: single or multiple producers and consumers. */
enum spdk_ring_type {
	SPDK_RING_TYPE_SP_SC,
	SPDK_RING_TYPE_MP_SC,
	SPDK_RING_TYPE_MP_MC,
};

/** \param count how many pointers it holds, 1 to 2^31. \return NULL if it is not, or no memory. */
struct spdk_ring *spdk_ring_create(enum spdk_ring_type type, size_t count, int numa_id);
/** NULL is harmless. */
void spdk_ring_free(struct spdk_ring *ring);
/** \return how many pointers are in it. */
size_t spdk_ring_count(struct spdk_ring *ring);
/**
 * Puts `count` pointers in, or none.
 *
 * \param free_space if not NULL, set to the room left.
 * \return `count` or 0.
 */
size_t spdk_ring_enqueue(struct spdk_ring *ring, void **objs, size_t count, size_t *free_space);
/** Takes up to `count` pointers out. \return how many. */
size_t spdk_ring_dequeue(struct spdk_ring *ring, void **objs, size_t count);

/* ---- Cores, threads, time --------------------------------------------------------------- */

struct spdk_cpuset;

/** \return how many cores spdk_env_init() was given. */
uint32_t spdk_env_get_core_count(void);
/** \return the calling thread's core; SPDK_ENV_LCORE_ID_ANY if it is not on one of ours. */
uint32_t spdk_env_get_current_core(void);
uint32_t spdk_env_get_main_core(void);
uint32_t spdk_env_get_first_core(void);
uint32_t spdk_env_get_last_core(void);
/** \return the next higher core, the first after UINT32_MAX; UINT32_MAX after the last. */
uint32_t spdk_env_get_next_core(uint32_t prev_core);
#define SPDK_ENV_FOREACH_CORE(i)                                                                   \
	for (i = spdk_env_get_first_core(); i < UINT32_MAX; i = spdk_env_get_next_core(i))

/** \return the NUMA node of a core; SPDK_ENV_NUMA_ID_ANY if it is not known. */
int32_t spdk_env_get_numa_id(uint32_t core);
#define spdk_env_get_socket_id(core) spdk_env_get_numa_id(core)
int32_t spdk_env_get_first_numa_id(void);
int32_t spdk_env_get_last_numa_id(void);
/** \return the next higher node; INT32_MAX after the last. */
int32_t spdk_env_get_next_numa_id(int32_t prev_numa_id);
#define SPDK_ENV_FOREACH_NUMA_ID(i)                                                                \
	for (i = spdk_env_get_first_numa_id(); i < INT32_MAX; i = spdk_env_get_next_numa_id(i))

/** Gives the set of our cores (see spdk/cpuset.h). */
void spdk_env_get_cpuset(struct spdk_cpuset *cpuset);
/**
 * Gives the hardware threads that share a core with `core`, itself included.
 *
 * \param core UINT32_MAX for those of all our cores together.
 * \return whether they are known.
 */
bool spdk_env_core_get_smt_cpuset(struct spdk_cpuset *cpuset, uint32_t core);

typedef int (*thread_start_fn)(void *);

/**
 * Runs a function in a thread pinned to a core. One function at a time runs on a core.
 *
 * \return 0; -1 on a core that is not ours or the caller's own; -EBUSY while one runs there;
 * another negative errno if the thread cannot be made.
 */
int spdk_env_thread_launch_pinned(uint32_t core, thread_start_fn fn, void *arg);
/** Waits until the functions on all cores have returned. */
void spdk_env_thread_wait_all(void);

/** \return true: every process has its own environment. */
bool spdk_process_is_primary(void);

/** \return a count that rises at a constant rate, the same on all cores. Enters no kernel. */
uint64_t spdk_get_ticks(void);
/** \return how often spdk_get_ticks() counts in a second. */
uint64_t spdk_get_ticks_hz(void);
/** Waits, keeping the core. */
void spdk_delay_us(unsigned int us);
/** Tells the core that the caller spins. */
void spdk_pause(void);

/** Lets the calling thread run on every core the process may use. */
void spdk_unaffinitize_thread(void);
/** Runs `cb` with the affinity lifted, and restores it. \return what `cb` returned; NULL without
 * one.
 */
void *spdk_call_unaffinitized(void *cb(void *arg), void *arg);
/** \return the kernel's id of the calling thread. */
int spdk_get_tid(void);

/* ---- Registration and translation ------------------------------------------------------- */

#define SPDK_VTOPHYS_ERROR (0xFFFFFFFFFFFFFFFFULL)

/** \return whether an IOMMU (real or emulated) stands between the devices and memory. */
bool spdk_iommu_is_enabled(void);

/**
 * Translates a virtual address to the one that devices use. Enters no kernel.
 *
 * \param size if not NULL: in, how many bytes are asked for; out, for how many of them the answer
 * holds, never more than were asked for.
 * \return the address; SPDK_VTOPHYS_ERROR if `buf` is not registered.
 */
uint64_t spdk_vtophys(const void *buf, uint64_t *size);

/** Translations of registered memory, kept for a program's own use. Opaque. */
struct spdk_mem_map;

enum spdk_mem_map_notify_action {
	SPDK_MEM_MAP_NOTIFY_REGISTER,
	SPDK_MEM_MAP_NOTIFY_UNREGISTER,
};

/**
 * Told of each registration (after it can be translated) and removal (before it cannot). Regions
 * come whole, as registered. Runs on the thread that registers; it may not register or unregister,
 * nor make or free a map. DMA memory it can have only as far as there is some already: more would
 * have to be registered.
 *
 * \return 0, or a negative errno to refuse, which undoes the registration or the removal.
 */
typedef int (*spdk_mem_map_notify_cb)(void *cb_ctx, struct spdk_mem_map *map,
				      enum spdk_mem_map_notify_action action, void *vaddr,
				      size_t size);

/** \return nonzero if the memory behind two translations may be used as one piece. */
typedef int (*spdk_mem_map_contiguous_translations)(uint64_t addr_1, uint64_t addr_2);

struct spdk_mem_map_ops {
	spdk_mem_map_notify_cb notify_cb;
	spdk_mem_map_contiguous_translations are_contiguous;
};

/**
 * Creates a map, and tells it of everything that is registered.
 *
 * \param default_translation what spdk_mem_map_translate() answers where nothing is set.
 * \param ops NULL for a map that is told nothing. Copied.
 * \return the map; NULL if there is no memory, or notify_cb refused (those it had accepted have
 * been taken back).
 */
struct spdk_mem_map *spdk_mem_map_alloc(uint64_t default_translation,
					const struct spdk_mem_map_ops *ops, void *cb_ctx);
/** Tells the map that everything is removed, frees it and sets `*pmap` to NULL. */
void spdk_mem_map_free(struct spdk_mem_map **pmap);
/**
 * Sets the answer for a range of whole pages of 4096 bytes, over whatever was set there. An empty
 * one is accepted and does nothing.
 *
 * \return 0; -EINVAL if it is not aligned, or not below 2^57; -ENOMEM.
 */
int spdk_mem_map_set_translation(struct spdk_mem_map *map, uint64_t vaddr, uint64_t size,
				 uint64_t translation);
/** Sets a range back to the default translation. \return as spdk_mem_map_set_translation(). */
int spdk_mem_map_clear_translation(struct spdk_mem_map *map, uint64_t vaddr, uint64_t size);
/**
 * \param size if not NULL: in, how many bytes are asked for; out, for how many of them, from
 * `vaddr` on, the answer holds. Neighbours that are_contiguous() accepts count as one; without
 * that function each range that was set stands alone.
 * \return the translation that was set for the range, as it was set; the default if none was.
 */
uint64_t spdk_mem_map_translate(const struct spdk_mem_map *map, uint64_t vaddr, uint64_t *size);

/**
 * Makes memory reachable for devices: anonymous memory, a mapped file, memfd, hugetlbfs. Any
 * range of whole pages. It stays the caller's, and must stay mapped until it is unregistered.
 * Memory mapped read-only can be a source only.
 *
 * \param len in bytes; 0 is accepted and does nothing.
 * \return 0; -EINVAL if address or length is not page-aligned; -EBUSY if part of it is registered
 * already; -EFAULT if part of it is not mapped or not readable; -ENOMEM; or why a device cannot
 * reach it. On an error nothing is registered.
 */
int spdk_mem_register(void *vaddr, size_t len);
/**
 * Takes registrations back, one or several adjacent ones, whole. Waits until no engine of this
 * process can be inside.
 *
 * \return 0; -EINVAL if address or length is not aligned, nothing is registered there, or it is
 * memory from spdk_malloc(); -ERANGE for part of a registration; -EBUSY if an engine does not come
 * to an end, and the memory stays registered.
 */
int spdk_mem_unregister(void *vaddr, size_t len);
/** Makes later registration inside the range need no memory. \return 0; -EINVAL; -ENOMEM. */
int spdk_mem_reserve(void *vaddr, size_t len);
/**
 * \param size if not NULL: in, how many bytes are asked for; out, for how many the answer holds.
 * \return the NUMA node of registered memory; SPDK_ENV_NUMA_ID_ANY if it is not known.
 */
int32_t spdk_mem_get_numa_id(const void *buf, uint64_t *size);
/**
 * \param offset set to where `vaddr` is in the file.
 * \return the file descriptor behind memory from spdk_malloc(), which stays the library's; -EINVAL
 * for other memory.
 */
int spdk_mem_get_fd_and_offset(void *vaddr, uint64_t *offset);

/* ---- PCI -------------------------------------------------------------------------------- */

struct spdk_pci_id {
	/** Class, subclass and programming interface, 24 bits. */
	uint32_t class_id;
	uint16_t vendor_id;
	uint16_t device_id;
	uint16_t subvendor_id;
	uint16_t subdevice_id;
};

struct spdk_pci_driver;
struct spdk_pci_device;

/** What the library keeps in a device. Zero before a device is hooked, and not to be written. */
struct _spdk_pci_device_internal {
	struct spdk_pci_driver *driver;
	bool attached;
	/** The lock file of a claim; meaningful only while claimed. */
	int claim_fd;
	bool pending_removal;
	bool removed;
	TAILQ_ENTRY(spdk_pci_device) tailq;
};

/** A PCI function. Programs that hook one of their own fill in everything down to cfg_write. */
struct spdk_pci_device {
	struct spdk_pci_device *parent;
	void *dev_handle;
	struct spdk_pci_addr addr;
	struct spdk_pci_id id;
	union {
		int numa_id;
		int socket_id;
	};
	/** How it is reached: the name of its provider, if it has one. */
	const char *type;

	int (*map_bar)(struct spdk_pci_device *dev, uint32_t bar, void **mapped_addr,
		       uint64_t *phys_addr, uint64_t *size);
	int (*unmap_bar)(struct spdk_pci_device *dev, uint32_t bar, void *addr);
	int (*cfg_read)(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset);
	int (*cfg_write)(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset);

	struct _spdk_pci_device_internal internal;
};

/** Takes (0) or leaves (> 0) a device, or reports that it failed to take it (< 0). */
typedef int (*spdk_pci_enum_cb)(void *enum_ctx, struct spdk_pci_device *dev);

/** A way to reach devices that are not listed yet. The storage stays the caller's. */
struct spdk_pci_device_provider {
	const char *name;
	/** Makes the device appear (spdk_pci_hook_device()). \return 0, or nonzero if it has none.
	 */
	int (*attach_cb)(const struct spdk_pci_addr *addr);
	/** Told that a device of this type was detached. */
	void (*detach_cb)(struct spdk_pci_device *dev);
	TAILQ_ENTRY(spdk_pci_device_provider) tailq;
};

/** Adds a provider, for good. */
void spdk_pci_register_device_provider(struct spdk_pci_device_provider *provider);
#define SPDK_PCI_REGISTER_DEVICE_PROVIDER(name, provider)                                          \
	static void __attribute__((constructor)) _spdk_pci_register_device_provider_##name(void)   \
	{                                                                                          \
		spdk_pci_register_device_provider(provider);                                       \
	}

#define SPDK_PCI_DRIVER_NEED_MAPPING 0x0001
#define SPDK_PCI_DRIVER_WC_ACTIVATE  0x0002

/** Initialises a struct spdk_pci_id that matches a vendor's device of any class. */
#ifdef __cplusplus /* which has no designators before C++20 */
#define SPDK_PCI_DEVICE(vend, dev)                                                                 \
	SPDK_PCI_CLASS_ANY_ID, (vend), (dev), SPDK_PCI_ANY_ID, SPDK_PCI_ANY_ID
#else
#define SPDK_PCI_DEVICE(vend, dev)                                                                 \
	.class_id = SPDK_PCI_CLASS_ANY_ID, .vendor_id = (vend), .device_id = (dev),                \
	.subvendor_id = SPDK_PCI_ANY_ID, .subdevice_id = SPDK_PCI_ANY_ID
#endif

/**
 * Adds a driver, for good.
 *
 * \param name kept, not copied; a second driver of the same name replaces the first one's ids.
 * \param id_table ended by an entry whose vendor_id is 0; kept, not copied.
 * \param flags SPDK_PCI_DRIVER_*.
 */
void spdk_pci_driver_register(const char *name, struct spdk_pci_id *id_table, uint32_t flags);
#define SPDK_PCI_DRIVER_REGISTER(name, id_table, flags)                                            \
	__attribute__((constructor)) static void _spdk_pci_driver_register_##name(void)            \
	{                                                                                          \
		spdk_pci_driver_register(#name, id_table, flags);                                  \
	}

/** \return the driver of that name; NULL if there is none. */
struct spdk_pci_driver *spdk_pci_get_driver(const char *name);
/** \return the driver "ioat", which is always there. */
struct spdk_pci_driver *spdk_pci_ioat_get_driver(void);
/* The drivers of other devices: NULL unless the program has registered one of that name. */
struct spdk_pci_driver *spdk_pci_nvme_get_driver(void);
struct spdk_pci_driver *spdk_pci_vmd_get_driver(void);
struct spdk_pci_driver *spdk_pci_idxd_get_driver(void);
struct spdk_pci_driver *spdk_pci_ae4dma_get_driver(void);
struct spdk_pci_driver *spdk_pci_virtio_get_driver(void);

/**
 * Offers each device of a driver that is neither attached nor being removed. What the callback
 * takes is attached until spdk_pci_device_detach(); what it leaves is offered again next time. A
 * device that it fails to take does not keep the others from being offered.
 *
 * \return 0; -1 if the callback failed for any device, or the environment has not been started.
 */
int spdk_pci_enumerate(struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb, void *enum_ctx);
/** Calls `fn` for every device, attached or not. */
void spdk_pci_for_each_device(void *ctx, void (*fn)(void *ctx, struct spdk_pci_device *dev));

/**
 * Offers one device by address, whatever the allow and block lists say. One that is not listed is
 * asked of the providers in turn.
 *
 * \return 0; -1 if there is none, it is attached already, or the callback did not take it.
 */
int spdk_pci_device_attach(struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb, void *enum_ctx,
			   struct spdk_pci_addr *pci_address);
/** Undoes an attach and a claim. Harmless for a device that is not attached. */
void spdk_pci_device_detach(struct spdk_pci_device *device);
/** Lets one address be offered whatever the lists say. \return 0; -EINVAL; -ENOMEM. */
int spdk_pci_device_allow(struct spdk_pci_addr *pci_addr);

/**
 * Maps a BAR.
 *
 * \param mapped_addr, phys_addr, size where it is, its bus address and its length in bytes.
 * \return 0, or a negative errno.
 */
int spdk_pci_device_map_bar(struct spdk_pci_device *dev, uint32_t bar, void **mapped_addr,
			    uint64_t *phys_addr, uint64_t *size);
int spdk_pci_device_unmap_bar(struct spdk_pci_device *dev, uint32_t bar, void *mapped_addr);

/*
 * Interrupts: -ENOTSUP from a device that has none. The descriptors stay the library's; one becomes
 * readable when its interrupt has come. They are eventfds, but for uio_pci_generic, where it is
 * that of /dev/uioN, from which 4 bytes are read. A channel for which udma_ioat_get_fd() has been
 * called uses them itself.
 */

/**
 * Enables one interrupt: by MSI-X, MSI or INTx, the first that there is. Called again after an
 * INTx, which comes once, it lets the next one come.
 *
 * \return 0; a negative errno, logged.
 */
int spdk_pci_device_enable_interrupt(struct spdk_pci_device *dev);
int spdk_pci_device_disable_interrupt(struct spdk_pci_device *dev);
int spdk_pci_device_get_interrupt_efd(struct spdk_pci_device *dev);
int spdk_pci_device_enable_interrupts(struct spdk_pci_device *dev, uint32_t efd_count);
int spdk_pci_device_disable_interrupts(struct spdk_pci_device *dev);
int spdk_pci_device_get_interrupt_efd_by_index(struct spdk_pci_device *dev, uint32_t index);

uint32_t spdk_pci_device_get_domain(struct spdk_pci_device *dev);
uint8_t spdk_pci_device_get_bus(struct spdk_pci_device *dev);
uint8_t spdk_pci_device_get_dev(struct spdk_pci_device *dev);
uint8_t spdk_pci_device_get_func(struct spdk_pci_device *dev);
struct spdk_pci_addr spdk_pci_device_get_addr(struct spdk_pci_device *dev);
uint16_t spdk_pci_device_get_vendor_id(struct spdk_pci_device *dev);
uint16_t spdk_pci_device_get_device_id(struct spdk_pci_device *dev);
uint16_t spdk_pci_device_get_subvendor_id(struct spdk_pci_device *dev);
uint16_t spdk_pci_device_get_subdevice_id(struct spdk_pci_device *dev);
struct spdk_pci_id spdk_pci_device_get_id(struct spdk_pci_device *dev);
/** \return the NUMA node; SPDK_ENV_NUMA_ID_ANY if it is not known. */
int spdk_pci_device_get_numa_id(struct spdk_pci_device *dev);
#define spdk_pci_device_get_socket_id(dev) spdk_pci_device_get_numa_id(dev)
/** \return how the device is reached: "pci", "emulated", or what its hook said. */
const char *spdk_pci_device_get_type(const struct spdk_pci_device *dev);
/**
 * Gives the serial number (capability 3 of the extended configuration space) as 16 digits.
 *
 * \param len at least 17.
 * \return 0; -ENOENT if the device has none; -EINVAL if `sn` is too short.
 */
int spdk_pci_device_get_serial_number(struct spdk_pci_device *dev, char *sn, size_t len);

/**
 * Takes a function for this process, among all that ask. Released by unclaim, by detach and by the
 * end of the process. Emulated functions belong to one process anyway.
 *
 * \return 0; -EACCES if another process has it (the log names it); another negative errno if the
 * lock file cannot be used.
 */
int spdk_pci_device_claim(struct spdk_pci_device *dev);
void spdk_pci_device_unclaim(struct spdk_pci_device *dev);

/**
 * Reads or writes configuration space.
 *
 * \param len in bytes. \param offset in bytes, below 4096.
 * \return 0, or a negative errno.
 */
int spdk_pci_device_cfg_read(struct spdk_pci_device *dev, void *buf, uint32_t len, uint32_t offset);
int spdk_pci_device_cfg_write(struct spdk_pci_device *dev, void *buf, uint32_t len,
			      uint32_t offset);
int spdk_pci_device_cfg_read8(struct spdk_pci_device *dev, uint8_t *value, uint32_t offset);
int spdk_pci_device_cfg_write8(struct spdk_pci_device *dev, uint8_t value, uint32_t offset);
int spdk_pci_device_cfg_read16(struct spdk_pci_device *dev, uint16_t *value, uint32_t offset);
int spdk_pci_device_cfg_write16(struct spdk_pci_device *dev, uint16_t value, uint32_t offset);
int spdk_pci_device_cfg_read32(struct spdk_pci_device *dev, uint32_t *value, uint32_t offset);
int spdk_pci_device_cfg_write32(struct spdk_pci_device *dev, uint32_t value, uint32_t offset);

/**
 * A channel that is polled and never stalls does not tell that the kernel wants its device back;
 * this does.
 *
 * \return true once the device has gone, and its BAR may not be touched any more, or once the
 * kernel wants it back and waits until it is detached.
 */
bool spdk_pci_device_is_removed(struct spdk_pci_device *dev);

/** \return < 0, 0 or > 0, by domain, bus, device, function. */
int spdk_pci_addr_compare(const struct spdk_pci_addr *a1, const struct spdk_pci_addr *a2);
/**
 * Reads "domain:bus:dev.func", "domain:bus:dev", "bus:dev.func" or "bus:dev", hexadecimal; a full
 * stop may stand for each colon, but not for the last one of "domain:bus:dev". What is not given is
 * 0.
 *
 * \return 0; -EINVAL.
 */
int spdk_pci_addr_parse(struct spdk_pci_addr *addr, const char *bdf);
/** Prints "dddd:bb:dd.f". \return 0; -1 if `sz` is too small. */
int spdk_pci_addr_fmt(char *bdf, size_t sz, const struct spdk_pci_addr *addr);

/**
 * Adds a program's own device under a driver; its functions then serve every BAR and configuration
 * access, and it can be attached and enumerated like any other. The structure stays the program's
 * until it is unhooked.
 *
 * \return 0; -EEXIST if the address is taken; -EINVAL if a function is missing.
 */
int spdk_pci_hook_device(struct spdk_pci_driver *drv, struct spdk_pci_device *dev);
/** Takes a hooked device away. It must have been detached; an attached one is refused with a log
 * line. */
void spdk_pci_unhook_device(struct spdk_pci_device *dev);

enum spdk_pci_event_type {
	SPDK_UEVENT_ADD = 0,
	SPDK_UEVENT_REMOVE = 1,
};

struct spdk_pci_event {
	enum spdk_pci_event_type action;
	struct spdk_pci_addr traddr;
};

/** \return a descriptor that becomes readable when a device comes or goes, to be closed by the
 * caller; a negative errno. */
int spdk_pci_event_listen(void);
/** \return 1 and an event of a UIO or VFIO device; 0 if there is none; a negative errno. */
int spdk_pci_get_event(int fd, struct spdk_pci_event *event);

typedef void (*spdk_pci_error_handler)(const void *failure_addr, void *ctx);
/** \return -ENOTSUP: this library installs no signal handlers. A program that expects SIGBUS
 * installs its own. */
int spdk_pci_register_error_handler(spdk_pci_error_handler sighandler, void *ctx);
void spdk_pci_unregister_error_handler(spdk_pci_error_handler sighandler);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
