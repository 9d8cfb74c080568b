/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Registers and descriptors of an I/OAT channel, versions 3.0 to 3.4. All little-endian.
 *
 * Section numbers are those of the hardware reference. The structures describe layouts; registers
 * are read and written with the calls of spdk/mmio.h.
 */

#ifndef SPDK_IOAT_SPEC_H
#define SPDK_IOAT_SPEC_H

#include "spdk/stdinc.h"
#include "spdk/assert.h"

#ifdef __cplusplus
extern "C" {
#endif

/** CHANERR_INT in configuration space (section 11). */
#define SPDK_IOAT_PCI_CHANERR_INT_OFFSET 0x180

/* INTRCTRL (section 3) */
#define SPDK_IOAT_INTRCTRL_MASTER_INT_EN 0x01

/* CBVER (section 3) */
#define SPDK_IOAT_VER_3_0 0x30
#define SPDK_IOAT_VER_3_3 0x33

/* CHANCTRL (section 4.1) */
#define SPDK_IOAT_CHANCTRL_CHANNEL_PRIORITY_MASK         0xF000
#define SPDK_IOAT_CHANCTRL_COMPL_DCA_EN                  0x0200
#define SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE                0x0100
#define SPDK_IOAT_CHANCTRL_DESCRIPTOR_ADDR_SNOOP_CONTROL 0x0020
#define SPDK_IOAT_CHANCTRL_ERR_INT_EN                    0x0010
#define SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN              0x0008
#define SPDK_IOAT_CHANCTRL_ERR_COMPLETION_EN             0x0004
#define SPDK_IOAT_CHANCTRL_INT_REARM                     0x0001

/* DMACAPABILITY (section 3.1) */
#define SPDK_IOAT_DMACAP_PB      (1 << 0)
#define SPDK_IOAT_DMACAP_DCA     (1 << 4)
#define SPDK_IOAT_DMACAP_BFILL   (1 << 6)
#define SPDK_IOAT_DMACAP_XOR     (1 << 8)
#define SPDK_IOAT_DMACAP_PQ      (1 << 9)
#define SPDK_IOAT_DMACAP_DMA_DIF (1 << 10)

/** BAR0 from offset 0, with the registers of channel 0 (sections 3 and 4). */
struct __attribute__((packed)) spdk_ioat_registers {
	uint8_t chancnt;
	uint8_t xfercap;
	uint8_t genctrl;
	uint8_t intrctrl;
	uint32_t attnstatus;
	uint8_t cbver;
	uint8_t reserved4[0x3];
	uint16_t intrdelay;
	uint16_t cs_status;
	uint32_t dmacapability;
	uint8_t reserved5[0x6C];
	uint16_t chanctrl;
	uint8_t reserved6[0x2];
	uint8_t chancmd;
	uint8_t reserved3[1];
	uint16_t dmacount;
	uint64_t chansts;
	uint64_t chainaddr;
	uint64_t chancmp;
	uint8_t reserved2[0x8];
	uint32_t chanerr;
	uint32_t chanerrmask;
};

/* CHANCMD (section 4.2) */
#define SPDK_IOAT_CHANCMD_RESET   0x20
#define SPDK_IOAT_CHANCMD_SUSPEND 0x04

/* CHANSTS and the completion word (sections 4.3 and 9) */
#define SPDK_IOAT_CHANSTS_STATUS                    0x7ULL
#define SPDK_IOAT_CHANSTS_ACTIVE                    0x0
#define SPDK_IOAT_CHANSTS_IDLE                      0x1
#define SPDK_IOAT_CHANSTS_SUSPENDED                 0x2
#define SPDK_IOAT_CHANSTS_HALTED                    0x3
#define SPDK_IOAT_CHANSTS_ARMED                     0x4
#define SPDK_IOAT_CHANSTS_UNAFFILIATED_ERROR        0x8ULL
#define SPDK_IOAT_CHANSTS_SOFT_ERROR                0x10ULL
#define SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK (~0x3FULL)

/** Alignment of the completion word (section 4). */
#define SPDK_IOAT_CHANCMP_ALIGN 8

/* Opcodes (section 6.2) */
#define SPDK_IOAT_OP_COPY    0x00
#define SPDK_IOAT_OP_FILL    0x01
#define SPDK_IOAT_OP_XOR     0x87
#define SPDK_IOAT_OP_XOR_VAL 0x88
#define SPDK_IOAT_OP_PQ      0x89
#define SPDK_IOAT_OP_PQ_VAL  0x8A
#define SPDK_IOAT_OP_PQ_UP   0x8B

/* Descriptors (sections 6.1 and 6.3) */

struct spdk_ioat_generic_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t src_snoop_disable : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t reserved2 : 1;
			uint32_t src_page_break : 1;
			uint32_t dest_page_break : 1;
			uint32_t bundle : 1;
			uint32_t dest_dca : 1;
			uint32_t hint : 1;
			uint32_t reserved : 13;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_addr;
	uint64_t dest_addr;
	uint64_t next;
	uint64_t op_specific[4];
};

