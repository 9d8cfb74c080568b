/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * In place of the header of the same name: each access to a register is a call to the device.
 */

#ifndef SPDK_MMIO_H
#define SPDK_MMIO_H

#include "spdk/stdinc.h"

/** Reads a register, after the device has done what it likes. */
uint64_t device_read(const volatile void *address, unsigned width);
void device_write(volatile void *address, unsigned width, uint64_t value);

static inline uint8_t
spdk_mmio_read_1(const volatile uint8_t *address)
{
	return (uint8_t)device_read(address, 1);
}

static inline uint16_t
spdk_mmio_read_2(const volatile uint16_t *address)
{
	return (uint16_t)device_read(address, 2);
}

static inline uint32_t
spdk_mmio_read_4(const volatile uint32_t *address)
{
	return (uint32_t)device_read(address, 4);
}

static inline void
spdk_mmio_write_1(volatile uint8_t *address, uint8_t value)
{
	device_write(address, 1, value);
}

static inline void
spdk_mmio_write_2(volatile uint16_t *address, uint16_t value)
{
	device_write(address, 2, value);
}

static inline void
spdk_mmio_write_4(volatile uint32_t *address, uint32_t value)
{
	device_write(address, 4, value);
}

#endif
