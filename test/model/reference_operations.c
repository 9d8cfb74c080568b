/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6 and 7: what a descriptor says, and doing it.
 */

#include <stdlib.h>
#include <string.h>

#include "reference.h"

/* Section 6.1. */
#define CTL_NULL           (1u << 5)
#define CTL_SRC_PAGE_BREAK (1u << 6)
#define CTL_DST_PAGE_BREAK (1u << 7)

#define PAGE 4096u

/* ---- Fields ---- */

uint64_t
reference_qword(const uint8_t *bytes, unsigned index)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++) {
		value |= (uint64_t)bytes[8 * index + i] << 8 * i;
	}
	return value;
}

uint32_t
reference_size(const uint8_t *base)
{
	return (uint32_t)reference_qword(base, 0);
}

uint32_t
reference_control(const uint8_t *base)
{
	return (uint32_t)(reference_qword(base, 0) >> 32);
}

uint8_t
reference_opcode(const uint8_t *base)
{
	return (uint8_t)(reference_control(base) >> 24);
}

unsigned
reference_sources(const uint8_t *base)
{
	unsigned field = reference_control(base) >> 5 & 7;
	uint8_t op = reference_opcode(base);

	return op == OP_PQ_16 || op == OP_PQ_16_VALIDATE ? field + 9 : field + 2;
}

/* Section 6.2: what there is, as the part's capabilities say. */
static bool
is_known(const struct reference *r, uint8_t op)
{
	switch (op) {
	case OP_COPY:
	case OP_FILL:
		return true;
	case OP_XOR:
	case OP_XOR_VALIDATE:
		return (r->part->capabilities & CAP_XOR) != 0;
	case OP_PQ:
	case OP_PQ_VALIDATE:
	case OP_PQ_UPDATE:
		return (r->part->capabilities & CAP_PQ) != 0;
	case OP_PQ_16:
	case OP_PQ_16_VALIDATE:
		return (r->part->capabilities & CAP_RAID16SS) != 0;
	}
	return false;
}

bool
reference_has_extension(const struct reference *r, const uint8_t *base)
{
	uint8_t op = reference_opcode(base);

	if (!is_known(r, op)) {
		return false;
	}
	if (op == OP_XOR || op == OP_XOR_VALIDATE) {
		return reference_sources(base) > 5;
	}
	return (op == OP_PQ || op == OP_PQ_VALIDATE) && reference_sources(base) > 3;
}

/* ---- Memory ---- */

/* Whether [iova, iova + len) goes round the end of the address space. */
bool
reference_wraps(uint64_t iova, uint64_t len)
{
	return len > 0 && iova + (len - 1) < iova;
}

bool
reference_load(struct reference *r, uint64_t iova, uint8_t *bytes, uint64_t len)
{
	if (reference_wraps(iova, len)) {
		return false;
	}
	for (uint64_t i = 0; i < len; i++) {
		if (!r->memory.load(r->memory.ctx, iova + i, &bytes[i])) {
			return false;
		}
	}
	return true;
}

bool
reference_store(struct reference *r, uint64_t iova, const uint8_t *bytes, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++) {
		if (!r->memory.store(r->memory.ctx, iova + i, bytes[i])) {
			return false;
		}
	}
	return true;
}

/* ---- Copy and fill ---- */

/* One or two ranges: with a page break, what lies behind the first page is elsewhere. */
struct extent {
	uint64_t first, second;
	uint64_t split; /* bytes in the first range */
	uint64_t size;
};

static struct extent
extent_of(uint64_t first, uint64_t second, bool page_break, uint64_t size)
{
	struct extent extent = {first, second, size, size};

	if (page_break && PAGE - first % PAGE < size) {
		extent.split = PAGE - first % PAGE;
	}
	return extent;
}

