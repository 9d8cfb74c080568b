/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * An engine that has faults: a descriptor step by step, so that it can stop, halt or end before any
 * of them, and stores and reads that are not where they should be in time.
 */

#include "choices.h"
#include "fault.h"

/* As fetched: the slot that an engine has not moved on to. */
static bool
peek(struct udma_emu *emu, uint64_t slot, union spdk_ioat_hw_desc *desc)
{
	return slot % sizeof(*desc) == 0 && udma_emu_load(emu, slot, desc, sizeof(*desc));
}

/** Whether a descriptor is good in itself and an occasion of faults. */
static bool
counts(const struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	return udma_emu_check(emu, desc) == UDMA_EMU_NO_ERROR && udma_emu_moves_data(desc);
}

/* ---- Out of time ---- */

static bool
is_plain_copy(const union spdk_ioat_hw_desc *desc)
{
	return desc->generic.u.control.op == SPDK_IOAT_OP_COPY &&
	       !desc->dma.u.control.src_page_break && !desc->dma.u.control.dest_page_break;
}

/** Whether the slot behind a descriptor that is about to be fetched is announced as well. */
static bool
has_next(const struct udma_emu *emu)
{
	return (uint16_t)(emu->chan.dmacount - emu->chan.internal) > 1;
}

bool
udma_emu_can_be_late(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	return is_plain_copy(desc) && !desc->dma.u.control.fence &&
	       !desc->dma.u.control.completion_update && !desc->dma.u.control.int_enable &&
	       has_next(emu) &&
	       udma_emu_is_granted(emu, desc->dma.src_addr, desc->dma.size, false) &&
	       udma_emu_is_granted(emu, desc->dma.dest_addr, desc->dma.size, true);
}

bool
udma_emu_can_be_early(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	union spdk_ioat_hw_desc next;

	return !desc->generic.u.control.fence && has_next(emu) &&
	       peek(emu, desc->generic.next, &next) && counts(emu, &next) && is_plain_copy(&next) &&
	       udma_emu_is_granted(emu, next.dma.src_addr, next.dma.size, false);
}

/** Reads a source into a buffer. \return whether it could be. */
static bool
hold(struct udma_emu *emu, struct udma_emu_held *held, const struct spdk_ioat_dma_hw_desc *desc)
{
	void *buf = malloc(desc->size);

	if (buf == NULL || !udma_emu_load(emu, desc->src_addr, buf, desc->size)) {
		free(buf);
		return false;
	}
	*held = (struct udma_emu_held){.buf = buf, .len = desc->size, .dst = desc->dest_addr};
	return true;
}

/** Stores what was held. */
static bool
let_go(struct udma_emu *emu, struct udma_emu_held *held)
{
	bool stored = emu->may_dma && udma_emu_store(emu, held->dst, held->buf, held->len);

	free(held->buf);
	held->buf = NULL;
	return stored;
}

void
udma_emu_faulty_flush(struct udma_emu *emu)
{
	if (emu->faults->late.buf != NULL) {
		let_go(emu, &emu->faults->late);
	}
}

/** Reads the next descriptor's source, if that is to be too early. */
static void
read_early(struct udma_emu *emu)
{
	union spdk_ioat_hw_desc next;

	if (udma_emu_fault_due(emu, UDMA_FAULT_EARLY_SOURCE, UDMA_FAULT_READ) != NULL &&
	    peek(emu, emu->chan.next, &next)) {
		hold(emu, &emu->faults->early, &next.dma);
	}
}

/* ---- Step by step ---- */

static const enum udma_fault_step g_next_step[] = {
	[UDMA_FAULT_FETCH] = UDMA_FAULT_READ,      [UDMA_FAULT_READ] = UDMA_FAULT_WRITE,
	[UDMA_FAULT_WRITE] = UDMA_FAULT_STATUS,    [UDMA_FAULT_STATUS] = UDMA_FAULT_INTERRUPT,
	[UDMA_FAULT_INTERRUPT] = UDMA_FAULT_STEPS,
};

void
udma_emu_faulty_forget(struct udma_emu *emu)
{
	struct udma_emu_faults *faults = emu->faults;

	faults->step = UDMA_FAULT_FETCH;
	faults->chosen = faults->stopped = faults->suspends = false;
	faults->half = 0;
	free(faults->early.buf);
	faults->early.buf = NULL;
	for (unsigned i = 0; i < faults->count; i++) {
		faults->list[i].due = false;
	}
}

void
udma_emu_faulty_reset(struct udma_emu *emu)
{
	udma_emu_faulty_forget(emu);
	emu->faults->again = 0;
}

