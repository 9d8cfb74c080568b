/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What registers are looked at for: the cause of a halt, and a channel whose completion word does
 * not change although descriptors are outstanding, whose status is looked at by time and not by
 * count, so that polls pay nothing for it.
 */

#include "channel.h"

#include "spdk/util.h"

/* A stalled channel is looked at this often: "noticed within a millisecond of polling". */
#define LOOKS_PER_SECOND 2000

/* How long a halt may show no cause. Each that has shown none halves that for the next, at most so
 * often: a channel that never has one waits for two seconds in all, and then 16 ms for each. */
#define CAUSE_LIMIT_US  1000000
#define CAUSELESS_LIMIT 6

/* ---- The cause of a halt ---- */

/** \return what a poll returns. No look counts for more than an eighth: see hangs(). */
static int
look_for_cause(struct spdk_ioat_chan *chan)
{
	struct udma_ioat_halt *halt = &chan->halt;
	uint64_t limit = udma_ioat_ticks_of_us(CAUSE_LIMIT_US) >> halt->causeless;
	uint64_t now = spdk_get_ticks();
	uint32_t chanerr = read_chanerr(chan->bar);

	if ((chan->seen & SPDK_IOAT_CHANSTS_STATUS) != SPDK_IOAT_CHANSTS_HALTED) {
		/* There has been another word since: the engine goes on. */
		halt->awaits_cause = false;
		return 0;
	}
	halt->waited += spdk_min(now - halt->looked_at, limit / 8);
	halt->looked_at = now;
	if (chanerr == 0 && halt->waited < limit && !spdk_pci_device_is_removed(chan->device)) {
		/* The next poll looks again, whatever the time; who sleeps on it polls. */
		chan->stalled = true;
		chan->look_at = now;
		if (chan->waiting.on) {
			udma_ioat_kick(&chan->waiting);
		}
		return 0;
	}
	if (chanerr == 0 && halt->causeless < CAUSELESS_LIMIT) {
		halt->causeless++;
	}
	halt->awaits_cause = false;
	/* The word was an old one, if the engine shows that it has done all. */
	if (chanerr != 0 || !udma_ioat_take_idle_status(chan, read_chansts(chan->bar))) {
		udma_ioat_recover(chan, halt->at_known_address, chanerr);
	}
	return udma_ioat_report(chan);
}

/**
 * The engine stores the word first and shows the registers afterwards (section 9); one that is
 * emulated by a thread, when that has its turn. Until then they may be as the last reset has left
 * them, HALTED and without a cause. Polls do not wait for it: they come back to it.
 */
int __attribute__((cold)) udma_ioat_meet_halt(struct spdk_ioat_chan *chan, bool address_is_known)
{
	if (!udma_ioat_is_outstanding(chan)) {
		/* Nobody is to blame: what is announced behind it is not to be taken for the cause.
		 */
		udma_ioat_recover(chan, address_is_known, read_chanerr(chan->bar));
		return udma_ioat_report(chan);
	}
	chan->halt.awaits_cause = true;
	chan->halt.at_known_address = address_is_known;
	chan->halt.looked_at = spdk_get_ticks();
	chan->halt.waited = 0;
	return look_for_cause(chan);
}

/* ---- No word ---- */

/**
 * Whether a status that was read in two halves is one. From version 3.3 on it is, at a halt or
 * idle, where it does not change any more; before that the halves may not belong together (section
 * 13, torn status): two reads alike are taken for one.
 */
static bool
is_whole(const struct spdk_ioat_chan *chan, uint64_t status)
{
	return chan->version >= SPDK_IOAT_VER_3_3 || read_chansts(chan->bar) == status;
}

/**
 * Whether a halted channel is just as RESET has left it: a device that looks at its registers from
 * time to time has not seen yet that it was armed, or has not shown it, although words of the new
 * chain may have been stored. A halt has a cause; one that never shows it counts as a hang.
 */
static bool
is_as_reset(uint64_t status, uint32_t chanerr)
{
	return status == SPDK_IOAT_CHANSTS_HALTED && chanerr == 0;
}

/**
 * Whether the function was reset as a whole behind our back (section 2.2), as by others, or where
 * it was away for a moment: the driver's own resets leave these as they are, and nothing else
 * makes both of them 0.
 */
static bool
has_forgotten_us(const struct spdk_ioat_chan *chan)
{
	return read_chainaddr(chan->bar) == 0 && read_chancmp(chan->bar) == 0;
}

/** A halt that was not pushed to memory. */
static void
recover_by_status(struct spdk_ioat_chan *chan, uint64_t status)
{
	bool none = (status & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK) == 0;
	bool known = is_whole(chan, status) &&
		     (none ? chan->completed == chan->base : udma_ioat_advance(chan, status));

	udma_ioat_recover(chan, known, read_chanerr(chan->bar));
}

