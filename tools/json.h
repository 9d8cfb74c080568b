/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * JSON, for programs that read the answer.
 */

#ifndef UDMA_TOOL_JSON_H
#define UDMA_TOOL_JSON_H

#include <json-c/json.h>
#include <stdio.h>

/**
 * \return a string; bytes of a file name that are not UTF-8 become the replacement character,
 * because JSON cannot hold them.
 */
struct json_object *json_of_text(const char *text);
/** Prints an object with a newline, and frees it. */
void json_print(FILE *stream, struct json_object *object);

#endif
