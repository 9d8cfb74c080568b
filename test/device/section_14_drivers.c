/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 14: what each driver does, access by access, with the answer it needs. Without
 * interrupts, which are in section_14_interrupts.c.
 */

#include "drivers.h"

/* 14.1 Linux */

static void
section_14_1_linux_probe_and_self_test(void **state)
{
	struct host *h = *state;
	uint32_t devctl;

	linux_probe(h, 0x09);
	linux_start(h);
	scribble(h, SRC, 2000, 1);
	put_copy(h, RING + 64, LINUX_CONTROL, SRC, DST, 2000, RING + 128);
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 64);
	assert_same(h, SRC, DST, 2000);
	wr(h, CHANCTRL, 2, 0x001D);
	reset_sequence(h, true);
	wr(h, DCACTRL, 4, 0xFFFFFFFF);
	assert_int_equal(rd(h, 0x14, 2), 0); /* no DCA */
	devctl = cfg(h, 0x98, 2);
	cfg_wr(h, 0x98, 2, devctl & ~0x10u);
	assert_int_equal(cfg(h, 0x98, 2) & 0x10, 0);
	/* And again, when a client takes the channel. */
	linux_start(h);
}

/** A large copy: pieces of 1 << XFERCAP, of which the last one has the completion. */
static void
section_14_1_linux_split_copy(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 12};
	struct host *h = host_new(&config);
	unsigned i;

	(void)state;
	linux_probe(h, 0x09);
	linux_start(h);
	scribble(h, SRC, 10 * 4096, 1);
	for (i = 0; i < 10; i++) {
		put_copy(h, RING + 64 * (1 + i), i == 9 ? LINUX_CONTROL : 0, SRC + 4096 * i,
			 DST + 4096 * i, 4096, RING + 64 * (2 + i));
	}
	wr(h, DMACOUNT, 2, 11);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 640);
	assert_same(h, SRC, DST, 10 * 4096);
	host_free(h);
}

/** Section 12.3, the path of bits 8 and 9: one handled bit, the word halted at the last good one.
 */
static void
section_14_1_linux_error_handling(void **state)
{
	struct host *h = *state;
	uint32_t chanerr;
	uint64_t word;

	linux_probe(h, 0x09);
	linux_start(h);
	put_copy(h, RING + 64, LINUX_CONTROL, MEMORY + MEMORY_SIZE, DST, 100, RING + 128);
	put_copy(h, RING + 128, LINUX_CONTROL, SRC, DST, 100, RING + 192);
	put_copy(h, RING + 192, LINUX_CONTROL, SRC, DST, 100, RING);
	wr(h, DMACOUNT, 2, 3);
	let_run(h);
	word = get64(h, WORD);
	assert_int_equal(word, RING | HALTED);
	chanerr = rd(h, CHANERR, 4);
	assert_int_equal(chanerr, 0x100);
	assert_int_equal(cfg(h, 0x180, 4), 0x100);
	/* A submitter that has not noticed. */
	wr(h, DMACOUNT, 2, 4);
	let_run(h);
	/* The CPU stores the failed one's address; nothing may overwrite it. */
	put64(h, WORD, RING + 64);
	reset_sequence(h, true);
	wr(h, CHANERR, 4, chanerr);
	cfg_wr(h, 0x180, 4, chanerr);
	wr_halves(h, CHANCMP, WORD);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, HALTED);
	wr_halves(h, CHAINADDR, RING + 128);
	wr(h, DMACOUNT, 2, 2);
	assert_int_equal(get64(h, WORD), RING + 64);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8), (RING + 192) | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING + 192);
}

/** The steps that come with 3.4 and descriptor prefetch: rows 7, 11 and 16. */
static void
section_14_1_linux_on_3_4(void **state)
{
	struct udma_emu_config config = {.device_id = 0x0B00};
	struct host *h = host_new(&config);

	(void)state;
	linux_probe(h, 0x09);
	assert_int_equal(rd(h, 0x10, 4) >> 23 & 1, 1);
	wr(h, 0x80 + 0xB6, 2, 0x0309); /* DRSCTL: 2 MiB, enabled, wraps */
	wr(h, 0x80 + 0xC0, 4, 0x8800);
	wr(h, 0x80 + 0xC4, 4, 0x8A58);
	wr(h, 0x80 + 0xBC, 1, 0);
	linux_start(h);
	scribble(h, SRC, 2000, 1);
	put_copy(h, RING + 64, LINUX_CONTROL, SRC, DST, 2000, RING + 128);
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_same(h, SRC, DST, 2000);
	reset_sequence(h, false); /* from 3.3 on without configuration space */
	wr(h, 0x80 + 0xBC, 1, 1);
	wr(h, 0x4C, 1, 5);
	linux_start(h);
	host_free(h);
}

