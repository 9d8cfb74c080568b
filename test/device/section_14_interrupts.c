/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sections 10, 14.1 and 14.4: what Linux and FreeBSD do with interrupts, access by access.
 */

#include "drivers.h"

#define SLOT(n) (RING + 64 * (n))

static struct host *
host_of(uint32_t kinds)
{
	struct udma_emu_config config = {.device_id = 0x2021, .interrupts = kinds};

	return host_new(&config);
}

/** As a kernel's PCI code does it: everything masked, the entry, then one mask after the other. */
static void
pci_enable_msix(struct host *h)
{
	cfg_wr(h, 0x82, 2, 0xC000);
	wr(h, 0x200C, 4, 1);
	wr(h, 0x2000, 4, (uint32_t)MSIX_ADDRESS);
	wr(h, 0x2004, 4, MSIX_ADDRESS >> 32);
	wr(h, 0x2008, 4, MSIX_DATA);
	cfg_wr(h, 0x82, 2, 0x8000);
	wr(h, 0x200C, 4, 0);
	cfg_wr(h, 0x04, 2, 0x0406); /* and the pin off */
}

/** Announces one copy more and lets it run. */
static void
linux_copy(struct host *h, unsigned slot)
{
	scribble(h, SRC, 2000, slot);
	put_copy(h, SLOT(slot), LINUX_CONTROL, SRC, DST, 2000, SLOT(slot + 1));
	wr(h, DMACOUNT, 2, slot + 1);
	let_run(h);
}

/** The cleanup that an interrupt brings about: it looks at memory only, then re-arms. */
static void
linux_cleanup(struct host *h, unsigned slot)
{
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(slot));
	assert_same(h, SRC, DST, 2000);
	rearm(h);
}

/* Linux */

/** Self-test by MSI-X: the handler reads no register. */
static void
section_14_1_linux_msix(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX);
	unsigned count = 0, i;

	(void)state;
	linux_probe(h, 0x00);
	pci_enable_msix(h);
	wr(h, INTRCTRL, 1, 0x09);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	rearm(h);
	for (i = 1; i < 5; i++) {
		linux_copy(h, i);
		assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
		assert_int_equal(h->last.address, MSIX_ADDRESS);
		linux_cleanup(h, i);
	}
	reset_sequence(h, true);
	assert_int_equal(h->interrupts, count);
	/* Row 7 again, when a client takes the channel. */
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	host_free(h);
}

/** The handler that MSI and INTx share (section 10). \return whether the interrupt was its own. */
static bool
linux_handler(struct host *h)
{
	uint8_t intrctrl = rd(h, INTRCTRL, 1);
	uint32_t attnstatus;

	if (!(intrctrl & 0x01)) {
		return false;
	}
	if (!(intrctrl & 0x02)) {
		wr(h, INTRCTRL, 1, intrctrl);
		return false;
	}
	attnstatus = rd(h, ATTNSTATUS, 4);
	assert_int_equal(attnstatus, 1); /* channel 0, and no other */
	wr(h, INTRCTRL, 1, intrctrl);
	return true;
}

static void
section_14_1_linux_msi(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSI | UDMA_EMU_INTX);
	unsigned count = 0, i;

	(void)state;
	linux_probe(h, 0x00);
	enable_msi(h);
	wr(h, INTRCTRL, 1, 0x01);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_true(linux_handler(h));
	rearm(h);
	for (i = 1; i < 5; i++) {
		linux_copy(h, i);
		assert_interrupt(h, &count, UDMA_EMU_MSI, true);
		assert_true(linux_handler(h));
		linux_cleanup(h, i);
		assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	}
	host_free(h);
}

