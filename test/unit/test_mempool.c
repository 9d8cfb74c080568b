/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "support.h"

#define ANY           SPDK_ENV_NUMA_ID_ANY
#define DEFAULT_CACHE SPDK_MEMPOOL_DEFAULT_CACHE_SIZE

static void
a_pool_of_33_gives_33_to_one_thread(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 33, 100, DEFAULT_CACHE, ANY);
	char *got[33];

	(void)state;
	assert_non_null(mp);
	assert_int_equal(spdk_mempool_count(mp), 33);
	for (unsigned i = 0; i < 33; i++) {
		got[i] = spdk_mempool_get(mp);
		assert_non_null(got[i]);
		assert_int_equal((uintptr_t)got[i] % 64, 0);
		assert_int_not_equal(spdk_vtophys(got[i], NULL), SPDK_VTOPHYS_ERROR);
		memset(got[i], (int)i, 100);
		for (unsigned j = 0; j < i; j++) {
			assert_true(got[j] + 100 <= got[i] || got[i] + 100 <= got[j]);
		}
	}
	assert_null(spdk_mempool_get(mp));
	assert_int_equal(spdk_mempool_count(mp), 0);
	for (unsigned i = 0; i < 33; i++) {
		assert_int_equal(got[i][0], i);
		assert_int_equal(got[i][99], i);
		spdk_mempool_put(mp, got[i]);
	}
	assert_int_equal(spdk_mempool_count(mp), 33);
	spdk_mempool_free(mp);
	spdk_mempool_free(NULL);
}

static void
large_pools_work(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("data", 256, 512 * KiB, DEFAULT_CACHE, ANY);
	char *p;

	(void)state;
	assert_non_null(mp);
	for (unsigned i = 0; i < 256; i++) {
		uint64_t size = 512 * KiB;

		p = spdk_mempool_get(mp);
		assert_non_null(p);
		assert_int_not_equal(spdk_vtophys(p, &size), SPDK_VTOPHYS_ERROR);
		assert_int_equal(size, 512 * KiB);
		p[0] = p[512 * KiB - 1] = 1;
	}
	assert_null(spdk_mempool_get(mp));
	/* With all elements out. */
	spdk_mempool_free(mp);
}

static void
contents_outlast_put_and_get(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 4, 8, 0, ANY);
	uint64_t *got[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		got[i] = spdk_mempool_get(mp);
		*got[i] = 0x1122334455667788ULL * (i + 1);
	}
	spdk_mempool_put_bulk(mp, (void **)got, 4);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t *again = spdk_mempool_get(mp);
		unsigned which = 0;

		while (which < 4 && got[which] != again) {
			which++;
		}
		assert_in_range(which, 0, 3);
		assert_int_equal(*again, 0x1122334455667788ULL * (which + 1));
	}
	spdk_mempool_free(mp);
}

static void
names_are_unique(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("same", 4, 8, 0, ANY);

	(void)state;
	assert_non_null(mp);
	assert_null(spdk_mempool_create("same", 4, 8, 0, ANY));
	assert_string_equal(spdk_mempool_get_name(mp), "same");
	assert_ptr_equal(spdk_mempool_lookup("same"), mp);
	assert_null(spdk_mempool_lookup("other"));
	assert_null(spdk_mempool_lookup(NULL));
	spdk_mempool_free(mp);
	assert_null(spdk_mempool_lookup("same"));
	mp = spdk_mempool_create("same", 4, 8, 0, ANY);
	assert_non_null(mp);
	spdk_mempool_free(mp);

	mp = spdk_mempool_create("0123456789012345678901234567", 4, 8, 0, ANY);
	assert_non_null(mp);
	assert_null(spdk_mempool_create("01234567890123456789012345678", 4, 8, 0, ANY));
	assert_null(spdk_mempool_create(NULL, 4, 8, 0, ANY));
	spdk_mempool_free(mp);
}

