/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The I/O address space of the process: where each piece of registered memory is for devices.
 *
 * All but udma_region_find() (region.h) is called under the registry's lock.
 */

#ifndef UDMA_ENV_IOVA_H
#define UDMA_ENV_IOVA_H

#include "env_internal.h"

#define UDMA_IOVA_RANGES 32

/** Addresses that devices can use, in ascending order. */
struct udma_iova_ranges {
	unsigned count;
	struct {
		uint64_t first, last;
	} range[UDMA_IOVA_RANGES];
};

/** All addresses of so many bits. */
struct udma_iova_ranges udma_iova_ranges_of(unsigned bits);
/** Keeps of `ranges` what is in `others` as well. */
void udma_iova_ranges_intersect(struct udma_iova_ranges *ranges,
				const struct udma_iova_ranges *others);
/** \return whether all of [iova, iova + len) is in one range. */
bool udma_iova_ranges_hold(const struct udma_iova_ranges *ranges, uint64_t iova, uint64_t len);
/** \return how many bits all addresses up to the highest one have. */
unsigned udma_iova_ranges_bits(const struct udma_iova_ranges *ranges);

/** \param bits width of the addresses, 64 for any. \return 0; a negative errno, logged. */
int udma_iova_init(enum udma_iova_kind kind, unsigned bits);
/** Forgets the regions that are left. */
void udma_iova_fini(void);
enum udma_iova_kind udma_iova_kind(void);
/** Places regions in these ranges only, from now on. */
void udma_iova_limit(const struct udma_iova_ranges *ranges);

/**
 * Finds addresses for memory, and makes them known to udma_region_find().
 *
 * \param len in: bytes to be placed; out: how many of them the answer holds for. All of them
 * unless the addresses are physical.
 * \return 0; -ENOTSUP if devices cannot reach the memory; -ENOSPC; -ENOMEM. Logged.
 */
int udma_iova_take(uint64_t vaddr, uint64_t *len, bool writable, uint64_t *iova);
/** Gives back what udma_iova_take() gave. */
void udma_iova_release(uint64_t vaddr, uint64_t iova, uint64_t len);
/** Makes room for udma_iova_take(). \return 0; -ENOMEM. */
int udma_iova_reserve(uint64_t len);

#endif