/** Section 12.4: shutdown, whatever the channel does, and resume. */
static void
section_12_4_linux_shutdown_and_resume(void **state)
{
	struct host *h = *state;

	linux_probe(h, 0x09);
	linux_start(h);
	wr(h, DMACOUNT, 2, 5);
	udma_emu_step(h->emu);
	reset_sequence(h, true);
	wr(h, INTRCTRL, 1, 0);
	assert_false(udma_emu_step(h->emu));
	/* Resumed after an error of the bus: no reset. */
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	wr(h, INTRCTRL, 1, 0x09);
	linux_start(h);
}

/* 14.2 SPDK */

static void
spdk_attach(struct host *h)
{
	cfg_wr(h, 0x04, 4, cfg(h, 0x04, 4) | 0x4);
	assert_true(rd(h, 0x08, 1) >= 0x30);
	assert_int_equal(rd(h, 0x10, 4) & 0x40, 0x40);
	assert_in_range(rd(h, 0x01, 1), 12, 31);
	/* CBVER 33h: configuration space is left alone. */
	reset_sequence(h, false);
	wr(h, CHANCTRL, 2, 0x0008);
	wr(h, CHANCMP, 8, WORD);
	wr(h, CHAINADDR, 8, RING);
	put_descriptor(
		h, RING,
		(struct raw){.size = 8, .control = NULL_BIT | COMPL_UPDATE, .next = RING + 64});
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, IDLE);
	assert_int_equal(get64(h, WORD) & ~0x3Full, RING);
}

static void
section_14_2_spdk_attach_copy_fill(void **state)
{
	struct host *h = *state;

	spdk_attach(h);
	scribble(h, SRC, 999, 1);
	put_copy(h, RING + 64, 0, SRC, DST, 999, RING + 128);
	put_descriptor(h, RING + 128,
		       (struct raw){.size = 777,
				    .control = OP(0x01),
				    .q1 = 0x3C3C3C3C3C3C3C3C,
				    .q2 = DST + 0x1000,
				    .next = RING + 192});
	/* A copy of no bytes becomes a null descriptor; flush marks the newest one only. */
	put_descriptor(
		h, RING + 192,
		(struct raw){.size = 8, .control = NULL_BIT | COMPL_UPDATE, .next = RING + 256});
	wr(h, DMACOUNT, 2, 4);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~0x3Full, RING + 192);
	assert_same(h, SRC, DST, 999);
	assert_all(h, DST + 0x1000, 777, 0x3C);
	assert_all(h, DST + 0x1000 + 777, 100, 0);
}

/** Below 33h it reads and writes 180h back (row 6), here with an error in it. */
static void
section_14_2_spdk_below_3_3(void **state)
{
	struct udma_emu_config config = {.device_id = 0x6F20};
	struct host *h = host_new(&config);

	(void)state;
	assert_int_equal(rd(h, 0x08, 1), 0x32);
	start(h, 0);
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	assert_halted(h, 4, 0);
	reset_sequence(h, true);
	spdk_attach(h);
	host_free(h);
}

/** Whatever a process that is gone has left behind. */
static void
section_14_2_spdk_attaches_in_any_state(void **state)
{
	struct host *h = *state;

	/* Running. */
	put_null(h, RING, COMPL_UPDATE, RING);
	start(h, RING);
	wr(h, DMACOUNT, 2, 100);
	udma_emu_step(h->emu);
	spdk_attach(h);
	/* Idle. */
	spdk_attach(h);
	/* Suspended. */
	wr(h, CHANCMD, 1, SUSPEND);
	spdk_attach(h);
	/* Armed. */
	wr(h, CHAINADDR, 8, SRC);
	spdk_attach(h);
	/* Halted by an error. */
	start(h, 0);
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	spdk_attach(h);
}

/* 14.3 DPDK: every descriptor has COMPL_UPDATE; a ring of 8. */

#define SLOTS 8

static uint64_t
slot(unsigned index)
{
	return RING + 64 * (index % SLOTS);
}

