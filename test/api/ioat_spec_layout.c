/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The whole of spdk/ioat_spec.h: constants, registers and descriptors, written out from the
 * description of SPDK's interface. Offsets and values are checked by the compiler; where the bits
 * of a control word lie is checked by setting each of them.
 */

#include "spdk/stdinc.h"

#include <cmocka.h>

#include "spdk/ioat_spec.h"

#include "layout.h"

/* ---- Constants ---- */

IS(SPDK_IOAT_PCI_CHANERR_INT_OFFSET, 0x180);
IS(SPDK_IOAT_INTRCTRL_MASTER_INT_EN, 0x01);
IS(SPDK_IOAT_VER_3_0, 0x30);
IS(SPDK_IOAT_VER_3_3, 0x33);
IS(SPDK_IOAT_CHANCTRL_CHANNEL_PRIORITY_MASK, 0xF000);
IS(SPDK_IOAT_CHANCTRL_COMPL_DCA_EN, 0x0200);
IS(SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE, 0x0100);
IS(SPDK_IOAT_CHANCTRL_DESCRIPTOR_ADDR_SNOOP_CONTROL, 0x0020);
IS(SPDK_IOAT_CHANCTRL_ERR_INT_EN, 0x0010);
IS(SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN, 0x0008);
IS(SPDK_IOAT_CHANCTRL_ERR_COMPLETION_EN, 0x0004);
IS(SPDK_IOAT_CHANCTRL_INT_REARM, 0x0001);
IS(SPDK_IOAT_DMACAP_PB, 0x001);
IS(SPDK_IOAT_DMACAP_DCA, 0x010);
IS(SPDK_IOAT_DMACAP_BFILL, 0x040);
IS(SPDK_IOAT_DMACAP_XOR, 0x100);
IS(SPDK_IOAT_DMACAP_PQ, 0x200);
IS(SPDK_IOAT_DMACAP_DMA_DIF, 0x400);
IS(SPDK_IOAT_CHANCMD_RESET, 0x20);
IS(SPDK_IOAT_CHANCMD_SUSPEND, 0x04);
IS(SPDK_IOAT_CHANSTS_STATUS, 7);
IS(SPDK_IOAT_CHANSTS_ACTIVE, 0);
IS(SPDK_IOAT_CHANSTS_IDLE, 1);
IS(SPDK_IOAT_CHANSTS_SUSPENDED, 2);
IS(SPDK_IOAT_CHANSTS_HALTED, 3);
IS(SPDK_IOAT_CHANSTS_ARMED, 4);
IS(SPDK_IOAT_CHANSTS_UNAFFILIATED_ERROR, 0x8);
IS(SPDK_IOAT_CHANSTS_SOFT_ERROR, 0x10);
IS(SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK, 0xFFFFFFFFFFFFFFC0);
SIZE(__typeof__(SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK), 8);
IS(SPDK_IOAT_CHANCMP_ALIGN, 8);
IS(SPDK_IOAT_OP_COPY, 0x00);
IS(SPDK_IOAT_OP_FILL, 0x01);
IS(SPDK_IOAT_OP_XOR, 0x87);
IS(SPDK_IOAT_OP_XOR_VAL, 0x88);
IS(SPDK_IOAT_OP_PQ, 0x89);
IS(SPDK_IOAT_OP_PQ_VAL, 0x8A);
IS(SPDK_IOAT_OP_PQ_UP, 0x8B);

/* ---- Registers ---- */

#define REGISTER(name, type, offset) FIELD(struct spdk_ioat_registers, name, type, offset)

REGISTER(chancnt, uint8_t, 0x00);
REGISTER(xfercap, uint8_t, 0x01);
REGISTER(genctrl, uint8_t, 0x02);
REGISTER(intrctrl, uint8_t, 0x03);
REGISTER(attnstatus, uint32_t, 0x04);
REGISTER(cbver, uint8_t, 0x08);
REGISTER(intrdelay, uint16_t, 0x0C);
REGISTER(cs_status, uint16_t, 0x0E);
REGISTER(dmacapability, uint32_t, 0x10);
REGISTER(chanctrl, uint16_t, 0x80);
REGISTER(chancmd, uint8_t, 0x84);
REGISTER(dmacount, uint16_t, 0x86);
REGISTER(chansts, uint64_t, 0x88);
REGISTER(chainaddr, uint64_t, 0x90);
REGISTER(chancmp, uint64_t, 0x98);
REGISTER(chanerr, uint32_t, 0xA8);
REGISTER(chanerrmask, uint32_t, 0xAC);
SIZE(struct spdk_ioat_registers, 0xB0);

