/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "random.h"

const struct arena_region arena_regions[ARENA_REGIONS] = {
	{0, 0, 4096},
	{0x100000, 4096, 131072},
	{0x7F0000003000, 4096 + 131072, 65536},
	{UINT64_MAX - 16383, 4096 + 131072 + 65536, 16384},
};

/* What a bank holds where the byte is in another one. */
#define ELSEWHERE 0xEE

static unsigned
bank_of(uint8_t kind)
{
	switch (kind) {
	case ARENA_RW:
	case ARENA_RO:
		return 0;
	case ARENA_RW_2:
	case ARENA_RO_2:
		return 1;
	}
	return 2;
}

static bool
is_mapped(uint8_t kind)
{
	return kind >= ARENA_RW && kind <= ARENA_RO_2;
}

void
arena_init(struct arena *arena)
{
	memset(arena, 0, sizeof(*arena));
	for (unsigned i = 0; i < 3; i++) {
		arena->bank[i] = malloc(ARENA_SIZE);
	}
	arena->flat = malloc(ARENA_SIZE);
	arena->elsewhere = malloc(ARENA_SIZE);
	memset(arena->elsewhere, ELSEWHERE, ARENA_SIZE);
	arena->kind = malloc(ARENA_SIZE);
}

void
arena_fini(struct arena *arena)
{
	for (unsigned i = 0; i < 3; i++) {
		free(arena->bank[i]);
	}
	free(arena->flat);
	free(arena->elsewhere);
	free(arena->kind);
}

void
arena_start(struct arena *arena, uint64_t seed, bool has_read, bool has_write)
{
	for (uint32_t i = 0; i < ARENA_SIZE; i += 8) {
		uint64_t word = random_next(&seed);

		memcpy(arena->flat + i, &word, 8);
	}
	for (unsigned i = 1; i < 3; i++) {
		memset(arena->bank[i], ELSEWHERE, ARENA_SIZE);
	}
	memcpy(arena->bank[0], arena->flat, ARENA_SIZE);
	memset(arena->kind, ARENA_RW, ARENA_SIZE);
	arena_place(arena, 0, arena_regions[0].len, ARENA_HOLE);
	arena->has_read = has_read;
	arena->has_write = has_write;
	arena->complaint = NULL;
	arena_forget_changes(arena);
}

static bool
is_called(uint8_t kind)
{
	return kind == ARENA_CALL || kind == ARENA_CALL_RO;
}

/*
 * What the host's functions reach begins and ends at multiples of 8: an aligned word is in their
 * reach as a whole or not at all, as udma/emu.h asks.
 */
static void
keep_words_whole(const struct arena *arena, uint32_t *offset, uint32_t *len, uint8_t kind)
{
	uint32_t end = *offset + *len < ARENA_SIZE ? *offset + *len : ARENA_SIZE;

	if (is_called(kind) || is_called(arena->kind[*offset]) || is_called(arena->kind[end - 1])) {
		*offset &= ~7u;
		*len = ((end + 7) & ~7u) - *offset;
	}
}

void
arena_place(struct arena *arena, uint32_t offset, uint32_t len, enum arena_kind kind)
{
	keep_words_whole(arena, &offset, &len, kind);
	for (uint32_t i = offset; i < ARENA_SIZE && i - offset < len; i++) {
		uint8_t *from = &arena->bank[bank_of(arena->kind[i])][i];
		uint8_t byte = *from;

		*from = ELSEWHERE;
		arena->bank[bank_of(kind)][i] = byte;
		arena->kind[i] = kind;
	}
}

void
arena_poke(struct arena *arena, uint32_t offset, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len && offset + i < ARENA_SIZE; i++) {
		arena->flat[offset + i] = bytes[i];
		arena->bank[bank_of(arena->kind[offset + i])][offset + i] = bytes[i];
	}
}

/* ---- Addresses ---- */

bool
arena_find(uint64_t iova, uint32_t *offset)
{
	for (unsigned i = 0; i < ARENA_REGIONS; i++) {
		if (iova - arena_regions[i].iova < arena_regions[i].len) {
			*offset =
				arena_regions[i].offset + (uint32_t)(iova - arena_regions[i].iova);
			return true;
		}
	}
	*offset = 0;
	return false;
}

