/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/env.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_USEC 1000ull

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t
spdk_get_ticks(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return clock_ns(CLOCK_MONOTONIC);
#endif
}

#if defined(__x86_64__)

/* Two readings this far apart, each good to some 50 ns, give the rate to 10 ppm. */
#define CALIBRATION_MIN_NS 10000000ull
/* Across a longer time the machine may have slept, when the two clocks need not agree. */
#define CALIBRATION_MAX_NS (10 * NSEC_PER_SEC)

#define CPUID_FEATURES       0x01
#define CPUID_HYPERVISOR_BIT (1u << 31) /* of ECX */
#define CPUID_TSC            0x15

/** One moment, on both clocks. */
struct moment {
	uint64_t ticks;
	uint64_t ns;
};

static struct moment g_loaded;
static pthread_once_t g_hz_once = PTHREAD_ONCE_INIT;
static uint64_t g_hz;

/* The shortest of several readings is the one that nothing came between. */
static struct moment
read_moment(void)
{
	struct moment best = {0};
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = spdk_get_ticks();
		uint64_t ns = clock_ns(CLOCK_MONOTONIC_RAW);
		uint64_t took = spdk_get_ticks() - before;

		if (took < shortest) {
			shortest = took;
			best = (struct moment){.ticks = before + took / 2, .ns = ns};
		}
	}
	return best;
}

/* Taken at load, so that most programs need not wait when they first ask for the rate. */
static void __attribute__((constructor)) note_load_time(void)
{
	g_loaded = read_moment();
}

/* \return the rate that the processor states, 0 if it states none. */
static uint64_t
stated_hz(void)
{
	unsigned eax, ebx, ecx, edx;

	/* A hypervisor may hand the leaf through and scale the counter all the same. */
	if (!__get_cpuid(CPUID_FEATURES, &eax, &ebx, &ecx, &edx) || (ecx & CPUID_HYPERVISOR_BIT)) {
		return 0;
	}
	if (!__get_cpuid(CPUID_TSC, &eax, &ebx, &ecx, &edx) || eax == 0 || ebx == 0) {
		return 0;
	}
	return (uint64_t)ecx * ebx / eax; /* ECX: the crystal in Hz, 0 if it is not stated */
}

static void
calibrate(void)
{
	struct moment start = g_loaded, now = read_moment();

	g_hz = stated_hz();
	if (g_hz != 0) {
		return;
	}
	if (start.ns == 0 || now.ns - start.ns > CALIBRATION_MAX_NS || now.ticks < start.ticks) {
		start = now;
	}
	while (now.ns - start.ns < CALIBRATION_MIN_NS) {
		uint64_t left = CALIBRATION_MIN_NS - (now.ns - start.ns);

		nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
		now = read_moment();
	}
	g_hz = (uint64_t)((double)(now.ticks - start.ticks) * (double)NSEC_PER_SEC /
			  (double)(now.ns - start.ns));
}

#endif

uint64_t
spdk_get_ticks_hz(void)
{
#if defined(__x86_64__)
	pthread_once(&g_hz_once, calibrate);
	return g_hz;
#elif defined(__aarch64__)
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
#else
	return NSEC_PER_SEC;
#endif
}

void
spdk_delay_us(unsigned int us)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	while (clock_ns(CLOCK_MONOTONIC) - start < us * NSEC_PER_USEC) {
		spdk_pause();
	}
}

void
spdk_pause(void)
{
#if defined(__x86_64__)
	_mm_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
