/* SPDX-License-Identifier: BSD-3-Clause */

/* The memory of a verification: of every kind that a program may use. */

#include "verify.h"
#include "random.h"
#include "tool.h"

#include "spdk/string.h"
#include "spdk/util.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE ((uint64_t)4096)
/* For the gaps between requests when these are small. */
#define ROOM ((uint64_t)64 << 10)

const char *
memory_kind_text(enum memory_kind kind)
{
	return kind == MEMORY_DMA ? "DMA memory" : "registered memory";
}

uint64_t
area_size(uint64_t max_size)
{
	return SPDK_ALIGN_CEIL(2 * max_size + ROOM, PAGE);
}

/** Registers it in pieces of any number of pages. */
static int
register_in_pieces(struct area *area, uint64_t *random)
{
	uint64_t pages = area->size / PAGE;
	char *at = area->bytes;

	while (pages > 0) {
		uint64_t piece = 1 + random_below(random, pages);
		int rc = spdk_mem_register(at, piece * PAGE);

		if (rc != 0) {
			return rc;
		}
		at += piece * PAGE;
		pages -= piece;
	}
	return 0;
}

int
area_change_seams(struct area *area, uint64_t *random)
{
	int rc;

	if (area->kind != MEMORY_ORDINARY) {
		return 0;
	}
	rc = spdk_mem_unregister(area->bytes, area->size);
	return rc == 0 ? register_in_pieces(area, random) : rc;
}

int
area_init(struct area *area, enum memory_kind kind, uint64_t size, bool has_mirror,
	  uint64_t *random)
{
	int rc = 0;

	/* Without an IOMMU devices reach nothing but DMA memory. */
	area->kind = spdk_iommu_is_enabled() ? kind : MEMORY_DMA;
	area->size = size;
	if (area->kind == MEMORY_DMA) {
		area->bytes = spdk_dma_malloc(size, PAGE, NULL);
	} else {
		area->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
		area->bytes = area->bytes != MAP_FAILED ? area->bytes : NULL;
	}
	area->mirror = has_mirror ? malloc(size) : NULL;
	if (area->bytes == NULL || (has_mirror && area->mirror == NULL)) {
		complain("no memory for buffers of %" PRIu64 " KiB; use fewer --channels or a "
			 "smaller --max-size",
			 size / 1024);
		return -ENOMEM;
	}
	if (area->kind == MEMORY_ORDINARY) {
		rc = register_in_pieces(area, random);
	}
	if (rc != 0) {
		complain("memory cannot be registered for the devices: %s", spdk_strerror(-rc));
	}
	return rc;
}

void
area_fill(struct area *area, uint64_t *random)
{
	random_fill(random, area->bytes, area->size);
	if (area->mirror != NULL) {
		memcpy(area->mirror, area->bytes, area->size);
	}
}

uint64_t
area_first_difference(const struct area *area, uint64_t from, uint64_t to)
{
	uint64_t at = from;

	if (memcmp(area->bytes + from, area->mirror + from, to - from) == 0) {
		return to;
	}
	while (at < to && area->bytes[at] == area->mirror[at]) {
		at++;
	}
	/* It may have come right meanwhile: what is written too late is wrong all the same. */
	return at < to ? at : from;
}

uint64_t
area_count_differences(const struct area *area, uint64_t from, uint64_t to)
{
	uint64_t count = 0;

	for (; from < to; from++) {
		count += area->bytes[from] != area->mirror[from];
	}
	return count;
}

void
area_free(struct area *area)
{
	if (area->kind == MEMORY_ORDINARY && area->bytes != NULL) {
		munmap(area->bytes, area->size);
	}
	free(area->mirror);
}
