/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "physical.h"
#include "vma.h"

/* Documentation/admin-guide/mm/pagemap.rst of the kernel */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN     ((1ULL << 55) - 1)
#define KPAGEFLAGS_HUGE (1ULL << 17) /* hugetlb; transparent hugepages, which move, have bit 22 */
#define KPAGEFLAGS_NONE (1ULL << 20) /* no page of the kernel's, as the memory of a DAX device */

/* Whether memory is pinned is asked again at each of these, within hugepages. */
#define HUGE_STEP (2ULL << 20)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define BATCH 512

static uint64_t
page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/** Reads 64-bit words that belong to consecutive pages. \return how many; a negative errno. */
static ssize_t
read_words(const char *path, uint64_t index, uint64_t *words, size_t count)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t rc;

	if (fd < 0) {
		return -errno;
	}
	rc = pread(fd, words, count * sizeof(*words), (off_t)(index * sizeof(*words)));
	rc = rc < 0 ? -errno : rc / (ssize_t)sizeof(*words);
	close(fd);
	return rc;
}

int
udma_physical_init(void)
{
	uint64_t word = 0;
	/* Any page that is present will do. The number reads 0 without the privilege. */
	ssize_t rc = read_words("/proc/self/pagemap", (uintptr_t)&word / page_size(), &word, 1);

	if (rc != 1 || (word & PAGEMAP_PFN) == 0) {
		SPDK_ERRLOG("physical addresses are not shown to this process; run with "
			    "CAP_SYS_ADMIN, or bind the device to vfio-pci with an IOMMU\n");
		return -EPERM;
	}
	return 0;
}

/**
 * Checks that a page stays where it is: a hugepage of hugetlbfs, or memory of a device (DAX).
 *
 * \param until out: the answer holds for the mapping up to there.
 */
static int
check_pinned(uint64_t vaddr, uint64_t pagemap, uint64_t *until)
{
	bool present = (pagemap & PAGEMAP_PRESENT) && (pagemap & PAGEMAP_PFN) != 0;
	uint64_t flags = KPAGEFLAGS_NONE;
	ssize_t rc;

	if (present) {
		rc = read_words("/proc/kpageflags", pagemap & PAGEMAP_PFN, &flags, 1);
		if (rc < 0) {
			SPDK_ERRLOG("cannot read /proc/kpageflags to see whether memory is "
				    "pinned: %s\n",
				    strerror((int)-rc));
			return (int)rc;
		}
		if (rc == 0) { /* it ends where the kernel's own memory does */
			flags = KPAGEFLAGS_NONE;
		}
	}
	if (flags & KPAGEFLAGS_HUGE) {
		*until = SPDK_ALIGN_FLOOR(vaddr, HUGE_STEP) + HUGE_STEP;
		return 0;
	}
	*until = flags & KPAGEFLAGS_NONE ? udma_vma_device_end(vaddr) : 0;
	if (present && *until != 0) {
		return 0;
	}
	if (*until != 0) {
		SPDK_ERRLOG("no physical address for %#" PRIx64 ": the kernel does not tell those "
			    "of a device's registers; bind the I/OAT function to vfio-pci with an "
			    "IOMMU\n",
			    vaddr);
		return -ENOTSUP;
	}
	if (!present) {
		SPDK_ERRLOG("no physical address for %#" PRIx64 ": its page is not present\n",
			    vaddr);
		return -EFAULT;
	}
	SPDK_ERRLOG("%#" PRIx64 " is %s, which the kernel may move while a device writes to its "
		    "physical address; use hugepages (spdk_malloc(), MAP_HUGETLB)%s, or an IOMMU\n",
		    vaddr,
		    flags & KPAGEFLAGS_NONE ? "a file in persistent memory" : "ordinary memory",
		    flags & KPAGEFLAGS_NONE ? ", a DAX device in place of the file" : "");
	return -ENOTSUP;
}

int
udma_physical_find(uint64_t vaddr, uint64_t *len, uint64_t *physical)
{
	uint64_t words[BATCH], first = 0, pages = *len / page_size(), found = 0, checked = 0;

	/* By write first: a private page read before it is written moves at the write. */
	if (madvise((void *)(uintptr_t)vaddr, *len, MADV_POPULATE_WRITE) != 0) {
		madvise((void *)(uintptr_t)vaddr, *len, MADV_POPULATE_READ);
	}
	while (found < pages) {
		ssize_t n = read_words("/proc/self/pagemap", vaddr / page_size() + found, words,
				       spdk_min(pages - found, (uint64_t)BATCH));
		int rc;

		if (n <= 0) {
			SPDK_ERRLOG("cannot read /proc/self/pagemap: %s\n",
				    strerror(n < 0 ? (int)-n : EIO));
			return n < 0 ? (int)n : -EIO;
		}
		for (ssize_t i = 0; i < n; i++, found++) {
			uint64_t at = vaddr + found * page_size();

			if (at >= checked) {
				rc = check_pinned(at, words[i], &checked);
				if (rc != 0) {
					return rc;
				}
			}
			if (found == 0) {
				first = words[i] & PAGEMAP_PFN;
			} else if ((words[i] & PAGEMAP_PFN) != first + found ||
				   !(words[i] & PAGEMAP_PRESENT)) {
				goto done;
			}
		}
	}
done:
	*physical = first * page_size();
	*len = found * page_size();
	return 0;
}
