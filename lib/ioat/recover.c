/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What becomes of a channel that has halted, hangs or is gone, and of its requests (section 11, and
 * 14.5 step 10 of the hardware reference).
 */

#include "channel.h"

#include "spdk/log.h"
#include "spdk/util.h"

/* How long a channel whose completion word says HALTED may show another state. */
#define CAUSE_LIMIT_US 1000000

/* Halts in a row, without one descriptor that succeeds, that a channel survives. */
#define HALTS_LIMIT 1024

uint64_t udma_ioat_hang_us = 10000000;

/**
 * The engine stores the word first and shows the registers afterwards (section 9); one that is
 * emulated by a thread, when that has its turn. The cause is there once the state is.
 */
static uint32_t
cause_of_halt(const struct spdk_ioat_chan *chan)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() / 1000000 * CAUSE_LIMIT_US;

	while ((read_chansts(chan->bar) & SPDK_IOAT_CHANSTS_STATUS) != SPDK_IOAT_CHANSTS_HALTED &&
	       spdk_get_ticks() < end) {
		sched_yield();
	}
	return read_chanerr(chan->bar);
}

static struct udma_ioat_request *
request_at(const struct spdk_ioat_chan *chan, uint64_t index)
{
	return &chan->requests[index & UDMA_IOAT_RING_MASK];
}

/** \return the first request that has not completed; request_head if there is none. */
static uint64_t
first_open(const struct spdk_ioat_chan *chan)
{
	uint64_t index = chan->request_tail;

	while (index != chan->request_head && request_at(chan, index)->end <= chan->completed) {
		index++;
	}
	return index;
}

static void
condemn(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status, uint32_t chanerr)
{
	struct udma_ioat_request *request = request_at(chan, index);
	uint64_t start = request_at(chan, index - 1)->end;

	if (request->fate.status != UDMA_IOAT_OK) {
		return; /* it has been found guilty before */
	}
	request->fate.status = (uint8_t)status;
	request->fate.chanerr = chanerr;
	request->fate.done = (uint16_t)(chan->completed > start ? chan->completed - start : 0);
}

/** Everything from a request on ends with a status, and nothing of it is carried out. */
static void
condemn_from(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status,
	     uint32_t chanerr)
{
	for (; index != chan->request_head; index++) {
		condemn(chan, index, status, chanerr);
	}
}

/** What is behind the fence of a failed request ends as aborted: its descriptors move nothing. */
static void
abort_fenced(struct spdk_ioat_chan *chan, uint64_t failed)
{
	uint64_t fence = failed;

	while (fence != chan->request_head &&
	       !(request_at(chan, fence)->fate.what & UDMA_IOAT_FENCED)) {
		fence++;
	}
	if (fence == chan->request_head) {
		return;
	}
	for (uint64_t at = request_at(chan, fence)->end; at != chan->head; at++) {
		udma_ioat_make_null(chan, at);
	}
	condemn_from(chan, fence + 1, UDMA_IOAT_ABORTED, 0);
}

static enum udma_ioat_status
status_of(uint32_t chanerr)
{
	static const struct {
		uint32_t bits;
		enum udma_ioat_status status;
	} causes[] = {
		{1u << 0 | 1u << 8, UDMA_IOAT_BAD_SOURCE},
		{1u << 1 | 1u << 9, UDMA_IOAT_BAD_DESTINATION},
		{1u << 6 | 1u << 7, UDMA_IOAT_BAD_DATA},
		{1u << 12, UDMA_IOAT_BAD_COMPLETION},
		{0x0FFB0000 & ~(1u << 23 | 1u << 18), UDMA_IOAT_MISMATCH},
		{0x3Cu | 1u << 10 | 1u << 11 | 1u << 14 | 1u << 18 | 1u << 23,
		 UDMA_IOAT_BAD_DESCRIPTOR},
	};

	for (size_t i = 0; i < SPDK_COUNTOF(causes); i++) {
		if (chanerr & causes[i].bits) {
			return causes[i].status;
		}
	}
	return UDMA_IOAT_UNKNOWN;
}

const char *
udma_ioat_status_text(enum udma_ioat_status status)
{
	static const char *const texts[] = {
		[UDMA_IOAT_OK] = "done",
		[UDMA_IOAT_BAD_SOURCE] = "the source cannot be read",
		[UDMA_IOAT_BAD_DESTINATION] = "the destination cannot be written",
		[UDMA_IOAT_BAD_DESCRIPTOR] = "the engine refuses the descriptor",
		[UDMA_IOAT_BAD_DATA] = "data was damaged on its way",
		[UDMA_IOAT_BAD_COMPLETION] = "the completion could not be written",
		[UDMA_IOAT_MISMATCH] = "the check found a difference",
		[UDMA_IOAT_UNKNOWN] = "the engine halted without a cause",
		[UDMA_IOAT_ABORTED] = "aborted",
		[UDMA_IOAT_HUNG] = "the engine makes no progress",
		[UDMA_IOAT_GONE] = "the device is gone",
		[UDMA_IOAT_FAILED] = "the channel has failed",
	};

	return status < SPDK_COUNTOF(texts) ? texts[status] : "unknown status";
}

/* ---- Going on ---- */

/** Goes on behind what has been dealt with. */
static void
go_on(struct spdk_ioat_chan *chan)
{
	udma_ioat_arm(chan, chan->completed);
	if (chan->announced != chan->completed) {
		write_dmacount(chan->bar, (uint16_t)(chan->announced - chan->base));
		chan->doorbells++;
	}
}

