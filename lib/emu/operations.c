/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the opcodes do to memory (section 7).
 *
 * A transfer goes on in pieces: as far as the grants of both sides reach, no piece being smaller
 * than that. What was moved before a piece that is not granted stays moved, as on hardware.
 */

#include "choices.h"

/** `len` bytes from `addr` on, broken at the end of its page if `broken` (section 7). */
static struct udma_emu_span
span_of(uint64_t addr, uint64_t second, bool broken, uint32_t len)
{
	struct udma_emu_span span = {.addr = addr, .second = second, .split = len, .len = len};
	uint32_t page_left = UDMA_EMU_PAGE_SIZE - addr % UDMA_EMU_PAGE_SIZE;

	if (broken && page_left < len) {
		span.split = page_left;
	}
	return span;
}

/** A pseudo-random number: SplitMix64, by Steele, Lea and Flood (2014). */
static uint64_t
next_random(struct udma_emu *emu)
{
	uint64_t z = emu->random += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

/** Spoils one of the bytes that were written, if this descriptor's turn has come. */
static void
maybe_flip(struct udma_emu *emu, const struct udma_emu_span *dst)
{
	uint8_t *victim;
	uint32_t n;

	if (emu->until_flip == 0 || --emu->until_flip != 0) {
		return;
	}
	emu->until_flip = emu->config.flip_every;
	victim = udma_emu_span_window(emu, dst, next_random(emu) % dst->len, true, &n);
	if (victim != NULL) {
		*victim ^= 0xFF;
	}
}

static enum udma_emu_error
copy(struct udma_emu *emu, const struct spdk_ioat_dma_hw_desc *desc)
{
	struct udma_emu_span src, dst;
	uint32_t done, n, granted;

	if (desc->u.control.null) {
		return UDMA_EMU_NO_ERROR;
	}
	/* The second addresses of a page break, next_src and next_dst, are q4 and q5. */
	src = span_of(desc->src_addr, desc->reserved, desc->u.control.src_page_break, desc->size);
	dst = span_of(desc->dest_addr, desc->reserved2, desc->u.control.dest_page_break,
		      desc->size);
	for (done = 0; done < desc->size; done += n) {
		const void *from = udma_emu_span_window(emu, &src, done, false, &n);
		void *to;

		if (from == NULL) {
			return UDMA_EMU_SOURCE_NOT_GRANTED;
		}
		to = udma_emu_span_window(emu, &dst, done, true, &granted);
		if (to == NULL) {
			return UDMA_EMU_DESTINATION_NOT_GRANTED;
		}
		n = granted < n ? granted : n;
		memmove(to, from, n);
	}
	maybe_flip(emu, &dst);
	return UDMA_EMU_NO_ERROR;
}

#define PATTERN_SIZE 8
#define BLOCK_SIZE   64

/** Writes `n` bytes out of repeated blocks. The block goes on for a pattern's length behind its
 * end. */
static void
fill_piece(uint8_t *to, uint32_t n, const uint8_t *block, bool one_byte)
{
	if (one_byte) {
		memset(to, block[0], n);
		return;
	}
	for (; n >= BLOCK_SIZE; n -= BLOCK_SIZE, to += BLOCK_SIZE) {
		memcpy(to, block, BLOCK_SIZE);
	}
	memcpy(to, block, n);
}

static enum udma_emu_error
fill(struct udma_emu *emu, const struct spdk_ioat_fill_hw_desc *desc)
{
	struct udma_emu_span dst = span_of(desc->dest_addr, desc->next_dest_addr,
					   desc->u.control.dest_page_break, desc->size);
	uint64_t pattern = desc->src_data;
	bool one_byte = pattern == (pattern & 0xFF) * 0x0101010101010101ull;
	uint8_t blocks[BLOCK_SIZE + PATTERN_SIZE];
	uint32_t phase = UDMA_EMU_FILL_PHASE(desc->dest_addr);
	uint32_t i, done, n;

	for (i = 0; i < sizeof(blocks); i += PATTERN_SIZE) {
		memcpy(blocks + i, &pattern, PATTERN_SIZE);
	}
	for (done = 0; done < desc->size; done += n) {
		void *to = udma_emu_span_window(emu, &dst, done, true, &n);

		if (to == NULL) {
			return UDMA_EMU_DESTINATION_NOT_GRANTED;
		}
		fill_piece(to, n, blocks + (phase + done) % PATTERN_SIZE, one_byte);
	}
	maybe_flip(emu, &dst);
	return UDMA_EMU_NO_ERROR;
}

enum udma_emu_error
udma_emu_operate(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	uint8_t opcode = desc->generic.u.control.op;

	if (opcode != SPDK_IOAT_OP_COPY && opcode != SPDK_IOAT_OP_FILL) {
		return UDMA_EMU_BAD_OPCODE;
	}
	/* A null descriptor moves nothing, yet its size must not be 0 (section 7). */
	if (desc->generic.size == 0 || desc->generic.size > 1u << emu->config.xfercap) {
		return UDMA_EMU_BAD_SIZE;
	}
	return opcode == SPDK_IOAT_OP_FILL ? fill(emu, &desc->fill) : copy(emu, &desc->dma);
}
