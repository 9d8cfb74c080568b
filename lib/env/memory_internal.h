/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The parts of DMA memory, as udma_memory_init() starts and udma_memory_fini() ends them.
 */

#ifndef UDMA_ENV_MEMORY_INTERNAL_H
#define UDMA_ENV_MEMORY_INTERNAL_H

#include "spdk/env.h"

void udma_dma_memory_init(const struct spdk_env_opts *opts);
/** Frees all DMA memory, also what the program still has. */
void udma_dma_memory_fini(void);
/** Frees the pools that are left. */
void udma_mempools_fini(void);
/** Frees the zones that are left. */
void udma_memzones_fini(void);

#endif
