/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The hot path: building descriptors, the doorbell, and finding out what has finished.
 *
 * A request is written into free slots first and becomes part of the ring by moving `head` at the
 * end, so that one that cannot be built leaves nothing behind. Slots that were not announced by the
 * doorbell are ours (section 8 of the hardware reference).
 */

#include "channel.h"

#include "spdk/likely.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "udma/ioat.h"

/* Control word of a descriptor (section 6.1). */
#define CONTROL_COMPLETION_UPDATE (1u << 3)
#define CONTROL_NULL              (1u << 5)
#define CONTROL_OP_SHIFT          24
#define CONTROL_FILL              ((uint32_t)SPDK_IOAT_OP_FILL << CONTROL_OP_SHIFT)

/* A null descriptor's size is not used, but 0 would be an error (section 7). */
#define NULL_SIZE 8

/* A stalled channel is looked at this often: "noticed within a millisecond of polling". */
#define LOOKS_PER_SECOND 2000

#define RING_MASK ((uint64_t)UDMA_IOAT_RING_SIZE - 1)

static inline union spdk_ioat_hw_desc *
slot_at(const struct spdk_ioat_chan *chan, uint64_t position)
{
	return &chan->ring[position & RING_MASK];
}

static inline void
write_descriptor(struct spdk_ioat_chan *chan, uint64_t position, uint32_t size, uint32_t control,
		 uint64_t source, uint64_t destination)
{
	union spdk_ioat_hw_desc *desc = slot_at(chan, position);

	/* The first 8 bytes in one store; `next` was written when the ring was made. */
	desc->raw.field[0] = (uint64_t)control << 32 | size;
	desc->dma.src_addr = source;
	desc->dma.dest_addr = destination;
}

/** Makes the descriptors up to `end` a request. */
static inline void
commit(struct spdk_ioat_chan *chan, uint64_t end, spdk_ioat_req_cb cb_fn, void *cb_arg)
{
	struct udma_ioat_request *request = &chan->requests[chan->request_head & RING_MASK];

	request->cb_fn = cb_fn;
	request->cb_arg = cb_arg;
	request->end = end;
	chan->request_head++;
	chan->head = end;
}

/** Why a request that met `limit` is refused. */
static int __attribute__((noinline, cold)) no_room(struct spdk_ioat_chan *chan, uint64_t nbytes)
{
	if (chan->refuse) {
		return chan->refuse;
	}
	if (chan->limit - chan->head == RING_MASK) {
		SPDK_ERRLOG("%s: a request of %" PRIu64 " bytes needs more than the ring's %u "
			    "descriptors: submit it in parts\n",
			    chan->name, nbytes, UDMA_IOAT_RING_SIZE - 1);
		return -E2BIG;
	}
	/* Without this a caller who polls and tries again would wait for descriptors that the
	 * engine has never been told of. */
	spdk_ioat_flush(chan);
	return -ENOMEM;
}

static int __attribute__((noinline, cold))
not_registered(struct spdk_ioat_chan *chan, const char *what, uint64_t address)
{
	if (chan->refuse) {
		return chan->refuse;
	}
	SPDK_ERRLOG("%s: the %s at %#" PRIx64 " is not registered memory: use spdk_mem_register() "
		    "or memory from spdk_dma_malloc()\n",
		    chan->name, what, address);
	return -EINVAL;
}

static int
build_null_request(struct spdk_ioat_chan *chan, spdk_ioat_req_cb cb_fn, void *cb_arg)
{
	uint64_t position = chan->head;

	if (position == chan->limit) {
		return no_room(chan, 0);
	}
	write_descriptor(chan, position, NULL_SIZE, CONTROL_NULL, 0, 0);
	commit(chan, position + 1, cb_fn, cb_arg);
	return 0;
}

void
udma_ioat_build_null(struct spdk_ioat_chan *chan)
{
	write_descriptor(chan, chan->head++, NULL_SIZE, CONTROL_NULL, 0, 0);
}

