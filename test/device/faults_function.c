/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The contract of udma/fault.h for a function that is stepped by hand: completion words, the order
 * of stores, interrupts, and a function that does not answer.
 */

#include "faults.h"

#include <stdio.h>

#define NO_WORD 0x5555555555555540ull

static struct host *
host_that_interrupts(uint32_t kinds)
{
	struct udma_emu_config config = {.device_id = 0x2021, .interrupts = kinds};
	struct host *h = host_new(&config);

	wr(h, INTRCTRL, 1, 0x01);
	wr(h, CHANCTRL, 2, 0x001C);
	wr(h, CHANCMP, 8, WORD);
	return h;
}

/** \return the word after each of three copies, which have one each. */
static void
words_of_three(struct host *h, struct udma_fault fault, uint64_t *words)
{
	inject(h, fault);
	for (unsigned i = 0; i < 3; i++) {
		put_copy(h, SLOT(i), COMPL_UPDATE, SOURCE(i), TARGET(i), SIZE, SLOT(i + 1));
	}
	start(h, RING);
	put64(h, WORD, NO_WORD);
	for (unsigned i = 0; i < 3; i++) {
		wr(h, DMACOUNT, 2, i + 1);
		run(h);
		words[i] = get64(h, WORD);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(i) | IDLE);
	}
}

static void
fault_lost_word(void **state)
{
	uint64_t words[3];

	words_of_three(*state, (struct udma_fault){.kind = UDMA_FAULT_LOST_WORD, .at = 2}, words);
	assert_int_equal(words[0], SLOT(0));
	assert_int_equal(words[1], SLOT(0));
	assert_int_equal(words[2], SLOT(2));
}

static void
fault_lost_word_of_a_halt(void **state)
{
	struct host *h = *state;

	inject(h, (struct udma_fault){.kind = UDMA_FAULT_LOST_WORD});
	put_copy(h, RING, COMPL_UPDATE, 0, DST, SIZE, RING); /* nothing is there */
	put64(h, WORD, NO_WORD);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(get64(h, WORD), NO_WORD);
}

static void
fault_doubled_word(void **state)
{
	uint64_t words[3];

	words_of_three(*state, (struct udma_fault){.kind = UDMA_FAULT_DOUBLED_WORD, .at = 1},
		       words);
	assert_int_equal(words[0], SLOT(0));
	assert_int_equal(words[1], SLOT(0)); /* for the second time, behind the one of slot 1 */
	assert_int_equal(words[2], SLOT(2));
}

static uint64_t g_word; /* when the function interrupts */

static void
note_word(struct host *h)
{
	g_word = get64(h, WORD);
}

/** Over the next one before that interrupts, be it of a halt; not behind a RESET. */
static void
fault_doubled_word_is_over_the_next(void **state)
{
	struct host *h = host_that_interrupts(UDMA_EMU_MSIX);

	(void)state;
	h->on_interrupt = note_word;
	enable_msix(h, 0x2000);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_DOUBLED_WORD, .every = 2, .at = 1});
	put_copy(h, SLOT(0), COMPL_UPDATE, SOURCE(0), TARGET(0), SIZE, SLOT(1));
	put_copy(h, SLOT(1), COMPL_UPDATE | INT_EN, SOURCE(1), TARGET(1), SIZE, SLOT(2));
	start(h, RING);
	wr(h, DMACOUNT, 2, 1);
	run(h);
	wr(h, DMACOUNT, 2, 2);
	run(h);
	assert_int_equal(g_word, SLOT(0));
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(1) | IDLE);
	/* The next occasion, and a halt behind it. */
	put_copy(h, SLOT(2), COMPL_UPDATE, SOURCE(2), TARGET(2), SIZE, SLOT(3));
	put_copy(h, SLOT(3), COMPL_UPDATE, 0, TARGET(3), SIZE, SLOT(4)); /* nothing is there */
	wr(h, DMACOUNT, 2, 4);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 8) & 7, HALTED);
	assert_int_equal(get64(h, WORD), SLOT(2));
	/* And a RESET. */
	wr(h, CHANERR, 4, ~0u);
	start(h, SLOT(0));
	wr(h, DMACOUNT, 2, 1);
	run(h);
	wr(h, CHANCMD, 1, RESET);
	start(h, SLOT(1));
	wr(h, DMACOUNT, 2, 1);
	run(h);
	assert_int_equal(get64(h, WORD), SLOT(1));
	host_free(h);
}

