/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "env/region.h"
#include "spdk/log.h"
#include "support.h"

static void
start(enum udma_iova_kind kind, unsigned bits)
{
	struct spdk_env_opts opts = memory_opts();

	assert_int_equal(udma_memory_init(&opts, kind, bits), 0);
}

/** Registers memory and checks both directions. \return its IOVA. */
static uint64_t
take(char *p, size_t len)
{
	struct udma_region region;
	uint64_t size = UINT64_MAX, iova;

	assert_int_equal(spdk_mem_register(p, len), 0);
	iova = spdk_vtophys(p, &size);
	assert_int_not_equal(iova, SPDK_VTOPHYS_ERROR);
	assert_int_equal(size, len);
	assert_int_equal(spdk_vtophys(p + len - 1, NULL), iova + len - 1);
	assert_true(udma_region_find(iova, &region));
	assert_int_equal(region.vaddr, (uintptr_t)p);
	assert_int_equal(region.iova, iova);
	assert_int_equal(region.len, len);
	assert_true(udma_region_find(iova + len - 1, &region));
	assert_int_equal(region.vaddr, (uintptr_t)p);
	return iova;
}

static void
va_is_the_virtual_address(void **state)
{
	char *p = map_pages(3 * PAGE);

	(void)state;
	start(UDMA_IOVA_VA, 64);
	assert_int_equal(take(p, 3 * PAGE), (uintptr_t)p);
	udma_memory_fini();
	munmap(p, 3 * PAGE);
}

static void
va_beyond_what_devices_send_is_refused(void **state)
{
	char *p = map_pages(PAGE);

	(void)state;
	start(UDMA_IOVA_VA, 32);
	assert_int_equal(spdk_mem_register(p, PAGE), -ENOTSUP);
	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	udma_memory_fini();
	munmap(p, PAGE);
}

static void
mapped_regions_are_apart_and_below_the_limit(void **state)
{
	enum { REGIONS = 200 };
	uint64_t iova[REGIONS], seed = test_seed();
	size_t len[REGIONS];
	char *p = map_pages(2 * GiB);
	size_t at = 0;

	(void)state;
	start(UDMA_IOVA_MAPPED, 39);
	for (unsigned i = 0; i < REGIONS; i++) {
		len[i] = (1 + test_random(&seed) % (i % 3 ? 4 : 2048)) * PAGE;
		iova[i] = take(p + at, len[i]);
		at += len[i];
		assert_true(iova[i] != 0 && iova[i] + len[i] <= 1ULL << 39);
		assert_int_equal(iova[i] % PAGE, 0);
		/* The window in which writes are interrupts. */
		assert_true(iova[i] + len[i] <= 0xfee00000 || iova[i] >= 0xfef00000);
		for (unsigned j = 0; j < i; j++) {
			assert_true(iova[i] + len[i] <= iova[j] || iova[j] + len[j] <= iova[i]);
		}
	}
	udma_memory_fini();
	munmap(p, 2 * GiB);
}

static void
mapped_regions_keep_their_offset_in_large_pages(void **state)
{
	static const size_t large_pages[] = {2 * MiB, GiB};
	char *p = map_pages(5 * GiB);

	(void)state;
	start(UDMA_IOVA_MAPPED, 39);
	for (unsigned i = 0; i < 2; i++) {
		size_t large = large_pages[i];
		char *odd = (char *)(((uintptr_t)p | (large - 1)) + 1 - PAGE);

		assert_int_equal(take(odd, PAGE + large) % large, large - PAGE);
		assert_int_equal(spdk_mem_unregister(odd, PAGE + large), 0);
	}
	udma_memory_fini();
	munmap(p, 5 * GiB);
}

static void
the_interrupt_windows_are_left_out(void **state)
{
	char *p = map_pages(8 * GiB);
	struct udma_region region;

	(void)state;
	start(UDMA_IOVA_MAPPED, 32);
	/* All that is below 4 GiB is wanted, MiB by MiB. */
	for (size_t at = 0; at < 4 * GiB; at += MiB) {
		if (spdk_mem_register(p + at, MiB) != 0) {
			assert_true(at > 4 * GiB - 64 * MiB);
			break;
		}
	}
	assert_false(udma_region_find(0, &region));
	assert_true(udma_region_find(0xfed00000, &region));
	assert_true(udma_region_find(0xfef00000, &region));
	for (uint64_t addr = 0xfee00000; addr < 0xfef00000; addr += PAGE) {
		assert_false(udma_region_find(addr, &region));
	}
	udma_memory_fini();
	munmap(p, 8 * GiB);
}