static bool
stops_at(const struct udma_emu *emu, enum udma_fault_step step)
{
	static const enum udma_fault_kind kinds[] = {UDMA_FAULT_ERROR, UDMA_FAULT_HALT,
						     UDMA_FAULT_HANG, UDMA_FAULT_DELAY};

	for (unsigned i = 0; i < SPDK_COUNTOF(kinds); i++) {
		if (udma_emu_fault_is_due(emu, kinds[i], step)) {
			return true;
		}
	}
	return false;
}

/** Carries out `bytes` of a copy or fill from `from` on. */
static enum udma_emu_error
operate_part(struct udma_emu *emu, uint32_t from, uint32_t bytes)
{
	struct udma_emu_work part = emu->faults->work;

	part.desc.generic.size = bytes;
	part.desc.dma.dest_addr += from;
	if (part.desc.generic.u.control.op == SPDK_IOAT_OP_COPY) {
		part.desc.dma.src_addr += from;
	}
	return udma_emu_operate(emu, &part);
}

/** The first half, whole patterns of a fill, of what shall end before the second is written. */
static enum udma_emu_error
write_half(struct udma_emu *emu)
{
	const union spdk_ioat_hw_desc *desc = &emu->faults->work.desc;
	bool is_fill = desc->generic.u.control.op == SPDK_IOAT_OP_FILL &&
		       !desc->fill.u.control.dest_page_break;
	uint32_t half = desc->generic.size / 2 & ~7u;

	if (half == 0 || !(is_fill || is_plain_copy(desc)) || !stops_at(emu, UDMA_FAULT_WRITE)) {
		return UDMA_EMU_NO_ERROR;
	}
	emu->faults->half = half;
	return operate_part(emu, 0, half);
}

static enum udma_emu_error
write_rest(struct udma_emu *emu)
{
	struct udma_emu_faults *faults = emu->faults;
	const struct udma_emu_work *work = &faults->work;
	enum udma_emu_error error = UDMA_EMU_NO_ERROR;
	struct udma_emu_held early = faults->early;
	uint32_t half = faults->half;

	faults->half = 0;
	faults->early.buf = NULL;
	read_early(emu);
	if (early.buf != NULL) {
		/* Nothing has come between: its descriptor is this one. */
		error = let_go(emu, &early) ? UDMA_EMU_NO_ERROR : emu->part->bad_destination;
	} else if (half != 0) {
		error = operate_part(emu, half, work->desc.generic.size - half);
	} else if (udma_emu_fault_due(emu, UDMA_FAULT_LATE_STORE, UDMA_FAULT_READ) != NULL) {
		struct udma_emu_held before = faults->late;

		faults->late.buf = NULL;
		if (!hold(emu, &faults->late, &work->desc.dma)) {
			error = udma_emu_operate(emu, work);
		}
		if (before.buf != NULL) {
			let_go(emu, &before);
		}
		return error;
	} else {
		error = udma_emu_operate(emu, work);
	}
	udma_emu_faulty_flush(emu);
	return error;
}

static enum udma_emu_error
carry_out(struct udma_emu *emu, enum udma_fault_step step)
{
	struct udma_emu_work *work = &emu->faults->work;
	enum udma_emu_error error;

	switch (step) {
	case UDMA_FAULT_FETCH:
		return udma_emu_fetch(emu, work);
	case UDMA_FAULT_READ:
		return write_half(emu);
	case UDMA_FAULT_WRITE:
		return write_rest(emu);
	case UDMA_FAULT_STATUS:
		error = udma_emu_complete(emu, work);
		if (error == UDMA_EMU_NO_ERROR) {
			udma_emu_count(emu, work);
		}
		return error;
	default:
		if (work->desc.generic.u.control.int_enable) {
			udma_emu_interrupts_cause(emu);
		}
		if (udma_emu_fault_due(emu, UDMA_FAULT_SPURIOUS_INTERRUPT, UDMA_FAULT_READ)) {
			udma_emu_interrupts_spurious(emu);
		}
		return UDMA_EMU_NO_ERROR;
	}
}

/** The descriptor is over. */
static void
finish(struct udma_emu *emu)
{
	bool suspends = emu->faults->suspends;
	struct udma_emu_held early = emu->faults->early;

	emu->faults->early.buf = NULL;
	udma_emu_faulty_forget(emu);
	emu->faults->early = early;
	if (suspends && emu->chan.state != UDMA_EMU_HALTED) {
		emu->chan.state = UDMA_EMU_SUSPENDED;
	}
}

/** It ends with an error, or the channel halts. */
static void
end(struct udma_emu *emu, enum udma_emu_error error, bool halt)
{
	udma_emu_faulty_flush(emu);
	if (halt) {
		udma_emu_channel_halt(emu, error);
	} else {
		udma_emu_channel_error(emu, error);
	}
	if (emu->chan.state == UDMA_EMU_HALTED) {
		udma_emu_faulty_forget(emu);
	} else {
		udma_emu_count(emu, &emu->faults->work);
		finish(emu);
	}
}

