/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 1.1 and 13: what differs from part to part, for each device id.
 */

#include "host.h"

struct part {
	uint16_t first, last;
	uint8_t cbver;
	uint32_t dmacapability;
	bool atom;    /* MSI-X structures at 1000h and 1800h, and RESET clears them (section 13) */
	bool is_3_3;  /* Linux takes it for 3.3 or newer: advanced error reporting (section 2) */
	bool address; /* memory that is not there is an address error (section 11) */
};

/*
 * The ids of section 1.1 from version 3.2 on. Point 17: DMACAPABILITY is page break (bit 0) and
 * fill (bit 6) on all of them, XOR and PQ (bits 8, 9) on the RAID ids of 3.2 and on 0C50h and
 * 0C51h, write-back of error status and 16 sources (bits 13, 17) on the latter, descriptor prefetch
 * (bit 23) on 0B00h.
 */
static const struct part g_parts[] = {
	{0x3710, 0x3717, 0x32, 0x000041, false, false, false}, /* JSF */
	{0x3718, 0x3719, 0x32, 0x000341, false, false, false},
	{0x3C20, 0x3C27, 0x32, 0x000041, false, false, false}, /* SNB */
	{0x3C2E, 0x3C2F, 0x32, 0x000341, false, false, false},
	{0x0E20, 0x0E27, 0x32, 0x000041, false, false, false}, /* IVB */
	{0x0E2E, 0x0E2F, 0x32, 0x000341, false, false, false},
	{0x2F20, 0x2F27, 0x32, 0x000041, false, false, false}, /* HSW */
	{0x2F2E, 0x2F2F, 0x32, 0x000341, false, false, false},
	{0x6F20, 0x6F27, 0x32, 0x000041, false, false, false}, /* BDX */
	{0x6F2E, 0x6F2F, 0x32, 0x000341, false, false, false},
	{0x0C50, 0x0C51, 0x33, 0x022341, true, true, false},   /* BWD */
	{0x0C52, 0x0C53, 0x33, 0x000041, true, true, false},   /* BWD2 and 3: RAID is off */
	{0x6F50, 0x6F53, 0x33, 0x000041, true, true, false},   /* BDXDE: RAID is off */
	{0x2021, 0x2021, 0x33, 0x000041, false, false, false}, /* SKX */
	{0x0B00, 0x0B00, 0x34, 0x800041, false, true, true},   /* ICX */
};
#define PARTS (sizeof(g_parts) / sizeof(g_parts[0]))

static uint32_t
table_of(const struct part *part)
{
	return part->atom ? 0x1000 : 0x2000;
}

static uint32_t
pba_of(const struct part *part)
{
	return part->atom ? 0x1800 : 0x3000;
}

/** Calls `check` with a function of each id, which offers MSI-X. */
static void
for_each_id(void (*check)(struct host *h, const struct part *part, uint16_t id))
{
	unsigned i, id;

	for (i = 0; i < PARTS; i++) {
		for (id = g_parts[i].first; id <= g_parts[i].last; id++) {
			struct udma_emu_config config = {.device_id = id,
							 .interrupts = UDMA_EMU_MSIX};
			struct host *h = host_new(&config);

			check(h, &g_parts[i], id);
			host_free(h);
		}
	}
}

/* Identity */

static void
check_identity(struct host *h, const struct part *part, uint16_t id)
{
	assert_int_equal(cfg(h, 0x00, 4), (uint32_t)id << 16 | 0x8086);
	assert_int_equal(cfg(h, 0x08, 4) >> 8, 0x088000);
	assert_int_equal(rd(h, 0x08, 1), part->cbver);
	assert_int_equal(rd(h, 0x00, 1), 1);
	assert_int_equal(rd(h, 0x01, 1), 20);
	assert_int_equal(rd(h, 0x14, 2), 0); /* no DCA */
	/* 16 KiB of 64-bit memory. */
	cfg_wr(h, 0x10, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x10, 4), 0xFFFFC004);
}

static void
section_1_1_every_id_has_its_version(void **state)
{
	(void)state;
	for_each_id(check_identity);
}

static void *
never_asked(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	(void)ctx, (void)iova, (void)len, (void)write;
	return NULL;
}

/** Of all ids; those of versions 1.2 to 3.0 (1A38h, 360Bh, 65FFh, 402Fh, 3430h …) are not among
 * them. */
