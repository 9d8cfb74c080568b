/* SPDX-License-Identifier: BSD-3-Clause */

/* What becomes of requests as the engine is started, halts and is stopped. */

#include "requests.h"

#include "spdk/util.h"

/* Control bits of a descriptor (section 6.1). */
#define INT_ENABLE        0x01u
#define COMPLETION_UPDATE 0x08u
#define FENCE             0x10u

uint64_t
request_bytes_before(const struct request *request, uint64_t position)
{
	uint64_t bytes = 0;

	for (uint64_t at = request->first; at < spdk_min(request->end, position); at++) {
		bytes += request->sizes[at - request->first];
	}
	return bytes;
}

enum udma_ioat_status
requests_status_of(uint32_t chanerr)
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
		request->certain = request_bytes_before(request, g_device.done);
	}
}

/** Whether the CPU carries out what the engine has halted at. */
static bool
is_redone(const struct request *request)
{
	enum udma_ioat_status status = requests_status_of(g_requests.halted_cause);

	if (request->aborted || request->cpu || !request->else_cpu) {
		return request->cpu && !request->aborted;
	}
	/* A difference is one for the CPU as well, damaged memory is not to be read again, and a
	 * source that is the destination has been overwritten, perhaps. */
	return status != UDMA_IOAT_MISMATCH && status != UDMA_IOAT_BAD_DATA &&
	       !(request->kind == XOR && request->len > 0 &&
		 ranges_meet(request->destination.piece[0], request->source.piece[0]));
}

void
requests_abort_behind_fence(uint64_t number)
{
	while (number < g_requests.accepted && !request_of(number)->fence) {
		number++;
	}
	for (uint64_t i = number + 1; i < g_requests.accepted; i++) {
		request_of(i)->aborted = true;
	}
}

/** The CPU has carried one out at a halt: what a difference aborts is what had been built by then.
 */
static void
redo(uint64_t number)
{
	struct request *request = request_of(number);
	uint32_t first;

	if (request->redone || request->aborted) {
		return;
	}
	request->redone = true;
	if (request_is_check(request->kind) &&
	    request_mismatches(request, 0, request->len, &first) != 0) {
		requests_abort_behind_fence(number);
	}
}

/** Behind a request at which it has halted. \return where it goes on. */
static uint64_t
blame(void)
{
	uint64_t number = g_requests.noted;
	struct request *request;

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
		/* With it, and before it, what is the CPU's already. */
		for (uint64_t i = g_requests.noted; !request->cpu && i < number; i++) {
			if (request_of(i)->cpu) {
				redo(i);
			}
		}
		if (!request->cpu) {
			redo(number);
		}
		request->cpu = true;
		return request->end;
	}
	request->blamed = true;
	request->chanerr = g_requests.halted_cause;
	request->certain = request_bytes_before(request, g_device.done);
	requests_abort_behind_fence(number);
	return request->end;
}

uint64_t
requests_armed(unsigned slot)
{
	uint64_t base;

	if (g_requests.chan == NULL) { /* attaching; it may halt again before that is over */
		g_requests.halted = false;
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
	       chanerr == request_mismatches(request,
					     (uint32_t)request_bytes_before(request, position),
					     request->sizes[position - request->first], &first);
}

void
requests_halted(uint64_t position, uint32_t chanerr)
{
	g_requests.halted = true;
	g_requests.halted_at = position;
	g_requests.halted_cause = chanerr;
	g_requests.halted_at_work = g_device.announced != g_device.done;
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
	if (device_tells_of_halt(g_requests.halted_at_work && g_device.ready)) {
		return g_requests.halted_at >= g_device.silent_until;
	}
	/* From far ahead it has interrupted before it was to be believed: the rest is the timer's.
	 */
	return !device_word_is_far(request_of(oldest)->first) && request_of(oldest)->end <= said &&
	       said > g_device.silent_until;
}

void
requests_brought_up(void)
{
	requests_note();
	g_device.explains = 0;
	g_device.halts = 0;
}
