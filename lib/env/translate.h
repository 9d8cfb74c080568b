/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Translation of a virtual address to an I/O virtual address, inlined for the driver's hot path.
 *
 * The translation is `va + offset of the region` in every kind of address space. Each user
 * remembers the last region it was in; a removal anywhere makes all of them look again.
 */

#ifndef UDMA_ENV_TRANSLATE_H
#define UDMA_ENV_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "spdk/env.h"
#include "spdk/likely.h"

/** A registered region, remembered. All zeroes remembers none. Belongs to one thread. */
struct udma_translation {
	uint64_t start; /* virtual address */
	uint64_t len;
	uint64_t offset; /* IOVA minus virtual address, modulo 2^64 */
	uint64_t epoch;  /* of udma_translation_epoch, when the region was looked up */
};

/* Known to be ours, these are reached without the detour that a shared library's names take. */
#pragma GCC visibility push(hidden)

/** Raised (by release) each time a region has been removed, before who removes it hears of it. */
extern uint64_t udma_translation_epoch;

/** Looks a region up by an address in it. Enters no kernel, takes no lock. \return whether there is
 * one. */
bool udma_translation_find(struct udma_translation *t, uint64_t va);

#pragma GCC visibility pop

/**
 * Translates.
 *
 * \param len in: how many bytes are asked for; out: for how many the answer holds.
 * \return the I/O virtual address, or SPDK_VTOPHYS_ERROR.
 */
static inline uint64_t
udma_translate(struct udma_translation *t, uint64_t va, uint64_t *len)
{
	uint64_t into = va - t->start;

	if (spdk_unlikely(into >= t->len ||
			  t->epoch != __atomic_load_n(&udma_translation_epoch, __ATOMIC_ACQUIRE))) {
		if (!udma_translation_find(t, va)) {
			return SPDK_VTOPHYS_ERROR;
		}
		into = va - t->start;
	}
	if (spdk_unlikely(*len > t->len - into)) {
		*len = t->len - into;
	}
	return va + t->offset;
}

#endif
