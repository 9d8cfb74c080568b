/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "support.h"

#define NOWHERE 0xdeadULL

/* ---- A journal of what maps are told ---------------------------------------------------- */

struct note {
	int map;
	enum spdk_mem_map_notify_action action;
	char *vaddr;
	size_t size;
};

static struct {
	struct note notes[64];
	unsigned count;
	unsigned checked;
	bool translated[64]; /* whether the memory could be translated at the time */
	int refuse_map;
	enum spdk_mem_map_notify_action refuse_action;
	char *refuse_vaddr;
} journal;

static int
note(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
     size_t size)
{
	int id = (int)(intptr_t)ctx;

	assert_non_null(map);
	assert_in_range(journal.count, 0, 63);
	journal.translated[journal.count] = spdk_vtophys(vaddr, NULL) != SPDK_VTOPHYS_ERROR;
	journal.notes[journal.count++] = (struct note){id, action, vaddr, size};
	if (id == journal.refuse_map && action == journal.refuse_action &&
	    vaddr == journal.refuse_vaddr) {
		return -EXDEV;
	}
	return 0;
}

static const struct spdk_mem_map_ops note_ops = {.notify_cb = note};

static struct spdk_mem_map *
new_map(int id)
{
	return spdk_mem_map_alloc(NOWHERE, &note_ops, (void *)(intptr_t)id);
}

static void
refuse(int map, enum spdk_mem_map_notify_action action, char *vaddr)
{
	journal.refuse_map = map;
	journal.refuse_action = action;
	journal.refuse_vaddr = vaddr;
}

/** The next thing told was this, and the memory could be translated then. */
static void
expect_note(int map, enum spdk_mem_map_notify_action action, char *vaddr, size_t size)
{
	const struct note *n = &journal.notes[journal.checked];

	assert_true(journal.checked < journal.count);
	assert_int_equal(n->map, map);
	assert_int_equal(n->action, action);
	assert_ptr_equal(n->vaddr, vaddr);
	assert_int_equal(n->size, size);
	assert_true(journal.translated[journal.checked]);
	journal.checked++;
}

static void
expect_no_more(void)
{
	assert_int_equal(journal.checked, journal.count);
	journal.checked = journal.count = 0;
	refuse(0, SPDK_MEM_MAP_NOTIFY_REGISTER, NULL);
}

#define REG   SPDK_MEM_MAP_NOTIFY_REGISTER
#define UNREG SPDK_MEM_MAP_NOTIFY_UNREGISTER

static int
set_up(void **state)
{
	memset(&journal, 0, sizeof(journal));
	return start_memory(state);
}

/* ---- Being told ------------------------------------------------------------------------- */

static void
maps_are_told_of_whole_registrations_while_they_translate(void **state)
{
	char *p = map_pages(8 * PAGE);
	struct spdk_mem_map *one, *two;

	(void)state;
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), 0);
	one = new_map(1);
	expect_note(1, REG, p, 2 * PAGE);
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, 3 * PAGE), 0);
	expect_note(1, REG, p + 2 * PAGE, 3 * PAGE);
	two = new_map(2);
	expect_note(2, REG, p, 2 * PAGE);
	expect_note(2, REG, p + 2 * PAGE, 3 * PAGE);
	assert_int_equal(spdk_mem_register(p + 5 * PAGE, PAGE), 0);
	expect_note(1, REG, p + 5 * PAGE, PAGE);
	expect_note(2, REG, p + 5 * PAGE, PAGE);
	/* The one that was made last is told first. */
	assert_int_equal(spdk_mem_unregister(p, 5 * PAGE), 0);
	expect_note(2, UNREG, p, 2 * PAGE);
	expect_note(1, UNREG, p, 2 * PAGE);
	expect_note(2, UNREG, p + 2 * PAGE, 3 * PAGE);
	expect_note(1, UNREG, p + 2 * PAGE, 3 * PAGE);
	spdk_mem_map_free(&one);
	assert_null(one);
	expect_note(1, UNREG, p + 5 * PAGE, PAGE);
	udma_memory_fini();
	expect_note(2, UNREG, p + 5 * PAGE, PAGE);
	expect_no_more();
	/* Maps stay when the environment ends, and hear of its next start. */
	assert_int_equal(start_memory(NULL), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	expect_note(2, REG, p, PAGE);
	spdk_mem_map_free(&two);
	expect_note(2, UNREG, p, PAGE);
	expect_no_more();
	spdk_mem_map_free(&two);
	spdk_mem_map_free(NULL);
	munmap(p, 8 * PAGE);
}

