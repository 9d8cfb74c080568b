/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 10: from a cause to a message, or to the level of the line.
 */

#include "reference.h"

enum way {
	NO_WAY,
	BY_MSIX,
	BY_MSI,
	BY_PIN,
};

void
reference_interrupts_reset(struct reference *r)
{
	r->msix_address = 0;
	r->msix_data = 0;
	r->msix_masked = true;
	r->msix_pending = false;
}

void
reference_channel_interrupts_reset(struct reference *r)
{
	r->waiting = false;
	r->hold = 0;
	r->sent = false;
	r->attention = false;
}

/* What is set up by now. MSI-X goes before MSI. */
static enum way
way_set_up(const struct reference *r)
{
	if (reference_msix_enabled(r)) {
		return BY_MSIX;
	}
	if (reference_msi_enabled(r)) {
		return BY_MSI;
	}
	return (r->config.interrupts & REFERENCE_INTX) != 0 ? BY_PIN : NO_WAY;
}

/* A message is a write to memory. */
static bool
messages_leave(const struct reference *r)
{
	return reference_bus_master(r) && reference_in_d0(r);
}

static void
emit(struct reference *r, struct reference_interrupt interrupt)
{
	if (r->logged < REFERENCE_LOG) {
		r->log[r->logged++] = interrupt;
	}
}

static bool
vector_masked(const struct reference *r)
{
	bool function_mask = (r->space[0x83] & 0x40) != 0;

	return !r->config.msix_table_in_host && (function_mask || r->msix_masked);
}

static void
emit_vector(struct reference *r)
{
	struct reference_interrupt interrupt = {.kind = REFERENCE_MSIX, .level = true};

	if (!r->config.msix_table_in_host) {
		interrupt.address = r->msix_address;
		interrupt.data = r->msix_data;
	}
	emit(r, interrupt);
}

static void
emit_msi(struct reference *r)
{
	struct reference_interrupt interrupt = {.kind = REFERENCE_MSI, .level = true};

	for (unsigned i = 0; i < 8; i++) {
		interrupt.address |= (uint64_t)r->space[0xD4 + i] << 8 * i;
	}
	interrupt.data = r->space[0xDC] | (uint32_t)r->space[0xDD] << 8;
	emit(r, interrupt);
}

/* A vector that waits in the PBA leaves as soon as nothing masks it. */
static void
send_pending_vector(struct reference *r)
{
	if (r->msix_pending && reference_msix_enabled(r) && messages_leave(r) &&
	    !vector_masked(r)) {
		r->msix_pending = false;
		emit_vector(r);
	}
}

void
reference_send(struct reference *r)
{
	enum way way = way_set_up(r);

	send_pending_vector(r);
	if (!r->waiting || r->hold > 0 || r->sent || !r->master_int_en || way == NO_WAY ||
	    (way != BY_PIN && !messages_leave(r))) {
		return;
	}
	r->waiting = false;
	r->sent = true;
	if (way == BY_MSIX && vector_masked(r)) {
		r->msix_pending = true;
	} else if (way == BY_MSIX) {
		emit_vector(r);
	} else {
		r->attention = true;
		if (way == BY_MSI) {
			emit_msi(r);
		}
	}
}

/* Causes that come while one waits are one. INTRDELAY counts from the first. Where nothing can ever
 * be sent, nothing waits. */
void
reference_cause(struct reference *r)
{
	if (!r->waiting && r->config.interrupts != 0) {
		r->waiting = true;
		r->hold = r->intrdelay;
	}
	reference_send(r);
}

bool
reference_intx_status(const struct reference *r)
{
	return way_set_up(r) == BY_PIN && r->attention && r->master_int_en;
}

/* The line shows at the end of each access what the status then is. */
void
reference_drive_line(struct reference *r)
{
	bool disabled = (r->space[0x05] & 0x04) != 0;
	bool level = reference_intx_status(r) && !disabled && reference_in_d0(r);

	if (level != r->line) {
		r->line = level;
		emit(r, (struct reference_interrupt){.kind = REFERENCE_INTX, .level = level});
	}
}

void
reference_elapse(struct reference *r, uint32_t us)
{
	if (r->waiting) {
		r->hold -= us < r->hold ? us : r->hold;
	}
	reference_send(r);
	reference_drive_line(r);
}

uint32_t
reference_due(const struct reference *r)
{
	return r->waiting && r->hold > 0 ? r->hold : UINT32_MAX;
}
