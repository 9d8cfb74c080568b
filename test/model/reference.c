/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What there is, and BAR0: sections 1.1, 3 and 4.
 */

#include <string.h>

#include "reference.h"

/* ---- Section 1.1 ---- */

/* First and last id, CBVER, DMACAPABILITY, MSI-X table and PBA, whether RESET clears them, advanced
 * error reporting, the bits for memory that is not granted: source, destination. */
static const struct reference_part parts[] = {
	{0x3710, 0x3717, 0x32, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x3718, 0x3719, 0x32, 0x000341, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x3C20, 0x3C27, 0x32, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x3C2E, 0x3C2F, 0x32, 0x000341, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x0E20, 0x0E27, 0x32, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x0E2E, 0x0E2F, 0x32, 0x000341, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x2F20, 0x2F27, 0x32, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x2F2E, 0x2F2F, 0x32, 0x000341, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x6F20, 0x6F27, 0x32, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x6F2E, 0x6F2F, 0x32, 0x000341, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x0C50, 0x0C51, 0x33, 0x022341, 0x1000, 0x1800, true, true, 0x100, 0x200},
	{0x0C52, 0x0C53, 0x33, 0x000041, 0x1000, 0x1800, true, true, 0x100, 0x200},
	{0x6F50, 0x6F53, 0x33, 0x000041, 0x1000, 0x1800, true, true, 0x100, 0x200},
	{0x2021, 0x2021, 0x33, 0x000041, 0x2000, 0x3000, false, false, 0x100, 0x200},
	{0x0B00, 0x0B00, 0x34, 0x800041, 0x2000, 0x3000, false, true, 0x1, 0x2},
};

static const struct reference_part *
find_part(uint16_t device_id)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (device_id >= parts[i].first && device_id <= parts[i].last) {
			return &parts[i];
		}
	}
	return NULL;
}

bool
reference_init(struct reference *r, const struct reference_config *config,
	       const struct reference_memory *memory)
{
	memset(r, 0, sizeof(*r));
	r->config = *config;
	r->memory = *memory;
	if (r->config.device_id == 0) {
		r->config.device_id = 0x2021;
	}
	if (r->config.xfercap == 0) {
		r->config.xfercap = 20;
	}
	if (r->config.intx_pin == 0) {
		r->config.intx_pin = 1;
	}
	r->part = find_part(r->config.device_id);
	if (r->part == NULL || r->config.xfercap < 12 || r->config.xfercap > 31 ||
	    r->config.intx_pin > 4 || r->config.interrupts > 7) {
		return false;
	}
	reference_config_init(r);
	reference_reset(r);
	return true;
}

void
reference_reset(struct reference *r)
{
	r->genctrl = 0;
	r->master_int_en = false;
	r->msix_vector_control = false;
	r->intrdelay = 0;
	r->chwpreflmt = 0;
	r->chanctrl = 0;
	r->in_use = false;
	r->chancmp = 0;
	r->chanerr = 0;
	r->chanerrmsk = 0;
	r->dcactrl = 0;
	reference_channel_reset(r);
	reference_interrupts_reset(r);
	reference_config_reset(r);
	reference_drive_line(r);
}

/* ---- Sections 3 and 4: registers ---- */

/* What a register holds after those bits of it that are in `mask` were written. */
static uint64_t
merge(uint64_t old, uint64_t value, uint64_t mask)
{
	return (old & ~mask) | (value & mask);
}

static uint64_t
intrctrl(const struct reference *r)
{
	return (uint64_t)r->master_int_en | (uint64_t)r->attention << 1 |
	       (uint64_t)(r->attention && r->master_int_en) << 2 |
	       (uint64_t)r->msix_vector_control << 3;
}

/* Section 3. `mask` is what of the register is looked at. */
static uint64_t
read_general(struct reference *r, uint32_t offset, uint64_t mask)
{
	uint64_t value;

	switch (offset) {
	case 0x00:
		return 1;
	case 0x01:
		return r->config.xfercap;
	case 0x02:
		return r->genctrl;
	case 0x03:
		return intrctrl(r);
	case 0x04:
		value = r->attention;
		if ((mask & 1) != 0) {
			r->attention = false;
		}
		return value;
	case 0x08:
		return r->part->version;
	case 0x0C:
		return r->intrdelay | 0x8000;
	case 0x10:
		return r->part->capabilities;
	case 0x4C:
		return r->chwpreflmt;
	}
	return 0;
}

