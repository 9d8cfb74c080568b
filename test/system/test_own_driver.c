/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A program that brings its own I/OAT driver finds in the environment what it needs, and in the
 * emulated function a device that answers: the register sequences of SPDK's and DPDK's drivers
 * (sections 14.2 and 14.3 of the hardware reference), with their widths, orders and limits. Offsets
 * are written out from sections 3 and 4.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spdk/env.h"
#include "spdk/mmio.h"

#define SLOTS            64
#define RECOVERIES       3000
#define PATIENCE_SECONDS 60

struct descriptor {
	uint32_t size;
	uint32_t control;
	uint64_t source, destination, next, unused[4];
};

struct channel {
	struct spdk_pci_device *device;
	uint8_t *bar;
	struct descriptor *ring;
	uint64_t ring_address;
	volatile uint64_t *word;
	uint64_t word_address;
	unsigned first; /* slot, since the channel was armed */
	unsigned next;  /* descriptor, counted from there */
};

static struct channel g_channel;

static uint64_t
status(void)
{
	return spdk_mmio_read_8((uint64_t *)(g_channel.bar + 0x88));
}

static void
write_64(uint32_t offset, uint64_t value)
{
	spdk_mmio_write_8((uint64_t *)(g_channel.bar + offset), value);
}

static void
command(uint8_t value)
{
	spdk_mmio_write_1(g_channel.bar + 0x84, value);
}

static int
take(void *ctx, struct spdk_pci_device *device)
{
	struct channel *channel = ctx;
	uint64_t bus, size;
	uint32_t value;

	if (channel->device != NULL) {
		return 1;
	}
	channel->device = device;
	/* Bus mastering, by dword. */
	assert_int_equal(spdk_pci_device_cfg_read32(device, &value, 4), 0);
	assert_int_equal(spdk_pci_device_cfg_write32(device, value | 4, 4), 0);
	return spdk_pci_device_map_bar(device, 0, (void **)&channel->bar, &bus, &size);
}