static void
a_registration_refused_by_one_is_undone_in_all(void **state)
{
	struct spdk_mem_map *maps[3] = {new_map(1), new_map(2), new_map(3)};
	char *p = map_pages(2 * PAGE);

	(void)state;
	refuse(3, REG, p);
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), -EXDEV);
	expect_note(1, REG, p, 2 * PAGE);
	expect_note(2, REG, p, 2 * PAGE);
	expect_note(3, REG, p, 2 * PAGE);
	expect_note(2, UNREG, p, 2 * PAGE);
	expect_note(1, UNREG, p, 2 * PAGE);
	expect_no_more();
	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	assert_int_equal(spdk_mem_register(p, 2 * PAGE), 0);
	for (unsigned i = 0; i < 3; i++) {
		spdk_mem_map_free(&maps[i]);
	}
	munmap(p, 2 * PAGE);
}

static void
a_removal_refused_by_one_leaves_everything_registered(void **state)
{
	struct spdk_mem_map *maps[3] = {new_map(1), new_map(2), new_map(3)};
	char *p = map_pages(3 * PAGE);

	(void)state;
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + PAGE, 2 * PAGE), 0);
	journal.checked = journal.count;
	refuse(2, UNREG, p + PAGE);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), -EXDEV);
	expect_note(3, UNREG, p, PAGE);
	expect_note(2, UNREG, p, PAGE);
	expect_note(1, UNREG, p, PAGE);
	expect_note(3, UNREG, p + PAGE, 2 * PAGE);
	expect_note(2, UNREG, p + PAGE, 2 * PAGE);
	expect_note(3, REG, p + PAGE, 2 * PAGE);
	expect_note(1, REG, p, PAGE);
	expect_note(2, REG, p, PAGE);
	expect_note(3, REG, p, PAGE);
	expect_no_more();
	assert_int_equal(spdk_vtophys(p, NULL), (uintptr_t)p);
	assert_int_equal(spdk_vtophys(p + PAGE, NULL), (uintptr_t)p + PAGE);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	for (unsigned i = 0; i < 3; i++) {
		spdk_mem_map_free(&maps[i]);
	}
	munmap(p, 3 * PAGE);
}

static void
a_map_that_refuses_what_is_registered_is_not_made(void **state)
{
	char *p = map_pages(3 * PAGE);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_mem_register(p + i * PAGE, PAGE), 0);
	}
	refuse(1, REG, p + 2 * PAGE);
	assert_null(new_map(1));
	expect_note(1, REG, p, PAGE);
	expect_note(1, REG, p + PAGE, PAGE);
	expect_note(1, REG, p + 2 * PAGE, PAGE);
	expect_note(1, UNREG, p + PAGE, PAGE);
	expect_note(1, UNREG, p, PAGE);
	expect_no_more();
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	expect_no_more();
	munmap(p, 3 * PAGE);
}

static int
register_from_callback(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action,
		       void *vaddr, size_t size)
{
	struct spdk_mem_map *same = map;
	int *rc = ctx;

	(void)action;
	capture_log();
	assert_null(spdk_mem_map_alloc(0, NULL, NULL));
	assert_logged_once("after the callback");
	spdk_log_open(NULL);
	spdk_mem_map_free(&same);
	assert_ptr_equal(same, map);
	*rc = spdk_mem_register((char *)vaddr + size, size);
	if (*rc == 0) {
		*rc = spdk_mem_unregister(vaddr, size);
	}
	return 0;
}

