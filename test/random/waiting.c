/* SPDX-License-Identifier: BSD-3-Clause */

/* The calls that wait, and what each promises. */

#include "program.h"

#include "ioat/channel.h"
#include "spdk/util.h"

/* A device that says nothing is looked at ten times a second, without interrupts each 1 ms. */
#define TICK_US 100000
#define NAP_US  1000
/* What passes until a sleeper has looked at the clock, at most. */
#define LATE_US 100

/* A wait that its time has ended may have looked so many turns of the device ago, */
#define TURNS 4
/* and ends so much later, with all the looks at the clock in it. */
#define OVERTIME_US 500

#define LONGEST_DELAY_US 16383

bool g_waits;

/** Whether a channel without a descriptor cannot have one, for that reason. */
static bool
is_without(int rc)
{
	return g_calls.fd_of != g_requests.generation &&
	       ((rc == -ESHUTDOWN && g_calls.detaching) ||
		(rc == -EMFILE && g_device.no_descriptors));
}

/** \return the descriptor; -1 if there is none. */
static int
get_fd(void)
{
	int fd = udma_ioat_get_fd(g_requests.chan);

	device_look();
	if (fd < 0) {
		CHECK(is_without(fd));
		return -1;
	}
	if (g_calls.fd_of != g_requests.generation) {
		/* Whoever has not made ready does not sleep. */
		CHECK(device_fd_is_readable(fd) || g_calls.waited_on == g_requests.generation);
		g_calls.fd_of = g_requests.generation;
		g_calls.fd = fd;
	}
	CHECK(fd == g_calls.fd);
	return fd;
}

/* ---- udma_ioat_wait() ---- */

/** What wait_for() has to know of the time before. */
struct wait {
	struct call call;
	uint64_t limit;
	uint64_t signals;
	unsigned halts;
};

/** Its time is over, and no earlier; it has not waited longer than for the device's restarts. */
static void
check_time(const struct wait *wait)
{
	uint64_t passed = g_device.now_us - wait->call.start_us;

	CHECK(passed >= wait->limit);
	CHECK(passed - wait->limit <= OVERTIME_US || g_device.halts != wait->halts);
}

/** \return whether the call is explained by that. */
static bool
check_vain_wait(const struct wait *wait, int rc)
{
	const struct call *call = &wait->call;
	bool outstanding = g_requests.noted < g_requests.accepted;

	switch (rc) {
	case -ESHUTDOWN:
	case -EMFILE:
		CHECK(is_without(rc));
		break;
	case -EINTR:
		break;
	case -ETIMEDOUT:
		CHECK(outstanding && !channel_has_failed());
		check_time(wait);
		CHECK(request_of(g_requests.noted)->end > device_said() ||
		      g_requests.chan->halt.awaits_cause ||
		      g_device.turns - g_device.word_at <= TURNS);
		break;
	case 0:
		CHECK(!outstanding);
		return false;
	default:
		return false;
	}
	CHECK(call_own_events(call) == 0);
	return true;
}

static void
wait_for(uint64_t limit)
{
	struct wait wait = {.limit = limit, .signals = g_device.signals, .halts = g_device.halts};
	struct call call;
	int rc;

	if (g_requests.chan == NULL || !g_waits) {
		return;
	}
	wait.call = call = call_enter(BEHIND_A_HALT);
	if (limit > 0) {
		g_calls.waited_on = call.generation;
	}
	rc = udma_ioat_wait(call.chan, limit);
	TRACE("  waited for %" PRId64 " us of %" PRId64 ": %d\n", g_device.now_us - call.start_us,
	      limit, rc);
	if (!call_leave(&call)) {
		CHECK(rc > 0 || rc == -ESHUTDOWN);
		return;
	}
	/* Without callbacks, that might have built more, or waited. */
	if (g_requests.events == call.events) {
		CHECK((g_device.signals != wait.signals) == (rc == -EINTR));
		CHECK(g_device.announced == g_requests.head || channel_has_failed() ||
		      g_device.gone || requests_are_held());
	}
	if (!check_vain_wait(&wait, rc)) {
		call_check_polled(&call, rc);
	}
}

