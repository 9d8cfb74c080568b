/* SPDX-License-Identifier: BSD-3-Clause */

/* The pipeline as a whole: buffers, threads, and their end. */

#include "pipeline_internal.h"
#include "stop.h"
#include "tool.h"

#include "spdk/env.h"

#include <errno.h>

#define ALIGNMENT 4096

/* Threads that wait in the kernel are interrupted this often until they have ended. */
#define KICK_MS 10

struct timespec
pipeline_in_ms(unsigned ms)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_nsec += ms * 1000000l;
	when.tv_sec += when.tv_nsec / 1000000000;
	when.tv_nsec %= 1000000000;
	return when;
}

/** A thread is done, well or not. */
static void *
leave(struct pipeline *p, int rc)
{
	if (rc != 0) {
		stop_now();
	}
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void *
run_reader(void *arg)
{
	struct pipeline *p = arg;
	int rc = pipeline_read(p);

	pthread_mutex_lock(&p->lock);
	p->is_read = true;
	pthread_mutex_unlock(&p->lock);
	return leave(p, rc);
}

static void *
run_writer(void *arg)
{
	return leave(arg, pipeline_write(arg));
}

/** As many chunks as the file needs. \return 0; -ENOMEM, said. */
static int
allocate(struct pipeline *p)
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

static int
start(struct pipeline *p, pthread_t *thread, const char *name, void *(*run)(void *))
{
	int rc;

	pthread_mutex_lock(&p->lock);
	p->running++;
	pthread_mutex_unlock(&p->lock);
	rc = stop_start_thread(thread, name, run, p);
	if (rc != 0) {
		leave(p, rc);
	}
	return rc;
}

/** Waits for the threads, and gets them out of the kernel if they are to stop. */
static void
join(struct pipeline *p, const pthread_t *threads, unsigned count)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->changed);
	while (p->running > 0) {
		struct timespec until = pipeline_in_ms(KICK_MS);

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

int
pipeline_run(struct source *source, struct destination *destination, struct channels *channels,
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

	rc = start(&pipeline, &threads[0], "udma-read", run_reader);
	if (rc == 0) {
		count++;
		rc = start(&pipeline, &threads[1], "udma-write", run_writer);
	}
	if (rc == 0) {
		count++;
		rc = pipeline_drive(&pipeline);
	}
	if (rc != 0) {
		stop_now();
	}
	join(&pipeline, threads, count);
	return rc == 0 && stop_requested() ? -EINTR : rc;
}
