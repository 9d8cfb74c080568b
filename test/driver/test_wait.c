/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Waiting without polling: no completion, error or removal is slept through, whatever the device
 * does and whenever it does it. Where that is the question the timer is as good as off, so that a
 * wake-up that is lost is a test that does not end.
 */

#include <sys/epoll.h>

#include "channel_test.h"
#include "emu/emu_internal.h"

#define FOREVER UINT64_MAX
#define HOUR_US 3600000000ull

/** The timer finds nothing in time. */
static int
setup_without_timer(void **state)
{
	setup(state);
	udma_ioat_tick_us = HOUR_US;
	udma_ioat_hang_us = 10 * HOUR_US;
	return 0;
}

static int
teardown_wait(void **state)
{
	udma_ioat_tick_us = 100000;
	return teardown(state);
}

static int
wait_for(uint64_t timeout_us)
{
	return udma_ioat_wait(g_chan, timeout_us);
}

static bool
is_readable(void)
{
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan), .events = POLLIN};

	return poll(&event, 1, 0) == 1;
}

/** \return how many interrupts the device has sent. */
static unsigned
interrupts(void)
{
	unsigned count;

	pthread_mutex_lock(&g_rig->lock);
	count = g_rig->interrupts;
	pthread_mutex_unlock(&g_rig->lock);
	return count;
}

static void
sleep_on_fd(void)
{
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan), .events = POLLIN};

	assert_int_equal(poll(&event, 1, -1), 1);
}

/** Until before_sleep() says 0. \return what it has said before, in all. */
static int
get_ready(void)
{
	int rc, total = 0;

	while ((rc = udma_ioat_before_sleep(g_chan)) > 0) {
		total += rc;
	}
	assert_int_equal(rc, 0);
	return total;
}

/* ---- A thread that lets the device work after a while ---- */

static void *
resume_later(void *arg)
{
	usleep(*(unsigned *)arg);
	rig_resume(g_rig);
	return NULL;
}

static pthread_t g_helper;
static unsigned g_helper_us;

static void
resume_in(unsigned us)
{
	g_helper_us = us;
	pthread_create(&g_helper, NULL, resume_later, &g_helper_us);
}

static void
join_helper(void)
{
	pthread_join(g_helper, NULL);
}

/* ---- wait ---- */

static void
nothing_outstanding_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(wait_for(FOREVER), 0);
	assert_int_equal(wait_for(0), 0);
}

static void
a_sleep_ends_with_the_completion(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		rig_pause(g_rig);
		build(2 * i, 0); /* announced by the wait */
		build_spdk(2 * i + 1);
		resume_in(i % 2 ? 30000 : 0);
		assert_int_equal(wait_for(FOREVER), 2);
		assert_ended(2 * i, UDMA_IOAT_OK);
		assert_int_equal(g_ended[2 * i + 1].times, 1);
		join_helper();
	}
}

static void
no_time_is_one_poll(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	assert_int_equal(wait_for(0), -ETIMEDOUT);
	assert_int_equal(g_rig->interrupt_fd, -1); /* the kernel was not asked for anything */
	rig_step(g_rig, 1);
	assert_int_equal(wait_for(0), 1);
	rig_resume(g_rig);
}

static void
a_wait_takes_its_time_and_no_less(void **state)
{
	static const unsigned times_us[] = {1, 50, 900, 1100, 30000};

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	for (unsigned i = 0; i < sizeof(times_us) / sizeof(times_us[0]); i++) {
		uint64_t start = spdk_get_ticks();

		assert_int_equal(wait_for(times_us[i]), -ETIMEDOUT);
		assert_true((spdk_get_ticks() - start) * 1000000 / spdk_get_ticks_hz() >=
			    times_us[i] - 1);
	}
	assert_int_equal(g_ended[0].times, 0);
	rig_resume(g_rig);
	assert_int_equal(wait_for(FOREVER), 1);
}

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/** Whatever it has learnt, and before it has: it polls for 20 us at the most, and sleeps then. */
static void
a_wait_is_no_poll(void **state)
{
	double before = cpu_seconds();

	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(wait_for(100000), -ETIMEDOUT);
	}
	assert_true(cpu_seconds() - before < 0.1);
	rig_resume(g_rig);
	assert_int_equal(wait_for(FOREVER), 1);
}

static void
on_signal(int number)
{
	(void)number;
}