static void
impossible_pools_are_refused(void **state)
{
	struct spdk_mempool *mp;

	(void)state;
	assert_null(spdk_mempool_create("pool", 0, 8, 0, ANY));
	assert_null(spdk_mempool_create("pool", SIZE_MAX, 8, 0, ANY));
	assert_null(spdk_mempool_create("pool", 8, SIZE_MAX, 0, ANY));
	assert_null(spdk_mempool_create("pool", UINT32_MAX, SIZE_MAX / 4, 0, ANY));
	assert_null(spdk_mempool_create("pool", 1000, (size_t)1 << 45, 0, ANY));
	/* Elements without size still differ. */
	mp = spdk_mempool_create("pool", 2, 0, 0, ANY);
	assert_non_null(mp);
	assert_ptr_not_equal(spdk_mempool_get(mp), spdk_mempool_get(mp));
	spdk_mempool_free(mp);
}

static void
bulk_is_all_or_nothing(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 10, 8, 0, ANY);
	void *got[11];

	(void)state;
	assert_int_equal(spdk_mempool_get_bulk(mp, got, 11), -ENOMEM);
	assert_int_equal(spdk_mempool_count(mp), 10);
	assert_int_equal(spdk_mempool_get_bulk(mp, got, 7), 0);
	assert_int_equal(spdk_mempool_count(mp), 3);
	assert_int_equal(spdk_mempool_get_bulk(mp, got + 7, 4), -ENOMEM);
	assert_int_equal(spdk_mempool_get_bulk(mp, got + 7, 3), 0);
	assert_int_equal(spdk_mempool_get_bulk(mp, got, 0), 0);
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j < i; j++) {
			assert_ptr_not_equal(got[i], got[j]);
		}
	}
	spdk_mempool_put_bulk(mp, got, 10);
	assert_int_equal(spdk_mempool_count(mp), 10);
	spdk_mempool_free(mp);
}

static void
what_is_put_twice_or_is_foreign_is_ignored(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 3, 8, 0, ANY);
	char foreign;
	void *got[3];

	(void)state;
	assert_int_equal(spdk_mempool_get_bulk(mp, got, 3), 0);
	spdk_mempool_put(mp, &foreign);
	assert_int_equal(spdk_mempool_count(mp), 0);
	spdk_mempool_put_bulk(mp, got, 3);
	spdk_mempool_put(mp, got[0]);
	assert_int_equal(spdk_mempool_count(mp), 3);
	spdk_mempool_free(mp);
}

static void
an_element_is_put_by_its_own_address(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 3, 1000, 0, ANY);
	const size_t inside[] = {1, 8, 64, 512};
	char *got[3];

	(void)state;
	assert_int_equal(spdk_mempool_get_bulk(mp, (void **)got, 3), 0);
	for (unsigned i = 0; i < 4; i++) {
		capture_log();
		spdk_mempool_put(mp, got[1] + inside[i]);
		assert_logged_once("pool");
		assert_int_equal(spdk_mempool_count(mp), 0);
	}
	spdk_log_open(NULL);
	spdk_mempool_put_bulk(mp, (void **)got, 3);
	assert_int_equal(spdk_mempool_count(mp), 3);
	spdk_mempool_free(mp);
}

static void
an_element_that_is_put_twice_has_one_owner(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 130, 8, 0, ANY);
	void *got[130], *twice[2];

	(void)state;
	assert_int_equal(spdk_mempool_get_bulk(mp, got, 130), 0);
	spdk_mempool_put(mp, got[70]);
	capture_log();
	spdk_mempool_put(mp, got[70]); /* while others are out */
	assert_logged_once("pool");
	twice[0] = twice[1] = got[7];
	spdk_mempool_put_bulk(mp, twice, 2);
	assert_logged_once("pool");
	spdk_log_open(NULL);
	assert_int_equal(spdk_mempool_count(mp), 2);
	assert_ptr_not_equal(spdk_mempool_get(mp), spdk_mempool_get(mp));
	assert_null(spdk_mempool_get(mp));
	spdk_mempool_put_bulk(mp, got, 130);
	assert_int_equal(spdk_mempool_count(mp), 130);
	spdk_mempool_free(mp);
}

struct visits {
	unsigned count;
	char *last;
	size_t bytes;
};

