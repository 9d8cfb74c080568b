/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * BAR0: which bytes are which register, and what they do when they are read or written (sections 3
 * and 4).
 *
 * An access may be narrower than a register or span several. It is cut into *lanes*: for each
 * register that it touches, the mask of the bits touched.
 */

#include "choices.h"
#include "fault.h"

enum general_register {
	REG_CHANCNT = 0x00,
	REG_XFERCAP = 0x01,
	REG_GENCTRL = 0x02,
	REG_INTRCTRL = 0x03,
	REG_ATTNSTATUS = 0x04,
	REG_CBVER = 0x08,
	REG_INTRDELAY = 0x0C,
	REG_DMACAPABILITY = 0x10,
	REG_CHWPREFLMT = 0x4C,
};

/** Of the first and only channel, whose registers begin at 80h. */
enum channel_register {
	REG_CHANCTRL = 0x80,
	REG_DMA_COMP = 0x82,
	REG_CHANCMD = 0x84,
	REG_DMACOUNT = 0x86,
	REG_CHANSTS = 0x88,
	REG_CHAINADDR = 0x90,
	REG_CHANCMP = 0x98,
	REG_CDAR = 0xA0,
	REG_CHANERR = 0xA8,
	REG_CHANERRMSK = 0xAC,
	REG_DCACTRL = 0xB0,
};

/** MSI-X, at offsets of our own: where it is depends on the part. */
enum msix_register {
	REG_MSIX_ADDRESS = 0x2000,
	REG_MSIX_DATA = 0x2008,
	REG_MSIX_CONTROL = 0x200C,
	REG_MSIX_PBA = 0x3000,
};
#define MSIX_TABLE_SIZE 16
#define MSIX_PBA_SIZE   8

#define GENCTRL_RW         0x01
#define INTRCTRL_RW        0x09
#define INTRCTRL_STATUS    0x02
#define INTRCTRL_INT       0x04
#define INTRDELAY_RW       0x3FFF
#define INTRDELAY_COALESCE 0x8000
#define DCACTRL_RW         0x1FFFF
#define MSIX_ADDRESS_RW    (~3ull)
#define MSIX_CONTROL_MASK  0x01
/** CHANCTRL without IN_USE and INT_REARM, which have rules of their own. */
#define CHANCTRL_RW                                                                                \
	(SPDK_IOAT_CHANCTRL_CHANNEL_PRIORITY_MASK | SPDK_IOAT_CHANCTRL_COMPL_DCA_EN |              \
	 SPDK_IOAT_CHANCTRL_DESCRIPTOR_ADDR_SNOOP_CONTROL | SPDK_IOAT_CHANCTRL_ERR_INT_EN |        \
	 SPDK_IOAT_CHANCTRL_ANY_ERR_ABORT_EN | SPDK_IOAT_CHANCTRL_ERR_COMPLETION_EN)

/** The registers, in the order of their offsets. Of the others, all bytes read 0. */
static const struct {
	uint16_t offset;
	uint8_t size;
} g_registers[] = {
	{REG_CHANCNT, 1},      {REG_XFERCAP, 1},   {REG_GENCTRL, 1},      {REG_INTRCTRL, 1},
	{REG_ATTNSTATUS, 4},   {REG_CBVER, 1},     {REG_INTRDELAY, 2},    {REG_DMACAPABILITY, 4},
	{REG_CHWPREFLMT, 1},   {REG_CHANCTRL, 2},  {REG_DMA_COMP, 2},     {REG_CHANCMD, 1},
	{REG_DMACOUNT, 2},     {REG_CHANSTS, 8},   {REG_CHAINADDR, 8},    {REG_CHANCMP, 8},
	{REG_CDAR, 8},         {REG_CHANERR, 4},   {REG_CHANERRMSK, 4},   {REG_DCACTRL, 4},
	{REG_MSIX_ADDRESS, 8}, {REG_MSIX_DATA, 4}, {REG_MSIX_CONTROL, 4}, {REG_MSIX_PBA, 8},
};

/** The first `n` bytes of eight. */
static uint64_t
low_bytes(unsigned n)
{
	return n == 8 ? ~0ull : (1ull << 8 * n) - 1;
}

/** Shifts up by `bytes`, or down if negative. */
static uint64_t
shift_bytes(uint64_t value, int bytes)
{
	return bytes >= 0 ? value << 8 * bytes : value >> -8 * bytes;
}

/** The first read of IN_USE that finds it clear sets it: a semaphore (section 4.1). */
static uint16_t
load_chanctrl(struct udma_emu_channel *chan, uint64_t lanes)
{
	uint16_t value = chan->chanctrl;

	if (lanes & SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE) {
		chan->chanctrl |= SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE;
	}
	return value;
}

/** Bits 1 and 2 follow ATTNSTATUS. */
static uint8_t
load_intrctrl(const struct udma_emu *emu)
{
	uint8_t value = emu->intrctrl;

	if (emu->interrupts.attention) {
		value |= INTRCTRL_STATUS;
		if (value & SPDK_IOAT_INTRCTRL_MASTER_INT_EN) {
			value |= INTRCTRL_INT;
		}
	}
	return value;
}

