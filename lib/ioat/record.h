/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Requests that the CPU may carry out (UDMA_IOAT_ELSE_CPU). Each has a record of what it is, for
 * its descriptors do not say what they are in the program's addresses.
 *
 * One that the CPU carries out has a null descriptor in the ring, which keeps its place: when it
 * is its turn to end, everything before it has ended, and the CPU does it. So that fences behind it
 * hold, nothing behind the first of them is announced before then (`hold`).
 */

#ifndef UDMA_IOAT_RECORD_H
#define UDMA_IOAT_RECORD_H

#include "build.h"

/** Who carried it out, and with what result. */
struct udma_ioat_record {
	struct udma_ioat_op op; /* its lists are the copies below */
	uint64_t nbytes;        /* of the operation in all */
	bool done;              /* by the CPU */
	struct udma_ioat_result result;
	const void *sources[UDMA_IOAT_SOURCES];
	uint8_t coefficients[UDMA_IOAT_SOURCES];
	struct iovec lists[];
};

/* request.c */

/** Builds a request that is known to be one. */
int udma_ioat_build_on_engine(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			      struct udma_ioat_listener listener);

/* record.c */

/** Builds one with a record, for the engine, else for the CPU. */
int udma_ioat_build_recorded(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op);
/** Takes one back that has been built last, if it has a record. */
void udma_ioat_forget_record(struct spdk_ioat_chan *chan, uint64_t index);
/**
 * Whether a request that the engine will not touch any more is, or can become, the CPU's.
 *
 * \param untouched from this position on the engine has carried out nothing.
 */
bool udma_ioat_becomes_cpus(struct spdk_ioat_chan *chan, uint64_t index, uint64_t untouched);
/**
 * The engine has been stopped at a request, which it may have carried out in part: makes it the
 * CPU's, in its turn, if it may be. \return whether it is.
 */
bool udma_ioat_hand_over(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status);
/**
 * The engine has been stopped at a request: if the CPU may carry it out, it does, now, before the
 * engine goes on. \return whether it has, or will.
 */
bool udma_ioat_redo(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status);
/** The CPU's part of a request whose turn it is. */
void udma_ioat_carry_out(struct spdk_ioat_chan *chan, uint64_t index);
/** The end of a request with a record: whom to tell what. */
void udma_ioat_close_record(struct spdk_ioat_chan *chan, struct udma_ioat_request *request,
			    struct udma_ioat_result *result);
/** A request with a fence has ended: what was held back behind it may be announced. */
void udma_ioat_fence_has_ended(struct spdk_ioat_chan *chan, uint64_t index);

/* software.c */

/** Carries it out on the CPU. \return with what result. */
struct udma_ioat_result udma_ioat_on_cpu(const struct udma_ioat_op *op);

#endif
