/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Waiting for the emulated channels of the process, whose thread sleeps too. The timer is as good
 * as off, so that a wake-up that is lost is a test that does not end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/epoll.h>
#include <sys/wait.h>

#include "ioat/channel.h"
#include "udma/fault.h"

#define FOREVER  UINT64_MAX
#define HOUR_US  3600000000ull
#define CHANNELS 2

static struct spdk_ioat_chan *g_chan[CHANNELS];
static struct spdk_pci_device *g_device[CHANNELS];
static uint8_t *g_memory;
static unsigned g_attached;

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return g_attached < CHANNELS;
}

static void
keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	g_device[g_attached] = device;
	g_chan[g_attached++] = chan;
}

static int
setup(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	setenv("UDMA_EMULATE", "2", 1);
	spdk_env_opts_init(&opts);
	assert_int_equal(spdk_env_init(&opts), 0);
	g_attached = 0;
	assert_int_equal(spdk_ioat_probe(NULL, want, keep), 0);
	assert_int_equal(g_attached, CHANNELS);
	g_memory = spdk_dma_zmalloc(1 << 20, 4096, NULL);
	assert_non_null(g_memory);
	udma_ioat_tick_us = HOUR_US;
	udma_ioat_hang_us = 10 * HOUR_US;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	udma_ioat_tick_us = 100000;
	udma_ioat_hang_us = 10000000;
	for (unsigned i = 0; i < CHANNELS; i++) {
		spdk_ioat_detach(g_chan[i]);
	}
	spdk_dma_free(g_memory);
	spdk_env_fini();
	return 0;
}

static void
count(void *arg, const struct udma_ioat_result *result)
{
	assert_int_equal(result->status, UDMA_IOAT_OK);
	++*(unsigned *)arg;
}

static void
copy(struct spdk_ioat_chan *chan, unsigned *ended)
{
	assert_int_equal(udma_ioat_copy(chan, g_memory, g_memory + 4096, 64, 0, count, ended), 0);
}

/** Waits for one copy after another, now and then after a pause in which the engine sleeps. */
static void
wait_often(struct spdk_ioat_chan *chan, unsigned times)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < times; i++) {
		copy(chan, &ended);
		if (i % 64 == 0) {
			usleep(i % 4096);
		}
		while (ended <= i) {
			assert_int_equal(udma_ioat_wait(chan, FOREVER), 1);
		}
	}
}

static void
wait_sleeps_through_nothing(void **state)
{
	(void)state;
	wait_often(g_chan[0], 20000);
}

static void *
wait_often_thread(void *arg)
{
	wait_often(arg, 5000);
	return NULL;
}

static void
two_threads_wait_for_a_channel_each(void **state)
{
	pthread_t thread[CHANNELS];

	(void)state;
	for (unsigned i = 0; i < CHANNELS; i++) {
		pthread_create(&thread[i], NULL, wait_often_thread, g_chan[i]);
	}
	for (unsigned i = 0; i < CHANNELS; i++) {
		pthread_join(thread[i], NULL);
	}
}

static void
one_loop_serves_all_channels(void **state)
{
	unsigned ended[CHANNELS] = {0}, built[CHANNELS] = {0};
	int loop = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		assert_int_equal(
			epoll_ctl(loop, EPOLL_CTL_ADD, udma_ioat_get_fd(g_chan[i]), &event), 0);
	}
	while (ended[0] + ended[1] < 10000) {
		struct epoll_event event;
		bool may_sleep = true;

		for (unsigned i = 0; i < CHANNELS; i++) {
			if (built[i] == ended[i]) {
				copy(g_chan[i], &ended[i]);
				built[i]++;
			}
			may_sleep &= udma_ioat_before_sleep(g_chan[i]) == 0;
		}
		if (may_sleep) {
			assert_int_equal(epoll_wait(loop, &event, 1, -1), 1);
		}
	}
	for (unsigned i = 0; i < CHANNELS; i++) {
		assert_int_equal(udma_ioat_drain(g_chan[i], FOREVER), 0);
		assert_int_equal(ended[i], built[i]);
	}
	close(loop);
}

