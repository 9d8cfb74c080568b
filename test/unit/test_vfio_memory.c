/* SPDX-License-Identifier: BSD-3-Clause */

/* Memory of functions through VFIO: what the kernel does not map, and where it maps nothing. */

#include "vfio_test.h"
#include "env/env_internal.h"
#include "env/physical.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

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
	g_physical = false;
	munmap(p, 2 * PAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(memory_that_cannot_be_mapped),
		WITH_MACHINE(more_than_may_be_locked),
		WITH_MACHINE(root_may_lock_everything),
		WITH_MACHINE(more_than_can_be_mapped),
		WITH_MACHINE(a_function_gets_all_memory_or_none),
		WITH_MACHINE(no_iommu_needs_physical_addresses),
		WITH_MACHINE(without_an_iommu_it_is_as_over_uio),
	};

	return cmocka_run_group_tests_name("vfio, memory", tests, NULL, NULL);
}
