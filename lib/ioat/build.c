/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The hot path's first half: building copies and fills, for both interfaces.
 */

#include "build.h"

#include "spdk/log.h"

#define CONTROL_FILL ((uint32_t)SPDK_IOAT_OP_FILL << UDMA_IOAT_CONTROL_OP_SHIFT)

/* With any other flag a request takes the longer way: request.c. */
#define SIMPLE_FLAGS ((unsigned)UDMA_IOAT_FENCE)

int __attribute__((noinline, cold)) udma_ioat_no_room(struct spdk_ioat_chan *chan, uint64_t nbytes)
{
	if (chan->refuse) {
		return chan->refuse;
	}
	if (chan->limit - chan->head == UDMA_IOAT_RING_MASK) {
		if (!chan->quiet) {
			SPDK_ERRLOG("%s: a request of %" PRIu64 " bytes needs more than the ring's "
				    "%u descriptors: submit it in parts\n",
				    chan->name, nbytes, UDMA_IOAT_RING_SIZE - 1);
		}
		return -E2BIG;
	}
	/* Without this a caller who polls and tries again would wait for descriptors that the
	 * engine has never been told of. */
	if (!chan->in_batch) {
		spdk_ioat_flush(chan);
	}
	return -ENOMEM;
}

int __attribute__((noinline, cold))
udma_ioat_not_registered(struct spdk_ioat_chan *chan, const char *what, uint64_t address)
{
	if (chan->refuse) {
		return chan->refuse;
	}
	if (!chan->quiet) {
		SPDK_ERRLOG("%s: the %s at %#" PRIx64 " is not registered memory: use "
			    "spdk_mem_register() or memory from spdk_dma_malloc()\n",
			    chan->name, what, address);
	}
	return -EINVAL;
}

static inline int
build_null(struct spdk_ioat_chan *chan, struct udma_ioat_listener listener)
{
	uint64_t position = chan->head;

	if (position == chan->limit) {
		return udma_ioat_no_room(chan, 0);
	}
	udma_ioat_write_descriptor(chan, position, UDMA_IOAT_NULL_SIZE, UDMA_IOAT_CONTROL_NULL, 0,
				   0);
	udma_ioat_commit(chan, position + 1, 0, listener);
	return 0;
}

void
udma_ioat_build_null(struct spdk_ioat_chan *chan)
{
	udma_ioat_write_descriptor(chan, chan->head++, UDMA_IOAT_NULL_SIZE, UDMA_IOAT_CONTROL_NULL,
				   0, 0);
}

unsigned
udma_ioat_make_null(struct spdk_ioat_chan *chan, uint64_t position)
{
	const union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);
	bool extended = udma_ioat_extends(desc);
	uint32_t kept =
		desc->dma.u.control_raw & (UDMA_IOAT_CONTROL_COMPLETION_UPDATE |
					   UDMA_IOAT_CONTROL_FENCE | UDMA_IOAT_CONTROL_INT_ENABLE);

	udma_ioat_write_descriptor(chan, position, UDMA_IOAT_NULL_SIZE,
				   UDMA_IOAT_CONTROL_NULL | kept, 0, 0);
	if (extended) {
		/* The slot behind has had addresses where its control word is now. */
		udma_ioat_write_descriptor(chan, position + 1, UDMA_IOAT_NULL_SIZE,
					   UDMA_IOAT_CONTROL_NULL, 0, 0);
	}
	return extended ? 2 : 1;
}

int
udma_ioat_write_copy(struct spdk_ioat_chan *chan, uint64_t *position, uint64_t destination,
		     uint64_t source, uint64_t left)
{
	uint64_t at = *position;

	while (left > 0) {
		/* As far as both are contiguous, which is more than a piece. */
		uint64_t run = left;
		uint64_t source_iova = udma_translate(&chan->source, source, &run);
		uint64_t destination_iova = udma_translate(&chan->destination, destination, &run);

		if (source_iova == SPDK_VTOPHYS_ERROR) {
			return udma_ioat_not_registered(chan, "source", source);
		}
		if (destination_iova == SPDK_VTOPHYS_ERROR) {
			return udma_ioat_not_registered(chan, "destination", destination);
		}
		source += run;
		destination += run;
		left -= run;
		while (run > 0) {
			uint64_t piece = spdk_min(run, chan->max_piece);

			if (spdk_unlikely(at == chan->limit)) {
				return udma_ioat_no_room(chan, left + run);
			}
			udma_ioat_write_descriptor(chan, at, (uint32_t)piece, 0, source_iova,
						   destination_iova);
			at++;
			source_iova += piece;
			destination_iova += piece;
			run -= piece;
		}
	}
	*position = at;
	return 0;
}

/** A copy that is not one descriptor. */
static int __attribute__((noinline))
build_pieces(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
	     struct udma_ioat_listener listener)
{
	uint64_t position = chan->head;
	int rc;

	if (nbytes == 0) {
		return build_null(chan, listener);
	}
	rc = udma_ioat_write_copy(chan, &position, (uintptr_t)dst, (uintptr_t)src, nbytes);
	if (rc == 0) {
		udma_ioat_commit(chan, position, nbytes, listener);
	}
	return rc;
}

UDMA_HOT int
build_copy(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
	   struct udma_ioat_listener listener)
{
	uint64_t position = chan->head;
	uint64_t piece = nbytes;
	uint64_t source = udma_translate(&chan->source, (uintptr_t)src, &piece);
	uint64_t destination = udma_translate(&chan->destination, (uintptr_t)dst, &piece);

