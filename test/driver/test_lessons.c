/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What goes wrong in I/OAT drivers: one test for each row of the list of lessons, named after its
 * situation. The device is stepped by hand where the moment matters.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "env/translate.h"
#include "rig.h"
#include "udma/ioat.h"

#define RING 32768

static struct rig *g_rig;
static struct spdk_ioat_chan *g_chan;
static unsigned g_called;

static void
count_call(void *arg)
{
	(void)arg;
	g_called++;
}

static uint8_t *
dma(size_t size)
{
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(size, 4096, NULL);

	assert_non_null(memory);
	return memory;
}

static int
setup_with(uint8_t xfercap)
{
	rig_env_init();
	g_called = 0;
	g_rig = rig_create(0, xfercap);
	g_chan = rig_attach(0);
	return g_chan == NULL;
}

static int
setup(void **state)
{
	(void)state;
	return setup_with(20);
}

/** Only the device: the test attaches. */
static int
setup_device(void **state)
{
	(void)state;
	rig_env_init();
	g_called = 0;
	g_chan = NULL;
	g_rig = rig_create(0, 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	rig_destroy(g_rig);
	spdk_env_fini();
	return 0;
}

/** What a request may not have changed if it was refused. */
struct announced {
	uint16_t dmacount;
	struct udma_ioat_stats stats;
};

static struct announced
announced(void)
{
	struct announced now = {.dmacount = rig_read16(g_rig, BAR_DMACOUNT)};

	udma_ioat_get_stats(g_chan, &now.stats, sizeof(now.stats));
	return now;
}

static void
assert_nothing_announced_since(const struct announced *before)
{
	struct announced now;

	spdk_ioat_flush(g_chan);
	now = announced();
	assert_int_equal(now.dmacount, before->dmacount);
	assert_memory_equal(&now.stats, &before->stats, sizeof(now.stats));
}

static void
second_piece_not_registered(void **state)
{
	uint8_t *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *destination = dma(8192);
	struct announced before;

	(void)state;
	assert_int_equal(spdk_mem_register(pages, 4096), 0);
	memset(pages, 0x5a, 8192);
	rig_pause(g_rig);
	before = announced();
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, destination, pages, 8192),
			 -EINVAL);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, pages, 1, 8192), -EINVAL);
	assert_nothing_announced_since(&before);
	rig_resume(g_rig);

	/* The next request is the only one that runs. */
	assert_int_equal(
		spdk_ioat_submit_copy(g_chan, NULL, count_call, destination + 4096, pages, 16), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(g_called, 1);
	assert_int_equal(destination[0], 0);
	assert_int_equal(destination[4096], 0x5a);
	assert_int_equal(spdk_mem_unregister(pages, 4096), 0);
	munmap(pages, 8192);
	spdk_free(destination);
}

static int
setup_small_pieces(void **state)
{
	(void)state;
	return setup_with(12);
}

static void
room_for_part_of_a_request(void **state)
{
	uint8_t *memory = dma(65536);
	struct announced before;

	(void)state;
	rig_pause(g_rig);
	/* All but 3 of the slots that can be used (one always stays free). */
	for (unsigned i = 0; i < RING - 1 - 3; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 32768, 1),
			0);
	}
	spdk_ioat_flush(g_chan);
	before = announced();
	assert_int_equal(
		spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 32768, 4 * 4096),
		-ENOMEM);
	assert_nothing_announced_since(&before);
	/* What fits still does. */
	assert_int_equal(
		spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 32768, 3 * 4096),
		0);
	rig_resume(g_rig);
	spdk_ioat_flush(g_chan);
	assert_int_equal(rig_poll(g_chan, RING - 3), RING - 3);
	assert_int_equal(g_called, RING - 3);
	spdk_free(memory);
}

static void
request_larger_than_the_ring(void **state)
{
	const size_t size = (size_t)RING * 4096;
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, size), 0);
	/* It would be -ENOMEM for ever. */
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0, size), -E2BIG);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0, 4096), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(spdk_mem_unregister(memory, size), 0);
	munmap(memory, size);
}

static void
ring_full_and_nothing_flushed(void **state)
{
	uint8_t *memory = dma(8192);
	unsigned built = 0;

	(void)state;
	while (spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 4096, 64) == 0) {
		built++;
	}
	assert_int_equal(built, RING - 1);
	/* Nobody has flushed, but whoever polls and tries again gets on. */
	assert_int_equal(rig_poll(g_chan, (int)built), built);
	assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 4096, 64),
			 0);
	spdk_ioat_flush(g_chan);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	spdk_free(memory);
}

