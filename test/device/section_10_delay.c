/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 10: INTRDELAY. Time passes only when the host says so.
 */

#include "host.h"

#define NEVER UINT32_MAX

static int
setup(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021, .interrupts = UDMA_EMU_MSI};
	struct host *h = host_new(&config);

	enable_msi(h);
	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001C);
	wr(h, CHANCMP, 8, WORD);
	*state = h;
	return 0;
}

static void
section_10_delay_holds_an_interrupt_back(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, INTRDELAY, 2, 100);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 100);
	udma_emu_elapse(h->emu, 99);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 1);
	udma_emu_elapse(h->emu, 1);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER);
}

/** The word and CHANSTS are not delayed. */
static void
section_10_delay_is_of_the_interrupt_alone(void **state)
{
	struct host *h = *state;

	wr(h, INTRDELAY, 2, 0x3FFF);
	put_null(h, RING, INT_EN | COMPL_UPDATE, RING);
	run_alone(h, RING);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 0x3FFF);
}

static void
section_10_delay_0_is_none(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER);
	udma_emu_elapse(h->emu, 1000000);
	assert_int_equal(h->interrupts, count);
}

/** More time than was left is as good. */
static void
section_10_delay_is_over_after_more_time(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, INTRDELAY, 2, 100);
	cause(h);
	udma_emu_elapse(h->emu, UINT32_MAX);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	/* No time is left over for the next one. */
	rearm(h);
	cause(h);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 100);
	udma_emu_elapse(h->emu, 0);
	assert_int_equal(h->interrupts, count);
}

/** Causes that come meanwhile are in the same interrupt, and do not put it off. */
static void
section_10_delay_coalesces(void **state)
{
	struct host *h = *state;
	unsigned count = 0, i;

	wr(h, INTRDELAY, 2, 50);
	for (i = 0; i < 5; i++) {
		cause(h);
		assert_int_equal(udma_emu_interrupt_due(h->emu), 50 - 10 * i);
		assert_int_equal(h->interrupts, 0);
		udma_emu_elapse(h->emu, 10);
	}
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** It counts from the cause, also while the channel is not armed. */
static void
section_10_delay_counts_while_not_armed(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	wr(h, INTRDELAY, 2, 50);
	cause(h);
	udma_emu_elapse(h->emu, 20);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 30);
	udma_emu_elapse(h->emu, 30);
	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER); /* it waits for the re-arm alone */
	assert_int_equal(h->interrupts, count);
	rearm(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	/* And the other way round. */
	cause(h);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	udma_emu_elapse(h->emu, 50);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

static void
section_10_delay_and_master_int_en(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, INTRCTRL, 1, 0);
	wr(h, INTRDELAY, 2, 50);
	cause(h);
	udma_emu_elapse(h->emu, 50);
	assert_int_equal(h->interrupts, 0);
	wr(h, INTRCTRL, 1, 1);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** Of errors too. */
static void
section_10_delay_of_an_error(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, INTRDELAY, 2, 50);
	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(h->interrupts, 0);
	udma_emu_elapse(h->emu, 50);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** A value that is written meanwhile is for the next one. */
static void
section_10_delay_written_while_it_runs(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, INTRDELAY, 2, 50);
	cause(h);
	wr(h, INTRDELAY, 2, 1000);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 50);
	wr(h, INTRDELAY, 2, 0);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 50);
	udma_emu_elapse(h->emu, 50);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

static void
section_10_delay_ends_with_reset(void **state)
{
	struct host *h = *state;

	wr(h, INTRDELAY, 2, 50);
	cause(h);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER);
	udma_emu_elapse(h->emu, 50);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, INTRDELAY, 2), 0x8032); /* one register for the function: kept */
	cause(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_int_equal(udma_emu_interrupt_due(h->emu), NEVER);
	assert_int_equal(rd(h, INTRDELAY, 2), 0x8000);
	udma_emu_elapse(h->emu, 50);
	assert_int_equal(h->interrupts, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_10_delay_holds_an_interrupt_back),
		T(section_10_delay_is_of_the_interrupt_alone),
		T(section_10_delay_0_is_none),
		T(section_10_delay_is_over_after_more_time),
		T(section_10_delay_coalesces),
		T(section_10_delay_counts_while_not_armed),
		T(section_10_delay_and_master_int_en),
		T(section_10_delay_of_an_error),
		T(section_10_delay_written_while_it_runs),
		T(section_10_delay_ends_with_reset),
	};

	return cmocka_run_group_tests_name("section_10_delay", tests, NULL, NULL);
}
