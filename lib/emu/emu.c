/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A function comes, is reset, and goes.
 */

#include "emu_internal.h"

#define DEVICE_ID_SKX 0x2021

/** Drivers refuse less than 4 KiB, and the size field holds no more than 31 bits (section 3). */
#define XFERCAP_MIN 12
#define XFERCAP_MAX 31

struct udma_emu *
udma_emu_create(const struct udma_emu_config *config, const struct udma_emu_host *host, void *ctx)
{
	struct udma_emu *emu;

	if (config->device_id != DEVICE_ID_SKX || config->xfercap < XFERCAP_MIN ||
	    config->xfercap > XFERCAP_MAX || host->grant == NULL) {
		return NULL;
	}
	emu = calloc(1, sizeof(*emu));
	if (emu == NULL) {
		return NULL;
	}
	emu->config = *config;
	emu->host = *host;
	emu->ctx = ctx;
	emu->until_flip = config->flip_every;
	emu->random = config->seed;
	udma_emu_reset(emu);
	return emu;
}

void
udma_emu_destroy(struct udma_emu *emu)
{
	free(emu);
}

void
udma_emu_reset(struct udma_emu *emu)
{
	emu->genctrl = 0;
	emu->intrctrl = 0;
	emu->intrdelay = 0;
	memset(&emu->chan, 0, sizeof(emu->chan));
	udma_emu_channel_reset(&emu->chan);
	udma_emu_config_space_reset(emu);
}
