/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "env/region.h"
#include "env/translate.h"

static void
assert_translated(const char *p, uint64_t left)
{
	uint64_t size = UINT64_MAX;

	assert_int_equal(spdk_vtophys(p, &size), (uintptr_t)p);
	assert_int_equal(size, left);
}

static void
assert_not_translated(const void *p)
{
	struct udma_translation t = {0};
	uint64_t size = 1;

	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	assert_int_equal(udma_translate(&t, (uintptr_t)p, &size), SPDK_VTOPHYS_ERROR);
}

/* ---- The measured return values --------------------------------------------------------- */

static void
addresses_and_lengths_that_are_not_whole_pages_are_refused(void **state)
{
	char *p = map_pages(4 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p + 1, PAGE), -EINVAL);
	assert_int_equal(spdk_mem_register(p, 4095), -EINVAL);
	assert_int_equal(spdk_mem_register((void *)(0 - PAGE), 2 * PAGE), -EINVAL);
	assert_int_equal(spdk_mem_unregister(p + 1, PAGE), -EINVAL);
	assert_int_equal(spdk_mem_unregister(p, 4095), -EINVAL);
	assert_int_equal(spdk_mem_reserve(p + 1, PAGE), -EINVAL);
	assert_not_translated(p);
	munmap(p, 4 * PAGE);
}

static void
nothing_is_registered_without_complaint(void **state)
{
	char *p = map_pages(PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p, 0), 0);
	assert_int_equal(spdk_mem_unregister(p, 0), 0);
	assert_not_translated(p);
	munmap(p, PAGE);
}

static void
a_plain_page_can_be_registered(void **state)
{
	char *p = map_pages(3 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_translated(p + PAGE, PAGE);
	assert_translated(p + 2 * PAGE - 1, 1);
	assert_not_translated(p + PAGE - 1);
	assert_not_translated(p + 2 * PAGE);
	assert_int_equal(spdk_mem_unregister(p + PAGE, PAGE), 0);
	assert_not_translated(p + PAGE);
	munmap(p, 3 * PAGE);
}

static void
what_overlaps_is_busy(void **state)
{
	char *p = map_pages(8 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, 4 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(p, 3 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(p + 5 * PAGE, 3 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(p, 8 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(p + 3 * PAGE, PAGE), -EBUSY);
	assert_not_translated(p);
	assert_not_translated(p + 7 * PAGE);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, 4 * PAGE), 0);
	munmap(p, 8 * PAGE);
}

static void
part_of_a_registration_does_not_go_alone(void **state)
{
	char *p = map_pages(8 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, 2 * PAGE), -ERANGE);
	assert_int_equal(spdk_mem_unregister(p + 4 * PAGE, 2 * PAGE), -ERANGE);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, 5 * PAGE), -EINVAL);
	assert_int_equal(spdk_mem_unregister(p, 6 * PAGE), -EINVAL);
	assert_translated(p + 2 * PAGE, 4 * PAGE);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, 4 * PAGE), -EINVAL);
	munmap(p, 8 * PAGE);
}

static void
adjacent_registrations_go_together_or_not_at_all(void **state)
{
	char *p = map_pages(8 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), 0);
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + 3 * PAGE, 4 * PAGE), 0);
	/* They were never one. */
	assert_translated(p, 2 * PAGE);
	assert_int_equal(spdk_mem_unregister(p, 4 * PAGE), -ERANGE);
	assert_translated(p, 2 * PAGE);
	assert_translated(p + 2 * PAGE, PAGE);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	assert_not_translated(p);
	assert_not_translated(p + 2 * PAGE);
	assert_translated(p + 3 * PAGE, 4 * PAGE);
	assert_int_equal(spdk_mem_unregister(p + 3 * PAGE, 4 * PAGE), 0);
	munmap(p, 8 * PAGE);
}

static void
the_stack_and_null_are_not_translated(void **state)
{
	int local = 0;

	(void)state;
	assert_not_translated(&local);
	assert_not_translated(NULL);
	assert_not_translated((void *)UINTPTR_MAX);
}

/* ---- What may be registered ------------------------------------------------------------- */

static void
memory_that_cannot_be_read_is_refused(void **state)
{
	char *p = map_pages(4 * PAGE);

	(void)state;
	munmap(p + 2 * PAGE, PAGE);
	assert_int_equal(spdk_mem_register(p, 4 * PAGE), -EFAULT);
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, PAGE), -EFAULT);
	assert_int_equal(spdk_mem_register(NULL, PAGE), -EFAULT);
	mprotect(p, PAGE, PROT_NONE);
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), -EFAULT);
	assert_not_translated(p);
	assert_not_translated(p + PAGE);
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p + PAGE, PAGE), 0);
	munmap(p, 4 * PAGE);
}

