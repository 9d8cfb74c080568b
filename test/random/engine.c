/* SPDX-License-Identifier: BSD-3-Clause */

/* What the engine does: its work, one descriptor after the other, and what goes wrong in it. */

#include "device.h"
#include "memory.h"

#include "emu/emu_internal.h"
#include "emu/fault.h"
#include "spdk/util.h"
#include "udma/ioat.h"

/* Offsets of the hardware reference, section 4, channel 0. */
#define DMACOUNT  0x86
#define CHANSTS   0x88
#define CHAINADDR 0x90

/** The completion word, where the driver has put it; NULL while there is none. */
static uint64_t *
completion_word(void)
{
	uint64_t len = 8;

	return g_device.armed
		       ? g_device.emu->host.grant(NULL, g_device.emu->chan.chancmp, &len, true)
		       : NULL;
}

/** What is announced is whole by then. */
static void
take_announced(uint64_t from, uint64_t until)
{
	uint64_t chain, len = sizeof(union spdk_ioat_hw_desc) * RING;
	const union spdk_ioat_hw_desc *ring;

	if (from == until) {
		return;
	}
	memcpy(&chain, g_device.watch.bar + CHAINADDR, 8);
	ring = g_device.emu->host.grant(NULL, chain - chain % len, &len, false);
	CHECK(ring != NULL && len == sizeof(*ring) * RING);
	for (; from < until; from++) {
		requests_announced(from, ring[from % RING].generic.u.control_raw);
		/* After a restart some are announced once more. */
		g_device.rung += from >= g_device.furthest;
	}
	g_device.furthest = spdk_max(g_device.furthest, until);
}

void
device_look(void)
{
	uint16_t count, more;

	if (g_device.gone || !g_device.armed) {
		return;
	}
	memcpy(&count, g_device.watch.bar + DMACOUNT, 2);
	more = (uint16_t)(count - (uint16_t)(g_device.announced - g_device.base));
	CHECK(more < RING);
	g_device.announced += more;
	g_device.doorbells += more > 0;
	take_announced(g_device.announced - more, g_device.announced);
	if (more > 0 && !g_device.polled) {
		udma_emu_write(g_device.emu, DMACOUNT, 2, count);
	}
}

static bool
is_two_pages(const union spdk_ioat_hw_desc *desc)
{
	return desc->dma.u.control.src_page_break || desc->dma.u.control.dest_page_break;
}

/** An engine that fails in the middle of a descriptor has moved some of it. */
static void
move_a_part(void)
{
	struct udma_emu_channel *chan = &g_device.emu->chan;
	union spdk_ioat_hw_desc desc;
	uint64_t part, first;

	if (!udma_emu_load(g_device.emu, chan->next, &desc, sizeof(desc)) ||
	    desc.dma.u.control.null || desc.generic.u.control.op >= SPDK_IOAT_OP_XOR) {
		return;
	}
	part = random_below(&g_device.random, desc.generic.size + 1);
	if (part == 0) {
		return;
	}
	if (desc.generic.u.control.op == SPDK_IOAT_OP_FILL) {
		udma_emu_repeat(g_device.emu, desc.fill.src_data, 0, desc.fill.dest_addr, part);
		return;
	}
	first = is_two_pages(&desc) ? spdk_min(part, PAGE) : part;
	udma_emu_move(g_device.emu, desc.dma.src_addr, desc.dma.dest_addr, first);
	if (part > first) {
		udma_emu_move(g_device.emu,
			      desc.dma.u.control.src_page_break ? desc.raw.field[4]
								: desc.dma.src_addr + PAGE,
			      desc.dma.u.control.dest_page_break ? desc.raw.field[5]
								 : desc.dma.dest_addr + PAGE,
			      part - first);
	}
}

void
device_leave_running(void)
{
	const uint16_t no_bus_master = 0x0002;

	udma_emu_cfg_write(g_device.emu, 4, &no_bus_master, 2);
	if (!g_device.polled) {
		udma_emu_write(g_device.emu, CHAINADDR, 8, 64);
		udma_emu_write(g_device.emu, DMACOUNT, 2, 5);
	}
	g_device.armed = false;
}

/** The engine halts; the descriptor that is next is the one to blame. */
static void
take_halt(uint32_t chanerr)
{
	requests_halted(g_device.done, chanerr);
	g_device.halts++;
	if (g_device.halts > 1000) {
		g_device.explains |= 1u << UDMA_IOAT_FAILED;
	}
}

/** \return a word that will be stored again, over the next one; 0. */
static uint64_t
word_to_double(void)
{
	return g_device.emu->faulty ? g_device.emu->faults->again : 0;
}

/** If that has happened: an old one may be none that is outstanding. */
static void
explain_old_word(uint64_t again)
{
	if (again != 0 && word_to_double() != again) {
		g_device.explains |= 1u << UDMA_IOAT_UNKNOWN;
	}
}

void
device_halt(uint32_t chanerr, bool unseen)
{
	uint64_t *word = unseen ? completion_word() : NULL;
	uint64_t kept = word != NULL ? *word : 0;
	uint64_t again = word_to_double();

	take_halt(chanerr);
	g_device.word_at = g_device.turns;
	udma_emu_channel_error(g_device.emu, chanerr);
	explain_old_word(again);
	if (word != NULL) {
		*word = kept;
	}
	device_forget_causes();
}

