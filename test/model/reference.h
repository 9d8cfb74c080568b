/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A second I/OAT function, slow and obvious, written from the hardware reference alone.
 *
 * The model-based test compares the emulated function with it. It shares nothing with that: no
 * header, no constant, no table. Memory is reached a byte at a time. Section numbers are those of
 * the hardware reference. Where the reference is silent the choices made for the emulated function
 * are followed; README.md lists what was settled later.
 */

#ifndef UDMA_TEST_REFERENCE_H
#define UDMA_TEST_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFERENCE_BAR_SIZE    16384
#define REFERENCE_CONFIG_SIZE 4096

/* Ways to interrupt, as a mask. */
#define REFERENCE_MSIX 1u
#define REFERENCE_MSI  2u
#define REFERENCE_INTX 4u

/* Section 4.3. */
enum reference_state {
	REFERENCE_ACTIVE = 0,
	REFERENCE_IDLE = 1,
	REFERENCE_SUSPENDED = 2,
	REFERENCE_HALTED = 3,
	REFERENCE_ARMED = 4,
};

struct reference_config {
	uint16_t device_id; /* 0: 2021h */
	uint8_t xfercap;    /* 0: 20 */
	bool multifunction;
	uint32_t interrupts;
	uint8_t intx_pin;
	bool msix_table_in_host;
};

struct reference_interrupt {
	uint32_t kind;
	uint64_t address;
	uint32_t data;
	bool level;
};

/* Memory, as whoever hosts the function grants it. */
struct reference_memory {
	void *ctx;
	/* \return whether the byte could be read, or written. */
	bool (*load)(void *ctx, uint64_t iova, uint8_t *byte);
	bool (*store)(void *ctx, uint64_t iova, uint8_t byte);
	/* Whether these 8 bytes could be written by one store. */
	bool (*takes_word)(void *ctx, uint64_t iova);
	/* Whether all these bytes are granted at once, so that one memmove() does for them. */
	bool (*whole)(void *ctx, uint64_t iova, uint64_t len);
};

#define REFERENCE_LOG 16

struct reference {
	struct reference_config config;
	struct reference_memory memory;
	const struct reference_part *part;

	/* Interrupts that left since `logged` was set to 0. */
	struct reference_interrupt log[REFERENCE_LOG];
	unsigned logged;
	/* Since this was set to false, a step has copied within memory that is granted in several
	 * pieces: what is then in the destination depends on where they end. */
	bool any_order;

	/* General registers. */
	uint8_t genctrl;
	bool master_int_en;
	bool msix_vector_control;
	bool attention; /* ATTNSTATUS bit 0, INTRCTRL bit 1 */
	uint16_t intrdelay;
	uint8_t chwpreflmt;

	/* Channel registers. */
	enum reference_state state;
	uint16_t chanctrl; /* without bits 8 and 0 */
	bool in_use;
	uint16_t dmacount;
	uint64_t chainaddr;
	uint64_t chancmp;
	uint64_t cdar;
	uint32_t chanerr;
	uint32_t chanerrmsk;
	uint32_t dcactrl;

	/* The engine. */
	uint16_t done;  /* the internal count */
	bool first;     /* nothing was fetched since CHAINADDR was written */
	uint64_t start; /* where the first descriptor is */
	uint64_t next;  /* where the one after the last is */
	uint64_t good;  /* last descriptor completed successfully, 0: none */

	/* Interrupts. */
	bool sent;     /* CHANCTRL bit 0 */
	bool waiting;  /* there is a cause that was not sent */
	uint32_t hold; /* microseconds for which INTRDELAY keeps it back */
	bool line;     /* INTx */
	uint64_t msix_address;
	uint32_t msix_data;
	bool msix_masked;
	bool msix_pending; /* PBA bit 0 */

	uint8_t space[REFERENCE_CONFIG_SIZE];
	uint8_t writable[REFERENCE_CONFIG_SIZE]; /* bits that are RW */
	uint8_t clearing[REFERENCE_CONFIG_SIZE]; /* bits that are RW1C */
};

/** Power-on. \return false if there is no such function. */
bool reference_init(struct reference *r, const struct reference_config *config,
		    const struct reference_memory *memory);
