/* SPDX-License-Identifier: BSD-3-Clause */

/* How wide the terminal is, and what follows for long lines. */

#include "tool.h"

#include "spdk/string.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80
#define WIDEST      1000
#define LINE_BYTES  1024

unsigned
terminal_width(FILE *stream)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {0};
	long width;

	if (!isatty(fileno(stream))) {
		return 0;
	}
	width = columns != NULL ? spdk_strtol(columns, 10) : 0;
	if (width <= 0 && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0) {
		width = size.ws_col;
	}
	if (width <= 0) {
		width = USUAL_WIDTH;
	}
	return width < WIDEST ? (unsigned)width : WIDEST;
}

/** \return how much of a text comes on a line: up to the last blank that fits, or a whole word. */
static size_t
fitting(const char *text, size_t width)
{
	size_t length = strlen(text);

	if (width == 0 || length <= width) {
		return length;
	}
	for (size_t at = width; at > 0; at--) {
		if (text[at] == ' ') {
			return at;
		}
	}
	return strcspn(text, " ");
}

void
print_wrapped(FILE *stream, const char *format, ...)
{
	const size_t width = terminal_width(stream);
	char text[LINE_BYTES];
	const char *rest = text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	do {
		size_t length = fitting(rest, width);

		fprintf(stream, "%.*s\n", (int)length, rest);
		rest += length;
		rest += strspn(rest, " ");
	} while (*rest != '\0');
}