static bool g_signalled; /* what a signal was to end has ended */

/** Again and again, for one may come before the sleep. */
static void *
signal_thread(void *arg)
{
	while (!__atomic_load_n(&g_signalled, __ATOMIC_RELAXED)) {
		usleep(10000);
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	}
	return NULL;
}

static void
a_signal_ends_a_wait(void **state)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t self = pthread_self(), thread;

	(void)state;
	g_signalled = false;
	sigaction(SIGUSR1, &action, NULL);
	rig_pause(g_rig);
	build(0, 0);
	pthread_create(&thread, NULL, signal_thread, &self);
	assert_int_equal(wait_for(FOREVER), -EINTR);
	__atomic_store_n(&g_signalled, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	rig_resume(g_rig);
	while (wait_for(FOREVER) == -EINTR) {
	}
	assert_ended(0, UDMA_IOAT_OK);
}

static void
what_was_announced_before_does_not_interrupt_and_is_found(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan); /* before anybody has asked for interrupts */
	resume_in(20000);
	assert_int_equal(wait_for(FOREVER), 1);
	join_helper();
	assert_int_equal(interrupts(), 0);
}

/* ---- An event loop ---- */

static void
the_descriptor_is_readable_until_one_is_ready_to_sleep(void **state)
{
	(void)state;
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	assert_true(is_readable());
	assert_true(is_readable());
	assert_int_equal(get_ready(), 0);
	assert_false(is_readable());

	/* An interrupt has come: not ready any more, until the next time. */
	build(0, 0);
	spdk_ioat_flush(g_chan);
	sleep_on_fd();
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_true(is_readable());
	build(1, 0);
	spdk_ioat_flush(g_chan);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_true(is_readable());
	assert_int_equal(get_ready(), 0);
	assert_false(is_readable());
}

static void
ready_before_anything_is_built_will_do(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(get_ready(), 0);
		build(i, 0);
		spdk_ioat_flush(g_chan);
		sleep_on_fd();
		assert_int_equal(rig_poll(g_chan, 1), 1);
	}
}

static void
wait_and_an_event_loop_take_turns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i += 2) {
		build(i, 0);
		assert_int_equal(wait_for(FOREVER), 1);
		build(i + 1, 0);
		spdk_ioat_flush(g_chan);
		/* Without being ready: it must not sleep through this. */
		sleep_on_fd();
		if (g_ended[i + 1].times == 0) {
			assert_int_equal(wait_for(FOREVER), 1);
		}
	}
}

static void
epoll_in_epoll_wakes(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};
	int loop = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, udma_ioat_get_fd(g_chan), &event), 0);
	for (unsigned i = 0; i < 200; i++) {
		build(i, 0);
		if (get_ready() == 0) {
			assert_int_equal(epoll_wait(loop, &event, 1, -1), 1);
			assert_int_equal(rig_poll(g_chan, 1), 1);
		}
		assert_ended(i, UDMA_IOAT_OK);
	}
	close(loop);
}

/* ---- Every interleaving ---- */

/** The device takes in, completes and interrupts, all by itself, while we get ready in a loop. */
static void
no_wake_up_is_lost_in_a_race(void **state)
{
	const unsigned rounds = 30000;
	unsigned slept = 0;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		build(i, 0);
		spdk_ioat_flush(g_chan);
		/* A little later each time, so that the completion meets each step. */
		for (unsigned j = 0; j < i % 400; j++) {
			spdk_pause();
		}
		while (g_ended[i].times == 0) {
			int rc = udma_ioat_before_sleep(g_chan);

			if (rc == 0) {
				sleep_on_fd();
				slept++;
			}
			assert_true(rc >= 0);
		}
	}
	printf("# slept %u times in %u rounds\n", slept, rounds);
}

/* ---- Interrupts that are not what they should be ---- */

static void
spurious_interrupts_wake_and_do_no_harm(void **state)
{
	(void)state;
	get_ready();
	for (unsigned i = 0; i < 50; i++) {
		rig_interrupt(g_rig);
		assert_true(is_readable());
		assert_int_equal(get_ready(), 0);
		assert_false(is_readable());
	}
	rig_pause(g_rig);
	build(0, 0);
	rig_interrupt(g_rig);
	assert_int_equal(wait_for(20000), -ETIMEDOUT);
	resume_in(10000);
	assert_int_equal(wait_for(FOREVER), 1);
	join_helper();
}

