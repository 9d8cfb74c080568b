/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * An emulated I/OAT function: one channel, as a pure state machine, for the test of a driver.
 *
 * Register and configuration accesses go in; memory accesses and interrupts come out through the
 * host's functions. No thread, no socket, no clock: whoever hosts the function steps it, and tells
 * it how much time has passed. Nothing here needs spdk_env_init().
 *
 * One function belongs to one thread at a time. The host's functions are called from inside the
 * calls below and must not call back into the same function. Section numbers are those of the
 * hardware reference; each point on which it is silent is a named choice in lib/emu/choices.h.
 */

#ifndef UDMA_EMU_H
#define UDMA_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define UDMA_EMU_BAR_SIZE 16384 /**< Bytes of BAR0 (section 1.3). */
#define UDMA_EMU_CFG_SIZE 4096  /**< Bytes of configuration space (section 2). */

/** One emulated function. */
struct udma_emu;

/** Ways in which a function can interrupt: bits of a mask. */
enum udma_emu_interrupt_kind {
	UDMA_EMU_MSIX = 1 << 0, /**< Capability at 80h, one vector, table and PBA in BAR0. */
	UDMA_EMU_MSI = 1 << 1,  /**< Capability at D0h, one message. No silicon was seen with it. */
	UDMA_EMU_INTX = 1 << 2, /**< The pin of `intx_pin`, level. */
};

/** The identity of a function, and what it is told to do wrong. All zero is a good one. */
struct udma_emu_config {
	/**
	 * One of section 1.1 from version 3.2 on: 3C20, 0E20, 2F20, 6F20 and their siblings (3.2),
	 * 0C50, 6F50 and theirs (3.3), 2021 (3.3), 0B00 (3.4). 0: 2021.
	 */
	uint16_t device_id;
	/** log2 of the largest transfer, 12 to 31 (XFERCAP). 0: 20, as silicon has it. */
	uint8_t xfercap;
	/** The header type's multi-function bit. */
	bool multifunction;
	/** Mask of enum udma_emu_interrupt_kind: what is offered. 0: the function cannot interrupt.
	 */
	uint32_t interrupts;
	/** 1 to 4 for INTA to INTD; 0: INTA. Without UDMA_EMU_INTX the pin register reads 0. */
	uint8_t intx_pin;
	/**
	 * The host keeps the MSI-X table, as QEMU does: a vector is announced by its number
	 * whenever MSI-X is enabled, whatever table and PBA in BAR0 hold.
	 */
	bool msix_table_in_host;
	/** Flip one byte of what every n-th data-moving descriptor wrote; 0: never. */
	uint32_t flip_every;
	/** Chooses the byte that is flipped. */
	uint64_t seed;
	/** End every n-th data-moving descriptor with `error` instead of carrying it out; 0: never.
	 */
	uint32_t error_every;
	/** Bits of CHANERR (section 11). */
	uint32_t error;
};

/** An interrupt, as it leaves the function. */
struct udma_emu_interrupt {
	enum udma_emu_interrupt_kind kind;
	unsigned vector;  /**< MSI-X, MSI: its number (0, there is one). */
	uint64_t address; /**< MSI-X, MSI: where the message goes; 0 if the host keeps the table. */
	uint32_t data;    /**< MSI-X, MSI: what it says; 0 if the host keeps the table. */
	bool level;       /**< INTx: the new level of the line. Messages: true. */
};

/** What the function needs of whoever hosts it. */
struct udma_emu_host {
	/**
	 * Grants an access to memory. Called for each access anew: nothing is remembered.
	 *
	 * \param len in: bytes asked for, at least 1, never beyond the end of the address space;
	 * out: how many of them the answer holds for, at least 1.
	 * \param write whether the memory is written.
	 * \return where the memory is in this process; NULL if it is not there.
	 */
	void *(*grant)(void *ctx, uint64_t iova, uint64_t *len, bool write);
	/**
	 * For memory that the host can reach but not map, asked when `grant` said NULL: copies up
	 * to `len` bytes, from the first on. NULL: there is no such memory.
	 *
	 * An aligned word of 8 bytes is there as a whole or not at all: a completion word is
	 * written by one call.
	 *
	 * \return how many bytes were copied; 0 if the first is not there.
	 */
	uint64_t (*read)(void *ctx, uint64_t iova, void *buf, uint64_t len);
	uint64_t (*write)(void *ctx, uint64_t iova, const void *buf, uint64_t len);
	/** Takes an interrupt; a change of level, for INTx. NULL: interrupts are lost. */
	void (*interrupt)(void *ctx, const struct udma_emu_interrupt *interrupt);
};