static void
channel_halts(void **state)
{
	uint8_t *memory = dma(4096);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned errors = 0;
	uint64_t start;

	(void)state;
	/* A read-only page as destination: the engine meets it, the driver does not. */
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	rig_pause(g_rig);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 2048, 8),
			0);
	}
	assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, page, memory, 8), 0);
	assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 2048, 8),
			 0);
	spdk_ioat_flush(g_chan);
	rig_resume(g_rig);

	/* What had finished is reported, by count and callback; then the error, once; and what was
	 * behind goes on. */
	assert_int_equal(rig_poll(g_chan, 3), 3);
	assert_int_equal(g_called, 3);
	start = spdk_get_ticks();
	while (g_called < 4 || errors < 1) {
		int rc = spdk_ioat_process_events(g_chan);

		assert_true(rc == 0 || rc == 1 || rc == -EIO);
		errors += rc == -EIO;
	}
	assert_true(spdk_get_ticks() - start < 10 * spdk_get_ticks_hz());
	assert_int_equal(errors, 1);
	assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 2048, 8),
			 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(g_called, 5);
	assert_int_equal(spdk_mem_unregister(page, 4096), 0);
	munmap(page, 4096);
	spdk_free(memory);
}

static void
channel_halts_without_a_write_back(void **state)
{
	uint8_t *memory = dma(4096);
	int rc;

	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	/* The status register alone says so (section 9: not reliably pushed to memory). */
	rig_poke(g_rig, BAR_CHANSTS, 8, (rig_read64(g_rig, BAR_CHANSTS) & ~7ull) | 3);
	do {
		rc = spdk_ioat_process_events(g_chan);
	} while (rc == 0);
	assert_int_equal(rc, -EIO);
	assert_int_equal(g_called, 0);
	/* And the channel goes on. */
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	spdk_free(memory);
}

static void
halt_status_names_what_had_finished(void **state)
{
	uint8_t *memory = dma(4096);
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR);
	uint16_t before = rig_read16(g_rig, BAR_DMACOUNT);
	int rc;

	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 64, 8), 0);
	}
	spdk_ioat_flush(g_chan);
	/* The second of three was the last good one. */
	rig_poke(g_rig, BAR_CHANSTS, 8, (ring + (before + 1) * 64ull) | 3);
	do {
		rc = spdk_ioat_process_events(g_chan);
	} while (rc == 0);
	assert_int_equal(rc, 2);
	assert_int_equal(g_called, 2);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	spdk_free(memory);
}

static void
device_is_gone(void **state)
{
	uint8_t *memory = dma(4096);
	int rc;

	(void)state;
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	rig_vanish(g_rig);
	do {
		rc = spdk_ioat_process_events(g_chan);
	} while (rc == 0);
	assert_int_equal(rc, -ENODEV);
	assert_int_equal(spdk_ioat_process_events(g_chan), -ENODEV);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 -ENODEV);
	assert_int_equal(g_called, 0);
	spdk_free(memory);
}

/** Lets the engine seem to have written a completion word, with one request outstanding. */
static void
complete_with(uint64_t word)
{
	uint8_t *memory = dma(4096);

	rig_pause(g_rig);
	RIG_SET(g_rig, resume_at_command, true);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	__atomic_store_n(rig_completion_word(g_rig), word, __ATOMIC_RELEASE);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	assert_int_equal(g_called, 0);
	spdk_free(memory);
}

static void
completion_word_outside_the_ring(void **state)
{
	(void)state;
	complete_with(rig_read64(g_rig, BAR_CHAINADDR) + RING * 64ull);
}

static void
completion_word_below_the_ring(void **state)
{
	(void)state;
	complete_with(rig_read64(g_rig, BAR_CHAINADDR) - 64);
}

static void
completion_word_of_a_slot_not_outstanding(void **state)
{
	(void)state;
	complete_with(rig_read64(g_rig, BAR_CHAINADDR) +
		      (rig_read16(g_rig, BAR_DMACOUNT) + 5) * 64ull);
}

static void
completion_word_of_ones(void **state)
{
	(void)state;
	complete_with(UINT64_MAX);
}

/** A doorbell and a RESET that a device which polls its registers sees at the same time. */
static void
doorbell_before_a_reset_means_nothing_after_it(void **state)
{
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR);
	uint16_t before = rig_read16(g_rig, BAR_DMACOUNT);

	(void)state;
	rig_pause(g_rig);
	rig_poke(g_rig, BAR_DMACOUNT, 2, (uint16_t)(before + 3));
	rig_poke(g_rig, BAR_CHANCMD, 1, 0x20);
	rig_step(g_rig, 0);
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), 0);
	rig_poke(g_rig, BAR_CHAINADDR, 8, ring + 64);
	rig_step(g_rig, 8);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS), 4);
	/* Whatever it is, it is not the driver's. */
	RIG_SET(g_rig, resume_at_command, true);
}

static void
poll_again(void *arg)
{
	(void)arg;
	g_called++;
	spdk_ioat_process_events(g_chan);
}

static void
callback_polls(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, poll_again, memory, memory + 64, 8), 0);
	}
	spdk_ioat_flush(g_chan);
	while (g_called < 10) {
		assert_true(spdk_ioat_process_events(g_chan) >= 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(spdk_ioat_process_events(g_chan), 0);
	}
	assert_int_equal(g_called, 10);
	spdk_free(memory);
}

