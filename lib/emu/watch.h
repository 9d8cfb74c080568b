/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A polled BAR (design: "Registers: heard as messages, or polled"): memory that a driver stores to,
 * and whoever hosts the model watches.
 */

#ifndef UDMA_EMU_WATCH_H
#define UDMA_EMU_WATCH_H

#include "udma/emu.h"

/** The registers that a driver writes, as the model last had them. */
struct udma_emu_shadow {
	uint16_t chanctrl;
	uint16_t dmacount;
	uint64_t chainaddr;
	uint64_t chancmp;
	uint64_t chanerr_and_mask;
	uint32_t dcactrl;
	uint16_t intrdelay;
	uint8_t genctrl;
	uint8_t intrctrl;
};

/** A function and its BAR. */
struct udma_emu_watch {
	struct udma_emu *emu;
	uint8_t *bar; /* UDMA_EMU_BAR_SIZE bytes, shared with the driver */
	struct udma_emu_shadow shadow;
	bool resetting; /* a RESET does not end (udma/fault.h) */
	bool away;      /* everything reads as ones */
};

/** Whether the driver has stored something that the model has not been told. Only reads the BAR. */
bool udma_emu_watch_changed(const struct udma_emu_watch *watch);
/** Tells the model what the driver has stored. \return whether there was anything. */
bool udma_emu_watch_look(struct udma_emu_watch *watch);
/** Lets the driver see what the model has changed. */
void udma_emu_watch_publish(struct udma_emu_watch *watch);
/** As udma_emu_watch_publish(), and every other register: for a BAR that the driver has not seen
 * yet, or a reset. */
void udma_emu_watch_publish_all(struct udma_emu_watch *watch);

#endif
