/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * A polled BAR: memory that the driver stores to and the model's host watches.
 *
 * What cannot be seen is a store that changes nothing, and the order of two stores. Therefore
 *
 * - the doorbell is loaded first: what the driver stored before it is seen with it;
 * - a command is carried out before anything else that has changed, also one that came while the
 *   rest was loaded: DPDK stores CHAINADDR at once behind RESET (section 14.3);
 * - RESET also clears what a write of ones would have cleared, and CHAINADDR and DMACOUNT read 0
 *   before it reads as done, so that the driver's next stores to them are changes;
 * - CHANCTRL's re-arm bit always reads 0, so that each store of 1 is one;
 * - either half of CHAINADDR counts, as a high half of 0 cannot be seen: until DMACOUNT changes
 *   nothing is fetched (section 4);
 * - a driver that restarts the channel without RESET must announce another count than it last did;
 * - CHANSTS shows ACTIVE before anything of what was announced is carried out: an IDLE or a HALTED
 *   that the driver reads is never older than a completion word that it has read.
 *
 * A function that does not answer (udma/fault.h) is memory full of ones, which is made so again
 * whenever something else was stored; a RESET that does not end is not heard a second time.
 *
 * The host changes a register only from the value that it knows: if the driver has stored another
 * one meanwhile, that one stays, and is seen at the next look.
 */

#include "watch.h"

#include "spdk/ioat_spec.h"

#define AT(watch, type, name) ((type *)((watch)->bar + offsetof(struct spdk_ioat_registers, name)))
#define OFFSET(name)          ((uint32_t)offsetof(struct spdk_ioat_registers, name))

#define DCACTRL_OFFSET 0xb0 /* chan+30 (section 4); struct spdk_ioat_registers ends before it */

#define ALL_ERRORS 0xffffffffu

/** What is loaded before everything else. */
struct control {
	uint16_t dmacount;
	uint8_t chancmd;
};

static struct control
load_control(const struct udma_emu_watch *watch)
{
	struct control control;

	/* Acquire, of just what the driver stores last: all that it stored before is seen after. */
	control.dmacount = __atomic_load_n(AT(watch, uint16_t, dmacount), __ATOMIC_ACQUIRE);
	control.chancmd = __atomic_load_n(AT(watch, uint8_t, chancmd), __ATOMIC_ACQUIRE);
	return control;
}

/** Acquire: the command is loaded again behind these. */
static struct udma_emu_shadow
load(const struct udma_emu_watch *watch, const struct control *control)
{
	return (struct udma_emu_shadow){
		.chanctrl = __atomic_load_n(AT(watch, uint16_t, chanctrl), __ATOMIC_ACQUIRE),
		.dmacount = control->dmacount,
		.chainaddr = __atomic_load_n(AT(watch, uint64_t, chainaddr), __ATOMIC_ACQUIRE),
		.chancmp = __atomic_load_n(AT(watch, uint64_t, chancmp), __ATOMIC_ACQUIRE),
		.chanerr_and_mask = __atomic_load_n(AT(watch, uint64_t, chanerr), __ATOMIC_ACQUIRE),
		.dcactrl = __atomic_load_n((uint32_t *)(watch->bar + DCACTRL_OFFSET),
					   __ATOMIC_ACQUIRE),
		.intrdelay = __atomic_load_n(AT(watch, uint16_t, intrdelay), __ATOMIC_ACQUIRE),
		.genctrl = __atomic_load_n(AT(watch, uint8_t, genctrl), __ATOMIC_ACQUIRE),
		.intrctrl = __atomic_load_n(AT(watch, uint8_t, intrctrl), __ATOMIC_ACQUIRE),
	};
}

static bool
differ(const struct udma_emu_shadow *a, const struct udma_emu_shadow *b)
{
	return a->chanctrl != b->chanctrl || a->dmacount != b->dmacount ||
	       a->chainaddr != b->chainaddr || a->chancmp != b->chancmp ||
	       a->chanerr_and_mask != b->chanerr_and_mask || a->dcactrl != b->dcactrl ||
	       a->intrdelay != b->intrdelay || a->genctrl != b->genctrl ||
	       a->intrctrl != b->intrctrl;
}

/** Whether the registers that a driver writes are all ones. */
static bool
reads_as_ones(const struct udma_emu_watch *watch)
{
	uint64_t all = UINT64_MAX;

	for (uint32_t offset = 0; offset <= DCACTRL_OFFSET; offset += 8) {
		all &= __atomic_load_n((uint64_t *)(watch->bar + offset), __ATOMIC_RELAXED);
	}
	return all == UINT64_MAX;
}