static uint8_t *g_memory;
static int g_submit_result;

static void
submit_again(void *arg)
{
	if (g_called++ == 0) {
		g_submit_result =
			spdk_ioat_submit_copy(g_chan, arg, count_call, g_memory, g_memory + 64, 8);
	}
}

static void
callback_submits_into_a_full_ring(void **state)
{
	(void)state;
	g_memory = dma(4096);
	rig_pause(g_rig);
	for (unsigned i = 0; i < RING - 1; i++) {
		assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, submit_again, g_memory,
						      g_memory + 64, 8),
				 0);
	}
	assert_int_equal(
		spdk_ioat_build_copy(g_chan, NULL, submit_again, g_memory, g_memory + 64, 8),
		-ENOMEM);
	g_submit_result = -1;
	rig_resume(g_rig);
	assert_int_equal(rig_poll(g_chan, RING), RING);
	/* The slot of the request that had just finished was free for it. */
	assert_int_equal(g_submit_result, 0);
	assert_int_equal(g_called, RING);
	spdk_free(g_memory);
}

static void
detach_with_requests_outstanding(void **state)
{
	uint8_t *memory = dma(1 << 20);

	(void)state;
	memset(memory + (1 << 19), 0x77, 1 << 19);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, memory,
						      memory + (1 << 19), 1 << 19),
				 0);
	}
	/* Accepted requests are carried out, announced or not, and called back. */
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	assert_int_equal(g_called, 64);
	assert_int_equal(memory[(1 << 19) - 1], 0x77);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 3);
	spdk_free(memory);
}

static enum udma_ioat_status g_status;

static void
keep_status(void *arg, const struct udma_ioat_result *result)
{
	(void)arg;
	g_status = result->status;
}

static void
detach_from_an_engine_that_cannot_be_reset(void **state)
{
	uint8_t *memory = dma(4096);
	uint16_t command;

	(void)state;
	rig_pause(g_rig);
	RIG_SET(g_rig, ignore_reset, true);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	assert_int_equal(udma_ioat_null(g_chan, 0, keep_status, NULL), 0);
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	assert_int_equal(g_called, 0);
	assert_int_equal(g_status, UDMA_IOAT_ABORTED);
	/* Bus mastering is off, so that nothing is written to what has been freed. */
	assert_int_equal(g_rig->function.device.cfg_read(&g_rig->function.device, &command, 2, 4),
			 0);
	assert_int_equal(command & 4, 0);
	spdk_free(memory);
	RIG_SET(g_rig, ignore_reset, false);
}

static void
detach_in_callback(void *arg)
{
	(void)arg;
	if (g_called++ == 0) {
		spdk_ioat_detach(g_chan);
	}
}

static void
callback_detaches(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, detach_in_callback, memory,
						      memory + 64, 8),
				 0);
	}
	spdk_ioat_flush(g_chan);
	while (g_called == 0) {
		spdk_ioat_process_events(g_chan);
	}
	g_chan = NULL;
	assert_int_equal(g_called, 5);
	spdk_free(memory);
}

static void
probe_after_detach(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		spdk_ioat_detach(g_chan);
		g_chan = rig_attach(0);
		assert_non_null(g_chan);
		/* While it is attached it is not offered. */
		assert_null(rig_attach(0));
	}
}

static bool
say_no(void *ctx, struct spdk_pci_device *device)
{
	(void)device;
	++*(unsigned *)ctx;
	return false;
}

static void
must_not_attach(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	(void)device;
	(void)chan;
	fail();
}

static void
probe_after_no(void **state)
{
	unsigned offered = 0;

	(void)state;
	assert_int_equal(spdk_ioat_probe(&offered, say_no, must_not_attach), 0);
	assert_int_equal(spdk_ioat_probe(&offered, say_no, must_not_attach), 0);
	assert_int_equal(offered, 2);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static bool
say_yes(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return true;
}

static void
collect(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	struct spdk_ioat_chan **chans = ctx;

	chans[device->addr.func] = chan;
}

static void
one_bad_device_among_several(void **state)
{
	struct spdk_ioat_chan *chans[4] = {NULL};
	struct rig *rigs[4] = {NULL, rig_create(1, 20), rig_create(2, 20), rig_create(3, 20)};

	(void)state;
	rig_poke(rigs[1], BAR_CBVER, 1, 0x12); /* version 1.2: programmed differently */
	rig_poke(rigs[2], BAR_XFERCAP, 1, 5); /* 32 bytes a transfer: none is defined below 4 KiB */
	assert_int_equal(spdk_ioat_probe(chans, say_yes, collect), 0);
	g_chan = chans[0];
	assert_non_null(chans[0]);
	assert_null(chans[1]);
	assert_null(chans[2]);
	assert_non_null(chans[3]);
	spdk_ioat_detach(chans[3]);
	/* With nothing but bad ones the probe says so. */
	spdk_pci_unhook_device(&rigs[3]->function.device);
	assert_true(spdk_ioat_probe(chans, say_yes, collect) < 0);
	spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &rigs[3]->function.device);
	for (unsigned i = 1; i < 4; i++) {
		rig_destroy(rigs[i]);
	}
}

