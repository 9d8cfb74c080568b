/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The states of a channel, and what register writes and errors do to them (section 5).
 */

#include "choices.h"
#include "fault.h"

/* CHANCMD, beside the two commands that drivers use (section 4.2) */
#define CHANCMD_RESUME 0x10
#define CHANCMD_ABORT  0x08

/** Back to the start of no chain at all. */
static void
forget_chain(struct udma_emu_channel *chan)
{
	chan->dmacount = 0;
	chan->internal = 0;
	chan->first = true;
	chan->next = chan->chainaddr;
	chan->last = 0;
}

void
udma_emu_channel_reset(struct udma_emu_channel *chan)
{
	/* CHANERR is sticky (section 4): drivers clear it before, and FreeBSD wants it 0 after. */
	chan->state = UDMA_EMU_HALTED;
	chan->chainaddr = 0;
	chan->current = 0;
	if (UDMA_EMU_RESET_CLEARS_CHANCTRL) {
		chan->chanctrl = 0;
	}
	if (UDMA_EMU_RESET_CLEARS_CHANCMP) {
		chan->chancmp = 0;
	}
	forget_chain(chan);
}

void
udma_emu_channel_arm(struct udma_emu_channel *chan)
{
	if (!(UDMA_EMU_ARMING_STATES & 1u << chan->state)) {
		return;
	}
	if (chan->state == UDMA_EMU_HALTED && chan->chanerr != 0 && !UDMA_EMU_ARMS_WITH_CHANERR) {
		return;
	}
	forget_chain(chan);
	chan->state = UDMA_EMU_ARMED;
}

void
udma_emu_channel_settle(struct udma_emu_channel *chan)
{
	bool outstanding = chan->dmacount != chan->internal;

	switch (chan->state) {
	case UDMA_EMU_ARMED:
	case UDMA_EMU_IDLE:
		if (outstanding) {
			chan->state = UDMA_EMU_ACTIVE;
		}
		break;
	case UDMA_EMU_ACTIVE:
		if (!outstanding) {
			chan->state = UDMA_EMU_IDLE;
		}
		break;
	case UDMA_EMU_SUSPENDED:
	case UDMA_EMU_HALTED:
		break;
	}
}

static void
suspend(struct udma_emu_channel *chan)
{
	/* In HALTED it must do no harm: DPDK writes it blindly (section 4.2). */
	if (chan->state != UDMA_EMU_HALTED) {
		chan->state = UDMA_EMU_SUSPENDED;
	}
}

static void
resume(struct udma_emu_channel *chan)
{
	if (chan->state == UDMA_EMU_SUSPENDED) {
		chan->state = UDMA_EMU_ACTIVE;
		udma_emu_channel_settle(chan);
	}
}

/** A function that has faults is given a command. \return whether it obeys, now. */
static bool
heeds(struct udma_emu *emu, uint8_t command)
{
	struct udma_emu_faults *faults = emu->faults;

	if (faults->resetting) {
		return false;
	}
	if (command == SPDK_IOAT_CHANCMD_SUSPEND && faults->stopped) {
		/* The descriptor in hand is finished first (section 4.2). */
		faults->suspends = true;
		return false;
	}
	udma_emu_faulty_flush(emu);
	if (command == SPDK_IOAT_CHANCMD_RESET && udma_emu_fault_takes_reset(emu)) {
		return false;
	}
	if (command == SPDK_IOAT_CHANCMD_RESET || command == CHANCMD_ABORT) {
		udma_emu_faulty_reset(emu);
	}
	return true;
}

void
udma_emu_channel_command(struct udma_emu *emu, uint8_t command)
{
	struct udma_emu_channel *chan = &emu->chan;

	if ((command & (command - 1)) != 0 || (command & ~UDMA_EMU_COMMANDS) != 0) {
		udma_emu_channel_error(emu, UDMA_EMU_COMMAND);
		return;
	}
	if (emu->faulty && !heeds(emu, command)) {
		return;
	}
	switch (command) {
	case SPDK_IOAT_CHANCMD_RESET:
		udma_emu_channel_reset(chan);
		udma_emu_interrupts_reset(emu);
		break;
	case SPDK_IOAT_CHANCMD_SUSPEND:
		suspend(chan);
		break;
	case CHANCMD_RESUME:
		resume(chan);
		break;
	case CHANCMD_ABORT:
		if (UDMA_EMU_ABORT_HALTS) {
			chan->state = UDMA_EMU_HALTED;
		}
		break;
	}
}

static bool
halts(const struct udma_emu_channel *chan, enum udma_emu_error error)
{
	return (chan->chanctrl & SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN) ||
	       (error & UDMA_EMU_FATAL_ERRORS);
}

static void
report(struct udma_emu *emu, enum udma_emu_error error, bool halt)
{
	struct udma_emu_channel *chan = &emu->chan;

	chan->chanerr |= error;
	udma_emu_config_space_error(emu, error);
	if (halt) {
		/* First the word, then the state; and once halted nothing is stored any more
		 * (section 9). */
		if (chan->state != UDMA_EMU_HALTED && emu->may_dma &&
		    (UDMA_EMU_ERROR_WORD_UNASKED ||
		     (chan->chanctrl & SPDK_IOAT_CHANCTRL_ERR_COMPLETION_EN))) {
			udma_emu_store_completion(emu, chan->last | UDMA_EMU_HALTED);
		}
		chan->state = UDMA_EMU_HALTED;
	}
	/* A mask hides no halt (choices.h, interrupts). */
	if ((chan->chanctrl & SPDK_IOAT_CHANCTRL_ERR_INT_EN) &&
	    (halt || (error & ~chan->chanerrmask))) {
		udma_emu_interrupts_cause(emu);
	}
}

void
udma_emu_channel_error(struct udma_emu *emu, enum udma_emu_error error)
{
	report(emu, error, halts(&emu->chan, error));
}

void
udma_emu_channel_halt(struct udma_emu *emu, enum udma_emu_error error)
{
	report(emu, error, true);
}
