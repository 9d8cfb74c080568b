/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What happens on the CPUs that drive channels.
 *
 * A slice of the engine's has three parts: until the queues are full and every slot has been used,
 * while it is measured, and until the queues are empty. So the time that is measured begins and
 * ends with completions, and with the engine at work.
 */

#include "perf_worker.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include "spdk/env.h"
#include "spdk/string.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

/* Full queues are not waited for longer. */
#define WARM_UP_SECONDS 0.005
/* Turns in a row that find nothing done, before the CPU is offered to others: an emulated engine
 * may be waiting for it. */
#define IDLE_TURNS 1000
/* How often a channel is looked at for progress. Looks are counted, not seconds: while the machine
 * stands still, or has no time for us, it may be the same for the engine. */
#define SECONDS_PER_LOOK 0.1
/* How long a channel may go without progress once the user has asked to stop. */
#define STOP_SECONDS 1.0
/* Bytes that the CPU moves between two looks at the clock. */
#define BYTES_PER_LOOK 262144
/* One byte in so many is spoilt before a slice of the engine's. */
#define SPOIL_STEP 512

#define SIZE_TEXT 32

static uint64_t
ticks_of(double seconds)
{
	return (uint64_t)(seconds * (double)spdk_get_ticks_hz());
}

/* ---- The queue of a channel ---- */

static void
on_done(void *arg)
{
	struct slot *slot = arg;
	struct lane *lane = slot->lane;

	histogram_add(lane->record, spdk_get_ticks() - slot->submitted);
	lane->completed++;
}

/** What spdk_ioat_build_fill() takes for a fill with one byte. */
static uint64_t
pattern_of(uint8_t byte)
{
	return byte * 0x0101010101010101u;
}

static int
build(struct lane *lane, struct slot *slot)
{
	struct spdk_ioat_chan *ioat = lane->channel->ioat;

	slot->submitted = spdk_get_ticks();
	return lane->options->fill ? spdk_ioat_build_fill(ioat, slot, on_done, slot->destination,
							  pattern_of(slot->byte), lane->size)
				   : spdk_ioat_build_copy(ioat, slot, on_done, slot->destination,
							  slot->source, lane->size);
}

/** Keeps as many requests outstanding as the depth says, or as the ring holds. */
static int
fill_queue(struct lane *lane)
{
	const struct perf_options *options = lane->options;
	uint64_t outstanding;

	while ((outstanding = lane->submitted - lane->completed) < options->depth) {
		int rc = build(lane, &lane->slots[lane->next]);

		if (rc == -ENOMEM) {
			lane->built = 0; /* what was built has been flushed */
			return 0;
		}
		if (rc != 0) {
			return rc;
		}
		lane->next = lane->next + 1 < options->depth ? lane->next + 1 : 0;
		lane->submitted++;
		if (outstanding >= lane->deepest) {
			lane->deepest = outstanding + 1;
		}
		if (++lane->built == options->batch) {
			spdk_ioat_flush(lane->channel->ioat);
			lane->built = 0;
		}
	}
	return 0;
}

/* ---- All channels of a worker ---- */

static int
give_up(struct worker *worker, const struct lane *lane, int rc)
{
	char size[SIZE_TEXT];

	worker->error = rc;
	if (rc != -ETIMEDOUT) {
		complain("channel %s (%s) failed in a %s of %s: %s", lane->channel->address,
			 lane->channel->kind, lane->options->fill ? "fill" : "copy",
			 size_exact_text(lane->size, size, sizeof(size)), spdk_strerror(-rc));
	} else if (!stop_requested()) {
		complain("channel %s (%s) has completed nothing for %.0f seconds; %" PRIu64
			 " requests of %s were given up",
			 lane->channel->address, lane->channel->kind, HANG_SECONDS,
			 lane->submitted - lane->completed,
			 size_exact_text(lane->size, size, sizeof(size)));
	}
	stop_now();
	return rc;
}

