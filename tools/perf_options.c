/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line of udma perf. */

#include "perf.h"
#include "tool.h"

#include "spdk/cpuset.h"
#include "spdk/string.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SIZE    4096
#define DEFAULT_DEPTH   32
#define DEFAULT_BATCH   8
#define DEFAULT_SECONDS 2
#define MOST_SECONDS    86400.0

enum option_id {
	OPTION_BATCH = 256,
	OPTION_CHANNELS,
	OPTION_CORES,
	OPTION_CSV,
	OPTION_DEPTH,
	OPTION_EMULATE,
	OPTION_HELP,
	OPTION_JSON,
	OPTION_NUMA,
	OPTION_OPERATION,
	OPTION_PLOT,
	OPTION_QUIET,
	OPTION_SECONDS,
	OPTION_SIZE,
	OPTION_WAIT,
};

/** What the options say before they are put together. */
struct words {
	const char *cores;   /* NULL: not given */
	const char *emulate; /* NULL: not asked for; "": without a value */
	bool json;
	bool csv;
};

static int
parse_operation(const char *text, bool *fill)
{
	*fill = strcmp(text, "fill") == 0;
	if (*fill || strcmp(text, "copy") == 0) {
		return STATUS_OK;
	}
	complain("--operation is '%s'; there are copy and fill", text);
	return STATUS_USAGE;
}

/** \return an exit status. */
static int
take_option(int option, const char *value, struct perf_options *options, struct words *words)
{
	switch (option) {
	case OPTION_BATCH:
		return parse_count("--batch", value, MAX_DEPTH, &options->batch);
	case OPTION_CHANNELS:
		return parse_count("--channels", value, MAX_CHANNELS, &options->channels);
	case OPTION_DEPTH:
		return parse_count("--depth", value, MAX_DEPTH, &options->depth);
	case OPTION_NUMA:
		return device_choose_numa(value);
	case OPTION_OPERATION:
		return parse_operation(value, &options->fill);
	case OPTION_SECONDS:
		return parse_seconds("--seconds", value, MOST_SECONDS, &options->seconds);
	case OPTION_SIZE:
		return parse_sizes("--size", value, &options->sizes);
	case OPTION_CORES:
		words->cores = value;
		break;
	case OPTION_CSV:
		words->csv = true;
		break;
	case OPTION_EMULATE:
		words->emulate = value != NULL ? value : "";
		break;
	case OPTION_JSON:
		words->json = true;
		break;
	case OPTION_PLOT:
		options->plot = true;
		break;
	case OPTION_QUIET:
		options->quiet = true;
		break;
	case OPTION_WAIT:
		options->wait = true;
		break;
	}
	return STATUS_OK;
}

/** One CPU for each channel, in turn over those that the process may use. */
static void
spread(const cpu_set_t *allowed, struct perf_options *options)
{
	for (unsigned cpu = 0; options->cpu_count < options->channels; cpu++) {
		if (cpu == CPU_SETSIZE) {
			return; /* fewer than channels */
		}
		if (CPU_ISSET(cpu, allowed)) {
			options->cpus[options->cpu_count++] = cpu;
		}
	}
}

static int
choose_cpus(const char *text, const cpu_set_t *allowed, struct perf_options *options)
{
	/* The brackets of a list would have to be quoted in a shell. */
	bool is_list = strspn(text, "0123456789,-") == strlen(text);
	char *list = spdk_sprintf_alloc(is_list ? "[%s]" : "%s", text);
	struct spdk_cpuset set;
	int rc = list != NULL ? spdk_cpuset_parse(&set, list) : -ENOMEM;
	unsigned count = rc == 0 ? spdk_cpuset_count(&set) : 0;

	free(list);
	if (rc != 0) {
		return STATUS_USAGE; /* said already */
	}
	if (count == 0 || count > options->channels) {
		complain("--cores is '%s', which is %u CPUs for %u channel%s; a channel is driven "
			 "by one CPU: change --cores or --channels",
			 text, count, options->channels, options->channels == 1 ? "" : "s");
		return STATUS_USAGE;
	}
	for (unsigned cpu = 0; cpu < SPDK_CPUSET_SIZE; cpu++) {
		if (!spdk_cpuset_get_cpu(&set, cpu)) {
			continue;
		}
		if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, allowed)) {
			complain("--cores is '%s', but this process may not use CPU %u; "
				 "'taskset -p $$' shows those that it may",
				 text, cpu);
			return STATUS_USAGE;
		}
		options->cpus[options->cpu_count++] = cpu;
	}
	return STATUS_OK;
}

