/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * udma perf: what is measured, and what came out.
 */

#ifndef UDMA_TOOL_PERF_H
#define UDMA_TOOL_PERF_H

#include "device.h"
#include "number.h"

#include <string.h>

/* One slot of the ring stays free. */
#define MAX_DEPTH 32767

enum perf_format {
	PERF_TABLE,
	PERF_JSON,
	PERF_CSV,
};

struct perf_options {
	bool fill; /* instead of copy */
	struct sizes sizes;
	unsigned depth;    /* requests outstanding on a channel */
	unsigned batch;    /* requests built before a flush */
	unsigned channels; /* channel i is driven by CPU i modulo their number */
	unsigned cpus[MAX_CHANNELS];
	unsigned cpu_count;
	unsigned allowed_cpus; /* that the process may use */
	double seconds;        /* for each size */
	enum perf_format format;
	bool wait; /* sleep where a poll finds nothing */
	bool plot;
	bool quiet;
};

/** What the engine, or a CPU in its place, has done while it was measured. */
struct perf_side {
	uint64_t operations;
	double seconds;
	double cpu_seconds; /* of the threads that drive the channels, or do the work */
};

/* p50, p90, p99, p99.9 and p99.99. */
#define QUANTILES 5

struct perf_point {
	uint64_t size;
	unsigned depth; /* the most requests that were outstanding on a channel */
	struct perf_side engine;
	struct perf_side baseline;
	/* The other threads of the process, while engines were at work, and what these did in that
	 * time, measured or not. */
	double others_cpu_seconds;
	uint64_t others_operations;
	uint64_t latency_ns[QUANTILES];
	uint64_t latency_max_ns;
	/* How many times as fast as the CPU the engine was in the median round: one in which either
	 * was held up changes nothing. */
	double ratio;
	bool is_whole; /* measured for as long as was asked for */
};

struct perf {
	struct perf_options options;
	struct channels *channels;
	struct perf_point points[MAX_SIZES];
	unsigned count; /* of those measured */
	unsigned whole; /* of these */
	bool is_complete;
};

/** Parses the command line. \return an exit status, said. \param help set if it asks for that. */
int perf_parse(int argc, char **argv, struct perf_options *options, bool *help);

/**
 * Measures, until there is an error or stop_requested(). What was measured until then is good.
 *
 * \return 0; a negative errno, said.
 */
int perf_measure(struct perf *perf);

/** \return whether the channels are emulated. */
static inline bool
perf_is_emulated(const struct perf *perf)
{
	return strcmp(perf->channels->list[0].kind, "emulated") == 0;
}

/* ---- What follows from a point ---- */

static inline double
perf_operations_per_second(const struct perf_side *side)
{
	return (double)side->operations / side->seconds;
}

static inline double
perf_bytes_per_second(const struct perf_point *point, const struct perf_side *side)
{
	return perf_operations_per_second(side) * (double)point->size;
}

/** CPU time of the threads that drive the channels, or that do the work. */
static inline double
perf_cpu_ns_per_byte(const struct perf_point *point, const struct perf_side *side)
{
	return side->cpu_seconds * 1e9 / ((double)side->operations * (double)point->size);
}

/** CPU time of the emulation's thread. */
static inline double
perf_engine_ns_per_byte(const struct perf_point *point)
{
	return point->others_cpu_seconds * 1e9 /
	       ((double)point->others_operations * (double)point->size);
}

/* ---- Printing ---- */

void perf_print_table(const struct perf *perf);
void perf_print_plot(const struct perf *perf);
void perf_print_json(const struct perf *perf);
void perf_print_csv(const struct perf *perf);

#endif
