/* SPDX-License-Identifier: BSD-3-Clause */

/* udma verify: options, and the order of events. */

#include "verify.h"
#include "number.h"
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include "spdk/string.h"
#include "spdk/util.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_SECONDS  10
#define LONGEST_SECONDS  1e9
#define LARGEST_COUNT    1000000000000000
#define LARGEST_DEPTH    32768
#define LARGEST_MAX_SIZE ((uint64_t)64 << 20)
#define NUMBER           32

static const char help[] =
	"udma verify - check what I/OAT channels do against the CPU\n"
	"\n"
	"Usage: udma verify [OPTION]...\n"
	"\n"
	"Asks each channel for copies and fills of random sizes, offsets and alignments, many at\n"
	"a time, in DMA memory and in memory registered in pieces, and compares what they wrote,\n"
	"and the bytes around it, with what the CPU makes of the same requests. Now and then\n"
	"everything is compared. A difference is printed with a command line that repeats it.\n"
	"Each channel has a thread of its own. One that has failed is left; the others go on.\n"
	"\n"
	"Options:\n"
	"  --seconds=N        for N seconds, as 0.5 (default 10, unless there is a --count)\n"
	"  --count=N          N requests to each channel\n"
	"  --seed=N           ask for the same as a former run (default: another each time)\n"
	"  --channels=N       use N channels (default: all)\n"
	"  --numa=N           use channels of NUMA node N only\n"
	"  --depth=N          at most N requests outstanding on a channel (default 256)\n"
	"  --max-size=SIZE    at most SIZE bytes a request, up to 64M (default 2M)\n"
	"  --cores=LIST       keep the threads to these CPUs, in turn (0,2-3 or 0xd)\n"
	"  --emulate[=N[,OPTION=VALUE]...]\n"
	"                     use emulated channels in this process (N: as many as --channels,\n"
	"                     or 1);\n" HELP_EMULATE_OPTIONS
	"  --json             print the result as JSON\n"
	"  --quiet            print nothing but errors, also with --json\n"
	"  --help             print this\n"
	"\n"
	"JSON: an object with seed, depth, max_size, seconds (elapsed), requests, copies, fills,\n"
	"bytes, descriptors and errors (sums), sources_intact, signal (that stopped it, or null)\n"
	"and channels; each of these with address, kind, the same sums, and error: null, or\n"
	"  kind        mismatch, stray, refused, failed, hang, disorder or memory\n"
	"  message     as printed\n"
	"  request     number, operation, bytes, pattern (of a fill), source and target: each "
	"with\n"
	"              offset, address and memory; or null\n"
	"  difference  offset, address and memory of the first wrong byte in the target, "
	"expected,\n"
	"              got, and how many differ inside and outside the request; or null\n"
	"  repeat      the command line\n"
	"\n"
	"Example:\n"
	"  udma verify --emulate=2 --seconds=60\n"
	"\n"
	"Exit status: 0 no difference; 1 a difference, or a channel failed; 2 wrong usage, or no\n"
	"device; 130 after Ctrl-C (128 + n after signal n) without a difference until then.\n";

struct options {
	struct verify_job job;
	const char *emulate; /* NULL: not asked for; "": without a value */
	uint64_t channels;
	bool has_seed;
	bool help;
};

enum option_id {
	OPTION_CHANNELS = 256,
	OPTION_CORES,
	OPTION_COUNT,
	OPTION_DEPTH,
	OPTION_EMULATE,
	OPTION_JSON,
	OPTION_MAX_SIZE,
	OPTION_NUMA,
	OPTION_QUIET,
	OPTION_SECONDS,
	OPTION_SEED,
	OPTION_HELP,
};

/** Lists of CPUs have no brackets here. \return STATUS_OK; STATUS_USAGE, said. */
static int
parse_cores(const char *text, struct verify_job *job)
{
	bool is_list = isdigit((unsigned char)text[0]) && strncmp(text, "0x", 2) != 0;
	char *list = spdk_sprintf_alloc(is_list ? "[%s]" : "%s", text);
	struct spdk_cpuset allowed = {0}, beyond;
	cpu_set_t cpus;
	int rc = list != NULL ? spdk_cpuset_parse(&job->cpus, list) : -ENOMEM;

	free(list);
	if (rc != 0) {
		return STATUS_USAGE; /* said */
	}
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (unsigned cpu = 0; cpu < SPDK_CPUSET_SIZE; cpu++) {
		spdk_cpuset_set_cpu(&allowed, cpu, CPU_ISSET(cpu, &cpus));
	}
	spdk_cpuset_copy(&beyond, &allowed);
	spdk_cpuset_negate(&beyond);
	spdk_cpuset_and(&beyond, &job->cpus);
	if (spdk_cpuset_count(&beyond) > 0 || spdk_cpuset_count(&job->cpus) == 0) {
		complain("--cores is '%s'; CPUs that this process may use are expected: 0x%s", text,
			 spdk_cpuset_fmt(&allowed));
		return STATUS_USAGE;
	}
	job->cores = text;
	return STATUS_OK;
}

