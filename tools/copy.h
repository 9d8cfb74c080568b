/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * One copy, as its parts share it.
 */

#ifndef UDMA_TOOL_COPY_H
#define UDMA_TOOL_COPY_H

#include "pipeline.h"

struct copy_job {
	bool verify; /* read the destination back */
	bool quiet;
	bool json;
	struct source *source;
	struct destination *destination;
	struct channels *channels;
	struct pipeline_result result;
	bool was_read_back;
	double seconds; /* without reading back */
};

/** Prints the result of a copy that has succeeded, while its channels are open. */
void copy_report(const struct copy_job *job);

#endif
