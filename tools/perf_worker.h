/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The threads that drive channels, each on a CPU of its own.
 *
 * Engine and CPU have the same buffers and take turns, slice by slice, so that whatever else the
 * machine does meanwhile slows both down.
 */

#ifndef UDMA_TOOL_PERF_WORKER_H
#define UDMA_TOOL_PERF_WORKER_H

#include "histogram.h"
#include "perf.h"

#include <pthread.h>

/** A request, and its buffers. */
struct slot {
	struct lane *lane;
	uint8_t *source; /* NULL for a fill */
	uint8_t *destination;
	uint8_t byte; /* that a fill consists of */
	uint64_t submitted;
};

/** A channel and its requests, which end in the order in which they were submitted. */
struct lane {
	const struct perf_options *options;
	struct channel *channel;
	uint64_t size;
	uint8_t *sources;
	uint8_t *destinations;
	struct slot *slots; /* as many as the depth */
	unsigned next;      /* of them */
	unsigned built;     /* requests since the last flush */
	/* In this slice. */
	uint64_t submitted;
	uint64_t completed;
	uint64_t deepest;          /* outstanding, in any slice */
	uint64_t completed_before; /* the last look for progress */
	unsigned looks;            /* in a row that found none */
	/* Latencies in ticks go to one or the other. */
	struct histogram *record;
	struct histogram measured;
	struct histogram unmeasured;
};

struct worker {
	const struct perf_options *options;
	unsigned cpu;
	struct lane *lanes;
	unsigned lane_count;
	unsigned idle_turns;
	uint64_t look_at; /* for progress of each channel, in ticks */
	uint64_t size;
	double slice_seconds;
	int error; /* a negative errno, said, unless it was told to stop */

	/* What its thread does, and has done in a slice. */
	void (*task)(struct worker *worker);
	pthread_t thread;
	struct perf_side result;
	uint64_t operations; /* also those that are not in the result */
	double cpu_seconds;
};

/* The tasks: each in a thread on the worker's CPU. */

/** Makes the buffers, where that CPU has its memory. */
void worker_prepare(struct worker *worker);
void worker_engine_slice(struct worker *worker);
void worker_baseline_slice(struct worker *worker);
/** Compares every destination of the last slice with what it should be. */
void worker_compare(struct worker *worker);

/** Gives the buffers back; the channels must be idle. */
void worker_release(struct worker *worker);

#endif
