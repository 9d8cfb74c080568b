/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What differs from part to part (sections 1.1, 3 and 13).
 *
 * Of no part the complete DMACAPABILITY is known (section 16, point 17). The RAID functions of
 * version 3.2 offer XOR and PQ, by their name (section 1.1): Linux uses neither there, for it
 * clears both, and RAID16SS, on all of 3.2 (section 13). 0C50h and 0C51h offer what Linux would use
 * there, 0B00h descriptor prefetch, and all of them what is carried out for every part.
 */

#include "emu_internal.h"

#define CAPS_ALL    (SPDK_IOAT_DMACAP_PB | SPDK_IOAT_DMACAP_BFILL)
#define CAPS_RAID   (CAPS_ALL | SPDK_IOAT_DMACAP_XOR | SPDK_IOAT_DMACAP_PQ)
#define CAPS_RAID16 (CAPS_RAID | UDMA_EMU_CAP_DWBES | UDMA_EMU_CAP_RAID16SS)

/* Where the MSI-X table and PBA are (section 3). */
#define MSIX      .msix_table = 0x2000, .msix_pba = 0x3000
#define MSIX_ATOM .msix_table = 0x1000, .msix_pba = 0x1800, .reset_clears_msix = true

#define ERRORS_DATA .bad_source = UDMA_EMU_READ_DATA, .bad_destination = UDMA_EMU_WRITE_DATA
#define ERRORS_ADDRESS                                                                             \
	.bad_source = UDMA_EMU_SOURCE_ADDRESS, .bad_destination = UDMA_EMU_DESTINATION_ADDRESS

#define V32(first, last, caps)                                                                     \
	{                                                                                          \
		first, last, 0x32, caps, MSIX, ERRORS_DATA                                         \
	}
#define ATOM(first, last, caps)                                                                    \
	{                                                                                          \
		first, last, 0x33, caps, MSIX_ATOM, .has_aer = true, ERRORS_DATA                   \
	}

static const struct udma_emu_part g_parts[] = {
	V32(0x3710, 0x3717, CAPS_ALL),     /* Jasper Forest */
	V32(0x3718, 0x3719, CAPS_RAID),    /* and its RAID functions */
	V32(0x3C20, 0x3C27, CAPS_ALL),     /* Sandy Bridge */
	V32(0x3C2E, 0x3C2F, CAPS_RAID),    /* as channels 0 and 1 */
	V32(0x0E20, 0x0E27, CAPS_ALL),     /* Ivy Bridge */
	V32(0x0E2E, 0x0E2F, CAPS_RAID),    /* */
	V32(0x2F20, 0x2F27, CAPS_ALL),     /* Haswell */
	V32(0x2F2E, 0x2F2F, CAPS_RAID),    /* */
	V32(0x6F20, 0x6F27, CAPS_ALL),     /* Broadwell */
	V32(0x6F2E, 0x6F2F, CAPS_RAID),    /* */
	ATOM(0x0C50, 0x0C51, CAPS_RAID16), /* Atom S1200 */
	ATOM(0x0C52, 0x0C53, CAPS_ALL),    /* without RAID */
	ATOM(0x6F50, 0x6F53, CAPS_ALL),    /* Broadwell-DE */
	/* Point 1: Skylake reports 33h, as the silicon that was read does. */
	{0x2021, 0x2021, 0x33, CAPS_ALL, MSIX, ERRORS_DATA},
	/* Ice Lake */
	{0x0B00, 0x0B00, 0x34, CAPS_ALL | UDMA_EMU_CAP_DPS, MSIX, .has_aer = true, ERRORS_ADDRESS},
};

const struct udma_emu_part *
udma_emu_part(uint16_t device_id)
{
	size_t i;

	for (i = 0; i < SPDK_COUNTOF(g_parts); i++) {
		if (device_id >= g_parts[i].first && device_id <= g_parts[i].last) {
			return &g_parts[i];
		}
	}
	return NULL;
}

/** Names of generations, and the ids of their functions in order. RAID variants go by their id. */
static const struct {
	const char *name;
	uint16_t first, last;
} g_generations[] = {
	{"jsf", 0x3710, 0x3717}, {"snb", 0x3C20, 0x3C27},   {"ivb", 0x0E20, 0x0E27},
	{"hsw", 0x2F20, 0x2F27}, {"bdx", 0x6F20, 0x6F27},   {"bwd", 0x0C50, 0x0C53},
	{"skx", 0x2021, 0x2021}, {"bdxde", 0x6F50, 0x6F53}, {"icx", 0x0B00, 0x0B00},
};

/** \return the number that four hexadecimal digits say; 0 if they are not. */
static uint16_t
parse_id(const char *text)
{
	bool is_id = strlen(text) == 4 && strspn(text, "0123456789abcdefABCDEF") == 4;

	return is_id ? (uint16_t)strtoul(text, NULL, 16) : 0;
}

uint16_t
udma_emu_device_id(const char *generation, unsigned index)
{
	uint16_t id;
	size_t i;

	for (i = 0; i < SPDK_COUNTOF(g_generations); i++) {
		if (strcasecmp(generation, g_generations[i].name) == 0) {
			unsigned count = g_generations[i].last - g_generations[i].first + 1u;

			return (uint16_t)(g_generations[i].first + index % count);
		}
	}
	id = parse_id(generation);
	return udma_emu_part(id) != NULL ? id : 0;
}
