/* SPDX-License-Identifier: BSD-3-Clause */

/* Functions through VFIO, and what is said where the kernel refuses. */

#include "spdk/util.h"
#include "fake_vfio.h"
#include "memory_test.h"
#include "env/env_internal.h"
#include "env/physical.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define F0 "0000:00:04.0"
#define F1 "0000:00:04.1"
#define F2 "0000:00:04.2"

#define PHYSICAL_OF(p) (0x1234000000 + ((uintptr_t)(p)&0xfff000))

int __real_udma_physical_init(void);
int __wrap_udma_physical_init(void);
int __real_udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical);
int __wrap_udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical);

static bool g_physical; /* all memory has a physical address, which the kernel tells */

int
__wrap_udma_physical_init(void)
{
	return g_physical ? 0 : __real_udma_physical_init();
}

int
__wrap_udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical)
{
	if (!g_physical) {
		return __real_udma_physical_find(vaddr, len, physical);
	}
	*len = PAGE;
	*physical = PHYSICAL_OF(vaddr);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	g_physical = false;
	make_machine();
	make_vfio();
	add_vfio_function(F0, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_machine();
	return 0;
}

/** Starts the environment and takes all functions; nothing has been opened by then. */
static void
start(void)
{
	assert_int_equal(start_env(NULL), 0);
	enumerate();
}

static void
assert_refused(int rc, const char *text)
{
	unsigned before = count_descriptors();

	assert_int_equal(map_bar(0, 0), rc);
	assert_logged(text);
	assert_int_equal(count_descriptors(), before);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
}

/* ---- Finding ---------------------------------------------------------------------------- */

static void
what_is_bound_for_user_space_is_offered(void **state)
{
	(void)state;
	add_function(F1, "ioatdma", 2);
	add_function(F2, "", 3);
	assert_int_equal(start_env(NULL), 0);
	assert_string_equal(enumerate(), "0 ");
	assert_string_equal(spdk_pci_device_get_type(g_device[0]), "pci");
	assert_int_equal(spdk_pci_device_get_device_id(g_device[0]), 0x2021);
	assert_int_equal(spdk_pci_device_get_numa_id(g_device[0]), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joined, false);
}

static void
what_is_bound_later_is_found_later(void **state)
{
	(void)state;
	g_answer = 1;
	assert_int_equal(start_env(NULL), 0);
	assert_string_equal(enumerate(), "0 ");
	add_vfio_function(F1, 2);
	assert_string_equal(enumerate(), "0 1 ");
	bind_to(F0, "ioatdma");
	assert_string_equal(enumerate(), "1 ");
	bind_to(F0, "vfio-pci");
	g_answer = 0;
	assert_string_equal(enumerate(), "0 1 ");
	/* One that is taken stays, whatever sysfs says. */
	bind_to(F0, "");
	assert_string_equal(enumerate(), "");
	spdk_pci_device_detach(g_device[0]);
	assert_string_equal(enumerate(), "");
	bind_to(F0, "vfio-pci");
	assert_string_equal(enumerate(), "0 ");
}

static void
one_address_can_be_attached(void **state)
{
	struct spdk_pci_addr address = {.dev = 4, .func = 1};

	(void)state;
	assert_int_equal(start_env(NULL), 0);
	add_vfio_function(F1, 2);
	assert_int_equal(spdk_pci_device_attach(spdk_pci_ioat_get_driver(), take, NULL, &address),
			 0);
	assert_string_equal(g_offered, "1 ");
	address.func = 2;
	assert_int_equal(spdk_pci_device_attach(spdk_pci_ioat_get_driver(), take, NULL, &address),
			 -1);
	assert_logged("no such device; bind it to vfio-pci or uio_pci_generic");
}

static void
lists_are_heeded(void **state)
{
	struct spdk_pci_addr blocked = {.dev = 4, .func = 0};
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	/* Nor is one that is blocked asked for its addresses: its IOMMU would be too narrow. */
	set_ranges(1, (const struct vfio_iova_range[]){{0, 0x7fffffffff}});
	spdk_env_opts_init(&opts);
	opts.pci_blocked = &blocked;
	opts.num_pci_addr = 1;
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joins, 0);
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
}

static void
without_pci_nothing_is_touched(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	spdk_env_opts_init(&opts);
	opts.no_pci = true;
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_string_equal(enumerate(), "");
	assert_int_equal(g_vfio.group[1].joins, 0);
}

