/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Faults of the engine of an emulated channel in the process, through both interfaces: errors,
 * halts, hangs and delays, at a descriptor, at an address and at random; stores that come late and
 * sources that are read early.
 */

#include "fixture.h"

static int
setup(void **state)
{
	(void)state;
	start("1");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	end();
	return 0;
}

/* ---- Errors and halts ---- */

static enum udma_ioat_status g_status; /* of the one at fault */

static bool
one_fails(unsigned i, enum udma_ioat_status status)
{
	return status == (i == FAULTY ? g_status : UDMA_IOAT_OK);
}

static bool
next_one_fails(unsigned i, enum udma_ioat_status status)
{
	return status == (i == FAULTY + 1 ? g_status : UDMA_IOAT_OK);
}

/** What the header says of a bit of CHANERR. */
static enum udma_ioat_status
status_of_bit(unsigned bit)
{
	switch (bit) {
	case 0:
	case 8:
		return UDMA_IOAT_BAD_SOURCE;
	case 1:
	case 9:
		return UDMA_IOAT_BAD_DESTINATION;
	case 6:
	case 7:
		return UDMA_IOAT_BAD_DATA;
	case 12:
		return UDMA_IOAT_BAD_COMPLETION;
	case 13:
	case 15:
		return UDMA_IOAT_UNKNOWN;
	default:
		return bit >= 28                            ? UDMA_IOAT_UNKNOWN
		       : bit == 18 || bit == 23 || bit < 16 ? UDMA_IOAT_BAD_DESCRIPTOR
							    : UDMA_IOAT_MISMATCH;
	}
}

static void
error_of_each_bit(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++) {
		char text[64];

		g_status = status_of_bit(bit);
		snprintf(text, sizeof(text), "error:bit=%u:at=8", bit);
		expect(text, BATCH, one_fails, 0);
	}
	assert_int_equal(udma_fault_count(g_device, UDMA_FAULT_ERROR), 64);
}

static void
error_at_a_source(void **state)
{
	char text[64];

	(void)state;
	g_status = UDMA_IOAT_BAD_SOURCE;
	snprintf(text, sizeof(text), "error:bit=8:source=%#jx+1:times=1",
		 (uintmax_t)spdk_vtophys(source_of(FAULTY) + SIZE - 1, NULL));
	expect(text, BATCH, one_fails, 0);
	expect(text, EACH, one_fails, 0);
}

static void
error_at_a_destination(void **state)
{
	char text[64];

	(void)state;
	g_status = UDMA_IOAT_BAD_DESTINATION;
	snprintf(text, sizeof(text), "error:bit=9:step=write:destination=%#jx+1:times=1",
		 (uintmax_t)spdk_vtophys(target_of(FAULTY), NULL));
	expect(text, BATCH, one_fails, 0);
	expect(text, EACH, one_fails, 0);
}

static bool
some_fail(unsigned i, enum udma_ioat_status status)
{
	(void)i;
	return status == UDMA_IOAT_OK || status == UDMA_IOAT_BAD_SOURCE;
}

static void
error_at_random(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (unsigned seed = 0; seed < 10; seed++) {
		for (enum interface interface = UDMA; interface <= SPDK; interface++) {
			uint64_t count;
			unsigned failed = 0;
			char text[64];

			snprintf(text, sizeof(text), "error:bit=0:random=5:seed=%u", seed);
			inject(text);
			scribble();
			run_copies(interface, BATCH);
			check_copies(interface, some_fail);
			for (unsigned i = 0; i < COUNT; i++) {
				failed += g_copies[i].times == 0 ||
					  g_copies[i].result.status != UDMA_IOAT_OK;
			}
			/* As many as the device knows of. */
			count = udma_fault_count(g_device, UDMA_FAULT_ERROR);
			assert_int_equal(failed, count - before);
			before = count;
			assert_int_equal(udma_fault_withdraw(g_device), 0);
		}
	}
	assert_in_range(before, 20, 200);
}

static void
halt_before_fetch(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	expect("halt:step=fetch:bit=7:at=8", BATCH, one_fails, 0);
	expect("halt:step=fetch:bit=7:at=8", EACH, one_fails, 0);
}

static void
halt_before_read(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	expect("halt:step=read:bit=7:at=8", BATCH, one_fails, 0);
	expect("halt:step=read:bit=7:at=8", EACH, one_fails, 0);
}

