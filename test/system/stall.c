/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Preloaded in front of the library: a channel that is fine for a number of polls and then halts,
 * or is never done any more. No emulated channel can be asked for that.
 *
 * STALL=halt|hang|rush  what happens; with "rush" it hangs and time flies, a millisecond a poll
 * STALL_AFTER=N         polls before that
 * STALL_ONE=1           only to the channel that is polled first
 * STALL_SIGN=PATH       a file that appears when it happens
 */

#include "spdk/ioat.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

static unsigned long g_polls;
static struct spdk_ioat_chan *g_first;
static uint64_t g_rushed; /* ticks */

VISIBLE uint64_t
spdk_get_ticks(void)
{
	uint64_t (*next)(void) = (uint64_t(*)(void))dlsym(RTLD_NEXT, "spdk_get_ticks");

	return next() + g_rushed;
}

static void
give_sign(void)
{
	const char *path = getenv("STALL_SIGN");

	if (path != NULL) {
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
}

VISIBLE int
spdk_ioat_process_events(struct spdk_ioat_chan *chan)
{
	int (*next)(struct spdk_ioat_chan *) =
		(int (*)(struct spdk_ioat_chan *))dlsym(RTLD_NEXT, "spdk_ioat_process_events");
	unsigned long after = strtoul(getenv("STALL_AFTER"), NULL, 10);
	const char *what = getenv("STALL");

	if (g_first == NULL) {
		g_first = chan;
	}
	if (getenv("STALL_ONE") != NULL && chan != g_first) {
		return next(chan);
	}
	if (g_polls++ < after) {
		return next(chan);
	}
	if (g_polls == after + 1) {
		give_sign();
	}
	if (strcmp(what, "rush") == 0) {
		g_rushed += spdk_get_ticks_hz() / 1000;
	}
	return strcmp(what, "halt") == 0 ? -EIO : 0;
}
