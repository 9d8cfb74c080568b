/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 5: each line of the table of state changes; section 12.1 where it adds to it.
 */

#include "host.h"

/** A chain of null descriptors in RING that closes after eight. */
static void
put_ring(struct host *h)
{
	unsigned i;

	for (i = 0; i < 8; i++) {
		put_null(h, RING + 64 * i, COMPL_UPDATE, RING + 64 * ((i + 1) % 8));
	}
}

static void
assert_state(struct host *h, uint64_t addr, unsigned state)
{
	assert_int_equal(rd(h, CHANSTS, 8), addr | state);
}

/* The way into each state. */

static void
go_armed(struct host *h)
{
	put_ring(h);
	start(h, RING);
	assert_state(h, 0, ARMED);
}

/** One descriptor done, two to do. */
static void
go_active(struct host *h)
{
	go_armed(h);
	wr(h, DMACOUNT, 2, 3);
	assert_true(udma_emu_step(h->emu));
	assert_state(h, RING, ACTIVE);
}

/** Two descriptors done. */
static void
go_idle(struct host *h)
{
	go_armed(h);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_state(h, RING + 64, IDLE);
}

static void
go_suspended(struct host *h)
{
	go_active(h);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_state(h, RING, SUSPENDED);
}

/** One descriptor done, the second one bad. */
static void
go_halted_by_an_error(struct host *h)
{
	go_armed(h);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, DST, 0, RING + 128);
	wr(h, DMACOUNT, 2, 3);
	run(h);
	assert_state(h, RING, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
}

static void
clear_chanerr(struct host *h)
{
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
}

/* power-on, FLR, RESET -> HALTED, address 0 */

static void
assert_reset(struct host *h)
{
	assert_state(h, 0, HALTED);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_false(udma_emu_step(h->emu));
	/* The internal count is 0 as well: the next chain starts from its beginning. */
	start(h, RING + 128);
	wr(h, DMACOUNT, 2, 1);
	assert_int_equal(run(h), 1);
	assert_state(h, RING + 128, IDLE);
}

static void
section_5_power_on_is_halted(void **state)
{
	put_ring(*state);
	assert_reset(*state);
}

static void
section_5_armed_reset(void **state)
{
	go_armed(*state);
	wr(*state, CHANCMD, 1, RESET);
	assert_reset(*state);
}

static void
section_5_active_reset(void **state)
{
	go_active(*state);
	wr(*state, CHANCMD, 1, RESET);
	assert_reset(*state);
}

static void
section_5_idle_reset(void **state)
{
	go_idle(*state);
	wr(*state, CHANCMD, 1, RESET);
	assert_reset(*state);
}

static void
section_5_suspended_reset(void **state)
{
	go_suspended(*state);
	wr(*state, CHANCMD, 1, RESET);
	assert_reset(*state);
}

static void
section_5_halted_reset(void **state)
{
	go_halted_by_an_error(*state);
	clear_chanerr(*state);
	wr(*state, CHANCMD, 1, RESET);
	assert_reset(*state);
}

static void
section_5_flr_while_active(void **state)
{
	struct host *h = *state;

	go_active(h);
	cfg_wr(h, 0x98, 2, 0x8000);
	assert_false(udma_emu_step(h->emu));
	cfg_wr(h, 0x04, 2, 0x0006);
	assert_reset(h);
}

/** Section 4: CHANERR is sticky, so drivers clear it before they reset. */
static void
section_12_1_reset_leaves_chanerr(void **state)
{
	struct host *h = *state;

	go_halted_by_an_error(h);
	wr(h, CHANCMD, 1, RESET);
	assert_state(h, 0, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
}

/** Point 8: what RESET keeps, and what not. */
static void
section_16_8_reset_keeps_chanctrl_and_chancmp(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CHANCTRL, 2), 0x000C);
	assert_int_equal(rd(h, CHANCMP, 8), WORD);
	assert_int_equal(rd(h, CHAINADDR, 8), 0);
}