static void
detach_at_once(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	++*(unsigned *)ctx;
	spdk_ioat_detach(chan);
}

static void
attach_callback_detaches(void **state)
{
	unsigned attached = 0;

	(void)state;
	assert_int_equal(spdk_ioat_probe(&attached, say_yes, detach_at_once), 0);
	assert_int_equal(attached, 1);
	/* And it is offered again. */
	assert_int_equal(spdk_ioat_probe(&attached, say_yes, detach_at_once), 0);
	assert_int_equal(attached, 2);
}

static void
xfercap_is_zero(void **state)
{
	const size_t size = 3ull << 30;
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint16_t before, after;
	uint64_t ring, sum = 0;

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	rig_poke(g_rig, BAR_XFERCAP, 1, 0);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_equal(spdk_mem_register(memory, size), 0);
	ring = rig_read64(g_rig, BAR_CHAINADDR);
	before = rig_read16(g_rig, BAR_DMACOUNT);
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0, size), 0);
	after = rig_read16(g_rig, BAR_DMACOUNT);
	/* The sizes of its descriptors add up; none is 0, and none is more than 32 bits hold. */
	for (uint64_t i = before; i < after; i++) {
		uint32_t piece = *(uint32_t *)(uintptr_t)(ring + i * 64);

		assert_int_not_equal(piece, 0);
		sum += piece;
	}
	assert_int_equal(sum, size);
	/* The model's own limit is 1 MiB: it halts, which is not what this is about. */
	rig_resume(g_rig);
	while (spdk_ioat_process_events(g_chan) == 0) {
	}
	assert_int_equal(spdk_mem_unregister(memory, size), 0);
	munmap(memory, size);
}

static void
zero_bytes(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory, 0), 0);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0x1234, 0), 0);
	assert_int_equal(rig_poll(g_chan, 2), 2);
	assert_int_equal(g_called, 2);
	for (unsigned i = 0; i < 4096; i++) {
		assert_int_equal(memory[i], 0);
	}
	spdk_free(memory);
}

/** Fills at each offset over a boundary between two pieces, and checks each byte. */
static void
fill_over_pieces(void)
{
	const uint64_t pattern = 0x8877665544332211ull;
	const size_t size = 5 * 4096;
	/* Two registrations: the boundary between them splits at any distance from the start. */
	uint8_t *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(spdk_mem_register(memory, 4096), 0);
	assert_int_equal(spdk_mem_register(memory + 4096, size - 4096), 0);
	for (unsigned offset = 4096 - 19; offset < 4096; offset++) {
		const unsigned length = 3 * 4096 + 5;

		memset(memory, 0xee, size);
		assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory + offset,
						       pattern, length),
				 0);
		assert_int_equal(rig_poll(g_chan, 1), 1);
		for (unsigned i = 0; i < size; i++) {
			unsigned into = i - offset;
			uint8_t expected = 0xee;

			if (i >= offset && into < length) {
				expected = (uint8_t)(pattern >> into % 8 * 8);
			}
			assert_int_equal(memory[i], expected);
		}
	}
	assert_int_equal(spdk_mem_unregister(memory, size), 0);
	munmap(memory, size);
}

static void
fill_split_off_a_multiple_of_8(void **state)
{
	(void)state;
	fill_over_pieces();
}

static void
fill_split_on_an_engine_that_starts_at_multiples_of_8(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	RIG_SET(g_rig, fill_at_multiple_of_8, true);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	fill_over_pieces();
}

extern bool __real_udma_translation_find(struct udma_translation *t, uint64_t va);
bool __wrap_udma_translation_find(struct udma_translation *t, uint64_t va);
static unsigned g_lookups;

bool
__wrap_udma_translation_find(struct udma_translation *t, uint64_t va)
{
	g_lookups++;
	return __real_udma_translation_find(t, va);
}

static void
translation_is_linear_in_the_pieces(void **state)
{
	const size_t size = 16 << 20;
	uint8_t *memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct udma_ioat_stats before, after;

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 2 * size), 0);
	udma_ioat_get_stats(g_chan, &before, sizeof(before));
	g_lookups = 0;
	assert_int_equal(
		spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + size, size), 0);
	udma_ioat_get_stats(g_chan, &after, sizeof(after));
	assert_int_equal(after.descriptors - before.descriptors, 16);
	/* One region for the source and one for the destination, however many pieces. */
	assert_int_equal(g_lookups, 2);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(spdk_mem_unregister(memory, 2 * size), 0);
	munmap(memory, 2 * size);
}

static void
memory_the_engine_cannot_reach(void **state)
{
	uint8_t *hole =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	munmap(hole + 4096, 4096);
	/* The error comes from the registration, not from the copy. */
	assert_int_equal(spdk_mem_register(hole, 8192), -EFAULT);
	assert_int_equal(spdk_vtophys(hole, NULL), SPDK_VTOPHYS_ERROR);
	munmap(hole, 4096);
}