bool
udma_emu_watch_changed(const struct udma_emu_watch *watch)
{
	struct control control = load_control(watch);
	struct udma_emu_shadow now = load(watch, &control);

	if (watch->away) {
		return !reads_as_ones(watch);
	}
	if (watch->resetting) {
		return false;
	}
	return control.chancmd != 0 || differ(&now, &watch->shadow);
}

/** Stores `next` where the driver has left `*known`. Either way `*known` is what was meant to be
 * there. */
#define REPLACE(watch, type, name, known, next)                                                    \
	do {                                                                                       \
		type known_ = (type)(known);                                                       \
		(known) = (next);                                                                  \
		__atomic_compare_exchange_n(AT(watch, type, name), &known_, (type)(next), false,   \
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED);                   \
	} while (0)

/** \return whether it has been carried out. */
static bool
command(struct udma_emu_watch *watch, const struct control *control)
{
	struct udma_emu_shadow *shadow = &watch->shadow;
	uint8_t chancmd = control->chancmd;
	bool resets;

	if (!watch->resetting) {
		udma_emu_write(watch->emu, OFFSET(chancmd), 1, chancmd);
	}
	resets = watch->resetting || (chancmd & SPDK_IOAT_CHANCMD_RESET);
	watch->resetting = udma_emu_read(watch->emu, OFFSET(chancmd), 1) & SPDK_IOAT_CHANCMD_RESET;
	if (watch->resetting) {
		__atomic_store_n(AT(watch, uint8_t, chancmd), SPDK_IOAT_CHANCMD_RESET,
				 __ATOMIC_RELAXED);
		return false;
	}
	if (resets) {
		udma_emu_write(watch->emu, OFFSET(chanerr), 4, ALL_ERRORS);
		/* What stands there now was stored before the command, be it a write of ones that
		 * changed nothing: publishing replaces it by what the model holds, 0. */
		shadow->chanerr_and_mask =
			__atomic_load_n(AT(watch, uint64_t, chanerr), __ATOMIC_RELAXED);
		udma_emu_write(watch->emu, OFFSET(chanerrmask), 4, shadow->chanerr_and_mask >> 32);
		/* Whether RESET keeps these is not known (section 16, point 8); the driver cannot
		 * be seen to store what they hold already, so they are kept. */
		udma_emu_write(watch->emu, OFFSET(chanctrl), 2, shadow->chanctrl);
		udma_emu_write(watch->emu, OFFSET(chancmp), 8, shadow->chancmp);
		/* An address that is new was stored before the command, or at once behind it, as
		 * DPDK does (section 14.3). It stays, and arms the channel: without a count that
		 * does no harm, and a driver that waits for ARMED would wait for good. */
		REPLACE(watch, uint64_t, chainaddr, shadow->chainaddr, 0);
		/* A count that was loaded before the command was stored before it: after RESET a
		 * driver rings the doorbell only once it has seen ARMED. */
		shadow->dmacount = control->dmacount;
		REPLACE(watch, uint16_t, dmacount, shadow->dmacount, 0);
	}
	udma_emu_watch_publish(watch);
	__atomic_compare_exchange_n(AT(watch, uint8_t, chancmd), &chancmd, 0, false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	return true;
}

/** Nothing answers: whatever is read is ones. */
static void
vanish(struct udma_emu_watch *watch)
{
	watch->away = true;
	watch->resetting = false;
	for (uint32_t offset = 0; offset < UDMA_EMU_BAR_SIZE; offset += 8) {
		__atomic_store_n((uint64_t *)(watch->bar + offset), UINT64_MAX, __ATOMIC_RELAXED);
	}
}

/** The registers without any bearing on what the channel does: they only read back. */
static void
look_at_the_rest(struct udma_emu_watch *watch, const struct udma_emu_shadow *now)
{
	struct udma_emu_shadow *shadow = &watch->shadow;

	if (now->dcactrl != shadow->dcactrl) {
		udma_emu_write(watch->emu, DCACTRL_OFFSET, 4, now->dcactrl);
		shadow->dcactrl = now->dcactrl;
	}
	if (now->intrdelay != shadow->intrdelay) {
		udma_emu_write(watch->emu, OFFSET(intrdelay), 2, now->intrdelay);
		shadow->intrdelay = now->intrdelay;
	}
	if (now->genctrl != shadow->genctrl) {
		udma_emu_write(watch->emu, OFFSET(genctrl), 1, now->genctrl);
		shadow->genctrl = now->genctrl;
	}
	if (now->intrctrl != shadow->intrctrl) {
		udma_emu_write(watch->emu, OFFSET(intrctrl), 1, now->intrctrl);
		shadow->intrctrl = now->intrctrl;
	}
}

bool
udma_emu_watch_look(struct udma_emu_watch *watch)
{
	struct udma_emu_shadow *shadow = &watch->shadow;
	struct control control = load_control(watch);
	struct udma_emu_shadow now = load(watch, &control);

	if (watch->away) {
		if (!reads_as_ones(watch)) {
			vanish(watch);
		}
		return false;
	}
	/* Again, behind the rest: what was stored behind a command is not taken for older. One that
	 * was there already comes first; what has replaced it, as DPDK's RESET does its SUSPEND
	 * (section 14.3), stays for the next look, and nothing but the command is taken in this. */
	if (control.chancmd == 0) {
		control.chancmd = __atomic_load_n(AT(watch, uint8_t, chancmd), __ATOMIC_RELAXED);
	}
	if (control.chancmd != 0 || watch->resetting) {
		return command(watch, &control);
	}
	if (!differ(&now, shadow)) {
		return false;
	}
	look_at_the_rest(watch, &now);
	if (now.chanerr_and_mask != shadow->chanerr_and_mask) {
		udma_emu_write(watch->emu, OFFSET(chanerr), 4, (uint32_t)now.chanerr_and_mask);
		udma_emu_write(watch->emu, OFFSET(chanerrmask), 4, now.chanerr_and_mask >> 32);
		shadow->chanerr_and_mask = now.chanerr_and_mask;
	}
	if (now.chanctrl != shadow->chanctrl) {
		shadow->chanctrl = now.chanctrl;
		/* Before the model has it: it may interrupt at once, and the driver re-arm anew. */
		REPLACE(watch, uint16_t, chanctrl, shadow->chanctrl,
			now.chanctrl & ~SPDK_IOAT_CHANCTRL_INT_REARM);
		udma_emu_write(watch->emu, OFFSET(chanctrl), 2, now.chanctrl);
	}
	if (now.chancmp != shadow->chancmp) {
		udma_emu_write(watch->emu, OFFSET(chancmp), 8, now.chancmp);
		shadow->chancmp = now.chancmp;
	}
	if (now.chainaddr != shadow->chainaddr) {
		udma_emu_write(watch->emu, OFFSET(chainaddr), 8, now.chainaddr);
		shadow->chainaddr = now.chainaddr;
		if (now.dmacount == shadow->dmacount) {
			/* A count from before: it starts from 0 again (section 5). */
			REPLACE(watch, uint16_t, dmacount, shadow->dmacount, 0);
			now.dmacount = 0;
		}
	}
	if (now.dmacount != shadow->dmacount) {
		udma_emu_write(watch->emu, OFFSET(dmacount), 2, now.dmacount);
		shadow->dmacount = now.dmacount;
		udma_emu_watch_publish(watch);
	}
	return true;
}

void
udma_emu_watch_publish(struct udma_emu_watch *watch)
{
	struct udma_emu_shadow *shadow = &watch->shadow;
	uint64_t chanerr = udma_emu_read(watch->emu, OFFSET(chanerr), 4) |
			   udma_emu_read(watch->emu, OFFSET(chanerrmask), 4) << 32;
	uint64_t status = udma_emu_read(watch->emu, OFFSET(chansts), 8);

	if (status == UINT64_MAX) {
		if (!watch->away) {
			vanish(watch);
		}
		return;
	}
	if (watch->away) {
		udma_emu_watch_publish_all(watch);
		return;
	}
	/* The cause first: whoever sees HALTED asks for it. */
	if (chanerr != shadow->chanerr_and_mask) {
		REPLACE(watch, uint64_t, chanerr, shadow->chanerr_and_mask, chanerr);
	}
	if (status != __atomic_load_n(AT(watch, uint64_t, chansts), __ATOMIC_RELAXED)) {
		__atomic_store_n(AT(watch, uint64_t, chansts), status, __ATOMIC_RELEASE);
	}
}

void
udma_emu_watch_publish_all(struct udma_emu_watch *watch)
{
	if (udma_emu_read(watch->emu, OFFSET(chansts), 8) == UINT64_MAX) {
		vanish(watch);
		return;
	}
	for (uint32_t offset = 0; offset < UDMA_EMU_BAR_SIZE; offset += 4) {
		uint32_t value = 0;

		/* Reading CHANCTRL would take the in-use semaphore (section 4.1); after a reset it
		 * is 0, and so is what stands beside it of use to nobody. */
		if (offset != OFFSET(chanctrl)) {
			value = (uint32_t)udma_emu_read(watch->emu, offset, 4);
		}
		__atomic_store_n((uint32_t *)(watch->bar + offset), value, __ATOMIC_RELAXED);
	}
	watch->shadow = load(watch, &(struct control){0});
	watch->resetting = false;
	watch->away = false;
}
