/* SPDX-License-Identifier: BSD-3-Clause */

#include "requests.h"

#include "env/region.h"
#include "spdk/ioat.h"
#include "spdk/util.h"

/* Of the control word. */
#define COMPLETION_UPDATE 0x08
#define FENCE             0x10
#define NULL_BIT          0x20

struct requests g_requests;

/** What was announced in a slot. */
static struct {
	union spdk_ioat_hw_desc desc;
	const struct request *request;
	uint64_t into; /* bytes of the request before it */
} g_slots[DEVICE_RING];

static struct request *
request_of(uint64_t number)
{
	return &g_requests.of[number % REQUESTS];
}

uint64_t
requests_ended(void)
{
	struct udma_ioat_stats stats;

	if (g_requests.chan == NULL) {
		return g_requests.accepted;
	}
	udma_ioat_get_stats(g_requests.chan, &stats, sizeof(stats));
	CHECK(stats.requests == g_requests.accepted);
	CHECK(stats.completed + stats.failed <= g_requests.accepted);
	CHECK(stats.failed == 0 || g_device.misbehaved || g_requests.stopped);
	return stats.completed + stats.failed;
}

/* ---- What has been announced is what was asked for ---- */

/** Where byte `into` of a list is, and `size` more from there. */
static void
check_address(const struct list *list, uint64_t into, uint64_t iova, uint32_t size)
{
	struct udma_region region;
	unsigned i = 0;

	while (i < list->count && into >= list->piece[i].iov_len) {
		into -= list->piece[i++].iov_len;
	}
	CHECK(i < list->count && size <= list->piece[i].iov_len - into);
	CHECK(udma_region_find(iova, &region));
	CHECK(region.vaddr + (iova - region.iova) == (uintptr_t)list->piece[i].iov_base + into);
	CHECK(size <= region.len - (iova - region.iova));
}

/** For the first time. */
static void
check_new(struct request *request, uint64_t position, const union spdk_ioat_hw_desc *desc)
{
	bool is_null = desc->generic.u.control_raw & NULL_BIT;
	uint64_t into = 0;

	if (position > request->first) {
		into = g_slots[(position - 1) % DEVICE_RING].into +
		       (request->len > 0 ? g_slots[(position - 1) % DEVICE_RING].desc.generic.size
					 : 0);
	}
	g_slots[position % DEVICE_RING].into = into;
	if (is_null && request->len > 0) {
		CHECK(request->may_abort);
		request->nulled = true;
	}
	if (request->nulled) {
		CHECK(is_null);
		return;
	}
	CHECK(!request->must_abort || is_null);
	CHECK(is_null == (request->len == 0));
	if (!is_null) {
		CHECK(desc->generic.u.control.op == request->is_fill);
		check_address(&request->destination, into, desc->generic.dest_addr,
			      desc->generic.size);
		if (!request->is_fill) {
			check_address(&request->source, into, desc->generic.src_addr,
				      desc->generic.size);
		}
		into += desc->generic.size;
	}
	CHECK(into <= request->len && (into == request->len) == (position + 1 == request->end));
}

/** Once more, for the channel was restarted in front of it. */
static void
check_again(struct request *request, uint64_t position, const union spdk_ioat_hw_desc *desc)
{
	const union spdk_ioat_hw_desc *before = &g_slots[position % DEVICE_RING].desc;

	CHECK(g_slots[position % DEVICE_RING].request == request);
	if (desc->generic.u.control_raw & NULL_BIT && request->len > 0) {
		CHECK(request->may_abort);
		request->nulled = true;
		return;
	}
	CHECK(!request->failed && !request->nulled);
	CHECK(!request->must_abort || request->len == 0);
	CHECK(((desc->generic.u.control_raw ^ before->generic.u.control_raw) &
	       ~(uint32_t)COMPLETION_UPDATE) == 0);
	CHECK(desc->generic.size == before->generic.size);
	CHECK(desc->generic.src_addr == before->generic.src_addr);
	CHECK(desc->generic.dest_addr == before->generic.dest_addr);
}

static uint64_t g_furthest; /* position behind the last one that was ever announced */

void
on_announced(uint64_t position, const union spdk_ioat_hw_desc *desc)
{
	uint32_t control = desc->generic.u.control_raw;
	struct request *request;
	uint64_t number = g_requests.noted; /* some that have ended may be announced only now */

	/* Op, null, fence and completion update are all that the driver uses. */
	CHECK((control & ~0xff000038u) == 0);
	CHECK(desc->generic.size > 0 && desc->generic.size <= device_max_piece());
	if (g_requests.chan == NULL || position == g_requests.head) {
		/* The driver's own, as it attaches or resets. */
		CHECK(g_requests.chan == NULL || g_requests.resetting > 0);
		CHECK(control & NULL_BIT || control >> 24 == SPDK_IOAT_OP_FILL);
		g_requests.head = g_furthest = position + 1;
		return;
	}
	while (number < g_requests.accepted && request_of(number)->end <= position) {
		number++;
	}
	CHECK(number < g_requests.accepted);
	request = request_of(number);
	CHECK(position >= request->first);
	CHECK(!!(control & FENCE) == (request->fence && position + 1 == request->end));
	if (position < g_furthest) {
		check_again(request, position, desc);
		return;
	}
	check_new(request, position, desc);
	g_slots[position % DEVICE_RING].desc = *desc;
	g_slots[position % DEVICE_RING].request = request;
	g_furthest = position + 1;
}

