/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef UDMA_IOAT_PATIENCE_H
#define UDMA_IOAT_PATIENCE_H

#include <time.h>

#include "channel.h"

/** A wait that spins for short times, sleeps for longer ones, and comes to an end. */
struct patience {
	uint64_t deadline;
	unsigned step_us;
};

static inline struct patience
patience_of(unsigned limit_us)
{
	return (struct patience){
		.deadline = spdk_get_ticks() + udma_ioat_ticks_of_us(limit_us),
		.step_us = 1,
	};
}

/** \return false once the time is over. */
static inline bool
wait_a_little(struct patience *patience)
{
	if (spdk_get_ticks() >= patience->deadline) {
		return false;
	}
	if (patience->step_us < 16) {
		spdk_delay_us(patience->step_us);
	} else {
		struct timespec pause = {.tv_nsec = patience->step_us * 1000l};

		nanosleep(&pause, NULL);
	}
	if (patience->step_us < 1000) {
		patience->step_us *= 2;
	}
	return true;
}

#endif
