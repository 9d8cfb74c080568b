/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "env/domain.h"
#include "spdk/util.h"

#include <sys/wait.h>

/** A domain that keeps a list of what it has mapped, and refuses when it is told to. */
struct fake {
	struct udma_domain domain;
	struct udma_region *mapped;
	size_t count;
	size_t limit;
	uint64_t refused; /* an address that it does not take */
	unsigned maps, unmaps;
};

#define LIMIT 65535

static size_t
find(const struct fake *fake, const struct udma_region *region)
{
	size_t i = 0;

	while (i < fake->count &&
	       (fake->mapped[i].vaddr != region->vaddr || fake->mapped[i].iova != region->iova ||
		fake->mapped[i].len != region->len ||
		fake->mapped[i].writable != region->writable)) {
		i++;
	}
	return i;
}

static int
fake_map(struct udma_domain *domain, const struct udma_region *region)
{
	struct fake *fake = SPDK_CONTAINEROF(domain, struct fake, domain);

	if (region->vaddr == fake->refused) {
		return -EPERM;
	}
	if (fake->count == fake->limit) {
		return -ENOSPC;
	}
	fake->mapped[fake->count++] = *region;
	fake->maps++;
	return 0;
}

static void
fake_unmap(struct udma_domain *domain, const struct udma_region *region)
{
	struct fake *fake = SPDK_CONTAINEROF(domain, struct fake, domain);
	size_t at = find(fake, region);

	assert_in_range(at, 0, fake->count - 1);
	fake->mapped[at] = fake->mapped[--fake->count];
	fake->unmaps++;
}

static struct fake g_fake, g_other;

static void
make(struct fake *fake)
{
	*fake = (struct fake){.domain = {.map = fake_map, .unmap = fake_unmap}, .limit = LIMIT};
	fake->domain.ranges = udma_iova_ranges_of(64);
	fake->mapped = calloc(LIMIT, sizeof(*fake->mapped));
	assert_non_null(fake->mapped);
}

static int
setup(void **state)
{
	make(&g_fake);
	make(&g_other);
	return start_memory(state);
}

static int
teardown(void **state)
{
	end_memory(state);
	free(g_fake.mapped);
	free(g_other.mapped);
	return 0;
}

static bool
has(const struct fake *fake, const char *p, size_t len, bool writable)
{
	const struct udma_region region = {(uintptr_t)p, spdk_vtophys(p, NULL), len, writable};

	return find(fake, &region) < fake->count;
}

static void
a_registration_is_one_mapping_in_each_domain(void **state)
{
	char *p = map_pages(64 * GiB);

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(udma_domain_add(&g_other.domain), 0);
	assert_int_equal(spdk_mem_register(p, 64 * GiB), 0);
	assert_int_equal(g_fake.maps, 1);
	assert_int_equal(g_other.maps, 1);
	assert_true(has(&g_fake, p, 64 * GiB, true));
	assert_true(has(&g_other, p, 64 * GiB, true));
	assert_int_equal(spdk_mem_unregister(p, 64 * GiB), 0);
	assert_int_equal(g_fake.count + g_other.count, 0);
	assert_int_equal(g_fake.unmaps, 1);
	udma_domain_remove(&g_fake.domain);
	udma_domain_remove(&g_other.domain);
	munmap(p, 64 * GiB);
}

static void
what_is_read_only_is_mapped_so(void **state)
{
	char *p = map_pages(3 * PAGE);

	(void)state;
	mprotect(p, PAGE, PROT_READ);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + PAGE, 2 * PAGE), 0);
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_true(has(&g_fake, p, PAGE, false));
	assert_true(has(&g_fake, p + PAGE, 2 * PAGE, true));
	udma_domain_remove(&g_fake.domain);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	munmap(p, 3 * PAGE);
}

static void
a_domain_that_comes_later_gets_all_there_is(void **state)
{
	char *p = map_pages(8 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + PAGE, 2 * PAGE), 0);
	assert_int_equal(spdk_mem_register(p + 5 * PAGE, 3 * PAGE), 0);
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(g_fake.count, 3);
	assert_true(has(&g_fake, p, PAGE, true));
	assert_true(has(&g_fake, p + PAGE, 2 * PAGE, true));
	assert_true(has(&g_fake, p + 5 * PAGE, 3 * PAGE, true));
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	assert_int_equal(g_fake.count, 1);
	udma_domain_remove(&g_fake.domain);
	/* It is told of nothing any more. */
	assert_int_equal(spdk_mem_unregister(p + 5 * PAGE, 3 * PAGE), 0);
	assert_int_equal(g_fake.count, 1);
	munmap(p, 8 * PAGE);
}

static void
a_domain_that_cannot_take_all_there_is_gets_nothing(void **state)
{
	char *p = map_pages(6 * PAGE);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_mem_register(p + 2 * i * PAGE, PAGE), 0);
	}
	g_fake.refused = (uintptr_t)p + 4 * PAGE;
	assert_int_equal(udma_domain_add(&g_fake.domain), -EPERM);
	assert_int_equal(g_fake.maps, 2);
	assert_int_equal(g_fake.count, 0);
	/* It is none: the next registration is none of its. */
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_int_equal(g_fake.count, 0);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p + 4 * PAGE, PAGE), 0);
	munmap(p, 6 * PAGE);
}

