/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 2: configuration space of functions that can interrupt, and of those with extended
 * capabilities.
 */

#include "host.h"

enum { ALL_KINDS = UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX };

static struct host *
host_of(uint16_t id, uint32_t interrupts, uint8_t pin)
{
	struct udma_emu_config config = {
		.device_id = id, .interrupts = interrupts, .intx_pin = pin};

	return host_new(&config);
}

/* Capabilities */

/** MSI-X 80h, PCI Express 90h, MSI D0h, power management E0h: each that is offered, in this order.
 */
static void
section_2_capability_list_of_every_combination(void **state)
{
	unsigned kinds;

	(void)state;
	for (kinds = 0; kinds <= ALL_KINDS; kinds++) {
		struct host *h = host_of(0x2021, kinds, 0);
		uint8_t msi = kinds & UDMA_EMU_MSI ? 0xD0 : 0xE0;

		assert_int_equal(cfg(h, 0x06, 2) & 0x10, 0x10);
		assert_int_equal(cfg(h, 0x34, 1), kinds & UDMA_EMU_MSIX ? 0x80 : 0x90);
		assert_int_equal(cfg(h, 0x80, 2), kinds & UDMA_EMU_MSIX ? 0x9011 : 0);
		assert_int_equal(cfg(h, 0x90, 1), 0x10);
		assert_int_equal(cfg(h, 0x91, 1), msi);
		assert_int_equal(cfg(h, 0xD0, 2), kinds & UDMA_EMU_MSI ? 0xE005 : 0);
		assert_int_equal(cfg(h, 0xE0, 2), 0x0001);
		host_free(h);
	}
}

static void
section_2_msix_has_one_vector(void **state)
{
	struct host *h = host_of(0x2021, UDMA_EMU_MSIX, 0);

	(void)state;
	assert_int_equal(cfg(h, 0x82, 2) & 0x07FF, 0); /* size - 1 */
	assert_int_equal(cfg(h, 0x84, 4), 0x2000);
	assert_int_equal(cfg(h, 0x88, 4), 0x3000);
	host_free(h);
}

static void
section_2_msix_control_keeps_bits_15_and_14(void **state)
{
	struct host *h = host_of(0x2021, UDMA_EMU_MSIX, 0);

	(void)state;
	assert_int_equal(cfg(h, 0x82, 2), 0);
	cfg_wr(h, 0x82, 2, 0xFFFF);
	assert_int_equal(cfg(h, 0x82, 2), 0xC000);
	cfg_wr(h, 0x83, 1, 0x40);
	assert_int_equal(cfg(h, 0x82, 2), 0x4000);
	cfg_wr(h, 0x80, 4, 0x8000FFFF);
	assert_int_equal(cfg(h, 0x80, 4), 0x80009011);
	cfg_wr(h, 0x84, 4, 0);
	cfg_wr(h, 0x88, 4, 0);
	assert_int_equal(cfg(h, 0x84, 4), 0x2000);
	assert_int_equal(cfg(h, 0x88, 4), 0x3000);
	host_free(h);
}

/** MSI: one message, 64-bit address. The reference has no capability; this is the usual one. */
static void
section_10_msi_fields(void **state)
{
	struct host *h = host_of(0x2021, UDMA_EMU_MSI, 0);

	(void)state;
	assert_int_equal(cfg(h, 0xD2, 2), 0x0080);
	cfg_wr(h, 0xD2, 2, 0xFFFF);
	assert_int_equal(cfg(h, 0xD2, 2), 0x0081);
	cfg_wr(h, 0xD4, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0xD4, 4), 0xFFFFFFFC);
	cfg_wr(h, 0xD8, 4, 0x89ABCDEF);
	assert_int_equal(cfg(h, 0xD8, 4), 0x89ABCDEF);
	cfg_wr(h, 0xDC, 4, 0xFFFFFFFF);
	assert_int_equal(cfg(h, 0xDC, 4), 0x0000FFFF);
	host_free(h);
}

