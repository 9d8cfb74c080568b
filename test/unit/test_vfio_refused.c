/* SPDX-License-Identifier: BSD-3-Clause */

/* What is said where the kernel does not give a function through VFIO. */

#include "vfio_test.h"

/* ---- What the kernel refuses: groups ---------------------------------------------------- */

static void
no_group(void **state)
{
	(void)state;
	add_vfio_function(F1, -1);
	start();
	assert_int_equal(map_bar(1, 0), -ENODEV);
	assert_logged(F1 ": it is in no IOMMU group: switch the IOMMU on (firmware; intel_iommu=on "
			 "on the kernel's command line), or bind it to uio_pci_generic");
}

static void
no_file_of_the_group(void **state)
{
	char text[256];

	(void)state;
	unlink(tree_path("dev/vfio/1"));
	start();
	snprintf(text, sizeof(text), F0 ": there is no %s/dev/vfio/1: load vfio-pci", g_tree);
	assert_refused(-ENOENT, text);
}

static void
a_kernel_without_groups(void **state)
{
	static const char text[] = F0 ": this kernel has VFIO by iommufd only, without groups and "
				      "containers: udma needs one that is built with "
				      "CONFIG_VFIO_GROUP and CONFIG_VFIO_CONTAINER";

	(void)state;
	unlink(tree_path("dev/vfio/vfio"));
	start();
	/* Groups, and nothing to put them in. */
	tree_file("dev/iommu", "");
	assert_refused(-ENOENT, text);
	unlink(tree_path("dev/iommu"));
	assert_refused(-ENOENT, "load vfio_iommu_type1");
	unlink(tree_path("dev/vfio/1"));
	assert_refused(-ENOENT, "load vfio-pci");
	tree_file("dev/vfio/devices/vfio0", "");
	assert_refused(-ENOENT, text);
}

static void
no_permission(void **state)
{
	(void)state;
	start();
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EACCES;
	g_vfio.open_refusals = 1;
	assert_refused(-EACCES, "/dev/vfio/1: make it the owner ('udma setup' does for "
				"TARGET_USER), or run as root");
}

static void
hold_group(void)
{
	if (__real_open64(tree_path("dev/vfio/1"), O_RDWR) < 0) {
		_exit(1);
	}
}

static void
a_group_that_another_process_holds(void **state)
{
	pid_t child = start_holder(hold_group);
	char text[256];

	(void)state;
	start();
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 1000000;
	snprintf(text, sizeof(text), F0 ": IOMMU group 1 is held by process %d (%s)", (int)child,
		 own_name());
	assert_refused(-EBUSY, text);
	end_holder(child);
	assert_refused(-EBUSY, "IOMMU group 1 is held by another process, which this user cannot");
}

/** A process that starts opens groups for a moment. */
static void
a_group_that_is_busy_for_a_moment(void **state)
{
	(void)state;
	start();
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 3;
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(g_log_lines, 0);
}

static void
a_group_that_is_not_viable(void **state)
{
	(void)state;
	add_function("0000:00:1f.2", "ahci", 1);
	start();
	g_vfio.group[1].not_viable = true;
	assert_refused(-EPERM, F0 ": IOMMU group 1 is not viable: some of its other members are in "
				  "use by the kernel: 0000:00:1f.2 (ahci). Bind all of them");
}

static void
a_group_that_the_kernel_lets_into_no_container(void **state)
{
	(void)state;
	start();
	g_vfio.group[1].join_error = EBUSY;
	assert_refused(-EBUSY, "IOMMU group 1 is in another container already");
	g_vfio.group[1].join_error = EPERM;
	assert_refused(-EPERM, "vfio_iommu_type1.allow_unsafe_interrupts=1");
	g_vfio.group[1].join_error = 0;
	g_vfio.set_iommu_error = ENODEV;
	assert_refused(-ENODEV, "load vfio_iommu_type1");
	g_vfio.set_iommu_error = EIO;
	assert_refused(-EIO, "IOMMU group 1 cannot be put into a container: Input/output error");
}

static void
a_second_group_whose_iommu_is_another(void **state)
{
	(void)state;
	add_vfio_function(F1, 2);
	start();
	assert_int_equal(map_bar(0, 0), 0);
	g_vfio.group[2].join_error = EINVAL;
	assert_int_equal(map_bar(1, 0), -EINVAL);
	assert_logged(F1 ": IOMMU group 2 cannot join the container of this process: Invalid");
	assert_true(g_vfio.group[1].joined);
}

static void
no_container(void **state)
{
	(void)state;
	start();
	g_vfio.open_refused = "/vfio/vfio";
	g_vfio.open_error = ENOENT;
	g_vfio.open_refusals = 1;
	assert_refused(-ENOENT, "/vfio/vfio: No such file or directory; load vfio_iommu_type1");
	g_vfio.api_version = 7;
	assert_refused(-ENOTSUP, "/vfio/vfio: Operation not supported");
}

static void
hold_claim(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = __real_open64(tree_path("spdk_pci_lock_" F0), O_RDWR | O_CREAT, 0600);

	if (fcntl(fd, F_SETLK, &lock) != 0) {
		_exit(1);
	}
}

static void
a_claim_of_another_process(void **state)
{
	pid_t child = start_holder(hold_claim);
	char text[256];

	(void)state;
	start();
	snprintf(text, sizeof(text), "cannot claim " F0 ": process %d (%s) has claimed it",
		 (int)child, own_name());
	assert_int_equal(map_bar(0, 0), -EACCES);
	assert_logged(text);
	assert_false(g_vfio.group[1].joined);
	end_holder(child);
	assert_int_equal(map_bar(0, 0), 0);
}

