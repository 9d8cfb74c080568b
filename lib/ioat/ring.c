/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The hot path behind building (build.c): the doorbell, and finding out what has finished.
 */

#include "record.h"

/**
 * Whether a descriptor may ask for a completion. One of XOR or P+Q may not: its request ends in one
 * that does (parity.c); and its extension has an address where the control word would be.
 */
static bool
may_complete(const struct spdk_ioat_chan *chan, uint64_t position)
{
	return udma_ioat_slot(chan, position)->generic.u.control.op < SPDK_IOAT_OP_XOR &&
	       !udma_ioat_extends(udma_ioat_slot(chan, position - 1));
}

/** Asks for a completion of every k-th of the descriptors that a doorbell is about to announce. */
static void
mark_every(struct spdk_ioat_chan *chan, uint64_t head)
{
	uint64_t every = chan->complete_every;

	for (uint64_t at = chan->announced + every - 1; at < head; at += every) {
		while (!may_complete(chan, at)) {
			at++;
		}
		udma_ioat_slot(chan, at)->dma.u.control_raw |= chan->last_control;
	}
}

/** Tells the engine of the descriptors up to `head`, of which there are some. */
static inline void
announce(struct spdk_ioat_chan *chan, uint64_t head)
{
	/* One completion for the batch; the engine reads the slot only after the doorbell. */
	udma_ioat_slot(chan, head - 1)->dma.u.control_raw |= chan->last_control;
	/* Before the doorbell, so that whoever removes memory waits for it (quiesce.c). */
	__atomic_store_n(&chan->announced, head, __ATOMIC_RELEASE);
	/* Since the engine was armed, and modulo 65536, as the register counts (section 8). */
	write_dmacount(chan->bar, (uint16_t)(head - chan->base));
	chan->doorbells++;
}

/** Where a flush may not simply announce all. */
static void __attribute__((noinline, cold)) flush_carefully(struct spdk_ioat_chan *chan)
{
	uint64_t head = chan->head;

	if (chan->failed) {
		return;
	}
	if (chan->held) {
		/* After an abort all has been dropped that was announced, and what was not. */
		chan->flush_held = chan->hold < head;
		head = spdk_max(chan->announced, spdk_min(head, chan->hold));
	}
	if (chan->complete_every != 0) {
		mark_every(chan, head);
	}
	if (head != chan->announced) {
		announce(chan, head);
		udma_ioat_look_asleep(chan);
	}
}

void
udma_ioat_take_care(struct spdk_ioat_chan *chan)
{
	chan->careful = chan->failed || chan->held || chan->complete_every != 0 ||
			(chan->waiting.on && chan->waiting.tick_us == 0);
}

void
spdk_ioat_flush(struct spdk_ioat_chan *chan)
{
	if (spdk_unlikely(chan->careful)) {
		flush_carefully(chan);
	} else if (chan->head != chan->announced) {
		announce(chan, chan->head);
	}
}

void
udma_ioat_refuse(struct spdk_ioat_chan *chan, int error)
{
	chan->refuse = error;
	chan->cap = chan->limit = chan->head;
}

void
udma_ioat_accept(struct spdk_ioat_chan *chan)
{
	chan->refuse = 0;
	chan->cap = UINT64_MAX;
}

static inline __attribute__((always_inline)) void
advance(struct spdk_ioat_chan *chan, uint64_t newly)
{
	uint64_t outstanding = chan->announced - chan->completed;

	/* Between two completions they only become more. */
	if (spdk_unlikely(outstanding > chan->high_water)) {
		chan->high_water = outstanding;
	}
	__atomic_store_n(&chan->completed, chan->completed + newly, __ATOMIC_RELEASE);
}

bool
udma_ioat_advance(struct spdk_ioat_chan *chan, uint64_t address)
{
	uint64_t newly = udma_ioat_newly_completed(chan, address);

	if (newly == UDMA_IOAT_NOT_OUTSTANDING) {
		return false;
	}
	advance(chan, newly);
	return true;
}

/** The bytes that the first descriptors of a request, which is over, have moved. */
static uint64_t
bytes_of(const struct spdk_ioat_chan *chan, uint64_t from, uint64_t to)
{
	uint64_t bytes = 0;

	for (; from < to; from++) {
		const union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, from);

		if (!udma_ioat_is_null(desc)) {
			bytes += desc->generic.size;
		}
		from += udma_ioat_extends(desc);
	}
	return bytes;
}