static void
dpdk_probe(struct host *h)
{
	uint32_t chanerr;

	assert_true(rd(h, 0x08, 1) >= 0x30);
	assert_int_equal(rd(h, 0x00, 1), 1);
	if (rd(h, CHANCTRL, 2) & 0x0100) {
		wr(h, CHANCTRL, 2, 0);
	}
	chanerr = rd(h, CHANERR, 4);
	if (chanerr != 0) {
		wr(h, CHANERR, 4, chanerr);
	}
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, CHANCMD, 1, RESET);
	if (rd(h, CHANCMD, 1) & 0x20) {
		wr(h, CHAINADDR, 8, 0);
		assert_int_equal(rd(h, CHANCMD, 1) & 0x20, 0);
	}
}

static void
dpdk_start(struct host *h)
{
	wr(h, CHAINADDR, 8, slot(0));
	wr(h, CHANCMP, 8, WORD);
	wr(h, CHANCTRL, 2, 0x000C);
	put64(h, WORD, slot(SLOTS - 1));
	assert_int_equal(rd(h, CHANSTS, 8) & 7, ARMED);
	assert_int_equal(get64(h, WORD), slot(SLOTS - 1));
}

static void
dpdk_recover(struct host *h, unsigned behind)
{
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	/* RESET is not polled. */
	wr(h, CHANCMD, 1, RESET);
	wr(h, CHAINADDR, 8, slot(behind));
	wr(h, CHANCTRL, 2, 0x000C);
	wr(h, CHANCMP, 8, WORD);
	assert_int_equal(rd(h, CHANSTS, 8), 0x0000000000000004);
}

static void
dpdk_stop(struct host *h)
{
	unsigned state = rd(h, CHANSTS, 8) & 7;

	wr(h, CHANCMD, 1, state == ACTIVE || state == IDLE ? SUSPEND : RESET);
	state = rd(h, CHANSTS, 8) & 7;
	assert_true(state == SUSPENDED || state == HALTED);
}

static void
dpdk_copy(struct host *h, unsigned index, uint64_t src)
{
	put_copy(h, slot(index), COMPL_UPDATE, src, DST + 2048 * (index % SLOTS), 2048,
		 slot(index + 1));
}

static void
section_14_3_dpdk_copies_in_bursts(void **state)
{
	struct host *h = *state;
	unsigned done = 0, i;

	dpdk_probe(h);
	dpdk_start(h);
	for (i = 0; i < 200; i++) {
		dpdk_copy(h, i, SRC + 2048 * (i % 16));
		if (i % 5 == 4) {
			scribble(h, SRC, 16 * 2048, i);
			wr(h, DMACOUNT, 2, i + 1);
			let_run(h);
			done = (get64(h, WORD) - RING) >> 6;
			assert_int_equal(done, i % SLOTS);
			assert_int_equal(get64(h, WORD) & 7 & ~1u, 0);
			assert_same(h, SRC + 2048 * (i % 16), DST + 2048 * (i % SLOTS), 2048);
		}
	}
}

static void
section_14_3_dpdk_probe_finds_a_channel_in_use(void **state)
{
	struct host *h = *state;

	start(h, 0);
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	(void)rd(h, CHANCTRL, 2);
	dpdk_probe(h);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	dpdk_start(h);
}

static void
section_14_3_dpdk_stop_and_start_twice(void **state)
{
	struct host *h = *state;
	unsigned round;

	dpdk_probe(h);
	for (round = 0; round < 3; round++) {
		dpdk_start(h);
		scribble(h, SRC, 2048, round);
		dpdk_copy(h, 0, SRC);
		wr(h, DMACOUNT, 2, 1);
		let_run(h);
		assert_int_equal(get64(h, WORD) & ~7ull, slot(0));
		assert_same(h, SRC, DST, 2048);
		dpdk_stop(h);
	}
	/* Also with nothing done in between: RESET from ARMED. */
	dpdk_start(h);
	dpdk_stop(h);
}

/** A copy from address 0 fails, alone; the others of its burst succeed, wherever it is. */
static void
section_14_3_dpdk_recovers_behind_the_failed_one(void **state)
{
	struct host *h = *state;
	unsigned bad, i;

	for (bad = 0; bad < 6; bad++) {
		memset(h->memory + (DST - MEMORY), 0, SLOTS * 2048);
		scribble(h, SRC, 6 * 2048, bad);
		dpdk_probe(h);
		dpdk_start(h);
		for (i = 0; i < 6; i++) {
			dpdk_copy(h, i, i == bad ? 0 : SRC + 2048 * i);
		}
		wr(h, DMACOUNT, 2, 6);
		let_run(h);
		assert_int_equal(get64(h, WORD), (bad == 0 ? 0 : slot(bad - 1)) | HALTED);
		assert_int_equal(rd(h, CHANSTS, 8) & 7, HALTED);
		dpdk_recover(h, bad + 1);
		/* The device's count starts again at the slot behind the failed one. */
		wr(h, DMACOUNT, 2, 6 - (bad + 1));
		let_run(h);
		for (i = 0; i < 6; i++) {
			if (i != bad) {
				assert_same(h, SRC + 2048 * i, DST + 2048 * i, 2048);
			}
		}
		assert_all(h, DST + 2048 * bad, 2048, 0);
		dpdk_stop(h);
	}
}

