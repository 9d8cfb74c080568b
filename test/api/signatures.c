/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Every function that programs written for SPDK take from these headers, with its signature.
 *
 * The signatures are written out from the description of SPDK's interface, not taken from our
 * headers: a function that is missing or differs does not compile. Linked with the shared library,
 * so that one that is not exported does not link. Those of udma/ioat.h are here so that a change to
 * one is meant.
 */

#include "spdk/stdinc.h"

#include <cmocka.h>

#include "spdk/env.h"
#include "spdk/ioat.h"
#include "spdk/log.h"
#include "spdk/mmio.h"
#include "spdk/string.h"
#include "udma/ioat.h"

/* The pointer is volatile so that the comparison is made when the program runs. */
#define SAME(result, name, parameters)                                                             \
	do {                                                                                       \
		result(*volatile same) parameters = name;                                          \
		assert_true(same != NULL);                                                         \
	} while (0)

static void
env_memory(void **state)
{
	(void)state;
	SAME(void *, spdk_malloc,
	     (size_t size, size_t align, uint64_t * unused, int numa_id, uint32_t flags));
	SAME(void *, spdk_zmalloc,
	     (size_t size, size_t align, uint64_t * unused, int numa_id, uint32_t flags));
	SAME(void *, spdk_realloc, (void *buf, size_t size, size_t align));
	SAME(void, spdk_free, (void *buf));
	SAME(void *, spdk_dma_malloc, (size_t size, size_t align, uint64_t * unused));
	SAME(void *, spdk_dma_malloc_socket,
	     (size_t size, size_t align, uint64_t * unused, int numa_id));
	SAME(void *, spdk_dma_zmalloc, (size_t size, size_t align, uint64_t * unused));
	SAME(void *, spdk_dma_zmalloc_socket,
	     (size_t size, size_t align, uint64_t * unused, int numa_id));
	SAME(void *, spdk_dma_realloc, (void *buf, size_t size, size_t align, uint64_t *unused));
	SAME(void, spdk_dma_free, (void *buf));
	SAME(void *, spdk_memzone_reserve,
	     (const char *name, size_t len, int numa_id, unsigned flags));
	SAME(void *, spdk_memzone_reserve_aligned,
	     (const char *name, size_t len, int numa_id, unsigned flags, unsigned align));
	SAME(void *, spdk_memzone_lookup, (const char *name));
	SAME(int, spdk_memzone_free, (const char *name));
	SAME(void, spdk_memzone_dump, (FILE * f));
}

static void
env_pools_and_rings(void **state)
{
	(void)state;
	SAME(struct spdk_mempool *, spdk_mempool_create,
	     (const char *name, size_t count, size_t ele_size, size_t cache_size, int numa_id));
	SAME(struct spdk_mempool *, spdk_mempool_create_ctor,
	     (const char *name, size_t count, size_t ele_size, size_t cache_size, int numa_id,
	      spdk_mempool_obj_cb_t *obj_init, void *obj_init_arg));
	SAME(char *, spdk_mempool_get_name, (struct spdk_mempool * mp));
	SAME(void, spdk_mempool_free, (struct spdk_mempool * mp));
	SAME(void *, spdk_mempool_get, (struct spdk_mempool * mp));
	SAME(int, spdk_mempool_get_bulk, (struct spdk_mempool * mp, void **ele_arr, size_t count));
	SAME(void, spdk_mempool_put, (struct spdk_mempool * mp, void *ele));
	SAME(void, spdk_mempool_put_bulk, (struct spdk_mempool * mp, void **ele_arr, size_t count));
	SAME(size_t, spdk_mempool_count, (const struct spdk_mempool *pool));
	SAME(uint32_t, spdk_mempool_obj_iter,
	     (struct spdk_mempool * mp, spdk_mempool_obj_cb_t obj_cb, void *obj_cb_arg));
	SAME(uint32_t, spdk_mempool_mem_iter,
	     (struct spdk_mempool * mp, spdk_mempool_mem_cb_t mem_cb, void *mem_cb_arg));
	SAME(struct spdk_mempool *, spdk_mempool_lookup, (const char *name));
	SAME(struct spdk_ring *, spdk_ring_create,
	     (enum spdk_ring_type type, size_t count, int numa_id));
	SAME(void, spdk_ring_free, (struct spdk_ring * ring));
	SAME(size_t, spdk_ring_count, (struct spdk_ring * ring));
	SAME(size_t, spdk_ring_enqueue,
	     (struct spdk_ring * ring, void **objs, size_t count, size_t *free_space));
	SAME(size_t, spdk_ring_dequeue, (struct spdk_ring * ring, void **objs, size_t count));
}

