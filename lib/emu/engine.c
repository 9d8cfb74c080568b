/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * One descriptor, from its fetch to its completion (sections 6, 8 and 9).
 *
 * Descriptors are carried out one after the other and each one wholly, so that a fence has nothing
 * to wait for.
 */

#include "choices.h"
#include "fault.h"

#define DESCRIPTOR_ALIGN 64

/** Fetches the slot that is next. */
static enum udma_emu_error
fetch_slot(struct udma_emu *emu, union spdk_ioat_hw_desc *desc)
{
	struct udma_emu_channel *chan = &emu->chan;

	if (chan->next % DESCRIPTOR_ALIGN != 0 ||
	    !udma_emu_load(emu, chan->next, desc, sizeof(*desc))) {
		return chan->first ? UDMA_EMU_BAD_FIRST : UDMA_EMU_BAD_NEXT;
	}
	return UDMA_EMU_NO_ERROR;
}

/** Fetches the slot behind a base descriptor, which has its own `next`, in the same place. */
static enum udma_emu_error
fetch_extension(struct udma_emu *emu, struct udma_emu_work *work)
{
	struct udma_emu_channel *chan = &emu->chan;
	enum udma_emu_error error;

	if ((uint16_t)(chan->dmacount - chan->internal) < 2) {
		return UDMA_EMU_NO_EXTENSION;
	}
	error = fetch_slot(emu, &work->extension);
	if (error == UDMA_EMU_NO_ERROR) {
		chan->next = work->extension.generic.next;
		work->slots = 2;
	}
	return error;
}

enum udma_emu_error
udma_emu_fetch(struct udma_emu *emu, struct udma_emu_work *work)
{
	struct udma_emu_channel *chan = &emu->chan;
	enum udma_emu_error error = fetch_slot(emu, &work->desc);

	work->slots = 1;
	if (error != UDMA_EMU_NO_ERROR) {
		return error;
	}
	chan->current = chan->next;
	chan->next = work->desc.generic.next;
	chan->first = false;
	if (udma_emu_is_raid(emu, work->desc.generic.u.control.op) &&
	    udma_emu_raid_extends(&work->desc)) {
		return fetch_extension(emu, work);
	}
	return UDMA_EMU_NO_ERROR;
}

enum udma_emu_error
udma_emu_complete(struct udma_emu *emu, const struct udma_emu_work *work)
{
	struct udma_emu_channel *chan = &emu->chan;

	if (work->desc.generic.u.control.completion_update &&
	    !udma_emu_store_completion(emu, chan->current | UDMA_EMU_GOOD_COMPLETION)) {
		return UDMA_EMU_COMPLETION_ADDRESS;
	}
	chan->last = chan->current;
	emu->completed++;
	return UDMA_EMU_NO_ERROR;
}

void
udma_emu_count(struct udma_emu *emu, const struct udma_emu_work *work)
{
	emu->chan.internal += work->slots;
	udma_emu_channel_settle(&emu->chan);
}

bool
udma_emu_step(struct udma_emu *emu)
{
	struct udma_emu_channel *chan = &emu->chan;
	struct udma_emu_work work;
	enum udma_emu_error error;

	if (emu->faulty) {
		return udma_emu_faulty_step(emu);
	}
	if (chan->state != UDMA_EMU_ACTIVE || !emu->may_dma) {
		return false;
	}
	error = udma_emu_fetch(emu, &work);
	if (error == UDMA_EMU_NO_ERROR) {
		error = udma_emu_operate(emu, &work);
	}
	if (error == UDMA_EMU_NO_ERROR) {
		error = udma_emu_complete(emu, &work);
	}
	if (error != UDMA_EMU_NO_ERROR) {
		udma_emu_channel_error(emu, error);
	}
	if (chan->state == UDMA_EMU_HALTED) {
		return false;
	}
	udma_emu_count(emu, &work);
	/* Last of all, so that whoever is interrupted sees everything else (section 9). */
	if (error == UDMA_EMU_NO_ERROR && work.desc.generic.u.control.int_enable) {
		udma_emu_interrupts_cause(emu);
	}
	return chan->state == UDMA_EMU_ACTIVE;
}
