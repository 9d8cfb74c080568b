/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "spdk/env.h"

static uint8_t g_cfg[4096];
static int g_calls, g_fail;

static int
map(struct spdk_pci_device *dev, uint32_t bar, void **addr, uint64_t *phys, uint64_t *size)
{
	(void)dev;
	g_calls++;
	*addr = g_cfg;
	*phys = 0x1000 + bar;
	*size = sizeof(g_cfg);
	return g_fail;
}

static int
unmap(struct spdk_pci_device *dev, uint32_t bar, void *addr)
{
	(void)dev, (void)bar;
	g_calls++;
	assert_ptr_equal(addr, g_cfg);
	return g_fail;
}

static int
cfg_read(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset)
{
	(void)dev;
	g_calls++;
	if (g_fail != 0) {
		return g_fail;
	}
	assert_true((uint64_t)offset + len <= sizeof(g_cfg));
	memcpy(value, g_cfg + offset, len);
	return 0;
}

static int
cfg_write(struct spdk_pci_device *dev, void *value, uint32_t len, uint32_t offset)
{
	(void)dev;
	g_calls++;
	assert_true((uint64_t)offset + len <= sizeof(g_cfg));
	memcpy(g_cfg + offset, value, len);
	return g_fail;
}

static struct spdk_pci_device g_dev;

static int
setup(void **state)
{
	(void)state;
	memset(g_cfg, 0, sizeof(g_cfg));
	g_calls = g_fail = 0;
	g_dev = (struct spdk_pci_device){
		.addr = {0x10000, 0x80, 4, 7},
		.id = {0x088000, 0x8086, 0x2021, 0x1111, 0x2222},
		.numa_id = 3,
		.type = "test",
		.map_bar = map,
		.unmap_bar = unmap,
		.cfg_read = cfg_read,
		.cfg_write = cfg_write,
	};
	capture_log();
	return 0;
}

static void
accessors_give_what_the_device_holds(void **state)
{
	struct spdk_pci_addr addr = spdk_pci_device_get_addr(&g_dev);
	struct spdk_pci_id id = spdk_pci_device_get_id(&g_dev);

	(void)state;
	assert_int_equal(spdk_pci_addr_compare(&addr, &g_dev.addr), 0);
	assert_int_equal(spdk_pci_device_get_domain(&g_dev), 0x10000);
	assert_int_equal(spdk_pci_device_get_bus(&g_dev), 0x80);
	assert_int_equal(spdk_pci_device_get_dev(&g_dev), 4);
	assert_int_equal(spdk_pci_device_get_func(&g_dev), 7);
	assert_int_equal(spdk_pci_device_get_vendor_id(&g_dev), 0x8086);
	assert_int_equal(spdk_pci_device_get_device_id(&g_dev), 0x2021);
	assert_int_equal(spdk_pci_device_get_subvendor_id(&g_dev), 0x1111);
	assert_int_equal(spdk_pci_device_get_subdevice_id(&g_dev), 0x2222);
	assert_int_equal(id.class_id, 0x088000);
	assert_int_equal(id.device_id, 0x2021);
	assert_int_equal(spdk_pci_device_get_numa_id(&g_dev), 3);
	assert_string_equal(spdk_pci_device_get_type(&g_dev), "test");
}

static void
removed_devices_say_so(void **state)
{
	(void)state;
	assert_false(spdk_pci_device_is_removed(&g_dev));
	g_dev.internal.pending_removal = true;
	assert_true(spdk_pci_device_is_removed(&g_dev));
	g_dev.internal.pending_removal = false;
	g_dev.internal.removed = true;
	assert_true(spdk_pci_device_is_removed(&g_dev));
}

static void
bars_are_mapped_by_the_device(void **state)
{
	uint64_t phys = 1, size = 1;
	void *addr = &g_dev;

	(void)state;
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 2, &addr, &phys, &size), 0);
	assert_ptr_equal(addr, g_cfg);
	assert_int_equal(phys, 0x1002);
	assert_int_equal(size, 4096);
	assert_int_equal(spdk_pci_device_unmap_bar(&g_dev, 2, addr), 0);
	g_fail = -ENODEV;
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 0, &addr, &phys, &size), -ENODEV);
	assert_null(addr);
	assert_int_equal(phys, 0);
	assert_int_equal(size, 0);
	assert_int_equal(spdk_pci_device_unmap_bar(&g_dev, 0, g_cfg), -ENODEV);
}

static void
bad_bar_calls_do_not_reach_the_device(void **state)
{
	uint64_t phys, size;
	void *addr;

	(void)state;
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 6, &addr, &phys, &size), -EINVAL);
	assert_logged_once("0 to 5");
	assert_int_equal(spdk_pci_device_map_bar(NULL, 0, &addr, &phys, &size), -EINVAL);
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 0, NULL, &phys, &size), -EINVAL);
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 0, &addr, NULL, &size), -EINVAL);
	assert_int_equal(spdk_pci_device_map_bar(&g_dev, 0, &addr, &phys, NULL), -EINVAL);
	assert_int_equal(spdk_pci_device_unmap_bar(&g_dev, 6, g_cfg), -EINVAL);
	assert_int_equal(spdk_pci_device_unmap_bar(NULL, 0, g_cfg), -EINVAL);
	assert_int_equal(g_calls, 0);
}