/** \return whether the engine stops before a step, and the descriptor with it. */
static bool
is_stopped_before(struct udma_emu *emu, enum udma_fault_step step)
{
	struct udma_emu_faults *faults = emu->faults;
	/* Without a descriptor there is nothing to be skipped, and behind it nothing at fault. */
	bool halts = step == UDMA_FAULT_FETCH || step == UDMA_FAULT_INTERRUPT;
	const struct udma_fault *fault = udma_emu_fault_due(emu, UDMA_FAULT_HANG, step);

	if (fault == NULL) {
		fault = udma_emu_fault_due(emu, UDMA_FAULT_DELAY, step);
	}
	if (fault != NULL) {
		faults->stopped = true;
		faults->stopped_us = fault->value;
		return true;
	}
	fault = udma_emu_fault_due(emu, UDMA_FAULT_HALT, step);
	if (fault != NULL) {
		end(emu, (enum udma_emu_error)fault->value, true);
		return true;
	}
	fault = udma_emu_fault_due(emu, UDMA_FAULT_ERROR, step);
	if (fault != NULL) {
		end(emu, (enum udma_emu_error)fault->value, halts);
	}
	return fault != NULL;
}

/** \return whether the function is gone. */
static bool
vanishes(struct udma_emu *emu)
{
	const struct udma_fault *fault =
		udma_emu_fault_due(emu, UDMA_FAULT_REMOVAL, UDMA_FAULT_READ);

	if (fault == NULL) {
		fault = udma_emu_fault_due(emu, UDMA_FAULT_ONES, UDMA_FAULT_READ);
	}
	if (fault != NULL) {
		udma_emu_vanish(emu, fault);
	}
	return fault != NULL;
}

/** Finds out what is to happen at the descriptor that is next. \return whether there is one. */
static bool
choose(struct udma_emu *emu)
{
	union spdk_ioat_hw_desc desc;

	if (!emu->faults->chosen && peek(emu, emu->chan.next, &desc) && counts(emu, &desc)) {
		udma_emu_faults_choose(emu, &desc);
		if (vanishes(emu)) {
			return false;
		}
	}
	emu->faults->chosen = true;
	return true;
}

/** Whether there is a descriptor to begin or to go on with. */
static bool
is_at_work(const struct udma_emu *emu)
{
	const struct udma_emu_faults *faults = emu->faults;

	return emu->may_dma && !faults->stopped && !faults->resetting && !faults->absent &&
	       (emu->chan.state == UDMA_EMU_ACTIVE || faults->step == UDMA_FAULT_INTERRUPT);
}

/** \return whether the descriptor in hand is over, one way or the other. */
static bool
work(struct udma_emu *emu)
{
	struct udma_emu_faults *faults = emu->faults;

	if (faults->step == UDMA_FAULT_FETCH && !choose(emu)) {
		return false;
	}
	for (; faults->step != UDMA_FAULT_STEPS; faults->step = g_next_step[faults->step]) {
		enum udma_emu_error error;

		if (is_stopped_before(emu, faults->step)) {
			return !faults->stopped;
		}
		error = carry_out(emu, faults->step);
		if (error != UDMA_EMU_NO_ERROR) {
			end(emu, error, false);
			return true;
		}
	}
	finish(emu);
	return true;
}

bool
udma_emu_faulty_step(struct udma_emu *emu)
{
	bool over = is_at_work(emu) && work(emu);

	udma_emu_faults_settle(emu);
	return over && emu->chan.state == UDMA_EMU_ACTIVE;
}

void
udma_emu_faulty_resume(struct udma_emu *emu)
{
	emu->faults->stopped = false;
	/* With its last descriptor all but finished, the channel is not ACTIVE any more. */
	if (emu->faults->step == UDMA_FAULT_INTERRUPT) {
		udma_emu_faulty_step(emu);
	}
}

/* ---- The completion word ---- */

bool
udma_emu_faulty_word(struct udma_emu *emu, uint64_t word)
{
	struct udma_emu_faults *faults = emu->faults;
	const struct udma_fault *wrong;
	uint64_t again = faults->again;
	bool stored = true;

	udma_emu_faulty_flush(emu);
	faults->again = udma_emu_fault_takes(emu, UDMA_FAULT_DOUBLED_WORD) != NULL ? word : 0;
	wrong = udma_emu_fault_takes(emu, UDMA_FAULT_WRONG_WORD);
	if (wrong != NULL) {
		/* Far off: addresses have their highest bits alike. */
		word = wrong->value != 0 ? wrong->value
					 : word ^ SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK;
	}
	if (udma_emu_fault_takes(emu, UDMA_FAULT_LOST_WORD) == NULL) {
		stored = udma_emu_store_word(emu, word);
	}
	if (again != 0) {
		udma_emu_store_word(emu, again);
	}
	return stored;
}
