/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Building: a request becomes descriptors.
 *
 * It is written into free slots first and becomes part of the ring by moving `head` at the end, so
 * that one that cannot be built leaves nothing behind. Slots that were not announced by the
 * doorbell are ours (section 8 of the hardware reference).
 */

#ifndef UDMA_IOAT_BUILD_H
#define UDMA_IOAT_BUILD_H

#include "channel.h"

#include "spdk/likely.h"
#include "spdk/util.h"

/* A null descriptor's size is not used, but 0 would be an error (section 7). */
#define UDMA_IOAT_NULL_SIZE 8

/* Both interfaces come down to the same few functions, each of which has the whole path in it. */
#define UDMA_HOT static inline __attribute__((always_inline))

/** Whom to tell of the end, and how. */
struct udma_ioat_listener {
	spdk_ioat_req_cb cb_fn;
	void *cb_arg;
	uint64_t what; /* UDMA_IOAT_TELLS_STATUS, _FENCED, … */
};

/** A listener of our own kind. Both kinds of callback are one pointer; `what` tells them apart. */
UDMA_HOT struct udma_ioat_listener
udma_ioat_listener(unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	return (struct udma_ioat_listener){
		.cb_fn = (spdk_ioat_req_cb)(uintptr_t)cb,
		.cb_arg = cb_arg,
		.what = UDMA_IOAT_TELLS_STATUS | (flags & UDMA_IOAT_FENCE ? UDMA_IOAT_FENCED : 0),
	};
}

UDMA_HOT void
udma_ioat_write_descriptor(struct spdk_ioat_chan *chan, uint64_t position, uint32_t size,
			   uint32_t control, uint64_t source, uint64_t destination)
{
	union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);

	/* The first 8 bytes in one store; `next` was written when the ring was made. */
	desc->raw.field[0] = (uint64_t)control << 32 | size;
	desc->dma.src_addr = source;
	desc->dma.dest_addr = destination;
}

/** Makes the descriptors up to `end` a request. */
UDMA_HOT void
udma_ioat_commit(struct spdk_ioat_chan *chan, uint64_t end, uint64_t nbytes,
		 struct udma_ioat_listener listener)
{
	struct udma_ioat_request *request =
		&chan->requests[chan->request_head & UDMA_IOAT_RING_MASK];

	request->cb_fn = listener.cb_fn;
	request->cb_arg = listener.cb_arg;
	request->end = end;
	request->fate.all = listener.what; /* the lowest byte */
	if (spdk_unlikely(listener.what & UDMA_IOAT_FENCED)) {
		udma_ioat_slot(chan, end - 1)->dma.u.control_raw |= UDMA_IOAT_CONTROL_FENCE;
		if (chan->cpus > 0) {
			udma_ioat_hold(chan, chan->request_head);
		}
	}
	chan->request_head++;
	chan->bytes += nbytes;
	chan->head = end;
}

/** Why a request that met `limit` is refused. */
int udma_ioat_no_room(struct spdk_ioat_chan *chan, uint64_t nbytes);
/** Why a request with memory that no device reaches is refused. */
int udma_ioat_not_registered(struct spdk_ioat_chan *chan, const char *what, uint64_t address);

/**
 * Writes the descriptors of a copy from `*position` on, which is moved behind them; nothing is
 * committed.
 */
int udma_ioat_write_copy(struct spdk_ioat_chan *chan, uint64_t *position, uint64_t destination,
			 uint64_t source, uint64_t left);

/* The kinds of request, each built whole or not at all. What they return is as in udma/ioat.h. */

int udma_ioat_build_copy(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			 struct udma_ioat_listener listener);
int udma_ioat_build_fill(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			 struct udma_ioat_listener listener);
int udma_ioat_build_nothing(struct spdk_ioat_chan *chan, struct udma_ioat_listener listener);
int udma_ioat_build_copyv(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			  struct udma_ioat_listener listener);
int udma_ioat_build_parity(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			   struct udma_ioat_listener listener);

/** Whether a request is one of P+Q; the others that parity.c builds are XOR. */
static inline bool
udma_ioat_is_pq(const struct udma_ioat_op *op)
{
	return op->kind == UDMA_IOAT_OP_PQ || op->kind == UDMA_IOAT_OP_PQ_CHECK;
}

/** Builds a request of any kind and with any flags. \return 0; a negative errno, as its function.
 */
int udma_ioat_build(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op);

#endif
