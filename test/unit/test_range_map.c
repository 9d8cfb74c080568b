/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "env/range_map.h"

#define TOP (1ULL << UDMA_RANGE_MAP_ADDR_BITS)

static void
assert_range(struct udma_range_map *map, uint64_t addr, uint64_t start, uint64_t len,
	     uint64_t value)
{
	struct udma_range range;

	assert_true(udma_range_map_lookup(map, addr, &range));
	assert_int_equal(range.start, start);
	assert_int_equal(range.len, len);
	assert_int_equal(range.value, value);
}

/** Nothing at `addr`, and the stretch that is said to be empty has `addr` in it. */
static void
assert_nothing(struct udma_range_map *map, uint64_t addr)
{
	struct udma_range range;

	assert_false(udma_range_map_lookup(map, addr, &range));
	assert_true(addr - range.start < range.len);
}

static void
an_empty_map_has_nothing(void **state)
{
	struct udma_range_map map = {0};
	struct udma_range range;

	(void)state;
	assert_nothing(&map, 0);
	assert_nothing(&map, TOP - 1);
	assert_nothing(&map, TOP);
	assert_nothing(&map, UINT64_MAX);
	assert_false(udma_range_map_next(&map, 0, &range));
	assert_false(udma_range_map_previous(&map, TOP, &range));
	assert_int_equal(udma_range_map_clear(&map, 0, PAGE), 0);
	udma_range_map_destroy(&map);
}

static void
a_range_is_found_at_each_of_its_bytes_and_not_beside_them(void **state)
{
	static const struct {
		uint64_t start, len;
	} cases[] = {
		{0, PAGE},
		{PAGE, PAGE},
		{0x7fff12345000, 3 * PAGE},
		{2 * MiB, 2 * MiB},
		{GiB - PAGE, 2 * PAGE},
		{0x200000000000 - 5 * PAGE, 3 * GiB},
		{(1ULL << 48) - PAGE, 2 * PAGE},
		{TOP - PAGE, PAGE},
		{0, TOP},
	};
	struct udma_range range;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t start = cases[i].start, len = cases[i].len;
		struct udma_range_map map = {0};

		assert_int_equal(udma_range_map_set(&map, start, len, 7), 0);
		assert_range(&map, start, start, len, 7);
		assert_range(&map, start + len / 2, start, len, 7);
		assert_range(&map, start + len - 1, start, len, 7);
		assert_nothing(&map, start - 1);
		assert_nothing(&map, start + len);
		assert_true(udma_range_map_next(&map, 0, &range));
		assert_int_equal(range.start, start);
		assert_true(udma_range_map_previous(&map, TOP, &range));
		assert_int_equal(range.start, start);
		assert_false(udma_range_map_previous(&map, start, &range));
		assert_false(udma_range_map_next(&map, start + len, &range));

		assert_int_equal(udma_range_map_clear(&map, start, len), 0);
		assert_nothing(&map, start);
		assert_nothing(&map, start + len - 1);
		assert_false(udma_range_map_next(&map, 0, &range));
		udma_range_map_destroy(&map);
	}
}

static void
what_is_not_whole_pages_of_the_space_is_refused(void **state)
{
	struct udma_range_map map = {0};

	(void)state;
	assert_int_equal(udma_range_map_set(&map, 1, PAGE, 1), -EINVAL);
	assert_int_equal(udma_range_map_set(&map, 0, PAGE - 1, 1), -EINVAL);
	assert_int_equal(udma_range_map_set(&map, 0, 0, 1), -EINVAL);
	assert_int_equal(udma_range_map_set(&map, TOP, PAGE, 1), -EINVAL);
	assert_int_equal(udma_range_map_set(&map, TOP - PAGE, 2 * PAGE, 1), -EINVAL);
	assert_int_equal(udma_range_map_set(&map, 0 - PAGE, 2 * PAGE, 1), -EINVAL);
	assert_int_equal(udma_range_map_clear(&map, 1, PAGE), -EINVAL);
	assert_nothing(&map, 0);
	udma_range_map_destroy(&map);
}

