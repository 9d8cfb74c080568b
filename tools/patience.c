/* SPDX-License-Identifier: BSD-3-Clause */

#include "patience.h"
#include "progress.h"

#include "spdk/env.h"
#include "spdk/util.h"

/* An engine is polled this often in a row before the core is left to others for a moment. */
#define POLLS_IN_A_ROW 50
#define NAP_NS         20000
/* A longer time between two naps is not the engine's: the process was stopped, or had no core. */
#define LONGEST_STEP 0.5

void
patience_renew(struct patience *patience)
{
	patience->polls = 0;
	patience->waited = 0;
}

double
patience_wait(struct patience *patience)
{
	struct timespec nap = {.tv_nsec = NAP_NS};
	double now;

	if (++patience->polls % POLLS_IN_A_ROW != 0) {
		spdk_pause();
		return patience->waited;
	}
	nanosleep(&nap, NULL);
	now = seconds_now();
	if (patience->polls > POLLS_IN_A_ROW) {
		patience->waited += spdk_min(now - patience->last, LONGEST_STEP);
	}
	patience->last = now;
	return patience->waited;
}
