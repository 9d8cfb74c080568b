/* SPDX-License-Identifier: BSD-3-Clause */

/* How requests end, and by what that is explained. */

#include "requests.h"

#include "spdk/util.h"

uint64_t
requests_ended(void)
{
	struct udma_ioat_stats stats;

	if (g_requests.chan == NULL) {
		return g_requests.accepted;
	}
	udma_ioat_get_stats(g_requests.chan, &stats, sizeof(stats));
	CHECK(stats.requests == g_requests.accepted - g_requests.before_channel);
	CHECK(stats.completed + stats.failed <= stats.requests);
	return g_requests.before_channel + stats.completed + stats.failed;
}

static bool
has_failed(void)
{
	return g_requests.had_failed || channel_has_failed();
}

/** The first `certain` bytes are new, the others old or new; all of them are what is expected. Of
 * P and Q those of each are. */
static void
check_bytes(const struct request *request, uint64_t certain, bool untouched)
{
	uint64_t i = 0;

	for (unsigned p = 0; p < request->destination.count; p++) {
		struct range piece = request->destination.piece[p];
		const uint8_t *at = g_memory + piece.start;
		uint64_t until = certain + (request_is_parity(request->kind) ? i : 0);

		if (until >= i + piece.len) {
			CHECK(memcmp(at, request->after + i, piece.len) == 0);
			i += piece.len;
		} else {
			for (uint32_t k = 0; k < piece.len; k++, i++) {
				CHECK((at[k] == request->after[i] && !untouched) ||
				      (at[k] == request->before[i] && i >= until));
			}
		}
		memory_accept(piece);
	}
}

static bool
was_done_by_engine(const struct request *request)
{
	return request->stopped ? request->finished : request->end <= g_device.done;
}

/** Of a channel that has failed: whether the engine has not been told of it. */
static bool
is_for_cpu_to_end(const struct request *request)
{
	return request->cpu ||
	       (request->else_cpu && request->first >= g_device.furthest && !g_device.gone);
}

/** Whether the CPU may have carried it out. An engine that has halted has not. */
static bool
may_be_done_by_cpu(const struct request *request)
{
	return request->cpu || (has_failed() && request->else_cpu && !was_done_by_engine(request) &&
				(request->first >= g_device.furthest || g_requests.halted));
}

/** Whether the engine has halted at it, and could not be restarted. */
static bool
is_halted_at(const struct request *request)
{
	return g_requests.halted && !request->cpu && request->first <= g_requests.halted_at &&
	       request->end > g_requests.halted_at;
}

/** \return the statuses (bits by number) with which a request that has failed may end. */
static uint32_t
explained(const struct request *request, uint32_t *chanerr)
{
	uint32_t statuses = 0;

	*chanerr = 0;
	if (request->aborted) {
		/* Unless it was the engine's, and ended when the channel failed, before the CPU has
		 * found the difference. */
		return 1u << UDMA_IOAT_ABORTED |
		       (has_failed() && !is_for_cpu_to_end(request) ? g_device.explains : 0);
	}
	if (request->blamed) {
		*chanerr = request->chanerr;
		return 1u << requests_status_of(request->chanerr);
	}
	if (request->else_cpu && has_failed()) {
		statuses |= 1u << UDMA_IOAT_ABORTED; /* behind the fence of one that has failed */
	}
	if (request->stopped || g_requests.stopping > 0) {
		statuses |= 1u << UDMA_IOAT_ABORTED;
	}
	if (has_failed()) {
		statuses |= is_for_cpu_to_end(request) ? 0 : g_device.explains;
		if (is_halted_at(request)) {
			*chanerr = g_requests.halted_cause;
			statuses |= 1u << requests_status_of(*chanerr);
		}
	}
	return statuses;
}

/** A check that the CPU has made. \return whether it is that. */
static bool
check_difference(const struct request *request, const struct udma_ioat_result *result)
{
	uint32_t first, bits;

	if (result == NULL || result->status != UDMA_IOAT_MISMATCH || request->aborted ||
	    request->blamed || !request_is_check(request->kind) || !may_be_done_by_cpu(request)) {
		return false;
	}
	bits = request_mismatches(request, 0, request->len, &first);
	/* The engine's answer, unless it was gone before the driver could ask for it. */
	if (is_halted_at(request) &&
	    requests_status_of(g_requests.halted_cause) == UDMA_IOAT_MISMATCH &&
	    (!g_device.gone || result->chanerr != bits)) {
		return false;
	}
	CHECK(bits != 0 && result->chanerr == bits && result->bytes == first);
	g_requests.by_cpu++;
	g_requests.failures_least++;
	g_requests.failures_most++;
	return true;
}