/**
 * Finds the device id of a generation's function.
 *
 * \param generation "jsf", "snb", "ivb", "hsw", "bdx", "bwd", "bdxde", "skx" or "icx"; or a device
 * id of section 1.1 as four hexadecimal digits, which every function gets then.
 * \param index the function's number: silicon has an id for each channel up to 3.3.
 * \return the id; 0 if there is no such generation or id here.
 */
uint16_t udma_emu_device_id(const char *generation, unsigned index);

/**
 * Makes a function in its power-on state. `config` and `host` are copied; `ctx` is handed to the
 * host's functions.
 *
 * \return the function, to be freed by udma_emu_destroy(); NULL with errno EINVAL if the config is
 * not one that exists or `host->grant` is NULL, ENOMEM if there is no memory.
 */
struct udma_emu *udma_emu_create(const struct udma_emu_config *config,
				 const struct udma_emu_host *host, void *ctx);

/** Frees it. NULL does nothing. No host function is called. */
void udma_emu_destroy(struct udma_emu *emu);

/**
 * Power-on, function-level and bus reset (section 2.2): every register of BAR0 and configuration
 * space has its reset value, and the channel is HALTED. An asserted INTx line falls.
 */
void udma_emu_reset(struct udma_emu *emu);

/**
 * Reads a register of BAR0 (sections 3 and 4), with what reading does: the in-use semaphore of
 * CHANCTRL is taken, ATTNSTATUS is cleared.
 *
 * \param width 1, 2, 4 or 8 bytes. \param offset a multiple of `width` below UDMA_EMU_BAR_SIZE.
 * \return the value; 0 for unlisted offsets and for an access that is none of these.
 */
uint64_t udma_emu_read(struct udma_emu *emu, uint32_t offset, unsigned width);

/**
 * Writes a register of BAR0, with effect on the channel's state and on interrupts at once.
 * Descriptors wait for a step. Unlisted offsets and an access that is not as for udma_emu_read()
 * are ignored.
 */
void udma_emu_write(struct udma_emu *emu, uint32_t offset, unsigned width, uint64_t value);

/**
 * Reads configuration space, any width and alignment.
 *
 * \return 0; -EINVAL beyond its end; -EIO by a fault (udma/fault.h).
 */
int udma_emu_cfg_read(struct udma_emu *emu, uint32_t offset, void *buf, uint32_t len);

/** Writes configuration space, as bytes in one access. \return likewise. */
int udma_emu_cfg_write(struct udma_emu *emu, uint32_t offset, const void *buf, uint32_t len);

/**
 * Lets the engine carry out one descriptor with all that belongs to it, if the channel is ACTIVE,
 * bus mastering is on and the function is in D0.
 *
 * \return whether there is more to do.
 */
bool udma_emu_step(struct udma_emu *emu);

/**
 * Tells that time has passed. An interrupt that INTRDELAY holds back is sent when its time has
 * come, and a fault that has an end ends (udma/fault.h); nothing else depends on time.
 */
void udma_emu_elapse(struct udma_emu *emu, uint32_t us);

/**
 * \return microseconds until an interrupt that is held back is due, or a fault ends; UINT32_MAX if
 * there is neither.
 */
uint32_t udma_emu_interrupt_due(const struct udma_emu *emu);

/**
 * \return how many descriptors have been carried out, with success, since the function was created:
 * a descriptor and its extension are one. Steps that had nothing to do, were held up by a fault or
 * ended with an error do not count, and a reset takes none back.
 */
uint64_t udma_emu_completed(const struct udma_emu *emu);

/**
 * \return how often the function has been reset since it was created: by udma_emu_reset(), by a
 * write to configuration space, or by its return from a fault. A host that wants to know whether
 * udma_emu_cfg_write() has reset it, and a fault may have kept it from that, asks before and after.
 */
uint64_t udma_emu_resets(const struct udma_emu *emu);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
