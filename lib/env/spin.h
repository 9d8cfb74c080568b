/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A lock for a few instructions. A holder that has lost its core gets one from those who wait.
 */

#ifndef UDMA_ENV_SPIN_H
#define UDMA_ENV_SPIN_H

#include <sched.h>

#include "spdk/env.h"

#define UDMA_SPINS_BEFORE_YIELD 100

/** All zeroes is unlocked. */
struct udma_spin {
	int locked;
};

static inline void
udma_spin_lock(struct udma_spin *spin)
{
	for (unsigned n = 1; __atomic_exchange_n(&spin->locked, 1, __ATOMIC_ACQUIRE); n++) {
		if (n % UDMA_SPINS_BEFORE_YIELD == 0) {
			sched_yield();
		} else {
			spdk_pause();
		}
	}
}

static inline void
udma_spin_unlock(struct udma_spin *spin)
{
	__atomic_store_n(&spin->locked, 0, __ATOMIC_RELEASE);
}

#endif
