/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * XOR and PQ: sections 6.3 and 7.
 */

#include <string.h>

#include "reference.h"

/* Section 6.1. */
#define CTL_P_DISABLE (1u << 11)
#define CTL_Q_DISABLE (1u << 12)
#define CTL_WB_EN     (1u << 13)

/* Section 6.3, the write-back view. */
#define DWBES_WRITTEN (1u << 31)
#define DWBES_Q_ERROR (1u << 26)
#define DWBES_P_ERROR (1u << 25)

/* Sources of a block are read before its results are written. */
#define BLOCK 1024u

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
		return reference_store(r, address, sum, len) ? 0 : r->part->destination_error;
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
		if (reference_wraps(raid->source[s], size)) {
			*result = false;
			return true;
		}
	}
	*result = !raid->validate;
	return (raid->has_p && reference_wraps(raid->p, size)) ||
	       (raid->has_q && reference_wraps(raid->q, size));
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

uint32_t
reference_xor(struct reference *r, const uint8_t *base, const uint8_t *extension)
{
	static const unsigned base_fields[] = {1, 4, 5, 6, 7};
	struct raid raid = {.has_p = true, .p = reference_qword(base, 2)};

	if (reference_sources(base) > 8) {
		return ERR_CONTROL;
	}
	for (unsigned i = 0; i < reference_sources(base); i++) {
		add(&raid,
		    i < 5 ? reference_qword(base, base_fields[i])
			  : reference_qword(extension, i - 5),
		    1, 0);
	}
	/* All blocks, with that of q2, come to zero if and only if the others come to it.
	 */
	raid.validate = reference_opcode(base) == OP_XOR_VALIDATE;
	return raid_run(r, &raid, reference_size(base));
}

/* P and Q where they are not disabled. \return whether one is left. */
static bool
results_of(struct raid *raid, const uint8_t *base)
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
	return reference_store(r, at, bytes, 4) ? 0 : r->part->destination_error;
}

uint32_t
reference_pq(struct reference *r, uint64_t at, const uint8_t *base, const uint8_t *extension)
{
	static const unsigned base_fields[] = {1, 4, 5};
	static const unsigned extension_fields[] = {0, 1, 2, 4, 5};
	struct raid raid = {.validate = reference_opcode(base) == OP_PQ_VALIDATE};

	if (reference_sources(base) > 8 || !results_of(&raid, base)) {
		return ERR_CONTROL;
	}
	for (unsigned i = 0; i < reference_sources(base); i++) {
		add(&raid,
		    i < 3 ? reference_qword(base, base_fields[i])
			  : reference_qword(extension, extension_fields[i - 3]),
		    1, base[48 + i]);
	}
	return report(r, at, base, raid_run(r, &raid, reference_size(base)));
}

uint32_t
reference_pq_16(struct reference *r, uint64_t at, const uint8_t *base)
{
	struct raid raid = {.validate = reference_opcode(base) == OP_PQ_16_VALIDATE};
	unsigned count = reference_sources(base);
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
	return report(r, at, base, raid_run(r, &raid, reference_size(base)));
}

uint32_t
reference_pq_update(struct reference *r, const uint8_t *base)
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
	return raid_run(r, &raid, reference_size(base));
}
