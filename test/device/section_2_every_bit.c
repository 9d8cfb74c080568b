/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 2: every bit of configuration space, and accesses of every width and alignment.
 */

#include "host.h"

enum { ALL_KINDS = UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX };

/** A function with all ways to interrupt. */
static struct host *
host_of(uint16_t id, uint8_t pin)
{
	struct udma_emu_config config = {.device_id = id, .interrupts = ALL_KINDS, .intx_pin = pin};

	return host_new(&config);
}

/** A dword of configuration space: at reset, after writing ones, after writing zeros. The others
 * are 0. */
struct bits {
	uint32_t offset, reset, ones, zeros;
};

static void
check_every_bit(struct host *h, const struct bits *fields, unsigned count)
{
	uint32_t reset[1024] = {0}, ones[1024] = {0}, zeros[1024] = {0}, seen[1024], all[1024];
	unsigned i;

	for (i = 0; i < count; i++) {
		reset[fields[i].offset / 4] = fields[i].reset;
		ones[fields[i].offset / 4] = fields[i].ones;
		zeros[fields[i].offset / 4] = fields[i].zeros;
	}
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, seen, sizeof(seen)), 0);
	assert_memory_equal(seen, reset, sizeof(seen));
	memset(all, 0xFF, sizeof(all));
	all[0x98 / 4] = 0xFFFF7FFF; /* no function-level reset */
	assert_int_equal(udma_emu_cfg_write(h->emu, 0, all, sizeof(all)), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, seen, sizeof(seen)), 0);
	assert_memory_equal(seen, ones, sizeof(seen));
	memset(all, 0, sizeof(all));
	assert_int_equal(udma_emu_cfg_write(h->emu, 0, all, sizeof(all)), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, seen, sizeof(seen)), 0);
	assert_memory_equal(seen, zeros, sizeof(seen));
}

/** Skylake-SP without interrupts. */
static void
section_2_every_bit(void **state)
{
	static const struct bits fields[] = {
		{0x00, 0x20218086, 0x20218086, 0x20218086}, /* VID, DID */
		{0x04, 0x00100006, 0x00100406, 0x00100000}, /* PCICMD, PCISTS */
		{0x08, 0x08800004, 0x08800004, 0x08800004}, /* RID, CCR */
		{0x0C, 0x00000000, 0x000000FF, 0x00000000}, /* CLSR, HDR */
		{0x10, 0x00000004, 0xFFFFC004, 0x00000004}, /* CB_BAR */
		{0x14, 0x00000000, 0xFFFFFFFF, 0x00000000},
		{0x2C, 0x00008086, 0x00008086, 0x00008086}, /* SVID, SDID */
		{0x34, 0x00000090, 0x00000090, 0x00000090}, /* CAPPTR */
		{0x3C, 0x00000000, 0x000000FF, 0x00000000}, /* INTL, INTPIN */
		{0x48, 0x00000000, 0x00000003, 0x00000000}, /* DMACTRL */
		{0x60, 0x00000000, 0xFFFFFFFF, 0x00000000}, /* DEVCFG */
		{0x90, 0x0092E010, 0x0092E010, 0x0092E010}, /* PCI Express: version 2, type 9 */
		{0x94, 0x10008000, 0x10008000, 0x10008000}, /* DEVCAP */
		{0x98, 0x00002810, 0x000078FF, 0x00000000}, /* DEVCTL without its bit 15, DEVSTS */
		{0xB4, 0x00000010, 0x00000010, 0x00000010}, /* DEVCAP2 */
		{0xB8, 0x00000000, 0x00000010, 0x00000000}, /* DEVCTL2 */
		{0xE0, 0x00030001, 0x00030001, 0x00030001}, /* power management */
		{0xE4, 0x00000008, 0x0000000B, 0x00000008}, /* PMCSR */
		{0x14C, 0x00000000, 0xFFFFFFFF, 0x00000000},
		{0x150, 0x00000098, 0xFFFFFFFF, 0x00000000},
		{0x154, 0x0000000A, 0x0000000A, 0x0000000A},
		{0x184, 0x00060000, 0xFFFFFFFF, 0x00000000},
		{0x188, 0x00010000, 0xFFFFFFFF, 0x00000000},
		{0x18C, 0x00000002, 0x00000002, 0x00000002},
	};
	struct udma_emu_config config = {.device_id = 0x2021};
	struct host *h = host_new(&config);

	(void)state;
	check_every_bit(h, fields, sizeof(fields) / sizeof(fields[0]));
	host_free(h);
}

