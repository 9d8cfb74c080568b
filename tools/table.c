/* SPDX-License-Identifier: BSD-3-Clause */

#include "table.h"
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 16
#define GAP         2

char *
table_cell(const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		return NULL;
	}
	if (length == 0) {
		free(text);
		return strdup("-");
	}
	return text;
}

static void
print_row(FILE *stream, const char *const *row, unsigned columns, const unsigned *widths)
{
	for (unsigned column = 0; column + 1 < columns; column++) {
		fprintf(stream, "%-*s", (int)(widths[column] + GAP), row[column]);
	}
	fprintf(stream, "%s\n", row[columns - 1]);
}

static void
print_paragraphs(FILE *stream, const char *const *heading, char **cells, unsigned rows,
		 unsigned columns)
{
	unsigned widest = 0;

	for (unsigned column = 0; column < columns; column++) {
		unsigned width = (unsigned)strlen(heading[column]);

		widest = width > widest ? width : widest;
	}
	for (unsigned row = 0; row < rows; row++) {
		for (unsigned column = 0; column < columns; column++) {
			fprintf(stream, "%-*s%s\n", (int)(widest + GAP), heading[column],
				cells[row * columns + column]);
		}
		if (row + 1 < rows) {
			fputc('\n', stream);
		}
	}
}

static void
print(FILE *stream, const char *const *heading, char **cells, unsigned rows, unsigned columns)
{
	unsigned limit = terminal_width(stream);
	unsigned widths[MAX_COLUMNS] = {0};
	unsigned total = 0;

	for (unsigned column = 0; column < columns; column++) {
		widths[column] = (unsigned)strlen(heading[column]);
		for (unsigned row = 0; row < rows; row++) {
			unsigned width = (unsigned)strlen(cells[row * columns + column]);

			widths[column] = width > widths[column] ? width : widths[column];
		}
		total += widths[column] + (column + 1 < columns ? GAP : 0);
	}
	if (limit != 0 && total > limit) {
		print_paragraphs(stream, heading, cells, rows, columns);
		return;
	}
	print_row(stream, heading, columns, widths);
	for (unsigned row = 0; row < rows; row++) {
		print_row(stream, (const char *const *)&cells[row * columns], columns, widths);
	}
}

int
table_print(FILE *stream, const char *const *heading, char **cells, unsigned rows, unsigned columns)
{
	bool complete = cells != NULL;

	for (unsigned i = 0; complete && i < rows * columns; i++) {
		complete = cells[i] != NULL;
	}
	if (complete) {
		print(stream, heading, cells, rows, columns);
	} else {
		complain("no memory for the table");
	}
	for (unsigned i = 0; cells != NULL && i < rows * columns; i++) {
		free(cells[i]);
	}
	free(cells);
	return complete ? STATUS_OK : STATUS_FAILED;
}