int
spdk_ioat_build_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     const void *src, uint64_t nbytes)
{
	uint64_t destination = (uint64_t)(uintptr_t)dst;
	uint64_t source = (uint64_t)(uintptr_t)src;
	uint64_t left = nbytes;
	uint64_t position = chan->head;

	if (spdk_unlikely(nbytes == 0)) {
		return build_null_request(chan, cb_fn, cb_arg);
	}
	do {
		uint64_t piece = spdk_min(left, chan->max_piece);
		uint64_t source_iova = udma_translate(&chan->source, source, &piece);
		uint64_t destination_iova = udma_translate(&chan->destination, destination, &piece);

		if (spdk_unlikely(source_iova == SPDK_VTOPHYS_ERROR)) {
			return not_registered(chan, "source", source);
		}
		if (spdk_unlikely(destination_iova == SPDK_VTOPHYS_ERROR)) {
			return not_registered(chan, "destination", destination);
		}
		if (spdk_unlikely(position == chan->limit)) {
			return no_room(chan, nbytes);
		}
		write_descriptor(chan, position, (uint32_t)piece, 0, source_iova, destination_iova);
		position++;
		source += piece;
		destination += piece;
		left -= piece;
	} while (spdk_unlikely(left > 0));

	commit(chan, position, cb_fn, cb_arg);
	return 0;
}

/** The pattern whose byte i is byte (i + count) mod 8 of `pattern`. */
static inline uint64_t
rotate_bytes(uint64_t pattern, uint64_t count)
{
	unsigned bits = (unsigned)(count & 7) * 8;

	return bits == 0 ? pattern : pattern >> bits | pattern << (64 - bits);
}

int
spdk_ioat_build_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     uint64_t fill_pattern, uint64_t nbytes)
{
	uint64_t start = (uint64_t)(uintptr_t)dst;
	uint64_t position = chan->head;
	uint64_t done = 0;

	if (spdk_unlikely(!(chan->dma_capabilities & SPDK_IOAT_ENGINE_FILL_SUPPORTED) ||
			  (chan->fill_anchor == UDMA_IOAT_FILL_UNKNOWN && start % 8 != 0))) {
		return chan->refuse ? chan->refuse : -ENOTSUP;
	}
	if (spdk_unlikely(nbytes == 0)) {
		return build_null_request(chan, cb_fn, cb_arg);
	}
	do {
		uint64_t piece = spdk_min(nbytes - done, chan->max_piece);
		uint64_t iova = udma_translate(&chan->destination, start + done, &piece);
		uint64_t pattern;

		if (spdk_unlikely(iova == SPDK_VTOPHYS_ERROR)) {
			return not_registered(chan, "destination", start + done);
		}
		if (spdk_unlikely(position == chan->limit)) {
			return no_room(chan, nbytes);
		}
		/* Each piece starts where the one before ended in the pattern; an engine that
		 * counts from a multiple of 8 gets the pattern turned back by what it skips. */
		pattern = rotate_bytes(fill_pattern, done);
		if (chan->fill_anchor == UDMA_IOAT_FILL_AT_MULTIPLE_OF_8) {
			pattern = rotate_bytes(pattern, 8 - iova % 8);
		}
		write_descriptor(chan, position, (uint32_t)piece, CONTROL_FILL, pattern, iova);
		position++;
		done += piece;
	} while (spdk_unlikely(done < nbytes));

	commit(chan, position, cb_fn, cb_arg);
	return 0;
}

int
spdk_ioat_submit_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		      const void *src, uint64_t nbytes)
{
	int rc = spdk_ioat_build_copy(chan, cb_arg, cb_fn, dst, src, nbytes);

	if (rc == 0) {
		spdk_ioat_flush(chan);
	}
	return rc;
}

int
spdk_ioat_submit_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		      uint64_t fill_pattern, uint64_t nbytes)
{
	int rc = spdk_ioat_build_fill(chan, cb_arg, cb_fn, dst, fill_pattern, nbytes);

	if (rc == 0) {
		spdk_ioat_flush(chan);
	}
	return rc;
}