static void
section_1_1_no_other_id(void **state)
{
	static const struct udma_emu_host functions = {.grant = never_asked};
	unsigned id, i;

	(void)state;
	for (id = 1; id <= 0xFFFF; id++) {
		struct udma_emu_config config = {.device_id = id};
		struct udma_emu *emu = udma_emu_create(&config, &functions, NULL);
		bool listed = false;

		for (i = 0; i < PARTS; i++) {
			listed |= id >= g_parts[i].first && id <= g_parts[i].last;
		}
		assert_int_equal(emu != NULL, listed);
		udma_emu_destroy(emu);
	}
}

static void
check_copy(struct host *h, const struct part *part, uint16_t id)
{
	(void)part, (void)id;
	scribble(h, SRC, 5000, 1);
	copy_succeeds(h, SRC + 1, DST + 2, 4998);
	assert_same(h, SRC + 1, DST + 2, 4998);
}

static void
section_1_1_every_id_copies(void **state)
{
	(void)state;
	for_each_id(check_copy);
}

/* Capabilities */

static void
check_capability(struct host *h, const struct part *part, uint16_t id)
{
	(void)id;
	wr(h, 0x10, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x10, 4), part->dmacapability);
}

static void
section_16_17_dmacapability_of_every_id(void **state)
{
	(void)state;
	for_each_id(check_capability);
}

/** Runs a descriptor of two sources, or of nine; all of them hold zeros. */
static void
run_opcode(struct host *h, unsigned op)
{
	uint64_t sed = MEMORY + 0x10000;
	unsigned i;

	for (i = 1; i < 8; i++) {
		put64(h, sed + 8 * i, SRC);
	}
	put_descriptor(h, RING,
		       (struct raw){.size = 64,
				    .control = OP(op),
				    .q1 = SRC,
				    .q2 = DST,
				    .next = RING,
				    .q4 = SRC,
				    .q5 = op == 0x8B ? SRC : sed});
	put64(h, RING + 48, op == 0x8B ? SRC : 0); /* Q source; coefficients */
	put64(h, RING + 56, DST + 0x1000);         /* Q */
	start_and_run(h, 1);
}

static void
check_opcodes(struct host *h, const struct part *part, uint16_t id)
{
	/* Section 6.2, and the bit of DMACAPABILITY that offers it; 32: none does. */
	static const struct {
		uint8_t op, bit;
	} ops[] = {{0x41, 32}, {0x42, 32}, {0x43, 32}, {0x81, 32}, {0x82, 32}, {0x83, 32},
		   {0x84, 32}, {0x85, 32}, {0x86, 32}, {0x87, 8},  {0x88, 8},  {0x89, 9},
		   {0x8A, 9},  {0x8B, 9},  {0xA0, 17}, {0xA1, 17}, {0x02, 32}, {0x8C, 32},
		   {0x9F, 32}, {0xA2, 32}, {0xFF, 32}};
	unsigned i;

	(void)id;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		run_opcode(h, ops[i].op);
		if ((uint64_t)part->dmacapability >> ops[i].bit & 1) {
			assert_int_equal(rd(h, CHANERR, 4), 0);
			assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
		} else {
			assert_halted(h, 10, 0);
			wr(h, CHANERR, 4, 0x400);
			cfg_wr(h, 0x180, 4, 0x400);
		}
	}
}

/** Section 13: RAID that is off refuses its opcodes; CRC, marker skip and old XOR nobody offers. */
static void
section_6_2_opcodes_without_capability_are_bit_10(void **state)
{
	(void)state;
	for_each_id(check_opcodes);
}

static void
check_chwpreflmt(struct host *h, const struct part *part, uint16_t id)
{
	bool prefetch = part->dmacapability >> 23 & 1;

	(void)id;
	assert_int_equal(rd(h, 0x4C, 1), 0);
	wr(h, 0x4C, 1, 5);
	assert_int_equal(rd(h, 0x4C, 1), prefetch ? 5 : 0);
	wr(h, 0x4C, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x4C, 4), prefetch ? 0xFF : 0);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_int_equal(rd(h, 0x4C, 1), 0);
}

static void
section_3_chwpreflmt_is_kept_where_prefetch_is_offered(void **state)
{
	(void)state;
	for_each_id(check_chwpreflmt);
}

