/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 10: what interrupts, what holds an interrupt back, and the order of it all. Each of the
 * three ways to interrupt has more in section_10_messages.c and section_10_intx.c.
 */

#include "host.h"

static const enum udma_emu_interrupt_kind g_kinds[] = {UDMA_EMU_MSIX, UDMA_EMU_MSI, UDMA_EMU_INTX};

/** A function that offers one way and has it enabled, with MASTER_INT_EN. */
static struct host *
host_by(enum udma_emu_interrupt_kind kind)
{
	struct udma_emu_config config = {.device_id = 0x2021, .interrupts = kind};
	struct host *h = host_new(&config);

	if (kind == UDMA_EMU_MSIX) {
		enable_msix(h, 0x2000);
	} else if (kind == UDMA_EMU_MSI) {
		enable_msi(h);
	}
	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001C);
	wr(h, CHANCMP, 8, WORD);
	return h;
}

static int
setup(void **state)
{
	*state = host_by(UDMA_EMU_MSI);
	return 0;
}

static void
run_null(struct host *h, uint32_t control)
{
	put_null(h, RING, control, RING);
	run_alone(h, RING);
}

/** Runs a copy of no bytes, which is an error of the transfer size (bit 11), and clears it. */
static void
run_bad(struct host *h, uint32_t control)
{
	put_copy(h, RING, control, SRC, DST, 0, RING);
	run_alone(h, RING);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
	wr(h, CHANERR, 4, 0x800);
}

/* Causes */

static void
section_10_int_en_interrupts_by_each_way(void **state)
{
	unsigned i, count;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct host *h = host_by(g_kinds[i]);

		count = 0;
		cause(h);
		assert_interrupt(h, &count, g_kinds[i], true);
		host_free(h);
	}
}

static void
section_10_without_int_en_there_is_none(void **state)
{
	struct host *h = *state;

	run_null(h, COMPL_UPDATE | FENCE);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, CHANCTRL, 2) & 1, 0);
}

/** Of each operation, not of null descriptors only. */
static void
section_10_int_en_of_a_copy_and_a_fill(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	put_copy(h, RING, INT_EN, SRC, DST, 100, RING);
	run_alone(h, RING);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	rearm(h);
	put_copy(h, RING, INT_EN | OP(0x01), 0x55, DST, 100, RING);
	run_alone(h, RING);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

static void
section_10_err_int_en_interrupts_by_each_way(void **state)
{
	unsigned i, count;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct host *h = host_by(g_kinds[i]);

		count = 0;
		run_bad(h, 0);
		assert_interrupt(h, &count, g_kinds[i], true);
		host_free(h);
	}
}

static void
section_10_without_err_int_en_there_is_none(void **state)
{
	struct host *h = *state;

	wr(h, CHANCTRL, 2, 0x000C);
	run_bad(h, INT_EN); /* it has not completed */
	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(h->interrupts, 0);
}

static void
section_10_err_int_en_of_a_command_error(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, CHANCMD, 1, 0x03);
	assert_int_equal(rd(h, CHANERR, 4), 0x20);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** Also if the channel goes on, for want of ANY_ERR_ABORT_EN. */
static void
section_10_err_int_en_of_an_error_that_does_not_halt(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, CHANCTRL, 2, 0x0014);
	run_bad(h, INT_EN);
	assert_int_equal(rd(h, CHANSTS, 8), IDLE);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** A mask of the error's bit (section 4) keeps it from interrupting, and from nothing else. */
static void
section_10_chanerrmsk_holds_back_an_error_that_does_not_halt(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, CHANCTRL, 2, 0x0014);
	wr(h, CHANERRMSK, 4, 0x00000800);
	run_bad(h, 0);
	assert_int_equal(cfg(h, 0x180, 4), 0x800);
	assert_int_equal(h->interrupts, 0);
	/* Not later either, and no other error. */
	wr(h, CHANERRMSK, 4, 0xFFFFF7FF);
	assert_int_equal(h->interrupts, 0);
	run_bad(h, 0);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/**
 * One that halts the channel is told: where DWBES is offered Linux masks bits 16 and 17 (section
 * 13), yet its self-test needs the interrupt of a validation that fails (14.1, row 12).
 */
static void
section_10_chanerrmsk_does_not_hide_a_halt(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, CHANERRMSK, 4, 0xFFFFFFFF);
	run_bad(h, 0);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(get64(h, WORD), HALTED);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

