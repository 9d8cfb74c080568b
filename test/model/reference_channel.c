/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The channel: its states, errors, and one descriptor. Sections 5, 8, 9 and 11.
 */

#include "reference.h"

/* ---- Section 5: states ---- */

void
reference_channel_reset(struct reference *r)
{
	r->state = REFERENCE_HALTED;
	r->dmacount = 0;
	r->done = 0;
	r->good = 0;
	r->cdar = 0;
	r->chainaddr = 0;
	r->first = true;
	reference_channel_interrupts_reset(r);
}

/* The internal count and DMACOUNT are compared, in the states in which the engine looks at them. */
void
reference_count(struct reference *r)
{
	bool outstanding = r->dmacount != r->done;

	if ((r->state == REFERENCE_ARMED || r->state == REFERENCE_IDLE) && outstanding) {
		r->state = REFERENCE_ACTIVE;
	} else if (r->state == REFERENCE_ACTIVE && !outstanding) {
		r->state = REFERENCE_IDLE;
	}
}

void
reference_arm(struct reference *r)
{
	if (r->state == REFERENCE_ACTIVE || (r->state == REFERENCE_HALTED && r->chanerr != 0)) {
		return;
	}
	r->state = REFERENCE_ARMED;
	r->start = r->chainaddr;
	r->dmacount = 0;
	r->done = 0;
	r->good = 0;
	r->first = true;
}

static void
suspend(struct reference *r)
{
	if (r->state != REFERENCE_HALTED) {
		r->state = REFERENCE_SUSPENDED;
	}
}

static void
resume(struct reference *r)
{
	if (r->state == REFERENCE_SUSPENDED) {
		r->state = REFERENCE_IDLE;
		reference_count(r);
	}
}

static void
reset_command(struct reference *r)
{
	reference_channel_reset(r);
	if (r->part->reset_clears_msix) {
		r->msix_address = 0;
		r->msix_data = 0;
		r->msix_masked = true;
		r->msix_pending = false;
	}
}

/* Section 4.2. */
void
reference_command(struct reference *r, uint8_t value)
{
	switch (value) {
	case 0x00:
	case 0x01: /* START and APPEND are of older versions. */
	case 0x02:
		break;
	case 0x04:
		suspend(r);
		break;
	case 0x08:
		r->state = REFERENCE_HALTED;
		break;
	case 0x10:
		resume(r);
		break;
	case 0x20:
		reset_command(r);
		break;
	default:
		reference_error(r, ERR_COMMAND);
	}
}

/* ---- Sections 9 and 11: completion word, errors ---- */

/* One 64-bit store: all of it or nothing. */
static bool
store_completion(struct reference *r, uint64_t word)
{
	if (r->chancmp % 8 != 0 || !reference_bus_master(r) || !reference_in_d0(r) ||
	    !r->memory.takes_word(r->memory.ctx, r->chancmp)) {
		return false;
	}
	for (unsigned i = 0; i < 8; i++) {
		r->memory.store(r->memory.ctx, r->chancmp + i, (uint8_t)(word >> 8 * i));
	}
	return true;
}

static bool
halts(const struct reference *r, uint32_t bits)
{
	return (bits & (ERR_NEXT | ERR_CHAIN | ERR_COMPLETION | ERR_COUNT)) != 0 ||
	       (r->chanctrl & CTRL_ANY_ERR_ABORT_EN) != 0;
}

void
reference_error(struct reference *r, uint32_t bits)
{
	r->chanerr |= bits;
	reference_record_chanerr_int(r, bits);
	if (halts(r, bits) && r->state != REFERENCE_HALTED) {
		if ((r->chanctrl & CTRL_ERR_COMPLETION_EN) != 0) {
			store_completion(r, r->good | REFERENCE_HALTED);
		}
		r->state = REFERENCE_HALTED;
	}
	/* A mask hides no halt: Linux needs that interrupt of errors that it has masked. */
	if ((r->chanctrl & CTRL_ERR_INT_EN) != 0 &&
	    (halts(r, bits) || (bits & ~r->chanerrmsk) != 0)) {
		reference_cause(r);
	}
}

/* ---- Section 8: one descriptor ---- */

static bool
may_run(const struct reference *r)
{
	return r->state == REFERENCE_ACTIVE && reference_bus_master(r) && reference_in_d0(r);
}

/* Reads the slot at `at`. \return whether it is there. */
static bool
fetch(struct reference *r, uint64_t at, uint8_t *slot)
{
	return at % 64 == 0 && reference_load(r, at, slot, 64);
}

static void
finish(struct reference *r, uint64_t at, uint32_t control, uint16_t slots, uint32_t errors)
{
	if (errors == 0 && (control & 0x8) != 0 && !store_completion(r, at)) {
		errors = ERR_COMPLETION;
	}
	r->done += slots;
	if (errors != 0) {
		reference_error(r, errors);
	} else {
		r->good = at;
		if ((control & 0x1) != 0) {
			reference_cause(r);
		}
	}
	reference_count(r);
}

static void
carry_out(struct reference *r)
{
	uint8_t base[64], extension[64];
	uint16_t outstanding = r->dmacount - r->done;
	uint64_t at = r->first ? r->start : r->next;
	uint32_t errors = 0;
	bool extended;

	if (!fetch(r, at, base)) {
		reference_error(r, r->first ? ERR_CHAIN : ERR_NEXT);
		return;
	}
	r->cdar = at;
	r->first = false;
	r->next = reference_qword(base, 3);
	extended = reference_has_extension(r, base);
	if (extended && outstanding < 2) {
		reference_error(r, ERR_COUNT);
		return;
	}
	if (extended) {
		if (!fetch(r, r->next, extension)) {
			reference_error(r, ERR_NEXT);
			return;
		}
		r->next = reference_qword(extension, 3);
	}
	errors = reference_operate(r, at, base, extension);
	finish(r, at, reference_control(base), extended ? 2 : 1, errors);
}

bool
reference_step(struct reference *r)
{
	if (!may_run(r)) {
		return false;
	}
	carry_out(r);
	reference_send(r);
	reference_drive_line(r);
	return may_run(r);
}
