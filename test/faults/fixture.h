/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the tests of faults in the process share: an emulated channel, a row of copies through
 * either interface, and what is expected of them.
 *
 * Every copy ends once, in order and with the truth: where it has succeeded its bytes are there;
 * what it may not write to is as it was; and the channel goes on, or has failed as it should and
 * comes back.
 */

#ifndef TEST_FAULTS_FIXTURE_H
#define TEST_FAULTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ioat/channel.h"
#include "udma/fault.h"

#define COUNT  20u   /* copies in a row */
#define FAULTY 7u    /* the one that meets the fault, if that is for its 8th descriptor */
#define STRIDE 4096u /* from one to the next */
#define OFFSET 500u  /* of the target in its page: what is around it is watched */
#define SIZE   3000u

enum interface { UDMA, SPDK };
enum rhythm {
	BATCH,     /* announced all at once */
	EACH,      /* each by itself */
	ONE_BY_ONE /* each when the one before has ended */
};

/** A copy, and how it has ended. */
struct copy {
	unsigned times;
	unsigned order;
	struct udma_ioat_result result; /* through SPDK's interface: OK if it was called back */
};

static struct spdk_pci_device *g_device;
static struct spdk_ioat_chan *g_chan;
static uint8_t *g_src, *g_dst, *g_expected;
static struct copy g_copies[COUNT];
static unsigned g_order;
static unsigned g_errors; /* polls that returned one */
static unsigned g_round;
static uint64_t g_hangs; /* that the device knows of, once the test has waited for the next one */

/** What a driver waits for an engine that does nothing. Long, for the machine may be busy. */
#define HANG_US 10000000u

static inline bool
fixture_want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return g_chan == NULL;
}

static inline void
fixture_take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	g_device = device;
	g_chan = chan;
}

static inline int
attach(void)
{
	g_chan = NULL;
	return spdk_ioat_probe(NULL, fixture_want, fixture_take);
}

/** Starts with what UDMA_EMULATE asks for; a channel is not attached yet. */
static inline void
start_env(const char *emulate)
{
	setenv("UDMA_EMULATE", emulate, 1);
	assert_int_equal(spdk_env_init(NULL), 0);
	g_src = spdk_dma_malloc(COUNT * STRIDE, STRIDE, NULL);
	g_dst = spdk_dma_malloc(COUNT * STRIDE, STRIDE, NULL);
	g_expected = malloc(COUNT * STRIDE);
	assert_non_null(g_src);
	assert_non_null(g_dst);
	assert_non_null(g_expected);
}

static inline void
start(const char *emulate)
{
	start_env(emulate);
	assert_int_equal(attach(), 0);
	assert_non_null(g_chan);
}

static inline void
end(void)
{
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	g_hangs = 0;
	udma_ioat_hang_us = HANG_US;
	spdk_dma_free(g_src);
	spdk_dma_free(g_dst);
	free(g_expected);
	spdk_env_fini();
}

/** Injects a fault by its text. */
static inline void
inject(const char *text)
{
	char why[UDMA_FAULT_WHY_SIZE];
	struct udma_fault fault;

	if (udma_fault_parse(text, &fault, why, sizeof(why)) != 0) {
		fail_msg("%s: %s", text, why);
	}
	assert_int_equal(udma_fault_inject(g_device, &fault), 0);
}

static inline void
fixture_on_end(void *arg, const struct udma_ioat_result *result)
{
	struct copy *copy = arg;

	copy->times++;
	copy->order = g_order++;
	copy->result = *result;
}

static inline void
fixture_on_success(void *arg)
{
	struct copy *copy = arg;

	copy->times++;
	copy->order = g_order++;
	copy->result = (struct udma_ioat_result){.status = UDMA_IOAT_OK, .bytes = SIZE};
}

static inline uint8_t *
source_of(unsigned i)
{
	return g_src + i * STRIDE + 3;
}

static inline uint8_t *
target_of(unsigned i)
{
	return g_dst + i * STRIDE + OFFSET;
}

/** New bytes everywhere. */
static inline void
scribble(void)
{
	g_round++;
	for (unsigned i = 0; i < COUNT * STRIDE; i++) {
		g_src[i] = (uint8_t)(i * 31 + i / STRIDE + g_round);
	}
	memset(g_dst, 0xA5, COUNT * STRIDE);
	memset(g_expected, 0xA5, COUNT * STRIDE);
	memset(g_copies, 0, sizeof(g_copies));
	g_order = g_errors = 0;
}

static inline int
build(enum interface interface, unsigned i)
{
	return interface == UDMA ? udma_ioat_copy(g_chan, target_of(i), source_of(i), SIZE, 0,
						  fixture_on_end, &g_copies[i])
				 : spdk_ioat_build_copy(g_chan, &g_copies[i], fixture_on_success,
							target_of(i), source_of(i), SIZE);
}

