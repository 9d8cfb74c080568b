/* SPDX-License-Identifier: BSD-3-Clause */

/* What the driver refuses, gives up on and says about it, where no lesson (test_lessons.c) is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../unit/support.h"
#include "rig.h"
#include "udma/fault.h"
#include "udma/ioat.h"

static struct rig *g_rig;
static struct spdk_ioat_chan *g_chan;
static unsigned g_called;

static int
setup_device(void **state)
{
	(void)state;
	rig_env_init();
	g_rig = rig_create(0, 20);
	g_chan = NULL;
	g_called = 0;
	capture_log();
	return 0;
}

static int
setup(void **state)
{
	setup_device(state);
	g_chan = rig_attach(0);
	return g_chan == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	rig_destroy(g_rig);
	spdk_log_close();
	spdk_env_fini();
	return 0;
}

static void
assert_logged(const char *text)
{
	if (strstr(g_logged, text) == NULL) {
		fail_msg("expected '%s' in: %s", text, g_logged);
	}
	capture_log();
}

static bool
say_yes(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	(void)device;
	return true;
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)ctx;
	(void)device;
	g_chan = chan;
}

static void
count_call(void *arg)
{
	(void)arg;
	g_called++;
}

/** Attaching fails with an error that says `text`, and leaves the device to the next attempt. */
static void
assert_not_attached(int rc, const char *text)
{
	assert_int_equal(spdk_ioat_probe(NULL, say_yes, take), rc);
	assert_null(g_chan);
	assert_logged(text);
}

static void
probe_without_callbacks(void **state)
{
	(void)state;
	assert_int_equal(spdk_ioat_probe(NULL, NULL, take), -EINVAL);
	assert_int_equal(spdk_ioat_probe(NULL, say_yes, NULL), -EINVAL);
	assert_logged("both callbacks");
}

static void
bar_that_cannot_be_mapped(void **state)
{
	(void)state;
	g_rig->map_rc = -ENOMEM;
	assert_not_attached(-ENOMEM, "0000:80:04.0: BAR 0 cannot be mapped");
	g_rig->map_rc = 0;
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static void
command_register_that_cannot_be_read(void **state)
{
	(void)state;
	RIG_SET(g_rig, no_command, true);
	assert_not_attached(-EIO, "0000:80:04.0: the command register");
	RIG_SET(g_rig, no_command, false);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static void
engine_that_does_not_start(void **state)
{
	(void)state;
	RIG_SET(g_rig, hangs, true);
	assert_not_attached(-EIO, "0000:80:04.0: the channel does not start");
	RIG_SET(g_rig, hangs, false);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

/** Where a pattern starts is not known then. */
static void
trial_fill_that_is_wrong(void **state)
{
	const struct udma_fault flip = {.kind = UDMA_FAULT_FLIP, .at = 1};
	uint8_t *memory = spdk_dma_zmalloc(4096, 4096, NULL);

	(void)state;
	pthread_mutex_lock(&g_rig->lock);
	assert_int_equal(udma_emu_inject(g_rig->function.emu, &flip), 0);
	pthread_mutex_unlock(&g_rig->lock);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_logged("0000:80:04.0: a trial fill has written something else than its pattern");
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, NULL, memory + 3, 0, 64), -ENOTSUP);
	assert_int_equal(spdk_ioat_submit_fill(g_chan, NULL, NULL, memory + 8, ~0ull, 64), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	assert_int_equal(memory[71], 0xff);
	spdk_dma_free(memory);
}

/** As in SPDK. */
static void
no_channel(void **state)
{
	uint8_t bytes[8] = {0};

	(void)state;
	assert_int_equal(spdk_ioat_build_copy(NULL, NULL, NULL, bytes, bytes, 8), -EINVAL);
	assert_int_equal(spdk_ioat_submit_copy(NULL, NULL, NULL, bytes, bytes, 8), -EINVAL);
	assert_int_equal(spdk_ioat_build_fill(NULL, NULL, NULL, bytes, 0, 8), -EINVAL);
	assert_int_equal(spdk_ioat_submit_fill(NULL, NULL, NULL, bytes, 0, 8), -EINVAL);
	assert_int_equal(spdk_ioat_get_dma_capabilities(NULL), 0);
}

static void
bytes_that_cannot_be_counted(void **state)
{
	uint8_t *memory = spdk_dma_zmalloc(4096, 4096, NULL);
	const struct iovec five = {memory, 5};
	const struct iovec more[] = {{memory + 100, SIZE_MAX}, {memory + 200, 6}};

	(void)state;
	assert_int_equal(udma_ioat_copyv(g_chan, &five, 1, more, 2, 0, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_copyv(g_chan, more, 2, &five, 1, 0, NULL, NULL), -EINVAL);
	assert_int_equal(udma_ioat_copyv(g_chan, more, 2, more, 2, 0, NULL, NULL), -EINVAL);
	assert_logged("different bytes in all");
	spdk_dma_free(memory);
}

static void
no_memory_for_the_ring(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	struct spdk_pci_device *device = &g_rig->function.device;

	(void)state;
	spdk_env_fini();
	spdk_env_opts_init(&opts);
	opts.no_pci = true;
	opts.mem_size = 2;
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_non_null(spdk_dma_malloc(2 << 20, 0, NULL)); /* all there is */
	assert_not_attached(-ENOMEM, "0000:80:04.0: no memory for the ring");
	assert_false(device->internal.attached);
	spdk_env_fini();
	rig_env_init();
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
}

static void
engine_that_nothing_stops(void **state)
{
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 4096, NULL);
	uint64_t ring = rig_read64(g_rig, BAR_CHAINADDR);

	(void)state;
	assert_int_equal(
		spdk_ioat_submit_copy(g_chan, NULL, count_call, memory + 2048, memory, 2048), 0);
	assert_int_equal(rig_poll(g_chan, 1), 1);
	capture_log();
	RIG_SET(g_rig, ignore_reset, true);
	RIG_SET(g_rig, no_command, true);
	spdk_ioat_detach(g_chan);
	g_chan = NULL;
	assert_logged("0000:80:04.0: the engine cannot be stopped");
	/* Its ring is nobody else's from now on. */
	assert_int_equal(rig_read64(g_rig, BAR_CHAINADDR), ring);
	RIG_SET(g_rig, ignore_reset, false);
	RIG_SET(g_rig, no_command, false);
	g_chan = rig_attach(0);
	assert_non_null(g_chan);
	assert_int_not_equal(rig_read64(g_rig, BAR_CHAINADDR), ring);
	spdk_free(memory);
}

static void
destination_not_registered(void **state)
{
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 4096, NULL);
	uint8_t other[64];

	(void)state;
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, other, memory, 64),
			 -EINVAL);
	assert_logged("the destination at");
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, other, 64),
			 -EINVAL);
	assert_logged("the source at");
	spdk_free(memory);
}

