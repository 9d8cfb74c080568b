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
	bool away;        /* it does not answer, */
	bool removed;     /* and is known to be gone */
	uint64_t time;    /* ticks up to which it knows that time has passed; 0: it needs not */
};

/* emulated_interrupt.c */

extern const struct udma_pci_interrupt_ops udma_emulated_interrupts;
/** As in struct udma_emu_host, for a function as context. */
void udma_emulated_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt);

/* emulated.c */

/** Locks the models. \return the one of a device; NULL, and not locked, if it is not emulated. */
struct udma_emulated *udma_emulated_lock(const struct spdk_pci_device *device);
/** Shows what has changed in it, and unlocks. */
void udma_emulated_unlock(struct udma_emulated *function);

/* emulated_memory.c */

/** As in struct udma_emu_host. */
void *udma_emulated_grant(void *ctx, uint64_t iova, uint64_t *len, bool write);
/** The environment ends: no registration is remembered. */
void udma_emulated_forget_memory(void);

/* emulated_fault.c */

/** A function does not answer any more, or does again. The models are locked. */
void udma_emulated_came_or_went(struct udma_emulated *function);
/** Lets time pass for a fault that has an end. \return whether there is one. */
bool udma_emulated_let_time_pass(struct udma_emulated *function);

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
