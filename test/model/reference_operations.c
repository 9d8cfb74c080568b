/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 6 and 7: what a descriptor says, and doing it.
 */

#include <stdlib.h>
#include <string.h>

#include "reference.h"

/* Section 6.2. */
#define OP_COPY           0x00
#define OP_FILL           0x01
#define OP_XOR            0x87
#define OP_XOR_VALIDATE   0x88
#define OP_PQ             0x89
#define OP_PQ_VALIDATE    0x8A
#define OP_PQ_UPDATE      0x8B
#define OP_PQ_16          0xA0
#define OP_PQ_16_VALIDATE 0xA1

/* Section 6.1. */
#define CTL_NULL           (1u << 5)
#define CTL_SRC_PAGE_BREAK (1u << 6)
#define CTL_DST_PAGE_BREAK (1u << 7)
#define CTL_P_DISABLE      (1u << 11)
#define CTL_Q_DISABLE      (1u << 12)
#define CTL_WB_EN          (1u << 13)

/* Section 6.3, the write-back view. */
#define DWBES_WRITTEN (1u << 31)
#define DWBES_Q_ERROR (1u << 26)
#define DWBES_P_ERROR (1u << 25)

#define PAGE  4096u
#define BLOCK 1024u

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

static uint32_t
size_of(const uint8_t *base)
{
	return (uint32_t)reference_qword(base, 0);
}

uint32_t
reference_control(const uint8_t *base)
{
	return (uint32_t)(reference_qword(base, 0) >> 32);
}

static uint8_t
opcode_of(const uint8_t *base)
{
	return (uint8_t)(reference_control(base) >> 24);
}

static unsigned
sources_of(const uint8_t *base)
{
	unsigned field = reference_control(base) >> 5 & 7;
	uint8_t op = opcode_of(base);

	return op == OP_PQ_16 || op == OP_PQ_16_VALIDATE ? field + 9 : field + 2;
}

/* Section 6.2: what there is, as the part's capabilities say. */
bool
reference_known_opcode(const struct reference *r, uint8_t op)
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
	uint8_t op = opcode_of(base);

	if (!reference_known_opcode(r, op)) {
		return false;
	}
	if (op == OP_XOR || op == OP_XOR_VALIDATE) {
		return sources_of(base) > 5;
	}
	return (op == OP_PQ || op == OP_PQ_VALIDATE) && sources_of(base) > 3;
}

/* ---- Memory ---- */

/* Whether [iova, iova + len) goes round the end of the address space. */
static bool
wraps(uint64_t iova, uint64_t len)
{
	return len > 0 && iova + (len - 1) < iova;
}

bool
reference_load(struct reference *r, uint64_t iova, uint8_t *bytes, uint64_t len)
{
	if (wraps(iova, len)) {
		return false;
	}
	for (uint64_t i = 0; i < len; i++) {
		if (!r->memory.load(r->memory.ctx, iova + i, &bytes[i])) {
			return false;
		}
	}
	return true;
}

static bool
store(struct reference *r, uint64_t iova, const uint8_t *bytes, uint64_t len)
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
	stored = store(r, dst->first, bytes, dst->size);
	free(bytes);
	return stored ? 0 : r->part->destination_error;
}

/* A byte at a time. A range that goes round the end is not there, none of it. */
static uint32_t
copy_part(struct reference *r, uint64_t src, uint64_t dst, uint64_t len)
{
	if (wraps(src, len)) {
		return r->part->source_error;
	}
	if (wraps(dst, len)) {
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
				      (control & CTL_SRC_PAGE_BREAK) != 0, size_of(base));
	struct extent dst = extent_of(reference_qword(base, 2), reference_qword(base, 5),
				      (control & CTL_DST_PAGE_BREAK) != 0, size_of(base));

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
	if (wraps(dst, len)) {
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
				      (control & CTL_DST_PAGE_BREAK) != 0, size_of(base));
	uint32_t errors = fill_part(r, dst.first, dst.split, base + 8, 0);

	if (errors != 0 || dst.split == dst.size) {
		return errors;
	}
	return fill_part(r, dst.second, dst.size - dst.split, base + 8, dst.split);
}

/* ---- XOR and PQ ---- */

/* GF(2^8) with the polynomial 11Dh: shift and add. */
static uint8_t
multiply(uint8_t a, uint8_t b)
{
	unsigned product = 0, shifted = a;

	for (unsigned i = 0; i < 8; i++) {
		if ((b >> i & 1) != 0) {
			product ^= shifted;
		}
		shifted <<= 1;
		if ((shifted & 0x100) != 0) {
			shifted ^= 0x11D;
		}
	}
	return (uint8_t)product;
}

