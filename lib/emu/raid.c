/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * XOR and PQ: generating, validating and updating parity (sections 6.3 and 7).
 *
 * All of them are one operation: P is the XOR of the sources, Q their sum in GF(2^8), each times
 * its coefficient. Either is written, compared with what is there, or left out.
 */

#include "choices.h"

#define OP_PQ16     0xA0
#define OP_PQ16_VAL 0xA1

/* Sources in the base descriptor; more of them take an extension. */
#define XOR_BASE_SOURCES 5
#define PQ_BASE_SOURCES  3
#define SOURCES_MAX      8
#define SOURCES16_MAX    16

#define SED_ALIGN 64
/* Sources in the base descriptor and the first 64 bytes of the super-extended one. */
#define SED_FIRST_SOURCES 9

/** The polynomial of RAID 6, 11Dh, without its highest term. */
#define POLYNOMIAL 0x1D

/* Control bits of PQ (section 6.1) */
#define CONTROL_WB_EN (1u << 13)

/** An operation, wherever its parameters lay in the descriptor. */
struct raid {
	unsigned count;
	uint64_t source[SOURCES16_MAX];
	uint8_t coefficient[SOURCES16_MAX];
	bool has_p, has_q;
	uint64_t p, q;
	/* What P and Q begin with: update only. */
	bool from_old;
	uint64_t old_p, old_q;
	bool validate;
	uint32_t size;
};

bool
udma_emu_is_raid(const struct udma_emu *emu, uint8_t opcode)
{
	switch (opcode) {
	case SPDK_IOAT_OP_XOR:
	case SPDK_IOAT_OP_XOR_VAL:
		return emu->part->capabilities & SPDK_IOAT_DMACAP_XOR;
	case SPDK_IOAT_OP_PQ:
	case SPDK_IOAT_OP_PQ_VAL:
	case SPDK_IOAT_OP_PQ_UP:
		return emu->part->capabilities & SPDK_IOAT_DMACAP_PQ;
	case OP_PQ16:
	case OP_PQ16_VAL:
		return emu->part->capabilities & UDMA_EMU_CAP_RAID16SS;
	default:
		return false;
	}
}

/** SRC_CNT holds two less than there are. */
static unsigned
sources_of(const union spdk_ioat_hw_desc *desc)
{
	return desc->xor_desc.u.control.src_count + 2;
}

bool
udma_emu_raid_extends(const union spdk_ioat_hw_desc *desc)
{
	switch (desc->generic.u.control.op) {
	case SPDK_IOAT_OP_XOR:
	case SPDK_IOAT_OP_XOR_VAL:
		return sources_of(desc) > XOR_BASE_SOURCES;
	case SPDK_IOAT_OP_PQ:
	case SPDK_IOAT_OP_PQ_VAL:
		return sources_of(desc) > PQ_BASE_SOURCES;
	default:
		return false;
	}
}

static enum udma_emu_error
parse_xor(const struct udma_emu_work *work, struct raid *raid)
{
	const struct spdk_ioat_xor_hw_desc *desc = &work->desc.xor_desc;
	const struct spdk_ioat_xor_ext_hw_desc *ext = &work->extension.xor_ext;
	const uint64_t base[] = {desc->src_addr, desc->src_addr2, desc->src_addr3, desc->src_addr4,
				 desc->src_addr5};

	raid->count = sources_of(&work->desc);
	if (raid->count > SOURCES_MAX) {
		return UDMA_EMU_BAD_CONTROL;
	}
	memcpy(raid->source, base, sizeof(base));
	if (work->slots == 2) {
		const uint64_t more[] = {ext->src_addr6, ext->src_addr7, ext->src_addr8};

		memcpy(raid->source + XOR_BASE_SOURCES, more, sizeof(more));
	}
	raid->has_p = true;
	raid->p = desc->dest_addr;
	return UDMA_EMU_NO_ERROR;
}

/** What all forms of PQ have in the same place. */
static enum udma_emu_error
parse_results(const struct spdk_ioat_pq_hw_desc *desc, struct raid *raid)
{
	raid->has_p = !desc->u.control.p_disable;
	raid->has_q = !desc->u.control.q_disable;
	raid->p = desc->p_addr;
	raid->q = desc->q_addr;
	return raid->has_p || raid->has_q ? UDMA_EMU_NO_ERROR : UDMA_EMU_BAD_CONTROL;
}

static enum udma_emu_error
parse_pq(const struct udma_emu_work *work, struct raid *raid)
{
	const struct spdk_ioat_pq_hw_desc *desc = &work->desc.pq;
	const struct spdk_ioat_pq_ext_hw_desc *ext = &work->extension.pq_ext;
	const uint64_t base[] = {desc->src_addr, desc->src_addr2, desc->src_addr3};

	raid->count = sources_of(&work->desc);
	if (raid->count > SOURCES_MAX) {
		return UDMA_EMU_BAD_CONTROL;
	}
	memcpy(raid->source, base, sizeof(base));
	if (work->slots == 2) {
		const uint64_t more[] = {ext->src_addr4, ext->src_addr5, ext->src_addr6,
					 ext->src_addr7, ext->src_addr8};

		memcpy(raid->source + PQ_BASE_SOURCES, more, sizeof(more));
	}
	memcpy(raid->coefficient, desc->coef, sizeof(desc->coef));
	return parse_results(desc, raid);
}

