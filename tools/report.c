/* SPDX-License-Identifier: BSD-3-Clause */

/* What udma copy says when it is done. */

#include "copy.h"
#include "json.h"
#include "progress.h"
#include "tool.h"

#include <inttypes.h>
#include <string.h>

#define NUMBER   32
#define CRC_TEXT 9

static struct udma_ioat_stats
sum_stats(const struct channels *channels)
{
	struct udma_ioat_stats sum = {0};

	for (unsigned i = 0; i < channels->count; i++) {
		struct udma_ioat_stats stats = channel_stats(&channels->list[i]);

		sum.requests += stats.requests;
		sum.descriptors += stats.descriptors;
	}
	return sum;
}

/** \return bytes a second; 0 if it took no time that can be measured. */
static double
rate(const struct copy_job *job)
{
	return job->seconds > 0 ? (double)job->result.bytes / job->seconds : 0;
}

static void
print_text(FILE *out, const struct copy_job *job)
{
	const struct pipeline_result *result = &job->result;
	struct udma_ioat_stats stats = sum_stats(job->channels);
	char number[NUMBER];

	fprintf(out, "copied    ");
	print_printable(out, job->source->name);
	fprintf(out, " -> ");
	print_printable(out, job->destination->path);
	fprintf(out, "\n");
	fprintf(out, "size      %s (%" PRIu64 " bytes",
		size_text((double)result->bytes, number, sizeof(number)), result->bytes);
	if (result->data_bytes < result->bytes) {
		fprintf(out, ", %" PRIu64 " of them in holes", result->bytes - result->data_bytes);
	}
	fprintf(out, ")\n");
	for (unsigned i = 0; i < job->channels->count; i++) {
		const struct channel *channel = &job->channels->list[i];

		fprintf(out, "channel   %s (%s)\n", channel->address, channel->kind);
	}
	fprintf(out, "engine    %" PRIu64 " descriptor%s in %" PRIu64 " request%s\n",
		stats.descriptors, stats.descriptors == 1 ? "" : "s", stats.requests,
		stats.requests == 1 ? "" : "s");
	fprintf(out, "time      %.3f s, %s/s\n", job->seconds,
		size_text(rate(job), number, sizeof(number)));
	fprintf(out, "CRC-32    source %08" PRIx32 ", destination %08" PRIx32 ": equal (%s)\n",
		result->source_crc, result->destination_crc,
		job->was_read_back ? "read back" : "not read back");
}

static struct json_object *
json_of_channel(const struct channel *channel)
{
	struct udma_ioat_stats stats = channel_stats(channel);
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "address", json_of_text(channel->address));
	json_object_object_add(object, "kind", json_of_text(channel->kind));
	json_object_object_add(object, "requests", json_object_new_uint64(stats.requests));
	json_object_object_add(object, "descriptors", json_object_new_uint64(stats.descriptors));
	return object;
}

static struct json_object *
json_of_crc(uint32_t crc)
{
	char text[CRC_TEXT];

	snprintf(text, sizeof(text), "%08" PRIx32, crc);
	return json_of_text(text);
}

static void
print_json(FILE *out, const struct copy_job *job)
{
	const struct pipeline_result *result = &job->result;
	struct udma_ioat_stats stats = sum_stats(job->channels);
	struct json_object *object = json_object_new_object();
	struct json_object *channels = json_object_new_array();

	for (unsigned i = 0; i < job->channels->count; i++) {
		json_object_array_add(channels, json_of_channel(&job->channels->list[i]));
	}
	json_object_object_add(object, "source", json_of_text(job->source->name));
	json_object_object_add(object, "destination", json_of_text(job->destination->path));
	json_object_object_add(object, "bytes", json_object_new_uint64(result->bytes));
	json_object_object_add(object, "data_bytes", json_object_new_uint64(result->data_bytes));
	json_object_object_add(object, "seconds", json_object_new_double(job->seconds));
	json_object_object_add(object, "bytes_per_second",
			       json_object_new_uint64((uint64_t)rate(job)));
	json_object_object_add(object, "channels", channels);
	json_object_object_add(object, "requests", json_object_new_uint64(stats.requests));
	json_object_object_add(object, "descriptors", json_object_new_uint64(stats.descriptors));
	json_object_object_add(object, "source_crc32", json_of_crc(result->source_crc));
	json_object_object_add(object, "destination_crc32", json_of_crc(result->destination_crc));
	json_object_object_add(object, "read_back", json_object_new_boolean(job->was_read_back));
	json_print(out, object);
}

void
copy_report(const struct copy_job *job)
{
	FILE *out = strcmp(job->destination->path, "-") == 0 ? stderr : stdout;

	if (job->json) {
		print_json(out, job);
	} else {
		print_text(out, job);
	}
}