/* ---- The address space ------------------------------------------------------------------ */

static enum udma_iova_kind
kind_of(unsigned count, const struct vfio_iova_range *ranges)
{
	enum udma_iova_kind kind;

	set_ranges(count, ranges);
	assert_int_equal(start_env(NULL), 0);
	kind = udma_iova_kind();
	spdk_env_fini();
	return kind;
}

static void
the_narrowest_iommu_settles_the_kind(void **state)
{
	static const struct vfio_iova_range wide[] = {{0, UINT64_MAX}};
	static const struct vfio_iova_range usual[] = {{0, 0xffffffffffff}};
	static const struct vfio_iova_range first_level[] = {{0, 0x7fffffffffff}};
	static const struct vfio_iova_range narrow[] = {{0, 0xfedfffff},
							{0xfef00000, 0x7fffffffff}};

	(void)state;
	assert_int_equal(kind_of(1, wide), UDMA_IOVA_VA);
	assert_int_equal(kind_of(1, usual), UDMA_IOVA_VA);
	assert_int_equal(kind_of(1, first_level), UDMA_IOVA_VA);
	assert_int_equal(kind_of(2, narrow), UDMA_IOVA_MAPPED);
	/* A kernel that does not say: what any IOMMU can map. */
	assert_int_equal(kind_of(0, wide), UDMA_IOVA_MAPPED);
	/* Nothing is held while nothing is attached. */
	assert_int_equal(g_log_lines, 0);
}

static void
a_group_that_cannot_be_asked_settles_nothing(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 1000000;
	assert_int_equal(start_env(NULL), 0);
	g_vfio.open_refusals = 0;
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
	assert_int_equal(g_log_lines, 0);
	/* It is too late then, and the reason is said. */
	assert_non_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
	enumerate();
	assert_refused(-ENOTSUP, "up to 39 bits; with iova_mode \"mapped\"");
}

/** Another program that starts asks it as well. */
static void
a_group_that_is_busy_for_a_moment_settles_the_kind(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	g_vfio.open_refused = "/vfio/1";
	g_vfio.open_error = EBUSY;
	g_vfio.open_refusals = 3;
	assert_int_equal(start_env(NULL), 0);
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_MAPPED);
	assert_int_equal(g_log_lines, 0);
}

static void
va_is_refused_where_it_does_not_fit(void **state)
{
	static const struct vfio_iova_range narrow[] = {{0, 0x7fffffffff}};

	(void)state;
	set_ranges(1, narrow);
	assert_int_equal(start_env("va"), -ENOTSUP);
	assert_logged_once("an IOMMU here has 39: use \"mapped\"");
	assert_int_equal(start_env("mapped"), 0);
}

static void
memory_is_placed_within_the_ranges(void **state)
{
	static const struct vfio_iova_range odd[] = {{0x10000000, 0x1fffffff},
						     {0x100000000, 0x1ffffffff}};
	char *p = map_pages(GiB);
	uint64_t iova;

	(void)state;
	set_ranges(2, odd);
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(spdk_mem_register(p, GiB), 0);
	iova = spdk_vtophys(p, NULL);
	assert_true(iova >= 0x100000000 && iova + GiB <= 0x200000000);
	assert_int_equal(spdk_mem_unregister(p, GiB), 0);
	munmap(p, GiB);
}

/* ---- Attaching -------------------------------------------------------------------------- */

static void
a_function_is_opened_when_it_is_touched(void **state)
{
	unsigned descriptors = count_descriptors();
	uint64_t phys, size;
	uint16_t value;
	void *addr;

	(void)state;
	start();
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
	assert_int_equal(spdk_pci_device_cfg_write16(g_device[0], 0x1234, 0x40), 0);
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 0x40), 0);
	assert_int_equal(value, 0x1234);
	assert_true(g_vfio.group[1].joined);
	assert_int_equal(g_vfio.iommu, VFIO_TYPE1v2_IOMMU);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), getpid());
	assert_int_equal(spdk_pci_device_map_bar(g_device[0], 0, &addr, &phys, &size), 0);
	assert_int_equal(size, BAR_BYTES);
	assert_int_equal(phys, 0xfe000000);
	*(volatile uint32_t *)addr = 42;
	/* Memory accesses are switched on first; the bus is for who knows what the engine does. */
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 4), 0);
	assert_int_equal(value, 2);
	assert_int_equal(spdk_pci_device_unmap_bar(g_device[0], 0, addr), 0);
	assert_int_equal(spdk_pci_device_unmap_bar(g_device[0], 0, addr), -EINVAL);
	spdk_pci_device_detach(g_device[0]);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
