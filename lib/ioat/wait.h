/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What a channel has for waiting, once it has been asked for.
 */

#ifndef UDMA_IOAT_WAIT_H
#define UDMA_IOAT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct spdk_ioat_chan;

/** A wait polls for so long at the most before it sleeps. */
#define UDMA_IOAT_SPIN_MAX_US 20

struct udma_ioat_waiting {
	bool on;
	int fd; /* epoll, of the others, edge-triggered: readable until events are taken */
	int interrupt_fd; /* the bus's; -1: there are no interrupts */
	int kind;         /* enum udma_pci_interrupt_kind */
	int kick_fd;      /* readable from the start, and when the channel was restarted */
	int timer_fd;
	bool armed; /* the device sends the next interrupt, as far as is known */
	uint16_t coalesce_us;
	uint64_t silent_until; /* descriptors before this position do not interrupt */
	uint64_t tick_us;      /* period of the timer; 0: it stands */
	uint64_t nap_us;       /* of a wait without interrupts */
	uint64_t usual_tick_us;
	uint64_t slept_at; /* `completed` when it was last ready to sleep */
	bool missing;      /* the timer has found a completion, and its interrupt has not come */
	bool said_lost;
	uint64_t spin; /* ticks to poll for before a sleep; learnt */
};

/**
 * How often a sleeper with interrupts looks all the same: half of Linux's period (section 10). It
 * is more often where interrupts are seen to be lost. Tests make it longer.
 */
extern uint64_t udma_ioat_tick_us;

/** Makes the descriptor readable. */
void udma_ioat_kick(const struct udma_ioat_waiting *waiting);
/** Lets the timer come round in such a period; 0 stops it. */
void udma_ioat_set_tick(struct spdk_ioat_chan *chan, uint64_t us);
/**
 * Sees to it that the timer runs while descriptors are outstanding, for who may sleep. A flush does
 * so where it stands: a program may sleep behind that without a word.
 */
void udma_ioat_look_asleep(struct spdk_ioat_chan *chan);
/** Takes the events in: from here on the descriptor is not readable until there is another. */
void udma_ioat_take_events(struct spdk_ioat_chan *chan);
/** The rest of udma_ioat_wait(), where a poll has found nothing. */
int udma_ioat_sleep(struct spdk_ioat_chan *chan, uint64_t timeout_us);
/** The engine was reset and is armed anew: sees to it that it interrupts, and wakes who sleeps. */
void udma_ioat_waiting_restart(struct spdk_ioat_chan *chan);
/** Ends it. The engine has been stopped. */
void udma_ioat_waiting_end(struct spdk_ioat_chan *chan);

#endif