static void
section_2_what_is_not_offered_cannot_be_written(void **state)
{
	struct host *h = host_of(0x2021, UDMA_EMU_INTX, 0);
	uint32_t offset;

	(void)state;
	for (offset = 0x80; offset < 0x8C; offset += 4) {
		cfg_wr(h, offset, 4, 0xFFFFFFFF);
		assert_int_equal(cfg(h, offset, 4), 0);
	}
	for (offset = 0xD0; offset < 0xE0; offset += 4) {
		cfg_wr(h, offset, 4, 0xFFFFFFFF);
		assert_int_equal(cfg(h, offset, 4), 0);
	}
	host_free(h);
}

static void
section_2_interrupt_pin(void **state)
{
	unsigned pin;

	(void)state;
	for (pin = 0; pin <= 4; pin++) {
		struct host *with = host_of(0x2021, ALL_KINDS, pin);
		struct host *without = host_of(0x2021, UDMA_EMU_MSIX | UDMA_EMU_MSI, pin);

		assert_int_equal(cfg(with, 0x3D, 1), pin == 0 ? 1 : pin);
		assert_int_equal(cfg(without, 0x3D, 1), 0);
		cfg_wr(with, 0x3C, 2, 0xFF0A);
		assert_int_equal(cfg(with, 0x3C, 2), (pin == 0 ? 1 : pin) << 8 | 0x0A);
		host_free(with);
		host_free(without);
	}
}

/** PCISTS bit 3 is read-only, in every width. */
static void
section_2_intx_state_is_read_only(void **state)
{
	struct host *h = host_of(0x2021, UDMA_EMU_INTX, 0);

	(void)state;
	cfg_wr(h, 0x06, 2, 0xFFFF);
	assert_int_equal(cfg(h, 0x06, 2), 0x0010);
	wr(h, 0x03, 1, 0x01);
	put_null(h, RING, INT_EN, RING);
	start_and_run(h, 1);
	assert_int_equal(cfg(h, 0x06, 2), 0x0018);
	cfg_wr(h, 0x06, 1, 0x00);
	cfg_wr(h, 0x04, 4, 0xFFFF0006);
	assert_int_equal(cfg(h, 0x06, 2), 0x0018);
	host_free(h);
}

/** The chain of extended capabilities ends, and its parts do not overlap the named registers. */
static void
section_2_extended_capabilities_end(void **state)
{
	static const uint16_t ids[] = {0x2021, 0x6F20, 0x0C50, 0x6F50, 0x0B00};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct host *h = host_of(ids[i], ALL_KINDS, 0);

		assert_int_equal(cfg(h, 0x100, 4) >> 20, 0);
		assert_int_equal(cfg(h, 0x150, 4), 0x98);
		host_free(h);
	}
}

/* Section 2.2 */

static void
section_2_2_flr_resets_what_interrupts_use(void **state)
{
	struct host *h = host_of(0x2021, ALL_KINDS, 0);
	uint8_t before[4096], after[4096];

	(void)state;
	cfg_wr(h, 0x04, 2, 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, before, sizeof(before)), 0);
	enable_msix(h, 0x2000);
	enable_msi(h);
	cfg_wr(h, 0x83, 1, 0xC0);
	cfg_wr(h, 0x04, 2, 0x0406);
	wr(h, 0x03, 1, 0x09);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, after, sizeof(after)), 0);
	assert_memory_equal(after, before, sizeof(after));
	assert_int_equal(rd(h, 0x03, 1), 0);
	assert_int_equal(rd(h, 0x2000, 8), 0);
	assert_int_equal(rd(h, 0x2008, 8), 1ull << 32);
	host_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_2_capability_list_of_every_combination),
		cmocka_unit_test(section_2_msix_has_one_vector),
		cmocka_unit_test(section_2_msix_control_keeps_bits_15_and_14),
		cmocka_unit_test(section_10_msi_fields),
		cmocka_unit_test(section_2_what_is_not_offered_cannot_be_written),
		cmocka_unit_test(section_2_interrupt_pin),
		cmocka_unit_test(section_2_intx_state_is_read_only),
		cmocka_unit_test(section_2_extended_capabilities_end),
		cmocka_unit_test(section_2_2_flr_resets_what_interrupts_use),
	};

	return cmocka_run_group_tests_name("section_2_interrupts", tests, NULL, NULL);
}
