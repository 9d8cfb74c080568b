/* SPDX-License-Identifier: BSD-3-Clause */

/* Functions through VFIO. */

#include "vfio_test.h"

/* ---- Finding ---------------------------------------------------------------------------- */

static void
what_is_bound_for_user_space_is_offered(void **state)
{
	(void)state;
	add_function(F1, "ioatdma", 2);
	add_function(F2, "", 3);
	assert_int_equal(start_env(NULL), 0);
	assert_string_equal(enumerate(), "0 ");
	assert_string_equal(spdk_pci_device_get_type(g_device[0]), "pci");
	assert_int_equal(spdk_pci_device_get_device_id(g_device[0]), 0x2021);
	assert_int_equal(spdk_pci_device_get_numa_id(g_device[0]), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joined, false);
}

static void
what_is_bound_later_is_found_later(void **state)
{
	(void)state;
	g_answer = 1;
	assert_int_equal(start_env(NULL), 0);
	assert_string_equal(enumerate(), "0 ");
	add_vfio_function(F1, 2);
	assert_string_equal(enumerate(), "0 1 ");
	bind_to(F0, "ioatdma");
	assert_string_equal(enumerate(), "1 ");
	bind_to(F0, "vfio-pci");
	g_answer = 0;
	assert_string_equal(enumerate(), "0 1 ");
	/* One that is taken stays, whatever sysfs says. */
	bind_to(F0, "");
	assert_string_equal(enumerate(), "");
	spdk_pci_device_detach(g_device[0]);
	assert_string_equal(enumerate(), "");
	bind_to(F0, "vfio-pci");
	assert_string_equal(enumerate(), "0 ");
}

static void
one_address_can_be_attached(void **state)
{
	struct spdk_pci_addr address = {.dev = 4, .func = 1};

	(void)state;
	assert_int_equal(start_env(NULL), 0);
	add_vfio_function(F1, 2);
	assert_int_equal(spdk_pci_device_attach(spdk_pci_ioat_get_driver(), take, NULL, &address),
			 0);
	assert_string_equal(g_offered, "1 ");
	address.func = 2;
	assert_int_equal(spdk_pci_device_attach(spdk_pci_ioat_get_driver(), take, NULL, &address),
			 -1);
	assert_logged("no such device; bind it to vfio-pci or uio_pci_generic");
}

static void
lists_are_heeded(void **state)
{
	struct spdk_pci_addr blocked = {.dev = 4, .func = 0};
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	/* Nor is one that is blocked asked for its addresses: its IOMMU would be too narrow. */
	set_ranges(1, (const struct vfio_iova_range[]){{0, 0x7fffffffff}});
	spdk_env_opts_init(&opts);
	opts.pci_blocked = &blocked;
	opts.num_pci_addr = 1;
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joins, 0);
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
}

static void
without_pci_nothing_is_touched(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	spdk_env_opts_init(&opts);
	opts.no_pci = true;
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joins, 0);
}

/* ---- The address space ------------------------------------------------------------------ */

static enum udma_iova_kind
kind_of(unsigned count, const struct vfio_iova_range *ranges)
{
	enum udma_iova_kind kind;

	set_ranges(count, ranges);
	assert_int_equal(start_env(NULL), 0);
	kind = udma_iova_kind();
	spdk_env_fini();
	return kind;
}

static void
the_narrowest_iommu_settles_the_kind(void **state)
{
	static const struct vfio_iova_range wide[] = {{0, UINT64_MAX}};
	static const struct vfio_iova_range usual[] = {{0, 0xffffffffffff}};
	static const struct vfio_iova_range first_level[] = {{0, 0x7fffffffffff}};
	static const struct vfio_iova_range narrow[] = {{0, 0xfedfffff},
							{0xfef00000, 0x7fffffffff}};

	(void)state;
	assert_int_equal(kind_of(1, wide), UDMA_IOVA_VA);
	assert_int_equal(kind_of(1, usual), UDMA_IOVA_VA);
	assert_int_equal(kind_of(1, first_level), UDMA_IOVA_VA);
	assert_int_equal(kind_of(2, narrow), UDMA_IOVA_MAPPED);
	/* A kernel that does not say: what any IOMMU can map. */
	assert_int_equal(kind_of(0, wide), UDMA_IOVA_MAPPED);
	/* Nothing is held while nothing is attached. */
	assert_int_equal(g_log_lines, 0);
}

static void
a_group_that_cannot_be_asked_settles_nothing(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 1000000;
	assert_int_equal(start_env(NULL), 0);
	g_vfio.open_refusals = 0;
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
	assert_int_equal(g_log_lines, 0);
	/* It is too late then, and the reason is said. */
	assert_non_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
	enumerate();
	assert_refused(-ENOTSUP, "up to 39 bits; with iova_mode \"mapped\"");
}

/** Another program that starts asks it as well. */
static void
a_group_that_is_busy_for_a_moment_settles_the_kind(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 3;
	assert_int_equal(start_env(NULL), 0);
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_MAPPED);
	assert_int_equal(g_log_lines, 0);
}

static void
va_is_refused_where_it_does_not_fit(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	assert_int_equal(start_env("va"), -ENOTSUP);
	assert_logged_once("an IOMMU here has 39: use \"mapped\"");
	assert_int_equal(start_env("mapped"), 0);
}

static void
memory_is_placed_within_the_ranges(void **state)
{
	static const struct vfio_iova_range odd[] = {{0x10000000, 0x1fffffff},
						     {0x100000000, 0x1ffffffff}};
	char *p = map_pages(GiB);
	uint64_t iova;

	(void)state;
	set_ranges(2, odd);
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(spdk_mem_register(p, GiB), 0);
	iova = spdk_vtophys(p, NULL);
	assert_true(iova >= 0x100000000 && iova + GiB <= 0x200000000);
	assert_int_equal(spdk_mem_unregister(p, GiB), 0);
	munmap(p, GiB);
}

