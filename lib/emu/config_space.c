/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Configuration space (section 2): what the bytes are at reset and which bits can be written, and
 * the few writes that do more than to be kept.
 */

#include "choices.h"
#include "fault.h"

#define CFG_COMMAND     0x04
#define CFG_STATUS      0x06
#define CFG_CAPPTR      0x34
#define CFG_INTPIN      0x3D
#define CFG_PMCSR       0xE4
#define CFG_DEVCTL_HIGH 0x99
#define CFG_AER         0x100
#define CFG_CHANERR_INT SPDK_IOAT_PCI_CHANERR_INT_OFFSET

#define COMMAND_BUS_MASTER        0x04
#define COMMAND_HIGH_INTX_DISABLE 0x04 /* bit 10, in the byte behind */
#define STATUS_INTX               0x08
#define DEVCTL_HIGH_RESET         0x80 /* bit 15 of Device Control: initiate function-level reset */
#define PMCSR_STATE               0x03
#define PMCSR_STATE_D0            0
#define PMCSR_STATE_D3            3
#define HEADER_MULTI_FUNCTION     0x80

/* The capabilities, in the order of their chain. */
#define CAP_MSIX 0x80
#define CAP_PCIE 0x90
#define CAP_MSI  0xD0
#define CAP_PM   0xE0

#define MSIX_CONTROL_HIGH  (CAP_MSIX + 3)
#define MSIX_HIGH_ENABLE   0x80
#define MSIX_HIGH_MASK_ALL 0x40
#define MSI_CONTROL        (CAP_MSI + 2)
#define MSI_ADDRESS        (CAP_MSI + 4)
#define MSI_DATA           (CAP_MSI + 12)
#define MSI_ENABLE         0x01

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
	{CFG_STATUS, 2, 0x0010, 0, 0xF900},              /* PCISTS: has a capability list */
	{0x08, 4, 0x08800000 | UDMA_EMU_REVISION, 0, 0}, /* RID, CCR */
	{0x0C, 1, 0, 0xFF, 0},                           /* CLSR */
	{0x10, 4, 0x4, ~(UDMA_EMU_BAR_SIZE - 1u), 0},    /* CB_BAR: memory, 64 bits */
	{0x14, 4, 0, 0xFFFFFFFF, 0},                     /* CB_BAR, high half */
	{0x2C, 2, UDMA_EMU_SUBSYSTEM_VENDOR, 0, 0},      /* SVID */
	{0x2E, 2, UDMA_EMU_SUBSYSTEM_DEVICE, 0, 0},      /* SDID */
	{0x3C, 1, 0, 0xFF, 0},                           /* INTL */
	{0x48, 2, 0, 0x0003, 0},                         /* DMACTRL */
	{0x60, 4, 0, 0xFFFFFFFF, 0},                     /* DEVCFG */

	{CAP_PCIE, 1, 0x10, 0, 0},
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

/** MSI-X: one vector; where the table and the PBA are is the part's. */
static const struct field g_msix_fields[] = {
	{CAP_MSIX, 1, 0x11, 0, 0},
	{CAP_MSIX + 2, 2, 0, 0xC000, 0},
};

/** MSI: one message, 64-bit address. */
static const struct field g_msi_fields[] = {
	{CAP_MSI, 1, 0x05, 0, 0},           {MSI_CONTROL, 2, 0x0080, MSI_ENABLE, 0},
	{MSI_ADDRESS, 4, 0, 0xFFFFFFFC, 0}, {MSI_ADDRESS + 4, 4, 0, 0xFFFFFFFF, 0},
	{MSI_DATA, 2, 0, 0xFFFF, 0},
};

/** Advanced error reporting: nothing is ever reported. */
static const struct field g_aer_fields[] = {
	{CFG_AER, 4, 0x00010001, 0, 0},                 /* version 1, the last one */
	{CFG_AER + 0x04, 4, 0, 0, 0xFFFFFFFF},          /* uncorrectable status */
	{CFG_AER + 0x08, 4, 0, 0xFFFFFFFF, 0},          /* uncorrectable mask */
	{CFG_AER + 0x0C, 4, 0x00062030, 0xFFFFFFFF, 0}, /* uncorrectable severity */
	{CFG_AER + 0x10, 4, 0, 0, 0xFFFFFFFF},          /* correctable status */
	{CFG_AER + 0x14, 4, 0x00002000, 0xFFFFFFFF, 0}, /* correctable mask */
};

static void
put(struct udma_emu *emu, uint16_t offset, uint32_t value, uint8_t size)
{
	memcpy(&emu->cfg[offset], &value, size);
}

static void
add_fields(struct udma_emu *emu, const struct field *fields, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		put(emu, fields[i].offset, fields[i].reset, fields[i].size);
		memcpy(&emu->cfg_rw[fields[i].offset], &fields[i].rw, fields[i].size);
		memcpy(&emu->cfg_w1c[fields[i].offset], &fields[i].w1c, fields[i].size);
	}
}

