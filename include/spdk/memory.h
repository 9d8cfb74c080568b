/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Present because programs written for SPDK include it; spdk/env.h has the memory calls.
 */

#ifndef SPDK_MEMORY_H
#define SPDK_MEMORY_H

#include "spdk/stdinc.h"

#define SHIFT_2MB 21
#define VALUE_2MB (1ULL << SHIFT_2MB)
#define MASK_2MB  (VALUE_2MB - 1)
#define SHIFT_4KB 12
#define VALUE_4KB (1ULL << SHIFT_4KB)
#define MASK_4KB  (VALUE_4KB - 1)

#define _2MB_OFFSET(ptr) (((uintptr_t)(ptr)) & MASK_2MB)
#define _4KB_OFFSET(ptr) (((uintptr_t)(ptr)) & MASK_4KB)

#endif