uint64_t
arena_iova(uint32_t offset)
{
	for (unsigned i = 0; i < ARENA_REGIONS; i++) {
		if (offset - arena_regions[i].offset < arena_regions[i].len) {
			return arena_regions[i].iova + (offset - arena_regions[i].offset);
		}
	}
	return 0;
}

/* How many bytes from here on, at most `len`, are in the same region and granted alike. */
static uint64_t
run_from(const struct arena *arena, uint64_t iova, uint64_t len)
{
	uint64_t run = 1;
	uint32_t start, at;

	arena_find(iova, &start);
	while (run < len && arena_find(iova + run, &at) && at == start + run &&
	       arena->kind[at] == arena->kind[start]) {
		run++;
	}
	return run;
}

/* How many bytes from here on, at most `len`, are in no region. */
static uint64_t
gap_from(uint64_t iova, uint64_t len)
{
	for (unsigned i = 0; i < ARENA_REGIONS; i++) {
		if (arena_regions[i].iova > iova && arena_regions[i].iova - iova < len) {
			len = arena_regions[i].iova - iova;
		}
	}
	return len;
}

/* ---- What changes ---- */

static void
note(struct arena *arena, struct arena_range *ranges, unsigned *count, uint32_t offset,
     uint32_t len)
{
	if (*count > 0 && ranges[*count - 1].offset + ranges[*count - 1].len == offset) {
		ranges[*count - 1].len += len;
	} else if (*count < ARENA_RANGES) {
		ranges[(*count)++] = (struct arena_range){offset, len};
	} else {
		arena->overflow = true;
	}
}

void
arena_forget_changes(struct arena *arena)
{
	arena->changes = 0;
	arena->stores = 0;
	arena->overflow = false;
}

uint8_t
arena_real_byte(const struct arena *arena, uint32_t offset)
{
	return arena->bank[bank_of(arena->kind[offset])][offset];
}

static bool
same_range(const struct arena *arena, const struct arena_range *range, uint32_t *offset)
{
	for (uint32_t i = range->offset; i < range->offset + range->len; i++) {
		if (arena_real_byte(arena, i) != arena->flat[i]) {
			*offset = i;
			return false;
		}
	}
	return true;
}

/* Whether [offset, offset + len), which is granted alike, is the same, and nothing is elsewhere. */
static bool
same_run(const struct arena *arena, uint32_t offset, uint32_t len)
{
	unsigned here = bank_of(arena->kind[offset]);

	for (unsigned bank = 0; bank < 3; bank++) {
		const uint8_t *want = bank == here ? arena->flat : arena->elsewhere;

		if (memcmp(arena->bank[bank] + offset, want + offset, len) != 0) {
			return false;
		}
	}
	return true;
}

bool
arena_same(const struct arena *arena, uint32_t *offset)
{
	uint32_t from = 0;

	while (from < ARENA_SIZE) {
		uint32_t end = from + 1;

		while (end < ARENA_SIZE && arena->kind[end] == arena->kind[from]) {
			end++;
		}
		for (*offset = from; !same_run(arena, from, end - from); (*offset)++) {
			if (!same_run(arena, *offset, 1)) {
				return false;
			}
		}
		from = end;
	}
	return true;
}

bool
arena_same_changes(const struct arena *arena, uint32_t *offset)
{
	if (arena->overflow) {
		return arena_same(arena, offset);
	}
	for (unsigned i = 0; i < arena->changes; i++) {
		if (!same_range(arena, &arena->changed[i], offset)) {
			return false;
		}
	}
	for (unsigned i = 0; i < arena->stores; i++) {
		if (!same_range(arena, &arena->stored[i], offset)) {
			return false;
		}
	}
	return true;
}

void
arena_adopt_stores(struct arena *arena)
{
	for (unsigned i = 0; i < arena->stores; i++) {
		struct arena_range range = arena->stored[i];

		for (uint32_t at = range.offset; at < range.offset + range.len; at++) {
			arena->flat[at] = arena_real_byte(arena, at);
		}
	}
}

