/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A table of texts, aligned by blanks: names to the left, numbers to the right.
 */

#ifndef UDMA_TOOL_TABLE_H
#define UDMA_TOOL_TABLE_H

#include <stdio.h>

/**
 * Prints a table. On a terminal too narrow for it each row becomes a paragraph instead, a line a
 * cell; in a pipe there is no limit.
 *
 * \param cells `rows` times `columns` texts, row by row; the first row is the heading.
 */
void table_print(FILE *stream, char **cells, unsigned rows, unsigned columns);

#endif