void reference_reset(struct reference *r);
uint64_t reference_read(struct reference *r, uint32_t offset, unsigned width);
void reference_write(struct reference *r, uint32_t offset, unsigned width, uint64_t value);
bool reference_config_read(struct reference *r, uint32_t offset, void *buf, uint32_t len);
bool reference_config_write(struct reference *r, uint32_t offset, const void *buf, uint32_t len);
bool reference_step(struct reference *r);
void reference_elapse(struct reference *r, uint32_t us);
uint32_t reference_due(const struct reference *r);

/* ---- Between the files of the reference ---- */

/** Section 1.1 and 3.1: what a device id stands for. */
struct reference_part {
	uint16_t first, last; /* device ids */
	uint8_t version;
	uint32_t capabilities;
	uint16_t table, pba; /* offsets of the MSI-X structures */
	bool reset_clears_msix;
	bool aer;
	uint32_t source_error, destination_error;
};

/* Section 3.1, as far as anything here depends on it. */
#define CAP_PQ       (1u << 9)
#define CAP_XOR      (1u << 8)
#define CAP_DWBES    (1u << 13)
#define CAP_RAID16SS (1u << 17)
#define CAP_DPS      (1u << 23)

/* Section 4.1. */
#define CTRL_REARM             0x0001u
#define CTRL_ERR_COMPLETION_EN 0x0004u
#define CTRL_ANY_ERR_ABORT_EN  0x0008u
#define CTRL_ERR_INT_EN        0x0010u
#define CTRL_IN_USE            0x0100u

/* Section 11. */
#define ERR_NEXT       (1u << 2)
#define ERR_CHAIN      (1u << 4)
#define ERR_COMMAND    (1u << 5)
#define ERR_CONTROL    (1u << 10)
#define ERR_SIZE       (1u << 11)
#define ERR_COMPLETION (1u << 12)
#define ERR_SED        (1u << 14)
#define ERR_P          (1u << 16)
#define ERR_Q          (1u << 17)
#define ERR_COUNT      (1u << 18)

/* Configuration space. */
void reference_config_init(struct reference *r);
void reference_config_reset(struct reference *r);
bool reference_bus_master(const struct reference *r);
bool reference_in_d0(const struct reference *r);
bool reference_msix_enabled(const struct reference *r);
bool reference_msi_enabled(const struct reference *r);
void reference_record_chanerr_int(struct reference *r, uint32_t bits);

/* Interrupts. */
void reference_interrupts_reset(struct reference *r);
void reference_channel_interrupts_reset(struct reference *r);
void reference_cause(struct reference *r);
void reference_send(struct reference *r);
void reference_drive_line(struct reference *r);
bool reference_intx_status(const struct reference *r);

/* The channel. */
void reference_channel_reset(struct reference *r);
void reference_arm(struct reference *r);
void reference_command(struct reference *r, uint8_t value);
void reference_count(struct reference *r);
void reference_error(struct reference *r, uint32_t bits);

/* Descriptors. */
uint64_t reference_qword(const uint8_t *bytes, unsigned index);
uint32_t reference_size(const uint8_t *base);
uint32_t reference_control(const uint8_t *base);
uint8_t reference_opcode(const uint8_t *base);
bool reference_has_extension(const struct reference *r, const uint8_t *base);

/* Operations. \return the error bits of CHANERR. */
uint32_t reference_operate(struct reference *r, uint64_t at, const uint8_t *base,
			   const uint8_t *extension);
uint32_t reference_xor(struct reference *r, const uint8_t *base, const uint8_t *extension);
uint32_t reference_pq(struct reference *r, uint64_t at, const uint8_t *base,
		      const uint8_t *extension);
uint32_t reference_pq_16(struct reference *r, uint64_t at, const uint8_t *base);
uint32_t reference_pq_update(struct reference *r, const uint8_t *base);
unsigned reference_sources(const uint8_t *base);

/* Memory. */
bool reference_wraps(uint64_t iova, uint64_t len);
bool reference_load(struct reference *r, uint64_t iova, uint8_t *bytes, uint64_t len);
bool reference_store(struct reference *r, uint64_t iova, const uint8_t *bytes, uint64_t len);

/* Section 6.2. */
#define OP_COPY           0x00
#define OP_FILL           0x01
#define OP_XOR            0x87
#define OP_XOR_VALIDATE   0x88
#define OP_PQ             0x89
#define OP_PQ_VALIDATE    0x8A
#define OP_PQ_UPDATE      0x8B
#define OP_PQ_16          0xA0
#define OP_PQ_16_VALIDATE 0xA1

#endif
