/* SPDX-License-Identifier: BSD-3-Clause */

/* The calls into the driver, and what each promises. */

#include "program.h"

#include "ioat/channel.h"
#include "spdk/util.h"

/* A stalled channel is looked at twice in a millisecond. */
#define LOOK_INTERVAL_US 1000

struct calls g_calls;

static void
brought_up(void)
{
	device_look();
	requests_brought_up();
	g_calls.error = 0;
	g_calls.exact = true;
	g_calls.waits = 0;
	g_calls.rung = g_device.rung;
	g_calls.doorbells = g_device.doorbells;
	udma_ioat_get_stats(g_requests.chan, &g_calls.stats, sizeof(g_calls.stats));
	/* What it does wrong goes on. */
	g_device.explains =
		(g_device.hangs ? 1u << UDMA_IOAT_HUNG : 0) |
		(g_device.ignores_reset ? 1u << UDMA_IOAT_FAILED | 1u << UDMA_IOAT_ABORTED : 0) |
		(g_device.gone || g_device.pci.internal.removed ? 1u << UDMA_IOAT_GONE : 0);
}

void
check_all(void)
{
	struct udma_ioat_stats stats;
	uint32_t room = udma_ioat_room(g_requests.chan);

	requests_note();
	udma_ioat_get_stats(g_requests.chan, &stats, sizeof(stats));
	CHECK(stats.failed >= g_requests.failures_least &&
	      stats.failed <= g_requests.failures_most);
	CHECK(stats.recoveries == g_requests.recoveries);
	CHECK(stats.by_cpu == g_requests.by_cpu);
	if (channel_has_failed()) {
		g_calls.exact = false;
		CHECK(g_device.explains != 0);
		CHECK(room == 0);
		for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
			CHECK(request_of(i)->cpu); /* it waits for a poll, and for nothing else */
		}
		return;
	}
	if (g_requests.noted == g_requests.accepted) {
		CHECK(room == RING - 1);
	} else {
		CHECK(g_requests.head - request_of(g_requests.noted)->first + room == RING - 1);
	}
	g_calls.exact &= !g_device.gone;
	if (g_calls.exact) {
		CHECK(stats.descriptors - g_calls.stats.descriptors ==
		      g_device.rung - g_calls.rung);
		CHECK(stats.doorbells - g_calls.stats.doorbells ==
		      g_device.doorbells - g_calls.doorbells);
	}
}

/* ---- Calls that may call back ---- */

struct call
call_enter(enum arms arms)
{
	struct call call = {
		.chan = g_requests.chan,
		.generation = g_requests.generation,
		.accepted = g_requests.accepted,
		.events = g_requests.events,
		.claimed = g_calls.claimed,
		.oldest = requests_oldest(),
		.said = device_said(),
		.start_us = g_device.now_us,
		.arms = g_requests.arms,
	};

	device_look();
	requests_note();
	g_calls.in_calls++;
	if (arms != BEHIND_A_HALT) {
		g_requests.arms = arms;
	}
	return call;
}

bool
call_leave(const struct call *call)
{
	g_calls.in_calls--;
	g_requests.arms = call->arms;
	device_look();
	if (g_requests.generation != call->generation || g_requests.chan == NULL) {
		return false;
	}
	requests_note();
	return true;
}

/** A channel that has failed says so, always in the same way, until it is reset. */
static void
check_error(int rc)
{
	CHECK(rc == -EIO || rc == -ENODEV);
	CHECK(g_calls.error == 0 || rc == g_calls.error);
	g_calls.error = rc;
}

/**
 * A device that is gone, with descriptors announced, is noticed: the first poll may take in what it
 * had done before, the second finds nothing, and the next one that is due looks at its status.
 */
static void
check_noticed(uint64_t start, int rc)
{
	bool waits = g_device.gone && rc == 0 && g_requests.noted < g_requests.accepted &&
		     request_of(g_requests.noted)->first < g_device.furthest;

	g_calls.waits = waits ? g_calls.waits + 1 : 0;
	if (g_calls.waits == 2) {
		g_calls.watched_at = start;
	}
	CHECK(g_calls.waits <= 2 || start - g_calls.watched_at <= LOOK_INTERVAL_US);
}

