/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"

/* Both ways to ask the kernel are tested, whichever this kernel would be asked by. */
#include "env/vma.c"

typedef int (*query_fn)(uint64_t vaddr, uint64_t len, struct udma_vma *common);

static int
by_text(uint64_t vaddr, uint64_t len, struct udma_vma *common)
{
	*common = (struct udma_vma){true, true, true};
	return query_by_text(open("/proc/self/maps", O_RDONLY), vaddr, vaddr + len, common);
}

static void
check(query_fn query)
{
	uint64_t base = (uintptr_t)map_pages(16 * PAGE);
	struct udma_vma vma;

	assert_int_equal(query(base, 16 * PAGE, &vma), 0);
	assert_true(vma.readable && vma.writable && !vma.shared);

	mprotect((void *)(base + 4 * PAGE), 2 * PAGE, PROT_READ);
	assert_int_equal(query(base, 4 * PAGE, &vma), 0);
	assert_true(vma.readable && vma.writable);
	assert_int_equal(query(base, 5 * PAGE, &vma), 0);
	assert_true(vma.readable && !vma.writable);
	assert_int_equal(query(base + 5 * PAGE, 11 * PAGE, &vma), 0);
	assert_true(vma.readable && !vma.writable);

	mprotect((void *)(base + 4 * PAGE), 2 * PAGE, PROT_NONE);
	assert_int_equal(query(base, 16 * PAGE, &vma), 0);
	assert_false(vma.readable);

	munmap((void *)(base + 4 * PAGE), PAGE);
	assert_int_equal(query(base, 4 * PAGE, &vma), 0);
	assert_int_equal(query(base, 5 * PAGE, &vma), -EFAULT);
	assert_int_equal(query(base + 4 * PAGE, PAGE, &vma), -EFAULT);
	assert_int_equal(query(base + 4 * PAGE, 4 * PAGE, &vma), -EFAULT);
	assert_int_equal(query(base + 6 * PAGE, 10 * PAGE, &vma), 0);

	mmap((void *)base, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
	assert_int_equal(query(base, PAGE, &vma), 0);
	assert_true(vma.shared);
	assert_int_equal(query(base, 2 * PAGE, &vma), 0);
	assert_false(vma.shared);

	assert_int_equal(query(0, PAGE, &vma), -EFAULT);
	assert_int_equal(query(1ULL << 62, PAGE, &vma), -EFAULT);
	munmap((void *)base, 16 * PAGE);
}

static void
mappings_are_as_mmap_made_them(void **state)
{
	(void)state;
	check(udma_vma_query);
}

static void
and_so_are_they_in_text(void **state)
{
	(void)state;
	check(by_text);
}

static void
device_memory_is_told_from_other(void **state)
{
	char *ordinary = map_pages(PAGE), *shared;
	int fd = open("/dev/zero", O_RDWR);
	char *device = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	(void)state;
	assert_ptr_not_equal(device, MAP_FAILED);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(udma_vma_device_end((uintptr_t)device), (uintptr_t)device + 3 * PAGE);
	assert_int_equal(udma_vma_device_end((uintptr_t)device + 3 * PAGE - 1),
			 (uintptr_t)device + 3 * PAGE);
	assert_int_equal(udma_vma_device_end((uintptr_t)ordinary), 0);
	/* Its name is that of a device, which it is not: "/dev/zero (deleted)". */
	assert_int_equal(udma_vma_device_end((uintptr_t)shared), 0);
	munmap(device, 3 * PAGE);
	assert_int_equal(udma_vma_device_end((uintptr_t)device), 0);
	close(fd);
	munmap(ordinary, PAGE);
	munmap(shared, PAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings_are_as_mmap_made_them),
		cmocka_unit_test(and_so_are_they_in_text),
		cmocka_unit_test(device_memory_is_told_from_other),
	};

	return cmocka_run_group_tests_name("vma", tests, NULL, NULL);
}
