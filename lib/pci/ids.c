/* SPDX-License-Identifier: BSD-3-Clause */

/* The I/OAT functions that the driver serves (section 1.1 of the hardware reference). Older
 * engines, before version 3.2 on Xeon E5, are not among them. */

#include "pci_internal.h"
#include "udma/pci.h"

#define IOAT_IDS(ID)                                                                               \
	ID(SNB0, "Sandy Bridge-EP")                                                                \
	ID(SNB1, "Sandy Bridge-EP")                                                                \
	ID(SNB2, "Sandy Bridge-EP")                                                                \
	ID(SNB3, "Sandy Bridge-EP")                                                                \
	ID(SNB4, "Sandy Bridge-EP")                                                                \
	ID(SNB5, "Sandy Bridge-EP")                                                                \
	ID(SNB6, "Sandy Bridge-EP")                                                                \
	ID(SNB7, "Sandy Bridge-EP")                                                                \
	ID(SNB8, "Sandy Bridge-EP")                                                                \
	ID(SNB9, "Sandy Bridge-EP")                                                                \
	ID(IVB0, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB1, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB2, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB3, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB4, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB5, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB6, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB7, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB8, "Ivy Bridge-EP/EX")                                                               \
	ID(IVB9, "Ivy Bridge-EP/EX")                                                               \
	ID(HSW0, "Haswell-EP")                                                                     \
	ID(HSW1, "Haswell-EP")                                                                     \
	ID(HSW2, "Haswell-EP")                                                                     \
	ID(HSW3, "Haswell-EP")                                                                     \
	ID(HSW4, "Haswell-EP")                                                                     \
	ID(HSW5, "Haswell-EP")                                                                     \
	ID(HSW6, "Haswell-EP")                                                                     \
	ID(HSW7, "Haswell-EP")                                                                     \
	ID(HSW8, "Haswell-EP")                                                                     \
	ID(HSW9, "Haswell-EP")                                                                     \
	ID(BWD0, "Atom S1200")                                                                     \
	ID(BWD1, "Atom S1200")                                                                     \
	ID(BWD2, "Atom S1200")                                                                     \
	ID(BWD3, "Atom S1200")                                                                     \
	ID(BDXDE0, "Broadwell-DE")                                                                 \
	ID(BDXDE1, "Broadwell-DE")                                                                 \
	ID(BDXDE2, "Broadwell-DE")                                                                 \
	ID(BDXDE3, "Broadwell-DE")                                                                 \
	ID(BDX0, "Broadwell-EP")                                                                   \
	ID(BDX1, "Broadwell-EP")                                                                   \
	ID(BDX2, "Broadwell-EP")                                                                   \
	ID(BDX3, "Broadwell-EP")                                                                   \
	ID(BDX4, "Broadwell-EP")                                                                   \
	ID(BDX5, "Broadwell-EP")                                                                   \
	ID(BDX6, "Broadwell-EP")                                                                   \
	ID(BDX7, "Broadwell-EP")                                                                   \
	ID(BDX8, "Broadwell-EP")                                                                   \
	ID(BDX9, "Broadwell-EP")                                                                   \
	ID(SKX, "Skylake-SP")                                                                      \
	ID(ICX, "Ice Lake-SP")

#define ID_ENTRY(part, name) {SPDK_PCI_DEVICE(SPDK_PCI_VID_INTEL, PCI_DEVICE_ID_INTEL_IOAT_##part)},
#define NAME_CASE(part, name)                                                                      \
	case PCI_DEVICE_ID_INTEL_IOAT_##part:                                                      \
		return name;

struct spdk_pci_id udma_pci_ioat_ids[] = {IOAT_IDS(ID_ENTRY){.vendor_id = 0}};

const char *
udma_pci_generation(uint16_t device_id)
{
	switch (device_id) {
		IOAT_IDS(NAME_CASE)
	default:
		return NULL;
	}
}
