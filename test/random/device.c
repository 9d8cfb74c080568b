/* SPDX-License-Identifier: BSD-3-Clause */

/* What the driver meets: registers, configuration space, the clock. */

#include "device.h"

#include "emu/emu_internal.h"
#include "env/region.h"
#include "spdk/ioat.h"
#include "spdk/mmio.h"
#include "spdk/util.h"
#include "udma/fault.h"

/* Offsets of the hardware reference, section 4, channel 0. */
#define DMACAP    0x10
#define CHANCTRL  0x80
#define CHANCMD   0x84
#define DMACOUNT  0x86
#define CHAINADDR 0x90

#define RESET 0x20
#define REARM 0x01

#define COMMAND    0x04 /* in configuration space */
#define BUS_MASTER 0x0004

/* What a look at the clock takes at most; and a sleep at least, as on a busy machine: limits are
 * met after a few tens of looks. */
#define LOOK_US  16
#define SLEEP_US 20000

struct device g_device;

/* ---- Registers, as test/fuzz/shadow/spdk/mmio.h hands them over ---- */

static uint32_t
offset_of(const volatile void *address)
{
	return (uint32_t)((uintptr_t)address - (uintptr_t)g_device.watch.bar);
}

uint64_t
device_read(const volatile void *address, unsigned width)
{
	uint32_t offset = offset_of(address);
	uint64_t value = 0;

	device_turn();
	if (g_device.gone) {
		return UINT64_MAX;
	}
	if (g_device.polled) {
		memcpy(&value, g_device.watch.bar + offset, width);
	} else {
		value = udma_emu_read(g_device.emu, offset, width);
	}
	if (offset == DMACAP && !g_device.has_fill) {
		value &= ~(uint64_t)SPDK_IOAT_DMACAP_BFILL;
	}
	return offset == CHANCMD && g_device.reset_is_pending ? value | RESET : value;
}

/** \return whether the write goes on to the model. */
static bool
take_command(uint64_t value)
{
	if (!(value & RESET)) {
		return true;
	}
	if (g_device.ignores_reset) {
		g_device.reset_is_pending = true;
		return false;
	}
	g_device.hangs = false;
	g_device.armed = false;
	/* Some parts lose the message at a reset (section 13). */
	g_device.vector_lost =
		g_device.emu->part->reset_clears_msix && g_device.interrupts == UDMA_EMU_MSIX;
	device_rearmed();
	return true;
}

static void
take_chain(void)
{
	uint64_t chain;

	memcpy(&chain, g_device.watch.bar + CHAINADDR, 8);
	CHECK(!g_device.armed && chain % 64 == 0);
	g_device.base = requests_armed((unsigned)(chain % (RING * 64) / 64));
	g_device.announced = g_device.done = g_device.base;
	g_device.armed = true;
	if (!g_device.polled) {
		memset(g_device.watch.bar + DMACOUNT, 0, 2);
	}
}

void
device_write(volatile void *address, unsigned width, uint64_t value)
{
	uint32_t offset = offset_of(address);

	device_look();
	if (g_device.gone || (offset == CHANCMD && !take_command(value))) {
		return;
	}
	/* The BAR of one that is not polled is only where the driver's doorbell goes. */
	if (g_device.polled || (offset >= CHAINADDR && offset < CHAINADDR + 8)) {
		memcpy(g_device.watch.bar + offset, &value, width);
	}
	/* What goes wrong is to be seen in memory, and to stop the engine (section 4.1). */
	CHECK(offset != CHANCTRL || (value & 0x0c) == 0x0c);
	if (offset == CHANCTRL && value & REARM) {
		device_rearmed();
	}
	if (offset == CHAINADDR + 4) {
		take_chain();
	}
	if (!g_device.polled) {
		udma_emu_write(g_device.emu, offset, width, value);
		/* Nobody says whether an engine that was reset may interrupt before it is told. */
		if (offset == CHANCMD && g_device.forgets) {
			g_device.emu->chan.chanctrl |= SPDK_IOAT_CHANCTRL_INT_REARM;
		}
		device_forget_causes();
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
	device_turn();
	device_pass(random_below(&g_device.random, LOOK_US));
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
	device_pass(us);
	device_turn();
}

int
__wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	device_pass((uint64_t)time->tv_nsec / 1000 + SLEEP_US);
	device_turn();
	return 0;
}

int
__wrap_sched_yield(void)
{
	device_pass(SLEEP_US);
	device_turn();
	return 0;
}

/* ---- As a PCI device ---- */

static int
map_bar(struct spdk_pci_device *device, uint32_t bar, void **mapped_addr, uint64_t *phys_addr,
	uint64_t *size)
{
	(void)device;
	CHECK(bar == 0);
	*mapped_addr = g_device.watch.bar;
	*phys_addr = 0;
	*size = UDMA_EMU_BAR_SIZE;
	return 0;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	(void)device;
	CHECK(bar == 0 && addr == g_device.watch.bar);
	return 0;
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	memset(value, 0xff, len);
	if (g_device.no_config) {
		return -EIO;
	}
	return g_device.gone ? 0 : udma_emu_cfg_read(g_device.emu, offset, value, len);
}

static int
cfg_write(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	if (g_device.no_config) {
		return -EIO;
	}
	/* Nobody lets an engine onto the bus that has something to do (section 14.5). */
	CHECK(offset != COMMAND || !(*(uint16_t *)value & BUS_MASTER) || g_device.emu->may_dma ||
	      g_device.emu->chan.state == UDMA_EMU_HALTED || g_device.gone);
	return g_device.gone ? 0 : udma_emu_cfg_write(g_device.emu, offset, value, len);
}

