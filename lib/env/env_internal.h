/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The parts of the environment, as spdk_env_init() starts and spdk_env_fini() ends them.
 */

#ifndef UDMA_ENV_INTERNAL_H
#define UDMA_ENV_INTERNAL_H

#include "spdk/env.h"

/** How I/O virtual addresses come from virtual ones (design: "One address space"). */
enum udma_iova_kind {
	UDMA_IOVA_VA,     /* IOVA = virtual address */
	UDMA_IOVA_MAPPED, /* regions are placed by us below 2^bits */
	UDMA_IOVA_PA,     /* physical addresses of pinned hugepages */
};

/** Whether spdk_env_init() has run. */
bool udma_env_is_initialized(void);

/* cores.c */
int udma_cores_init(const struct spdk_env_opts *opts);
void udma_cores_fini(void);

/* memory.c: registration and the address space; then DMA memory, pools and zones on top of it. */
int udma_memory_init(const struct spdk_env_opts *opts, enum udma_iova_kind kind,
		     unsigned iova_bits);
void udma_memory_fini(void);

#endif
