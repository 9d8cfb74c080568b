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

/** A column. */
struct layout {
	unsigned width;
	bool right; /* it has nothing but numbers under its heading */
};

/** \return whether a column is aligned on the right; the first one has names. */
static bool
is_numeric(char **cells, unsigned rows, unsigned columns, unsigned column)
{
	bool is_number = false;

	for (unsigned row = 0; row < rows && column > 0; row++) {
		const char *cell = cells[row * columns + column];

		is_number = strspn(cell, "0123456789.") == strlen(cell);
		if (!is_number && strcmp(cell, "-") != 0) {
			return false;
		}
	}
	return is_number;
}

static void
print_row(FILE *stream, const char *const *row, unsigned columns, const struct layout *layout)
{
	for (unsigned column = 0; column < columns; column++) {
		bool is_last = column + 1 == columns;

		if (layout[column].right) {
			fprintf(stream, "%*s", (int)layout[column].width, row[column]);
		} else {
			fprintf(stream, "%-*s", is_last ? 0 : (int)layout[column].width,
				row[column]);
		}
		fprintf(stream, "%*s", is_last ? 0 : GAP, "");
	}
	fputc('\n', stream);
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
	struct layout layout[MAX_COLUMNS];
	unsigned total = 0;

	for (unsigned column = 0; column < columns; column++) {
		layout[column].width = (unsigned)strlen(heading[column]);
		layout[column].right = is_numeric(cells, rows, columns, column);
		for (unsigned row = 0; row < rows; row++) {
			unsigned width = (unsigned)strlen(cells[row * columns + column]);

			layout[column].width =
				width > layout[column].width ? width : layout[column].width;
		}
		total += layout[column].width + (column + 1 < columns ? GAP : 0);
	}
	if (limit != 0 && total > limit) {
		print_paragraphs(stream, heading, cells, rows, columns);
		return;
	}
	print_row(stream, heading, columns, layout);
	for (unsigned row = 0; row < rows; row++) {
		print_row(stream, (const char *const *)&cells[row * columns], columns, layout);
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
