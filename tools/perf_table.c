/* SPDX-License-Identifier: BSD-3-Clause */

/* The figures for people: tables, notes, and a bar chart. */

#include "perf.h"
#include "table.h"
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((double)(1 << 20))

#define SIZE_TEXT 32

/** A table in the making. */
struct page {
	char **cells; /* NULL: there was no memory, which table_print() says */
	unsigned used;
};

static struct page
page_of(const struct perf *perf, unsigned columns)
{
	return (struct page){.cells = calloc(perf->count * columns + 1, sizeof(char *))};
}

static void
add(struct page *page, char *cell)
{
	if (page->cells != NULL) {
		page->cells[page->used++] = cell;
	} else {
		free(cell);
	}
}

/** Three digits that matter. */
static void
add_figure(struct page *page, double value)
{
	add(page, table_cell("%.*f",
			     value >= 100  ? 0
			     : value >= 10 ? 1
			     : value >= 1  ? 2
					   : 3,
			     value));
}

static void
add_size(struct page *page, uint64_t size)
{
	char text[SIZE_TEXT];

	add(page, table_cell("%s", size_exact_text(size, text, sizeof(text))));
}

static void
print_setting(const struct perf *perf)
{
	const struct perf_options *options = &perf->options;

	char every[SIZE_TEXT] = "each";

	if (options->batch > 1) {
		snprintf(every, sizeof(every), "every %u", options->batch);
	}
	print_wrapped(stdout, "measured  %s, %u request%s outstanding, a doorbell for %s%s",
		      options->fill ? "fill" : "copy", options->depth,
		      options->depth == 1 ? "" : "s", every, options->wait ? ", waited for" : "");
	for (unsigned i = 0; i < perf->channels->count; i++) {
		const struct channel *channel = &perf->channels->list[i];

		print_wrapped(stdout, "channel   %s (%s), driven by CPU %u", channel->address,
			      channel->kind, options->cpus[i % options->cpu_count]);
	}
}

static void
print_throughput(const struct perf *perf)
{
	const bool fill = perf->options.fill;
	const char *const headings[] = {
		"SIZE",  "OPS/s",    "MiB/s",       fill ? "MEMSET MiB/s" : "MEMCPY MiB/s",
		"RATIO", "CPU ns/B", "ENGINE ns/B", fill ? "MEMSET ns/B" : "MEMCPY ns/B"};
	const unsigned columns = sizeof(headings) / sizeof(headings[0]);
	struct page page = page_of(perf, columns);

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
			add(&page, table_cell("-"));
		}
		add_figure(&page, perf_cpu_ns_per_byte(point, &point->baseline));
	}
	table_print(stdout, headings, page.cells, perf->count, columns);
}

static void
print_latencies(const struct perf *perf)
{
	static const char *const headings[] = {"SIZE",     "P50 us",    "P90 us", "P99 us",
					       "P99.9 us", "P99.99 us", "MAX us"};
	struct page page = page_of(perf, QUANTILES + 2);

	for (unsigned i = 0; i < perf->count; i++) {
		const struct perf_point *point = &perf->points[i];

		add_size(&page, point->size);
		for (unsigned j = 0; j < QUANTILES; j++) {
			add_figure(&page, (double)point->latency_ns[j] / 1e3);
		}
		add_figure(&page, (double)point->latency_max_ns / 1e3);
	}
	table_print(stdout, headings, page.cells, perf->count, QUANTILES + 2);
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
