/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "pci/pci_internal.h"

static void
addresses_are_read(void **state)
{
	static const struct {
		const char *text;
		struct spdk_pci_addr addr;
	} cases[] = {
		{"0000:00:04.0", {0, 0, 4, 0}},
		{"0000.00.04.0", {0, 0, 4, 0}},
		{"0000:00.04.0", {0, 0, 4, 0}},
		{"00:04.0", {0, 0, 4, 0}},
		{"00.04.0", {0, 0, 4, 0}},
		{"00:04", {0, 0, 4, 0}},
		{"00.04", {0, 0, 4, 0}},
		{"ffffffff:ff:1f.7", {0xffffffff, 0xff, 31, 7}},
		{"10000:E1:0a.3", {0x10000, 0xe1, 10, 3}},
		{"1:2:3.4", {1, 2, 3, 4}},
		{"2:3.4", {0, 2, 3, 4}},
		{"0000:01:02", {0, 1, 2, 0}},
		{"10000:e1:1f", {0x10000, 0xe1, 31, 0}},
	};

	(void)state;
	capture_log();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spdk_pci_addr addr = {9, 9, 9, 1};

		assert_int_equal(spdk_pci_addr_parse(&addr, cases[i].text), 0);
		assert_int_equal(spdk_pci_addr_compare(&addr, &cases[i].addr), 0);
	}
	assert_int_equal(g_log_lines, 0);
}

static void
anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"0",
		"0000:00:04.0x",
		"0000:00:04.0 ",
		" 0000:00:04.0",
		"0000:00:04.8",
		"0000:00:20.0",
		"0000:100:04.0",
		"100000000:00:04.0",
		"0000:00:04:0",
		"0000:00:20",
		"0000:100:04",
		"-1:00:04.0",
		"0000:00:-4.0",
		"0x0:00:04.0",
		"0000::04.0",
		":00:04.0",
		"0000:00:04.",
		"00:",
		"g:00:04.0",
		"0000:00:04.00",
		"0000:000:04.0",
		"0000:00:04.0.0",
		"1:2:3.4.5",
		"00:04.8",
		"00:20",
		"0000:00:004.0",
		".",
		"+1:00:04.0",
		"000000000000000000000000000000000000000000000000000000000000000000:00:04.0",
	};
	struct spdk_pci_addr addr = {9, 9, 9, 1}, before = addr;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		capture_log();
		if (spdk_pci_addr_parse(&addr, texts[i]) != -EINVAL) {
			fail_msg("'%s' was accepted", texts[i]);
		}
		assert_logged_once("is not a PCI address");
	}
	assert_int_equal(spdk_pci_addr_parse(&addr, NULL), -EINVAL);
	assert_int_equal(spdk_pci_addr_parse(NULL, "00:04.0"), -EINVAL);
	assert_int_equal(spdk_pci_addr_compare(&addr, &before), 0);
}

static void
text_need_not_end_in_nul(void **state)
{
	char *text = malloc(12);
	struct spdk_pci_addr addr;

	(void)state;
	assert_non_null(text);
	memcpy(text, "0000:00:04.1", 12); /* the sanitizer watches the byte behind it */
	assert_int_equal(udma_pci_addr_parse(&addr, text, 12), 0);
	assert_int_equal(addr.func, 1);
	assert_int_equal(udma_pci_addr_parse(&addr, text, 11), -EINVAL);
	assert_int_equal(udma_pci_addr_parse(&addr, text, 0), -EINVAL);
	assert_int_equal(udma_pci_addr_parse(&addr, "00:0\0.0", 7), -EINVAL);
	free(text);
}

static void
addresses_are_printed(void **state)
{
	struct spdk_pci_addr addr = {0, 0, 4, 0}, large = {0xffffffff, 0xff, 31, 7}, again;
	char text[32];

	(void)state;
	assert_int_equal(spdk_pci_addr_fmt(text, sizeof(text), &addr), 0);
	assert_string_equal(text, "0000:00:04.0");
	assert_int_equal(spdk_pci_addr_fmt(text, 13, &addr), 0);
	assert_int_equal(spdk_pci_addr_fmt(text, 12, &addr), -1);
	assert_int_equal(spdk_pci_addr_fmt(text, 0, &addr), -1);
	assert_int_equal(spdk_pci_addr_fmt(text, sizeof(text), &large), 0);
	assert_string_equal(text, "ffffffff:ff:1f.7");
	assert_int_equal(spdk_pci_addr_parse(&again, text), 0);
	assert_int_equal(spdk_pci_addr_compare(&again, &large), 0);
}

static void
addresses_are_ordered(void **state)
{
	static const struct spdk_pci_addr order[] = {
		{0, 0, 0, 0}, {0, 0, 0, 7}, {0, 0, 1, 0},          {0, 0, 31, 7},
		{0, 1, 0, 0}, {1, 0, 0, 0}, {0x80000000, 0, 0, 0}, {0xffffffff, 255, 31, 7},
	};
	int n = sizeof(order) / sizeof(order[0]);

	(void)state;
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			int result = spdk_pci_addr_compare(&order[i], &order[j]);

			assert_true((result < 0) == (i < j) && (result > 0) == (i > j));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(text_need_not_end_in_nul),
		cmocka_unit_test(addresses_are_printed),
		cmocka_unit_test(addresses_are_ordered),
	};

	return cmocka_run_group_tests_name("pci_address", tests, NULL, NULL);
}