/** The line is up until the handler has read ATTNSTATUS, so that it is not called again. */
static void
section_14_1_linux_intx(void **state)
{
	struct host *h = host_of(UDMA_EMU_INTX);
	unsigned count = 0, i;

	(void)state;
	linux_probe(h, 0x01);
	linux_start(h);
	for (i = 0; i < 5; i++) {
		if (i > 0) {
			linux_copy(h, i);
		}
		assert_interrupt(h, &count, UDMA_EMU_INTX, true);
		assert_true(linux_handler(h));
		assert_interrupt(h, &count, UDMA_EMU_INTX, false);
		rearm(h);
		assert_int_equal(h->interrupts, count);
	}
	host_free(h);
}

/** On a shared line another device's interrupt is not taken for one's own. */
static void
section_14_1_linux_intx_of_another_device(void **state)
{
	struct host *h = host_of(UDMA_EMU_INTX);
	unsigned count = 0;

	(void)state;
	linux_probe(h, 0x00);
	assert_false(linux_handler(h));
	wr(h, INTRCTRL, 1, 0x01);
	assert_false(linux_handler(h));
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_INTX, true);
	assert_true(linux_handler(h));
	assert_false(linux_handler(h));
	assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	host_free(h);
}

/** What completes between the cleanup and the re-arm is told at the re-arm (section 10). */
static void
section_14_1_linux_completion_behind_the_cleanup(void **state)
{
	static const uint32_t kinds[] = {UDMA_EMU_MSIX, UDMA_EMU_MSI};
	unsigned i, count;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct host *h = host_of(kinds[i]);

		count = 0;
		linux_probe(h, 0x09);
		if (kinds[i] == UDMA_EMU_MSIX) {
			pci_enable_msix(h);
		} else {
			enable_msi(h);
		}
		linux_start(h);
		assert_interrupt(h, &count, kinds[i], true);
		assert_int_equal(get64(h, WORD) & ~7ull, SLOT(0)); /* the cleanup */
		linux_copy(h, 1);
		assert_int_equal(h->interrupts, count);
		rearm(h);
		assert_interrupt(h, &count, kinds[i], true);
		linux_cleanup(h, 1);
		assert_int_equal(h->interrupts, count);
		host_free(h);
	}
}

/** Section 12.3: the interrupt of a halt, the recovery, and interrupts as before. */
static void
section_14_1_linux_error_interrupt(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX);
	unsigned count = 0;

	(void)state;
	linux_probe(h, 0x09);
	pci_enable_msix(h);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	rearm(h);
	put_copy(h, SLOT(1), LINUX_CONTROL, 0, DST, 100, SLOT(2));
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD), SLOT(0) | HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0x100);
	/* Bit 8: everything is aborted, with a full reset; a null descriptor starts anew. */
	put64(h, WORD, SLOT(2));
	reset_sequence(h, true);
	wr_halves(h, CHANCMP, WORD);
	put_null(h, SLOT(2), LINUX_CONTROL, SLOT(3));
	wr_halves(h, CHAINADDR, SLOT(2));
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	/* RESET has re-armed: CHANCTRL is written only behind the next interrupt. */
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(2));
	rearm(h);
	assert_int_equal(h->interrupts, count);
	host_free(h);
}

/** Coalescing from sysfs: microseconds for each active descriptor. */
static void
section_14_1_linux_coalescing(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX);
	unsigned count = 0, i;

	(void)state;
	linux_probe(h, 0x09);
	pci_enable_msix(h);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	wr(h, INTRDELAY, 2, 4 * 25);
	rearm(h);
	for (i = 1; i < 5; i++) {
		linux_copy(h, i);
	}
	assert_int_equal(h->interrupts, count);
	udma_emu_elapse(h->emu, udma_emu_interrupt_due(h->emu));
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	linux_cleanup(h, 4);
	assert_int_equal(h->interrupts, count);
	host_free(h);
}

/** Section 12.4. */
static void
section_14_1_linux_shutdown_is_silent(void **state)
{
	struct host *h = host_of(UDMA_EMU_INTX);
	unsigned count = 0;

	(void)state;
	linux_probe(h, 0x01);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_INTX, true);
	reset_sequence(h, true);
	assert_interrupt(h, &count, UDMA_EMU_INTX, false);
	wr(h, INTRCTRL, 1, 0x00);
	assert_int_equal(h->interrupts, count);
	host_free(h);
}