	/* What is neither one piece nor good is found out again. */
	if (spdk_unlikely(piece != nbytes || piece - 1 >= chan->max_piece ||
			  source == SPDK_VTOPHYS_ERROR || destination == SPDK_VTOPHYS_ERROR ||
			  position == chan->limit)) {
		return build_pieces(chan, dst, src, nbytes, listener);
	}
	udma_ioat_write_descriptor(chan, position, (uint32_t)piece, 0, source, destination);
	udma_ioat_commit(chan, position + 1, piece, listener);
	return 0;
}

/** The pattern whose byte i is byte (i + count) mod 8 of `pattern`. */
UDMA_HOT uint64_t
rotate_bytes(uint64_t pattern, uint64_t count)
{
	unsigned bits = (unsigned)(count & 7) * 8;

	return bits == 0 ? pattern : pattern >> bits | pattern << (64 - bits);
}

UDMA_HOT int
build_fill(struct spdk_ioat_chan *chan, void *dst, uint64_t fill_pattern, uint64_t nbytes,
	   struct udma_ioat_listener listener)
{
	uint64_t start = (uint64_t)(uintptr_t)dst;
	uint64_t position = chan->head;
	uint64_t done = 0;

	if (spdk_unlikely(!(chan->dma_capabilities & SPDK_IOAT_ENGINE_FILL_SUPPORTED) ||
			  (chan->fill_anchor == UDMA_IOAT_FILL_UNKNOWN && start % 8 != 0))) {
		return chan->refuse ? chan->refuse : -ENOTSUP;
	}
	if (spdk_unlikely(nbytes == 0)) {
		return build_null(chan, listener);
	}
	do {
		uint64_t piece = spdk_min(nbytes - done, chan->max_piece);
		uint64_t iova = udma_translate(&chan->destination, start + done, &piece);
		uint64_t pattern;

		if (spdk_unlikely(iova == SPDK_VTOPHYS_ERROR)) {
			return udma_ioat_not_registered(chan, "destination", start + done);
		}
		if (spdk_unlikely(position == chan->limit)) {
			return udma_ioat_no_room(chan, nbytes);
		}
		/* Each piece starts where the one before ended in the pattern; an engine that
		 * counts from a multiple of 8 gets the pattern turned back by what it skips. */
		pattern = rotate_bytes(fill_pattern, done);
		if (chan->fill_anchor == UDMA_IOAT_FILL_AT_MULTIPLE_OF_8) {
			pattern = rotate_bytes(pattern, 8 - iova % 8);
		}
		udma_ioat_write_descriptor(chan, position, (uint32_t)piece, CONTROL_FILL, pattern,
					   iova);
		position++;
		done += piece;
	} while (spdk_unlikely(done < nbytes));

	udma_ioat_commit(chan, position, nbytes, listener);
	return 0;
}

/* ---- spdk/ioat.h ---- */

int
spdk_ioat_build_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     const void *src, uint64_t nbytes)
{
	if (spdk_unlikely(chan == NULL)) {
		return -EINVAL;
	}
	return build_copy(chan, dst, src, nbytes, (struct udma_ioat_listener){cb_fn, cb_arg, 0});
}

int
spdk_ioat_build_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     uint64_t fill_pattern, uint64_t nbytes)
{
	if (spdk_unlikely(chan == NULL)) {
		return -EINVAL;
	}
	return build_fill(chan, dst, fill_pattern, nbytes,
			  (struct udma_ioat_listener){cb_fn, cb_arg, 0});
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

/* ---- udma/ioat.h ---- */

int
udma_ioat_copy(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
	       unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~SIMPLE_FLAGS)) {
		const struct udma_ioat_op op = {.kind = UDMA_IOAT_OP_COPY,
						.flags = flags,
						.cb = cb,
						.cb_arg = cb_arg,
						.dst = dst,
						.src = src,
						.nbytes = nbytes};

		return udma_ioat_build(chan, &op);
	}
	return build_copy(chan, dst, src, nbytes, udma_ioat_listener(flags, cb, cb_arg));
}

int
udma_ioat_fill(struct spdk_ioat_chan *chan, void *dst, uint64_t pattern, uint64_t nbytes,
	       unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~SIMPLE_FLAGS)) {
		const struct udma_ioat_op op = {.kind = UDMA_IOAT_OP_FILL,
						.flags = flags,
						.cb = cb,
						.cb_arg = cb_arg,
						.dst = dst,
						.pattern = pattern,
						.nbytes = nbytes};

		return udma_ioat_build(chan, &op);
	}
	return build_fill(chan, dst, pattern, nbytes, udma_ioat_listener(flags, cb, cb_arg));
}

int
udma_ioat_null(struct spdk_ioat_chan *chan, unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~SIMPLE_FLAGS)) {
		const struct udma_ioat_op op = {
			.kind = UDMA_IOAT_OP_NULL, .flags = flags, .cb = cb, .cb_arg = cb_arg};

		return udma_ioat_build(chan, &op);
	}
	return build_null(chan, udma_ioat_listener(flags, cb, cb_arg));
}

uint32_t
udma_ioat_room(const struct spdk_ioat_chan *chan)
{
	return (uint32_t)(chan->limit - chan->head);
}

/* ---- For request.c ---- */

int
udma_ioat_build_copy(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		     struct udma_ioat_listener listener)
{
	return build_copy(chan, op->dst, op->src, op->nbytes, listener);
}

int
udma_ioat_build_fill(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		     struct udma_ioat_listener listener)
{
	return build_fill(chan, op->dst, op->pattern, op->nbytes, listener);
}

int
udma_ioat_build_nothing(struct spdk_ioat_chan *chan, struct udma_ioat_listener listener)
{
	return build_null(chan, listener);
}