static void
section_12_1_reset_stores_nothing(void **state)
{
	struct host *h = *state;

	go_active(h);
	put64(h, WORD, 0x5555);
	wr(h, CHANCMD, 1, RESET);
	run(h);
	assert_int_equal(get64(h, WORD), 0x5555);
}

/* CHAINADDR -> ARMED, address 0; counts are 0 */

static void
assert_armed_by_chainaddr(struct host *h)
{
	wr(h, CHAINADDR, 8, RING + 256);
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000004);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	assert_false(udma_emu_step(h->emu));
	wr(h, DMACOUNT, 2, 1);
	assert_int_equal(run(h), 1);
	assert_state(h, RING + 256, IDLE);
}

static void
section_5_halted_chainaddr_arms(void **state)
{
	put_ring(*state);
	wr(*state, CHANCMP, 8, WORD);
	assert_armed_by_chainaddr(*state);
}

static void
section_5_halted_and_cleared_chainaddr_arms(void **state)
{
	go_halted_by_an_error(*state);
	clear_chanerr(*state);
	assert_armed_by_chainaddr(*state);
}

static void
section_5_suspended_chainaddr_arms(void **state)
{
	go_suspended(*state);
	assert_armed_by_chainaddr(*state);
}

static void
section_5_idle_chainaddr_arms(void **state)
{
	go_idle(*state);
	assert_armed_by_chainaddr(*state);
}

static void
section_5_armed_chainaddr_arms(void **state)
{
	go_armed(*state);
	assert_armed_by_chainaddr(*state);
}

static void
section_5_halted_with_chanerr_chainaddr_stays_halted(void **state)
{
	struct host *h = *state;

	go_halted_by_an_error(h);
	wr(h, CHAINADDR, 8, RING + 128);
	assert_state(h, RING, HALTED);
	wr(h, DMACOUNT, 2, 1);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, HALTED);
}

/** Point 10: to write CHAINADDR while the engine runs has no effect on the running chain. */
static void
section_16_10_active_chainaddr_has_no_effect(void **state)
{
	struct host *h = *state;

	go_active(h);
	wr(h, CHAINADDR, 8, RING + 256);
	assert_state(h, RING, ACTIVE);
	run(h);
	assert_state(h, RING + 128, IDLE);
	assert_int_equal(rd(h, CHAINADDR, 8), RING + 256);
}

/* ARMED, ACTIVE, IDLE */

static void
section_5_armed_dmacount_starts_at_chainaddr(void **state)
{
	struct host *h = *state;

	go_armed(h);
	wr(h, DMACOUNT, 2, 1);
	assert_state(h, 0, ACTIVE);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, IDLE);
}

static void
section_5_armed_dmacount_0_stays_armed(void **state)
{
	struct host *h = *state;

	go_armed(h);
	wr(h, DMACOUNT, 2, 0);
	assert_state(h, 0, ARMED);
	assert_false(udma_emu_step(h->emu));
}

static void
section_5_active_until_the_counts_are_equal(void **state)
{
	struct host *h = *state;

	go_armed(h);
	wr(h, DMACOUNT, 2, 3);
	assert_true(udma_emu_step(h->emu));
	assert_state(h, RING, ACTIVE);
	assert_true(udma_emu_step(h->emu));
	assert_state(h, RING + 64, ACTIVE);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING + 128, IDLE);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING + 128, IDLE);
}

static void
section_5_active_dmacount_may_grow(void **state)
{
	struct host *h = *state;

	go_active(h);
	wr(h, DMACOUNT, 2, 5);
	assert_state(h, RING, ACTIVE);
	assert_int_equal(run(h), 4);
	assert_state(h, RING + 256, IDLE);
}

static void
section_5_idle_dmacount_continues_with_next(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, DMACOUNT, 2, 3);
	assert_state(h, RING + 64, ACTIVE);
	assert_int_equal(run(h), 1);
	assert_state(h, RING + 128, IDLE);
}

