/* SPDX-License-Identifier: BSD-3-Clause */

#include "table.h"
#include "tool.h"

#include <string.h>

#define MAX_COLUMNS 16
#define GAP         2

/** \return whether a column has nothing but numbers under its heading; the first one has names. */
static bool
is_numeric(char **cells, unsigned rows, unsigned columns, unsigned column)
{
	bool is_number = false;

	for (unsigned row = 1; row < rows && column > 0; row++) {
		const char *cell = cells[row * columns + column];

		is_number = strspn(cell, "0123456789.") == strlen(cell);
		if (!is_number && strcmp(cell, "-") != 0) {
			return false;
		}
	}
	return is_number;
}

static void
print_rows(FILE *stream, char **cells, unsigned rows, unsigned columns, const unsigned *widths)
{
	bool right[MAX_COLUMNS];

	for (unsigned column = 0; column < columns; column++) {
		right[column] = is_numeric(cells, rows, columns, column);
	}
	for (unsigned row = 0; row < rows; row++) {
		for (unsigned column = 0; column < columns; column++) {
			const char *cell = cells[row * columns + column];
			int width = (int)widths[column];

			if (right[column]) {
				fprintf(stream, "%*s", width, cell);
			} else if (column + 1 < columns) {
				fprintf(stream, "%-*s", width, cell);
			} else {
				fputs(cell, stream);
			}
			fprintf(stream, "%*s", column + 1 < columns ? GAP : 0, "");
		}
		fputc('\n', stream);
	}
}

static void
print_paragraphs(FILE *stream, char **cells, unsigned rows, unsigned columns)
{
	unsigned widest = 0;

	for (unsigned column = 0; column < columns; column++) {
		unsigned width = (unsigned)strlen(cells[column]);

		widest = width > widest ? width : widest;
	}
	for (unsigned row = 1; row < rows; row++) {
		for (unsigned column = 0; column < columns; column++) {
			fprintf(stream, "%-*s%s\n", (int)(widest + GAP), cells[column],
				cells[row * columns + column]);
		}
		if (row + 1 < rows) {
			fputc('\n', stream);
		}
	}
}

void
table_print(FILE *stream, char **cells, unsigned rows, unsigned columns)
{
	unsigned limit = terminal_width(stream);
	unsigned widths[MAX_COLUMNS] = {0};
	unsigned total = 0;

	for (unsigned column = 0; column < columns; column++) {
		for (unsigned row = 0; row < rows; row++) {
			unsigned width = (unsigned)strlen(cells[row * columns + column]);

			widths[column] = width > widths[column] ? width : widths[column];
		}
		total += widths[column] + (column + 1 < columns ? GAP : 0);
	}
	if (limit != 0 && total > limit) {
		print_paragraphs(stream, cells, rows, columns);
	} else {
		print_rows(stream, cells, rows, columns, widths);
	}
}
