/* SPDX-License-Identifier: BSD-3-Clause */

/* Error lines, ours and the library's: one way to print them. */

#include "tool.h"
#include "progress.h"

#include "spdk/log.h"

#include <stdarg.h>
#include <string.h>

#define LINE_BYTES 2048

static const char *g_prefix = "udma";

static void print_line(const char *prefix, const char *format, va_list args)
{
	char text[LINE_BYTES];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	flockfile(stderr);
	progress_clear();
	fprintf(stderr, "%s: %s\n", prefix, text);
	funlockfile(stderr);
}

/** Where in the source a line of the library comes from is nothing to the user of a tool. */
static void log_line(int level, const char *file, const int line, const char *func,
		     const char *format, va_list args)
{
	(void)level;
	(void)file;
	(void)line;
	(void)func;
	print_line("udma", format, args);
}

void message_init(const char *command)
{
	g_prefix = command;
	spdk_log_open(log_line);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(g_prefix, format, args);
	va_end(args);
}