/** A Broadwell-DE with everything: all interrupts, and advanced error reporting. */
static void
section_2_every_bit_with_all_capabilities(void **state)
{
	static const struct bits fields[] = {
		{0x00, 0x6F508086, 0x6F508086, 0x6F508086}, /* VID, DID */
		{0x04, 0x00100006, 0x00100406, 0x00100000}, /* PCICMD, PCISTS */
		{0x08, 0x08800004, 0x08800004, 0x08800004}, /* RID, CCR */
		{0x0C, 0x00000000, 0x000000FF, 0x00000000}, /* CLSR, HDR */
		{0x10, 0x00000004, 0xFFFFC004, 0x00000004}, /* CB_BAR */
		{0x14, 0x00000000, 0xFFFFFFFF, 0x00000000},
		{0x2C, 0x00008086, 0x00008086, 0x00008086}, /* SVID, SDID */
		{0x34, 0x00000080, 0x00000080, 0x00000080}, /* CAPPTR */
		{0x3C, 0x00000300, 0x000003FF, 0x00000300}, /* INTL, INTPIN */
		{0x48, 0x00000000, 0x00000003, 0x00000000}, /* DMACTRL */
		{0x60, 0x00000000, 0xFFFFFFFF, 0x00000000}, /* DEVCFG */
		{0x80, 0x00009011, 0xC0009011, 0x00009011}, /* MSI-X */
		{0x84, 0x00001000, 0x00001000, 0x00001000},
		{0x88, 0x00001800, 0x00001800, 0x00001800},
		{0x90, 0x0092D010, 0x0092D010, 0x0092D010}, /* PCI Express: version 2, type 9 */
		{0x94, 0x10008000, 0x10008000, 0x10008000}, /* DEVCAP */
		{0x98, 0x00002810, 0x000078FF, 0x00000000}, /* DEVCTL without its bit 15, DEVSTS */
		{0xB4, 0x00000010, 0x00000010, 0x00000010}, /* DEVCAP2 */
		{0xB8, 0x00000000, 0x00000010, 0x00000000}, /* DEVCTL2 */
		{0xD0, 0x0080E005, 0x0081E005, 0x0080E005}, /* MSI */
		{0xD4, 0x00000000, 0xFFFFFFFC, 0x00000000},
		{0xD8, 0x00000000, 0xFFFFFFFF, 0x00000000},
		{0xDC, 0x00000000, 0x0000FFFF, 0x00000000},
		{0xE0, 0x00030001, 0x00030001, 0x00030001},  /* power management */
		{0xE4, 0x00000008, 0x0000000B, 0x00000008},  /* PMCSR */
		{0x100, 0x00010001, 0x00010001, 0x00010001}, /* AER: nothing to report, ever */
		{0x108, 0x00000000, 0xFFFFFFFF, 0x00000000}, /* its masks and severity */
		{0x10C, 0x00062030, 0xFFFFFFFF, 0x00000000},
		{0x114, 0x00002000, 0xFFFFFFFF, 0x00000000},
		{0x14C, 0x00000000, 0xFFFFFFFF, 0x00000000}, /* DMAUNCERRMSK */
		{0x150, 0x00000098, 0xFFFFFFFF, 0x00000000}, /* DMAUNCERRSEV */
		{0x154, 0x0000000A, 0x0000000A, 0x0000000A}, /* DMAUNCERRPTR */
		{0x184, 0x00060000, 0xFFFFFFFF, 0x00000000}, /* CHANERRMSK_INT */
		{0x188, 0x00010000, 0xFFFFFFFF, 0x00000000}, /* CHANERRSEV_INT */
		{0x18C, 0x00000002, 0x00000002, 0x00000002}, /* CHANERRPTR */
	};
	struct host *h = host_of(0x6F50, 3);

	(void)state;
	check_every_bit(h, fields, sizeof(fields) / sizeof(fields[0]));
	host_free(h);
}

/* Every width and alignment */

/** Any piece of configuration space reads as its bytes do. */
static void
section_2_every_width_and_alignment_reads_the_same(void **state)
{
	struct host *h = host_of(0x6F50, 2);
	uint8_t all[4096], piece[16];
	uint32_t offset, len;

	(void)state;
	enable_msix(h, 0x1000);
	enable_msi(h);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, all, sizeof(all)), 0);
	for (offset = 0; offset < sizeof(all); offset++) {
		for (len = 1; len <= sizeof(piece) && offset + len <= sizeof(all); len++) {
			assert_int_equal(udma_emu_cfg_read(h->emu, offset, piece, len), 0);
			assert_memory_equal(piece, all + offset, len);
		}
	}
	host_free(h);
}

/** A value written in pieces, at whatever offsets they begin, is the value. */
static void
section_2_every_width_and_alignment_writes_the_same(void **state)
{
	/* 12 bytes of MSI: from its control word to the middle of its address. */
	static const uint8_t value[12] = {0x81, 0x00, 0x54, 0x32, 0x10, 0xFE,
					  0xDC, 0xBA, 0x98, 0x76, 0x5A, 0xA5};
	uint8_t seen[sizeof(value)];
	uint32_t width, at, len;

	(void)state;
	for (width = 1; width <= sizeof(value); width++) {
		struct host *h = host_of(0x2021, 0);

		for (at = 0; at < sizeof(value); at += len) {
			len = at + width <= sizeof(value) ? width : (uint32_t)sizeof(value) - at;
			assert_int_equal(udma_emu_cfg_write(h->emu, 0xD2 + at, value + at, len), 0);
		}
		assert_int_equal(udma_emu_cfg_read(h->emu, 0xD2, seen, sizeof(seen)), 0);
		assert_memory_equal(seen, value, sizeof(value));
		/* Its neighbours are what they were. */
		assert_int_equal(cfg(h, 0xD0, 2), 0xE005);
		assert_int_equal(cfg(h, 0xDE, 2), 0);
		host_free(h);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_2_every_bit),
		cmocka_unit_test(section_2_every_bit_with_all_capabilities),
		cmocka_unit_test(section_2_every_width_and_alignment_reads_the_same),
		cmocka_unit_test(section_2_every_width_and_alignment_writes_the_same),
	};

	return cmocka_run_group_tests_name("section_2_every_bit", tests, NULL, NULL);
}
