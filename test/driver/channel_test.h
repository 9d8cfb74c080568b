/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What the tests of a channel that meets faults share: one channel on the rig, requests of both
 * interfaces with a record of how they ended, and memory at which the engine halts.
 */

#ifndef TEST_DRIVER_CHANNEL_TEST_H
#define TEST_DRIVER_CHANNEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ioat/channel.h"
#include "rig.h"

#define RING 32768

/** The driver's own. A device that is to go on has no shorter time: its thread may have to wait for
 * its turn. */
#define USUAL_HANG_US 10000000

/** A record of a request: its callback has run `times`. */
struct ended {
	unsigned times;
	unsigned order;
	struct udma_ioat_result result; /* of udma/ioat.h only */
};

static struct rig *g_rig;
static struct spdk_ioat_chan *g_chan;
static uint8_t *g_memory;   /* 8 KiB: the second half is copied to the first */
static uint8_t *g_readonly; /* registered for reading: a copy to it halts the engine */
static struct ended g_ended[100000];
static unsigned g_order;

static inline void
on_end(void *arg, const struct udma_ioat_result *result)
{
	struct ended *ended = arg;

	ended->times++;
	ended->order = g_order++;
	ended->result = *result;
}

static inline void
on_success(void *arg)
{
	struct ended *ended = arg;

	ended->times++;
	ended->order = g_order++;
	ended->result.status = UDMA_IOAT_OK;
}

static inline void
attach(void)
{
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static inline void
create(uint16_t device_id, uint8_t xfercap)
{
	rig_env_init();
	memset(g_ended, 0, sizeof(g_ended));
	g_order = 0;
	g_rig = rig_create_part(0, xfercap, device_id);
}

/** Memory, and the channel. */
static inline int
set_up(void)
{
	g_memory = spdk_dma_zmalloc(8192, 4096, NULL);
	g_readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_non_null(g_memory);
	assert_int_equal(spdk_mem_register(g_readonly, 4096), 0);
	memset(g_memory + 4096, 0x5a, 4096);
	attach();
	return 0;
}

/** Version 3.3, as silicon of the id has; version 3.2 if asked for. */
static inline int
setup_version(uint8_t version)
{
	create(0x2021, 20);
	rig_poke(g_rig, BAR_CBVER, 1, version);
	return set_up();
}

static inline int
setup(void **state)
{
	(void)state;
	return setup_version(0x33);
}

static inline int
teardown(void **state)
{
	(void)state;
	udma_ioat_hang_us = USUAL_HANG_US;
	spdk_ioat_detach(g_chan);
	assert_int_equal(spdk_mem_unregister(g_readonly, 4096), 0);
	munmap(g_readonly, 4096);
	spdk_dma_free(g_memory);
	rig_destroy(g_rig);
	spdk_env_fini();
	return 0;
}

/** One that succeeds, for a list. */
static inline struct udma_ioat_op
copy_op(unsigned i, unsigned flags)
{
	return (struct udma_ioat_op){.kind = UDMA_IOAT_OP_COPY,
				     .flags = flags,
				     .cb = on_end,
				     .cb_arg = &g_ended[i],
				     .dst = g_memory,
				     .src = g_memory + 4096,
				     .nbytes = 64};
}

/** Builds one that succeeds. */
static inline void
build(unsigned i, unsigned flags)
{
	assert_int_equal(
		udma_ioat_copy(g_chan, g_memory, g_memory + 4096, 64, flags, on_end, &g_ended[i]),
		0);
}

/** Builds one that the engine halts at. */
static inline void
build_bad(unsigned i, unsigned flags)
{
	assert_int_equal(
		udma_ioat_copy(g_chan, g_readonly, g_memory, 64, flags, on_end, &g_ended[i]), 0);
}

static inline void
build_spdk(unsigned i)
{
	assert_int_equal(spdk_ioat_build_copy(g_chan, &g_ended[i], on_success, g_memory,
					      g_memory + 4096, 64),
			 0);
}

static inline void
build_bad_spdk(unsigned i)
{
	assert_int_equal(
		spdk_ioat_build_copy(g_chan, &g_ended[i], on_success, g_readonly, g_memory, 64), 0);
}

static inline void
assert_ended(unsigned i, enum udma_ioat_status status)
{
	assert_int_equal(g_ended[i].times, 1);
	assert_int_equal(g_ended[i].result.status, status);
	assert_int_equal(g_ended[i].result.bytes, status == UDMA_IOAT_OK ? 64 : 0);
}

/** Polls until `ended` callbacks have run in all. \return how many polls returned -EIO. */
static inline unsigned
poll_until(unsigned ended)
{
	unsigned errors = 0;

	while (g_order < ended) {
		int rc = spdk_ioat_process_events(g_chan);

		assert_true(rc >= 0 || rc == -EIO);
		errors += rc < 0;
	}
	return errors;
}

/** Polls until one returns an error. */
static inline int
poll_for_error(void)
{
	int rc;

	do {
		rc = spdk_ioat_process_events(g_chan);
	} while (rc >= 0);
	return rc;
}

static inline struct udma_ioat_stats
stats_now(void)
{
	struct udma_ioat_stats stats;

	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	return stats;
}

/** The channel is out of use with `error`, until it is reset. */
static inline void
assert_failed(int error)
{
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), error);
	}
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, NULL, g_memory, g_memory, 8), error);
	assert_int_equal(udma_ioat_copy(g_chan, g_memory, g_memory, 8, 0, NULL, NULL), error);
	assert_int_equal(udma_ioat_null(g_chan, 0, NULL, NULL), error);
	assert_int_equal(udma_ioat_drain(g_chan, 1000000), error);
	assert_int_equal(udma_ioat_abort(g_chan), error);
	assert_int_equal(udma_ioat_room(g_chan), 0);
}

/** The channel carries out requests of both kinds. */
static inline void
assert_works(unsigned i)
{
	unsigned before = g_order;

	memset(g_memory, 0, 64);
	assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_RUNNING);
	build(i, 0);
	build_spdk(i + 1);
	spdk_ioat_flush(g_chan);
	assert_int_equal(poll_until(before + 2), 0);
	assert_ended(i, UDMA_IOAT_OK);
	assert_int_equal(g_ended[i + 1].times, 1);
	assert_memory_equal(g_memory, g_memory + 4096, 64);
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
