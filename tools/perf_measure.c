/* SPDX-License-Identifier: BSD-3-Clause */

/* From options to points: workers, rounds, and what they add up to. */

#include "perf_worker.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include "spdk/env.h"
#include "spdk/string.h"
#include "spdk/util.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Engine and CPU change places after so long, or sooner in a short run. */
#define SLICE_SECONDS 0.02
/* Of one, in the histogram of ratios. */
#define RATIO_UNIT 1e6
/* Of the progress line, for each size. */
#define PARTS 1000

#define SIZE_TEXT 32

struct workers {
	struct worker *list;
	unsigned count;
	struct lane *lanes;
	struct histogram ratios; /* of the rounds */
};

/* ---- Threads ---- */

static void *
run(void *arg)
{
	struct worker *worker = arg;
	cpu_set_t cpus;
	int rc;

	CPU_ZERO(&cpus);
	CPU_SET(worker->cpu, &cpus);
	rc = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	if (rc != 0) {
		complain("cannot use CPU %u: %s; choose others by --cores", worker->cpu,
			 spdk_strerror(rc));
		worker->error = -rc;
		stop_now();
		return NULL;
	}
	worker->task(worker);
	return NULL;
}

/** Runs a task on all CPUs at the same time. \return 0; a negative errno, said. */
static int
run_on_all(struct workers *workers, void (*task)(struct worker *worker))
{
	unsigned started = 0;
	int rc = 0;

	while (rc == 0 && started < workers->count) {
		struct worker *worker = &workers->list[started];

		worker->task = task;
		rc = stop_start_thread(&worker->thread, "udma-perf", run, worker);
		if (rc != 0) {
			stop_now();
		} else {
			started++;
		}
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(workers->list[i].thread, NULL);
		if (rc == 0) {
			rc = workers->list[i].error;
		}
	}
	return rc;
}

/* ---- Slices and rounds ---- */

static void
add_results(const struct workers *workers, struct perf_side *side)
{
	double seconds = 0;

	for (unsigned i = 0; i < workers->count; i++) {
		const struct perf_side *result = &workers->list[i].result;

		side->operations += result->operations;
		side->cpu_seconds += result->cpu_seconds;
		seconds += result->seconds;
	}
	/* They worked at the same time. */
	side->seconds += seconds / workers->count;
}

/** A slice of the engines'; what the process spends besides its workers is the emulation's. */
static int
run_engines(struct workers *workers, struct perf_point *point)
{
	double process = seconds_on(CLOCK_PROCESS_CPUTIME_ID);
	double own = seconds_on(CLOCK_THREAD_CPUTIME_ID);
	int rc = run_on_all(workers, worker_engine_slice);
	double others = seconds_on(CLOCK_PROCESS_CPUTIME_ID) - process -
			(seconds_on(CLOCK_THREAD_CPUTIME_ID) - own);

	add_results(workers, &point->engine);
	for (unsigned i = 0; i < workers->count; i++) {
		others -= workers->list[i].cpu_seconds;
		point->others_operations += workers->list[i].operations;
	}
	point->others_cpu_seconds += others > 0 ? others : 0;
	return rc;
}

/** \return operations a second since a side was as it was before; 0 if there were none. */
static double
rate_since(const struct perf_side *before, const struct perf_side *now)
{
	struct perf_side side = {
		.operations = now->operations - before->operations,
		.seconds = now->seconds - before->seconds,
	};

	return side.operations > 0 ? perf_operations_per_second(&side) : 0;
}

static int
run_round(struct workers *workers, struct perf_point *point)
{
	const struct perf_point before = *point;
	double engine, baseline;
	int rc = run_on_all(workers, worker_baseline_slice);

	if (rc == 0) {
		add_results(workers, &point->baseline);
		/* Last, so that what is in the buffers in the end is from the engines. */
		rc = run_engines(workers, point);
	}
	engine = rate_since(&before.engine, &point->engine);
	baseline = rate_since(&before.baseline, &point->baseline);
	if (engine > 0 && baseline > 0) {
		histogram_add(&workers->ratios, (uint64_t)(engine / baseline * RATIO_UNIT));
	}
	return rc;
}

static void
forget_rounds(struct workers *workers, unsigned channels)
{
	workers->ratios = (struct histogram){0};
	for (unsigned i = 0; i < channels; i++) {
		workers->lanes[i].measured = (struct histogram){0};
		workers->lanes[i].deepest = 0;
	}
}

static int
run_rounds(struct workers *workers, const struct perf *perf, struct perf_point *point)
{
	const double limit = perf->options.seconds;
	struct perf_point unmeasured = {0};
	double elapsed = 0, start;
	int rc;

	/* The first round warms everything up: pages, caches, clocks. */
	rc = run_round(workers, &unmeasured);
	forget_rounds(workers, perf->options.channels);
	start = seconds_now();
	while (rc == 0 && elapsed < limit && !stop_requested()) {
		rc = run_round(workers, point);
		elapsed = seconds_now() - start;
		progress_update(perf->count * PARTS +
				(uint64_t)(spdk_min(elapsed / limit, 1.0) * PARTS));
	}
	point->is_whole = elapsed >= limit;
	return rc;
}

/* ---- Points ---- */

static uint64_t
ns_of(uint64_t ticks)
{
	return (uint64_t)((double)ticks * 1e9 / (double)spdk_get_ticks_hz() + 0.5);
}

