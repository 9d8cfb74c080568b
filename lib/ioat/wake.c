/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What wakes who sleeps: the descriptor that a program watches, interrupts and a timer behind it,
 * and what is made of their events. Why it is as it is: wait.c.
 */

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "channel.h"

#include "pci/pci_internal.h"
#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"
#include "udma/pci.h"

#define TICK_MIN_US 1000
/* Without interrupts: the first nap and the longest. */
#define NAP_MIN_US 50
#define NAP_MAX_US 1000

uint64_t udma_ioat_tick_us = 100000;

enum member { KICK, TIMER, INTERRUPT, REMOVAL, EVENTS_MAX };

void
udma_ioat_kick(const struct udma_ioat_waiting *waiting)
{
	uint64_t one = 1;

	if (write(waiting->kick_fd, &one, sizeof(one)) != sizeof(one)) {
		/* The counter is full, and so readable. */
	}
}

/* ---- Making it --------------------------------------------------------------------------- */

static int
add(const struct udma_ioat_waiting *waiting, int fd, enum member member)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = member};

	return epoll_ctl(waiting->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void
close_all(struct udma_ioat_waiting *waiting)
{
	int *const fds[] = {&waiting->fd, &waiting->kick_fd, &waiting->timer_fd};

	for (size_t i = 0; i < SPDK_COUNTOF(fds); i++) {
		if (*fds[i] >= 0) {
			close(*fds[i]);
		}
		*fds[i] = -1;
	}
}

static int
open_all(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	int removal_fd = udma_pci_removal_fd(chan->device);
	int rc;

	waiting->fd = epoll_create1(EPOLL_CLOEXEC);
	waiting->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	waiting->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	rc = waiting->fd < 0 || waiting->kick_fd < 0 || waiting->timer_fd < 0 ? -errno : 0;
	if (rc == 0) {
		rc = add(waiting, waiting->kick_fd, KICK);
	}
	if (rc == 0) {
		rc = add(waiting, waiting->timer_fd, TIMER);
	}
	if (rc == 0 && removal_fd >= 0) {
		rc = add(waiting, removal_fd, REMOVAL);
	}
	if (rc != 0) {
		SPDK_ERRLOG("%s: no descriptors for waiting: %s\n", chan->name, spdk_strerror(-rc));
		close_all(waiting);
	}
	return rc;
}

/** Whether the part can hold interrupts back (section 3: INTRDELAY, bit 15). */
static bool
can_coalesce(const struct spdk_ioat_chan *chan)
{
	return (read_intrdelay(chan->bar) & INTRDELAY_SUPPORTED) != 0;
}

/** Lets the function interrupt at all. Linux writes 09h for MSI-X, and 01h else. */
static void
enable_in_function(const struct spdk_ioat_chan *chan)
{
	const struct udma_ioat_waiting *waiting = &chan->waiting;

	if (waiting->interrupt_fd >= 0) {
		write_intrctrl(chan->bar, waiting->kind == UDMA_PCI_MSIX
						  ? INTRCTRL_MASTER | INTRCTRL_VECTOR_EACH
						  : INTRCTRL_MASTER);
	}
	/* Also 0: whoever had the function before may have left another time. */
	if (can_coalesce(chan)) {
		write_intrdelay(chan->bar, waiting->coalesce_us);
	}
}

/** \return whether there are interrupts; the reason is logged if not. */
static bool
connect_interrupts(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	int rc = udma_pci_interrupts_on(chan->device, 1);

	waiting->interrupt_fd = -1;
	if (rc > 0) {
		int fd = udma_pci_interrupt_fd(chan->device, 0);

		waiting->kind = rc;
		rc = add(waiting, fd, INTERRUPT);
		if (rc == 0) {
			waiting->interrupt_fd = fd;
			return true;
		}
		udma_pci_interrupts_off(chan->device);
	}
	SPDK_NOTICELOG("%s: no interrupts (%s): who waits for it looks every %u to %u us\n",
		       chan->name, rc == -ENOTSUP ? "the device has none" : spdk_strerror(-rc),
		       NAP_MIN_US, NAP_MAX_US);
	return false;
}

int
udma_ioat_get_fd(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	int rc;

	if (waiting->on) {
		return waiting->fd;
	}
	if (chan->refuse == -ESHUTDOWN) {
		return -ESHUTDOWN;
	}
	rc = open_all(chan);
	if (rc != 0) {
		return rc;
	}
	waiting->on = true;
	waiting->nap_us = NAP_MIN_US;
	waiting->usual_tick_us = udma_ioat_tick_us;
	waiting->spin = udma_ioat_ticks_of_us(UDMA_IOAT_SPIN_MAX_US);
	/* What is announced from here on interrupts; what was before does not. */
	waiting->silent_until = UINT64_MAX;
	if (connect_interrupts(chan)) {
		waiting->silent_until = chan->announced;
		chan->last_control |= UDMA_IOAT_CONTROL_INT_ENABLE;
		enable_in_function(chan);
		write_chanctrl(chan->bar, udma_ioat_chanctrl(chan));
	}
	udma_ioat_take_care(chan);
	udma_ioat_kick(waiting);
	return waiting->fd;
}

void
udma_ioat_waiting_restart(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;

	if (!waiting->on) {
		return;
	}
	/* Some parts lose the message at a reset (section 13), all at one of the whole function. */
	if (waiting->interrupt_fd >= 0) {
		udma_pci_interrupts_again(chan->device);
	}
	enable_in_function(chan);
	waiting->armed = false;
	udma_ioat_kick(waiting);
}

void
udma_ioat_waiting_end(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;

	if (!waiting->on) {
		return;
	}
	waiting->on = false;
	if (waiting->interrupt_fd >= 0 && chan->process == getpid()) {
		if (!udma_ioat_is_gone(chan)) {
			if (waiting->coalesce_us != 0) {
				write_intrdelay(chan->bar, 0);
			}
			write_intrctrl(chan->bar, 0);
		}
		udma_pci_interrupts_off(chan->device);
	}
	waiting->interrupt_fd = -1;
	close_all(waiting);
}

int
udma_ioat_coalesce(struct spdk_ioat_chan *chan, unsigned us)
{
	int rc = udma_ioat_get_fd(chan);

	if (rc < 0) {
		return rc;
	}
	if (us > INTRDELAY_US) {
		SPDK_ERRLOG("%s: interrupts cannot be held back for %u us, %u is the most\n",
			    chan->name, us, INTRDELAY_US);
		return -EINVAL;
	}
	if (chan->waiting.interrupt_fd < 0 || !can_coalesce(chan)) {
		return -ENOTSUP;
	}
	chan->waiting.coalesce_us = (uint16_t)us;
	write_intrdelay(chan->bar, us);
	return 0;
}

/* ---- Events ------------------------------------------------------------------------------ */

void
udma_ioat_set_tick(struct spdk_ioat_chan *chan, uint64_t us)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	const struct timespec period = {.tv_sec = (time_t)(us / 1000000),
					.tv_nsec = (long)(us % 1000000 * 1000)};
	const struct itimerspec timer = {.it_interval = period, .it_value = period};

	if (us != waiting->tick_us) {
		timerfd_settime(waiting->timer_fd, 0, &timer, NULL);
		waiting->tick_us = us;
		udma_ioat_take_care(chan);
	}
}

