/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "support.h"

#define ANY SPDK_ENV_NUMA_ID_ANY

static void
a_zone_is_zeroed_and_found_by_name(void **state)
{
	uint64_t size = 3 * MiB;
	unsigned char *p = spdk_memzone_reserve("zone", size, ANY, 0);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[0], 0);
	assert_int_equal(memcmp(p, p + 1, size - 1), 0);
	assert_int_not_equal(spdk_vtophys(p, &size), SPDK_VTOPHYS_ERROR);
	assert_int_equal(size, 3 * MiB);
	assert_ptr_equal(spdk_memzone_lookup("zone"), p);
	assert_null(spdk_memzone_lookup("zon"));
	assert_int_equal(spdk_memzone_free("zone"), 0);
	assert_null(spdk_memzone_lookup("zone"));
	assert_int_equal(spdk_memzone_free("zone"), -1);
}

static void
names_are_unique_and_of_limited_length(void **state)
{
	(void)state;
	assert_non_null(spdk_memzone_reserve("same", 64, ANY, SPDK_MEMZONE_NO_IOVA_CONTIG));
	assert_null(spdk_memzone_reserve("same", 64, ANY, 0));
	assert_non_null(spdk_memzone_reserve("0123456789012345678901234567890", 64, ANY, 0));
	assert_null(spdk_memzone_reserve("01234567890123456789012345678901", 64, ANY, 0));
	assert_null(spdk_memzone_reserve(NULL, 64, ANY, 0));
	capture_log();
	assert_null(spdk_memzone_reserve("empty", 0, ANY, 0));
	assert_logged_once("empty");
	spdk_log_open(NULL);
	assert_null(spdk_memzone_lookup(NULL));
	assert_int_equal(spdk_memzone_free(NULL), -1);
	assert_null(spdk_memzone_reserve("too much", SIZE_MAX, ANY, 0));
	assert_null(spdk_memzone_lookup("too much"));
}

static void
a_zone_is_aligned(void **state)
{
	(void)state;
	for (unsigned align = 64; align <= 1u << 28; align *= 4) {
		void *p = spdk_memzone_reserve_aligned("zone", 1000, ANY, 0, align);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		assert_int_equal(spdk_memzone_free("zone"), 0);
	}
	assert_null(spdk_memzone_reserve_aligned("zone", 1000, ANY, 0, 3));
}

static void
a_dump_names_each(void **state)
{
	char *text = NULL, address[32];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	void *p = spdk_memzone_reserve("first zone", 12345, ANY, 0);

	(void)state;
	assert_non_null(spdk_memzone_reserve("second zone", 64, ANY, 0));
	spdk_memzone_dump(f);
	fclose(f);
	snprintf(address, sizeof(address), "%p", p);
	assert_non_null(strstr(text, "first zone"));
	assert_non_null(strstr(text, address));
	assert_non_null(strstr(text, "12345"));
	assert_non_null(strstr(text, "second zone"));
	free(text);
}

static void
zones_end_with_the_environment(void **state)
{
	(void)state;
	assert_non_null(spdk_memzone_reserve("left", 64, ANY, 0));
	udma_memory_fini();
	assert_null(spdk_memzone_lookup("left"));
	assert_null(spdk_memzone_reserve("left", 64, ANY, 0));
	assert_int_equal(start_memory(NULL), 0);
	assert_non_null(spdk_memzone_reserve("left", 64, ANY, 0));
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, start_memory, end_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(a_zone_is_zeroed_and_found_by_name),
		WITH_MEMORY(names_are_unique_and_of_limited_length),
		WITH_MEMORY(a_zone_is_aligned),
		WITH_MEMORY(a_dump_names_each),
		WITH_MEMORY(zones_end_with_the_environment),
	};

	return cmocka_run_group_tests_name("memzone", tests, NULL, NULL);
}
