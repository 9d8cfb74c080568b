/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the tests of memory share: the environment's memory alone, started and ended around a test.
 */

#ifndef MEMORY_TEST_H
#define MEMORY_TEST_H

#include "spdk/stdinc.h"
#include "spdk/env.h"
#include "env/env_internal.h"

#include <cmocka.h>

#define KiB  ((size_t)1 << 10)
#define MiB  ((size_t)1 << 20)
#define GiB  ((size_t)1 << 30)
#define PAGE ((size_t)4096)

/** The defaults of spdk_env_opts_init() that matter to memory. */
static inline struct spdk_env_opts
memory_opts(void)
{
	return (struct spdk_env_opts){
		.name = "test", .mem_size = -1, .base_virtaddr = 0x200000000000};
}

static inline int
start_memory(void **state)
{
	struct spdk_env_opts opts = memory_opts();

	(void)state;
	return udma_memory_init(&opts, UDMA_IOVA_VA, 64);
}

static inline int
end_memory(void **state)
{
	(void)state;
	udma_memory_fini();
	return 0;
}

/** Addresses with ordinary memory behind, which costs nothing until it is touched. */
static inline char *
map_pages(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/** A new seed each run, printed so that a failure can be repeated; UDMA_TEST_SEED sets it. */
static inline uint64_t
test_seed(void)
{
	const char *text = getenv("UDMA_TEST_SEED");
	uint64_t seed =
		text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) ^ (uint64_t)getpid();

	print_message("# UDMA_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

/** xorshift64* */
static inline uint64_t
test_random(uint64_t *seed)
{
	*seed |= *seed == 0;
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

#endif