/** What there is to tell of a request. Its slots are read, so they must not be free yet. */
static struct udma_ioat_result
result_of(const struct spdk_ioat_chan *chan, const struct udma_ioat_request *request)
{
	uint64_t start = chan->requests[(chan->request_tail - 1) & UDMA_IOAT_RING_MASK].end;
	uint64_t end =
		request->fate.status == UDMA_IOAT_OK ? request->end : start + request->fate.done;

	return (struct udma_ioat_result){
		.status = request->fate.status,
		.chanerr = request->fate.chanerr,
		.bytes = bytes_of(chan, start, end),
	};
}

/** The oldest request is over, and its slots are free. */
static inline void
release(struct spdk_ioat_chan *chan, uint64_t end)
{
	chan->request_tail++;
	chan->limit = spdk_min(end + UDMA_IOAT_RING_MASK, chan->cap);
}

/**
 * Ends the oldest request, which has more to tell than that it has succeeded.
 *
 * \return whether it counts as an event: a failed one of SPDK's is an error of a poll instead.
 */
static bool __attribute__((noinline)) end_request(struct spdk_ioat_chan *chan)
{
	uint64_t index = chan->request_tail;
	const struct udma_ioat_request *oldest = &chan->requests[index & UDMA_IOAT_RING_MASK];
	struct udma_ioat_request request;
	struct udma_ioat_result result;

	if (oldest->fate.what & UDMA_IOAT_ON_CPU) {
		udma_ioat_carry_out(chan, index);
	}
	request = *oldest;
	result = result_of(chan, &request);
	if (request.fate.what & UDMA_IOAT_RECORDED) {
		udma_ioat_close_record(chan, &request, &result);
	}
	release(chan, request.end);
	if (request.fate.what & UDMA_IOAT_FENCED) {
		udma_ioat_fence_has_ended(chan, index);
	}
	if (result.status != UDMA_IOAT_OK) {
		chan->errors[result.status]++;
		if (!(request.fate.what & UDMA_IOAT_TELLS_STATUS)) {
			if (!(request.fate.what & UDMA_IOAT_SILENT) && !chan->failed) {
				chan->untold++;
				chan->error = -EIO;
			}
			return false;
		}
	}
	if (request.cb_fn != NULL) {
		((udma_ioat_cb)(uintptr_t)request.cb_fn)(request.cb_arg, &result);
	}
	return true;
}

/** What a poll returns that has found nothing else: once for each request, unless failed. */
static int
take_error(struct spdk_ioat_chan *chan)
{
	int error = chan->error;

	if (!chan->failed && error != 0 && --chan->untold == 0) {
		chan->error = 0;
	}
	return error;
}

/** \return how many ended well, or were told how they ended. */
static inline int
call_back(struct spdk_ioat_chan *chan)
{
	int count = 0;

	while (chan->request_tail != chan->request_head) {
		const struct udma_ioat_request *request =
			&chan->requests[chan->request_tail & UDMA_IOAT_RING_MASK];
		spdk_ioat_req_cb cb_fn = request->cb_fn;
		void *cb_arg = request->cb_arg;
		uint64_t end = request->end;

		if (end > chan->completed) {
			break;
		}
		if (spdk_unlikely(request->fate.all != 0)) {
			count += end_request(chan);
			continue;
		}
		/* First the slot is free and the request is over, then it is told. */
		release(chan, end);
		count++;
		if (cb_fn != NULL) {
			cb_fn(cb_arg);
		}
	}
	return count;
}

void
udma_ioat_call_back(struct spdk_ioat_chan *chan)
{
	if (chan->failed) {
		udma_ioat_skip_to_head(chan); /* the CPU waits for nobody */
	}
	call_back(chan);
}

int
udma_ioat_leave(struct spdk_ioat_chan *chan, int rc)
{
	bool detached = chan->detached;

	if (--chan->depth == 0 && detached) {
		udma_ioat_free(chan);
	}
	return detached ? -ESHUTDOWN : rc;
}

/** In line where polls end: six instructions less for each. */
static inline int
report(struct spdk_ioat_chan *chan)
{
	int count;

	chan->depth++;
	count = call_back(chan);
	if (count == 0) {
		count = take_error(chan);
	}
	if (--chan->depth == 0 && spdk_unlikely(chan->detached)) {
		udma_ioat_free(chan);
	}
	return count;
}