/** The timer has found what should have interrupted: looks more often from now on. */
static void
on_lost_interrupt(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;

	waiting->usual_tick_us = spdk_max(waiting->usual_tick_us / 2, TICK_MIN_US);
	if (!waiting->said_lost) {
		SPDK_WARNLOG("%s: interrupts are lost, and completions found after up to %" PRIu64
			     " us; "
			     "who waits looks more often while that goes on\n",
			     chan->name, udma_ioat_tick_us);
		waiting->said_lost = true;
	}
}

/** The timer has come round. It goes on when it is read. */
static void
on_tick(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	bool moved = chan->completed != waiting->slept_at;
	uint64_t ticks;

	if (read(waiting->timer_fd, &ticks, sizeof(ticks)) != sizeof(ticks)) {
		/* It was set anew meanwhile. */
	}
	if (!udma_ioat_is_outstanding(chan)) {
		udma_ioat_set_tick(chan, 0);
	}
	waiting->nap_us = moved ? NAP_MIN_US : spdk_min(waiting->nap_us * 2, NAP_MAX_US);
	if (waiting->slept_at < waiting->silent_until || waiting->coalesce_us != 0 || !moved) {
		return;
	}
	/* Once, it may only be late. */
	if (waiting->missing) {
		on_lost_interrupt(chan);
	}
	waiting->missing = true;
}

void
udma_ioat_take_events(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(waiting->fd, events, EVENTS_MAX, 0);
	bool ticked = false, interrupted = false, wanted = false;

	for (int i = 0; i < count; i++) {
		ticked |= events[i].data.u32 == TIMER;
		interrupted |= events[i].data.u32 == INTERRUPT;
		wanted |= events[i].data.u32 == REMOVAL;
	}
	/* Of one that is gone the bus may tell by an interrupt. */
	wanted |= count > 0 && __atomic_load_n(&chan->device->internal.removed, __ATOMIC_RELAXED);
	if (interrupted) {
		waiting->usual_tick_us = udma_ioat_tick_us;
		waiting->missing = false;
	}
	if (ticked && interrupted) {
		udma_ioat_set_tick(chan, 0);
	} else if (ticked) {
		on_tick(chan);
	}
	if (wanted && !chan->failed) {
		udma_ioat_fail(chan, UDMA_IOAT_GONE, "the device is gone");
	}
	if (count > 0) {
		waiting->armed = false;
	}
}