static void
section_5_idle_same_dmacount_is_nothing_to_do(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, DMACOUNT, 2, 2);
	assert_state(h, RING + 64, IDLE);
	assert_false(udma_emu_step(h->emu));
}

/* SUSPEND and RESUME */

static void
section_5_active_suspend(void **state)
{
	struct host *h = *state;

	go_suspended(h);
	assert_false(udma_emu_step(h->emu));
	wr(h, DMACOUNT, 2, 5);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, SUSPENDED);
}

static void
section_5_idle_suspend(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_state(h, RING + 64, SUSPENDED);
	wr(h, DMACOUNT, 2, 3);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING + 64, SUSPENDED);
}

static void
section_5_armed_suspend(void **state)
{
	struct host *h = *state;

	go_armed(h);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_state(h, 0, SUSPENDED);
	wr(h, DMACOUNT, 2, 1);
	assert_false(udma_emu_step(h->emu));
}

static void
section_5_suspended_suspend(void **state)
{
	go_suspended(*state);
	wr(*state, CHANCMD, 1, SUSPEND);
	assert_state(*state, RING, SUSPENDED);
}

static void
section_5_halted_suspend_is_ignored(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMD, 1, SUSPEND);
	assert_state(h, 0, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	go_halted_by_an_error(h);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_state(h, RING, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0x800);
}

static void
section_5_suspended_resume_goes_on(void **state)
{
	struct host *h = *state;

	go_suspended(h);
	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, RING, ACTIVE);
	assert_int_equal(run(h), 2);
	assert_state(h, RING + 128, IDLE);
}

static void
section_5_suspended_resume_with_nothing_to_do_is_idle(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, RING + 64, IDLE);
}

static void
section_5_suspended_resume_sees_a_new_dmacount(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, DMACOUNT, 2, 3);
	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, RING + 64, ACTIVE);
	assert_int_equal(run(h), 1);
	assert_state(h, RING + 128, IDLE);
}

static void
section_5_resume_elsewhere_is_ignored(void **state)
{
	struct host *h = *state;

	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, 0, HALTED);
	go_armed(h);
	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, 0, ARMED);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	wr(h, CHANCMD, 1, RESUME);
	assert_state(h, RING, IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

/* HALTED */

static void
section_5_active_error_halts_after_the_last_good(void **state)
{
	struct host *h = *state;

	go_halted_by_an_error(h);
	assert_int_equal(cfg(h, 0x180, 4), 0x800);
	assert_int_equal(get64(h, WORD), RING | HALTED);
}

static void
section_5_halted_dmacount_runs_nothing(void **state)
{
	struct host *h = *state;

	go_halted_by_an_error(h);
	wr(h, DMACOUNT, 2, 4);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, HALTED);
	assert_int_equal(rd(h, DMACOUNT, 2), 4);
}

static void
section_5_reset_dmacount_runs_nothing(void **state)
{
	struct host *h = *state;

	go_idle(h);
	wr(h, CHANCMD, 1, RESET);
	wr(h, DMACOUNT, 2, 4);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, 0, HALTED);
}

/** Section 12.3: Linux recovers without a reset. */
static void
section_5_linux_restarts_a_halted_channel_without_reset(void **state)
{
	struct host *h = *state;

	go_halted_by_an_error(h);
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	cfg_wr(h, 0x180, 4, cfg(h, 0x180, 4));
	wr(h, CHANCMP, 4, (uint32_t)WORD);
	wr(h, CHANCMP + 4, 4, WORD >> 32);
	wr(h, CHAINADDR, 4, (uint32_t)(RING + 128));
	wr(h, CHAINADDR + 4, 4, (RING + 128) >> 32);
	assert_state(h, 0, ARMED);
	wr(h, DMACOUNT, 2, 1);
	assert_int_equal(run(h), 1);
	assert_state(h, RING + 128, IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 128);
}