static void
a_halt_wakes(void **state)
{
	uint8_t *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned ended = 0;

	(void)state;
	assert_int_equal(spdk_mem_register(readonly, 4096), 0);
	for (unsigned i = 0; i < 20; i++) {
		/* The engine sleeps by then, and has to be woken. */
		usleep(2000);
		assert_int_equal(
			spdk_ioat_submit_copy(g_chan[0], NULL, NULL, readonly, g_memory, 64), 0);
		assert_int_equal(udma_ioat_wait(g_chan[0], FOREVER), -EIO);
		copy(g_chan[0], &ended);
		assert_int_equal(udma_ioat_wait(g_chan[0], FOREVER), 1);
	}
	assert_int_equal(ended, 20);
	assert_int_equal(spdk_mem_unregister(readonly, 4096), 0);
	munmap(readonly, 4096);
}

static void
lost_interrupts_are_made_up_for(void **state)
{
	const struct udma_fault lost = {.kind = UDMA_FAULT_LOST_INTERRUPT, .every = 3, .times = 4};
	const struct udma_fault spurious = {.kind = UDMA_FAULT_SPURIOUS_INTERRUPT, .every = 2};

	(void)state;
	udma_ioat_tick_us = 20000;
	assert_int_equal(udma_fault_inject(g_device[0], &lost), 0);
	assert_int_equal(udma_fault_inject(g_device[0], &spurious), 0);
	while (udma_fault_count(g_device[0], UDMA_FAULT_LOST_INTERRUPT) < 4) {
		wait_often(g_chan[0], 100);
	}
	assert_true(udma_fault_count(g_device[0], UDMA_FAULT_SPURIOUS_INTERRUPT) > 0);
}

static void
removal_wakes_who_waits_for_nothing(void **state)
{
	const struct udma_fault removal = {.kind = UDMA_FAULT_REMOVAL};
	struct pollfd event = {.fd = udma_ioat_get_fd(g_chan[1]), .events = POLLIN};
	int rc;

	(void)state;
	while ((rc = udma_ioat_before_sleep(g_chan[1])) == 0 && poll(&event, 1, 20) == 1) {
	}
	assert_int_equal(rc, 0);
	assert_int_equal(udma_fault_inject(g_device[1], &removal), 0);
	assert_int_equal(poll(&event, 1, -1), 1);
	assert_int_equal(udma_ioat_before_sleep(g_chan[1]), -ENODEV);
	assert_int_equal(udma_ioat_wait(g_chan[1], FOREVER), -ENODEV);
	assert_int_equal(udma_fault_withdraw(g_device[1]), 0);
	assert_int_equal(udma_ioat_reset(g_chan[1]), 0);
	wait_often(g_chan[1], 100);
}

static void
removal_wakes_who_waits_for_a_request(void **state)
{
	const struct udma_fault hang = {.kind = UDMA_FAULT_HANG};
	const struct udma_fault removal = {.kind = UDMA_FAULT_REMOVAL};
	unsigned ended = 0;

	(void)state;
	udma_ioat_tick_us = 20000;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(udma_fault_inject(g_device[1], &hang), 0);
		assert_int_equal(
			spdk_ioat_submit_copy(g_chan[1], NULL, NULL, g_memory, g_memory + 4096, 64),
			0);
		assert_int_equal(udma_ioat_wait(g_chan[1], 30000), -ETIMEDOUT);
		assert_int_equal(udma_fault_inject(g_device[1], &removal), 0);
		assert_int_equal(udma_ioat_wait(g_chan[1], FOREVER), -ENODEV);
		assert_int_equal(udma_fault_withdraw(g_device[1]), 0);
		assert_int_equal(udma_ioat_reset(g_chan[1]), 0);
		copy(g_chan[1], &ended);
		assert_int_equal(udma_ioat_wait(g_chan[1], FOREVER), 1);
	}
}

