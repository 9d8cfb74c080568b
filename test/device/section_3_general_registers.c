/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 3: general registers, and accesses of every width.
 */

#include "host.h"

static void
section_3_chancnt_is_1(void **state)
{
	struct host *h = *state;

	wr(h, 0x00, 1, 0xFF);
	assert_int_equal(rd(h, 0x00, 1), 1);
}

static void
section_3_xfercap_is_what_the_config_says(void **state)
{
	struct host *h = *state;
	unsigned log2;

	wr(h, 0x01, 1, 0xFF);
	assert_int_equal(rd(h, 0x01, 1), 20);
	for (log2 = 12; log2 <= 31; log2++) {
		struct udma_emu_config config = {.device_id = 0x2021, .xfercap = log2};
		struct host *other = host_new(&config);

		assert_int_equal(rd(other, 0x01, 1), log2);
		host_free(other);
	}
}

static void
section_3_genctrl_keeps_bit_0(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, 0x02, 1), 0);
	wr(h, 0x02, 1, 0xFF);
	assert_int_equal(rd(h, 0x02, 1), 1);
	wr(h, 0x02, 1, 0);
	assert_int_equal(rd(h, 0x02, 1), 0);
}

static void
section_3_intrctrl_keeps_bits_0_and_3(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, 0x03, 1), 0);
	wr(h, 0x03, 1, 0xFF);
	assert_int_equal(rd(h, 0x03, 1), 0x09);
	wr(h, 0x03, 1, 0x01);
	assert_int_equal(rd(h, 0x03, 1), 0x01);
	wr(h, 0x03, 1, 0);
	assert_int_equal(rd(h, 0x03, 1), 0);
}

static void
section_3_attnstatus_reads_0(void **state)
{
	struct host *h = *state;

	wr(h, 0x04, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x04, 4), 0);
}

static void
section_3_cbver_is_33h(void **state)
{
	struct host *h = *state;

	wr(h, 0x08, 1, 0);
	assert_int_equal(rd(h, 0x08, 1), 0x33);
}

static void
section_3_intrdelay_keeps_bits_13_0_and_reads_bit_15(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, 0x0C, 2), 0x8000);
	wr(h, 0x0C, 2, 0x7FFF);
	assert_int_equal(rd(h, 0x0C, 2), 0xBFFF);
	wr(h, 0x0C, 2, 0x0123);
	assert_int_equal(rd(h, 0x0C, 2), 0x8123);
	wr(h, 0x0D, 1, 0x05);
	assert_int_equal(rd(h, 0x0C, 2), 0x8523);
}

static void
section_3_relics_read_0(void **state)
{
	static const struct {
		uint32_t offset;
		unsigned width;
	} relics[] = {{0x09, 1}, {0x0A, 2}, {0x0E, 2}, {0x14, 2}, {0x40, 1}};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(relics) / sizeof(relics[0]); i++) {
		wr(h, relics[i].offset, relics[i].width, 0xFFFF);
		assert_int_equal(rd(h, relics[i].offset, relics[i].width), 0);
	}
}

static void
section_3_1_dmacapability_is_page_break_and_fill(void **state)
{
	struct host *h = *state;

	wr(h, 0x10, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x10, 4), 0x00000041);
}

static void
section_3_unlisted_offsets_read_0_and_ignore_writes(void **state)
{
	struct host *h = *state;
	uint32_t offset;

	wr(h, CHANCMP, 8, WORD);
	for (offset = 0xB8; offset < 0x4000; offset += 8) {
		wr(h, offset, 8, 0xFFFFFFFFFFFFFFFF);
		assert_int_equal(rd(h, offset, 8), 0);
	}
	for (offset = 0x16; offset < 0x80; offset += 2) {
		wr(h, offset, 2, 0xFFFF);
		assert_int_equal(rd(h, offset, 2), 0);
	}
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(rd(h, CHANCMP, 8), WORD);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
}

static void
section_3_beyond_the_bar_reads_0(void **state)
{
	static const uint32_t offsets[] = {0x4000, 0x4080, 0x8000, 0x10000, 0x10008, 0xFFFFFFF8};
	struct host *h = *state;
	unsigned i, width;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		for (width = 1; width <= 8; width *= 2) {
			wr(h, offsets[i], width, 0xFFFFFFFFFFFFFFFF);
			assert_int_equal(rd(h, offsets[i], width), 0);
		}
	}
	assert_int_equal(rd(h, 0x02, 1), 0);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

static void
section_3_other_widths_and_misaligned_do_nothing(void **state)
{
	static const unsigned widths[] = {0, 3, 5, 6, 7, 9, 16, 64};
	struct host *h = *state;
	unsigned i;

	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		wr(h, 0x00, widths[i], 0xFFFFFFFFFFFFFFFF);
		assert_int_equal(rd(h, 0x00, widths[i]), 0);
	}
	wr(h, 0x01, 2, 0xFFFF);
	wr(h, 0x02, 4, 0xFFFFFFFF);
	wr(h, 0x9C, 8, 0xFFFFFFFFFFFFFFFF);
	assert_int_equal(rd(h, 0x01, 2), 0);
	assert_int_equal(rd(h, 0x02, 1), 0);
	assert_int_equal(rd(h, CHANCMP, 8), 0);
}