/* ---- Descriptors: 64 bytes, eight words ---- */

#define WORD(type, name, index)                                                                    \
	FIELD(struct spdk_ioat_##type##_hw_desc, name, uint64_t, 8 * (index))
#define BEGINS(type)                                                                               \
	FIELD(struct spdk_ioat_##type##_hw_desc, size, uint32_t, 0);                               \
	FIELD(struct spdk_ioat_##type##_hw_desc, u.control_raw, uint32_t, 4);                      \
	_Static_assert(offsetof(struct spdk_ioat_##type##_hw_desc, u.control) == 4,                \
		       "control is at 4")
#define MEMBER(name, type)                                                                         \
	FIELD(union spdk_ioat_hw_desc, name, struct spdk_ioat_##type##_hw_desc, 0);                \
	SIZE(struct spdk_ioat_##type##_hw_desc, 64)

MEMBER(raw, raw);
MEMBER(generic, generic);
MEMBER(dma, dma);
MEMBER(fill, fill);
MEMBER(xor_desc, xor);
MEMBER(xor_ext, xor_ext);
MEMBER(pq, pq);
MEMBER(pq_ext, pq_ext);
MEMBER(pq_update, pq_update);
SIZE(union spdk_ioat_hw_desc, 64);

FIELD(struct spdk_ioat_raw_hw_desc, field, uint64_t[8], 0);

BEGINS(generic);
WORD(generic, src_addr, 1);
WORD(generic, dest_addr, 2);
WORD(generic, next, 3);
FIELD(struct spdk_ioat_generic_hw_desc, op_specific, uint64_t[4], 32);

BEGINS(dma);
WORD(dma, src_addr, 1);
WORD(dma, dest_addr, 2);
WORD(dma, next, 3);
WORD(dma, reserved, 4);
WORD(dma, reserved2, 5);
WORD(dma, user1, 6);
WORD(dma, user2, 7);

BEGINS(fill);
WORD(fill, src_data, 1);
WORD(fill, dest_addr, 2);
WORD(fill, next, 3);
WORD(fill, reserved, 4);
WORD(fill, next_dest_addr, 5);
WORD(fill, user1, 6);
WORD(fill, user2, 7);

BEGINS(xor);
WORD(xor, src_addr, 1);
WORD(xor, dest_addr, 2);
WORD(xor, next, 3);
WORD(xor, src_addr2, 4);
WORD(xor, src_addr3, 5);
WORD(xor, src_addr4, 6);
WORD(xor, src_addr5, 7);

WORD(xor_ext, src_addr6, 0);
WORD(xor_ext, src_addr7, 1);
WORD(xor_ext, src_addr8, 2);
WORD(xor_ext, next, 3);
FIELD(struct spdk_ioat_xor_ext_hw_desc, reserved, uint64_t[4], 32);

BEGINS(pq);
WORD(pq, src_addr, 1);
WORD(pq, p_addr, 2);
WORD(pq, next, 3);
WORD(pq, src_addr2, 4);
WORD(pq, src_addr3, 5);
FIELD(struct spdk_ioat_pq_hw_desc, coef, uint8_t[8], 48);
WORD(pq, q_addr, 7);

WORD(pq_ext, src_addr4, 0);
WORD(pq_ext, src_addr5, 1);
WORD(pq_ext, src_addr6, 2);
WORD(pq_ext, next, 3);
WORD(pq_ext, src_addr7, 4);
WORD(pq_ext, src_addr8, 5);
FIELD(struct spdk_ioat_pq_ext_hw_desc, reserved, uint64_t[2], 48);

BEGINS(pq_update);
WORD(pq_update, src_addr, 1);
WORD(pq_update, p_addr, 2);
WORD(pq_update, next, 3);
WORD(pq_update, src_addr2, 4);
WORD(pq_update, p_src, 5);
WORD(pq_update, q_src, 6);
WORD(pq_update, q_addr, 7);

/* ---- Control words ---- */

/** A field of `control` lies from bit `first` up, `width` bits wide. */
#define BITS(type, field, first, width)                                                            \
	do {                                                                                       \
		struct spdk_ioat_##type##_hw_desc desc = {0};                                      \
		uint32_t ones = UINT32_MAX;                                                        \
                                                                                                   \
		desc.u.control.field = ones;                                                       \
		assert_int_equal(desc.u.control_raw, ((1u << (width)) - 1) << (first));            \
	} while (0)

static void
generic_control(void **state)
{
	(void)state;
	BITS(generic, int_enable, 0, 1);
	BITS(generic, src_snoop_disable, 1, 1);
	BITS(generic, dest_snoop_disable, 2, 1);
	BITS(generic, completion_update, 3, 1);
	BITS(generic, fence, 4, 1);
	BITS(generic, src_page_break, 6, 1);
	BITS(generic, dest_page_break, 7, 1);
	BITS(generic, bundle, 8, 1);
	BITS(generic, dest_dca, 9, 1);
	BITS(generic, hint, 10, 1);
	BITS(generic, op, 24, 8);
}

static void
dma_control(void **state)
{
	(void)state;
	BITS(dma, int_enable, 0, 1);
	BITS(dma, src_snoop_disable, 1, 1);
	BITS(dma, dest_snoop_disable, 2, 1);
	BITS(dma, completion_update, 3, 1);
	BITS(dma, fence, 4, 1);
	BITS(dma, null, 5, 1);
	BITS(dma, src_page_break, 6, 1);
	BITS(dma, dest_page_break, 7, 1);
	BITS(dma, bundle, 8, 1);
	BITS(dma, dest_dca, 9, 1);
	BITS(dma, hint, 10, 1);
	BITS(dma, op, 24, 8);
}

static void
fill_control(void **state)
{
	(void)state;
	BITS(fill, int_enable, 0, 1);
	BITS(fill, dest_snoop_disable, 2, 1);
	BITS(fill, completion_update, 3, 1);
	BITS(fill, fence, 4, 1);
	BITS(fill, dest_page_break, 7, 1);
	BITS(fill, bundle, 8, 1);
	BITS(fill, op, 24, 8);
}

static void
xor_control(void **state)
{
	(void)state;
	BITS(xor, int_enable, 0, 1);
	BITS(xor, src_snoop_disable, 1, 1);
	BITS(xor, dest_snoop_disable, 2, 1);
	BITS(xor, completion_update, 3, 1);
	BITS(xor, fence, 4, 1);
	BITS(xor, src_count, 5, 3);
	BITS(xor, bundle, 8, 1);
	BITS(xor, dest_dca, 9, 1);
	BITS(xor, hint, 10, 1);
	BITS(xor, op, 24, 8);
}

static void
pq_control(void **state)
{
	(void)state;
	BITS(pq, int_enable, 0, 1);
	BITS(pq, src_snoop_disable, 1, 1);
	BITS(pq, dest_snoop_disable, 2, 1);
	BITS(pq, completion_update, 3, 1);
	BITS(pq, fence, 4, 1);
	BITS(pq, src_count, 5, 3);
	BITS(pq, bundle, 8, 1);
	BITS(pq, dest_dca, 9, 1);
	BITS(pq, hint, 10, 1);
	BITS(pq, p_disable, 11, 1);
	BITS(pq, q_disable, 12, 1);
	BITS(pq, op, 24, 8);
}

static void
pq_update_control(void **state)
{
	(void)state;
	BITS(pq_update, int_enable, 0, 1);
	BITS(pq_update, src_snoop_disable, 1, 1);
	BITS(pq_update, dest_snoop_disable, 2, 1);
	BITS(pq_update, completion_update, 3, 1);
	BITS(pq_update, fence, 4, 1);
	BITS(pq_update, src_cnt, 5, 3);
	BITS(pq_update, bundle, 8, 1);
	BITS(pq_update, dest_dca, 9, 1);
	BITS(pq_update, hint, 10, 1);
	BITS(pq_update, p_disable, 11, 1);
	BITS(pq_update, q_disable, 12, 1);
	BITS(pq_update, coef, 16, 8);
	BITS(pq_update, op, 24, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generic_control), cmocka_unit_test(dma_control),
		cmocka_unit_test(fill_control),    cmocka_unit_test(xor_control),
		cmocka_unit_test(pq_control),      cmocka_unit_test(pq_update_control),
	};

	return cmocka_run_group_tests_name("descriptor control words", tests, NULL, NULL);
}
