/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The work of a channel: random requests, and the comparison of what they did.
 *
 * It goes through a target from its start to its end, again and again, each time with another depth
 * and other sizes. Requests finish in order, so everything before one that has just finished is
 * settled: what lies in front of it must be right, also where that belongs to other requests; and
 * what lies behind it, up to the next one that the engine may be writing.
 */

#include "verify.h"
#include "progress.h"
#include "random.h"
#include "stop.h"
#include "tool.h"

#include "spdk/string.h"
#include "spdk/util.h"

#include <errno.h>
#include <math.h>
#include <sched.h>

/* The most between two requests that are not beside each other. */
#define WIDEST_GAP 4096
/* Told to stop, an engine has so long to finish something. */
#define STOP_SECONDS 1.0

static bool
goes_on(const struct verifier *v)
{
	return v->error.trouble == TROUBLE_NONE && !v->is_given_up;
}

static bool
is_over(const struct verifier *v)
{
	const struct verify_job *job = v->job;

	return stop_requested() || (job->count > 0 && v->started == job->count) ||
	       (v->started > 0 && seconds_now() >= v->end);
}

static struct request *
request_at(struct verifier *v, uint64_t number)
{
	return &v->requests[number % v->job->depth];
}

/** With the oldest request that has not finished, if there is one. */
static void
blame(struct verifier *v, enum trouble trouble, int rc)
{
	struct verify_error error = {.trouble = trouble, .rc = rc};

	error.has_request = v->finished < v->started;
	if (error.has_request) {
		error.request = *request_at(v, v->finished + 1);
	}
	verify_blame(v, &error);
}

/* ---- Comparing ---- */

static struct verify_error
difference(enum trouble trouble, const struct area *area, uint64_t offset)
{
	return (struct verify_error){
		.trouble = trouble,
		.area = area,
		.offset = offset,
		.expected = (uint8_t)area->mirror[offset],
		.got = (uint8_t)area->bytes[offset],
	};
}

static void
compare(struct verifier *v, const struct request *request)
{
	const struct area *area = request->target;
	uint64_t start = request->target_offset;
	uint64_t end = start + request->size;
	uint64_t from = start - GUARD;
	uint64_t to = end + GUARD;
	struct verify_error error;
	uint64_t at;

	if (request->number < v->started) {
		to = spdk_min(to, request_at(v, request->number + 1)->target_offset);
	}
	at = area_first_difference(area, from, to);
	if (at == to) {
		return;
	}
	error = difference(TROUBLE_MISMATCH, area, at);
	error.has_request = true;
	error.request = *request;
	error.inside = area_count_differences(area, start, end);
	error.outside = area_count_differences(area, from, to) - error.inside;
	verify_blame(v, &error);
}

/** When nothing is outstanding: every byte of every target must be the mirror's. */
static void
compare_all(struct verifier *v)
{
	for (unsigned i = 0; i < MEMORY_KINDS && goes_on(v) && v->finished == v->started; i++) {
		const struct area *area = &v->targets[i];
		uint64_t at = area_first_difference(area, 0, area->size);

		if (at < area->size) {
			struct verify_error error = difference(TROUBLE_STRAY, area, at);

			error.outside = area_count_differences(area, 0, area->size);
			verify_blame(v, &error);
		}
	}
}

/* ---- Requests ---- */

static void
finish(void *arg)
{
	struct request *request = arg;
	struct verifier *v = request->verifier;

	/* A channel that is given up may still call back when it is detached. */
	if (!goes_on(v)) {
		return;
	}
	if (request->number != v->finished + 1) {
		/* The one between has failed: what follows may be heard of before it (spdk/ioat.h).
		 */
		if (request->number > v->finished && channel_stats(v->channel).failed > 0) {
			blame(v, TROUBLE_FAILED, -EIO);
		} else {
			blame(v, TROUBLE_DISORDER, 0);
		}
		return;
	}
	__atomic_store_n(&v->finished, request->number, __ATOMIC_RELAXED);
	__atomic_store_n(&v->bytes, v->bytes + request->size, __ATOMIC_RELAXED);
	v->copies += !request->fill;
	v->fills += request->fill;
	compare(v, request);
}

