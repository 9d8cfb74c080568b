/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The memory that requests copy from and to, and what it must hold: a second copy of it, which is
 * brought up to date when a request has ended.
 */

#ifndef TEST_RANDOM_MEMORY_H
#define TEST_RANDOM_MEMORY_H

#include "check.h"

/* Of the engine. */
#define PAGE 4096u

/* Two registrations that meet, a page that is never registered, and one that comes and goes. */
#define SEAM        0x9000u
#define HOLE        0x1c000u
#define REMOVABLE   0x1d000u
#define MEMORY_SIZE 0x20000u

/** A range of it. */
struct range {
	uint32_t start, len;
};

static inline bool
ranges_meet(struct range a, struct range b)
{
	return a.start < b.start + b.len && b.start < a.start + a.len;
}

extern uint8_t *g_memory; /* page-aligned */

/** Once. */
void memory_init(void);
/** Other contents. */
void memory_begin(uint64_t *random);
/** Registers and removes what comes and goes. \return what removing it returned; 0. */
int memory_toggle(void);
bool memory_is_removable_there(void);
/** \return how many bytes from an address on are one registration; 0: none. */
uint32_t memory_contiguous(uint32_t at);
/** The range holds what it should from now on: what is there. */
void memory_accept(struct range range);
/** Everything outside of ranges for which `except` is true holds what it should. */
void memory_check(bool (*except)(uint32_t at));

#endif
