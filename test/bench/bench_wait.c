/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What waiting costs:
 * - the CPU time of a program that has a request each millisecond, beside one that does not wait
 *   for it and one that has none, in turns;
 * - how long a request takes that is waited for, beside one that is polled for and a blocking round
 *   trip between two threads by eventfd, in turns;
 * - whether at full load it is as quick as polling, in turns.
 *
 * The engine is a thread that sleeps as well, and is no part of the first figure: silicon is none.
 */

#include <sys/eventfd.h>

#include "bench.h"
#include "udma/ioat.h"

#define BYTES   4096
#define SAMPLES 2000
#define TURN    250   /* requests, one each millisecond, before it is the other's turn */
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

/* ---- A thousand a second ----------------------------------------------------------------- */

/** What some milliseconds have taken. */
struct spent {
	double thread, process, seconds;
};

static struct spent
clocks(void)
{
	return (struct spent){
		.thread = cpu_seconds(CLOCK_THREAD_CPUTIME_ID),
		.process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID),
		.seconds = bench_seconds(),
	};
}

static void
sleep_until(double due)
{
	double now = bench_seconds();

	if (now < due) {
		usleep((useconds_t)((due - now) * 1e6));
	}
}

static int g_due;

/** Somebody who has something to do each millisecond, and lets another do it. */
static void *
client(void *arg)
{
	double start = bench_seconds();

	(void)arg;
	for (unsigned i = 0; i < TURN; i++) {
		sleep_until(start + i / 1000.0);
		if (eventfd_write(g_due, 1) != 0) {
			exit(1);
		}
	}
	return NULL;
}

/** What is done in each millisecond. */
enum what { NOTHING, SUBMIT, WAIT, WHATS };

/** A request, waited for. \return how long it took. */
static double
submit_and_wait(struct spdk_ioat_chan *chan, uint8_t *memory)
{
	double before = bench_seconds();

	submit(chan, memory);
	if (udma_ioat_wait(chan, UINT64_MAX) != 1) {
		fprintf(stderr, "a wait failed\n");
		exit(1);
	}
	return (bench_seconds() - before) * 1e6;
}

/** A turn. Each millisecond is told by a client, or by the program's own timer. */
static void
milliseconds(struct spdk_ioat_chan *chan, uint8_t *memory, bool has_client, enum what what,
	     double *us, struct spent *spent)
{
	struct spent start, end;
	pthread_t thread;

	if (has_client && pthread_create(&thread, NULL, client, NULL) != 0) {
		exit(1);
	}
	start = clocks();
	for (unsigned i = 0; i < TURN; i++) {
		eventfd_t one;

		if (!has_client) {
			sleep_until(start.seconds + i / 1000.0);
		} else if (eventfd_read(g_due, &one) != 0) {
			exit(1);
		}
		if (what == WAIT) {
			us[i] = submit_and_wait(chan, memory);
		} else if (what == SUBMIT) {
			spdk_ioat_process_events(chan); /* the one before it */
			submit(chan, memory);
		}
	}
	end = clocks();
	spent->thread += end.thread - start.thread;
	spent->process += end.process - start.process;
	spent->seconds += end.seconds - start.seconds;
	if (has_client) {
		pthread_join(thread, NULL);
	}
	udma_ioat_drain(chan, UINT64_MAX);
}

static double
percent(const struct spent *spent)
{
	return spent->thread / spent->seconds * 100;
}

/**
 * A request each millisecond, waited for; in turns with a program that looks for it a millisecond
 * later, and with one that has none. What these two cost is no part of waiting: a timer and to
 * be woken cost something, in a virtual machine a lot, and the doorbell of an emulated engine
 * that sleeps wakes a thread, where it is a store to silicon.
 */
static void
thousand_a_second(struct spdk_ioat_chan *chan, uint8_t *memory, bool has_client)
{
	static double us[SAMPLES];
	struct spent spent[WHATS] = {0};

	g_due = eventfd(0, EFD_SEMAPHORE);
	for (unsigned i = 0; i < SAMPLES; i += TURN) {
		for (enum what what = NOTHING; what < WHATS; what++) {
			milliseconds(chan, memory, has_client, what, us + i, &spent[what]);
		}
	}
	close(g_due);
	printf("%.0f requests a second, told of each by %s: %.2f %% of a core; %.2f %% not waited "
	       "for, %.2f %% with no request\n",
	       SAMPLES / spent[WAIT].seconds, has_client ? "a client" : "its own timer",
	       percent(&spent[WAIT]), percent(&spent[SUBMIT]), percent(&spent[NOTHING]));
	printf("  the whole process, emulated engine included: %.2f %%\n"
	       "  %d bytes, submit to the end of the wait: median %.1f us\n",
	       spent[WAIT].process / spent[WAIT].seconds * 100, BYTES, median(us, SAMPLES));
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

	thousand_a_second(chan, memory, true);
	thousand_a_second(chan, memory, false);
	latency(chan, memory);
	full_load(chan, memory);
	spdk_free(memory);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return 0;
}
