/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A map from disjoint page-aligned ranges of addresses to values.
 *
 * A lookup takes no lock, allocates nothing and enters no kernel, whatever writers do meanwhile.
 * Writers are serialised by the caller's lock. A range costs a few nodes, however long it is. A
 * map of all zeroes is empty and ready.
 */

#ifndef UDMA_ENV_RANGE_MAP_H
#define UDMA_ENV_RANGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Addresses are below 2^57: what five-level page tables give a process, and five levels give us.
 */
#define UDMA_RANGE_MAP_ADDR_BITS 57
#define UDMA_RANGE_MAP_PAGE      4096ULL

/** What a lookup gives: a copy, which stays as it is. */
struct udma_range {
	uint64_t start;
	uint64_t len;
	uint64_t value;
};

struct udma_range_map {
	uintptr_t root; /* a slot for the whole space; see range_map.c */
	uint64_t
		discarded; /* counts nodes taken out, so that a reader who finds nothing can tell */
	struct udma_range_node *spare_nodes;
	struct udma_range_entry *spare_entries;
	struct udma_range_entry *entries; /* all there are, in use or spare */
	size_t spare_node_count;
	size_t spare_entry_count;
	size_t node_count; /* in use and spare */
};

/** Frees everything; the map is empty then. Nobody may be looking anything up. */
void udma_range_map_destroy(struct udma_range_map *map);

/**
 * Looks up the range an address is in.
 *
 * \param out the range; or, if there is none, a stretch around `addr` in which there is none.
 * \return whether there is one.
 */
bool udma_range_map_lookup(const struct udma_range_map *map, uint64_t addr, struct udma_range *out);

/** For a writer: the first range that ends behind `addr`. \return whether there is one. */
bool udma_range_map_next(const struct udma_range_map *map, uint64_t addr, struct udma_range *out);

/** For a writer: the last range that begins before `addr`. \return whether there is one. */
bool udma_range_map_previous(const struct udma_range_map *map, uint64_t addr,
			     struct udma_range *out);

/**
 * Sets the value of a range, over whatever was there. What reaches beyond it on either side keeps
 * its value, and can be found all the while.
 *
 * \return 0; -EINVAL if it is empty, not page-aligned or beyond the space; -ENOMEM, and nothing
 * has changed.
 */
int udma_range_map_set(struct udma_range_map *map, uint64_t start, uint64_t len, uint64_t value);

/** Empties a range. \return as udma_range_map_set(). */
int udma_range_map_clear(struct udma_range_map *map, uint64_t start, uint64_t len);

/**
 * Sees to it that later calls inside a range need no memory: one for any range of pages, or as
 * many as it has pieces of 2 MiB.
 *
 * \return 0; -ENOMEM.
 */
int udma_range_map_reserve(struct udma_range_map *map, uint64_t len);

#endif