static void
halt_in_the_middle_of_the_write(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	expect("halt:step=write:bit=7:at=8", BATCH, one_fails, 0);
	expect("halt:step=write:bit=7:at=8", EACH, one_fails, 0);
}

static void
halt_before_status(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	expect("halt:step=status:bit=7:at=8", BATCH, one_fails, 0);
	expect("halt:step=status:bit=7:at=8", EACH, one_fails, 0);
}

/** The descriptor has succeeded. What is at fault then is the next one, for all that is known. */
static void
halt_before_interrupt(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	expect("halt:step=interrupt:bit=7:at=8", BATCH, next_one_fails, 0);
}

static void
halt_without_a_cause(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_UNKNOWN;
	expect("halt:at=8", BATCH, one_fails, 0);
}

/** At the last descriptor there is none behind it to go on with. */
static void
halt_at_the_last(void **state)
{
	(void)state;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		inject("halt:bit=7:at=20");
		scribble();
		run_copies(interface, BATCH);
		assert_int_equal(g_copies[COUNT - 1].times, interface == UDMA ? 1 : 0);
		assert_int_equal(g_errors, interface == UDMA ? 0 : 1);
		if (interface == UDMA) {
			assert_int_equal(g_copies[COUNT - 1].result.status, UDMA_IOAT_BAD_DATA);
		}
		assert_works();
	}
}

/** A halt that is not pushed to memory: only the status register says so. */
static void
halt_without_a_word(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_SOURCE;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("lost-word:at=1");
		inject("error:bit=8:at=8");
		run_copies(interface, BATCH);
		check_copies(interface, one_fails);
		assert_works();
	}
}

/* ---- Hangs and delays ---- */

static unsigned g_first; /* the first that does not succeed */

static bool
hangs_from(unsigned i, enum udma_ioat_status status)
{
	return status == (i < g_first ? UDMA_IOAT_OK : UDMA_IOAT_HUNG);
}

/** Those before it have been carried out, and there was no word to say so. */
static bool
hangs_in_a_batch(unsigned i, enum udma_ioat_status status)
{
	return status == UDMA_IOAT_HUNG || (i < g_first && status == UDMA_IOAT_OK);
}

static void
hangs(const char *fault, unsigned first)
{
	g_first = first;
	expect(fault, EACH, hangs_from, -EIO);
	expect(fault, BATCH, hangs_in_a_batch, -EIO);
}

static void
hang_before_fetch(void **state)
{
	(void)state;
	hangs("hang:step=fetch:at=8", FAULTY);
}

static void
hang_before_read(void **state)
{
	(void)state;
	hangs("hang:step=read:at=8", FAULTY);
}

static void
hang_in_the_middle_of_the_write(void **state)
{
	(void)state;
	hangs("hang:step=write:at=8", FAULTY);
}

static void
hang_before_status(void **state)
{
	(void)state;
	hangs("hang:step=status:at=8", FAULTY);
}

static void
hang_before_interrupt(void **state)
{
	(void)state;
	hangs("hang:step=interrupt:at=8", FAULTY + 1);
}

/** A reset does not help as long as it hangs at every descriptor, but for the driver's own. */
static void
hang_at_every_descriptor(void **state)
{
	(void)state;
	g_first = 0;
	inject("hang:every=1");
	for (unsigned round = 0; round < 3; round++) {
		scribble();
		run_copies(UDMA, EACH);
		check_copies(UDMA, hangs_from);
		assert_failed(-EIO);
		assert_int_equal(udma_ioat_reset(g_chan), 0);
	}
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_works();
}

static void
delay_before_each_step(void **state)
{
	static const char *const steps[] = {"fetch", "read", "write", "status", "interrupt"};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		char text[64];

		snprintf(text, sizeof(text), "delay:us=3000:step=%s:every=6", steps[i]);
		expect(text, BATCH, only_ok, 0);
		expect(text, EACH, only_ok, 0);
	}
	/* 10 rows of 20, and as many more of 40 in assert_works(). */
	assert_in_range(udma_fault_count(g_device, UDMA_FAULT_DELAY), 5 * 4 * 10, 5 * 4 * 11);
}

