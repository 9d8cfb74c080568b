/* SPDX-License-Identifier: BSD-3-Clause */

#include "device.h"

#include "env/region.h"
#include "memory.h"
#include "spdk/ioat.h"
#include "spdk/mmio.h"
#include "spdk/util.h"

/* Offsets of the hardware reference, sections 3 and 4, channel 0. */
#define XFERCAP   0x01
#define CBVER     0x08
#define DMACAP    0x10
#define CHANCTRL  0x80
#define CHANCMD   0x84
#define DMACOUNT  0x86
#define CHANSTS   0x88
#define CHAINADDR 0x90
#define CHANCMP   0x98
#define CHANERR   0xa8
#define RING_SIZE (DEVICE_RING * 64)
#define BAR_SIZE  0xb0 /* the driver maps no more, and the sanitizer watches its end */

#define RESET   0x20
#define SUSPEND 0x04

#define ACTIVE    0
#define IDLE      1
#define SUSPENDED 2
#define HALTED    3
#define ARMED     4

#define BUS_MASTER 4 /* of the command register in configuration space */

/* More accesses than any call into the driver may take. */
#define CALL_LIMIT 20000

/* A busy machine: whoever sleeps sleeps long, so that limits are met after a few tens of looks. */
#define LONG_SLEEP_US 20000

static struct {
	struct spdk_pci_device pci;
	struct input *input;
	uint8_t *bar;
	uint64_t now_us;
	unsigned look_us; /* what a look at the clock takes */
	unsigned accesses;
	/* What becomes of mapping it. */
	uint64_t bar_size;
	int map_rc;

	/* The engine. */
	uint64_t chain, completion; /* as programmed */
	uint16_t command;
	bool started; /* CHAINADDR was written since the reset */
	bool halted, suspended;
	uint64_t announced;
	uint64_t done;

	/* What it does wrong. */
	unsigned honest_turns, idle_turns;
	bool behaves;
	bool gone;          /* all registers read as ones */
	bool ignores_reset; /* RESET stays set */
	bool no_config;     /* configuration space cannot be accessed */
	bool lies;          /* the next read gives anything */
	unsigned fills; /* 0: from the start, 1: from a multiple of 8, 2: wrong bytes, 3: halts */

	/* What the driver knows of it. */
	uint64_t said_done;
	uint64_t status_read; /* as its two halves were read last */
	uint8_t xfercap_read;
	bool shown_end;
	bool reset_written;
	bool stopped;
	bool refused; /* a reset did not end at once */
} g_device;

static uint64_t
load(unsigned offset, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, g_device.bar + offset, width);
	return value;
}

static void
store(unsigned offset, unsigned width, uint64_t value)
{
	memcpy(g_device.bar + offset, &value, width);
}

/** Memory as the device sees it. \return NULL where it has none. */
static void *
memory_at(uint64_t iova, uint64_t size, bool write)
{
	struct udma_region region;

	if (!udma_region_find(iova, &region) || size > region.len - (iova - region.iova) ||
	    (write && !region.writable)) {
		return NULL;
	}
	return (void *)(uintptr_t)(region.vaddr + (iova - region.iova));
}

/* ---- What the driver is told ---- */

/** A word or a status names a descriptor: the only one announced that can be meant. */
static void
take_as_said(uint64_t value)
{
	uint64_t into = (value & ~0x3full) - g_device.chain;
	uint64_t back;

	if (!g_device.started || into >= RING_SIZE) {
		return;
	}
	back = (g_device.announced - (into / 64 + 1)) % DEVICE_RING;
	if (back < g_device.announced && g_device.announced - back > g_device.said_done) {
		g_device.said_done = g_device.announced - back;
	}
}

/* What the driver has freed because the device told a lie is not touched: a real one might. */

static const uint64_t *
completion_word(void)
{
	const uint64_t *word = memory_at(g_device.completion, 8, true);

	return word != NULL && memory_is_allocated(word, 8) ? word : NULL;
}

