/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Building: a request becomes descriptors.
 *
 * It is written into free slots first and becomes part of the ring by moving `head` at the end, so
 * that one that cannot be built leaves nothing behind. Slots that were not announced by the
 * doorbell are ours (section 8 of the hardware reference).
 */

#include "channel.h"

#include "spdk/likely.h"
#include "spdk/log.h"
#include "spdk/util.h"

/* A null descriptor's size is not used, but 0 would be an error (section 7). */
#define NULL_SIZE 8

#define CONTROL_FILL ((uint32_t)SPDK_IOAT_OP_FILL << UDMA_IOAT_CONTROL_OP_SHIFT)

#define ALL_FLAGS ((unsigned)UDMA_IOAT_FENCE)

/* Both interfaces come down to the same few functions, each of which has the whole path in it. */
#define HOT static inline __attribute__((always_inline))

/** Whom to tell of the end, and how. */
struct listener {
	spdk_ioat_req_cb cb_fn;
	void *cb_arg;
	uint64_t what; /* UDMA_IOAT_TELLS_STATUS, _FENCED */
};

HOT void
write_descriptor(struct spdk_ioat_chan *chan, uint64_t position, uint32_t size, uint32_t control,
		 uint64_t source, uint64_t destination)
{
	union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);

	/* The first 8 bytes in one store; `next` was written when the ring was made. */
	desc->raw.field[0] = (uint64_t)control << 32 | size;
	desc->dma.src_addr = source;
	desc->dma.dest_addr = destination;
}

/** Makes the descriptors up to `end` a request. */
HOT void
commit(struct spdk_ioat_chan *chan, uint64_t end, struct listener listener)
{
	struct udma_ioat_request *request =
		&chan->requests[chan->request_head & UDMA_IOAT_RING_MASK];

	request->cb_fn = listener.cb_fn;
	request->cb_arg = listener.cb_arg;
	request->end = end;
	request->fate.all = listener.what; /* the lowest byte */
	if (spdk_unlikely(listener.what & UDMA_IOAT_FENCED)) {
		udma_ioat_slot(chan, end - 1)->dma.u.control_raw |= UDMA_IOAT_CONTROL_FENCE;
	}
	chan->request_head++;
	chan->head = end;
}

/** Why a request that met `limit` is refused. */
static int __attribute__((noinline, cold)) no_room(struct spdk_ioat_chan *chan, uint64_t nbytes)
{
	if (chan->refuse) {
		return chan->refuse;
	}
	if (chan->limit - chan->head == UDMA_IOAT_RING_MASK) {
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

static inline int
build_null(struct spdk_ioat_chan *chan, struct listener listener)
{
	uint64_t position = chan->head;

	if (position == chan->limit) {
		return no_room(chan, 0);
	}
	write_descriptor(chan, position, NULL_SIZE, UDMA_IOAT_CONTROL_NULL, 0, 0);
	commit(chan, position + 1, listener);
	return 0;
}

void
udma_ioat_build_null(struct spdk_ioat_chan *chan)
{
	write_descriptor(chan, chan->head++, NULL_SIZE, UDMA_IOAT_CONTROL_NULL, 0, 0);
}

void
udma_ioat_make_null(struct spdk_ioat_chan *chan, uint64_t position)
{
	union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);
	uint32_t kept =
		desc->dma.u.control_raw & (UDMA_IOAT_CONTROL_COMPLETION_UPDATE |
					   UDMA_IOAT_CONTROL_FENCE | UDMA_IOAT_CONTROL_INT_ENABLE);

	write_descriptor(chan, position, NULL_SIZE, UDMA_IOAT_CONTROL_NULL | kept, 0, 0);
}

/**
 * Writes the descriptors of a copy from `*position` on, which is moved behind them; nothing is
 * committed.
 */
HOT int
write_copy(struct spdk_ioat_chan *chan, uint64_t *position, uint64_t destination, uint64_t source,
	   uint64_t left)
{
	uint64_t at = *position;

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
		if (spdk_unlikely(at == chan->limit)) {
			return no_room(chan, left);
		}
		write_descriptor(chan, at, (uint32_t)piece, 0, source_iova, destination_iova);
		at++;
		source += piece;
		destination += piece;
		left -= piece;
	} while (spdk_unlikely(left > 0));
	*position = at;
	return 0;
}

HOT int
build_copy(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
	   struct listener listener)
{
	uint64_t position = chan->head;
	int rc;

	if (spdk_unlikely(nbytes == 0)) {
		return build_null(chan, listener);
	}
	rc = write_copy(chan, &position, (uintptr_t)dst, (uintptr_t)src, nbytes);
	if (spdk_likely(rc == 0)) {
		commit(chan, position, listener);
	}
	return rc;
}

/** The pattern whose byte i is byte (i + count) mod 8 of `pattern`. */
HOT uint64_t
rotate_bytes(uint64_t pattern, uint64_t count)
{
	unsigned bits = (unsigned)(count & 7) * 8;

	return bits == 0 ? pattern : pattern >> bits | pattern << (64 - bits);
}

