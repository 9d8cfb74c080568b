/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory, in the pieces that the host grants. Nothing else in this room touches it.
 *
 * It is shared with the driver, which may be hostile: what is read is copied once and judged then.
 */

#include "choices.h"

/** Asks for `want` bytes. \return NULL if the first is not granted, else where *n of them are. */
static void *
window(struct udma_emu *emu, uint64_t iova, uint32_t want, bool write, uint32_t *n)
{
	uint64_t granted = want;
	void *host;

	/* Addresses do not go round: what would lie behind the highest one is not there. */
	if (iova + (want - 1) < iova) {
		granted = 0 - iova;
	}
	*n = (uint32_t)granted;
	host = emu->host.grant(emu->ctx, iova, &granted, write);
	if (host == NULL || granted == 0) {
		return NULL;
	}
	if (granted < *n) {
		*n = (uint32_t)granted;
	}
	return host;
}

void *
udma_emu_span_window(struct udma_emu *emu, const struct udma_emu_span *span, uint32_t done,
		     bool write, uint32_t *n)
{
	bool behind = done >= span->split;
	uint64_t base = behind ? span->second : span->addr;
	uint32_t offset = behind ? done - span->split : done;
	uint32_t end = behind ? span->len : span->split;

	if (base + offset < base) {
		return NULL;
	}
	return window(emu, base + offset, end - done, write, n);
}

bool
udma_emu_fetch(struct udma_emu *emu, uint64_t iova, union spdk_ioat_hw_desc *desc)
{
	uint32_t done, n;

	/* Its address is aligned, so that iova + done cannot go round. */
	for (done = 0; done < sizeof(*desc); done += n) {
		const void *from = window(emu, iova + done, sizeof(*desc) - done, false, &n);

		if (from == NULL) {
			return false;
		}
		memcpy((char *)desc + done, from, n);
	}
	return true;
}

bool
udma_emu_store_completion(struct udma_emu *emu, uint64_t word)
{
	uint64_t iova = emu->chan.chancmp;
	uint64_t *to;
	uint32_t n;

	if (iova % SPDK_IOAT_CHANCMP_ALIGN != 0) {
		return false;
	}
	to = window(emu, iova, sizeof(*to), true, &n);
	if (to == NULL || n < sizeof(*to) || (uintptr_t)to % sizeof(*to) != 0) {
		return false;
	}
	__atomic_store_n(to, word, __ATOMIC_RELEASE);
	return true;
}