static void
lost_interrupts_are_made_up_for_by_the_timer(void **state)
{
	(void)state;
	RIG_SET(g_rig, loses_interrupts, true);
	for (unsigned i = 0; i < 12; i++) {
		rig_pause(g_rig);
		build(i, 0);
		resume_in(1000);
		assert_int_equal(wait_for(FOREVER), 1);
		join_helper();
	}
	assert_true(interrupts() > 0);
	/* It looks more often by then; and again as before when they come. */
	assert_true(g_chan->waiting.usual_tick_us < 10000);
	RIG_SET(g_rig, loses_interrupts, false);
	rig_pause(g_rig);
	build(12, 0);
	resume_in(100000);
	assert_int_equal(wait_for(FOREVER), 1);
	join_helper();
	get_ready();
	assert_int_equal(g_chan->waiting.usual_tick_us, 100000);
}

static int
setup_without_interrupts(void **state)
{
	setup_without_timer(state);
	g_rig->no_interrupts = true;
	return 0;
}

static void
without_interrupts_it_naps(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		rig_pause(g_rig);
		build(i, 0);
		resume_in(i * 500);
		assert_int_equal(wait_for(FOREVER), 1);
		join_helper();
	}
	rig_pause(g_rig);
	build(20, 0);
	assert_int_equal(get_ready(), 0);
	rig_resume(g_rig);
	while (g_ended[20].times == 0) {
		sleep_on_fd();
		assert_true(udma_ioat_before_sleep(g_chan) >= 0);
	}
	assert_int_equal(udma_ioat_coalesce(g_chan, 10), -ENOTSUP);
}

/* ---- Asleep without being ready: what was flushed since is looked for all the same ---- */

/** Within ten seconds. */
static void
assert_wakes(void)
{
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan), .events = POLLIN};

	assert_int_equal(poll(&event, 1, 10000), 1);
}

static void
assert_found_asleep(unsigned i)
{
	build(i, 0);
	spdk_ioat_flush(g_chan);
	while (g_ended[i].times == 0) {
		assert_wakes();
		assert_true(spdk_ioat_process_events(g_chan) >= 0);
	}
	assert_ended(i, UDMA_IOAT_OK);
}

/** It is woken once more, for nothing, and not again. */
static void
assert_idle(void)
{
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan), .events = POLLIN};
	unsigned woken = 0;

	do {
		assert_int_equal(get_ready(), 0);
	} while (poll(&event, 1, 300) == 1 && ++woken < 10);
	assert_true(woken <= 1);
}

static void
a_lost_interrupt_behind_a_flush_is_made_up_for(void **state)
{
	(void)state;
	assert_idle();
	RIG_SET(g_rig, loses_interrupts, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_found_asleep(i);
		assert_idle();
	}
}

static void
without_interrupts_a_flush_is_enough(void **state)
{
	(void)state;
	RIG_SET(g_rig, no_interrupts, true);
	assert_idle();
	for (unsigned i = 0; i < 3; i++) {
		assert_found_asleep(i);
		assert_idle();
	}
}

static void
a_hang_behind_a_flush_wakes(void **state)
{
	(void)state;
	assert_idle();
	udma_ioat_hang_us = 40000;
	RIG_SET(g_rig, hangs, true);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	while (g_ended[0].times == 0) {
		assert_wakes();
		spdk_ioat_process_events(g_chan);
	}
	assert_ended(0, UDMA_IOAT_HUNG);
	RIG_SET(g_rig, hangs, false);
}

/* ---- Errors ---- */

static void
a_halt_wakes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i += 4) {
		rig_pause(g_rig);
		build(i, 0);
		build_bad(i + 1, 0);
		build_bad_spdk(i + 2);
		build(i + 3, 0);
		resume_in(5000);
		while (g_ended[i + 3].times == 0) {
			int rc = wait_for(FOREVER);

			assert_true(rc > 0 || rc == -EIO);
		}
		join_helper();
		assert_ended(i, UDMA_IOAT_OK);
		assert_ended(i + 1, UDMA_IOAT_BAD_DESTINATION);
		assert_int_equal(g_ended[i + 2].times, 0);
		assert_ended(i + 3, UDMA_IOAT_OK);
		while (wait_for(FOREVER) < 0) {
		}
	}
}

