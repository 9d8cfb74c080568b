/* SPDX-License-Identifier: BSD-3-Clause */

/* What is copied, to where, and whether it got there. */

#include "perf_worker.h"
#include "tool.h"

#include "spdk/env.h"
#include "spdk/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 4096
/* Buffers begin at a cache line, and at a page if they are that large. */
#define STRIDE 64

#define SIZE_TEXT 32

/** Different bytes for each seed, which is not 0 (xorshift). */
static void
make_contents(uint8_t *memory, uint64_t bytes, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u;

	for (uint64_t at = 0; at < bytes; at += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(memory + at, &state, spdk_min(sizeof(state), bytes - at));
	}
}

static int
prepare(struct lane *lane, uint64_t size)
{
	uint64_t stride = SPDK_ALIGN_CEIL(size, STRIDE);
	unsigned depth = lane->options->depth;

	lane->size = size;
	lane->slots = calloc(depth, sizeof(*lane->slots));
	lane->destinations = spdk_dma_malloc(depth * stride, ALIGNMENT, NULL);
	if (!lane->options->fill) {
		lane->sources = spdk_dma_malloc(depth * stride, ALIGNMENT, NULL);
	}
	if (lane->slots == NULL || lane->destinations == NULL ||
	    (lane->sources == NULL && !lane->options->fill)) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < depth; i++) {
		struct slot *slot = &lane->slots[i];

		slot->lane = lane;
		slot->destination = lane->destinations + i * stride;
		slot->byte = (uint8_t)(i + 1);
		if (lane->sources != NULL) {
			slot->source = lane->sources + i * stride;
			make_contents(slot->source, size, (uintptr_t)slot->source);
		}
	}
	return 0;
}

void
worker_prepare(struct worker *worker)
{
	char text[SIZE_TEXT];

	for (unsigned i = 0; i < worker->lane_count && worker->error == 0; i++) {
		worker->error = prepare(&worker->lanes[i], worker->size);
	}
	if (worker->error != 0) {
		complain("no memory for the buffers of %u requests of %s; use a smaller --size, "
			 "--depth or --channels",
			 worker->options->depth, size_exact_text(worker->size, text, sizeof(text)));
	}
}

void
worker_release(struct worker *worker)
{
	for (unsigned i = 0; i < worker->lane_count; i++) {
		struct lane *lane = &worker->lanes[i];

		spdk_dma_free(lane->sources);
		spdk_dma_free(lane->destinations);
		free(lane->slots);
		lane->sources = lane->destinations = NULL;
		lane->slots = NULL;
	}
}

static int
compare(const struct lane *lane, const struct slot *slot)
{
	char text[SIZE_TEXT];

	if (slot->source != NULL && memcmp(slot->destination, slot->source, lane->size) == 0) {
		return 0;
	}
	for (uint64_t at = 0; at < lane->size; at++) {
		uint8_t wanted = slot->source != NULL ? slot->source[at] : slot->byte;

		if (slot->destination[at] != wanted) {
			complain("byte %" PRIu64 " of a %s of %s is 0x%02x and should be 0x%02x, "
				 "after channel %s (%s) has said that it was done; do not use this "
				 "channel",
				 at, lane->options->fill ? "fill" : "copy",
				 size_exact_text(lane->size, text, sizeof(text)),
				 slot->destination[at], wanted, lane->channel->address,
				 lane->channel->kind);
			return -EILSEQ;
		}
	}
	return 0;
}

void
worker_compare(struct worker *worker)
{
	for (unsigned i = 0; i < worker->lane_count; i++) {
		const struct lane *lane = &worker->lanes[i];
		/* All of them, unless the ring or the time did not suffice for so many. */
		unsigned used = (unsigned)spdk_min(lane->submitted, lane->options->depth);

		for (unsigned j = 0; j < used && worker->error == 0; j++) {
			worker->error = compare(lane, &lane->slots[j]);
		}
	}
}
