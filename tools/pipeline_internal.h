/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The pipeline, as its stages share it: a ring of chunks that three threads pass through in the
 * same order.
 *
 *     reader --filled--> main thread and engines --copied--> writer --written--> reader
 *
 * `filled`, `copied` and `written` count chunks and never go back, and a chunk belongs to whoever's
 * turn it is, so nothing but the counters needs the lock. The reader takes the checksum of what it
 * has read and the writer that of what it is about to write: equal ones show that the engine has
 * copied every byte.
 */

#ifndef UDMA_TOOL_PIPELINE_INTERNAL_H
#define UDMA_TOOL_PIPELINE_INTERNAL_H

#include "patience.h"
#include "pipeline.h"

#include <pthread.h>
#include <time.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define MAX_CHUNKS  16

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
	bool is_read; /* no more will be filled */
	unsigned running;

	/* The main thread's own. */
	uint64_t submitted;
	uint64_t collected; /* copied, perhaps not announced yet */
	unsigned next_channel;
	struct patience patience;
};

static inline struct chunk *
chunk_at(struct pipeline *p, uint64_t position)
{
	return &p->chunks[position % p->depth];
}

/** \return a time on the clock of `changed`. */
struct timespec pipeline_in_ms(unsigned ms);

/* The stages, each in a thread. \return 0; a negative errno, said; -EINTR if told to stop. */

/** reader.c: until the source ends. */
int pipeline_read(struct pipeline *p);
/** writer.c: until everything is written. */
int pipeline_write(struct pipeline *p);
/** engine.c: until everything is written. In the thread that the channels belong to. */
int pipeline_drive(struct pipeline *p);

#endif