/** Nine sources and more: the rest is in the super-extended descriptor (choices.h, point 18). */
static enum udma_emu_error
parse_pq16(struct udma_emu *emu, const struct udma_emu_work *work, struct raid *raid)
{
	const struct spdk_ioat_pq_hw_desc *desc = &work->desc.pq;
	uint64_t address = desc->src_addr3;
	uint64_t sed[2][8] = {{0}};
	enum udma_emu_error error = parse_results(desc, raid);

	if (error != UDMA_EMU_NO_ERROR) {
		return error;
	}
	raid->count = desc->u.control.src_count + SED_FIRST_SOURCES;
	if (address % SED_ALIGN != 0 ||
	    !udma_emu_load(emu, address, sed,
			   raid->count > SED_FIRST_SOURCES ? sizeof(sed) : sizeof(sed[0]))) {
		return UDMA_EMU_SED_ADDRESS;
	}
	raid->source[0] = desc->src_addr;
	raid->source[1] = desc->src_addr2;
	memcpy(raid->source + 2, &sed[0][1], 7 * sizeof(uint64_t));
	memcpy(raid->source + SED_FIRST_SOURCES, sed[1], 7 * sizeof(uint64_t));
	memcpy(raid->coefficient, desc->coef, sizeof(desc->coef));
	memcpy(raid->coefficient + sizeof(desc->coef), &sed[0][0], sizeof(uint64_t));
	return UDMA_EMU_NO_ERROR;
}

/** Old and new data: their difference, with the one coefficient, goes into the old results. */
static enum udma_emu_error
parse_update(const struct udma_emu_work *work, struct raid *raid)
{
	const struct spdk_ioat_pq_update_hw_desc *desc = &work->desc.pq_update;

	raid->count = 2;
	raid->source[0] = desc->src_addr;
	raid->source[1] = desc->src_addr2;
	memset(raid->coefficient, desc->u.control.coef, raid->count);
	raid->from_old = true;
	raid->old_p = desc->p_src;
	raid->old_q = desc->q_src;
	return parse_results(&work->desc.pq, raid);
}

static enum udma_emu_error
parse(struct udma_emu *emu, const struct udma_emu_work *work, struct raid *raid)
{
	raid->size = work->desc.generic.size;
	switch (work->desc.generic.u.control.op) {
	case SPDK_IOAT_OP_XOR_VAL:
		raid->validate = true;
		return parse_xor(work, raid);
	case SPDK_IOAT_OP_XOR:
		return parse_xor(work, raid);
	case SPDK_IOAT_OP_PQ_VAL:
		raid->validate = true;
		return parse_pq(work, raid);
	case SPDK_IOAT_OP_PQ:
		return parse_pq(work, raid);
	case OP_PQ16_VAL:
		raid->validate = true;
		return parse_pq16(emu, work, raid);
	case OP_PQ16:
		return parse_pq16(emu, work, raid);
	default:
		return parse_update(work, raid);
	}
}

/** The multiples of a coefficient, so that a byte costs one look. */
static void
multiples(uint8_t coefficient, uint8_t table[256])
{
	unsigned i;

	table[0] = 0;
	table[1] = coefficient;
	for (i = 2; i < 256; i += 2) {
		uint8_t half = table[i / 2];

		table[i] = (uint8_t)(half << 1) ^ (half & 0x80 ? POLYNOMIAL : 0);
		table[i + 1] = table[i] ^ coefficient;
	}
}

/** P and Q of the block that begins `done` bytes into the operation. */
static enum udma_emu_error
compute(struct udma_emu *emu, const struct raid *raid, uint8_t tables[][256], uint32_t done,
	uint32_t n, uint8_t *p, uint8_t *q)
{
	uint8_t block[UDMA_EMU_RAID_BLOCK];
	unsigned i, at;

	memset(p, 0, n);
	memset(q, 0, n);
	if (raid->from_old && ((raid->has_p && !udma_emu_load(emu, raid->old_p + done, p, n)) ||
			       (raid->has_q && !udma_emu_load(emu, raid->old_q + done, q, n)))) {
		return emu->part->bad_source;
	}
	for (i = 0; i < raid->count; i++) {
		if (!udma_emu_load(emu, raid->source[i] + done, block, n)) {
			return emu->part->bad_source;
		}
		for (at = 0; at < n; at++) {
			p[at] ^= block[at];
		}
		for (at = 0; raid->has_q && at < n; at++) {
			q[at] ^= tables[i][block[at]];
		}
	}
	return UDMA_EMU_NO_ERROR;
}

/** Compares a result with what is in memory. \return NO_ERROR, `mismatch`, or that of reading. */
static enum udma_emu_error
compare(struct udma_emu *emu, uint64_t iova, const uint8_t *result, uint32_t n,
	enum udma_emu_error mismatch)
{
	uint8_t block[UDMA_EMU_RAID_BLOCK];

