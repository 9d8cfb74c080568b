/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Requests of any kind and with any flags, one at a time and in batches.
 */

#include "build.h"
#include "record.h"

#include "spdk/log.h"

#define ALL_FLAGS ((unsigned)(UDMA_IOAT_FENCE | UDMA_IOAT_ELSE_CPU))

/* ---- What a request must be, whoever carries it out ---- */

/** \return whether a list has bytes that can be counted: no memory has more. */
static bool
count_bytes(const struct iovec *list, unsigned count, uint64_t *bytes)
{
	bool can = true;

	*bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		can &= !__builtin_add_overflow(*bytes, list[i].iov_len, bytes);
	}
	return can;
}

static bool
same_bytes(const struct iovec *a, unsigned a_count, const struct iovec *b, unsigned b_count)
{
	uint64_t a_bytes, b_bytes;

	return count_bytes(a, a_count, &a_bytes) && count_bytes(b, b_count, &b_bytes) &&
	       a_bytes == b_bytes;
}

static bool
is_parity(const struct udma_ioat_op *op)
{
	return udma_ioat_is_pq(op) || op->kind == UDMA_IOAT_OP_XOR ||
	       op->kind == UDMA_IOAT_OP_XOR_CHECK;
}

/** \return what is wrong with a request's operands; NULL. */
static const char *
wrong_with(const struct udma_ioat_op *op)
{
	bool pq = udma_ioat_is_pq(op);

	switch (op->kind) {
	case UDMA_IOAT_OP_COPY:
	case UDMA_IOAT_OP_FILL:
	case UDMA_IOAT_OP_NULL:
		return NULL;
	case UDMA_IOAT_OP_COPYV:
		return same_bytes(op->dst_list, op->dst_count, op->src_list, op->src_count)
			       ? NULL
			       : "the pieces of its source and destination have different bytes in "
				 "all";
	case UDMA_IOAT_OP_XOR:
	case UDMA_IOAT_OP_XOR_CHECK:
	case UDMA_IOAT_OP_PQ:
	case UDMA_IOAT_OP_PQ_CHECK:
		return op->source_count < 2 || op->source_count > UDMA_IOAT_SOURCES
			       ? "2 to 8 sources are expected"
		       : op->dst == NULL && (!pq || op->q == NULL)       ? "there is no result"
		       : pq && op->q != NULL && op->coefficients == NULL ? "Q has no coefficients"
									 : NULL;
	default:
		return "there is no such kind";
	}
}

static int
check(const struct spdk_ioat_chan *chan, const struct udma_ioat_op *op)
{
	const char *wrong = wrong_with(op);

	if (op->flags & ~ALL_FLAGS) {
		SPDK_ERRLOG("%s: a request with flags %#x, of which %#x do not exist\n", chan->name,
			    op->flags, op->flags & ~ALL_FLAGS);
		return -EINVAL;
	}
	if (wrong != NULL) {
		SPDK_ERRLOG("%s: a request of kind %d cannot be: %s\n", chan->name, (int)op->kind,
			    wrong);
		return -EINVAL;
	}
	return 0;
}

/** \return a request without what its kind does not use, which may be anything. */
static struct udma_ioat_op
bare(const struct udma_ioat_op *op)
{
	struct udma_ioat_op used = *op;

	if (!is_parity(op)) {
		used.sources = NULL;
		used.source_count = 0;
	}
	if (!udma_ioat_is_pq(op)) {
		used.q = NULL;
	}
	if (used.q == NULL) {
		used.coefficients = NULL;
	}
	return used;
}

/* ---- One ---- */

int
udma_ioat_build_on_engine(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
			  struct udma_ioat_listener listener)
{
	switch (op->kind) {
	case UDMA_IOAT_OP_COPY:
		return udma_ioat_build_copy(chan, op, listener);
	case UDMA_IOAT_OP_FILL:
		return udma_ioat_build_fill(chan, op, listener);
	case UDMA_IOAT_OP_COPYV:
		return udma_ioat_build_copyv(chan, op, listener);
	case UDMA_IOAT_OP_NULL:
		return udma_ioat_build_nothing(chan, listener);
	default:
		return udma_ioat_build_parity(chan, op, listener);
	}
}

int
udma_ioat_build(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op)
{
	int rc = check(chan, op);
	struct udma_ioat_op used;

	if (rc != 0) {
		return rc;
	}
	/* Others have the operands that are their kind's looked at, and no more. */
	if (is_parity(op) || (op->flags & UDMA_IOAT_ELSE_CPU)) {
		used = bare(op);
		op = &used;
	}
	if (op->flags & UDMA_IOAT_ELSE_CPU) {
		return udma_ioat_build_recorded(chan, op);
	}
	return udma_ioat_build_on_engine(chan, op,
					 udma_ioat_listener(op->flags, op->cb, op->cb_arg));
}

/* ---- Many ---- */

/** All that building changes. */
struct mark {
	uint64_t head;
	uint64_t request_head;
	uint64_t bytes;
	bool held;
};

static void
take_back(struct spdk_ioat_chan *chan, const struct mark *mark)
{
	while (chan->request_head != mark->request_head) {
		udma_ioat_forget_record(chan, --chan->request_head);
	}
	chan->head = mark->head;
	chan->bytes = mark->bytes;
	if (chan->refuse) {
		udma_ioat_refuse(chan, chan->refuse); /* its limit is where it is */
	}
	if (!mark->held && chan->held) {
		chan->held = false;
		udma_ioat_take_care(chan);
	}
}

/** Why a batch that met `limit` is refused. Nothing of it is left. */
static int
batch_has_no_room(struct spdk_ioat_chan *chan, unsigned count)
{
	if (chan->alone && !chan->no_memory) {
		SPDK_ERRLOG("%s: a batch of %u requests needs more than the ring's %u descriptors: "
			    "submit it in parts\n",
			    chan->name, count, UDMA_IOAT_RING_SIZE - 1);
		return -E2BIG;
	}
	/* So that polling makes room. */
	spdk_ioat_flush(chan);
	return -ENOMEM;
}

int
udma_ioat_submit(struct spdk_ioat_chan *chan, const struct udma_ioat_op *ops, unsigned count)
{
	const struct mark mark = {chan->head, chan->request_head, chan->bytes, chan->held};
	int rc = 0;

	chan->in_batch = true;
	chan->alone = chan->request_tail == chan->request_head;
	chan->no_memory = false;
	for (unsigned i = 0; i < count && rc == 0; i++) {
		rc = udma_ioat_build(chan, &ops[i]);
	}
	chan->in_batch = false;
	if (rc != 0) {
		take_back(chan, &mark);
		return rc == -ENOMEM ? batch_has_no_room(chan, count) : rc;
	}
	spdk_ioat_flush(chan);
	return 0;
}
