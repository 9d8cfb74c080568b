/* SPDX-License-Identifier: BSD-3-Clause */

/* Starting and ending the environment, its defaults, its cores: as programs for SPDK know them. */

#include "spdk/stdinc.h"

#include <cmocka.h>

#include "spdk/env.h"
#include "spdk/ioat.h"

static void
assert_defaults(const struct spdk_env_opts *opts)
{
	assert_string_equal(opts->name, "spdk");
	assert_string_equal(opts->core_mask, "0x1");
	assert_null(opts->lcore_map);
	assert_int_equal(opts->shm_id, -1);
	assert_int_equal(opts->mem_channel, -1);
	assert_int_equal(opts->main_core, -1);
	assert_int_equal(opts->mem_size, -1);
	assert_false(opts->no_pci);
	assert_false(opts->hugepage_single_segments);
	assert_false(opts->unlink_hugepage);
	assert_false(opts->no_huge);
	assert_int_equal(opts->reserved, 0);
	assert_int_equal(opts->num_pci_addr, 0);
	assert_null(opts->hugedir);
	assert_null(opts->pci_blocked);
	assert_null(opts->pci_allowed);
	assert_null(opts->iova_mode);
	assert_true(opts->base_virtaddr == 0x200000000000);
	assert_null(opts->env_context);
	assert_null(opts->vf_token);
	assert_false(opts->enforce_numa);
}

static void
defaults(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	spdk_env_opts_init(&opts);
	assert_defaults(&opts);
	assert_int_equal(opts.opts_size, sizeof(opts));
}

static void
defaults_on_an_uninitialised_struct(void **state)
{
	struct spdk_env_opts opts;

	(void)state;
	/* Older programs hand over what happens to be on the stack, opts_size included. */
	memset(&opts, 0xff, sizeof(opts));
	spdk_env_opts_init(&opts);
	assert_defaults(&opts);
	opts.name = "old program";
	assert_int_equal(spdk_env_init(&opts), 0);
	spdk_env_fini();

	memset(&opts, 0, sizeof(opts));
	spdk_env_opts_init(&opts);
	assert_defaults(&opts);
	assert_int_equal(spdk_env_init(&opts), 0);
	spdk_env_fini();

	/* And what they do not know, they may have written over. */
	opts.opts_size = 3;
	opts.enforce_numa = true;
	assert_int_equal(spdk_env_init(&opts), 0);
	spdk_env_fini();
	spdk_env_opts_init(NULL);
}

static void
second_init_is_refused(void **state)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	spdk_env_opts_init(&opts);
	assert_int_equal(spdk_env_init(&opts), 0);
	assert_int_equal(spdk_env_init(&opts), -EINVAL);
	assert_int_equal(spdk_env_init(NULL), -EINVAL);
	/* The refusal has not disturbed the first. */
	assert_int_equal(spdk_env_get_core_count(), 1);
	spdk_env_fini();
}

static void
fini_without_init(void **state)
{
	(void)state;
	spdk_env_fini();
	spdk_env_fini();
}

static void
init_repeats(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		void *memory;

		assert_int_equal(spdk_env_init(NULL), 0);
		memory = spdk_dma_zmalloc(4096, 0, NULL);
		assert_non_null(memory);
		assert_true(spdk_vtophys(memory, NULL) != SPDK_VTOPHYS_ERROR);
		/* Every other time it is left to fini. */
		if (i % 2) {
			spdk_dma_free(memory);
		}
		spdk_env_fini();
	}
}

struct channels {
	struct spdk_ioat_chan *chan[4];
	unsigned count;
};

static bool
take(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	/* What the examples print of each. */
	assert_int_equal(spdk_pci_device_get_vendor_id(device), 0x8086);
	assert_int_equal(spdk_pci_device_get_device_id(device), 0x2021);
	assert_true(spdk_pci_device_get_dev(device) < 32);
	assert_true(spdk_pci_device_get_func(device) < 8);
	assert_int_equal(spdk_pci_device_get_addr(device).domain,
			 spdk_pci_device_get_domain(device));
	assert_int_equal(spdk_pci_device_get_addr(device).bus, spdk_pci_device_get_bus(device));
	return true;
}

static void
keep(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	struct channels *channels = ctx;

	(void)device;
	channels->chan[channels->count++] = chan;
}

static void
set_true(void *arg)
{
	*(bool *)arg = true;
}

