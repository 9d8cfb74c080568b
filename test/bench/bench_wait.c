/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What waiting costs: the CPU time of a program that has a request each millisecond; how long one
 * takes, beside one that is polled for and a blocking round trip between two threads by eventfd, in
 * turns; and whether at full load it is as quick as polling, in turns as well.
 *
 * The engine is a thread that sleeps as well, and is no part of the first figure: silicon is none.
 */

#include <sys/eventfd.h>

#include "bench.h"
#include "udma/ioat.h"

#define BYTES   4096
#define SAMPLES 2000
#define ROUND   20000 /* requests by one before it is the other's turn */
#define ROUNDS  20
#define DEPTH   32

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, unsigned count)
{
	qsort(values, count, sizeof(values[0]), compare);
	return values[count / 2];
}

static double
cpu_seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
submit(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	if (spdk_ioat_submit_copy(chan, NULL, NULL, memory, memory + BYTES, BYTES) != 0) {
		fprintf(stderr, "a copy was refused\n");
		exit(1);
	}
}

/** A request each millisecond, waited for. */
static void
thousand_a_second(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	static double us[SAMPLES];
	double thread = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
	double process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
	double start = bench_seconds(), spent;

	for (unsigned i = 0; i < SAMPLES; i++) {
		double due = start + i / 1000.0, now = bench_seconds();

		if (now < due) {
			usleep((useconds_t)((due - now) * 1e6));
		}
		now = bench_seconds();
		submit(chan, memory);
		if (udma_ioat_wait(chan, UINT64_MAX) != 1) {
			fprintf(stderr, "a wait failed\n");
			exit(1);
		}
		us[i] = (bench_seconds() - now) * 1e6;
	}
	spent = bench_seconds() - start;
	thread = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - thread;
	process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process;
	printf("%.0f requests a second: %.2f %% of a core; with the emulated engine %.2f %%\n",
	       SAMPLES / spent, thread / spent * 100, process / spent * 100);
	printf("%d bytes, submit to the end of the wait: median %.1f us\n", BYTES,
	       median(us, SAMPLES));
}

/* ---- Latency --------------------------------------------------------------------------- */

static int g_there, g_back;

static void *
answer(void *arg)
{
	eventfd_t value;

	(void)arg;
	for (unsigned i = 0; i < SAMPLES; i++) {
		if (eventfd_read(g_there, &value) != 0 || eventfd_write(g_back, 1) != 0) {
			exit(1);
		}
	}
	return NULL;
}

/** All sleep before each request; one by one, in turns. */
static void
latency(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	static double waits[SAMPLES], polls[SAMPLES], trips[SAMPLES];
	double by_wait, by_poll, by_trip;
	pthread_t thread;

	g_there = eventfd(0, 0);
	g_back = eventfd(0, 0);
	pthread_create(&thread, NULL, answer, NULL);
	for (unsigned i = 0; i < SAMPLES; i++) {
		eventfd_t value;
		double start;

		usleep(300);
		start = bench_seconds();
		submit(chan, memory);
		udma_ioat_wait(chan, UINT64_MAX);
		waits[i] = (bench_seconds() - start) * 1e6;
		usleep(300);
		start = bench_seconds();
		submit(chan, memory);
		while (spdk_ioat_process_events(chan) == 0) {
		}
		polls[i] = (bench_seconds() - start) * 1e6;
		usleep(300);
		start = bench_seconds();
		if (eventfd_write(g_there, 1) != 0 || eventfd_read(g_back, &value) != 0) {
			exit(1);
		}
		trips[i] = (bench_seconds() - start) * 1e6;
	}
	pthread_join(thread, NULL);
	by_wait = median(waits, SAMPLES);
	by_poll = median(polls, SAMPLES);
	by_trip = median(trips, SAMPLES);
	printf("latency after 300 us of sleep, medians: waited %.1f us, polled %.1f us, "
	       "eventfd round trip %.1f us; ratios %.2f and %.2f\n",
	       by_wait, by_poll, by_trip, by_wait / by_poll, by_wait / by_trip);
}

/* ---- Full load ------------------------------------------------------------------------- */

static double
load(struct spdk_ioat_chan *chan, uint8_t *memory, bool wait)
{
	double start = bench_seconds();
	unsigned submitted = 0, done = 0;

	while (done < ROUND) {
		int rc;

		while (submitted < ROUND && submitted - done < DEPTH) {
			submit(chan, memory);
			submitted++;
		}
		rc = wait ? udma_ioat_wait(chan, UINT64_MAX) : spdk_ioat_process_events(chan);
		if (rc < 0) {
			fprintf(stderr, "a copy failed: %d\n", rc);
			exit(1);
		}
		done += (unsigned)rc;
	}
	return bench_seconds() - start;
}

static void
full_load(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	double polled[ROUNDS], waited[ROUNDS], ratios[ROUNDS];

	load(chan, memory, false);
	load(chan, memory, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		polled[i] = load(chan, memory, false);
		waited[i] = load(chan, memory, true);
		ratios[i] = polled[i] / waited[i];
	}
	printf("full load, %d outstanding, medians of %d rounds: polled %.0f/s, waited %.0f/s, "
	       "ratio %.3f\n",
	       DEPTH, ROUNDS, ROUND / median(polled, ROUNDS), ROUND / median(waited, ROUNDS),
	       median(ratios, ROUNDS));
}

int
main(void)
{
	struct spdk_ioat_chan *chan = bench_start();
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(2 * BYTES, 4096, NULL);

	thousand_a_second(chan, memory);
	latency(chan, memory);
	full_load(chan, memory);
	spdk_free(memory);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return 0;
}
