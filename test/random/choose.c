/* SPDX-License-Identifier: BSD-3-Clause */

/* Choosing a request: one of which it is certain what its destination holds afterwards. */

#include "program.h"

#include "spdk/util.h"

static uint32_t
choose_len(void)
{
	static const uint32_t limits[] = {9, 65, 300, 300, 1000, 10001};

	return (uint32_t)random_below(&g_random,
				      limits[random_below(&g_random, SPDK_COUNTOF(limits))]);
}

static struct range
choose_range(uint32_t len)
{
	return (struct range){(uint32_t)random_below(&g_random, MEMORY_SIZE - len + 1), len};
}

/** A list of `len` bytes anywhere. */
static void
choose_list(struct list *list, uint32_t len, unsigned count)
{
	list->count = count;
	for (unsigned i = 0; i < count; i++) {
		uint32_t piece = i + 1 == count ? len : (uint32_t)random_below(&g_random, len + 1);

		list->piece[i] = choose_range(piece);
		len -= piece;
	}
}

/** Pages anywhere, also one behind the other; a piece that is none may be among them. */
static void
choose_pages(struct list *list, unsigned count, unsigned odd, uint32_t odd_len)
{
	list->count = count;
	for (unsigned i = 0; i < count; i++) {
		uint32_t page = (uint32_t)random_below(&g_random, MEMORY_SIZE / PAGE);

		if (i > 0 && random_below(&g_random, 4) == 0) {
			page = (list->piece[i - 1].start / PAGE + 1) % (MEMORY_SIZE / PAGE);
		}
		list->piece[i] =
			i == odd ? choose_range(odd_len) : (struct range){page * PAGE, PAGE};
	}
}

static void
choose_lists_of_pages(struct request *request)
{
	unsigned count = 2 + (unsigned)random_below(&g_random, PIECES_MAX - 1);
	unsigned odd = (unsigned)random_below(&g_random, 4 * PIECES_MAX);
	uint32_t odd_len = (uint32_t)random_below(&g_random, PAGE + 1);

	choose_pages(&request->destination, count, odd, odd_len);
	choose_pages(&request->source, count, odd, odd_len);
	request->len = (odd < count ? odd_len : PAGE) + (count - 1) * PAGE;
}

static bool
are_equal(struct range a, struct range b)
{
	return a.start == b.start && a.len == b.len;
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
			/* The result of an XOR may replace a source. */
			if (ranges_meet(to->piece[i], from->piece[k]) &&
			    !(request->kind == XOR && are_equal(to->piece[i], from->piece[k]))) {
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

/* ---- XOR and P+Q ---- */

static void
choose_parity(struct request *request)
{
	bool in_place = request->kind == XOR && random_below(&g_random, 4) == 0;
	struct list *results =
		request_is_check(request->kind) ? &request->source : &request->destination;

	request->source_count = 2 + (unsigned)random_below(&g_random, SOURCES_MAX - 1);
	request->has_q = request_is_pq(request->kind) && random_below(&g_random, 4) != 0;
	request->has_p = !request->has_q || random_below(&g_random, 4) != 0;
	request->destination.count = 0;
	request->source.count = request->source_count;
	for (unsigned i = 0; i < request->source_count; i++) {
		request->source.piece[i] = choose_range(request->len);
		request->coefficients[i] = (uint8_t)random_next(&g_random);
	}
	for (unsigned i = 0; i < (unsigned)request->has_p + request->has_q; i++) {
		results->piece[results->count++] =
			in_place ? request->source.piece[0] : choose_range(request->len);
	}
}

/** Puts what a check expects where it does, mostly. \return false if others use that memory. */
static bool
put_expected(const struct request *request)
{
	const struct range *expected = &request->source.piece[request->source_count];
	unsigned count = request->source.count - request->source_count;

	for (unsigned i = 0; i < count; i++) {
		if (!requests_leave_free(expected[i])) {
			return false;
		}
		for (unsigned k = 0; k < request->source_count + i; k++) {
			if (ranges_meet(expected[i], request->source.piece[k])) {
				return false;
			}
		}
	}
	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = g_memory + expected[i].start;

		memcpy(at, request->after + i * request->len, request->len);
		if (request->len > 0 && random_below(&g_random, 4) == 0) {
			at[random_below(&g_random, request->len)] ^= 0x10;
		}
		memory_accept(expected[i]);
	}
	return true;
}

/* ---- All ---- */

static void
choose_memory(struct request *request)
{
	unsigned most = request->kind == COPYV ? PIECES_MAX : 1;

	if (request_is_parity(request->kind)) {
		choose_parity(request);
		return;
	}
	if (request->kind == COPYV && random_below(&g_random, 4) == 0) {
		choose_lists_of_pages(request);
		return;
	}
	choose_list(&request->destination, request->len,
		    1 + (unsigned)random_below(&g_random, most));
	choose_list(&request->source, request->kind == FILL ? 0 : request->len,
		    1 + (unsigned)random_below(&g_random, most));
}

static void
choose_kind(struct request *request, bool tells_status)
{
	static const enum kind kinds[] = {COPY, COPY, COPY, FILL, COPYV, NOTHING};
	static const enum kind parities[] = {XOR, XOR_CHECK, PQ, PQ_CHECK};

	request->kind = kinds[random_below(&g_random, SPDK_COUNTOF(kinds))];
	if (random_below(&g_random, g_requests.has_parity ? 3 : 20) == 0) {
		request->kind = parities[random_below(&g_random, SPDK_COUNTOF(parities))];
	}
	request->tells_status = tells_status || request->kind == COPYV ||
				request->kind == NOTHING || request_is_parity(request->kind) ||
				random_below(&g_random, 2);
}

/** More often where it is needed. */
static bool
chooses_cpu(const struct request *request)
{
	return random_below(&g_random, requests_offer(request->kind) ? 6 : 2) == 0;
}

bool
request_choose(struct request *request, bool tells_status)
{
	unsigned tries = 0;

	choose_kind(request, tells_status);
	request->unheard = request->tells_status && random_below(&g_random, 32) == 0;
	request->fence = request->tells_status && random_below(&g_random, 6) == 0;
	request->else_cpu = request->tells_status && !request->unheard && chooses_cpu(request);
	request->in_callback =
		random_below(&g_random, 8) == 0 ? random_below(&g_random, IN_CALLBACK) : DO_NOTHING;
	request->pattern = random_next(&g_random);
	request->len = request->kind == NOTHING ? 0 : choose_len();
	if (request_is_parity(request->kind)) {
		request->len /= 2; /* there are two results */
	}
	do {
		choose_memory(request);
	} while (!is_certain(request) && ++tries < 4);
	if (tries == 4) {
		return false;
	}
	request_foresee(request);
	return !request_is_check(request->kind) || put_expected(request);
}