static void
doorbell_with_nothing_new(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	rig_pause(g_rig);
	rig_poke(g_rig, BAR_DMACOUNT, 2, 0xdead);
	spdk_ioat_flush(g_chan);
	assert_int_equal(rig_read16(g_rig, BAR_DMACOUNT), 0xdead);
	rig_poke(g_rig, BAR_DMACOUNT, 2, g_rig->function.watch.shadow.dmacount);
	rig_resume(g_rig);
	spdk_free(memory);
}

static void
reset_that_does_not_end(void **state)
{
	(void)state;
	RIG_SET(g_rig, ignore_reset, true);
	assert_null(rig_attach(0));
	/* A device that comes to its senses is taken by the next probe. */
	RIG_SET(g_rig, ignore_reset, false);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static int g_reset_rc = -ENOTSUP;
static unsigned g_resets;

int __wrap_udma_pci_device_reset(struct spdk_pci_device *device);

/** The function's own reset, where the test gives it one that helps. */
int
__wrap_udma_pci_device_reset(struct spdk_pci_device *device)
{
	(void)device;
	g_resets++;
	if (g_reset_rc == 0) {
		RIG_SET(g_rig, ignore_reset, false);
	}
	return g_reset_rc;
}

static void
reset_that_takes_the_whole_function(void **state)
{
	(void)state;
	g_resets = 0;
	g_reset_rc = -EIO;
	RIG_SET(g_rig, ignore_reset, true);
	assert_null(rig_attach(0));
	assert_int_equal(g_resets, 1);
	g_reset_rc = 0;
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_equal(g_resets, 2);
	/* It is the last resort, and none where the channel's own reset works. */
	spdk_ioat_detach(g_chan);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_equal(g_resets, 2);
	g_reset_rc = -ENOTSUP;
}

/** Leaves the channel as a process that was killed would: with a ring of its own. */
static void
start_foreign_ring(uint8_t *ring, uint64_t *completion, uint32_t size, uint16_t chanctrl)
{
	uint64_t *desc = (uint64_t *)(void *)ring;

	for (unsigned i = 0; i < 4; i++) {
		desc[i * 8] = 8ull << 32 | size; /* completion update */
		desc[i * 8 + 1] = (uintptr_t)ring + 2048;
		desc[i * 8 + 2] = (uintptr_t)ring + 3072;
		desc[i * 8 + 3] = (uintptr_t)ring + (i + 1) % 4 * 64;
	}
	rig_pause(g_rig);
	g_rig->function.device.cfg_write(&g_rig->function.device, (uint16_t[]){6}, 2, 4);
	rig_poke(g_rig, BAR_CHANCTRL, 2, chanctrl);
	rig_poke(g_rig, BAR_CHANCMP, 8, (uintptr_t)completion);
	rig_poke(g_rig, BAR_CHAINADDR, 8, (uintptr_t)ring);
	rig_step(g_rig, 0);
}

/** The channel works after whatever it was in. */
static void
assert_brought_up(void)
{
	uint8_t *memory = dma(8192);

	rig_resume(g_rig);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	memset(memory + 4096, 0x3c, 4096);
	assert_int_equal(
		spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 4096, 4096), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_memory_equal(memory, memory + 4096, 4096);
	spdk_free(memory);
}

static void
left_armed(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 8, 0x0c);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS), 4);
	assert_brought_up();
	spdk_free(ring);
}

static void
left_running(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 8, 0x0c);
	rig_poke(g_rig, BAR_DMACOUNT, 2, 60000);
	rig_step(g_rig, 10);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 0);
	assert_brought_up();
	spdk_free(ring);
}

static void
left_idle(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 8, 0x0c);
	rig_poke(g_rig, BAR_DMACOUNT, 2, 2);
	rig_step(g_rig, 10);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 1);
	assert_brought_up();
	spdk_free(ring);
}

static void
left_suspended(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 8, 0x0c);
	rig_poke(g_rig, BAR_DMACOUNT, 2, 2);
	rig_step(g_rig, 10);
	rig_poke(g_rig, BAR_CHANCMD, 1, 4);
	rig_step(g_rig, 10);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 2);
	assert_brought_up();
	spdk_free(ring);
}

static void
left_halted_with_an_error(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 0,
			   0x0c); /* size 0 is an error */
	rig_poke(g_rig, BAR_DMACOUNT, 2, 1);
	rig_step(g_rig, 10);
	assert_int_equal(rig_read64(g_rig, BAR_CHANSTS) & 7, 3);
	assert_int_not_equal(rig_read64(g_rig, BAR_CHANERR) & 0xffffffff, 0);
	assert_brought_up();
	spdk_free(ring);
}

static void
left_without_bus_mastering(void **state)
{
	(void)state;
	g_rig->function.device.cfg_write(&g_rig->function.device, (uint16_t[]){0}, 2, 4);
	assert_brought_up();
}

