/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Model-based test: random programs for the emulated function and for the reference, compared after
 * each operation. A difference is printed with the program that shows it, made as short as it goes,
 * and with the command that repeats it.
 */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"

/* Operations of one program; the next one has the next seed. */
#define PROGRAM 400
/* Operations between two comparisons of everything. */
#define COMPARE_ALL 100
#define LAST        12

struct program {
	uint64_t seed;
	struct world_start start;
	struct operation operations[PROGRAM];
	unsigned count;
};

struct options {
	uint64_t seed;
	uint64_t operations;
	uint64_t seconds; /* 0: as many operations as were asked for */
	uint16_t part;    /* 0: all */
};

/* For the signal handler: what was being done. */
static volatile uint64_t current_seed;
static volatile unsigned current_operation;

/* ---- Running ---- */

static bool
run(struct program *program, struct world *world, uint64_t limit, uint16_t part)
{
	struct generator generator;

	generate_start(&generator, program->seed, part, &program->start);
	program->count = 0;
	if (!world_start(world, &program->start)) {
		return false;
	}
	while (program->count < PROGRAM && program->count < limit) {
		struct operation *op = &program->operations[program->count++];

		*op = generate(&generator, world);
		current_operation = program->count;
		if (!world_apply(world, op) ||
		    (program->count % COMPARE_ALL == 0 && !world_compare_all(world))) {
			return false;
		}
	}
	return world_compare_all(world);
}

/* Runs what was recorded. \return whether it comes out equal; else it ends with what differs. */
static bool
repeat(struct program *program, struct world *world)
{
	if (!world_start(world, &program->start)) {
		return false;
	}
	for (unsigned i = 0; i < program->count; i++) {
		if (!world_apply(world, &program->operations[i]) ||
		    ((i + 1) % COMPARE_ALL == 0 && !world_compare_all(world))) {
			program->count = i + 1;
			return false;
		}
	}
	return world_compare_all(world);
}

/* Some configs are not to be had: both must say so. */
static bool
run_configs(struct world *world, uint64_t seed)
{
	struct world_start start = {.takes_interrupts = true};

	for (unsigned i = 0; i < 2; i++) {
		generate_config(&seed, &start.config);
		if (!world_start(world, &start)) {
			return false;
		}
	}
	return true;
}

/* ---- Shrinking ---- */

static bool
fails_without(struct program *program, struct world *world, unsigned from, unsigned len)
{
	struct program *shorter = malloc(sizeof(*shorter));
	bool fails;

	*shorter = *program;
	memmove(&shorter->operations[from], &shorter->operations[from + len],
		(program->count - from - len) * sizeof(struct operation));
	shorter->count -= len;
	fails = !repeat(shorter, world);
	if (fails) {
		*program = *shorter;
	}
	free(shorter);
	return fails;
}

static void
shrink(struct program *program, struct world *world)
{
	for (unsigned len = program->count / 2; len > 0; len /= 2) {
		unsigned from = 0;

		while (from + len <= program->count) {
			if (!fails_without(program, world, from, len)) {
				from += len;
			}
		}
	}
}

/* ---- Reporting ---- */

static void
print_operations(const struct program *program, unsigned from)
{
	char text[512];

	for (unsigned i = from; i < program->count; i++) {
		operation_describe(&program->operations[i], text, sizeof(text));
		printf("%5u  %s\n", i + 1, text);
	}
}

static void
print_start(const struct world_start *start)
{
	const struct udma_emu_config *config = &start->config;

	printf("id %04x, xfercap %u, multifunction %d, interrupts %x, pin %u, table in host %d, "
	       "host reads %d writes %d takes interrupts %d\n",
	       config->device_id, config->xfercap, config->multifunction, config->interrupts,
	       config->intx_pin, config->msix_table_in_host, start->has_read, start->has_write,
	       start->takes_interrupts);
}

static void
report(struct program *program, struct world *world, uint16_t part)
{
	printf("DIFFERENCE in seed %" PRIu64 ", operation %u: %s\n", program->seed, program->count,
	       world->difference);
	printf("repeat: test_model --seed %" PRIu64 " --operations %u", program->seed,
	       program->count);
	if (part != 0) {
		printf(" --part %04x", part);
	}
	printf("\n");
	print_start(&program->start);
	printf("The last operations:\n");
	print_operations(program, program->count > LAST ? program->count - LAST : 0);
	shrink(program, world);
	if (repeat(program, world)) {
		printf("It could not be repeated.\n");
		return;
	}
	printf("Shrunk to %u operations: %s\n", program->count, world->difference);
	print_operations(program, 0);
}

/* A crash, or a time limit from outside: says where. */
static void
on_signal(int number)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "signal %d in seed %" PRIu64 ", operation %u\n",
			   number, current_seed, current_operation);

	if (write(STDOUT_FILENO, text, (size_t)len) == len) {
		signal(number, SIG_DFL);
	}
	raise(number);
}

static void
catch_signals(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGTERM};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

		sigaction(numbers[i], &action, NULL);
	}
}

/* ---- Command line ---- */

static int
usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [--seed S] [--operations N] [--seconds S] [--part ID]\n"
		"ID: a device id, as four hexadecimal digits\n",
		name);
	return 2;
}

static bool
parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},
		{"operations", required_argument, NULL, 'o'},
		{"seconds", required_argument, NULL, 't'},
		{"part", required_argument, NULL, 'p'},
		{0},
	};
	char *end = NULL;
	int option;

	*options = (struct options){.seed = 1, .operations = 100000};
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		uint64_t number =
			optarg != NULL ? strtoull(optarg, &end, option == 'p' ? 16 : 0) : 0;

		if (option == '?' || end == optarg || *end != '\0') {
			return false;
		}
		switch (option) {
		case 's':
			options->seed = number;
			break;
		case 'o':
			options->operations = number;
			break;
		case 't':
			options->seconds = number;
			break;
		case 'p':
			options->part = (uint16_t)number;
			break;
		}
	}
	return optind == argc;
}

static uint64_t
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static bool
run_all(const struct options *options, struct program *program, struct world *world)
{
	uint64_t end = seconds_now() + options->seconds, done = 0, programs = 0;

	while (options->seconds != 0 ? seconds_now() < end : done < options->operations) {
		uint64_t left = options->seconds != 0 ? PROGRAM : options->operations - done;

		program->seed = current_seed = options->seed + programs++;
		if (!run_configs(world, program->seed)) {
			printf("DIFFERENCE in seed %" PRIu64 ": %s\n", program->seed,
			       world->difference);
			return false;
		}
		if (!run(program, world, left, options->part)) {
			report(program, world, options->part);
			return false;
		}
		done += program->count;
	}
	printf("seeds %" PRIu64 " to %" PRIu64 ", %" PRIu64 " operations: no difference\n",
	       options->seed, options->seed + programs - 1, done);
	return true;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct program *program;
	struct world world;
	bool good;

	if (!parse(&options, argc, argv)) {
		return usage(argv[0]);
	}
	catch_signals();
	program = malloc(sizeof(*program));
	world_init(&world);
	good = run_all(&options, program, &world);
	world_fini(&world);
	free(program);
	return good ? 0 : 1;
}