/* ---- Coming and going ---- */

static void *
grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct udma_region region;

	(void)ctx;
	if (!udma_region_find(iova, &region) || (write && !region.writable)) {
		return NULL;
	}
	*len = spdk_min(*len, region.len - (iova - region.iova));
	return (void *)(uintptr_t)(region.vaddr + (iova - region.iova));
}

void
device_init(void)
{
	g_device.watch.bar = aligned_alloc(4096, UDMA_EMU_BAR_SIZE);
	CHECK(g_device.watch.bar != NULL);
	g_device.pci.id = (struct spdk_pci_id){SPDK_PCI_DEVICE(0x8086, 0x2021)};
	g_device.pci.type = "random";
	g_device.pci.map_bar = map_bar;
	g_device.pci.unmap_bar = unmap_bar;
	g_device.pci.cfg_read = cfg_read;
	g_device.pci.cfg_write = cfg_write;
	CHECK(spdk_pci_hook_device(spdk_pci_ioat_get_driver(), &g_device.pci) == 0);
	device_hook_interrupts();
}

void
device_begin(uint64_t *random)
{
	static const struct udma_emu_host host = {.grant = grant, .interrupt = device_interrupt};
	/* 3.3, 3.2 without XOR and with one not to be used, 3.3, 3.4; 3.3 with XOR and P+Q. */
	static const uint16_t ids[] = {0x2021, 0x2f20, 0x2f2e, 0x6f50, 0x0b00, 0x0c50, 0x0c51};
	static const uint8_t orders[] = {12, 13, 20};
	/* The others have a status register that clears on read, which one that is polled does not
	 * hear. */
	static const uint8_t ways[] = {UDMA_EMU_MSIX, UDMA_EMU_MSIX, 0, UDMA_EMU_MSI,
				       UDMA_EMU_INTX};
	const bool polled = random_next(random) % 2;
	const struct udma_emu_config config = {
		.device_id = ids[random_below(random, SPDK_COUNTOF(ids))],
		.xfercap = orders[random_below(random, SPDK_COUNTOF(orders))],
		.interrupts = ways[random_below(random, polled ? 3 : SPDK_COUNTOF(ways))],
		.msix_table_in_host = true,
	};
	const struct spdk_pci_device pci = g_device.pci;
	uint8_t *const bar = g_device.watch.bar;

	memset(&g_device, 0, sizeof(g_device));
	g_device.pci = pci;
	g_device.pci.id.device_id = config.device_id;
	g_device.pci.internal.removed = false;
	g_device.random = random_next(random);
	g_device.max_piece = 1u << config.xfercap;
	g_device.polled = polled;
	g_device.has_fill = random_below(random, 8) != 0;
	g_device.has_parity = (config.device_id & 0xfffe) == 0x0c50;
	g_device.interrupts = config.interrupts;
	g_device.interrupt_fd = -1;
	/* One that is polled has to keep them: it sees a re-arm late. */
	g_device.forgets = !polled && random_next(random) % 2;
	g_device.emu = udma_emu_create(&config, &host, NULL);
	CHECK(g_device.emu != NULL);
	g_device.watch.emu = g_device.emu;
	g_device.watch.bar = bar;
	udma_emu_watch_publish_all(&g_device.watch);
	TRACE("device %04x%s, largest transfer 2^%u, registers %s, interrupts %#x%s\n",
	      config.device_id, g_device.has_fill ? "" : " without fill", config.xfercap,
	      polled ? "polled" : "heard", config.interrupts,
	      g_device.forgets ? ", forgets what may not interrupt" : "");
}

void
device_end(void)
{
	udma_emu_destroy(g_device.emu);
}

void
device_heal(void)
{
	if (g_device.gone) {
		udma_emu_reset(g_device.emu);
		udma_emu_watch_publish_all(&g_device.watch);
		g_device.armed = false;
	}
	udma_emu_withdraw(g_device.emu);
	g_device.injected = g_device.injected_interrupts = 0;
	g_device.halt_in = g_device.halt_every = g_device.words_lost = 0;
	g_device.idle_until = g_device.slow_us = 0;
	g_device.hangs = g_device.gone = g_device.ignores_reset = g_device.no_config = false;
	g_device.reset_is_pending = g_device.no_descriptors = false;
	g_device.pci.internal.removed = false;
}

bool
device_is_sound(void)
{
	return g_device.now_us >= g_device.idle_until && g_device.slow_us == 0 &&
	       g_device.halt_in == 0 && g_device.injected == 0 && g_device.words_lost == 0 &&
	       !g_device.hangs && !g_device.gone && !g_device.ignores_reset &&
	       !g_device.no_config && !g_device.pci.internal.removed;
}

bool
device_is_stopped(void)
{
	uint16_t command = 0;

	udma_emu_cfg_read(g_device.emu, COMMAND, &command, 2);
	/* A polled one may see an address from before the reset behind it (lib/emu/watch.c): armed,
	 * but with nothing announced, it does nothing either. */
	return g_device.gone || !(command & BUS_MASTER) ||
	       g_device.emu->chan.state == UDMA_EMU_HALTED ||
	       (g_device.polled && g_device.emu->chan.state == UDMA_EMU_ARMED);
}