static const union spdk_ioat_hw_desc *
ring(void)
{
	const void *ring = memory_at(g_device.chain, RING_SIZE, false);

	return ring != NULL && memory_is_allocated(ring, RING_SIZE) ? ring : NULL;
}

void
device_look(void)
{
	uint16_t more = (uint16_t)(load(DMACOUNT, 2) - (uint16_t)g_device.announced);
	const uint64_t *word = completion_word();
	const union spdk_ioat_hw_desc *descs = ring();

	if (!g_device.started || descs == NULL) {
		return;
	}
	CHECK(more < DEVICE_RING);
	while (more-- > 0) {
		uint64_t position = g_device.announced++;

		on_announced(position, &descs[position % DEVICE_RING]);
		CHECK(descs[position % DEVICE_RING].generic.next ==
		      g_device.chain + (position + 1) % DEVICE_RING * 64);
	}
	if (word != NULL) {
		take_as_said(*word);
	}
}

uint64_t
device_said_done(void)
{
	return g_device.said_done;
}

uint64_t
device_announced(void)
{
	return g_device.announced;
}

bool
device_has_shown_an_end(void)
{
	return g_device.shown_end;
}

void
device_forget_shown_end(void)
{
	g_device.shown_end = false;
}

bool
device_is_stopped(void)
{
	return g_device.stopped || g_device.pci.internal.removed ||
	       !(g_device.command & BUS_MASTER);
}

bool
device_has_refused_a_reset(void)
{
	return g_device.refused;
}

bool
device_is_attached(void)
{
	return g_device.pci.internal.attached;
}

uint64_t
device_max_piece(void)
{
	unsigned order = g_device.xfercap_read & 0x1f;

	return order == 0 ? 1ull << 31 : 1ull << order;
}

void
device_memory_is_freed(const void *memory)
{
	const uint64_t *word = completion_word();

	if (device_is_stopped()) {
		return;
	}
	/* What it was told to use for good needs an end for good. A transfer has ended once it was
	 * said to be done, or the engine to have halted. */
	CHECK(memory != word && memory != memory_at(g_device.chain, 1, false));
	CHECK(g_device.said_done == g_device.announced || g_device.shown_end ||
	      (*word & 7) == HALTED);
}

/* ---- The engine ---- */

static void
store_word(uint64_t value)
{
	uint64_t *word = (uint64_t *)(uintptr_t)completion_word();

	if (word != NULL) {
		*word = value;
	}
}

/** What CHANSTS has to show. */
static uint64_t
true_status(void)
{
	uint64_t last =
		g_device.done == 0 ? 0 : g_device.chain + (g_device.done - 1) % DEVICE_RING * 64;

	if (g_device.halted || !g_device.started) {
		return last | HALTED;
	}
	if (g_device.suspended) {
		return last | SUSPENDED;
	}
	if (g_device.done < g_device.announced) {
		return last | ACTIVE;
	}
	return last == 0 ? ARMED : last | IDLE;
}

static void
halt(uint32_t chanerr, bool write_back)
{
	g_device.halted = true;
	store(CHANERR, 4, chanerr);
	store(CHANSTS, 8, true_status());
	if (write_back) {
		store_word(true_status());
	}
}

/** \return false for one that the engine halts at. */
static bool
fill(const struct spdk_ioat_fill_hw_desc *desc)
{
	unsigned size = spdk_min(desc->size, 64u); /* the driver looks at short ones only */
	uint8_t *to = memory_at(desc->dest_addr, size, true);
	uint64_t skip = g_device.fills == 1 ? desc->dest_addr % 8 : 0;

	if (g_device.fills == 3 || to == NULL) {
		return false;
	}
	for (unsigned i = 0; g_device.fills != 2 && i < size; i++) {
		to[i] = (uint8_t)(desc->src_data >> (i + skip) % 8 * 8);
	}
	return true;
}

