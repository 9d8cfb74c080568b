/* SPDX-License-Identifier: BSD-3-Clause */

/* Requests that the CPU carries out where the engine cannot: record.h. */

#include "record.h"

/* Pairs of pieces that are compared before a request is done again. */
#define PAIRS_MAX 65536

static struct udma_ioat_request *
request_at(const struct spdk_ioat_chan *chan, uint64_t index)
{
	return &chan->requests[index & UDMA_IOAT_RING_MASK];
}

static struct udma_ioat_record *
record_of(const struct udma_ioat_request *request)
{
	return request->cb_arg;
}

/** \return a record; NULL: no memory. */
static struct udma_ioat_record *
make_record(const struct udma_ioat_op *op)
{
	bool has_lists = op->kind == UDMA_IOAT_OP_COPYV;
	unsigned dst_count = has_lists ? op->dst_count : 0;
	unsigned src_count = has_lists ? op->src_count : 0;
	struct udma_ioat_record *record =
		calloc(1, sizeof(*record) + ((size_t)dst_count + src_count) * sizeof(struct iovec));

	if (record == NULL) {
		return NULL;
	}
	record->op = *op;
	record->nbytes = op->kind == UDMA_IOAT_OP_NULL ? 0 : op->nbytes;
	if (has_lists) {
		memcpy(record->lists, op->dst_list, dst_count * sizeof(struct iovec));
		memcpy(record->lists + dst_count, op->src_list, src_count * sizeof(struct iovec));
		record->op.dst_list = record->lists;
		record->op.src_list = record->lists + dst_count;
		record->nbytes = 0;
		for (unsigned i = 0; i < dst_count; i++) {
			record->nbytes += op->dst_list[i].iov_len;
		}
	} else if (op->sources != NULL) {
		memcpy(record->sources, op->sources, op->source_count * sizeof(op->sources[0]));
		record->op.sources = record->sources;
	}
	if (op->coefficients != NULL) {
		memcpy(record->coefficients, op->coefficients, op->source_count);
		record->op.coefficients = record->coefficients;
	}
	return record;
}

/* ---- Building ---- */

static int
build_for_cpu(struct spdk_ioat_chan *chan, struct udma_ioat_record *record,
	      struct udma_ioat_listener listener)
{
	/* Not `limit`: that of a channel that has failed lets nobody else in. */
	uint64_t limit = request_at(chan, chan->request_tail - 1)->end + UDMA_IOAT_RING_MASK;

	if (chan->head == limit) {
		return chan->failed ? -ENOMEM : udma_ioat_no_room(chan, 0);
	}
	listener.what |= UDMA_IOAT_ON_CPU;
	chan->cpus++;
	udma_ioat_write_descriptor(chan, chan->head, UDMA_IOAT_NULL_SIZE, UDMA_IOAT_CONTROL_NULL, 0,
				   0);
	udma_ioat_commit(chan, chan->head + 1, record->nbytes, listener);
	if (chan->failed) {
		udma_ioat_refuse(chan, chan->refuse); /* its limit is where it is */
	}
	return 0;
}

/**
 * Whether the engine could not carry out a request even if it had the ring to itself: built for a
 * ring of its own, for the slots of the one that there is are those of the batch before it.
 */
static bool
is_too_large(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op)
{
	struct udma_ioat_request request;
	struct spdk_ioat_chan trial;
	int rc;

	/* The list of channels is not ours alone. */
	memcpy(&trial, chan, offsetof(struct spdk_ioat_chan, link));
	trial.ring = calloc(UDMA_IOAT_RING_SIZE, sizeof(*trial.ring));
	if (trial.ring == NULL) {
		chan->no_memory = true;
		return false;
	}
	trial.requests = &request;
	trial.request_head = trial.head = 0;
	trial.limit = UDMA_IOAT_RING_MASK;
	rc = udma_ioat_build_on_engine(&trial, op, (struct udma_ioat_listener){0});
	free(trial.ring);
	return rc != 0;
}

