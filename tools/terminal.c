/* SPDX-License-Identifier: BSD-3-Clause */

/* How wide the terminal is. */

#include "tool.h"

#include "spdk/string.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80
#define WIDEST      1000

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