static void
section_14_3_dpdk_several_failures_in_a_burst(void **state)
{
	struct host *h = *state;

	dpdk_probe(h);
	dpdk_start(h);
	dpdk_copy(h, 0, 0);
	dpdk_copy(h, 1, 0);
	dpdk_copy(h, 2, SRC);
	dpdk_copy(h, 3, 0);
	wr(h, DMACOUNT, 2, 4);
	let_run(h);
	assert_int_equal(get64(h, WORD), HALTED);
	dpdk_recover(h, 1);
	wr(h, DMACOUNT, 2, 3);
	let_run(h);
	assert_int_equal(get64(h, WORD), HALTED);
	dpdk_recover(h, 2);
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_int_equal(get64(h, WORD), slot(2) | HALTED);
	dpdk_recover(h, 4);
	assert_false(udma_emu_step(h->emu));
	dpdk_copy(h, 4, SRC);
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~7ull, slot(4));
}

/* 14.4 FreeBSD */

static void
section_14_4_freebsd_attach(void **state)
{
	struct host *h = *state;

	assert_true(rd(h, 0x08, 1) >= 0x30);
	rd(h, 0x10, 4);
	rd(h, 0x01, 1);
	assert_int_equal(rd(h, 0x0C, 2) & 0x8000, 0x8000);
	wr(h, 0x03, 1, 0x01);
	freebsd_reset(h);
	/* Its API for coalescing. */
	wr(h, 0x0C, 2, 250);
	assert_int_equal(rd(h, 0x0C, 2) & 0x3FFF, 250);
}

/** Its copy of two pages (sections 7 and 14.4). */
static void
section_14_4_freebsd_copy_8k_aligned(void **state)
{
	struct host *h = *state;

	freebsd_reset(h);
	scribble(h, SRC, 0x4000, 1);
	put_descriptor(h, RING + 64,
		       (struct raw){.size = 8192,
				    .control = SRC_PAGE_BREAK | DST_PAGE_BREAK | COMPL_UPDATE,
				    .q1 = SRC + 0x2000,
				    .q2 = DST + 0x1000,
				    .next = RING + 128,
				    .q4 = SRC,
				    .q5 = DST + 0x3000});
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~0x3Full, RING + 64);
	assert_same(h, SRC + 0x2000, DST + 0x1000, 0x1000);
	assert_same(h, SRC, DST + 0x3000, 0x1000);
	assert_all(h, DST + 0x2000, 0x1000, 0);
}

/** On a halt it finds the error in CHANERR; the word it would panic on is not written. */
static void
section_14_4_freebsd_halt(void **state)
{
	struct host *h = *state;

	freebsd_reset(h);
	put_copy(h, RING + 64, COMPL_UPDATE, SRC, 0, 100, RING + 128);
	wr(h, DMACOUNT, 2, 2);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0x200);
	assert_int_equal(get64(h, WORD) & ~0x3Full, RING);
	wr(h, CHANERR, 4, 0x200);
	freebsd_reset(h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_14_1_linux_probe_and_self_test),
		T(section_14_1_linux_split_copy),
		T(section_14_1_linux_error_handling),
		T(section_14_1_linux_on_3_4),
		T(section_12_4_linux_shutdown_and_resume),
		T(section_14_2_spdk_attach_copy_fill),
		T(section_14_2_spdk_below_3_3),
		T(section_14_2_spdk_attaches_in_any_state),
		T(section_14_3_dpdk_copies_in_bursts),
		T(section_14_3_dpdk_probe_finds_a_channel_in_use),
		T(section_14_3_dpdk_stop_and_start_twice),
		T(section_14_3_dpdk_recovers_behind_the_failed_one),
		T(section_14_3_dpdk_several_failures_in_a_burst),
		T(section_14_4_freebsd_attach),
		T(section_14_4_freebsd_copy_8k_aligned),
		T(section_14_4_freebsd_halt),
	};

	return cmocka_run_group_tests_name("section_14_drivers", tests, NULL, NULL);
}