static int
setup(void **state)
{
	struct channel *channel = &g_channel;
	uint64_t size = SLOTS * sizeof(struct descriptor);

	(void)state;
	setenv("UDMA_EMULATE", "1", 1);
	memset(channel, 0, sizeof(*channel));
	if (spdk_env_init(NULL) != 0 ||
	    spdk_pci_enumerate(spdk_pci_ioat_get_driver(), take, channel) != 0) {
		return -1;
	}
	/* As a core, which is "any" as a node too: it is passed so. */
	channel->ring = (struct descriptor *)spdk_zmalloc(
		size, 64, NULL, (int)SPDK_ENV_LCORE_ID_ANY, SPDK_MALLOC_DMA);
	channel->word =
		(uint64_t *)spdk_zmalloc(8, 8, NULL, (int)SPDK_ENV_LCORE_ID_ANY, SPDK_MALLOC_DMA);
	channel->ring_address = spdk_vtophys(channel->ring, &size);
	channel->word_address = spdk_vtophys((void *)(uintptr_t)channel->word, NULL);
	assert_int_equal(size, SLOTS * sizeof(struct descriptor));
	for (unsigned i = 0; i < SLOTS; i++) {
		channel->ring[i].next = channel->ring_address + (i + 1) % SLOTS * 64;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	command(0x20);
	while (spdk_mmio_read_1(g_channel.bar + 0x84) & 0x20) {
	}
	spdk_pci_device_unmap_bar(g_channel.device, 0, g_channel.bar);
	spdk_pci_device_detach(g_channel.device);
	spdk_free(g_channel.ring);
	spdk_free((void *)(uintptr_t)g_channel.word);
	spdk_env_fini();
	return 0;
}

static void
reset_in_steps_of_a_millisecond(void)
{
	unsigned limit = 1000;
	uint32_t error;

	if ((status() & 7) <= 1) {
		command(0x04);
		while ((status() & 7) <= 1) {
			assert_true(limit-- > 0);
			spdk_delay_us(1000);
		}
	}
	error = spdk_mmio_read_4((uint32_t *)(g_channel.bar + 0xa8));
	spdk_mmio_write_4((uint32_t *)(g_channel.bar + 0xa8), error);
	command(0x20);
	while (spdk_mmio_read_1(g_channel.bar + 0x84) & 0x20) {
		assert_true(limit-- > 0);
		spdk_delay_us(1000);
	}
}

/** Announces one more descriptor, and waits until the engine says it is done. */
static void
run(uint32_t size, uint32_t control, uint64_t source, uint64_t destination)
{
	unsigned slot = (g_channel.first + g_channel.next++) % SLOTS;
	struct descriptor *descriptor = &g_channel.ring[slot];

	descriptor->size = size;
	descriptor->control = control | 8; /* completion update */
	descriptor->source = source;
	descriptor->destination = destination;
	spdk_wmb();
	__atomic_store_n((uint16_t *)(g_channel.bar + 0x86), (uint16_t)g_channel.next,
			 __ATOMIC_RELEASE);
	while ((__atomic_load_n(g_channel.word, __ATOMIC_ACQUIRE) & ~0x3full) !=
	       g_channel.ring_address + slot * 64) {
		spdk_pause();
	}
}

static void
copies_arrive(void)
{
	uint8_t *memory = (uint8_t *)spdk_dma_zmalloc(16384, 4096, NULL);
	uint64_t address = spdk_vtophys(memory, NULL);

	for (unsigned i = 0; i < 3 * SLOTS; i++) {
		memset(memory, (int)i + 1, 8192);
		run(5000, 0, address + i, address + 8192 + i % 7);
		assert_memory_equal(memory + i, memory + 8192 + i % 7, 5000);
	}
	spdk_dma_free(memory);
}

static void
as_spdk_drives_it(void **state)
{
	(void)state;
	assert_true(spdk_mmio_read_1(g_channel.bar + 8) >= 0x30);
	assert_in_range(spdk_mmio_read_1(g_channel.bar + 1), 12, 31);
	for (unsigned round = 0; round < 3; round++) {
		reset_in_steps_of_a_millisecond();
		g_channel.next = 0;
		*g_channel.word = 0;
		spdk_mmio_write_2((uint16_t *)(g_channel.bar + 0x80), 0x0008);
		write_64(0x98, g_channel.word_address);
		write_64(0x90, g_channel.ring_address);
		run(8, 0x20, 0, 0); /* null */
		copies_arrive();
		while ((status() & 7) != 1) {
		}
	}
}

/** RESET, and CHAINADDR at once after it, without a look in between; and it copies. */
static void
recovers(unsigned slot)
{
	uint64_t end = spdk_get_ticks() + PATIENCE_SECONDS * spdk_get_ticks_hz();

	command(0x20);
	write_64(0x90, g_channel.ring_address + slot * 64);
	while (status() != 4) {
		assert_true(spdk_get_ticks() < end);
	}
	assert_int_equal(spdk_mmio_read_1(g_channel.bar + 0x84) & 0x20, 0);
	g_channel.first = slot;
	g_channel.next = 0;
	run(8, 0x20, 0, 0); /* null */
}

static void
as_dpdk_drives_it(void **state)
{
	(void)state;
	command(0x04); /* whatever the state */
	spdk_delay_us(1000);
	command(0x20);
	spdk_delay_us(1000);
	while (spdk_mmio_read_1(g_channel.bar + 0x84) & 0x20) {
		write_64(0x90, 0);
		spdk_delay_us(1000);
	}
	/* CHAINADDR first: the channel arms without a completion address. */
	write_64(0x90, g_channel.ring_address);
	write_64(0x98, g_channel.word_address);
	spdk_mmio_write_2((uint16_t *)(g_channel.bar + 0x80), 0x000c);
	*g_channel.word = g_channel.ring_address + (SLOTS - 1) * 64;
	while (status() != 4) { /* exactly */
	}
	copies_arrive();

	recovers(1);
}

/** Whenever the device looks: between two stores of the driver, too. */
static void
as_dpdk_drives_it_again_and_again(void **state)
{
	as_dpdk_drives_it(state);
	for (unsigned i = 0; i < RECOVERIES; i++) {
		recovers(i * 7 % SLOTS);
		for (unsigned pause = i % 100; pause > 0; pause--) {
			spdk_pause();
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_spdk_drives_it, setup, teardown),
		cmocka_unit_test_setup_teardown(as_dpdk_drives_it, setup, teardown),
		cmocka_unit_test_setup_teardown(as_dpdk_drives_it_again_and_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
