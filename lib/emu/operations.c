/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the opcodes do to memory: copy and fill here, XOR and PQ in raid.c (section 7).
 */

#include "choices.h"
#include "fault.h"

/** Memory as a descriptor names it: the bytes from `split` on lie at the second address. */
struct span {
	uint64_t addr;
	uint64_t second;
	uint32_t split;
	uint32_t len;
};

static struct span
span_of(uint64_t addr, uint64_t second, bool broken, uint32_t len)
{
	uint32_t page_left = UDMA_EMU_PAGE_SIZE - addr % UDMA_EMU_PAGE_SIZE;

	return (struct span){
		.addr = addr,
		.second = second,
		.split = broken && page_left < len ? page_left : len,
		.len = len,
	};
}

/** \return the address of byte `at`; *left is set to how many follow it in one piece, with it. */
static uint64_t
span_at(const struct span *span, uint32_t at, uint32_t *left)
{
	if (at < span->split) {
		*left = span->split - at;
		return span->addr + at;
	}
	*left = span->len - at;
	return span->second + (at - span->split);
}

/** \return the offset of the byte to spoil; `len` for none. */
static uint32_t
flip_at(struct udma_emu *emu, uint32_t len)
{
	return emu->faulty ? udma_emu_fault_flip(emu, len) : len;
}

void
udma_emu_maybe_flip(struct udma_emu *emu, uint64_t iova, uint32_t len)
{
	uint32_t at = flip_at(emu, len);

	if (at < len) {
		udma_emu_invert(emu, iova + at);
	}
}

static void
maybe_flip_span(struct udma_emu *emu, const struct span *dst)
{
	uint32_t at = flip_at(emu, dst->len), left;

	if (at < dst->len) {
		udma_emu_invert(emu, span_at(dst, at, &left));
	}
}

static enum udma_emu_error
copy_spans(struct udma_emu *emu, const struct span *src, const struct span *dst)
{
	enum udma_emu_error error = UDMA_EMU_NO_ERROR;
	uint32_t done, n, n_dst;

	for (done = 0; done < dst->len && error == UDMA_EMU_NO_ERROR; done += n) {
		uint64_t from = span_at(src, done, &n);
		uint64_t to = span_at(dst, done, &n_dst);

		n = spdk_min(n, n_dst);
		error = udma_emu_move(emu, from, to, n);
	}
	return error;
}

static enum udma_emu_error
copy(struct udma_emu *emu, const struct spdk_ioat_dma_hw_desc *desc)
{
	bool src_broken = desc->u.control.src_page_break;
	bool dst_broken = desc->u.control.dest_page_break;
	enum udma_emu_error error;
	struct span src, dst;

	/* The second addresses of a page break, next_src and next_dst, are q4 and q5. */
	src = span_of(desc->src_addr, desc->reserved, src_broken, desc->size);
	dst = span_of(desc->dest_addr, desc->reserved2, dst_broken, desc->size);
	if (!src_broken && !dst_broken) {
		error = udma_emu_move(emu, src.addr, dst.addr, desc->size);
	} else {
		error = copy_spans(emu, &src, &dst);
	}
	if (error == UDMA_EMU_NO_ERROR) {
		maybe_flip_span(emu, &dst);
	}
	return error;
}

static enum udma_emu_error
fill(struct udma_emu *emu, const struct spdk_ioat_fill_hw_desc *desc)
{
	struct span dst = span_of(desc->dest_addr, desc->next_dest_addr,
				  desc->u.control.dest_page_break, desc->size);
	uint32_t phase = UDMA_EMU_FILL_PHASE(desc->dest_addr);
	enum udma_emu_error error = UDMA_EMU_NO_ERROR;
	uint32_t done, n;

	for (done = 0; done < desc->size && error == UDMA_EMU_NO_ERROR; done += n) {
		uint64_t to = span_at(&dst, done, &n);

		error = udma_emu_repeat(emu, desc->src_data, phase + done, to, n);
	}
	if (error == UDMA_EMU_NO_ERROR) {
		maybe_flip_span(emu, &dst);
	}
	return error;
}

enum udma_emu_error
udma_emu_check(const struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	uint8_t opcode = desc->generic.u.control.op;

	if (opcode != SPDK_IOAT_OP_COPY && opcode != SPDK_IOAT_OP_FILL &&
	    !udma_emu_is_raid(emu, opcode)) {
		return UDMA_EMU_BAD_OPCODE;
	}
	/* A null descriptor moves nothing, yet its size must not be 0 (section 7). */
	if (desc->generic.size == 0 || desc->generic.size > 1u << emu->config.xfercap) {
		return UDMA_EMU_BAD_SIZE;
	}
	return UDMA_EMU_NO_ERROR;
}

bool
udma_emu_moves_data(const union spdk_ioat_hw_desc *desc)
{
	return desc->generic.u.control.op != SPDK_IOAT_OP_COPY || !desc->dma.u.control.null;
}

enum udma_emu_error
udma_emu_operate(struct udma_emu *emu, const struct udma_emu_work *work)
{
	const union spdk_ioat_hw_desc *desc = &work->desc;
	enum udma_emu_error error = udma_emu_check(emu, desc);

	if (error != UDMA_EMU_NO_ERROR || !udma_emu_moves_data(desc)) {
		return error;
	}
	switch (desc->generic.u.control.op) {
	case SPDK_IOAT_OP_COPY:
		return copy(emu, &desc->dma);
	case SPDK_IOAT_OP_FILL:
		return fill(emu, &desc->fill);
	default:
		return udma_emu_raid(emu, work);
	}
}