static void
config_180_is_cleared_before_version_33(void **state)
{
	(void)state;
	rig_poke(g_rig, BAR_CBVER, 1, 0x32);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_true(g_rig->config_writes_180 > 0);
}

static void
config_180_that_cannot_be_read(void **state)
{
	(void)state;
	rig_poke(g_rig, BAR_CBVER, 1, 0x32);
	RIG_SET(g_rig, no_config_180, true);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static void
all_ones_at_attach(void **state)
{
	(void)state;
	rig_vanish(g_rig);
	assert_null(rig_attach(0));
}

static void
bar_too_small(void **state)
{
	(void)state;
	g_rig->bar_size = 0x80;
	assert_null(rig_attach(0));
}

static void
engine_without_fill(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	rig_poke(g_rig, BAR_DMACAP, 4, 0);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_equal(spdk_ioat_get_dma_capabilities(g_chan), SPDK_IOAT_ENGINE_COPY_SUPPORTED);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0, 64), -ENOTSUP);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 64),
			 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	spdk_free(memory);
}

static void
engine_that_halts_at_a_fill(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	RIG_SET(g_rig, refuse_fills, true);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_equal(spdk_ioat_get_dma_capabilities(g_chan), SPDK_IOAT_ENGINE_COPY_SUPPORTED);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, count_call, memory, 0, 64), -ENOTSUP);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 64),
			 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	spdk_free(memory);
}

extern void __real_spdk_free(void *buf);
void __wrap_spdk_free(void *buf);
static bool g_watch_frees;
static unsigned g_freed_under_the_engine;

/** The engine may write as long as it is not halted and masters the bus. */
void
__wrap_spdk_free(void *buf)
{
	uint16_t command;

	if (g_watch_frees && buf != NULL && (rig_read64(g_rig, BAR_CHANSTS) & 7) != 3 &&
	    g_rig->function.device.cfg_read(&g_rig->function.device, &command, 2, 4) == 0 &&
	    command & 4) {
		g_freed_under_the_engine++;
	}
	__real_spdk_free(buf);
}

static void
engine_that_lies_at_a_fill(void **state)
{
	(void)state;
	RIG_SET(g_rig, lie_at_fills, true);
	g_watch_frees = true;
	/* It hangs at it, and so at the reset as well. */
	assert_null(rig_attach(0));
	g_watch_frees = false;
	assert_int_equal(g_freed_under_the_engine, 0);
	RIG_SET(g_rig, lie_at_fills, false);
	rig_resume(g_rig);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static void
a_dead_process_ring_is_not_carried_on(void **state)
{
	uint8_t *ring = dma(4096);

	(void)state;
	start_foreign_ring(ring, (uint64_t *)(void *)(ring + 1024), 8, 0x0c);
	rig_poke(g_rig, BAR_DMACOUNT, 2, 60000);
	rig_step(g_rig, 10);
	/* The kernel has taken bus mastering away from the process that was killed. */
	g_rig->function.device.cfg_write(&g_rig->function.device, (uint16_t[]){2}, 2, 4);
	memset(ring + 1024, 0, 8);
	memset(ring + 2048, 0x11, 8);
	memset(ring + 3072, 0x22, 8);
	assert_brought_up();
	/* Neither its completion word nor its destination has been written since. */
	assert_int_equal(*(uint64_t *)(void *)(ring + 1024), 0);
	assert_int_equal(ring[3072], 0x22);
	spdk_free(ring);
}

static void
detach_and_probe_again(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	unsigned *attached = ctx;

	(void)device;
	if (++*attached == 1) {
		spdk_ioat_detach(chan);
		g_chan = rig_attach(0);
	}
}

static void
attach_callback_detaches_and_probes_again(void **state)
{
	unsigned attached = 0;

	(void)state;
	assert_int_equal(spdk_ioat_probe(&attached, say_yes, detach_and_probe_again), 0);
	assert_int_equal(attached, 1);
	assert_non_null(g_chan);
	/* It is attached once, and so not offered. */
	assert_int_equal(spdk_ioat_probe(&attached, say_yes, detach_and_probe_again), 0);
	assert_int_equal(attached, 1);
}

static void
second_detach_from_a_callback_at_a_halt(void **state)
{
	uint8_t *memory = dma(4096);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned detached = 0;

	(void)state;
	assert_int_equal(spdk_mem_register(page, 4096), 0);
	rig_pause(g_rig);
	g_called = 0;
	assert_int_equal(
		spdk_ioat_build_copy(g_chan, NULL, detach_in_callback, memory, memory + 64, 8), 0);
	assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, page, memory, 8), 0);
	rig_resume(g_rig);
	/* The halt is found while detach waits; what had finished calls back, and detaches again.
	 */
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	assert_int_equal(g_called, 1);
	/* It was detached once, so that it can be attached, and removals wait for it. */
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, &detached, NULL, memory, memory + 64, 8), 0);
	assert_int_equal(spdk_mem_unregister(page, 4096), -EBUSY);
	rig_resume(g_rig);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(spdk_mem_unregister(page, 4096), 0);
	munmap(page, 4096);
	spdk_free(memory);
}