static void
check_3_4_registers(struct host *h, const struct part *part, uint16_t id)
{
	/* DRSCTL, LTR_SWSEL, LTR_ACTIVE, LTR_IDLE: as Linux has them, and relative to the BAR. */
	static const struct {
		uint32_t offset;
		unsigned width;
		uint32_t value;
	} written[] = {{0x136, 2, 0x0309}, {0x13C, 1, 1}, {0x140, 4, 0x8800}, {0x144, 4, 0x8A58},
		       {0xB6, 2, 0x0309},  {0xBC, 1, 1},  {0xC0, 4, 0x8800},  {0xC4, 4, 0x8A58}};
	unsigned i;

	start(h, RING);
	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		wr(h, written[i].offset, written[i].width, written[i].value);
		assert_int_equal(rd(h, written[i].offset, written[i].width), 0);
	}
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHAINADDR, 8), RING);
	assert_int_equal(rd(h, DCACTRL, 4), 0);
	check_copy(h, part, id);
}

static void
section_16_7_drsctl_and_ltr_are_ignored_at_both_places(void **state)
{
	(void)state;
	for_each_id(check_3_4_registers);
}

/* Extended capabilities */

static void
check_aer(struct host *h, const struct part *part, uint16_t id)
{
	(void)id;
	/* Identifier 1, version 1, and no further one; else an empty list. */
	assert_int_equal(cfg(h, 0x100, 4), part->is_3_3 ? 0x00010001 : 0);
}

static void
section_16_17_aer_where_linux_expects_it(void **state)
{
	(void)state;
	for_each_id(check_aer);
}

/* MSI-X structures */

static void
check_msix_place(struct host *h, const struct part *part, uint16_t id)
{
	uint32_t table = table_of(part), pba = pba_of(part), offset;

	(void)id;
	assert_int_equal(cfg(h, 0x80, 1), 0x11);
	assert_int_equal(cfg(h, 0x84, 4), table); /* BAR indicator 0 */
	assert_int_equal(cfg(h, 0x88, 4), pba);
	/* One vector, masked; nothing pending; nothing else from 1000h to 3FFFh. */
	for (offset = 0x1000; offset < 0x4000; offset += 8) {
		assert_int_equal(rd(h, offset, 8), offset == table + 8 ? 1ull << 32 : 0);
	}
	for (offset = 0x1000; offset < 0x4000; offset += 8) {
		wr(h, offset, 8, 0xFFFFFFFFFFFFFFFF);
	}
	for (offset = 0x1000; offset < 0x4000; offset += 8) {
		assert_int_equal(rd(h, offset, 8), offset == table       ? ~3ull
						   : offset == table + 8 ? 0x1FFFFFFFFull
									 : 0);
	}
}

static void
section_3_msix_table_and_pba_of_every_id(void **state)
{
	(void)state;
	for_each_id(check_msix_place);
}

/** Leaves an interrupt pending behind the mask of its vector. */
static void
leave_one_pending(struct host *h, uint32_t table)
{
	enable_msix(h, table);
	wr(h, table + 12, 4, 1);
	wr(h, 0x03, 1, 0x09);
	put_null(h, RING, INT_EN, RING);
	start_and_run(h, 1);
	assert_int_equal(h->interrupts, 0);
}

static void
check_reset_of_msix(struct host *h, const struct part *part, uint16_t id)
{
	uint32_t table = table_of(part), pba = pba_of(part);

	(void)id;
	leave_one_pending(h, table);
	assert_int_equal(rd(h, pba, 8), 1);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, table, 8), part->atom ? 0 : MSIX_ADDRESS);
	assert_int_equal(rd(h, table + 8, 4), part->atom ? 0 : MSIX_DATA);
	assert_int_equal(rd(h, table + 12, 4), 1);
	assert_int_equal(rd(h, pba, 8), part->atom ? 0 : 1);
	/* Configuration space is not touched. */
	assert_int_equal(cfg(h, 0x82, 2), 0x8000);
}

static void
section_13_reset_clears_msix_on_bwd_and_bdxde(void **state)
{
	(void)state;
	for_each_id(check_reset_of_msix);
}

/** Unmasked it stays, too, where RESET does not clear it; where it does, it is masked. */
static void
check_mask_after_reset(struct host *h, const struct part *part, uint16_t id)
{
	(void)id;
	enable_msix(h, table_of(part));
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, table_of(part) + 12, 4), part->atom ? 1 : 0);
}

static void
section_13_reset_masks_the_vector_on_bwd_and_bdxde(void **state)
{
	(void)state;
	for_each_id(check_mask_after_reset);
}