/** \return 0; a negative errno if a channel has made no progress for too long. */
static int
look_for_hang(struct worker *worker, uint64_t now)
{
	double limit = stop_requested() ? STOP_SECONDS : HANG_SECONDS;

	worker->look_at = now + ticks_of(SECONDS_PER_LOOK);
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];
		bool is_idle = lane->completed == lane->submitted;

		lane->looks =
			is_idle || lane->completed != lane->completed_before ? 0 : lane->looks + 1;
		lane->completed_before = lane->completed;
		if (lane->looks * SECONDS_PER_LOOK > limit) {
			return give_up(worker, lane, -ETIMEDOUT);
		}
	}
	return 0;
}

static int
wait_for_one(struct worker *worker, struct lane *lane)
{
	int rc = udma_ioat_wait(lane->channel->ioat, (uint64_t)(SECONDS_PER_LOOK * 1e6));

	if (rc == -ETIMEDOUT || rc == -EINTR) {
		return 0;
	}
	return rc < 0 ? give_up(worker, lane, rc) : rc;
}

/** Sleeps until there is something to poll for. \return as take_turn(). */
static int
wait_for_any(struct worker *worker)
{
	struct pollfd fds[MAX_CHANNELS];
	int count = 0;

	if (worker->lane_count == 1) {
		return wait_for_one(worker, &worker->lanes[0]);
	}
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];
		int rc = udma_ioat_before_sleep(lane->channel->ioat);

		if (rc < 0) {
			return give_up(worker, lane, rc);
		}
		count += rc;
		lane->built = 0; /* what was built has been flushed */
		fds[i] = (struct pollfd){.fd = udma_ioat_get_fd(lane->channel->ioat),
					 .events = POLLIN};
	}
	if (count == 0) {
		poll(fds, worker->lane_count, (int)(SECONDS_PER_LOOK * 1e3));
	}
	return count;
}

/** Submits to each channel, or not, and polls it. \return how many requests have ended; a negative
 * errno, said. */
static int
take_turn(struct worker *worker, bool submit)
{
	uint64_t now = spdk_get_ticks();
	int count = 0;

	if (now >= worker->look_at) {
		int rc = look_for_hang(worker, now);

		if (rc != 0) {
			return rc;
		}
	}
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];
		int rc = submit ? fill_queue(lane) : 0;

		if (rc == 0) {
			rc = spdk_ioat_process_events(lane->channel->ioat);
		}
		if (rc < 0) {
			return give_up(worker, lane, rc);
		}
		count += rc;
	}
	if (count == 0 && worker->options->wait) {
		return wait_for_any(worker);
	}
	if (count > 0) {
		worker->idle_turns = 0;
	} else if (++worker->idle_turns == IDLE_TURNS) {
		worker->idle_turns = 0;
		sched_yield();
	}
	return count;
}

static uint64_t
completed(const struct worker *worker)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < worker->lane_count; i++) {
		sum += worker->lanes[i].completed;
	}
	return sum;
}

static bool
each_has_completed(const struct worker *worker, uint64_t count)
{
	for (unsigned i = 0; i < worker->lane_count; i++) {
		if (worker->lanes[i].completed < count) {
			return false;
		}
	}
	return true;
}

/* ---- A slice of the engine's ---- */

/** What a byte of a destination should be. */
static uint8_t
wanted(const struct slot *slot, uint64_t offset)
{
	return slot->source != NULL ? slot->source[offset] : slot->byte;
}

/** Makes destinations wrong here and there, so that an engine that does nothing is noticed. */
static void
spoil(const struct lane *lane)
{
	for (unsigned i = 0; i < lane->options->depth; i++) {
		const struct slot *slot = &lane->slots[i];

		for (uint64_t at = 0; at < lane->size; at += SPOIL_STEP) {
			slot->destination[at] = (uint8_t)~wanted(slot, at);
		}
		slot->destination[lane->size - 1] = (uint8_t)~wanted(slot, lane->size - 1);
	}
}

