/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What udma list has found, and how it is printed.
 */

#ifndef UDMA_TOOL_LIST_H
#define UDMA_TOOL_LIST_H

#include "udma/pci.h"

#define COMM_BYTES 32

/** A function, wherever it was found. */
struct entry {
	struct udma_pci_function function;
	const char *kind;
	unsigned capabilities; /* enum udma_ioat_capability; 0: not known */
	char holder_name[COMM_BYTES];
};

struct entries {
	struct entry *list;
	unsigned count;
	bool no_memory;
};

/** \return an exit status, said. */
int list_print_table(const struct entries *entries);
void list_print_json(const struct entries *entries);

#endif
