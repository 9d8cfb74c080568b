/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The pipeline: a ring of chunks that three threads pass through in the same order.
 *
 *     reader --filled--> main thread and engines --copied--> writer --written--> reader
 *
 * `filled`, `copied` and `written` count chunks and never go back, and a chunk belongs to whoever's
 * turn it is, so nothing but the counters needs the lock. The reader takes the checksum of what it
 * has read and the writer that of what it is about to write: equal ones show that the engine has
 * copied every byte.
 */

#include "pipeline.h"
#include "checksum.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include "spdk/env.h"
#include "spdk/string.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define MAX_CHUNKS  16
#define ALIGNMENT   4096

/* How often the main thread looks up while it waits: for signals and the progress line. */
#define LOOK_UP_MS 100
/* Threads that wait in the kernel are interrupted this often until they have ended. */
#define KICK_MS 10

/* An engine is polled this often in a row before the core is left to others for a moment. */
#define POLLS_IN_A_ROW 50
#define NAP_NS         20000
/* An engine that has completed nothing for so long will not any more. */
#define HANG_SECONDS 30.0

struct chunk {
	uint8_t *source;
	uint8_t *destination;
	struct piece piece;
	uint32_t source_crc;
	bool is_copied;
	/* Where it went, to be named if it comes out wrong. */
	const struct channel *channel;
	uint64_t request;
	uint64_t first_descriptor;
	uint64_t last_descriptor;
};

struct pipeline {
	struct source *from;
	struct destination *to;
	struct channels *channels;
	struct pipeline_result *result;
	struct chunk chunks[MAX_CHUNKS];
	unsigned depth;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t filled;
	uint64_t copied;
	uint64_t written;
	uint64_t written_bytes;
	bool is_read; /* no more will be filled */
	unsigned running;

	/* The main thread's own. */
	uint64_t submitted;
	uint64_t collected; /* copied, perhaps not announced yet */
	unsigned next_channel;
	unsigned idle_polls;
	double last_completion;
};

static struct chunk *chunk_at(struct pipeline *p, uint64_t position)
{
	return &p->chunks[position % p->depth];
}

