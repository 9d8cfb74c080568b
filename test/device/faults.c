/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The contract of udma/fault.h for a function that is stepped by hand: what goes wrong in a
 * descriptor, and when.
 */

#include "faults.h"

/** Five copies of SIZE bytes, with a word behind each. */
static void
put_chain(struct host *h)
{
	for (unsigned i = 0; i < COUNT; i++) {
		scribble(h, SOURCE(i), SIZE, (uint8_t)(i + 1));
		scribble(h, TARGET(i), SIZE, 0x80);
		put_copy(h, SLOT(i), COMPL_UPDATE | INT_EN, SOURCE(i), TARGET(i), SIZE,
			 SLOT((i + 1) % COUNT));
	}
	scribble(h, UNTOUCHED, SIZE, 0x80);
}

static void
assert_copied(struct host *h, unsigned i)
{
	assert_same(h, TARGET(i), SOURCE(i), SIZE);
}

static void
assert_untouched(struct host *h, unsigned i)
{
	assert_same(h, TARGET(i), UNTOUCHED, SIZE);
}

/** The third of five fails. */
static void
fault_error_of_each_bit(void **state)
{
	struct host *h = *state;

	for (unsigned bit = 0; bit < 32; bit++) {
		struct udma_fault fault = {.kind = UDMA_FAULT_ERROR, .value = 1ull << bit, .at = 3};

		put_chain(h);
		inject(h, fault);
		start_and_run(h, COUNT);
		assert_halted(h, bit, SLOT(1));
		assert_int_equal(get64(h, WORD), SLOT(1) | HALTED);
		for (unsigned i = 0; i < COUNT; i++) {
			if (i < 2) {
				assert_copied(h, i);
			} else {
				assert_untouched(h, i);
			}
		}
		wr(h, CHANERR, 4, ~0u);
		cfg_wr(h, 0x180, 4, ~0u);
		/* It was once. */
		start_and_run(h, COUNT);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
		assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_ERROR), bit + 1);
	}
}

/** Without ANY_ERR_ABORT_EN the channel goes on behind an error, as behind any other. */
static void
fault_error_is_an_error_and_halt_halts(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {.kind = UDMA_FAULT_ERROR, .value = 0x200, .at = 3};

	put_chain(h);
	inject(h, fault);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, DMACOUNT, 2, COUNT);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
	assert_int_equal(rd(h, CHANERR, 4), 0x200);
	assert_untouched(h, 2);
	assert_copied(h, 3);

	wr(h, CHANERR, 4, ~0u);
	put_chain(h);
	fault.kind = UDMA_FAULT_HALT;
	inject(h, fault);
	start(h, RING);
	wr(h, CHANCTRL, 2, 0);
	wr(h, DMACOUNT, 2, COUNT);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(1) | HALTED);
	assert_untouched(h, 2);
	assert_untouched(h, 3);
}

/** What is there when the third of five does not get beyond a step. */
static void
assert_at_step(struct host *h, enum udma_fault_step step, unsigned state)
{
	unsigned last = step == UDMA_FAULT_INTERRUPT ? 2 : 1;

	assert_copied(h, 1);
	assert_untouched(h, 3);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(last) | state);
	assert_int_equal(rd(h, CDAR, 8), step == UDMA_FAULT_FETCH ? SLOT(1) : SLOT(2));
	if (step == UDMA_FAULT_WRITE) {
		assert_same(h, TARGET(2), SOURCE(2), SIZE / 2);
		assert_same(h, TARGET(2) + SIZE / 2, UNTOUCHED + SIZE / 2, SIZE / 2);
	} else if (step == UDMA_FAULT_STATUS || step == UDMA_FAULT_INTERRUPT) {
		assert_copied(h, 2);
	} else {
		assert_untouched(h, 2);
	}
	/* A halt is pushed to memory; what has stopped has stored no more than it shows. */
	assert_int_equal(get64(h, WORD), SLOT(last) | (state == HALTED ? HALTED : ACTIVE));
}

