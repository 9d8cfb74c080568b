/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Waiting without polling (section 10).
 *
 * The device sends one interrupt and then none until CHANCTRL is written (re-arm). So whoever wants
 * to sleep does three things, in this order: takes in the interrupts that have come, re-arms, and
 * polls once more. What completes before the re-arm has reached the device is found by that poll:
 * a register is read in between, which the write cannot be behind. What completes later interrupts.
 *
 * The program's descriptor is an epoll instance, for there is more to wake for than completions: a
 * timer looks at a device that says nothing (it hangs, it is gone, an interrupt was lost), and the
 * kernel may want a function back. Its members are edge-triggered and never read: from outside it
 * is readable from an event until the events are taken, which is the first of the three things. A
 * program that sleeps without having done them finds it readable, and so does not sleep.
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
/* Polls before a sleep that is expected to be short, and what is short. */
#define SPIN_MAX_US 20
#define SPIN_MIN_US 2
#define SHORT_US    100

uint64_t udma_ioat_tick_us = 100000;

enum member { KICK, TIMER, INTERRUPT, REMOVAL, EVENTS_MAX };

static uint64_t
ticks_of_us(uint64_t us)
{
	return spdk_get_ticks_hz() / 1000000 * us;
}

static void
kick(const struct udma_ioat_waiting *waiting)
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
	if (waiting->coalesce_us != 0) {
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
	waiting->spin = ticks_of_us(SPIN_MAX_US);
	/* What is announced from here on interrupts; what was before does not. */
	waiting->silent_until = UINT64_MAX;
	if (connect_interrupts(chan)) {
		waiting->silent_until = chan->announced;
		chan->last_control |= UDMA_IOAT_CONTROL_INT_ENABLE;
		enable_in_function(chan);
	}
	kick(waiting);
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
	kick(waiting);
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
	if (chan->waiting.interrupt_fd < 0 || !(read_intrdelay(chan->bar) & INTRDELAY_SUPPORTED)) {
		return -ENOTSUP;
	}
	chan->waiting.coalesce_us = (uint16_t)us;
	write_intrdelay(chan->bar, us);
	return 0;
}

/* ---- Ready to sleep ---------------------------------------------------------------------- */

static bool
is_outstanding(const struct spdk_ioat_chan *chan)
{
	return chan->completed != chan->announced;
}

