/* SPDX-License-Identifier: BSD-3-Clause */

/* The calls into the driver, and what each promises. */

#include "program.h"

#include "ioat/channel.h"
#include "spdk/util.h"

/* A stalled channel is looked at twice in a millisecond. */
#define LOOK_INTERVAL_US 1000

/* Calls inside callbacks of calls. */
#define DEPTH_MAX 3

static struct {
	unsigned depth;
	unsigned in_calls; /* that call back */
	bool detaching;
	unsigned draining;   /* whose polls keep their errors to themselves, until they are over */
	int error;           /* what polls of a channel that has failed return */
	uint64_t watched_at; /* a poll has found nothing, of a device that is gone */
	uint64_t claimed;    /* events that polls have counted */
	/* The callback that ran last. */
	struct {
		uint64_t number, at_us, events;
		unsigned in_calls;
	} told;
	/* Counters, as a channel was brought up. */
	struct udma_ioat_stats stats;
	uint64_t rung, doorbells;
	bool exact; /* all that was announced has been heard */
} g;

static void
brought_up(void)
{
	device_look();
	requests_brought_up();
	g_requests.head = g_device.announced;
	g.error = 0;
	g.exact = true;
	g.rung = g_device.rung;
	g.doorbells = g_device.doorbells;
	udma_ioat_get_stats(g_requests.chan, &g.stats, sizeof(g.stats));
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
	if (channel_has_failed()) {
		g.exact = false;
		CHECK(g_device.explains != 0);
		CHECK(room == 0 && g_requests.noted == g_requests.accepted);
		return;
	}
	if (g_requests.noted == g_requests.accepted) {
		CHECK(room == RING - 1);
	} else {
		CHECK(g_requests.head - request_of(g_requests.noted)->first + room == RING - 1);
	}
	g.exact &= !g_device.gone;
	if (g.exact) {
		CHECK(stats.descriptors - g.stats.descriptors == g_device.rung - g.rung);
		CHECK(stats.doorbells - g.stats.doorbells == g_device.doorbells - g.doorbells);
	}
}

/* ---- Requests, and their callbacks ---- */

static void
act(enum in_callback in_callback)
{
	if (g.depth == DEPTH_MAX) {
		return;
	}
	g.depth++;
	switch (in_callback) {
	case POLL:
		call_poll();
		break;
	case SUBMIT:
		call_build(true);
		break;
	case BUILD:
		call_build(false);
		break;
	case BUILD_AND_FLUSH:
		call_build(false);
		call_build(false);
		call_flush();
		break;
	case FLUSH:
		call_flush();
		break;
	case DRAIN:
		call_drain();
		break;
	case ABORT:
		call_abort();
		break;
	case RESET:
		call_reset();
		break;
	case DETACH:
		call_detach();
		break;
	case DETACH_AND_ATTACH:
		call_detach();
		call_attach();
		break;
	default:
		break;
	}
	g.depth--;
}

static void
ended(uint64_t number, const struct udma_ioat_result *result)
{
	const struct request *request;

	device_look();
	request = requests_end(number, result);
	g.told.number = number;
	g.told.at_us = g_device.now_us;
	g.told.events = g_requests.events;
	g.told.in_calls = g.in_calls;
	act(request->in_callback);
}

static void
on_success(void *arg)
{
	ended((uintptr_t)arg, NULL);
}

static void
on_end(void *arg, const struct udma_ioat_result *result)
{
	TRACE("    %zu: %s\n", (size_t)arg, udma_ioat_status_text(result->status));
	ended((uintptr_t)arg, result);
}

static struct iovec *
vectors_of(const struct list *list, struct iovec *vectors)
{
	for (unsigned i = 0; i < list->count; i++) {
		vectors[i] = (struct iovec){g_memory + list->piece[i].start, list->piece[i].len};
	}
	return vectors;
}

