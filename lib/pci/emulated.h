/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The in-process host of the emulated device: its functions, and how the thread that serves them
 * sleeps.
 */

#ifndef UDMA_PCI_EMULATED_H
#define UDMA_PCI_EMULATED_H

#include "emu/watch.h"
#include "spdk/env.h"

/** One emulated function of this process. */
struct udma_emulated {
	struct udma_emu *emu;
	struct udma_emu_watch watch;
	struct spdk_pci_device device;
	bool hooked;
	int interrupt_fd; /* an eventfd; -1: nobody listens */
	uint64_t told;    /* ticks up to which the model knows that time has passed */
};

/* emulated_interrupt.c */

extern const struct udma_pci_interrupt_ops udma_emulated_interrupts;
/** As in struct udma_emu_host, for a function as context. */
void udma_emulated_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt);
/** Lets time pass for an interrupt that is held back. \return as udma_emu_interrupt_due(). */
uint32_t udma_emulated_tell_time(struct udma_emulated *function);

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
 * \param limit_us sleeps no longer than this; UINT32_MAX: without a limit.
 * \return the thread whose store was stopped and goes on now; 0 if none was.
 */
uint32_t udma_sleep_wait(struct udma_sleep *sleep, uint32_t limit_us);
/** Lets the calling thread go to another core, if it is on that of `thread` and there is another.
 */
void udma_sleep_step_aside(uint32_t thread);
/** Wakes the sleeper, or keeps it from falling asleep. From any thread. */
void udma_sleep_wake(struct udma_sleep *sleep);

#endif
