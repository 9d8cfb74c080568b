/* SPDX-License-Identifier: BSD-3-Clause */

/* The first stage: fills source buffers and takes their checksums. */

#include "checksum.h"
#include "pipeline_internal.h"
#include "stop.h"

#include <errno.h>

static bool
wait_for_room(struct pipeline *p, uint64_t position)
{
	pthread_mutex_lock(&p->lock);
	while (position - p->written == p->depth && !stop_requested()) {
		pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return !stop_requested();
}

static void
add_to_source_crc(struct pipeline_result *result, struct chunk *chunk)
{
	const struct piece *piece = &chunk->piece;

	if (piece->is_hole) {
		result->source_crc = checksum_append_zeroes(result->source_crc, piece->length);
		return;
	}
	chunk->source_crc = checksum_of(chunk->source, (size_t)piece->length);
	result->source_crc = checksum_append(result->source_crc, chunk->source_crc, piece->length);
}

int
pipeline_read(struct pipeline *p)
{
	for (uint64_t position = 0; wait_for_room(p, position); position++) {
		struct chunk *chunk = chunk_at(p, position);
		int rc = source_next(p->from, chunk->source, CHUNK_BYTES, &chunk->piece);

		if (rc <= 0) {
			return rc;
		}
		add_to_source_crc(p->result, chunk);
		chunk->is_copied = chunk->piece.is_hole;

		pthread_mutex_lock(&p->lock);
		p->filled = position + 1;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
	return -EINTR;
}
