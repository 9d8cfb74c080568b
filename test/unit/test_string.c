/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "spdk/string.h"

static void
strtol_reads_whole_numbers(void **state)
{
	(void)state;
	assert_int_equal(spdk_strtol("0", 10), 0);
	assert_int_equal(spdk_strtol("42", 10), 42);
	assert_int_equal(spdk_strtol("ff", 16), 255);
	assert_int_equal(spdk_strtol("0x10", 0), 16);
	assert_int_equal(spdk_strtol("010", 0), 8);
	assert_int_equal(spdk_strtol("9223372036854775807", 10), LONG_MAX);
	assert_true(spdk_strtoll("9223372036854775807", 10) == LLONG_MAX);
}

static void
strtol_refuses_what_is_no_number(void **state)
{
	static const char *const texts[] = {"", "x", "1x", "5 ", "0x", "-", "1.5", "-5x", "1e3"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(spdk_strtol(texts[i], 10), -EINVAL);
		assert_int_equal(spdk_strtoll(texts[i], 10), -EINVAL);
	}
	assert_int_equal(spdk_strtol(NULL, 10), -EINVAL);
	assert_int_equal(spdk_strtol("1", 37), -EINVAL);
}

static void
strtol_refuses_negative_and_too_large(void **state)
{
	(void)state;
	assert_int_equal(spdk_strtol("-1", 10), -ERANGE);
	assert_int_equal(spdk_strtoll("-1", 10), -ERANGE);
	assert_int_equal(spdk_strtol("9223372036854775808", 10), -ERANGE);
	assert_int_equal(spdk_strtoll("99999999999999999999", 10), -ERANGE);
	assert_int_equal(spdk_strtoll("-99999999999999999999", 10), -ERANGE);
}

static void
strerror_gives_the_text(void **state)
{
	char buf[64], small[4];

	(void)state;
	assert_string_equal(spdk_strerror(ENOENT), "No such file or directory");
	assert_non_null(strstr(spdk_strerror(99999), "99999"));
	spdk_strerror_r(EINVAL, buf, sizeof(buf));
	assert_string_equal(buf, "Invalid argument");
	spdk_strerror_r(EINVAL, small, sizeof(small));
	assert_string_equal(small, "Inv");
}

static void
sprintf_alloc_has_no_limit(void **state)
{
	char *text = spdk_sprintf_alloc("%d %s", 7, "seven");

	(void)state;
	assert_string_equal(text, "7 seven");
	free(text);
	text = spdk_sprintf_alloc("%5000d", 1);
	assert_int_equal(strlen(text), 5000);
	free(text);
}

static void
padded_fields(void **state)
{
	char field[8];

	(void)state;
	spdk_strcpy_pad(field, "abc", 8, ' ');
	assert_memory_equal(field, "abc     ", 8);
	assert_int_equal(spdk_strlen_pad(field, 8, ' '), 3);
	spdk_strcpy_pad(field, "abcdefghijk", 8, ' ');
	assert_memory_equal(field, "abcdefgh", 8);
	assert_int_equal(spdk_strlen_pad(field, 8, ' '), 8);
	spdk_strcpy_pad(field, "", 8, 0xff);
	assert_int_equal(spdk_strlen_pad(field, 8, 0xff), 0);
	assert_int_equal(spdk_strlen_pad(field, 0, 0xff), 0);
}

static void
zeroes_are_told_from_anything_else(void **state)
{
	char bytes[9] = {0};

	(void)state;
	assert_true(spdk_mem_all_zero(bytes, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		assert_false(spdk_mem_all_zero(bytes, sizeof(bytes)));
		assert_true(spdk_mem_all_zero(bytes, i));
		bytes[i] = 0;
	}
}

static void
edits_in_place(void **state)
{
	char mixed[] = "MiXeD 1", spaces[] = " \t a b \n", blank[] = "  ", lines[] = "x\n\r\n",
	     none[] = "x", empty[] = "";

	(void)state;
	assert_ptr_equal(spdk_strlwr(mixed), mixed);
	assert_string_equal(mixed, "mixed 1");
	assert_ptr_equal(spdk_str_trim(spaces), spaces);
	assert_string_equal(spaces, "a b");
	assert_string_equal(spdk_str_trim(blank), "");
	assert_int_equal(spdk_str_chomp(lines), 3);
	assert_string_equal(lines, "x");
	assert_int_equal(spdk_str_chomp(none), 0);
	assert_int_equal(spdk_str_chomp(empty), 0);
	assert_null(spdk_strlwr(NULL));
	assert_null(spdk_str_trim(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strtol_reads_whole_numbers),
		cmocka_unit_test(strtol_refuses_what_is_no_number),
		cmocka_unit_test(strtol_refuses_negative_and_too_large),
		cmocka_unit_test(strerror_gives_the_text),
		cmocka_unit_test(sprintf_alloc_has_no_limit),
		cmocka_unit_test(padded_fields),
		cmocka_unit_test(zeroes_are_told_from_anything_else),
		cmocka_unit_test(edits_in_place),
	};

	return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