static void
section_4_2_abort_halts_between_descriptors(void **state)
{
	struct host *h = *state;

	go_active(h);
	put64(h, WORD, 0x5555);
	wr(h, CHANCMD, 1, ABORT);
	assert_state(h, RING, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(get64(h, WORD), 0x5555);
	assert_armed_by_chainaddr(h);
}

/* Bus mastering */

static void
section_15_1_bus_master_off_stops_dma(void **state)
{
	struct host *h = *state;
	unsigned grants;

	go_active(h);
	cfg_wr(h, 0x04, 2, 0x0002);
	grants = h->grants;
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, ACTIVE);
	assert_int_equal(h->grants, grants);
	cfg_wr(h, 0x04, 2, 0x0006);
	assert_int_equal(run(h), 2);
	assert_state(h, RING + 128, IDLE);
}

static void
section_15_1_bus_master_off_stores_no_error_word(void **state)
{
	struct host *h = *state;

	go_active(h);
	put64(h, WORD, 0x5555);
	cfg_wr(h, 0x04, 2, 0x0002);
	wr(h, CHANCMD, 1, 0x03);
	assert_state(h, RING, HALTED);
	assert_int_equal(get64(h, WORD), 0x5555);
}

static void
section_2_2_d3_stops_dma(void **state)
{
	struct host *h = *state;

	go_active(h);
	cfg_wr(h, 0xE4, 2, 0x0003);
	assert_false(udma_emu_step(h->emu));
	assert_state(h, RING, ACTIVE);
	cfg_wr(h, 0xE4, 2, 0x0000);
	assert_int_equal(run(h), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_5_power_on_is_halted),
		T(section_5_armed_reset),
		T(section_5_active_reset),
		T(section_5_idle_reset),
		T(section_5_suspended_reset),
		T(section_5_halted_reset),
		T(section_5_flr_while_active),
		T(section_12_1_reset_leaves_chanerr),
		T(section_16_8_reset_keeps_chanctrl_and_chancmp),
		T(section_12_1_reset_stores_nothing),
		T(section_5_halted_chainaddr_arms),
		T(section_5_halted_and_cleared_chainaddr_arms),
		T(section_5_suspended_chainaddr_arms),
		T(section_5_idle_chainaddr_arms),
		T(section_5_armed_chainaddr_arms),
		T(section_5_halted_with_chanerr_chainaddr_stays_halted),
		T(section_16_10_active_chainaddr_has_no_effect),
		T(section_5_armed_dmacount_starts_at_chainaddr),
		T(section_5_armed_dmacount_0_stays_armed),
		T(section_5_active_until_the_counts_are_equal),
		T(section_5_active_dmacount_may_grow),
		T(section_5_idle_dmacount_continues_with_next),
		T(section_5_idle_same_dmacount_is_nothing_to_do),
		T(section_5_active_suspend),
		T(section_5_idle_suspend),
		T(section_5_armed_suspend),
		T(section_5_suspended_suspend),
		T(section_5_halted_suspend_is_ignored),
		T(section_5_suspended_resume_goes_on),
		T(section_5_suspended_resume_with_nothing_to_do_is_idle),
		T(section_5_suspended_resume_sees_a_new_dmacount),
		T(section_5_resume_elsewhere_is_ignored),
		T(section_5_active_error_halts_after_the_last_good),
		T(section_5_halted_dmacount_runs_nothing),
		T(section_5_reset_dmacount_runs_nothing),
		T(section_5_linux_restarts_a_halted_channel_without_reset),
		T(section_4_2_abort_halts_between_descriptors),
		T(section_15_1_bus_master_off_stops_dma),
		T(section_15_1_bus_master_off_stores_no_error_word),
		T(section_2_2_d3_stops_dma),
	};

	return cmocka_run_group_tests_name("section_5_states", tests, NULL, NULL);
}