int
udma_ioat_build_recorded(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op)
{
	struct udma_ioat_record *record = make_record(op);
	struct udma_ioat_listener listener;
	int rc;

	if (record == NULL) {
		chan->no_memory = true;
		return -ENOMEM;
	}
	listener = udma_ioat_listener(op->flags, NULL, record);
	listener.what |= UDMA_IOAT_RECORDED;
	chan->quiet = true;
	rc = udma_ioat_build_on_engine(chan, &record->op, listener);
	if (rc == -ENOMEM && chan->in_batch && chan->alone && is_too_large(chan, &record->op)) {
		rc = -E2BIG;
	}
	chan->quiet = false;
	/* A ring that is full has room soon; a channel that is being detached takes nothing. */
	if (rc != 0 && rc != -ENOMEM && chan->refuse != -ESHUTDOWN) {
		rc = build_for_cpu(chan, record, listener);
	}
	if (rc != 0) {
		free(record);
	}
	return rc;
}

void
udma_ioat_forget_record(struct spdk_ioat_chan *chan, uint64_t index)
{
	const struct udma_ioat_request *request = request_at(chan, index);

	if (request->fate.what & UDMA_IOAT_ON_CPU) {
		chan->cpus--;
	}
	if (request->fate.what & UDMA_IOAT_RECORDED) {
		free(record_of(request));
	}
}

/* ---- Fences ---- */

void
udma_ioat_hold(struct spdk_ioat_chan *chan, uint64_t index)
{
	if (!chan->held) {
		chan->held = true;
		chan->hold_request = index;
		chan->hold = request_at(chan, index)->end;
		udma_ioat_take_care(chan);
	}
}

/** The first fence at or behind the first request that is the CPU's. \return whether there is one.
 */
static bool
find_fence(const struct spdk_ioat_chan *chan, uint64_t *index)
{
	bool behind = false;

	for (uint64_t i = chan->request_tail; i != chan->request_head; i++) {
		behind = behind || (request_at(chan, i)->fate.what & UDMA_IOAT_ON_CPU);
		if (behind && (request_at(chan, i)->fate.what & UDMA_IOAT_FENCED)) {
			*index = i;
			return true;
		}
	}
	return false;
}

void
udma_ioat_fence_has_ended(struct spdk_ioat_chan *chan, uint64_t index)
{
	uint64_t next;

	if (!chan->held || chan->hold_request != index) {
		return;
	}
	chan->held = false;
	if (chan->cpus > 0 && find_fence(chan, &next)) {
		udma_ioat_hold(chan, next);
	}
	udma_ioat_take_care(chan);
	if (chan->flush_held) {
		chan->flush_held = false;
		spdk_ioat_flush(chan);
	}
}

/* ---- Carrying out ---- */

static bool
overlap(const void *a, uint64_t a_bytes, const void *b, uint64_t b_bytes)
{
	uint64_t from_a = (uintptr_t)a, from_b = (uintptr_t)b;

	return from_a < from_b + b_bytes && from_b < from_a + a_bytes;
}

/** Whether they may. Long lists are not compared piece by piece: a poll would take seconds. */
static bool
lists_overlap(const struct udma_ioat_op *op)
{
	if ((uint64_t)op->dst_count * op->src_count > PAIRS_MAX) {
		return true;
	}
	for (unsigned d = 0; d < op->dst_count; d++) {
		for (unsigned s = 0; s < op->src_count; s++) {
			if (overlap(op->dst_list[d].iov_base, op->dst_list[d].iov_len,
				    op->src_list[s].iov_base, op->src_list[s].iov_len)) {
				return true;
			}
		}
	}
	return false;
}