uint64_t
call_own_events(const struct call *call)
{
	return (g_requests.events - call->events) - (g_calls.claimed - call->claimed);
}

void
call_check_polled(const struct call *call, int rc)
{
	uint64_t own = call_own_events(call);

	/* Far ahead it is not believed but of an engine that shows that it has done all. */
	bool doubtful = device_word_is_far(call->oldest) &&
			spdk_min(call->said, device_said()) != g_device.announced;

	/* At a halt everything is told when its cause is shown. */
	bool waits = !channel_has_failed() && g_requests.chan->halt.awaits_cause;

	/* All that the completion word says to be done, be it the word of a poll before. */
	CHECK(channel_has_failed() || g_requests.noted == g_requests.accepted || doubtful ||
	      waits || request_of(g_requests.noted)->end > call->said);
	if (rc >= 0) {
		CHECK((uint64_t)rc == own);
		CHECK(rc > 0 || !channel_has_failed());
		CHECK(rc > 0 || g_requests.owed_least == 0 || g_calls.draining || waits);
		g_calls.claimed += own;
		return;
	}
	CHECK(own == 0);
	if (channel_has_failed()) {
		check_error(rc);
		return;
	}
	CHECK(rc == -EIO && g_requests.owed_most > 0);
	g_requests.owed_most--;
	g_requests.owed_least -= g_requests.owed_least > 0;
}

void
call_poll(void)
{
	struct call call;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	call = call_enter(BEHIND_A_HALT);
	rc = spdk_ioat_process_events(call.chan);
	TRACE("  polled: %d\n", rc);
	if (call_leave(&call)) {
		check_noticed(call.start_us, rc);
		call_check_polled(&call, rc);
	}
}

/** Its events are nobody's. */
static void
claim_rest(const struct call *call)
{
	g_calls.claimed = call->claimed + (g_requests.events - call->events);
}

