/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Copies from a list of pieces to another list, cut in other places.
 *
 * Where both are whole pages a descriptor takes two of them, wherever they lie, if the part can
 * (section 3.1, PB). Where a descriptor that begins or ends within a page would go on at its second
 * address is not known [?]: it never has one.
 */

#include "build.h"

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

/** Registered memory is whole pages: what is aligned here is so for the device. */
static bool
is_page(const struct cursor *from, const struct cursor *to, uint64_t bytes)
{
	return bytes == UDMA_IOAT_PAGE_SIZE &&
	       (from->address | to->address) % UDMA_IOAT_PAGE_SIZE == 0;
}

/** Makes a descriptor of one page one of two. \return false: nothing has changed. */
static bool
add_page(struct spdk_ioat_chan *chan, uint64_t position, uint64_t destination, uint64_t source)
{
	union spdk_ioat_hw_desc *desc = udma_ioat_slot(chan, position);
	uint64_t bytes = UDMA_IOAT_PAGE_SIZE;
	uint64_t next_source = udma_translate(&chan->source, source, &bytes);
	uint64_t next_destination = udma_translate(&chan->destination, destination, &bytes);
	uint32_t control = 0;

	if (next_source == SPDK_VTOPHYS_ERROR || next_destination == SPDK_VTOPHYS_ERROR ||
	    bytes != UDMA_IOAT_PAGE_SIZE) {
		return false;
	}
	if (next_source != desc->dma.src_addr + UDMA_IOAT_PAGE_SIZE) {
		control |= UDMA_IOAT_CONTROL_SRC_PAGE_BREAK;
	}
	if (next_destination != desc->dma.dest_addr + UDMA_IOAT_PAGE_SIZE) {
		control |= UDMA_IOAT_CONTROL_DST_PAGE_BREAK;
	}
	desc->raw.field[0] = (uint64_t)control << 32 | 2 * UDMA_IOAT_PAGE_SIZE;
	/* The second addresses, where spdk/ioat_spec.h has no names for them (section 6.3). */
	desc->raw.field[4] = next_source;
	desc->raw.field[5] = next_destination;
	return true;
}

int
udma_ioat_build_copyv(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		      struct udma_ioat_listener listener)
{
	struct cursor from = {.next = op->src_list, .left = op->src_count};
	struct cursor to = {.next = op->dst_list, .left = op->dst_count};
	uint64_t position = chan->head;
	uint64_t nbytes = 0;
	bool takes_page = false; /* the last descriptor: it is one page */

	while (fill_cursor(&from) && fill_cursor(&to)) {
		uint64_t piece = spdk_min(from.bytes, to.bytes);
		bool page = chan->pairs_pages && is_page(&from, &to, piece);

		if (page && takes_page && add_page(chan, position - 1, to.address, from.address)) {
			takes_page = false;
		} else {
			int rc = udma_ioat_write_copy(chan, &position, to.address, from.address,
						      piece);

			if (rc != 0) {
				return rc;
			}
			takes_page = page;
		}
		from.address += piece;
		from.bytes -= piece;
		to.address += piece;
		to.bytes -= piece;
		nbytes += piece;
	}
	if (position == chan->head) {
		return udma_ioat_build_nothing(chan, listener);
	}
	udma_ioat_commit(chan, position, nbytes, listener);
	return 0;
}

int
udma_ioat_copyv(struct spdk_ioat_chan *chan, const struct iovec *dst, unsigned dst_count,
		const struct iovec *src, unsigned src_count, unsigned flags, udma_ioat_cb cb,
		void *cb_arg)
{
	const struct udma_ioat_op op = {.kind = UDMA_IOAT_OP_COPYV,
					.flags = flags,
					.cb = cb,
					.cb_arg = cb_arg,
					.dst_list = dst,
					.dst_count = dst_count,
					.src_list = src,
					.src_count = src_count};

	return udma_ioat_build(chan, &op);
}
