/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 2: configuration space, as three arrays: what is there, what is RW, what is RW1C.
 */

#include <string.h>

#include "reference.h"

static void
put(uint8_t *array, uint32_t offset, unsigned width, uint32_t value)
{
	for (unsigned i = 0; i < width; i++) {
		array[offset + i] = (uint8_t)(value >> 8 * i);
	}
}

static uint8_t
after_msix(const struct reference *r)
{
	return (r->config.interrupts & REFERENCE_MSI) != 0 ? 0xD0 : 0xE0;
}

/* ---- Reset values ---- */

static void
reset_header(struct reference *r)
{
	put(r->space, 0x00, 2, 0x8086);
	put(r->space, 0x02, 2, r->config.device_id);
	put(r->space, 0x06, 2, 0x0010);
	put(r->space, 0x08, 4, 0x08800004);
	put(r->space, 0x0E, 1, r->config.multifunction ? 0x80 : 0);
	put(r->space, 0x10, 4, 0x4);
	put(r->space, 0x2C, 2, 0x8086);
	put(r->space, 0x34, 1, (r->config.interrupts & REFERENCE_MSIX) != 0 ? 0x80 : 0x90);
	if ((r->config.interrupts & REFERENCE_INTX) != 0) {
		put(r->space, 0x3D, 1, r->config.intx_pin);
	}
}

static void
reset_capabilities(struct reference *r)
{
	if ((r->config.interrupts & REFERENCE_MSIX) != 0) {
		put(r->space, 0x80, 2, 0x9011);
		put(r->space, 0x84, 4, r->part->table);
		put(r->space, 0x88, 4, r->part->pba);
	}
	put(r->space, 0x90, 2, after_msix(r) << 8 | 0x10);
	put(r->space, 0x92, 2, 0x0092);
	put(r->space, 0x94, 4, 0x10008000);
	put(r->space, 0x98, 2, 0x2810);
	put(r->space, 0xB4, 4, 0x00000010);
	if ((r->config.interrupts & REFERENCE_MSI) != 0) {
		put(r->space, 0xD0, 2, 0xE005);
		put(r->space, 0xD2, 2, 0x0080);
	}
	put(r->space, 0xE0, 4, 0x00030001);
	put(r->space, 0xE4, 2, 0x0008);
}

static void
reset_extended(struct reference *r)
{
	if (r->part->aer) {
		put(r->space, 0x100, 4, 0x00010001);
		put(r->space, 0x10C, 4, 0x00062030);
		put(r->space, 0x114, 4, 0x00002000);
	}
	put(r->space, 0x150, 4, 0x98);
	put(r->space, 0x154, 1, 0x0A);
	put(r->space, 0x184, 4, 0x60000);
	put(r->space, 0x188, 4, 0x10000);
	put(r->space, 0x18C, 1, 0x02);
}

void
reference_config_reset(struct reference *r)
{
	memset(r->space, 0, sizeof(r->space));
	reset_header(r);
	reset_capabilities(r);
	reset_extended(r);
}

/* ---- What can be written ---- */

static void
init_header(struct reference *r)
{
	put(r->writable, 0x04, 2, 0x0406);
	put(r->clearing, 0x06, 2, 0xF900);
	put(r->writable, 0x0C, 1, 0xFF);
	put(r->writable, 0x10, 4, 0xFFFFC000);
	put(r->writable, 0x14, 4, 0xFFFFFFFF);
	put(r->writable, 0x3C, 1, 0xFF);
	put(r->writable, 0x48, 1, 0x03);
	put(r->writable, 0x60, 4, 0xFFFFFFFF);
}

