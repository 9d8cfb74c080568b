/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 1.3, 2, 2.1 and 2.2: identity, configuration space, function-level reset.
 */

#include "host.h"

#include <errno.h>

static void
section_2_identity(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0x00, 2), 0x8086);
	assert_int_equal(cfg(h, 0x02, 2), 0x2021);
	assert_int_equal(cfg(h, 0x00, 4), 0x20218086);
	assert_int_equal(cfg(h, 0x08, 1), 4);
	assert_int_equal(cfg(h, 0x08, 4) >> 8, 0x088000);
	/* Read-only. */
	cfg_wr(h, 0x00, 4, 0xFFFFFFFF);
	cfg_wr(h, 0x08, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x00, 4), 0x20218086);
	assert_int_equal(cfg(h, 0x08, 4), 0x08800004);
}

static void
section_2_header_type_follows_the_config(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 20, .multifunction = true};
	struct host *single = *state;
	struct host *h = host_new(&config);

	assert_int_equal(cfg(h, 0x0E, 1), 0x80);
	assert_int_equal(cfg(single, 0x0E, 1), 0x00);
	host_free(h);
}

static void
section_2_command_keeps_bits_1_2_10(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x04, 2, 0xFFFF);
	assert_int_equal(cfg(h, 0x04, 2), 0x0406);
	cfg_wr(h, 0x04, 2, 0);
	assert_int_equal(cfg(h, 0x04, 2), 0);
}

static void
section_2_command_written_as_a_dword_leaves_status(void **state)
{
	struct host *h = *state;
	uint32_t value = cfg(h, 0x04, 4);

	assert_int_equal(value, 0x00100006);
	cfg_wr(h, 0x04, 4, value | 0x4);
	assert_int_equal(cfg(h, 0x04, 4), 0x00100006);
	cfg_wr(h, 0x04, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x06, 2), 0x0010);
}

static void
section_1_3_bar_is_16_kib_64_bit_memory(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0x10, 4), 0x00000004);
	assert_int_equal(cfg(h, 0x14, 4), 0);
	cfg_wr(h, 0x10, 4, 0xFFFFFFFF);
	cfg_wr(h, 0x14, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x10, 4), 0xFFFFC004);
	assert_int_equal(cfg(h, 0x14, 4), 0xFFFFFFFF);
	cfg_wr(h, 0x10, 4, 0xFEBF4000);
	cfg_wr(h, 0x14, 4, 0x00000010);
	assert_int_equal(cfg(h, 0x10, 4), 0xFEBF4004);
	assert_int_equal(cfg(h, 0x14, 4), 0x00000010);
	/* The other BARs and the ROM are not there. */
	cfg_wr(h, 0x18, 4, 0xFFFFFFFF);
	cfg_wr(h, 0x24, 4, 0xFFFFFFFF);
	cfg_wr(h, 0x30, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x18, 4), 0);
	assert_int_equal(cfg(h, 0x24, 4), 0);
	assert_int_equal(cfg(h, 0x30, 4), 0);
}

static void
section_2_scratch_fields_keep_what_is_written(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x0C, 1, 0x10);
	cfg_wr(h, 0x3C, 1, 0x0B);
	cfg_wr(h, 0x48, 2, 0x0003);
	cfg_wr(h, 0x60, 4, 0x89ABCDEF);
	assert_int_equal(cfg(h, 0x0C, 1), 0x10);
	assert_int_equal(cfg(h, 0x3C, 1), 0x0B);
	assert_int_equal(cfg(h, 0x48, 2), 0x0003);
	assert_int_equal(cfg(h, 0x60, 4), 0x89ABCDEF);
}

static void
section_2_no_interrupt_pin(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x3D, 1, 0x01);
	assert_int_equal(cfg(h, 0x3D, 1), 0);
}

static void
section_2_capability_list_is_pcie_then_pm(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0x06, 2) & 0x10, 0x10);
	assert_int_equal(cfg(h, 0x34, 1), 0x90);
	assert_int_equal(cfg(h, 0x90, 1), 0x10);
	assert_int_equal(cfg(h, 0x91, 1), 0xE0);
	assert_int_equal(cfg(h, 0xE0, 1), 0x01);
	assert_int_equal(cfg(h, 0xE1, 1), 0x00);
	/* No extended capability. */
	assert_int_equal(cfg(h, 0x100, 4), 0);
}