static uint64_t
read_chanctrl(struct reference *r, uint64_t mask)
{
	uint64_t value = r->chanctrl | (r->in_use ? CTRL_IN_USE : 0) | (r->sent ? CTRL_REARM : 0);

	if ((mask & CTRL_IN_USE) != 0) {
		r->in_use = true;
	}
	return value;
}

/* Section 4. */
static uint64_t
read_channel(struct reference *r, uint32_t offset, uint64_t mask)
{
	switch (offset) {
	case 0x80:
		return read_chanctrl(r, mask);
	case 0x82:
		return 4;
	case 0x86:
		return r->dmacount;
	case 0x88:
		return r->good | (uint64_t)r->state;
	case 0x90:
		return r->chainaddr;
	case 0x98:
		return r->chancmp;
	case 0xA0:
		return r->cdar;
	case 0xA8:
		return r->chanerr;
	case 0xAC:
		return r->chanerrmsk;
	case 0xB0:
		return r->dcactrl;
	}
	return 0;
}

static uint64_t
read_msix(const struct reference *r, uint32_t offset)
{
	if (offset == r->part->table) {
		return r->msix_address;
	}
	if (offset == r->part->table + 8u) {
		return r->msix_data;
	}
	if (offset == r->part->table + 12u) {
		return r->msix_masked;
	}
	return r->msix_pending;
}

static void
write_general(struct reference *r, uint32_t offset, uint64_t value, uint64_t mask)
{
	switch (offset) {
	case 0x02:
		r->genctrl = merge(r->genctrl, value, mask) & 1;
		break;
	case 0x03:
		r->master_int_en = (value & 1) != 0;
		r->msix_vector_control = (value & 8) != 0;
		break;
	case 0x0C:
		r->intrdelay = merge(r->intrdelay, value, mask) & 0x3FFF;
		break;
	case 0x4C:
		if ((r->part->capabilities & CAP_DPS) != 0) {
			r->chwpreflmt = (uint8_t)value;
		}
		break;
	}
}

static void
write_chanctrl(struct reference *r, uint64_t value, uint64_t mask)
{
	r->chanctrl = merge(r->chanctrl, value, mask) & 0xF23C;
	if ((mask & CTRL_IN_USE) != 0 && (value & CTRL_IN_USE) == 0) {
		r->in_use = false;
	}
	if ((mask & CTRL_REARM) != 0 && (value & CTRL_REARM) != 0) {
		r->sent = false;
		r->attention = false;
	}
}

static void
write_channel(struct reference *r, uint32_t offset, uint64_t value, uint64_t mask)
{
	switch (offset) {
	case 0x80:
		write_chanctrl(r, value, mask);
		break;
	case 0x84:
		reference_command(r, (uint8_t)value);
		break;
	case 0x86:
		r->dmacount = (uint16_t)merge(r->dmacount, value, mask);
		reference_count(r);
		break;
	case 0x90:
		r->chainaddr = merge(r->chainaddr, value, mask);
		if (mask >> 56 != 0) {
			reference_arm(r);
		}
		break;
	case 0x98:
		r->chancmp = merge(r->chancmp, value, mask);
		break;
	case 0xA8:
		r->chanerr &= ~(uint32_t)(value & mask);
		break;
	case 0xAC:
		r->chanerrmsk = (uint32_t)merge(r->chanerrmsk, value, mask);
		break;
	case 0xB0:
		r->dcactrl = (uint32_t)merge(r->dcactrl, value, mask) & 0x1FFFF;
		break;
	}
}

static void
write_msix(struct reference *r, uint32_t offset, uint64_t value, uint64_t mask)
{
	if (offset == r->part->table) {
		r->msix_address = merge(r->msix_address, value, mask) & ~3ull;
	} else if (offset == r->part->table + 8u) {
		r->msix_data = (uint32_t)merge(r->msix_data, value, mask);
	} else if (offset == r->part->table + 12u && (mask & 1) != 0) {
		r->msix_masked = (value & 1) != 0;
	}
}

