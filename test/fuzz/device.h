/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A hostile I/OAT device. It works as silicon does until the input has it do something else, and
 * can do so each time the driver accesses a register, looks at the clock or waits: nothing depends
 * on real time, and the same input is the same run.
 *
 * device.c is what the driver meets, engine.c what is behind it.
 */

#ifndef TEST_FUZZ_DEVICE_H
#define TEST_FUZZ_DEVICE_H

#include "fuzz.h"
#include "spdk/env.h"
#include "spdk/ioat_spec.h"

#define DEVICE_RING (1u << UDMA_IOAT_RING_ORDER)

/* Offsets of the hardware reference, sections 3 and 4, channel 0. */
#define XFERCAP   0x01
#define CBVER     0x08
#define DMACAP    0x10
#define CHANCTRL  0x80
#define CHANCMD   0x84
#define DMACOUNT  0x86
#define CHANSTS   0x88
#define CHAINADDR 0x90
#define CHANCMP   0x98
#define CHANERR   0xa8
#define RING_SIZE (DEVICE_RING * 64)
#define BAR_SIZE  0xb0 /* the driver maps no more, and the sanitizer watches its end */

#define RESET   0x20
#define SUSPEND 0x04

#define ACTIVE    0
#define IDLE      1
#define SUSPENDED 2
#define HALTED    3
#define ARMED     4

#define BUS_MASTER 4 /* of the command register in configuration space */

struct device {
	struct spdk_pci_device pci;
	struct input *input;
	uint8_t *bar;
	uint64_t now_us;
	unsigned look_us; /* what a look at the clock takes */
	unsigned accesses;
	/* What becomes of mapping it. */
	uint64_t bar_size;
	int map_rc;
	bool mapped;

	/* The engine. */
	uint64_t chain, completion; /* the ring's first slot, the word; and where that is for us */
	const void *chain_memory;
	uint64_t *completion_memory;
	uint16_t command;
	bool started; /* CHAINADDR was written since the reset */
	bool halted, suspended;
	/* Positions, as on_armed() says that the driver counts them. */
	uint64_t base; /* of the slot in CHAINADDR */
	uint64_t announced;
	uint64_t done;

	/* What it does wrong. */
	bool misbehaved;
	unsigned honest_turns, idle_turns;
	bool behaves;
	bool gone;          /* all registers read as ones */
	bool ignores_reset; /* RESET stays set */
	bool no_config;     /* configuration space cannot be accessed */
	bool lies;          /* the next read gives anything */
	unsigned fills; /* 0: from the start, 1: from a multiple of 8, 2: wrong bytes, 3: halts */

	/* What the driver knows of it. */
	uint64_t said_done;
	uint64_t status_read; /* as its two halves were read last */
	uint8_t xfercap_read;
	bool shown_halt, shown_gone;
	bool reset_written;
	bool stopped;
	bool refused; /* a reset did not end at once */
};

extern struct device g_device;

/* To be defined by the target. */

/** A descriptor has been announced, perhaps once more after a restart. */
void on_announced(uint64_t position, const union spdk_ioat_hw_desc *desc);
/** The channel has been armed. \return the position of that slot. */
uint64_t on_armed(unsigned slot);

/* device.c */

/** Makes the device appear. Once. */
void device_init(void);
/** Powers it on for another input, as the front of that says. */
void device_begin(struct input *input);
/** Starts a call into the driver, which has to end. */
void device_begin_call(void);
void device_advance_clock(uint64_t us);
/** Whether the driver may take it that the engine writes nothing any more. */
bool device_is_stopped(void);
/** Whether it can be brought up, and has done nothing but its work. */
bool device_is_sound(void);
/** The largest transfer that the driver was told of. */
uint64_t device_max_piece(void);

/* engine.c */

/** Lets it do what it likes. */
void device_take_turn(void);
/** From here on it only works as it should, as far as what it has done lets it. */
void device_behave(void);
/** Takes in what the driver may read by now, and what it has announced. */
void device_look(void);
/** Takes in a status that the driver has read. */
void device_take_as_said(uint64_t value);
/** Memory as the device sees it. \return NULL where it has none. */
void *device_memory_at(uint64_t iova, uint64_t size, bool write);
/* Both NULL if there is none, or the driver has freed it because the device told a lie: a real one
 * might still write there. */
uint64_t *device_completion_word(void);
const union spdk_ioat_hw_desc *device_ring(void);

static inline uint64_t
device_load(unsigned offset, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, g_device.bar + offset, width);
	return value;
}

static inline void
device_store(unsigned offset, unsigned width, uint64_t value)
{
	memcpy(g_device.bar + offset, &value, width);
}

#endif