static void
fault_wrong_word(void **state)
{
	uint64_t words[3];

	words_of_three(*state, (struct udma_fault){.kind = UDMA_FAULT_WRONG_WORD, .value = 0x40},
		       words);
	assert_int_equal(words[0], 0x40);
	assert_int_equal(words[1], SLOT(1));
	words_of_three(*state, (struct udma_fault){.kind = UDMA_FAULT_WRONG_WORD}, words);
	assert_int_equal(words[0], ~SLOT(0) & ~0x3Full);
}

/* ---- Out of time ---- */

/**
 * Copies A to B, then B to C, then nothing, in one go.
 *
 * \return whether C has what A has; else it has what B had before.
 */
static bool
dependent_copies(struct host *h, struct udma_fault fault, uint32_t control)
{
	const uint64_t a = SOURCE(0), b = TARGET(0), c = TARGET(1), old = TARGET(2);
	uint64_t first, copied;

	scribble(h, a, SIZE, 1);
	scribble(h, b, SIZE, 2);
	scribble(h, old, SIZE, 2);
	put_copy(h, SLOT(0), control, a, b, SIZE, SLOT(1));
	put_copy(h, SLOT(1), 0, b, c, SIZE, SLOT(2));
	put_null(h, SLOT(2), COMPL_UPDATE, RING);
	inject(h, fault);
	start_and_run(h, 3);
	assert_int_equal(rd(h, CHANSTS, 8), SLOT(2) | IDLE);
	assert_same(h, b, a, SIZE); /* once the word is there */
	udma_emu_withdraw(h->emu);
	first = get64(h, a);
	copied = get64(h, c);
	assert_same(h, c, copied == first ? a : old, SIZE);
	return copied == first;
}

/** A fence makes it right, and without one it is not: such a program is caught. */
static void
fault_late_store(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {.kind = UDMA_FAULT_LATE_STORE, .every = 1};

	assert_false(dependent_copies(h, fault, 0));
	assert_true(dependent_copies(h, fault, FENCE));
	assert_true(dependent_copies(h, fault, COMPL_UPDATE));
	assert_true(
		dependent_copies(h, (struct udma_fault){.kind = UDMA_FAULT_HANG, .at = 100}, 0));
}

static void
fault_early_source(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {.kind = UDMA_FAULT_EARLY_SOURCE, .every = 1};

	assert_false(dependent_copies(h, fault, 0));
	assert_true(dependent_copies(h, fault, FENCE));
	/* A word says that the copy before is done; reading ahead is no store. */
	assert_false(dependent_copies(h, fault, COMPL_UPDATE));
}

/** What was read early for one that is never carried out is not used for another. */
static void
fault_early_source_of_what_is_not_carried_out(void **state)
{
	struct host *h = *state;

	scribble(h, SOURCE(0), SIZE, 1);
	scribble(h, SOURCE(1), SIZE, 2);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_EARLY_SOURCE, .at = 1});
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_ERROR, .value = 0x100, .at = 2});
	put_copy(h, SLOT(0), 0, SOURCE(0), TARGET(0), SIZE, SLOT(1));
	put_copy(h, SLOT(1), 0, SOURCE(1), TARGET(1), SIZE, SLOT(2));
	start_and_run(h, 2);
	assert_halted(h, 8, SLOT(0));
	wr(h, CHANERR, 4, ~0u);
	copy_succeeds(h, SOURCE(0), TARGET(3), SIZE);
	assert_same(h, TARGET(3), SOURCE(0), SIZE);
}

/** What is held back is stored before the channel shows that it has halted, or is reset. */
static void
fault_late_store_and_a_halt(void **state)
{
	struct host *h = *state;

	for (unsigned round = 0; round < 2; round++) {
		scribble(h, SOURCE(0), SIZE, (uint8_t)round);
		inject(h, (struct udma_fault){.kind = UDMA_FAULT_LATE_STORE});
		inject(h, (struct udma_fault){
				  .kind = round == 0 ? UDMA_FAULT_HALT : UDMA_FAULT_HANG, .at = 2});
		put_copy(h, SLOT(0), 0, SOURCE(0), TARGET(0), SIZE, SLOT(1));
		put_copy(h, SLOT(1), 0, SOURCE(1), TARGET(1), SIZE, SLOT(2));
		start_and_run(h, 2);
		assert_int_equal(rd(h, CHANSTS, 8), SLOT(0) | (round == 0 ? HALTED : ACTIVE));
		wr(h, CHANCMD, 1, RESET);
		assert_same(h, TARGET(0), SOURCE(0), SIZE);
	}
}

