/* SPDX-License-Identifier: BSD-3-Clause */

/* The last stage: checks what the engine has made of each chunk, and writes it. */

#include "checksum.h"
#include "pipeline_internal.h"
#include "stop.h"
#include "tool.h"

#include <errno.h>
#include <inttypes.h>

static bool
wait_for_copied(struct pipeline *p, uint64_t position)
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

static int
report_difference(const struct pipeline *p, const struct chunk *chunk)
{
	char descriptors[64];
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
	snprintf(descriptors, sizeof(descriptors),
		 chunk->first_descriptor == chunk->last_descriptor ? "descriptor %" PRIu64
								   : "descriptors %" PRIu64
								     " to %" PRIu64,
		 chunk->first_descriptor, chunk->last_descriptor);
	complain("byte %" PRIu64 " of '%s' is 0x%02x and was copied as 0x%02x by channel %s (%s), "
		 "request %" PRIu64 ", %s; do not use this channel",
		 chunk->piece.offset + i, p->from->name, chunk->source[i], chunk->destination[i],
		 chunk->channel->address, chunk->channel->kind, chunk->request, descriptors);
	return -EIO;
}

/** Compares what the engine has made of a chunk with what was read. */
static int
check(struct pipeline *p, const struct chunk *chunk)
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

int
pipeline_write(struct pipeline *p)
{
	for (uint64_t position = 0; wait_for_copied(p, position); position++) {
		struct chunk *chunk = chunk_at(p, position);
		const struct piece *piece = &chunk->piece;
		int rc = check(p, chunk);

		if (rc == 0) {
			rc = destination_write(p->to, chunk->destination, piece);
		}
		if (rc != 0) {
			return rc;
		}
		pthread_mutex_lock(&p->lock);
		p->result->bytes += piece->length;
		p->result->data_bytes += piece->is_hole ? 0 : piece->length;
		p->written = position + 1;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
	return stop_requested() ? -EINTR : 0;
}
