/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A channel, as the files of this room share it.
 *
 * Positions (head, announced, completed, the end of a request) count descriptors since the channel
 * was started and never wrap; a position's slot is `position & mask`. At all times
 *
 *     limit - mask <= completed <= announced <= head <= limit
 *
 * where limit - mask is the end of the oldest request whose callback has been called. One slot
 * always stays free, so that a completion address tells "none" from "all".
 */

#ifndef UDMA_IOAT_CHANNEL_H
#define UDMA_IOAT_CHANNEL_H

#include "spdk/ioat.h"
#include "spdk/queue.h"
#include "env/translate.h"
#include "registers.h"
#include "udma/ioat.h"

/** Programs rely on the ring's size (design: "What makes it fast"). Only test/fuzz has another. */
#ifndef UDMA_IOAT_RING_ORDER
#define UDMA_IOAT_RING_ORDER 15
#endif
#define UDMA_IOAT_RING_SIZE (1u << UDMA_IOAT_RING_ORDER)

/** A request in the ring. */
struct udma_ioat_request {
	spdk_ioat_req_cb cb_fn;
	void *cb_arg;
	uint64_t end; /* position behind its last descriptor */
};

/** Where the engine starts its pattern in a fill whose destination is not a multiple of 8. */
enum udma_ioat_fill_anchor {
	UDMA_IOAT_FILL_UNKNOWN, /* unaligned fills are refused */
	UDMA_IOAT_FILL_AT_START,
	UDMA_IOAT_FILL_AT_MULTIPLE_OF_8,
};

struct spdk_ioat_chan {
	/* Building and announcing. */
	union spdk_ioat_hw_desc *ring;
	struct udma_ioat_request *requests;
	uint64_t head;      /* next descriptor to be built */
	uint64_t limit;     /* head may not pass it; equal to head once requests are refused */
	uint64_t announced; /* head at the last doorbell; read by other threads (quiesce.c) */
	uint64_t request_head;
	udma_bar *bar;
	uint32_t max_piece; /* bytes in one descriptor */
	uint32_t dma_capabilities;
	struct udma_translation source;
	struct udma_translation destination;

	/* Polling. */
	const uint64_t *completion; /* the engine's word, on a cache line of its own */
	uint64_t seen;              /* its value at the last poll */
	uint64_t completed;         /* read by other threads (quiesce.c) */
	uint64_t request_tail;
	uint64_t ring_iova;
	bool failed; /* read by other threads (quiesce.c) */
	int error;   /* what polls return once nothing is left to report */
	int refuse;  /* what new requests are refused with */
	bool stalled;
	uint64_t look_at; /* ticks: when a stalled channel's status is looked at */

	/* The rest is cold. */
	struct udma_ioat_stats before; /* what bringing it up has counted */
	uint64_t doorbells;
	unsigned depth; /* of polls inside callbacks of polls */
	bool detached;  /* by a callback: freed by the outermost poll */
	enum udma_ioat_fill_anchor fill_anchor;
	uint8_t version;
	void *completion_line;
	uint64_t completion_iova;
	struct spdk_pci_device *device;
	char name[32]; /* the PCI address, for log lines */
	TAILQ_ENTRY(spdk_ioat_chan) link;
};

/* ring.c */

/** Writes a null descriptor (nothing is moved), as every start needs one. Not announced. */
void udma_ioat_build_null(struct spdk_ioat_chan *chan);
/** Refuses requests from now on with an errno. */
void udma_ioat_refuse(struct spdk_ioat_chan *chan, int error);
/**
 * Takes the channel out of use after a halt or the loss of the device, with one log line. What has
 * not completed is given up.
 */
void udma_ioat_fail(struct spdk_ioat_chan *chan, int error, const char *what);

/* channel.c */

/** Brings up a function in any state. \return 0 and the channel, or a negative errno, logged. */
int udma_ioat_attach(struct spdk_pci_device *device, struct spdk_ioat_chan **chan);
/** Frees a channel whose engine has been stopped. */
void udma_ioat_free(struct spdk_ioat_chan *chan);

/* quiesce.c */

/** Lets removals of memory wait for this channel's engine. \return 0; -ENOMEM. */
int udma_ioat_quiesce_add(struct spdk_ioat_chan *chan);
void udma_ioat_quiesce_remove(struct spdk_ioat_chan *chan);
/** Detaches what a program has left attached. Called as the environment ends. */
void udma_ioat_fini(void);

/* chanerr.c */

/** Writes the causes that a CHANERR value names (section 11). \return `text`. */
const char *udma_ioat_chanerr_text(uint32_t chanerr, char *text, size_t size);

#endif
