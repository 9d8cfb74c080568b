/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 10: interrupts by MSI-X and MSI. Each is a write to memory, with an address and data.
 */

#include "host.h"

/* The entry of vector 0 (16 bytes), and the pending bits. */
#define TABLE          0x2000
#define TABLE_DATA     0x2008
#define TABLE_CONTROL  0x200C
#define PBA            0x3000
#define MSIX_CONTROL   0x82
#define MSIX_ENABLE    0x8000
#define MSIX_FUNC_MASK 0x4000

static struct host *
host_with(uint32_t kinds)
{
	struct udma_emu_config config = {.device_id = 0x2021, .interrupts = kinds};
	struct host *h = host_new(&config);

	wr(h, INTRCTRL, 1, 0x09);
	wr(h, CHANCTRL, 2, 0x001C);
	wr(h, CHANCMP, 8, WORD);
	return h;
}

static int
setup_msix(void **state)
{
	*state = host_with(UDMA_EMU_MSIX);
	enable_msix(*state, TABLE);
	return 0;
}

static int
setup_msi(void **state)
{
	*state = host_with(UDMA_EMU_MSI);
	enable_msi(*state);
	return 0;
}

static void
assert_msix_message(struct host *h, unsigned *count)
{
	assert_interrupt(h, count, UDMA_EMU_MSIX, true);
	assert_int_equal(h->last.vector, 0);
	assert_int_equal(h->last.address, MSIX_ADDRESS);
	assert_int_equal(h->last.data, MSIX_DATA);
}

static void
assert_msi_message(struct host *h, unsigned *count)
{
	assert_interrupt(h, count, UDMA_EMU_MSI, true);
	assert_int_equal(h->last.vector, 0);
	assert_int_equal(h->last.address, MSI_ADDRESS);
	assert_int_equal(h->last.data, MSI_DATA);
}

/* MSI-X */

static void
section_10_msix_sends_what_the_table_says(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_msix_message(h, &count);
	wr(h, TABLE, 8, 0xFFFFFFFFFFFFFFFC);
	wr(h, TABLE_DATA, 4, 0x89ABCDEF);
	rearm(h);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(h->last.address, 0xFFFFFFFFFFFFFFFC);
	assert_int_equal(h->last.data, 0x89ABCDEF);
}

static void
section_3_msix_table_bits(void **state)
{
	struct host *h = *state;

	cfg_wr(h, 0x98, 2, 0x8000);
	assert_int_equal(rd(h, TABLE, 8), 0);
	assert_int_equal(rd(h, TABLE_DATA, 4), 0);
	assert_int_equal(rd(h, TABLE_CONTROL, 4), 1); /* masked */
	/* As dwords, which is how it is meant to be written. */
	wr(h, TABLE, 4, 0xFFFFFFFF);
	wr(h, TABLE + 4, 4, 0x01234567);
	wr(h, TABLE_DATA, 4, 0x89ABCDEF);
	wr(h, TABLE_CONTROL, 4, 0xFFFFFFFE);
	assert_int_equal(rd(h, TABLE, 8), 0x01234567FFFFFFFC);
	assert_int_equal(rd(h, TABLE_DATA, 8), 0x89ABCDEF);
	/* And in bytes. */
	wr(h, TABLE + 1, 1, 0x55);
	wr(h, TABLE_DATA + 3, 1, 0x77);
	wr(h, TABLE_CONTROL, 1, 0xFF);
	wr(h, TABLE_CONTROL + 1, 1, 0xFF);
	assert_int_equal(rd(h, TABLE, 4), 0xFFFF55FC);
	assert_int_equal(rd(h, TABLE_DATA, 4), 0x77ABCDEF);
	assert_int_equal(rd(h, TABLE_CONTROL, 4), 1);
}

static void
section_3_msix_pba_is_read_only(void **state)
{
	struct host *h = *state;

	wr(h, PBA, 8, 0xFFFFFFFFFFFFFFFF);
	assert_int_equal(rd(h, PBA, 8), 0);
	assert_int_equal(h->interrupts, 0);
	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	wr(h, PBA, 8, 0);
	wr(h, PBA, 1, 0);
	assert_int_equal(rd(h, PBA, 8), 1);
	assert_int_equal(rd(h, PBA, 1), 1);
	assert_int_equal(rd(h, PBA + 4, 4), 0);
}

/** A masked vector's message waits in the PBA, and goes when the mask does. */
static void
section_10_msix_vector_mask(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, PBA, 8), 1);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_msix_message(h, &count);
	assert_int_equal(rd(h, PBA, 8), 0);
}

