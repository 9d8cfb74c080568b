/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Faults as the files of this room share them. Nothing here is touched while `udma_emu.faulty` is
 * false, which is one look for each descriptor, completion word, interrupt and access.
 */

#ifndef UDMA_EMU_FAULT_H
#define UDMA_EMU_FAULT_H

#include "emu_internal.h"
#include "udma/fault.h"

/** A fault that was injected. */
struct udma_emu_armed {
	struct udma_fault fault; /* its `at` is never 0 */
	uint64_t seen;           /* occasions */
	uint64_t happened;
	uint64_t random;
	bool due; /* at the descriptor in hand */
};

/** What a copy has read and not stored yet. */
struct udma_emu_held {
	void *buf; /* NULL: nothing */
	uint64_t len;
	uint64_t dst;
};

struct udma_emu_faults {
	struct udma_emu_armed list[UDMA_FAULTS_MAX];
	unsigned count;
	uint64_t counts[UDMA_FAULT_KINDS];

	/* The descriptor in hand, for an engine that stops in the middle of it. */
	struct udma_emu_work work;
	enum udma_fault_step step; /* the next one */
	bool chosen;               /* what is due at it has been found out */
	uint32_t half;             /* bytes that were written before UDMA_FAULT_WRITE */
	bool stopped;
	uint64_t stopped_us; /* it goes on after these; 0: never by itself */
	bool suspends;       /* SUSPEND came meanwhile: once the descriptor is finished */

	struct udma_emu_held late, early;
	uint64_t again; /* the completion word that is stored behind the next one; 0: none */

	bool resetting; /* a RESET that does not end */
	uint64_t resetting_us;
	bool absent; /* all ones */
	bool removed;
	uint64_t absent_us;
};

/* fault.c */

/** Whether there is anything yet that is not as it should be. */
void udma_emu_faults_settle(struct udma_emu *emu);
/**
 * An occasion of a kind.
 *
 * \return the fault that happens, counted; NULL for none.
 */
const struct udma_fault *udma_emu_fault_takes(struct udma_emu *emu, enum udma_fault_kind kind);
/** The same for an access to configuration space. */
bool udma_emu_fault_takes_config(struct udma_emu *emu, uint32_t offset, uint32_t len);
/** The same for bytes that were written. \return the one to spoil, `len` for none. */
uint32_t udma_emu_fault_flip(struct udma_emu *emu, uint32_t len);
/** RESET was written. \return whether it does not end. */
bool udma_emu_fault_takes_reset(struct udma_emu *emu);
/** Finds out what is due at a descriptor, good in itself, that moves data. */
void udma_emu_faults_choose(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc);
/** \return a fault of a kind and step that is due, not any more and counted; NULL for none. */
const struct udma_fault *udma_emu_fault_due(struct udma_emu *emu, enum udma_fault_kind kind,
					    enum udma_fault_step step);
/** \return whether one is, without any of this. */
bool udma_emu_fault_is_due(const struct udma_emu *emu, enum udma_fault_kind kind,
			   enum udma_fault_step step);
/** The function does not answer any more, or is removed. */
void udma_emu_vanish(struct udma_emu *emu, const struct udma_fault *fault);
/** Time has passed. */
void udma_emu_faults_elapse(struct udma_emu *emu, uint32_t us);
/** \return microseconds until a fault ends by itself; UINT32_MAX if none does. */
uint32_t udma_emu_faults_due_in(const struct udma_emu *emu);
/** Power-on: what was stopped, or did not answer, is as good as new. */
void udma_emu_faults_power_on(struct udma_emu *emu);
void udma_emu_faults_free(struct udma_emu *emu);

/* fault_engine.c */

/** udma_emu_step() of a function that has faults. */
bool udma_emu_faulty_step(struct udma_emu *emu);
/** Whether a fault that has an effect only sometimes would have one. */
bool udma_emu_can_be_late(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc);
bool udma_emu_can_be_early(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc);
/** Stores what was held back. */
void udma_emu_faulty_flush(struct udma_emu *emu);
/** Forgets the descriptor in hand: the channel is halted or armed. */
void udma_emu_faulty_forget(struct udma_emu *emu);
/** Likewise, and what was still to be stored: the channel is reset or aborted. */
void udma_emu_faulty_reset(struct udma_emu *emu);
/** Lets a stopped engine go on. */
void udma_emu_faulty_resume(struct udma_emu *emu);
/** udma_emu_store_completion() of a function that has faults. */
bool udma_emu_faulty_word(struct udma_emu *emu, uint64_t word);

#endif