static void
configuration_space_is_little_endian(void **state)
{
	static const uint8_t bytes[] = {0x11, 0x22, 0x33, 0x44};
	uint16_t word;
	uint32_t dword;
	uint8_t byte;

	(void)state;
	memcpy(g_cfg + 0x180, bytes, 4);
	assert_int_equal(spdk_pci_device_cfg_read8(&g_dev, &byte, 0x181), 0);
	assert_int_equal(byte, 0x22);
	assert_int_equal(spdk_pci_device_cfg_read16(&g_dev, &word, 0x180), 0);
	assert_int_equal(word, 0x2211);
	assert_int_equal(spdk_pci_device_cfg_read32(&g_dev, &dword, 0x180), 0);
	assert_int_equal(dword, 0x44332211);
	assert_int_equal(spdk_pci_device_cfg_write32(&g_dev, 0x44332211, 0xffc), 0);
	assert_memory_equal(g_cfg + 0xffc, bytes, 4);
	assert_int_equal(spdk_pci_device_cfg_write16(&g_dev, 0x2211, 0x10), 0);
	assert_memory_equal(g_cfg + 0x10, bytes, 2);
	assert_int_equal(spdk_pci_device_cfg_write8(&g_dev, 0x11, 0xfff), 0);
	assert_int_equal(g_cfg[0xfff], 0x11);
}

static void
configuration_space_has_an_end(void **state)
{
	static const struct {
		uint32_t len, offset;
	} outside[] = {
		{1, 4096},       {2, 4095},       {4, 4093},           {4097, 0},
		{UINT32_MAX, 1}, {1, UINT32_MAX}, {4, UINT32_MAX - 3}, {UINT32_MAX, UINT32_MAX}};
	uint8_t buf[8];
	uint32_t dword;

	(void)state;
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_equal(
			spdk_pci_device_cfg_read(&g_dev, buf, outside[i].len, outside[i].offset),
			-EINVAL);
		assert_logged_once("0x1000");
		assert_int_equal(
			spdk_pci_device_cfg_write(&g_dev, buf, outside[i].len, outside[i].offset),
			-EINVAL);
		assert_logged_once("0x1000");
	}
	assert_int_equal(spdk_pci_device_cfg_read(NULL, buf, 1, 0), -EINVAL);
	assert_int_equal(spdk_pci_device_cfg_read32(&g_dev, NULL, 0), -EINVAL);
	assert_int_equal(spdk_pci_device_cfg_write(&g_dev, NULL, 1, 0), -EINVAL);
	assert_int_equal(g_calls, 0);
	g_fail = -EIO;
	assert_int_equal(spdk_pci_device_cfg_read32(&g_dev, &dword, 0), -EIO);
	assert_int_equal(spdk_pci_device_cfg_write32(&g_dev, 0, 0), -EIO);
}

static void
put32(uint32_t offset, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		g_cfg[offset + (uint32_t)i] = (uint8_t)(value >> 8 * i);
	}
}

static void
the_serial_number_is_found(void **state)
{
	char sn[17];

	(void)state;
	put32(0x100, 0x14810001); /* AER, next at 148h */
	put32(0x148, 0x00010003); /* serial number, last */
	put32(0x14c, 0x89abcdef);
	put32(0x150, 0x01234567);
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, sizeof(sn)), 0);
	assert_string_equal(sn, "0123456789abcdef");
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 16), -EINVAL);
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, NULL, 17), -EINVAL);
	assert_int_equal(spdk_pci_device_get_serial_number(NULL, sn, 17), -EINVAL);
}

static void
capability_chains_may_be_hostile(void **state)
{
	char sn[17];

	(void)state;
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -ENOENT); /* zeroes */
	put32(0x100, 0x10010001);                                                     /* itself */
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -ENOENT);
	put32(0x100, 0x04010001); /* into the standard space */
	put32(0x040, 0x00010003);
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -ENOENT);
	put32(0x100, 0xffc10001); /* to the last dword, where there is no room for the number */
	put32(0xffc, 0x00010003);
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -EINVAL);
	memset(g_cfg, 0xff, sizeof(g_cfg)); /* gone */
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -ENOENT);
	g_fail = -EIO;
	assert_int_equal(spdk_pci_device_get_serial_number(&g_dev, sn, 17), -EIO);
}

static void
there_are_no_interrupts(void **state)
{
	(void)state;
	assert_int_equal(spdk_pci_device_enable_interrupt(&g_dev), -ENOTSUP);
	assert_logged_once("10000:80:04.7");
	assert_int_equal(spdk_pci_device_disable_interrupt(&g_dev), -ENOTSUP);
	assert_int_equal(spdk_pci_device_get_interrupt_efd(&g_dev), -ENOTSUP);
	assert_int_equal(spdk_pci_device_enable_interrupts(&g_dev, 1), -ENOTSUP);
	assert_int_equal(spdk_pci_device_disable_interrupts(&g_dev), -ENOTSUP);
	assert_int_equal(spdk_pci_device_get_interrupt_efd_by_index(&g_dev, 0), -ENOTSUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(accessors_give_what_the_device_holds, setup),
		cmocka_unit_test_setup(removed_devices_say_so, setup),
		cmocka_unit_test_setup(bars_are_mapped_by_the_device, setup),
		cmocka_unit_test_setup(bad_bar_calls_do_not_reach_the_device, setup),
		cmocka_unit_test_setup(configuration_space_is_little_endian, setup),
		cmocka_unit_test_setup(configuration_space_has_an_end, setup),
		cmocka_unit_test_setup(the_serial_number_is_found, setup),
		cmocka_unit_test_setup(capability_chains_may_be_hostile, setup),
		cmocka_unit_test_setup(there_are_no_interrupts, setup),
	};

	return cmocka_run_group_tests_name("pci_device", tests, NULL, NULL);
}
