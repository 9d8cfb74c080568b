/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 4: channel registers.
 */

#include "host.h"

static void
section_4_power_on_values(void **state)
{
	struct host *h = *state;

	/* CHANCTRL last: reading it has an effect. */
	assert_int_equal(rd(h, CHANCMD, 1), 0);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000003);
	assert_int_equal(rd(h, CHAINADDR, 8), 0);
	assert_int_equal(rd(h, CHANCMP, 8), 0);
	assert_int_equal(rd(h, CDAR, 8), 0);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHANERRMSK, 4), 0);
	assert_int_equal(rd(h, DCACTRL, 4), 0);
	assert_int_equal(rd(h, CHANCTRL, 2), 0);
}

static void
section_4_1_chanctrl_keeps_its_bits(void **state)
{
	static const uint16_t bits[] = {0xF000, 0x0200, 0x0020, 0x0010, 0x0008, 0x0004};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		wr(h, CHANCTRL, 2, bits[i]);
		assert_int_equal(rd(h, CHANCTRL, 2) & ~0x0100u, bits[i]);
	}
	wr(h, CHANCTRL, 2, 0xFEFF);
	assert_int_equal(rd(h, CHANCTRL, 2), 0xF23C);
}

/** What the four drivers write (section 4.1), bit 0 being the re-arm that is never seen set. */
static void
section_4_1_chanctrl_takes_what_drivers_write(void **state)
{
	static const uint16_t written[] = {0x001D, 0x0008, 0x000C, 0x0009, 0x0000};
	static const uint16_t seen[] = {0x001C, 0x0008, 0x000C, 0x0008, 0x0000};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		wr(h, CHANCTRL, 2, written[i]);
		assert_int_equal(rd(h, CHANCTRL, 2), seen[i]);
	}
}

static void
section_4_1_in_use_is_a_semaphore(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, CHANCTRL, 2), 0x0000);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0100);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0100);
	wr(h, CHANCTRL, 2, 0x0000);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0000);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0100);
}

static void
section_4_1_in_use_lives_in_the_high_byte(void **state)
{
	struct host *h = *state;

	/* Reads and writes that do not reach bit 8 do not take or free it. */
	assert_int_equal(rd(h, CHANCTRL, 1), 0);
	assert_int_equal(rd(h, CHANCTRL + 1, 1), 0);
	assert_int_equal(rd(h, CHANCTRL + 1, 1), 1);
	wr(h, CHANCTRL, 1, 0x0C);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x010C);
	wr(h, CHANCTRL + 1, 1, 0);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x000C);
}

static void
section_4_1_in_use_is_not_set_by_writing(void **state)
{
	struct host *h = *state;

	wr(h, CHANCTRL, 2, 0x0100);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0000);
	wr(h, CHANCTRL, 2, 0x0100);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x0100);
}

static void
section_4_dma_comp_says_version_3_only(void **state)
{
	struct host *h = *state;

	wr(h, DMA_COMP, 2, 0xFFFF);
	assert_int_equal(rd(h, DMA_COMP, 2), 0x0004);
}

static void
section_4_2_reset_reads_as_over_at_once(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CHANCMD, 1), 0);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_int_equal(rd(h, CHANCMD, 1), 0);
}

static void
section_4_2_two_commands_is_ccmderr(void **state)
{
	struct host *h = *state;
	unsigned first, second;

	for (first = 0; first < 6; first++) {
		for (second = first + 1; second < 6; second++) {
			wr(h, CHANCMD, 1, 1u << first | 1u << second);
			assert_int_equal(rd(h, CHANERR, 4), 0x20);
			assert_int_equal(cfg(h, 0x180, 4), 0x20);
			wr(h, CHANERR, 4, 0x20);
			cfg_wr(h, 0x180, 4, 0x20);
		}
	}
}

/** None of the two is carried out: a reset would have forgotten CHAINADDR. */
static void
section_4_2_two_commands_do_nothing_else(void **state)
{
	struct host *h = *state;

	wr(h, CHAINADDR, 8, RING);
	wr(h, CHANCMD, 1, RESET | SUSPEND);
	assert_int_equal(rd(h, CHAINADDR, 8), RING);
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
}

