/* SPDX-License-Identifier: BSD-3-Clause */

/* udma perf: the order of events. */

#include "perf.h"
#include "stop.h"
#include "tool.h"

#include <string.h>

static const char help[] =
	"udma perf - measure I/OAT channels, and the CPU doing the same work\n"
	"\n"
	"Usage: udma perf [OPTION]...\n"
	"\n"
	"For each size: operations and bytes a second, the latency from submit to callback, and\n"
	"the CPU time spent on a byte. In the same run, on the same CPUs and buffers, memcpy()\n"
	"(for fills: memset()) does the same work; engine and CPU take turns of 20 ms, and\n"
	"the ratio is that of the median turn, so that it holds on a busy machine too. The\n"
	"buffers are compared after the last copy; udma verify checks each.\n"
	"\n"
	"Options:\n"
	"  --size=LIST        bytes in a request (default 4K): 512,4K,1M, or 512-1M for 512, 1K,\n"
	"                     2K and so on; up to 1G\n"
	"  --depth=N          requests outstanding on each channel (default 32)\n"
	"  --batch=N          requests built before they are announced (default 8)\n"
	"  --channels=N       use N channels at the same time (default 1)\n"
	"  --numa=N           use channels of NUMA node N only\n"
	"  --cores=LIST       CPUs that drive the channels, as in 0,2-3 (default: one for each\n"
	"                     channel, as far as there are)\n"
	"  --seconds=N        for each size (default 2; 0.5 is possible)\n"
	"  --operation=copy|fill\n"
	"                     what to measure (default copy)\n"
	"  --wait             sleep until a channel interrupts, instead of polling it\n"
	"  --emulate[=N[,OPTION=VALUE]...]\n"
	"                     use emulated channels in this process (N: as many as "
	"--channels);\n" HELP_EMULATE_OPTIONS
	"  --plot             add a bar chart of bytes a second\n"
	"  --json, --csv      print every figure, as JSON or as comma-separated values\n"
	"  --quiet            print nothing but errors, also with --json or --csv\n"
	"  --help             print this\n"
	"\n"
	"Without --wait, driving a channel means polling it, so those CPUs are always busy.\n"
	"The engine of emulated channels is a thread of this process, whose CPU time is\n"
	"counted separately. Latencies are good to half a percent. After an error standard output\n"
	"has the sizes before it, or nothing, with --json neither: the exit status tells.\n"
	"\n"
	"Example:\n"
	"  udma perf --emulate --size=512,4K,64K,1M --depth=64\n"
	"\n"
	"Exit status: 0 fine; 1 failed, also if a buffer was wrong; 2 wrong usage, or no device;\n"
	"130 after Ctrl-C, with what was measured until then (128 + n after signal n).\n";

/** \return an exit status, said. */
static int
check_operation(const struct perf *perf)
{
	for (unsigned i = 0; perf->options.fill && i < perf->channels->count; i++) {
		const struct channel *channel = &perf->channels->list[i];

		if (!(spdk_ioat_get_dma_capabilities(channel->ioat) &
		      SPDK_IOAT_ENGINE_FILL_SUPPORTED)) {
			complain("channel %s (%s) cannot fill; --operation=copy measures what it "
				 "can",
				 channel->address, channel->kind);
			return STATUS_USAGE;
		}
	}
	return STATUS_OK;
}

static void
report(const struct perf *perf)
{
	switch (perf->options.format) {
	case PERF_JSON:
		perf_print_json(perf);
		break;
	case PERF_CSV:
		perf_print_csv(perf);
		break;
	case PERF_TABLE:
		perf_print_table(perf);
		break;
	}
	if (perf->options.plot) {
		perf_print_plot(perf);
	}
}

/** \return an exit status, said. */
static int
measure_and_report(struct perf *perf)
{
	int status = check_operation(perf);

	if (status != STATUS_OK) {
		return status;
	}
	if (perf_measure(perf) != 0) {
		status = STATUS_FAILED;
	} else if (stop_signal() != 0) {
		status = STATUS_SIGNAL + stop_signal();
		complain("stopped by signal %d (%s) after %u of %u sizes", stop_signal(),
			 strsignal(stop_signal()), perf->whole, perf->options.sizes.count);
	}
	/* Also after an error: what was measured before it took its time. */
	if (!perf->options.quiet && perf->count > 0) {
		report(perf);
	}
	return status;
}

int
perf_main(int argc, char **argv)
{
	static struct channels channels;
	static struct perf perf = {.channels = &channels};
	bool is_help = false;
	int status = perf_parse(argc, argv, &perf.options, &is_help);

	if (status != STATUS_OK) {
		return status;
	}
	if (is_help) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	stop_catch_signals();
	status = channels_open(&channels, perf.options.channels);
	if (status == STATUS_OK) {
		status = measure_and_report(&perf);
		channels_close(&channels);
	}
	return status;
}