/** Carries out descriptors. */
static void
move(unsigned limit)
{
	const union spdk_ioat_hw_desc *descs = ring();

	for (; limit > 0 && descs != NULL && g_device.done != g_device.announced; limit--) {
		const union spdk_ioat_hw_desc *desc = &descs[g_device.done % DEVICE_RING];

		if (desc->generic.u.control.op == SPDK_IOAT_OP_FILL && !fill(&desc->fill)) {
			halt(1u << 10, true);
			return;
		}
		g_device.done++;
		if (desc->generic.u.control.completion_update) {
			store_word(true_status());
		}
	}
}

/** Does what it should, of the ring as much as it may. */
static void
work(unsigned limit)
{
	uint8_t command = (uint8_t)load(CHANCMD, 1);

	if (command & RESET) {
		if (g_device.ignores_reset) {
			return;
		}
		g_device.started = g_device.halted = g_device.suspended = false;
		g_device.done = 0;
	} else if (command & SUSPEND) {
		g_device.suspended = true;
	}
	store(CHANCMD, 1, 0);
	if (g_device.started && !g_device.halted && !g_device.suspended &&
	    g_device.command & BUS_MASTER) {
		move(limit);
	}
	store(CHANSTS, 8, true_status());
}

/* ---- What the input makes it do ---- */

/** An address that a completion word or a status may hold, likely or not. */
static uint64_t
any_status(void)
{
	uint8_t kind = input_back(g_device.input);
	uint64_t state = kind & 7;
	uint64_t chain = g_device.chain;

	switch (kind >> 3) {
	default: /* 0 to 15: near what has been done */
		return (chain + (g_device.done + (kind >> 3) - 8) % DEVICE_RING * 64) | state;
	case 16 ... 23: /* near what has been announced */
		return (chain + (g_device.announced + (kind >> 3) - 20) % DEVICE_RING * 64) | state;
	case 24:
		return state;
	case 25:
		return UINT64_MAX;
	case 26:
		return (chain + RING_SIZE) | state;
	case 27:
		return (chain - 64) | state;
	case 28:
		return (chain + input_back(g_device.input) % DEVICE_RING * 64) | state;
	case 29: /* misaligned, or with bits that are reserved */
		return chain + input_back(g_device.input);
	case 30:
		return g_device.completion | state;
	case 31:
		return input_back64(g_device.input);
	}
}

static void
misbehave(unsigned how)
{
	uint64_t status;
	uint8_t offset;

	switch (how) {
	case 0:
		work(UINT_MAX);
		break;
	case 1:
		g_device.idle_turns = input_back(g_device.input);
		break;
	case 2:
		work(1);
		break;
	case 3:
		work(input_back(g_device.input));
		break;
	case 4:
		store_word(any_status());
		break;
	case 5:
		store(CHANSTS, 8, any_status());
		break;
	case 6:
		status = any_status();
		store_word(status);
		store(CHANSTS, 8, status);
		break;
	case 7:
		halt((uint32_t)input_back(g_device.input) << 8, true);
		break;
	case 8:
		halt(1u << input_back(g_device.input) % 32, false);
		break;
	case 9:
		g_device.gone = true;
		break;
	case 10:
		g_device.ignores_reset = !g_device.ignores_reset;
		break;
	case 11:
		g_device.no_config = !g_device.no_config;
		break;
	case 12:
		g_device.lies = true;
		break;
	case 13: /* any byte that the driver does not write */
		offset = input_back(g_device.input) % BAR_SIZE;
		if (offset < CHANCTRL || (offset >= CHANSTS && offset < CHAINADDR) ||
		    offset >= CHANERR) {
			store(offset, 1, input_back(g_device.input));
		}
		break;
	case 14:
		g_device.fills = input_back(g_device.input) % 4;
		break;
	case 15:
		g_device.pci.internal.removed = true;
		break;
	}
}

