/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "env/sysfs.h"
#include "pci/pci_internal.h"
#include "udma/pci.h"

static int
setup(void **state)
{
	(void)state;
	make_tree();
	udma_sysfs_root = g_tree;
	udma_pci_claim_dir = g_tree;
	capture_log();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_tree();
	spdk_log_close();
	return 0;
}

static void
set(const char *address, const char *file, const char *text)
{
	char name[128];

	snprintf(name, sizeof(name), "bus/pci/devices/%s/%s", address, file);
	tree_file(name, text);
}

static void
set_link(const char *address, const char *file, const char *target)
{
	char name[128];

	snprintf(name, sizeof(name), "bus/pci/devices/%s/%s", address, file);
	tree_link(name, target);
}

static void
add_function(const char *address, const char *vendor, const char *device)
{
	set(address, "vendor", vendor);
	set(address, "device", device);
}

static struct udma_pci_function g_seen[8];
static int g_count, g_stop_at;

static int
see(void *ctx, const struct udma_pci_function *function)
{
	assert_ptr_equal(ctx, &g_count);
	assert_true(g_count < 8);
	g_seen[g_count++] = *function;
	return g_count == g_stop_at ? 42 : 0;
}

static int
scan(void)
{
	g_count = 0;
	return udma_pci_scan(see, &g_count);
}

static void
a_function_is_described(void **state)
{
	const struct udma_pci_function *function = &g_seen[0];

	(void)state;
	add_function("0000:80:04.1", "0x8086\n", "0x2021\n");
	set("0000:80:04.1", "class", "0x088000\n");
	set("0000:80:04.1", "subsystem_vendor", "0x1028\n");
	set("0000:80:04.1", "subsystem_device", "0x0715\n");
	set("0000:80:04.1", "numa_node", "1\n");
	set_link("0000:80:04.1", "driver", "../../../../bus/pci/drivers/vfio-pci");
	set_link("0000:80:04.1", "iommu_group", "../../../../kernel/iommu_groups/37");
	assert_int_equal(scan(), 0);
	assert_int_equal(g_count, 1);
	assert_int_equal(function->addr.bus, 0x80);
	assert_int_equal(function->addr.func, 1);
	assert_int_equal(function->id.vendor_id, 0x8086);
	assert_int_equal(function->id.device_id, 0x2021);
	assert_int_equal(function->id.class_id, 0x088000);
	assert_int_equal(function->id.subvendor_id, 0x1028);
	assert_int_equal(function->id.subdevice_id, 0x0715);
	assert_string_equal(function->driver, "vfio-pci");
	assert_int_equal(function->numa_id, 1);
	assert_int_equal(function->iommu_group, 37);
	assert_int_equal(function->holder, 0);
	assert_true(function->usable);
	assert_int_equal(g_log_lines, 0);
}

static void
usable_is_what_is_left_to_user_space(void **state)
{
	(void)state;
	add_function("0000:80:04.0", "0x8086\n", "0x2021\n");
	set_link("0000:80:04.0", "driver", "../../../../bus/pci/drivers/ioatdma");
	add_function("0000:80:04.1", "0x8086\n", "0x2021\n");
	add_function("0000:80:04.2", "0x8086\n", "0x2021\n");
	set_link("0000:80:04.2", "driver", "../../../../bus/pci/drivers/uio_pci_generic");
	set("0000:80:04.2", "uio/uio0/name", "uio_pci_generic\n");
	assert_int_equal(scan(), 0);
	assert_int_equal(g_count, 3);
	assert_false(g_seen[0].usable);
	assert_false(g_seen[1].usable);
	assert_true(g_seen[2].usable);
}

