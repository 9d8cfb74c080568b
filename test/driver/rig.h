/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A device for tests of the driver: the emulated function behind a BAR that the test can watch,
 * change, and step by hand. It appears through spdk_pci_hook_device(), as anybody's would.
 */

#ifndef TEST_DRIVER_RIG_H
#define TEST_DRIVER_RIG_H

#include "pci/emulated.h"
#include "spdk/ioat.h"

/* Offsets of the hardware reference, sections 3 and 4, channel 0. */
#define BAR_XFERCAP   0x01
#define BAR_CBVER     0x08
#define BAR_DMACAP    0x10
#define BAR_CHANCTRL  0x80
#define BAR_CHANCMD   0x84
#define BAR_DMACOUNT  0x86
#define BAR_CHANSTS   0x88
#define BAR_CHAINADDR 0x90
#define BAR_CHANCMP   0x98
#define BAR_CHANERR   0xa8

struct rig {
	struct udma_emulated function; /* its `bar` is the device's view */
	uint8_t *driver_bar;           /* the same, as the driver has it mapped */
	int bar_fd;
	pthread_t thread;
	bool stopping; /* read without the lock, and so apart from what is read with it */
	pthread_mutex_t lock;
	bool paused;
	/* What the device does wrong: RIG_SET(). */
	bool ignore_reset;
	bool ignores_reset;         /* the device has been told so */
	bool fill_at_multiple_of_8; /* the pattern of a fill starts at multiples of 8 */
	bool refuse_fills;          /* halts at a fill, although it says that it can */
	bool lie_at_fills;          /* completes something else at a fill, and hangs */
	bool resume_at_command;     /* a paused device goes on when CHANCMD is written */
	bool hangs;                 /* carries out no descriptor */
	bool loses_words;           /* completion words do not arrive; only while paused */
	unsigned slow_ms;           /* what it takes for one descriptor; 0: as fast as it can */
	bool no_config_180;         /* configuration register 180h cannot be read */
	bool no_command;            /* nor the command register */
	unsigned config_writes_180;
	bool no_interrupts;    /* it has none */
	bool loses_interrupts; /* they do not arrive */
	int interrupt_fd;      /* -1: they are off */
	unsigned interrupts;   /* sent since the start */
	uint64_t bar_size;     /* what mapping the BAR reports */
	int map_rc;            /* and returns */
};

/** Changes what the device does, while its thread may be looking. */
#define RIG_SET(rig, field, value)                                                                 \
	do {                                                                                       \
		pthread_mutex_lock(&(rig)->lock);                                                  \
		(rig)->field = (value);                                                            \
		pthread_mutex_unlock(&(rig)->lock);                                                \
	} while (0)

/** Makes the device appear at 0000:80:04.`func`, served by a thread. */
struct rig *rig_create(uint8_t func, uint8_t xfercap);
/** Likewise, of another part. */
struct rig *rig_create_part(uint8_t func, uint8_t xfercap, uint16_t device_id);
/** Gives the driver a mapping of its own, before it attaches. */
void rig_split_views(struct rig *rig);
/** Takes it away; it must have been detached. */
void rig_destroy(struct rig *rig);

/** From here on the device does nothing by itself. */
void rig_pause(struct rig *rig);
void rig_resume(struct rig *rig);
/** Lets a paused device take in what was stored and carry out up to `steps` descriptors. */
void rig_step(struct rig *rig, unsigned steps);

uint16_t rig_read16(const struct rig *rig, uint32_t offset);
uint64_t rig_read64(const struct rig *rig, uint32_t offset);
/** Stores to a register behind the device's back. */
void rig_poke(struct rig *rig, uint32_t offset, unsigned width, uint64_t value);
/** An interrupt that the device has not sent. */
void rig_interrupt(const struct rig *rig);
/** Everything reads as ones, as from a device that was pulled. Pauses. */
void rig_vanish(struct rig *rig);
/** Where the driver has put the completion word. */
uint64_t *rig_completion_word(const struct rig *rig);

/** Starts the environment without devices of its own. */
void rig_env_init(void);
/** Probes and takes the channel at 0000:80:04.`func`. \return NULL if it could not be brought up.
 */
struct spdk_ioat_chan *rig_attach(uint8_t func);
/** Polls until `count` callbacks more have run, or an error. \return what polls counted, or the
 * error. */
int rig_poll(struct spdk_ioat_chan *chan, int count);

#endif