static void
removal_does_not_trust_a_channel_that_failed(void **state)
{
	uint8_t *memory =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 4096), 0);
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	__atomic_store_n(rig_completion_word(g_rig), 64, __ATOMIC_RELEASE);
	assert_int_equal(spdk_ioat_process_events(g_chan), -EIO);
	/* The engine has said nonsense, but may be inside all the same, until it is seen to stop.
	 */
	assert_int_equal(spdk_mem_unregister(memory, 4096), -EBUSY);
	rig_resume(g_rig);
	while (spdk_mem_unregister(memory, 4096) != 0) {
	}
	munmap(memory, 4096);
}

static void
removal_does_not_trust_a_word_that_is_not_outstanding(void **state)
{
	uint8_t *memory =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR);
	uint64_t before = *rig_completion_word(g_rig);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 4096), 0);
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	/* Nobody has polled: it is the removal that meets it first. */
	__atomic_store_n(rig_completion_word(g_rig),
			 ring + (rig_read16(g_rig, BAR_DMACOUNT) + 5) * 64ull, __ATOMIC_RELEASE);
	assert_int_equal(spdk_mem_unregister(memory, 4096), -EBUSY);
	__atomic_store_n(rig_completion_word(g_rig), before, __ATOMIC_RELEASE);
	rig_resume(g_rig);
	assert_int_equal(spdk_mem_unregister(memory, 4096), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	munmap(memory, 4096);
}

static void
statistics_begin_at_attach(void **state)
{
	uint8_t *memory = dma(4096);
	struct udma_ioat_stats stats;

	(void)state;
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests + stats.completed + stats.descriptors + stats.doorbells, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + 64, 8), 0);
	}
	spdk_ioat_flush(g_chan);
	assert_int_equal(rig_poll(g_chan, 3), 3);
	udma_ioat_get_stats(g_chan, &stats, sizeof(stats));
	assert_int_equal(stats.requests, 3);
	assert_int_equal(stats.completed, 3);
	assert_int_equal(stats.descriptors, 3);
	assert_int_equal(stats.doorbells, 1);
	spdk_free(memory);
}

static void
fork_while_memory_is_registered(void **state)
{
	const size_t size = 1 << 20;
	uint8_t *memory =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 2 * size), 0);
	for (unsigned round = 0; round < 20; round++) {
		pid_t child;
		int status;

		memset(memory, (int)round, size);
		child = fork();
		if (child == 0) {
			/* The child's writes, and its end, are its own business. */
			usleep(1000);
			memset(memory, 0xcc, 2 * size);
			_exit(0);
		}
		assert_true(child > 0);
		/* After the fork the parent's writes go to copies of the pages. */
		memset(memory, (int)round + 100, size);
		assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory + size,
						       memory, size),
				 0);
		assert_int_equal(rig_poll(g_chan, 1), 1);
		for (size_t i = 0; i < size; i++) {
			assert_int_equal(memory[size + i], round + 100);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	assert_int_equal(spdk_mem_unregister(memory, 2 * size), 0);
	munmap(memory, 2 * size);
}

/** A child that ends as its program does takes the channel's copy down, not the parent's engine. */
static void
child_of_a_fork_detaches(void **state)
{
	uint8_t *memory = spdk_dma_zmalloc(8192, 64, NULL);
	pid_t child;
	int status;

	(void)state;
	rig_pause(g_rig);
	memset(memory, 0x5a, 4096);
	assert_int_equal(
		spdk_ioat_submit_copy(g_chan, NULL, count_call, memory + 4096, memory, 4096), 0);
	child = fork();
	if (child == 0) {
		spdk_ioat_detach(g_chan);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* The BAR is shared, as that of a real function is. */
	assert_int_equal((uint8_t)rig_read16(g_rig, BAR_CHANCMD), 0);
	assert_int_not_equal(rig_read64(g_rig, BAR_CHAINADDR), 0);
	rig_resume(g_rig);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_memory_equal(memory, memory + 4096, 4096);
	spdk_dma_free(memory);
}

static void
removal_waits_for_the_engine(void **state)
{
	const size_t size = 1 << 20;
	uint8_t *memory =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 2 * size), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(
			spdk_ioat_build_copy(g_chan, NULL, count_call, memory, memory + size, size),
			0);
	}
	spdk_ioat_flush(g_chan);
	assert_int_equal(spdk_mem_unregister(memory, 2 * size), 0);
	/* Nothing of ours was halted by it, and all of it has been done: no poll was needed. */
	munmap(memory, 2 * size);
	assert_int_equal(rig_poll(g_chan, 100), 100);
}

