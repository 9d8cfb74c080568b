/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What becomes of a channel that has halted, hangs or is gone, and of its requests (section 11, and
 * 14.5 step 10 of the hardware reference).
 */

#include "record.h"

#include "spdk/log.h"
#include "spdk/util.h"

/* Halts in a row, without one descriptor that succeeds, that a channel survives. */
#define HALTS_LIMIT 1024

uint64_t udma_ioat_hang_us = 10000000;

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

/** Keeps what a restart, or the end, changes. */
static void
note_trouble(struct spdk_ioat_chan *chan, uint32_t chanerr)
{
	chan->trouble = (struct udma_ioat_trouble){
		.is_noted = true,
		.at = chan->completed,
		.announced = chan->announced,
		.status = read_chansts(chan->bar),
		.chanerr = chanerr,
	};
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

void
udma_ioat_abort_fenced(struct spdk_ioat_chan *chan, uint64_t failed)
{
	uint64_t fence = failed;

	while (fence != chan->request_head &&
	       !(request_at(chan, fence)->fate.what & UDMA_IOAT_FENCED)) {
		fence++;
	}
	if (fence == chan->request_head) {
		return;
	}
	for (uint64_t at = request_at(chan, fence)->end; at != chan->head;) {
		at += udma_ioat_make_null(chan, at);
	}
	condemn_from(chan, fence + 1, UDMA_IOAT_ABORTED, 0);
}

#define BIT(n) (1u << (n))

static enum udma_ioat_status
status_of(uint32_t chanerr)
{
	static const struct {
		uint32_t bits;
		enum udma_ioat_status status;
	} causes[] = {
		/* By number: what each is called is in chanerr.c. The first that fits counts. */
		{BIT(0) | BIT(8), UDMA_IOAT_BAD_SOURCE},
		{BIT(1) | BIT(9), UDMA_IOAT_BAD_DESTINATION},
		{BIT(6) | BIT(7), UDMA_IOAT_BAD_DATA},
		{BIT(12), UDMA_IOAT_BAD_COMPLETION},
		{BIT(16) | BIT(17) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(24) | BIT(25) |
			 BIT(26) | BIT(27),
		 UDMA_IOAT_MISMATCH},
		{BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(10) | BIT(11) | BIT(14) | BIT(18) |
			 BIT(23),
		 UDMA_IOAT_BAD_DESCRIPTOR},
	};

	for (size_t i = 0; i < SPDK_COUNTOF(causes); i++) {
		if (chanerr & causes[i].bits) {
			return causes[i].status;
		}
	}
	return UDMA_IOAT_UNKNOWN;
}

/* ---- Going on ---- */

/** Where what was outstanding does not end by a completion, which would count it. */
static void
count_outstanding(struct spdk_ioat_chan *chan)
{
	chan->high_water = spdk_max(chan->high_water, chan->announced - chan->completed);
}

/** The engine is done with what is before a position, one way or the other. */
static void
skip_to(struct spdk_ioat_chan *chan, uint64_t position)
{
	count_outstanding(chan);
	__atomic_store_n(&chan->completed, position, __ATOMIC_RELEASE);
}

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
is_hopeless(struct spdk_ioat_chan *chan, uint32_t chanerr)
{
	/* A check that differs is no trouble of the channel's; and each one ends a request. */
	if (status_of(chanerr) == UDMA_IOAT_MISMATCH && udma_ioat_is_outstanding(chan)) {
		return false;
	}
	chan->halts = chan->completed == chan->halted_at ? chan->halts + 1 : 1;
	return chan->halts > HALTS_LIMIT;
}

/** Ends those from `failed` on whose end is not behind a position. */
static void
condemn_up_to(struct spdk_ioat_chan *chan, uint64_t failed, uint64_t behind, uint32_t chanerr)
{
	for (uint64_t i = failed; i != chan->request_head && request_at(chan, i)->end <= behind;
	     i++) {
		if (!(request_at(chan, i)->fate.what & UDMA_IOAT_ON_CPU)) {
			condemn(chan, i, status_of(chanerr), chanerr);
		}
	}
	udma_ioat_abort_fenced(chan, failed);
}

/** Ends the request at fault; with it what cannot be told apart from it. */
static void
blame(struct spdk_ioat_chan *chan, uint32_t chanerr, bool known)
{
	uint64_t failed = first_open(chan);
	uint64_t behind = known ? request_at(chan, failed)->end : chan->announced;
	bool redone = known && udma_ioat_redo(chan, failed, status_of(chanerr));
	char causes[256];

	/* That something differs is an answer, not trouble. */
	if (!known || status_of(chanerr) != UDMA_IOAT_MISMATCH) {
		SPDK_WARNLOG(
			"%s: halted at descriptor %" PRIu64 " (CHANERR %#x: %s); %s\n", chan->name,
			chan->completed, chanerr,
			udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)),
			redone  ? "its request is the CPU's, going on behind it"
			: known ? "going on behind its request"
				: "going on behind all that was announced, for it is not known "
				  "which");
	}
	if (!redone) {
		condemn_up_to(chan, failed, behind, chanerr);
	}
	skip_to(chan, behind);
}