static void
what_one_domain_refuses_is_undone_in_all(void **state)
{
	char *p = map_pages(4 * PAGE);

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(udma_domain_add(&g_other.domain), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	g_other.refused = (uintptr_t)p + PAGE;
	assert_int_equal(spdk_mem_register(p + PAGE, 2 * PAGE), -EPERM);
	assert_int_equal(spdk_vtophys(p + PAGE, NULL), SPDK_VTOPHYS_ERROR);
	assert_int_equal(g_fake.maps, 2);
	assert_int_equal(g_fake.count, 1);
	assert_int_equal(g_other.count, 1);
	assert_true(has(&g_fake, p, PAGE, true));
	g_other.refused = 0;
	assert_int_equal(spdk_mem_register(p + PAGE, 2 * PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	assert_int_equal(g_fake.count + g_other.count, 0);
	udma_domain_remove(&g_fake.domain);
	udma_domain_remove(&g_other.domain);
	munmap(p, 4 * PAGE);
}

/** What a map refuses was mapped already by then. */
static int
refuse(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
       size_t size)
{
	(void)map, (void)vaddr, (void)size;
	if (action == SPDK_MEM_MAP_NOTIFY_REGISTER) {
		assert_int_equal(g_fake.count, 1);
	}
	return action == SPDK_MEM_MAP_NOTIFY_REGISTER ? *(int *)ctx : 0;
}

static void
what_a_callback_refuses_is_mapped_nowhere(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = refuse};
	int answer = -EIO;
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, &answer);
	char *p = map_pages(PAGE);

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), -EIO);
	assert_int_equal(g_fake.maps, 1);
	assert_int_equal(g_fake.count, 0);
	spdk_mem_map_free(&map);
	udma_domain_remove(&g_fake.domain);
	munmap(p, PAGE);
}

/** The order of a removal: callbacks first, then the translation goes, then the mapping. */
static int
watch(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
      size_t size)
{
	(void)map, (void)size;
	if (action == SPDK_MEM_MAP_NOTIFY_UNREGISTER) {
		assert_int_equal(g_fake.count, 1);
		assert_int_not_equal(spdk_vtophys(vaddr, NULL), SPDK_VTOPHYS_ERROR);
		*(bool *)ctx = true;
	}
	return 0;
}

static void
unmap_when_gone(struct udma_domain *domain, const struct udma_region *region)
{
	struct udma_region found;

	assert_int_equal(spdk_vtophys((void *)region->vaddr, NULL), SPDK_VTOPHYS_ERROR);
	assert_false(udma_region_find(region->iova, &found));
	fake_unmap(domain, region);
}

static void
a_mapping_goes_last(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = watch};
	bool told = false;
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, &told);
	char *p = map_pages(PAGE);

	(void)state;
	g_fake.domain.unmap = unmap_when_gone;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
	assert_true(told);
	assert_int_equal(g_fake.unmaps, 1);
	spdk_mem_map_free(&map);
	udma_domain_remove(&g_fake.domain);
	munmap(p, PAGE);
}

/** Two stretches of addresses, as VFIO reports them: a window for interrupts is left out. */
static const struct udma_iova_ranges g_window = {
	.count = 2,
	.range = {{0, 0xfedfffff}, {0xfef00000, 0x7fffffffff}},
};

static void
what_is_beyond_the_addresses_of_a_domain_is_refused(void **state)
{
	char *p = map_pages(PAGE);

	(void)state;
	g_other.domain.ranges = g_window;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(udma_domain_add(&g_other.domain), 0);
	/* Virtual addresses have more than 39 bits. */
	assert_int_equal(spdk_mem_register(p, PAGE), -ENOTSUP);
	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	assert_int_equal(g_fake.count + g_other.maps, 0);
	udma_domain_remove(&g_other.domain);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(udma_domain_add(&g_other.domain), -ENOTSUP);
	assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
	udma_domain_remove(&g_fake.domain);
	munmap(p, PAGE);
}

static void
memory_is_placed_where_every_domain_can_map_it(void **state)
{
	struct spdk_env_opts opts = memory_opts();
	char *p = map_pages(8 * GiB);

	(void)state;
	udma_memory_fini();
	assert_int_equal(udma_memory_init(&opts, UDMA_IOVA_MAPPED, 48), 0);
	g_fake.domain.ranges = g_window;
	g_other.domain.ranges = (struct udma_iova_ranges){
		.count = 2,
		.range = {{0x100000000, 0x17fffffff}, {0x200000000, 0xffffffffffff}},
	};
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(udma_domain_add(&g_other.domain), 0);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t iova;

		assert_int_equal(spdk_mem_register(p + i * GiB, GiB), 0);
		iova = spdk_vtophys(p + i * GiB, NULL);
		assert_true(iova >= 0x100000000 && iova + GiB <= 0x8000000000);
		assert_true(iova + GiB <= 0x180000000 || iova >= 0x200000000);
	}
	udma_domain_remove(&g_fake.domain);
	udma_domain_remove(&g_other.domain);
	munmap(p, 8 * GiB);
}