/* ---- The emulated function's side ---- */

void *
arena_grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct arena *arena = ctx;
	uint32_t offset;
	uint8_t kind;

	if (*len == 0 || iova + (*len - 1) < iova) {
		arena->complaint = "grant() was asked for nothing, or beyond the end";
		*len = 1;
		return NULL;
	}
	if (!arena_find(iova, &offset)) {
		*len = gap_from(iova, *len);
		return NULL;
	}
	*len = run_from(arena, iova, *len);
	kind = arena->kind[offset];
	if (!is_mapped(kind) || (write && kind != ARENA_RW && kind != ARENA_RW_2)) {
		return NULL;
	}
	if (write) {
		note(arena, arena->changed, &arena->changes, offset, (uint32_t)*len);
	}
	return arena->bank[bank_of(kind)] + offset;
}

/* How many bytes the host's functions copy at once: they stop at each multiple of 256. */
static uint64_t
reach(struct arena *arena, uint64_t iova, uint64_t len, bool write)
{
	uint64_t left = 256 - iova % 256;
	uint32_t offset;

	if (len == 0 || iova + (len - 1) < iova) {
		arena->complaint = "read() or write() was asked for nothing, or beyond the end";
		return 0;
	}
	if (!arena_find(iova, &offset)) {
		return 0;
	}
	if (arena->kind[offset] != ARENA_CALL && (arena->kind[offset] != ARENA_CALL_RO || write)) {
		return 0;
	}
	return run_from(arena, iova, len < left ? len : left);
}

uint64_t
arena_read(void *ctx, uint64_t iova, void *buf, uint64_t len)
{
	struct arena *arena = ctx;
	uint64_t count = reach(arena, iova, len, false);
	uint32_t offset;

	if (count > 0) {
		arena_find(iova, &offset);
		memcpy(buf, arena->bank[2] + offset, count);
	}
	return count;
}

uint64_t
arena_write(void *ctx, uint64_t iova, const void *buf, uint64_t len)
{
	struct arena *arena = ctx;
	uint64_t count = reach(arena, iova, len, true);
	uint32_t offset;

	if (count > 0) {
		arena_find(iova, &offset);
		memcpy(arena->bank[2] + offset, buf, count);
		note(arena, arena->changed, &arena->changes, offset, (uint32_t)count);
	}
	return count;
}

/* ---- The reference's side ---- */

bool
arena_load_byte(void *ctx, uint64_t iova, uint8_t *byte)
{
	struct arena *arena = ctx;
	uint32_t offset;

	if (!arena_find(iova, &offset) || arena->kind[offset] == ARENA_HOLE ||
	    (!is_mapped(arena->kind[offset]) && !arena->has_read)) {
		return false;
	}
	*byte = arena->flat[offset];
	return true;
}

static bool
is_storable(const struct arena *arena, uint64_t iova)
{
	uint32_t offset;

	if (!arena_find(iova, &offset)) {
		return false;
	}
	return arena->kind[offset] == ARENA_RW || arena->kind[offset] == ARENA_RW_2 ||
	       (arena->kind[offset] == ARENA_CALL && arena->has_write);
}

bool
arena_store_byte(void *ctx, uint64_t iova, uint8_t byte)
{
	struct arena *arena = ctx;
	uint32_t offset;

	if (!is_storable(arena, iova)) {
		return false;
	}
	arena_find(iova, &offset);
	arena->flat[offset] = byte;
	note(arena, arena->stored, &arena->stores, offset, 1);
	return true;
}

bool
arena_takes_word(void *ctx, uint64_t iova)
{
	const struct arena *arena = ctx;

	return is_storable(arena, iova) && run_from(arena, iova, 8) == 8;
}

bool
arena_whole(void *ctx, uint64_t iova, uint64_t len)
{
	const struct arena *arena = ctx;
	uint32_t offset;

	return arena_find(iova, &offset) && is_mapped(arena->kind[offset]) &&
	       run_from(arena, iova, len) == len;
}