/** Linux saves three 64-bit values before RESET and restores them, on BWD and BDXDE. */
static void
check_linux_restore(struct host *h, const struct part *part, uint16_t id)
{
	uint64_t address, data, pba;

	(void)id;
	if (!part->atom) {
		return;
	}
	enable_msix(h, 0x1000);
	wr(h, 0x03, 1, 0x09);
	address = rd(h, 0x1000, 8);
	data = rd(h, 0x1008, 8);
	pba = rd(h, 0x1800, 8);
	wr(h, CHANCMD, 1, RESET);
	wr(h, 0x1000, 8, address);
	wr(h, 0x1008, 8, data);
	wr(h, 0x1800, 8, pba);
	put_null(h, RING, INT_EN, RING);
	start_and_run(h, 1);
	assert_int_equal(h->interrupts, 1);
	assert_int_equal(h->last.address, MSIX_ADDRESS);
	assert_int_equal(h->last.data, MSIX_DATA);
}

static void
section_13_linux_restores_msix_in_three_quadwords(void **state)
{
	(void)state;
	for_each_id(check_linux_restore);
}

/* Errors */

static void
assert_bit_and_clear(struct host *h, unsigned bit)
{
	assert_halted(h, bit, 0);
	assert_int_equal(get64(h, WORD), HALTED);
	wr(h, CHANERR, 4, 1u << bit);
	cfg_wr(h, 0x180, 4, 1u << bit);
}

static void
check_error_bits(struct host *h, const struct part *part, uint16_t id)
{
	unsigned source = part->address ? 0 : 8, destination = part->address ? 1 : 9;

	(void)id;
	put_copy(h, RING, COMPL_UPDATE, 0, DST, 100, RING);
	start_and_run(h, 1);
	assert_bit_and_clear(h, source);
	put_copy(h, RING, COMPL_UPDATE, SRC, 0, 100, RING);
	start_and_run(h, 1);
	assert_bit_and_clear(h, destination);
	put_copy(h, RING, OP(0x01) | COMPL_UPDATE, 0, 0, 100, RING);
	start_and_run(h, 1);
	assert_bit_and_clear(h, destination);
	put_copy(h, RING, COMPL_UPDATE, 0, 0, 100, RING);
	start_and_run(h, 1);
	assert_bit_and_clear(h, source);
}

/** Section 11: what gives Linux an orderly error up to 3.3, and DPDK its best code on 3.4. */
static void
section_11_memory_not_granted_of_every_id(void **state)
{
	(void)state;
	for_each_id(check_error_bits);
}

/** DPDK's error tests, on CBVER >= 34h only: a copy from address 0 must fail with bit 0. */
static void
section_15_4_address_0_as_a_source_is_bit_0_on_3_4(void **state)
{
	struct udma_emu_config config = {.device_id = 0x0B00};
	struct host *h = host_new(&config);

	(void)state;
	scribble(h, SRC, 100, 1);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 100, RING + 64);
	put_copy(h, RING + 64, COMPL_UPDATE, 0, DST, 100, RING + 128);
	put_copy(h, RING + 128, COMPL_UPDATE, SRC, DST + 0x1000, 100, RING);
	start_and_run(h, 3);
	assert_halted(h, 0, RING);
	assert_int_equal(get64(h, WORD), RING | HALTED);
	/* Its recovery: behind the failed one, without waiting. */
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	wr(h, CHANCMD, 1, RESET);
	wr(h, CHAINADDR, 8, RING + 128);
	wr(h, CHANCTRL, 2, 0x000C);
	wr(h, CHANCMP, 8, WORD);
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_same(h, SRC, DST + 0x1000, 100);
	host_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_1_1_every_id_has_its_version),
		cmocka_unit_test(section_1_1_no_other_id),
		cmocka_unit_test(section_1_1_every_id_copies),
		cmocka_unit_test(section_16_17_dmacapability_of_every_id),
		cmocka_unit_test(section_6_2_opcodes_without_capability_are_bit_10),
		cmocka_unit_test(section_3_chwpreflmt_is_kept_where_prefetch_is_offered),
		cmocka_unit_test(section_16_7_drsctl_and_ltr_are_ignored_at_both_places),
		cmocka_unit_test(section_16_17_aer_where_linux_expects_it),
		cmocka_unit_test(section_3_msix_table_and_pba_of_every_id),
		cmocka_unit_test(section_13_reset_clears_msix_on_bwd_and_bdxde),
		cmocka_unit_test(section_13_reset_masks_the_vector_on_bwd_and_bdxde),
		cmocka_unit_test(section_13_linux_restores_msix_in_three_quadwords),
		cmocka_unit_test(section_11_memory_not_granted_of_every_id),
		cmocka_unit_test(section_15_4_address_0_as_a_source_is_bit_0_on_3_4),
	};

	return cmocka_run_group_tests_name("section_1_parts", tests, NULL, NULL);
}