static void
section_4_2_single_commands_are_no_error(void **state)
{
	struct host *h = *state;
	unsigned bit;

	wr(h, CHANCMD, 1, 0);
	for (bit = 0; bit < 6; bit++) {
		wr(h, CHANCMD, 1, 1u << bit);
		assert_int_equal(rd(h, CHANERR, 4), 0);
	}
}

static void
section_4_2_reserved_commands_are_ccmderr(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMD, 1, 0x40);
	assert_int_equal(rd(h, CHANERR, 4), 0x20);
	wr(h, CHANERR, 4, 0x20);
	wr(h, CHANCMD, 1, 0x80);
	assert_int_equal(rd(h, CHANERR, 4), 0x20);
}

static void
section_4_2_start_and_append_do_nothing(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING);
	start(h, RING);
	wr(h, CHANCMD, 1, 0x01);
	wr(h, CHANCMD, 1, 0x02);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
}

static void
section_4_dmacount_keeps_what_is_written(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING);
	start_and_run(h, 3);
	assert_int_equal(rd(h, DMACOUNT, 2), 3);
}

static void
section_4_chansts_is_read_only(void **state)
{
	struct host *h = *state;

	wr(h, CHANSTS, 8, 0xFFFFFFFFFFFFFFFF);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
}

static void
section_4_3_chansts_reads_in_halves(void **state)
{
	struct host *h = *state;

	put_null(h, RING + 0x740, 0, RING);
	start(h, RING + 0x740);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	/* RING + 740h = 123_4000_1740h */
	assert_int_equal(rd(h, CHANSTS, 4), 0x40001741);
	assert_int_equal(rd(h, CHANSTS + 4, 4), 0x123);
	assert_int_equal(rd(h, CHANSTS, 8), 0x12340001741);
	assert_int_equal(rd(h, CHANSTS, 1), 0x41);
}

static void
section_4_chainaddr_reads_back(void **state)
{
	struct host *h = *state;

	wr(h, CHAINADDR, 8, 0xFEDCBA9876543200);
	assert_int_equal(rd(h, CHAINADDR, 8), 0xFEDCBA9876543200);
	assert_int_equal(rd(h, CHAINADDR, 4), 0x76543200);
	assert_int_equal(rd(h, CHAINADDR + 4, 4), 0xFEDCBA98);
}

static void
section_4_chainaddr_in_two_halves_arms_at_the_high_one(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMP, 4, (uint32_t)WORD);
	wr(h, CHANCMP + 4, 4, WORD >> 32);
	wr(h, CHAINADDR, 4, (uint32_t)RING);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	wr(h, CHAINADDR + 4, 4, RING >> 32);
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	put_null(h, RING, COMPL_UPDATE, RING);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
}

static void
section_4_chancmp_reads_back(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMP, 8, 0xFEDCBA9876543218);
	assert_int_equal(rd(h, CHANCMP, 8), 0xFEDCBA9876543218);
	wr(h, CHANCMP, 4, 0x01020308);
	assert_int_equal(rd(h, CHANCMP, 8), 0xFEDCBA9801020308);
}

static void
section_4_cdar_is_the_current_descriptor(void **state)
{
	struct host *h = *state;

	put_null(h, RING, 0, RING + 0x400);
	put_null(h, RING + 0x400, 0, RING);
	start(h, RING);
	assert_int_equal(rd(h, CDAR, 8), 0);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_int_equal(rd(h, CDAR, 8), RING + 0x400);
	wr(h, CDAR, 8, 0);
	assert_int_equal(rd(h, CDAR, 8), RING + 0x400);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CDAR, 8), 0);
}

