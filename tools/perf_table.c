/* SPDX-License-Identifier: BSD-3-Clause */

/* The figures for people: tables, notes, and a bar chart. */

#include "perf.h"
#include "table.h"
#include "tool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define MAX_ROWS    (MAX_SIZES + 1)
#define MAX_COLUMNS 8
#define CELL_BYTES  32

#define MIB ((double)(1 << 20))

#define SIZE_TEXT 32

struct page {
	char texts[MAX_ROWS * MAX_COLUMNS][CELL_BYTES];
	char *cells[MAX_ROWS * MAX_COLUMNS];
	unsigned used;
};

static void add(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct page *page, const char *format, ...)
{
	char *text = page->texts[page->used];
	va_list args;

	va_start(args, format);
	vsnprintf(text, CELL_BYTES, format, args);
	va_end(args);
	page->cells[page->used++] = text;
}

/** Three digits that matter. */
static void
add_figure(struct page *page, double value)
{
	add(page, "%.*f", value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3, value);
}

static void
add_size(struct page *page, uint64_t size)
{
	char text[SIZE_TEXT];

	add(page, "%s", size_exact_text(size, text, sizeof(text)));
}

static const char *
name_of_baseline(const struct perf *perf)
{
	return perf->options.fill ? "MEMSET" : "MEMCPY";
}

static void
print_setting(const struct perf *perf)
{
	const struct perf_options *options = &perf->options;

	char every[SIZE_TEXT] = "each";

	if (options->batch > 1) {
		snprintf(every, sizeof(every), "every %u", options->batch);
	}
	print_wrapped(stdout, "measured  %s, %u request%s outstanding, a doorbell for %s",
		      options->fill ? "fill" : "copy", options->depth,
		      options->depth == 1 ? "" : "s", every);
	for (unsigned i = 0; i < perf->channels->count; i++) {
		const struct channel *channel = &perf->channels->list[i];

		print_wrapped(stdout, "channel   %s (%s), driven by CPU %u", channel->address,
			      channel->kind, options->cpus[i % options->cpu_count]);
	}
}

static void
print_throughput(const struct perf *perf)
{
	struct page page = {.used = 0};
	const char *baseline = name_of_baseline(perf);

	add(&page, "SIZE");
	add(&page, "OPS/s");
	add(&page, "MiB/s");
	add(&page, "%s MiB/s", baseline);
	add(&page, "RATIO");
	add(&page, "CPU ns/B");
	add(&page, "ENGINE ns/B");
	add(&page, "%s ns/B", baseline);
	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];

		add_size(&page, point->size);
		add_figure(&page, perf_operations_per_second(&point->engine));
		add_figure(&page, perf_bytes_per_second(point, &point->engine) / MIB);
		add_figure(&page, perf_bytes_per_second(point, &point->baseline) / MIB);
		add_figure(&page, point->ratio);
		add_figure(&page, perf_cpu_ns_per_byte(point, &point->engine));
		if (perf_is_emulated(perf)) {
			add_figure(&page, perf_engine_ns_per_byte(point));
		} else {
			add(&page, "-");
		}
		add_figure(&page, perf_cpu_ns_per_byte(point, &point->baseline));
	}
	table_print(stdout, page.cells, perf->count + 1, 8);
}

static void
print_latencies(const struct perf *perf)
{
	static const char *const headings[] = {"SIZE",     "P50 us",    "P90 us", "P99 us",
					       "P99.9 us", "P99.99 us", "MAX us"};
	struct page page = {.used = 0};

	for (unsigned i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		add(&page, "%s", headings[i]);
	}
	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];

		add_size(&page, point->size);
		for (unsigned j = 0; j < QUANTILES; j++) {
			add_figure(&page, (double)point->latency_ns[j] / 1e3);
		}
		add_figure(&page, (double)point->latency_max_ns / 1e3);
	}
	table_print(stdout, page.cells, perf->count + 1, QUANTILES + 2);
}

static void
print_notes(const struct perf *perf)
{
	const struct perf_options *options = &perf->options;
	char text[SIZE_TEXT];

	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];

		if (point->depth < options->depth) {
			print_wrapped(stdout, "note: the ring holds %u requests of %s, not %u",
				      point->depth,
				      size_exact_text(point->size, text, sizeof(text)),
				      options->depth);
		}
	}
	if (perf_is_emulated(perf)) {
		print_wrapped(stdout, "note: these figures are the emulation's, not silicon's; "
				      "ENGINE is the CPU time of its thread");
	}
	if (perf_is_emulated(perf) && options->cpu_count >= options->allowed_cpus) {
		print_wrapped(stdout, "note: that thread has no CPU of its own here; it takes "
				      "turns with those that drive the channels");
	}
}

void
perf_print_table(const struct perf *perf)
{
	print_setting(perf);
	putchar('\n');
	print_throughput(perf);
	putchar('\n');
	print_latencies(perf);
	putchar('\n');
	print_notes(perf);
}

/* ---- The bar chart ---- */

#define USUAL_WIDTH   80
#define WIDEST_BAR    60
#define NARROWEST_BAR 1
/* What stands before and behind a bar: "64K    engine ", " 12345 MiB/s". */
#define BESIDE_BAR 28

static void
print_bar(const char *size, const char *who, double value, double largest, unsigned width)
{
	unsigned length = (unsigned)(value / largest * width + 0.5);

	printf("%-6s %-6s ", size, who);
	for (unsigned i = 0; i < length; i++) {
		putchar(strcmp(who, "engine") == 0 ? '#' : '=');
	}
	printf(" %.0f\n", value);
}

void
perf_print_plot(const struct perf *perf)
{
	unsigned terminal = terminal_width(stdout);
	unsigned room = terminal != 0 ? terminal : USUAL_WIDTH;
	unsigned width = room > BESIDE_BAR + NARROWEST_BAR ? room - BESIDE_BAR : NARROWEST_BAR;
	double largest = 0;
	char text[SIZE_TEXT];

	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];
		double engine = perf_bytes_per_second(point, &point->engine);
		double baseline = perf_bytes_per_second(point, &point->baseline);

		largest = engine > largest ? engine : largest;
		largest = baseline > largest ? baseline : largest;
	}
	width = width < WIDEST_BAR ? width : WIDEST_BAR;
	printf("\nMiB/s\n");
	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];

		print_bar(size_exact_text(point->size, text, sizeof(text)), "engine",
			  perf_bytes_per_second(point, &point->engine) / MIB, largest / MIB, width);
		print_bar("", perf->options.fill ? "memset" : "memcpy",
			  perf_bytes_per_second(point, &point->baseline) / MIB, largest / MIB,
			  width);
	}
}
