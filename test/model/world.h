/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The emulated function and the reference, side by side: each operation goes to both, and what can
 * be seen of them is compared after it.
 */

#ifndef UDMA_TEST_WORLD_H
#define UDMA_TEST_WORLD_H

#include "udma/emu.h"

#include "arena.h"
#include "reference.h"

enum operation_kind {
	DO_READ,
	DO_WRITE,
	DO_CONFIG_READ,
	DO_CONFIG_WRITE,
	DO_STEP,
	DO_ELAPSE,
	DO_RESET,
	DO_PLACE, /**< Changes how memory is granted. */
	DO_POKE,  /**< The CPU writes to memory. */
};

struct operation {
	enum operation_kind kind;
	uint32_t offset;   /**< BAR0, configuration space, arena */
	uint32_t len;      /**< bytes; microseconds; steps */
	uint64_t value;    /**< DO_WRITE; DO_PLACE: enum arena_kind */
	uint8_t bytes[64]; /**< DO_CONFIG_WRITE, DO_POKE */
};

struct world {
	struct arena arena;
	struct udma_emu *emu;
	struct reference reference;
	bool takes_interrupts;                            /**< The host has a function for them. */
	struct udma_emu_interrupt emitted[REFERENCE_LOG]; /**< by the emulated function */
	unsigned emissions;
	char difference[512]; /**< What differs. Empty: nothing. */
};

/** What a world starts from. */
struct world_start {
	struct udma_emu_config config;
	bool has_read, has_write, takes_interrupts;
	uint64_t memory_seed;
};

void world_init(struct world *world);
void world_fini(struct world *world);
/** Makes both functions. \return whether both could be made, or none of them; see `emu`. */
bool world_start(struct world *world, const struct world_start *start);
/** Does one operation on both sides. \return false if they differ. */
bool world_apply(struct world *world, const struct operation *operation);
/** Compares all that can be seen, and reads all registers for it. \return false if it differs. */
bool world_compare_all(struct world *world);
/** One line that says what is done. */
void operation_describe(const struct operation *operation, char *text, size_t size);

#endif