static void
init_capabilities(struct reference *r)
{
	if ((r->config.interrupts & REFERENCE_MSIX) != 0) {
		put(r->writable, 0x82, 2, 0xC000);
	}
	put(r->writable, 0x98, 2, 0x78FF);
	put(r->clearing, 0x9A, 2, 0x000F);
	put(r->writable, 0xB8, 1, 0x10);
	if ((r->config.interrupts & REFERENCE_MSI) != 0) {
		put(r->writable, 0xD2, 2, 0x0001);
		put(r->writable, 0xD4, 4, 0xFFFFFFFC);
		put(r->writable, 0xD8, 4, 0xFFFFFFFF);
		put(r->writable, 0xDC, 2, 0xFFFF);
	}
}

static void
init_extended(struct reference *r)
{
	if (r->part->aer) {
		put(r->clearing, 0x104, 4, 0xFFFFFFFF);
		put(r->writable, 0x108, 4, 0xFFFFFFFF);
		put(r->writable, 0x10C, 4, 0xFFFFFFFF);
		put(r->clearing, 0x110, 4, 0xFFFFFFFF);
		put(r->writable, 0x114, 4, 0xFFFFFFFF);
	}
	put(r->clearing, 0x148, 4, 0xFFFFFFFF);
	put(r->writable, 0x14C, 4, 0xFFFFFFFF);
	put(r->writable, 0x150, 4, 0xFFFFFFFF);
	put(r->clearing, 0x180, 4, 0xFFFFFFFF);
	put(r->writable, 0x184, 4, 0xFFFFFFFF);
	put(r->writable, 0x188, 4, 0xFFFFFFFF);
}

void
reference_config_init(struct reference *r)
{
	init_header(r);
	init_capabilities(r);
	init_extended(r);
}

/* ---- What the rest asks ---- */

bool
reference_bus_master(const struct reference *r)
{
	return (r->space[0x04] & 0x04) != 0;
}

bool
reference_in_d0(const struct reference *r)
{
	return (r->space[0xE4] & 0x03) == 0;
}

bool
reference_msix_enabled(const struct reference *r)
{
	return (r->space[0x83] & 0x80) != 0;
}

bool
reference_msi_enabled(const struct reference *r)
{
	return (r->space[0xD2] & 0x01) != 0;
}

void
reference_record_chanerr_int(struct reference *r, uint32_t bits)
{
	for (unsigned i = 0; i < 4; i++) {
		r->space[0x180 + i] |= (uint8_t)(bits >> 8 * i);
	}
}

/* ---- Accesses ---- */

static bool
inside(uint32_t offset, uint32_t len)
{
	return (uint64_t)offset + len <= REFERENCE_CONFIG_SIZE;
}

bool
reference_config_read(struct reference *r, uint32_t offset, void *buf, uint32_t len)
{
	if (!inside(offset, len)) {
		return false;
	}
	for (uint32_t i = 0; i < len; i++) {
		uint8_t byte = r->space[offset + i];

		if (offset + i == 0x06 && reference_intx_status(r)) {
			byte |= 0x08;
		}
		((uint8_t *)buf)[i] = byte;
	}
	return true;
}

/* D1 and D2 are not there: the state stays as it was. */
static void
write_power_state(struct reference *r, uint8_t byte)
{
	if ((byte & 3) == 0 || (byte & 3) == 3) {
		r->space[0xE4] = (r->space[0xE4] & ~3) | (byte & 3);
	}
}

bool
reference_config_write(struct reference *r, uint32_t offset, const void *buf, uint32_t len)
{
	bool function_reset = false;

	if (!inside(offset, len)) {
		return false;
	}
	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = offset + i;
		uint8_t byte = ((const uint8_t *)buf)[i];

		if (at == 0xE4) {
			write_power_state(r, byte);
		} else if (at == 0x99 && (byte & 0x80) != 0) {
			function_reset = true;
		}
		r->space[at] = (r->space[at] & ~r->writable[at]) | (byte & r->writable[at]);
		r->space[at] &= ~(byte & r->clearing[at]);
	}
	if (function_reset) {
		reference_reset(r);
	}
	reference_send(r);
	reference_drive_line(r);
	return true;
}
