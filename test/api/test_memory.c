/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * DMA memory, pools, registration and translation: the return values that were measured on SPDK's
 * own environment, and what its I/OAT examples depend on.
 */

#include "spdk/stdinc.h"

#include <cmocka.h>

#include "spdk/env.h"

#define PAGE 4096ul
#define MIB  (1024ul * 1024)

static int
start(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	unsetenv("UDMA_EMULATE");
	spdk_env_opts_init(&opts);
	opts.iova_mode = "va";
	return spdk_env_init(&opts);
}

static int
end(void **state)
{
	(void)state;
	spdk_env_fini();
	return 0;
}

static char *
map(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

/* ---- Registration ---- */

static void
register_unaligned(void **state)
{
	char *memory = map(4 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(memory + 8, PAGE), -EINVAL);
	assert_int_equal(spdk_mem_register(memory, PAGE - 1), -EINVAL);
	assert_int_equal(spdk_mem_unregister(memory + 8, PAGE), -EINVAL);
	assert_int_equal(spdk_mem_unregister(memory, PAGE - 1), -EINVAL);
	assert_true(spdk_vtophys(memory, NULL) == SPDK_VTOPHYS_ERROR);
	munmap(memory, 4 * PAGE);
}

static void
register_nothing(void **state)
{
	char *memory = map(PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 0), 0);
	assert_true(spdk_vtophys(memory, NULL) == SPDK_VTOPHYS_ERROR);
	munmap(memory, PAGE);
}

static void
a_plain_page(void **state)
{
	char *memory = map(PAGE);
	uint64_t size = PAGE;

	(void)state;
	/* SPDK says 0 and then cannot translate it. Ours is true. */
	assert_int_equal(spdk_mem_register(memory, PAGE), 0);
	assert_true(spdk_vtophys(memory, &size) == (uintptr_t)memory);
	assert_int_equal(size, PAGE);
	assert_int_equal(spdk_mem_unregister(memory, PAGE), 0);
	assert_true(spdk_vtophys(memory, NULL) == SPDK_VTOPHYS_ERROR);
	munmap(memory, PAGE);
}

