/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What is not known about the hardware, and what the emulated function does there.
 *
 * Each choice names the section of the hardware reference, or the number of the open point in its
 * section 16. Nothing else in this room decides such a question; what differs from part to part is
 * in parts.c.
 */

#ifndef UDMA_EMU_CHOICES_H
#define UDMA_EMU_CHOICES_H

#include "emu_internal.h"

/* --- Identity --------------------------------------------------------------------------------- */

/** Point 16: one channel a function. */
#define UDMA_EMU_CHANCNT 1
/** Section 4, DMA_COMP [?]: compatible with version 3 only. */
#define UDMA_EMU_DMA_COMP 0x0004
/** Section 2: the revision of the silicon that was read. */
#define UDMA_EMU_REVISION 4
/** Section 2, write-once subsystem ids: as if firmware had written and so locked them. */
#define UDMA_EMU_SUBSYSTEM_VENDOR 0x8086
#define UDMA_EMU_SUBSYSTEM_DEVICE 0x0000
/*
 * Points 1 and 17: versions and capabilities are in parts.c. Just what is carried out here is
 * offered: page break and block fill; XOR, PQ and what goes with it on the RAID functions. CRC, DIF
 * and marker skipping are offered by no part. DCAOFFSET is 0 on all of them (section 3.2).
 *
 * Point 17: advanced error reporting at 100h on the parts that Linux takes for 3.3 and newer, which
 * 2021h is not; on the others configuration offset 100h reads 0. Point 4: no bit of DMAUNCERRSTS is
 * ever set.
 *
 * Point 7: DRSCTL and the LTR registers of version 3.4 are accepted and ignored at both places.
 * CHWPREFLMT keeps what is written where descriptor prefetch is offered.
 */

/* --- States ----------------------------------------------------------------------------------- */

/**
 * Point 10: the states in which CHAINADDR arms the channel. In ACTIVE it is kept and has no effect:
 * a running engine has no use for it.
 */
#define UDMA_EMU_ARMING_STATES                                                                     \
	(1u << UDMA_EMU_HALTED | 1u << UDMA_EMU_SUSPENDED | 1u << UDMA_EMU_IDLE |                  \
	 1u << UDMA_EMU_ARMED)
/** Point 10: CHAINADDR does not arm a halted channel whose error has not been cleared. */
#define UDMA_EMU_ARMS_WITH_CHANERR false
/**
 * Point 6: the bytes of CHAINADDR whose write arms the channel. The highest one: written by a
 * 64-bit access and by that of the high half, which all drivers write last.
 */
#define UDMA_EMU_ARMING_BYTES (0xFFull << 56)
/**
 * Point 8: RESET keeps CHANCTRL (the silicon that was read had kept it) and CHANCMP (so that a
 * driver which writes the same value again need not be noticed), and clears CHAINADDR.
 */
#define UDMA_EMU_RESET_CLEARS_CHANCTRL false
#define UDMA_EMU_RESET_CLEARS_CHANCMP  false
/** Section 4.2, ABORT: the channel halts between two descriptors, and that is no error. */
#define UDMA_EMU_ABORT_HALTS true
/** Section 4.2: commands that are not an error. START and APPEND have no meaning in version 3. */
#define UDMA_EMU_COMMANDS 0x3F
/** Section 4.1, IN_USE: only a read sets it; writing it as 1 leaves it as it is. */

/* --- Errors ----------------------------------------------------------------------------------- */

/*
 * Section 11, advice: exactly one bit for memory that is not granted. Up to 3.3 it is the one that
 * Linux recovers from in good order, read data or write data; on 3.4 the one that DPDK, which
 * reports errors there, names best: source or destination address (parts.c).
 */
/**
 * Section 11, by name: a descriptor at an address that is misaligned or not granted is the fault of
 * whoever named it, the chain address for the first one and `next` for the others, extension
 * slots too. It is noticed when the descriptor is to be fetched, not before. Bit 3 (descriptor
 * error) is not used.
 */
#define UDMA_EMU_BAD_FIRST UDMA_EMU_CHAIN_ADDRESS
#define UDMA_EMU_BAD_NEXT  UDMA_EMU_NEXT_ADDRESS
/** Section 11, by name: an extension slot that DMACOUNT does not cover (section 8). */
#define UDMA_EMU_NO_EXTENSION UDMA_EMU_DESCRIPTOR_COUNT
/** Point 15, by name; null descriptors too. Of several errors the first of these is reported. */
#define UDMA_EMU_BAD_OPCODE UDMA_EMU_DESCRIPTOR_CONTROL
#define UDMA_EMU_BAD_SIZE   UDMA_EMU_TRANSFER_SIZE
/** Section 6.1: a count of 9 sources where 8 is the most, and PQ with both results disabled. */
#define UDMA_EMU_BAD_CONTROL UDMA_EMU_DESCRIPTOR_CONTROL
/** Section 6.1: reserved control bits, BUNDLE, and those without functional effect are not looked
 * at. */

