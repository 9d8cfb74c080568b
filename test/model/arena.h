/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory of the model-based test: the same contents twice, once for the emulated function and once
 * for the reference, and one table that says of each byte how it is granted.
 *
 * What the emulated function sees lies in three banks. Neighbours that are granted in different
 * ways lie in different banks, so a pointer is of no use beyond the length it was granted for.
 */

#ifndef UDMA_TEST_ARENA_H
#define UDMA_TEST_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How a byte is granted. */
enum arena_kind {
	ARENA_HOLE,    /**< Not at all. */
	ARENA_RW,      /**< By a pointer. */
	ARENA_RW_2,    /**< By a pointer to somewhere else. */
	ARENA_RO,      /**< By a pointer, for reading. */
	ARENA_RO_2,    /**< By a pointer to somewhere else, for reading. */
	ARENA_CALL,    /**< By the host's functions. */
	ARENA_CALL_RO, /**< By the host's functions, for reading. */
	ARENA_KINDS,
};

/** What is contiguous in the device's address space. */
struct arena_region {
	uint64_t iova;
	uint32_t offset; /**< in the arena */
	uint32_t len;
};

#define ARENA_REGIONS 4
#define ARENA_MAIN    1 /**< Holds rings, completion words and most data. */
#define ARENA_SIZE    (4096u + 131072u + 65536u + 16384u)

extern const struct arena_region arena_regions[ARENA_REGIONS];

struct arena_range {
	uint32_t offset, len;
};

#define ARENA_RANGES 256

struct arena {
	uint8_t *bank[3];
	uint8_t *flat;            /**< the reference's */
	uint8_t *elsewhere;       /**< what a bank holds where the byte is in another one */
	uint8_t *kind;            /**< enum arena_kind, of each byte */
	bool has_read, has_write; /**< whether the host's functions are there */
	/** What can have changed since arena_forget_changes(). */
	struct arena_range changed[ARENA_RANGES];
	unsigned changes;
	/** What the reference has written since then. */
	struct arena_range stored[ARENA_RANGES];
	unsigned stores;
	bool overflow; /**< There were more. */
	/** The emulated function has broken the contract of the host's functions. */
	const char *complaint;
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);
/** Contents from `seed`, all of it ARENA_RW but the page at 0, which is a hole. */
void arena_start(struct arena *arena, uint64_t seed, bool has_read, bool has_write);
/** Changes how [offset, offset + len) is granted, as far as it exists. */
void arena_place(struct arena *arena, uint32_t offset, uint32_t len, enum arena_kind kind);
/** The CPU writes, whatever is granted to the device. */
void arena_poke(struct arena *arena, uint32_t offset, const uint8_t *bytes, uint32_t len);
uint64_t arena_iova(uint32_t offset);
/** \return whether the address is in a region. */
bool arena_find(uint64_t iova, uint32_t *offset);
void arena_forget_changes(struct arena *arena);
/** \return whether what can have changed is the same on both sides; else where not. */
bool arena_same_changes(const struct arena *arena, uint32_t *offset);
bool arena_same(const struct arena *arena, uint32_t *offset);
/** Takes what the reference has stored from the other side. */
void arena_adopt_stores(struct arena *arena);
uint8_t arena_real_byte(const struct arena *arena, uint32_t offset);

/* For the emulated function: its host's functions. */
void *arena_grant(void *ctx, uint64_t iova, uint64_t *len, bool write);
uint64_t arena_read(void *ctx, uint64_t iova, void *buf, uint64_t len);
uint64_t arena_write(void *ctx, uint64_t iova, const void *buf, uint64_t len);

/* For the reference. */
bool arena_load_byte(void *ctx, uint64_t iova, uint8_t *byte);
bool arena_store_byte(void *ctx, uint64_t iova, uint8_t byte);
bool arena_takes_word(void *ctx, uint64_t iova);
bool arena_whole(void *ctx, uint64_t iova, uint64_t len);

#endif
