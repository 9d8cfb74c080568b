/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * How long it takes to bring a channel up and to take it down again.
 */

#include "bench.h"

#define ROUNDS 200

int
main(void)
{
	struct spdk_ioat_chan *chan = bench_start();
	double up = 0, down = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = bench_seconds();

		spdk_ioat_detach(chan);
		down += bench_seconds() - start;
		chan = NULL;
		start = bench_seconds();
		if (spdk_ioat_probe(&chan, bench_say_yes, bench_take) != 0 || chan == NULL) {
			return 1;
		}
		up += bench_seconds() - start;
	}
	printf("attach %.0f us, detach %.0f us, of which most is the ring's 2 MiB\n",
	       up / ROUNDS * 1e6, down / ROUNDS * 1e6);
	spdk_ioat_detach(chan);
	spdk_env_fini();
	return 0;
}