static void
a_callback_that_registers_gets_an_error_not_a_deadlock(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = register_from_callback};
	char *p = map_pages(2 * PAGE);
	int rc = 0;
	struct spdk_mem_map *map = spdk_mem_map_alloc(0, &ops, &rc);

	(void)state;
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(rc, -EDEADLK);
	spdk_mem_map_free(&map);
	munmap(p, 2 * PAGE);
}

/* ---- Translations of one's own ---------------------------------------------------------- */

static int
follows(uint64_t addr_1, uint64_t addr_2)
{
	return addr_2 == addr_1 + PAGE;
}

static const struct spdk_mem_map_ops joining_ops = {.are_contiguous = follows};

static void
assert_answer(struct spdk_mem_map *map, uint64_t vaddr, uint64_t asked, uint64_t answer,
	      uint64_t holds)
{
	assert_int_equal(spdk_mem_map_translate(map, vaddr, &asked), answer);
	assert_int_equal(asked, holds);
}

static void
ranges_are_set_and_cleared(void **state)
{
	struct spdk_mem_map *map = spdk_mem_map_alloc(NOWHERE, NULL, NULL);

	(void)state;
	assert_non_null(map);
	assert_answer(map, 5, 100, NOWHERE, 100);
	assert_int_equal(spdk_mem_map_set_translation(map, GiB, 3 * GiB, 77), 0);
	/* As it was set, wherever in the range. */
	assert_answer(map, GiB, UINT64_MAX, 77, 3 * GiB);
	assert_answer(map, 2 * GiB + 5, 100, 77, 100);
	assert_answer(map, 4 * GiB - 1, 100, 77, 1);
	assert_answer(map, 4 * GiB, 100, NOWHERE, 100);
	assert_answer(map, GiB - 10, 100, NOWHERE, 10);
	assert_answer(map, 0, UINT64_MAX, NOWHERE, GiB);
	assert_int_equal(spdk_mem_map_translate(map, GiB, NULL), 77);

	assert_int_equal(spdk_mem_map_set_translation(map, 2 * GiB, PAGE, 78), 0);
	assert_answer(map, 2 * GiB, UINT64_MAX, 78, PAGE);
	assert_answer(map, GiB, UINT64_MAX, 77, GiB);
	assert_int_equal(spdk_mem_map_clear_translation(map, 2 * GiB, 2 * PAGE), 0);
	assert_answer(map, 2 * GiB, UINT64_MAX, NOWHERE, 2 * PAGE);

	assert_int_equal(spdk_mem_map_set_translation(map, 1, PAGE, 1), -EINVAL);
	assert_int_equal(spdk_mem_map_set_translation(map, 0, 1, 1), -EINVAL);
	assert_int_equal(spdk_mem_map_clear_translation(map, 1, PAGE), -EINVAL);
	spdk_mem_map_free(&map);
}

static void
an_empty_range_is_set_without_complaint(void **state)
{
	struct spdk_mem_map *map = spdk_mem_map_alloc(NOWHERE, NULL, NULL);

	(void)state;
	capture_log();
	assert_int_equal(spdk_mem_map_set_translation(map, GiB, 0, 1), 0);
	assert_int_equal(spdk_mem_map_clear_translation(map, GiB, 0), 0);
	assert_int_equal(g_log_lines, 0);
	assert_answer(map, GiB, 100, NOWHERE, 100);
	assert_int_equal(spdk_mem_map_set_translation(map, GiB + 1, 0, 1), -EINVAL);
	assert_logged_once("multiples of 4096");
	assert_int_equal(spdk_mem_map_clear_translation(map, GiB, 1), -EINVAL);
	assert_logged_once("multiples of 4096");
	assert_int_equal(spdk_mem_map_set_translation(map, 1ULL << 57, PAGE, 1), -EINVAL);
	assert_logged_once("2^57");
	assert_int_equal(spdk_mem_map_set_translation(map, PAGE, 0 - PAGE, 1), -EINVAL);
	assert_logged_once("2^57");
	spdk_log_open(NULL);
	spdk_mem_map_free(&map);
}

