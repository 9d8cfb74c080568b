/* SPDX-License-Identifier: BSD-3-Clause */

/* What may become of requests, as the engine is started, halts and is stopped; and how they end. */

#include "requests.h"

#include "spdk/util.h"

/* Control bits of a descriptor (section 6.1). */
#define INT_ENABLE        0x01u
#define COMPLETION_UPDATE 0x08u
#define FENCE             0x10u

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

/** \return bytes of a request in descriptors in front of a position. */
static uint64_t
bytes_before(const struct request *request, uint64_t position)
{
	uint64_t bytes = 0;

	for (uint64_t at = request->first; at < spdk_min(request->end, position); at++) {
		bytes += request->sizes[at - request->first];
	}
	return bytes;
}

/** The status that a halt has, by the table of udma/ioat.h. */
static enum udma_ioat_status
status_of(uint32_t chanerr)
{
	static const struct {
		uint32_t bits;
		enum udma_ioat_status status;
	} table[] = {
		{0x00000101, UDMA_IOAT_BAD_SOURCE},     {0x00000202, UDMA_IOAT_BAD_DESTINATION},
		{0x00844c3c, UDMA_IOAT_BAD_DESCRIPTOR}, {0x000000c0, UDMA_IOAT_BAD_DATA},
		{0x00001000, UDMA_IOAT_BAD_COMPLETION}, {0x0f7b0000, UDMA_IOAT_MISMATCH},
	};

	for (unsigned i = 0; i < SPDK_COUNTOF(table); i++) {
		if (chanerr & table[i].bits) {
			return table[i].status;
		}
	}
	return UDMA_IOAT_UNKNOWN;
}

/* ---- The engine is started ---- */

/** By an abort or a reset: nothing that it has not carried out will be. */
static void
stop_all(void)
{
	for (uint64_t i = requests_ended(); i < g_requests.accepted; i++) {
		struct request *request = request_of(i);

		/* What the CPU carries out of a channel that had failed, it does behind its reset.
		 */
		if (request->stopped || request->blamed ||
		    (request->cpu && g_requests.arms == FROM_NEW)) {
			continue;
		}
		request->stopped = true;
		request->finished = request->end <= g_device.done;
		request->untouched = request->first >= g_device.announced;
		request->certain = bytes_before(request, g_device.done);
	}
}

/** Whether the CPU carries out what the engine has halted at. */
static bool
is_redone(const struct request *request)
{
	enum udma_ioat_status status = status_of(g_requests.halted_cause);

	if (request->aborted || request->cpu || !request->else_cpu) {
		return request->cpu && !request->aborted;
	}
	/* A difference is one for the CPU as well, damaged memory is not to be read again, and a
	 * source that is the destination has been overwritten, perhaps. */
	return status != UDMA_IOAT_MISMATCH && status != UDMA_IOAT_BAD_DATA &&
	       !(request->kind == XOR && request->len > 0 &&
		 ranges_meet(request->destination.piece[0], request->source.piece[0]));
}

/** It has failed: what is behind its fence will not be carried out. */
static void
abort_behind_fence(uint64_t number)
{
	while (number < g_requests.accepted && !request_of(number)->fence) {
		number++;
	}
	for (uint64_t i = number + 1; i < g_requests.accepted; i++) {
		request_of(i)->aborted = true;
	}
}

/** Behind a request at which it has halted. \return where it goes on. */
static uint64_t
blame(void)
{
	uint64_t number = g_requests.noted;
	struct request *request;
	uint32_t first;

	CHECK(g_requests.halted && g_requests.halted_at == g_device.done);
	if (g_device.announced == g_device.done) {
		return g_device.done; /* nobody is */
	}
	while (number < g_requests.accepted && request_of(number)->end <= g_device.done) {
		number++;
	}
	CHECK(number < g_requests.accepted);
	request = request_of(number);
	CHECK(request->first <= g_device.done);
	if (is_redone(request)) {
		if (!request->cpu && request_is_check(request->kind) &&
		    request_mismatches(request, 0, request->len, &first) != 0) {
			abort_behind_fence(number);
		}
		request->redone |= !request->cpu;
		request->cpu = true;
		return request->end;
	}
	request->blamed = true;
	request->chanerr = g_requests.halted_cause;
	request->certain = bytes_before(request, g_device.done);
	abort_behind_fence(number);
	return request->end;
}

uint64_t
requests_armed(unsigned slot)
{
	uint64_t base;

	if (g_requests.chan == NULL) { /* attaching */
		g_requests.head = slot;
		g_device.furthest = slot;
		return slot;
	}
	base = g_requests.head - (g_requests.head - slot) % RING;
	if (g_requests.arms == BEHIND_A_HALT) {
		CHECK(base == blame());
		g_requests.recoveries++;
	} else {
		CHECK(base == g_requests.head);
		stop_all();
		g_device.furthest = base;
		if (g_requests.arms == FROM_NEW) {
			g_requests.head++;
			/* What had ended until here had because the channel had failed, and is told
			 * of no more. */
			g_requests.had_failed = true;
			requests_note();
			g_requests.had_failed = false;
			g_requests.owed_least = g_requests.owed_most = 0;
		}
		g_requests.arms = BEHIND_A_HALT;
	}
	g_requests.halted = false;
	return base;
}

