/* SPDX-License-Identifier: BSD-3-Clause */

/* What udma verify says in the end. */

#include "verify.h"
#include "json.h"
#include "progress.h"
#include "stop.h"
#include "table.h"
#include "tool.h"

#include <stdlib.h>

#define NUMBER  32
#define ADDRESS 24
#define COLUMNS 8

struct verify_sum
verify_sum(const struct verify_job *job)
{
	struct verify_sum sum = {0};

	for (unsigned i = 0; i < job->verifier_count; i++) {
		const struct verifier *v = &job->verifiers[i];

		sum.requests += v->finished;
		sum.copies += v->copies;
		sum.fills += v->fills;
		sum.bytes += v->bytes;
		sum.descriptors += channel_stats(v->channel).descriptors;
		sum.errors += v->error.trouble != TROUBLE_NONE;
	}
	sum.errors += job->are_sources_changed;
	return sum;
}

/* ---- As text ---- */

static void
fill_row(char **row, const struct verifier *v)
{
	char number[NUMBER];

	row[0] = table_cell("%s", v->channel->address);
	row[1] = table_cell("%s", v->channel->kind);
	row[2] = table_cell("%" PRIu64, v->finished);
	row[3] = table_cell("%" PRIu64, v->copies);
	row[4] = table_cell("%" PRIu64, v->fills);
	row[5] = table_cell("%s", size_text((double)v->bytes, number, sizeof(number)));
	row[6] = table_cell("%" PRIu64, channel_stats(v->channel).descriptors);
	row[7] = table_cell("%d", v->error.trouble != TROUBLE_NONE);
}

static int
print_text(const struct verify_job *job)
{
	static const char *const heading[COLUMNS] = {
		"CHANNEL", "KIND", "REQUESTS", "COPIES", "FILLS", "BYTES", "DESCRIPTORS", "ERRORS",
	};
	char **cells = calloc(job->verifier_count, COLUMNS * sizeof(*cells));
	struct verify_sum sum = verify_sum(job);
	char number[NUMBER];
	int status;

	for (unsigned i = 0; cells != NULL && i < job->verifier_count; i++) {
		fill_row(&cells[i * COLUMNS], &job->verifiers[i]);
	}
	putchar('\n');
	status = table_print(stdout, heading, cells, job->verifier_count, COLUMNS);
	printf("\nverified  %" PRIu64 " request%s, %s\n", sum.requests,
	       sum.requests == 1 ? "" : "s", size_text((double)sum.bytes, number, sizeof(number)));
	printf("time      %.1f s\n", job->elapsed);
	if (sum.errors == 0) {
		puts("result    all as on the CPU");
	} else {
		printf("result    %u error%s\n", sum.errors, sum.errors == 1 ? "" : "s");
	}
	return status;
}

/* ---- As JSON ---- */

static void
add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *
json_of_place(const struct area *area, uint64_t offset)
{
	struct json_object *object = json_object_new_object();
	char address[ADDRESS];

	snprintf(address, sizeof(address), "%p", (void *)(area->bytes + offset));
	add_number(object, "offset", offset);
	json_object_object_add(object, "address", json_of_text(address));
	json_object_object_add(object, "memory", json_of_text(memory_kind_text(area->kind)));
	return object;
}

static struct json_object *
json_of_request(const struct request *request)
{
	struct json_object *object = json_object_new_object();
	char pattern[NUMBER];

	snprintf(pattern, sizeof(pattern), "%#018" PRIx64, request->pattern);
	add_number(object, "number", request->number);
	json_object_object_add(object, "operation", json_of_text(request->fill ? "fill" : "copy"));
	add_number(object, "bytes", request->size);
	json_object_object_add(object, "pattern", request->fill ? json_of_text(pattern) : NULL);
	json_object_object_add(
		object, "source",
		request->fill ? NULL : json_of_place(request->source, request->source_offset));
	json_object_object_add(object, "target",
			       json_of_place(request->target, request->target_offset));
	return object;
}

static struct json_object *
json_of_difference(const struct verify_error *error)
{
	struct json_object *object = json_of_place(error->area, error->offset);

	add_number(object, "expected", error->expected);
	add_number(object, "got", error->got);
	add_number(object, "inside", error->inside);
	add_number(object, "outside", error->outside);
	return object;
}

static struct json_object *
json_of_error(const struct verifier *v)
{
	const struct verify_error *error = &v->error;
	struct json_object *object;
	char command[COMMAND_BYTES];

	if (error->trouble == TROUBLE_NONE) {
		return NULL;
	}
	object = json_object_new_object();
	json_object_object_add(object, "kind", json_of_text(trouble_name(error->trouble)));
	json_object_object_add(object, "message", json_of_text(error->text));
	json_object_object_add(object, "request",
			       error->has_request ? json_of_request(&error->request) : NULL);
	json_object_object_add(object, "difference",
			       error->area != NULL ? json_of_difference(error) : NULL);
	verify_repeat(v->job, verify_error_count(v), command, sizeof(command));
	json_object_object_add(object, "repeat", json_of_text(command));
	return object;
}

static struct json_object *
json_of_verifier(const struct verifier *v)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "address", json_of_text(v->channel->address));
	json_object_object_add(object, "kind", json_of_text(v->channel->kind));
	add_number(object, "requests", v->finished);
	add_number(object, "copies", v->copies);
	add_number(object, "fills", v->fills);
	add_number(object, "bytes", v->bytes);
	add_number(object, "descriptors", channel_stats(v->channel).descriptors);
	add_number(object, "errors", v->error.trouble != TROUBLE_NONE);
	json_object_object_add(object, "error", json_of_error(v));
	return object;
}

static void
print_json(const struct verify_job *job)
{
	struct json_object *object = json_object_new_object();
	struct json_object *channels = json_object_new_array();
	struct verify_sum sum = verify_sum(job);

	for (unsigned i = 0; i < job->verifier_count; i++) {
		json_object_array_add(channels, json_of_verifier(&job->verifiers[i]));
	}
	add_number(object, "seed", job->seed);
	add_number(object, "depth", job->depth);
	add_number(object, "max_size", job->max_size);
	json_object_object_add(object, "seconds", json_object_new_double(job->elapsed));
	add_number(object, "requests", sum.requests);
	add_number(object, "copies", sum.copies);
	add_number(object, "fills", sum.fills);
	add_number(object, "bytes", sum.bytes);
	add_number(object, "descriptors", sum.descriptors);
	add_number(object, "errors", sum.errors);
	json_object_object_add(object, "sources_intact",
			       json_object_new_boolean(!job->are_sources_changed));
	json_object_object_add(object, "signal",
			       stop_signal() != 0 ? json_object_new_int(stop_signal()) : NULL);
	json_object_object_add(object, "channels", channels);
	json_print(stdout, object);
}

int
verify_report(const struct verify_job *job)
{
	if (!job->json) {
		return print_text(job);
	}
	print_json(job);
	return STATUS_OK;
}
