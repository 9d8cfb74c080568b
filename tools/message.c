/* SPDX-License-Identifier: BSD-3-Clause */

/* Error lines, ours and the library's: one way to print them. */

#include "tool.h"
#include "progress.h"

#include "spdk/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LINE_BYTES 2048

static const char *g_prefix = "udma";

static char
printable(char c)
{
	return iscntrl((unsigned char)c) ? '?' : c;
}

void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		*text = printable(*text);
	}
}

void
print_printable(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++) {
		putc(printable(*text), stream);
	}
}

/** A name may hold anything; the line stays a line. */
static void
make_one_line(char *text)
{
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == '\n') {
		text[--length] = '\0';
	}
	make_printable(text);
}

static void
print_line(const char *prefix, const char *format, va_list args)
{
	char text[LINE_BYTES];
	int error = errno;

	vsnprintf(text, sizeof(text), format, args);
	make_one_line(text);
	flockfile(stderr);
	progress_clear();
	fprintf(stderr, "%s: %s\n", prefix, text);
	funlockfile(stderr);
	errno = error; /* callers return it after they have said what it was */
}

/** Where in the source a line of the library comes from is nothing to the user of a tool. */
static void
log_line(int level, const char *file, const int line, const char *func, const char *format,
	 va_list args)
{
	(void)level;
	(void)file;
	(void)line;
	(void)func;
	print_line("udma", format, args);
}

void
message_init(const char *command)
{
	g_prefix = command;
	spdk_log_open(log_line);
}

void
complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(g_prefix, format, args);
	va_end(args);
}