/* ---- Interrupts ---- */

static void
fault_lost_interrupt(void **state)
{
	struct host *h = host_that_interrupts(UDMA_EMU_MSIX);
	unsigned count = 0;

	(void)state;
	enable_msix(h, 0x2000);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_LOST_INTERRUPT, .at = 2});
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	rearm(h);
	cause(h);
	/* The function has sent it, and waits for the re-arm as ever. */
	assert_int_equal(h->interrupts, count);
	assert_int_equal(rd(h, CHANCTRL, 2) & 1, 1);
	rearm(h);
	assert_int_equal(h->interrupts, count);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_LOST_INTERRUPT), 1);
	host_free(h);
}

static void
fault_spurious_interrupt(void **state)
{
	struct host *h = host_that_interrupts(UDMA_EMU_MSIX);
	unsigned count = 0;

	(void)state;
	enable_msix(h, 0x2000);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_SPURIOUS_INTERRUPT});
	put_copy(h, RING, 0, SRC, DST, SIZE, RING);
	run_alone(h, RING);
	assert_interrupt(h, &count, UDMA_EMU_MSIX, true);
	assert_int_equal(rd(h, CHANCTRL, 2) & 1, 0);
	host_free(h);
	/* Without a way there is none. */
	h = host_that_interrupts(UDMA_EMU_MSIX);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_SPURIOUS_INTERRUPT});
	put_copy(h, RING, 0, SRC, DST, SIZE, RING);
	run_alone(h, RING);
	assert_int_equal(h->interrupts, 0);
	host_free(h);
}

/** The line rises and falls, and the status shows nothing. */
static void
fault_spurious_interrupt_of_the_pin(void **state)
{
	struct host *h = host_that_interrupts(UDMA_EMU_INTX);

	(void)state;
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_SPURIOUS_INTERRUPT});
	put_copy(h, RING, 0, SRC, DST, SIZE, RING);
	run_alone(h, RING);
	assert_int_equal(h->interrupts, 2);
	assert_int_equal(h->last.kind, UDMA_EMU_INTX);
	assert_false(h->last.level);
	assert_int_equal(rd(h, ATTNSTATUS, 4), 0);
	host_free(h);
}

/* ---- The function ---- */

static void
assert_never_resets(struct host *h)
{
	copy_succeeds(h, SRC, DST, SIZE);
	wr(h, CHANCMD, 1, RESET);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rd(h, CHANCMD, 1), RESET);
		wr(h, CHANCMD, 1, RESET);
		udma_emu_elapse(h->emu, 100);
	}
	/* The engine does nothing meanwhile. */
	put64(h, DST, NO_WORD);
	wr(h, DMACOUNT, 2, 2);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(get64(h, DST), NO_WORD);
}

static void
assert_was_reset(struct host *h)
{
	assert_int_equal(rd(h, CHANCMD, 1), 0);
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(rd(h, DMACOUNT, 2), 0);
	assert_int_equal(get64(h, DST), NO_WORD);
}

static void
fault_reset_that_does_not_end(void **state)
{
	struct host *h = *state;
	struct udma_fault fault = {.kind = UDMA_FAULT_RESET};

	inject(h, fault);
	assert_never_resets(h);
	udma_emu_withdraw(h->emu);
	assert_was_reset(h);

	fault.value = 1000;
	inject(h, fault);
	assert_never_resets(h);
	assert_int_equal(udma_emu_interrupt_due(h->emu), 700);
	udma_emu_elapse(h->emu, 700);
	assert_was_reset(h);

	fault.value = 0;
	inject(h, fault);
	assert_never_resets(h);
	cfg_wr(h, 0x98, 2, 0x8000); /* function-level reset (section 2.2) */
	assert_was_reset(h);
	cfg_wr(h, 0x04, 2, 0x0006);
	copy_succeeds(h, SRC, DST, SIZE);
}

/** Nothing answers, and nothing is written any more. */
static void
assert_absent(struct host *h)
{
	assert_int_equal(rd(h, CHANSTS, 8), UINT64_MAX);
	assert_int_equal(rd(h, CHANCMD, 1), 0xFF);
	assert_int_equal(rd(h, 0x00, 4), UINT32_MAX);
	assert_int_equal(cfg(h, 0x00, 4), UINT32_MAX);
	cfg_wr(h, 0x04, 2, 0);
	put64(h, DST, NO_WORD);
	wr(h, CHANCMD, 1, RESET);
	start_and_run(h, 1);
	assert_int_equal(get64(h, DST), NO_WORD);
}