void
spdk_ioat_flush(struct spdk_ioat_chan *chan)
{
	uint64_t head = chan->head;

	if (head == chan->announced || spdk_unlikely(chan->error)) {
		return;
	}
	/* One completion for the batch; the engine reads the slot only after the doorbell. */
	slot_at(chan, head - 1)->dma.u.control_raw |= CONTROL_COMPLETION_UPDATE;
	/* Before the doorbell, so that whoever removes memory waits for it (quiesce.c). */
	__atomic_store_n(&chan->announced, head, __ATOMIC_RELEASE);
	/* Modulo 65536, as the register counts (section 8). */
	write_dmacount(chan->bar, (uint16_t)head);
	chan->doorbells++;
}

void
udma_ioat_refuse(struct spdk_ioat_chan *chan, int error)
{
	chan->refuse = error;
	chan->limit = chan->head;
}

/** The engine stores the word first and shows the registers afterwards (section 9). */
static uint32_t
cause_of_halt(const struct spdk_ioat_chan *chan)
{
	uint64_t end = spdk_get_ticks() + spdk_get_ticks_hz() / LOOKS_PER_SECOND;
	uint32_t chanerr;

	do {
		chanerr = read_chanerr(chan->bar);
	} while (chanerr == 0 && spdk_get_ticks() < end);
	return chanerr;
}

void
udma_ioat_fail(struct spdk_ioat_chan *chan, int error, const char *what)
{
	uint32_t chanerr = error == -ENODEV ? 0 : cause_of_halt(chan);
	uint64_t lost = chan->request_head - chan->request_tail;
	char causes[256];

	for (uint64_t i = chan->request_tail;
	     i != chan->request_head && chan->requests[i & RING_MASK].end <= chan->completed; i++) {
		lost--;
	}
	SPDK_ERRLOG(
		"%s: %s (CHANERR %#x: %s) after %" PRIu64 " descriptors; %" PRIu64
		" requests are lost and new ones are refused: detach the channel and probe again\n",
		chan->name, what, chanerr, udma_ioat_chanerr_text(chanerr, causes, sizeof(causes)),
		chan->completed, lost);
	chan->error = error;
	/* What detaches the channel already has said why. */
	udma_ioat_refuse(chan, chan->refuse ? chan->refuse : error);
	__atomic_store_n(&chan->failed, true, __ATOMIC_RELEASE);
	__atomic_store_n(&chan->announced, chan->completed, __ATOMIC_RELEASE);
}

/**
 * Takes in a completion or status address (section 9): the last descriptor that has succeeded.
 *
 * \return false if it is not one of those outstanding, nor the one reported last.
 */
static bool
advance(struct spdk_ioat_chan *chan, uint64_t word)
{
	uint64_t into = (word & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK) - chan->ring_iova;
	uint64_t newly;

	if (into >= (uint64_t)UDMA_IOAT_RING_SIZE * sizeof(union spdk_ioat_hw_desc)) {
		return false;
	}
	newly = (into / sizeof(union spdk_ioat_hw_desc) + 1 - chan->completed) & RING_MASK;
	if (newly > chan->announced - chan->completed) {
		return false;
	}
	__atomic_store_n(&chan->completed, chan->completed + newly, __ATOMIC_RELEASE);
	return true;
}

/** Calls the callbacks of what has completed. Each may submit, poll and detach. */
static int
call_back(struct spdk_ioat_chan *chan)
{
	int count = 0;
	int error;

	chan->depth++;
	while (chan->request_tail != chan->request_head) {
		struct udma_ioat_request request = chan->requests[chan->request_tail & RING_MASK];

		if (request.end > chan->completed) {
			break;
		}
		/* First the slot is free and the request is over, then it is told. */
		chan->request_tail++;
		chan->limit = chan->refuse ? chan->head : request.end + RING_MASK;
		count++;
		if (request.cb_fn != NULL) {
			request.cb_fn(request.cb_arg);
		}
	}
	error = chan->error;
	if (--chan->depth == 0 && spdk_unlikely(chan->detached)) {
		udma_ioat_free(chan);
	}
	return count > 0 ? count : error;
}

