/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Configuration space (section 2): a table of what the bytes are at reset and which bits can be
 * written, and the few writes that do more than to be kept.
 */

#include "choices.h"

#define CFG_COMMAND     0x04
#define CFG_PMCSR       0xE4
#define CFG_DEVCTL_HIGH 0x99
#define CFG_CHANERR_INT SPDK_IOAT_PCI_CHANERR_INT_OFFSET

#define COMMAND_BUS_MASTER    0x04
#define DEVCTL_HIGH_RESET     0x80 /* bit 15 of Device Control: initiate function-level reset */
#define PMCSR_STATE           0x03
#define PMCSR_STATE_D0        0
#define PMCSR_STATE_D3        3
#define HEADER_MULTI_FUNCTION 0x80

#define CAP_PCIE 0x90
#define CAP_PM   0xE0

/** A field of up to four bytes. Bytes that no field names read 0. */
struct field {
	uint16_t offset;
	uint8_t size;
	uint32_t reset;
	uint32_t rw;  /* bits that can be written */
	uint32_t w1c; /* bits that are cleared by writing 1 */
};

static const struct field g_fields[] = {
	{0x00, 2, 0x8086, 0, 0},                         /* VID */
	{CFG_COMMAND, 2, 0, 0x0406, 0},                  /* PCICMD: memory, bus master, INTx off */
	{0x06, 2, 0x0010, 0, 0xF900},                    /* PCISTS: has a capability list */
	{0x08, 4, 0x08800000 | UDMA_EMU_REVISION, 0, 0}, /* RID, CCR */
	{0x0C, 1, 0, 0xFF, 0},                           /* CLSR */
	{0x10, 4, 0x4, ~(UDMA_EMU_BAR_SIZE - 1u), 0},    /* CB_BAR: memory, 64 bits */
	{0x14, 4, 0, 0xFFFFFFFF, 0},                     /* CB_BAR, high half */
	{0x2C, 2, UDMA_EMU_SUBSYSTEM_VENDOR, 0, 0},      /* SVID */
	{0x2E, 2, UDMA_EMU_SUBSYSTEM_DEVICE, 0, 0},      /* SDID */
	{0x34, 1, CAP_PCIE, 0, 0},                       /* CAPPTR */
	{0x3C, 1, 0, 0xFF, 0},                           /* INTL; INTPIN is 0, there is no INTx */
	{0x48, 2, 0, 0x0003, 0},                         /* DMACTRL */
	{0x60, 4, 0, 0xFFFFFFFF, 0},                     /* DEVCFG */

	{CAP_PCIE, 2, 0x10 | CAP_PM << 8, 0, 0},
	{0x92, 2, 0x0092, 0, 0},      /* capability version 2, type 9: integrated endpoint */
	{0x94, 4, 0x10008000, 0, 0},  /* DEVCAP: function-level reset, role-based errors */
	{0x98, 2, 0x2810, 0x78FF, 0}, /* DEVCTL, with the reset value of the PCIe specification */
	{0x9A, 2, 0, 0, 0x000F},      /* DEVSTS */
	{0xB4, 4, 0x00000010, 0, 0},  /* DEVCAP2: completion time-outs can be switched off */
	{0xB8, 2, 0, 0x0010, 0},      /* DEVCTL2 */

	{CAP_PM, 4, 0x00030001, 0, 0}, /* the last capability; power management version 1.2 */
	{CFG_PMCSR, 2, 0x0008, PMCSR_STATE, 0}, /* bit 3: going back to D0 resets nothing */

	{0x148, 4, 0, 0, 0xFFFFFFFF},           /* DMAUNCERRSTS */
	{0x14C, 4, 0, 0xFFFFFFFF, 0},           /* DMAUNCERRMSK */
	{0x150, 4, 0x98, 0xFFFFFFFF, 0},        /* DMAUNCERRSEV */
	{0x154, 1, 0x0A, 0, 0},                 /* DMAUNCERRPTR */
	{CFG_CHANERR_INT, 4, 0, 0, 0xFFFFFFFF}, /* CHANERR_INT */
	{0x184, 4, 0x60000, 0xFFFFFFFF, 0},     /* CHANERRMSK_INT */
	{0x188, 4, 0x10000, 0xFFFFFFFF, 0},     /* CHANERRSEV_INT */
	{0x18C, 1, 0x02, 0, 0},                 /* CHANERRPTR */
};