static void
section_2_pcie_is_an_integrated_endpoint_with_flr(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0x92, 2) >> 4 & 0xF, 9);
	assert_int_equal(cfg(h, 0x94, 4) >> 28 & 1, 1);
}

static void
section_2_device_control_is_writable(void **state)
{
	struct host *h = *state;
	uint32_t devctl = cfg(h, 0x98, 2);

	cfg_wr(h, 0x98, 2, devctl | 0x0810);
	assert_int_equal(cfg(h, 0x98, 2) & 0x0810, 0x0810);
	cfg_wr(h, 0x98, 2, devctl & ~0x0010u);
	assert_int_equal(cfg(h, 0x98, 2), devctl & ~0x0010u);
	cfg_wr(h, 0x98, 2, devctl & ~0x0800u);
	assert_int_equal(cfg(h, 0x98, 2), devctl & ~0x0800u);
}

static void
section_2_1_pmcsr_reads_8_and_keeps_the_state(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0xE4, 2), 0x0008);
	cfg_wr(h, 0xE4, 2, 0x0003);
	assert_int_equal(cfg(h, 0xE4, 2), 0x000B);
	/* D1 and D2 are not offered. */
	cfg_wr(h, 0xE4, 2, 0x0001);
	assert_int_equal(cfg(h, 0xE4, 2), 0x000B);
	cfg_wr(h, 0xE4, 2, 0x0000);
	assert_int_equal(cfg(h, 0xE4, 2), 0x0008);
	cfg_wr(h, 0xE4, 2, 0x0002);
	assert_int_equal(cfg(h, 0xE4, 2), 0x0008);
}

static void
section_2_2_d3_and_back_resets_nothing(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMP, 8, WORD);
	cfg_wr(h, 0xE4, 2, 0x0003);
	cfg_wr(h, 0xE4, 2, 0x0000);
	assert_int_equal(rd(h, CHANCMP, 8), WORD);
	assert_int_equal(cfg(h, 0x04, 2), 0x0006);
}

static void
section_2_1_error_registers_at_reset(void **state)
{
	struct host *h = *state;

	assert_int_equal(cfg(h, 0x148, 4), 0);
	assert_int_equal(cfg(h, 0x14C, 4), 0);
	assert_int_equal(cfg(h, 0x150, 4), 0x98);
	assert_int_equal(cfg(h, 0x154, 1), 0x0A);
	assert_int_equal(cfg(h, 0x160, 1), 0);
	assert_int_equal(cfg(h, 0x180, 4), 0);
	assert_int_equal(cfg(h, 0x184, 4), 0x60000);
	assert_int_equal(cfg(h, 0x188, 4), 0x10000);
	assert_int_equal(cfg(h, 0x18C, 1), 2);
}

static void
section_2_error_masks_and_severities_are_writable(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x14C, 4, 0x00000012);
	cfg_wr(h, 0x150, 4, 0x00000034);
	cfg_wr(h, 0x184, 4, 0x00003E07);
	cfg_wr(h, 0x188, 4, 0x00000056);
	assert_int_equal(cfg(h, 0x14C, 4), 0x12);
	assert_int_equal(cfg(h, 0x150, 4), 0x34);
	assert_int_equal(cfg(h, 0x184, 4), 0x3E07);
	assert_int_equal(cfg(h, 0x188, 4), 0x56);
	cfg_wr(h, 0x154, 1, 0xFF);
	cfg_wr(h, 0x160, 1, 0xFF);
	cfg_wr(h, 0x18C, 1, 0xFF);
	assert_int_equal(cfg(h, 0x154, 1), 0x0A);
	assert_int_equal(cfg(h, 0x160, 1), 0);
	assert_int_equal(cfg(h, 0x18C, 1), 2);
}

static void
section_2_chanerr_int_is_cleared_by_writing_1(void **state)
{
	struct host *h = *state;

	/* Two errors: of a command (bit 5), and of the transfer size (bit 11). */
	wr(h, CHANCMD, 1, 0x24);
	put_copy(h, RING, 0, SRC, DST, 0, RING);
	wr(h, CHANERR, 4, 0xFFFFFFFF);
	start_and_run(h, 1);
	assert_int_equal(cfg(h, 0x180, 4), 0x820);
	cfg_wr(h, 0x180, 4, 0x20);
	assert_int_equal(cfg(h, 0x180, 4), 0x800);
	cfg_wr(h, 0x180, 4, 0x20);
	assert_int_equal(cfg(h, 0x180, 4), 0x800);
	/* By one of its bytes too, and CHANERR is another register. */
	cfg_wr(h, 0x181, 1, 0x08);
	assert_int_equal(cfg(h, 0x180, 4), 0);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
}

