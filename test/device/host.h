/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A host that steps the emulated function by hand, for tests.
 *
 * It gives the function a megabyte of memory at MEMORY. Tests say which parts of it are not
 * granted, or not for writing, or only by copying, and how far one grant reaches. It counts the
 * interrupts that come. Offsets and bits are written out in the tests from the hardware reference:
 * nothing here is shared with the driver or the function.
 */

#ifndef DEVICE_TEST_HOST_H
#define DEVICE_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "udma/emu.h"

#define MEMORY      0x12340000000ull
#define MEMORY_SIZE 0x100000ull

/* Where tests put things: the ring, the completion word, and data. */
#define RING (MEMORY + 0x1000)
#define WORD (MEMORY + 0x800)
#define SRC  (MEMORY + 0x40000)
#define DST  (MEMORY + 0x80000)

enum forbidden { NOTHING, WRITES, EVERYTHING };

struct host {
	struct udma_emu *emu;
	uint8_t *memory;
	uint64_t base;

	/* What is forbidden, from `from` on for `size` bytes. */
	enum forbidden forbidden;
	uint64_t from;
	uint64_t size;

	uint64_t reach;  /* a grant ends at the next multiple of it; 0: no such limit */
	bool empty;      /* grants hold for no byte at all, which the contract forbids */
	bool scattered;  /* pages lie here in another order than there; implies a reach of a page */
	unsigned grants; /* asked for so far */
	unsigned refusals;                                           /* of these, refused */
	void (*on_grant)(struct host *h, uint64_t iova, bool write); /* called before each answer */

	/* What is reached by copying only: `unmappable_size` bytes from there on. */
	uint64_t unmappable;
	uint64_t unmappable_size;
	unsigned copies; /* asked for so far */

	unsigned interrupts; /* taken so far */
	struct udma_emu_interrupt last;
	void (*on_interrupt)(struct host *h); /* called for each; registers are out of its reach */
};

/* Ready-made fixtures: a function with XFERCAP 20, bus mastering on. */
int host_setup(void **state);
int host_teardown(void **state);
struct host *host_new(const struct udma_emu_config *config);
/** One that can copy from and to memory, too. */
struct host *host_new_that_copies(const struct udma_emu_config *config);
void host_free(struct host *h);

/** Forbids a part of the memory. */
void forbid(struct host *h, enum forbidden what, uint64_t from, uint64_t size);

/* Memory, as the device's addresses name it. */
void put(struct host *h, uint64_t iova, const void *data, size_t len);
void get(struct host *h, uint64_t iova, void *data, size_t len);
void put64(struct host *h, uint64_t iova, uint64_t value);
uint64_t get64(struct host *h, uint64_t iova);
/** Fills memory with bytes that differ from their neighbours and by `salt`. */
void scribble(struct host *h, uint64_t iova, size_t len, uint8_t salt);
/** Fails unless the two ranges hold the same. */
void assert_same(struct host *h, uint64_t a, uint64_t b, size_t len);
/** Fails unless all bytes have this value. */
void assert_all(struct host *h, uint64_t iova, size_t len, uint8_t value);

/** Writes a descriptor, quadword by quadword (section 6.3). */
struct raw {
	uint32_t size;
	uint32_t control;
	uint64_t q1, q2, next, q4, q5;
};
void put_descriptor(struct host *h, uint64_t iova, struct raw raw);
/** A null descriptor: op 00 with bit 5, size 1 (section 7). `control` adds bits to it. */
void put_null(struct host *h, uint64_t iova, uint32_t control, uint64_t next);
/** A copy, op 00. */
void put_copy(struct host *h, uint64_t iova, uint32_t control, uint64_t src, uint64_t dst,
	      uint32_t size, uint64_t next);

/* Control word bits (section 6.1) */
#define INT_EN         0x01u
#define COMPL_UPDATE   0x08u
#define FENCE          0x10u
#define NULL_BIT       0x20u
#define SRC_PAGE_BREAK 0x40u
#define DST_PAGE_BREAK 0x80u
#define OP(n)          ((uint32_t)(n) << 24)

/* BAR0 */
uint64_t rd(struct host *h, uint32_t offset, unsigned width);
void wr(struct host *h, uint32_t offset, unsigned width, uint64_t value);

#define INTRCTRL   0x03
#define ATTNSTATUS 0x04
#define INTRDELAY  0x0C

/* Channel 0's registers: 80h and what section 4 says. */
#define CHANCTRL   0x80
#define DMA_COMP   0x82
#define CHANCMD    0x84
#define DMACOUNT   0x86
#define CHANSTS    0x88
#define CHAINADDR  0x90
#define CHANCMP    0x98
#define CDAR       0xA0
#define CHANERR    0xA8
#define CHANERRMSK 0xAC
#define DCACTRL    0xB0

/* States (section 4.3) */
enum { ACTIVE = 0, IDLE = 1, SUSPENDED = 2, HALTED = 3, ARMED = 4 };

/* Commands (section 4.2) */
enum { RESUME = 0x10, ABORT = 0x08, SUSPEND = 0x04, RESET = 0x20 };

/* Configuration space */
uint32_t cfg(struct host *h, uint32_t offset, unsigned width);
void cfg_wr(struct host *h, uint32_t offset, unsigned width, uint32_t value);

/* Interrupts */

/* What the messages of the two calls below are. */
#define MSIX_ADDRESS 0xFEE00000012340ull
#define MSIX_DATA    0x4041u
#define MSI_ADDRESS  0xFEE00000056780ull
#define MSI_DATA     0x5051u

/** Fills and unmasks the MSI-X table's entry at an offset of BAR0, and enables MSI-X. */
void enable_msix(struct host *h, uint32_t table);
void enable_msi(struct host *h);
/** Runs a descriptor with INT_EN. */
void cause(struct host *h);
/** Re-arms the channel, as Linux does after each cleanup. */
void rearm(struct host *h);
/** Fails unless just one more interrupt has come, of this kind and level. `*count` follows. */
void assert_interrupt(struct host *h, unsigned *count, enum udma_emu_interrupt_kind kind,
		      bool level);

/** Steps until there is no more to do. \return how often. */
unsigned run(struct host *h);
/** Brings the channel up: CHANCTRL (as DPDK: errors halt and are written back), CHANCMP, CHAINADDR.
 */
void start(struct host *h, uint64_t chain);
/** Runs one descriptor in a chain of its own; CHANCTRL and CHANCMP stay. */
void run_alone(struct host *h, uint64_t slot);
/** Starts at RING, announces `count` descriptors and runs them. */
void start_and_run(struct host *h, uint16_t count);
/** Runs one copy and expects it to succeed. */
void copy_succeeds(struct host *h, uint64_t src, uint64_t dst, uint32_t size);
/** Fails unless the channel is halted after `last`, with just this bit in both error registers. */
void assert_halted(struct host *h, unsigned bit, uint64_t last);

#endif
