/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What I/OAT channels can do beyond SPDK's interface, on the same channels as spdk/ioat.h.
 */

#ifndef UDMA_IOAT_H
#define UDMA_IOAT_H

#include "spdk/ioat.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** What a channel has done since it was attached. */
struct udma_ioat_stats {
	uint64_t requests;    /**< Requests accepted. */
	uint64_t completed;   /**< Requests that have succeeded. */
	uint64_t descriptors; /**< Descriptors announced to the engine. */
	uint64_t doorbells;   /**< Writes to DMACOUNT. */
};

/** Reads the counters. From the thread that the channel belongs to. */
void udma_ioat_get_stats(const struct spdk_ioat_chan *chan, struct udma_ioat_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