static void
section_2_tbg_write_of_10h_to_148_is_harmless(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x148, 4, 0x10);
	assert_int_equal(cfg(h, 0x148, 4), 0);
}

static void
section_2_all_of_4_kib_is_readable(void **state)
{
	struct host *h = *state;
	uint8_t all[4096];
	uint32_t dword;
	unsigned i;

	assert_int_equal(udma_emu_cfg_read(h->emu, 0, all, sizeof(all)), 0);
	for (i = 0; i < sizeof(all); i += 4) {
		memcpy(&dword, all + i, 4);
		assert_int_equal(cfg(h, i, 4), dword);
	}
}

static void
section_2_beyond_4_kib_is_einval(void **state)
{
	struct host *h = *state;
	uint8_t bytes[8] = {0};

	assert_int_equal(udma_emu_cfg_read(h->emu, 4092, bytes, 4), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 4093, bytes, 4), -EINVAL);
	assert_int_equal(udma_emu_cfg_read(h->emu, 4096, bytes, 1), -EINVAL);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0xFFFFFFFC, bytes, 8), -EINVAL);
	assert_int_equal(udma_emu_cfg_write(h->emu, 4092, bytes, 4), 0);
	assert_int_equal(udma_emu_cfg_write(h->emu, 4093, bytes, 4), -EINVAL);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0xFFFFFFFC, bytes, 8), -EINVAL);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x98, bytes, 0xFFFFFFFF), -EINVAL);
}

static void
section_2_one_access_may_span_fields(void **state)
{
	struct host *h = *state;
	uint8_t bytes[16];

	/* From CLSR to the high half of the BAR: bytes in between stay what they are. */
	memset(bytes, 0xFF, sizeof(bytes));
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x0C, bytes, 12), 0);
	assert_int_equal(cfg(h, 0x0C, 4), 0x000000FF);
	assert_int_equal(cfg(h, 0x10, 4), 0xFFFFC004);
	assert_int_equal(cfg(h, 0x14, 4), 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0x18, 4), 0);
}

/** The silicon's sample, as far as it is not elsewhere here. */
static void
section_2_1_register_sample(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, 0x08, 1), 0x33);
	assert_int_equal(cfg(h, 0x08, 1), 4);
	assert_int_equal(rd(h, 0x00, 1), 1);
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000003);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHANCMD, 1), 0);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	assert_int_equal(rd(h, CHAINADDR, 8), 0);
	assert_int_equal(rd(h, CHANCMP, 8), 0);
	/* After one descriptor. */
	put_null(h, RING, COMPL_UPDATE, RING);
	start_and_run(h, 1);
	assert_int_equal(rd(h, DMACOUNT, 2), 1);
	/* What DPDK leaves behind: in use, errors halt and are written back. */
	(void)rd(h, CHANCTRL, 2);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x010C);
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000003);
}

/** Leaves nothing at its reset value, and the channel halted by an error. */
static void
disturb(struct host *h)
{
	cfg_wr(h, 0x10, 4, 0xFEBF0000);
	cfg_wr(h, 0x04, 2, 0x0406);
	cfg_wr(h, 0x98, 2, 0x0000);
	cfg_wr(h, 0x184, 4, 0x3E07);
	wr(h, 0x02, 1, 1);
	wr(h, 0x03, 1, 9);
	wr(h, 0x0C, 2, 77);
	wr(h, CHANERRMSK, 4, 0xFF);
	wr(h, DCACTRL, 4, 0xFFFF);
	put_null(h, RING, 0, RING + 64);
	put_copy(h, RING + 64, 0, SRC, DST, 0, RING);
	start_and_run(h, 2);
	assert_halted(h, 11, RING);
}

