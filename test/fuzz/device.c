/* SPDX-License-Identifier: BSD-3-Clause */

/* What the driver meets of the hostile device: registers, configuration space, and the clock. */

#include "device.h"

#include "spdk/ioat.h"
#include "spdk/mmio.h"

/* A busy machine: whoever sleeps sleeps long, so that limits are met after a few tens of looks. */
#define LONG_SLEEP_US 20000

struct device g_device;

void
device_begin_call(void)
{
	device_look();
	g_device.accesses = 0;
}

bool
device_is_stopped(void)
{
	return g_device.stopped || g_device.pci.internal.removed ||
	       !(g_device.command & BUS_MASTER);
}

bool
device_is_sound(void)
{
	uint64_t version = device_load(CBVER, 1), order = device_load(XFERCAP, 1) & 0x1f;

	return !g_device.misbehaved && g_device.map_rc == 0 &&
	       (g_device.bar_size == 0 || g_device.bar_size >= BAR_SIZE) && version >= 0x30 &&
	       (order == 0 || order >= 12);
}

uint64_t
device_max_piece(void)
{
	unsigned order = g_device.xfercap_read & 0x1f;

	return order == 0 ? 1ull << 31 : 1ull << order;
}

/* ---- Registers, as shadow/spdk/mmio.h hands them over ---- */

static unsigned
offset_of(const volatile void *address, unsigned width)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)g_device.bar;

	CHECK(offset < BAR_SIZE && offset % width == 0);
	return (unsigned)offset;
}

uint64_t
device_read(const volatile void *address, unsigned width)
{
	unsigned offset = offset_of(address, width);
	uint64_t value;

	device_take_turn();
	value = g_device.gone ? UINT64_MAX : device_load(offset, width);
	if (g_device.lies) {
		g_device.lies = false;
		value = input_back64(g_device.input);
	}
	switch (offset) {
	case XFERCAP:
		g_device.xfercap_read = (uint8_t)value;
		break;
	case CHANCMD:
		g_device.refused |= value & RESET;
		if (g_device.reset_written && !(value & RESET)) {
			g_device.stopped = true;
		}
		break;
	case CHANSTS:
		g_device.status_read = (uint32_t)value;
		break;
	case CHANSTS + 4:
		g_device.status_read |= value << 32;
		device_take_as_said(g_device.status_read);
		g_device.shown_halt |= (g_device.status_read & 7) == HALTED;
		if (g_device.status_read == UINT64_MAX) {
			g_device.shown_gone = g_device.stopped = true;
		}
		break;
	}
	return value;
}

void
device_write(volatile void *address, unsigned width, uint64_t value)
{
	unsigned offset = offset_of(address, width);

	device_look();
	switch (offset) {
	case CHANCTRL:
		CHECK(width == 2);
		device_store(offset, width, value);
		break;
	case CHANCMD:
		CHECK(width == 1 && (value == RESET || value == SUSPEND));
		device_store(offset, width, value);
		g_device.reset_written |= value == RESET;
		break;
	case CHAINADDR:
	case CHANCMP:
		CHECK(width == 4);
		device_store(offset, width, value);
		break;
	case CHANCMP + 4:
		device_store(offset, width, value);
		g_device.completion = device_load(CHANCMP, 8);
		CHECK(g_device.completion % 8 == 0);
		g_device.completion_memory = device_memory_at(g_device.completion, 8, true);
		CHECK(device_completion_word() != NULL);
		break;
	case CHAINADDR + 4:
		device_store(offset, width, value);
		device_store(DMACOUNT, 2, 0);
		device_store(CHANSTS, 8, ARMED);
		/* Nobody starts an engine that may be at work. */
		CHECK(g_device.stopped);
		g_device.chain = device_load(CHAINADDR, 8);
		CHECK(g_device.chain % 64 == 0);
		g_device.base = on_armed((unsigned)(g_device.chain % RING_SIZE / 64));
		g_device.chain -= g_device.chain % RING_SIZE;
		g_device.chain_memory = device_memory_at(g_device.chain, RING_SIZE, false);
		CHECK(device_ring() != NULL);
		g_device.announced = g_device.done = g_device.said_done = g_device.base;
		g_device.started = true;
		g_device.halted = g_device.suspended = false;
		g_device.stopped = g_device.reset_written = false;
		break;
	case CHANERR:
		CHECK(width == 4);
		device_store(offset, width, device_load(offset, width) & ~value);
		break;
	default:
		CHECK(!"a register that is not the driver's to write");
	}
}

