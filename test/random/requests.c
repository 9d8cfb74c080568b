/* SPDX-License-Identifier: BSD-3-Clause */

/* What a new request is: its descriptors, and what its destination will hold. */

#include "requests.h"

#include "spdk/util.h"

struct requests g_requests;

static struct request g_ring[REQUESTS];

struct request *
request_of(uint64_t number)
{
	return &g_ring[number % REQUESTS];
}

struct request *
requests_next(void)
{
	return request_of(g_requests.accepted);
}

/** Where in a list of pieces one is. */
struct cursor {
	const struct list *list;
	unsigned index;
	uint32_t into;
};

/** Moves over pieces without bytes. \return bytes left of the piece in hand; 0 at the end. */
static uint32_t
piece_left(struct cursor *cursor)
{
	while (cursor->index < cursor->list->count &&
	       cursor->into == cursor->list->piece[cursor->index].len) {
		cursor->index++;
		cursor->into = 0;
	}
	return cursor->index < cursor->list->count
		       ? cursor->list->piece[cursor->index].len - cursor->into
		       : 0;
}

static uint32_t
address_of(const struct cursor *cursor)
{
	return cursor->list->piece[cursor->index].start + cursor->into;
}

/** Not longer than what is contiguous for the device, the pieces at hand, and a descriptor. */
static uint32_t
next_size(struct cursor *cursor, uint32_t size)
{
	uint32_t left = piece_left(cursor);

	return spdk_min(spdk_min(size, left), memory_contiguous(address_of(cursor)));
}

/* ---- XOR and P+Q ---- */

bool
requests_offer(enum kind kind)
{
	return request_is_parity(kind) ? g_requests.has_parity : kind != FILL || g_requests.fills;
}

unsigned
request_slots(const struct request *request)
{
	return request->source_count > (request_is_pq(request->kind) ? 3 : 5) ? 2 : 1;
}

/** All operands are cut where one of them is; the last descriptor moves nothing. */
static unsigned
split_parity(struct request *request)
{
	unsigned count = 0;
	uint32_t size;

	for (uint32_t done = 0; done < request->len; done += size) {
		const struct list *lists[] = {&request->source, &request->destination};

		size = (uint32_t)spdk_min(g_device.max_piece, request->len - done);
		for (unsigned i = 0; i < SPDK_COUNTOF(lists); i++) {
			for (unsigned k = 0; k < lists[i]->count; k++) {
				uint32_t at = lists[i]->piece[k].start + done;

				size = spdk_min(size, memory_contiguous(at));
			}
		}
		if (size == 0) {
			return 0;
		}
		CHECK(count + 3 <= RING);
		request->sizes[count++] = (uint16_t)size;
		if (request_slots(request) == 2) {
			request->sizes[count++] = 0;
		}
	}
	request->sizes[count++] = 0;
	return count;
}

/** Whether what is next is a page that a descriptor can take with another one. */
static bool
is_page(struct cursor *to, struct cursor *from)
{
	return spdk_min(piece_left(to), piece_left(from)) == PAGE &&
	       (address_of(to) | address_of(from)) % PAGE == 0 && g_device.max_piece >= 2 * PAGE;
}

unsigned
request_split(struct request *request)
{
	struct cursor to = {.list = &request->destination};
	struct cursor from = {.list = &request->source};
	bool lone_page = false;
	unsigned count = 0;

	if (request->len == 0) {
		request->sizes[0] = 0;
		return 1;
	}
	if (request_is_parity(request->kind)) {
		return split_parity(request);
	}
	while (piece_left(&to) > 0) {
		uint32_t size = next_size(&to, (uint32_t)spdk_min(g_device.max_piece, LEN_MAX));
		bool page;

		if (request->kind != FILL) {
			size = next_size(&from, size);
		}
		if (size == 0) {
			return 0;
		}
		page = request->kind == COPYV && is_page(&to, &from);
		if (page && lone_page) {
			request->sizes[count - 1] = 2 * PAGE;
			lone_page = false;
		} else {
			CHECK(count < RING);
			request->sizes[count++] = (uint16_t)size;
			lone_page = page;
		}
		to.into += size;
		from.into += request->kind != FILL ? size : 0;
	}
	return count;
}

unsigned
request_split_for_cpu(struct request *request)
{
	request->cpu = true;
	request->sizes[0] = 0;
	return 1;
}

uint64_t
requests_oldest(void)
{
	return g_requests.noted == g_requests.accepted ? g_requests.head
						       : request_of(g_requests.noted)->first;
}

bool
requests_are_held(void)
{
	for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
		if (request_of(i)->cpu || request_of(i)->holds) {
			return true;
		}
	}
	return false;
}

/* ---- Which memory it may use ---- */

static bool
list_meets(const struct list *list, struct range range)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (ranges_meet(list->piece[i], range)) {
			return true;
		}
	}
	return false;
}

bool
requests_leave_free(struct range range)
{
	for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
		if (list_meets(&request_of(i)->destination, range) ||
		    list_meets(&request_of(i)->source, range)) {
			return false;
		}
	}
	return true;
}

bool
requests_let_read(struct range range)
{
	for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
		const struct request *request = request_of(i);

		if (list_meets(&request->destination, range) &&
		    (i >= g_requests.last_fence || request->blamed || request->aborted ||
		     request->stopped || channel_has_failed())) {
			return false;
		}
	}
	return true;
}

/* ---- What its destination will hold ---- */

void
requests_foresee(struct range range, uint8_t *bytes)
{
	memcpy(bytes, g_memory + range.start, range.len);
	for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
		const struct request *request = request_of(i);
		uint32_t into = 0;

		for (unsigned p = 0; p < request->destination.count; p++) {
			struct range piece = request->destination.piece[p];

			if (ranges_meet(piece, range)) {
				uint32_t start = spdk_max(piece.start, range.start);
				uint32_t end =
					spdk_min(piece.start + piece.len, range.start + range.len);

				memcpy(bytes + (start - range.start),
				       request->after + into + (start - piece.start), end - start);
			}
			into += piece.len;
		}
	}
}

void
request_foresee(struct request *request)
{
	uint32_t into = 0;

	for (unsigned i = 0; i < request->destination.count; i++) {
		struct range piece = request->destination.piece[i];

		memcpy(request->before + into, g_memory + piece.start, piece.len);
		into += piece.len;
	}
	if (request_is_parity(request->kind)) {
		request_compute_parity(request);
		return;
	}
	if (request->kind == FILL) {
		for (uint32_t i = 0; i < request->len; i++) {
			request->after[i] = (uint8_t)(request->pattern >> i % 8 * 8);
		}
		return;
	}
	into = 0;
	for (unsigned i = 0; i < request->source.count; i++) {
		requests_foresee(request->source.piece[i], request->after + into);
		into += request->source.piece[i].len;
	}
}

void
requests_accept(unsigned descriptors)
{
	struct request *request = request_of(g_requests.accepted);

	CHECK(g_requests.accepted - g_requests.noted < REQUESTS);
	request->first = g_requests.head;
	g_requests.head += descriptors;
	request->end = g_requests.head;
	g_requests.accepted++;
	request->holds = false;
	if (request->fence) {
		request->holds = requests_are_held();
		g_requests.last_fence = g_requests.accepted;
	}
}

static bool
is_outstanding(uint32_t at)
{
	for (uint64_t i = g_requests.noted; i < g_requests.accepted; i++) {
		if (list_meets(&request_of(i)->destination, (struct range){at, 1})) {
			return true;
		}
	}
	return false;
}

void
requests_check_memory(void)
{
	memory_check(is_outstanding);
}