static void
one_copy(struct spdk_ioat_chan *chan)
{
	char *memory = spdk_dma_zmalloc(8192, 4096, NULL);
	bool done = false;

	assert_non_null(memory);
	memset(memory, 0xa5, 4096);
	assert_int_equal(spdk_ioat_submit_copy(chan, &done, set_true, memory + 4096, memory, 4096),
			 0);
	while (!done) {
		assert_true(spdk_ioat_process_events(chan) >= 0);
	}
	assert_memory_equal(memory, memory + 4096, 4096);
	spdk_dma_free(memory);
}

static void
init_repeats_with_devices(void **state)
{
	(void)state;
	setenv("UDMA_EMULATE", "2", 1);
	for (int i = 0; i < 20; i++) {
		struct channels channels = {.count = 0};

		assert_int_equal(spdk_env_init(NULL), 0);
		/* They are found by the probe, before it returns, each time anew. */
		assert_int_equal(spdk_ioat_probe(&channels, take, keep), 0);
		assert_int_equal(channels.count, 2);
		one_copy(channels.chan[0]);
		one_copy(channels.chan[1]);
		/* Attached ones are not offered a second time. */
		assert_int_equal(spdk_ioat_probe(&channels, take, keep), 0);
		assert_int_equal(channels.count, 2);
		/* Every other time one is left for fini. */
		spdk_ioat_detach(channels.chan[0]);
		if (i % 2) {
			spdk_ioat_detach(channels.chan[1]);
		}
		spdk_env_fini();
	}
	unsetenv("UDMA_EMULATE");
}

static void
bad_emulate_is_refused(void **state)
{
	const char *bad[] = {"x", "-1", "1,", "1,flip", "1,nothing=1", "1,xfercap=40", "1 "};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("UDMA_EMULATE", bad[i], 1);
		assert_int_equal(spdk_env_init(NULL), -EINVAL);
	}
	unsetenv("UDMA_EMULATE");
	assert_int_equal(spdk_env_init(NULL), 0);
	spdk_env_fini();
}

static int
start_in_mode(const char *iova_mode, const char *emulate)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};
	int rc;

	spdk_env_opts_init(&opts);
	opts.iova_mode = iova_mode;
	setenv("UDMA_EMULATE", emulate, 1);
	rc = spdk_env_init(&opts);
	unsetenv("UDMA_EMULATE");
	return rc;
}

/** Whether devices see some memory where the program does. */
static bool
is_identity(void)
{
	void *memory = spdk_dma_zmalloc(4096, 0, NULL);
	uint64_t iova = spdk_vtophys(memory, NULL);

	assert_non_null(memory);
	assert_true(iova != SPDK_VTOPHYS_ERROR);
	spdk_dma_free(memory);
	return iova == (uintptr_t)memory;
}

static void
iova_modes(void **state)
{
	struct channels channels = {.count = 0};

	(void)state;
	assert_int_equal(start_in_mode("va", "1"), 0);
	assert_true(is_identity());
	spdk_env_fini();

	assert_int_equal(start_in_mode("mapped", "1"), 0);
	assert_false(is_identity());
	assert_int_equal(spdk_ioat_probe(&channels, take, keep), 0);
	one_copy(channels.chan[0]);
	spdk_ioat_detach(channels.chan[0]);
	spdk_env_fini();

	/* An IOMMU that is too narrow for virtual addresses. */
	assert_int_equal(start_in_mode(NULL, "1,iova_bits=39"), 0);
	assert_false(is_identity());
	spdk_env_fini();
	assert_int_equal(start_in_mode("va", "1,iova_bits=39"), -ENOTSUP);
	assert_int_equal(start_in_mode("bus", "1"), -EINVAL);
	assert_int_equal(start_in_mode("", "0"), -EINVAL);
	/* What was refused has left nothing behind. */
	assert_int_equal(start_in_mode(NULL, "0"), 0);
	spdk_env_fini();
}

static void
bad_options_are_refused(void **state)
{
	struct spdk_pci_addr addr = {.bus = 1};
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	(void)state;
	spdk_env_opts_init(&opts);
	opts.core_mask = "0xnothing";
	assert_int_equal(spdk_env_init(&opts), -EINVAL);
	spdk_env_opts_init(&opts);
	opts.num_pci_addr = 1;
	opts.pci_allowed = &addr;
	opts.pci_blocked = &addr;
	assert_int_equal(spdk_env_init(&opts), -EINVAL);
	/* And nothing is left of the parts that had been started by then. */
	assert_int_equal(spdk_env_get_core_count(), 0);
	opts.pci_blocked = NULL;
	assert_int_equal(spdk_env_init(&opts), 0);
	spdk_env_fini();
}

