/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which registers the driver stores to, in which order. The driver's view of the BAR is read-only:
 * each store faults, is written down, carried out as a single step, and the page closed again.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ucontext.h>

#include "ioat/channel.h"
#include "rig.h"

#define PAGE      4096
#define TRAP_FLAG 0x100 /* EFLAGS.TF: trap after the next instruction */

static uint8_t *g_bar;
static uint32_t g_stores[256];
static volatile unsigned g_count;

/* What others can see as the doorbell is about to be stored to, of the descriptors behind it. */
static struct {
	const struct spdk_ioat_chan *chan; /* NULL: nobody looks */
	union spdk_ioat_hw_desc descs[3];
	uint64_t announced;
} g_doorbell;

static void
look_at_doorbell(void)
{
	const struct spdk_ioat_chan *chan = g_doorbell.chan;

	for (unsigned i = 0; i < 3; i++) {
		g_doorbell.descs[i] = *udma_ioat_slot(chan, chan->head - 3 + i);
	}
	g_doorbell.announced = __atomic_load_n(&chan->announced, __ATOMIC_RELAXED);
}

static void
on_store(int signal, siginfo_t *info, void *context)
{
	uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)g_bar;
	ucontext_t *thread = context;

	(void)signal;
	if (offset >= PAGE) {
		abort();
	}
	if (offset == BAR_DMACOUNT && g_doorbell.chan != NULL) {
		look_at_doorbell();
	}
	if (g_count < 256) {
		g_stores[g_count++] = (uint32_t)offset;
	}
	mprotect(g_bar, PAGE, PROT_READ | PROT_WRITE);
	thread->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void
on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *thread = context;

	(void)signal;
	(void)info;
	mprotect(g_bar, PAGE, PROT_READ);
	thread->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void
watch_stores(struct rig *rig)
{
	struct sigaction store = {.sa_sigaction = on_store, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &store, NULL);
	sigaction(SIGTRAP, &step, NULL);
	g_bar = rig->driver_bar;
	g_count = 0;
	mprotect(g_bar, PAGE, PROT_READ);
}

static void
assert_stores(const uint32_t *expected, unsigned count)
{
	for (unsigned i = 0; i < count && i < g_count; i++) {
		assert_int_equal(g_stores[i], expected[i]);
	}
	assert_int_equal(g_count, count);
}

static int
setup(void **state)
{
	rig_env_init();
	*state = rig_create(0, 20);
	rig_split_views(*state);
	return 0;
}

static int
teardown(void **state)
{
	mprotect(g_bar, PAGE, PROT_READ | PROT_WRITE);
	rig_destroy(*state);
	spdk_env_fini();
	return 0;
}

static void
attach_writes_addresses_low_half_first(void **state)
{
	const uint32_t expected[] = {
		BAR_CHANERR,   BAR_CHANCMD,                        /* section 12.1 */
		BAR_CHANCTRL,  BAR_CHANCMP,       BAR_CHANCMP + 4, /* section 12.2 */
		BAR_CHAINADDR, BAR_CHAINADDR + 4, BAR_DMACOUNT,    /* one null descriptor */
		BAR_DMACOUNT,                                      /* and one fill on trial */
	};
	struct spdk_ioat_chan *chan;

	watch_stores(*state);
	chan = rig_attach(0);
	assert_non_null(chan);
	assert_stores(expected, sizeof(expected) / sizeof(expected[0]));

	mprotect(g_bar, PAGE, PROT_READ | PROT_WRITE);
	spdk_ioat_detach(chan);
}

static void
each_batch_costs_one_doorbell(void **state)
{
	const uint32_t expected[] = {BAR_DMACOUNT, BAR_DMACOUNT};
	struct spdk_ioat_chan *chan = rig_attach(0);
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 64, NULL);

	assert_non_null(chan);
	watch_stores(*state);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(spdk_ioat_build_copy(chan, NULL, NULL, memory, memory + 64, 8), 0);
	}
	assert_int_equal(g_count, 0);
	spdk_ioat_flush(chan);
	spdk_ioat_flush(chan);
	assert_int_equal(spdk_ioat_submit_copy(chan, NULL, NULL, memory, memory + 64, 8), 0);
	assert_int_equal(rig_poll(chan, 101), 101);
	assert_stores(expected, 2);

	mprotect(g_bar, PAGE, PROT_READ | PROT_WRITE);
	spdk_ioat_detach(chan);
	spdk_free(memory);
}

/** Sections 8 and 9. Whoever removes memory waits for what is announced, and so hears of it first.
 */
static void
doorbell_is_stored_last(void **state)
{
	struct spdk_ioat_chan *chan = rig_attach(0);
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 64, NULL);
	const uint32_t controls[] = {0, 0x10, 0x08}; /* fence; completion update */

	assert_non_null(chan);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(udma_ioat_copy(chan, memory + 64 * i, memory + 2048, 8 + i,
						i == 1 ? UDMA_IOAT_FENCE : 0, NULL, NULL),
				 0);
	}
	g_doorbell.chan = chan;
	watch_stores(*state);
	spdk_ioat_flush(chan);
	g_doorbell.chan = NULL;
	assert_int_equal(g_count, 1);
	assert_int_equal(g_doorbell.announced, chan->head);
	for (unsigned i = 0; i < 3; i++) {
		const union spdk_ioat_hw_desc *desc = &g_doorbell.descs[i];

		assert_int_equal(desc->generic.size, 8 + i);
		assert_int_equal(desc->generic.u.control_raw, controls[i]);
		assert_int_equal(desc->generic.src_addr, spdk_vtophys(memory + 2048, NULL));
		assert_int_equal(desc->generic.dest_addr, spdk_vtophys(memory + 64 * i, NULL));
	}
	assert_int_equal(rig_poll(chan, 3), 3);

	mprotect(g_bar, PAGE, PROT_READ | PROT_WRITE);
	spdk_ioat_detach(chan);
	spdk_free(memory);
}

static void
detach_suspends_then_resets(void **state)
{
	const uint32_t expected[] = {BAR_CHANCMD, BAR_CHANERR, BAR_CHANCMD};
	struct spdk_ioat_chan *chan = rig_attach(0);

	assert_non_null(chan);
	watch_stores(*state);
	spdk_ioat_detach(chan);
	assert_stores(expected, 3);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attach_writes_addresses_low_half_first, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_batch_costs_one_doorbell, setup, teardown),
		cmocka_unit_test_setup_teardown(doorbell_is_stored_last, setup, teardown),
		cmocka_unit_test_setup_teardown(detach_suspends_then_resets, setup, teardown),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