static void
neighbours_are_joined_where_the_program_says_so(void **state)
{
	struct spdk_mem_map *joining = spdk_mem_map_alloc(NOWHERE, &joining_ops, NULL);
	struct spdk_mem_map *plain = spdk_mem_map_alloc(NOWHERE, NULL, NULL);
	uint64_t base = 0x7f0000000000 - 2 * PAGE;

	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		/* 0, 1, 2 follow each other; 3 does not follow; 4 follows 3. */
		uint64_t translation = (i < 3 ? i : i + 10) * PAGE;

		assert_int_equal(
			spdk_mem_map_set_translation(joining, base + i * PAGE, PAGE, translation),
			0);
		assert_int_equal(
			spdk_mem_map_set_translation(plain, base + i * PAGE, PAGE, translation), 0);
	}
	assert_answer(joining, base, UINT64_MAX, 0, 3 * PAGE);
	assert_answer(joining, base + PAGE + 1, UINT64_MAX, PAGE, 2 * PAGE - 1);
	assert_answer(joining, base + PAGE, PAGE + 1, PAGE, PAGE + 1);
	assert_answer(joining, base + 3 * PAGE, UINT64_MAX, 13 * PAGE, 2 * PAGE);
	assert_answer(plain, base, UINT64_MAX, 0, PAGE);
	spdk_mem_map_free(&joining);
	spdk_mem_map_free(&plain);
}

static int
mirror(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
       size_t size)
{
	(void)ctx;
	return action == REG
		       ? spdk_mem_map_set_translation(map, (uintptr_t)vaddr, size, (uintptr_t)vaddr)
		       : spdk_mem_map_clear_translation(map, (uintptr_t)vaddr, size);
}

static void
a_callback_sets_its_maps_translations(void **state)
{
	const struct spdk_mem_map_ops ops = {.notify_cb = mirror};
	char *p = map_pages(4 * PAGE);
	struct spdk_mem_map *map;

	(void)state;
	assert_int_equal(spdk_mem_reserve(p, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	map = spdk_mem_map_alloc(NOWHERE, &ops, NULL);
	assert_int_equal(spdk_mem_reserve(p, 4 * PAGE), 0);
	assert_int_equal(spdk_mem_register(p + PAGE, 3 * PAGE), 0);
	assert_answer(map, (uintptr_t)p, UINT64_MAX, (uintptr_t)p, PAGE);
	assert_answer(map, (uintptr_t)p + PAGE, UINT64_MAX, (uintptr_t)p + PAGE, 3 * PAGE);
	assert_int_equal(spdk_mem_unregister(p, PAGE), 0);
	assert_answer(map, (uintptr_t)p, PAGE, NOWHERE, PAGE);
	spdk_mem_map_free(&map);
	assert_int_equal(spdk_mem_unregister(p + PAGE, 3 * PAGE), 0);
	munmap(p, 4 * PAGE);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, set_up, end_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(maps_are_told_of_whole_registrations_while_they_translate),
		WITH_MEMORY(a_registration_refused_by_one_is_undone_in_all),
		WITH_MEMORY(a_removal_refused_by_one_leaves_everything_registered),
		WITH_MEMORY(a_map_that_refuses_what_is_registered_is_not_made),
		WITH_MEMORY(a_callback_that_registers_gets_an_error_not_a_deadlock),
		WITH_MEMORY(ranges_are_set_and_cleared),
		WITH_MEMORY(an_empty_range_is_set_without_complaint),
		WITH_MEMORY(neighbours_are_joined_where_the_program_says_so),
		WITH_MEMORY(a_callback_sets_its_maps_translations),
	};

	return cmocka_run_group_tests_name("mem_map", tests, NULL, NULL);
}