/* ---- Restarts ---- */

/** Bytes that are certain, if the engine has finished what is in front of a position. */
static uint64_t
certain_bytes(const struct request *request, uint64_t done)
{
	uint64_t bytes = 0;

	for (uint64_t at = request->first; request->len > 0 && at < spdk_min(request->end, done);
	     at++) {
		bytes += g_slots[at % DEVICE_RING].desc.generic.size;
	}
	return bytes;
}

/** The channel goes on at `base`: what is in front of it and was not said to be done has failed. */
static void
restarted_at(uint64_t base)
{
	uint64_t first = requests_ended();
	bool failed = false, behind_fence = false, behind_failed_fence = false;

	for (uint64_t i = first; i < g_requests.accepted; i++) {
		struct request *request = request_of(i);

		request->may_abort |= behind_fence;
		request->must_abort |= behind_failed_fence;
		if (request->end > g_device.said_done && request->end <= base) {
			request->failed = failed = true;
			request->certain = certain_bytes(request, g_device.said_done);
		}
		behind_fence |= request->fence;
		behind_failed_fence |= failed && request->fence;
	}
}

/** Whether a request begins or ends there. */
static bool
is_between_requests(uint64_t position)
{
	uint64_t number = requests_ended();

	if (number == g_requests.accepted || position == request_of(number)->first) {
		return true;
	}
	while (number < g_requests.accepted && request_of(number)->end != position) {
		number++;
	}
	return number < g_requests.accepted;
}

uint64_t
on_armed(unsigned slot)
{
	uint64_t base;

	if (g_requests.chan == NULL) { /* attaching */
		g_furthest = g_requests.head = slot;
		return slot;
	}
	if (g_requests.arms_at_head) {
		g_requests.arms_at_head = false;
		base = g_requests.head;
		CHECK(slot == base % DEVICE_RING);
		restarted_at(base);
		g_furthest = base;
		return base;
	}
	/* Behind what was known to be done, and in front of what was not announced. */
	base = g_furthest - (g_furthest - slot) % DEVICE_RING;
	CHECK(g_device.misbehaved && is_between_requests(base));
	restarted_at(base);
	return base;
}

/* ---- How they end ---- */

void
requests_accept(const struct request *request, uint32_t room_before)
{
	uint32_t room = udma_ioat_room(g_requests.chan);
	struct request *accepted = request_of(g_requests.accepted++);

	CHECK(room < room_before && g_requests.accepted - requests_ended() < REQUESTS);
	*accepted = *request;
	accepted->first = g_requests.head;
	g_requests.head += room_before - room;
	accepted->end = g_requests.head;
}

void
requests_note(void)
{
	uint64_t ended = requests_ended();

	for (; g_requests.noted < ended; g_requests.noted++) {
		CHECK(!request_of(g_requests.noted)->tells_status);
		CHECK(g_device.misbehaved || g_requests.stopped);
	}
}

void
requests_forget(void)
{
	for (; g_requests.noted < g_requests.accepted; g_requests.noted++) {
		CHECK(!request_of(g_requests.noted)->tells_status);
	}
	g_requests.chan = NULL;
	g_requests.accepted = g_requests.noted = 0;
	g_requests.calls = g_requests.failures = g_requests.errors = 0;
	g_requests.stopped = false;
}

static void
check_success(const struct request *request)
{
	CHECK(!request->failed && !request->must_abort && !request->nulled);
	CHECK(request->end <= g_furthest && request->end <= g_device.said_done);
}

static void
check_failure(const struct request *request, const struct udma_ioat_result *result)
{
	CHECK(g_device.misbehaved || g_requests.stopped);
	/* The engine cannot be inside its memory any more, unless it cannot be stopped. */
	CHECK(request->end <= g_device.base || request->may_abort || device_is_stopped() ||
	      g_device.refused);
	CHECK(result->bytes <=
	      (request->failed ? request->certain : certain_bytes(request, g_device.said_done)));
	switch (result->status) {
	case UDMA_IOAT_ABORTED:
		CHECK(request->may_abort || g_requests.stopping > 0);
		break;
	case UDMA_IOAT_HUNG:
	case UDMA_IOAT_GONE:
	case UDMA_IOAT_FAILED:
		CHECK(udma_ioat_get_state(g_requests.chan) == UDMA_IOAT_HAS_FAILED);
		break;
	default:
		CHECK(result->status > UDMA_IOAT_OK && result->status < UDMA_IOAT_FAILED);
		CHECK(strcmp(udma_ioat_status_text(result->status), "unknown status") != 0);
		break;
	}
}

const struct request *
requests_end(uint64_t number, const struct udma_ioat_result *result)
{
	const struct request *request = request_of(number);

	CHECK(g_requests.calls_allowed > 0 && g_requests.chan != NULL);
	/* Once, and in turn: those in front that have no callback are SPDK's, and have failed. */
	CHECK(number + 1 == requests_ended() && number >= g_requests.noted);
	for (; g_requests.noted < number; g_requests.noted++) {
		CHECK(!request_of(g_requests.noted)->tells_status);
	}
	g_requests.noted++;
	g_requests.calls++;
	CHECK(request->tells_status == (result != NULL));
	if (result == NULL || result->status == UDMA_IOAT_OK) {
		check_success(request);
		CHECK(result == NULL || (result->bytes == request->len && result->chanerr == 0));
	} else {
		g_requests.failures++;
		check_failure(request, result);
	}
	return request;
}