/** \param result NULL: nobody was told. */
static void
check_failure(const struct request *request, const struct udma_ioat_result *result)
{
	uint64_t limit = request->blamed || request->stopped
				 ? request->certain
				 : request_bytes_before(request, g_device.done);
	uint32_t chanerr, statuses = explained(request, &chanerr);

	CHECK(statuses != 0);
	if (request->aborted) {
		limit = 0;
	}
	if (result != NULL) {
		CHECK(statuses & 1u << result->status);
		CHECK(result->chanerr == 0 || result->chanerr == chanerr);
		CHECK(result->bytes <= limit);
		if (request->aborted || request->blamed) {
			CHECK(result->chanerr == chanerr && result->bytes == limit);
		}
	}
	check_bytes(request, result != NULL ? result->bytes : 0,
		    request->aborted || request->untouched || request->cpu ||
			    request->first >= g_device.furthest);
	g_requests.failures_least++;
	g_requests.failures_most++;
}

static void
check_success(const struct request *request)
{
	uint32_t first;

	CHECK(!request->blamed && !request->aborted);
	CHECK(was_done_by_engine(request) || (has_failed() && may_be_done_by_cpu(request)));
	g_requests.by_cpu += may_be_done_by_cpu(request);
	CHECK(!request_is_check(request->kind) ||
	      request_mismatches(request, 0, request->len, &first) == 0);
	check_bytes(request, request->len, false);
}

/** One that has ended, and nobody was told how. */
static void
note_unheard(const struct request *request)
{
	g_requests.events++;
	if (request->blamed || request->aborted) {
		check_failure(request, NULL);
	} else if (request->stopped || has_failed()) {
		check_bytes(request, 0, false);
		g_requests.failures_most++;
	} else {
		check_success(request);
	}
}

/** One of SPDK's that has failed: a poll is going to tell of it, if it was not stopped. */
static void
note_failed(const struct request *request)
{
	check_failure(request, NULL);
	if (has_failed() || (request->stopped && !request->aborted)) {
		return;
	}
	/* Behind a fence it has moved nothing; whether it had ended before it was stopped is
	 * seen only by the driver. */
	g_requests.owed_most += !request->stopped || request->finished;
	g_requests.owed_least += !request->stopped;
}

static void
note_until(uint64_t number)
{
	while (g_requests.noted < number) {
		const struct request *request = request_of(g_requests.noted);

		CHECK(!request->tells_status || request->unheard);
		if (request->unheard) {
			note_unheard(request);
		} else {
			note_failed(request);
		}
		g_requests.noted++;
	}
}

void
requests_note(void)
{
	note_until(requests_ended());
}

const struct request *
requests_end(uint64_t number, const struct udma_ioat_result *result)
{
	const struct request *request = request_of(number);

	/* Once, and in turn. */
	CHECK(g_requests.chan != NULL && number >= g_requests.noted);
	CHECK(number + 1 == requests_ended());
	note_until(number);
	CHECK(request->tells_status == (result != NULL) && !request->unheard);
	g_requests.events++;
	if (result == NULL || result->status == UDMA_IOAT_OK) {
		check_success(request);
		CHECK(result == NULL || (result->bytes == request->len && result->chanerr == 0));
	} else if (!check_difference(request, result)) {
		check_failure(request, result);
	} else if (!request->redone) {
		requests_abort_behind_fence(number);
	}
	g_requests.noted++;
	return request;
}

void
requests_forget(void)
{
	for (; g_requests.noted < g_requests.accepted; g_requests.noted++) {
		const struct request *request = request_of(g_requests.noted);

		CHECK(!request->tells_status || request->unheard);
		CHECK(request->unheard || request->blamed || request->aborted || request->stopped ||
		      g_requests.halted || g_device.explains != 0);
		check_bytes(request, 0, false);
	}
	g_requests.chan = NULL;
}