static void
section_10_chanerrmsk_does_not_mask_completions(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, CHANERRMSK, 4, 0xFFFFFFFF);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

static void
section_10_chanerrmsk_int_only_keeps_what_is_written(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, 0x184, 4, 0xFFFFFFFF);
	cfg_wr(h, 0x188, 4, 0);
	run_bad(h, 0);
	assert_int_equal(cfg(h, 0x180, 4), 0x800);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/* MASTER_INT_EN */

static void
section_10_master_int_en_blocks_each_way_and_loses_nothing(void **state)
{
	unsigned i, count;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct host *h = host_by(g_kinds[i]);

		count = 0;
		wr(h, INTRCTRL, 1, 0x08);
		cause(h);
		run_bad(h, 0);
		assert_int_equal(h->interrupts, 0);
		assert_int_equal(rd(h, CHANCTRL, 2) & 1, 0);
		wr(h, INTRCTRL, 1, 0x09);
		assert_interrupt(h, &count, g_kinds[i], true);
		host_free(h);
	}
}

/* Re-arm */

/** One interrupt, and then none until 1 is written to CHANCTRL bit 0. */
static void
section_10_one_interrupt_until_the_rearm(void **state)
{
	unsigned i, count;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct host *h = host_by(g_kinds[i]);

		count = 0;
		cause(h);
		assert_interrupt(h, &count, g_kinds[i], true);
		cause(h);
		cause(h);
		run_bad(h, 0);
		assert_int_equal(h->interrupts, count);
		host_free(h);
	}
}

/** What came in between is delivered at the re-arm, as one. */
static void
section_10_latched_and_delivered_at_the_rearm(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	cause(h);
	cause(h);
	rearm(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	rearm(h);
	rearm(h);
	assert_int_equal(h->interrupts, count);
}

static void
section_10_rearm_with_nothing_to_tell(void **state)
{
	struct host *h = *state;

	rearm(h);
	run_null(h, 0);
	rearm(h);
	assert_int_equal(h->interrupts, 0);
}

/** Only a 1 in bit 0 re-arms: by Linux, FreeBSD, or a byte; not what SPDK and DPDK write. */
static void
section_10_what_rearms_and_what_does_not(void **state)
{
	static const struct {
		uint32_t offset;
		unsigned width;
		uint16_t value;
		bool rearms;
	} writes[] = {
		{CHANCTRL, 2, 0x0000, false},   {CHANCTRL, 2, 0x0008, false},
		{CHANCTRL, 2, 0x000C, false},   {CHANCTRL, 2, 0xFFFE, false},
		{CHANCTRL + 1, 1, 0x01, false}, /* bit 8 */
		{CHANCTRL, 2, 0x001D, true},    {CHANCTRL, 2, 0x0009, true},
		{CHANCTRL, 2, 0x0001, true},    {CHANCTRL, 1, 0x01, true},
		{CHANCTRL, 8, 0x001D, true}, /* with CHANCMD 0 and DMACOUNT 0 */
	};
	unsigned i, count;

	(void)state;
	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		struct host *h = host_by(UDMA_EMU_MSI);

		count = 0;
		cause(h);
		assert_interrupt(h, &count, UDMA_EMU_MSI, true);
		cause(h);
		wr(h, writes[i].offset, writes[i].width, writes[i].value);
		assert_int_equal(h->interrupts, writes[i].rearms ? count + 1 : count);
		host_free(h);
	}
}

/** Point 8: bit 0 reads 1 from the interrupt on, until it is written. */
static void
section_16_8_chanctrl_bit_0_reads_1_once_sent(void **state)
{
	struct host *h = *state;

	assert_int_equal(rd(h, CHANCTRL, 1), 0x1C);
	cause(h);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1D);
	wr(h, CHANCTRL, 1, 0x0C);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x0D);
	wr(h, CHANCTRL, 1, 0x1D);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1C);
	/* A re-arm that delivers at once leaves it set. */
	cause(h);
	cause(h);
	wr(h, CHANCTRL, 1, 0x1D);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1D);
}

/** RESET forgets what waits, and re-arms: Linux starts again without writing CHANCTRL. */
static void
section_16_8_reset_forgets_and_rearms(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	cause(h);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1C);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/** Neither SUSPEND nor a halt nor a new chain takes back what waits. */
static void
section_10_latched_through_other_states(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	cause(h);
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, CHAINADDR, 8, RING);
	wr(h, CHANCMD, 1, ABORT);
	rearm(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
}