/** The completion word has changed. */
static int __attribute__((noinline)) take_completion(struct spdk_ioat_chan *chan, uint64_t word)
{
	unsigned state = word & SPDK_IOAT_CHANSTS_STATUS;

	chan->seen = word;
	chan->stalled = false;
	if (spdk_unlikely(chan->error)) {
		return call_back(chan);
	}
	/* A channel that halts on its first descriptor reports address 0 (section 9). */
	if (spdk_unlikely(word == SPDK_IOAT_CHANSTS_HALTED)) {
		udma_ioat_fail(chan, -EIO, "the channel halted");
	} else if (spdk_unlikely(!advance(chan, word))) {
		udma_ioat_fail(chan, -EIO,
			       "the completion word holds an address that is not "
			       "outstanding");
		/* The engine may be at work still; removals of memory wait for its end (quiesce.c).
		 */
		write_chancmd(chan->bar, SPDK_IOAT_CHANCMD_RESET);
	} else if (spdk_unlikely(state == SPDK_IOAT_CHANSTS_HALTED)) {
		udma_ioat_fail(chan, -EIO, "the channel halted");
	}
	return call_back(chan);
}

/** Looks at the status register of a channel that has been making no progress. */
static int __attribute__((noinline, cold)) look(struct spdk_ioat_chan *chan)
{
	uint64_t status = read_chansts(chan->bar);
	uint64_t word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);

	/* It may have been stored since the poll loaded it, just before the halt. */
	if (word != chan->seen) {
		return take_completion(chan, word);
	}
	if (status == UINT64_MAX || spdk_pci_device_is_removed(chan->device)) {
		udma_ioat_fail(chan, -ENODEV, "the device is gone");
	} else if ((status & SPDK_IOAT_CHANSTS_STATUS) == SPDK_IOAT_CHANSTS_HALTED) {
		/* The halt was not pushed to memory. Where the register can be read in one piece
		 * its address says what had finished (section 13, torn status). */
		if (chan->version >= SPDK_IOAT_VER_3_3) {
			advance(chan, status);
		}
		udma_ioat_fail(chan, -EIO, "the channel halted");
	} else {
		return 0;
	}
	return call_back(chan);
}

/** The completion word has not changed, and descriptors are outstanding. */
static int __attribute__((noinline)) wait_or_look(struct spdk_ioat_chan *chan)
{
	uint64_t now = spdk_get_ticks();

	if (!chan->stalled || now >= chan->look_at) {
		bool first = !chan->stalled;

		chan->stalled = true;
		chan->look_at = now + spdk_get_ticks_hz() / LOOKS_PER_SECOND;
		return first ? 0 : look(chan);
	}
	return 0;
}

int
spdk_ioat_process_events(struct spdk_ioat_chan *chan)
{
	/* Acquire: what the engine stored before the word is read after it. */
	uint64_t word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);

	if (word != chan->seen) {
		return take_completion(chan, word);
	}
	/* In a callback: the poll that called it has taken in more than it has called back. */
	if (spdk_unlikely(chan->depth > 0) && chan->request_tail != chan->request_head &&
	    chan->requests[chan->request_tail & RING_MASK].end <= chan->completed) {
		return call_back(chan);
	}
	if (spdk_likely(chan->completed == chan->announced)) {
		return chan->error;
	}
	return wait_or_look(chan);
}

uint32_t
spdk_ioat_get_dma_capabilities(struct spdk_ioat_chan *chan)
{
	return chan->dma_capabilities;
}

uint32_t
spdk_ioat_get_max_descriptors(struct spdk_ioat_chan *chan)
{
	(void)chan;
	return UDMA_IOAT_RING_SIZE;
}

void
udma_ioat_get_stats(const struct spdk_ioat_chan *chan, struct udma_ioat_stats *stats)
{
	stats->requests = chan->request_head - chan->before.requests;
	stats->completed = chan->request_tail - chan->before.completed;
	stats->descriptors = chan->announced - chan->before.descriptors;
	stats->doorbells = chan->doorbells - chan->before.doorbells;
}