static void
section_10_msix_function_mask(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_FUNC_MASK);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, PBA, 8), 1);
	cfg_wr(h, MSIX_CONTROL, 2, MSIX_ENABLE);
	assert_msix_message(h, &count);
	assert_int_equal(rd(h, PBA, 8), 0);
}

static void
section_10_msix_both_masks(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_FUNC_MASK);
	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_int_equal(h->interrupts, 0);
	wr(h, TABLE_CONTROL, 4, 1);
	cfg_wr(h, MSIX_CONTROL, 2, MSIX_ENABLE);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, PBA, 8), 1);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_msix_message(h, &count);
}

/** However many there were behind the mask, it is one message; what it says is looked up then. */
static void
section_10_msix_mask_keeps_one_message(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	rearm(h);
	cause(h);
	rearm(h);
	wr(h, TABLE_DATA, 4, 0x1234);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(h->last.data, 0x1234);
	rearm(h);
	assert_int_equal(h->interrupts, count);
}

/** In the PBA it has been sent, as far as the channel goes: it needs a re-arm. */
static void
section_10_msix_mask_and_rearm(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1D);
	cause(h);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_msix_message(h, &count);
	rearm(h);
	assert_msix_message(h, &count);
}

static void
section_10_msix_masked_and_cleared_by_flr(void **state)
{
	struct host *h = *state;

	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_int_equal(rd(h, PBA, 8), 0);
	cfg_wr(h, 0x04, 2, 0x0006);
	enable_msix(h, TABLE);
	wr(h, INTRCTRL, 1, 0x09);
	assert_int_equal(h->interrupts, 0);
}

/** Under MSI-X the status bits mean nothing (section 3): here they keep still. */
static void
section_16_9_msix_leaves_the_status_bits(void **state)
{
	struct host *h = *state;

	cause(h);
	assert_int_equal(h->interrupts, 1);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x09);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
}

/** Before MSI-X is enabled it is no way; the cause waits, and is not lost. */
static void
section_10_msix_enabled_late(void **state)
{
	struct host *h = host_with(UDMA_EMU_MSIX);
	unsigned count = 0;

	(void)state;
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, PBA, 8), 0);
	enable_msix(h, TABLE);
	assert_msix_message(h, &count);
	host_free(h);
}

static void
section_10_msix_goes_before_msi(void **state)
{
	struct host *h = host_with(UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX);
	unsigned count = 0;

	(void)state;
	enable_msi(h);
	enable_msix(h, TABLE);
	cause(h);
	assert_msix_message(h, &count);
	rearm(h);
	cfg_wr(h, MSIX_CONTROL, 2, 0);
	cause(h);
	assert_msi_message(h, &count);
	host_free(h);
}

/* MSI */

static void
section_10_msi_sends_what_configuration_space_says(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_msi_message(h, &count);
	cfg_wr(h, 0xD4, 4, 0xFFFFFFFC);
	cfg_wr(h, 0xD8, 4, 0);
	cfg_wr(h, 0xDC, 2, 0xFFFF);
	rearm(h);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(h->last.address, 0x00000000FFFFFFFC);
	assert_int_equal(h->last.data, 0xFFFF);
}

static void
section_10_msi_enable(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, 0xD2, 2, 0);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, CHANCTRL, 1), 0x1C);
	cfg_wr(h, 0xD2, 2, 1);
	assert_msi_message(h, &count);
}

/** INTRCTRL bits 1 and 2 and ATTNSTATUS bit 0 show it; reading ATTNSTATUS clears them. */
static void
section_16_9_msi_shows_in_the_status_bits(void **state)
{
	struct host *h = *state;

	cause(h);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x0F);
	/* Reading INTRCTRL, or bytes of ATTNSTATUS that do not hold the bit, changes nothing. */
	assert_int_equal(rd(h, INTRCTRL, 1), 0x0F);
	assert_int_equal(rd(h, ATTNSTATUS + 1, 1), 0);
	assert_int_equal(rd(h, ATTNSTATUS + 2, 2), 0);
	wr(h, ATTNSTATUS, 4, 0xFFFFFFFF);
	wr(h, INTRCTRL, 1, 0x0F);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x0F);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 1);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x09);
	assert_int_equal(h->interrupts, 1);
}

/** Bit 2 is bit 1 and MASTER_INT_EN (section 3). */
static void
section_3_intrctrl_int_is_status_and_enable(void **state)
{
	struct host *h = *state;

	cause(h);
	wr(h, INTRCTRL, 1, 0x00);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x02);
	wr(h, INTRCTRL, 1, 0x01);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x07);
}

