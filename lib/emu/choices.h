/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What is not known about the hardware, and what the emulated function does there.
 *
 * Each choice names the section of the hardware reference, or the number of the open point in its
 * section 16. Nothing else in this room decides such a question.
 */

#ifndef UDMA_EMU_CHOICES_H
#define UDMA_EMU_CHOICES_H

#include "emu_internal.h"

/* --- Identity --------------------------------------------------------------------------------- */

/** Point 1: 8086:2021 reports 33h, as the silicon that was read does. */
#define UDMA_EMU_CBVER SPDK_IOAT_VER_3_3
/** Point 16: one channel a function. */
#define UDMA_EMU_CHANCNT 1
/** Point 17: just what is carried out here: page break and block fill. */
#define UDMA_EMU_DMACAPABILITY (SPDK_IOAT_DMACAP_PB | SPDK_IOAT_DMACAP_BFILL)
/** Section 4, DMA_COMP [?]: compatible with version 3 only. */
#define UDMA_EMU_DMA_COMP 0x0004
/** Section 2: the revision of the silicon that was read. */
#define UDMA_EMU_REVISION 4
/** Section 2, write-once subsystem ids: as if firmware had written and so locked them. */
#define UDMA_EMU_SUBSYSTEM_VENDOR 0x8086
#define UDMA_EMU_SUBSYSTEM_DEVICE 0x0000
/*
 * Point 17: there is no extended capability; configuration offset 100h reads 0. Point 4: no bit of
 * DMAUNCERRSTS is ever set. Point 9: without interrupts ATTNSTATUS and INTRCTRL bits 1 and 2 read
 * 0.
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

/**
 * Section 11, advice: exactly one bit for memory that is not granted, the one that Linux recovers
 * from in good order.
 */
#define UDMA_EMU_SOURCE_NOT_GRANTED      UDMA_EMU_READ_DATA
#define UDMA_EMU_DESTINATION_NOT_GRANTED UDMA_EMU_WRITE_DATA
/**
 * Section 11, by name: a descriptor at an address that is misaligned or not granted is the fault of
 * whoever named it, the chain address for the first one and `next` for the others. It is noticed
 * when the descriptor is to be fetched, not before. Bit 3 (descriptor error) is not used.
 */
#define UDMA_EMU_BAD_FIRST UDMA_EMU_CHAIN_ADDRESS
#define UDMA_EMU_BAD_NEXT  UDMA_EMU_NEXT_ADDRESS
/** Point 15, by name; null descriptors too. Of several errors the first of these is reported. */
#define UDMA_EMU_BAD_OPCODE UDMA_EMU_DESCRIPTOR_CONTROL
#define UDMA_EMU_BAD_SIZE   UDMA_EMU_TRANSFER_SIZE
/** Section 6.1: reserved control bits, and those without functional effect, are not looked at. */

/**
 * Section 4.1: the errors that halt the channel even without ANY_ERR_ABORT_EN, because the engine
 * does not know where to go on or has nowhere to report. After any other the descriptor is skipped
 * (section 8): it counts, but is no good one.
 */
#define UDMA_EMU_FATAL_ERRORS                                                                      \
	(UDMA_EMU_NEXT_ADDRESS | UDMA_EMU_CHAIN_ADDRESS | UDMA_EMU_COMPLETION_ADDRESS)

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

#endif