static void
fault_halt_before_each_step(void **state)
{
	struct host *h = *state;

	for (unsigned step = 0; step < UDMA_FAULT_STEPS; step++) {
		struct udma_fault fault = {.kind = UDMA_FAULT_HALT, .step = step, .at = 3};

		put_chain(h);
		inject(h, fault);
		start_and_run(h, COUNT);
		assert_at_step(h, step, HALTED);
		assert_int_equal(rd(h, CHANERR, 4), 0);
	}
}

static void
fault_hang_before_each_step_until_it_is_withdrawn(void **state)
{
	struct host *h = *state;

	for (unsigned step = 0; step < UDMA_FAULT_STEPS; step++) {
		struct udma_fault fault = {.kind = UDMA_FAULT_HANG, .step = step, .at = 3};

		put_chain(h);
		inject(h, fault);
		start_and_run(h, COUNT);
		assert_at_step(h, step, ACTIVE);
		udma_emu_elapse(h->emu, 1000000);
		assert_false(udma_emu_step(h->emu));
		assert_at_step(h, step, ACTIVE);
		udma_emu_withdraw(h->emu);
		run(h);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_copied(h, i);
		}
	}
}

static void
fault_delay_before_each_step_has_its_time(void **state)
{
	struct host *h = *state;

	for (unsigned step = 0; step < UDMA_FAULT_STEPS; step++) {
		struct udma_fault fault = {
			.kind = UDMA_FAULT_DELAY, .step = step, .value = 1000, .at = 3};

		put_chain(h);
		inject(h, fault);
		assert_int_equal(udma_emu_interrupt_due(h->emu), UINT32_MAX);
		start_and_run(h, COUNT);
		assert_int_equal(udma_emu_interrupt_due(h->emu), 1000);
		udma_emu_elapse(h->emu, 999);
		run(h);
		assert_at_step(h, step, ACTIVE);
		assert_int_equal(udma_emu_interrupt_due(h->emu), 1);
		udma_emu_elapse(h->emu, 1);
		run(h);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
		assert_int_equal(udma_emu_interrupt_due(h->emu), UINT32_MAX);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_copied(h, i);
		}
	}
}

static void
fault_hang_ends_by_reset(void **state)
{
	struct host *h = *state;

	for (unsigned step = 0; step < UDMA_FAULT_STEPS; step++) {
		struct udma_fault fault = {.kind = UDMA_FAULT_HANG, .step = step, .at = 3};

		put_chain(h);
		inject(h, fault);
		start_and_run(h, COUNT);
		/* The descriptor in hand is never finished (section 4.2). */
		wr(h, CHANCMD, 1, SUSPEND);
		assert_at_step(h, step, ACTIVE);
		wr(h, CHANCMD, 1, RESET);
		assert_int_equal(rd(h, CHANSTS, 8), HALTED);
		put_chain(h);
		start_and_run(h, COUNT);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
	}
}

/** SUSPEND waits for the descriptor in hand, and comes then. */
static void
fault_delay_and_suspend(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {
		.kind = UDMA_FAULT_DELAY, .step = UDMA_FAULT_WRITE, .value = 10, .at = 2};

	put_chain(h);
	inject(h, fault);
	start_and_run(h, COUNT);
	wr(h, CHANCMD, 1, SUSPEND);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(0) | ACTIVE);
	udma_emu_elapse(h->emu, 10);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(1) | SUSPENDED);
	assert_copied(h, 1);
	assert_untouched(h, 2);
	wr(h, CHANCMD, 1, RESUME);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(4) | IDLE);
}

