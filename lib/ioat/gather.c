/* SPDX-License-Identifier: BSD-3-Clause */

/* Copies from a list of pieces to another list, cut in other places. */

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

int
udma_ioat_build_copyv(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		      struct udma_ioat_listener listener)
{
	struct cursor from = {.next = op->src_list, .left = op->src_count};
	struct cursor to = {.next = op->dst_list, .left = op->dst_count};
	uint64_t position = chan->head;
	uint64_t nbytes = 0;

	while (fill_cursor(&from) && fill_cursor(&to)) {
		uint64_t piece = spdk_min(from.bytes, to.bytes);
		int rc = udma_ioat_write_copy(chan, &position, to.address, from.address, piece);

		if (rc != 0) {
			return rc;
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