/** What a dead root has left: the kernel's own exclusion is enough. */
static void
a_claim_that_cannot_be_taken(void **state)
{
	(void)state;
	start();
	mkdir(tree_path("spdk_pci_lock_" F0), 0755);
	assert_int_equal(map_bar(0, 0), 0);
	assert_logged(F0 ": going on without the claim");
}

/* ---- What the kernel refuses: functions ------------------------------------------------- */

static void
a_function_that_is_not_given(void **state)
{
	(void)state;
	start();
	g_vfio.get_device_error = ENODEV;
	assert_refused(-ENODEV, F0 ": VFIO does not give the function: No such device; is it still "
				   "bound to vfio-pci?");
}

static void
a_device_that_is_no_function(void **state)
{
	(void)state;
	start();
	g_vfio.device_flags = VFIO_DEVICE_FLAGS_PLATFORM;
	assert_refused(-ENODEV, "not a PCI function (flags 0x4, 9 regions)");
	g_vfio.device_flags = VFIO_DEVICE_FLAGS_PCI;
	g_vfio.device_regions = VFIO_PCI_CONFIG_REGION_INDEX;
	assert_refused(-ENODEV, "not a PCI function (flags 0x2, 7 regions)");
	g_vfio.device_regions = VFIO_PCI_NUM_REGIONS;
	g_vfio.region_error = EINVAL;
	assert_refused(-EINVAL, "VFIO does not describe region 7 of it");
}

static void
a_bar_that_cannot_be_mapped(void **state)
{
	(void)state;
	start();
	assert_int_equal(map_bar(0, 1), -ENODEV);
	assert_logged(F0 ": the function has no BAR 1");
	g_vfio.bar_flags = 0;
	assert_int_equal(map_bar(0, 0), -ENOTSUP);
	assert_logged("VFIO does not let BAR 0 of 16384 bytes be mapped");
	g_vfio.bar_flags = VFIO_REGION_INFO_FLAG_MMAP;
	g_vfio.bar_size = 1ULL << 62;
	assert_int_equal(map_bar(0, 0), -ENOMEM);
	assert_logged("BAR 0 of 4611686018427387904 bytes cannot be mapped");
	g_vfio.bar_size = BAR_BYTES;
	assert_int_equal(map_bar(0, 0), 0);
}

/** Configuration space of 256 bytes: 180h cannot be read, and everything else can. */
static void
configuration_space_that_ends_early(void **state)
{
	uint32_t value;

	(void)state;
	g_vfio.cfg_size = 256;
	start();
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 0x180), -ENXIO);
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 0xfc), 0);
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 0xfe), -ENXIO);
	/* And one that says it is larger than it is. */
	g_vfio.cfg_size = CFG_BYTES;
	spdk_pci_device_detach(g_device[0]);
	enumerate();
	assert_int_equal(truncate(tree_path("device/" F0), CFG_AT + 0x182), 0);
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 0x180), -EIO);
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 0x17c), 0);
}

/** A function that does not answer: its registers are not touched, for that may end the process. */
static void
a_function_that_reads_as_ones_is_not_mapped(void **state)
{
	uint64_t phys, size;
	uint32_t ones = UINT32_MAX;
	void *addr;
	int fd;

	(void)state;
	start();
	fd = open(tree_path("device/" F0), O_WRONLY);
	assert_int_equal(pwrite(fd, &ones, sizeof(ones), CFG_AT), sizeof(ones));
	close(fd);
	assert_int_equal(spdk_pci_device_map_bar(g_device[0], 0, &addr, &phys, &size), -ENODEV);
	assert_null(addr);
	assert_logged_once(F0 ": configuration space reads as ones: the device is gone or asleep");
}

static void
a_function_is_reset_where_it_can_be(void **state)
{
	struct spdk_pci_device hooked = {.type = "other"};

	(void)state;
	start();
	assert_int_equal(udma_pci_device_reset(g_device[0]), 0);
	assert_int_equal(g_vfio.resets, 1);
	g_vfio.reset_error = EIO;
	assert_int_equal(udma_pci_device_reset(g_device[0]), -EIO);
	assert_logged_once(F0 ": the kernel cannot reset the function: Input/output error");
	g_vfio.device_flags = VFIO_DEVICE_FLAGS_PCI;
	assert_int_equal(udma_pci_device_reset(g_device[0]), -ENOTSUP);
	assert_int_equal(udma_pci_device_reset(&hooked), -ENOTSUP);
	assert_int_equal(g_log_lines, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(no_group),
		WITH_MACHINE(no_file_of_the_group),
		WITH_MACHINE(a_kernel_without_groups),
		WITH_MACHINE(no_permission),
		WITH_MACHINE(a_group_that_another_process_holds),
		WITH_MACHINE(a_group_that_is_busy_for_a_moment),
		WITH_MACHINE(a_group_that_is_not_viable),
		WITH_MACHINE(a_group_that_the_kernel_lets_into_no_container),
		WITH_MACHINE(a_second_group_whose_iommu_is_another),
		WITH_MACHINE(no_container),
		WITH_MACHINE(a_claim_of_another_process),
		WITH_MACHINE(a_claim_that_cannot_be_taken),
		WITH_MACHINE(a_function_that_is_not_given),
		WITH_MACHINE(a_device_that_is_no_function),
		WITH_MACHINE(a_bar_that_cannot_be_mapped),
		WITH_MACHINE(configuration_space_that_ends_early),
		WITH_MACHINE(a_function_that_reads_as_ones_is_not_mapped),
		WITH_MACHINE(a_function_is_reset_where_it_can_be),
	};

	return cmocka_run_group_tests_name("vfio, refused", tests, NULL, NULL);
}
