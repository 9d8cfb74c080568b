/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What a channel can do and has done. Nothing is counted for a request that the ring does not say
 * anyway, but its bytes, in one instruction; for a poll that finds nothing, likewise.
 */

#include "channel.h"

#include "spdk/util.h"

static uint64_t
failures(const struct spdk_ioat_chan *chan)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SPDK_COUNTOF(chan->errors); i++) {
		sum += chan->errors[i];
	}
	return sum;
}

/** All there is, since the channel was brought up. */
static struct udma_ioat_stats
since_start(const struct spdk_ioat_chan *chan)
{
	struct udma_ioat_stats stats = {
		.requests = chan->request_head,
		.completed = chan->request_tail - failures(chan),
		.descriptors = chan->announced,
		.doorbells = chan->doorbells,
		.failed = failures(chan),
		.recoveries = chan->recoveries,
		.bytes = chan->bytes,
		.finished = chan->completed,
		.by_cpu = chan->by_cpu,
		.empty_polls = chan->empty_polls,
	};

	memcpy(stats.errors, chan->errors, sizeof(stats.errors));
	return stats;
}

void
udma_ioat_stats_begin(struct spdk_ioat_chan *chan)
{
	chan->before = since_start(chan);
	chan->high_water = 0;
}

void
udma_ioat_get_stats(const struct spdk_ioat_chan *chan, struct udma_ioat_stats *stats, size_t size)
{
	struct udma_ioat_stats now = since_start(chan);
	const struct udma_ioat_stats *before = &chan->before;

	now.requests -= before->requests;
	now.completed -= before->completed;
	now.descriptors -= before->descriptors;
	now.doorbells -= before->doorbells;
	now.failed -= before->failed;
	now.recoveries -= before->recoveries;
	now.bytes -= before->bytes;
	now.finished -= before->descriptors;
	now.empty_polls -= before->empty_polls;
	now.high_water = spdk_max(chan->high_water, chan->announced - chan->completed);
	for (unsigned i = 0; i < SPDK_COUNTOF(now.errors); i++) {
		now.errors[i] -= before->errors[i];
	}
	/* A program that was built for a larger one finds zeroes in what is not known here. */
	memset(stats, 0, size);
	memcpy(stats, &now, spdk_min(size, sizeof(now)));
}

void
udma_ioat_complete_every(struct spdk_ioat_chan *chan, uint32_t descriptors)
{
	chan->complete_every = descriptors;
	udma_ioat_take_care(chan);
}

uint64_t
udma_ioat_max_piece(const struct spdk_ioat_chan *chan)
{
	return chan->max_piece;
}

unsigned
udma_ioat_get_capabilities(const struct spdk_ioat_chan *chan)
{
	return UDMA_IOAT_CAN_COPY |
	       (chan->dma_capabilities & SPDK_IOAT_ENGINE_FILL_SUPPORTED ? UDMA_IOAT_CAN_FILL : 0) |
	       chan->parity;
}
