/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "vma.h"

/*
 * PROCMAP_QUERY, from Linux 6.11 on, finds a mapping by address. It is written out here because
 * the C library's headers may be older than the kernel.
 */
struct procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define UDMA_PROCMAP_QUERY        _IOWR('f', 17, struct procmap_query)
#define UDMA_PROCMAP_VMA_READABLE 0x01
#define UDMA_PROCMAP_VMA_WRITABLE 0x02
#define UDMA_PROCMAP_VMA_SHARED   0x08

static void
narrow(struct udma_vma *common, bool readable, bool writable, bool shared)
{
	common->readable = common->readable && readable;
	common->writable = common->writable && writable;
	common->shared = common->shared && shared;
}

static int
query_by_ioctl(int fd, uint64_t at, uint64_t end, struct udma_vma *common)
{
	while (at < end) {
		struct procmap_query query = {.size = sizeof(query), .query_addr = at};

		if (ioctl(fd, UDMA_PROCMAP_QUERY, &query) != 0) {
			return errno == ENOENT ? -EFAULT : -errno;
		}
		narrow(common, query.vma_flags & UDMA_PROCMAP_VMA_READABLE,
		       query.vma_flags & UDMA_PROCMAP_VMA_WRITABLE,
		       query.vma_flags & UDMA_PROCMAP_VMA_SHARED);
		at = query.vma_end;
	}
	return 0;
}

/** Reads "start-end rwxs …" lines, which the kernel gives in ascending order. */
static int
query_by_text(int fd, uint64_t at, uint64_t end, struct udma_vma *common)
{
	FILE *maps = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (maps == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (at < end && getline(&line, &size, maps) > 0) {
		uint64_t first, behind;
		char perms[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &first, &behind, perms) != 3 ||
		    behind <= at) {
			continue;
		}
		if (first > at) {
			break;
		}
		narrow(common, perms[0] == 'r', perms[1] == 'w', perms[3] == 's');
		at = behind;
	}
	free(line);
	fclose(maps);
	return at < end ? -EFAULT : 0;
}

int
udma_vma_query(uint64_t vaddr, uint64_t len, struct udma_vma *common)
{
	/* Opened anew each time: a descriptor from before a fork() would show the parent. */
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0) {
		return -errno;
	}
	*common = (struct udma_vma){true, true, true};
	rc = query_by_ioctl(fd, vaddr, vaddr + len, common);
	if (rc == 0 || rc == -EFAULT) {
		close(fd);
		return rc;
	}
	*common = (struct udma_vma){true, true, true};
	return query_by_text(fd, vaddr, vaddr + len, common);
}

uint64_t
udma_vma_device_end(uint64_t vaddr)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t first, behind, end = 0;
	char *line = NULL, *path;
	size_t size = 0;
	struct stat st;

	while (maps != NULL && getline(&line, &size, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &behind) != 2 || vaddr >= behind) {
			continue;
		}
		path = strchr(line, '/');
		if (vaddr >= first && path != NULL) {
			path[strcspn(path, "\n")] = '\0';
			end = stat(path, &st) == 0 && S_ISCHR(st.st_mode) ? behind : 0;
		}
		break;
	}
	free(line);
	if (maps != NULL) {
		fclose(maps);
	}
	return end;
}
