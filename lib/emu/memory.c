/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory, in the pieces that the host grants. Nothing else in this room touches it.
 *
 * It is shared with the driver, which may be hostile: what is read is copied once and judged then.
 * No grant is remembered, for the host may take it back between two descriptors.
 */

#include "choices.h"

#define PATTERN_SIZE 8
#define BLOCK_SIZE   64

/** Asks for *len bytes. \return NULL if the first is not granted, else where *len of them are. */
static inline void *
window(struct udma_emu *emu, uint64_t iova, uint64_t *len, bool write)
{
	uint64_t asked = *len;
	void *host = emu->host.grant(emu->ctx, iova, len, write);

	if (host == NULL || *len == 0) {
		return NULL;
	}
	if (*len > asked) {
		*len = asked;
	}
	return host;
}

static bool
goes_round(uint64_t iova, uint64_t len)
{
	return iova + (len - 1) < iova;
}

bool
udma_emu_fetch(struct udma_emu *emu, uint64_t iova, union spdk_ioat_hw_desc *desc)
{
	char *to = (char *)desc;
	uint64_t left, n;

	for (left = sizeof(*desc); left > 0; left -= n) {
		const void *from;

		n = left;
		from = window(emu, iova, &n, false);
		if (from == NULL) {
			return false;
		}
		memcpy(to, from, n);
		to += n;
		iova += n;
	}
	return true;
}

bool
udma_emu_store_completion(struct udma_emu *emu, uint64_t word)
{
	uint64_t iova = emu->chan.chancmp;
	uint64_t n = sizeof(word);
	uint64_t *to;

	if (iova % SPDK_IOAT_CHANCMP_ALIGN != 0) {
		return false;
	}
	to = window(emu, iova, &n, true);
	if (to == NULL || n < sizeof(word) || (uintptr_t)to % sizeof(word) != 0) {
		return false;
	}
	__atomic_store_n(to, word, __ATOMIC_RELEASE);
	return true;
}

enum udma_emu_error
udma_emu_move(struct udma_emu *emu, uint64_t src, uint64_t dst, uint64_t len)
{
	uint64_t left, n;

	if (goes_round(src, len)) {
		return UDMA_EMU_SOURCE_NOT_GRANTED;
	}
	if (goes_round(dst, len)) {
		return UDMA_EMU_DESTINATION_NOT_GRANTED;
	}
	for (left = len; left > 0; left -= n) {
		const void *from;
		void *to;

		n = left;
		from = window(emu, src, &n, false);
		if (from == NULL) {
			return UDMA_EMU_SOURCE_NOT_GRANTED;
		}
		to = window(emu, dst, &n, true);
		if (to == NULL) {
			return UDMA_EMU_DESTINATION_NOT_GRANTED;
		}
		memmove(to, from, n);
		src += n;
		dst += n;
	}
	return UDMA_EMU_NO_ERROR;
}

/** Writes `n` bytes out of repeated blocks. The block goes on for a pattern's length behind its
 * end. */
static void
repeat_piece(uint8_t *to, uint64_t n, const uint8_t *block, bool one_byte)
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

enum udma_emu_error
udma_emu_repeat(struct udma_emu *emu, uint64_t pattern, uint64_t phase, uint64_t dst, uint64_t len)
{
	bool one_byte = pattern == (pattern & 0xFF) * 0x0101010101010101ull;
	uint8_t blocks[BLOCK_SIZE + PATTERN_SIZE];
	uint64_t left, n;
	unsigned i;

	if (goes_round(dst, len)) {
		return UDMA_EMU_DESTINATION_NOT_GRANTED;
	}
	for (i = 0; i < sizeof(blocks); i += PATTERN_SIZE) {
		memcpy(blocks + i, &pattern, PATTERN_SIZE);
	}
	for (left = len; left > 0; left -= n) {
		void *to;

		n = left;
		to = window(emu, dst, &n, true);
		if (to == NULL) {
			return UDMA_EMU_DESTINATION_NOT_GRANTED;
		}
		repeat_piece(to, n, blocks + phase % PATTERN_SIZE, one_byte);
		dst += n;
		phase += n;
	}
	return UDMA_EMU_NO_ERROR;
}

void
udma_emu_invert(struct udma_emu *emu, uint64_t iova)
{
	uint64_t n = 1;
	uint8_t *byte = window(emu, iova, &n, true);

	if (byte != NULL) {
		*byte ^= 0xFF;
	}
}