static void
only_ioat_functions_in_the_order_of_addresses(void **state)
{
	(void)state;
	add_function("10000:00:04.0", "0x8086", "0x0b00");
	add_function("0000:80:04.0", "0x8086", "0x6f20");
	add_function("0000:00:04.7", "0x8086", "0x3c2f");
	add_function("0000:00:04.1", "0x8086", "0x6f21");
	add_function("0000:00:1f.0", "0x8086", "0x1234");
	add_function("0000:01:00.0", "0x1af4", "0x2021");
	assert_int_equal(scan(), 0);
	assert_int_equal(g_count, 4);
	assert_int_equal(g_seen[0].addr.func, 1);
	assert_int_equal(g_seen[1].addr.func, 7);
	assert_int_equal(g_seen[2].addr.bus, 0x80);
	assert_int_equal(g_seen[3].addr.domain, 0x10000);
}

static void
the_visitor_may_end_the_visit(void **state)
{
	(void)state;
	add_function("0000:00:04.0", "0x8086", "0x2021");
	add_function("0000:00:04.1", "0x8086", "0x2021");
	add_function("0000:00:04.2", "0x8086", "0x2021");
	g_stop_at = 2;
	assert_int_equal(scan(), 42);
	assert_int_equal(g_count, 2);
	g_stop_at = 0;
}