/* A RAID operation: what is read, with what it is multiplied for P and for Q, and where the results
 * go or are compared. */
struct raid {
	unsigned count;
	uint64_t source[18];
	uint8_t p_factor[18], q_factor[18];
	bool has_p, has_q;
	uint64_t p, q;
	bool validate;
};

static void
add(struct raid *raid, uint64_t address, uint8_t p_factor, uint8_t q_factor)
{
	raid->source[raid->count] = address;
	raid->p_factor[raid->count] = p_factor;
	raid->q_factor[raid->count] = q_factor;
	raid->count++;
}

static bool
sum_block(struct reference *r, const struct raid *raid, uint64_t offset, uint64_t len, uint8_t *p,
	  uint8_t *q)
{
	uint8_t bytes[BLOCK];

	memset(p, 0, BLOCK);
	memset(q, 0, BLOCK);
	for (unsigned s = 0; s < raid->count; s++) {
		if (!reference_load(r, raid->source[s] + offset, bytes, len)) {
			return false;
		}
		for (uint64_t i = 0; i < len; i++) {
			p[i] ^= multiply(bytes[i], raid->p_factor[s]);
			q[i] ^= multiply(bytes[i], raid->q_factor[s]);
		}
	}
	return true;
}

/* Compares, or stores, one block of one result. */
static uint32_t
result_block(struct reference *r, const struct raid *raid, uint64_t address, const uint8_t *sum,
	     uint64_t len, uint32_t mismatch)
{
	uint8_t bytes[BLOCK];

	if (!raid->validate) {
		return store(r, address, sum, len) ? 0 : r->part->destination_error;
	}
	if (!reference_load(r, address, bytes, len)) {
		return r->part->source_error;
	}
	return memcmp(bytes, sum, len) == 0 ? 0 : mismatch;
}

static bool
raid_wraps(const struct raid *raid, uint64_t size, bool *result)
{
	for (unsigned s = 0; s < raid->count; s++) {
		if (wraps(raid->source[s], size)) {
			*result = false;
			return true;
		}
	}
	*result = !raid->validate;
	return (raid->has_p && wraps(raid->p, size)) || (raid->has_q && wraps(raid->q, size));
}

static bool
is_mismatch(uint32_t errors)
{
	return (errors & ~(ERR_P | ERR_Q)) == 0;
}

static uint32_t
raid_run(struct reference *r, const struct raid *raid, uint64_t size)
{
	uint8_t p[BLOCK], q[BLOCK];
	uint32_t mismatch = 0, errors;
	bool result;

	if (raid_wraps(raid, size, &result)) {
		return result ? r->part->destination_error : r->part->source_error;
	}
	for (uint64_t offset = 0; offset < size; offset += BLOCK) {
		uint64_t len = size - offset < BLOCK ? size - offset : BLOCK;

		if (!sum_block(r, raid, offset, len, p, q)) {
			return r->part->source_error;
		}
		if (raid->has_p) {
			errors = result_block(r, raid, raid->p + offset, p, len, ERR_P);
			if (!is_mismatch(errors)) {
				return errors;
			}
			mismatch |= errors;
		}
		if (raid->has_q) {
			errors = result_block(r, raid, raid->q + offset, q, len, ERR_Q);
			if (!is_mismatch(errors)) {
				return errors;
			}
			mismatch |= errors;
		}
	}
	return mismatch;
}

static uint32_t xor
	(struct reference * r, const uint8_t *base, const uint8_t *extension) {
		static const unsigned base_fields[] = {1, 4, 5, 6, 7};
		struct raid raid = {.has_p = true, .p = reference_qword(base, 2)};

		if (sources_of(base) > 8) {
			return ERR_CONTROL;
		}
		for (unsigned i = 0; i < sources_of(base); i++) {
			add(&raid,
			    i < 5 ? reference_qword(base, base_fields[i])
				  : reference_qword(extension, i - 5),
			    1, 0);
		}
		/* All blocks, with that of q2, come to zero if and only if the others come to it.
		 */
		raid.validate = opcode_of(base) == OP_XOR_VALIDATE;
		return raid_run(r, &raid, size_of(base));
	}

	/* P and Q where they are not disabled. \return whether one is left. */
	static bool results_of(struct raid *raid, const uint8_t *base)
{
	uint32_t control = reference_control(base);

	raid->has_p = (control & CTL_P_DISABLE) == 0;
	raid->has_q = (control & CTL_Q_DISABLE) == 0;
	raid->p = reference_qword(base, 2);
	raid->q = reference_qword(base, 7);
	return raid->has_p || raid->has_q;
}