/**
 * A polled device sees the next re-arm late: the first error after a restart, or since there are
 * interrupts, may come before it.
 */
static void
errors_interrupt_from_the_restart_on(void **state)
{
	(void)state;
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	assert_int_equal(rig_read16(g_rig, BAR_CHANCTRL) & 0x10, 0x10); /* ERR_INT_EN */
	build_bad(0, 0);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
	assert_int_equal(rig_read16(g_rig, BAR_CHANCTRL) & 0x10, 0x10); /* ERR_INT_EN */
}

static void
a_halt_without_a_word_wakes_by_its_interrupt(void **state)
{
	(void)state;
	/* An address that halts the engine, and a word that does not arrive. */
	rig_pause(g_rig);
	build_bad(0, 0);
	get_ready();
	RIG_SET(g_rig, loses_words, true);
	rig_step(g_rig, 1);
	RIG_SET(g_rig, loses_words, false);
	sleep_on_fd();
	rig_resume(g_rig);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_BAD_DESTINATION);
}

/** The interrupt of the halt was not to be, for nobody had asked for it yet. */
static void
a_halt_behind_a_completion_is_not_forgotten(void **state)
{
	(void)state;
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	udma_ioat_complete_every(g_chan, 1);
	rig_pause(g_rig);
	build(0, 0);
	build_bad(1, 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 1);
	RIG_SET(g_rig, loses_words, true);
	rig_step(g_rig, 1);
	RIG_SET(g_rig, loses_words, false);
	g_rig->function.emu->interrupts.pending = false;
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(udma_ioat_before_sleep(g_chan), 1);
	assert_ended(0, UDMA_IOAT_OK);
	assert_int_equal(udma_ioat_before_sleep(g_chan), 1);
	assert_ended(1, UDMA_IOAT_BAD_DESTINATION);
}

/** What the poll finds first is part of a request, and so nothing to stay awake for. */
static void
a_halt_behind_a_part_of_its_request_is_not_forgotten(void **state)
{
	const struct iovec src[] = {{g_memory + 4096, 8}, {g_memory + 4200, 8}, {g_memory, 8}};
	const struct iovec dst[] = {{g_memory, 8}, {g_memory + 64, 8}, {g_readonly, 8}};

	(void)state;
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	udma_ioat_complete_every(g_chan, 1);
	rig_pause(g_rig);
	assert_int_equal(udma_ioat_copyv(g_chan, dst, 3, src, 3, 0, on_end, &g_ended[0]), 0);
	spdk_ioat_flush(g_chan);
	rig_step(g_rig, 2);
	RIG_SET(g_rig, loses_words, true);
	rig_step(g_rig, 1);
	RIG_SET(g_rig, loses_words, false);
	g_rig->function.emu->interrupts.pending = false;
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(udma_ioat_before_sleep(g_chan), 1);
	assert_int_equal(g_ended[0].result.status, UDMA_IOAT_BAD_DESTINATION);
	assert_int_equal(g_ended[0].result.bytes, 16);
}

/** A device that looks at its registers from time to time may show that for long: until then who
 * gets ready to sleep looks each time, and time that has not passed counts for nothing. */
static void
a_channel_as_reset_leaves_it_is_no_hang(void **state)
{
	(void)state;
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	rig_pause(g_rig);
	build(0, 0);
	spdk_ioat_flush(g_chan);
	rig_poke(g_rig, BAR_CHANSTS, 8, 3);
	for (unsigned i = 0; i < 50000; i++) {
		assert_int_equal(udma_ioat_before_sleep(g_chan), 0);
	}
	rig_resume(g_rig);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_OK);
}

static void
a_hang_ends_a_wait(void **state)
{
	(void)state;
	udma_ioat_hang_us = 40000;
	RIG_SET(g_rig, hangs, true);
	build(0, 0);
	build_spdk(1);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_HUNG);
	assert_int_equal(wait_for(FOREVER), -EIO);
	assert_int_equal(udma_ioat_before_sleep(g_chan), -EIO);
	assert_true(is_readable());
	assert_failed(-EIO);
	RIG_SET(g_rig, hangs, false);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	build(2, 0);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(2, UDMA_IOAT_OK);
}

static void
a_device_that_goes_ends_a_wait(void **state)
{
	(void)state;
	rig_pause(g_rig);
	build(0, 0);
	get_ready();
	rig_vanish(g_rig);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_GONE);
	assert_int_equal(udma_ioat_before_sleep(g_chan), -ENODEV);
	assert_failed(-ENODEV);
}