static void
section_4_chanerr_is_cleared_by_writing_1(void **state)
{
	struct host *h = *state;

	/* Bit 5 from a command, bit 11 from a transfer of no bytes. */
	wr(h, CHANCMD, 1, 0x03);
	put_copy(h, RING, 0, SRC, DST, 0, RING);
	wr(h, CHANERR, 4, 0x20);
	start(h, RING);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(rd(h, CHANERR, 4), 0x820);
	wr(h, CHANERR, 4, 0);
	assert_int_equal(rd(h, CHANERR, 4), 0x820);
	wr(h, CHANERR, 4, 0xFFFFF7FF);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
	wr(h, CHANERR + 1, 1, 0x08);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	/* The other register is cleared separately (section 11). */
	assert_int_equal(cfg(h, 0x180, 4), 0x820);
}

static void
section_4_chanerr_cannot_be_set(void **state)
{
	struct host *h = *state;

	wr(h, CHANERR, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

static void
section_4_chanerrmsk_is_kept_and_hides_nothing(void **state)
{
	struct host *h = *state;

	wr(h, CHANERRMSK, 4, 0x00030820);
	assert_int_equal(rd(h, CHANERRMSK, 4), 0x00030820);
	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(rd(h, CHANERR, 4), 0x20);
}

static void
section_4_dcactrl_takes_any_cpu(void **state)
{
	struct host *h = *state;

	wr(h, DCACTRL, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, DCACTRL, 4), 0x0001FFFF);
	wr(h, DCACTRL, 4, 0x00000042);
	assert_int_equal(rd(h, DCACTRL, 4), 0x00000042);
}

/** The registers of 3.4 at either of the places where Linux may mean them, and the prefetch limit.
 */
static void
section_4_registers_of_3_4_are_ignored(void **state)
{
	struct host *h = *state;

	start(h, RING);
	wr(h, 0x136, 2, 0x0109);
	wr(h, 0x13C, 1, 1);
	wr(h, 0x140, 4, 0x8800);
	wr(h, 0x144, 4, 0x8A58);
	wr(h, 0xB6, 2, 0x0109);
	wr(h, 0xBC, 1, 1);
	wr(h, 0xC0, 4, 0x8800);
	wr(h, 0xC4, 4, 0x8A58);
	wr(h, 0x4C, 1, 5);
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, DCACTRL, 4), 0);
}

/** Only channel 0 is there: the second register set, at 100h, does nothing. */
static void
section_4_no_second_channel(void **state)
{
	struct host *h = *state;

	wr(h, 0x118, 8, WORD);
	wr(h, 0x110, 8, RING);
	wr(h, 0x106, 2, 1);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(rd(h, 0x108, 8), 0);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(h->grants, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_4_power_on_values),
		T(section_4_1_chanctrl_keeps_its_bits),
		T(section_4_1_chanctrl_takes_what_drivers_write),
		T(section_4_1_in_use_is_a_semaphore),
		T(section_4_1_in_use_lives_in_the_high_byte),
		T(section_4_1_in_use_is_not_set_by_writing),
		T(section_4_dma_comp_says_version_3_only),
		T(section_4_2_reset_reads_as_over_at_once),
		T(section_4_2_two_commands_is_ccmderr),
		T(section_4_2_two_commands_do_nothing_else),
		T(section_4_2_single_commands_are_no_error),
		T(section_4_2_reserved_commands_are_ccmderr),
		T(section_4_2_start_and_append_do_nothing),
		T(section_4_dmacount_keeps_what_is_written),
		T(section_4_chansts_is_read_only),
		T(section_4_3_chansts_reads_in_halves),
		T(section_4_chainaddr_reads_back),
		T(section_4_chainaddr_in_two_halves_arms_at_the_high_one),
		T(section_4_chancmp_reads_back),
		T(section_4_cdar_is_the_current_descriptor),
		T(section_4_chanerr_is_cleared_by_writing_1),
		T(section_4_chanerr_cannot_be_set),
		T(section_4_chanerrmsk_is_kept_and_hides_nothing),
		T(section_4_dcactrl_takes_any_cpu),
		T(section_4_registers_of_3_4_are_ignored),
		T(section_4_no_second_channel),
	};

	return cmocka_run_group_tests_name("section_4_channel_registers", tests, NULL, NULL);
}