static void
step(void)
{
	struct udma_emu_channel *chan = &g_device.emu->chan;
	uint16_t before = chan->internal;
	uint64_t *word = completion_word();
	uint64_t again = word_to_double();
	uint64_t kept = word != NULL ? *word : 0;

	if (g_device.halt_in > 0 && --g_device.halt_in == 0) {
		g_device.halt_in = g_device.halt_every;
		move_a_part();
		device_halt(g_device.chanerr, g_device.halt_unseen);
		return;
	}
	udma_emu_step(g_device.emu);
	explain_old_word(again);
	g_device.done += (uint16_t)(chan->internal - before);
	/* The driver hands over nothing that an engine would refuse by itself. */
	if (chan->state == UDMA_EMU_HALTED) {
		CHECK(g_device.injected > 0 || requests_explain_halt(g_device.done, chan->chanerr));
		take_halt(chan->chanerr);
	}
	if (g_device.slow_us > 0) {
		g_device.idle_until = g_device.now_us + g_device.slow_us;
	}
	if (word != NULL && *word != kept) {
		g_device.word_at = g_device.turns;
		if (g_device.words_lost > 0) {
			*word = kept;
			g_device.words_lost--;
		}
	}
	device_forget_causes();
}

void
device_hear(void)
{
	if (!g_device.gone && g_device.polled && g_device.now_us >= g_device.idle_until) {
		udma_emu_watch_look(&g_device.watch);
	}
}

bool
device_has_work(void)
{
	return !g_device.gone && !g_device.hangs && g_device.emu->may_dma &&
	       (g_device.emu->chan.state == UDMA_EMU_ACTIVE ||
		(g_device.polled && udma_emu_watch_changed(&g_device.watch)));
}

void
device_work(unsigned limit)
{
	const struct udma_emu_channel *chan = &g_device.emu->chan;

	if (g_device.gone || g_device.hangs || g_device.now_us < g_device.idle_until) {
		return;
	}
	while (limit-- > 0 && chan->state == UDMA_EMU_ACTIVE && g_device.emu->may_dma &&
	       g_device.now_us >= g_device.idle_until) {
		step();
	}
}

/** What an old word leaves open, the status tells. */
static void
show(void)
{
	uint64_t before, after;

	memcpy(&before, g_device.watch.bar + CHANSTS, 8);
	udma_emu_watch_publish(&g_device.watch);
	memcpy(&after, g_device.watch.bar + CHANSTS, 8);
	if (after != before) {
		g_device.word_at = g_device.turns;
	}
}

void
device_turn(void)
{
	unsigned how = (unsigned)random_below(&g_device.random, 8);

	g_device.turns++;
	device_look();
	/* One that is polled does nothing at all in a pause. */
	if (g_device.gone || (g_device.polled && g_device.now_us < g_device.idle_until)) {
		return;
	}
	/* And it does not hear at once, nor show at once what it has done. */
	if (g_device.polled && (how != 7 || g_device.missed)) {
		udma_emu_watch_look(&g_device.watch);
	}
	device_work(how < 4 ? UINT_MAX : how - 4);
	if (g_device.polled && (how != 6 || g_device.missed)) {
		show();
	}
	g_device.missed = how >= 6 && !g_device.missed;
}

/** \return the position behind the descriptor that a word or status names, the last there is. */
static uint64_t
behind(uint64_t address)
{
	uint64_t chain, into;

	memcpy(&chain, g_device.watch.bar + CHAINADDR, 8);
	into = (address & ~0x3full) - (chain - chain % (RING * 64));
	if (into >= RING * 64) {
		return g_device.base;
	}
	return g_device.announced - (g_device.announced - (into / 64 + 1)) % RING;
}

/** Whether the status shows an engine that has finished all. */
static bool
shows_that_all_is_done(void)
{
	uint64_t status = udma_emu_read(g_device.emu, CHANSTS, 8);

	if (g_device.polled) {
		memcpy(&status, g_device.watch.bar + CHANSTS, 8);
	}
	return !g_device.gone && (status & 7) == 1 && behind(status) == g_device.announced;
}

/** \return the position that the completion word names. */
static uint64_t
word_says(void)
{
	const uint64_t *word = completion_word();

	return word != NULL ? behind(*word) : g_device.base;
}

bool
device_word_is_far(uint64_t oldest)
{
	return word_says() > oldest + RING / 2;
}

uint64_t
device_said(void)
{
	uint64_t oldest = requests_oldest();

	return device_word_is_far(oldest) && !shows_that_all_is_done() ? oldest : word_says();
}

bool
device_tells_of_halt(bool at_work)
{
	const uint64_t *word = completion_word();
	/* One that is polled may show it too late for who asks, when it has interrupted. */
	bool shows = !g_device.polled && g_device.emu->chan.state == UDMA_EMU_HALTED;

	return word != NULL && ((*word & 7) == UDMA_EMU_HALTED || (shows && at_work));
}

void
device_store_wrong_word(void)
{
	uint64_t chain = g_device.emu->chan.chainaddr - g_device.emu->chan.chainaddr % (RING * 64);
	const uint64_t wrong[] = {
		UINT64_MAX,
		chain - 64,
		chain + RING * 64,
		g_device.emu->chan.chancmp,
	};
	uint64_t *word = completion_word();

	/* Only an engine that runs stores. */
	if (word == NULL || chain == 0 || device_is_stopped() ||
	    g_device.emu->chan.state == UDMA_EMU_SUSPENDED) {
		return;
	}
	*word = wrong[random_below(&g_device.random, SPDK_COUNTOF(wrong))];
	g_device.explains |= 1u << UDMA_IOAT_UNKNOWN;
}