static void
assert_power_on(struct host *h)
{
	static const uint32_t offsets[] = {0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x40,
					   0x80, 0x84, 0x8C, 0x90, 0x94, 0x98, 0x9C,
					   0xA0, 0xA4, 0xA8, 0xAC, 0xB0};
	static const uint32_t values[] = {0x1401, 0, 0x33, 0x8000, 0x41, 0, 0, 0x00040000, 0, 0,
					  0,      0, 0,    0,      0,    0, 0, 0,          0};
	uint8_t all[4096], fresh[4096];
	struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 20};
	struct host *other = host_new(&config);
	unsigned i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		assert_int_equal(rd(h, offsets[i], 4), values[i]);
	}
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000003);
	assert_int_equal(cfg(h, 0x04, 2), 0);
	assert_int_equal(cfg(h, 0x180, 4), 0);
	cfg_wr(other, 0x04, 2, 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, all, sizeof(all)), 0);
	assert_int_equal(udma_emu_cfg_read(other->emu, 0, fresh, sizeof(fresh)), 0);
	assert_memory_equal(all, fresh, sizeof(all));
	host_free(other);
}

static void
section_2_2_flr_by_device_control_bit_15(void **state)
{
	struct host *h = *state;

	disturb(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_power_on(h);
	assert_false(udma_emu_step(h->emu));
}

static void
section_2_2_flr_by_the_high_byte_alone(void **state)
{
	struct host *h = *state;

	disturb(h);
	cfg_wr(h, 0x99, 1, 0x80);
	assert_power_on(h);
}

static void
section_2_2_device_control_reads_bit_15_as_0(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x98, 2, 0xFFFF);
	assert_int_equal(cfg(h, 0x98, 2) & 0x8000, 0);
	assert_int_equal(cfg(h, 0x04, 2), 0);
}

static void
section_2_2_bit_15_of_a_neighbour_is_no_flr(void **state)
{
	struct host *h = *state;

	/* Device Status, Device Capabilities. */
	cfg_wr(h, 0x9A, 2, 0x8000);
	cfg_wr(h, 0x94, 4, 0x80008000);
	cfg_wr(h, 0x98, 1, 0x8080);
	assert_int_equal(cfg(h, 0x04, 2), 0x0006);
}

/** Without bus mastering, which is off again, an armed channel runs nothing. */
static void
section_2_2_flr_takes_bus_mastering(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x98, 2, 0x8000);
	put_null(h, RING, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, DMACOUNT, 2, 1);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(rd(h, CHANSTS, 8), 0 | ACTIVE);
	assert_int_equal(h->grants, 0);
	cfg_wr(h, 0x04, 2, 0x0004);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
section_2_2_reset_call_is_power_on(void **state)
{
	struct host *h = *state;

	disturb(h);
	udma_emu_reset(h->emu);
	assert_power_on(h);
}

static void
section_2_2_works_again_after_flr(void **state)
{
	struct host *h = *state;

	disturb(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	cfg_wr(h, 0x04, 2, 0x0006);
	scribble(h, SRC, 1000, 1);
	copy_succeeds(h, SRC, DST, 1000);
	assert_same(h, SRC, DST, 1000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_2_identity),
		T(section_2_header_type_follows_the_config),
		T(section_2_command_keeps_bits_1_2_10),
		T(section_2_command_written_as_a_dword_leaves_status),
		T(section_1_3_bar_is_16_kib_64_bit_memory),
		T(section_2_scratch_fields_keep_what_is_written),
		T(section_2_no_interrupt_pin),
		T(section_2_capability_list_is_pcie_then_pm),
		T(section_2_pcie_is_an_integrated_endpoint_with_flr),
		T(section_2_device_control_is_writable),
		T(section_2_1_pmcsr_reads_8_and_keeps_the_state),
		T(section_2_2_d3_and_back_resets_nothing),
		T(section_2_1_error_registers_at_reset),
		T(section_2_error_masks_and_severities_are_writable),
		T(section_2_chanerr_int_is_cleared_by_writing_1),
		T(section_2_tbg_write_of_10h_to_148_is_harmless),
		T(section_2_all_of_4_kib_is_readable),
		T(section_2_beyond_4_kib_is_einval),
		T(section_2_one_access_may_span_fields),
		T(section_2_1_register_sample),
		T(section_2_2_flr_by_device_control_bit_15),
		T(section_2_2_flr_by_the_high_byte_alone),
		T(section_2_2_device_control_reads_bit_15_as_0),
		T(section_2_2_bit_15_of_a_neighbour_is_no_flr),
		T(section_2_2_flr_takes_bus_mastering),
		T(section_2_2_reset_call_is_power_on),
		T(section_2_2_works_again_after_flr),
	};

	return cmocka_run_group_tests_name("section_2_config_space", tests, NULL, NULL);
}
