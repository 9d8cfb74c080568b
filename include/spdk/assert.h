/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Assertions checked at compile time.
 */

#ifndef SPDK_ASSERT_H
#define SPDK_ASSERT_H

#include "spdk/stdinc.h"

#if defined(__cplusplus)
#define SPDK_STATIC_ASSERT(cond, msg) static_assert(cond, msg)
#else
#define SPDK_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#endif

#endif