/* ---- Detach, reset, abort ---- */

static void
detach(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
}

static void
a_callback_may_detach(void **state)
{
	(void)state;
	rig_pause(g_rig);
	udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, detach, &g_ended[0]);
	build(1, 0);
	resume_in(20000);
	assert_int_equal(wait_for(FOREVER), -ESHUTDOWN);
	join_helper();
	assert_int_equal(g_ended[0].times + g_ended[1].times, 2);
	assert_int_equal(g_rig->interrupt_fd, -1);
	attach();
	build(2, 0);
	assert_int_equal(wait_for(FOREVER), 1);
}

static void
a_callback_may_detach_before_a_sleep(void **state)
{
	(void)state;
	rig_pause(g_rig);
	udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, detach, &g_ended[0]);
	get_ready();
	rig_step(g_rig, 1);
	rig_resume(g_rig);
	assert_int_equal(udma_ioat_before_sleep(g_chan), -ESHUTDOWN);
	assert_int_equal(g_ended[0].times, 1);
}

static void
interrupts_come_after_abort_and_reset(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i += 3) {
		rig_pause(g_rig);
		build(i, 0);
		assert_int_equal(get_ready(), 0);
		RIG_SET(g_rig, resume_at_command, true);
		assert_int_equal(i % 2 ? udma_ioat_reset(g_chan) : udma_ioat_abort(g_chan), 0);
		RIG_SET(g_rig, resume_at_command, false);
		assert_ended(i, UDMA_IOAT_ABORTED);
		rig_pause(g_rig);
		build(i + 1, 0);
		resume_in(2000);
		assert_int_equal(wait_for(FOREVER), 1);
		join_helper();
	}
	/* Errors interrupt as before, too. */
	get_ready();
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	rig_pause(g_rig);
	build_bad(90, 0);
	assert_int_equal(get_ready(), 0);
	rig_resume(g_rig);
	sleep_on_fd();
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(90, UDMA_IOAT_BAD_DESTINATION);
}

/** An event loop that goes back to sleep behind it has not asked for the next interrupt. */
static void
a_reset_is_heard_of_by_who_sleeps(void **state)
{
	(void)state;
	get_ready();
	assert_false(is_readable());
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_true(is_readable());
	rig_pause(g_rig);
	build(0, 0);
	assert_int_equal(get_ready(), 0);
	assert_false(is_readable());
	rig_resume(g_rig);
	sleep_on_fd();
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_OK);
}

static void
nested_wait(void *arg, const struct udma_ioat_result *result)
{
	on_end(arg, result);
	build(1, 0);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(1, UDMA_IOAT_OK);
}

static void
a_callback_may_wait(void **state)
{
	(void)state;
	udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, 0, nested_wait, &g_ended[0]);
	assert_int_equal(wait_for(FOREVER), 1);
	assert_ended(0, UDMA_IOAT_OK);
}

static void
polls_are_not_interrupted(void **state)
{
	unsigned before;

	(void)state;
	build(0, 0);
	assert_int_equal(wait_for(FOREVER), 1);
	get_ready();
	build(1, 0);
	assert_int_equal(wait_for(FOREVER), 1);
	before = interrupts();
	/* One was armed for; no more after it, however many complete. */
	for (unsigned i = 2; i < 1000; i++) {
		build(i, 0);
		spdk_ioat_flush(g_chan);
		assert_int_equal(rig_poll(g_chan, 1), 1);
	}
	rig_pause(g_rig);
	assert_true(interrupts() <= before + 1);
	rig_resume(g_rig);
}

static void
interrupts_can_be_held_back(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_coalesce(g_chan, 16384), -EINVAL);
	assert_int_equal(udma_ioat_coalesce(g_chan, 16383), 0);
	assert_int_equal(rig_read16(g_rig, 0x0c), 0x8000 | 16383); /* INTRDELAY: section 3 */
	assert_int_equal(udma_ioat_coalesce(g_chan, 0), 0);
	assert_int_equal(rig_read16(g_rig, 0x0c), 0x8000);
	/* A part that cannot. */
	rig_poke(g_rig, 0x0c, 2, 0);
	assert_int_equal(udma_ioat_coalesce(g_chan, 1), -ENOTSUP);
}

