/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The emulated functions as PCI devices of the process: configuration space, BAR, resets. Offsets
 * are those of the hardware reference.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spdk/ioat.h"
#include "udma/fault.h"

static struct spdk_pci_device *g_devices[8];
static unsigned g_count;

static void
collect(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	if (g_count < 8) {
		g_devices[g_count++] = device;
	}
}

static int
start(void **state)
{
	struct spdk_env_opts opts;

	(void)state;
	setenv("UDMA_EMULATE", "3", 1);
	opts.opts_size = sizeof(opts);
	spdk_env_opts_init(&opts);
	g_count = 0;
	if (spdk_env_init(&opts) != 0) {
		return -1;
	}
	spdk_pci_for_each_device(NULL, collect);
	return g_count == 3 ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	spdk_env_fini();
	return 0;
}

static void
identity_is_8086_2021(void **state)
{
	uint32_t id = 0;

	(void)state;
	for (unsigned i = 0; i < g_count; i++) {
		assert_int_equal(spdk_pci_device_cfg_read32(g_devices[i], &id, 0), 0);
		assert_int_equal(id, 0x20218086);
		assert_int_equal(spdk_pci_device_get_vendor_id(g_devices[i]), 0x8086);
		assert_int_equal(spdk_pci_device_get_device_id(g_devices[i]), 0x2021);
		assert_string_equal(spdk_pci_device_get_type(g_devices[i]), "emulated");
		assert_int_equal(spdk_pci_device_get_func(g_devices[i]), i);
	}
}

static void
bar_0_has_16_kib_and_there_is_no_other(void **state)
{
	uint64_t bus, size = 0;
	void *bar;

	(void)state;
	assert_int_equal(spdk_pci_device_map_bar(g_devices[0], 0, &bar, &bus, &size), 0);
	assert_int_equal(size, 16384);
	assert_int_equal(spdk_pci_device_unmap_bar(g_devices[0], 0, bar), 0);
	assert_true(spdk_pci_device_map_bar(g_devices[0], 2, &bar, &bus, &size) < 0);
}

/** INTRDELAY stays as it was stored, whether or not the function has seen it yet. */
static void
refused_reset_takes_no_store_back(void **state)
{
	const struct udma_fault fault = {.kind = UDMA_FAULT_CONFIG, .value = 0x99, .every = 1};
	uint64_t bus, size;
	void *bar;

	(void)state;
	assert_int_equal(spdk_pci_device_map_bar(g_devices[0], 0, &bar, &bus, &size), 0);
	assert_int_equal(udma_fault_inject(g_devices[0], &fault), 0);
	for (uint16_t i = 1; i <= 1000; i++) {
		uint16_t *intrdelay = (uint16_t *)((char *)bar + 0x0c);

		__atomic_store_n(intrdelay, i, __ATOMIC_RELEASE);
		assert_int_equal(spdk_pci_device_cfg_write8(g_devices[0], 0xa8, 0x99), -EIO);
		assert_int_equal(__atomic_load_n(intrdelay, __ATOMIC_ACQUIRE), i);
	}
	assert_int_equal(udma_fault_withdraw(g_devices[0]), 0);
	assert_int_equal(spdk_pci_device_unmap_bar(g_devices[0], 0, bar), 0);
}

static bool
say_yes(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx;
	return device == g_devices[1];
}

static void
take(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *chan)
{
	(void)device;
	*(struct spdk_ioat_chan **)ctx = chan;
}