static void take_out_of_use(struct spdk_ioat_chan *chan, enum udma_ioat_status status,
			    const char *what, uint64_t untouched);

/**
 * Fails at a halt. The request at fault ends with its cause, the others because of it; except what
 * the CPU can carry out instead: an engine that has halted at a known place has not done so.
 */
static void
fail_at_halt(struct spdk_ioat_chan *chan, bool known, uint32_t chanerr, const char *what)
{
	enum udma_ioat_status status = status_of(chanerr);
	uint64_t failed = first_open(chan);

	/* One of the CPU's, which is not at fault, is not done yet. */
	if (udma_ioat_is_outstanding(chan) &&
	    !(request_at(chan, failed)->fate.what & UDMA_IOAT_ON_CPU) &&
	    !(known && udma_ioat_hand_over(chan, failed, status))) {
		condemn(chan, failed, status, chanerr);
	}
	take_out_of_use(chan, UDMA_IOAT_FAILED, what, known ? chan->completed : chan->announced);
}

void
udma_ioat_recover(struct spdk_ioat_chan *chan, bool address_is_known, uint32_t chanerr)
{
	if (udma_ioat_is_gone(chan)) {
		udma_ioat_fail(chan, UDMA_IOAT_GONE, "the device is gone");
		return;
	}
	/* A status names the first slot of two (section 6.3). */
	if (chan->completed != chan->base && chan->completed < chan->announced &&
	    udma_ioat_extends(udma_ioat_slot(chan, chan->completed - 1))) {
		skip_to(chan, chan->completed + 1);
	}
	note_trouble(chan, chanerr);
	if (is_hopeless(chan, chanerr)) {
		fail_at_halt(chan, address_is_known, chanerr, "the channel halts again and again");
		return;
	}
	if (udma_ioat_reset_engine(chan) != 0) {
		fail_at_halt(chan, address_is_known, chanerr, "the channel cannot be restarted");
		return;
	}
	chan->recoveries++;
	/* With nothing outstanding there is nobody to blame. */
	if (udma_ioat_is_outstanding(chan)) {
		blame(chan, chanerr, address_is_known);
	}
	chan->halted_at = chan->completed;
	go_on(chan);
}

/* ---- Giving up ---- */

/** What an engine that was stopped has finished is what the last word that it has stored says. */
static void
take_last_word(struct spdk_ioat_chan *chan)
{
	uint64_t word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);

	if (!udma_ioat_is_far(udma_ioat_newly_completed(chan, word))) {
		udma_ioat_advance(chan, word);
	}
}