void
call_wait(void)
{
	static const uint64_t limits[] = {1, 2, 30, 1000, 10000, 300000};
	uint64_t limit = random_below(&g_random, limits[random_below(&g_random, 6)]);

	wait_for(random_below(&g_random, 4) == 0 ? UINT64_MAX : limit);
}

void
call_wait_for_good(void)
{
	wait_for(UINT64_MAX);
}

/* ---- An event loop ---- */

/** \return what it has; -ESHUTDOWN if the channel is gone. */
static int
before_sleep(void)
{
	struct call call = call_enter(BEHIND_A_HALT);
	int rc;

	g_calls.waited_on = call.generation;
	rc = udma_ioat_before_sleep(call.chan);
	TRACE("  before a sleep: %d\n", rc);
	if (!call_leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return rc;
	}
	if (rc == -ESHUTDOWN || rc == -EMFILE) {
		CHECK(is_without(rc));
		return rc;
	}
	call_check_polled(&call, rc);
	CHECK(rc != 0 || !channel_has_failed());
	return rc;
}

/** \return for how long at most a channel that is ready sleeps. */
static uint64_t
longest_sleep(void)
{
	if (g_requests.noted == g_requests.accepted) {
		return UINT64_MAX;
	}
	if (g_device.interrupt_fd < 0 ||
	    request_of(g_requests.noted)->end <= g_device.silent_until) {
		return NAP_US + LATE_US;
	}
	return TICK_US + LATE_US;
}

static void
sleep_ready(int fd, uint64_t limit)
{
	uint64_t longest = longest_sleep(), start = g_device.now_us;
	bool woken = device_sleep(fd, start + limit, true);

	TRACE("  slept for %" PRIu64 " us%s\n", g_device.now_us - start, woken ? ", woken" : "");
	CHECK(g_device.now_us - start <= longest);
}

void
call_sleep_at_once(void)
{
	bool woken;
	int fd;

	if (g_requests.chan == NULL || !g_waits) {
		return;
	}
	fd = get_fd();
	if (fd < 0) {
		return;
	}
	if (random_below(&g_random, 2)) {
		call_build(true);
	}
	woken = device_sleep(fd, g_device.now_us + random_below(&g_random, 20000), false);
	TRACE("  slept%s\n", woken ? ", woken" : "");
	call_poll();
}

void
call_event_loop(void)
{
	uint64_t limit = random_below(&g_random, random_below(&g_random, 2) ? 2000 : 200000);
	unsigned turns = 1 + (unsigned)random_below(&g_random, 3);

	for (; turns > 0 && g_requests.chan != NULL && g_waits; turns--) {
		int fd = get_fd(), rc = before_sleep();

		if (fd < 0) {
			CHECK(rc == -ESHUTDOWN || rc == -EMFILE);
			return;
		}
		if (rc == -ESHUTDOWN) {
			return;
		}
		if (rc == 0 && random_below(&g_random, 8) == 0) {
			/* Others are at it before it sleeps. */
			call_abort();
			call_sleep_at_once();
		} else if (rc == 0) {
			sleep_ready(fd, limit);
			call_poll();
		}
	}
}

void
check_quiet(void)
{
	unsigned woken = 0, told = 0;
	int fd;

	if (!g_waits) {
		return;
	}
	fd = get_fd();
	do {
		/* Errors may be left to be told of. */
		while (before_sleep() != 0) {
			CHECK(told++ < REQUESTS);
		}
		CHECK(woken++ < 5);
	} while (device_sleep(fd, g_device.now_us + 2 * TICK_US, true));
}

void
call_coalesce(void)
{
	unsigned us = (unsigned)random_below(
		&g_random, random_below(&g_random, 2) ? 500 : LONGEST_DELAY_US + 100);
	int rc;

	if (g_requests.chan == NULL || !g_waits) {
		return;
	}
	g_calls.waited_on = g_requests.generation;
	rc = udma_ioat_coalesce(g_requests.chan, us);
	TRACE("  coalesce %u us: %d\n", us, rc);
	if (is_without(rc)) {
		return;
	}
	CHECK(rc == (us > LONGEST_DELAY_US ? -EINVAL : g_device.interrupt_fd < 0 ? -ENOTSUP : 0));
}
