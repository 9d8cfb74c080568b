/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the files of this room tell each other, and how the environment starts and ends it.
 */

#ifndef UDMA_PCI_INTERNAL_H
#define UDMA_PCI_INTERNAL_H

#include "spdk/env.h"

/* registry.c */

/** Takes over the allow and block lists (copied). */
int udma_pci_init(const struct spdk_env_opts *opts);
/** Detaches what is attached, with a log line each, and forgets the lists. Hooked devices stay hooked. */
void udma_pci_fini(void);
/** Whether the allow and block lists let an address be offered. */
bool udma_pci_is_allowed(const struct spdk_pci_addr *addr);

/* emulated.c: the in-process host of lib/emu */

/** What UDMA_EMULATE asks for. */
struct udma_emulated_config {
	unsigned count;       /* channels; 0 for none */
	unsigned iova_bits;   /* width of the emulated IOMMU; 64 unless asked otherwise */
	uint8_t xfercap;      /* log2 of the largest transfer */
	uint32_t flip_every;  /* flip a byte in every n-th descriptor; 0 for never */
};

/** Reads a value of UDMA_EMULATE; NULL asks for none. \return 0; -EINVAL, logged. */
int udma_emulated_parse(const char *text, struct udma_emulated_config *config);
/** Makes the emulated functions appear. Memory registration must work already. */
int udma_emulated_init(const struct udma_emulated_config *config);
/** Takes them away again. They must have been detached. */
void udma_emulated_fini(void);

#endif
