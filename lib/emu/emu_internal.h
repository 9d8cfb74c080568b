/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the files of this room tell each other.
 *
 *   emu.c           a function comes, is reset, and goes
 *   parts.c         what differs from part to part (sections 1 and 13)
 *   config_space.c  configuration space (section 2)
 *   registers.c     BAR0: which bytes are which register (sections 3 and 4)
 *   channel.c       what a register write does to the channel (section 5)
 *   interrupts.c    from a cause to a message or a level (section 10)
 *   engine.c        one descriptor, from its fetch to its completion (sections 6, 8 and 9)
 *   operations.c    copy and fill (section 7)
 *   raid.c          XOR and PQ (section 7)
 *   memory.c        memory, in the pieces that the host grants
 *   fault.c         faults on demand: which one happens when
 *   fault_engine.c  what those of the engine do
 *   fault_text.c    faults as text
 *   watch.c         for hosts: a BAR that is memory and polled
 *   choices.h       what is not known about the hardware, and what we do there (section 16)
 */

#ifndef UDMA_EMU_INTERNAL_H
#define UDMA_EMU_INTERNAL_H

#include "spdk/ioat_spec.h"
#include "spdk/util.h"
#include "udma/emu.h"
#include "udma/fault.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "registers and descriptors are little-endian, and are used here as they lie in memory"
#endif

/** Errors of a channel: bits of CHANERR and CHANERR_INT (section 11). */
enum udma_emu_error {
	UDMA_EMU_NO_ERROR = 0,
	UDMA_EMU_SOURCE_ADDRESS = 1u << 0,
	UDMA_EMU_DESTINATION_ADDRESS = 1u << 1,
	UDMA_EMU_NEXT_ADDRESS = 1u << 2,
	UDMA_EMU_CHAIN_ADDRESS = 1u << 4,
	UDMA_EMU_COMMAND = 1u << 5,
	UDMA_EMU_READ_DATA = 1u << 8,
	UDMA_EMU_WRITE_DATA = 1u << 9,
	UDMA_EMU_DESCRIPTOR_CONTROL = 1u << 10,
	UDMA_EMU_TRANSFER_SIZE = 1u << 11,
	UDMA_EMU_COMPLETION_ADDRESS = 1u << 12,
	UDMA_EMU_SED_ADDRESS = 1u << 14,
	UDMA_EMU_XOR_P = 1u << 16,
	UDMA_EMU_XOR_Q = 1u << 17,
	UDMA_EMU_DESCRIPTOR_COUNT = 1u << 18,
};

/* DMACAPABILITY, beyond what spdk/ioat_spec.h names (section 3.1) */
#define UDMA_EMU_CAP_DWBES    (1u << 13)
#define UDMA_EMU_CAP_RAID16SS (1u << 17)
#define UDMA_EMU_CAP_DPS      (1u << 23)

/** What differs from part to part. */
struct udma_emu_part {
	uint16_t first, last; /* device ids */
	uint8_t version;      /* CBVER */
	uint32_t capabilities;
	uint16_t msix_table, msix_pba; /* offsets in BAR0 */
	bool reset_clears_msix;
	bool has_aer;
	/* Memory that is not granted. */
	enum udma_emu_error bad_source, bad_destination;
};

/** States of a channel, by their number in CHANSTS (section 4.3). */
enum udma_emu_state {
	UDMA_EMU_ACTIVE = SPDK_IOAT_CHANSTS_ACTIVE,
	UDMA_EMU_IDLE = SPDK_IOAT_CHANSTS_IDLE,
	UDMA_EMU_SUSPENDED = SPDK_IOAT_CHANSTS_SUSPENDED,
	UDMA_EMU_HALTED = SPDK_IOAT_CHANSTS_HALTED,
	UDMA_EMU_ARMED = SPDK_IOAT_CHANSTS_ARMED,
};