static void
register_overlap(void **state)
{
	char *memory = map(8 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(memory + 2 * PAGE, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_register(memory + 2 * PAGE, 4 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(memory, 3 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(memory + 5 * PAGE, 3 * PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(memory + 3 * PAGE, PAGE), -EBUSY);
	assert_int_equal(spdk_mem_register(memory, 8 * PAGE), -EBUSY);
	/* What was refused is not registered, not even the part that was free. */
	assert_true(spdk_vtophys(memory, NULL) == SPDK_VTOPHYS_ERROR);
	assert_true(spdk_vtophys(memory + 7 * PAGE, NULL) == SPDK_VTOPHYS_ERROR);
	assert_int_equal(spdk_mem_unregister(memory + 2 * PAGE, 4 * PAGE), 0);
	munmap(memory, 8 * PAGE);
}

static void
unregister_part(void **state)
{
	char *memory = map(4 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(memory, 2 * PAGE), -ERANGE);
	assert_int_equal(spdk_mem_unregister(memory + 2 * PAGE, 2 * PAGE), -ERANGE);
	assert_int_equal(spdk_mem_unregister(memory + PAGE, PAGE), -ERANGE);
	assert_true(spdk_vtophys(memory, NULL) != SPDK_VTOPHYS_ERROR);
	assert_true(spdk_vtophys(memory + 3 * PAGE, NULL) != SPDK_VTOPHYS_ERROR);
	assert_int_equal(spdk_mem_unregister(memory, 4 * PAGE), 0);
	munmap(memory, 4 * PAGE);
}

static void
unregister_what_is_not_registered(void **state)
{
	char *memory = map(2 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_unregister(memory, 2 * PAGE), -EINVAL);
	assert_int_equal(spdk_mem_register(memory, 2 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(memory, 2 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(memory, 2 * PAGE), -EINVAL);
	munmap(memory, 2 * PAGE);
}

static void
unregister_two_in_one_call(void **state)
{
	char *memory = map(4 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, PAGE), 0);
	assert_int_equal(spdk_mem_register(memory + PAGE, 3 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(memory, 4 * PAGE), 0);
	assert_true(spdk_vtophys(memory, NULL) == SPDK_VTOPHYS_ERROR);
	assert_true(spdk_vtophys(memory + PAGE, NULL) == SPDK_VTOPHYS_ERROR);
	munmap(memory, 4 * PAGE);
}

static void
translate_to_the_end_of_a_registration(void **state)
{
	char *memory = map(4 * MIB);
	uint64_t size = 64 * MIB;

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 4 * MIB), 0);
	assert_true(spdk_vtophys(memory, &size) == (uintptr_t)memory);
	assert_int_equal(size, 4 * MIB);
	size = 64 * MIB;
	assert_true(spdk_vtophys(memory + MIB + 1, &size) == (uintptr_t)memory + MIB + 1);
	assert_int_equal(size, 3 * MIB - 1);
	/* Never more than was asked for. */
	size = 10;
	assert_true(spdk_vtophys(memory, &size) == (uintptr_t)memory);
	assert_int_equal(size, 10);
	assert_int_equal(spdk_mem_unregister(memory, 4 * MIB), 0);
	munmap(memory, 4 * MIB);
}

static void
translate_what_is_not_registered(void **state)
{
	int on_the_stack = 0;

	(void)state;
	assert_true(spdk_vtophys(&on_the_stack, NULL) == SPDK_VTOPHYS_ERROR);
	assert_true(spdk_vtophys(NULL, NULL) == SPDK_VTOPHYS_ERROR);
}

static void
hugepages_of_the_program(void **state)
{
	char *memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	uint64_t size = 4 * MIB;

	(void)state;
	if (memory == MAP_FAILED) {
		print_message("# no hugepages here\n");
		return;
	}
	assert_int_equal(spdk_mem_register(memory, 4 * MIB), 0);
	assert_true(spdk_vtophys(memory, &size) == (uintptr_t)memory);
	assert_int_equal(size, 4 * MIB);
	assert_int_equal(spdk_mem_unregister(memory, 4 * MIB), 0);
	munmap(memory, 4 * MIB);
}

/* ---- DMA memory ---- */

static void
zmalloc_without_alignment(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 100; size++) {
		char *memory = spdk_dma_zmalloc(size, 0, NULL);

		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % 64, 0);
		for (size_t i = 0; i < size; i++) {
			assert_int_equal(memory[i], 0);
		}
		/* Found again by the next of the same size, which must be zero all the same. */
		memset(memory, 0xff, size);
		spdk_dma_free(memory);
	}
}

static void
malloc_refused(void **state)
{
	uint64_t unused = 0;

	(void)state;
	assert_null(spdk_dma_zmalloc(0, 0, NULL));
	assert_null(spdk_dma_malloc(0, 0, NULL));
	assert_null(spdk_zmalloc(0, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
	assert_null(spdk_dma_zmalloc(64, 0, &unused));
	assert_null(spdk_dma_malloc(64, 0, &unused));
	assert_null(spdk_dma_realloc(NULL, 64, 0, &unused));
	assert_null(spdk_malloc(64, 0, &unused, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
	assert_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, 0));
	assert_null(spdk_zmalloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, 0));
	spdk_free(NULL);
	spdk_dma_free(NULL);
}

static void
the_driver_passes_a_core_as_a_node(void **state)
{
	/* SPDK's driver gives SPDK_ENV_LCORE_ID_ANY where a NUMA node belongs. */
	void *memory = spdk_zmalloc(2 * MIB, 64, NULL, (int)SPDK_ENV_LCORE_ID_ANY, SPDK_MALLOC_DMA);

	(void)state;
	assert_non_null(memory);
	assert_true(spdk_vtophys(memory, NULL) != SPDK_VTOPHYS_ERROR);
	spdk_free(memory);
}

static void
dma_memory_is_registered(void **state)
{
	uint64_t size = 3 * MIB;
	char *memory = spdk_dma_malloc(size, 1 * MIB, NULL);

	(void)state;
	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % MIB, 0);
	assert_true(spdk_vtophys(memory, &size) == (uintptr_t)memory);
	assert_int_equal(size, 3 * MIB);
	spdk_dma_free(memory);
}

/* ---- Pools ---- */

static void
a_pool_yields_every_element(void **state)
{
	/* Sizes around which a pool with caches for each core would keep some back. */
	const size_t counts[] = {1, 2, 32, 33, 255, 256, 511, 512, 513};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct spdk_mempool *pool =
			spdk_mempool_create("pool", counts[i], 64, SPDK_MEMPOOL_DEFAULT_CACHE_SIZE,
					    SPDK_ENV_NUMA_ID_ANY);
		void *elements[513];

		assert_non_null(pool);
		assert_int_equal(spdk_mempool_count(pool), counts[i]);
		for (size_t n = 0; n < counts[i]; n++) {
			elements[n] = spdk_mempool_get(pool);
			assert_non_null(elements[n]);
			assert_true(spdk_vtophys(elements[n], NULL) != SPDK_VTOPHYS_ERROR);
		}
		assert_null(spdk_mempool_get(pool));
		assert_int_equal(spdk_mempool_count(pool), 0);
		for (size_t n = 0; n < counts[i]; n++) {
			spdk_mempool_put(pool, elements[n]);
		}
		assert_int_equal(spdk_mempool_count(pool), counts[i]);
		spdk_mempool_free(pool);
	}
}

static void
a_name_is_taken_once(void **state)
{
	struct spdk_mempool *pool = spdk_mempool_create(
		"same", 33, 64, SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);

	(void)state;
	assert_non_null(pool);
	assert_null(spdk_mempool_create("same", 1, 8, 0, SPDK_ENV_NUMA_ID_ANY));
	spdk_mempool_free(pool);
	pool = spdk_mempool_create("same", 1, 8, 0, SPDK_ENV_NUMA_ID_ANY);
	assert_non_null(pool);
	spdk_mempool_free(pool);
}

static void
free_no_pool(void **state)
{
	(void)state;
	spdk_mempool_free(NULL);
}

static void
bulk_is_all_or_nothing(void **state)
{
	struct spdk_mempool *pool = spdk_mempool_create("bulk", 10, 64, 0, SPDK_ENV_NUMA_ID_ANY);
	void *elements[11] = {NULL};

	(void)state;
	assert_non_null(pool);
	assert_int_equal(spdk_mempool_get_bulk(pool, elements, 11), -ENOMEM);
	assert_int_equal(spdk_mempool_count(pool), 10);
	assert_int_equal(spdk_mempool_get_bulk(pool, elements, 10), 0);
	assert_int_equal(spdk_mempool_count(pool), 0);
	spdk_mempool_put_bulk(pool, elements, 10);
	assert_int_equal(spdk_mempool_count(pool), 10);
	spdk_mempool_free(pool);
}

static void
the_data_pool_of_the_verify_example(void **state)
{
	/* 256 targets of 512 KiB, each in one piece for the engine. */
	struct spdk_mempool *pool = spdk_mempool_create(
		"data", 256, 512 * 1024, SPDK_MEMPOOL_DEFAULT_CACHE_SIZE, SPDK_ENV_NUMA_ID_ANY);

	(void)state;
	assert_non_null(pool);
	for (int i = 0; i < 256; i++) {
		uint64_t size = 512 * 1024;
		char *element = spdk_mempool_get(pool);

		assert_non_null(element);
		assert_true(spdk_vtophys(element, &size) != SPDK_VTOPHYS_ERROR);
		assert_int_equal(size, 512 * 1024);
		element[0] = element[512 * 1024 - 1] = 1;
	}
	assert_null(spdk_mempool_get(pool));
	spdk_mempool_free(pool);
}

static void
memzones(void **state)
{
	char *zone = spdk_memzone_reserve("zone", 3 * MIB, SPDK_ENV_NUMA_ID_ANY, 0);
	uint64_t size = 3 * MIB;

	(void)state;
	assert_non_null(zone);
	assert_int_equal(zone[0], 0);
	assert_int_equal(zone[3 * MIB - 1], 0);
	assert_true(spdk_vtophys(zone, &size) != SPDK_VTOPHYS_ERROR);
	assert_int_equal(size, 3 * MIB);
	assert_null(spdk_memzone_reserve("zone", PAGE, SPDK_ENV_NUMA_ID_ANY, 0));
	assert_ptr_equal(spdk_memzone_lookup("zone"), zone);
	assert_int_equal(spdk_memzone_free("zone"), 0);
	assert_null(spdk_memzone_lookup("zone"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(register_unaligned),
		cmocka_unit_test(register_nothing),
		cmocka_unit_test(a_plain_page),
		cmocka_unit_test(register_overlap),
		cmocka_unit_test(unregister_part),
		cmocka_unit_test(unregister_what_is_not_registered),
		cmocka_unit_test(unregister_two_in_one_call),
		cmocka_unit_test(translate_to_the_end_of_a_registration),
		cmocka_unit_test(translate_what_is_not_registered),
		cmocka_unit_test(hugepages_of_the_program),
		cmocka_unit_test(zmalloc_without_alignment),
		cmocka_unit_test(malloc_refused),
		cmocka_unit_test(the_driver_passes_a_core_as_a_node),
		cmocka_unit_test(dma_memory_is_registered),
		cmocka_unit_test(a_pool_yields_every_element),
		cmocka_unit_test(a_name_is_taken_once),
		cmocka_unit_test(free_no_pool),
		cmocka_unit_test(bulk_is_all_or_nothing),
		cmocka_unit_test(the_data_pool_of_the_verify_example),
		cmocka_unit_test(memzones),
	};

	return cmocka_run_group_tests_name("memory", tests, start, end);
}
