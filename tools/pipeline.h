/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Reading, copying and writing at the same time.
 */

#ifndef UDMA_TOOL_PIPELINE_H
#define UDMA_TOOL_PIPELINE_H

#include "device.h"
#include "file.h"

struct pipeline_result {
	uint64_t bytes;      /* of the file */
	uint64_t data_bytes; /* of them, through the engine: not in holes */
	uint32_t source_crc;
	uint32_t destination_crc; /* of what was written */
};

/**
 * Copies a source to a destination. The buffers are DMA memory that spdk_env_fini() frees, after
 * the engines have been stopped. Once a process.
 *
 * \return 0; a negative errno, said, except -EINTR after a signal.
 */
int pipeline_run(struct source *source, struct destination *destination, struct channels *channels,
		 struct pipeline_result *result);

#endif