static void
space_is_given_back(void **state)
{
	char *p = map_pages(32 * MiB), *full;
	uint64_t iova;

	(void)state;
	start(UDMA_IOVA_MAPPED, 24);
	assert_int_equal(spdk_mem_register(p, 16 * MiB), -ENOSPC);
	iova = take(p, 8 * MiB);
	full = p + 8 * MiB;
	while (spdk_mem_register(full, 64 * KiB) == 0) {
		full += 64 * KiB;
	}
	/* Everything but the lowest MiB could be had. */
	assert_true((size_t)(full - p) >= 14 * MiB);
	assert_int_equal(spdk_mem_unregister(p, 8 * MiB), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(take(p, 8 * MiB), iova);
		assert_int_equal(spdk_mem_unregister(p, 8 * MiB), 0);
	}
	udma_memory_fini();
	munmap(p, 32 * MiB);
}

/** Ordinary memory may move, so no device can be told where it is. */
static void
pa_refuses_ordinary_memory(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *p = map_pages(2 * PAGE);
	int rc = udma_memory_init(&opts, UDMA_IOVA_PA, 64);

	(void)state;
	if (rc == -EPERM) {
		print_message("# not tested: physical addresses are not shown to this user\n");
		munmap(p, 2 * PAGE);
		return;
	}
	assert_int_equal(rc, 0);
	assert_false(spdk_iommu_is_enabled());
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), -ENOTSUP);
	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	udma_memory_fini();
	munmap(p, 2 * PAGE);
}

/** Whatever size the kernel's own default is: of that one there may be plenty. */
static void
pa_without_hugepages_says_which_are_missing(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	unsigned taken = 0;

	(void)state;
	if (udma_memory_init(&opts, UDMA_IOVA_PA, 64) != 0) {
		print_message("# not tested: physical addresses are not shown to this user\n");
		return;
	}
	capture_log();
	while (taken < 1024 && spdk_dma_malloc(2 * MiB, 0, NULL) != NULL) {
		taken++;
	}
	spdk_log_open(NULL);
	if (taken < 1024) {
		assert_non_null(strstr(g_logged, "/hugepages-2048kB/nr_hugepages"));
	} else {
		print_message("# not tested: there are hugepages without end\n");
	}
	udma_memory_fini();
}

static void
pa_gives_the_pieces_of_hugepages(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *p = mmap(NULL, 4 * MiB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	struct udma_region region;

	(void)state;
	if (p == MAP_FAILED) {
		print_message("# not tested: it takes 2 free hugepages\n");
		return;
	}
	if (udma_memory_init(&opts, UDMA_IOVA_PA, 64) != 0) {
		print_message("# not tested: physical addresses are not shown to this user\n");
		munmap(p, 4 * MiB);
		return;
	}
	assert_int_equal(spdk_mem_register(p, 4 * MiB), 0);
	for (uint64_t at = 0, size; at < 4 * MiB; at += size) {
		uint64_t iova;

		size = UINT64_MAX;
		iova = spdk_vtophys(p + at, &size);
		assert_int_equal(iova % (2 * MiB), 0);
		assert_int_equal(size % (2 * MiB), 0);
		assert_true(udma_region_find(iova, &region));
		assert_int_equal(region.vaddr, (uintptr_t)p + at);
	}
	assert_int_equal(spdk_mem_unregister(p, 2 * MiB), -ERANGE);
	assert_int_equal(spdk_mem_unregister(p + 2 * MiB, 2 * MiB), -ERANGE);
	assert_int_equal(spdk_mem_unregister(p, 4 * MiB), 0);
	assert_int_equal(spdk_vtophys(p + 2 * MiB, NULL), SPDK_VTOPHYS_ERROR);
	udma_memory_fini();
	munmap(p, 4 * MiB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(va_is_the_virtual_address),
		cmocka_unit_test(va_beyond_what_devices_send_is_refused),
		cmocka_unit_test(mapped_regions_are_apart_and_below_the_limit),
		cmocka_unit_test(mapped_regions_keep_their_offset_in_large_pages),
		cmocka_unit_test(the_interrupt_windows_are_left_out),
		cmocka_unit_test(space_is_given_back),
		cmocka_unit_test(pa_refuses_ordinary_memory),
		cmocka_unit_test(pa_without_hugepages_says_which_are_missing),
		cmocka_unit_test(pa_gives_the_pieces_of_hugepages),
	};

	return cmocka_run_group_tests_name("iova", tests, NULL, NULL);
}