static void
env_start_cores_threads_time(void **state)
{
	(void)state;
	SAME(void, spdk_env_opts_init, (struct spdk_env_opts * opts));
	SAME(int, spdk_env_init, (const struct spdk_env_opts *opts));
	SAME(void, spdk_env_fini, (void));
	SAME(uint32_t, spdk_env_get_core_count, (void));
	SAME(uint32_t, spdk_env_get_current_core, (void));
	SAME(uint32_t, spdk_env_get_main_core, (void));
	SAME(uint32_t, spdk_env_get_first_core, (void));
	SAME(uint32_t, spdk_env_get_last_core, (void));
	SAME(uint32_t, spdk_env_get_next_core, (uint32_t prev_core));
	SAME(int32_t, spdk_env_get_numa_id, (uint32_t core));
	SAME(int32_t, spdk_env_get_first_numa_id, (void));
	SAME(int32_t, spdk_env_get_last_numa_id, (void));
	SAME(int32_t, spdk_env_get_next_numa_id, (int32_t prev_numa_id));
	SAME(void, spdk_env_get_cpuset, (struct spdk_cpuset * cpuset));
	SAME(bool, spdk_env_core_get_smt_cpuset, (struct spdk_cpuset * cpuset, uint32_t core));
	SAME(int, spdk_env_thread_launch_pinned, (uint32_t core, thread_start_fn fn, void *arg));
	SAME(void, spdk_env_thread_wait_all, (void));
	SAME(bool, spdk_process_is_primary, (void));
	SAME(uint64_t, spdk_get_ticks, (void));
	SAME(uint64_t, spdk_get_ticks_hz, (void));
	SAME(void, spdk_delay_us, (unsigned int us));
	SAME(void, spdk_pause, (void));
	SAME(void, spdk_unaffinitize_thread, (void));
	SAME(void *, spdk_call_unaffinitized, (void *cb(void *arg), void *arg));
	SAME(int, spdk_get_tid, (void));
}

static void
env_translation_and_registration(void **state)
{
	(void)state;
	SAME(bool, spdk_iommu_is_enabled, (void));
	SAME(uint64_t, spdk_vtophys, (const void *buf, uint64_t *size));
	SAME(struct spdk_mem_map *, spdk_mem_map_alloc,
	     (uint64_t default_translation, const struct spdk_mem_map_ops *ops, void *cb_ctx));
	SAME(void, spdk_mem_map_free, (struct spdk_mem_map * *pmap));
	SAME(int, spdk_mem_map_set_translation,
	     (struct spdk_mem_map * map, uint64_t vaddr, uint64_t size, uint64_t translation));
	SAME(int, spdk_mem_map_clear_translation,
	     (struct spdk_mem_map * map, uint64_t vaddr, uint64_t size));
	SAME(uint64_t, spdk_mem_map_translate,
	     (const struct spdk_mem_map *map, uint64_t vaddr, uint64_t *size));
	SAME(int, spdk_mem_register, (void *vaddr, size_t len));
	SAME(int, spdk_mem_unregister, (void *vaddr, size_t len));
	SAME(int, spdk_mem_reserve, (void *vaddr, size_t len));
	SAME(int32_t, spdk_mem_get_numa_id, (const void *buf, uint64_t *size));
	SAME(int, spdk_mem_get_fd_and_offset, (void *vaddr, uint64_t *offset));
}

