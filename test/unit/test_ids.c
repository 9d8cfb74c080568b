/* SPDX-License-Identifier: BSD-3-Clause */

/* Section 1.1 of the hardware reference. The numbers are written out: a wrong one in the header
 * must not pass. */

#include "support.h"
#include "pci/pci_internal.h"
#include "udma/pci.h"

static const struct {
	uint16_t id;
	const char *generation;
} g_wanted[] = {
	{0x3c20, "Sandy Bridge-EP"},  {0x3c21, "Sandy Bridge-EP"},  {0x3c22, "Sandy Bridge-EP"},
	{0x3c23, "Sandy Bridge-EP"},  {0x3c24, "Sandy Bridge-EP"},  {0x3c25, "Sandy Bridge-EP"},
	{0x3c26, "Sandy Bridge-EP"},  {0x3c27, "Sandy Bridge-EP"},  {0x3c2e, "Sandy Bridge-EP"},
	{0x3c2f, "Sandy Bridge-EP"},  {0x0e20, "Ivy Bridge-EP/EX"}, {0x0e21, "Ivy Bridge-EP/EX"},
	{0x0e22, "Ivy Bridge-EP/EX"}, {0x0e23, "Ivy Bridge-EP/EX"}, {0x0e24, "Ivy Bridge-EP/EX"},
	{0x0e25, "Ivy Bridge-EP/EX"}, {0x0e26, "Ivy Bridge-EP/EX"}, {0x0e27, "Ivy Bridge-EP/EX"},
	{0x0e2e, "Ivy Bridge-EP/EX"}, {0x0e2f, "Ivy Bridge-EP/EX"}, {0x2f20, "Haswell-EP"},
	{0x2f21, "Haswell-EP"},       {0x2f22, "Haswell-EP"},       {0x2f23, "Haswell-EP"},
	{0x2f24, "Haswell-EP"},       {0x2f25, "Haswell-EP"},       {0x2f26, "Haswell-EP"},
	{0x2f27, "Haswell-EP"},       {0x2f2e, "Haswell-EP"},       {0x2f2f, "Haswell-EP"},
	{0x0c50, "Atom S1200"},       {0x0c51, "Atom S1200"},       {0x0c52, "Atom S1200"},
	{0x0c53, "Atom S1200"},       {0x6f50, "Broadwell-DE"},     {0x6f51, "Broadwell-DE"},
	{0x6f52, "Broadwell-DE"},     {0x6f53, "Broadwell-DE"},     {0x6f20, "Broadwell-EP"},
	{0x6f21, "Broadwell-EP"},     {0x6f22, "Broadwell-EP"},     {0x6f23, "Broadwell-EP"},
	{0x6f24, "Broadwell-EP"},     {0x6f25, "Broadwell-EP"},     {0x6f26, "Broadwell-EP"},
	{0x6f27, "Broadwell-EP"},     {0x6f2e, "Broadwell-EP"},     {0x6f2f, "Broadwell-EP"},
	{0x2021, "Skylake-SP"},       {0x0b00, "Ice Lake-SP"},
};

#define WANTED (sizeof(g_wanted) / sizeof(g_wanted[0]))

static void
the_driver_serves_all_ids(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct spdk_pci_id *id = udma_pci_ioat_ids; id->vendor_id != 0; id++, n++) {
		assert_int_equal(id->vendor_id, 0x8086);
		assert_int_equal(id->class_id, 0xffffff);
		assert_int_equal(id->subvendor_id, 0xffff);
		assert_int_equal(id->subdevice_id, 0xffff);
	}
	assert_int_equal(n, WANTED);
	for (size_t i = 0; i < WANTED; i++) {
		const struct spdk_pci_id *id = udma_pci_ioat_ids;

		while (id->vendor_id != 0 && id->device_id != g_wanted[i].id) {
			id++;
		}
		assert_int_equal(id->device_id, g_wanted[i].id);
	}
}

static void
generations_have_names(void **state)
{
	size_t named = 0;

	(void)state;
	for (size_t i = 0; i < WANTED; i++) {
		assert_string_equal(udma_pci_generation(g_wanted[i].id), g_wanted[i].generation);
	}
	for (uint32_t id = 0; id <= UINT16_MAX; id++) {
		named += udma_pci_generation((uint16_t)id) != NULL;
	}
	assert_int_equal(named, WANTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_driver_serves_all_ids),
		cmocka_unit_test(generations_have_names),
	};

	return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