void
udma_ioat_skip_to_head(struct spdk_ioat_chan *chan)
{
	count_outstanding(chan);
	chan->before.descriptors += chan->head - chan->announced;
	__atomic_store_n(&chan->announced, chan->head, __ATOMIC_RELEASE);
	__atomic_store_n(&chan->completed, chan->head, __ATOMIC_RELEASE);
}

/**
 * Ends everything from a request on, except what the CPU can carry out instead. Behind the fence of
 * one that has failed, that ends as well.
 */
static void
condemn_or_keep(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status,
		uint64_t untouched)
{
	bool failed = false, behind = false;

	for (; index != chan->request_head; index++) {
		if (!udma_ioat_becomes_cpus(chan, index, untouched)) {
			condemn(chan, index, status, 0);
			failed = true;
		} else if (behind) {
			condemn(chan, index, UDMA_IOAT_ABORTED, 0);
		}
		behind = behind ||
			 (failed && (request_at(chan, index)->fate.what & UDMA_IOAT_FENCED));
	}
}

/** \param untouched from this position on the engine has carried out nothing. */
static void
give_up(struct spdk_ioat_chan *chan, enum udma_ioat_status status, uint64_t untouched)
{
	/* Whoever hears that a request has ended may use its memory for something else. */
	if (!udma_ioat_engine_stops(chan)) {
		SPDK_ERRLOG("%s: the engine cannot be stopped and may still write to the memory of "
			    "requests that have failed\n",
			    chan->name);
		untouched = chan->announced;
	}
	take_last_word(chan);
	chan->trouble.at = chan->completed;
	if (status == UDMA_IOAT_ABORTED) {
		condemn_from(chan, first_open(chan), status, 0);
	} else {
		condemn_or_keep(chan, first_open(chan), status, untouched);
	}
	udma_ioat_skip_to_head(chan);
}

void
udma_ioat_give_up(struct spdk_ioat_chan *chan, enum udma_ioat_status status)
{
	give_up(chan, status, chan->announced);
}

/** Its trouble has been noted. */
static void
take_out_of_use(struct spdk_ioat_chan *chan, enum udma_ioat_status status, const char *what,
		uint64_t untouched)
{
	bool gone = udma_ioat_is_gone(chan);
	uint64_t first = first_open(chan);
	int error = gone || status == UDMA_IOAT_GONE ? -ENODEV : -EIO;
	char causes[256];

	SPDK_ERRLOG("%s: %s (CHANERR %#x: %s) after %" PRIu64 " descriptors; %" PRIu64
		    " requests were outstanding and new ones are refused: udma_ioat_reset() it, or "
		    "detach it and probe again\n",
		    chan->name, gone ? "the device is gone" : what, chan->trouble.chanerr,
		    udma_ioat_chanerr_text(chan->trouble.chanerr, causes, sizeof(causes)),
		    chan->completed, chan->request_head - first);
	chan->halt.awaits_cause = false;
	chan->error = error;
	/* What detaches the channel already has said why. */
	udma_ioat_refuse(chan, chan->refuse ? chan->refuse : error);
	__atomic_store_n(&chan->failed, true, __ATOMIC_RELEASE);
	udma_ioat_take_care(chan);
	give_up(chan, gone ? UDMA_IOAT_GONE : status, untouched);
}

void
udma_ioat_fail(struct spdk_ioat_chan *chan, enum udma_ioat_status status, const char *what)
{
	note_trouble(chan, udma_ioat_is_gone(chan) ? 0 : read_chanerr(chan->bar));
	take_out_of_use(chan, status, what, chan->announced);
}

/* ---- On demand ---- */

/** \return what a channel that has failed returns; 0. */
static int
error_of(const struct spdk_ioat_chan *chan)
{
	return chan->failed ? chan->error : 0;
}

