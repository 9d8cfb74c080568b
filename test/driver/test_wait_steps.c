/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * No wake-up is lost, by trying all: udma_ioat_before_sleep() is single-stepped, and the device
 * completes behind its first instruction, its second, and so on to the last. Whichever it is, the
 * call has found the completion, or the descriptor is readable.
 *
 * Two devices: one that sees registers as they are written and forgets what it may not interrupt
 * for (section 10 does not say that silicon keeps it), and one that looks at them afterwards and
 * keeps it, as the host of a polled BAR has to.
 */

#include <ucontext.h>

#include "channel_test.h"
#include "emu/emu_internal.h"

#define TRAP_FLAG 0x100 /* EFLAGS.TF: trap after the next instruction */
#define HOUR_US   3600000000ull

static volatile unsigned g_instructions; /* since stepping began */
static volatile unsigned g_complete_at;
static volatile bool g_stepping;
static bool g_looks_at_once;

/** What completes while the channel may not interrupt is forgotten. */
static void
forget_what_waits(void)
{
	if (g_looks_at_once) {
		g_rig->function.emu->interrupts.pending = false;
	}
}

static void
on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *thread = context;

	(void)signal;
	(void)info;
	thread->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	if (!g_stepping) {
		return;
	}
	g_instructions++;
	if (g_looks_at_once) {
		rig_step(g_rig, 0);
	}
	if (g_instructions == g_complete_at) {
		rig_step(g_rig, 1);
		forget_what_waits();
		if (!g_looks_at_once) {
			return; /* the rest at full speed */
		}
	}
	thread->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static bool
is_readable(void)
{
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan), .events = POLLIN};

	return poll(&event, 1, 0) == 1;
}

/** Sees to it that the next one interrupts, and takes in what has. */
static void
start_ready(void)
{
	while (udma_ioat_before_sleep(g_chan) != 0) {
	}
	rig_step(g_rig, 0);
	while (is_readable()) {
		assert_int_equal(udma_ioat_before_sleep(g_chan), 0);
		rig_step(g_rig, 0);
	}
}

/** The device has interrupted, and may not again; the completion was taken in by a poll. */
static void
start_interrupted(void)
{
	start_ready();
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_true(is_readable());
	g_ended[0].times = 0;
}

/** \return false once the call has ended before the completion. */
static bool
completes_at(unsigned instruction, void (*start)(void))
{
	int rc;

	start();
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 0);
	g_complete_at = instruction;
	g_instructions = 0;
	g_stepping = true;
	raise(SIGTRAP);
	rc = udma_ioat_before_sleep(g_chan);
	g_stepping = false;

	rig_step(g_rig, 0); /* one that was not looking looks now */
	if (g_instructions < instruction) {
		assert_int_equal(rc, 0);
		rig_step(g_rig, 1);
		assert_true(is_readable());
	} else if (rc == 0 && !is_readable()) {
		fail_msg("the completion behind instruction %u is slept through", instruction);
	}
	if (rc == 0) {
		assert_int_equal(rig_poll(g_chan, 1), 1);
	}
	assert_ended(0, UDMA_IOAT_OK);
	g_ended[0].times = 0;
	/* A program that sleeps on without asking hears of the next one, too. */
	build(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	if (!is_readable()) {
		fail_msg("after a completion behind instruction %u the next one is slept through",
			 instruction);
	}
	assert_int_equal(rig_poll(g_chan, 1), 1);
	return g_instructions >= instruction;
}

static unsigned
try_all(void (*start)(void))
{
	unsigned instruction = 1;

	while (completes_at(instruction, start)) {
		instruction++;
	}
	return instruction;
}

static int
setup_steps(void **state)
{
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	setup(state);
	g_looks_at_once = false;
	udma_ioat_tick_us = HOUR_US;
	udma_ioat_hang_us = 10 * HOUR_US;
	sigaction(SIGTRAP, &action, NULL);
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	rig_pause(g_rig);
	return 0;
}

static int
setup_that_looks(void **state)
{
	setup_steps(state);
	g_looks_at_once = true;
	return 0;
}

static int
teardown_steps(void **state)
{
	signal(SIGTRAP, SIG_DFL);
	udma_ioat_tick_us = 100000;
	rig_resume(g_rig);
	return teardown(state);
}

static void
no_instruction_loses_a_wake_up(void **state)
{
	(void)state;
	printf("# ready: %u instructions\n", try_all(start_ready));
	printf("# interrupted: %u instructions\n", try_all(start_interrupted));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{"polled: no instruction loses a wake-up", no_instruction_loses_a_wake_up,
		 setup_steps, teardown_steps, NULL},
		{"by messages, forgetful: no instruction loses a wake-up",
		 no_instruction_loses_a_wake_up, setup_that_looks, teardown_steps, NULL},
	};

	return cmocka_run_group_tests_name("wait, step by step", tests, NULL, NULL);
}