/** The channel: its registers (section 4), and where its engine is in the chain (section 8). */
struct udma_emu_channel {
	enum udma_emu_state state;
	uint16_t dmacount; /* descriptors announced since CHAINADDR was written */
	uint16_t internal; /* descriptors done or skipped since then */
	bool first;        /* `next` is still what CHAINADDR says, no descriptor's field */
	uint64_t next;     /* the descriptor to fetch */
	uint64_t current;  /* CDAR: the descriptor fetched last */
	uint64_t last;     /* the last good descriptor since CHAINADDR was written, 0 if none */

	uint16_t chanctrl;
	uint64_t chainaddr;
	uint64_t chancmp;
	uint32_t chanerr;
	uint32_t chanerrmask;
	uint32_t dcactrl;
};

/** An interrupt on its way (section 10). */
struct udma_emu_interrupts {
	bool pending;      /* a cause has come that has not been sent */
	uint32_t delay_us; /* what INTRDELAY still holds it back */
	bool attention;    /* bit 0 of ATTNSTATUS */
	bool line;         /* the level of INTx */
	/* The MSI-X table's only entry, and its bit in the PBA. */
	uint64_t msix_address;
	uint32_t msix_data;
	bool msix_masked;
	bool msix_pending;
};

struct udma_emu {
	struct udma_emu_config config;
	const struct udma_emu_part *part;
	struct udma_emu_host host;
	void *ctx;

	struct udma_emu_channel chan;
	struct udma_emu_interrupts interrupts;
	bool may_dma; /* bus mastering is on, and the function is in D0 */

	uint8_t genctrl;
	uint8_t intrctrl;
	uint16_t intrdelay;
	uint8_t chwpreflmt;
	/* Configuration space, and its bits that can be written, and be cleared by writing 1. */
	uint8_t cfg[UDMA_EMU_CFG_SIZE];
	uint8_t cfg_rw[UDMA_EMU_CFG_SIZE];
	uint8_t cfg_w1c[UDMA_EMU_CFG_SIZE];

	/* Since the function was created. */
	uint64_t completed; /* descriptors */
	uint64_t resets;

	struct udma_emu_faults *faults; /* NULL until one is injected */
	bool faulty;                    /* there is one, or something that one has left */
};

/** A pseudo-random number: SplitMix64, by Steele, Lea and Flood (2014). */
static inline uint64_t
udma_emu_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

/* parts.c */

/** \return the part that a device id belongs to; NULL if it is none that is emulated. */
const struct udma_emu_part *udma_emu_part(uint16_t device_id);

/* config_space.c */

void udma_emu_config_space_reset(struct udma_emu *emu);
/** Sets bits of CHANERR_INT. */
void udma_emu_config_space_error(struct udma_emu *emu, uint32_t chanerr);
/** Shows the level of INTx in PCISTS. */
void udma_emu_config_space_intx(struct udma_emu *emu, bool level);

/** What configuration space says of interrupts. */
struct udma_emu_interrupt_setup {
	bool msix_enabled;
	bool msix_masked; /* the function mask */
	bool msi_enabled;
	uint64_t msi_address;
	uint32_t msi_data;
	bool intx_disabled;
	bool d0;
};
struct udma_emu_interrupt_setup udma_emu_config_space_interrupts(const struct udma_emu *emu);

/* channel.c */

/** CHANCMD.RESET (section 5). */
void udma_emu_channel_reset(struct udma_emu_channel *chan);
/** CHANCMD was written. */
void udma_emu_channel_command(struct udma_emu *emu, uint8_t command);
/** CHAINADDR was written. */
void udma_emu_channel_arm(struct udma_emu_channel *chan);
/** DMACOUNT or the internal count has changed: settles between ARMED, ACTIVE and IDLE. */
void udma_emu_channel_settle(struct udma_emu_channel *chan);
/** Records an error, and halts the channel unless the error lets it go on. */
void udma_emu_channel_error(struct udma_emu *emu, enum udma_emu_error error);
/** Records an error, or none, and halts the channel. */
void udma_emu_channel_halt(struct udma_emu *emu, enum udma_emu_error error);

/* interrupts.c */