/** Builds what a request describes. \return what the interface returns. */
static int
build(const struct request *request, bool flush)
{
	struct spdk_ioat_chan *chan = g_requests.chan;
	void *number = (void *)(uintptr_t)g_requests.accepted;
	void *to = g_memory + request->destination.piece[0].start;
	void *from = g_memory + request->source.piece[0].start;
	unsigned flags = request->fence ? UDMA_IOAT_FENCE : 0;
	udma_ioat_cb cb = request->unheard ? NULL : on_end;
	struct iovec vectors[2][PIECES_MAX];

	switch (request->kind) {
	case COPY:
		return request->tells_status
			       ? udma_ioat_copy(chan, to, from, request->len, flags, cb, number)
		       : flush ? spdk_ioat_submit_copy(chan, number, on_success, to, from,
						       request->len)
			       : spdk_ioat_build_copy(chan, number, on_success, to, from,
						      request->len);
	case FILL:
		return request->tells_status ? udma_ioat_fill(chan, to, request->pattern,
							      request->len, flags, cb, number)
		       : flush               ? spdk_ioat_submit_fill(chan, number, on_success, to,
								     request->pattern, request->len)
					     : spdk_ioat_build_fill(chan, number, on_success, to,
								    request->pattern, request->len);
	case COPYV:
		return udma_ioat_copyv(chan, vectors_of(&request->destination, vectors[0]),
				       request->destination.count,
				       vectors_of(&request->source, vectors[1]),
				       request->source.count, flags, cb, number);
	default:
		return udma_ioat_null(chan, flags, cb, number);
	}
}

static void
check_refusal(const struct request *request, unsigned descriptors, uint32_t room, int rc)
{
	CHECK(udma_ioat_room(g_requests.chan) == room);
	if (g.detaching) {
		CHECK(rc == -ESHUTDOWN);
	} else if (channel_has_failed()) {
		CHECK(g.error == 0 || rc == g.error || request->kind == FILL);
	} else if (rc == -ENOTSUP) {
		CHECK(request->kind == FILL && !g_requests.fills);
	} else if (rc == -EINVAL) {
		CHECK(descriptors == 0);
	} else {
		/* It has been flushed, so that polling and trying again helps; or never will. */
		CHECK(descriptors == 0 || descriptors > room);
		CHECK(rc == (room == RING - 1 ? -E2BIG : -ENOMEM));
	}
}

/** Hands over a new request. \return whether it was accepted. */
static bool
hand_over(struct request *request, bool flush)
{
	unsigned descriptors = request_split(request);
	uint32_t room = udma_ioat_room(g_requests.chan);
	int rc;

	request->blamed = request->aborted = request->stopped = false;
	request->finished = request->untouched = false;
	rc = build(request, flush);
	TRACE("  %" PRIu64 ": %s%s %u bytes, %u descriptors%s: %d\n", g_requests.accepted,
	      request->tells_status ? "" : "spdk ",
	      (const char *[]){"null", "copy", "fill", "copyv"}[request->kind], request->len,
	      descriptors, request->fence ? ", fence" : "", rc);
	if (rc == 0) {
		CHECK(!channel_has_failed() && !g.detaching);
		CHECK(descriptors > 0 && descriptors <= room);
		CHECK(udma_ioat_room(g_requests.chan) == room - descriptors);
		requests_accept(descriptors);
		if (flush && request->tells_status) {
			spdk_ioat_flush(g_requests.chan);
		}
	} else {
		check_refusal(request, descriptors, room, rc);
	}
	device_look();
	return rc == 0;
}

bool
call_build_small(void)
{
	struct request *request = requests_next();

	if (g_requests.chan == NULL) {
		return false;
	}
	request->kind = NOTHING;
	request->tells_status = true;
	request->unheard = request->fence = false;
	request->in_callback = DO_NOTHING;
	request->len = 0;
	request->destination.count = request->source.count = 0;
	return hand_over(request, false);
}

static uint32_t
choose_len(void)
{
	static const uint32_t limits[] = {9, 65, 300, 300, 1000, LEN_MAX + 1};

	return (uint32_t)random_below(&g_random,
				      limits[random_below(&g_random, SPDK_COUNTOF(limits))]);
}

/** A list of `len` bytes anywhere. */
static void
choose_list(struct list *list, uint32_t len, unsigned count)
{
	list->count = count;
	for (unsigned i = 0; i < count; i++) {
		uint32_t piece = i + 1 == count ? len : (uint32_t)random_below(&g_random, len + 1);

		list->piece[i].start = (uint32_t)random_below(&g_random, MEMORY_SIZE - piece + 1);
		list->piece[i].len = piece;
		len -= piece;
	}
}

