/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/stdinc.h"
#include "env_internal.h"
#include "memory_internal.h"
#include "registry.h"

int
udma_memory_init(const struct spdk_env_opts *opts, enum udma_iova_kind kind, unsigned iova_bits)
{
	int rc = udma_registry_init(kind, iova_bits);

	if (rc == 0) {
		udma_dma_memory_init(opts);
	}
	return rc;
}

void
udma_memory_fini(void)
{
	udma_mempools_fini();
	udma_memzones_fini();
	udma_dma_memory_fini();
	udma_registry_fini();
}
