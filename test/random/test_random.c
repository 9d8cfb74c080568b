/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Random programs of the driver against a device with random faults (README.md).
 *
 *     test_random [--quick] SEED PROGRAMS
 *
 * runs the programs with the seeds from SEED on. Of one that fails, the steps that do not matter
 * are left out, and what is left is printed with all that it does; it fails again in the same way
 * each time. --quick says only which program it is.
 */

#include "program.h"

#include <sys/wait.h>

/* No program takes that long; of those that are shortened, most do not fail at all. */
#define TIME_LIMIT_S 120

bool g_trace;

/** What outlives a process that runs programs. */
struct shared {
	volatile uint64_t seed;
	volatile uint64_t step;
	bool left_out[PROGRAM_STEPS];
};

static struct shared *g_shared;

static void
run(uint64_t first, uint64_t count)
{
	program_init();
	for (uint64_t i = 0; i < count; i++) {
		g_shared->seed = first + i;
		alarm(TIME_LIMIT_S);
		program_run(first + i, g_shared->left_out, &g_shared->step);
	}
	spdk_env_fini();
	exit(0);
}

/** \return whether programs, run by a process of their own, fail. */
static bool
fails(uint64_t first, uint64_t count, bool quiet)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (quiet) {
			dup2(null, 1);
			dup2(null, 2);
		}
		run(first, count);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return status != 0;
}

/** Leaves out what a program fails without: first large parts of it, then smaller ones. */
static unsigned
shorten(uint64_t seed)
{
	unsigned left = PROGRAM_STEPS;

	for (uint64_t i = g_shared->step + 1; i < PROGRAM_STEPS; i++) {
		g_shared->left_out[i] = true;
	}
	if (!fails(seed, 1, true)) {
		memset(g_shared->left_out, 0, sizeof(g_shared->left_out));
	}
	for (unsigned part = PROGRAM_STEPS / 2; part > 0; part /= 2) {
		for (unsigned at = 0; at < PROGRAM_STEPS; at += part) {
			bool before[PROGRAM_STEPS];

			memcpy(before, g_shared->left_out, sizeof(before));
			for (unsigned i = at; i < at + part && i < PROGRAM_STEPS; i++) {
				g_shared->left_out[i] = true;
			}
			if (memcmp(before, g_shared->left_out, sizeof(before)) != 0 &&
			    !fails(seed, 1, true)) {
				memcpy(g_shared->left_out, before, sizeof(before));
			}
		}
	}
	for (unsigned i = 0; i < PROGRAM_STEPS; i++) {
		left -= g_shared->left_out[i];
	}
	return left;
}

int
main(int argc, char **argv)
{
	bool quick = argc == 4 && strcmp(argv[1], "--quick") == 0;
	uint64_t first = argc == 3 + quick ? strtoull(argv[argc - 2], NULL, 0) : 0;
	uint64_t count = argc == 3 + quick ? strtoull(argv[argc - 1], NULL, 0) : 0;
	struct timespec start, end;
	uint64_t seed;

	if (count == 0) {
		fprintf(stderr, "usage: %s [--quick] SEED PROGRAMS\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	g_shared = mmap(NULL, sizeof(*g_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(g_shared != MAP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!fails(first, count, false)) {
		clock_gettime(CLOCK_MONOTONIC, &end);
		printf("%" PRIu64 " steps in %.1f s\n", count * PROGRAM_STEPS,
		       (double)(end.tv_sec - start.tv_sec) +
			       (double)(end.tv_nsec - start.tv_nsec) / 1e9);
		return 0;
	}
	seed = g_shared->seed;
	printf("program %" PRIu64 " fails at step %" PRIu64 "\n", seed, (uint64_t)g_shared->step);
	if (quick) {
		return 1;
	}
	printf("shortened to %u steps:\n", shorten(seed));
	g_trace = true;
	fails(seed, 1, false);
	printf("to repeat it: %s %" PRIu64 " 1\n", argv[0], seed);
	return 1;
}
