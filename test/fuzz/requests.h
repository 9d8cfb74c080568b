/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The requests that a program has handed over, of both interfaces, and what must hold for each:
 * what is announced is what was asked for, and it ends once, in turn, with the truth.
 *
 * Positions count descriptors as the driver's do; how many a request takes is how much room it
 * took.
 */

#ifndef TEST_FUZZ_REQUESTS_H
#define TEST_FUZZ_REQUESTS_H

#include "device.h"
#include "udma/ioat.h"

/* As many as can be accepted and not ended; a power of two. */
#define REQUESTS 64

#define PIECES_MAX 3

/** A list of pieces, as udma_ioat_copyv() has two of. */
struct list {
	struct iovec piece[PIECES_MAX];
	unsigned count;
};

struct request {
	bool is_fill;
	bool tells_status; /* it is one of udma/ioat.h */
	bool fence;
	uint8_t in_callback; /* what its callback does: driver.c */
	struct list destination, source;
	uint64_t len;
	uint64_t first, end; /* positions of its descriptors */

	/* What may become of it. */
	bool nulled;      /* a descriptor of it was announced as one that moves nothing */
	bool failed;      /* the channel was restarted behind it */
	uint64_t certain; /* bytes that it had moved by then */
	bool may_abort;   /* it was behind a fence at a restart */
	bool must_abort;  /* the fence of one that had failed */
};

struct requests {
	struct spdk_ioat_chan *chan; /* NULL: none */
	struct request of[REQUESTS];
	uint64_t accepted;
	uint64_t noted;    /* ended, and found to be right */
	uint64_t calls;    /* callbacks that have run */
	uint64_t failures; /* of those, that told of a failure */
	uint64_t errors;   /* polls of a channel that goes on that have returned one */
	uint64_t head;     /* position of what is built next */
	bool stopped;      /* it was aborted or reset: not all that fail are told of */
	/* The calls that we are in. */
	unsigned calls_allowed; /* may call back */
	unsigned stopping;      /* abort, reset, detach */
	unsigned resetting;
	bool arms_at_head; /* the next start is one of an abort or a reset */
};

extern struct requests g_requests;

/** \return how many of those accepted have ended, by the channel's own counters. */
uint64_t requests_ended(void);
/** Takes in one that was just built. */
void requests_accept(const struct request *request, uint32_t room_before);
/** Those that have ended without a callback are right to have none. */
void requests_note(void);
/** Nothing more of the channel will be heard of. */
void requests_forget(void);
/** A request's callback has run; NULL: as SPDK's do. */
const struct request *requests_end(uint64_t number, const struct udma_ioat_result *result);

#endif
