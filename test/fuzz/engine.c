/* SPDX-License-Identifier: BSD-3-Clause */

/* What the hostile device does: its work, and what the input makes of it. */

#include "device.h"

#include "env/region.h"
#include "memory.h"
#include "spdk/util.h"

/* More accesses than any call into the driver may take. */
#define CALL_LIMIT 20000

/* ---- What the driver is told ---- */

void *
device_memory_at(uint64_t iova, uint64_t size, bool write)
{
	struct udma_region region;

	if (!udma_region_find(iova, &region) || size > region.len - (iova - region.iova) ||
	    (write && !region.writable)) {
		return NULL;
	}
	return (void *)(uintptr_t)(region.vaddr + (iova - region.iova));
}

/** A word or a status names a descriptor: the only one announced that can be meant. */
void
device_take_as_said(uint64_t value)
{
	uint64_t into = (value & ~0x3full) - g_device.chain;
	uint64_t back;

	if (g_device.chain == 0 || into >= RING_SIZE) {
		return;
	}
	back = (g_device.announced - (into / 64 + 1)) % DEVICE_RING;
	if (back < g_device.announced - g_device.base &&
	    g_device.announced - back > g_device.said_done) {
		g_device.said_done = g_device.announced - back;
	}
}

uint64_t *
device_completion_word(void)
{
	return memory_is_allocated(g_device.completion_memory, 8) ? g_device.completion_memory
								  : NULL;
}

const union spdk_ioat_hw_desc *
device_ring(void)
{
	return memory_is_allocated(g_device.chain_memory, RING_SIZE) ? g_device.chain_memory : NULL;
}

void
device_look(void)
{
	uint16_t more = (uint16_t)(device_load(DMACOUNT, 2) -
				   (uint16_t)(g_device.announced - g_device.base));
	const uint64_t *word = device_completion_word();
	const union spdk_ioat_hw_desc *descs = device_ring();

	if (g_device.chain == 0 || descs == NULL) {
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
		device_take_as_said(*word);
	}
}

/* ---- The engine ---- */

static void
store_word(uint64_t value)
{
	uint64_t *word = device_completion_word();

	if (word != NULL) {
		*word = value;
	}
}

/** What CHANSTS has to show. */
static uint64_t
true_status(void)
{
	uint64_t last = g_device.done == g_device.base
				? 0
				: g_device.chain + (g_device.done - 1) % DEVICE_RING * 64;

	if (g_device.halted || !g_device.started) {
		return last | HALTED;
	}
	if (g_device.suspended) {
		return last | SUSPENDED;
	}
	if (g_device.done < g_device.announced) {
		return last | ACTIVE;
	}
	return g_device.done == g_device.base ? ARMED : last | IDLE;
}

static void
halt(uint32_t chanerr, bool write_back)
{
	g_device.halted = true;
	device_store(CHANERR, 4, chanerr);
	device_store(CHANSTS, 8, true_status());
	if (write_back) {
		store_word(true_status());
	}
}

/** \return false for one that the engine halts at. */
static bool
fill(const struct spdk_ioat_fill_hw_desc *desc)
{
	unsigned size = spdk_min(desc->size, 64u); /* the driver looks at short ones only */
	uint8_t *to = device_memory_at(desc->dest_addr, size, true);
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
	const union spdk_ioat_hw_desc *descs = device_ring();

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
	uint8_t command = (uint8_t)device_load(CHANCMD, 1);

	if (command & RESET) {
		if (g_device.ignores_reset) {
			return;
		}
		g_device.started = g_device.halted = g_device.suspended = false;
		g_device.done = g_device.base;
	} else if (command & SUSPEND) {
		g_device.suspended = true;
	}
	device_store(CHANCMD, 1, 0);
	if (g_device.started && !g_device.halted && !g_device.suspended &&
	    g_device.command & BUS_MASTER) {
		move(limit);
	}
	device_store(CHANSTS, 8, true_status());
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

	/* Working at its own pace is none of it. */
	g_device.misbehaved |= how != 0 && how != 2 && how != 3;
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
		status = input_back(g_device.input);
		g_device.misbehaved |= status == 0; /* for ever, it hangs */
		work((unsigned)status);
		break;
	case 4:
		store_word(any_status());
		break;
	case 5:
		device_store(CHANSTS, 8, any_status());
		break;
	case 6:
		status = any_status();
		store_word(status);
		device_store(CHANSTS, 8, status);
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
			device_store(offset, 1, input_back(g_device.input));
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

void
device_take_turn(void)
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
device_behave(void)
{
	g_device.behaves = true;
	g_device.lies = false;
	/* What it has overwritten is what it had last completed. A halt shows in the status. */
	if (g_device.started && g_device.done > g_device.base && !g_device.halted) {
		store_word(true_status());
	}
}