static void
overwriting_leaves_what_is_on_both_sides(void **state)
{
	struct udma_range_map map = {0};

	(void)state;
	assert_int_equal(udma_range_map_set(&map, GiB, 4 * GiB, 1), 0);
	assert_int_equal(udma_range_map_set(&map, 2 * GiB + PAGE, GiB, 2), 0);
	assert_range(&map, GiB, GiB, GiB + PAGE, 1);
	assert_range(&map, 2 * GiB + PAGE - 1, GiB, GiB + PAGE, 1);
	assert_range(&map, 2 * GiB + PAGE, 2 * GiB + PAGE, GiB, 2);
	assert_range(&map, 3 * GiB + PAGE - 1, 2 * GiB + PAGE, GiB, 2);
	assert_range(&map, 3 * GiB + PAGE, 3 * GiB + PAGE, 2 * GiB - PAGE, 1);
	assert_range(&map, 5 * GiB - 1, 3 * GiB + PAGE, 2 * GiB - PAGE, 1);

	assert_int_equal(udma_range_map_set(&map, GiB + PAGE, 4 * GiB, 3), 0);
	assert_range(&map, GiB, GiB, PAGE, 1);
	assert_range(&map, 3 * GiB, GiB + PAGE, 4 * GiB, 3);
	assert_nothing(&map, 5 * GiB + PAGE);

	assert_int_equal(udma_range_map_clear(&map, 2 * GiB, PAGE), 0);
	assert_range(&map, 2 * GiB - 1, GiB + PAGE, GiB - PAGE, 3);
	assert_nothing(&map, 2 * GiB);
	assert_range(&map, 2 * GiB + PAGE, 2 * GiB + PAGE, 3 * GiB, 3);
	udma_range_map_destroy(&map);
}

static void
a_long_range_costs_few_nodes(void **state)
{
	struct udma_range_map map = {0};

	(void)state;
	assert_int_equal(udma_range_map_set(&map, 0x7f0012345000, 64 * GiB, 1), 0);
	assert_true(map.node_count <= 10);
	udma_range_map_destroy(&map);
}

static void
nodes_are_used_again(void **state)
{
	struct udma_range_map map = {0};

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t start = i * 1021 * GiB % TOP & ~(PAGE - 1);

		assert_int_equal(udma_range_map_set(&map, start, PAGE, i), 0);
		assert_range(&map, start, start, PAGE, i);
		assert_int_equal(udma_range_map_clear(&map, start, PAGE), 0);
	}
	assert_true(map.node_count <= 10);
	udma_range_map_destroy(&map);
}

static void
reserved_memory_is_enough_for_pieces_of_2_mib(void **state)
{
	struct udma_range_map map = {0};
	uint64_t base = 0x7f0000000000 + 6 * MiB;
	size_t nodes;

	(void)state;
	assert_int_equal(udma_range_map_reserve(&map, 16 * GiB), 0);
	nodes = map.node_count;
	assert_true(map.spare_entry_count >= 16 * GiB / (2 * MiB));
	for (uint64_t at = 0; at < 16 * GiB; at += 2 * MiB) {
		assert_int_equal(udma_range_map_set(&map, base + at, 2 * MiB, at), 0);
	}
	assert_int_equal(map.node_count, nodes);
	udma_range_map_destroy(&map);
}

/* ---- Against a model -------------------------------------------------------------------- */

#define MODEL_PAGES 1500

/** Unit of the model's page: with large ones leaves are at several levels. */
static void
check_against_model(uint64_t base, uint64_t unit, uint64_t *seed)
{
	struct udma_range_map map = {0};
	/* Value of each page, and where the range it is in was cut last; 0 for none. */
	uint64_t value[MODEL_PAGES] = {0};
	struct udma_range range;

	for (unsigned round = 1; round <= 400; round++) {
		uint64_t first = test_random(seed) % MODEL_PAGES;
		uint64_t longest = MODEL_PAGES - first;
		uint64_t count = 1 + test_random(seed) %
					     (test_random(seed) % 4 ? 1 + longest / 16 : longest);
		bool set = test_random(seed) % 3 != 0;
		uint64_t at;

		if (set) {
			assert_int_equal(
				udma_range_map_set(&map, base + first * unit, count * unit, round),
				0);
		} else {
			assert_int_equal(
				udma_range_map_clear(&map, base + first * unit, count * unit), 0);
		}
		for (uint64_t i = first; i < first + count; i++) {
			value[i] = set ? round : 0;
		}
		for (uint64_t i = 0; i < MODEL_PAGES; i++) {
			uint64_t addr = base + i * unit + test_random(seed) % unit;

			assert_int_equal(udma_range_map_lookup(&map, addr, &range), value[i] != 0);
			assert_true(addr - range.start < range.len);
			if (value[i] != 0) {
				assert_int_equal(range.value, value[i]);
			}
		}
		/* Ranges are disjoint, ascending, and hold just what the model has. */
		at = 0;
		for (uint64_t addr = 0; udma_range_map_next(&map, addr, &range);
		     addr = range.start + range.len) {
			for (; base + at * unit < range.start; at++) {
				assert_int_equal(value[at], 0);
			}
			for (; base + at * unit < range.start + range.len; at++) {
				assert_int_equal(value[at], range.value);
			}
		}
		for (; at < MODEL_PAGES; at++) {
			assert_int_equal(value[at], 0);
		}
	}
	/* And the same backwards. */
	for (uint64_t addr = TOP; udma_range_map_previous(&map, addr, &range); addr = range.start) {
		assert_true(range.start < addr);
		assert_int_equal(range.value, value[(range.start - base) / unit]);
	}
	assert_int_equal(udma_range_map_clear(&map, 0, TOP), 0);
	assert_int_equal(map.root, 0);
	assert_int_equal(map.spare_node_count, map.node_count);
	udma_range_map_destroy(&map);
}