/** Once an engine hangs on purpose there is no need to wait for long. */
static inline void
hurry(void)
{
	uint64_t hangs = udma_fault_count(g_device, UDMA_FAULT_HANG);

	if (hangs > g_hangs) {
		g_hangs = hangs;
		udma_ioat_hang_us = 20000;
	}
}

/** Polls until as many copies as that have ended, or the channel has failed. */
static inline void
poll_until(unsigned ended)
{
	while (g_order + g_errors < ended && udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING) {
		int rc = spdk_ioat_process_events(g_chan);

		if (rc == 0 && udma_ioat_hang_us == HANG_US) {
			hurry();
		}
		/* Once for each of SPDK's that has failed; for ever once the channel has. */
		g_errors += rc < 0 && udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING;
	}
}

/** A row of copies to its end. One that is refused, because the channel has failed, is left. */
static inline void
run_copies(enum interface interface, enum rhythm rhythm)
{
	unsigned built = 0;

	while (built < COUNT && build(interface, built) == 0) {
		built++;
		if (rhythm != BATCH) {
			spdk_ioat_flush(g_chan);
		}
		if (rhythm == ONE_BY_ONE) {
			poll_until(built);
		}
	}
	assert_true(built == COUNT || udma_ioat_get_state(g_chan) == UDMA_IOAT_HAS_FAILED);
	spdk_ioat_flush(g_chan);
	poll_until(built);
}

/** How one may have ended. */
typedef bool (*may_end_fn)(unsigned i, enum udma_ioat_status status);

/** What it may have done to its target, by what it says. */
static inline void
check_target(unsigned i)
{
	const struct copy *copy = &g_copies[i];
	uint8_t *expected = g_expected + i * STRIDE + OFFSET;

	if (copy->times > 0) {
		memcpy(expected, source_of(i), copy->result.bytes);
		expected += copy->result.bytes;
	}
	/* The rest, if there is one: any part of it may have been written, and nothing else. */
	for (uint8_t *end = g_expected + i * STRIDE + OFFSET + SIZE; expected < end; expected++) {
		size_t at = (size_t)(expected - g_expected);

		if (g_dst[at] != 0xA5) {
			assert_int_equal(g_dst[at], source_of(i)[at - i * STRIDE - OFFSET]);
			*expected = g_dst[at];
		}
	}
}

/** Through SPDK's interface a copy fails silently: in which way is not told. */
static inline bool
may_fail(unsigned i, may_end_fn may_end)
{
	for (int status = UDMA_IOAT_OK + 1; status <= UDMA_IOAT_FAILED; status++) {
		if (may_end(i, (enum udma_ioat_status)status)) {
			return true;
		}
	}
	return false;
}

/** Each has ended as it may, once and in order. */
static inline void
check_copies(enum interface interface, may_end_fn may_end)
{
	unsigned failed = 0, order = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		const struct copy *copy = &g_copies[i];
		bool is_ok = copy->times == 1 && copy->result.status == UDMA_IOAT_OK;

		failed += !is_ok;
		assert_true(copy->times <= 1);
		if (copy->times == 1) {
			assert_int_equal(copy->order, order++);
			assert_true(may_end(i, copy->result.status));
			assert_true(is_ok == (copy->result.bytes == SIZE));
		} else if (interface == UDMA) {
			/* It was refused, for the channel had failed. */
			assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
		} else {
			assert_true(may_fail(i, may_end));
		}
		check_target(i);
	}
	assert_memory_equal(g_dst, g_expected, COUNT * STRIDE);
	if (interface == SPDK && udma_ioat_get_state(g_chan) == UDMA_IOAT_RUNNING) {
		assert_int_equal(g_errors, failed);
	}
}

static inline bool
only_ok(unsigned i, enum udma_ioat_status status)
{
	(void)i;
	return status == UDMA_IOAT_OK;
}

/** It carries out all that it is asked to, through both interfaces. */
static inline void
assert_works(void)
{
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_RUNNING);
		scribble();
		run_copies(interface, EACH);
		check_copies(interface, only_ok);
		assert_int_equal(g_order, COUNT);
	}
}

/** It has failed, and says so. */
static inline void
assert_failed(int error)
{
	udma_ioat_hang_us = HANG_US;
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), error);
	}
	assert_int_equal(build(UDMA, 0), error);
	assert_int_equal(build(SPDK, 0), error);
}

/** It has failed; without the fault a reset brings it back. */
static inline void
assert_comes_back(int error)
{
	assert_failed(error);
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_int_equal(udma_ioat_reset(g_chan), 0);
	assert_works();
}

/** A fault under a row of copies, after which the channel goes on (error 0) or has failed. */
static inline void
expect(const char *fault, enum rhythm rhythm, may_end_fn may_end, int error)
{
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject(fault);
		run_copies(interface, rhythm);
		check_copies(interface, may_end);
		if (error != 0) {
			assert_comes_back(error);
		} else {
			assert_works();
			assert_int_equal(udma_fault_withdraw(g_device), 0);
		}
	}
}

#endif