/* ---- Cores: CPUs that this process may use, for the tests run where there are few ---- */

struct cores {
	char mask[32];
	uint32_t core[2];
	unsigned count;
};

static struct cores
allowed_cores(void)
{
	struct cores cores = {.count = 0};
	uint64_t mask = 0;
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (uint32_t cpu = 0; cpu < 64 && cores.count < 2; cpu++) {
		if (CPU_ISSET(cpu, &set)) {
			cores.core[cores.count++] = cpu;
			mask |= 1ull << cpu;
		}
	}
	snprintf(cores.mask, sizeof(cores.mask), "%#" PRIx64, mask);
	return cores;
}

static void
start_on(const struct cores *cores)
{
	struct spdk_env_opts opts = {.opts_size = sizeof(opts)};

	spdk_env_opts_init(&opts);
	opts.core_mask = cores->mask;
	assert_int_equal(spdk_env_init(&opts), 0);
}

static void
cores_ascend(void **state)
{
	struct cores cores = allowed_cores();
	unsigned seen = 0;
	uint32_t core;

	(void)state;
	start_on(&cores);
	SPDK_ENV_FOREACH_CORE (core) {
		assert_true(seen < cores.count);
		assert_int_equal(core, cores.core[seen]);
		seen++;
	}
	assert_int_equal(core, UINT32_MAX);
	assert_int_equal(seen, cores.count);
	assert_int_equal(spdk_env_get_core_count(), cores.count);
	assert_int_equal(spdk_env_get_first_core(), cores.core[0]);
	assert_int_equal(spdk_env_get_last_core(), cores.core[cores.count - 1]);
	spdk_env_fini();
}

static void
the_caller_of_init_is_the_main_core(void **state)
{
	struct cores cores = allowed_cores();
	cpu_set_t before;
	cpu_set_t after;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	start_on(&cores);
	assert_int_equal(spdk_env_get_current_core(), spdk_env_get_main_core());
	assert_int_equal(spdk_env_get_main_core(), cores.core[0]);
	/* Unlike SPDK's, ours leaves the caller's affinity alone. */
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	spdk_env_fini();
}

static int
note_core(void *arg)
{
	*(uint32_t *)arg = spdk_env_get_current_core();
	return 0;
}

static void
launch_on_each_core(void **state)
{
	struct cores cores = allowed_cores();

	(void)state;
	start_on(&cores);
	for (int round = 0; round < 10; round++) {
		uint32_t noted[2] = {UINT32_MAX, UINT32_MAX};

		for (unsigned i = 1; i < cores.count; i++) {
			assert_int_equal(
				spdk_env_thread_launch_pinned(cores.core[i], note_core, &noted[i]),
				0);
		}
		spdk_env_thread_wait_all();
		for (unsigned i = 1; i < cores.count; i++) {
			assert_int_equal(noted[i], cores.core[i]);
		}
	}
	spdk_env_fini();
}

static void
launch_refused(void **state)
{
	struct cores cores = allowed_cores();
	uint32_t noted = 12345;

	(void)state;
	start_on(&cores);
	assert_int_equal(spdk_env_thread_launch_pinned(cores.core[0], note_core, &noted), -1);
	assert_int_equal(spdk_env_thread_launch_pinned(1000, note_core, &noted), -1);
	assert_int_equal(spdk_env_thread_launch_pinned(UINT32_MAX, note_core, &noted), -1);
	spdk_env_thread_wait_all();
	assert_int_equal(noted, 12345);
	spdk_env_fini();
}

static void
ticks_rise(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(spdk_env_init(NULL), 0);
	assert_true(spdk_get_ticks_hz() > 0);
	before = spdk_get_ticks();
	spdk_delay_us(1000);
	assert_true(spdk_get_ticks() - before >= spdk_get_ticks_hz() / 1000);
	spdk_env_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(defaults_on_an_uninitialised_struct),
		cmocka_unit_test(second_init_is_refused),
		cmocka_unit_test(fini_without_init),
		cmocka_unit_test(init_repeats),
		cmocka_unit_test(init_repeats_with_devices),
		cmocka_unit_test(bad_emulate_is_refused),
		cmocka_unit_test(iova_modes),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(cores_ascend),
		cmocka_unit_test(the_caller_of_init_is_the_main_core),
		cmocka_unit_test(launch_on_each_core),
		cmocka_unit_test(launch_refused),
		cmocka_unit_test(ticks_rise),
	};

	unsetenv("UDMA_EMULATE");
	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