/** Section 3: INTRDELAY, bits 13:0. */
static unsigned
delay_us(void)
{
	return rig_read16(g_rig, 0x0c) & 0x3fff;
}

static void
interrupts_are_held_back_until_detach(void **state)
{
	(void)state;
	assert_int_equal(udma_ioat_coalesce(g_chan, 5000), 0);
	assert_int_equal(udma_ioat_abort(g_chan), 0);
	assert_int_equal(delay_us(), 5000);
	spdk_ioat_detach(g_chan);
	assert_int_equal(delay_us(), 0);
	attach();
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	assert_int_equal(delay_us(), 0);
	/* Nor by who was killed. */
	spdk_ioat_detach(g_chan);
	rig_poke(g_rig, 0x0c, 2, 0x8000 | 16383);
	attach();
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	assert_int_equal(rig_read16(g_rig, 0x0c), 0x8000);
	/* A part that does not say that it can is left alone. */
	spdk_ioat_detach(g_chan);
	attach();
	rig_pause(g_rig);
	rig_poke(g_rig, 0x0c, 2, 77);
	assert_true(udma_ioat_get_fd(g_chan) >= 0);
	assert_int_equal(rig_read16(g_rig, 0x0c), 77);
	rig_resume(g_rig);
}

#define WITHOUT_TIMER(test)                                                                        \
	cmocka_unit_test_setup_teardown(test, setup_without_timer, teardown_wait)
#define WITH_TIMER(test) cmocka_unit_test_setup_teardown(test, setup, teardown_wait)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITHOUT_TIMER(nothing_outstanding_is_not_waited_for),
		WITHOUT_TIMER(a_sleep_ends_with_the_completion),
		WITHOUT_TIMER(no_time_is_one_poll),
		WITHOUT_TIMER(a_wait_takes_its_time_and_no_less),
		WITHOUT_TIMER(a_wait_is_no_poll),
		WITHOUT_TIMER(a_signal_ends_a_wait),
		WITHOUT_TIMER(what_was_announced_before_does_not_interrupt_and_is_found),
		WITHOUT_TIMER(the_descriptor_is_readable_until_one_is_ready_to_sleep),
		WITHOUT_TIMER(ready_before_anything_is_built_will_do),
		WITHOUT_TIMER(wait_and_an_event_loop_take_turns),
		WITHOUT_TIMER(epoll_in_epoll_wakes),
		WITHOUT_TIMER(no_wake_up_is_lost_in_a_race),
		WITHOUT_TIMER(spurious_interrupts_wake_and_do_no_harm),
		WITH_TIMER(lost_interrupts_are_made_up_for_by_the_timer),
		cmocka_unit_test_setup_teardown(without_interrupts_it_naps,
						setup_without_interrupts, teardown_wait),
		WITH_TIMER(a_lost_interrupt_behind_a_flush_is_made_up_for),
		WITH_TIMER(without_interrupts_a_flush_is_enough),
		WITH_TIMER(a_hang_behind_a_flush_wakes),
		WITHOUT_TIMER(a_halt_wakes),
		WITHOUT_TIMER(errors_interrupt_from_the_restart_on),
		WITHOUT_TIMER(a_halt_without_a_word_wakes_by_its_interrupt),
		WITHOUT_TIMER(a_halt_behind_a_completion_is_not_forgotten),
		WITHOUT_TIMER(a_halt_behind_a_part_of_its_request_is_not_forgotten),
		WITH_TIMER(a_channel_as_reset_leaves_it_is_no_hang),
		WITH_TIMER(a_hang_ends_a_wait),
		WITH_TIMER(a_device_that_goes_ends_a_wait),
		WITHOUT_TIMER(a_callback_may_detach),
		WITHOUT_TIMER(a_callback_may_detach_before_a_sleep),
		WITHOUT_TIMER(interrupts_come_after_abort_and_reset),
		WITHOUT_TIMER(a_reset_is_heard_of_by_who_sleeps),
		WITHOUT_TIMER(a_callback_may_wait),
		WITHOUT_TIMER(polls_are_not_interrupted),
		WITHOUT_TIMER(interrupts_can_be_held_back),
		WITHOUT_TIMER(interrupts_are_held_back_until_detach),
	};

	/* Only those of a name, where it is asked for (test/mutations). */
	if (argc > 1) {
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