one_that_was_not_wanted_is_let_go(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	g_answer = 1;
	assert_int_equal(start_env(NULL), 0);
	enumerate();
	assert_int_equal(count_descriptors(), descriptors);
	assert_int_equal(g_vfio.group[1].joins, 1); /* the question at the start */
}

static int
touch_and_leave(void *ctx, struct spdk_pci_device *device)
{
	uint32_t id;

	(void)ctx;
	assert_int_equal(spdk_pci_device_cfg_read32(device, &id, 0), 0);
	assert_true(g_vfio.group[1].joined);
	return 1;
}

static void
one_that_was_touched_and_left_is_closed(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	assert_int_equal(start_env(NULL), 0);
	assert_int_equal(spdk_pci_enumerate(spdk_pci_ioat_get_driver(), touch_and_leave, NULL), 0);
	assert_false(g_vfio.group[1].joined);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
functions_share_groups_and_groups_share_the_container(void **state)
{
	unsigned descriptors;

	(void)state;
	add_vfio_function(F1, 1);
	add_vfio_function(F2, 2);
	start();
	descriptors = count_descriptors();
	memset(g_vfio.group, 0, sizeof(g_vfio.group));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(map_bar(i, 0), 0);
	}
	assert_int_equal(g_vfio.group[1].joins, 1);
	assert_int_equal(g_vfio.group[2].joins, 1);
	/* A container, two groups, three functions with a claim and a request each. */
	assert_int_equal(count_descriptors(), descriptors + 12);
	spdk_pci_device_detach(g_device[0]);
	assert_true(g_vfio.group[1].joined);
	spdk_pci_device_detach(g_device[1]);
	assert_false(g_vfio.group[1].joined);
	assert_true(g_vfio.group[2].joined);
	spdk_pci_device_detach(g_device[2]);
	assert_false(g_vfio.group[2].joined);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
what_is_registered_is_mapped_for_a_function_that_comes(void **state)
{
	char *p = map_pages(64 * GiB);

	(void)state;
	start();
	assert_int_equal(spdk_mem_register(p, 64 * GiB), 0);
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(g_vfio.maps, 1);
	assert_int_equal(g_vfio.mapped_bytes, 64 * GiB);
	assert_int_equal(spdk_mem_unregister(p, 64 * GiB), 0);
	assert_int_equal(g_vfio.mapped_bytes, 0);
	mprotect(p, PAGE, PROT_READ);
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(g_vfio.last_flags, VFIO_DMA_MAP_FLAG_READ);
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_int_equal(g_vfio.last_flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(spdk_mem_unregister(p, 2 * PAGE), 0);
	munmap(p, 64 * GiB);
}

static void
a_child_has_nothing_of_it(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	start();
	assert_not_inherited("device/" F0);
	assert_true(g_vfio.group[1].joined);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
the_end_of_the_environment_closes_all(void **state)
{
	unsigned descriptors = count_descriptors();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		start();
		assert_int_equal(map_bar(0, 0), 0);
		assert_non_null(spdk_malloc(64, 0, NULL, SPDK_ENV_NUMA_ID_ANY, SPDK_MALLOC_DMA));
		spdk_env_fini();
		assert_false(g_vfio.group[1].joined);
		assert_int_equal(count_descriptors(), descriptors);
	}
}

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

/* ---- What the kernel refuses: mappings -------------------------------------------------- */

static void
assert_not_registered(int error, int rc, const char *text)
{
	char *p = map_pages(PAGE);

	g_vfio.map_error = error;
	assert_int_equal(spdk_mem_register(p, PAGE), rc);
	assert_int_equal(spdk_vtophys(p, NULL), SPDK_VTOPHYS_ERROR);
	assert_logged_once(text);
	munmap(p, PAGE);
}

static void
memory_that_cannot_be_mapped(void **state)
{
	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_not_registered(EEXIST, -EEXIST, "File exists: something is mapped there");
	assert_not_registered(EFAULT, -EFAULT, "Bad address: the kernel cannot keep it in place");
	assert_not_registered(EOPNOTSUPP, -EOPNOTSUPP, "the kernel cannot keep it in place");
	assert_not_registered(EINVAL, -EINVAL, "the IOMMU does not take the address");
	assert_not_registered(ENOMEM, -ENOMEM, "the kernel has no memory to pin it");
	assert_not_registered(EPERM, -EPERM, "Operation not permitted: the kernel refuses");
}

/** Takes the capability with which the limit does not count, or gives it back. \return whether this
 * process can have it. */
static bool
have_ipc_lock(bool have)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint32_t bit = 1u << CAP_IPC_LOCK;

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective = have ? data[0].effective | bit : data[0].effective & ~bit;
	return syscall(SYS_capset, &header, data) == 0;
}

/** Lets 64 KiB be locked, and registers without a right to more. */
static int
register_limited(void *p, size_t len)
{
	struct rlimit limit = {.rlim_cur = 65536}, before;
	int rc;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	g_vfio.map_error = ENOMEM;
	rc = p != NULL ? spdk_mem_register(p, len) : map_bar(0, 0);
	g_vfio.map_error = 0;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	return rc;
}

#define NEEDS(bytes, kib)                                                                          \
	bytes " bytes of locked memory are needed for all that is registered, 0 of them are in "   \
	      "use, and the limit (RLIMIT_MEMLOCK) is 65536 bytes; put at least '* - memlock " kib \
	      "' (KiB) into /etc/security/limits.conf and log in again, or LimitMEMLOCK=" bytes    \
	      " into the systemd unit"

static void
more_than_may_be_locked(void **state)
{
	char *p = map_pages(4 * MiB);

	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	have_ipc_lock(false);
	assert_int_equal(register_limited(p, MiB), -ENOMEM);
	assert_logged_once(NEEDS("1048576", "1024"));
	/* What is mapped is counted once. */
	assert_int_equal(spdk_mem_register(p, MiB), 0);
	assert_int_equal(register_limited(p + 2 * MiB, MiB), -ENOMEM);
	assert_logged_once(NEEDS("2097152", "2048"));
	/* A function that comes needs all at once, and the first does not go in. */
	assert_int_equal(spdk_mem_register(p + 2 * MiB, MiB), 0);
	spdk_pci_device_detach(g_device[0]);
	enumerate();
	capture_log();
	assert_int_equal(register_limited(NULL, 0), -ENOMEM);
	assert_logged(NEEDS("2097152", "2048"));
	have_ipc_lock(true);
	assert_int_equal(spdk_mem_unregister(p, MiB), 0);
	assert_int_equal(spdk_mem_unregister(p + 2 * MiB, MiB), 0);
	munmap(p, 4 * MiB);
}

/** Where the limit does not count it is not to blame. */
static void
root_may_lock_everything(void **state)
{
	char *p = map_pages(MiB);
	struct stat st;

	(void)state;
	if (!have_ipc_lock(true) || stat("/proc/self/ns/user", &st) != 0 ||
	    st.st_ino != 0xeffffffd) {
		skip();
	}
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(register_limited(p, MiB), -ENOMEM);
	assert_logged_once("the kernel has no memory to pin it");
	munmap(p, MiB);
}

#define MANY ((size_t)70000)

static void
more_than_can_be_mapped(void **state)
{
	char *p = map_pages(MANY * PAGE);
	size_t taken = 0;

	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	while (taken < MANY && spdk_mem_register(p + taken * PAGE, PAGE) == 0) {
		taken++;
	}
	assert_int_equal(taken, DMA_ENTRIES);
	assert_logged_once("all 65535 mappings that VFIO allows are in use, one for each "
			   "registration; register memory in larger pieces, or raise the limit: "
			   "'options vfio_iommu_type1 dma_entry_limit=N'");
	/* What sysfs says is the truth. */
	tree_file("module/vfio_iommu_type1/parameters/dma_entry_limit", "131072\n");
	assert_int_equal(spdk_mem_register(p + taken * PAGE, PAGE), -ENOSPC);
	assert_logged_once("all 131072 mappings that VFIO allows are in use");
	for (size_t i = 0; i < taken; i++) {
		assert_int_equal(spdk_vtophys(p + i * PAGE, NULL), (uintptr_t)p + i * PAGE);
	}
	assert_int_equal(spdk_mem_unregister(p, taken * PAGE), 0);
	assert_int_equal(g_vfio.mapped_bytes, 0);
	munmap(p, MANY * PAGE);
}

static void
a_function_gets_all_memory_or_none(void **state)
{
	char *p = map_pages(4 * PAGE);

	(void)state;
	start();
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(spdk_mem_register(p + 2 * PAGE, PAGE), 0);
	g_vfio.refused = (uintptr_t)p + 2 * PAGE;
	assert_refused(-EFAULT, F0 ": the memory that is registered could not be mapped for it");
	assert_int_equal(g_vfio.mapped_bytes, 0);
	assert_int_equal(spdk_mem_unregister(p + 2 * PAGE, PAGE), 0);
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(g_vfio.mapped_bytes, PAGE);
	munmap(p, 4 * PAGE);
}

/* ---- Without an IOMMU ------------------------------------------------------------------- */

static void
no_iommu_needs_physical_addresses(void **state)
{
	(void)state;
	unlink(tree_path("dev/vfio/1"));
	tree_file("dev/vfio/noiommu-1", "");
	assert_int_equal(start_env("va"), 0);
	enumerate();
	assert_int_equal(map_bar(0, 0), -ENOTSUP);
	assert_logged(F0 ": no IOMMU stands before it, and the addresses of this process are not "
			 "the physical ones; start with iova_mode \"pa\"");
}

/** They are the devices' addresses as they are: nothing is mapped, and memory is what the kernel
 * keeps in place. */
static void
without_an_iommu_it_is_as_over_uio(void **state)
{
	unsigned descriptors = count_descriptors();
	char *p = map_pages(2 * PAGE);

	(void)state;
	unlink(tree_path("dev/vfio/1"));
	tree_file("dev/vfio/noiommu-1", "");
	g_physical = true;
	/* The kind is found out, without a word from the program. */
	start();
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_PA);
	assert_false(spdk_iommu_is_enabled());
	assert_int_equal(spdk_mem_register(p, PAGE), 0);
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(g_vfio.iommu, VFIO_NOIOMMU_IOMMU);
	assert_int_equal(spdk_mem_register(p + PAGE, PAGE), 0);
	assert_int_equal(spdk_vtophys(p + PAGE, NULL), PHYSICAL_OF(p + PAGE));
	assert_int_equal(g_vfio.maps, 0);
	assert_int_equal(spdk_mem_unregister(p, 2 * PAGE), 0);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(count_descriptors(), descriptors);
	assert_int_equal(g_log_lines, 0);
	munmap(p, 2 * PAGE);
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(what_is_bound_for_user_space_is_offered),
		WITH_MACHINE(what_is_bound_later_is_found_later),
		WITH_MACHINE(one_address_can_be_attached),
		WITH_MACHINE(lists_are_heeded),
		WITH_MACHINE(without_pci_nothing_is_touched),
		WITH_MACHINE(the_narrowest_iommu_settles_the_kind),
		WITH_MACHINE(a_group_that_cannot_be_asked_settles_nothing),
		WITH_MACHINE(a_group_that_is_busy_for_a_moment_settles_the_kind),
		WITH_MACHINE(va_is_refused_where_it_does_not_fit),
		WITH_MACHINE(memory_is_placed_within_the_ranges),
		WITH_MACHINE(a_function_is_opened_when_it_is_touched),
		WITH_MACHINE(one_that_was_not_wanted_is_let_go),
		WITH_MACHINE(one_that_was_touched_and_left_is_closed),
		WITH_MACHINE(functions_share_groups_and_groups_share_the_container),
		WITH_MACHINE(what_is_registered_is_mapped_for_a_function_that_comes),
		WITH_MACHINE(a_child_has_nothing_of_it),
		WITH_MACHINE(the_end_of_the_environment_closes_all),
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
		WITH_MACHINE(memory_that_cannot_be_mapped),
		WITH_MACHINE(more_than_may_be_locked),
		WITH_MACHINE(root_may_lock_everything),
		WITH_MACHINE(more_than_can_be_mapped),
		WITH_MACHINE(a_function_gets_all_memory_or_none),
		WITH_MACHINE(no_iommu_needs_physical_addresses),
		WITH_MACHINE(without_an_iommu_it_is_as_over_uio),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