void
call_drain(void)
{
	uint64_t limit = random_below(&g_random, 200000);
	struct call call;
	bool works = device_is_sound() && !g_requests.halted && limit > 100000;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	call = call_enter(BEHIND_A_HALT);
	g_calls.draining++;
	rc = udma_ioat_drain(call.chan, limit);
	g_calls.draining--;
	TRACE("  drained: %d\n", rc);
	if (!call_leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	claim_rest(&call);
	if (channel_has_failed()) {
		check_error(rc);
	} else {
		CHECK(rc == (g_requests.noted >= call.accepted ? 0 : -ETIMEDOUT));
		CHECK(rc == 0 || !works);
	}
	/* It comes back with the last that was built before, whatever callbacks have built. */
	if (rc == 0 && g_calls.told.number + 1 == call.accepted &&
	    g_requests.events > call.events && g_calls.told.events == g_requests.events &&
	    g_calls.told.in_calls == g_calls.in_calls + 1 &&
	    request_of(g_calls.told.number)->in_callback == DO_NOTHING) {
		CHECK(g_device.now_us - g_calls.told.at_us < LOOK_INTERVAL_US);
	}
}

void
call_abort(void)
{
	struct call call;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	call = call_enter(channel_has_failed() ? BEHIND_A_HALT : AT_HEAD);
	g_requests.stopping++;
	rc = udma_ioat_abort(call.chan);
	g_requests.stopping--;
	TRACE("  aborted: %d\n", rc);
	if (!call_leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	claim_rest(&call);
	CHECK(g_requests.noted >= call.accepted);
	CHECK((rc != 0) == channel_has_failed());
	if (rc != 0) {
		check_error(rc);
	}
}

void
call_reset(void)
{
	struct call call;
	bool failed, sound = device_is_sound();
	uint64_t recoveries = g_requests.recoveries;
	struct udma_ioat_stats stats;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	failed = channel_has_failed();
	call = call_enter(failed ? FROM_NEW : AT_HEAD);
	g_requests.stopping++;
	rc = udma_ioat_reset(call.chan);
	g_requests.stopping--;
	TRACE("  reset: %d\n", rc);
	if (g_calls.detaching) {
		CHECK(!call_leave(&call) || rc == -ESHUTDOWN);
		return;
	}
	if (!call_leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	claim_rest(&call);
	CHECK(g_requests.noted >= call.accepted);
	CHECK((rc != 0) == channel_has_failed() && (rc == 0 || !sound));
	udma_ioat_get_stats(call.chan, &stats, sizeof(stats));
	if (!failed) {
		g_calls.error = 0;
		return;
	}
	/* Unless a callback has done it already. */
	if (rc == 0 && stats.recoveries == recoveries + 1 && recoveries == g_requests.recoveries) {
		g_requests.recoveries++;
		brought_up();
	}
	g_calls.error = 0;
}

/* ---- Coming and going ---- */

static bool
accept_device(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	return device == &g_device.pci;
}

static void
take_channel(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	(void)device;
	device_look();
	g_requests.chan = chan;
	g_requests.generation++;
	g_requests.before_channel = g_requests.noted = g_requests.accepted;
	g_requests.failures_least = g_requests.failures_most = g_requests.recoveries = 0;
	g_requests.owed_least = g_requests.owed_most = g_requests.by_cpu = 0;
	g_requests.head = g_device.announced;
	g_requests.last_fence = 0;
	g_requests.arms = BEHIND_A_HALT;
	brought_up();
	g_requests.has_parity = g_device.has_parity;
	CHECK((udma_ioat_get_capabilities(chan) & (UDMA_IOAT_CAN_XOR | UDMA_IOAT_CAN_PQ)) ==
	      (g_device.has_parity ? UDMA_IOAT_CAN_XOR | UDMA_IOAT_CAN_PQ : 0u));
	g_requests.fills = spdk_ioat_get_dma_capabilities(chan) & SPDK_IOAT_ENGINE_FILL_SUPPORTED;
}

void
call_attach(void)
{
	bool sound = device_is_sound();
	int rc;

	if (g_requests.chan != NULL || g_calls.detaching) {
		return;
	}
	g_requests.halted = false;
	if (!g_device.gone && random_below(&g_random, 4) == 0) {
		device_leave_running();
	}
	rc = spdk_ioat_probe(NULL, accept_device, take_channel);
	TRACE("  attached: %d\n", rc);
	CHECK((rc == 0) == (g_requests.chan != NULL) || g_device.pci.internal.removed);
	CHECK(!sound || (rc == 0 && g_requests.fills == g_device.has_fill));
}

void
call_detach(void)
{
	if (g_requests.chan == NULL) {
		return;
	}
	if (g_calls.detaching) {
		spdk_ioat_detach(g_requests.chan); /* from a callback of it: ignored */
		return;
	}
	requests_note();
	g_calls.detaching = true;
	g_calls.in_calls++;
	g_requests.stopping++;
	g_calls.draining++;
	spdk_ioat_detach(g_requests.chan);
	g_calls.draining--;
	g_requests.stopping--;
	g_calls.in_calls--;
	g_calls.detaching = false;
	TRACE("  detached\n");
	requests_forget();
	g_calls.error = 0;
	/* An engine that ignores resets is kept from the bus. */
	CHECK(device_is_stopped() || g_device.no_config);
}

void
call_toggle_memory(void)
{
	uint64_t announced;
	bool was_there = memory_is_removable_there();
	int rc;

	call_flush();
	announced = g_device.announced;
	/* What is not announced is not waited for. */
	if (g_requests.chan != NULL && !g_device.gone && announced != g_requests.head) {
		return;
	}
	rc = memory_toggle();
	device_look();
	TRACE("  %s: %d\n", was_there ? "unregistered" : "registered", rc);
	if (was_there && rc == 0 && g_requests.chan != NULL) {
		/* Nothing that was announced can be inside it any more, or will be. */
		CHECK(g_device.done >= announced || device_is_stopped());
	}
}