/** Section 15.1: byte, word, dword and qword accesses see the same bytes. */
static void
section_15_1_every_width_reads_the_same_bytes(void **state)
{
	struct host *h = *state;
	uint8_t bytes[0xB8];
	uint32_t offset;
	unsigned width;

	wr(h, 0x0C, 2, 0x1234);
	wr(h, CHANCTRL, 2, 0x033C); /* IN_USE is not set by it */
	wr(h, CHAINADDR, 8, 0x1122334455667740);
	wr(h, CHANCMP, 8, 0x8899AABBCCDDEE08);
	wr(h, CHANERRMSK, 4, 0x01234567);
	wr(h, DCACTRL, 4, 0x0001CDEF);
	(void)rd(h, CHANCTRL, 2); /* reading has an effect once */
	for (offset = 0; offset < sizeof(bytes); offset++) {
		bytes[offset] = rd(h, offset, 1);
	}
	assert_int_equal(bytes[0x90], 0x40);
	assert_int_equal(bytes[0x9F], 0x88);
	for (width = 2; width <= 8; width *= 2) {
		for (offset = 0; offset < sizeof(bytes); offset += width) {
			uint64_t expected = 0;

			memcpy(&expected, bytes + offset, width);
			assert_int_equal(rd(h, offset, width), expected);
		}
	}
}

/** And so do writes, for registers that keep what is written. */
static void
section_15_1_every_width_writes_the_same_bytes(void **state)
{
	static const uint64_t value = 0x0123456789ABCD08;
	static const uint32_t registers[] = {CHAINADDR, CHANCMP};
	struct host *h = *state;
	unsigned i, at, width;

	for (i = 0; i < 2; i++) {
		for (width = 1; width <= 8; width *= 2) {
			wr(h, registers[i], 8, 0xFFFFFFFFFFFFFFFF);
			for (at = 0; at < 8; at += width) {
				/* What is above the width must not matter. */
				wr(h, registers[i] + at, width, value >> 8 * at);
			}
			assert_int_equal(rd(h, registers[i], 8), value);
		}
	}
	assert_int_equal(rd(h, CHANCMP, 8), value);
	assert_int_equal(rd(h, CDAR, 8), 0);
}

/** A write changes the register that it names, and none beside it. */
static void
section_15_1_one_write_changes_one_register(void **state)
{
	static const struct {
		uint32_t offset;
		unsigned width;
		uint64_t value;
	} written[] = {
		{0x02, 1, 0x01},
		{0x03, 1, 0x09},
		{0x0C, 2, 0x9234},
		{DMACOUNT, 2, 0x5678},
		{CHANCMP, 8, 0x1122334455667788},
		{CHANERRMSK, 4, 0x31323334},
		{DCACTRL, 4, 0x00014142},
		{CHAINADDR, 4, 0x51525340},
		{CHANCTRL, 1, 0x3C},
	};
	enum { COUNT = sizeof(written) / sizeof(written[0]) };
	struct host *h = *state;
	uint64_t now;
	unsigned i, j;

	for (i = 0; i < COUNT; i++) {
		wr(h, written[i].offset, written[i].width, written[i].value);
		for (j = 0; j < COUNT; j++) {
			now = rd(h, written[j].offset, written[j].width);
			if (written[j].offset == 0x0C && j > i) {
				now &= 0x7FFF; /* bit 15 is always there */
			}
			assert_int_equal(now, j <= i ? written[j].value : 0);
		}
		assert_int_equal(rd(h, CHANERR, 4), 0);
		assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	}
}

static void
section_15_1_one_write_may_span_registers(void **state)
{
	struct host *h = *state;

	/* GENCTRL, INTRCTRL and what surrounds them. */
	wr(h, 0x00, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x00, 4), 0x09011401);
	/* CHANERR (write 1 to clear) and CHANERRMSK (kept). */
	wr(h, CHANERR, 8, 0x0000001100000022);
	assert_int_equal(rd(h, CHANERR, 8), 0x0000001100000000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_3_chancnt_is_1),
		T(section_3_xfercap_is_what_the_config_says),
		T(section_3_genctrl_keeps_bit_0),
		T(section_3_intrctrl_keeps_bits_0_and_3),
		T(section_3_attnstatus_reads_0),
		T(section_3_cbver_is_33h),
		T(section_3_intrdelay_keeps_bits_13_0_and_reads_bit_15),
		T(section_3_relics_read_0),
		T(section_3_1_dmacapability_is_page_break_and_fill),
		T(section_3_unlisted_offsets_read_0_and_ignore_writes),
		T(section_3_beyond_the_bar_reads_0),
		T(section_3_other_widths_and_misaligned_do_nothing),
		T(section_15_1_every_width_reads_the_same_bytes),
		T(section_15_1_every_width_writes_the_same_bytes),
		T(section_15_1_one_write_changes_one_register),
		T(section_15_1_one_write_may_span_registers),
	};

	return cmocka_run_group_tests_name("section_3_general_registers", tests, NULL, NULL);
}