/** Power-on. */
void udma_emu_interrupts_power_on(struct udma_emu *emu);
/** CHANCMD.RESET. */
void udma_emu_interrupts_reset(struct udma_emu *emu);
/** There is a cause to interrupt. */
void udma_emu_interrupts_cause(struct udma_emu *emu);
/** Something has changed that an interrupt may have waited for, or that the line depends on. */
void udma_emu_interrupts_settle(struct udma_emu *emu);
/** Bit 0 of CHANCTRL was written with 1. */
void udma_emu_interrupts_rearm(struct udma_emu *emu);
/** Interrupts without a cause, armed or not, if there is a way. */
void udma_emu_interrupts_spurious(struct udma_emu *emu);

/* engine.c */

/** A descriptor and what belongs to it, as copied out of memory. */
struct udma_emu_work {
	union spdk_ioat_hw_desc desc;
	union spdk_ioat_hw_desc extension;
	unsigned slots; /* 2 with an extension */
};

/** Fetches a descriptor and what belongs to it. */
enum udma_emu_error udma_emu_fetch(struct udma_emu *emu, struct udma_emu_work *work);
/** It is done: stores the completion word, if it asks for it, and shows it in CHANSTS. */
enum udma_emu_error udma_emu_complete(struct udma_emu *emu, const struct udma_emu_work *work);
/** It counts, be it done or skipped. */
void udma_emu_count(struct udma_emu *emu, const struct udma_emu_work *work);

/* operations.c */

/** \return what is wrong with a descriptor in itself. */
enum udma_emu_error udma_emu_check(const struct udma_emu *emu, const union spdk_ioat_hw_desc *desc);
/** \return whether a good one moves data. */
bool udma_emu_moves_data(const union spdk_ioat_hw_desc *desc);
/** Carries out what a descriptor says, without its completion. */
enum udma_emu_error udma_emu_operate(struct udma_emu *emu, const struct udma_emu_work *work);
/** Spoils one byte of `len` at an address, if a fault says so. */
void udma_emu_maybe_flip(struct udma_emu *emu, uint64_t iova, uint32_t len);

/* raid.c */

/** \return whether an opcode is one of XOR or PQ that this function offers. */
bool udma_emu_is_raid(const struct udma_emu *emu, uint8_t opcode);
/** \return whether a descriptor of these takes the following slot as its extension. */
bool udma_emu_raid_extends(const union spdk_ioat_hw_desc *desc);
/** Carries it out. */
enum udma_emu_error udma_emu_raid(struct udma_emu *emu, const struct udma_emu_work *work);

/* memory.c. Each call works in pieces, as far as the grants reach; what was done before a piece
 * that is not granted stays done. Addresses do not go round: what would lie behind the highest one
 * is not granted. */

/** Copies out of memory, each byte once. \return whether all of it was granted. */
bool udma_emu_load(struct udma_emu *emu, uint64_t iova, void *buf, uint64_t len);
/** Copies into memory. \return whether all of it was granted. */
bool udma_emu_store(struct udma_emu *emu, uint64_t iova, const void *buf, uint64_t len);
/** Stores the completion word as one aligned store, after all stores of data. \return whether
 * granted. */
bool udma_emu_store_completion(struct udma_emu *emu, uint64_t word);
/** The same without a fault. */
bool udma_emu_store_word(struct udma_emu *emu, uint64_t word);
/** \return whether all of it is granted, and can be mapped. */
bool udma_emu_is_granted(struct udma_emu *emu, uint64_t iova, uint64_t len, bool write);
/** Copies from memory to memory. */
enum udma_emu_error udma_emu_move(struct udma_emu *emu, uint64_t src, uint64_t dst, uint64_t len);
/** Repeats a pattern of eight bytes, beginning with its byte `phase` % 8. */
enum udma_emu_error udma_emu_repeat(struct udma_emu *emu, uint64_t pattern, uint64_t phase,
				    uint64_t dst, uint64_t len);
/** Inverts a byte, if it is granted. */
void udma_emu_invert(struct udma_emu *emu, uint64_t iova);

#endif
