/* SPDX-License-Identifier: BSD-3-Clause */

/* The progress line. It is drawn without control sequences, so that any terminal will do. */

#include "progress.h"
#include "tool.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define SECONDS_BETWEEN_LINES 0.1
#define BAR_WIDTH             30
#define WIDEST_LINE           256
/* A rate from less time than this is a guess. */
#define SECONDS_FOR_A_RATE 0.5
#define NUMBER             32

static struct {
	const char *what; /* NULL: not on */
	uint64_t total;
	bool is_bytes;
	double start;
	double last;
	unsigned drawn; /* columns on the screen */
} g_progress;

double
seconds_on(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double
seconds_now(void)
{
	return seconds_on(CLOCK_MONOTONIC);
}

const char *
size_text(double bytes, char *text, size_t size)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;

	while (bytes >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
	return text;
}

void
progress_start(const char *what, uint64_t total)
{
	if (terminal_width(stderr) == 0) {
		return;
	}
	g_progress.what = what;
	g_progress.total = total;
	g_progress.is_bytes = true;
	g_progress.start = seconds_now();
	g_progress.last = 0;
}

void
progress_start_parts(const char *what, uint64_t total)
{
	progress_start(what, total);
	g_progress.is_bytes = false;
}

static void append(char *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
append(char *line, const char *format, ...)
{
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, WIDEST_LINE - used, format, args);
	va_end(args);
}

/** How long it will take, from how long a part of it took. */
static void
append_remaining(char *line, double part, double elapsed)
{
	double left;

	if (part <= 0 || elapsed < SECONDS_FOR_A_RATE) {
		return;
	}
	left = (1 - part) * elapsed / part;
	if (left >= 0 && left < 360000) {
		append(line, "  %u:%02u left", (unsigned)left / 60, (unsigned)left % 60);
	}
}

/** How many bytes, and how fast. */
static void
append_bytes(char *line, uint64_t done, double elapsed)
{
	uint64_t total = g_progress.total;
	char number[NUMBER];

	append(line, "%s", size_text((double)done, number, sizeof(number)));
	if (total != SIZE_UNKNOWN) {
		append(line, " of %s", size_text((double)total, number, sizeof(number)));
	}
	if (elapsed > 0) {
		append(line, "  %s/s", size_text((double)done / elapsed, number, sizeof(number)));
	}
}

/** \param part negative: not known. */
static void
compose(char *line, uint64_t done, double part, double elapsed, bool bar)
{
	line[0] = '\0';
	if (part >= 0 && bar) {
		unsigned full = (unsigned)(part * BAR_WIDTH);

		append(line, "%s [", g_progress.what);
		for (unsigned i = 0; i < BAR_WIDTH; i++) {
			append(line, "%c", i < full ? '#' : '.');
		}
		append(line, "] ");
	} else {
		append(line, "%s ", g_progress.what);
	}
	if (part >= 0) {
		append(line, "%3u %%  ", (unsigned)(part * 100));
	}
	if (g_progress.is_bytes) {
		append_bytes(line, done, elapsed);
	}
	append_remaining(line, part, elapsed);
}

static void
paint(const char *line, unsigned width)
{
	unsigned length = (unsigned)strnlen(line, width);

	/* What the last line had on the right is painted over with blanks. */
	fprintf(stderr, "\r%.*s%*s", (int)length, line,
		g_progress.drawn > length ? (int)(g_progress.drawn - length) : 0, "");
	g_progress.drawn = length;
	fflush(stderr);
}

static void
draw(uint64_t done, double part, double elapsed)
{
	/* A line as wide as the terminal makes some of them wrap. */
	unsigned width = terminal_width(stderr) - 1;
	char line[WIDEST_LINE];

	compose(line, done, part, elapsed, true);
	if (strlen(line) > width) {
		compose(line, done, part, elapsed, false);
	}
	paint(line, width);
}

void
progress_update_part(uint64_t done, double part)
{
	double now;

	if (g_progress.what == NULL) {
		return;
	}
	now = seconds_now();
	if (now - g_progress.last < SECONDS_BETWEEN_LINES) {
		return;
	}
	g_progress.last = now;
	flockfile(stderr);
	draw(done, part, now - g_progress.start);
	funlockfile(stderr);
}

void
progress_update(uint64_t done)
{
	bool known = g_progress.total != SIZE_UNKNOWN && g_progress.total > 0;

	progress_update_part(done, known ? (double)done / (double)g_progress.total : -1);
}

void
progress_show(const char *line)
{
	unsigned width = terminal_width(stderr);

	if (width > 0) {
		flockfile(stderr);
		paint(line, width - 1);
		funlockfile(stderr);
	}
}

void
progress_clear(void)
{
	flockfile(stderr);
	if (g_progress.drawn > 0) {
		fprintf(stderr, "\r%*s\r", (int)g_progress.drawn, "");
		g_progress.drawn = 0;
	}
	funlockfile(stderr);
}

void
progress_end(void)
{
	progress_clear();
	g_progress.what = NULL;
}
