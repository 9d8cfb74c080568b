/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * CRC-32 as gzip has it, of pieces that are put together afterwards.
 *
 * The checksum of nothing is 0.
 */

#ifndef UDMA_TOOL_CHECKSUM_H
#define UDMA_TOOL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/** \return the checksum of some bytes. */
uint32_t checksum_of(const void *bytes, size_t length);
/** \return the checksum of two pieces in a row, from theirs and the length of the second. */
uint32_t checksum_append(uint32_t first, uint32_t second, uint64_t second_length);
/** \return the checksum of a piece with zeroes behind it, however many, at once. */
uint32_t checksum_append_zeroes(uint32_t first, uint64_t count);

#endif
