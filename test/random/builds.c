/* SPDX-License-Identifier: BSD-3-Clause */

/* Requests: building one by each of the interfaces, and what its callback does. */

#include "program.h"

#include "spdk/util.h"

/* Calls inside callbacks of calls. */
#define DEPTH_MAX 3

/* No request of this test has more descriptors. */
#define SPLIT_MAX 32

/* Requests in one call. */
#define BATCH_MAX 6

static const char *const g_kind_names[] = {
	[NOTHING] = "null", [COPY] = "copy",           [FILL] = "fill", [COPYV] = "copyv",
	[XOR] = "xor",      [XOR_CHECK] = "xor check", [PQ] = "pq",     [PQ_CHECK] = "pq check",
};

static void
act(enum in_callback in_callback)
{
	if (g_calls.depth == DEPTH_MAX) {
		return;
	}
	g_calls.depth++;
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
	case WAIT:
		call_wait();
		break;
	case EVENT_LOOP:
		call_event_loop();
		break;
	default:
		break;
	}
	g_calls.depth--;
}

static void
ended(uint64_t number, const struct udma_ioat_result *result)
{
	const struct request *request;

	device_look();
	request = requests_end(number, result);
	g_calls.told.number = number;
	g_calls.told.at_us = g_device.now_us;
	g_calls.told.events = g_requests.events;
	g_calls.told.in_calls = g_calls.in_calls;
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

/** What the calls take as pointers. */
struct pointers {
	struct iovec to[PIECES_MAX], from[PIECES_MAX];
	const void *sources[SOURCES_MAX];
	/* The results of XOR and P+Q, or what a check expects. */
	void *p, *q;
};

static void
vectors_of(const struct list *list, struct iovec *vectors)
{
	for (unsigned i = 0; i < list->count; i++) {
		vectors[i] = (struct iovec){g_memory + list->piece[i].start, list->piece[i].len};
	}
}

static void
point(const struct request *request, struct pointers *pointers)
{
	const struct range *results = request_is_check(request->kind)
					      ? &request->source.piece[request->source_count]
					      : request->destination.piece;

	if (request->kind == COPYV) {
		vectors_of(&request->destination, pointers->to);
		vectors_of(&request->source, pointers->from);
	}
	if (request_is_parity(request->kind)) {
		for (unsigned i = 0; i < request->source_count; i++) {
			pointers->sources[i] = g_memory + request->source.piece[i].start;
		}
		pointers->p = request->has_p ? g_memory + (results++)->start : NULL;
		pointers->q = request->has_q ? g_memory + results->start : NULL;
	}
}

static int
build_parity(const struct request *request, struct pointers *at, unsigned flags, udma_ioat_cb cb,
	     void *number)
{
	struct spdk_ioat_chan *chan = g_requests.chan;
	/* One that has no Q needs none. */
	const uint8_t *coefficients = request->has_q ? request->coefficients : NULL;

	switch (request->kind) {
	case XOR:
		return udma_ioat_xor(chan, at->p, at->sources, request->source_count, request->len,
				     flags, cb, number);
	case XOR_CHECK:
		return udma_ioat_xor_check(chan, at->p, at->sources, request->source_count,
					   request->len, flags, cb, number);
	case PQ:
		return udma_ioat_pq(chan, at->p, at->q, at->sources, coefficients,
				    request->source_count, request->len, flags, cb, number);
	default:
		return udma_ioat_pq_check(chan, at->p, at->q, at->sources, coefficients,
					  request->source_count, request->len, flags, cb, number);
	}
}

static unsigned
flags_of(const struct request *request)
{
	return (request->fence ? UDMA_IOAT_FENCE : 0u) |
	       (request->else_cpu ? UDMA_IOAT_ELSE_CPU : 0u);
}

/** Builds what a request describes. \return what the interface returns. */
static int
build(const struct request *request, bool flush)
{
	struct spdk_ioat_chan *chan = g_requests.chan;
	void *number = (void *)(uintptr_t)g_requests.accepted;
	void *to = g_memory + request->destination.piece[0].start;
	void *from = g_memory + request->source.piece[0].start;
	unsigned flags = flags_of(request);
	udma_ioat_cb cb = request->unheard ? NULL : on_end;
	struct pointers at;

	point(request, &at);
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
		return udma_ioat_copyv(chan, at.to, request->destination.count, at.from,
				       request->source.count, flags, cb, number);
	case NOTHING:
		return udma_ioat_null(chan, flags, cb, number);
	default:
		return build_parity(request, &at, flags, cb, number);
	}
}

