/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory.h"

#include <sanitizer/asan_interface.h>

#include "device.h"
#include "spdk/env.h"

#define PIECES     32
#define PIECE_SIZE 4096  /* a ring of 64 descriptors is the largest */
#define STRIDE     16384 /* most of it is no man's land */

static uint8_t *g_arena;
static size_t g_sizes[PIECES]; /* 0: free */
static unsigned g_next;
static unsigned g_refuse;
static bool g_refused;

static uint8_t *
piece_at(size_t index)
{
	return g_arena + index * STRIDE + STRIDE / 2;
}

void
memory_init(void)
{
	g_arena = mmap(NULL, (size_t)PIECES * STRIDE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(g_arena != MAP_FAILED);
	CHECK(spdk_mem_register(g_arena, (size_t)PIECES * STRIDE) == 0);
	ASAN_POISON_MEMORY_REGION(g_arena, (size_t)PIECES * STRIDE);
}

void
memory_begin(unsigned refuse)
{
	for (unsigned i = 0; i < PIECES; i++) {
		ASAN_POISON_MEMORY_REGION(piece_at(i), g_sizes[i]);
		g_sizes[i] = 0;
	}
	g_next = 0;
	g_refuse = refuse;
	g_refused = false;
}

bool
memory_is_allocated(const void *start, size_t size)
{
	size_t index = (size_t)((const uint8_t *)start - g_arena) / STRIDE;
	size_t into;

	if (index >= PIECES) {
		return false;
	}
	into = (size_t)((const uint8_t *)start - piece_at(index));
	return into < g_sizes[index] && size <= g_sizes[index] - into;
}

bool
memory_has_refused(void)
{
	return g_refused;
}

unsigned
memory_pieces(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PIECES; i++) {
		count += g_sizes[i] > 0;
	}
	return count;
}

void *__wrap_spdk_zmalloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags);
void __wrap_spdk_free(void *buf);

/* One after the other, so that what was freed is not soon in use again. */
void *
__wrap_spdk_zmalloc(size_t size, size_t align, uint64_t *unused, int numa_id, uint32_t flags)
{
	(void)unused;
	(void)numa_id;
	(void)flags;
	CHECK(size > 0 && size <= PIECE_SIZE && align <= PIECE_SIZE);
	if (g_refuse > 0 && --g_refuse == 0) {
		g_refused = true;
		return NULL;
	}
	for (unsigned tried = 0; tried < PIECES; tried++) {
		unsigned index = g_next++ % PIECES;

		if (g_sizes[index] == 0) {
			g_sizes[index] = size;
			ASAN_UNPOISON_MEMORY_REGION(piece_at(index), size);
			return memset(piece_at(index), 0, size);
		}
	}
	g_refused = true;
	return NULL;
}

void
__wrap_spdk_free(void *buf)
{
	size_t index;

	if (buf == NULL) {
		return;
	}
	index = (size_t)((uint8_t *)buf - g_arena) / STRIDE;
	CHECK(index < PIECES && buf == piece_at(index) && g_sizes[index] > 0);
	/* What the engine was told to use is its own until it has stopped. */
	CHECK(device_is_stopped() ||
	      (buf != g_device.chain_memory && buf != g_device.completion_memory));
	ASAN_POISON_MEMORY_REGION(buf, g_sizes[index]);
	g_sizes[index] = 0;
}