	if (!udma_emu_load(emu, iova, block, n)) {
		return emu->part->bad_source;
	}
	return memcmp(block, result, n) == 0 ? UDMA_EMU_NO_ERROR : mismatch;
}

/** Writes the results of a block, or compares them. */
static enum udma_emu_error
finish(struct udma_emu *emu, const struct raid *raid, uint32_t done, uint32_t n, const uint8_t *p,
       const uint8_t *q, unsigned *mismatches)
{
	enum udma_emu_error error = UDMA_EMU_NO_ERROR;

	if (raid->validate) {
		if (raid->has_p) {
			error = compare(emu, raid->p + done, p, n, UDMA_EMU_XOR_P);
			*mismatches |= error & UDMA_EMU_XOR_P;
		}
		if (raid->has_q && (error & ~UDMA_EMU_XOR_P) == 0) {
			error = compare(emu, raid->q + done, q, n, UDMA_EMU_XOR_Q);
			*mismatches |= error & UDMA_EMU_XOR_Q;
		}
		return error & ~(UDMA_EMU_XOR_P | UDMA_EMU_XOR_Q);
	}
	if ((raid->has_p && !udma_emu_store(emu, raid->p + done, p, n)) ||
	    (raid->has_q && !udma_emu_store(emu, raid->q + done, q, n))) {
		return emu->part->bad_destination;
	}
	return UDMA_EMU_NO_ERROR;
}

/** \return what is wrong with the operation's ranges: none may go beyond the end of the address
 * space. */
static enum udma_emu_error
check_ranges(const struct udma_emu *emu, const struct raid *raid)
{
	uint64_t last = raid->size - 1;
	unsigned i;

	for (i = 0; i < raid->count; i++) {
		if (raid->source[i] + last < last) {
			return emu->part->bad_source;
		}
	}
	if (raid->from_old && ((raid->has_p && raid->old_p + last < last) ||
			       (raid->has_q && raid->old_q + last < last))) {
		return emu->part->bad_source;
	}
	if ((raid->has_p && raid->p + last < last) || (raid->has_q && raid->q + last < last)) {
		return raid->validate ? emu->part->bad_source : emu->part->bad_destination;
	}
	return UDMA_EMU_NO_ERROR;
}

static enum udma_emu_error
run(struct udma_emu *emu, const struct raid *raid, unsigned *mismatches)
{
	uint8_t p[UDMA_EMU_RAID_BLOCK], q[UDMA_EMU_RAID_BLOCK];
	uint8_t tables[SOURCES16_MAX][256];
	enum udma_emu_error error = check_ranges(emu, raid);
	uint32_t done, n;
	unsigned i;

	for (i = 0; raid->has_q && i < raid->count; i++) {
		multiples(raid->coefficient[i], tables[i]);
	}
	for (done = 0; done < raid->size && error == UDMA_EMU_NO_ERROR; done += n) {
		n = spdk_min(raid->size - done, UDMA_EMU_RAID_BLOCK);
		error = compute(emu, raid, tables, done, n, p, q);
		if (error == UDMA_EMU_NO_ERROR) {
			error = finish(emu, raid, done, n, p, q, mismatches);
		}
	}
	return error;
}

/**
 * A mismatch is an error, unless the descriptor asks for its status to be written back (DWBES), in
 * the place of its size.
 */
static enum udma_emu_error
report(struct udma_emu *emu, const struct udma_emu_work *work, unsigned mismatches)
{
	uint8_t opcode = work->desc.generic.u.control.op;
	uint32_t status = UDMA_EMU_DWBES_WRITTEN;

	if (mismatches == 0 || opcode == SPDK_IOAT_OP_XOR_VAL ||
	    !(emu->part->capabilities & UDMA_EMU_CAP_DWBES) ||
	    !(work->desc.generic.u.control_raw & CONTROL_WB_EN)) {
		return mismatches;
	}
	status |= mismatches & UDMA_EMU_XOR_P ? UDMA_EMU_DWBES_P_ERROR : 0;
	status |= mismatches & UDMA_EMU_XOR_Q ? UDMA_EMU_DWBES_Q_ERROR : 0;
	return udma_emu_store(emu, emu->chan.current, &status, sizeof(status))
		       ? UDMA_EMU_NO_ERROR
		       : emu->part->bad_destination;
}

enum udma_emu_error
udma_emu_raid(struct udma_emu *emu, const struct udma_emu_work *work)
{
	struct raid raid = {0};
	unsigned mismatches = 0;
	enum udma_emu_error error = parse(emu, work, &raid);

	if (error == UDMA_EMU_NO_ERROR) {
		error = run(emu, &raid, &mismatches);
	}
	if (error != UDMA_EMU_NO_ERROR) {
		return error;
	}
	if (!raid.validate) {
		udma_emu_maybe_flip(emu, raid.has_p ? raid.p : raid.q, raid.size);
	}
	return report(emu, work, mismatches);
}
