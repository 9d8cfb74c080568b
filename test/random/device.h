/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The emulated device (lib/emu) in the thread of the test: it works whenever the driver accesses a
 * register, looks at the clock or waits, and when the program lets it. How much it does then, and
 * what it does wrong, comes from the program's random numbers; nothing depends on real time.
 *
 * Its registers are heard one by one, as a virtual machine's are, or polled, as those of a program
 * in user space.
 *
 * device.c is what the driver meets, sleep.c how it sleeps, engine.c what the engine does.
 */

#ifndef TEST_RANDOM_DEVICE_H
#define TEST_RANDOM_DEVICE_H

#include "check.h"
#include "emu/watch.h"
#include "random.h"
#include "spdk/env.h"

#define RING (1u << UDMA_IOAT_RING_ORDER)

struct device {
	struct spdk_pci_device pci;
	struct udma_emu *emu;
	struct udma_emu_watch watch; /* its bar is the driver's, in both ways of hearing */
	bool polled;
	bool missed; /* it did not look at its registers, or show them, at its last turn */
	uint64_t random;
	uint64_t now_us; /* device_pass() */
	uint64_t turns;
	uint64_t max_piece;
	bool has_fill;
	bool has_parity; /* XOR and P+Q that may be relied on */

	/* The engine, in positions: they count descriptors as the driver does. */
	bool armed;    /* since the last RESET */
	uint64_t base; /* of the slot in CHAINADDR */
	uint64_t announced;
	uint64_t done; /* carried out, or skipped by a restart */
	/* What it has heard in all; what is announced again after a restart is not new. */
	uint64_t furthest, rung, doorbells;
	uint64_t word_at; /* the turn in which a completion word was stored last, or a status shown
			   */

	/* Its interrupts. */
	uint32_t interrupts; /* the one enum udma_emu_interrupt_kind that it has; 0: none */
	bool forgets;        /* a cause while it may not interrupt is lost */
	int interrupt_fd;    /* -1: they are off */
	bool vector_lost;    /* by a reset, until it is set up again */
	bool line, line_masked;
	uint64_t silent_until; /* what was announced before that does not interrupt */
	uint64_t lost_before;  /* interrupts, until the last re-arm */
	uint64_t signals;      /* that have ended a sleep of the driver */
	bool ready;            /* whoever sleeps has made ready for it */

	/* What it does wrong. */
	unsigned halt_in;             /* halts at the n-th descriptor from here; 0: does not */
	unsigned halt_every;          /* and again at each n-th */
	uint32_t chanerr;             /* with this cause */
	bool halt_unseen;             /* and does not say so in the completion word */
	unsigned words_lost;          /* so many completion words do not arrive */
	uint64_t idle_until;          /* does nothing until then */
	unsigned slow_us;             /* and pauses for so long behind each descriptor */
	bool hangs;                   /* does nothing until it is reset */
	bool gone;                    /* all registers read as ones, */
	uint64_t gone_at;             /* since then */
	bool ignores_reset;           /* RESET never reads as done */
	bool reset_is_pending;        /* it was written meanwhile */
	bool no_config;               /* configuration space cannot be accessed */
	bool no_descriptors;          /* the process has no more files */
	unsigned injected;            /* faults of the emulated device's own (udma/fault.h) */
	unsigned injected_interrupts; /* and those that concern interrupts */

	/* Statuses (bits by number) that may be because of what it has done to the channel since
	 * that was brought up. A halt is another matter: it has one request to blame. */
	uint32_t explains;
	unsigned halts; /* since then */
};

extern struct device g_device;

/* To be defined by who keeps the requests. */

/** The channel is armed. \return the position of that slot. */
uint64_t requests_armed(unsigned slot);
/** A descriptor is announced, perhaps once more after a restart. */
void requests_announced(uint64_t position, uint32_t control);
/** Whether an engine without faults halts at a position, with this cause: a check that differs. */
bool requests_explain_halt(uint64_t position, uint32_t chanerr);
/** The engine has halted at a position. */
void requests_halted(uint64_t position, uint32_t chanerr);
/** \return the position of the oldest request that has not been told of. */
uint64_t requests_oldest(void);
/** Whether a poll would find an end of a request, or a halt, that has interrupted. */
bool requests_are_to_be_told_of(void);

/* device.c */

/** Makes the device appear. Once. */
void device_init(void);
/** Another one, powered on, and without faults. */
void device_begin(uint64_t *random);
void device_end(void);
/** Ends what it does wrong. */
void device_heal(void);
/** Whether it does its work and nothing else. */
bool device_is_sound(void);
/** Whether the driver may take it that the engine writes nothing any more. */
bool device_is_stopped(void);

/* sleep.c */

/** Time passes. */
void device_pass(uint64_t us);
/** Once, when it has appeared. */
void device_hook_interrupts(void);
/** Of the model: an interrupt leaves it. */
void device_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt);
/** The driver has asked for the next interrupt. */
void device_rearmed(void);
/** To be called whenever causes to interrupt may have come. */
void device_forget_causes(void);
bool device_fd_is_readable(int fd);
/** Sleeps on the channel's descriptor. \param ready it has been made ready for that. \return
 * whether it became readable before a time. */
bool device_sleep(int fd, uint64_t until_us, bool ready);

/* engine.c */

/** Takes in what was announced. */
void device_look(void);
/** Looks, and works for a while. */
void device_turn(void);
/** One that is polled looks at its registers. */
void device_hear(void);
/** Whether it has something to carry out, now or when its pause is over. */
bool device_has_work(void);
/** Carries out up to so many descriptors. */
void device_work(unsigned limit);
/** As a process that was killed leaves it: the kernel has taken the bus from it. */
void device_leave_running(void);
/** Halts now. \param unseen the completion word does not say so. */
void device_halt(uint32_t chanerr, bool unseen);
/** \return the position up to which the completion word says that all is done, to be believed. */
uint64_t device_said(void);
/** Whether it may be an old word, for all that the driver knows, which has ended those before a
 * position: it is more than half the ring ahead. */
bool device_word_is_far(uint64_t oldest);
/** Whether it has halted, and its word says so; of one that has `at_work`, or its status. */
bool device_tells_of_halt(bool at_work);
/** Stores an address that is no slot's as completion word. */
void device_store_wrong_word(void);

#endif