/** Whether what the request does is certain: no two write, or write and read, the same bytes. */
static bool
is_certain(const struct request *request)
{
	const struct list *to = &request->destination, *from = &request->source;

	for (unsigned i = 0; i < to->count; i++) {
		if (!requests_leave_free(to->piece[i])) {
			return false;
		}
		for (unsigned k = 0; k < i; k++) {
			if (ranges_meet(to->piece[i], to->piece[k])) {
				return false;
			}
		}
		for (unsigned k = 0; k < from->count; k++) {
			if (ranges_meet(to->piece[i], from->piece[k])) {
				return false;
			}
		}
	}
	for (unsigned i = 0; i < from->count; i++) {
		if (!requests_let_read(from->piece[i])) {
			return false;
		}
	}
	return true;
}

void
call_build(bool flush)
{
	static const enum kind kinds[] = {COPY, COPY, COPY, FILL, COPYV, NOTHING};
	struct request *request = requests_next();
	unsigned tries = 0;

	if (g_requests.chan == NULL) {
		return;
	}
	requests_note();
	request->kind = kinds[random_below(&g_random, SPDK_COUNTOF(kinds))];
	request->tells_status =
		request->kind == COPYV || request->kind == NOTHING || random_below(&g_random, 2);
	request->unheard = request->tells_status && random_below(&g_random, 32) == 0;
	request->fence = request->tells_status && random_below(&g_random, 6) == 0;
	request->in_callback =
		random_below(&g_random, 8) == 0 ? random_below(&g_random, IN_CALLBACK) : DO_NOTHING;
	request->pattern = random_next(&g_random);
	request->len = request->kind == NOTHING ? 0 : choose_len();
	do {
		unsigned most = request->kind == COPYV ? PIECES_MAX : 1;

		choose_list(&request->destination, request->len,
			    1 + (unsigned)random_below(&g_random, most));
		choose_list(&request->source, request->kind == FILL ? 0 : request->len,
			    1 + (unsigned)random_below(&g_random, most));
	} while (!is_certain(request) && ++tries < 4);
	if (tries == 4) {
		call_build_small();
		return;
	}
	request_foresee(request);
	if (request->kind == COPYV && random_below(&g_random, 16) == 0) {
		request->source.piece[0].len++; /* more than there is room for */
		CHECK(build(request, false) == -EINVAL);
		return;
	}
	hand_over(request, flush);
}

void
call_flush(void)
{
	if (g_requests.chan != NULL) {
		spdk_ioat_flush(g_requests.chan);
		device_look();
	}
}

/* ---- Calls that may call back ---- */

struct call {
	struct spdk_ioat_chan *chan;
	uint64_t generation;
	uint64_t accepted, events, claimed;
	enum arms arms;
};

static struct call
enter(enum arms arms)
{
	struct call call = {
		.chan = g_requests.chan,
		.generation = g_requests.generation,
		.accepted = g_requests.accepted,
		.events = g_requests.events,
		.claimed = g.claimed,
		.arms = g_requests.arms,
	};

	device_look();
	requests_note();
	g.in_calls++;
	if (arms != BEHIND_A_HALT) {
		g_requests.arms = arms;
	}
	return call;
}

/** \return false if a callback has detached the channel. */
static bool
leave(const struct call *call)
{
	g.in_calls--;
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
	CHECK(g.error == 0 || rc == g.error);
	g.error = rc;
}

/** A device that is gone, with descriptors announced, is noticed by the next look but one. */
static void
check_noticed(uint64_t start, int rc)
{
	bool waits = g_device.gone && rc == 0 && g_requests.noted < g_requests.accepted &&
		     request_of(g_requests.noted)->first < g_device.furthest;

	if (!waits || g.watched_at < g_device.gone_at) {
		g.watched_at = waits ? start : 0;
		return;
	}
	CHECK(start - g.watched_at <= LOOK_INTERVAL_US);
}