/** Finds out whether the function may reach memory: bus master, and not asleep. */
static void
update_may_dma(struct udma_emu *emu)
{
	emu->may_dma = (emu->cfg[CFG_COMMAND] & COMMAND_BUS_MASTER) &&
		       (emu->cfg[CFG_PMCSR] & PMCSR_STATE) == PMCSR_STATE_D0;
}

void
udma_emu_config_space_reset(struct udma_emu *emu)
{
	size_t i;

	memset(emu->cfg, 0, sizeof(emu->cfg));
	for (i = 0; i < SPDK_COUNTOF(g_fields); i++) {
		memcpy(&emu->cfg[g_fields[i].offset], &g_fields[i].reset, g_fields[i].size);
	}
	memcpy(&emu->cfg[0x02], &emu->config.device_id, sizeof(emu->config.device_id));
	emu->cfg[0x0E] = emu->config.multifunction ? HEADER_MULTI_FUNCTION : 0;
	update_may_dma(emu);
}

void
udma_emu_config_space_error(struct udma_emu *emu, uint32_t chanerr)
{
	uint32_t value;

	memcpy(&value, &emu->cfg[CFG_CHANERR_INT], sizeof(value));
	value |= chanerr;
	memcpy(&emu->cfg[CFG_CHANERR_INT], &value, sizeof(value));
}

static bool
access_is_valid(uint32_t offset, uint32_t len)
{
	return offset <= UDMA_EMU_CFG_SIZE && len <= UDMA_EMU_CFG_SIZE - offset;
}

int
udma_emu_cfg_read(struct udma_emu *emu, uint32_t offset, void *buf, uint32_t len)
{
	if (!access_is_valid(offset, len)) {
		return -EINVAL;
	}
	memcpy(buf, &emu->cfg[offset], len);
	return 0;
}

/** Writes those bytes of a field that lie in the access. */
static void
write_field(struct udma_emu *emu, const struct field *field, uint32_t offset, const uint8_t *buf,
	    uint32_t len)
{
	uint32_t i;

	for (i = 0; i < field->size; i++) {
		uint32_t at = field->offset + i;
		uint8_t rw = field->rw >> 8 * i, w1c = field->w1c >> 8 * i;
		uint8_t old = emu->cfg[at];

		if (at < offset || at - offset >= len) {
			continue;
		}
		emu->cfg[at] = (old & ~rw & ~(buf[at - offset] & w1c)) | (buf[at - offset] & rw);
	}
}

int
udma_emu_cfg_write(struct udma_emu *emu, uint32_t offset, const void *buf, uint32_t len)
{
	const uint8_t *bytes = buf;
	uint8_t power = emu->cfg[CFG_PMCSR];
	size_t i;

	if (!access_is_valid(offset, len)) {
		return -EINVAL;
	}
	for (i = 0; i < SPDK_COUNTOF(g_fields); i++) {
		write_field(emu, &g_fields[i], offset, bytes, len);
	}
	/* D1 and D2 are not offered: asking for them changes nothing. */
	if ((emu->cfg[CFG_PMCSR] & PMCSR_STATE) % PMCSR_STATE_D3 != PMCSR_STATE_D0) {
		emu->cfg[CFG_PMCSR] = power;
	}
	update_may_dma(emu);
	if (offset <= CFG_DEVCTL_HIGH && CFG_DEVCTL_HIGH - offset < len &&
	    (bytes[CFG_DEVCTL_HIGH - offset] & DEVCTL_HIGH_RESET)) {
		udma_emu_reset(emu);
	}
	return 0;
}