/**
 * Section 4.1: the errors that halt the channel even without ANY_ERR_ABORT_EN, because the engine
 * does not know where to go on or has nowhere to report. After any other the descriptor is skipped
 * (section 8): it counts, with its extension, but is no good one.
 */
#define UDMA_EMU_FATAL_ERRORS                                                                      \
	(UDMA_EMU_NEXT_ADDRESS | UDMA_EMU_CHAIN_ADDRESS | UDMA_EMU_COMPLETION_ADDRESS |            \
	 UDMA_EMU_DESCRIPTOR_COUNT)

/* --- Completion ------------------------------------------------------------------------------- */

/** Point 11: the state in a good completion word. */
#define UDMA_EMU_GOOD_COMPLETION UDMA_EMU_ACTIVE
/**
 * Point 12: without ERR_COMPLETION_EN an error stores no completion word. With it, one that halts
 * the channel does. If the word itself cannot be stored then, no second error is recorded: two bits
 * at once are more than Linux can take (section 11).
 */
#define UDMA_EMU_ERROR_WORD_UNASKED false
/** Section 9: the word of a good descriptor is stored when COMPL_UPDATE says so, and not otherwise.
 */

/* --- Interrupts ------------------------------------------------------------------------------- */

/*
 * Section 10 says what interrupts; these are the points that it leaves open. interrupts.c.
 *
 * - Point 8: CHANCTRL bit 0 reads 1 from when an interrupt was sent until 1 is written to it.
 * - RESET forgets an interrupt that waits, and re-arms: Linux restarts a channel without writing
 *   CHANCTRL. A message in the PBA has been sent: it goes only where RESET clears the PBA.
 * - Causes that come while one waits are one interrupt.
 * - INTRDELAY is of completions and errors alike. It counts from the cause, also while the channel
 *   is not armed; what is written meanwhile is for the next one. RESET leaves it.
 * - A cause waits while MASTER_INT_EN is 0, and while there is no way to send it: no MSI-X or MSI
 *   enabled and no pin; for a message, also without bus mastering and outside D0.
 * - With both enabled, MSI-X goes before MSI.
 * - Point 9: ATTNSTATUS and INTRCTRL bits 1 and 2 show interrupts sent by MSI or the pin. They are
 *   cleared by reading ATTNSTATUS, by the re-arm and by RESET.
 * - PCISTS bit 3 follows INTRCTRL bit 2 where the pin is the way to send; the line also needs
 *   PCICMD bit 10 to be 0, and D0.
 * - A bit in CHANERRMSK keeps that error from interrupting if the channel goes on, and does nothing
 *   else. It hides no halt: where DWBES is offered Linux masks bits 16 and 17, and its self-test
 *   still needs the interrupt of an XOR validation that fails (sections 13 and 14.1).
 * - CHANERRMSK_INT and CHANERRSEV_INT only keep what is written.
 */

/** Section 13: on 0C5xh and 6F5xh RESET puts the MSI-X table and PBA back to their reset values. */

/* --- Operations ------------------------------------------------------------------------------- */

/**
 * Point 13: the first byte of the fill pattern goes to the first byte of the destination, wherever
 * that is; the pattern goes on through a page break.
 */
#define UDMA_EMU_FILL_PHASE(dst) 0u
/**
 * Point 14: with a page break, what lies behind the end of the first address's page comes from the
 * second address, however much it is. If the transfer ends before, the second address is not used.
 */
#define UDMA_EMU_PAGE_SIZE 4096u
/** Section 7, overlap: as memmove() does it, piece by piece. */

/**
 * RAID operations go through memory in blocks: the sources of a block are read in order before its
 * results are written, P before Q. What was written before an error stays.
 */
#define UDMA_EMU_RAID_BLOCK 1024u
/*
 * Point 18, 16-source PQ: as Linux lays it out (`struct ioat_pq_descriptor`, `pq16_set_src()`), the
 * address of the super-extended descriptor is q5, and coefficients 1 to 8 stay in q6. The table in
 * section 6.3 has the address in q6. The second 64 bytes are fetched only with more than 9 sources.
 *
 * DWBES: likewise as Linux reads it (`dwbes_f`), the status takes the place of the size, in the low
 * dword of q0. Section 6.3 has it in the control dword, where the opcode 8Ah by itself would read
 * as "status written, P error". It is written on a mismatch only, and then no bit of CHANERR is
 * set: Linux would meet it at the next, unrelated halt (section 11, BUG).
 *
 * What a validation compares with is read, and so a source; a slot that DWBES cannot write is a
 * destination. A mismatch found before such an error is not told: one bit (section 11).
 *
 * PQ update: P = P source ^ src1 ^ src2, Q = Q source ^ COEF * (src1 ^ src2); SRC_CNT is not looked
 * at. A validation whose results are both right goes on like any other descriptor.
 */
#define UDMA_EMU_DWBES_WRITTEN (1u << 31)
#define UDMA_EMU_DWBES_Q_ERROR (1u << 26)
#define UDMA_EMU_DWBES_P_ERROR (1u << 25)

/** CDAR of an operation with an extension: the base slot, as in the completion word. */

#endif