static void
take_turn(void)
{
	uint8_t byte;

	CHECK(g_device.accesses++ < CALL_LIMIT);
	device_look();
	if (g_device.behaves || g_device.honest_turns > 0) {
		g_device.honest_turns -= g_device.honest_turns > 0;
		work(UINT_MAX);
	} else if (g_device.idle_turns > 0) {
		g_device.idle_turns--;
	} else {
		byte = input_back(g_device.input);
		g_device.honest_turns = byte >> 4;
		misbehave(byte & 15);
	}
	device_look();
}

void
device_take_turns(unsigned turns)
{
	while (turns-- > 0) {
		take_turn();
	}
}

void
device_behave(void)
{
	g_device.behaves = true;
	g_device.lies = false;
	/* What it has overwritten is what it had last completed. */
	if (g_device.started && g_device.done > 0) {
		store_word(true_status());
	}
}

void
device_begin_call(void)
{
	device_look();
	g_device.accesses = 0;
}

/* ---- Registers, as test/fuzz/spdk/mmio.h hands them over ---- */

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

	take_turn();
	value = g_device.gone ? UINT64_MAX : load(offset, width);
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
		take_as_said(g_device.status_read);
		g_device.shown_end |= (g_device.status_read & 7) == HALTED;
		if (g_device.status_read == UINT64_MAX) {
			g_device.shown_end = g_device.stopped = true;
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
		store(offset, width, value);
		break;
	case CHANCMD:
		CHECK(width == 1 && (value == RESET || value == SUSPEND));
		store(offset, width, value);
		g_device.reset_written |= value == RESET;
		break;
	case CHAINADDR:
	case CHANCMP:
		CHECK(width == 4);
		store(offset, width, value);
		break;
	case CHANCMP + 4:
		store(offset, width, value);
		g_device.completion = load(CHANCMP, 8);
		CHECK(g_device.completion % 8 == 0);
		break;
	case CHAINADDR + 4:
		store(offset, width, value);
		store(DMACOUNT, 2, 0);
		store(CHANSTS, 8, ARMED);
		g_device.chain = load(CHAINADDR, 8);
		CHECK(g_device.chain % 64 == 0);
		g_device.announced = g_device.done = g_device.said_done = 0;
		g_device.started = true;
		g_device.halted = g_device.suspended = false;
		g_device.stopped = g_device.reset_written = false;
		break;
	case CHANERR:
		CHECK(width == 4);
		store(offset, width, load(offset, width) & ~value);
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
	take_turn();
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
	CHECK(bar == 0);
	*mapped_addr = g_device.map_rc == 1 ? NULL : g_device.bar;
	*phys_addr = 0;
	*size = g_device.bar_size;
	return g_device.map_rc == 1 ? 0 : g_device.map_rc;
}

static int
unmap_bar(struct spdk_pci_device *device, uint32_t bar, void *addr)
{
	(void)device;
	CHECK(bar == 0 && addr == g_device.bar);
	return 0;
}

static int
cfg_read(struct spdk_pci_device *device, void *value, uint32_t len, uint32_t offset)
{
	(void)device;
	take_turn();
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
	take_turn();
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
	store(0, 1, 1); /* CHANCNT */
	store(CBVER, 1, versions[identity & 7]);
	store(XFERCAP, 1, (uint8_t)(identity >> 3) ^ 20);
	store(DMACAP, 4, environment & 1 ? 0 : 1u << 6);
	store(CHANSTS, 8, environment >> 1 & 3); /* ACTIVE is 0, HALTED is 3 */
	g_device.look_us = 5u << (environment >> 3 & 7);
	g_device.map_rc = environment >> 6 == 3 ? -ENOMEM : environment >> 6 == 2 ? 1 : 0;
	g_device.bar_size = environment >> 6 == 1 ? input_front(input) : BAR_SIZE;
	g_device.stopped = true;
}