static void
removal_under_an_engine_that_hangs(void **state)
{
	uint8_t *memory =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(spdk_mem_register(memory, 4096), 0);
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	assert_int_equal(spdk_mem_unregister(memory, 4096), -EBUSY);
	/* It stays registered, and can be removed when the engine has come to an end. */
	assert_int_not_equal(spdk_vtophys(memory, NULL), SPDK_VTOPHYS_ERROR);
	rig_resume(g_rig);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(spdk_mem_unregister(memory, 4096), 0);
	munmap(memory, 4096);
}

static void
count_wraps_at_16_bits(void **state)
{
	uint8_t *memory = dma(4096);

	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		assert_int_equal(
			spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8), 0);
		assert_int_equal(rig_poll(g_chan, 1), 1);
	}
	/* And with a full ring across the wrap. */
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < RING - 1; i++) {
			assert_int_equal(spdk_ioat_build_copy(g_chan, NULL, count_call, memory,
							      memory + 64, 8),
					 0);
		}
		spdk_ioat_flush(g_chan);
		assert_int_equal(rig_poll(g_chan, RING - 1), RING - 1);
	}
	assert_int_equal(g_called, 70000 + 5 * (RING - 1));
	spdk_free(memory);
}

static void
left_attached_at_the_end(void **state)
{
	(void)state;
	spdk_env_fini();
	g_chan = NULL;
	rig_env_init();
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_DEVICE(test)  cmocka_unit_test_setup_teardown(test, setup_device, teardown)
#define WITH_4K(test)      cmocka_unit_test_setup_teardown(test, setup_small_pieces, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_CHANNEL(second_piece_not_registered),
		WITH_4K(room_for_part_of_a_request),
		WITH_4K(request_larger_than_the_ring),
		WITH_CHANNEL(ring_full_and_nothing_flushed),
		WITH_CHANNEL(channel_halts),
		WITH_CHANNEL(channel_halts_without_a_write_back),
		WITH_CHANNEL(halt_status_names_what_had_finished),
		WITH_CHANNEL(device_is_gone),
		WITH_CHANNEL(completion_word_outside_the_ring),
		WITH_CHANNEL(completion_word_below_the_ring),
		WITH_CHANNEL(completion_word_of_a_slot_not_outstanding),
		WITH_CHANNEL(completion_word_of_ones),
		WITH_CHANNEL(doorbell_before_a_reset_means_nothing_after_it),
		WITH_CHANNEL(callback_polls),
		WITH_CHANNEL(callback_submits_into_a_full_ring),
		WITH_CHANNEL(detach_with_requests_outstanding),
		WITH_CHANNEL(detach_from_an_engine_that_cannot_be_reset),
		WITH_CHANNEL(callback_detaches),
		WITH_CHANNEL(probe_after_detach),
		WITH_DEVICE(probe_after_no),
		WITH_DEVICE(one_bad_device_among_several),
		WITH_DEVICE(attach_callback_detaches),
		WITH_DEVICE(xfercap_is_zero),
		WITH_CHANNEL(zero_bytes),
		WITH_4K(fill_split_off_a_multiple_of_8),
		WITH_4K(fill_split_on_an_engine_that_starts_at_multiples_of_8),
		WITH_CHANNEL(translation_is_linear_in_the_pieces),
		WITH_CHANNEL(memory_the_engine_cannot_reach),
		WITH_CHANNEL(doorbell_with_nothing_new),
		WITH_DEVICE(reset_that_does_not_end),
		WITH_DEVICE(reset_that_takes_the_whole_function),
		WITH_DEVICE(left_armed),
		WITH_DEVICE(left_running),
		WITH_DEVICE(left_idle),
		WITH_DEVICE(left_suspended),
		WITH_DEVICE(left_halted_with_an_error),
		WITH_DEVICE(left_without_bus_mastering),
		WITH_DEVICE(config_180_is_cleared_before_version_33),
		WITH_DEVICE(config_180_that_cannot_be_read),
		WITH_DEVICE(all_ones_at_attach),
		WITH_DEVICE(bar_too_small),
		WITH_DEVICE(engine_without_fill),
		WITH_DEVICE(engine_that_halts_at_a_fill),
		WITH_DEVICE(engine_that_lies_at_a_fill),
		WITH_DEVICE(a_dead_process_ring_is_not_carried_on),
		WITH_DEVICE(attach_callback_detaches_and_probes_again),
		WITH_CHANNEL(second_detach_from_a_callback_at_a_halt),
		WITH_CHANNEL(removal_does_not_trust_a_channel_that_failed),
		WITH_CHANNEL(removal_does_not_trust_a_word_that_is_not_outstanding),
		WITH_CHANNEL(statistics_begin_at_attach),
		WITH_CHANNEL(fork_while_memory_is_registered),
		WITH_CHANNEL(child_of_a_fork_detaches),
		WITH_CHANNEL(removal_waits_for_the_engine),
		WITH_CHANNEL(removal_under_an_engine_that_hangs),
		WITH_CHANNEL(count_wraps_at_16_bits),
		WITH_CHANNEL(left_attached_at_the_end),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
