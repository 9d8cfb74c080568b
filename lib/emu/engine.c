/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * One descriptor, from its fetch to its completion (sections 6, 8 and 9).
 *
 * Descriptors are carried out one after the other and each one wholly, so that a fence has nothing
 * to wait for.
 */

#include "choices.h"

#define DESCRIPTOR_ALIGN 64

static enum udma_emu_error
fetch(struct udma_emu *emu, union spdk_ioat_hw_desc *desc)
{
	struct udma_emu_channel *chan = &emu->chan;

	if (chan->next % DESCRIPTOR_ALIGN != 0 || !udma_emu_fetch(emu, chan->next, desc)) {
		return chan->first ? UDMA_EMU_BAD_FIRST : UDMA_EMU_BAD_NEXT;
	}
	chan->current = chan->next;
	chan->next = desc->generic.next;
	chan->first = false;
	return UDMA_EMU_NO_ERROR;
}

static enum udma_emu_error
carry_out(struct udma_emu *emu, const union spdk_ioat_hw_desc *desc)
{
	struct udma_emu_channel *chan = &emu->chan;
	enum udma_emu_error error = udma_emu_operate(emu, desc);

	if (error != UDMA_EMU_NO_ERROR) {
		return error;
	}
	if (desc->generic.u.control.completion_update &&
	    !udma_emu_store_completion(emu, chan->current | UDMA_EMU_GOOD_COMPLETION)) {
		return UDMA_EMU_COMPLETION_ADDRESS;
	}
	chan->last = chan->current;
	return UDMA_EMU_NO_ERROR;
}

bool
udma_emu_step(struct udma_emu *emu)
{
	struct udma_emu_channel *chan = &emu->chan;
	union spdk_ioat_hw_desc desc;
	enum udma_emu_error error;

	if (chan->state != UDMA_EMU_ACTIVE || !emu->may_dma) {
		return false;
	}
	error = fetch(emu, &desc);
	if (error == UDMA_EMU_NO_ERROR) {
		error = carry_out(emu, &desc);
	}
	if (error != UDMA_EMU_NO_ERROR) {
		udma_emu_channel_error(emu, error);
	}
	if (chan->state == UDMA_EMU_HALTED) {
		return false;
	}
	chan->internal++;
	udma_emu_channel_settle(chan);
	return chan->state == UDMA_EMU_ACTIVE;
}