bool
udma_ioat_take_idle_status(struct spdk_ioat_chan *chan, uint64_t status)
{
	if ((status & SPDK_IOAT_CHANSTS_STATUS) != SPDK_IOAT_CHANSTS_IDLE ||
	    udma_ioat_newly_completed(chan, status) != chan->announced - chan->completed ||
	    !is_whole(chan, status)) {
		return false;
	}
	/* An older address in the word would be taken for one of the next lap (quiesce.c). An idle
	 * engine stores nothing. */
	chan->seen = status & SPDK_IOAT_CHANSTS_COMPLETED_DESCRIPTOR_MASK;
	__atomic_store_n((uint64_t *)chan->completion_line, chan->seen, __ATOMIC_RELEASE);
	udma_ioat_advance(chan, status);
	chan->stalled = false;
	return true;
}

/**
 * Whether an engine has finished nothing for too long. A batch has one word, its status goes on
 * with each descriptor. No look counts for more than an eighth: where the program is stopped, as by
 * a debugger, an engine in it is stopped too.
 */
static bool
hangs(struct spdk_ioat_chan *chan, uint64_t status, uint64_t passed)
{
	uint64_t limit = udma_ioat_ticks_of_us(udma_ioat_hang_us);
	uint64_t newly = udma_ioat_newly_completed(chan, status);

	/* Any change is progress: one that is late, and behind what has completed, looks far ahead
	 * in a full ring. */
	if (newly != UDMA_IOAT_NOT_OUTSTANDING && newly != chan->progress) {
		chan->progress = newly;
		chan->waited = 0;
	} else {
		chan->waited += spdk_min(passed, limit / 8);
	}
	return chan->waited > limit;
}

/** Looks at the status register of a channel that has been making no progress. */
static int __attribute__((noinline, cold)) look(struct spdk_ioat_chan *chan, uint64_t passed)
{
	uint64_t status, word;
	unsigned state;
	uint32_t chanerr = 0;

	if (chan->halt.awaits_cause) {
		return look_for_cause(chan);
	}
	status = read_chansts(chan->bar);
	word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);
	state = status & SPDK_IOAT_CHANSTS_STATUS;
	if (state == SPDK_IOAT_CHANSTS_HALTED) {
		/* This may be what RESET has left, and the cause of a halt shown since then, before
		 * its status and behind its word. What is read after the cause belongs to it. */
		chanerr = read_chanerr(chan->bar);
		status = read_chansts(chan->bar);
		word = __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);
		state = status & SPDK_IOAT_CHANSTS_STATUS;
	}
	/* It may have been stored since the poll loaded it, just before the halt. */
	if (word != chan->seen && !udma_ioat_is_far(udma_ioat_newly_completed(chan, word))) {
		return udma_ioat_take_completion(chan, word);
	}
	if (status == UINT64_MAX || spdk_pci_device_is_removed(chan->device)) {
		udma_ioat_fail(chan, UDMA_IOAT_GONE, "the device is gone");
	} else if (state == SPDK_IOAT_CHANSTS_HALTED && !is_as_reset(status, chanerr)) {
		recover_by_status(chan, status);
	} else if (state == SPDK_IOAT_CHANSTS_HALTED && has_forgotten_us(chan)) {
		udma_ioat_fail(chan, UDMA_IOAT_GONE, "the function was reset by someone else");
	} else if (udma_ioat_take_idle_status(chan, status)) {
		/* It has been taken in. */
	} else if (hangs(chan, status, passed)) {
		udma_ioat_fail(chan, UDMA_IOAT_HUNG, "the engine makes no progress");
	} else {
		return 0;
	}
	return udma_ioat_report(chan);
}

void
udma_ioat_look_now(struct spdk_ioat_chan *chan)
{
	uint64_t now = spdk_get_ticks();

	if (!chan->stalled) {
		chan->stalled = true;
		chan->waited = chan->progress = 0;
		chan->looked_at = now;
	}
	chan->look_at = now;
}

int
udma_ioat_watch(struct spdk_ioat_chan *chan)
{
	uint64_t now = spdk_get_ticks();
	uint64_t passed;

	if (chan->stalled && now < chan->look_at) {
		return 0;
	}
	passed = now - chan->looked_at;
	chan->looked_at = now;
	chan->look_at = now + spdk_get_ticks_hz() / LOOKS_PER_SECOND;
	if (!chan->stalled) {
		chan->stalled = true;
		chan->waited = chan->progress = 0;
		return 0;
	}
	return look(chan, passed);
}