static void
section_16_9_status_is_cleared_by_rearm_and_reset(void **state)
{
	struct host *h = *state;

	cause(h);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x0F);
	rearm(h);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x09);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	cause(h);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x0F);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x09);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	/* A re-arm that sends the next one shows that one. */
	cause(h);
	cause(h);
	rearm(h);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 1);
}

/** What has not been sent does not show yet. */
static void
section_16_9_status_shows_what_was_sent(void **state)
{
	struct host *h = *state;

	wr(h, INTRCTRL, 1, 0x00);
	cause(h);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x00);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	wr(h, INTRCTRL, 1, 0x01);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x07);
}

/* Bus mastering and D3hot: a message is a write to memory. */

static void
check_messages_wait(struct host *h, void (*assert_message)(struct host *h, unsigned *count))
{
	unsigned count = 0;

	/* One that is latched, since nothing completes without bus mastering. */
	cause(h);
	assert_message(h, &count);
	cause(h);
	cfg_wr(h, 0x04, 2, 0x0002);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	cfg_wr(h, 0x04, 2, 0x0006);
	assert_message(h, &count);
	cause(h);
	cfg_wr(h, 0xE4, 2, 0x0003);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	cfg_wr(h, 0xE4, 2, 0x0000);
	assert_message(h, &count);
}

static void
section_10_msix_waits_for_bus_mastering_and_d0(void **state)
{
	check_messages_wait(*state, assert_msix_message);
}

static void
section_10_msi_waits_for_bus_mastering_and_d0(void **state)
{
	check_messages_wait(*state, assert_msi_message);
}

static void
section_10_msix_pending_waits_for_bus_mastering(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	wr(h, TABLE_CONTROL, 4, 1);
	cause(h);
	cfg_wr(h, 0x04, 2, 0x0002);
	wr(h, TABLE_CONTROL, 4, 0);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(rd(h, PBA, 8), 1);
	cfg_wr(h, 0x04, 2, 0x0006);
	assert_msix_message(h, &count);
	assert_int_equal(rd(h, PBA, 8), 0);
}

/** The bit that switches the pin off (PCICMD bit 10) is none of a message's business. */
static void
section_10_messages_ignore_intx_disable(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, 0x04, 2, 0x0406);
	cause(h);
	assert_msi_message(h, &count);
}

static void
section_2_2_flr_forgets_what_waits(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_msi_message(h, &count);
	cause(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	cfg_wr(h, 0x04, 2, 0x0006);
	enable_msi(h);
	wr(h, INTRCTRL, 1, 0x01);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
}

/** And so does the call with which a host resets the device. */
static void
section_15_1_device_reset_forgets_what_waits(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_msi_message(h, &count);
	cause(h);
	udma_emu_reset(h->emu);
	assert_int_equal(cfg(h, 0xD2, 2), 0x0080);
	cfg_wr(h, 0x04, 2, 0x0006);
	enable_msi(h);
	wr(h, INTRCTRL, 1, 0x01);
	rearm(h);
	assert_int_equal(h->interrupts, count);
}

#define X(name) cmocka_unit_test_setup_teardown(name, setup_msix, host_teardown)
#define M(name) cmocka_unit_test_setup_teardown(name, setup_msi, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		X(section_10_msix_sends_what_the_table_says),
		X(section_3_msix_table_bits),
		X(section_3_msix_pba_is_read_only),
		X(section_10_msix_vector_mask),
		X(section_10_msix_function_mask),
		X(section_10_msix_both_masks),
		X(section_10_msix_mask_keeps_one_message),
		X(section_10_msix_mask_and_rearm),
		X(section_10_msix_masked_and_cleared_by_flr),
		X(section_16_9_msix_leaves_the_status_bits),
		cmocka_unit_test(section_10_msix_enabled_late),
		cmocka_unit_test(section_10_msix_goes_before_msi),
		M(section_10_msi_sends_what_configuration_space_says),
		M(section_10_msi_enable),
		M(section_16_9_msi_shows_in_the_status_bits),
		M(section_3_intrctrl_int_is_status_and_enable),
		M(section_16_9_status_is_cleared_by_rearm_and_reset),
		M(section_16_9_status_shows_what_was_sent),
		X(section_10_msix_waits_for_bus_mastering_and_d0),
		M(section_10_msi_waits_for_bus_mastering_and_d0),
		X(section_10_msix_pending_waits_for_bus_mastering),
		M(section_10_messages_ignore_intx_disable),
		M(section_2_2_flr_forgets_what_waits),
		M(section_15_1_device_reset_forgets_what_waits),
	};

	return cmocka_run_group_tests_name("section_10_messages", tests, NULL, NULL);
}