static void
env_pci(void **state)
{
	(void)state;
	SAME(void, spdk_pci_driver_register,
	     (const char *name, struct spdk_pci_id *id_table, uint32_t flags));
	SAME(struct spdk_pci_driver *, spdk_pci_vmd_get_driver, (void));
	SAME(struct spdk_pci_driver *, spdk_pci_ioat_get_driver, (void));
	SAME(struct spdk_pci_driver *, spdk_pci_idxd_get_driver, (void));
	SAME(struct spdk_pci_driver *, spdk_pci_ae4dma_get_driver, (void));
	SAME(struct spdk_pci_driver *, spdk_pci_virtio_get_driver, (void));
	SAME(struct spdk_pci_driver *, spdk_pci_get_driver, (const char *name));
	SAME(struct spdk_pci_driver *, spdk_pci_nvme_get_driver, (void));
	SAME(int, spdk_pci_enumerate,
	     (struct spdk_pci_driver * driver, spdk_pci_enum_cb enum_cb, void *enum_ctx));
	SAME(void, spdk_pci_for_each_device,
	     (void *ctx, void (*fn)(void *ctx, struct spdk_pci_device *dev)));
	SAME(int, spdk_pci_device_map_bar,
	     (struct spdk_pci_device * dev, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	      uint64_t *size));
	SAME(int, spdk_pci_device_unmap_bar,
	     (struct spdk_pci_device * dev, uint32_t bar, void *mapped_addr));
	SAME(int, spdk_pci_device_enable_interrupt, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_disable_interrupt, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_get_interrupt_efd, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_enable_interrupts,
	     (struct spdk_pci_device * dev, uint32_t efd_count));
	SAME(int, spdk_pci_device_disable_interrupts, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_get_interrupt_efd_by_index,
	     (struct spdk_pci_device * dev, uint32_t index));
	SAME(uint32_t, spdk_pci_device_get_domain, (struct spdk_pci_device * dev));
	SAME(uint8_t, spdk_pci_device_get_bus, (struct spdk_pci_device * dev));
	SAME(uint8_t, spdk_pci_device_get_dev, (struct spdk_pci_device * dev));
	SAME(uint8_t, spdk_pci_device_get_func, (struct spdk_pci_device * dev));
	SAME(struct spdk_pci_addr, spdk_pci_device_get_addr, (struct spdk_pci_device * dev));
	SAME(uint16_t, spdk_pci_device_get_vendor_id, (struct spdk_pci_device * dev));
	SAME(uint16_t, spdk_pci_device_get_device_id, (struct spdk_pci_device * dev));
	SAME(uint16_t, spdk_pci_device_get_subvendor_id, (struct spdk_pci_device * dev));
	SAME(uint16_t, spdk_pci_device_get_subdevice_id, (struct spdk_pci_device * dev));
	SAME(struct spdk_pci_id, spdk_pci_device_get_id, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_get_numa_id, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_device_get_serial_number,
	     (struct spdk_pci_device * dev, char *sn, size_t len));
	SAME(int, spdk_pci_device_claim, (struct spdk_pci_device * dev));
	SAME(void, spdk_pci_device_unclaim, (struct spdk_pci_device * dev));
	SAME(void, spdk_pci_device_detach, (struct spdk_pci_device * device));
	SAME(int, spdk_pci_device_attach,
	     (struct spdk_pci_driver * driver, spdk_pci_enum_cb enum_cb, void *enum_ctx,
	      struct spdk_pci_addr *pci_address));
	SAME(int, spdk_pci_device_allow, (struct spdk_pci_addr * pci_addr));
	SAME(int, spdk_pci_device_cfg_read,
	     (struct spdk_pci_device * dev, void *buf, uint32_t len, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_write,
	     (struct spdk_pci_device * dev, void *buf, uint32_t len, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_read8,
	     (struct spdk_pci_device * dev, uint8_t * value, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_write8,
	     (struct spdk_pci_device * dev, uint8_t value, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_read16,
	     (struct spdk_pci_device * dev, uint16_t * value, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_write16,
	     (struct spdk_pci_device * dev, uint16_t value, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_read32,
	     (struct spdk_pci_device * dev, uint32_t * value, uint32_t offset));
	SAME(int, spdk_pci_device_cfg_write32,
	     (struct spdk_pci_device * dev, uint32_t value, uint32_t offset));
	SAME(bool, spdk_pci_device_is_removed, (struct spdk_pci_device * dev));
	SAME(int, spdk_pci_addr_compare,
	     (const struct spdk_pci_addr *a1, const struct spdk_pci_addr *a2));
	SAME(int, spdk_pci_addr_parse, (struct spdk_pci_addr * addr, const char *bdf));
	SAME(int, spdk_pci_addr_fmt, (char *bdf, size_t sz, const struct spdk_pci_addr *addr));
	SAME(int, spdk_pci_hook_device,
	     (struct spdk_pci_driver * drv, struct spdk_pci_device * dev));
	SAME(void, spdk_pci_unhook_device, (struct spdk_pci_device * dev));
	SAME(const char *, spdk_pci_device_get_type, (const struct spdk_pci_device *dev));
	SAME(void, spdk_pci_register_device_provider, (struct spdk_pci_device_provider * provider));
	SAME(int, spdk_pci_event_listen, (void));
	SAME(int, spdk_pci_get_event, (int fd, struct spdk_pci_event *event));
	SAME(int, spdk_pci_register_error_handler, (spdk_pci_error_handler sighandler, void *ctx));
	SAME(void, spdk_pci_unregister_error_handler, (spdk_pci_error_handler sighandler));
}

static void
ioat_log_string(void **state)
{
	(void)state;
	SAME(void, spdk_ioat_detach, (struct spdk_ioat_chan * ioat));
	SAME(uint32_t, spdk_ioat_get_dma_capabilities, (struct spdk_ioat_chan * chan));
	SAME(int, spdk_ioat_probe,
	     (void *cb_ctx, spdk_ioat_probe_cb probe_cb, spdk_ioat_attach_cb attach_cb));
	SAME(int, spdk_ioat_process_events, (struct spdk_ioat_chan * chan));
	SAME(int, spdk_ioat_submit_copy,
	     (struct spdk_ioat_chan * chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
	      const void *src, uint64_t nbytes));
	SAME(int, spdk_ioat_submit_fill,
	     (struct spdk_ioat_chan * chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
	      uint64_t fill_pattern, uint64_t nbytes));
	SAME(long int, spdk_strtol, (const char *nptr, int base));
	SAME(int, spdk_ioat_build_copy,
	     (struct spdk_ioat_chan * chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
	      const void *src, uint64_t nbytes));
	SAME(void, spdk_ioat_flush, (struct spdk_ioat_chan * chan));
	SAME(void, spdk_log,
	     (enum spdk_log_level level, const char *file, const int line, const char *func,
	      const char *format, ...));
	SAME(void, spdk_log_register_flag, (const char *name, struct spdk_log_flag *flag));
	SAME(int, spdk_ioat_build_fill,
	     (struct spdk_ioat_chan * chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
	      uint64_t fill_pattern, uint64_t nbytes));
	SAME(uint32_t, spdk_ioat_get_max_descriptors, (struct spdk_ioat_chan * chan));
}

static void
inline_functions(void **state)
{
	(void)state;
	SAME(uint64_t, spdk_mmio_read_8, (const volatile uint64_t *addr));
	SAME(void, spdk_mmio_write_8, (volatile uint64_t * addr, uint64_t val));
}

static bool
on_probe(void *cb_ctx, struct spdk_pci_device *pci_dev)
{
	return cb_ctx != NULL && pci_dev != NULL;
}

static void
on_attach(void *cb_ctx, struct spdk_pci_device *pci_dev, struct spdk_ioat_chan *ioat)
{
	(void)cb_ctx;
	(void)pci_dev;
	(void)ioat;
}

static void
on_request(void *arg)
{
	(void)arg;
}

static int
on_enumerate(void *enum_ctx, struct spdk_pci_device *dev)
{
	return enum_ctx != NULL && dev != NULL;
}

static int
on_start(void *arg)
{
	return arg != NULL;
}

static int
on_notify(void *cb_ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
	  void *vaddr, size_t size)
{
	(void)cb_ctx;
	(void)map;
	(void)action;
	(void)vaddr;
	(void)size;
	return 0;
}

static int
on_contiguous(uint64_t addr_1, uint64_t addr_2)
{
	return addr_1 == addr_2;
}

static void
on_object(struct spdk_mempool *mp, void *opaque, void *obj, unsigned obj_idx)
{
	(void)mp;
	(void)opaque;
	(void)obj;
	(void)obj_idx;
}

static void
on_memory(struct spdk_mempool *mp, void *opaque, void *addr, uint64_t iova, size_t len,
	  unsigned mem_idx)
{
	(void)mp;
	(void)opaque;
	(void)addr;
	(void)iova;
	(void)len;
	(void)mem_idx;
}

static void
on_error(const void *failure_addr, void *ctx)
{
	(void)failure_addr;
	(void)ctx;
}

static void
callbacks(void **state)
{
	/* Each function above has the parameters of the description. */
	spdk_ioat_probe_cb probe = on_probe;
	spdk_ioat_attach_cb attach = on_attach;
	spdk_ioat_req_cb request = on_request;
	spdk_pci_enum_cb enumerate = on_enumerate;
	thread_start_fn start = on_start;
	spdk_mem_map_notify_cb notify = on_notify;
	spdk_mem_map_contiguous_translations contiguous = on_contiguous;
	spdk_mempool_obj_cb_t *object = on_object;
	spdk_mempool_mem_cb_t *memory = on_memory;
	spdk_pci_error_handler error = on_error;

	(void)state;
	assert_true(probe && attach && request && enumerate && start && notify && contiguous &&
		    object && memory && error);
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	(void)arg;
	(void)result;
}

static void
udma_ioat(void **state)
{
	udma_ioat_cb end = on_end;

	(void)state;
	assert_true(end != NULL);
	SAME(const char *, udma_ioat_status_text, (enum udma_ioat_status status));
	SAME(int, udma_ioat_copy,
	     (struct spdk_ioat_chan * chan, void *dst, const void *src, uint64_t nbytes,
	      unsigned flags, void (*cb)(void *arg, const struct udma_ioat_result *result),
	      void *cb_arg));
	SAME(int, udma_ioat_fill,
	     (struct spdk_ioat_chan * chan, void *dst, uint64_t pattern, uint64_t nbytes,
	      unsigned flags, udma_ioat_cb cb, void *cb_arg));
	SAME(int, udma_ioat_null,
	     (struct spdk_ioat_chan * chan, unsigned flags, udma_ioat_cb cb, void *cb_arg));
	SAME(int, udma_ioat_copyv,
	     (struct spdk_ioat_chan * chan, const struct iovec *dst, unsigned dst_count,
	      const struct iovec *src, unsigned src_count, unsigned flags, udma_ioat_cb cb,
	      void *cb_arg));
	SAME(int, udma_ioat_xor,
	     (struct spdk_ioat_chan * chan, void *dst, const void *const *sources,
	      unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb,
	      void *cb_arg));
	SAME(int, udma_ioat_xor_check,
	     (struct spdk_ioat_chan * chan, const void *expected, const void *const *sources,
	      unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb,
	      void *cb_arg));
	SAME(int, udma_ioat_pq,
	     (struct spdk_ioat_chan * chan, void *p, void *q, const void *const *sources,
	      const uint8_t *coefficients, unsigned source_count, uint64_t nbytes, unsigned flags,
	      udma_ioat_cb cb, void *cb_arg));
	SAME(int, udma_ioat_pq_check,
	     (struct spdk_ioat_chan * chan, const void *p, const void *q,
	      const void *const *sources, const uint8_t *coefficients, unsigned source_count,
	      uint64_t nbytes, unsigned flags, udma_ioat_cb cb, void *cb_arg));
	SAME(int, udma_ioat_submit,
	     (struct spdk_ioat_chan * chan, const struct udma_ioat_op *ops, unsigned count));
	SAME(void, udma_ioat_complete_every, (struct spdk_ioat_chan * chan, uint32_t descriptors));
	SAME(unsigned, udma_ioat_get_capabilities, (const struct spdk_ioat_chan *chan));
	SAME(uint64_t, udma_ioat_max_piece, (const struct spdk_ioat_chan *chan));
	SAME(void, udma_ioat_dump, (const struct spdk_ioat_chan *chan, FILE *file));
	SAME(uint32_t, udma_ioat_room, (const struct spdk_ioat_chan *chan));
	SAME(enum udma_ioat_state, udma_ioat_get_state, (const struct spdk_ioat_chan *chan));
	SAME(int, udma_ioat_drain, (struct spdk_ioat_chan * chan, uint64_t timeout_us));
	SAME(int, udma_ioat_abort, (struct spdk_ioat_chan * chan));
	SAME(int, udma_ioat_reset, (struct spdk_ioat_chan * chan));
	SAME(void, udma_ioat_get_stats,
	     (const struct spdk_ioat_chan *chan, struct udma_ioat_stats *stats, size_t size));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(env_memory),
		cmocka_unit_test(env_pools_and_rings),
		cmocka_unit_test(env_start_cores_threads_time),
		cmocka_unit_test(env_translation_and_registration),
		cmocka_unit_test(env_pci),
		cmocka_unit_test(ioat_log_string),
		cmocka_unit_test(inline_functions),
		cmocka_unit_test(callbacks),
		cmocka_unit_test(udma_ioat),
	};

	return cmocka_run_group_tests_name("signatures", tests, NULL, NULL);
}
