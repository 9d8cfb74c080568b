/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory.h"

#include "random.h"
#include "spdk/env.h"

uint8_t *g_memory;
static uint8_t g_expected[MEMORY_SIZE];
static bool g_there;

void
memory_init(void)
{
	g_memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(g_memory != MAP_FAILED);
	CHECK(spdk_mem_register(g_memory, SEAM) == 0);
	CHECK(spdk_mem_register(g_memory + SEAM, HOLE - SEAM) == 0);
	memory_toggle();
}

int
memory_toggle(void)
{
	void *start = g_memory + REMOVABLE;
	int rc = g_there ? spdk_mem_unregister(start, MEMORY_SIZE - REMOVABLE)
			 : spdk_mem_register(start, MEMORY_SIZE - REMOVABLE);

	CHECK(rc == 0 || (g_there && rc == -EBUSY));
	g_there ^= rc == 0;
	return rc;
}

bool
memory_is_removable_there(void)
{
	return g_there;
}

void
memory_begin(uint64_t *random)
{
	random_fill(random, g_memory, MEMORY_SIZE);
	memcpy(g_expected, g_memory, MEMORY_SIZE);
	if (!g_there) {
		memory_toggle();
	}
}

uint32_t
memory_contiguous(uint32_t at)
{
	if (at < SEAM) {
		return SEAM - at;
	}
	if (at < HOLE) {
		return HOLE - at;
	}
	return at >= REMOVABLE && g_there ? MEMORY_SIZE - at : 0;
}

void
memory_accept(struct range range)
{
	memcpy(g_expected + range.start, g_memory + range.start, range.len);
}

void
memory_check(bool (*except)(uint32_t at))
{
	for (uint32_t part = 0; part < MEMORY_SIZE; part += 256) {
		if (memcmp(g_memory + part, g_expected + part, 256) == 0) {
			continue;
		}
		for (uint32_t at = part; at < part + 256; at++) {
			CHECK(g_memory[at] == g_expected[at] || except(at));
		}
	}
}