/** Options that have a value. */
static int
parse_value(int option, struct options *options)
{
	struct verify_job *job = &options->job;

	switch (option) {
	case OPTION_CHANNELS:
		return option_number("--channels", optarg, 1, MAX_CHANNELS, &options->channels);
	case OPTION_CORES:
		return parse_cores(optarg, job);
	case OPTION_COUNT:
		return option_number("--count", optarg, 1, LARGEST_COUNT, &job->count);
	case OPTION_DEPTH:
		return option_number("--depth", optarg, 1, LARGEST_DEPTH, &job->depth);
	case OPTION_MAX_SIZE:
		return option_size("--max-size", optarg, 1, LARGEST_MAX_SIZE, &job->max_size);
	case OPTION_NUMA:
		return device_choose_numa(optarg);
	case OPTION_SECONDS:
		return parse_seconds("--seconds", optarg, LONGEST_SECONDS, &job->seconds);
	default:
		options->has_seed = true;
		return option_number("--seed", optarg, 0, INT64_MAX, &job->seed);
	}
}

static int
parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"channels", required_argument, NULL, OPTION_CHANNELS},
		{"cores", required_argument, NULL, OPTION_CORES},
		{"count", required_argument, NULL, OPTION_COUNT},
		{"depth", required_argument, NULL, OPTION_DEPTH},
		{"emulate", optional_argument, NULL, OPTION_EMULATE},
		{"json", no_argument, NULL, OPTION_JSON},
		{"max-size", required_argument, NULL, OPTION_MAX_SIZE},
		{"numa", required_argument, NULL, OPTION_NUMA},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{"seconds", required_argument, NULL, OPTION_SECONDS},
		{"seed", required_argument, NULL, OPTION_SEED},
		{"help", no_argument, NULL, OPTION_HELP},
		{NULL, 0, NULL, 0},
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "hq", known, NULL)) != -1) {
		switch (option) {
		case OPTION_EMULATE:
			options->emulate = optarg != NULL ? optarg : "";
			break;
		case OPTION_JSON:
			options->job.json = true;
			break;
		case OPTION_QUIET:
		case 'q':
			options->job.quiet = true;
			break;
		case OPTION_HELP:
		case 'h':
			options->help = true;
			return STATUS_OK;
		case '?':
			return bad_option(argv);
		default:
			status = parse_value(option, options);
			if (status != STATUS_OK) {
				return status;
			}
		}
	}
	if (optind < argc) {
		complain("'%s' is not expected; the values of options follow after '='",
			 argv[optind]);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/** What was not asked for. */
static void
set_defaults(struct options *options)
{
	struct verify_job *job = &options->job;
	char number[NUMBER];
	uint32_t seed;

	if (job->seconds == 0 && job->count == 0) {
		job->seconds = DEFAULT_SECONDS;
	}
	if (!options->has_seed && getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) {
		job->seed = seed;
	}
	if (options->emulate != NULL) {
		snprintf(number, sizeof(number), "%u",
			 (unsigned)spdk_max(options->channels, (uint64_t)1));
		device_emulate(options->emulate[0] != '\0' ? options->emulate : number);
	}
}

/** What has been verified when a signal came; said also with --quiet. */
static void
tell_of_signal(const struct verify_job *job)
{
	struct verify_sum sum = verify_sum(job);
	char number[NUMBER];

	complain("stopped by signal %d (%s); until then %" PRIu64 " requests, %s: %s",
		 stop_signal(), strsignal(stop_signal()), sum.requests,
		 size_text((double)sum.bytes, number, sizeof(number)),
		 sum.errors == 0 ? "all as on the CPU" : "not all as on the CPU");
}

/** With channels that are open. */
static int
verify(struct verify_job *job)
{
	int status = STATUS_OK;

	/* Before it may go wrong in a way that takes the program along. */
	if (!job->quiet && !job->json) {
		printf("seed      %" PRIu64 "\n", job->seed);
		if (fflush(stdout) != 0) {
			complain("cannot write to standard output: %s", strerror(errno));
			return STATUS_FAILED;
		}
	}
	if (verify_run(job) != 0) {
		return STATUS_FAILED;
	}
	if (!job->quiet) {
		status = verify_report(job);
	}
	if (stop_signal() != 0) {
		tell_of_signal(job);
	}
	if (verify_sum(job).errors > 0) {
		status = STATUS_FAILED;
	} else if (stop_signal() != 0) {
		status = STATUS_SIGNAL + stop_signal();
	}
	return status;
}

int
verify_main(int argc, char **argv)
{
	struct options options = {
		.job.depth = DEFAULT_DEPTH,
		.job.max_size = DEFAULT_MAX_SIZE,
		.channels = ALL_CHANNELS,
	};
	static struct channels channels;
	int status = parse(argc, argv, &options);

	if (status != STATUS_OK) {
		return status;
	}
	if (options.help) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	set_defaults(&options);
	stop_catch_signals();
	status = channels_open(&channels, (unsigned)options.channels);
	if (status == STATUS_OK) {
		options.job.channels = &channels;
		status = verify(&options.job);
		/* Before the memory goes: an engine may still be writing to it. */
		channels_close(&channels);
		verify_free(&options.job);
	}
	return status;
}