HOT int
build_fill(struct spdk_ioat_chan *chan, void *dst, uint64_t fill_pattern, uint64_t nbytes,
	   struct listener listener)
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

	commit(chan, position, listener);
	return 0;
}

/* ---- spdk/ioat.h ---- */

int
spdk_ioat_build_copy(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     const void *src, uint64_t nbytes)
{
	return build_copy(chan, dst, src, nbytes, (struct listener){cb_fn, cb_arg, 0});
}

int
spdk_ioat_build_fill(struct spdk_ioat_chan *chan, void *cb_arg, spdk_ioat_req_cb cb_fn, void *dst,
		     uint64_t fill_pattern, uint64_t nbytes)
{
	return build_fill(chan, dst, fill_pattern, nbytes, (struct listener){cb_fn, cb_arg, 0});
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

/** A listener of our own kind. Both kinds of callback are one pointer; `what` tells them apart. */
static inline struct listener
listener_of(unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	return (struct listener){
		.cb_fn = (spdk_ioat_req_cb)(uintptr_t)cb,
		.cb_arg = cb_arg,
		.what = UDMA_IOAT_TELLS_STATUS | (flags & UDMA_IOAT_FENCE ? UDMA_IOAT_FENCED : 0),
	};
}

static int __attribute__((noinline, cold)) bad_flags(struct spdk_ioat_chan *chan, unsigned flags)
{
	SPDK_ERRLOG("%s: a request with flags %#x, of which %#x do not exist\n", chan->name, flags,
		    flags & ~ALL_FLAGS);
	return -EINVAL;
}

int
udma_ioat_copy(struct spdk_ioat_chan *chan, void *dst, const void *src, uint64_t nbytes,
	       unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~ALL_FLAGS)) {
		return bad_flags(chan, flags);
	}
	return build_copy(chan, dst, src, nbytes, listener_of(flags, cb, cb_arg));
}

int
udma_ioat_fill(struct spdk_ioat_chan *chan, void *dst, uint64_t pattern, uint64_t nbytes,
	       unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~ALL_FLAGS)) {
		return bad_flags(chan, flags);
	}
	return build_fill(chan, dst, pattern, nbytes, listener_of(flags, cb, cb_arg));
}

int
udma_ioat_null(struct spdk_ioat_chan *chan, unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	if (spdk_unlikely(flags & ~ALL_FLAGS)) {
		return bad_flags(chan, flags);
	}
	return build_null(chan, listener_of(flags, cb, cb_arg));
}

/** Where in a list of pieces one is. */
struct cursor {
	const struct iovec *next;
	unsigned left;
	uint64_t address;
	uint64_t bytes; /* of the piece in hand */
};

/** Goes on to the next piece that has bytes. \return whether there is one. */
static bool
fill_cursor(struct cursor *cursor)
{
	while (cursor->bytes == 0 && cursor->left > 0) {
		cursor->address = (uintptr_t)cursor->next->iov_base;
		cursor->bytes = cursor->next->iov_len;
		cursor->next++;
		cursor->left--;
	}
	return cursor->bytes > 0;
}

static bool
same_bytes(const struct iovec *a, unsigned a_count, const struct iovec *b, unsigned b_count)
{
	uint64_t difference = 0;

	for (unsigned i = 0; i < a_count; i++) {
		difference += a[i].iov_len;
	}
	for (unsigned i = 0; i < b_count; i++) {
		difference -= b[i].iov_len;
	}
	return difference == 0;
}

int
udma_ioat_copyv(struct spdk_ioat_chan *chan, const struct iovec *dst, unsigned dst_count,
		const struct iovec *src, unsigned src_count, unsigned flags, udma_ioat_cb cb,
		void *cb_arg)
{
	struct cursor from = {.next = src, .left = src_count};
	struct cursor to = {.next = dst, .left = dst_count};
	uint64_t position = chan->head;

	if (flags & ~ALL_FLAGS) {
		return bad_flags(chan, flags);
	}
	if (!same_bytes(dst, dst_count, src, src_count)) {
		SPDK_ERRLOG("%s: the pieces of a copy's source and destination have different "
			    "bytes in all\n",
			    chan->name);
		return -EINVAL;
	}
	while (fill_cursor(&from) && fill_cursor(&to)) {
		uint64_t piece = spdk_min(from.bytes, to.bytes);
		int rc = write_copy(chan, &position, to.address, from.address, piece);

		if (rc != 0) {
			return rc;
		}
		from.address += piece;
		from.bytes -= piece;
		to.address += piece;
		to.bytes -= piece;
	}
	if (position == chan->head) {
		return build_null(chan, listener_of(flags, cb, cb_arg));
	}
	commit(chan, position, listener_of(flags, cb, cb_arg));
	return 0;
}

uint32_t
udma_ioat_room(const struct spdk_ioat_chan *chan)
{
	return (uint32_t)(chan->limit - chan->head);
}