static void
function_level_reset_shows_at_once(void **state)
{
	struct spdk_ioat_chan *chan = NULL;
	uint64_t bus, size;
	uint16_t devctl;
	void *bar;

	(void)state;
	assert_int_equal(spdk_ioat_probe(&chan, say_yes, take), 0);
	assert_non_null(chan);
	assert_int_equal(spdk_pci_device_map_bar(g_devices[1], 0, &bar, &bus, &size), 0);
	assert_int_not_equal(__atomic_load_n((uint64_t *)((char *)bar + 0x90), __ATOMIC_ACQUIRE),
			     0);

	/* Section 2.2: bit 15 of Device Control. */
	assert_int_equal(spdk_pci_device_cfg_read16(g_devices[1], &devctl, 0x98), 0);
	assert_int_equal(spdk_pci_device_cfg_write16(g_devices[1], devctl | 0x8000, 0x98), 0);
	assert_int_equal(__atomic_load_n((uint16_t *)((char *)bar + 0x80), __ATOMIC_ACQUIRE), 0);
	assert_int_equal(__atomic_load_n((uint16_t *)((char *)bar + 0x86), __ATOMIC_ACQUIRE), 0);
	assert_int_equal(__atomic_load_n((uint64_t *)((char *)bar + 0x88), __ATOMIC_ACQUIRE), 3);
	assert_int_equal(__atomic_load_n((uint64_t *)((char *)bar + 0x90), __ATOMIC_ACQUIRE), 0);
	assert_int_equal(__atomic_load_n((uint64_t *)((char *)bar + 0x98), __ATOMIC_ACQUIRE), 0);

	/* And the channel comes up from there. */
	spdk_ioat_detach(chan);
	chan = NULL;
	assert_int_equal(spdk_ioat_probe(&chan, say_yes, take), 0);
	assert_non_null(chan);
	spdk_ioat_detach(chan);
}

static void
bad_requests_for_emulation_are_refused(void **state)
{
	static const char *const bad[] = {"x",
					  "-1",
					  "1,",
					  "1,flip",
					  "1,flip=",
					  "1,flip=x",
					  "1,generation",
					  "1,generation=",
					  "1,generation=tbg",
					  "1,generation=3430",
					  "1,generation=0c5",
					  "1,generation=skxskxskx",
					  "1,xfercap=3",
					  "1,iova_bits=10",
					  "1,nonsense=1",
					  "1000000",
					  "1 ",
					  ",1"};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("UDMA_EMULATE", bad[i], 1);
		assert_int_equal(spdk_env_init(NULL), -EINVAL);
	}
	setenv("UDMA_EMULATE", "", 1);
	assert_int_equal(spdk_env_init(NULL), 0);
	spdk_env_fini();
}

static void
generations_have_their_ids(void **state)
{
	static const struct {
		const char *asked;
		uint16_t ids[3];
	} rows[] = {
		{"3,generation=snb", {0x3C20, 0x3C21, 0x3C22}},
		{"3,generation=hsw", {0x2F20, 0x2F21, 0x2F22}},
		{"3,generation=bwd", {0x0C50, 0x0C51, 0x0C52}},
		{"3,generation=ICX", {0x0B00, 0x0B00, 0x0B00}},
		{"3,generation=6f51", {0x6F51, 0x6F51, 0x6F51}},
		{"3", {0x2021, 0x2021, 0x2021}},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("UDMA_EMULATE", rows[i].asked, 1);
		assert_int_equal(spdk_env_init(NULL), 0);
		g_count = 0;
		spdk_pci_for_each_device(NULL, collect);
		assert_int_equal(g_count, 3);
		for (unsigned j = 0; j < g_count; j++) {
			assert_int_equal(spdk_pci_device_get_device_id(g_devices[j]),
					 rows[i].ids[j]);
		}
		spdk_env_fini();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(identity_is_8086_2021, start, end),
		cmocka_unit_test_setup_teardown(bar_0_has_16_kib_and_there_is_no_other, start, end),
		cmocka_unit_test_setup_teardown(function_level_reset_shows_at_once, start, end),
		cmocka_unit_test_setup_teardown(refused_reset_takes_no_store_back, start, end),
		cmocka_unit_test(generations_have_their_ids),
		cmocka_unit_test(bad_requests_for_emulation_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