static void
ranges_are_intersected(void **state)
{
	const struct udma_iova_ranges others = {
		.count = 3,
		.range = {{10, 20}, {0xfee00000, 0xfef00010}, {0x7ffffffffe, UINT64_MAX}},
	};
	struct udma_iova_ranges ranges = g_window;

	(void)state;
	assert_int_equal(udma_iova_ranges_bits(&ranges), 39);
	udma_iova_ranges_intersect(&ranges, &others);
	assert_int_equal(ranges.count, 3);
	assert_true(ranges.range[0].first == 10 && ranges.range[0].last == 20);
	assert_true(ranges.range[1].first == 0xfef00000 && ranges.range[1].last == 0xfef00010);
	assert_true(ranges.range[2].first == 0x7ffffffffe && ranges.range[2].last == 0x7fffffffff);
	assert_true(udma_iova_ranges_hold(&ranges, 0xfef00000, 0x11));
	assert_false(udma_iova_ranges_hold(&ranges, 0xfef00000, 0x12));
	assert_false(udma_iova_ranges_hold(&ranges, 9, 2));
	ranges = udma_iova_ranges_of(48);
	udma_iova_ranges_intersect(&ranges, &(struct udma_iova_ranges){0});
	assert_int_equal(ranges.count, 0);
	assert_int_equal(udma_iova_ranges_bits(&ranges), 0);
	ranges = udma_iova_ranges_of(64);
	assert_int_equal(udma_iova_ranges_bits(&ranges), 64);
	assert_true(udma_iova_ranges_hold(&ranges, UINT64_MAX, 1));
}

#define MANY ((size_t)70000)

static void
a_limit_that_is_met_costs_nothing_that_was_registered(void **state)
{
	char *p = map_pages(MANY * 2 * PAGE);
	size_t taken = 0;

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	for (size_t i = 0; i < MANY; i++) {
		int rc = spdk_mem_register(p + i * 2 * PAGE, PAGE);

		assert_int_equal(rc, i < LIMIT ? 0 : -ENOSPC);
		taken += rc == 0;
	}
	assert_int_equal(taken, LIMIT);
	assert_int_equal(g_fake.count, LIMIT);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(spdk_vtophys(p + i * 2 * PAGE, NULL) == SPDK_VTOPHYS_ERROR,
				 i >= LIMIT);
	}
	/* One goes, one can come. */
	assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + LIMIT * 2 * PAGE, PAGE), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), -ENOSPC);
	udma_domain_remove(&g_fake.domain);
	udma_memory_fini();
	munmap(p, MANY * 2 * PAGE);
}

static void
what_is_left_at_the_end_is_unmapped(void **state)
{
	char *p = map_pages(2 * PAGE);

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_non_null(spdk_malloc(100, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
	assert_int_equal(g_fake.count, 2);
	udma_memory_fini();
	assert_int_equal(g_fake.count, 0);
	udma_domain_remove(&g_fake.domain);
	munmap(p, 2 * PAGE);
}

static void
a_child_changes_nothing_for_the_parents_devices(void **state)
{
	char *p = map_pages(2 * PAGE);
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(udma_domain_add(&g_fake.domain), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		bool ok = spdk_mem_unregister(p, PAGE) == 0 &&
			  spdk_mem_register(p + PAGE, PAGE) == 0 && g_fake.maps == 1 &&
			  g_fake.unmaps == 0;

		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
	assert_int_equal(g_fake.unmaps, 1);
	udma_domain_remove(&g_fake.domain);
	munmap(p, 2 * PAGE);
}

#define WITH_DOMAINS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DOMAINS(a_registration_is_one_mapping_in_each_domain),
		WITH_DOMAINS(what_is_read_only_is_mapped_so),
		WITH_DOMAINS(a_domain_that_comes_later_gets_all_there_is),
		WITH_DOMAINS(a_domain_that_cannot_take_all_there_is_gets_nothing),
		WITH_DOMAINS(what_one_domain_refuses_is_undone_in_all),
		WITH_DOMAINS(what_a_callback_refuses_is_mapped_nowhere),
		WITH_DOMAINS(a_mapping_goes_last),
		WITH_DOMAINS(what_is_beyond_the_addresses_of_a_domain_is_refused),
		WITH_DOMAINS(memory_is_placed_where_every_domain_can_map_it),
		cmocka_unit_test(ranges_are_intersected),
		WITH_DOMAINS(a_limit_that_is_met_costs_nothing_that_was_registered),
		WITH_DOMAINS(what_is_left_at_the_end_is_unmapped),
		WITH_DOMAINS(a_child_changes_nothing_for_the_parents_devices),
	};

	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
