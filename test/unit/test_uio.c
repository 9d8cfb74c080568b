/* SPDX-License-Identifier: BSD-3-Clause */

/* Functions through UIO. What is physical is the kernel's to say: here it says what the test wants.
 */

#include "spdk/util.h"
#include "memory_test.h"
#include "pci_test.h"
#include "env/physical.h"

#define F0 "0000:00:04.0"
#define F1 "0000:00:04.1"

#define NOBODY 65534

#define PHYSICAL  0x1234000000
#define BAR_BYTES 16384
#define CFG_BYTES 4096

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __wrap_udma_physical_init(void);
int __wrap_udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical);

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);

static int g_physical_rc;
static bool g_hugepages;
static int g_mmap_error; /* of mapping a file to write to it */

void *
__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (g_mmap_error != 0 && fd >= 0 && (prot & PROT_WRITE)) {
		errno = g_mmap_error;
		return MAP_FAILED;
	}
	return __real_mmap64(addr, len, prot, flags, fd, offset);
}

/** Hugepages are there or not as the test says; those that are, are ordinary pages. */
int
__wrap_memfd_create(const char *name, unsigned flags)
{
	if ((flags & MFD_HUGETLB) && !g_hugepages) {
		errno = ENOENT;
		return -1;
	}
	return __real_memfd_create(name, flags & (MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

int
__wrap_udma_physical_init(void)
{
	return g_physical_rc;
}

/** All memory is pinned, page by page apart. */
int
__wrap_udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical)
{
	*len = PAGE;
	*physical = PHYSICAL + (vaddr & 0xfff000) * 2;
	return 0;
}

static void
add_uio_function(const char *address, unsigned number)
{
	char name[96];

	add_function(address, "uio_pci_generic", -1);
	snprintf(name, sizeof(name), "bus/pci/devices/%s/uio/uio%u/name", address, number);
	tree_file(name, "uio_pci_generic\n");
	snprintf(name, sizeof(name), "dev/uio%u", number);
	tree_file(name, "");
	set(address, "config", "");
	snprintf(name, sizeof(name), "bus/pci/devices/%s/config", address);
	assert_int_equal(truncate(tree_path(name), CFG_BYTES), 0);
	set(address, "resource0", "");
	snprintf(name, sizeof(name), "bus/pci/devices/%s/resource0", address);
	assert_int_equal(truncate(tree_path(name), BAR_BYTES), 0);
}

static int
setup(void **state)
{
	(void)state;
	make_machine();
	add_uio_function(F0, 7);
	g_physical_rc = 0;
	g_mmap_error = 0;
	g_hugepages = true;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_machine();
	return 0;
}

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
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), 0);
}

static void
a_function_is_driven_through_its_files(void **state)
{
	unsigned descriptors = count_descriptors();
	uint64_t phys, size;
	uint16_t value;
	void *addr;

	(void)state;
	start();
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_PA);
	assert_false(spdk_iommu_is_enabled());
	assert_string_equal(spdk_pci_device_get_type(g_device[0]), "pci");
	assert_int_equal(udma_pci_find_holder(tree_path("dev/uio7")), 0);
	assert_int_equal(spdk_pci_device_map_bar(g_device[0], 0, &addr, &phys, &size), 0);
	assert_int_equal(size, BAR_BYTES);
	assert_int_equal(phys, 0xfe000000);
	/* It is held open while anything is mapped. */
	assert_int_equal(udma_pci_find_holder(tree_path("dev/uio7")), getpid());
	assert_int_equal(udma_pci_claim_holder(&g_device[0]->addr), getpid());
	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 4), 0);
	assert_int_equal(value, 2);
	spdk_pci_device_detach(g_device[0]);
	assert_int_equal(udma_pci_find_holder(tree_path("dev/uio7")), 0);
	assert_int_equal(count_descriptors(), descriptors);
}