static void
agrees_with_a_model(void **state)
{
	uint64_t seed = test_seed();

	(void)state;
	check_against_model(0x7ffff0000000, PAGE, &seed);
	check_against_model(GiB - 400 * 128 * KiB, 128 * KiB, &seed);
	check_against_model(0x200000000000, 2 * MiB, &seed);
	check_against_model(3 * PAGE, 40 * GiB, &seed);
}

/* ---- Readers and a writer --------------------------------------------------------------- */

#define SHARED_BASE 0x7f0000000000ULL

static struct {
	struct udma_range_map map;
	bool stop;
	unsigned wrong;
	unsigned looks;
} shared;

static void *
read_on(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	unsigned looks = 0, wrong = 0;

	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		uint64_t addr = SHARED_BASE + test_random(&seed) % (4 * GiB);
		struct udma_range range;
		bool found = udma_range_map_lookup(&shared.map, addr, &range);

		/* The writer works in the second and third GiB; its ranges have their start's page
		 * as a value, or that of the range they are left of. */
		if (addr < SHARED_BASE + GiB || addr >= SHARED_BASE + 3 * GiB) {
			wrong += !found || range.value != 1;
		} else if (found) {
			wrong += range.value != 1 && range.value != range.start;
		}
		wrong += addr - range.start >= range.len;
		looks++;
	}
	__atomic_fetch_add(&shared.wrong, wrong, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared.looks, looks, __ATOMIC_RELAXED);
	return NULL;
}

static void
neighbours_are_found_while_a_writer_splits(void **state)
{
	uint64_t seed = test_seed();
	pthread_t readers[3];

	(void)state;
	memset(&shared, 0, sizeof(shared));
	assert_int_equal(udma_range_map_set(&shared.map, SHARED_BASE, 4 * GiB, 1), 0);
	for (uintptr_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, (void *)(i + 1)), 0);
	}
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t offset = GiB + test_random(&seed) % (2 * GiB - 8 * MiB);
		uint64_t len = 1 + test_random(&seed) % (round % 2 ? 16 * PAGE : 8 * MiB);

		offset &= ~(PAGE - 1);
		len = (len + PAGE - 1) & ~(PAGE - 1);
		if (round % 64 == 63) {
			udma_range_map_set(&shared.map, SHARED_BASE, 4 * GiB, 1);
		} else if (round % 3 == 0) {
			udma_range_map_clear(&shared.map, SHARED_BASE + offset, len);
		} else {
			/* Emptied on both sides, so that it is never cut and keeps its value's
			 * start. */
			udma_range_map_clear(&shared.map, SHARED_BASE + GiB, 2 * GiB);
			udma_range_map_set(&shared.map, SHARED_BASE + offset, len,
					   SHARED_BASE + offset);
			udma_range_map_clear(&shared.map, SHARED_BASE + offset, len);
		}
	}
	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(readers[i], NULL);
	}
	assert_true(shared.looks > 0);
	assert_int_equal(shared.wrong, 0);
	udma_range_map_destroy(&shared.map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(a_range_is_found_at_each_of_its_bytes_and_not_beside_them),
		cmocka_unit_test(what_is_not_whole_pages_of_the_space_is_refused),
		cmocka_unit_test(overwriting_leaves_what_is_on_both_sides),
		cmocka_unit_test(a_long_range_costs_few_nodes),
		cmocka_unit_test(nodes_are_used_again),
		cmocka_unit_test(reserved_memory_is_enough_for_pieces_of_2_mib),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(neighbours_are_found_while_a_writer_splits),
	};

	return cmocka_run_group_tests_name("range_map", tests, NULL, NULL);
}