/** \return whether something has happened. */
static bool
poll_once(struct verifier *v)
{
	int rc = spdk_ioat_process_events(v->channel->ioat);

	if (rc > 0) {
		patience_renew(&v->patience);
	} else if (rc < 0 && goes_on(v)) {
		blame(v, TROUBLE_FAILED, rc);
	}
	return rc != 0;
}

static void
poll_patiently(struct verifier *v)
{
	double waited;

	if (poll_once(v)) {
		return;
	}
	waited = patience_wait(&v->patience);
	if (waited > HANG_SECONDS) {
		blame(v, TROUBLE_HANG, 0);
	} else if (stop_requested() && waited > STOP_SECONDS) {
		v->is_given_up = true;
	}
}

/** Until no more than `count` requests are outstanding. */
static void
wait_for_room(struct verifier *v, uint64_t count)
{
	spdk_ioat_flush(v->channel->ioat);
	while (goes_on(v) && v->started - v->finished > count) {
		poll_patiently(v);
	}
}

/** The CPU does in the mirror what the engine is asked to do in the target. */
static void
write_mirror(const struct request *request)
{
	char *to = request->target->mirror + request->target_offset;

	if (!request->fill) {
		memcpy(to, request->source->bytes + request->source_offset, request->size);
		return;
	}
	for (uint64_t i = 0; i < request->size; i += sizeof(request->pattern)) {
		memcpy(to + i, &request->pattern,
		       spdk_min(sizeof(request->pattern), request->size - i));
	}
}

/** Builds, or builds and flushes: one is as good as the other. */
static int
build(struct verifier *v, struct request *request)
{
	struct spdk_ioat_chan *ioat = v->channel->ioat;
	bool submit = random_below(&v->pace, 4) == 0;
	char *target = request->target->bytes + request->target_offset;

	if (request->fill) {
		return (submit ? spdk_ioat_submit_fill : spdk_ioat_build_fill)(
			ioat, request, finish, target, request->pattern, request->size);
	}
	return (submit ? spdk_ioat_submit_copy : spdk_ioat_build_copy)(
		ioat, request, finish, target, request->source->bytes + request->source_offset,
		request->size);
}

static int
build_patiently(struct verifier *v, struct request *request)
{
	int rc;

	while ((rc = build(v, request)) == -ENOMEM && goes_on(v)) {
		poll_patiently(v);
	}
	return rc;
}

/** What is drawn does not depend on the channel, so that a seed is the same for all. */
static void
choose(struct verifier *v, struct request *request)
{
	request->source = &v->job->sources[random_below(&v->random, MEMORY_KINDS)];
	request->source_offset =
		random_below(&v->random, request->source->size - request->size + 1);
	request->pattern = random_next(&v->random);
	request->fill = random_below(&v->random, 3) == 0 && v->can_fill;
}

static void
start_one(struct verifier *v, const struct area *target, uint64_t offset, uint64_t size)
{
	struct request *request = request_at(v, v->started + 1);
	int rc;

	*request = (struct request){
		.verifier = v,
		.number = v->started + 1,
		.size = size,
		.target = target,
		.target_offset = offset,
	};
	choose(v, request);
	if (v->started == v->finished) {
		patience_renew(&v->patience);
	}
	rc = build_patiently(v, request);
	if (rc == -ENOTSUP && request->fill) {
		/* Some engines fill from a multiple of 8 on only. */
		request->fill = false;
		rc = build_patiently(v, request);
	}
	if (rc == 0) {
		write_mirror(request);
		v->started++;
	} else if (goes_on(v) && (rc == -EIO || rc == -ENODEV)) {
		/* The poll that found it told of those that had finished. */
		blame(v, TROUBLE_FAILED, rc);
	} else if (goes_on(v)) {
		struct verify_error error = {
			.trouble = TROUBLE_REFUSED,
			.rc = rc,
			.has_request = true,
			.request = *request,
		};

		verify_blame(v, &error);
	}
}