struct spdk_ioat_dma_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t src_snoop_disable : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t null : 1;
			uint32_t src_page_break : 1;
			uint32_t dest_page_break : 1;
			uint32_t bundle : 1;
			uint32_t dest_dca : 1;
			uint32_t hint : 1;
			uint32_t reserved : 13;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_addr;
	uint64_t dest_addr;
	uint64_t next;
	uint64_t reserved;
	uint64_t reserved2;
	uint64_t user1;
	uint64_t user2;
};

struct spdk_ioat_fill_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t reserved : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t reserved2 : 2;
			uint32_t dest_page_break : 1;
			uint32_t bundle : 1;
			uint32_t reserved3 : 15;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_data;
	uint64_t dest_addr;
	uint64_t next;
	uint64_t reserved;
	uint64_t next_dest_addr;
	uint64_t user1;
	uint64_t user2;
};

struct spdk_ioat_xor_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t src_snoop_disable : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t src_count : 3;
			uint32_t bundle : 1;
			uint32_t dest_dca : 1;
			uint32_t hint : 1;
			uint32_t reserved : 13;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_addr;
	uint64_t dest_addr;
	uint64_t next;
	uint64_t src_addr2;
	uint64_t src_addr3;
	uint64_t src_addr4;
	uint64_t src_addr5;
};

struct spdk_ioat_xor_ext_hw_desc {
	uint64_t src_addr6;
	uint64_t src_addr7;
	uint64_t src_addr8;
	uint64_t next;
	uint64_t reserved[4];
};

struct spdk_ioat_pq_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t src_snoop_disable : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t src_count : 3;
			uint32_t bundle : 1;
			uint32_t dest_dca : 1;
			uint32_t hint : 1;
			uint32_t p_disable : 1;
			uint32_t q_disable : 1;
			uint32_t reserved : 11;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_addr;
	uint64_t p_addr;
	uint64_t next;
	uint64_t src_addr2;
	uint64_t src_addr3;
	uint8_t coef[8];
	uint64_t q_addr;
};

struct spdk_ioat_pq_ext_hw_desc {
	uint64_t src_addr4;
	uint64_t src_addr5;
	uint64_t src_addr6;
	uint64_t next;
	uint64_t src_addr7;
	uint64_t src_addr8;
	uint64_t reserved[2];
};

struct spdk_ioat_pq_update_hw_desc {
	uint32_t size;
	union {
		uint32_t control_raw;
		struct {
			uint32_t int_enable : 1;
			uint32_t src_snoop_disable : 1;
			uint32_t dest_snoop_disable : 1;
			uint32_t completion_update : 1;
			uint32_t fence : 1;
			uint32_t src_cnt : 3;
			uint32_t bundle : 1;
			uint32_t dest_dca : 1;
			uint32_t hint : 1;
			uint32_t p_disable : 1;
			uint32_t q_disable : 1;
			uint32_t reserved : 3;
			uint32_t coef : 8;
			uint32_t op : 8;
		} control;
	} u;
	uint64_t src_addr;
	uint64_t p_addr;
	uint64_t next;
	uint64_t src_addr2;
	uint64_t p_src;
	uint64_t q_src;
	uint64_t q_addr;
};

struct spdk_ioat_raw_hw_desc {
	uint64_t field[8];
};

union spdk_ioat_hw_desc {
	struct spdk_ioat_raw_hw_desc raw;
	struct spdk_ioat_generic_hw_desc generic;
	struct spdk_ioat_dma_hw_desc dma;
	struct spdk_ioat_fill_hw_desc fill;
	struct spdk_ioat_xor_hw_desc xor_desc;
	struct spdk_ioat_xor_ext_hw_desc xor_ext;
	struct spdk_ioat_pq_hw_desc pq;
	struct spdk_ioat_pq_ext_hw_desc pq_ext;
	struct spdk_ioat_pq_update_hw_desc pq_update;
};
SPDK_STATIC_ASSERT(sizeof(union spdk_ioat_hw_desc) == 64, "a descriptor is 64 bytes");

#ifdef __cplusplus
}
#endif

#endif
