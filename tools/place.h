/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Where a copy goes: from the name that the user gave to an open file.
 */

#ifndef UDMA_TOOL_PLACE_H
#define UDMA_TOOL_PLACE_H

#include "file.h"

/** Sets path, temporary, fd and kind. On an error, said here, path and temporary are NULL. */
int place_open(struct destination *destination, const char *name, const struct source *source);

#endif
