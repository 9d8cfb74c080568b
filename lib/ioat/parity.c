/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * XOR and P+Q, generated and checked (sections 6.3 and 7).
 *
 * A request is one descriptor for each piece, two where the sources do not fit into one, and a null
 * descriptor at its end. That one has the completion: completions of these operations may overtake
 * those of others (section 13), and they name the first slot of two, which a ring position cannot
 * end at. The fence on the last piece keeps the null descriptor from overtaking it.
 */

#include "build.h"

#include "spdk/log.h"

#define SRC_CNT_SHIFT 5
#define P_DISABLE     (1u << 11)
#define Q_DISABLE     (1u << 12)

#define VERSION_3_2 0x32

uint8_t
udma_ioat_parity_of(const struct spdk_ioat_chan *chan)
{
	uint32_t capability = read_dmacapability(chan->bar);
	uint16_t id = spdk_pci_device_get_device_id(chan->device);
	bool skylake = id == 0x2021; /* reports 3.3 and is one of 3.2 */
	bool atom_without = id == 0x0C52 || id == 0x0C53 || (id >= 0x6F50 && id <= 0x6F53);

	if (chan->version == VERSION_3_2 || skylake || atom_without) {
		return 0;
	}
	return (uint8_t)((capability & SPDK_IOAT_DMACAP_XOR ? UDMA_IOAT_CAN_XOR : 0) |
			 (capability & SPDK_IOAT_DMACAP_PQ ? UDMA_IOAT_CAN_PQ : 0));
}

/** Where the engine sees what one piece is made from. */
struct piece {
	uint64_t bytes;
	uint64_t source[UDMA_IOAT_SOURCES];
	uint64_t p, q;
};

/** Translates an operand, and shortens the piece to what is contiguous of it. */
static uint64_t
locate(struct spdk_ioat_chan *chan, unsigned operand, const void *start, uint64_t done,
       struct piece *piece)
{
	return udma_translate(&chan->operands[operand], (uintptr_t)start + done, &piece->bytes);
}

static int
cut(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op, uint64_t done, struct piece *piece)
{
	piece->bytes = spdk_min(op->nbytes - done, chan->max_piece);
	piece->p = piece->q = 0;
	for (unsigned i = 0; i < op->source_count; i++) {
		piece->source[i] = locate(chan, i, op->sources[i], done, piece);
		if (piece->source[i] == SPDK_VTOPHYS_ERROR) {
			return udma_ioat_not_registered(chan, "source",
							(uintptr_t)op->sources[i] + done);
		}
	}
	if (op->dst != NULL) {
		piece->p = locate(chan, UDMA_IOAT_SOURCES, op->dst, done, piece);
	}
	if (op->q != NULL) {
		piece->q = locate(chan, UDMA_IOAT_SOURCES + 1, op->q, done, piece);
	}
	if (piece->p == SPDK_VTOPHYS_ERROR || piece->q == SPDK_VTOPHYS_ERROR) {
		const void *result = piece->p == SPDK_VTOPHYS_ERROR ? op->dst : op->q;

		return udma_ioat_not_registered(chan, "result", (uintptr_t)result + done);
	}
	return 0;
}

static uint32_t
control_of(const struct udma_ioat_op *op)
{
	uint32_t code = op->kind == UDMA_IOAT_OP_XOR         ? SPDK_IOAT_OP_XOR
			: op->kind == UDMA_IOAT_OP_XOR_CHECK ? SPDK_IOAT_OP_XOR_VAL
			: op->kind == UDMA_IOAT_OP_PQ        ? SPDK_IOAT_OP_PQ
							     : SPDK_IOAT_OP_PQ_VAL;
	uint32_t control = code << UDMA_IOAT_CONTROL_OP_SHIFT | (op->source_count - 2)
									<< SRC_CNT_SHIFT;

	if (udma_ioat_is_pq(op)) {
		control |= (op->dst == NULL ? P_DISABLE : 0) | (op->q == NULL ? Q_DISABLE : 0);
	}
	return control;
}

static void
write_xor(struct spdk_ioat_chan *chan, uint64_t position, const struct piece *piece)
{
	struct spdk_ioat_xor_hw_desc *base = &udma_ioat_slot(chan, position)->xor_desc;

	base->src_addr2 = piece->source[1];
	base->src_addr3 = piece->source[2];
	base->src_addr4 = piece->source[3];
	base->src_addr5 = piece->source[4];
	if (udma_ioat_extends(udma_ioat_slot(chan, position))) {
		struct spdk_ioat_xor_ext_hw_desc *ext =
			&udma_ioat_slot(chan, position + 1)->xor_ext;

		ext->src_addr6 = piece->source[5];
		ext->src_addr7 = piece->source[6];
		ext->src_addr8 = piece->source[7];
	}
}

static void
write_pq(struct spdk_ioat_chan *chan, uint64_t position, const struct piece *piece,
	 const struct udma_ioat_op *op)
{
	struct spdk_ioat_pq_hw_desc *base = &udma_ioat_slot(chan, position)->pq;

	base->src_addr2 = piece->source[1];
	base->src_addr3 = piece->source[2];
	memset(base->coef, 0, sizeof(base->coef));
	if (op->q != NULL) {
		memcpy(base->coef, op->coefficients, op->source_count);
	}
	base->q_addr = piece->q;
	if (udma_ioat_extends(udma_ioat_slot(chan, position))) {
		struct spdk_ioat_pq_ext_hw_desc *ext = &udma_ioat_slot(chan, position + 1)->pq_ext;

		ext->src_addr4 = piece->source[3];
		ext->src_addr5 = piece->source[4];
		ext->src_addr6 = piece->source[5];
		ext->src_addr7 = piece->source[6];
		ext->src_addr8 = piece->source[7];
	}
}

