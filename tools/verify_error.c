/* SPDX-License-Identifier: BSD-3-Clause */

/* What goes wrong in a verification: where it is, and how to see it again. */

#include "verify.h"
#include "tool.h"

#include "spdk/string.h"
#include "spdk/util.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PLAIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,-./:=@_"
/* Alignments beyond a page say nothing. */
#define LARGEST_ALIGNMENT 4096

/* ---- The command line ---- */

static void append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/** As one word of a shell. */
static void
append_word(char *text, size_t size, const char *word)
{
	if (word[0] != '\0' && word[strspn(word, PLAIN_CHARACTERS)] == '\0') {
		append(text, size, "%s", word);
		return;
	}
	append(text, size, "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'') {
			append(text, size, "'\\''");
		} else {
			append(text, size, "%c", *word);
		}
	}
	append(text, size, "'");
}

const char *
verify_repeat(const struct verify_job *job, uint64_t count, char *text, size_t size)
{
	text[0] = '\0';
	append_word(text, size, program_invocation_name);
	append(text, size, " verify");
	if (device_numa() >= 0) {
		append(text, size, " --numa=%d", device_numa());
	}
	if (device_is_emulating()) {
		append(text, size, " --emulate=");
		append_word(text, size, device_emulation());
	}
	append(text, size, " --channels=%u --seed=%" PRIu64 " --count=%" PRIu64,
	       job->verifier_count, job->seed, count);
	if (job->depth != DEFAULT_DEPTH) {
		append(text, size, " --depth=%" PRIu64, job->depth);
	}
	if (job->max_size != DEFAULT_MAX_SIZE) {
		append(text, size, " --max-size=%" PRIu64, job->max_size);
	}
	if (job->cores != NULL) {
		append(text, size, " --cores=");
		append_word(text, size, job->cores);
	}
	return text;
}

/* ---- What is wrong ---- */

static uint64_t
alignment_of(const void *address)
{
	uint64_t bits = (uintptr_t)address | LARGEST_ALIGNMENT;

	return bits & -bits;
}

static void
append_place(char *text, const char *what, const struct area *area, uint64_t offset)
{
	const char *address = area->bytes + offset;

	append(text, TROUBLE_TEXT_BYTES,
	       "byte %" PRIu64 " of the %s (%s, %p, aligned to %" PRIu64 ")", offset, what,
	       memory_kind_text(area->kind), (const void *)address, alignment_of(address));
}

static void
append_request(char *text, const struct request *request)
{
	if (request->fill) {
		append(text, TROUBLE_TEXT_BYTES, "fill of %" PRIu64 " byte%s with 0x%016" PRIx64,
		       request->size, request->size == 1 ? "" : "s", request->pattern);
	} else {
		append(text, TROUBLE_TEXT_BYTES, "copy of %" PRIu64 " byte%s from ", request->size,
		       request->size == 1 ? "" : "s");
		append_place(text, "source", request->source, request->source_offset);
	}
	append(text, TROUBLE_TEXT_BYTES, " to ");
	append_place(text, "target", request->target, request->target_offset);
}

/** The first wrong byte as the request sees it, or the target if no request is near. */
static void
append_difference(char *text, const struct verify_error *error)
{
	uint64_t start = error->request.target_offset;
	uint64_t end = start + error->request.size;

	if (!error->has_request) {
		append_place(text, "target", error->area, error->offset);
	} else if (error->offset < start) {
		append(text, TROUBLE_TEXT_BYTES, "byte %" PRIu64 " before it",
		       start - error->offset);
	} else if (error->offset >= end) {
		append(text, TROUBLE_TEXT_BYTES, "byte %" PRIu64 " behind it",
		       error->offset - end + 1);
	} else {
		append(text, TROUBLE_TEXT_BYTES, "byte %" PRIu64 " of it", error->offset - start);
	}
	append(text, TROUBLE_TEXT_BYTES,
	       " is 0x%02x, 0x%02x was expected; differing: %" PRIu64 " inside, %" PRIu64
	       " outside the request%s; do not use this channel",
	       error->got, error->expected, error->inside, error->outside,
	       error->inside + error->outside == 0
		       ? " (it came right meanwhile: it was written after the completion)"
		       : "");
}

static const struct {
	const char *name;
	const char *text; /* NULL: a difference */
} troubles[] = {
	[TROUBLE_NONE] = {"none", ""},
	[TROUBLE_MISMATCH] = {"mismatch", NULL},
	[TROUBLE_STRAY] = {"stray", NULL},
	[TROUBLE_REFUSED] = {"refused", "refused"},
	[TROUBLE_FAILED] = {"failed", "the channel failed"},
	[TROUBLE_HANG] = {"hang", "nothing has completed for a long time"},
	[TROUBLE_DISORDER] = {"disorder", "requests have not finished once each, in order"},
	[TROUBLE_MEMORY] = {"memory", "memory cannot be registered for it"},
};

const char *
trouble_name(enum trouble trouble)
{
	return troubles[trouble].name;
}

static void
describe(const struct verifier *v, struct verify_error *error)
{
	char *text = error->text;

	text[0] = '\0';
	append(text, TROUBLE_TEXT_BYTES, "channel %s (%s), ", v->channel->address,
	       v->channel->kind);
	if (error->has_request) {
		append(text, TROUBLE_TEXT_BYTES, "request %" PRIu64 ", ", error->request.number);
		append_request(text, &error->request);
	} else {
		append(text, TROUBLE_TEXT_BYTES, "after request %" PRIu64, v->finished);
	}
	append(text, TROUBLE_TEXT_BYTES, ": ");
	if (troubles[error->trouble].text == NULL) {
		append_difference(text, error);
	} else if (error->trouble == TROUBLE_FAILED && error->rc == -EIO &&
		   udma_ioat_get_state(v->channel->ioat) == UDMA_IOAT_RUNNING) {
		/* Why, the library has said. */
		append(text, TROUBLE_TEXT_BYTES, "the engine failed at it");
	} else {
		append(text, TROUBLE_TEXT_BYTES, "%s", troubles[error->trouble].text);
	}
	if (error->trouble == TROUBLE_HANG) {
		append(text, TROUBLE_TEXT_BYTES, ": %.0f s", HANG_SECONDS);
	}
	if (error->rc != 0) {
		append(text, TROUBLE_TEXT_BYTES, ": %s", spdk_strerror(-error->rc));
	}
}

/** Whether the bytes were wrong, so that it is known which request has done it. */
static bool
is_difference(const struct verify_error *error)
{
	return error->area != NULL;
}

uint64_t
verify_error_count(const struct verifier *v)
{
	uint64_t number = v->error.has_request ? v->error.request.number : v->finished;

	/* A channel may have failed at any request that it was given, not only at the oldest. */
	return is_difference(&v->error) ? number : spdk_max(number, v->started);
}

void
verify_blame(struct verifier *v, const struct verify_error *error)
{
	char command[COMMAND_BYTES];

	v->error = *error;
	describe(v, &v->error);
	verify_repeat(v->job, verify_error_count(v), command, sizeof(command));
	/* The two lines stay together when several channels fail at once. */
	flockfile(stderr);
	complain("%s", v->error.text);
	complain("to repeat it: %s", command);
	funlockfile(stderr);
}

void
verify_blame_sources(const struct verify_job *job)
{
	char command[COMMAND_BYTES];
	uint64_t most = 0;

	for (unsigned i = 0; i < job->verifier_count; i++) {
		most = spdk_max(most, job->verifiers[i].started);
	}
	complain("a source was written to, which nothing was asked to do; to repeat it: %s",
		 verify_repeat(job, most, command, sizeof(command)));
}
