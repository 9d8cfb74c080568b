/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A polled BAR, where a store that changes nothing cannot be seen: what a driver finds there once
 * its RESET reads as done, and whether its re-arm is seen.
 */

#include "emu/watch.h"
#include "support.h"

#include "spdk/ioat_spec.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define DESCRIPTORS 4

static union spdk_ioat_hw_desc g_ring[DESCRIPTORS + 1] __attribute__((aligned(64)));

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	uint64_t into = iova - (uintptr_t)g_ring;

	(void)ctx;
	(void)write;
	if (into >= sizeof(g_ring) || *len > sizeof(g_ring) - into) {
		return NULL;
	}
	return (uint8_t *)g_ring + into;
}

struct polled {
	struct udma_emu_watch watch;
	unsigned interrupts;
	bool quick;
	volatile struct spdk_ioat_registers *regs;
	_Alignas(64) uint8_t bar[UDMA_EMU_BAR_SIZE];
};

static void on_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt);

static int
create(void **state)
{
	static const struct udma_emu_host host = {.grant = grant, .interrupt = on_interrupt};
	const struct udma_emu_config config = {
		.device_id = 0x2021,
		.interrupts = UDMA_EMU_MSIX,
		.msix_table_in_host = true,
	};
	struct polled *polled = aligned_alloc(64, sizeof(*polled));

	assert_non_null(polled);
	memset(polled, 0, sizeof(*polled));
	polled->watch.bar = polled->bar;
	polled->watch.emu = udma_emu_create(&config, &host, polled);
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

#define REARM                                                                                      \
	(SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN | SPDK_IOAT_CHANCTRL_ERR_INT_EN |                     \
	 SPDK_IOAT_CHANCTRL_INT_REARM)

/** A driver that is quick: it has re-armed before this returns. */
static void
on_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct polled *polled = ctx;

	(void)interrupt;
	polled->interrupts++;
	if (polled->quick) {
		polled->regs->chanctrl = REARM;
	}
}

/** Announces one descriptor more, and lets it be carried out. */
static void
announce(struct polled *polled)
{
	polled->regs->dmacount = polled->regs->dmacount + 1;
	assert_true(udma_emu_watch_look(&polled->watch));
	udma_emu_step(polled->watch.emu);
}