int
udma_ioat_drain(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	uint64_t start = spdk_get_ticks();
	uint64_t limit = udma_ioat_ticks_of_us(timeout_us);
	uint64_t last = chan->request_head; /* callbacks may build more */
	bool in_time = true;

	spdk_ioat_flush(chan);
	chan->depth++;
	while (chan->request_tail < last && in_time) {
		/* Errors are for the polls of whoever has built what has failed. */
		chan->kept += spdk_ioat_process_events(chan) < 0;
		in_time = spdk_get_ticks() - start < limit;
	}
	if (chan->kept > 0 && !chan->failed) {
		chan->untold += chan->kept;
		chan->error = -EIO;
	}
	chan->kept = 0;
	return udma_ioat_leave(chan, chan->failed                ? chan->error
				     : chan->request_tail < last ? -ETIMEDOUT
								 : 0);
}

/** Ends everything that has not finished; the channel goes on. */
static void
abort_all(struct spdk_ioat_chan *chan)
{
	uint64_t first;

	if (udma_ioat_reset_engine(chan) != 0) {
		udma_ioat_fail(chan, UDMA_IOAT_ABORTED, "the engine cannot be stopped");
		return;
	}
	take_last_word(chan);
	first = first_open(chan);
	condemn_from(chan, first, UDMA_IOAT_ABORTED, 0);
	for (; first != chan->request_head; first++) {
		request_at(chan, first)->fate.what |= UDMA_IOAT_SILENT;
	}
	udma_ioat_skip_to_head(chan);
	udma_ioat_arm(chan, chan->head);
}

int
udma_ioat_abort(struct spdk_ioat_chan *chan)
{
	if (chan->detached) {
		return -ESHUTDOWN;
	}
	if (!chan->failed) {
		abort_all(chan);
	}
	chan->depth++;
	udma_ioat_call_back(chan);
	return udma_ioat_leave(chan, error_of(chan));
}

/** From the engine's reset on, as at attach. */
static int
bring_back(struct spdk_ioat_chan *chan)
{
	int rc = udma_ioat_reset_hard(chan);

	if (rc == 0) {
		/* A last resort may have taken it away, or a reset of the function. */
		rc = udma_ioat_enable_bus_mastering(chan);
	}
	if (rc != 0) {
		return rc;
	}
	udma_ioat_accept(chan);
	chan->error = 0;
	chan->untold = chan->kept = 0;
	chan->halts = chan->halt.causeless = 0;
	__atomic_store_n(&chan->failed, false, __ATOMIC_RELEASE);
	udma_ioat_take_care(chan);
	rc = udma_ioat_start(chan);
	chan->before.descriptors++;
	chan->before.doorbells++;
	if (rc != 0) {
		chan->error = rc;
		udma_ioat_refuse(chan, rc);
		__atomic_store_n(&chan->failed, true, __ATOMIC_RELEASE);
		udma_ioat_take_care(chan);
		udma_ioat_engine_stops(chan);
		return rc;
	}
	chan->recoveries++;
	return 0;
}

int
udma_ioat_reset(struct spdk_ioat_chan *chan)
{
	int rc;

	if (chan->refuse == -ESHUTDOWN) {
		return -ESHUTDOWN;
	}
	if (!chan->failed) {
		return udma_ioat_abort(chan);
	}
	chan->depth++;
	udma_ioat_call_back(chan);
	rc = udma_ioat_leave(chan, 0);
	/* A callback may have detached it, or reset it. */
	if (rc != 0 || !chan->failed) {
		return rc;
	}
	if (udma_ioat_is_gone(chan)) {
		SPDK_ERRLOG("%s: the channel cannot be reset: the device is gone\n", chan->name);
		return -ENODEV;
	}
	rc = bring_back(chan);
	/* What callbacks have built above for the CPU. */
	chan->depth++;
	udma_ioat_call_back(chan);
	return udma_ioat_leave(chan, rc);
}

enum udma_ioat_state
udma_ioat_get_state(const struct spdk_ioat_chan *chan)
{
	return chan->failed ? UDMA_IOAT_HAS_FAILED : UDMA_IOAT_RUNNING;
}