/** Whether a part that was carried out may have changed what the whole is made from. */
static bool
spoils_itself(const struct udma_ioat_op *op)
{
	switch (op->kind) {
	case UDMA_IOAT_OP_COPY:
		return overlap(op->dst, op->nbytes, op->src, op->nbytes);
	case UDMA_IOAT_OP_COPYV:
		return lists_overlap(op);
	case UDMA_IOAT_OP_XOR:
	case UDMA_IOAT_OP_PQ:
		for (unsigned i = 0; i < op->source_count; i++) {
			if ((op->dst && overlap(op->dst, op->nbytes, op->sources[i], op->nbytes)) ||
			    (op->q && overlap(op->q, op->nbytes, op->sources[i], op->nbytes))) {
				return true;
			}
		}
		return false;
	default:
		return false;
	}
}

static void
make_cpus(struct spdk_ioat_chan *chan, struct udma_ioat_request *request)
{
	request->fate.what |= UDMA_IOAT_ON_CPU;
	chan->cpus++;
}

bool
udma_ioat_becomes_cpus(struct spdk_ioat_chan *chan, uint64_t index, uint64_t untouched)
{
	struct udma_ioat_request *request = request_at(chan, index);

	if (request->fate.status != UDMA_IOAT_OK || !(request->fate.what & UDMA_IOAT_RECORDED)) {
		return false;
	}
	if (request->fate.what & UDMA_IOAT_ON_CPU) {
		return true;
	}
	/* What was announced may have been carried out without our hearing of it, and its sources
	 * overwritten since by others behind it. */
	if (request_at(chan, index - 1)->end < untouched) {
		return false;
	}
	make_cpus(chan, request);
	return true;
}

bool
udma_ioat_hand_over(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status)
{
	struct udma_ioat_request *request = request_at(chan, index);

	if (request->fate.status != UDMA_IOAT_OK || !(request->fate.what & UDMA_IOAT_RECORDED)) {
		return false;
	}
	/* A difference is one for the CPU as well, and damaged memory is not to be read again. */
	if (status == UDMA_IOAT_MISMATCH || status == UDMA_IOAT_BAD_DATA ||
	    spoils_itself(&record_of(request)->op)) {
		return false;
	}
	make_cpus(chan, request);
	return true;
}

/** The engine's before a request have ended; the CPU's end here, in their order. */
static void
carry_out_before(struct spdk_ioat_chan *chan, uint64_t index)
{
	for (uint64_t i = chan->request_tail; chan->cpus > 0 && i != index; i++) {
		if (request_at(chan, i)->fate.what & UDMA_IOAT_ON_CPU) {
			udma_ioat_carry_out(chan, i);
		}
	}
}

bool
udma_ioat_redo(struct spdk_ioat_chan *chan, uint64_t index, enum udma_ioat_status status)
{
	const struct udma_ioat_request *request = request_at(chan, index);

	if (request->fate.status == UDMA_IOAT_OK && (request->fate.what & UDMA_IOAT_ON_CPU)) {
		return true;
	}
	if (!udma_ioat_hand_over(chan, index, status)) {
		return false;
	}
	carry_out_before(chan, index);
	udma_ioat_carry_out(chan, index);
	return true;
}

void
udma_ioat_carry_out(struct spdk_ioat_chan *chan, uint64_t index)
{
	struct udma_ioat_request *request = request_at(chan, index);
	struct udma_ioat_record *record = record_of(request);

	if (record->done || request->fate.status != UDMA_IOAT_OK) {
		return;
	}
	record->result = udma_ioat_on_cpu(&record->op);
	record->done = true;
	chan->by_cpu++;
	if (record->result.status != UDMA_IOAT_OK) {
		request->fate.status = (uint8_t)record->result.status;
		udma_ioat_abort_fenced(chan, index);
	}
}

void
udma_ioat_close_record(struct spdk_ioat_chan *chan, struct udma_ioat_request *request,
		       struct udma_ioat_result *result)
{
	struct udma_ioat_record *record = record_of(request);

	if (record->done) {
		*result = record->result;
	}
	if (request->fate.what & UDMA_IOAT_ON_CPU) {
		chan->cpus--;
	}
	request->cb_fn = (spdk_ioat_req_cb)(uintptr_t)record->op.cb;
	request->cb_arg = record->op.cb_arg;
	free(record);
}