/* FreeBSD: its handler reads no register of interrupts, and re-arms with 0009h. */

static void
freebsd_pass(struct host *h, unsigned slot)
{
	assert_int_equal(get64(h, WORD) & ~0x3Full, SLOT(slot));
	wr(h, CHANCTRL, 2, 0x0009);
	assert_true((rd(h, CHANSTS, 8) & 7) < SUSPENDED);
}

static void
freebsd_copy(struct host *h, unsigned slot)
{
	put_copy(h, SLOT(slot), COMPL_UPDATE | INT_EN, SRC, DST, 100, SLOT(slot + 1));
	wr(h, DMACOUNT, 2, slot + 1);
	let_run(h);
}

static void
section_14_4_freebsd_msix(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX | UDMA_EMU_INTX);
	unsigned count = 0, i;

	(void)state;
	pci_enable_msix(h);
	wr(h, INTRCTRL, 1, 0x01);
	freebsd_reset(h);
	assert_int_equal(h->interrupts, 0); /* its null descriptor has no INT_EN */
	for (i = 1; i < 5; i++) {
		freebsd_copy(h, i);
		assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
		freebsd_pass(h, i);
		assert_int_equal(h->interrupts, count);
	}
	host_free(h);
}

/** By the pin the level falls with the re-arm, and so before its handler is over. */
static void
section_14_4_freebsd_intx(void **state)
{
	struct host *h = host_of(UDMA_EMU_INTX);
	unsigned count = 0, i;

	(void)state;
	wr(h, INTRCTRL, 1, 0x01);
	freebsd_reset(h);
	for (i = 1; i < 5; i++) {
		freebsd_copy(h, i);
		assert_interrupt(h, &count, UDMA_EMU_INTX, true);
		freebsd_pass(h, i);
		assert_interrupt(h, &count, UDMA_EMU_INTX, false);
	}
	host_free(h);
}

/** It leaves ERR_INT_EN off: a halt it finds with its timer. */
static void
section_14_4_freebsd_halt_is_silent(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX);

	(void)state;
	pci_enable_msix(h);
	wr(h, INTRCTRL, 1, 0x01);
	freebsd_reset(h);
	put_copy(h, SLOT(1), COMPL_UPDATE | INT_EN, 0, DST, 100, SLOT(2));
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, HALTED);
	assert_int_equal(get64(h, WORD) & ~0x3Full, SLOT(0));
	assert_int_equal(h->interrupts, 0);
	host_free(h);
}

/** SPDK and DPDK poll: with nothing enabled nothing comes, whatever is offered. */
static void
section_14_2_pollers_are_not_interrupted(void **state)
{
	struct host *h = host_of(UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX);
	unsigned i;

	(void)state;
	reset_sequence(h, false);
	for (i = 0; i < 100; i++) {
		copy_succeeds(h, SRC, DST, 100);
	}
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x0C);
	host_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_14_1_linux_msix),
		cmocka_unit_test(section_14_1_linux_msi),
		cmocka_unit_test(section_14_1_linux_intx),
		cmocka_unit_test(section_14_1_linux_intx_of_another_device),
		cmocka_unit_test(section_14_1_linux_completion_behind_the_cleanup),
		cmocka_unit_test(section_14_1_linux_error_interrupt),
		cmocka_unit_test(section_14_1_linux_coalescing),
		cmocka_unit_test(section_14_1_linux_shutdown_is_silent),
		cmocka_unit_test(section_14_4_freebsd_msix),
		cmocka_unit_test(section_14_4_freebsd_intx),
		cmocka_unit_test(section_14_4_freebsd_halt_is_silent),
		cmocka_unit_test(section_14_2_pollers_are_not_interrupted),
	};

	return cmocka_run_group_tests_name("section_14_interrupts", tests, NULL, NULL);
}
