/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The emulated I/OAT function: one channel, as a pure state machine.
 *
 * Registers and configuration accesses go in; memory accesses come out through the host's
 * functions. No thread, no socket, no clock: a host calls udma_emu_step() to let the engine carry
 * out a descriptor. Section numbers are those of the hardware reference. One function belongs to
 * one thread at a time.
 */

#ifndef UDMA_EMU_H
#define UDMA_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDMA_EMU_BAR_SIZE 16384 /* section 1.3 */
#define UDMA_EMU_CFG_SIZE 4096  /* section 2 */

/** One emulated function. */
struct udma_emu;

/** The identity of a function, and what it is told to do wrong. */
struct udma_emu_config {
	uint16_t device_id;  /* 0x2021 is the only one so far */
	uint8_t xfercap;     /* log2 of the largest transfer, 12 to 31 */
	bool multifunction;  /* the header type's multi-function bit */
	uint32_t flip_every; /* flip one byte of what every n-th data-moving descriptor wrote; 0:
				never */
	uint64_t seed;       /* chooses the byte that is flipped */
};

/** What the function needs of whoever hosts it. */
struct udma_emu_host {
	/**
	 * Grants an access to memory.
	 *
	 * \param len in: bytes asked for, at least 1; out: how many of them the answer holds for,
	 * at least 1.
	 * \param write whether the memory is written.
	 * \return where the memory is in this process; NULL if the access is not granted.
	 */
	void *(*grant)(void *ctx, uint64_t iova, uint64_t *len, bool write);
};

/** \return a function in its power-on state; NULL if there is no memory or the config is not valid.
 */
struct udma_emu *udma_emu_create(const struct udma_emu_config *config,
				 const struct udma_emu_host *host, void *ctx);
void udma_emu_destroy(struct udma_emu *emu);

/** Power-on, function-level and bus reset (section 2.2). */
void udma_emu_reset(struct udma_emu *emu);

/**
 * Reads a register of BAR0.
 *
 * \param width 1, 2, 4 or 8. \param offset a multiple of `width`; unlisted offsets read 0.
 */
uint64_t udma_emu_read(struct udma_emu *emu, uint32_t offset, unsigned width);

/** Writes a register of BAR0, with effect on the channel's state at once. Descriptors wait for a
 * step. */
void udma_emu_write(struct udma_emu *emu, uint32_t offset, unsigned width, uint64_t value);

/** Reads configuration space. \return 0; -EINVAL beyond its end. */
int udma_emu_cfg_read(struct udma_emu *emu, uint32_t offset, void *buf, uint32_t len);
/** Writes configuration space. \return 0; -EINVAL beyond its end. */
int udma_emu_cfg_write(struct udma_emu *emu, uint32_t offset, const void *buf, uint32_t len);

/** Lets the engine carry out one descriptor, if it may. \return whether there is more to do. */
bool udma_emu_step(struct udma_emu *emu);

#endif