/** As after power-on. */
static void
assert_is_back(struct host *h)
{
	assert_int_equal(rd(h, CHANSTS, 8), HALTED);
	assert_int_equal(cfg(h, 0x00, 4), 0x20218086);
	assert_int_equal(cfg(h, 0x04, 2), 0);
	cfg_wr(h, 0x04, 2, 0x0006);
	copy_succeeds(h, SRC, DST, SIZE);
}

static void
fault_ones_and_removal(void **state)
{
	struct host *h = *state;

	for (unsigned i = 0; i < 4; i++) {
		bool removal = i % 2 == 1;
		struct udma_fault fault = {.kind = removal ? UDMA_FAULT_REMOVAL : UDMA_FAULT_ONES,
					   .at = 1,
					   .value = i < 2 ? 0 : 500};

		inject(h, fault);
		put64(h, DST, NO_WORD);
		put64(h, WORD, NO_WORD);
		put_copy(h, RING, COMPL_UPDATE, SRC, DST, SIZE, RING);
		start_and_run(h, 1);
		/* At the descriptor, which is not carried out. */
		assert_int_equal(get64(h, DST), NO_WORD);
		assert_int_equal(get64(h, WORD), NO_WORD);
		assert_absent(h);
		assert_int_equal(udma_emu_is_removed(h->emu), removal);
		if (i < 2) {
			udma_emu_withdraw(h->emu);
		} else {
			assert_int_equal(udma_emu_interrupt_due(h->emu), 500);
			udma_emu_elapse(h->emu, 500);
		}
		assert_false(udma_emu_is_removed(h->emu));
		assert_is_back(h);
	}
	/* Without an occasion: at once. */
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_REMOVAL});
	assert_absent(h);
	assert_true(udma_emu_is_removed(h->emu));
	udma_emu_withdraw(h->emu);
	assert_is_back(h);
	assert_int_equal(udma_emu_fault_count(h->emu, UDMA_FAULT_REMOVAL), 3);
}

static void
fault_config_space(void **state)
{
	struct host *h = *state;
	uint32_t value = 0x12345678;

	inject(h, (struct udma_fault){.kind = UDMA_FAULT_CONFIG, .value = 0x182, .every = 1});
	assert_int_equal(udma_emu_cfg_read(h->emu, 0x180, &value, 4), -EIO);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x180, &value, 4), -EIO);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0x182, &value, 1), -EIO);
	assert_int_equal(value, 0x12345678);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0x180, &value, 2), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0x184, &value, 4), 0);
	udma_emu_withdraw(h->emu);
	inject(h, (struct udma_fault){.kind = UDMA_FAULT_CONFIG, .at = 2});
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, &value, 4), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, &value, 4), -EIO);
	assert_int_equal(udma_emu_cfg_read(h->emu, 0, &value, 4), 0);
}

/* ---- As text ---- */

static bool
is_same(const struct udma_fault *a, const struct udma_fault *b)
{
	return a->kind == b->kind && a->step == b->step && a->value == b->value && a->at == b->at &&
	       a->every == b->every && a->one_in == b->one_in && a->seed == b->seed &&
	       a->times == b->times && a->source.addr == b->source.addr &&
	       a->source.len == b->source.len && a->destination.addr == b->destination.addr &&
	       a->destination.len == b->destination.len;
}