/** The pattern of a fill goes on where its first half ends. */
static void
fault_in_the_middle_of_a_fill(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {.kind = UDMA_FAULT_HANG, .step = UDMA_FAULT_WRITE};
	uint64_t bytes[4];

	for (uint32_t size = 1; size <= 25; size++) {
		scribble(h, DST, sizeof(bytes), 0x80);
		put_copy(h, RING, OP(0x01), 0x0807060504030201, DST, size, RING);
		inject(h, fault);
		start_and_run(h, 1);
		get(h, DST, bytes, sizeof(bytes));
		for (uint32_t i = 0; i < size / 2 / 8 * 8; i++) {
			assert_int_equal(((uint8_t *)bytes)[i], i % 8 + 1);
		}
		udma_emu_withdraw(h->emu);
		run(h);
		get(h, DST, bytes, sizeof(bytes));
		for (uint32_t i = 0; i < size; i++) {
			assert_int_equal(((uint8_t *)bytes)[i], i % 8 + 1);
		}
	}
}

/** \return a bit for each of `descriptors` copies that has failed, each run alone. */
static uint64_t
failures(struct host *h, struct udma_fault fault, unsigned descriptors)
{
	uint64_t failed = 0;

	fault.kind = UDMA_FAULT_ERROR;
	fault.value = 0x100;
	inject(h, fault);
	for (unsigned i = 0; i < descriptors; i++) {
		put_null(h, RING, 0, RING + 64);
		put_copy(h, RING + 64, 0, SRC + i * 4096, DST + i * 4096, 64, RING + 128);
		put_copy(h, RING + 128, 0, 0, 0, 0, RING); /* malformed */
		start(h, RING);
		wr(h, CHANCTRL, 2, 0);
		wr(h, DMACOUNT, 2, 3);
		run(h);
		failed |= (rd(h, CHANERR, 4) & 0x100) ? 1ull << i : 0;
		wr(h, CHANERR, 4, ~0u);
	}
	udma_emu_withdraw(h->emu);
	return failed;
}

static void
fault_occasions(void **state)
{
	static const struct {
		struct udma_fault when;
		uint64_t failed;
	} rows[] = {
		{{0}, 0x0001},
		{{.at = 3}, 0x0004},
		{{.every = 4}, 0x8888},
		{{.at = 2, .every = 4}, 0x2222},
		{{.every = 4, .times = 2}, 0x0088},
		{{.at = 1, .every = 1, .times = 5}, 0x001F},
		{{.at = 17}, 0},
		{{.source = {SRC + 3 * 4096, 1}}, 0x0008},
		{{.source = {SRC + 3 * 4096 + 63, 4096}}, 0x0018},
		{{.source = {SRC + 3 * 4096 + 64, 4096 - 64}}, 0},
		{{.source = {SRC + 4 * 4096 - 1, 2}}, 0x0010},
		{{.destination = {DST + 5 * 4096, 3 * 4096}}, 0x00E0},
		{{.destination = {DST + 5 * 4096, 3 * 4096}, .at = 2}, 0x0040},
		{{.destination = {SRC, 4096}}, 0},
		{{.source = {SRC, 8 * 4096}, .destination = {DST + 7 * 4096, 4096}}, 0x0080},
		{{.source = {DST, 4096}}, 0},
	};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(failures(h, rows[i].when, 16), rows[i].failed);
	}
}

/** A copy of two pages uses four of memory, and nothing that lies behind the first ones. */
static void
fault_at_an_address_of_a_broken_page(void **state)
{
	static const struct {
		struct udma_fault_range source, destination;
		bool fails;
	} rows[] = {
		{.source = {SRC + 4095, 1}, .fails = true},
		{.source = {SRC + 4096, 4096}, .fails = false},
		{.source = {SRC + 0x3fff, 1}, .fails = true},
		{.source = {SRC + 0x4000, 1}, .fails = false},
		{.destination = {DST, 1}, .fails = true},
		{.destination = {DST + 4096, 4096}, .fails = false},
		{.destination = {DST + 0x5000, 1}, .fails = true},
		{.source = {SRC + 0x3000, 1}, .destination = {DST + 0x5000, 1}, .fails = true},
		{.source = {SRC + 0x3000, 1}, .destination = {DST + 0x6000, 1}, .fails = false},
	};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		inject(h, (struct udma_fault){.kind = UDMA_FAULT_ERROR,
					      .value = 0x100,
					      .source = rows[i].source,
					      .destination = rows[i].destination});
		put_descriptor(h, RING,
			       (struct raw){.size = 8192,
					    .control = SRC_PAGE_BREAK | DST_PAGE_BREAK,
					    .q1 = SRC,
					    .q2 = DST,
					    .next = RING,
					    .q4 = SRC + 0x3000,
					    .q5 = DST + 0x5000});
		start_and_run(h, 1);
		assert_int_equal(rd(h, CHANERR, 4), rows[i].fails ? 0x100 : 0);
		udma_emu_withdraw(h->emu);
		wr(h, CHANERR, 4, ~0u);
	}
}