static void
write_piece(struct spdk_ioat_chan *chan, uint64_t position, const struct udma_ioat_op *op,
	    const struct piece *piece, bool last)
{
	uint32_t control = control_of(op) | (last ? UDMA_IOAT_CONTROL_FENCE : 0);

	/* P, or XOR's result, is where a copy has its destination. */
	udma_ioat_write_descriptor(chan, position, (uint32_t)piece->bytes, control,
				   piece->source[0], piece->p);
	if (udma_ioat_is_pq(op)) {
		write_pq(chan, position, piece, op);
	} else {
		write_xor(chan, position, piece);
	}
}

/** \return how many slots one piece takes. */
static unsigned
slots_of(const struct udma_ioat_op *op)
{
	return op->source_count > (udma_ioat_is_pq(op) ? 3 : 5) ? 2 : 1;
}

int
udma_ioat_build_parity(struct spdk_ioat_chan *chan, const struct udma_ioat_op *op,
		       struct udma_ioat_listener listener)
{
	unsigned needed = udma_ioat_is_pq(op) ? UDMA_IOAT_CAN_PQ : UDMA_IOAT_CAN_XOR;
	struct piece piece = {0};
	uint64_t position = chan->head;
	unsigned slots = slots_of(op);

	if (chan->refuse || !(chan->parity & needed)) {
		return chan->refuse ? chan->refuse : -ENOTSUP;
	}
	if (op->nbytes == 0) {
		return udma_ioat_build_nothing(chan, listener);
	}
	for (uint64_t done = 0; done < op->nbytes; done += piece.bytes) {
		int rc = cut(chan, op, done, &piece);

		if (rc != 0) {
			return rc;
		}
		/* And one for the null descriptor. */
		if (chan->limit - position < slots + 1) {
			return udma_ioat_no_room(chan, op->nbytes);
		}
		write_piece(chan, position, op, &piece, done + piece.bytes == op->nbytes);
		position += slots;
	}
	udma_ioat_write_descriptor(chan, position, UDMA_IOAT_NULL_SIZE, UDMA_IOAT_CONTROL_NULL, 0,
				   0);
	udma_ioat_commit(chan, position + 1, op->nbytes, listener);
	return 0;
}

/* ---- udma/ioat.h ---- */

static int
build_xor(struct spdk_ioat_chan *chan, enum udma_ioat_op_kind kind, const void *dst,
	  const void *const *sources, unsigned source_count, uint64_t nbytes, unsigned flags,
	  udma_ioat_cb cb, void *cb_arg)
{
	const struct udma_ioat_op op = {.kind = kind,
					.flags = flags,
					.cb = cb,
					.cb_arg = cb_arg,
					.dst = (void *)(uintptr_t)dst,
					.sources = sources,
					.source_count = source_count,
					.nbytes = nbytes};

	return udma_ioat_build(chan, &op);
}

int
udma_ioat_xor(struct spdk_ioat_chan *chan, void *dst, const void *const *sources,
	      unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	return build_xor(chan, UDMA_IOAT_OP_XOR, dst, sources, source_count, nbytes, flags, cb,
			 cb_arg);
}

int
udma_ioat_xor_check(struct spdk_ioat_chan *chan, const void *expected, const void *const *sources,
		    unsigned source_count, uint64_t nbytes, unsigned flags, udma_ioat_cb cb,
		    void *cb_arg)
{
	return build_xor(chan, UDMA_IOAT_OP_XOR_CHECK, expected, sources, source_count, nbytes,
			 flags, cb, cb_arg);
}

static int
build_pq(struct spdk_ioat_chan *chan, enum udma_ioat_op_kind kind, const void *p, const void *q,
	 const void *const *sources, const uint8_t *coefficients, unsigned source_count,
	 uint64_t nbytes, unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	const struct udma_ioat_op op = {.kind = kind,
					.flags = flags,
					.cb = cb,
					.cb_arg = cb_arg,
					.dst = (void *)(uintptr_t)p,
					.q = (void *)(uintptr_t)q,
					.sources = sources,
					.coefficients = coefficients,
					.source_count = source_count,
					.nbytes = nbytes};

	return udma_ioat_build(chan, &op);
}

int
udma_ioat_pq(struct spdk_ioat_chan *chan, void *p, void *q, const void *const *sources,
	     const uint8_t *coefficients, unsigned source_count, uint64_t nbytes, unsigned flags,
	     udma_ioat_cb cb, void *cb_arg)
{
	return build_pq(chan, UDMA_IOAT_OP_PQ, p, q, sources, coefficients, source_count, nbytes,
			flags, cb, cb_arg);
}

int
udma_ioat_pq_check(struct spdk_ioat_chan *chan, const void *p, const void *q,
		   const void *const *sources, const uint8_t *coefficients, unsigned source_count,
		   uint64_t nbytes, unsigned flags, udma_ioat_cb cb, void *cb_arg)
{
	return build_pq(chan, UDMA_IOAT_OP_PQ_CHECK, p, q, sources, coefficients, source_count,
			nbytes, flags, cb, cb_arg);
}
