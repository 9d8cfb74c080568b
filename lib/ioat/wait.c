/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Waiting without polling (section 10).
 *
 * The device sends one interrupt and then none until CHANCTRL is written (re-arm). So whoever wants
 * to sleep does three things, in this order: takes in the interrupts that have come, re-arms, and
 * polls once more. What completes before the re-arm has reached the device is found by that poll:
 * a register is read in between, which the write cannot be behind. What completes later interrupts.
 * (A device that looks at a BAR in memory may see the re-arm later still: it keeps the cause, and
 * interrupts then.)
 *
 * The program's descriptor is an epoll instance, for there is more to wake for than completions: a
 * timer looks at a device that says nothing (it hangs, it is gone, an interrupt was lost), and the
 * kernel may want a function back. Its members are edge-triggered and never read: from outside it
 * is readable from an event until the events are taken, which is the first of the three things. A
 * program that sleeps without having done them finds it readable, and so does not sleep; or there
 * has been no event since, and a flush sees to it that the timer runs.
 */

#include "channel.h"

#include "pci/pci_internal.h"
#include "spdk/util.h"
#include "udma/pci.h"

/* The least polling before a sleep that is expected to be short, and what is short. */
#define SPIN_MIN_US 2
#define SHORT_US    100

/* ---- Ready to sleep ---------------------------------------------------------------------- */

/**
 * Lets the device send the next interrupt. When it returns silicon knows.
 *
 * \return whether the engine has halted with something to do: it need not interrupt for that.
 */
static bool
arm(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	uint64_t status;

	if (waiting->interrupt_fd >= 0) {
		if (waiting->kind != UDMA_PCI_MSIX) {
			/* Takes the level back, before the next one can come. */
			read_attnstatus(chan->bar);
		}
		write_chanctrl(chan->bar, udma_ioat_chanctrl(chan) | SPDK_IOAT_CHANCTRL_INT_REARM);
		if (waiting->kind == UDMA_PCI_INTX) {
			udma_pci_interrupts_again(chan->device);
		}
	}
	/* A read does not overtake the write, and its answer none of what the engine has stored
	 * before it: the completion word that is loaded next. */
	status = read_chansts(chan->bar);
	spdk_rmb();
	waiting->armed = !udma_ioat_is_outstanding(chan) ||
			 (status & SPDK_IOAT_CHANSTS_STATUS) != SPDK_IOAT_CHANSTS_HALTED;
	return !waiting->armed;
}

/** A poll that finds a halt even if only the status shows it. */
static int
poll_at_halt(struct spdk_ioat_chan *chan)
{
	/* Completions first: while they come, a poll does not look. With something to tell of, the
	 * next time asks again. */
	int rc = spdk_ioat_process_events(chan);

	if (rc == 0 && !chan->detached && udma_ioat_is_outstanding(chan)) {
		udma_ioat_look_now(chan);
		rc = spdk_ioat_process_events(chan);
	}
	return rc;
}

/** \return how often to look while asleep. */
static uint64_t
tick_of(const struct spdk_ioat_chan *chan)
{
	const struct udma_ioat_waiting *waiting = &chan->waiting;
	uint64_t word = __atomic_load_n(chan->completion, __ATOMIC_RELAXED);

	/* A word that is not believed (ring.c) has interrupted, and is true if there is no other.
	 */
	if (chan->completed < waiting->silent_until ||
	    udma_ioat_is_far(udma_ioat_newly_completed(chan, word))) {
		return waiting->nap_us;
	}
	/* A hang is found by looks (stall.c), of which each counts for an eighth of the limit at
	 * the most. */
	return spdk_min(waiting->usual_tick_us, udma_ioat_hang_us / 8);
}

void
udma_ioat_look_asleep(struct spdk_ioat_chan *chan)
{
	if (chan->waiting.on && udma_ioat_is_outstanding(chan)) {
		udma_ioat_set_tick(chan, tick_of(chan));
	}
}

/** \return as udma_ioat_before_sleep(). The channel may be `detached` then. */
static int
get_ready(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_waiting *waiting = &chan->waiting;
	bool halted = false;
	int rc;

	spdk_ioat_flush(chan);
	udma_ioat_take_events(chan);
	if (!waiting->armed && !chan->failed) {
		halted = arm(chan);
	}
	rc = halted ? poll_at_halt(chan) : spdk_ioat_process_events(chan);
	if (chan->detached) {
		return rc;
	}
	if (chan->failed) {
		udma_ioat_kick(waiting); /* nobody sleeps on it */
	}
	waiting->slept_at = chan->completed;
	udma_ioat_look_asleep(chan);
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
	uint64_t most = udma_ioat_ticks_of_us(UDMA_IOAT_SPIN_MAX_US);
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
	uint64_t least = udma_ioat_ticks_of_us(SPIN_MIN_US),
		 most = udma_ioat_ticks_of_us(UDMA_IOAT_SPIN_MAX_US);

	if (spdk_get_ticks() - wait->start > udma_ioat_ticks_of_us(SHORT_US)) {
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
	/* Rounded down, and so below a second; what is missing is slept for after the next look. */
	const struct timespec left = {.tv_sec = (time_t)(ticks / hz),
				      .tv_nsec = (long)(ticks % hz * 1000000000 / hz)};

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

int
udma_ioat_sleep(struct spdk_ioat_chan *chan, uint64_t timeout_us)
{
	const struct wait wait = {
		.start = spdk_get_ticks(),
		.limit = udma_ioat_ticks_of_us(timeout_us),
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