/* ---- Passes ---- */

/** \return a number up to `largest`; every order of magnitude is as likely as any other. */
static uint64_t
random_magnitude(uint64_t *random, uint64_t largest)
{
	return largest >> random_below(random, 64 - (uint64_t)__builtin_clzll(largest));
}

/** Beside the last one, near it, away from it, or at the next multiple of a power of two. */
static uint64_t
random_start(uint64_t *random, uint64_t after)
{
	uint64_t align = random_magnitude(random, WIDEST_GAP);

	switch (random_below(random, 4)) {
	case 0:
		return after;
	case 1:
		return after + random_below(random, GUARD + 1);
	case 2:
		return after + random_below(random, WIDEST_GAP);
	default:
		return SPDK_ALIGN_CEIL(after, align);
	}
}

/** Goes through a target once. */
static void
pass(struct verifier *v)
{
	struct area *target = &v->targets[random_below(&v->random, MEMORY_KINDS)];
	uint64_t depth = 1 + random_below(&v->random, v->job->depth);
	uint64_t largest = random_below(&v->random, 2) == 0
				   ? v->job->max_size
				   : random_magnitude(&v->random, v->job->max_size);
	uint64_t offset = GUARD;

	while (goes_on(v) && !is_over(v)) {
		uint64_t size = random_below(&v->random, random_magnitude(&v->random, largest) + 1);

		offset = random_start(&v->random, offset);
		if (offset + size + GUARD > target->size) {
			break;
		}
		start_one(v, target, offset, size);
		offset += size;
		if (v->started - v->finished == depth) {
			wait_for_room(v, depth - 1);
		} else if (random_below(&v->pace, 8) == 0) {
			poll_once(v);
		}
	}
	wait_for_room(v, 0);
	compare_all(v);
}

/** Now and then the targets are registered in other pieces. */
static void
change_seams(struct verifier *v)
{
	bool is_time = random_below(&v->random, 4) == 0 && !v->keeps_seams;

	for (unsigned i = 0; i < MEMORY_KINDS && is_time && goes_on(v); i++) {
		int rc = area_change_seams(&v->targets[i], &v->random);

		if (rc == -EBUSY) {
			/* Some channel's engine does not come to an end: its thread will say so. */
			v->keeps_seams = true;
		} else if (rc != 0) {
			blame(v, TROUBLE_MEMORY, rc);
		}
	}
}

/** A thread that cannot be put on its CPU does its work elsewhere. */
static void
settle(const struct verifier *v)
{
	cpu_set_t cpus;
	int rc;

	if (v->cpu < 0) {
		return;
	}
	CPU_ZERO(&cpus);
	CPU_SET((unsigned)v->cpu, &cpus);
	rc = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	if (rc != 0) {
		complain("the thread of channel %s cannot be put on CPU %d: %s",
			 v->channel->address, v->cpu, spdk_strerror(rc));
	}
}

void *
verify_channel(void *verifier)
{
	struct verifier *v = verifier;

	settle(v);
	for (unsigned i = 0; i < MEMORY_KINDS; i++) {
		area_fill(&v->targets[i], &v->random);
	}
	/* Preparing takes long under valgrind, and verifies nothing. */
	v->end = v->job->seconds > 0 ? seconds_now() + v->job->seconds : INFINITY;
	while (goes_on(v) && !is_over(v)) {
		pass(v);
		if (goes_on(v) && !is_over(v)) {
			change_seams(v);
		}
	}
	__atomic_store_n(&v->has_ended, true, __ATOMIC_RELEASE);
	return NULL;
}
