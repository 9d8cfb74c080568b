/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * XOR and PQ for tests: descriptors as sections 6.1 and 6.3 lay them out, and what must come of
 * them, by isa-l.
 */

#ifndef DEVICE_TEST_PARITY_H
#define DEVICE_TEST_PARITY_H

#include "host.h"

#define OP_XOR      0x87
#define OP_XOR_VAL  0x88
#define OP_PQ       0x89
#define OP_PQ_VAL   0x8A
#define OP_PQ_UP    0x8B
#define OP_PQ16     0xA0
#define OP_PQ16_VAL 0xA1

/* Control bits of PQ (section 6.1) */
#define P_DISABLE 0x0800u
#define Q_DISABLE 0x1000u
#define WB_EN     0x2000u

/* Where tests put things: sources from SRC on, this far apart; the two results; an SED. */
#define SOURCE_STRIDE 0x4000
#define P_RESULT      (DST + 0x100)
#define Q_RESULT      (DST + 0x8100)
#define SED           (MEMORY + 0x10000)

struct parity {
	uint8_t op;
	uint32_t control; /* without the opcode and SRC_CNT */
	unsigned count;   /* sources */
	uint64_t source[16];
	uint8_t coef[16];
	uint64_t p, q;
	uint32_t size;
};

/** Fixtures: functions that offer XOR and PQ, and 16 sources and DWBES besides. */
int parity_setup(void **state);   /* 6F2Eh */
int parity16_setup(void **state); /* 0C50h */

/**
 * An operation on that many sources, which it fills with data. Each source begins elsewhere in a
 * word; coefficients are the powers of 2, as RAID 6 has them.
 */
struct parity parity_of(struct host *h, uint8_t op, unsigned count, uint32_t size);
/**
 * Writes its descriptor, with the extension in the slot behind or the SED where they are needed.
 * \return the slots taken.
 */
unsigned put_parity(struct host *h, uint64_t slot, const struct parity *parity);
/** Starts at RING and runs the operation alone. \return the slots taken. */
unsigned run_parity(struct host *h, const struct parity *parity);

/** Stores what P and Q must be, by isa-l, at two addresses. */
void store_expected(struct host *h, const struct parity *parity, uint64_t p, uint64_t q);
/** Runs it, and fails unless it succeeds with the right P and Q and writes nothing else. */
void parity_succeeds(struct host *h, const struct parity *parity);
/** Inverts a byte. */
void spoil(struct host *h, uint64_t iova);

#endif
