/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The requests that a program has handed over, and what may become of each: it ends once, in turn,
 * as what the engine has done says.
 *
 * Positions count descriptors as the driver's do.
 */

#ifndef TEST_RANDOM_REQUESTS_H
#define TEST_RANDOM_REQUESTS_H

#include "device.h"
#include "memory.h"
#include "udma/ioat.h"

#define REQUESTS    128 /* more than can be accepted and not ended: one a slot */
#define PIECES_MAX  5
#define SOURCES_MAX 8
#define LEN_MAX     (PIECES_MAX * PAGE)

/* CHANERR of a check: what differs. */
#define P_DIFFERS (1u << 16)
#define Q_DIFFERS (1u << 17)

enum kind {
	NOTHING,
	COPY,
	FILL,
	COPYV,
	XOR,
	XOR_CHECK,
	PQ,
	PQ_CHECK,
};

static inline bool
request_is_parity(enum kind kind)
{
	return kind >= XOR;
}

static inline bool
request_is_pq(enum kind kind)
{
	return kind >= PQ;
}

static inline bool
request_is_check(enum kind kind)
{
	return kind == XOR_CHECK || kind == PQ_CHECK;
}

/**
 * A list of pieces, as udma_ioat_copyv() has two of. Of XOR and P+Q each piece is one operand of
 * the whole length: P and Q are the destination, or, of a check, the last sources.
 */
struct list {
	struct range piece[SOURCES_MAX + 2];
	unsigned count;
};

struct request {
	enum kind kind;
	bool tells_status; /* it is one of udma/ioat.h */
	bool unheard;      /* it has no callback */
	bool fence;
	bool else_cpu;        /* what the engine cannot, the CPU does */
	bool cpu;             /* as it does with this one: a null descriptor keeps its place */
	bool redone;          /* at once, when the engine had halted at it or behind it */
	bool holds;           /* what is behind its fence may not be announced until it has ended */
	unsigned in_callback; /* what its callback does: program.c */
	struct list destination, source;
	uint64_t pattern;
	unsigned source_count; /* of XOR and P+Q, and which of the results there are */
	uint8_t coefficients[SOURCES_MAX];
	bool has_p, has_q;
	uint32_t len;
	uint64_t first, end;  /* positions of its descriptors */
	uint16_t sizes[RING]; /* and their bytes */

	/* What has become of it. */
	bool blamed; /* the engine has halted at it, and goes on behind it */
	uint32_t chanerr;
	uint64_t certain; /* bytes that it had moved by then */
	bool aborted;     /* it stood behind the fence of such a one */
	bool stopped;     /* the engine was stopped by a call of the program */
	bool finished;    /* when this had been carried out */
	bool untouched;   /* or not been announced yet */

	uint8_t before[LEN_MAX]; /* its destination as it was built */
	uint8_t after[LEN_MAX];  /* and as it will be; of a check, what is right */
};

enum arms {
	BEHIND_A_HALT,
	AT_HEAD,  /* of an abort */
	FROM_NEW, /* of a reset, with a descriptor of the driver's own */
};

struct requests {
	struct spdk_ioat_chan *chan; /* NULL: none */
	uint64_t generation;         /* of the channel */
	uint64_t head;               /* position of what is built next */
	bool fills;                  /* it offers fills, */
	bool has_parity;             /* and XOR and P+Q */
	uint64_t accepted;
	uint64_t before_channel; /* how many there had been when it was attached */
	uint64_t noted;          /* ended, and found to be right */
	uint64_t last_fence;     /* number of the last one with a fence, and one more; 0: none */
	uint64_t events;         /* ends that a poll counts */
	/* Failed requests of SPDK's that polls have yet to tell of; of some it is not certain. */
	uint64_t owed_least, owed_most;
	uint64_t failures_least, failures_most;
	uint64_t recoveries;
	uint64_t by_cpu;       /* requests that the CPU has carried out */
	unsigned stopping;     /* calls that we are in: abort, reset, detach */
	enum arms arms;        /* what the next start is */
	bool had_failed;       /* the channel, which is just being brought back */
	uint64_t halted_at;    /* where the engine has halted last */
	uint32_t halted_cause; /* and its CHANERR */
	bool halted_at_work;   /* with something to carry out */
	bool halted;           /* and has not been started since */
};

extern struct requests g_requests;

static inline bool
channel_has_failed(void)
{
	return udma_ioat_get_state(g_requests.chan) == UDMA_IOAT_HAS_FAILED;
}

struct request *request_of(uint64_t number);
/** \return how many of those accepted have ended, by the channel's own counters. */
uint64_t requests_ended(void);
/** \return bytes of a request in descriptors in front of a position. */
uint64_t request_bytes_before(const struct request *request, uint64_t position);
/** The status that a halt has, by the table of udma/ioat.h. */
enum udma_ioat_status requests_status_of(uint32_t chanerr);
/** It has failed: what is behind its fence will not be carried out. */
void requests_abort_behind_fence(uint64_t number);
/** Splits a new request. \return descriptors that it takes; 0: not all memory is registered. */
unsigned request_split(struct request *request);
/** Whether a range may be written to by a new request, or by the program. */
bool requests_leave_free(struct range range);
/** Whether a range may be read by a new request: what is to be written there before is fenced. */
bool requests_let_read(struct range range);
/** Splits it again, for the CPU. \return descriptors. */
unsigned request_split_for_cpu(struct request *request);
/** Whether what is behind a fence may not be announced yet. */
bool requests_are_held(void);
/** Whether the channel has an operation. */
bool requests_offer(enum kind kind);
/** \return slots of each piece of an XOR or P+Q. */
unsigned request_slots(const struct request *request);
/** Fills in what a new request will do. */
void request_foresee(struct request *request);
/** What a range will hold when the outstanding requests have ended. */
void requests_foresee(struct range range, uint8_t *bytes);
/** Fills in what a new XOR or P+Q will do. */
void request_compute_parity(struct request *request);
/** What a check finds between two bytes: bits of CHANERR. \param first the byte; `len` if none. */
uint32_t request_mismatches(const struct request *request, uint32_t from, uint32_t len,
			    uint32_t *first);
/** A slot for a new request, which requests_accept() takes in. */
struct request *requests_next(void);
void requests_accept(unsigned descriptors);
/** Those that have ended without a callback are right to have none. */
void requests_note(void);
/** A callback has run; NULL: as SPDK's do. */
const struct request *requests_end(uint64_t number, const struct udma_ioat_result *result);
/** A channel has been attached, or brought back. */
void requests_brought_up(void);
/** It was detached: all have ended. */
void requests_forget(void);
/** No byte was written that is not of a destination. */
void requests_check_memory(void);

#endif
