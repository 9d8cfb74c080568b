/* SPDX-License-Identifier: BSD-3-Clause */

/* What udma emulate tells: a line an event, a status line on a terminal, or JSON. */

#include "emulate.h"
#include "json.h"
#include "progress.h"
#include "tool.h"

#include "spdk/string.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TEXT_BYTES 256

static bool g_json;
static bool g_quiet;
static int g_error; /* the first one of standard output */

void
emulate_report_init(bool json, bool quiet)
{
	g_json = json;
	g_quiet = quiet;
}

int
emulate_report_check(void)
{
	int error = __atomic_load_n(&g_error, __ATOMIC_ACQUIRE);

	if (error != 0) {
		complain("cannot write to standard output: %s", spdk_strerror(error));
	}
	return -error;
}

/** Hands a line over that was printed with `length` characters (negative: an error). */
static void
flush_line(int length)
{
	int none = 0;

	if (length < 0 || fflush(stdout) != 0) {
		__atomic_compare_exchange_n(&g_error, &none, errno, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
	}
}

/** \return how a function is called. */
static const char *
name_of(const struct served *served, char *text, size_t size)
{
	if (served->path != NULL) {
		return served->path;
	}
	snprintf(text, size, "fd %d", served->given_fd);
	return text;
}

/** Prints an event as one line. Takes `object` over. */
static void
print_json(const struct served *served, const char *event, struct json_object *object)
{
	char name[TEXT_BYTES];

	json_object_object_add(object, "event", json_object_new_string(event));
	json_object_object_add(object, "function", json_object_new_int((int)served->index));
	json_object_object_add(object, "socket", json_of_text(name_of(served, name, sizeof(name))));
	flockfile(stdout);
	flush_line(printf(
		"%s\n", json_object_to_json_string_ext(
				object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)));
	funlockfile(stdout);
	json_object_put(object);
}

static void print_line(const struct served *served, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
print_line(const struct served *served, const char *format, ...)
{
	char name[TEXT_BYTES], text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_printable(text);
	progress_clear();
	flockfile(stdout);
	print_printable(stdout, name_of(served, name, sizeof(name)));
	flush_line(printf(": %s\n", text));
	funlockfile(stdout);
}

void
emulate_report_ready(const struct served *served, uint16_t device_id)
{
	char id[8];

	if (g_json) {
		struct json_object *object = json_object_new_object();

		snprintf(id, sizeof(id), "%04x", device_id);
		json_object_object_add(object, "device_id", json_object_new_string(id));
		print_json(served, "ready", object);
	} else if (!g_quiet) {
		print_line(served, "function %u, 8086:%04x, is ready", served->index, device_id);
	}
}

static void
report_json(const struct served *served, enum udma_vu_event event, uint32_t detail)
{
	static const char *const names[] = {
		[UDMA_VU_EVENT_CONNECTED] = "connected",
		[UDMA_VU_EVENT_REFUSED] = "refused",
		[UDMA_VU_EVENT_DISCONNECTED] = "disconnected",
		[UDMA_VU_EVENT_HALTED] = "halted",
		[UDMA_VU_EVENT_RESET] = "reset",
		[UDMA_VU_EVENT_NOT_ACCEPTED] = "not accepted",
		[UDMA_VU_EVENT_FULL] = "full",
	};
	struct json_object *object = json_object_new_object();

	if ((event == UDMA_VU_EVENT_DISCONNECTED && detail != 0) ||
	    event == UDMA_VU_EVENT_NOT_ACCEPTED) {
		json_object_object_add(object, "error",
				       json_object_new_string(spdk_strerror((int)detail)));
	}
	if (event == UDMA_VU_EVENT_FULL) {
		json_object_object_add(object, "mappings", json_object_new_int64(detail));
	}
	if (event == UDMA_VU_EVENT_HALTED) {
		json_object_object_add(object, "chanerr", json_object_new_int64(detail));
	}
	print_json(served, names[event], object);
}

void
emulate_report_event(void *ctx, enum udma_vu_event event, uint32_t detail)
{
	const struct served *served = ctx;

	if (g_json) {
		report_json(served, event, detail);
		return;
	}
	if (g_quiet) {
		return;
	}
	switch (event) {
	case UDMA_VU_EVENT_CONNECTED:
		print_line(served, "a client is there");
		break;
	case UDMA_VU_EVENT_REFUSED:
		print_line(served, "a second client was refused");
		break;
	case UDMA_VU_EVENT_DISCONNECTED:
		if (detail == 0) {
			print_line(served, "the client has left");
		} else {
			print_line(served, "the connection was ended: %s",
				   spdk_strerror((int)detail));
		}
		break;
	case UDMA_VU_EVENT_HALTED:
		print_line(served, "the channel has halted, CHANERR 0x%08" PRIx32, detail);
		break;
	case UDMA_VU_EVENT_RESET:
		print_line(served, "the function was reset");
		break;
	case UDMA_VU_EVENT_NOT_ACCEPTED:
		print_line(served, "a client cannot be accepted and waits: %s (ulimit -n)",
			   spdk_strerror((int)detail));
		break;
	case UDMA_VU_EVENT_FULL:
		print_line(served,
			   "the client has %" PRIu32 " mappings and gets no more: all functions "
			   "share vm.max_map_count, so raise it or serve fewer in one process",
			   detail);
		break;
	}
}

void
emulate_report_fault(const struct served *served, const char *fault)
{
	if (g_json) {
		struct json_object *object = json_object_new_object();

		if (fault != NULL) {
			json_object_object_add(object, "fault", json_of_text(fault));
		}
		print_json(served, fault != NULL ? "injected" : "withdrawn", object);
	} else if (!g_quiet) {
		print_line(served,
			   fault != NULL ? "fault %s is injected" : "faults are withdrawn%s",
			   fault != NULL ? fault : "");
	}
}

/** The counts of all functions together. */
static struct udma_vu_server_counts
sum(const struct served *list, unsigned count, unsigned *connected)
{
	struct udma_vu_server_counts total = {0};

	*connected = 0;
	for (unsigned i = 0; i < count; i++) {
		struct udma_vu_server_counts one = udma_vu_server_counts(list[i].server);

		total.messages += one.messages;
		total.descriptors += one.descriptors;
		total.interrupts += one.interrupts;
		total.clients += one.clients;
		*connected += one.connected;
	}
	return total;
}

void
emulate_report_status(const struct served *list, unsigned count)
{
	struct udma_vu_server_counts total;
	char line[TEXT_BYTES];
	unsigned connected;

	if (g_json || g_quiet) {
		return;
	}
	total = sum(list, count, &connected);
	snprintf(line, sizeof(line),
		 "%u function%s, %u client%s; %" PRIu64 " descriptors, %" PRIu64
		 " interrupts, %" PRIu64 " messages",
		 count, count == 1 ? "" : "s", connected, connected == 1 ? "" : "s",
		 total.descriptors, total.interrupts, total.messages);
	progress_show(line);
}

void
emulate_report_end(const struct served *list, unsigned count)
{
	progress_clear();
	for (unsigned i = 0; i < count; i++) {
		struct udma_vu_server_counts counts = udma_vu_server_counts(list[i].server);

		if (g_json) {
			struct json_object *object = json_object_new_object();

			json_object_object_add(object, "clients",
					       json_object_new_uint64(counts.clients));
			json_object_object_add(object, "descriptors",
					       json_object_new_uint64(counts.descriptors));
			json_object_object_add(object, "interrupts",
					       json_object_new_uint64(counts.interrupts));
			json_object_object_add(object, "messages",
					       json_object_new_uint64(counts.messages));
			print_json(&list[i], "ended", object);
		} else if (!g_quiet) {
			print_line(&list[i],
				   "ended after %" PRIu64 " client%s, %" PRIu64
				   " descriptors, %" PRIu64 " interrupts, %" PRIu64 " messages",
				   counts.clients, counts.clients == 1 ? "" : "s",
				   counts.descriptors, counts.interrupts, counts.messages);
		}
	}
}