/** The request that a position belongs to; NULL: it is the driver's own. */
static struct request *
request_at(uint64_t position)
{
	uint64_t number = g_requests.noted;

	while (number < g_requests.accepted && request_of(number)->end <= position) {
		number++;
	}
	return g_requests.chan == NULL || number == g_requests.accepted ? NULL : request_of(number);
}

/** Whether it stands behind the fence of a check that the CPU has just found to differ. */
static bool
is_about_to_be_aborted(const struct request *request)
{
	bool differs = false, fenced = false;
	uint32_t first;

	for (uint64_t i = g_requests.noted; request_of(i) != request; i++) {
		const struct request *before = request_of(i);

		differs = differs || (before->cpu && request_is_check(before->kind) &&
				      request_mismatches(before, 0, before->len, &first) != 0);
		fenced = fenced || (differs && before->fence);
	}
	return fenced;
}

/** Of an XOR or P+Q only the descriptor at its end may complete; none overtakes it. */
static void
check_parity(const struct request *request, uint64_t position, uint32_t control)
{
	unsigned slots = request_slots(request);
	bool is_last = position + slots + 1 == request->end;

	/* The first eight bytes of an extension are an address. */
	if ((position - request->first) % slots == 0 && !request->aborted &&
	    !is_about_to_be_aborted(request)) {
		CHECK((control & FENCE) == (is_last ? FENCE : 0));
		CHECK(!(control & (COMPLETION_UPDATE | INT_ENABLE)));
	}
}

void
requests_announced(uint64_t position, uint32_t control)
{
	const struct request *request = request_at(position);

	if (request == NULL) {
		return;
	}
	if (request_is_parity(request->kind) && !request->cpu && position + 1 != request->end) {
		check_parity(request, position, control);
		return;
	}
	CHECK((control & FENCE) == (request->fence && request->end == position + 1 ? FENCE : 0));
	/* One for each batch (section 9), and the last of what is announced ends one. */
	CHECK(control & COMPLETION_UPDATE || position + 1 != g_device.announced);
	/* From then on they interrupt, if they complete. */
	CHECK(position < g_device.silent_until || g_device.interrupt_fd < 0 ||
	      !(control & COMPLETION_UPDATE) || control & INT_ENABLE);
}

bool
requests_explain_halt(uint64_t position, uint32_t chanerr)
{
	const struct request *request = request_at(position);
	uint32_t first;

	return request != NULL && request_is_check(request->kind) && !request->aborted &&
	       !request->cpu && position + 1 < request->end && chanerr != 0 &&
	       chanerr == request_mismatches(request, (uint32_t)bytes_before(request, position),
					     request->sizes[position - request->first], &first);
}

void
requests_halted(uint64_t position, uint32_t chanerr)
{
	g_requests.halted = true;
	g_requests.halted_at = position;
	g_requests.halted_cause = chanerr;
}

bool
requests_are_to_be_told_of(void)
{
	uint64_t oldest, said = device_said();

	if (g_requests.chan == NULL || channel_has_failed()) {
		return false;
	}
	oldest = requests_ended();
	if (oldest == g_requests.accepted || request_of(oldest)->first >= g_device.furthest) {
		return false;
	}
	if (device_said_halted()) {
		return g_requests.halted_at >= g_device.silent_until;
	}
	return request_of(oldest)->end <= said && said > g_device.silent_until;
}

void
requests_brought_up(void)
{
	requests_note();
	g_requests.halted = false;
	g_device.explains = 0;
	g_device.halts = 0;
}

/* ---- How they end ---- */

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

/** Whether the CPU may have carried it out. */
static bool
may_be_done_by_cpu(const struct request *request)
{
	return request->cpu || (has_failed() && request->else_cpu && !was_done_by_engine(request) &&
				request->first >= g_device.furthest);
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
		return 1u << status_of(request->chanerr);
	}
	if (request->else_cpu && has_failed()) {
		statuses |= 1u << UDMA_IOAT_ABORTED; /* behind the fence of one that has failed */
	}
	if (request->stopped || g_requests.stopping > 0) {
		statuses |= 1u << UDMA_IOAT_ABORTED;
	}
	if (has_failed()) {
		statuses |= is_for_cpu_to_end(request) ? 0 : g_device.explains;
		/* It may have halted at this one, and could not be restarted. */
		if (g_requests.halted && !request->cpu && request->first <= g_requests.halted_at &&
		    request->end > g_requests.halted_at) {
			*chanerr = g_requests.halted_cause;
			statuses |= 1u << status_of(*chanerr);
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
	uint64_t limit = request->blamed || request->stopped ? request->certain
							     : bytes_before(request, g_device.done);
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
		abort_behind_fence(number);
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