static void
files_of_every_kind_can_be_registered(void **state)
{
	int fds[] = {memfd_create("test", 0), open("/proc/self/exe", O_RDONLY)};

	(void)state;
	assert_int_equal(ftruncate(fds[0], PAGE), 0);
	for (unsigned i = 0; i < 2; i++) {
		int prot = i == 0 ? PROT_READ | PROT_WRITE : PROT_READ;
		char *p = mmap(NULL, PAGE, prot, i == 0 ? MAP_SHARED : MAP_PRIVATE, fds[i], 0);

		assert_ptr_not_equal(p, MAP_FAILED);
		assert_int_equal(spdk_mem_register(p, PAGE), 0);
		assert_translated(p, PAGE);
		assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
		munmap(p, PAGE);
		close(fds[i]);
	}
}

static void
memory_mapped_read_only_is_a_source_only(void **state)
{
	struct udma_region region;
	char *p = map_pages(4 * PAGE);

	(void)state;
	mprotect(p, PAGE, PROT_READ);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + PAGE, 3 * PAGE), 0);
	assert_true(udma_region_find((uintptr_t)p + 5, &region));
	assert_int_equal(region.vaddr, (uintptr_t)p);
	assert_int_equal(region.iova, (uintptr_t)p);
	assert_int_equal(region.len, PAGE);
	assert_false(region.writable);
	assert_true(udma_region_find((uintptr_t)p + 4 * PAGE - 1, &region));
	assert_int_equal(region.vaddr, (uintptr_t)p + PAGE);
	assert_int_equal(region.len, 3 * PAGE);
	assert_true(region.writable);
	assert_false(udma_region_find((uintptr_t)p + 4 * PAGE, &region));
	assert_int_equal(spdk_mem_unregister(p, 4 * PAGE), 0);
	assert_false(udma_region_find((uintptr_t)p, &region));
	munmap(p, 4 * PAGE);
}

static void
the_node_is_known_of_registered_memory_only(void **state)
{
	char *p = map_pages(2 * PAGE);
	uint64_t size = UINT64_MAX;
	int32_t node;

	(void)state;
	assert_int_equal(spdk_mem_get_numa_id(p, NULL), SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), 0);
	node = spdk_mem_get_numa_id(p + 10, &size);
	/* -1 where the kernel does not say, as in some containers. */
	assert_in_range(node + 1, 0, 1024);
	assert_in_range(size, 1, 2 * PAGE - 10);
	assert_int_equal(spdk_mem_unregister(p, 2 * PAGE), 0);
	munmap(p, 2 * PAGE);
}

/* ---- Much of it ------------------------------------------------------------------------- */

static void
sixty_four_gib_at_once(void **state)
{
	char *p = map_pages(64 * GiB);

	(void)state;
	assert_int_equal(spdk_mem_register(p, 64 * GiB), 0);
	assert_translated(p, 64 * GiB);
	assert_translated(p + 64 * GiB - 1, 1);
	assert_int_equal(spdk_mem_unregister(p, 64 * GiB), 0);
	assert_not_translated(p);
	assert_not_translated(p + 64 * GiB - 1);
	munmap(p, 64 * GiB);
}

#define MANY ((size_t)70000)

static void
seventy_thousand_registrations(void **state)
{
	char *p = map_pages(MANY * PAGE);

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		/* In an order that is neither up nor down. */
		assert_int_equal(spdk_mem_register(p + i * 7919 % MANY * PAGE, PAGE), 0);
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_translated(p + i * PAGE, PAGE);
	}
	for (size_t i = 0; i < MANY / 2; i++) {
		assert_int_equal(spdk_mem_unregister(p + i * PAGE, PAGE), 0);
	}
	assert_not_translated(p);
	assert_translated(p + MANY / 2 * PAGE, PAGE);
	assert_int_equal(spdk_mem_unregister(p + MANY / 2 * PAGE, MANY / 2 * PAGE), 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_not_translated(p + i * PAGE);
	}
	munmap(p, MANY * PAGE);
}

/* ---- The remembered translation --------------------------------------------------------- */

