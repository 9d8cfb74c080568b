/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Faults on demand: which one happens when. What those of the engine do is in fault_engine.c.
 */

#include "choices.h"
#include "fault.h"

/* ---- Occasions ---- */

static uint64_t
count(struct udma_emu *emu, enum udma_fault_kind kind)
{
	return ++emu->faults->counts[kind];
}

/** Whether it will not happen any more. */
static bool
is_over(const struct udma_emu_armed *armed)
{
	const struct udma_fault *fault = &armed->fault;

	return !armed->due && ((fault->times != 0 && armed->happened >= fault->times) ||
			       (fault->every == 0 && armed->seen >= fault->at));
}

/** \return whether a fault happens at this occasion. */
static bool
occurs(struct udma_emu_armed *armed)
{
	const struct udma_fault *fault = &armed->fault;

	if (is_over(armed) || ++armed->seen < fault->at) {
		return false;
	}
	if (armed->seen != fault->at &&
	    (fault->every == 0 || (armed->seen - fault->at) % fault->every != 0)) {
		return false;
	}
	if (fault->one_in > 1 && udma_emu_random(&armed->random) % fault->one_in != 0) {
		return false;
	}
	armed->happened++;
	return true;
}

/** The next fault of a kind; all of them have their occasion. */
static struct udma_emu_armed *
take(struct udma_emu *emu, enum udma_fault_kind kind, uint32_t offset, uint32_t len)
{
	struct udma_emu_faults *faults = emu->faults;
	struct udma_emu_armed *first = NULL;

	for (unsigned i = 0; i < faults->count; i++) {
		struct udma_emu_armed *armed = &faults->list[i];
		uint64_t value = armed->fault.value;

		if (armed->fault.kind != kind ||
		    (kind == UDMA_FAULT_CONFIG && value != 0 && value - offset >= len)) {
			continue;
		}
		if (occurs(armed) && first == NULL) {
			first = armed;
		}
	}
	if (first != NULL) {
		count(emu, kind);
	}
	return first;
}

const struct udma_fault *
udma_emu_fault_takes(struct udma_emu *emu, enum udma_fault_kind kind)
{
	const struct udma_emu_armed *armed = take(emu, kind, 0, 0);

	return armed != NULL ? &armed->fault : NULL;
}

bool
udma_emu_fault_takes_config(struct udma_emu *emu, uint32_t offset, uint32_t len)
{
	return take(emu, UDMA_FAULT_CONFIG, offset, len) != NULL;
}

uint32_t
udma_emu_fault_flip(struct udma_emu *emu, uint32_t len)
{
	struct udma_emu_armed *armed;

	if (emu->faults->half != 0) {
		return len; /* in the middle of a descriptor that is written in two halves */
	}
	armed = take(emu, UDMA_FAULT_FLIP, 0, 0);
	return armed != NULL ? (uint32_t)(udma_emu_random(&armed->random) % len) : len;
}

bool
udma_emu_fault_takes_reset(struct udma_emu *emu)
{
	const struct udma_fault *fault = udma_emu_fault_takes(emu, UDMA_FAULT_RESET);

	if (fault != NULL) {
		emu->faults->resetting = true;
		emu->faults->resetting_us = fault->value;
	}
	return fault != NULL;
}

/* ---- At a descriptor ---- */

static bool
touches(const struct udma_fault_range *range, uint64_t addr, uint64_t len)
{
	return range->len == 0 || addr - range->addr < range->len || range->addr - addr < len;
}

/** What lies beyond the end of a broken page is at a second address (section 7). */
static bool
touches_pages(const struct udma_fault_range *range, uint64_t addr, uint64_t second, bool broken,
	      uint32_t len)
{
	uint32_t page_left = UDMA_EMU_PAGE_SIZE - addr % UDMA_EMU_PAGE_SIZE;
	uint32_t first = broken ? spdk_min(page_left, len) : len;

	return touches(range, addr, first) || (first < len && touches(range, second, len - first));
}

static bool
touches_source(const struct udma_fault_range *range, const union spdk_ioat_hw_desc *desc)
{
	switch (desc->generic.u.control.op) {
	case SPDK_IOAT_OP_COPY:
		return touches_pages(range, desc->dma.src_addr, desc->dma.reserved,
				     desc->dma.u.control.src_page_break, desc->dma.size);
	case SPDK_IOAT_OP_FILL:
		return range->len == 0; /* it reads nothing */
	default:
		return touches(range, desc->generic.src_addr, desc->generic.size);
	}
}