static void
set_tick(struct udma_ioat_waiting *waiting, uint64_t us)
{
	const struct timespec period = {.tv_sec = (time_t)(us / 1000000),
					.tv_nsec = (long)(us % 1000000 * 1000)};
	const struct itimerspec timer = {.it_interval = period, .it_value = period};

	if (us != waiting->tick_us) {
		timerfd_settime(waiting->timer_fd, 0, &timer, NULL);
		waiting->tick_us = us;
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
	if (!is_outstanding(chan)) {
		set_tick(waiting, 0);
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

/** Takes the events in: from here on the descriptor is not readable until there is another. */
static void
take_events(struct spdk_ioat_chan *chan)
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
		set_tick(waiting, 0);
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

/** Lets the device send the next interrupt. When it returns the device knows. */
static void
arm(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	uint64_t status;

	if (waiting->interrupt_fd >= 0) {
		if (waiting->kind != UDMA_PCI_MSIX) {
			/* Takes the level back, before the next one can come. */
			read_attnstatus(chan->bar);
		}
		write_chanctrl(chan->bar, UDMA_IOAT_CHANCTRL | SPDK_IOAT_CHANCTRL_ERR_INT_EN |
						  SPDK_IOAT_CHANCTRL_INT_REARM);
		if (waiting->kind == UDMA_PCI_INTX) {
			udma_pci_interrupts_again(chan->device);
		}
	}
	waiting->armed = true;
	/* A read does not overtake the write, and its answer none of what the engine has stored
	 * before it: the completion word that is loaded next. */
	status = read_chansts(chan->bar);
	spdk_rmb();
	if (is_outstanding(chan) &&
	    (status & SPDK_IOAT_CHANSTS_STATUS) == SPDK_IOAT_CHANSTS_HALTED) {
		udma_ioat_look_now(chan);
		/* Should the poll find completions before it looks, the next time asks again. */
		waiting->armed = false;
	}
}

/** \return how often to look while asleep. */
static uint64_t
tick_of(const struct spdk_ioat_chan *chan)
{
	const struct udma_ioat_waiting *waiting = &chan->waiting;

	if (chan->completed < waiting->silent_until) {
		return waiting->nap_us;
	}
	/* A hang is found by looks (ring.c), of which each counts for an eighth of the limit at
	 * the most. */
	return spdk_min(waiting->usual_tick_us, udma_ioat_hang_us / 8);
}

/** \return as udma_ioat_before_sleep(). The channel may be `detached` then. */
static int
get_ready(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	int rc;

	spdk_ioat_flush(chan);
	take_events(chan);
	if (!waiting->armed && !chan->failed) {
		arm(chan);
	}
	rc = spdk_ioat_process_events(chan);
	if (chan->detached) {
		return rc;
	}
	if (chan->failed) {
		kick(waiting); /* nobody sleeps on it */
	}
	waiting->slept_at = chan->completed;
	if (rc == 0 && is_outstanding(chan)) {
		set_tick(waiting, tick_of(chan));
	}
	return rc;
}

int
udma_ioat_before_sleep(struct spdk_ioat_chan *chan)
{
	int rc = udma_ioat_get_fd(chan);

	if (rc < 0) {
		return rc;
	}
	chan->depth++;
	return udma_ioat_leave(chan, get_ready(chan));
}

/* ---- Waiting ----------------------------------------------------------------------------- */

/** A wait that is under way. */
struct wait {
	uint64_t start;
	uint64_t limit; /* in ticks */
};

/** \return ticks that are left; 0 if the time is over. */
static uint64_t
ticks_left(const struct wait *wait)
{
	uint64_t passed = spdk_get_ticks() - wait->start;

	return passed < wait->limit ? wait->limit - passed : 0;
}

static bool
is_over(const struct spdk_ioat_chan *chan, int rc)
{
	return rc != 0 || chan->detached || chan->request_tail == chan->request_head;
}

/**
 * Polls before it sleeps, for that is quicker where the wait is short. How long is learnt: a sleep
 * that was short calls for more polling, a long one for less.
 */
static int
spin(struct spdk_ioat_chan *chan, const struct wait *wait)
{
	uint64_t most = ticks_of_us(SPIN_MAX_US);
	uint64_t ticks = spdk_min(chan->waiting.on ? chan->waiting.spin : most, wait->limit);
	int rc = 0;

	while (!is_over(chan, rc) && spdk_get_ticks() - wait->start < ticks) {
		spdk_pause();
		rc = spdk_ioat_process_events(chan);
	}
	return rc;
}

static void
learn(struct udma_ioat_waiting *waiting, const struct wait *wait)
{
	uint64_t least = ticks_of_us(SPIN_MIN_US), most = ticks_of_us(SPIN_MAX_US);

	if (spdk_get_ticks() - wait->start > ticks_of_us(SHORT_US)) {
		waiting->spin /= 2;
	} else {
		waiting->spin = spdk_min(spdk_max(waiting->spin * 2, least), most);
	}
}

/** \return 0: there is something to look at, or the time is over; -EINTR. */
static int
sleep_until_event(const struct spdk_ioat_chan *chan, uint64_t ticks)
{
	struct pollfd event = {.fd = chan->waiting.fd, .events = POLLIN};
	uint64_t hz = spdk_get_ticks_hz();
	const struct timespec left = {.tv_sec = (time_t)(ticks / hz),
				      .tv_nsec = (long)(ticks % hz * 1000 / (hz / 1000000))};

	if (ppoll(&event, 1, ticks == UINT64_MAX ? NULL : &left, NULL) < 0) {
		return -errno;
	}
	return 0;
}

static int
sleep_on(struct spdk_ioat_chan *chan, const struct wait *wait)
{
	for (;;) {
		int rc = get_ready(chan);
		uint64_t left;

		if (is_over(chan, rc)) {
			return rc;
		}
		left = ticks_left(wait);
		if (left == 0) {
			return -ETIMEDOUT;
		}
		rc = sleep_until_event(chan, wait->limit == UINT64_MAX ? UINT64_MAX : left);
		if (rc != 0) {
			return rc;
		}
		rc = spdk_ioat_process_events(chan);
		if (rc > 0) {
			learn(&chan->waiting, wait);
		}
		if (is_over(chan, rc)) {
			return rc;
		}
	}
}

/** A poll has found nothing. */
static int __attribute__((noinline)) wait_longer(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	uint64_t per_us = spdk_get_ticks_hz() / 1000000;
	struct wait wait = {
		.start = spdk_get_ticks(),
		.limit = timeout_us < UINT64_MAX / per_us ? timeout_us * per_us : UINT64_MAX,
	};
	int rc;

	if (timeout_us == 0) {
		return -ETIMEDOUT;
	}
	chan->depth++;
	rc = spin(chan, &wait);
	if (!is_over(chan, rc)) {
		rc = udma_ioat_get_fd(chan);
		rc = rc < 0 ? rc : sleep_on(chan, &wait);
	}
	return udma_ioat_leave(chan, rc);
}

int
udma_ioat_wait(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	int rc;

	if (chan->head != chan->announced) {
		spdk_ioat_flush(chan);
	}
	rc = spdk_ioat_process_events(chan);
	/* Under load this is all. After callbacks the channel may be gone. */
	if (rc != 0 || chan->request_tail == chan->request_head) {
		return rc;
	}
	return wait_longer(chan, timeout_us);
}