static void
fault_at_random_follows_the_seed(void **state)
{
	struct host *h = *state;
	uint64_t first = failures(h, (struct udma_fault){.one_in = 4, .seed = 1}, 60);
	uint64_t again = failures(h, (struct udma_fault){.one_in = 4, .seed = 1}, 60);
	uint64_t other = failures(h, (struct udma_fault){.one_in = 4, .seed = 2}, 60);
	unsigned failed = (unsigned)__builtin_popcountll(first);

	assert_int_equal(first, again);
	assert_int_not_equal(first, other);
	assert_in_range(failed, 5, 30);
	assert_int_equal(__builtin_popcountll(failures(
				 h, (struct udma_fault){.one_in = 4, .seed = 1, .times = 3}, 60)),
			 3);
}

static void
fault_several_at_once(void **state)
{
	struct host *h = *state;

	put_chain(h);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_DELAY, .value = 5, .at = 2});
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_FLIP, .at = 3});
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_ERROR, .value = 0x80, .at = 4});
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_ERROR, .value = 0x40, .at = 4});
	start_and_run(h, COUNT);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(0) | ACTIVE);
	udma_emu_elapse(h->emu, 5);
	run(h);
	assert_halted(h, 7, SLOT(2));
	assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_FLIP), 1);
}

static void
fault_injections_that_are_refused(void **state)
{
	static const struct udma_fault bad[] = {
		{.kind = UDMA_FAULT_KINDS},
		{.kind = UDMA_FAULT_HANG, .step = UDMA_FAULT_STEPS},
		{.kind = UDMA_FAULT_ERROR},
		{.kind = UDMA_FAULT_ERROR, .value = 1ull << 32},
		{.kind = UDMA_FAULT_HALT, .value = 1ull << 32},
		{.kind = UDMA_FAULT_DELAY},
	};
	const struct udma_fault once = {.kind = UDMA_FAULT_HANG};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(udma_emu_inject(h->emu, &bad[i]), -EINVAL);
	}
	for (unsigned i = 0; i < UDMA_FAULTS_MAX; i++) {
		assert_int_equal(udma_emu_inject(h->emu, &once), 0);
	}
	assert_int_equal(udma_emu_inject(h->emu, &once), -ENOSPC);
	/* All of them have had their occasion: there is room again. */
	copy_hangs(h);
	assert_int_equal(udma_emu_inject(h->emu, &once), 0);
	udma_emu_withdraw(h->emu);
	assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_HANG), 1);
	assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_KINDS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(fault_error_of_each_bit),
		FAULT_TEST(fault_error_is_an_error_and_halt_halts),
		FAULT_TEST(fault_halt_before_each_step),
		FAULT_TEST(fault_hang_before_each_step_until_it_is_withdrawn),
		FAULT_TEST(fault_delay_before_each_step_has_its_time),
		FAULT_TEST(fault_hang_ends_by_reset),
		FAULT_TEST(fault_delay_and_suspend),
		FAULT_TEST(fault_in_the_middle_of_a_fill),
		FAULT_TEST(fault_occasions),
		FAULT_TEST(fault_at_an_address_of_a_broken_page),
		FAULT_TEST(fault_at_random_follows_the_seed),
		FAULT_TEST(fault_several_at_once),
		FAULT_TEST(fault_injections_that_are_refused),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
