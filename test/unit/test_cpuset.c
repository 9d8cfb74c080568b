/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "spdk/cpuset.h"

/* The set that holds just the cores given, ended by -1. */
static struct spdk_cpuset
set_of(const int *cores)
{
	struct spdk_cpuset set;

	memset(&set, 0, sizeof(set));
	for (; *cores >= 0; cores++) {
		spdk_cpuset_set_cpu(&set, (uint32_t)*cores, true);
	}
	return set;
}

#define SET(...) set_of((const int[]){__VA_ARGS__, -1})

static void
assert_parses(const char *text, struct spdk_cpuset want)
{
	struct spdk_cpuset set = SET(9, 1023);

	capture_log();
	if (spdk_cpuset_parse(&set, text) != 0 || !spdk_cpuset_equal(&set, &want)) {
		fail_msg("'%s' read as %s", text, spdk_cpuset_fmt(&set));
	}
	assert_int_equal(g_log_lines, 0);
}

static void
masks_are_read(void **state)
{
	char large[300];

	(void)state;
	assert_parses("0x5", SET(0, 2));
	assert_parses("5", SET(0, 2));
	assert_parses("0XfF", SET(0, 1, 2, 3, 4, 5, 6, 7));
	assert_parses("0x100000000", SET(32));
	assert_parses(" 3 ", SET(0, 1));
	assert_parses("0", SET(-1));
	memset(large, '0', sizeof(large));
	large[10] = '8'; /* the highest bit of 256 digits */
	large[10 + 256] = '\0';
	assert_parses(large, SET(1023));
}

static void
lists_are_read(void **state)
{
	(void)state;
	assert_parses("[0,2-3]", SET(0, 2, 3));
	assert_parses("[7]", SET(7));
	assert_parses("[1023]", SET(1023));
	assert_parses("[ 1 , 3 - 4 ]", SET(1, 3, 4));
	assert_parses("[2-2,2]", SET(2));
}

static void
garbage_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"0x",
		"x",
		"g",
		"0x5g",
		"-1",
		"1,2",
		"[]",
		"[",
		"[1",
		"[1]x",
		"[1,]",
		"[,1]",
		"[3-2]",
		"[1-]",
		"[-1]",
		"[1 2]",
		"[1024]",
		"[99999999999999999999]",
		"[0-1024]",
		"[a]",
		"1]",
		"0x 5",
	};
	struct spdk_cpuset before = SET(4), set = SET(4);
	char large[300];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		capture_log();
		assert_int_equal(spdk_cpuset_parse(&set, texts[i]), -EINVAL);
		assert_true(spdk_cpuset_equal(&set, &before));
		assert_logged_once("as a set of cores");
	}
	memset(large, '0', sizeof(large));
	large[0] = '1'; /* core 1024 */
	large[257] = '\0';
	assert_int_equal(spdk_cpuset_parse(&set, large), -EINVAL);
	assert_int_equal(spdk_cpuset_parse(&set, NULL), -EINVAL);
	assert_int_equal(spdk_cpuset_parse(NULL, "1"), -EINVAL);
}

static void
sets_are_printed(void **state)
{
	struct spdk_cpuset set = SET(-1), again;

	(void)state;
	assert_string_equal(spdk_cpuset_fmt(&set), "0");
	spdk_cpuset_set_cpu(&set, 0, true);
	spdk_cpuset_set_cpu(&set, 12, true);
	assert_string_equal(spdk_cpuset_fmt(&set), "1001");
	spdk_cpuset_negate(&set);
	assert_int_equal(strlen(spdk_cpuset_fmt(&set)), 256);
	assert_int_equal(spdk_cpuset_parse(&again, spdk_cpuset_fmt(&set)), 0);
	assert_true(spdk_cpuset_equal(&again, &set));
}

static void
write_down(void *ctx, uint32_t cpu)
{
	char *text = ctx, number[16];

	snprintf(number, sizeof(number), "%u ", cpu);
	strcat(text, number);
}

static void
cores_are_visited_in_order(void **state)
{
	struct spdk_cpuset some = SET(0, 7, 8, 1023), none = {0};
	char text[64] = "";

	(void)state;
	spdk_cpuset_for_each_cpu(&none, write_down, text);
	assert_string_equal(text, "");
	spdk_cpuset_for_each_cpu(&some, write_down, text);
	assert_string_equal(text, "0 7 8 1023 ");
}

static void
sets_are_combined(void **state)
{
	struct spdk_cpuset a = SET(0, 1, 1023), b = SET(1, 2), *set = spdk_cpuset_alloc();

	(void)state;
	assert_non_null(set);
	assert_int_equal(spdk_cpuset_count(set), 0);
	spdk_cpuset_copy(set, &a);
	assert_true(spdk_cpuset_equal(set, &a));
	assert_false(spdk_cpuset_equal(set, &b));
	spdk_cpuset_and(set, &b);
	assert_true(spdk_cpuset_get_cpu(set, 1));
	assert_int_equal(spdk_cpuset_count(set), 1);
	spdk_cpuset_or(set, &a);
	assert_true(spdk_cpuset_equal(set, &a));
	spdk_cpuset_xor(set, &b);
	assert_int_equal(spdk_cpuset_count(set), 3);
	assert_false(spdk_cpuset_get_cpu(set, 1));
	assert_true(spdk_cpuset_get_cpu(set, 2));
	spdk_cpuset_negate(set);
	assert_int_equal(spdk_cpuset_count(set), SPDK_CPUSET_SIZE - 3);
	spdk_cpuset_set_cpu(set, 1, false);
	assert_int_equal(spdk_cpuset_count(set), SPDK_CPUSET_SIZE - 4);
	spdk_cpuset_zero(set);
	assert_int_equal(spdk_cpuset_count(set), 0);
	spdk_cpuset_free(set);
	spdk_cpuset_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_are_read),
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(garbage_is_refused_and_changes_nothing),
		cmocka_unit_test(sets_are_printed),
		cmocka_unit_test(cores_are_visited_in_order),
		cmocka_unit_test(sets_are_combined),
	};

	return cmocka_run_group_tests_name("cpuset", tests, NULL, NULL);
}