static void
any_uio_driver_will_do(void **state)
{
	(void)state;
	bind_to(F0, "igb_uio");
	add_uio_function(F1, 8);
	bind_to(F1, "");
	start();
	assert_string_equal(g_offered, "0 1 ");
	assert_int_equal(map_bar(0, 0), 0);
}

static void
memory_has_its_physical_address(void **state)
{
	char *p = map_pages(3 * PAGE);
	uint64_t size = UINT64_MAX;

	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(spdk_mem_register(p, 3 * PAGE), 0);
	assert_int_equal(spdk_vtophys(p + PAGE, &size),
			 PHYSICAL + (((uintptr_t)p + PAGE) & 0xfff000) * 2);
	assert_int_equal(size, PAGE);
	assert_int_equal(spdk_mem_unregister(p, 3 * PAGE), 0);
	munmap(p, 3 * PAGE);
}

static void
without_physical_addresses_there_is_no_start(void **state)
{
	(void)state;
	g_physical_rc = -EPERM;
	assert_int_equal(start_env(NULL), -EPERM);
	/* Unless the program does not want them. */
	assert_int_equal(start_env("va"), 0);
	enumerate();
	assert_refused(-ENOTSUP, F0 ": over UIO it sees physical addresses, and those of this "
				    "process were settled as others at the start: set iova_mode "
				    "\"pa\", or bind it to vfio-pci");
}

/** One that cannot be opened does not take the others' addresses away. */
static void
physical_addresses_that_are_asked_for_take_hugepages(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	g_hugepages = false;
	assert_int_equal(start_env("pa"), -ENOTSUP);
	assert_logged("/hugepages-2048kB/nr_hugepages");
	g_hugepages = true;
	spdk_env_opts_init(&opts);
	opts.iova_mode = "pa";
	opts.no_huge = true;
	assert_int_equal(spdk_env_init(&opts), -ENOTSUP);
	assert_logged("no_huge");
	assert_int_equal(start_env("pa"), 0);
	assert_non_null(spdk_dma_malloc(64, 0, NULL));
}

static void
what_cannot_be_used_settles_nothing(void **state)
{
	(void)state;
	unlink(tree_path("bus/pci/devices/" F0 "/resource0"));
	assert_int_equal(start_env(NULL), 0);
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
}

/** What an ordinary user meets. \return a process's exit status: 0 as it should be. */
static int
be_nobody(void)
{
	if (setresuid(NOBODY, NOBODY, NOBODY) != 0 || start_env(NULL) != 0) {
		return 1;
	}
	enumerate();
	if (map_bar(0, 0) != -EACCES) {
		return 2;
	}
	return strstr(g_logged, "resource0: Permission denied; UIO is for root only") != NULL &&
			       strstr(g_logged, "iova_mode") == NULL
		       ? 0
		       : 3;
}

