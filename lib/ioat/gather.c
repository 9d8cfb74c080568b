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

static bool
is_page(uint64_t source, uint64_t destination, uint64_t bytes)
{
	return bytes == UDMA_IOAT_PAGE_SIZE && (source | destination) % UDMA_IOAT_PAGE_SIZE == 0;
}

/** Makes a descriptor of one page one of two. */
static void
add_page(union spdk_ioat_hw_desc *desc, uint64_t source, uint64_t destination)
{
	uint32_t control = 0;

	if (source != desc->dma.src_addr + UDMA_IOAT_PAGE_SIZE) {
		control |= UDMA_IOAT_CONTROL_SRC_PAGE_BREAK;
	}
	if (destination != desc->dma.dest_addr + UDMA_IOAT_PAGE_SIZE) {
		control |= UDMA_IOAT_CONTROL_DST_PAGE_BREAK;
	}
	desc->raw.field[0] = (uint64_t)control << 32 | 2 * UDMA_IOAT_PAGE_SIZE;
	/* The second addresses, where spdk/ioat_spec.h has no names for them (section 6.3). */
	desc->raw.field[4] = source;
	desc->raw.field[5] = destination;
}

/** What is being built. */
struct gathering {
	uint64_t position;
	bool takes_page; /* the descriptor before it is one page */
};

/** Writes the descriptors of what both lists have in one piece. */
static inline int
write_piece(struct spdk_ioat_chan *chan, struct gathering *gathering, uint64_t destination,
	    uint64_t source, uint64_t bytes)
{
	uint64_t run = bytes;
	uint64_t source_iova = udma_translate(&chan->source, source, &run);
	uint64_t destination_iova = udma_translate(&chan->destination, destination, &run);
	bool page;

	/* What is neither one descriptor nor good is found out again. */
	if (spdk_unlikely(run != bytes || bytes > chan->max_piece ||
			  source_iova == SPDK_VTOPHYS_ERROR ||
			  destination_iova == SPDK_VTOPHYS_ERROR)) {
		gathering->takes_page = false;
		return udma_ioat_write_copy(chan, &gathering->position, destination, source, bytes);
	}
	page = chan->pairs_pages && is_page(source_iova, destination_iova, bytes);
	if (page && gathering->takes_page) {
		add_page(udma_ioat_slot(chan, gathering->position - 1), source_iova,
			 destination_iova);
		gathering->takes_page = false;
		return 0;
	}
	if (spdk_unlikely(gathering->position == chan->limit)) {
		return udma_ioat_no_room(chan, bytes);
	}
	udma_ioat_write_descriptor(chan, gathering->position++, (uint32_t)bytes, 0, source_iova,
				   destination_iova);
	gathering->takes_page = page;
	return 0;
}

int
udma_ioat_build_copyv(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		      struct udma_ioat_listener listener)
{
	struct cursor from = {.next = op->src_list, .left = op->src_count};
	struct cursor to = {.next = op->dst_list, .left = op->dst_count};
	struct gathering gathering = {.position = chan->head};
	uint64_t nbytes = 0;

	while (fill_cursor(&from) && fill_cursor(&to)) {
		uint64_t piece = spdk_min(from.bytes, to.bytes);
		int rc = write_piece(chan, &gathering, to.address, from.address, piece);

		if (rc != 0) {
			return rc;
		}
		from.address += piece;
		from.bytes -= piece;
		to.address += piece;
		to.bytes -= piece;
		nbytes += piece;
	}
	if (nbytes == 0) {
		return udma_ioat_build_nothing(chan, listener);
	}
	udma_ioat_commit(chan, gathering.position, nbytes, listener);
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