/** Reading clears what is read (choices.h, interrupts). */
static uint32_t
load_attnstatus(struct udma_emu *emu, uint64_t lanes)
{
	bool attention = emu->interrupts.attention;

	if (attention && (lanes & 1)) {
		emu->interrupts.attention = false;
		udma_emu_interrupts_settle(emu);
	}
	return attention;
}

static uint64_t
load_general(struct udma_emu *emu, uint16_t offset, uint64_t lanes)
{
	switch (offset) {
	case REG_CHANCNT:
		return UDMA_EMU_CHANCNT;
	case REG_XFERCAP:
		return emu->config.xfercap;
	case REG_GENCTRL:
		return emu->genctrl;
	case REG_INTRCTRL:
		return load_intrctrl(emu);
	case REG_ATTNSTATUS:
		return load_attnstatus(emu, lanes);
	case REG_CBVER:
		return emu->part->version;
	case REG_INTRDELAY:
		return emu->intrdelay | INTRDELAY_COALESCE;
	case REG_DMACAPABILITY:
		return emu->part->capabilities;
	case REG_CHWPREFLMT:
		return emu->chwpreflmt;
	default:
		return 0;
	}
}

static uint64_t
load_msix(const struct udma_emu *emu, uint16_t offset)
{
	switch (offset) {
	case REG_MSIX_ADDRESS:
		return emu->interrupts.msix_address;
	case REG_MSIX_DATA:
		return emu->interrupts.msix_data;
	case REG_MSIX_CONTROL:
		return emu->interrupts.msix_masked ? MSIX_CONTROL_MASK : 0;
	default:
		return emu->interrupts.msix_pending;
	}
}

static uint64_t
load_channel(struct udma_emu_channel *chan, uint16_t offset, uint64_t lanes)
{
	switch (offset) {
	case REG_CHANCTRL:
		return load_chanctrl(chan, lanes);
	case REG_DMA_COMP:
		return UDMA_EMU_DMA_COMP;
	case REG_DMACOUNT:
		return chan->dmacount;
	case REG_CHANSTS:
		return chan->last | chan->state;
	case REG_CHAINADDR:
		return chan->chainaddr;
	case REG_CHANCMP:
		return chan->chancmp;
	case REG_CDAR:
		return chan->current;
	case REG_CHANERR:
		return chan->chanerr;
	case REG_CHANERRMSK:
		return chan->chanerrmask;
	case REG_DCACTRL:
		return chan->dcactrl;
	default:
		/* CHANCMD: RESET is over before anybody can read it. */
		return 0;
	}
}

static uint64_t
load(struct udma_emu *emu, uint16_t offset, uint64_t lanes)
{
	if (offset >= REG_MSIX_ADDRESS) {
		return load_msix(emu, offset);
	}
	if (offset == REG_CHANCMD && emu->faulty && emu->faults->resetting) {
		return SPDK_IOAT_CHANCMD_RESET;
	}
	return offset >= REG_CHANCTRL ? load_channel(&emu->chan, offset, lanes)
				      : load_general(emu, offset, lanes);
}

/** \return `old` with the bits of `lanes` replaced. */
static uint64_t
merge(uint64_t old, uint64_t value, uint64_t lanes)
{
	return (old & ~lanes) | (value & lanes);
}

static void
store_chanctrl(struct udma_emu *emu, uint16_t value, uint64_t lanes)
{
	struct udma_emu_channel *chan = &emu->chan;

	chan->chanctrl = merge(chan->chanctrl, value, lanes & CHANCTRL_RW);
	/* IN_USE is released by a 0 in a write that reaches it. */
	if ((lanes & SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE) &&
	    !(value & SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE)) {
		chan->chanctrl &= (uint16_t)~SPDK_IOAT_CHANCTRL_CHANNEL_IN_USE;
	}
	if (value & lanes & SPDK_IOAT_CHANCTRL_INT_REARM) {
		udma_emu_interrupts_rearm(emu);
	}
}

static void
store_channel(struct udma_emu *emu, uint16_t offset, uint64_t value, uint64_t lanes)
{
	struct udma_emu_channel *chan = &emu->chan;

	switch (offset) {
	case REG_CHANCTRL:
		store_chanctrl(emu, value, lanes);
		break;
	case REG_CHANCMD:
		udma_emu_channel_command(emu, value);
		break;
	case REG_DMACOUNT:
		chan->dmacount = merge(chan->dmacount, value, lanes);
		udma_emu_channel_settle(chan);
		break;
	case REG_CHAINADDR:
		chan->chainaddr = merge(chan->chainaddr, value, lanes);
		if (lanes & UDMA_EMU_ARMING_BYTES) {
			if (emu->faulty && chan->state != UDMA_EMU_ACTIVE) {
				udma_emu_faulty_forget(emu);
			}
			udma_emu_channel_arm(chan);
		}
		break;
	case REG_CHANCMP:
		chan->chancmp = merge(chan->chancmp, value, lanes);
		break;
	case REG_CHANERR:
		chan->chanerr &= ~(value & lanes);
		break;
	case REG_CHANERRMSK:
		chan->chanerrmask = merge(chan->chanerrmask, value, lanes);
		break;
	case REG_DCACTRL:
		chan->dcactrl = merge(chan->dcactrl, value, lanes & DCACTRL_RW);
		break;
	}
}

