/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Device register access, with the width in the name.
 *
 * Each call is one access that the compiler neither drops nor splits. None of them is a barrier:
 * see spdk/barrier.h. The 64-bit forms are one access on 64-bit machines and two (low half first)
 * elsewhere.
 */

#ifndef SPDK_MMIO_H
#define SPDK_MMIO_H

#include "spdk/stdinc.h"
#include "spdk/barrier.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline uint8_t
spdk_mmio_read_1(const volatile uint8_t *addr)
{
	spdk_compiler_barrier();
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
}

static inline void
spdk_mmio_write_1(volatile uint8_t *addr, uint8_t val)
{
	spdk_compiler_barrier();
	__atomic_store_n(addr, val, __ATOMIC_RELAXED);
}

static inline uint16_t
spdk_mmio_read_2(const volatile uint16_t *addr)
{
	spdk_compiler_barrier();
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
}

static inline void
spdk_mmio_write_2(volatile uint16_t *addr, uint16_t val)
{
	spdk_compiler_barrier();
	__atomic_store_n(addr, val, __ATOMIC_RELAXED);
}

static inline uint32_t
spdk_mmio_read_4(const volatile uint32_t *addr)
{
	spdk_compiler_barrier();
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
}

static inline void
spdk_mmio_write_4(volatile uint32_t *addr, uint32_t val)
{
	spdk_compiler_barrier();
	__atomic_store_n(addr, val, __ATOMIC_RELAXED);
}

static inline uint64_t
spdk_mmio_read_8(const volatile uint64_t *addr)
{
	spdk_compiler_barrier();
#if UINTPTR_MAX == UINT64_MAX
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
#else
	const volatile uint32_t *half = (const volatile uint32_t *)addr;
	uint64_t low = spdk_mmio_read_4(half);

	return (uint64_t)spdk_mmio_read_4(half + 1) << 32 | low;
#endif
}

static inline void
spdk_mmio_write_8(volatile uint64_t *addr, uint64_t val)
{
	spdk_compiler_barrier();
#if UINTPTR_MAX == UINT64_MAX
	__atomic_store_n(addr, val, __ATOMIC_RELAXED);
#else
	volatile uint32_t *half = (volatile uint32_t *)addr;

	spdk_mmio_write_4(half, (uint32_t)val);
	spdk_mmio_write_4(half + 1, (uint32_t)(val >> 32));
#endif
}

#ifdef __cplusplus
}
#endif

#endif