/** Counts a step, and wakes whoever waits for it. */
static void advance(struct pipeline *p, uint64_t *counter, uint64_t position)
{
	pthread_mutex_lock(&p->lock);
	*counter = position;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/** A thread is done, well or not. */
static void leave(struct pipeline *p, int rc)
{
	if (rc != 0) {
		stop_now();
	}
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* ---- The reader ---- */

static bool wait_for_room(struct pipeline *p, uint64_t position)
{
	pthread_mutex_lock(&p->lock);
	while (position - p->written == p->depth && !stop_requested()) {
		pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return !stop_requested();
}

static void add_to_source_crc(struct pipeline_result *result, struct chunk *chunk)
{
	const struct piece *piece = &chunk->piece;

	if (piece->is_hole) {
		result->source_crc = checksum_append_zeroes(result->source_crc, piece->length);
		return;
	}
	chunk->source_crc = checksum_of(chunk->source, (size_t)piece->length);
	result->source_crc = checksum_append(result->source_crc, chunk->source_crc, piece->length);
}

static void *read_source(void *arg)
{
	struct pipeline *p = arg;
	int rc = -EINTR;

	for (uint64_t position = 0; wait_for_room(p, position); position++) {
		struct chunk *chunk = chunk_at(p, position);

		rc = source_next(p->from, chunk->source, CHUNK_BYTES, &chunk->piece);
		if (rc <= 0) {
			break;
		}
		add_to_source_crc(p->result, chunk);
		chunk->is_copied = chunk->piece.is_hole;
		advance(p, &p->filled, position + 1);
		rc = -EINTR;
	}
	pthread_mutex_lock(&p->lock);
	p->is_read = true;
	pthread_mutex_unlock(&p->lock);
	leave(p, rc);
	return NULL;
}

/* ---- The writer ---- */

static bool wait_for_copied(struct pipeline *p, uint64_t position)
{
	bool is_there;

	pthread_mutex_lock(&p->lock);
	while (position == p->copied && !(p->is_read && position == p->filled) &&
	       !stop_requested()) {
		pthread_cond_wait(&p->changed, &p->lock);
	}
	is_there = position != p->copied;
	pthread_mutex_unlock(&p->lock);
	return is_there && !stop_requested();
}

static int report_difference(const struct pipeline *p, const struct chunk *chunk)
{
	size_t i = 0;

	while (i < chunk->piece.length && chunk->source[i] == chunk->destination[i]) {
		i++;
	}
	if (i == chunk->piece.length) {
		complain("the source buffer of bytes %" PRIu64 " to %" PRIu64
			 " of '%s' changed during the copy: request %" PRIu64 " of channel %s (%s)",
			 chunk->piece.offset, chunk->piece.offset + chunk->piece.length - 1,
			 p->from->name, chunk->request, chunk->channel->address,
			 chunk->channel->kind);
		return -EIO;
	}
	complain("byte %" PRIu64 " of '%s' is 0x%02x and was copied as 0x%02x by channel %s (%s), "
		 "request %" PRIu64 ", descriptors %" PRIu64 " to %" PRIu64
		 "; do not use this channel",
		 chunk->piece.offset + i, p->from->name, chunk->source[i], chunk->destination[i],
		 chunk->channel->address, chunk->channel->kind, chunk->request,
		 chunk->first_descriptor, chunk->last_descriptor);
	return -EIO;
}

/** Compares what the engine has made of a chunk with what was read. */
static int check(struct pipeline *p, const struct chunk *chunk)
{
	struct pipeline_result *result = p->result;
	const struct piece *piece = &chunk->piece;
	uint32_t crc;

	if (piece->is_hole) {
		result->destination_crc =
			checksum_append_zeroes(result->destination_crc, piece->length);
		return 0;
	}
	crc = checksum_of(chunk->destination, (size_t)piece->length);
	result->destination_crc = checksum_append(result->destination_crc, crc, piece->length);
	return crc == chunk->source_crc ? 0 : report_difference(p, chunk);
}

static void *write_destination(void *arg)
{
	struct pipeline *p = arg;
	int rc = 0;

	for (uint64_t position = 0; wait_for_copied(p, position); position++) {
		struct chunk *chunk = chunk_at(p, position);
		const struct piece *piece = &chunk->piece;

		rc = check(p, chunk);
		if (rc == 0) {
			rc = destination_write(p->to, chunk->destination, piece);
		}
		if (rc != 0) {
			break;
		}
		p->result->bytes += piece->length;
		p->result->data_bytes += piece->is_hole ? 0 : piece->length;
		pthread_mutex_lock(&p->lock);
		p->written_bytes = p->result->bytes;
		pthread_mutex_unlock(&p->lock);
		advance(p, &p->written, position + 1);
	}
	leave(p, rc);
	return NULL;
}

/* ---- The main thread: channels ---- */

static void on_copied(void *arg)
{
	struct chunk *chunk = arg;

	chunk->is_copied = true;
}

/** \return 0; -ENOMEM if the ring is full; another negative errno. */
static int submit(struct pipeline *p, struct chunk *chunk)
{
	struct channel *channel = &p->channels->list[p->next_channel];
	int rc;

	chunk->channel = channel;
	chunk->first_descriptor = channel_stats(channel).descriptors + 1;
	rc = spdk_ioat_submit_copy(channel->ioat, chunk, on_copied, chunk->destination,
				   chunk->source, chunk->piece.length);
	if (rc == 0) {
		struct udma_ioat_stats stats = channel_stats(channel);

		chunk->last_descriptor = stats.descriptors;
		chunk->request = stats.requests;
		p->next_channel = (p->next_channel + 1) % p->channels->count;
	} else if (rc != -ENOMEM) {
		complain("channel %s (%s) does not take a copy: %s", channel->address,
			 channel->kind, spdk_strerror(-rc));
	}
	return rc;
}

static int submit_filled(struct pipeline *p, uint64_t filled)
{
	while (p->submitted < filled) {
		struct chunk *chunk = chunk_at(p, p->submitted);
		int rc = chunk->is_copied ? 0 : submit(p, chunk);

		if (rc == -ENOMEM) {
			return 0;
		}
		if (rc != 0) {
			return rc;
		}
		if (p->submitted == p->collected) {
			p->last_completion = seconds_now();
		}
		p->submitted++;
	}
	return 0;
}

static int poll_channels(struct pipeline *p)
{
	for (unsigned i = 0; i < p->channels->count; i++) {
		const struct channel *channel = &p->channels->list[i];
		int rc = spdk_ioat_process_events(channel->ioat);

		if (rc < 0) {
			complain("channel %s (%s) failed after %" PRIu64
				 " bytes: %s; the copy was given up",
				 channel->address, channel->kind, p->result->bytes,
				 spdk_strerror(-rc));
			return rc;
		}
	}
	return 0;
}

/** Counts the chunks that have been copied, in order. */
static int collect(struct pipeline *p)
{
	uint64_t before = p->collected;

	while (p->collected < p->submitted && chunk_at(p, p->collected)->is_copied) {
		p->collected++;
	}
	if (p->collected != before) {
		p->idle_polls = 0;
		p->last_completion = seconds_now();
	} else if (p->collected < p->submitted && ++p->idle_polls % POLLS_IN_A_ROW == 0 &&
		   seconds_now() - p->last_completion > HANG_SECONDS) {
		const struct channel *channel = chunk_at(p, p->collected)->channel;

		complain("channel %s (%s) has completed nothing for %.0f seconds; the copy was "
			 "given up",
			 channel->address, channel->kind, HANG_SECONDS);
		return -ETIMEDOUT;
	}
	return 0;
}

static struct timespec in_ms(unsigned ms)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_nsec += ms * 1000000l;
	when.tv_sec += when.tv_nsec / 1000000000;
	when.tv_nsec %= 1000000000;
	return when;
}

/**
 * Hands over what was copied, and waits if there is nothing to do: for the others, if the engines
 * have no work either.
 *
 * \return false when everything is written.
 */
static bool exchange(struct pipeline *p, uint64_t *filled, uint64_t *written_bytes)
{
	bool engines_busy = p->collected < p->submitted;
	bool is_done;

	pthread_mutex_lock(&p->lock);
	if (p->copied != p->collected) {
		p->copied = p->collected;
		pthread_cond_broadcast(&p->changed);
	}
	is_done = p->is_read && p->written == p->filled;
	if (!engines_busy && !is_done && p->filled == p->submitted) {
		struct timespec until = in_ms(LOOK_UP_MS);

		pthread_cond_timedwait(&p->changed, &p->lock, &until);
		is_done = p->is_read && p->written == p->filled;
	}
	*filled = p->filled;
	*written_bytes = p->written_bytes;
	pthread_mutex_unlock(&p->lock);
	return !is_done;
}

/** While an engine works: polls, but leaves the core to the reader and the writer now and then. */
static void rest(struct pipeline *p)
{
	struct timespec nap = {.tv_nsec = NAP_NS};

	if (p->collected == p->submitted) {
		return;
	}
	if (p->idle_polls % POLLS_IN_A_ROW == POLLS_IN_A_ROW - 1) {
		nanosleep(&nap, NULL);
	} else {
		spdk_pause();
	}
}

static int drive(struct pipeline *p)
{
	uint64_t filled = 0, written_bytes = 0;
	int rc = 0;

	while (rc == 0 && exchange(p, &filled, &written_bytes)) {
		if (stop_requested()) {
			return -EINTR;
		}
		progress_update(written_bytes);
		rc = submit_filled(p, filled);
		if (rc == 0) {
			rc = poll_channels(p);
		}
		if (rc == 0) {
			rc = collect(p);
		}
		rest(p);
	}
	return rc;
}

/* ---- The whole ---- */

/** As many chunks as the file needs. \return 0; -ENOMEM, said. */
static int allocate(struct pipeline *p)
{
	uint64_t size = p->from->size;

	p->depth = size < (MAX_CHUNKS - 1) * CHUNK_BYTES ? (unsigned)(size / CHUNK_BYTES) + 1
							 : MAX_CHUNKS;
	for (unsigned i = 0; i < p->depth; i++) {
		struct chunk *chunk = &p->chunks[i];

		chunk->source = spdk_dma_malloc(CHUNK_BYTES, ALIGNMENT, NULL);
		chunk->destination = spdk_dma_malloc(CHUNK_BYTES, ALIGNMENT, NULL);
		if (chunk->source == NULL || chunk->destination == NULL) {
			complain("no memory for %u buffers of %zu KiB; free some memory",
				 2 * p->depth, CHUNK_BYTES / 1024);
			return -ENOMEM;
		}
	}
	return 0;
}

/** Starts a thread that leaves signals to the main one. */
static int start(struct pipeline *p, pthread_t *thread, const char *name, void *(*run)(void *))
{
	sigset_t stoppers, before;
	int rc;

	pthread_mutex_lock(&p->lock);
	p->running++;
	pthread_mutex_unlock(&p->lock);
	stop_signals(&stoppers);
	pthread_sigmask(SIG_BLOCK, &stoppers, &before);
	rc = pthread_create(thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		complain("cannot start a thread: %s", spdk_strerror(rc));
		leave(p, -rc);
		return -rc;
	}
	pthread_setname_np(*thread, name);
	return 0;
}

/** Waits for the threads, and gets them out of the kernel if they are to stop. */
static void join(struct pipeline *p, const pthread_t *threads, unsigned count)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->changed);
	while (p->running > 0) {
		struct timespec until = in_ms(KICK_MS);

		pthread_cond_timedwait(&p->changed, &p->lock, &until);
		for (unsigned i = 0; i < count && stop_requested(); i++) {
			pthread_kill(threads[i], STOP_KICK);
		}
	}
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
	}
}

int pipeline_run(struct source *source, struct destination *destination, struct channels *channels,
		 struct pipeline_result *result)
{
	/* Static, because a channel that is detached later may still call back for a chunk. */
	static struct pipeline pipeline = {.lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_condattr_t monotonic;
	pthread_t threads[2];
	unsigned count = 0;
	int rc;

	*result = (struct pipeline_result){0};
	pipeline.from = source;
	pipeline.to = destination;
	pipeline.channels = channels;
	pipeline.result = result;
	rc = allocate(&pipeline);
	if (rc != 0) {
		return rc;
	}
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pipeline.changed, &monotonic);

	rc = start(&pipeline, &threads[0], "udma-read", read_source);
	if (rc == 0) {
		count++;
		rc = start(&pipeline, &threads[1], "udma-write", write_destination);
	}
	if (rc == 0) {
		count++;
		rc = drive(&pipeline);
	}
	if (rc != 0) {
		stop_now();
	}
	join(&pipeline, threads, count);
	return rc == 0 && stop_requested() ? -EINTR : rc;
}
