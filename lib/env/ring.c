/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A bounded queue. Producers write only `tail`, consumers only `head`; each side reads the other's
 * by acquire. Where a side is more than one thread, a lock of that side makes it one.
 */

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "spdk/log.h"
#include "spdk/util.h"
#include "spin.h"

/* More could not be meant. */
#define MAX_SLOTS (1ULL << 31)

struct spdk_ring {
	enum spdk_ring_type type;
	size_t capacity; /* how many pointers it holds */
	size_t mask;     /* of the slots, a power of two of them and no fewer than that */
	void **slots;

	struct udma_spin producers __attribute__((aligned(64)));
	size_t tail; /* pointers ever put in */
	struct udma_spin consumers __attribute__((aligned(64)));
	size_t head; /* pointers ever taken out */
};

struct spdk_ring *
spdk_ring_create(enum spdk_ring_type type, size_t count, int numa_id)
{
	struct spdk_ring *ring;

	(void)numa_id; /* only threads use it, and they may be anywhere */
	if (count == 0 || count > MAX_SLOTS || type > SPDK_RING_TYPE_MP_MC) {
		SPDK_ERRLOG("a ring of type %d for %zu pointers cannot be made: give one of the "
			    "types, and 1 to 2^31 pointers\n",
			    (int)type, count);
		return NULL;
	}
	ring = aligned_alloc(_Alignof(struct spdk_ring), sizeof(*ring));
	if (ring != NULL) {
		memset(ring, 0, sizeof(*ring));
		ring->capacity = count;
		ring->mask = spdk_align64pow2(count) - 1;
		ring->slots = calloc(ring->mask + 1, sizeof(void *));
	}
	if (ring == NULL || ring->slots == NULL) {
		SPDK_ERRLOG("no memory for a ring of %zu pointers\n", count);
		free(ring);
		return NULL;
	}
	ring->type = type;
	return ring;
}

void
spdk_ring_free(struct spdk_ring *ring)
{
	if (ring != NULL) {
		free(ring->slots);
		free(ring);
	}
}

size_t
spdk_ring_count(struct spdk_ring *ring)
{
	/* Head first: what is taken out later cannot make the difference negative. */
	size_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	size_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return spdk_min(tail - head, ring->capacity);
}

size_t
spdk_ring_enqueue(struct spdk_ring *ring, void **objs, size_t count, size_t *free_space)
{
	bool shared = ring->type != SPDK_RING_TYPE_SP_SC;
	size_t tail, room;

	if (shared) {
		udma_spin_lock(&ring->producers);
	}
	tail = ring->tail;
	room = ring->capacity - (tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE));
	if (count > room) {
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		ring->slots[(tail + i) & ring->mask] = objs[i];
	}
	__atomic_store_n(&ring->tail, tail + count, __ATOMIC_RELEASE);
	if (shared) {
		udma_spin_unlock(&ring->producers);
	}
	if (free_space != NULL) {
		*free_space = room - count;
	}
	return count;
}

size_t
spdk_ring_dequeue(struct spdk_ring *ring, void **objs, size_t count)
{
	bool shared = ring->type == SPDK_RING_TYPE_MP_MC;
	size_t head, filled;

	if (shared) {
		udma_spin_lock(&ring->consumers);
	}
	head = ring->head;
	filled = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) - head;
	count = spdk_min(count, filled);
	for (size_t i = 0; i < count; i++) {
		objs[i] = ring->slots[(head + i) & ring->mask];
	}
	__atomic_store_n(&ring->head, head + count, __ATOMIC_RELEASE);
	if (shared) {
		udma_spin_unlock(&ring->consumers);
	}
	return count;
}
