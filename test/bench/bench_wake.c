/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The emulated channel's thread: what it costs while idle, and how soon it works once woken.
 *
 * Each sample submits 64 bytes to a channel that has been idle for 5 ms, and takes the time until
 * the poll that finds it done; the median of the same without the pause is printed beside it.
 */

#include "bench.h"

#define SAMPLES 400

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(struct spdk_ioat_chan *chan, uint8_t *memory, unsigned pause_us, double *us)
{
	for (unsigned i = 0; i < SAMPLES; i++) {
		double start;

		if (pause_us != 0) {
			usleep(pause_us);
		}
		start = bench_seconds();
		spdk_ioat_submit_copy(chan, NULL, NULL, memory, memory + 64, 64);
		while (spdk_ioat_process_events(chan) == 0) {
		}
		us[i] = (bench_seconds() - start) * 1e6;
	}
	qsort(us, SAMPLES, sizeof(us[0]), compare);
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
main(void)
{
	struct spdk_ioat_chan *chan = bench_start();
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 64, NULL);
	double awake[SAMPLES], asleep[SAMPLES], before;

	measure(chan, memory, 0, awake);
	measure(chan, memory, 5000, asleep);
	printf("64 bytes, submit to completion: awake median %.1f us; after 5 ms idle median %.1f "
	       "us, "
	       "p99 %.1f us\n",
	       awake[SAMPLES / 2], asleep[SAMPLES / 2], asleep[SAMPLES * 99 / 100]);
	usleep(100000);
	before = cpu_seconds();
	sleep(2);
	printf("idle: %.3f %% of a core\n", (cpu_seconds() - before) / 2 * 100);
	spdk_free(memory);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return 0;
}
