/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A polled BAR, where a store that changes nothing cannot be seen: what a driver finds there once
 * its RESET reads as done.
 */

#include "emu/watch.h"
#include "support.h"

#include "spdk/ioat_spec.h"

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	(void)ctx;
	(void)iova;
	(void)len;
	(void)write;
	return NULL;
}

struct polled {
	struct udma_emu_watch watch;
	volatile struct spdk_ioat_registers *regs;
	_Alignas(64) uint8_t bar[UDMA_EMU_BAR_SIZE];
};

static int
create(void **state)
{
	static const struct udma_emu_host host = {.grant = grant};
	const struct udma_emu_config config = {.device_id = 0x2021};
	struct polled *polled = aligned_alloc(64, sizeof(*polled));

	assert_non_null(polled);
	memset(polled, 0, sizeof(*polled));
	polled->watch.bar = polled->bar;
	polled->watch.emu = udma_emu_create(&config, &host, NULL);
	assert_non_null(polled->watch.emu);
	polled->regs = (volatile struct spdk_ioat_registers *)polled->bar;
	udma_emu_watch_publish_all(&polled->watch);
	*state = polled;
	return 0;
}

static int
destroy(void **state)
{
	struct polled *polled = *state;

	udma_emu_destroy(polled->watch.emu);
	free(polled);
	return 0;
}

/** Stores RESET, as the driver, and lets the host look until it reads as done. */
static void
reset(struct polled *polled)
{
	polled->regs->chancmd = SPDK_IOAT_CHANCMD_RESET;
	assert_true(udma_emu_watch_look(&polled->watch));
	assert_int_equal(polled->regs->chancmd, 0);
}

static void
all_ones_written_to_chanerr_before_reset_are_gone(void **state)
{
	struct polled *polled = *state;

	polled->regs->chanerr = 0xffffffff;
	reset(polled);
	assert_int_equal(polled->regs->chanerr, 0);
	assert_false(udma_emu_watch_look(&polled->watch));
}

static void
error_that_the_model_knows_nothing_of_is_gone_after_reset(void **state)
{
	struct polled *polled = *state;

	/* What a driver reads here and writes back changes nothing. */
	polled->regs->chanerr = 0x100;
	polled->regs->chanerr = 0x100;
	reset(polled);
	assert_int_equal(polled->regs->chanerr, 0);
}

static void
mask_stored_before_reset_is_told_to_the_model(void **state)
{
	struct polled *polled = *state;

	polled->regs->chanerrmask = 0x10000;
	reset(polled);
	assert_int_equal(polled->regs->chanerrmask,
			 udma_emu_read(polled->watch.emu,
				       offsetof(struct spdk_ioat_registers, chanerrmask), 4));
	assert_int_equal(polled->regs->chanerr, 0);
}

/** DPDK stores the next address at once behind RESET: one look finds both. */
static void
chain_stored_behind_reset_arms(void **state)
{
	struct polled *polled = *state;

	polled->regs->chainaddr = 0x1000;
	reset(polled);
	assert_true(udma_emu_watch_look(&polled->watch));
	udma_emu_watch_publish(&polled->watch);
	assert_int_equal(polled->regs->chansts, SPDK_IOAT_CHANSTS_ARMED);
	assert_int_equal(polled->regs->chainaddr, 0x1000);
}

/** A driver that finds IDLE takes everything for done: it must not be from before the doorbell. */
static void
announced_descriptors_show_before_they_are_carried_out(void **state)
{
	struct polled *polled = *state;

	reset(polled);
	polled->regs->chainaddr = 0x1000;
	udma_emu_watch_look(&polled->watch);
	udma_emu_watch_publish(&polled->watch);
	assert_int_equal(polled->regs->chansts, SPDK_IOAT_CHANSTS_ARMED);
	polled->regs->dmacount = 1;
	udma_emu_watch_look(&polled->watch);
	assert_int_equal(polled->regs->chansts, SPDK_IOAT_CHANSTS_ACTIVE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_ones_written_to_chanerr_before_reset_are_gone,
						create, destroy),
		cmocka_unit_test_setup_teardown(
			error_that_the_model_knows_nothing_of_is_gone_after_reset, create, destroy),
		cmocka_unit_test_setup_teardown(mask_stored_before_reset_is_told_to_the_model,
						create, destroy),
		cmocka_unit_test_setup_teardown(chain_stored_behind_reset_arms, create, destroy),
		cmocka_unit_test_setup_teardown(
			announced_descriptors_show_before_they_are_carried_out, create, destroy),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