void
call_poll(void)
{
	struct call call;
	uint64_t own, said, start = g_device.now_us;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	call = enter(BEHIND_A_HALT);
	said = device_said();
	rc = spdk_ioat_process_events(call.chan);
	TRACE("  polled: %d\n", rc);
	if (!leave(&call)) {
		return;
	}
	/* All that the completion word says to be done, be it the word of a poll before. */
	CHECK(channel_has_failed() || g_requests.noted == g_requests.accepted ||
	      request_of(g_requests.noted)->end > said);
	check_noticed(start, rc);
	/* What polls in callbacks have counted is not counted again. */
	own = (g_requests.events - call.events) - (g.claimed - call.claimed);
	if (rc >= 0) {
		CHECK((uint64_t)rc == own);
		CHECK(rc > 0 || !channel_has_failed());
		CHECK(rc > 0 || g_requests.owed_least == 0 || g.draining);
		g.claimed += own;
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

/** Its events are nobody's. */
static void
claim_rest(const struct call *call)
{
	g.claimed = call->claimed + (g_requests.events - call->events);
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
	call = enter(BEHIND_A_HALT);
	g.draining++;
	rc = udma_ioat_drain(call.chan, limit);
	g.draining--;
	TRACE("  drained: %d\n", rc);
	if (!leave(&call)) {
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
	if (rc == 0 && g.told.number + 1 == call.accepted && g_requests.events > call.events &&
	    g.told.events == g_requests.events && g.told.in_calls == g.in_calls + 1 &&
	    request_of(g.told.number)->in_callback == DO_NOTHING) {
		CHECK(g_device.now_us - g.told.at_us < LOOK_INTERVAL_US);
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
	call = enter(channel_has_failed() ? BEHIND_A_HALT : AT_HEAD);
	g_requests.stopping++;
	rc = udma_ioat_abort(call.chan);
	g_requests.stopping--;
	TRACE("  aborted: %d\n", rc);
	if (!leave(&call)) {
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
	call = enter(failed ? FROM_NEW : AT_HEAD);
	g_requests.stopping++;
	rc = udma_ioat_reset(call.chan);
	g_requests.stopping--;
	TRACE("  reset: %d\n", rc);
	if (g.detaching) {
		CHECK(!leave(&call) || rc == -ESHUTDOWN);
		return;
	}
	if (!leave(&call)) {
		CHECK(rc == -ESHUTDOWN);
		return;
	}
	claim_rest(&call);
	CHECK(g_requests.noted >= call.accepted);
	CHECK((rc != 0) == channel_has_failed() && (rc == 0 || !sound));
	udma_ioat_get_stats(call.chan, &stats, sizeof(stats));
	if (!failed) {
		g.error = 0;
		return;
	}
	/* Unless a callback has done it already. */
	if (rc == 0 && stats.recoveries == recoveries + 1 && recoveries == g_requests.recoveries) {
		g_requests.recoveries++;
		brought_up();
	}
	g.error = 0;
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
	g_requests.last_fence = 0;
	g_requests.arms = BEHIND_A_HALT;
	brought_up();
	g_requests.fills = spdk_ioat_get_dma_capabilities(chan) & SPDK_IOAT_ENGINE_FILL_SUPPORTED;
}

void
call_attach(void)
{
	bool sound = device_is_sound();
	int rc;

	if (g_requests.chan != NULL || g.detaching) {
		return;
	}
	g_requests.halted = false;
	if (!g_device.gone && random_below(&g_random, 4) == 0) {
		device_leave_running();
	}
	rc = spdk_ioat_probe(NULL, accept_device, take_channel);
	TRACE("  attached: %d\n", rc);
	CHECK((rc == 0) == (g_requests.chan != NULL) || g_device.pci.internal.removed);
	CHECK(!sound || (rc == 0 && g_requests.fills));
}

void
call_detach(void)
{
	if (g_requests.chan == NULL) {
		return;
	}
	if (g.detaching) {
		spdk_ioat_detach(g_requests.chan); /* from a callback of it: ignored */
		return;
	}
	requests_note();
	g.detaching = true;
	g.in_calls++;
	g_requests.stopping++;
	g.draining++;
	spdk_ioat_detach(g_requests.chan);
	g.draining--;
	g_requests.stopping--;
	g.in_calls--;
	g.detaching = false;
	TRACE("  detached\n");
	requests_forget();
	g.error = 0;
	/* An engine that ignores resets is kept from the bus. */
	CHECK(device_is_stopped() || g_device.no_config);
}

void
call_toggle_memory(void)
{
	uint64_t announced;
	bool was_there = memory_is_removable_there();
	int rc;

	call_flush(); /* what is not announced is not waited for */
	announced = g_device.announced;
	rc = memory_toggle();
	device_look();
	TRACE("  %s: %d\n", was_there ? "unregistered" : "registered", rc);
	if (was_there && rc == 0 && g_requests.chan != NULL) {
		/* Nothing that was announced can be inside it any more, or will be. */
		CHECK(g_device.done >= announced || device_is_stopped());
	}
}