static void
fault_text(void **state)
{
	static const struct {
		const char *text;
		struct udma_fault fault;
	} rows[] = {
		{"error:bit=8:at=5", {.kind = UDMA_FAULT_ERROR, .value = 0x100, .at = 5}},
		{"error:bit=8:bit=31", {.kind = UDMA_FAULT_ERROR, .value = 0x80000100}},
		{"halt:step=status:every=7:times=2",
		 {.kind = UDMA_FAULT_HALT, .step = UDMA_FAULT_STATUS, .every = 7, .times = 2}},
		{"hang:step=fetch", {.kind = UDMA_FAULT_HANG, .step = UDMA_FAULT_FETCH}},
		{"delay:us=10:step=interrupt",
		 {.kind = UDMA_FAULT_DELAY, .step = UDMA_FAULT_INTERRUPT, .value = 10}},
		{"hang:step=write:destination=0x1000+0x20",
		 {.kind = UDMA_FAULT_HANG,
		  .step = UDMA_FAULT_WRITE,
		  .destination = {0x1000, 0x20}}},
		{"error:bit=0:step=read:source=4096+1",
		 {.kind = UDMA_FAULT_ERROR, .value = 1, .source = {4096, 1}}},
		{"flip:random=9:seed=0xFFFFFFFFFFFFFFFF",
		 {.kind = UDMA_FAULT_FLIP, .one_in = 9, .seed = UINT64_MAX}},
		{"wrong-word:word=0x40", {.kind = UDMA_FAULT_WRONG_WORD, .value = 0x40}},
		{"config:offset=0x180:every=1",
		 {.kind = UDMA_FAULT_CONFIG, .value = 0x180, .every = 1}},
		{"removal:us=5", {.kind = UDMA_FAULT_REMOVAL, .value = 5}},
	};
	char why[UDMA_FAULT_WHY_SIZE];
	struct udma_fault fault;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(udma_fault_parse(rows[i].text, &fault, why, sizeof(why)), 0);
		assert_true(is_same(&fault, &rows[i].fault));
	}
	for (unsigned kind = 0; kind < UDMA_FAULT_KINDS; kind++) {
		const char *more = kind == UDMA_FAULT_ERROR   ? ":bit=1"
				   : kind == UDMA_FAULT_DELAY ? ":us=1"
							      : "";
		char text[64];

		snprintf(text, sizeof(text), "%s%s", udma_fault_name(kind), more);
		assert_int_equal(udma_fault_parse(text, &fault, why, sizeof(why)), 0);
		assert_int_equal(fault.kind, kind);
	}
	assert_null(udma_fault_name(UDMA_FAULT_KINDS));
}

static void
fault_text_that_is_wrong(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "there is no fault \"\"; there are error, halt, hang, delay, flip, "},
		{"errors", "there is no fault \"errors\""},
		{"error", "error needs bit, as in error:bit=8:every=100"},
		{"delay", "delay needs us"},
		{"error:bit=32", "bit is \"32\"; a number from 0 to 31 is expected"},
		{"error:bit=", "bit is \"\""},
		{"error:bit", "bit is \"\""},
		{"error:bit=-1", "bit is \"-1\""},
		{"error:bit=8x", "bit is \"8x\""},
		{"error:bit=8:at=0", "at is \"0\"; a number from 1 to"},
		{"error:bit=8:at=18446744073709551616", "at is \"18446744073709551616\""},
		{"hang:us=4294967296", "us is"},
		{"hang:step=middle", "step is \"middle\"; fetch, read, write, status or interrupt"},
		{"hang:bit=8", "hang has no \"bit\"; it has us, step, source, destination, at,"},
		{"flip:step=read", "flip has no \"step\"; it has at, every, random, seed"},
		{"hang:source=5", "source is \"5\"; ADDRESS+LENGTH is expected"},
		{"hang:source=5+0", "source is \"5+0\""},
		{"hang:destination=+5", "destination is \"+5\""},
		{"config:offset=0x1000", "offset is"},
		{"hang:", "hang has no \"\""},
	};
	char why[UDMA_FAULT_WHY_SIZE];
	struct udma_fault fault;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(udma_fault_parse(rows[i].text, &fault, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, rows[i].why));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(fault_lost_word),
		FAULT_TEST(fault_lost_word_of_a_halt),
		FAULT_TEST(fault_doubled_word),
		FAULT_TEST(fault_doubled_word_is_over_the_next),
		FAULT_TEST(fault_wrong_word),
		FAULT_TEST(fault_late_store),
		FAULT_TEST(fault_early_source),
		FAULT_TEST(fault_early_source_of_what_is_not_carried_out),
		FAULT_TEST(fault_late_store_and_a_halt),
		cmocka_unit_test(fault_lost_interrupt),
		cmocka_unit_test(fault_spurious_interrupt),
		cmocka_unit_test(fault_spurious_interrupt_of_the_pin),
		FAULT_TEST(fault_reset_that_does_not_end),
		FAULT_TEST(fault_ones_and_removal),
		FAULT_TEST(fault_config_space),
		cmocka_unit_test(fault_text),
		cmocka_unit_test(fault_text_that_is_wrong),
	};

	return cmocka_run_group_tests_name("faults of the function", tests, NULL, NULL);
}