/* ---- Attaching -------------------------------------------------------------------------- */

static void
a_function_is_opened_when_it_is_touched(void **state)
{
	unsigned descriptors = count_descriptors();
	uint64_t phys, size;
	uint16_t value;
	void *addr;

	(void)state;
	start();
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
	assert_int_equal(spdk_pci_device_cfg_write16(g_device[0], 0x1234, 0x40), 0);
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 0x40), 0);
	assert_int_equal(value, 0x1234);
	assert_true(g_vfio.group[1].joined);
	assert_int_equal(g_vfio.iommu, VFIO_TYPE1v2_IOMMU);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), getpid());
	assert_int_equal(spdk_pci_device_map_bar(g_device[0], 0, &addr, &phys, &size), 0);
	assert_int_equal(size, BAR_BYTES);
	assert_int_equal(phys, 0xfe000000);
	*(volatile uint32_t *)addr = 42;
	/* Memory accesses are switched on first; the bus is for who knows what the engine does. */
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 4), 0);
	assert_int_equal(value, 2);
	assert_int_equal(spdk_pci_device_unmap_bar(g_device[0], 0, addr), 0);
	assert_int_equal(spdk_pci_device_unmap_bar(g_device[0], 0, addr), -EINVAL);
	spdk_pci_device_detach(g_device[0]);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
one_that_was_not_wanted_is_let_go(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	g_answer = 1;
	assert_int_equal(start_env(NULL), 0);
	enumerate();
	assert_int_equal(count_descriptors(), descriptors);
	assert_int_equal(g_vfio.group[1].joins, 1); /* the question at the start */
}

static int
touch_and_leave(void *ctx, struct spdk_pci_device *device)
{
	uint32_t id;

	(void)ctx;
	assert_int_equal(spdk_pci_device_cfg_read32(device, &id, 0), 0);
	assert_true(g_vfio.group[1].joined);
	return 1;
}

static void
one_that_was_touched_and_left_is_closed(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	assert_int_equal(start_env(NULL), 0);
	assert_int_equal(spdk_pci_enumerate(spdk_pci_ioat_get_driver(), touch_and_leave, NULL), 0);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
functions_share_groups_and_groups_share_the_container(void **state)
{
	unsigned descriptors;

	(void)state;
	add_vfio_function(F1, 1);
	add_vfio_function(F2, 2);
	start();
	descriptors = count_descriptors();
	memset(g_vfio.group, 0, sizeof(g_vfio.group));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(map_bar(i, 0), 0);
	}
	assert_int_equal(g_vfio.group[1].joins, 1);
	assert_int_equal(g_vfio.group[2].joins, 1);
	/* A container, two groups, three functions with a claim and a request each. */
	assert_int_equal(count_descriptors(), descriptors + 12);
	spdk_pci_device_detach(g_device[0]);
	assert_true(g_vfio.group[1].joined);
	spdk_pci_device_detach(g_device[1]);
	assert_false(g_vfio.group[1].joined);
	assert_true(g_vfio.group[2].joined);
	spdk_pci_device_detach(g_device[2]);
	assert_false(g_vfio.group[2].joined);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
what_is_registered_is_mapped_for_a_function_that_comes(void **state)
{
	char *p = map_pages(64 * GiB);

	(void)state;
	start();
	assert_int_equal(spdk_mem_register(p, 64 * GiB), 0);
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(g_vfio.maps, 1);
	assert_int_equal(g_vfio.mapped_bytes, 64 * GiB);
	assert_int_equal(spdk_mem_unregister(p, 64 * GiB), 0);
	assert_int_equal(g_vfio.mapped_bytes, 0);
	mprotect(p, PAGE, PROT_READ);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(g_vfio.last_flags, VFIO_DMA_MAP_FLAG_READ);
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_int_equal(g_vfio.last_flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(spdk_mem_unregister(p, 2 * PAGE), 0);
	munmap(p, 64 * GiB);
}

static void
a_child_has_nothing_of_it(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	start();
	assert_not_inherited("device/" F0);
	assert_true(g_vfio.group[1].joined);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
the_end_of_the_environment_closes_all(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		start();
		assert_int_equal(map_bar(0, 0), 0);
		assert_non_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
		spdk_env_fini();
		assert_false(g_vfio.group[1].joined);
		assert_int_equal(count_descriptors(), descriptors);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(what_is_bound_for_user_space_is_offered),
		WITH_MACHINE(what_is_bound_later_is_found_later),
		WITH_MACHINE(one_address_can_be_attached),
		WITH_MACHINE(lists_are_heeded),
		WITH_MACHINE(without_pci_nothing_is_touched),
		WITH_MACHINE(the_narrowest_iommu_settles_the_kind),
		WITH_MACHINE(a_group_that_cannot_be_asked_settles_nothing),
		WITH_MACHINE(a_group_that_is_busy_for_a_moment_settles_the_kind),
		WITH_MACHINE(va_is_refused_where_it_does_not_fit),
		WITH_MACHINE(memory_is_placed_within_the_ranges),
		WITH_MACHINE(a_function_is_opened_when_it_is_touched),
		WITH_MACHINE(one_that_was_not_wanted_is_let_go),
		WITH_MACHINE(one_that_was_touched_and_left_is_closed),
		WITH_MACHINE(functions_share_groups_and_groups_share_the_container),
		WITH_MACHINE(what_is_registered_is_mapped_for_a_function_that_comes),
		WITH_MACHINE(a_child_has_nothing_of_it),
		WITH_MACHINE(the_end_of_the_environment_closes_all),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