static void
a_remembered_translation_does_not_outlive_the_registration(void **state)
{
	struct udma_translation t = {0};
	char *p = map_pages(2 * PAGE);
	uint64_t size = 10;

	(void)state;
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), 0);
	assert_int_equal(udma_translate(&t, (uintptr_t)p + 5, &size), (uintptr_t)p + 5);
	assert_int_equal(size, 10);
	size = UINT64_MAX;
	assert_int_equal(udma_translate(&t, (uintptr_t)p + PAGE, &size), (uintptr_t)p + PAGE);
	assert_int_equal(size, PAGE);
	assert_int_equal(spdk_mem_unregister(p, 2 * PAGE), 0);
	assert_int_equal(udma_translate(&t, (uintptr_t)p + 5, &size), SPDK_VTOPHYS_ERROR);

	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	size = UINT64_MAX;
	assert_int_equal(udma_translate(&t, (uintptr_t)p, &size), (uintptr_t)p);
	assert_int_equal(size, PAGE);
	udma_memory_fini();
	assert_int_equal(start_memory(NULL), 0);
	assert_int_equal(udma_translate(&t, (uintptr_t)p, &size), SPDK_VTOPHYS_ERROR);
	munmap(p, 2 * PAGE);
}

static struct {
	char *base;
	bool stop;
	unsigned wrong;
	unsigned looks;
} shared;

/** Pages 0 and 2 stay registered; page 1 comes and goes. */
static void *
translate_on(void *arg)
{
	struct udma_translation t = {0};
	uint64_t seed = (uintptr_t)arg;
	unsigned wrong = 0, looks = 0;

	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		unsigned page = test_random(&seed) % 3;
		uint64_t va = (uintptr_t)shared.base + page * PAGE, size = UINT64_MAX;
		uint64_t iova = test_random(&seed) % 2 ? spdk_vtophys((void *)va, &size)
						       : udma_translate(&t, va, &size);
		struct udma_region region;

		if (page != 1 || iova != SPDK_VTOPHYS_ERROR) {
			wrong += iova != va || size != PAGE;
		}
		if (udma_region_find(va, &region)) {
			wrong += region.vaddr != va || region.len != PAGE;
		} else {
			wrong += page != 1;
		}
		looks++;
	}
	__atomic_fetch_add(&shared.wrong, wrong, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared.looks, looks, __ATOMIC_RELAXED);
	return NULL;
}

static void
threads_translate_while_another_registers(void **state)
{
	pthread_t threads[3];

	(void)state;
	memset(&shared, 0, sizeof(shared));
	shared.base = map_pages(3 * PAGE);
	assert_int_equal(spdk_mem_register(shared.base, PAGE), 0);
	assert_int_equal(spdk_mem_register(shared.base + 2 * PAGE, PAGE), 0);
	for (uintptr_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, translate_on, (void *)(i + 1)),
				 0);
	}
	for (unsigned round = 0; round < 5000; round++) {
		assert_int_equal(spdk_mem_register(shared.base + PAGE, PAGE), 0);
		assert_int_equal(spdk_mem_unregister(shared.base + PAGE, PAGE), 0);
	}
	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_true(shared.looks > 0);
	assert_int_equal(shared.wrong, 0);
	assert_int_equal(spdk_mem_unregister(shared.base, PAGE), 0);
	assert_int_equal(spdk_mem_unregister(shared.base + 2 * PAGE, PAGE), 0);
	munmap(shared.base, 3 * PAGE);
}

/* ---- Without an environment ------------------------------------------------------------- */

static void
nothing_works_before_the_start_or_after_the_end(void **state)
{
	char *p = map_pages(PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p, PAGE), -EINVAL);
	assert_false(spdk_iommu_is_enabled());
	assert_int_equal(start_memory(NULL), 0);
	assert_true(spdk_iommu_is_enabled());
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	udma_memory_fini();
	assert_not_translated(p);
	assert_int_equal(spdk_mem_register(p, PAGE), -EINVAL);
	assert_int_equal(start_memory(NULL), 0);
	assert_not_translated(p);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	udma_memory_fini();
	udma_memory_fini();
	munmap(p, PAGE);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, start_memory, end_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(addresses_and_lengths_that_are_not_whole_pages_are_refused),
		WITH_MEMORY(nothing_is_registered_without_complaint),
		WITH_MEMORY(a_plain_page_can_be_registered),
		WITH_MEMORY(what_overlaps_is_busy),
		WITH_MEMORY(part_of_a_registration_does_not_go_alone),
		WITH_MEMORY(adjacent_registrations_go_together_or_not_at_all),
		WITH_MEMORY(the_stack_and_null_are_not_translated),
		WITH_MEMORY(memory_that_cannot_be_read_is_refused),
		WITH_MEMORY(files_of_every_kind_can_be_registered),
		WITH_MEMORY(memory_mapped_read_only_is_a_source_only),
		WITH_MEMORY(the_node_is_known_of_registered_memory_only),
		WITH_MEMORY(sixty_four_gib_at_once),
		WITH_MEMORY(seventy_thousand_registrations),
		WITH_MEMORY(a_remembered_translation_does_not_outlive_the_registration),
		WITH_MEMORY(threads_translate_while_another_registers),
		cmocka_unit_test(nothing_works_before_the_start_or_after_the_end),
	};

	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