static void
rearm_in_answer_to_an_interrupt_is_seen(void **state)
{
	const uint8_t bus_master[] = {0x06, 0x00}, msix_on[] = {0x00, 0x80};
	struct polled *polled = *state;

	assert_int_equal(udma_emu_cfg_write(polled->watch.emu, 0x04, bus_master, 2), 0);
	assert_int_equal(udma_emu_cfg_write(polled->watch.emu, 0x82, msix_on, 2), 0);
	for (unsigned i = 0; i < DESCRIPTORS; i++) {
		/* Null descriptors that interrupt (section 6.1). */
		g_ring[i].generic.size = 8;
		g_ring[i].generic.u.control_raw = 1u << 5 | 1u << 0;
		g_ring[i].generic.next = (uintptr_t)&g_ring[i + 1];
	}
	polled->regs->intrctrl = SPDK_IOAT_INTRCTRL_MASTER_INT_EN;
	polled->regs->chainaddr = (uintptr_t)g_ring;
	announce(polled);
	assert_int_equal(polled->interrupts, 1);
	announce(polled); /* has to wait for the re-arm */
	assert_int_equal(polled->interrupts, 1);
	/* Which sends it at once: what is stored in answer to that is a re-arm of its own. */
	polled->quick = true;
	polled->regs->chanctrl = REARM;
	assert_true(udma_emu_watch_look(&polled->watch));
	assert_int_equal(polled->interrupts, 2);
	announce(polled);
	assert_int_equal(polled->interrupts, 3);
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

/* What a driver stores between two loads of one look: the BAR lies across two pages, CHANCMD in the
 * first, CHAINADDR in the second, which faults when it is loaded. */
#define SECOND_PAGE_BEGINS offsetof(struct spdk_ioat_registers, chansts)

static struct {
	uint8_t *second_page;
	size_t page_size;
	uint8_t chancmd;
	uint64_t chainaddr; /* stored at once behind it; 0: is not */
	volatile struct spdk_ioat_registers *regs;
	volatile bool faulted;
} g_between;

static void
on_fault(int signal)
{
	(void)signal;
	if (g_between.faulted) {
		abort();
	}
	g_between.faulted = true;
	mprotect(g_between.second_page, g_between.page_size, PROT_READ | PROT_WRITE);
	g_between.regs->chancmd = g_between.chancmd;
	if (g_between.chainaddr != 0) {
		g_between.regs->chainaddr = g_between.chainaddr;
	}
}

/** A look, while which a driver stores what `g_between` says. */
static void
look_meanwhile(struct polled *polled, uint8_t chancmd, uint8_t chancmd_between, uint64_t chainaddr)
{
	const struct sigaction catch = {.sa_handler = on_fault};
	struct sigaction before;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 2 * page + UDMA_EMU_BAR_SIZE;
	uint8_t *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	polled->watch.bar = memory + page - SECOND_PAGE_BEGINS;
	polled->regs = (volatile struct spdk_ioat_registers *)polled->watch.bar;
	udma_emu_watch_publish_all(&polled->watch);
	g_between.second_page = memory + page;
	g_between.page_size = page;
	g_between.chancmd = chancmd_between;
	g_between.chainaddr = chainaddr;
	g_between.regs = polled->regs;
	g_between.faulted = false;
	polled->regs->chancmd = chancmd;
	assert_int_equal(sigaction(SIGSEGV, &catch, &before), 0);
	assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
	udma_emu_watch_look(&polled->watch);
	sigaction(SIGSEGV, &before, NULL);
	assert_true(g_between.faulted);
}

/** DPDK does not wait for SUSPEND (section 14.3). */
static void
command_that_another_replaces_is_carried_out_before_it(void **state)
{
	struct polled *polled = *state;
	uint32_t chanerr_int;

	look_meanwhile(polled, SPDK_IOAT_CHANCMD_SUSPEND, SPDK_IOAT_CHANCMD_RESET, 0);
	/* Both at once are no command: CHANERR bit 5 (section 11). RESET clears that, not this. */
	assert_int_equal(udma_emu_cfg_read(polled->watch.emu, 0x180, &chanerr_int, 4), 0);
	assert_int_equal(chanerr_int, 0);
	assert_int_equal(polled->regs->chancmd, SPDK_IOAT_CHANCMD_RESET);
	assert_true(udma_emu_watch_look(&polled->watch));
	assert_int_equal(polled->regs->chancmd, 0);
	assert_int_equal(polled->regs->chanerr, 0);
}

static void
chain_stored_behind_reset_during_a_look_arms(void **state)
{
	struct polled *polled = *state;

	look_meanwhile(polled, 0, SPDK_IOAT_CHANCMD_RESET, 0x1000);
	assert_int_equal(polled->regs->chancmd, 0);
	udma_emu_watch_look(&polled->watch);
	udma_emu_watch_publish(&polled->watch);
	assert_int_equal(polled->regs->chansts, SPDK_IOAT_CHANSTS_ARMED);
	assert_int_equal(polled->regs->chainaddr, 0x1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_ones_written_to_chanerr_before_reset_are_gone,
						create, destroy),
		cmocka_unit_test_setup_teardown(
			error_that_the_model_knows_nothing_of_is_gone_after_reset, create, destroy),
		cmocka_unit_test_setup_teardown(rearm_in_answer_to_an_interrupt_is_seen, create,
						destroy),
		cmocka_unit_test_setup_teardown(mask_stored_before_reset_is_told_to_the_model,
						create, destroy),
		cmocka_unit_test_setup_teardown(chain_stored_behind_reset_arms, create, destroy),
		cmocka_unit_test_setup_teardown(
			announced_descriptors_show_before_they_are_carried_out, create, destroy),
		cmocka_unit_test_setup_teardown(
			command_that_another_replaces_is_carried_out_before_it, create, destroy),
		cmocka_unit_test_setup_teardown(chain_stored_behind_reset_during_a_look_arms,
						create, destroy),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
