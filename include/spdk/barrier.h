/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Memory barriers between CPUs and between the CPU and a device.
 *
 * `spdk_smp_*` order accesses to ordinary memory among CPUs. `spdk_rmb`, `spdk_wmb` and `spdk_mb`
 * also order them against device registers, as a doorbell needs: descriptors first, then the store.
 */

#ifndef SPDK_BARRIER_H
#define SPDK_BARRIER_H

#include "spdk/stdinc.h"

/** Keeps the compiler from moving memory accesses across this point. No instruction. */
#define spdk_compiler_barrier() __asm__ volatile("" ::: "memory")

#if defined(__x86_64__)
/* x86-64 keeps loads in order and stores in order; only a store followed by a load needs help. */
#define spdk_rmb()              __asm__ volatile("lfence" ::: "memory")
#define spdk_wmb()              __asm__ volatile("sfence" ::: "memory")
#define spdk_mb()               __asm__ volatile("mfence" ::: "memory")
#define spdk_smp_rmb()          spdk_compiler_barrier()
#define spdk_smp_wmb()          spdk_compiler_barrier()
#define spdk_smp_mb()           __asm__ volatile("lock addl $0, -128(%%rsp); " ::: "memory", "cc")
#define spdk_ivdt_dcache(pdata) __asm__ volatile("clflush (%0)" : : "r"(pdata) : "memory")
#elif defined(__aarch64__)
#define spdk_rmb()              __asm__ volatile("dsb ld" ::: "memory")
#define spdk_wmb()              __asm__ volatile("dsb st" ::: "memory")
#define spdk_mb()               __asm__ volatile("dsb sy" ::: "memory")
#define spdk_smp_rmb()          __asm__ volatile("dmb ishld" ::: "memory")
#define spdk_smp_wmb()          __asm__ volatile("dmb ishst" ::: "memory")
#define spdk_smp_mb()           __asm__ volatile("dmb ish" ::: "memory")
#define spdk_ivdt_dcache(pdata) __asm__ volatile("dc civac, %0" : : "r"(pdata) : "memory")
#else
#define spdk_rmb()              __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define spdk_wmb()              __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define spdk_mb()               __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define spdk_smp_rmb()          __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define spdk_smp_wmb()          __atomic_thread_fence(__ATOMIC_RELEASE)
#define spdk_smp_mb()           __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define spdk_ivdt_dcache(pdata) ((void)(pdata))
#endif

#endif
