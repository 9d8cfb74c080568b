/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * DMA memory for the driver under test. AddressSanitizer watches both sides of each piece, and
 * pieces that have been freed.
 */

#ifndef TEST_FUZZ_MEMORY_H
#define TEST_FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/** Once, with the environment started. */
void memory_init(void);
/** Frees everything. \param refuse which allocation from now on finds no memory; 0 for none. */
void memory_begin(unsigned refuse);
/** Whether all of a range is allocated. */
bool memory_is_allocated(const void *start, size_t size);
/** Whether there was no memory for an allocation. */
bool memory_has_refused(void);
/** \return the number of pieces that are allocated. */
unsigned memory_pieces(void);

#endif