static uint64_t
byte_at(const struct extent *extent, uint64_t i)
{
	return i < extent->split ? extent->first + i : extent->second + (i - extent->split);
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where the range ends that byte i is in. */
static uint64_t
range_end(const struct extent *extent, uint64_t i)
{
	return i < extent->split ? extent->split : extent->size;
}

static bool
ranges_meet(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len > 0 && b_len > 0 && (b - a < a_len || a - b < b_len);
}

static bool
extents_meet(const struct extent *a, const struct extent *b)
{
	uint64_t a_rest = a->size - a->split, b_rest = b->size - b->split;

	return ranges_meet(a->first, a->split, b->first, b->split) ||
	       ranges_meet(a->first, a->split, b->second, b_rest) ||
	       ranges_meet(a->second, a_rest, b->first, b->split) ||
	       ranges_meet(a->second, a_rest, b->second, b_rest);
}

static bool
in_one_piece(struct reference *r, const struct extent *extent)
{
	return extent->split == extent->size &&
	       r->memory.whole(r->memory.ctx, extent->first, extent->size);
}

/* As memmove(): everything is read before anything is written. The source is known to be there. */
static uint32_t
move(struct reference *r, const struct extent *src, const struct extent *dst)
{
	uint8_t *bytes = malloc(src->size);
	bool stored;

	reference_load(r, src->first, bytes, src->size);
	stored = reference_store(r, dst->first, bytes, dst->size);
	free(bytes);
	return stored ? 0 : r->part->destination_error;
}

/* A byte at a time. A range that goes round the end is not there, none of it. */
static uint32_t
copy_part(struct reference *r, uint64_t src, uint64_t dst, uint64_t len)
{
	if (reference_wraps(src, len)) {
		return r->part->source_error;
	}
	if (reference_wraps(dst, len)) {
		return r->part->destination_error;
	}
	for (uint64_t i = 0; i < len; i++) {
		uint8_t byte;

		if (!r->memory.load(r->memory.ctx, src + i, &byte)) {
			return r->part->source_error;
		}
		if (!r->memory.store(r->memory.ctx, dst + i, byte)) {
			return r->part->destination_error;
		}
	}
	return 0;
}

/* From one break to the next, of either side. */
static uint32_t
copy_parts(struct reference *r, const struct extent *src, const struct extent *dst)
{
	uint64_t from = 0;

	while (from < src->size) {
		uint64_t end = smaller(range_end(src, from), range_end(dst, from));
		uint32_t errors = copy_part(r, byte_at(src, from), byte_at(dst, from), end - from);

		if (errors != 0) {
			return errors;
		}
		from = end;
	}
	return 0;
}

static uint32_t
copy(struct reference *r, const uint8_t *base)
{
	uint32_t control = reference_control(base);
	struct extent src = extent_of(reference_qword(base, 1), reference_qword(base, 4),
				      (control & CTL_SRC_PAGE_BREAK) != 0, reference_size(base));
	struct extent dst = extent_of(reference_qword(base, 2), reference_qword(base, 5),
				      (control & CTL_DST_PAGE_BREAK) != 0, reference_size(base));

	if (extents_meet(&src, &dst)) {
		if (in_one_piece(r, &src) && in_one_piece(r, &dst)) {
			return move(r, &src, &dst);
		}
		r->any_order = true;
	}
	return copy_parts(r, &src, &dst);
}

static uint32_t
fill_part(struct reference *r, uint64_t dst, uint64_t len, const uint8_t *pattern, uint64_t phase)
{
	if (reference_wraps(dst, len)) {
		return r->part->destination_error;
	}
	for (uint64_t i = 0; i < len; i++) {
		if (!r->memory.store(r->memory.ctx, dst + i, pattern[(phase + i) % 8])) {
			return r->part->destination_error;
		}
	}
	return 0;
}

/* The pattern goes on through a page break. */
static uint32_t
fill(struct reference *r, const uint8_t *base)
{
	uint32_t control = reference_control(base);
	struct extent dst = extent_of(reference_qword(base, 2), reference_qword(base, 5),
				      (control & CTL_DST_PAGE_BREAK) != 0, reference_size(base));
	uint32_t errors = fill_part(r, dst.first, dst.split, base + 8, 0);

	if (errors != 0 || dst.split == dst.size) {
		return errors;
	}
	return fill_part(r, dst.second, dst.size - dst.split, base + 8, dst.split);
}

/* ---- Section 6.2: by opcode ---- */

uint32_t
reference_operate(struct reference *r, uint64_t at, const uint8_t *base, const uint8_t *extension)
{
	if (!is_known(r, reference_opcode(base))) {
		return ERR_CONTROL;
	}
	if (reference_size(base) == 0 || reference_size(base) > 1ull << r->config.xfercap) {
		return ERR_SIZE;
	}
	switch (reference_opcode(base)) {
	case OP_COPY:
		return (reference_control(base) & CTL_NULL) != 0 ? 0 : copy(r, base);
	case OP_FILL:
		return fill(r, base);
	case OP_XOR:
	case OP_XOR_VALIDATE:
		return reference_xor(r, base, extension);
	case OP_PQ:
	case OP_PQ_VALIDATE:
		return reference_pq(r, at, base, extension);
	case OP_PQ_UPDATE:
		return reference_pq_update(r, base);
	}
	return reference_pq_16(r, at, base);
}