static bool
touches_destination(const struct udma_fault_range *range, const union spdk_ioat_hw_desc *desc)
{
	uint8_t op = desc->generic.u.control.op;
	bool broken = (op == SPDK_IOAT_OP_COPY || op == SPDK_IOAT_OP_FILL) &&
		      desc->dma.u.control.dest_page_break;

	/* q5 in both (section 6.3). */
	return touches_pages(range, desc->dma.dest_addr, desc->dma.reserved2, broken,
			     desc->dma.size);
}

/** \return whether a descriptor is an occasion of a fault. */
static bool
is_occasion(struct udma_emu *emu, const struct udma_fault *fault,
	    const union spdk_ioat_hw_desc *desc)
{
	switch (fault->kind) {
	case UDMA_FAULT_LATE_STORE:
		if (!udma_emu_can_be_late(emu, desc)) {
			return false;
		}
		break;
	case UDMA_FAULT_EARLY_SOURCE:
		if (!udma_emu_can_be_early(emu, desc)) {
			return false;
		}
		break;
	case UDMA_FAULT_ERROR:
	case UDMA_FAULT_HALT:
	case UDMA_FAULT_HANG:
	case UDMA_FAULT_DELAY:
	case UDMA_FAULT_SPURIOUS_INTERRUPT:
	case UDMA_FAULT_ONES:
	case UDMA_FAULT_REMOVAL:
		break;
	default:
		return false;
	}
	return touches_source(&fault->source, desc) &&
	       touches_destination(&fault->destination, desc);
}

void
udma_emu_faults_choose(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	struct udma_emu_faults *faults = emu->faults;

	for (unsigned i = 0; i < faults->count; i++) {
		struct udma_emu_armed *armed = &faults->list[i];

		armed->due = is_occasion(emu, &armed->fault, desc) && occurs(armed);
	}
}

static struct udma_emu_armed *
find_due(const struct udma_emu *emu, enum udma_fault_kind kind, enum udma_fault_step step)
{
	struct udma_emu_faults *faults = emu->faults;

	for (unsigned i = 0; i < faults->count; i++) {
		struct udma_emu_armed *armed = &faults->list[i];

		if (armed->due && armed->fault.kind == kind && armed->fault.step == step) {
			return armed;
		}
	}
	return NULL;
}

bool
udma_emu_fault_is_due(const struct udma_emu *emu, enum udma_fault_kind kind,
		      enum udma_fault_step step)
{
	return find_due(emu, kind, step) != NULL;
}

const struct udma_fault *
udma_emu_fault_due(struct udma_emu *emu, enum udma_fault_kind kind, enum udma_fault_step step)
{
	struct udma_emu_armed *armed = find_due(emu, kind, step);

	if (armed == NULL) {
		return NULL;
	}
	armed->due = false;
	count(emu, kind);
	return &armed->fault;
}

/* ---- Coming and going ---- */

/** Drops what will not happen any more. */
static void
drop_finished(struct udma_emu_faults *faults)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < faults->count; i++) {
		if (!is_over(&faults->list[i])) {
			faults->list[kept++] = faults->list[i];
		}
	}
	faults->count = kept;
}

void
udma_emu_faults_settle(struct udma_emu *emu)
{
	struct udma_emu_faults *faults = emu->faults;

	if (faults == NULL) {
		return;
	}
	drop_finished(faults);
	emu->faulty = faults->count > 0 || faults->chosen || faults->stopped || faults->resetting ||
		      faults->absent || faults->late.buf != NULL || faults->early.buf != NULL ||
		      faults->again != 0;
}

static bool
is_valid(const struct udma_fault *fault)
{
	return (unsigned)fault->kind < UDMA_FAULT_KINDS &&
	       (unsigned)fault->step < UDMA_FAULT_STEPS &&
	       !(fault->kind == UDMA_FAULT_ERROR && fault->value == 0) &&
	       !(fault->kind <= UDMA_FAULT_HALT && fault->value > UINT32_MAX) &&
	       !(fault->kind == UDMA_FAULT_DELAY && fault->value == 0);
}

static uint64_t
first_occasion(const struct udma_fault *fault)
{
	return fault->at != 0 ? fault->at : fault->every != 0 ? fault->every : 1;
}

static uint64_t
interval(const struct udma_fault *fault)
{
	bool all = fault->one_in != 0 || fault->source.len != 0 || fault->destination.len != 0;

	return fault->every == 0 && fault->at == 0 && all ? 1 : fault->every;
}

/** A function can go without having anything to do. */
static bool
is_at_once(const struct udma_fault *fault)
{
	return (fault->kind == UDMA_FAULT_ONES || fault->kind == UDMA_FAULT_REMOVAL) &&
	       fault->at == 0 && interval(fault) == 0;
}

