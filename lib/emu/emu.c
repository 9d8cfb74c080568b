/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A function comes, is reset, and goes.
 */

#include "fault.h"

#define DEVICE_ID_DEFAULT 0x2021

/** Drivers refuse less than 4 KiB, and the size field holds no more than 31 bits (section 3). */
#define XFERCAP_MIN     12
#define XFERCAP_MAX     31
#define XFERCAP_DEFAULT 20

#define INTERRUPTS_ALL ((uint32_t)(UDMA_EMU_MSIX | UDMA_EMU_MSI | UDMA_EMU_INTX))
#define INTX_PIN_MAX   4

static bool
is_valid(const struct udma_emu_config *config)
{
	return udma_emu_part(config->device_id) != NULL && config->xfercap >= XFERCAP_MIN &&
	       config->xfercap <= XFERCAP_MAX && (config->interrupts & ~INTERRUPTS_ALL) == 0 &&
	       config->intx_pin <= INTX_PIN_MAX;
}

/** The faults that the config has words of its own for. */
static int
inject_configured(struct udma_emu *emu)
{
	const struct udma_emu_config *config = &emu->config;
	const struct udma_fault error = {
		.kind = UDMA_FAULT_ERROR, .value = config->error, .every = config->error_every};
	const struct udma_fault flip = {
		.kind = UDMA_FAULT_FLIP, .every = config->flip_every, .seed = config->seed};
	int rc = 0;

	if (config->error_every != 0 && config->error != 0) {
		rc = udma_emu_inject(emu, &error);
	}
	if (rc == 0 && config->flip_every != 0) {
		rc = udma_emu_inject(emu, &flip);
	}
	return rc;
}

static void
power_on(struct udma_emu *emu)
{
	if (emu->faulty) {
		udma_emu_faults_power_on(emu);
	}
	emu->genctrl = 0;
	emu->intrctrl = 0;
	emu->intrdelay = 0;
	emu->chwpreflmt = 0;
	memset(&emu->chan, 0, sizeof(emu->chan));
	udma_emu_channel_reset(&emu->chan);
	udma_emu_config_space_reset(emu);
	udma_emu_interrupts_power_on(emu);
}

struct udma_emu *
udma_emu_create(const struct udma_emu_config *config, const struct udma_emu_host *host, void *ctx)
{
	struct udma_emu_config full = *config;
	struct udma_emu *emu;

	full.device_id = full.device_id != 0 ? full.device_id : DEVICE_ID_DEFAULT;
	full.xfercap = full.xfercap != 0 ? full.xfercap : XFERCAP_DEFAULT;
	full.intx_pin = full.intx_pin != 0 ? full.intx_pin : 1;
	if (!is_valid(&full) || host->grant == NULL) {
		errno = EINVAL;
		return NULL;
	}
	emu = calloc(1, sizeof(*emu));
	if (emu == NULL) {
		return NULL;
	}
	emu->config = full;
	emu->part = udma_emu_part(full.device_id);
	emu->host = *host;
	emu->ctx = ctx;
	power_on(emu);
	if (inject_configured(emu) != 0) {
		udma_emu_destroy(emu);
		errno = ENOMEM;
		return NULL;
	}
	return emu;
}

void
udma_emu_destroy(struct udma_emu *emu)
{
	if (emu != NULL) {
		udma_emu_faults_free(emu);
	}
	free(emu);
}

uint64_t
udma_emu_completed(const struct udma_emu *emu)
{
	return emu->completed;
}

uint64_t
udma_emu_resets(const struct udma_emu *emu)
{
	return emu->resets;
}

void
udma_emu_reset(struct udma_emu *emu)
{
	power_on(emu);
	emu->resets++;
}
