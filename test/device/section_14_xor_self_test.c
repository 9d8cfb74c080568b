/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Section 14.1, row 12: Linux's self-test of XOR, access by access, on 0C50h, the part on which it
 * keeps RAID. With MSI-X, whose table RESET clears there (section 13).
 */

#include "drivers.h"
#include "parity.h"

#define SLOT(n)    (RING + 64 * (n))
#define PAGE       0x1000
#define PAGE_OF(n) (SRC + 2 * PAGE * (n))
#define SOURCES    6

static int
setup(void **state)
{
	struct udma_emu_config config = {.device_id = 0x0C50, .interrupts = UDMA_EMU_MSIX};

	*state = host_new(&config);
	return 0;
}

/** Section 12.1, with what belongs to this part: no configuration space, but the MSI-X table. */
static void
linux_reset(struct host *h)
{
	uint64_t address = rd(h, 0x1000, 8), data = rd(h, 0x1008, 8), pba = rd(h, 0x1800, 8);

	reset_sequence(h, false);
	wr(h, 0x1000, 8, address);
	wr(h, 0x1008, 8, data);
	wr(h, 0x1800, 8, pba);
}

static void
linux_probe_with_raid(struct host *h)
{
	assert_int_equal(rd(h, 0x08, 1), 0x33);
	assert_int_equal(rd(h, 0x10, 4) & 0x22300, 0x22300); /* XOR, PQ, DWBES, RAID16SS */
	linux_reset(h);
	enable_msix(h, 0x1000);
	/* Where DWBES is offered it masks the errors of validations. */
	wr(h, CHANERRMSK, 4, rd(h, CHANERRMSK, 4) | 0x30000);
	wr(h, INTRCTRL, 1, 0x09);
}

/** Six pages of one bit each; all of them together are 3Fh. */
static void
fill_pages(struct host *h)
{
	unsigned i, at;

	for (i = 0; i < SOURCES; i++) {
		for (at = 0; at < PAGE; at++) {
			put(h, PAGE_OF(i) + at, &(uint8_t){1u << i}, 1);
		}
	}
}

/** Announces base, extension, and the null descriptor with completion, interrupt and fence. */
static void
run_operation(struct host *h, unsigned slot, uint8_t op, uint64_t dst, const uint64_t *sources)
{
	struct parity x = {.op = op, .count = SOURCES, .p = dst, .size = PAGE};

	memcpy(x.source, sources, SOURCES * sizeof(uint64_t));
	assert_int_equal(put_parity(h, SLOT(slot), &x), 2);
	put_null(h, SLOT(slot + 2), LINUX_CONTROL | FENCE, SLOT(slot + 3));
	wr(h, DMACOUNT, 2, rd(h, DMACOUNT, 2) + 3);
	let_run(h);
}

static void
run_xor(struct host *h, unsigned slot)
{
	uint64_t sources[SOURCES];
	unsigned i;

	for (i = 0; i < SOURCES; i++) {
		sources[i] = PAGE_OF(i);
	}
	run_operation(h, slot, OP_XOR, DST, sources);
}

/** Over seven pages: the first source takes the result's place, the result is the last source. */
static void
run_validation(struct host *h, unsigned slot)
{
	uint64_t sources[SOURCES];
	unsigned i;

	for (i = 1; i < SOURCES; i++) {
		sources[i - 1] = PAGE_OF(i);
	}
	sources[SOURCES - 1] = DST;
	run_operation(h, slot, OP_XOR_VAL, PAGE_OF(0), sources);
}

/** Through the good validation; the next slot is 7. */
static void
run_good_part(struct host *h, unsigned *count)
{
	linux_probe_with_raid(h);
	fill_pages(h);
	linux_start(h);
	assert_interrupt(h, count, UDMA_EMU_MSIX, true);
	rearm(h);

	run_xor(h, 1);
	assert_interrupt(h, count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(3));
	assert_all(h, DST, PAGE, 0x3F);
	rearm(h);

	run_validation(h, 4);
	assert_interrupt(h, count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(6));
	assert_int_equal(rd(h, CHANERR, 4), 0);
	rearm(h);
}

static void
zero_result(struct host *h)
{
	unsigned at;

	for (at = 0; at < PAGE; at++) {
		put(h, DST + at, &(uint8_t){0}, 1);
	}
}

static void
section_14_1_linux_xor_and_validate_good(void **state)
{
	unsigned count = 0;

	run_good_part(*state, &count);
}

/** With the result zeroed: a halt with bit 16 alone, a word that says so, and an interrupt. */
static void
section_14_1_linux_xor_validate_bad_halts(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	run_good_part(h, &count);
	zero_result(h);
	run_validation(h, 7);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD), SLOT(6) | HALTED);
	assert_halted(h, 16, SLOT(6));
	assert_all(h, DST, PAGE, 0);
}

/** Section 12.3, the path without a reset. The failed one has an extension, which is skipped. */
static void
section_14_1_linux_xor_recovers_without_reset(void **state)
{
	struct host *h = *state;
	unsigned count = 0, channel_state;
	uint32_t chanerr, chanerr_int;

	run_good_part(h, &count);
	zero_result(h);
	run_validation(h, 7);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	chanerr = rd(h, CHANERR, 4);
	chanerr_int = cfg(h, 0x180, 4);
	assert_int_equal(chanerr, 0x10000);
	put64(h, WORD, SLOT(7)); /* the CPU's: the failed one is complete */
	wr(h, CHANERR, 4, chanerr);
	cfg_wr(h, 0x180, 4, chanerr_int);
	wr_halves(h, CHANCMP, WORD);
	channel_state = rd(h, CHANSTS, 8) & 7;
	assert_true(channel_state != ACTIVE && channel_state != IDLE);
	assert_int_equal(get64(h, WORD), SLOT(7));
	wr_halves(h, CHAINADDR, SLOT(9));
	assert_int_equal(rd(h, CHANSTS, 8), ARMED);
	wr(h, DMACOUNT, 2, 1);
	let_run(h);
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(9));
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(9) | IDLE);
	/* It had not re-armed yet: the interrupt comes then. */
	assert_int_equal(h->interrupts, count);
	rearm(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	rearm(h);
	/* And the channel does what it did before. */
	run_xor(h, 10);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(get64(h, WORD) & ~7ull, SLOT(12));
	assert_all(h, DST, PAGE, 0x3F);
}

/** Row 11, and row 7 again: the table is what it was. */
static void
section_14_1_linux_xor_free_and_take_again(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	run_good_part(h, &count);
	linux_reset(h);
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, 0x1000, 8), MSIX_ADDRESS);
	assert_int_equal(rd(h, 0x1008, 8), MSIX_DATA);
	assert_int_equal(rd(h, CHANERRMSK, 4), 0x30000);
	linux_start(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(h->last.address, MSIX_ADDRESS);
	assert_int_equal(h->last.data, MSIX_DATA);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(section_14_1_linux_xor_and_validate_good),
		T(section_14_1_linux_xor_validate_bad_halts),
		T(section_14_1_linux_xor_recovers_without_reset),
		T(section_14_1_linux_xor_free_and_take_again),
	};

	return cmocka_run_group_tests_name("section_14_xor_self_test", tests, NULL, NULL);
}