int
udma_ioat_report(struct spdk_ioat_chan *chan)
{
	return report(chan);
}

/** A poll in a callback, or where there is an error to be told. */
static int __attribute__((noinline)) poll_specially(struct spdk_ioat_chan *chan)
{
	if (chan->failed) {
		udma_ioat_skip_to_head(chan); /* the CPU waits for nobody */
		return report(chan);
	}
	if (chan->halt.awaits_cause) {
		/* First that, then what is to be told. */
		return udma_ioat_watch(chan);
	}
	/* In a callback: the poll that called it has taken in more than it has called back. */
	if (chan->error ||
	    (chan->request_tail != chan->request_head &&
	     chan->requests[chan->request_tail & UDMA_IOAT_RING_MASK].end <= chan->completed)) {
		return report(chan);
	}
	return udma_ioat_is_outstanding(chan) ? udma_ioat_watch(chan) : 0;
}

/** The completion word has changed, and its address is far ahead or none that is outstanding. */
static int __attribute__((noinline, cold))
take_odd_completion(struct spdk_ioat_chan *chan, uint64_t word, uint64_t newly)
{
	if (udma_ioat_is_far(newly)) {
		/* If it is true, the engine finishes the rest as well, and says so; or has halted,
		 * and its status does. It has interrupted. */
		if (udma_ioat_take_idle_status(chan, read_chansts(chan->bar))) {
			return report(chan);
		}
		if ((word & SPDK_IOAT_CHANSTS_STATUS) == SPDK_IOAT_CHANSTS_HALTED &&
		    chan->waiting.on) {
			udma_ioat_kick(&chan->waiting);
		}
		return poll_specially(chan);
	}
	chan->seen = word;
	chan->stalled = false;
	if (!chan->failed && word == SPDK_IOAT_CHANSTS_HALTED) {
		/* Nothing was good since the engine was armed (section 9). */
		return udma_ioat_meet_halt(chan, chan->completed == chan->base);
	}
	if (!chan->failed) {
		udma_ioat_fail(chan, UDMA_IOAT_UNKNOWN,
			       "the completion word holds an address that is not outstanding");
	}
	return report(chan);
}

/** The completion word has changed. */
static inline __attribute__((always_inline)) int
take_completion(struct spdk_ioat_chan *chan, uint64_t word)
{
	unsigned state = word & SPDK_IOAT_CHANSTS_STATUS;
	uint64_t newly = udma_ioat_newly_completed(chan, word);

	if (spdk_unlikely(newly > UDMA_IOAT_NEAR)) {
		return take_odd_completion(chan, word, newly);
	}
	chan->seen = word;
	chan->stalled = false;
	advance(chan, newly);
	if (spdk_unlikely(state == SPDK_IOAT_CHANSTS_HALTED) && !chan->failed) {
		return udma_ioat_meet_halt(chan, true);
	}
	return report(chan);
}

int
udma_ioat_take_completion(struct spdk_ioat_chan *chan, uint64_t word)
{
	return take_completion(chan, word);
}

int
spdk_ioat_process_events(struct spdk_ioat_chan *chan)
{
	/* Acquire: what the engine stored before the word is read after it. */
	uint64_t word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);

	if (word != chan->seen) {
		return udma_ioat_take_completion(chan, word);
	}
	chan->empty_polls++;
	if (spdk_unlikely((chan->depth | (unsigned)chan->error) != 0)) {
		return poll_specially(chan);
	}
	return spdk_unlikely(udma_ioat_is_outstanding(chan)) ? udma_ioat_watch(chan) : 0;
}

int
udma_ioat_wait(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	uint64_t word;
	int rc;

	if (chan->head != chan->announced) {
		spdk_ioat_flush(chan);
	}
	/* A poll. Under load this is all. */
	word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);
	rc = spdk_likely(word != chan->seen) ? take_completion(chan, word)
					     : spdk_ioat_process_events(chan);
	/* After callbacks the channel may be gone. */
	if (rc != 0 || chan->request_tail == chan->request_head) {
		return rc;
	}
	return udma_ioat_sleep(chan, timeout_us);
}

uint32_t
spdk_ioat_get_dma_capabilities(struct spdk_ioat_chan *chan)
{
	return chan != NULL ? chan->dma_capabilities : 0;
}

uint32_t
spdk_ioat_get_max_descriptors(struct spdk_ioat_chan *chan)
{
	(void)chan;
	return UDMA_IOAT_RING_SIZE;
}
