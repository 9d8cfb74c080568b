/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory, in the pieces that the host grants. Nothing else in this room touches it.
 *
 * It is shared with the driver, which may be hostile: what is read is copied once and judged then.
 * No grant is remembered, for the host may take it back between two descriptors.
 */

#include "choices.h"
#include "fault.h"

#define PATTERN_SIZE 8
#define BLOCK_SIZE   64
/* What is carried at once between places of which one cannot be mapped. */
#define BOUNCE_SIZE 4096

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

/** As much as one answer of the host holds for. \return how many bytes; 0 if it is not granted. */
static uint64_t
load_piece(struct udma_emu *emu, uint64_t iova, void *buf, uint64_t len)
{
	uint64_t n = len;
	const void *from = window(emu, iova, &n, false);

	if (from != NULL) {
		memcpy(buf, from, n);
		return n;
	}
	if (emu->host.read == NULL) {
		return 0;
	}
	n = emu->host.read(emu->ctx, iova, buf, len);
	return spdk_min(n, len);
}

static uint64_t
store_piece(struct udma_emu *emu, uint64_t iova, const void *buf, uint64_t len)
{
	uint64_t n = len;
	void *to = window(emu, iova, &n, true);

	if (to != NULL) {
		memcpy(to, buf, n);
		return n;
	}
	if (emu->host.write == NULL) {
		return 0;
	}
	n = emu->host.write(emu->ctx, iova, buf, len);
	return spdk_min(n, len);
}

bool
udma_emu_load(struct udma_emu *emu, uint64_t iova, void *buf, uint64_t len)
{
	char *to = buf;
	uint64_t n;

	if (goes_round(iova, len)) {
		return false;
	}
	for (; len > 0; len -= n, iova += n, to += n) {
		n = load_piece(emu, iova, to, len);
		if (n == 0) {
			return false;
		}
	}
	return true;
}

bool
udma_emu_store(struct udma_emu *emu, uint64_t iova, const void *buf, uint64_t len)
{
	const char *from = buf;
	uint64_t n;

	if (goes_round(iova, len)) {
		return false;
	}
	for (; len > 0; len -= n, iova += n, from += n) {
		n = store_piece(emu, iova, from, len);
		if (n == 0) {
			return false;
		}
	}
	return true;
}

bool
udma_emu_store_word(struct udma_emu *emu, uint64_t word)
{
	uint64_t iova = emu->chan.chancmp;
	uint64_t n = sizeof(word);
	uint64_t *to;

	if (iova % SPDK_IOAT_CHANCMP_ALIGN != 0) {
		return false;
	}
	to = window(emu, iova, &n, true);
	if (to == NULL) {
		return emu->host.write != NULL &&
		       emu->host.write(emu->ctx, iova, &word, sizeof(word)) >= sizeof(word);
	}
	if (n < sizeof(word) || (uintptr_t)to % sizeof(word) != 0) {
		return false;
	}
	__atomic_store_n(to, word, __ATOMIC_RELEASE);
	return true;
}

bool
udma_emu_store_completion(struct udma_emu *emu, uint64_t word)
{
	return emu->faulty ? udma_emu_faulty_word(emu, word) : udma_emu_store_word(emu, word);
}

bool
udma_emu_is_granted(struct udma_emu *emu, uint64_t iova, uint64_t len, bool write)
{
	uint64_t n;

	if (goes_round(iova, len)) {
		return false;
	}
	for (; len > 0; len -= n, iova += n) {
		n = len;
		if (window(emu, iova, &n, write) == NULL) {
			return false;
		}
	}
	return true;
}

/** One piece of a move of which not both sides can be mapped. \return its bytes; 0 and an error. */
static uint64_t
bounce(struct udma_emu *emu, uint64_t src, uint64_t dst, uint64_t len, enum udma_emu_error *error)
{
	uint8_t buf[BOUNCE_SIZE];
	uint64_t n = load_piece(emu, src, buf, spdk_min(len, sizeof(buf)));

	if (n == 0) {
		*error = emu->part->bad_source;
		return 0;
	}
	n = store_piece(emu, dst, buf, n);
	if (n == 0) {
		*error = emu->part->bad_destination;
	}
	return n;
}

enum udma_emu_error
udma_emu_move(struct udma_emu *emu, uint64_t src, uint64_t dst, uint64_t len)
{
	enum udma_emu_error error = UDMA_EMU_NO_ERROR;
	uint64_t left, n;

	if (goes_round(src, len)) {
		return emu->part->bad_source;
	}
	if (goes_round(dst, len)) {
		return emu->part->bad_destination;
	}
	for (left = len; left > 0; left -= n) {
		const void *from;
		void *to = NULL;

		n = left;
		from = window(emu, src, &n, false);
		if (from != NULL) {
			to = window(emu, dst, &n, true);
		}
		if (to != NULL) {
			memmove(to, from, n);
		} else {
			n = bounce(emu, src, dst, left, &error);
			if (n == 0) {
				return error;
			}
		}
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
		return emu->part->bad_destination;
	}
	for (i = 0; i < sizeof(blocks); i += PATTERN_SIZE) {
		memcpy(blocks + i, &pattern, PATTERN_SIZE);
	}
	for (left = len; left > 0; left -= n) {
		const uint8_t *block = blocks + phase % PATTERN_SIZE;
		void *to;

		n = left;
		to = window(emu, dst, &n, true);
		if (to != NULL) {
			repeat_piece(to, n, block, one_byte);
		} else {
			n = store_piece(emu, dst, block, spdk_min(left, BLOCK_SIZE));
			if (n == 0) {
				return emu->part->bad_destination;
			}
		}
		dst += n;
		phase += n;
	}
	return UDMA_EMU_NO_ERROR;
}

void
udma_emu_invert(struct udma_emu *emu, uint64_t iova)
{
	uint64_t n = 1;
	uint8_t *mapped = window(emu, iova, &n, true);
	uint8_t byte;

	if (mapped != NULL) {
		*mapped ^= 0xFF;
	} else if (emu->host.read != NULL && emu->host.read(emu->ctx, iova, &byte, 1) == 1) {
		byte ^= 0xFF;
		store_piece(emu, iova, &byte, 1);
	}
}
