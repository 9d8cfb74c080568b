/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A table of texts, aligned by blanks: names to the left, numbers to the right.
 */

#ifndef UDMA_TOOL_TABLE_H
#define UDMA_TOOL_TABLE_H

#include <stdio.h>

/** \return a text for a table, "-" for an empty one; NULL if there is no memory. */
char *table_cell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/**
 * Prints a table, and frees its cells. On a terminal too narrow for it each row becomes a paragraph
 * instead, a line a cell; in a pipe there is no limit.
 *
 * \param heading a text for each column.
 * \param cells `rows` times `columns` texts from table_cell(), row by row, in memory from
 * calloc(). NULL, itself or in it, means that there was no memory.
 * \return an exit status, said.
 */
int table_print(FILE *stream, const char *const *heading, char **cells, unsigned rows,
		unsigned columns);

#endif