/* ---- Accesses: cut into registers, in ascending order ---- */

struct place {
	uint32_t offset;
	unsigned size;
};

static const struct place places[] = {
	{0x00, 1}, {0x01, 1}, {0x02, 1}, {0x03, 1}, {0x04, 4}, {0x08, 1}, {0x0C, 2},
	{0x10, 4}, {0x4C, 1}, {0x80, 2}, {0x82, 2}, {0x84, 1}, {0x86, 2}, {0x88, 8},
	{0x90, 8}, {0x98, 8}, {0xA0, 8}, {0xA8, 4}, {0xAC, 4}, {0xB0, 4},
};

/* The register that the byte at this offset belongs to. \return false if there is none. */
static bool
find_place(const struct reference *r, uint32_t offset, struct place *found)
{
	const struct place msix[] = {
		{r->part->table, 8},
		{r->part->table + 8u, 4},
		{r->part->table + 12u, 4},
		{r->part->pba, 8},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (offset < places[i].offset) {
			break;
		}
		if (offset < places[i].offset + places[i].size) {
			*found = places[i];
			return true;
		}
	}
	for (size_t i = 0; i < 4 && (r->config.interrupts & REFERENCE_MSIX) != 0; i++) {
		if (offset >= msix[i].offset && offset < msix[i].offset + msix[i].size) {
			*found = msix[i];
			return true;
		}
	}
	return false;
}

static bool
is_access(uint32_t offset, unsigned width)
{
	return (width == 1 || width == 2 || width == 4 || width == 8) && offset % width == 0 &&
	       offset < REFERENCE_BAR_SIZE;
}

/* The bits of a register that bytes [from, to) of BAR0 hold. */
static uint64_t
bits_between(const struct place *place, uint32_t from, uint32_t to)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < place->size; i++) {
		if (place->offset + i >= from && place->offset + i < to) {
			mask |= 0xFFull << 8 * i;
		}
	}
	return mask;
}

static uint64_t
read_place(struct reference *r, const struct place *place, uint64_t mask)
{
	if (place->offset < 0x80) {
		return read_general(r, place->offset, mask);
	}
	if (place->offset < 0x100) {
		return read_channel(r, place->offset, mask);
	}
	return read_msix(r, place->offset);
}

static void
write_place(struct reference *r, const struct place *place, uint64_t value, uint64_t mask)
{
	if (place->offset < 0x80) {
		write_general(r, place->offset, value, mask);
	} else if (place->offset < 0x100) {
		write_channel(r, place->offset, value, mask);
	} else {
		write_msix(r, place->offset, value, mask);
	}
	reference_send(r);
	reference_drive_line(r);
}

/* The bytes of an access that belong to one register, seen from the register and from the access.
 */
static uint64_t
shifted(uint64_t value, int bytes)
{
	return bytes >= 0 ? value << 8 * bytes : value >> -8 * bytes;
}

uint64_t
reference_read(struct reference *r, uint32_t offset, unsigned width)
{
	uint64_t result = 0;
	struct place place;

	if (!is_access(offset, width)) {
		return 0;
	}
	for (uint32_t at = offset; at < offset + width; at++) {
		if (find_place(r, at, &place)) {
			uint64_t mask = bits_between(&place, offset, offset + width);
			uint64_t value = read_place(r, &place, mask) & mask;

			result |= shifted(value, (int)place.offset - (int)offset);
			at = place.offset + place.size - 1;
		}
	}
	reference_drive_line(r);
	return result;
}

void
reference_write(struct reference *r, uint32_t offset, unsigned width, uint64_t value)
{
	struct place place;

	if (!is_access(offset, width)) {
		return;
	}
	for (uint32_t at = offset; at < offset + width; at++) {
		if (find_place(r, at, &place)) {
			uint64_t mask = bits_between(&place, offset, offset + width);
			uint64_t bits = shifted(value, (int)offset - (int)place.offset) & mask;

			write_place(r, &place, bits, mask);
			at = place.offset + place.size - 1;
		}
	}
}