int
udma_emu_inject(struct udma_emu *emu, const struct udma_fault *fault)
{
	struct udma_emu_faults *faults = emu->faults;
	struct udma_emu_armed *armed;

	if (!is_valid(fault)) {
		return -EINVAL;
	}
	if (faults == NULL) {
		faults = emu->faults = calloc(1, sizeof(*faults));
		if (faults == NULL) {
			return -ENOMEM;
		}
		faults->step = UDMA_FAULT_FETCH;
	}
	if (is_at_once(fault)) {
		count(emu, fault->kind);
		udma_emu_vanish(emu, fault);
		emu->faulty = true;
		return 0;
	}
	drop_finished(faults);
	if (faults->count == UDMA_FAULTS_MAX) {
		return -ENOSPC;
	}
	armed = &faults->list[faults->count++];
	*armed = (struct udma_emu_armed){.fault = *fault, .random = fault->seed};
	armed->fault.at = first_occasion(fault);
	armed->fault.every = interval(fault);
	emu->faulty = true;
	return 0;
}

void
udma_emu_vanish(struct udma_emu *emu, const struct udma_fault *fault)
{
	udma_emu_faulty_flush(emu);
	emu->faults->absent = true;
	emu->faults->absent_us = fault->value;
	emu->faults->removed = fault->kind == UDMA_FAULT_REMOVAL;
}

/** Ends a RESET that did not end. */
static void
end_reset(struct udma_emu *emu)
{
	if (!emu->faults->resetting) {
		return;
	}
	emu->faults->resetting = false;
	udma_emu_faulty_reset(emu);
	udma_emu_channel_reset(&emu->chan);
	udma_emu_interrupts_reset(emu);
}

/** A function that was not there comes as after power-on. */
static void
come_back(struct udma_emu *emu)
{
	if (emu->faults->absent) {
		udma_emu_reset(emu);
	}
}

void
udma_emu_withdraw(struct udma_emu *emu)
{
	if (!emu->faulty) {
		return;
	}
	emu->faults->count = 0;
	emu->faults->again = 0;
	udma_emu_faulty_flush(emu);
	end_reset(emu);
	come_back(emu);
	udma_emu_faulty_resume(emu);
	udma_emu_faults_settle(emu);
}

uint64_t
udma_emu_fault_count(const struct udma_emu *emu, enum udma_fault_kind kind)
{
	return emu->faults != NULL && (unsigned)kind < UDMA_FAULT_KINDS ? emu->faults->counts[kind]
									: 0;
}

bool
udma_emu_is_removed(const struct udma_emu *emu)
{
	return emu->faulty && emu->faults->removed;
}

void
udma_emu_faults_power_on(struct udma_emu *emu)
{
	struct udma_emu_faults *faults = emu->faults;

	udma_emu_faulty_reset(emu);
	free(faults->late.buf);
	faults->late.buf = NULL;
	faults->resetting = faults->absent = faults->removed = false;
	udma_emu_faults_settle(emu);
}

void
udma_emu_faults_free(struct udma_emu *emu)
{
	if (emu->faults != NULL) {
		free(emu->faults->late.buf);
		free(emu->faults->early.buf);
		free(emu->faults);
	}
}

/* ---- Time ---- */

/** \return whether what ends after *left is over now; 0 is without an end. */
static bool
is_up(bool on, uint64_t *left, uint32_t us)
{
	if (!on || *left == 0) {
		return false;
	}
	if (*left > us) {
		*left -= us;
		return false;
	}
	*left = 0;
	return true;
}

void
udma_emu_faults_elapse(struct udma_emu *emu, uint32_t us)
{
	struct udma_emu_faults *faults = emu->faults;
	bool reset = is_up(faults->resetting, &faults->resetting_us, us);
	bool back = is_up(faults->absent, &faults->absent_us, us);

	if (is_up(faults->stopped, &faults->stopped_us, us)) {
		udma_emu_faulty_resume(emu);
	}
	if (reset) {
		end_reset(emu);
	}
	if (back) {
		come_back(emu);
	}
	udma_emu_faults_settle(emu);
}

static uint64_t
sooner(uint64_t due, bool on, uint64_t left)
{
	return on && left != 0 && left < due ? left : due;
}

uint32_t
udma_emu_faults_due_in(const struct udma_emu *emu)
{
	const struct udma_emu_faults *faults = emu->faults;
	uint64_t due = UINT32_MAX;

	due = sooner(due, faults->stopped, faults->stopped_us);
	due = sooner(due, faults->resetting, faults->resetting_us);
	return (uint32_t)sooner(due, faults->absent, faults->absent_us);
}