/** Whether there is no place in the ring, be it one that only keeps the order. */
static bool
is_full(void)
{
	return g_requests.noted < g_requests.accepted &&
	       g_requests.head - request_of(g_requests.noted)->first == RING - 1;
}

static void
check_refusal(const struct request *request, unsigned descriptors, uint32_t room, int rc)
{
	CHECK(udma_ioat_room(g_requests.chan) == room);
	if (g_calls.detaching) {
		CHECK(rc == -ESHUTDOWN);
	} else if (request->cpu) {
		/* The ring may be full before the engine's way has come to what it cannot. */
		CHECK(rc == -ENOMEM);
		CHECK(is_full() ||
		      (room < SPLIT_MAX && !channel_has_failed() && requests_offer(request->kind)));
	} else if (channel_has_failed()) {
		CHECK(g_calls.error == 0 || rc == g_calls.error || request->kind == FILL);
	} else if (rc == -ENOTSUP) {
		CHECK(!requests_offer(request->kind));
	} else if (rc == -EINVAL) {
		CHECK(descriptors == 0);
	} else {
		/* It has been flushed, so that polling and trying again helps; or never will. */
		CHECK(descriptors == 0 || descriptors > room);
		CHECK(rc == (room == RING - 1 ? -E2BIG : -ENOMEM));
	}
}

/** Nothing has become of it yet. */
static void
start_anew(struct request *request)
{
	request->blamed = request->aborted = request->stopped = false;
	request->finished = request->untouched = false;
	request->cpu = request->redone = false;
}

/** Finds out who carries it out. \return descriptors; 0: nobody. */
static unsigned
assign(struct request *request)
{
	unsigned descriptors = request_split(request);
	bool engine = descriptors > 0 && requests_offer(request->kind) && !channel_has_failed();

	start_anew(request);
	return request->else_cpu && !engine ? request_split_for_cpu(request) : descriptors;
}

