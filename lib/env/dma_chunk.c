/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "spdk/util.h"
#include "dma_chunk.h"
#include "registry.h"

#include <sys/syscall.h>

/* From Linux's headers, for C libraries that are older. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MFD_HUGE       (MFD_HUGETLB | ((unsigned)UDMA_HUGE_SHIFT << MFD_HUGE_SHIFT))
#define MPOL_PREFERRED 1
#define MPOL_BIND      2

/* Against other threads, of which one succeeds whenever another has to try again. */
#define MAP_TRIES 1000

/**
 * Gives a file its length. Beyond 'ulimit -f' the kernel not only fails but also sends this thread
 * SIGXFSZ, which would end a program that merely asked for memory.
 */
static int
set_file_len(int fd, size_t len)
{
	const struct timespec now = {0};
	sigset_t xfsz, mask, pending;
	int rc;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &xfsz, &mask);
	sigpending(&pending);
	rc = ftruncate(fd, (off_t)len) != 0 ? -errno : 0;
	if (rc == -EFBIG && !sigismember(&pending, SIGXFSZ)) {
		while (sigtimedwait(&xfsz, NULL, &now) < 0 && errno == EINTR) {
		}
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return rc;
}

/** \return a file descriptor; a negative errno. */
static int
create_file(const struct udma_dma_chunk_spec *spec)
{
	unsigned flags = MFD_CLOEXEC | (spec->huge ? MFD_HUGE : 0);
	int fd = memfd_create("udma", flags | MFD_NOEXEC_SEAL);
	int rc;

	if (fd < 0 && errno == EINVAL) {
		fd = memfd_create("udma", flags); /* before Linux 6.3 */
	}
	if (fd < 0) {
		return -errno;
	}
	rc = set_file_len(fd, spec->len);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/** Where there is room for an aligned mapping now. \return 0 if there is none. */
static uintptr_t
find_room(size_t len, size_t align)
{
	void *room = mmap(NULL, len + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	if (room == MAP_FAILED) {
		return 0;
	}
	munmap(room, len + align);
	return SPDK_ALIGN_CEIL((uintptr_t)room, align);
}

/**
 * Maps the file aligned: near the hint, or else where there is room. The room is not held while it
 * is mapped into, because a MAP_FIXED that fails for lack of hugepages has unmapped it by then, and
 * another thread may be in it. So the other thread may also come first, and another room is sought.
 *
 * \return 0; a negative errno.
 */
static int
map_aligned(int fd, size_t len, size_t align, uint64_t hint, void **base)
{
	uintptr_t at = SPDK_ALIGN_CEIL(hint, align);
	int fixed = 0;

	for (unsigned tries = 0; tries < MAP_TRIES; tries++) {
		*base = mmap((void *)at, len, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, fd, 0);
		if (*base == MAP_FAILED && !(fixed && errno == EEXIST)) {
			return -errno;
		}
		if (*base != MAP_FAILED) {
			if (((uintptr_t)*base & (align - 1)) == 0) {
				return 0;
			}
			munmap(*base, len);
		}
		at = find_room(len, align);
		if (at == 0) {
			return -ENOMEM;
		}
		fixed = MAP_FIXED_NOREPLACE;
	}
	return -EAGAIN;
}

/** \return 0; a negative errno if the kernel does not know the node. */
static int
prefer_node(void *base, size_t len, int numa_id, bool only)
{
	unsigned long mask[16] = {0};
	unsigned bits = CHAR_BIT * sizeof(mask[0]), node = (unsigned)numa_id;

	if (node >= bits * SPDK_COUNTOF(mask)) {
		return -EINVAL;
	}
	mask[node / bits] |= 1UL << (node % bits);
	return syscall(SYS_mbind, base, len, only ? MPOL_BIND : MPOL_PREFERRED, mask,
		       sizeof(mask) * CHAR_BIT, 0) != 0
		       ? -errno
		       : 0;
}

/**
 * Puts hugepages behind a mapping now. The kernel has set them aside already, but may still be
 * unable to give them (a control group's limit, the node they must be on), and would then kill the
 * program at the first touch.
 */
static int
populate(void *base, size_t len)
{
	if (madvise(base, len, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
		return -ENOMEM;
	}
	return 0;
}

static int
create_mapping(const struct udma_dma_chunk_spec *spec, struct udma_dma_chunk *chunk)
{
	int rc;

	chunk->len = spec->len;
	chunk->fd = create_file(spec);
	if (chunk->fd < 0) {
		return chunk->fd;
	}
	rc = map_aligned(chunk->fd, spec->len, spec->align, spec->hint, &chunk->base);
	if (rc != 0) {
		close(chunk->fd);
		return rc;
	}
	if (spec->numa_id != SPDK_ENV_NUMA_ID_ANY) {
		rc = prefer_node(chunk->base, spec->len, spec->numa_id, spec->numa_only);
		rc = spec->numa_only ? rc : 0;
	}
	if (rc == 0 && spec->huge) {
		rc = populate(chunk->base, spec->len);
	}
	if (rc != 0) {
		munmap(chunk->base, chunk->len);
		close(chunk->fd);
	}
	return rc;
}

bool
udma_dma_chunk_huge_is_possible(void)
{
	const struct udma_dma_chunk_spec spec = {
		.len = UDMA_DMA_CHUNK_ALIGN,
		.align = UDMA_DMA_CHUNK_ALIGN,
		.huge = true,
		.numa_id = SPDK_ENV_NUMA_ID_ANY,
	};
	struct udma_dma_chunk chunk;

	if (create_mapping(&spec, &chunk) != 0) {
		return false;
	}
	munmap(chunk.base, chunk.len);
	close(chunk.fd);
	return true;
}

int
udma_dma_chunk_create(struct udma_dma_chunk_spec *spec, struct udma_dma_chunk **result)
{
	struct udma_dma_chunk *chunk = calloc(1, sizeof(*chunk));
	int rc = chunk != NULL ? create_mapping(spec, chunk) : -ENOMEM;

	spec->refused = false;
	if (rc != 0) {
		free(chunk);
		return rc;
	}
	rc = udma_registry_add_chunk(chunk->base, chunk->len);
	if (rc != 0) {
		spec->refused = true;
		udma_dma_chunk_unmap(chunk);
		return rc;
	}
	*result = chunk;
	return 0;
}

void
udma_dma_chunk_unmap(struct udma_dma_chunk *chunk)
{
	munmap(chunk->base, chunk->len);
	close(chunk->fd);
	free(chunk);
}