/** The chain of section 2, with what this function offers. */
static void
add_capabilities(struct udma_emu *emu)
{
	emu->cfg[CFG_CAPPTR] = CAP_PCIE;
	emu->cfg[CAP_PCIE + 1] = CAP_PM;
	if (emu->config.interrupts & UDMA_EMU_MSIX) {
		add_fields(emu, g_msix_fields, SPDK_COUNTOF(g_msix_fields));
		put(emu, CAP_MSIX + 4, emu->part->msix_table, 4);
		put(emu, CAP_MSIX + 8, emu->part->msix_pba, 4);
		emu->cfg[CFG_CAPPTR] = CAP_MSIX;
		emu->cfg[CAP_MSIX + 1] = CAP_PCIE;
	}
	if (emu->config.interrupts & UDMA_EMU_MSI) {
		add_fields(emu, g_msi_fields, SPDK_COUNTOF(g_msi_fields));
		emu->cfg[CAP_PCIE + 1] = CAP_MSI;
		emu->cfg[CAP_MSI + 1] = CAP_PM;
	}
	if (emu->config.interrupts & UDMA_EMU_INTX) {
		emu->cfg[CFG_INTPIN] = emu->config.intx_pin;
	}
	if (emu->part->has_aer) {
		add_fields(emu, g_aer_fields, SPDK_COUNTOF(g_aer_fields));
	}
}

static bool
is_in_d0(const struct udma_emu *emu)
{
	return (emu->cfg[CFG_PMCSR] & PMCSR_STATE) == PMCSR_STATE_D0;
}

/** Finds out whether the function may reach memory: bus master, and not asleep. */
static void
update_may_dma(struct udma_emu *emu)
{
	emu->may_dma = (emu->cfg[CFG_COMMAND] & COMMAND_BUS_MASTER) && is_in_d0(emu);
}

void
udma_emu_config_space_reset(struct udma_emu *emu)
{
	memset(emu->cfg, 0, sizeof(emu->cfg));
	add_fields(emu, g_fields, SPDK_COUNTOF(g_fields));
	add_capabilities(emu);
	put(emu, 0x02, emu->config.device_id, 2);
	emu->cfg[0x0E] = emu->config.multifunction ? HEADER_MULTI_FUNCTION : 0;
	update_may_dma(emu);
}

void
udma_emu_config_space_error(struct udma_emu *emu, uint32_t chanerr)
{
	uint32_t value;

	memcpy(&value, &emu->cfg[CFG_CHANERR_INT], sizeof(value));
	put(emu, CFG_CHANERR_INT, value | chanerr, sizeof(value));
}

void
udma_emu_config_space_intx(struct udma_emu *emu, bool level)
{
	emu->cfg[CFG_STATUS] = (emu->cfg[CFG_STATUS] & ~STATUS_INTX) | (level ? STATUS_INTX : 0);
}

struct udma_emu_interrupt_setup
udma_emu_config_space_interrupts(const struct udma_emu *emu)
{
	struct udma_emu_interrupt_setup setup = {
		.msix_enabled = emu->cfg[MSIX_CONTROL_HIGH] & MSIX_HIGH_ENABLE,
		.msix_masked = emu->cfg[MSIX_CONTROL_HIGH] & MSIX_HIGH_MASK_ALL,
		.msi_enabled = emu->cfg[MSI_CONTROL] & MSI_ENABLE,
		.intx_disabled = emu->cfg[CFG_COMMAND + 1] & COMMAND_HIGH_INTX_DISABLE,
		.d0 = is_in_d0(emu),
	};

	memcpy(&setup.msi_address, &emu->cfg[MSI_ADDRESS], sizeof(setup.msi_address));
	memcpy(&setup.msi_data, &emu->cfg[MSI_DATA], sizeof(uint16_t));
	return setup;
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
	if (emu->faulty && emu->faults->absent) {
		memset(buf, 0xFF, len);
		return 0;
	}
	if (emu->faulty && udma_emu_fault_takes_config(emu, offset, len)) {
		return -EIO;
	}
	memcpy(buf, &emu->cfg[offset], len);
	return 0;
}

int
udma_emu_cfg_write(struct udma_emu *emu, uint32_t offset, const void *buf, uint32_t len)
{
	const uint8_t *bytes = buf;
	uint8_t power = emu->cfg[CFG_PMCSR];
	uint32_t i;

	if (!access_is_valid(offset, len)) {
		return -EINVAL;
	}
	if (emu->faulty && emu->faults->absent) {
		return 0;
	}
	if (emu->faulty && udma_emu_fault_takes_config(emu, offset, len)) {
		return -EIO;
	}
	for (i = 0; i < len; i++) {
		uint8_t rw = emu->cfg_rw[offset + i], w1c = emu->cfg_w1c[offset + i];
		uint8_t *byte = &emu->cfg[offset + i];

		*byte = (*byte & ~rw & ~(bytes[i] & w1c)) | (bytes[i] & rw);
	}
	/* D1 and D2 are not offered: asking for them changes nothing. */
	if ((emu->cfg[CFG_PMCSR] & PMCSR_STATE) % PMCSR_STATE_D3 != PMCSR_STATE_D0) {
		emu->cfg[CFG_PMCSR] = power;
	}
	update_may_dma(emu);
	if (offset <= CFG_DEVCTL_HIGH && CFG_DEVCTL_HIGH - offset < len &&
	    (bytes[CFG_DEVCTL_HIGH - offset] & DEVCTL_HIGH_RESET)) {
		udma_emu_reset(emu);
	} else {
		udma_emu_interrupts_settle(emu);
	}
	return 0;
}