/* Order (section 9): data, the word, CHANSTS, the interrupt. */

static uint64_t g_word;
static uint8_t g_last_byte;

/** Memory as whoever is interrupted finds it. */
static void
look_at_memory(struct host *h)
{
	g_word = get64(h, WORD);
	get(h, DST + 2999, &g_last_byte, 1);
}

static void
section_9_word_and_data_are_there_when_it_interrupts(void **state)
{
	struct host *h = *state;
	uint8_t expected;

	scribble(h, SRC, 3000, 7);
	get(h, SRC + 2999, &expected, 1);
	assert_int_not_equal(expected, 0);
	h->on_interrupt = look_at_memory;
	put_copy(h, RING, INT_EN | COMPL_UPDATE, SRC, DST, 3000, RING);
	run_alone(h, RING);
	assert_int_equal(h->interrupts, 1);
	assert_int_equal(g_word, RING);
	assert_int_equal(g_last_byte, expected);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

static void
section_9_error_word_is_there_when_it_interrupts(void **state)
{
	struct host *h = *state;

	h->on_interrupt = look_at_memory;
	put_null(h, RING, 0, RING + 64);
	put_copy(h, RING + 64, 0, SRC, DST, 0, RING);
	wr(h, CHAINADDR, 8, RING);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_int_equal(h->interrupts, 1);
	assert_int_equal(g_word, RING | HALTED);
	assert_halted(h, 11, RING);
}

/** Each step's interrupt comes out of that step, with CHANSTS at that descriptor behind it. */
static void
section_9_status_is_there_behind_each_interrupt(void **state)
{
	struct host *h = *state;
	unsigned i, count = 0;

	for (i = 0; i < 4; i++) {
		put_null(h, RING + 64 * i, INT_EN, RING + 64 * (i + 1));
	}
	wr(h, CHAINADDR, 8, RING);
	wr(h, DMACOUNT, 2, 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(udma_emu_step(h->emu), i < 3);
		assert_interrupt(h, &count, UDMA_EMU_MSI, true);
		assert_int_equal(rd(h, CHANSTS, 8), (RING + 64 * i) | (i < 3 ? ACTIVE : IDLE));
		rearm(h);
	}
}

/** A function without any way keeps quiet, and shows nothing of it. */
static void
section_10_no_way_to_interrupt(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021};
	struct host *h = host_new(&config);

	(void)state;
	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001D);
	wr(h, CHANCMP, 8, WORD);
	cause(h);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1C);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	assert_int_equal(rd(h, 0x04, 4), 0);
	assert_int_equal(cfg(h, 0x06, 2), 0x0010);
	assert_int_equal(udma_emu_interrupt_due(h->emu), UINT32_MAX);
	assert_int_equal(h->interrupts, 0);
	host_free(h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section_10_int_en_interrupts_by_each_way),
		T(section_10_without_int_en_there_is_none),
		T(section_10_int_en_of_a_copy_and_a_fill),
		cmocka_unit_test(section_10_err_int_en_interrupts_by_each_way),
		T(section_10_without_err_int_en_there_is_none),
		T(section_10_err_int_en_of_a_command_error),
		T(section_10_err_int_en_of_an_error_that_does_not_halt),
		T(section_10_chanerrmsk_holds_back_an_error_that_does_not_halt),
		T(section_10_chanerrmsk_does_not_hide_a_halt),
		T(section_10_chanerrmsk_does_not_mask_completions),
		T(section_10_chanerrmsk_int_only_keeps_what_is_written),
		cmocka_unit_test(section_10_master_int_en_blocks_each_way_and_loses_nothing),
		cmocka_unit_test(section_10_one_interrupt_until_the_rearm),
		T(section_10_latched_and_delivered_at_the_rearm),
		T(section_10_rearm_with_nothing_to_tell),
		cmocka_unit_test(section_10_what_rearms_and_what_does_not),
		T(section_16_8_chanctrl_bit_0_reads_1_once_sent),
		T(section_16_8_reset_forgets_and_rearms),
		T(section_10_latched_through_other_states),
		T(section_9_word_and_data_are_there_when_it_interrupts),
		T(section_9_error_word_is_there_when_it_interrupts),
		T(section_9_status_is_there_behind_each_interrupt),
		cmocka_unit_test(section_10_no_way_to_interrupt),
	};

	return cmocka_run_group_tests_name("section_10_interrupts", tests, NULL, NULL);
}
