/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Sets of CPU cores, 0 to SPDK_CPUSET_SIZE - 1.
 */

#ifndef SPDK_CPUSET_H
#define SPDK_CPUSET_H

#include "spdk/stdinc.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define SPDK_CPUSET_SIZE 1024

/** A set of cores. All zeroes is the empty set. */
struct spdk_cpuset {
	/** The text that spdk_cpuset_fmt() returns. */
	char str[SPDK_CPUSET_SIZE / 4 + 1];
	/** Bit `cpu % 8` of byte `cpu / 8`. */
	uint8_t cpus[SPDK_CPUSET_SIZE / 8];
};

/** \return an empty set, to be freed with spdk_cpuset_free(); NULL if there is no memory. */
struct spdk_cpuset *spdk_cpuset_alloc(void);
void spdk_cpuset_free(struct spdk_cpuset *set);

bool spdk_cpuset_equal(const struct spdk_cpuset *set1, const struct spdk_cpuset *set2);
void spdk_cpuset_copy(struct spdk_cpuset *dst, const struct spdk_cpuset *src);
void spdk_cpuset_negate(struct spdk_cpuset *set);
void spdk_cpuset_and(struct spdk_cpuset *dst, const struct spdk_cpuset *src);
void spdk_cpuset_or(struct spdk_cpuset *dst, const struct spdk_cpuset *src);
void spdk_cpuset_xor(struct spdk_cpuset *dst, const struct spdk_cpuset *src);
void spdk_cpuset_zero(struct spdk_cpuset *set);

/** Adds (`state` true) or removes one core. \param cpu below SPDK_CPUSET_SIZE. */
void spdk_cpuset_set_cpu(struct spdk_cpuset *set, uint32_t cpu, bool state);
bool spdk_cpuset_get_cpu(const struct spdk_cpuset *set, uint32_t cpu);
uint32_t spdk_cpuset_count(const struct spdk_cpuset *set);
/** Calls `fn` for each core in the set, from the lowest on. */
void spdk_cpuset_for_each_cpu(const struct spdk_cpuset *set, void (*fn)(void *ctx, uint32_t cpu),
			      void *ctx);

/** \return the set as a hexadecimal mask without a prefix; valid until `set` changes. */
const char *spdk_cpuset_fmt(struct spdk_cpuset *set);

/**
 * Reads a mask ("0x5", "5") or a list in brackets ("[0,2-3]").
 *
 * \return 0; -EINVAL if `mask` is neither, or names a core beyond SPDK_CPUSET_SIZE.
 */
int spdk_cpuset_parse(struct spdk_cpuset *set, const char *mask);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
