/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Removal of memory waits until no engine of this process can be inside.
 *
 * All channels together are one client of the registrations: told that a region is about to go, it
 * waits until each engine has finished what had been announced by then. That may be more than what
 * touches the region, and costs what a full ring costs at most.
 */

#include "channel.h"

#include "spdk/log.h"
#include "spdk/util.h"

/* An engine that completes nothing for this long keeps the memory registered. */
#define PROGRESS_LIMIT_US 3000000

static TAILQ_HEAD(, spdk_ioat_chan) g_channels = TAILQ_HEAD_INITIALIZER(g_channels);
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static struct spdk_mem_map *g_map;
static unsigned g_users;
static pthread_mutex_t g_users_lock = PTHREAD_MUTEX_INITIALIZER; /* outside the registrations' */

enum source {
	COMPLETION_WORD,
	STATUS_REGISTER, /* goes on with each descriptor, but is not to be relied on (section 13) */
};

/**
 * \return a position that the engine has reached, by one of the addresses that it shows. The
 * channel's thread goes on with its work meanwhile: an unchanged `completed` around the load says
 * which lap of the ring the address belongs to. One that is not outstanding says nothing.
 */
static uint64_t
reached(const struct spdk_ioat_chan *chan, enum source source)
{
	uint64_t completed, address, announced, newly;

	do {
		completed = __atomic_load_n(&chan->completed, __ATOMIC_ACQUIRE);
		/* Before the word: at a restart that of before the halt stands there a little
		 * longer, and only what was announced by then shows it up. */
		announced = __atomic_load_n(&chan->announced, __ATOMIC_ACQUIRE);
		address = source == STATUS_REGISTER
				  ? read_chansts(chan->bar)
				  : __atomic_load_n(chan->completion, __ATOMIC_ACQUIRE);
	} while (completed != __atomic_load_n(&chan->completed, __ATOMIC_ACQUIRE));

	newly = udma_ioat_newly_between(chan, address, completed, announced);
	if (source == COMPLETION_WORD && udma_ioat_is_far(newly)) {
		/* What an idle engine shows is all that was announced, and not of another lap. */
		address = read_chansts(chan->bar);
		newly = (address & SPDK_IOAT_CHANSTS_STATUS) == SPDK_IOAT_CHANSTS_IDLE
				? udma_ioat_newly_between(chan, address, completed, announced)
				: UDMA_IOAT_NOT_OUTSTANDING;
	}
	return newly == UDMA_IOAT_NOT_OUTSTANDING ? completed : completed + newly;
}

/** Whether the engine works no more on what was announced, and will not again. */
static bool
is_stopped(const struct spdk_ioat_chan *chan)
{
	/* One that has only halted is restarted by the channel's next poll. */
	bool failed = __atomic_load_n(&chan->failed, __ATOMIC_ACQUIRE);
	uint64_t status = read_chansts(chan->bar);

	return status == UINT64_MAX ||
	       (failed && (status & SPDK_IOAT_CHANSTS_STATUS) == SPDK_IOAT_CHANSTS_HALTED);
}

static int
wait_for(const struct spdk_ioat_chan *chan)
{
	uint64_t target = __atomic_load_n(&chan->announced, __ATOMIC_ACQUIRE);
	uint64_t limit = udma_ioat_ticks_of_us(PROGRESS_LIMIT_US);
	uint64_t last = 0, last_shown = 0, since = spdk_get_ticks();

	for (;;) {
		uint64_t position = reached(chan, COMPLETION_WORD);
		uint64_t shown = reached(chan, STATUS_REGISTER);

		/* A failed channel's counts say nothing of where its engine is. */
		if ((position >= target && !__atomic_load_n(&chan->failed, __ATOMIC_ACQUIRE)) ||
		    is_stopped(chan)) {
			return 0;
		}
		/* A status that is late looks far ahead in a full ring: any change is progress. */
		if (position != last || shown != last_shown) {
			last = position;
			last_shown = shown;
			since = spdk_get_ticks();
		} else if (spdk_get_ticks() - since > limit) {
			SPDK_ERRLOG(
				"%s: memory cannot be removed: the engine has not finished, and "
				"nothing has completed for %u ms; poll the channel, which restarts "
				"one that has halted, or detach it first\n",
				chan->name, PROGRESS_LIMIT_US / 1000);
			return -EBUSY;
		}
		sched_yield();
	}
}

static int
on_change(void *ctx, struct spdk_mem_map *map, enum spdk_mem_map_notify_action action, void *vaddr,
	  size_t size)
{
	struct spdk_ioat_chan *chan;
	int rc = 0;

	(void)ctx;
	(void)map;
	(void)vaddr;
	(void)size;
	if (action != SPDK_MEM_MAP_NOTIFY_UNREGISTER) {
		return 0;
	}
	pthread_mutex_lock(&g_lock);
	TAILQ_FOREACH (chan, &g_channels, link) {
		/* A child of fork() has no engine: it stays with the parent, and its memory. */
		rc = chan->process == getpid() ? wait_for(chan) : 0;
		if (rc != 0) {
			break;
		}
	}
	pthread_mutex_unlock(&g_lock);
	return rc;
}

int
udma_ioat_quiesce_add(struct spdk_ioat_chan *chan)
{
	static const struct spdk_mem_map_ops ops = {.notify_cb = on_change};

	/* Without the lock: the map is told of registrations, which takes theirs and then ours. */
	pthread_mutex_lock(&g_users_lock);
	if (g_users == 0) {
		g_map = spdk_mem_map_alloc(0, &ops, NULL);
	}
	if (g_map == NULL) {
		pthread_mutex_unlock(&g_users_lock);
		return -ENOMEM;
	}
	g_users++;
	pthread_mutex_unlock(&g_users_lock);
	pthread_mutex_lock(&g_lock);
	TAILQ_INSERT_TAIL(&g_channels, chan, link);
	pthread_mutex_unlock(&g_lock);
	return 0;
}

void
udma_ioat_quiesce_remove(struct spdk_ioat_chan *chan)
{
	pthread_mutex_lock(&g_lock);
	TAILQ_REMOVE(&g_channels, chan, link);
	pthread_mutex_unlock(&g_lock);
	pthread_mutex_lock(&g_users_lock);
	if (--g_users == 0) {
		spdk_mem_map_free(&g_map);
	}
	pthread_mutex_unlock(&g_users_lock);
}

void
udma_ioat_fini(void)
{
	struct spdk_ioat_chan *chan;

	while ((chan = TAILQ_FIRST(&g_channels)) != NULL) {
		SPDK_WARNLOG("%s: the channel is still attached at the end of the environment; "
			     "spdk_ioat_detach() comes before spdk_env_fini()\n",
			     chan->name);
		spdk_ioat_detach(chan);
	}
}