static void
visit_element(struct spdk_mempool *mp, void *opaque, void *obj, unsigned index)
{
	struct visits *visits = opaque;

	assert_non_null(mp);
	assert_int_equal(index, visits->count);
	assert_true((char *)obj > visits->last);
	visits->last = obj;
	visits->count++;
	*(unsigned *)obj = 1000 + index;
}

static void
visit_memory(struct spdk_mempool *mp, void *opaque, void *addr, uint64_t iova, size_t len,
	     unsigned index)
{
	struct visits *visits = opaque;

	assert_non_null(mp);
	assert_int_equal(index, visits->count);
	assert_int_equal(iova, spdk_vtophys(addr, NULL));
	visits->count++;
	visits->bytes += len;
}

static void
elements_are_constructed_before_they_can_be_had(void **state)
{
	struct visits made = {0}, seen = {0}, memory = {0};
	uint32_t pieces;
	struct spdk_mempool *mp =
		spdk_mempool_create_ctor("pool", 50, 4, 0, ANY, visit_element, &made);

	(void)state;
	assert_non_null(mp);
	assert_int_equal(made.count, 50);
	for (unsigned i = 0; i < 50; i++) {
		assert_in_range(*(unsigned *)spdk_mempool_get(mp), 1000, 1049);
	}
	/* Those that are out are visited as well. */
	assert_int_equal(spdk_mempool_obj_iter(mp, visit_element, &seen), 50);
	assert_int_equal(seen.count, 50);
	pieces = spdk_mempool_mem_iter(mp, visit_memory, &memory);
	assert_int_equal(pieces, memory.count);
	assert_true(pieces >= 1 && memory.bytes >= 50 * 4);
	spdk_mempool_free(mp);
}

static void
pools_end_with_the_environment(void **state)
{
	(void)state;
	assert_non_null(spdk_mempool_create("left", 100, 1000, 0, ANY));
	udma_memory_fini();
	assert_null(spdk_mempool_lookup("left"));
	assert_null(spdk_mempool_create("left", 100, 1000, 0, ANY));
	assert_int_equal(start_memory(NULL), 0);
	assert_non_null(spdk_mempool_create("left", 100, 1000, 0, ANY));
}

/* ---- Threads ---------------------------------------------------------------------------- */

static void *
get_and_put(void *arg)
{
	struct spdk_mempool *mp = arg;
	uintptr_t wrong = 0;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned *got[3];

		if (spdk_mempool_get_bulk(mp, (void **)got, 1 + round % 3) != 0) {
			wrong++; /* four threads with three each at most: there is always one */
			continue;
		}
		for (unsigned i = 0; i < 1 + round % 3; i++) {
			wrong += (*got[i])++ != 0;
		}
		for (unsigned i = 0; i < 1 + round % 3; i++) {
			(*got[i])--;
		}
		spdk_mempool_put_bulk(mp, (void **)got, 1 + round % 3);
	}
	return (void *)wrong;
}

static void
no_element_is_had_by_two_threads(void **state)
{
	struct spdk_mempool *mp = spdk_mempool_create("pool", 12, 8, 0, ANY);
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, get_and_put, mp), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(spdk_mempool_count(mp), 12);
	spdk_mempool_free(mp);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, start_memory, end_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(a_pool_of_33_gives_33_to_one_thread),
		WITH_MEMORY(large_pools_work),
		WITH_MEMORY(contents_outlast_put_and_get),
		WITH_MEMORY(names_are_unique),
		WITH_MEMORY(impossible_pools_are_refused),
		WITH_MEMORY(bulk_is_all_or_nothing),
		WITH_MEMORY(what_is_put_twice_or_is_foreign_is_ignored),
		WITH_MEMORY(an_element_is_put_by_its_own_address),
		WITH_MEMORY(an_element_that_is_put_twice_has_one_owner),
		WITH_MEMORY(elements_are_constructed_before_they_can_be_had),
		WITH_MEMORY(pools_end_with_the_environment),
		WITH_MEMORY(no_element_is_had_by_two_threads),
	};

	return cmocka_run_group_tests_name("mempool", tests, NULL, NULL);
}