/** \return whether the channel halts again and again and nothing succeeds. */
static bool
is_hopeless(struct spdk_ioat_chan *chan)
{
	chan->halts = chan->completed == chan->halted_at ? chan->halts + 1 : 1;
	return chan->halts > HALTS_LIMIT;
}

/** Ends the request at fault; with it what cannot be told apart from it. */
static void
blame(struct spdk_ioat_chan *chan, uint32_t chanerr, bool known)
{
	uint64_t failed = first_open(chan);
	uint64_t behind = known ? request_at(chan, failed)->end : chan->announced;
	char causes[256];

	SPDK_WARNLOG("%s: halted at descriptor %" PRIu64 " (CHANERR %#x: %s); going on behind %s\n",
		     chan->name, chan->completed, chanerr,
		     udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)),
		     known ? "its request" : "all that was announced, for it is not known which");
	for (uint64_t i = failed; i != chan->request_head && request_at(chan, i)->end <= behind;
	     i++) {
		condemn(chan, i, status_of(chanerr), chanerr);
	}
	abort_fenced(chan, failed);
	__atomic_store_n(&chan->completed, behind, __ATOMIC_RELEASE);
}

void
udma_ioat_recover(struct spdk_ioat_chan *chan, bool address_is_known)
{
	uint32_t chanerr = cause_of_halt(chan);

	if (is_hopeless(chan)) {
		udma_ioat_fail(chan, UDMA_IOAT_FAILED, "the channel halts again and again");
		return;
	}
	if (udma_ioat_reset_engine(chan) != 0) {
		udma_ioat_fail(chan, UDMA_IOAT_FAILED, "the channel cannot be restarted");
		return;
	}
	chan->recoveries++;
	/* With nothing outstanding there is nobody to blame. */
	if (chan->completed != chan->announced) {
		blame(chan, chanerr, address_is_known);
	}
	chan->halted_at = chan->completed;
	go_on(chan);
}

/* ---- Giving up ---- */

void
udma_ioat_give_up(struct spdk_ioat_chan *chan, enum udma_ioat_status status, uint32_t chanerr)
{
	/* Whoever hears that a request has ended may use its memory for something else. */
	if (!udma_ioat_engine_stops(chan)) {
		SPDK_ERRLOG("%s: the engine cannot be stopped and may still write to the memory of "
			    "requests that have failed\n",
			    chan->name);
	}
	condemn_from(chan, first_open(chan), status, chanerr);
	__atomic_store_n(&chan->announced, chan->head, __ATOMIC_RELEASE);
	__atomic_store_n(&chan->completed, chan->head, __ATOMIC_RELEASE);
}

void
udma_ioat_fail(struct spdk_ioat_chan *chan, enum udma_ioat_status status, const char *what)
{
	uint32_t chanerr = status == UDMA_IOAT_GONE ? 0 : read_chanerr(chan->bar);
	uint64_t first = first_open(chan);
	int error = status == UDMA_IOAT_GONE ? -ENODEV : -EIO;
	char causes[256];

	SPDK_ERRLOG("%s: %s (CHANERR %#x: %s) after %" PRIu64 " descriptors; %" PRIu64
		    " requests have failed and new ones are refused: udma_ioat_reset() it, or "
		    "detach it and probe again\n",
		    chan->name, what, chanerr,
		    udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)), chan->completed,
		    chan->request_head - first);
	chan->error = error;
	/* What detaches the channel already has said why. */
	udma_ioat_refuse(chan, chan->refuse ? chan->refuse : error);
	__atomic_store_n(&chan->failed, true, __ATOMIC_RELEASE);
	udma_ioat_give_up(chan, status, chanerr);
}

/* ---- On demand ---- */

/** Ends a call in which callbacks have run. \return what it returns: the channel may be gone. */
static int
leave(struct spdk_ioat_chan *chan, int rc)
{
	if (--chan->depth == 0 && chan->detached) {
		udma_ioat_free(chan);
		return -ESHUTDOWN;
	}
	return rc;
}

int
udma_ioat_drain(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	uint64_t start = spdk_get_ticks();
	uint64_t limit = spdk_get_ticks_hz() / 1000000 * timeout_us;
	bool in_time = true;

	spdk_ioat_flush(chan);
	chan->depth++;
	while (chan->request_tail != chan->request_head && in_time) {
		spdk_ioat_process_events(chan);
		in_time = spdk_get_ticks() - start < limit;
	}
	return leave(chan, chan->failed                               ? chan->error
			   : chan->request_tail != chan->request_head ? -ETIMEDOUT
								      : 0);
}

int
udma_ioat_abort(struct spdk_ioat_chan *chan)
{
	if (chan->failed) {
		return chan->error;
	}
	if (udma_ioat_reset_engine(chan) != 0) {
		udma_ioat_fail(chan, UDMA_IOAT_ABORTED, "the engine cannot be stopped");
	} else {
		/* The last word it has stored says what it had finished. */
		udma_ioat_advance(chan, __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE));
		condemn_from(chan, first_open(chan), UDMA_IOAT_ABORTED, 0);
		__atomic_store_n(&chan->announced, chan->head, __ATOMIC_RELEASE);
		__atomic_store_n(&chan->completed, chan->head, __ATOMIC_RELEASE);
		udma_ioat_arm(chan, chan->head);
	}
	chan->depth++;
	udma_ioat_call_back(chan);
	if (!chan->failed) {
		chan->error = 0; /* whoever aborts knows it */
	}
	return leave(chan, chan->error);
}

enum udma_ioat_state
udma_ioat_get_state(const struct spdk_ioat_chan *chan)
{
	return chan->failed ? UDMA_IOAT_HAS_FAILED : UDMA_IOAT_RUNNING;
}