/** Hands over a new request. \return whether it was accepted. */
static bool
hand_over(struct request *request, bool flush)
{
	unsigned descriptors = assign(request);
	uint32_t room = udma_ioat_room(g_requests.chan);
	int rc;

	rc = build(request, flush);
	TRACE("  %" PRIu64 ": %s%s%s %u bytes, %u descriptors%s: %d\n", g_requests.accepted,
	      request->cpu        ? "by the CPU: "
	      : request->else_cpu ? "else the CPU: "
				  : "",
	      request->tells_status ? "" : "spdk ", g_kind_names[request->kind], request->len,
	      descriptors, request->fence ? ", fence" : "", rc);
	if (rc == 0) {
		CHECK((!channel_has_failed() || request->cpu) && !g_calls.detaching);
		CHECK(descriptors > 0 && (descriptors <= room || channel_has_failed()));
		CHECK(udma_ioat_room(g_requests.chan) ==
		      (channel_has_failed() ? 0 : room - descriptors));
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
	request->unheard = request->fence = request->else_cpu = false;
	request->in_callback = DO_NOTHING;
	request->len = 0;
	request->destination.count = request->source.count = 0;
	return hand_over(request, false);
}

void
call_build(bool flush)
{
	struct request *request = requests_next();

	if (g_requests.chan == NULL) {
		return;
	}
	requests_note();
	if (!request_choose(request, false)) {
		call_build_small();
		return;
	}
	if (request->kind == COPYV && random_below(&g_random, 16) == 0) {
		request->source.piece[0].len++; /* more than there is room for */
		CHECK(build(request, false) == -EINVAL);
		return;
	}
	hand_over(request, flush);
}

/* What a kind does not use may be anything. */
#define ANYTHING ((void *)(uintptr_t)0xdeadbeef)

/** The same request, for a list of them. */
static struct udma_ioat_op
op_of(const struct request *request, uint64_t number, struct pointers *at)
{
	static const enum udma_ioat_op_kind kinds[] = {
		[NOTHING] = UDMA_IOAT_OP_NULL, [COPY] = UDMA_IOAT_OP_COPY,
		[FILL] = UDMA_IOAT_OP_FILL,    [COPYV] = UDMA_IOAT_OP_COPYV,
		[XOR] = UDMA_IOAT_OP_XOR,      [XOR_CHECK] = UDMA_IOAT_OP_XOR_CHECK,
		[PQ] = UDMA_IOAT_OP_PQ,        [PQ_CHECK] = UDMA_IOAT_OP_PQ_CHECK,
	};
	bool parity = request_is_parity(request->kind), pq = request_is_pq(request->kind);
	bool lists = request->kind == COPYV, null = request->kind == NOTHING;

	point(request, at);
	return (struct udma_ioat_op){
		.kind = kinds[request->kind],
		.flags = flags_of(request),
		.cb = request->unheard ? NULL : on_end,
		.cb_arg = (void *)(uintptr_t)number,
		.dst = parity          ? at->p
		       : lists || null ? ANYTHING
				       : g_memory + request->destination.piece[0].start,
		.src = request->kind == COPY ? g_memory + request->source.piece[0].start : ANYTHING,
		.nbytes = lists || null ? UINT64_MAX : request->len,
		.pattern = request->pattern,
		.q = pq ? at->q : ANYTHING,
		.sources = parity ? at->sources : ANYTHING,
		.coefficients = pq && at->q != NULL ? request->coefficients : ANYTHING,
		.source_count = parity ? request->source_count : 1000,
		.dst_list = lists ? at->to : ANYTHING,
		.dst_count = lists ? request->destination.count : 1000,
		.src_list = lists ? at->from : ANYTHING,
		.src_count = lists ? request->source.count : 1000,
	};
}

/** All of them, or none: what is checked of those that were, their ends show. */
void
call_submit(void)
{
	struct pointers pointers[BATCH_MAX];
	struct udma_ioat_op ops[BATCH_MAX];
	const struct requests before = g_requests;
	unsigned most = 1 + (unsigned)random_below(&g_random, BATCH_MAX), count = 0, sum = 0,
		 cpus = 0;
	bool valid = true;
	uint32_t room;
	int rc;

	if (g_requests.chan == NULL) {
		return;
	}
	room = udma_ioat_room(g_requests.chan);
	while (count < most && valid && request_choose(requests_next(), true)) {
		struct request *request = requests_next();
		unsigned descriptors = assign(request);

		ops[count] = op_of(request, g_requests.accepted, &pointers[count]);
		count++;
		valid = request->cpu || (descriptors > 0 && requests_offer(request->kind));
		cpus += request->cpu;
		sum += descriptors;
		requests_accept(descriptors);
	}
	if (count == 0) {
		return;
	}
	rc = udma_ioat_submit(g_requests.chan, ops, count);
	TRACE("  %" PRIu64 " to %" PRIu64 ": a batch, %u descriptors: %d\n", before.accepted,
	      g_requests.accepted - 1, sum, rc);
	if (rc == 0) {
		CHECK(valid && !g_calls.detaching);
		CHECK(channel_has_failed() ? cpus == count : sum <= room);
		CHECK(udma_ioat_room(g_requests.chan) == (channel_has_failed() ? 0 : room - sum));
	} else {
		g_requests = before;
		CHECK(udma_ioat_room(g_requests.chan) == room);
		CHECK(!valid || sum > room || channel_has_failed() || g_calls.detaching ||
		      (cpus > 0 && sum + SPLIT_MAX > room));
		CHECK(sum <= room || rc != -ENOMEM || requests_ended() < g_requests.accepted);
	}
	device_look();
}

void
call_flush(void)
{
	if (g_requests.chan != NULL) {
		spdk_ioat_flush(g_requests.chan);
		device_look();
	}
}