static void
ring_has_its_size(void **state)
{
	(void)state;
	assert_int_equal(spdk_ioat_get_max_descriptors(g_chan), 32768);
}

/** With one request outstanding, the engine seems to store a word. \return what the poll says. */
static int
poll_after(uint64_t word)
{
	__atomic_store_n(rig_completion_word(g_rig), word, __ATOMIC_RELEASE);
	return spdk_ioat_process_events(g_chan);
}

static void
word_after_the_channel_has_failed(void **state)
{
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(4096, 4096, NULL);
	uint64_t last = rig_read64(g_rig, BAR_CHAINADDR) +
			(rig_read16(g_rig, BAR_DMACOUNT) & 32767) * 64ull;

	(void)state;
	rig_pause(g_rig);
	assert_int_equal(spdk_ioat_submit_copy(g_chan, NULL, count_call, memory, memory + 64, 8),
			 0);
	/* Section 9: 0 with the state HALTED, and a cause. The device is paused, so that its reset
	 * does not end. */
	rig_poke(g_rig, BAR_CHANERR, 4, 0x80);
	assert_int_equal(poll_after(3), -EIO);
	assert_logged("0000:80:04.0: the channel cannot be restarted");
	/* A word that comes later changes nothing, not even the right one. */
	assert_int_equal(poll_after(last | 1), -EIO);
	assert_int_equal(poll_after(UINT64_MAX), -EIO);
	assert_int_equal(g_log_lines, 0);
	assert_int_equal(g_called, 0);
	spdk_free(memory);
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_DEVICE(test)  cmocka_unit_test_setup_teardown(test, setup_device, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(probe_without_callbacks),
		WITH_DEVICE(bar_that_cannot_be_mapped),
		WITH_DEVICE(command_register_that_cannot_be_read),
		WITH_DEVICE(trial_fill_that_is_wrong),
		WITH_CHANNEL(no_channel),
		WITH_CHANNEL(bytes_that_cannot_be_counted),
		WITH_DEVICE(engine_that_does_not_start),
		WITH_DEVICE(no_memory_for_the_ring),
		WITH_CHANNEL(engine_that_nothing_stops),
		WITH_CHANNEL(destination_not_registered),
		WITH_CHANNEL(ring_has_its_size),
		WITH_CHANNEL(word_after_the_channel_has_failed),
	};

	if (argc == 2) { /* only those that it names, with wildcards */
		cmocka_set_test_filter(argv[1]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
