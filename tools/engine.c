/* SPDX-License-Identifier: BSD-3-Clause */

/* The stage in the middle: hands chunks to the channels in turn, and polls. */

#include "pipeline_internal.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include "spdk/env.h"
#include "spdk/string.h"

#include <errno.h>

/* How often the main thread looks up while it waits: for signals and the progress line. */
#define LOOK_UP_MS 100

static void
on_copied(void *arg)
{
	struct chunk *chunk = arg;

	chunk->is_copied = true;
}

/** \return 0; -ENOMEM if the ring is full; another negative errno. */
static int
submit(struct pipeline *p, struct chunk *chunk)
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

static int
submit_filled(struct pipeline *p, uint64_t filled)
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
			patience_renew(&p->patience);
		}
		p->submitted++;
	}
	return 0;
}

static int
poll_channels(struct pipeline *p)
{
	for (unsigned i = 0; i < p->channels->count; i++) {
		const struct channel *channel = &p->channels->list[i];
		int rc = spdk_ioat_process_events(channel->ioat);

		if (rc < 0) {
			complain("channel %s (%s) failed: %s; the copy was given up",
				 channel->address, channel->kind, spdk_strerror(-rc));
			return rc;
		}
	}
	return 0;
}

/** Counts the chunks that have been copied, in order; waits a moment if there are none. */
static int
collect(struct pipeline *p)
{
	uint64_t before = p->collected;

	while (p->collected < p->submitted && chunk_at(p, p->collected)->is_copied) {
		p->collected++;
	}
	if (p->collected != before) {
		patience_renew(&p->patience);
	} else if (p->collected < p->submitted && patience_wait(&p->patience) > HANG_SECONDS) {
		const struct channel *channel = chunk_at(p, p->collected)->channel;

		complain("channel %s (%s) has completed nothing for %.0f seconds; the copy was "
			 "given up",
			 channel->address, channel->kind, HANG_SECONDS);
		return -ETIMEDOUT;
	}
	return 0;
}

/**
 * Hands over what was copied, and waits if there is nothing to do: for the others, if the engines
 * have no work either.
 *
 * \return false when everything is written.
 */
static bool
exchange(struct pipeline *p, uint64_t *filled, uint64_t *written_bytes)
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
		struct timespec until = pipeline_in_ms(LOOK_UP_MS);

		pthread_cond_timedwait(&p->changed, &p->lock, &until);
		is_done = p->is_read && p->written == p->filled;
	}
	*filled = p->filled;
	*written_bytes = p->result->bytes;
	pthread_mutex_unlock(&p->lock);
	return !is_done;
}

int
pipeline_drive(struct pipeline *p)
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
	}
	return rc;
}