static void
begin(struct worker *worker)
{
	worker->result = (struct perf_side){0};
	worker->idle_turns = 0;
	worker->look_at = 0;
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];

		spoil(lane);
		lane->submitted = lane->completed = 0;
		lane->next = lane->built = 0;
		lane->record = &lane->unmeasured;
		lane->completed_before = 0;
		lane->looks = 0;
	}
}

static void
record_into(struct worker *worker, bool measured)
{
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];

		lane->record = measured ? &lane->measured : &lane->unmeasured;
	}
}

static bool
is_warm(const struct worker *worker, uint64_t start)
{
	return each_has_completed(worker, worker->options->depth) ||
	       (spdk_get_ticks() - start > ticks_of(WARM_UP_SECONDS) &&
		each_has_completed(worker, 1));
}

static int
warm_up(struct worker *worker)
{
	uint64_t start = spdk_get_ticks();
	int count;

	do {
		count = take_turn(worker, true);
	} while (count >= 0 && !stop_requested() && (count == 0 || !is_warm(worker, start)));
	return count < 0 ? count : 0;
}

static int
measure(struct worker *worker)
{
	uint64_t before = completed(worker);
	uint64_t start = spdk_get_ticks();
	uint64_t length = ticks_of(worker->slice_seconds);
	double cpu_start = seconds_on(CLOCK_THREAD_CPUTIME_ID);
	int count;

	record_into(worker, true);
	do {
		count = take_turn(worker, true);
	} while (count >= 0 && !stop_requested() &&
		 (count == 0 || spdk_get_ticks() - start < length));
	record_into(worker, false);
	worker->result.operations = completed(worker) - before;
	worker->result.seconds = (double)(spdk_get_ticks() - start) / (double)spdk_get_ticks_hz();
	worker->result.cpu_seconds = seconds_on(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
	return count < 0 ? count : 0;
}

static void
drain(struct worker *worker)
{
	int count = 0;

	for (unsigned i = 0; i < worker->lane_count; i++) {
		spdk_ioat_flush(worker->lanes[i].channel->ioat);
	}
	for (unsigned i = 0; i < worker->lane_count; i++) {
		while (count >= 0 && worker->lanes[i].completed < worker->lanes[i].submitted) {
			count = take_turn(worker, false);
		}
	}
}

void
worker_engine_slice(struct worker *worker)
{
	begin(worker);
	if (warm_up(worker) == 0 && measure(worker) == 0) {
		drain(worker);
	}
	worker->operations = completed(worker);
	worker->cpu_seconds = seconds_on(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- A slice of the CPU's ---- */

static void
work(const struct slot *slot, uint64_t size)
{
	if (slot->source != NULL) {
		memcpy(slot->destination, slot->source, size);
	} else {
		memset(slot->destination, slot->byte, size);
	}
	/* The compiler must take it for needed. */
	__asm__ volatile("" ::: "memory");
}

void
worker_baseline_slice(struct worker *worker)
{
	const uint64_t size = worker->size;
	uint64_t start = spdk_get_ticks(), length = ticks_of(worker->slice_seconds);
	double cpu_start = seconds_on(CLOCK_THREAD_CPUTIME_ID);
	uint64_t now, operations = 0;
	unsigned lane = 0, slot = 0;

	do {
		for (uint64_t done = 0; done < BYTES_PER_LOOK; done += size) {
			work(&worker->lanes[lane].slots[slot], size);
			operations++;
			if (++slot == worker->options->depth) {
				slot = 0;
				lane = lane + 1 < worker->lane_count ? lane + 1 : 0;
			}
		}
		now = spdk_get_ticks();
	} while (now - start < length && !stop_requested());
	worker->result = (struct perf_side){
		.operations = operations,
		.seconds = (double)(now - start) / (double)spdk_get_ticks_hz(),
		.cpu_seconds = seconds_on(CLOCK_THREAD_CPUTIME_ID) - cpu_start,
	};
}
