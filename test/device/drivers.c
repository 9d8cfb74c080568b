/* SPDX-License-Identifier: BSD-3-Clause */

#include "drivers.h"

void
let_run(struct host *h)
{
	while (udma_emu_step(h->emu)) {
	}
}

void
wr_halves(struct host *h, uint32_t offset, uint64_t value)
{
	wr(h, offset, 4, (uint32_t)value);
	wr(h, offset + 4, 4, value >> 32);
}

void
reset_sequence(struct host *h, bool config)
{
	unsigned state = rd(h, CHANSTS, 8) & 7;

	if (state == ACTIVE || state == IDLE) {
		wr(h, CHANCMD, 1, SUSPEND);
		state = rd(h, CHANSTS, 8) & 7;
		assert_true(state != ACTIVE && state != IDLE);
	}
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	if (config) {
		cfg_wr(h, 0x180, 4, cfg(h, 0x180, 4));
		assert_int_equal(cfg(h, 0x180, 4), 0);
	}
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CHANCMD, 1) & 0x20, 0);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(rd(h, CHANERR, 4), 0);
}

void
linux_probe(struct host *h, uint8_t intrctrl)
{
	assert_true(rd(h, 0x08, 1) >= 0x30);
	rd(h, 0x10, 4);
	assert_int_equal(rd(h, 0x00, 1), 1);
	assert_in_range(rd(h, 0x01, 1), 12, 31);
	reset_sequence(h, true);
	assert_int_not_equal(cfg(h, 0x02, 2), 0x3430); /* TBG0 is another matter */
	wr(h, INTRCTRL, 1, intrctrl);
}

void
linux_start(struct host *h)
{
	unsigned state;

	wr(h, CHANCTRL, 2, 0x001D);
	wr_halves(h, CHANCMP, WORD);
	put_null(h, RING, LINUX_CONTROL, RING + 64);
	wr_halves(h, CHAINADDR, RING);
	wr(h, DMACOUNT, 2, 1);
	state = rd(h, CHANSTS, 8) & 7;
	assert_true(state == ACTIVE || state == IDLE);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
	assert_int_equal(get64(h, WORD) & ~7ull, RING);
}

void
freebsd_reset(struct host *h)
{
	unsigned state = rd(h, CHANSTS, 8) & 7;

	if (state == ACTIVE || state == IDLE) {
		wr(h, CHANCMD, 1, SUSPEND);
	}
	wr(h, CHANERR, 4, rd(h, CHANERR, 4));
	cfg_wr(h, 0x184, 4, 0x3E07);
	cfg_wr(h, 0x180, 4, cfg(h, 0x180, 4));
	wr(h, CHANCMD, 1, RESET);
	assert_int_equal(rd(h, CHANCMD, 1) & 0x20, 0);
	state = rd(h, CHANSTS, 8) & 7;
	assert_true(state != ACTIVE && state != IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0);
	assert_int_equal(cfg(h, 0x184, 4), 0x3E07);
	put64(h, WORD, 0);
	wr(h, CHANCTRL, 2, 0x0009);
	wr(h, CHANCMP, 8, WORD);
	wr(h, CHAINADDR, 8, RING);
	put_descriptor(
		h, RING,
		(struct raw){.size = 8, .control = NULL_BIT | COMPL_UPDATE, .next = RING + 64});
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, IDLE);
	assert_int_equal(get64(h, WORD) & ~0x3Full, RING);
	wr(h, CHANCTRL, 2, 0x0009);
	state = rd(h, CHANSTS, 8) & 7;
	assert_true(state != HALTED && state != SUSPENDED);
}
