/* SPDX-License-Identifier: BSD-3-Clause */

/* What goes wrong: each choice says which statuses it explains. */

#include "program.h"

#include "emu/emu_internal.h"
#include "spdk/util.h"
#include "udma/fault.h"

/* Of virtual time; an engine that does nothing for 50 ms hangs (program.c). */
#define LONGEST_PAUSE_US 10000

#define GONE    (1u << UDMA_IOAT_GONE)
#define HUNG    (1u << UDMA_IOAT_HUNG)
#define FAILED  (1u << UDMA_IOAT_FAILED)
#define ABORTED (1u << UDMA_IOAT_ABORTED)

static void
halt_soon(void)
{
	uint32_t bit = (uint32_t)random_below(&g_random, 28);

	g_device.halt_in = 1 + (unsigned)random_below(&g_random, 12);
	g_device.halt_every = random_below(&g_random, 16) == 0 ? g_device.halt_in : 0;
	g_device.halt_unseen = random_below(&g_random, 4) == 0;
	/* One that gives no cause has to be seen: its status is like that of one just reset. */
	g_device.chanerr = random_below(&g_random, 64) == 0 ? 0 : 1u << bit;
	g_device.halt_unseen &= g_device.chanerr != 0;
	TRACE("  halts at descriptor %u, CHANERR %#x%s%s\n", g_device.halt_in, g_device.chanerr,
	      g_device.halt_every ? ", and so on" : "", g_device.halt_unseen ? ", unseen" : "");
}

static void
halt_idle(void)
{
	bool unseen;

	/* It has seen by then whether it is to interrupt for errors. */
	device_hear();
	if (g_device.gone || !g_device.armed || g_device.emu->chan.state != UDMA_EMU_IDLE ||
	    (g_device.polled && g_device.now_us < g_device.idle_until)) {
		return;
	}
	unseen = random_below(&g_random, 2);
	TRACE("  halts while idle%s\n", unseen ? ", unseen" : "");
	device_halt(1u << random_below(&g_random, 28), unseen);
}

/** A fault of the emulated device's own: it halts between any two steps of a descriptor. */
static void
halt_at_a_step(void)
{
	const struct udma_fault fault = {
		.kind = random_below(&g_random, 2) ? UDMA_FAULT_HALT : UDMA_FAULT_ERROR,
		.step = (enum udma_fault_step)random_below(&g_random, UDMA_FAULT_STEPS),
		.value = 1u << random_below(&g_random, 28),
		.at = 1 + random_below(&g_random, 12),
		.times = 1,
	};

	if (g_device.injected < UDMA_FAULTS_MAX && udma_emu_inject(g_device.emu, &fault) == 0) {
		g_device.injected++;
		TRACE("  %s at descriptor %" PRIu64 ", step %u, CHANERR %#" PRIx64 "\n",
		      udma_fault_name(fault.kind), fault.at, fault.step, fault.value);
	}
}

/** Stores come late and sources are read early, as far as fences allow: nothing may depend on it.
 */
static void
reorder(void)
{
	const struct udma_fault fault = {
		.kind = random_below(&g_random, 2) ? UDMA_FAULT_LATE_STORE
						   : UDMA_FAULT_EARLY_SOURCE,
		.every = 1,
		.one_in = 2,
		.seed = random_next(&g_random),
	};

	if (g_device.injected < UDMA_FAULTS_MAX && udma_emu_inject(g_device.emu, &fault) == 0) {
		g_device.injected++;
		TRACE("  %s\n", udma_fault_name(fault.kind));
	}
}

/** Interrupts get lost, or come for nothing. */
static void
misinterrupt(void)
{
	const struct udma_fault fault = {
		.kind = random_below(&g_random, 2) ? UDMA_FAULT_LOST_INTERRUPT
						   : UDMA_FAULT_SPURIOUS_INTERRUPT,
		.every = 1,
		.one_in = 1 + (uint32_t)random_below(&g_random, 4),
		.seed = random_next(&g_random),
		.times = random_below(&g_random, 4),
	};

	if (g_device.injected + g_device.injected_interrupts < UDMA_FAULTS_MAX &&
	    udma_emu_inject(g_device.emu, &fault) == 0) {
		g_device.injected_interrupts++;
		TRACE("  %s, one in %u\n", udma_fault_name(fault.kind), fault.one_in);
	}
}

/** Words are stored a second time, over the next one: one that nothing is behind any more stays. */
static void
double_words(void)
{
	const struct udma_fault fault = {
		.kind = UDMA_FAULT_DOUBLED_WORD,
		.every = 1,
		.one_in = 1 + (uint32_t)random_below(&g_random, 4),
		.seed = random_next(&g_random),
		.times = 1 + random_below(&g_random, 4),
	};

	if (g_device.injected < UDMA_FAULTS_MAX && udma_emu_inject(g_device.emu, &fault) == 0) {
		g_device.injected++;
		TRACE("  doubled words, one in %u\n", fault.one_in);
	}
}

void
faults_choose(void)
{
	switch (random_below(&g_random, 28)) {
	default:
		halt_soon();
		break;
	case 0:
	case 1:
		g_device.words_lost = 1 + (unsigned)random_below(&g_random, 4);
		TRACE("  %u completion words are lost\n", g_device.words_lost);
		break;
	case 2:
	case 3:
		g_device.idle_until = g_device.now_us + random_below(&g_random, LONGEST_PAUSE_US);
		TRACE("  pauses until %" PRIu64 " us\n", g_device.idle_until);
		break;
	case 12:
		g_device.slow_us = (unsigned)random_below(&g_random, LONGEST_PAUSE_US / 2);
		TRACE("  takes %u us for each descriptor\n", g_device.slow_us);
		break;
	case 13:
	case 14:
	case 15:
		halt_at_a_step();
		break;
	case 16:
	case 17:
		reorder();
		break;
	case 4:
	case 5:
		halt_idle();
		break;
	case 6:
		g_device.hangs = true;
		g_device.explains |= HUNG;
		TRACE("  hangs\n");
		break;
	case 7:
		g_device.gone = true;
		g_device.gone_at = g_device.now_us;
		g_device.explains |= GONE;
		TRACE("  is gone\n");
		break;
	case 8:
		g_device.ignores_reset = true;
		g_device.explains |= FAILED | ABORTED;
		TRACE("  ignores resets\n");
		break;
	case 9:
		g_device.no_config = true;
		TRACE("  configuration space fails\n");
		break;
	case 10:
		g_device.pci.internal.removed = true;
		g_device.explains |= GONE;
		TRACE("  is said to be removed\n");
		break;
	case 18:
	case 19:
		misinterrupt();
		break;
	case 21:
		double_words();
		break;
	case 20:
		g_device.no_descriptors = true;
		TRACE("  no descriptors are left for waiting\n");
		break;
	case 11:
		TRACE("  stores a wrong completion word\n");
		device_store_wrong_word();
		break;
	}
}