static void
a_user_without_privileges_is_told_so(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(chmod(g_tree, 01777), 0);
	assert_int_equal(chmod(tree_path("bus/pci/devices/" F0 "/resource0"), 0600), 0);
	child = fork();
	if (child == 0) {
		_exit(be_nobody());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
an_iommu_that_nobody_programs(void **state)
{
	(void)state;
	tree_link("bus/pci/devices/" F0 "/iommu_group", "../../../../kernel/iommu_groups/5");
	tree_file("kernel/iommu_groups/5/type", "DMA-FQ\n");
	start();
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_VA);
	assert_refused(-ENOTSUP, F0 ": an IOMMU translates what it sends, and UIO cannot tell it "
				    "how: bind it to vfio-pci, or start the kernel with iommu=pt");
	spdk_env_fini();
	tree_file("kernel/iommu_groups/5/type", "identity\n");
	start();
	assert_int_equal(udma_iova_kind(), UDMA_IOVA_PA);
	assert_int_equal(map_bar(0, 0), 0);
}

static void
hold_uio(void)
{
	if (open(tree_path("dev/uio7"), O_RDWR) < 0) {
		_exit(1);
	}
}

static void
a_device_that_another_process_has_open(void **state)
{
	pid_t child = start_holder(hold_uio);
	char text[1024];

	(void)state;
	start();
	snprintf(text, sizeof(text), F0 ": process %d (%s) has %s open; end that one", (int)child,
		 own_name(), tree_path("dev/uio7"));
	assert_refused(-EBUSY, text);
	end_holder(child);
	assert_int_equal(map_bar(0, 0), 0);
}

static void
files_that_are_missing(void **state)
{
	(void)state;
	start();
	unlink(tree_path("dev/uio7"));
	assert_refused(-ENOENT, "/dev/uio7: No such file or directory");
	tree_file("dev/uio7", "");
	unlink(tree_path("bus/pci/devices/" F0 "/config"));
	assert_refused(-ENOENT, "/config: No such file or directory");
	unlink(tree_path("bus/pci/devices/" F0 "/uio/uio7/name"));
	rmdir(tree_path("bus/pci/devices/" F0 "/uio/uio7"));
	assert_refused(-ENOENT, F0 ": its UIO device has gone from sysfs; bind it again");
}

static void
the_claim_comes_first(void **state)
{
	(void)state;
	start();
	/* What cannot be claimed is not even opened: closing it would stop another's engine. */
	tree_link("spdk_pci_lock_" F0, "elsewhere");
	assert_int_equal(map_bar(0, 0), -ELOOP);
	assert_logged("cannot claim " F0);
}

static void
bars_and_configuration_space_are_as_long_as_their_files(void **state)
{
	uint32_t value;

	(void)state;
	assert_int_equal(truncate(tree_path("bus/pci/devices/" F0 "/config"), 64), 0);
	set(F0, "resource2", "");
	start();
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 60), 0);
	assert_int_equal(spdk_pci_device_cfg_read32(g_device[0], &value, 64), -ENXIO);
	assert_int_equal(map_bar(0, 1), -ENOENT);
	assert_logged("resource1: No such file or directory");
	assert_int_equal(map_bar(0, 2), -ENODEV);
	assert_logged(F0 ": BAR 2 has no bytes");
}

static void
a_kernel_that_is_locked_down_is_named(void **state)
{
	(void)state;
	start();
	g_mmap_error = EPERM;
	assert_int_equal(map_bar(0, 0), -EPERM);
	assert_logged(F0 ": BAR 0 of 16384 bytes cannot be mapped: Operation not permitted\n");
	tree_file("kernel/security/lockdown", "[none] integrity confidentiality\n");
	assert_int_equal(map_bar(0, 0), -EPERM);
	assert_logged("Operation not permitted\n");
	tree_file("kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_int_equal(map_bar(0, 0), -EPERM);
	assert_logged("Operation not permitted: the kernel is locked down "
		      "(/sys/kernel/security/lockdown), as it is with Secure Boot, and that rules "
		      "UIO out; bind it to vfio-pci");
	g_mmap_error = ENODEV;
	assert_int_equal(map_bar(0, 0), -ENODEV);
	assert_logged("No such device\n");
}

static void
a_function_is_reset_where_it_can_be(void **state)
{
	char byte = 0;
	int fd;

	(void)state;
	start();
	assert_int_equal(udma_pci_device_reset(g_device[0]), -ENOTSUP);
	set(F0, "reset", "");
	assert_int_equal(udma_pci_device_reset(g_device[0]), 0);
	fd = open(tree_path("bus/pci/devices/" F0 "/reset"), O_RDONLY);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, '1');
	close(fd);
}

static void
do_nothing(void)
{
}

static void
a_child_has_nothing_of_it(void **state)
{
	pid_t child;

	(void)state;
	start();
	assert_not_inherited("bus/pci/devices/" F0 "/config");
	child = start_holder(do_nothing);
	spdk_pci_device_detach(g_device[0]);
	/* What was closed is closed for good, and the next one gets it. */
	assert_int_equal(udma_pci_find_holder(tree_path("dev/uio7")), 0);
	enumerate();
	assert_int_equal(map_bar(0, 0), 0);
	end_holder(child);
}