static void
interrupts_are_held_back(void **state)
{
	struct pollfd event = {.events = POLLIN};
	unsigned ended = 0;

	(void)state;
	event.fd = udma_ioat_get_fd(g_chan[0]);
	assert_int_equal(udma_ioat_coalesce(g_chan[0], 10000), 0);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t start;

		while (udma_ioat_before_sleep(g_chan[0]) != 0 || poll(&event, 1, 20) != 0) {
		}
		start = spdk_get_ticks();
		copy(g_chan[0], &ended);
		spdk_ioat_flush(g_chan[0]);
		assert_int_equal(poll(&event, 1, -1), 1);
		/* The device counts from its own look at the clock. */
		assert_true((spdk_get_ticks() - start) * 1000000 / spdk_get_ticks_hz() > 9900);
		while (ended <= i) {
			spdk_ioat_process_events(g_chan[0]);
		}
	}
	assert_int_equal(udma_ioat_coalesce(g_chan[0], 0), 0);
	wait_often(g_chan[0], 100);
}

static void
a_child_takes_nothing(void **state)
{
	unsigned ended = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		pid_t child;
		int status;

		copy(g_chan[0], &ended);
		child = fork();
		assert_int_not_equal(child, -1);
		if (child == 0) {
			usleep(1000);
			_exit(0);
		}
		assert_int_equal(udma_ioat_wait(g_chan[0], FOREVER), 1);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	assert_int_equal(ended, 20);
}

static void
a_child_that_detaches_takes_nothing_away(void **state)
{
	int status;
	pid_t child;

	(void)state;
	wait_often(g_chan[0], 10);
	assert_true(udma_ioat_get_fd(g_chan[0]) >= 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		spdk_ioat_detach(g_chan[0]);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* Interrupts come as before. */
	wait_often(g_chan[0], 1000);
}

/** SPDK's calls, for whoever drives the function by himself: a raw interrupt of the second one. */
static void
spdks_calls_give_the_interrupt(void **state)
{
	struct pollfd event = {.events = POLLIN};
	struct spdk_ioat_chan *chan = g_chan[1];
	uint64_t value;

	(void)state;
	assert_int_equal(spdk_pci_device_get_interrupt_efd(g_device[1]), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupts(g_device[1], 2), -EINVAL);
	assert_int_equal(spdk_pci_device_enable_interrupt(g_device[1]), 0);
	event.fd = spdk_pci_device_get_interrupt_efd(g_device[1]);
	write_intrctrl(chan->bar, INTRCTRL_MASTER);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(udma_ioat_null(chan, 0, NULL, NULL), 0);
		udma_ioat_slot(chan, chan->head - 1)->dma.u.control_raw |=
			UDMA_IOAT_CONTROL_INT_ENABLE;
		spdk_ioat_flush(chan);
		assert_int_equal(poll(&event, 1, -1), 1);
		assert_int_equal(read(event.fd, &value, sizeof(value)), sizeof(value));
		assert_int_equal(value, 1);
		assert_int_equal(udma_ioat_drain(chan, FOREVER), 0);
		assert_int_equal(poll(&event, 1, 0), 0);
		write_chanctrl(chan->bar, UDMA_IOAT_CHANCTRL | SPDK_IOAT_CHANCTRL_INT_REARM);
	}
	/* The channel cannot have it as well, and naps. */
	wait_often(chan, 20);
	assert_true(udma_ioat_get_fd(chan) >= 0);
	assert_int_equal(chan->waiting.interrupt_fd, -1);
	assert_int_equal(spdk_pci_device_disable_interrupt(g_device[1]), 0);
}

#define WITH_CHANNELS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNELS(wait_sleeps_through_nothing),
		WITH_CHANNELS(two_threads_wait_for_a_channel_each),
		WITH_CHANNELS(one_loop_serves_all_channels),
		WITH_CHANNELS(a_halt_wakes),
		WITH_CHANNELS(lost_interrupts_are_made_up_for),
		WITH_CHANNELS(removal_wakes_who_waits_for_nothing),
		WITH_CHANNELS(removal_wakes_who_waits_for_a_request),
		WITH_CHANNELS(interrupts_are_held_back),
		WITH_CHANNELS(a_child_takes_nothing),
		WITH_CHANNELS(a_child_that_detaches_takes_nothing_away),
		WITH_CHANNELS(spdks_calls_give_the_interrupt),
	};

	return cmocka_run_group_tests_name("wait, emulated", tests, NULL, NULL);
}