/* ---- The clock ---- */

uint64_t __wrap_spdk_get_ticks(void);
uint64_t __wrap_spdk_get_ticks_hz(void);
void __wrap_spdk_delay_us(unsigned us);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_sched_yield(void);

uint64_t
__wrap_spdk_get_ticks(void)
{
	device_take_turn();
	g_device.now_us += g_device.look_us;
	return g_device.now_us;
}

uint64_t
__wrap_spdk_get_ticks_hz(void)
{
	return 1000000;
}

void
__wrap_spdk_delay_us(unsigned us)
{
	g_device.now_us += us;
}

int
__wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time;
	(void)left;
	g_device.now_us += LONG_SLEEP_US;
	return 0;
}

int
__wrap_sched_yield(void)
{
	g_device.now_us += LONG_SLEEP_US;
	return 0;
}

void
device_advance_clock(uint64_t us)
{
	g_device.now_us += us;
}

/* ---- As a PCI device ---- */

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	uint64_t *size)
{
	(void)device;
	CHECK(bar == 0 && !g_device.mapped);
	g_device.mapped = g_device.map_rc == 0;
	*mapped_addr = g_device.map_rc == 1 ? NULL : g_device.bar;
	*phys_addr = 0;
	*size = g_device.bar_size;
	return g_device.map_rc == 1 ? 0 : g_device.map_rc;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	(void)device;
	CHECK(bar == 0 && addr == g_device.bar && g_device.mapped);
	g_device.mapped = false;
	return 0;
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	device_take_turn();
	memset(value, 0xff, len);
	if (g_device.no_config) {
		return -EIO;
	}
	if (offset == 4 && len == 2 && !g_device.gone) {
		memcpy(value, &g_device.command, len);
	}
	return 0;
}

static int
cfg_write(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	device_take_turn();
	if (g_device.no_config) {
		return -EIO;
	}
	CHECK((offset == 4 && len == 2) || (offset == 0x180 && len == 4));
	if (offset == 4) {
		memcpy(&g_device.command, value, len);
	}
	return 0;
}

void
device_init(void)
{
	g_device.bar = malloc(BAR_SIZE);
	CHECK(g_device.bar != NULL);
	g_device.pci.id = (struct spdk_pci_id){SPDK_PCI_DEVICE(0x8086, 0x2021)};
	g_device.pci.type = "hostile";
	g_device.pci.map_bar = map_bar;
	g_device.pci.unmap_bar = unmap_bar;
	g_device.pci.cfg_read = cfg_read;
	g_device.pci.cfg_write = cfg_write;
	CHECK(spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_device.pci) == 0);
}

void
device_begin(struct input *input)
{
	static const uint8_t versions[] = {0x33, 0x32, 0x34, 0x30, 0xff, 0x12, 0x00, 0x33};
	const struct spdk_pci_device pci = g_device.pci;
	uint8_t *const bar = g_device.bar;
	uint8_t identity = input_front(input);
	uint8_t environment = input_front(input);

	memset(&g_device, 0, sizeof(g_device));
	g_device.pci = pci;
	g_device.pci.internal.removed = false;
	g_device.bar = bar;
	g_device.input = input;
	memset(bar, 0, BAR_SIZE);
	device_store(0, 1, 1); /* CHANCNT */
	device_store(CBVER, 1, versions[identity & 7]);
	device_store(XFERCAP, 1, (uint8_t)(identity >> 3) ^ 20);
	device_store(DMACAP, 4, environment & 1 ? 0 : 1u << 6);
	device_store(CHANSTS, 8, environment >> 1 & 3); /* ACTIVE is 0, HALTED is 3 */
	g_device.look_us = 5u << (environment >> 3 & 7);
	g_device.map_rc = environment >> 6 == 3 ? -ENOMEM : environment >> 6 == 2 ? 1 : 0;
	g_device.bar_size = environment >> 6 == 1 ? input_front(input) : BAR_SIZE;
	g_device.stopped = true;
}