static bool g_detaches;

/** Of the program, and older than any device. */
static void
in_child(void)
{
	if (g_detaches) {
		alarm(30);
		spdk_pci_device_detach(g_device[0]);
	}
}

static void
a_child_detaches_as_soon_as_it_is_there(void **state)
{
	int status;
	pid_t child;

	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	g_detaches = true;
	child = fork();
	if (child == 0) {
		_exit(0);
	}
	g_detaches = false;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/** The command register: bit 10 stops INTx (section 2). */
static uint16_t
command(void)
{
	uint16_t value;

	assert_int_equal(spdk_pci_device_cfg_read16(g_device[0], &value, 4), 0);
	return value;
}

static void
interrupts_are_heard_of_by_the_uio_device(void **state)
{
	char byte;

	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(spdk_pci_device_cfg_write16(g_device[0], 0x0402, 4), 0);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[0], 2), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_int_equal(command(), 0x0002);
	/* It is that very file. */
	tree_file("dev/uio7", "x");
	assert_int_equal(read(spdk_pci_device_get_interrupt_efd(g_device[0]), &byte, 1), 1);
	assert_int_equal(byte, 'x');
	/* When one has come the kernel's driver stops them. */
	assert_int_equal(spdk_pci_device_cfg_write16(g_device[0], 0x0406, 4), 0);
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), 0);
	assert_int_equal(command(), 0x0006);
	assert_int_equal(spdk_pci_device_disable_interrupt(g_device[0]), 0);
	assert_int_equal(command(), 0x0406);
	assert_true(spdk_pci_device_get_interrupt_efd(g_device[0]) < 0);
	/* The device is still open. */
	assert_int_equal(udma_pci_find_holder(tree_path("dev/uio7")), getpid());
}

static void
a_command_register_that_cannot_be_reached_is_no_interrupt(void **state)
{
	(void)state;
	start();
	assert_int_equal(map_bar(0, 0), 0);
	assert_int_equal(truncate(tree_path("bus/pci/devices/" F0 "/config"), 2), 0);
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[0]), -EIO);
	assert_logged(F0 ": the command register in configuration space cannot be accessed");
	assert_int_equal(spdk_pci_device_get_interrupt_efd(g_device[0]), -EINVAL);
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(a_function_is_driven_through_its_files),
		WITH_MACHINE(any_uio_driver_will_do),
		WITH_MACHINE(memory_has_its_physical_address),
		WITH_MACHINE(without_physical_addresses_there_is_no_start),
		WITH_MACHINE(physical_addresses_that_are_asked_for_take_hugepages),
		WITH_MACHINE(what_cannot_be_used_settles_nothing),
		WITH_MACHINE(a_user_without_privileges_is_told_so),
		WITH_MACHINE(an_iommu_that_nobody_programs),
		WITH_MACHINE(a_device_that_another_process_has_open),
		WITH_MACHINE(files_that_are_missing),
		WITH_MACHINE(the_claim_comes_first),
		WITH_MACHINE(bars_and_configuration_space_are_as_long_as_their_files),
		WITH_MACHINE(a_kernel_that_is_locked_down_is_named),
		WITH_MACHINE(a_function_is_reset_where_it_can_be),
		WITH_MACHINE(a_child_has_nothing_of_it),
		WITH_MACHINE(a_child_detaches_as_soon_as_it_is_there),
		WITH_MACHINE(interrupts_are_heard_of_by_the_uio_device),
		WITH_MACHINE(a_command_register_that_cannot_be_reached_is_no_interrupt),
	};

	pthread_atfork(NULL, NULL, in_child);
	return cmocka_run_group_tests_name("uio", tests, NULL, NULL);
}