static void
missing_files_are_survived(void **state)
{
	(void)state;
	add_function("0000:00:04.0", "0x8086", "0x2021");
	set("0000:00:04.1", "vendor", "0x8086"); /* no device */
	set("0000:00:04.2", "device", "0x2021"); /* no vendor */
	assert_int_equal(scan(), 0);
	assert_int_equal(g_count, 1);
	assert_string_equal(g_seen[0].driver, "");
	assert_int_equal(g_seen[0].numa_id, SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(g_seen[0].iommu_group, -1);
	assert_int_equal(g_seen[0].id.class_id, 0);
}

static void
hostile_contents_are_survived(void **state)
{
	char large[70000], name[300];

	(void)state;
	memset(large, '8', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	add_function("0000:00:00.0", "", "0x2021");
	add_function("0000:00:01.0", "0x8086 0x8086", "0x2021");
	add_function("0000:00:02.0", "0x8086", large);
	add_function("0000:00:03.0", "0x18086", "0x2021");
	add_function("0000:00:04.0", "-32634", "0x2021");
	add_function("0000:00:05.0", "0x8086", "0x");
	tree_bytes("bus/pci/devices/0000:00:06.0/vendor", "0x8086\0x", 8);
	set("0000:00:06.0", "device", "0x2021");
	add_function("not an address", "0x8086", "0x2021");
	add_function("0000:00:04.8", "0x8086", "0x2021");
	tree_file("bus/pci/devices/0000:00:07.0", "a file");
	tree_link("bus/pci/devices/0000:00:08.0", "/nonexistent/device");
	tree_link("bus/pci/devices/0000:00:09.0", "0000:00:09.0");
	set("0000:00:0a.0", "vendor/x", ""); /* a directory where a file should be */
	set("0000:00:0a.0", "device", "0x2021");

	/* One that is real, with nothing else about it right. */
	add_function("0000:00:0b.0", " 0x8086\n\n", "0X2021\n");
	set("0000:00:0b.0", "class", "0x1000000");
	set("0000:00:0b.0", "subsystem_vendor", "vendor");
	set("0000:00:0b.0", "subsystem_device", large);
	set("0000:00:0b.0", "numa_node", "99999999999999999999");
	set("0000:00:0b.0", "driver", "no link");
	set_link("0000:00:0b.0", "iommu_group", "/nonexistent/99999999999");

	add_function("0000:00:0c.0", "0x8086", "0x2021");
	set("0000:00:0c.0", "numa_node", "-1\n");
	memset(name, 'd', sizeof(name));
	name[200] = '\0';
	set_link("0000:00:0c.0", "driver", name);
	set_link("0000:00:0c.0", "iommu_group", "37x");
	assert_int_equal(scan(), 0);
	assert_int_equal(g_count, 2);
	assert_int_equal(g_seen[0].addr.dev, 0x0b);
	assert_int_equal(g_seen[0].id.class_id, 0);
	assert_int_equal(g_seen[0].id.subvendor_id, 0);
	assert_int_equal(g_seen[0].id.subdevice_id, 0);
	assert_int_equal(g_seen[0].numa_id, SPDK_ENV_NUMA_ID_ANY);
	assert_string_equal(g_seen[0].driver, "");
	assert_int_equal(g_seen[0].iommu_group, -1);
	assert_int_equal(g_seen[1].numa_id, SPDK_ENV_NUMA_ID_ANY);
	assert_int_equal(strlen(g_seen[1].driver), sizeof(g_seen[1].driver) - 1);
	assert_int_equal(g_seen[1].iommu_group, -1);
}

static void
the_holder_is_named(void **state)
{
	struct spdk_pci_device dev = {.addr = {0, 0, 4, 0}, .type = "pci"};

	(void)state;
	add_function("0000:00:04.0", "0x8086", "0x2021");
	assert_int_equal(spdk_pci_device_claim(&dev), 0);
	assert_int_equal(scan(), 0);
	assert_int_equal(g_seen[0].holder, getpid());
	spdk_pci_device_unclaim(&dev);
	assert_int_equal(scan(), 0);
	assert_int_equal(g_seen[0].holder, 0);
}

static void
a_holder_that_cannot_be_told_is_not_nobody(void **state)
{
	(void)state;
	add_function("0000:00:04.0", "0x8086", "0x2021");
	tree_link("spdk_pci_lock_0000:00:04.0", "elsewhere");
	assert_int_equal(scan(), 0);
	assert_true(g_seen[0].holder < 0);
}

static void
a_machine_without_pci_has_none(void **state)
{
	(void)state;
	assert_int_equal(scan(), -ENOENT);
	assert_int_equal(g_log_lines, 0);
	tree_file("bus/pci/devices", "a file");
	assert_int_equal(scan(), -ENOTDIR);
	assert_logged_once("cannot list PCI devices");
}

static void
numbers_are_checked(void **state)
{
	long number = 7;

	(void)state;
	tree_file("n", "0x10\n");
	assert_int_equal(udma_sysfs_read_number(&number, 0, 16, "%s", "n"), 0);
	assert_int_equal(number, 16);
	assert_int_equal(udma_sysfs_read_number(&number, 0, 15, "n"), -ERANGE);
	assert_int_equal(udma_sysfs_read_number(&number, 0, 15, "none"), -ENOENT);
	tree_file("n", "\n");
	assert_int_equal(udma_sysfs_read_number(&number, 0, 15, "n"), -EINVAL);
	tree_file("n", "99999999999999999999999\n");
	assert_int_equal(udma_sysfs_read_number(&number, 0, LONG_MAX, "n"), -ERANGE);
	assert_int_equal(number, 16);
}

static void
texts_fit_or_are_refused(void **state)
{
	char text[8], path[16];

	(void)state;
	tree_file("t", "1234567");
	assert_int_equal(udma_sysfs_read(text, 8, "t"), 0);
	assert_string_equal(text, "1234567");
	tree_file("t", "12345678");
	assert_int_equal(udma_sysfs_read(text, 8, "t"), -EMSGSIZE);
	tree_bytes("t", "1\0", 2);
	assert_int_equal(udma_sysfs_read(text, 8, "t"), -EINVAL);
	assert_int_equal(udma_sysfs_read(text, 8, "%5000d", 1), -ENAMETOOLONG);
	assert_int_equal(udma_sysfs_path(path, sizeof(path), "more"), -ENAMETOOLONG);
	assert_int_equal(udma_sysfs_read_link(text, 8, "t"), -EINVAL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_function_is_described),
		CASE(usable_is_what_is_left_to_user_space),
		CASE(only_ioat_functions_in_the_order_of_addresses),
		CASE(the_visitor_may_end_the_visit),
		CASE(missing_files_are_survived),
		CASE(hostile_contents_are_survived),
		CASE(the_holder_is_named),
		CASE(a_holder_that_cannot_be_told_is_not_nobody),
		CASE(a_machine_without_pci_has_none),
		CASE(numbers_are_checked),
		CASE(texts_fit_or_are_refused),
	};

	return cmocka_run_group_tests_name("sysfs", tests, NULL, NULL);
}
