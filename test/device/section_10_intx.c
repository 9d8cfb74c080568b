/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 10: interrupts by the pin, which has a level. It is that of INTRCTRL bit 2.
 */

#include "host.h"

#define PCICMD 0x04
#define PCISTS 0x06

static int
setup(void **state)
{
	struct udma_emu_config config = {
		.device_id = 0x2021, .interrupts = UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX};
	struct host *h = host_new(&config);

	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001C);
	wr(h, CHANCMP, 8, WORD);
	*state = h;
	return 0;
}

static void
assert_rises(struct host *h, unsigned *count)
{
	assert_interrupt(h, count, UDMA_EMU_INTX, true);
	assert_int_equal(h->last.address, 0);
	assert_int_equal(h->last.data, 0);
}

static void
assert_falls(struct host *h, unsigned *count)
{
	assert_interrupt(h, count, UDMA_EMU_INTX, false);
}

static void
section_10_intx_level_is_intrctrl_bit_2(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	cause(h);
	assert_rises(h, &count);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x07);
	wr(h, INTRCTRL, 1, 0x00);
	assert_falls(h, &count);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x02);
	wr(h, INTRCTRL, 1, 0x01);
	assert_rises(h, &count);
}

static void
section_16_9_intx_falls_when_attnstatus_is_read(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	assert_int_equal(rd(h, ATTNSTATUS + 1, 1), 0);
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 1);
	assert_falls(h, &count);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	assert_int_equal(h->interrupts, count);
}

/** That is no re-arm: the next cause waits for it. */
static void
section_10_intx_rises_again_only_after_the_rearm(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	(void)rd(h, ATTNSTATUS, 4);
	assert_falls(h, &count);
	cause(h);
	assert_int_equal(h->interrupts, count);
	rearm(h);
	assert_rises(h, &count);
}

static void
section_16_9_intx_falls_at_the_rearm(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	rearm(h);
	assert_falls(h, &count);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
}

/** With a cause that waits the level is the same behind the re-arm as before: it stays. */
static void
section_10_intx_stays_up_for_what_was_latched(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	cause(h);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x07);
	rearm(h);
	assert_falls(h, &count);
}

static void
section_10_intx_falls_with_reset(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	wr(h, CHANCMD, 1, RESET);
	assert_falls(h, &count);
	cause(h);
	assert_rises(h, &count);
}

static void
section_2_2_intx_falls_with_flr(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_falls(h, &count);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	assert_int_equal(rd(h, INTRCTRL, 1), 0);
}

static void
section_15_1_intx_falls_with_a_device_reset(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	udma_emu_reset(h->emu);
	assert_falls(h, &count);
	udma_emu_reset(h->emu);
	assert_int_equal(h->interrupts, count);
}

/* Configuration space */

/** PCISTS bit 3 shows the state; PCICMD bit 10 keeps the line down and leaves the state. */
static void
section_2_intx_disable_and_status(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0018);
	cfg_wr(h, PCICMD, 2, 0x0406);
	assert_falls(h, &count);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0018);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x07);
	cfg_wr(h, PCICMD, 2, 0x0006);
	assert_rises(h, &count);
}

static void
section_2_intx_disabled_from_the_start(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, PCICMD, 2, 0x0406);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0018);
	cfg_wr(h, PCICMD + 1, 1, 0x00);
	assert_rises(h, &count);
}

static void
section_2_intx_status_follows_master_int_en(void **state)
{
	struct host *h = *state;

	wr(h, INTRCTRL, 1, 0);
	cause(h);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	wr(h, INTRCTRL, 1, 1);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0018);
	wr(h, INTRCTRL, 1, 0);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
}

/** A pin needs no bus mastering. */
static void
section_10_intx_without_bus_mastering(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	cause(h);
	cfg_wr(h, PCICMD, 2, 0x0002);
	(void)rd(h, ATTNSTATUS, 4);
	assert_falls(h, &count);
	rearm(h);
	assert_rises(h, &count);
}

static void
section_10_intx_is_down_in_d3hot(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	cfg_wr(h, 0xE4, 2, 0x0003);
	assert_falls(h, &count);
	cfg_wr(h, 0xE4, 2, 0x0000);
	assert_rises(h, &count);
}

/** Once a message is the way, the pin is silent and PCISTS does not speak of it. */
static void
section_10_intx_gives_way_to_messages(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_rises(h, &count);
	enable_msi(h);
	assert_falls(h, &count);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	rearm(h);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	rearm(h);
	enable_msix(h, 0x2000);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
}

/** Without the pin a cause finds no way while no message is enabled. */
static void
section_10_intx_not_offered(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021,
					 .interrupts = UDMA_EMU_MSIX | UDMA_EMU_MSI};
	struct host *h = host_new(&config);

	(void)state;
	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001C);
	cause(h);
	assert_int_equal(h->interrupts, 0);
	assert_int_equal(cfg(h, PCISTS, 2), 0x0010);
	assert_int_equal(rd(h, INTRCTRL, 1), 0x01);
	host_free(h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_10_intx_level_is_intrctrl_bit_2),
		T(section_16_9_intx_falls_when_attnstatus_is_read),
		T(section_10_intx_rises_again_only_after_the_rearm),
		T(section_16_9_intx_falls_at_the_rearm),
		T(section_10_intx_stays_up_for_what_was_latched),
		T(section_10_intx_falls_with_reset),
		T(section_2_2_intx_falls_with_flr),
		T(section_15_1_intx_falls_with_a_device_reset),
		T(section_2_intx_disable_and_status),
		T(section_2_intx_disabled_from_the_start),
		T(section_2_intx_status_follows_master_int_en),
		T(section_10_intx_without_bus_mastering),
		T(section_10_intx_is_down_in_d3hot),
		T(section_10_intx_gives_way_to_messages),
		cmocka_unit_test(section_10_intx_not_offered),
	};

	return cmocka_run_group_tests_name("section_10_intx", tests, NULL, NULL);
}
