/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The first channel that there is.
 */

#ifndef TEST_VM_PROBE_H
#define TEST_VM_PROBE_H

#include "spdk/ioat.h"

static inline bool
probe_want(void *ctx, struct spdk_pci_device *device)
{
	(void)device;
	return *(struct spdk_ioat_chan **)ctx == NULL;
}

static inline void
probe_keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	*(struct spdk_ioat_chan **)ctx = chan;
}

/** Starts the environment, and probes. \return NULL if there is no channel, or something fails. */
static inline struct spdk_ioat_chan *
probe_first(void)
{
	struct spdk_ioat_chan *chan = NULL;

	return spdk_env_init(NULL) == 0 && spdk_ioat_probe(&chan, probe_want, probe_keep) == 0
		       ? chan
		       : NULL;
}

#endif
