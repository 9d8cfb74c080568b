/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The in-process host of the emulated device: its functions, how their registers are watched, and
 * how the thread that serves them sleeps.
 */

#ifndef UDMA_PCI_EMULATED_H
#define UDMA_PCI_EMULATED_H

#include "udma/emu.h"
#include "spdk/env.h"

/** The registers of a channel that a driver writes, as the model last had them. */
struct udma_emulated_shadow {
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

/** One emulated function of this process. */
struct udma_emulated {
	struct udma_emu *emu;
	uint8_t *bar; /* UDMA_EMU_BAR_SIZE bytes, shared with the driver */
	struct udma_emulated_shadow shadow;
	struct spdk_pci_device device;
	bool hooked;
};

/* watch.c: a polled BAR (design: "Registers: heard as messages, or polled") */

/** Whether the driver has stored something that the model has not been told. Only reads the BAR. */
bool udma_emulated_changed(const struct udma_emulated *function);
/** Tells the model what the driver has stored. \return whether there was anything. */
bool udma_emulated_look(struct udma_emulated *function);
/** Lets the driver see what the model has changed. */
void udma_emulated_publish(struct udma_emulated *function);
/** As udma_emulated_publish(), and every other register: for a BAR that the driver has not seen
 * yet. */
void udma_emulated_publish_all(struct udma_emulated *function);

/* sleep.c */

/** Sleeping until a store to some pages, at no cost for the store while awake. */
struct udma_sleep {
	void *pages;
	size_t size;
	int uffd;    /* -1: the kernel lets us have none, and sleeping means looking now and then */
	int wake_fd; /* an eventfd */
	uint64_t nap_ns;
	bool prepared;
	bool initialized;
};

/** \param pages, size anonymous memory, page-aligned, all of it written to already. */
int udma_sleep_init(struct udma_sleep *sleep, void *pages, size_t size);
void udma_sleep_fini(struct udma_sleep *sleep);
/** Called by the thread that will sleep. */
void udma_sleep_init_thread(void);
/** From now on stores to the pages stop whoever makes them. \return false if that failed. */
bool udma_sleep_prepare(struct udma_sleep *sleep);
/** Lets stores through again. */
void udma_sleep_cancel(struct udma_sleep *sleep);
/**
 * Sleeps until a store or a wake, and lets stores through again.
 *
 * \return the thread whose store was stopped and goes on now; 0 if none was.
 */
uint32_t udma_sleep_wait(struct udma_sleep *sleep);
/** Lets the calling thread go to another core, if it is on that of `thread` and there is another.
 */
void udma_sleep_step_aside(uint32_t thread);
/** Wakes the sleeper, or keeps it from falling asleep. From any thread. */
void udma_sleep_wake(struct udma_sleep *sleep);

#endif