/** Withdrawn in time, a hang was a delay. */
static void
hang_that_ends(void **state)
{
	(void)state;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("hang:step=write:at=1");
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(build(interface, i), 0);
		}
		spdk_ioat_flush(g_chan);
		while (udma_fault_count(g_device, UDMA_FAULT_HANG) <= interface) {
			assert_int_equal(spdk_ioat_process_events(g_chan), 0);
		}
		assert_int_equal(udma_fault_withdraw(g_device), 0);
		g_hangs = udma_fault_count(g_device, UDMA_FAULT_HANG); /* none to be hurried */
		poll_until(COUNT);
		check_copies(interface, only_ok);
	}
}

/* ---- Data ---- */

/** No engine knows of it: whoever compares does. */
static void
flip(void **state)
{
	(void)state;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		unsigned differ = 0;

		scribble();
		inject("flip:at=8");
		run_copies(interface, BATCH);
		for (unsigned i = 0; i < SIZE; i++) {
			differ += target_of(FAULTY)[i] != source_of(FAULTY)[i];
		}
		assert_int_equal(differ, 1);
		memcpy(target_of(FAULTY), source_of(FAULTY), SIZE);
		check_copies(interface, only_ok);
	}
}

/* ---- Order ---- */

/** \return whether what was copied from A to B, and from B to C behind it, is in C. */
static bool
copies_on(enum interface interface, unsigned flags)
{
	scribble();
	memset(source_of(1), 0, SIZE);
	if (interface == UDMA) {
		assert_int_equal(udma_ioat_copy(g_chan, source_of(1), source_of(0), SIZE, flags,
						fixture_on_end, &g_copies[0]),
				 0);
		assert_int_equal(udma_ioat_copy(g_chan, target_of(2), source_of(1), SIZE, 0,
						fixture_on_end, &g_copies[1]),
				 0);
	} else {
		/* Whose requests have an order only by their ends. */
		assert_int_equal(spdk_ioat_submit_copy(g_chan, &g_copies[0], fixture_on_success,
						       source_of(1), source_of(0), SIZE),
				 0);
		poll_until(1);
		assert_int_equal(spdk_ioat_build_copy(g_chan, &g_copies[1], fixture_on_success,
						      target_of(2), source_of(1), SIZE),
				 0);
	}
	spdk_ioat_flush(g_chan);
	poll_until(2);
	assert_int_equal(g_copies[0].result.status, UDMA_IOAT_OK);
	assert_int_equal(g_copies[1].result.status, UDMA_IOAT_OK);
	assert_memory_equal(source_of(1), source_of(0), SIZE);
	return memcmp(target_of(2), source_of(0), SIZE) == 0;
}

static void
order_is_kept_by_a_fence_only(const char *fault)
{
	expect(fault, BATCH, only_ok, 0);
	expect(fault, EACH, only_ok, 0);
	assert_true(copies_on(UDMA, 0)); /* without the fault, by luck */
	inject(fault);
	assert_false(copies_on(UDMA, 0));
	assert_true(copies_on(UDMA, UDMA_IOAT_FENCE));
	assert_true(copies_on(SPDK, 0));
	assert_int_equal(udma_fault_withdraw(g_device), 0);
}

static void
late_store(void **state)
{
	(void)state;
	order_is_kept_by_a_fence_only("late-store:every=1");
}

static void
early_source(void **state)
{
	(void)state;
	order_is_kept_by_a_fence_only("early-source:every=1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(error_of_each_bit),
		TEST(error_at_a_source),
		TEST(error_at_a_destination),
		TEST(error_at_random),
		TEST(halt_before_fetch),
		TEST(halt_before_read),
		TEST(halt_in_the_middle_of_the_write),
		TEST(halt_before_status),
		TEST(halt_before_interrupt),
		TEST(halt_without_a_cause),
		TEST(halt_at_the_last),
		TEST(halt_without_a_word),
		TEST(hang_before_fetch),
		TEST(hang_before_read),
		TEST(hang_in_the_middle_of_the_write),
		TEST(hang_before_status),
		TEST(hang_before_interrupt),
		TEST(hang_at_every_descriptor),
		TEST(hang_that_ends),
		TEST(delay_before_each_step),
		TEST(flip),
		TEST(late_store),
		TEST(early_source),
	};

	return cmocka_run_group_tests_name("faults of an engine", tests, NULL, NULL);
}