static int
find_cpus(const char *text, struct perf_options *options)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
		complain("cannot tell which CPUs this process may use: %s", strerror(errno));
		return STATUS_FAILED;
	}
	options->allowed_cpus = (unsigned)CPU_COUNT(&allowed);
	if (text != NULL) {
		return choose_cpus(text, &allowed, options);
	}
	spread(&allowed, options);
	return STATUS_OK;
}

/** What depends on more than one option. \return an exit status. */
static int
put_together(struct perf_options *options, const struct words *words)
{
	if (options->batch == 0) {
		options->batch = options->depth < DEFAULT_BATCH ? options->depth : DEFAULT_BATCH;
	}
	if (options->batch > options->depth) {
		complain("--batch is %u, but only --depth=%u requests are outstanding at a time; "
			 "use a smaller --batch or a larger --depth",
			 options->batch, options->depth);
		return STATUS_USAGE;
	}
	if (words->json + words->csv + options->plot > 1) {
		complain("--json, --csv and --plot are different outputs; choose one");
		return STATUS_USAGE;
	}
	options->format = words->json ? PERF_JSON : words->csv ? PERF_CSV : PERF_TABLE;
	if (words->emulate != NULL) {
		device_emulate_channels(words->emulate, options->channels);
	}
	return find_cpus(words->cores, options);
}

int
perf_parse(int argc, char **argv, struct perf_options *options, bool *help)
{
	static const struct option known[] = {
		{"batch", required_argument, NULL, OPTION_BATCH},
		{"channels", required_argument, NULL, OPTION_CHANNELS},
		{"cores", required_argument, NULL, OPTION_CORES},
		{"csv", no_argument, NULL, OPTION_CSV},
		{"depth", required_argument, NULL, OPTION_DEPTH},
		{"emulate", optional_argument, NULL, OPTION_EMULATE},
		{"help", no_argument, NULL, OPTION_HELP},
		{"json", no_argument, NULL, OPTION_JSON},
		{"numa", required_argument, NULL, OPTION_NUMA},
		{"operation", required_argument, NULL, OPTION_OPERATION},
		{"plot", no_argument, NULL, OPTION_PLOT},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{"seconds", required_argument, NULL, OPTION_SECONDS},
		{"size", required_argument, NULL, OPTION_SIZE},
		{"wait", no_argument, NULL, OPTION_WAIT},
		{NULL, 0, NULL, 0},
	};
	struct words words = {0};
	int option, status;

	*options = (struct perf_options){
		.sizes = {.list = {DEFAULT_SIZE}, .count = 1},
		.depth = DEFAULT_DEPTH,
		.channels = 1,
		.seconds = DEFAULT_SECONDS,
	};
	while ((option = getopt_long(argc, argv, "hq", known, NULL)) != -1) {
		if (option == OPTION_HELP || option == 'h') {
			*help = true;
			return STATUS_OK;
		}
		if (option == '?') {
			return bad_option(argv);
		}
		status =
			take_option(option == 'q' ? OPTION_QUIET : option, optarg, options, &words);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (optind < argc) {
		complain("'%s' is not expected; a value follows its option after '='",
			 argv[optind]);
		return STATUS_USAGE;
	}
	return put_together(options, &words);
}
