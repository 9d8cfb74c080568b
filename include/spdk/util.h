/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Small arithmetic that programs written for SPDK take from here.
 */

#ifndef SPDK_UTIL_H
#define SPDK_UTIL_H

#include "spdk/stdinc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SPDK_CACHE_LINE_SIZE 64

#define spdk_min(a, b)                      (((a) < (b)) ? (a) : (b))
#define spdk_max(a, b)                      (((a) > (b)) ? (a) : (b))
#define SPDK_COUNTOF(arr)                   (sizeof(arr) / sizeof((arr)[0]))
#define SPDK_CONTAINEROF(ptr, type, member) ((type *)((uintptr_t)(ptr)-offsetof(type, member)))
#define SPDK_SIZEOF_MEMBER(type, member)    (sizeof(((type *)0)->member))
#define SPDK_CEIL_DIV(x, y)                 (((x) + (y)-1) / (y))
#define SPDK_ALIGN_FLOOR(val, align)        ((val) & ~((__typeof__(val))(align)-1))
#define SPDK_ALIGN_CEIL(val, align)         SPDK_ALIGN_FLOOR((val) + ((__typeof__(val))(align)-1), align)

/** \return the position of the highest set bit; 0 for 0. */
static inline uint32_t
spdk_u32log2(uint32_t x)
{
	return x == 0 ? 0 : 31u - (uint32_t)__builtin_clz(x);
}

/** \return the position of the highest set bit; 0 for 0. */
static inline uint64_t
spdk_u64log2(uint64_t x)
{
	return x == 0 ? 0 : 63u - (uint64_t)__builtin_clzll(x);
}

/** \return the smallest power of two not below `x`, for `x` from 1 to 2^31. */
static inline uint32_t
spdk_align32pow2(uint32_t x)
{
	return x <= 1 ? 1 : 1u << (1 + spdk_u32log2(x - 1));
}

/** \return the smallest power of two not below `x`, for `x` from 1 to 2^63. */
static inline uint64_t
spdk_align64pow2(uint64_t x)
{
	return x <= 1 ? 1 : 1ull << (1 + spdk_u64log2(x - 1));
}

static inline bool
spdk_u32_is_pow2(uint32_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

static inline bool
spdk_u64_is_pow2(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

static inline uint64_t
spdk_divide_round_up(uint64_t num, uint64_t divisor)
{
	return (num + divisor - 1) / divisor;
}

#ifdef __cplusplus
}
#endif

#endif