static int
sum_up(const struct workers *workers, const struct perf_options *options, struct perf_point *point)
{
	static const struct {
		unsigned parts, whole;
	} quantiles[QUANTILES] = {{50, 100}, {90, 100}, {99, 100}, {999, 1000}, {9999, 10000}};
	struct histogram *sum = calloc(1, sizeof(*sum));

	if (sum == NULL) {
		complain("no memory to sum up");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < options->channels; i++) {
		const struct lane *lane = &workers->lanes[i];

		histogram_merge(sum, &lane->measured);
		point->depth = spdk_max(point->depth, (unsigned)lane->deepest);
	}
	for (unsigned i = 0; i < QUANTILES; i++) {
		point->latency_ns[i] =
			ns_of(histogram_quantile(sum, quantiles[i].parts, quantiles[i].whole));
	}
	point->latency_max_ns = ns_of(sum->max);
	point->ratio = (double)histogram_quantile(&workers->ratios, 1, 2) / RATIO_UNIT;
	free(sum);
	return 0;
}

/** Using up the machine's memory would be the end of other programs too. */
static int
check_memory(const struct perf_options *options, uint64_t size)
{
	double bytes = (double)size * options->depth * options->channels * (options->fill ? 1 : 2);
	double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
	char text[SIZE_TEXT];

	if (bytes <= machine / 2) {
		return 0;
	}
	complain("%u requests of %s on %u channel%s need %.1f GiB of buffers, more than half of "
		 "this machine's memory; use a smaller --size, --depth or --channels",
		 options->depth, size_exact_text(size, text, sizeof(text)), options->channels,
		 options->channels == 1 ? "" : "s", bytes / ((uint64_t)1 << 30));
	return -ENOMEM;
}

static int
measure_size(struct workers *workers, struct perf *perf, uint64_t size)
{
	const struct perf_options *options = &perf->options;
	struct perf_point *point = &perf->points[perf->count];
	int rc;

	*point = (struct perf_point){.size = size};
	for (unsigned i = 0; i < workers->count; i++) {
		workers->list[i].size = size;
	}
	rc = run_on_all(workers, worker_prepare);
	if (rc == 0) {
		rc = run_rounds(workers, perf, point);
	}
	if (rc == 0) {
		rc = run_on_all(workers, worker_compare);
	}
	if (rc == 0) {
		rc = sum_up(workers, options, point);
	}
	/* One that was interrupted early has nothing to tell. */
	if (rc == 0 && point->engine.operations > 0 && point->baseline.operations > 0) {
		perf->count++;
		perf->whole += point->is_whole;
	}
	return rc;
}

static int
measure_all(struct workers *workers, struct perf *perf)
{
	const struct sizes *sizes = &perf->options.sizes;
	int rc = 0;

	/* Better now than after the smaller ones have been measured. */
	for (unsigned i = 0; rc == 0 && i < sizes->count; i++) {
		rc = check_memory(&perf->options, sizes->list[i]);
	}
	for (unsigned i = 0; rc == 0 && i < sizes->count && !stop_requested(); i++) {
		rc = measure_size(workers, perf, sizes->list[i]);
		/* After an error engines may be at work still: what they write to stays. */
		for (unsigned j = 0; rc == 0 && j < workers->count; j++) {
			worker_release(&workers->list[j]);
		}
	}
	perf->is_complete = rc == 0 && !stop_requested();
	return rc == -ETIMEDOUT && stop_signal() != 0 ? 0 : rc;
}

/** Channel i goes to worker i modulo their number. */
static void
assign(struct workers *workers, struct perf *perf)
{
	const struct perf_options *options = &perf->options;
	struct lane *lane = workers->lanes;

	for (unsigned i = 0; i < workers->count; i++) {
		struct worker *worker = &workers->list[i];

		worker->options = options;
		worker->cpu = options->cpus[i];
		worker->slice_seconds = spdk_min(SLICE_SECONDS, options->seconds / 4);
		worker->lanes = lane;
		for (unsigned j = i; j < options->channels; j += workers->count) {
			lane->options = options;
			lane->channel = &perf->channels->list[j];
			worker->lane_count++;
			lane++;
		}
	}
}

/**
 * Keeps the threads that are there already, an emulation's, off the CPUs that drive channels: the
 * scheduler would let them take turns there for long, even while another CPU is idle.
 */
static void
move_others_aside(const struct perf_options *options)
{
	struct dirent *entry;
	cpu_set_t others;
	DIR *tasks;

	if (sched_getaffinity(0, sizeof(others), &others) != 0) {
		return;
	}
	for (unsigned i = 0; i < options->cpu_count; i++) {
		CPU_CLR(options->cpus[i], &others);
	}
	tasks = CPU_COUNT(&others) > 0 ? opendir("/proc/self/task") : NULL;
	while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
		long thread = spdk_strtol(entry->d_name, 10);

		/* It is only for better figures, and may fail. */
		if (thread > 0) {
			sched_setaffinity((pid_t)thread, sizeof(others), &others);
		}
	}
	if (tasks != NULL) {
		closedir(tasks);
	}
}

int
perf_measure(struct perf *perf)
{
	/* Not freed: a channel that is detached later may still call back for a slot. */
	static struct workers workers;
	const struct perf_options *options = &perf->options;
	int rc;

	workers.count = options->cpu_count;
	workers.list = calloc(workers.count, sizeof(*workers.list));
	workers.lanes = calloc(options->channels, sizeof(*workers.lanes));
	if (workers.list == NULL || workers.lanes == NULL) {
		complain("no memory for %u channels", options->channels);
		return -ENOMEM;
	}
	assign(&workers, perf);
	move_others_aside(options);
	if (!options->quiet) {
		progress_start_parts("perf", (uint64_t)options->sizes.count * PARTS);
	}
	rc = measure_all(&workers, perf);
	progress_end();
	return rc;
}