/* Section 7: what a validation does with its result. */
static uint32_t
report(struct reference *r, uint64_t at, const uint8_t *base, uint32_t errors)
{
	uint32_t status = DWBES_WRITTEN;
	uint8_t bytes[4];

	if (errors == 0 || !is_mismatch(errors) || (r->part->capabilities & CAP_DWBES) == 0 ||
	    (reference_control(base) & CTL_WB_EN) == 0) {
		return errors;
	}
	status |= (errors & ERR_P) != 0 ? DWBES_P_ERROR : 0;
	status |= (errors & ERR_Q) != 0 ? DWBES_Q_ERROR : 0;
	for (unsigned i = 0; i < 4; i++) {
		bytes[i] = (uint8_t)(status >> 8 * i);
	}
	return store(r, at, bytes, 4) ? 0 : r->part->destination_error;
}

static uint32_t
pq(struct reference *r, uint64_t at, const uint8_t *base, const uint8_t *extension)
{
	static const unsigned base_fields[] = {1, 4, 5};
	static const unsigned extension_fields[] = {0, 1, 2, 4, 5};
	struct raid raid = {.validate = opcode_of(base) == OP_PQ_VALIDATE};

	if (sources_of(base) > 8 || !results_of(&raid, base)) {
		return ERR_CONTROL;
	}
	for (unsigned i = 0; i < sources_of(base); i++) {
		add(&raid,
		    i < 3 ? reference_qword(base, base_fields[i])
			  : reference_qword(extension, extension_fields[i - 3]),
		    1, base[48 + i]);
	}
	return report(r, at, base, raid_run(r, &raid, size_of(base)));
}

static uint32_t
pq_16(struct reference *r, uint64_t at, const uint8_t *base)
{
	struct raid raid = {.validate = opcode_of(base) == OP_PQ_16_VALIDATE};
	unsigned count = sources_of(base);
	uint64_t sed = reference_qword(base, 5);
	uint8_t super[128];

	if (!results_of(&raid, base)) {
		return ERR_CONTROL;
	}
	if (sed % 64 != 0 || !reference_load(r, sed, super, count > 9 ? 128 : 64)) {
		return ERR_SED;
	}
	add(&raid, reference_qword(base, 1), 1, base[48]);
	add(&raid, reference_qword(base, 4), 1, base[49]);
	for (unsigned i = 2; i < count; i++) {
		add(&raid, reference_qword(super, i - 1), 1, i < 8 ? base[48 + i] : super[i - 8]);
	}
	return report(r, at, base, raid_run(r, &raid, size_of(base)));
}

static uint32_t
pq_update(struct reference *r, const uint8_t *base)
{
	uint8_t coefficient = (uint8_t)(reference_control(base) >> 16);
	struct raid raid = {0};

	if (!results_of(&raid, base)) {
		return ERR_CONTROL;
	}
	add(&raid, reference_qword(base, 1), 1, coefficient);
	add(&raid, reference_qword(base, 4), 1, coefficient);
	if (raid.has_p) {
		add(&raid, reference_qword(base, 5), 1, 0);
	}
	if (raid.has_q) {
		add(&raid, reference_qword(base, 6), 0, 1);
	}
	return raid_run(r, &raid, size_of(base));
}

/* ---- Section 6.2: by opcode ---- */

uint32_t
reference_operate(struct reference *r, uint64_t at, const uint8_t *base, const uint8_t *extension)
{
	if (!reference_known_opcode(r, opcode_of(base))) {
		return ERR_CONTROL;
	}
	if (size_of(base) == 0 || size_of(base) > 1ull << r->config.xfercap) {
		return ERR_SIZE;
	}
	switch (opcode_of(base)) {
	case OP_COPY:
		return (reference_control(base) & CTL_NULL) != 0 ? 0 : copy(r, base);
	case OP_FILL:
		return fill(r, base);
	case OP_XOR:
	case OP_XOR_VALIDATE:
		return xor(r, base, extension);
	case OP_PQ:
	case OP_PQ_VALIDATE:
		return pq(r, at, base, extension);
	case OP_PQ_UPDATE:
		return pq_update(r, base);
	}
	return pq_16(r, at, base);
}