static void
store_general(struct udma_emu *emu, uint16_t offset, uint64_t value, uint64_t lanes)
{
	switch (offset) {
	case REG_GENCTRL:
		emu->genctrl = value & GENCTRL_RW;
		break;
	case REG_INTRCTRL:
		emu->intrctrl = value & INTRCTRL_RW;
		udma_emu_interrupts_settle(emu);
		break;
	case REG_INTRDELAY:
		emu->intrdelay = merge(emu->intrdelay, value, lanes & INTRDELAY_RW);
		break;
	case REG_CHWPREFLMT:
		if (emu->part->capabilities & UDMA_EMU_CAP_DPS) {
			emu->chwpreflmt = value;
		}
		break;
	}
}

static void
store_msix(struct udma_emu *emu, uint16_t offset, uint64_t value, uint64_t lanes)
{
	struct udma_emu_interrupts *interrupts = &emu->interrupts;

	switch (offset) {
	case REG_MSIX_ADDRESS:
		interrupts->msix_address =
			merge(interrupts->msix_address, value, lanes & MSIX_ADDRESS_RW);
		break;
	case REG_MSIX_DATA:
		interrupts->msix_data = merge(interrupts->msix_data, value, lanes);
		break;
	case REG_MSIX_CONTROL:
		if (lanes & MSIX_CONTROL_MASK) {
			interrupts->msix_masked = value & MSIX_CONTROL_MASK;
			udma_emu_interrupts_settle(emu);
		}
		break;
	}
}

static void
store(struct udma_emu *emu, uint16_t offset, uint64_t value, uint64_t lanes)
{
	if (offset >= REG_MSIX_ADDRESS) {
		store_msix(emu, offset, value, lanes);
	} else if (offset >= REG_CHANCTRL) {
		store_channel(emu, offset, value, lanes);
	} else {
		store_general(emu, offset, value, lanes);
	}
}

static bool
access_is_valid(uint32_t offset, unsigned width)
{
	return (width == 1 || width == 2 || width == 4 || width == 8) && offset % width == 0 &&
	       offset < UDMA_EMU_BAR_SIZE;
}

/**
 * \return the offset as g_registers has it, where MSI-X is at offsets of our own; beyond the BAR if
 * there is nothing.
 */
static uint32_t
canonical(const struct udma_emu *emu, uint32_t offset)
{
	uint32_t table = emu->part->msix_table, pba = emu->part->msix_pba;

	if (offset < REG_DCACTRL + 8) {
		return offset;
	}
	if (!(emu->config.interrupts & UDMA_EMU_MSIX)) {
		return UDMA_EMU_BAR_SIZE;
	}
	if (offset - table < MSIX_TABLE_SIZE) {
		return offset - table + REG_MSIX_ADDRESS;
	}
	return offset - pba < MSIX_PBA_SIZE ? offset - pba + REG_MSIX_PBA : UDMA_EMU_BAR_SIZE;
}

/**
 * Cuts an access to what it touches of a register.
 *
 * \param up set to how many bytes the register lies above the access's offset, or below if
 * negative. \return the register's lanes; 0 if it is not touched.
 */
static uint64_t
lanes_of(size_t reg, uint32_t offset, unsigned width, int *up)
{
	*up = (int)g_registers[reg].offset - (int)offset;
	if (*up >= (int)width || *up + g_registers[reg].size <= 0) {
		return 0;
	}
	return shift_bytes(low_bytes(width), -*up) & low_bytes(g_registers[reg].size);
}

uint64_t
udma_emu_read(struct udma_emu *emu, uint32_t offset, unsigned width)
{
	uint64_t value = 0;
	size_t i;

	if (!access_is_valid(offset, width)) {
		return 0;
	}
	if (emu->faulty && emu->faults->absent) {
		return low_bytes(width);
	}
	offset = canonical(emu, offset);
	for (i = 0; i < SPDK_COUNTOF(g_registers) && g_registers[i].offset < offset + width; i++) {
		int up;
		uint64_t lanes = lanes_of(i, offset, width, &up);

		if (lanes != 0) {
			value |= shift_bytes(load(emu, g_registers[i].offset, lanes) & lanes, up);
		}
	}
	return value;
}

void
udma_emu_write(struct udma_emu *emu, uint32_t offset, unsigned width, uint64_t value)
{
	size_t i;

	if (!access_is_valid(offset, width) || (emu->faulty && emu->faults->absent)) {
		return;
	}
	offset = canonical(emu, offset);
	for (i = 0; i < SPDK_COUNTOF(g_registers) && g_registers[i].offset < offset + width; i++) {
		int up;
		uint64_t lanes = lanes_of(i, offset, width, &up);

		if (lanes != 0) {
			store(emu, g_registers[i].offset, shift_bytes(value, -up) & lanes, lanes);
		}
	}
}
