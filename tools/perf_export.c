/* SPDX-License-Identifier: BSD-3-Clause */

/* The figures for programs: the same names in JSON and as the columns of CSV. */

#include "perf.h"
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MAX_FIGURES 32

#define REAL_FORMAT "%.9g"

struct figure {
	const char *name;
	bool is_whole;
	uint64_t whole;
	double real; /* NAN: not known */
};

struct figures {
	struct figure list[MAX_FIGURES];
	unsigned count;
};

static void
add_whole(struct figures *figures, const char *name, uint64_t value)
{
	figures->list[figures->count++] =
		(struct figure){.name = name, .is_whole = true, .whole = value};
}

static void
add_real(struct figures *figures, const char *name, double value)
{
	figures->list[figures->count++] = (struct figure){.name = name, .real = value};
}

static void
add_engine(struct figures *figures, const struct perf_point *point, bool emulated)
{
	static const char *const latencies[QUANTILES] = {
		"latency_p50_ns",   "latency_p90_ns",    "latency_p99_ns",
		"latency_p99_9_ns", "latency_p99_99_ns",
	};
	const struct perf_side *engine = &point->engine;

	add_whole(figures, "operations", engine->operations);
	add_whole(figures, "bytes", engine->operations * point->size);
	add_real(figures, "seconds", engine->seconds);
	add_real(figures, "operations_per_second", perf_operations_per_second(engine));
	add_whole(figures, "bytes_per_second", (uint64_t)perf_bytes_per_second(point, engine));
	for (unsigned i = 0; i < QUANTILES; i++) {
		add_whole(figures, latencies[i], point->latency_ns[i]);
	}
	add_whole(figures, "latency_max_ns", point->latency_max_ns);
	add_real(figures, "cpu_seconds", engine->cpu_seconds);
	add_real(figures, "cpu_ns_per_byte", perf_cpu_ns_per_byte(point, engine));
	add_real(figures, "emulation_cpu_ns_per_byte",
		 emulated ? perf_engine_ns_per_byte(point) : NAN);
}

static void
add_baseline(struct figures *figures, const struct perf_point *point)
{
	const struct perf_side *baseline = &point->baseline;

	add_whole(figures, "baseline_operations", baseline->operations);
	add_whole(figures, "baseline_bytes", baseline->operations * point->size);
	add_real(figures, "baseline_seconds", baseline->seconds);
	add_real(figures, "baseline_operations_per_second", perf_operations_per_second(baseline));
	add_whole(figures, "baseline_bytes_per_second",
		  (uint64_t)perf_bytes_per_second(point, baseline));
	add_real(figures, "baseline_cpu_seconds", baseline->cpu_seconds);
	add_real(figures, "baseline_cpu_ns_per_byte", perf_cpu_ns_per_byte(point, baseline));
}

static struct figures
figures_of(const struct perf_point *point, bool emulated)
{
	struct figures figures = {.count = 0};

	add_whole(&figures, "size", point->size);
	add_whole(&figures, "depth_reached", point->depth);
	add_engine(&figures, point, emulated);
	add_baseline(&figures, point);
	add_real(&figures, "ratio", point->ratio);
	return figures;
}

static const char *
operation_of(const struct perf_options *options)
{
	return options->fill ? "fill" : "copy";
}

static const char *
baseline_of(const struct perf_options *options)
{
	return options->fill ? "memset" : "memcpy";
}

/* ---- JSON ---- */

static struct json_object *
json_of_real(double value)
{
	char text[32];

	if (isnan(value)) {
		return NULL;
	}
	snprintf(text, sizeof(text), REAL_FORMAT, value);
	return json_object_new_double_s(value, text);
}

static struct json_object *
json_of_point(const struct perf_point *point, bool emulated)
{
	struct json_object *object = json_object_new_object();
	struct figures figures = figures_of(point, emulated);

	for (unsigned i = 0; i < figures.count; i++) {
		const struct figure *figure = &figures.list[i];

		json_object_object_add(object, figure->name,
				       figure->is_whole ? json_object_new_uint64(figure->whole)
							: json_of_real(figure->real));
	}
	return object;
}

static struct json_object *
json_of_channels(const struct perf *perf)
{
	const struct perf_options *options = &perf->options;
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < perf->channels->count; i++) {
		const struct channel *channel = &perf->channels->list[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "address", json_of_text(channel->address));
		json_object_object_add(object, "kind", json_of_text(channel->kind));
		json_object_object_add(
			object, "cpu",
			json_object_new_uint64(options->cpus[i % options->cpu_count]));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *
json_of_parameters(const struct perf_options *options)
{
	struct json_object *object = json_object_new_object();
	struct json_object *sizes = json_object_new_array();

	for (unsigned i = 0; i < options->sizes.count; i++) {
		json_object_array_add(sizes, json_object_new_uint64(options->sizes.list[i]));
	}
	json_object_object_add(object, "operation", json_of_text(operation_of(options)));
	json_object_object_add(object, "baseline", json_of_text(baseline_of(options)));
	json_object_object_add(object, "sizes", sizes);
	json_object_object_add(object, "depth", json_object_new_uint64(options->depth));
	json_object_object_add(object, "batch", json_object_new_uint64(options->batch));
	json_object_object_add(object, "wait", json_object_new_boolean(options->wait));
	json_object_object_add(object, "seconds", json_of_real(options->seconds));
	return object;
}

void
perf_print_json(const struct perf *perf)
{
	struct json_object *object = json_object_new_object();
	struct json_object *points = json_object_new_array();
	bool emulated = perf_is_emulated(perf);

	for (unsigned i = 0; i < perf->count; i++) {
		json_object_array_add(points, json_of_point(&perf->points[i], emulated));
	}
	json_object_object_add(object, "parameters", json_of_parameters(&perf->options));
	json_object_object_add(object, "channels", json_of_channels(perf));
	json_object_object_add(object, "emulated", json_object_new_boolean(emulated));
	json_object_object_add(object, "complete", json_object_new_boolean(perf->is_complete));
	json_object_object_add(object, "points", points);
	json_print(stdout, object);
}

/* ---- CSV ---- */

static void
print_row(const struct perf *perf, const struct perf_point *point)
{
	struct figures figures = figures_of(point, perf_is_emulated(perf));
	const struct perf_options *options = &perf->options;

	printf("%s,%s,%s,%u,%u,%u,%u,%d," REAL_FORMAT, operation_of(options), baseline_of(options),
	       perf->channels->list[0].kind, options->channels, options->cpu_count, options->depth,
	       options->batch, options->wait, options->seconds);
	for (unsigned i = 0; i < figures.count; i++) {
		const struct figure *figure = &figures.list[i];

		if (figure->is_whole) {
			printf(",%" PRIu64, figure->whole);
		} else if (isnan(figure->real)) {
			putchar(',');
		} else {
			printf("," REAL_FORMAT, figure->real);
		}
	}
	putchar('\n');
}

void
perf_print_csv(const struct perf *perf)
{
	static const struct perf_point none;
	struct figures names = figures_of(&none, false);

	fputs("operation,baseline,kind,channels,cpus,depth,batch,wait,requested_seconds", stdout);
	for (unsigned i = 0; i < names.count; i++) {
		printf(",%s", names.list[i].name);
	}
	putchar('\n');
	for (unsigned i = 0; i < perf->count; i++) {
		print_row(perf, &perf->points[i]);
	}
}
