/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Faults of an emulated function in the process, through both interfaces: completion words that are
 * lost, doubled and wrong, a reset that does not end, a function that does not answer or is
 * removed, and configuration space that fails.
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

static enum udma_ioat_status g_status;

static bool
one_fails(unsigned i, enum udma_ioat_status status)
{
	return status == (i == FAULTY ? g_status : UDMA_IOAT_OK);
}

static bool
fail_from_it_on(unsigned i, enum udma_ioat_status status)
{
	return status == (i < FAULTY ? UDMA_IOAT_OK : g_status);
}

/* ---- Completion words ---- */

static void
lost_word(void **state)
{
	(void)state;
	expect("lost-word:at=8", ONE_BY_ONE, only_ok, 0);
	expect("lost-word:every=1", BATCH, only_ok, 0);
	expect("lost-word:random=3:seed=1", EACH, only_ok, 0);
}

/** A word that goes back to one that was taken in long ago is nonsense, if it is seen at all. */
static bool
all_or_nonsense(unsigned i, enum udma_ioat_status status)
{
	return status == UDMA_IOAT_OK || (i > FAULTY && status == UDMA_IOAT_UNKNOWN);
}

static void
doubled_word(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		enum interface interface = round % 2 == 0 ? UDMA : SPDK;
		enum rhythm rhythm = round % 4 < 2 ? ONE_BY_ONE : EACH;

		scribble();
		inject("doubled-word:at=8");
		run_copies(interface, rhythm);
		check_copies(interface, all_or_nonsense);
		if (udma_ioat_get_state(g_chan) == UDMA_IOAT_HAS_FAILED) {
			assert_comes_back(-EIO);
		}
		assert_int_equal(udma_fault_withdraw(g_device), 0);
	}
	assert_int_equal(udma_fault_count(g_device, UDMA_FAULT_DOUBLED_WORD), 50);
}

/** Which ones are done is not known any more. */
static void
wrong_word(void **state)
{
	static const char *const words[] = {
		"wrong-word:at=8",                         /* far from the ring */
		"wrong-word:at=8:word=0x40",               /* below it */
		"wrong-word:at=8:word=0xffffffffffffffff", /* ones: HALTED and more */
		"wrong-word:at=8:word=1",                  /* IDLE, after nothing */
	};

	(void)state;
	g_status = UDMA_IOAT_UNKNOWN;
	for (unsigned i = 0; i < 4; i++) {
		expect(words[i], ONE_BY_ONE, fail_from_it_on, -EIO);
	}
}

/* ---- Resets ---- */

static bool
reset_fails(unsigned i, enum udma_ioat_status status)
{
	return status == (i < FAULTY    ? UDMA_IOAT_OK
			  : i == FAULTY ? UDMA_IOAT_BAD_DATA
					: UDMA_IOAT_FAILED);
}

static void
reset_that_does_not_end(void **state)
{
	(void)state;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		uint16_t command;

		scribble();
		inject("reset");
		inject("halt:bit=7:at=8");
		run_copies(interface, BATCH);
		check_copies(interface, reset_fails);
		assert_failed(-EIO);
		/* It may not write any more, for its requests have ended. */
		assert_int_equal(spdk_pci_device_cfg_read16(g_device, &command, 4), 0);
		assert_int_equal(command & 4, 0);
		if (interface == UDMA) {
			assert_int_equal(udma_ioat_reset(g_chan), -EIO);
		}
		assert_comes_back(-EIO);
	}
}

/** One that takes its time is waited for. */
static void
reset_that_takes_long(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_BAD_DATA;
	inject("reset:us=50000:every=1");
	for (unsigned i = 0; i < 2; i++) {
		scribble();
		inject("halt:bit=7:at=8");
		run_copies(i == 0 ? UDMA : SPDK, BATCH);
		check_copies(i == 0 ? UDMA : SPDK, one_fails);
	}
	assert_int_equal(udma_fault_count(g_device, UDMA_FAULT_RESET), 2);
	assert_works();
}

static void
reset_does_not_end_at_attach(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	inject("reset");
	assert_int_equal(attach(), -EIO);
	assert_null(g_chan);
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_int_equal(attach(), 0);
	assert_works();
}

/* ---- No answer ---- */

static void
all_ones(void **state)
{
	uint32_t id;

	(void)state;
	g_status = UDMA_IOAT_GONE;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("ones:at=8");
		run_copies(interface, EACH);
		check_copies(interface, fail_from_it_on);
		assert_int_equal(udma_ioat_reset(g_chan), -ENODEV);
		assert_int_equal(spdk_pci_device_cfg_read32(g_device, &id, 0), 0);
		assert_int_equal(id, UINT32_MAX);
		assert_false(spdk_pci_device_is_removed(g_device));
		assert_comes_back(-ENODEV);
	}
}

static void
all_ones_for_a_while(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_GONE;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("ones:at=8:us=2000000");
		run_copies(interface, EACH);
		check_copies(interface, fail_from_it_on);
		assert_failed(-ENODEV);
		while (udma_ioat_reset(g_chan) != 0) {
			usleep(10000);
		}
		assert_works();
	}
}

static void
all_ones_at_attach(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	inject("ones");
	assert_int_equal(attach(), -ENODEV);
	assert_null(g_chan);
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_int_equal(attach(), 0);
	assert_works();
}

/* ---- Removal and return ---- */

static void
assert_event(int fd, enum spdk_pci_event_type action)
{
	struct spdk_pci_event event;

	assert_int_equal(spdk_pci_get_event(fd, &event), 1);
	assert_int_equal(event.action, action);
	assert_int_equal(spdk_pci_addr_compare(&event.traddr, &g_device->addr), 0);
	assert_int_equal(spdk_pci_get_event(fd, &event), 0);
}

/** The program lets go of it, and takes it again when it is back. */
static void
removal_and_return(void **state)
{
	int fd = spdk_pci_event_listen();

	(void)state;
	assert_true(fd >= 0);
	g_status = UDMA_IOAT_GONE;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("removal:at=8");
		run_copies(interface, EACH);
		check_copies(interface, fail_from_it_on);
		assert_failed(-ENODEV);
		assert_true(spdk_pci_device_is_removed(g_device));
		assert_event(fd, SPDK_UEVENT_REMOVE);
		assert_int_equal(udma_ioat_reset(g_chan), -ENODEV);
		spdk_ioat_detach(g_chan);
		assert_int_equal(attach(), 0);
		assert_null(g_chan); /* it is not on offer */

		assert_int_equal(udma_fault_withdraw(g_device), 0);
		assert_false(spdk_pci_device_is_removed(g_device));
		assert_event(fd, SPDK_UEVENT_ADD);
		assert_int_equal(attach(), 0);
		assert_non_null(g_chan);
		assert_works();
	}
	close(fd);
}

/** The program keeps its channel meanwhile. */
static void
removal_and_return_of_an_attached_one(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_GONE;
	expect("removal:at=8", EACH, fail_from_it_on, -ENODEV);
}

/** It is back before the program polls. */
static void
gone_between_two_polls(void **state)
{
	static const char *const faults[] = {"removal:at=3:us=1000", "ones:at=3:us=1000"};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		scribble();
		inject(faults[k]);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(build(UDMA, i), 0);
		}
		spdk_ioat_flush(g_chan);
		usleep(60000);
		poll_until(COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(g_copies[i].result.status, UDMA_IOAT_GONE);
		}
		assert_comes_back(-ENODEV);
	}
}

/** Nothing is outstanding: a program hears of it by the event, and at its next request. */
static void
removal_of_an_idle_one(void **state)
{
	int fd = spdk_pci_event_listen();

	(void)state;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("removal");
		assert_event(fd, SPDK_UEVENT_REMOVE);
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(spdk_ioat_process_events(g_chan), 0);
		}
		assert_int_equal(build(interface, 0), 0);
		spdk_ioat_flush(g_chan);
		poll_until(1);
		assert_int_equal(g_copies[0].times, interface == UDMA ? 1 : 0);
		if (interface == UDMA) {
			assert_int_equal(g_copies[0].result.status, UDMA_IOAT_GONE);
		}
		assert_memory_equal(g_dst, g_expected, COUNT * STRIDE);
		assert_comes_back(-ENODEV);
		assert_event(fd, SPDK_UEVENT_ADD);
	}
	close(fd);
}

/** Pulled while a program detaches its channel, and while it is brought up. */
static void
removal_at_detach_and_attach(void **state)
{
	(void)state;
	scribble();
	inject("removal:at=3");
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(build(UDMA, i), 0);
	}
	spdk_ioat_detach(g_chan);
	for (unsigned i = 0; i < COUNT; i++) {
		enum udma_ioat_status status = g_copies[i].result.status;

		assert_int_equal(g_copies[i].times, 1);
		assert_true(status == UDMA_IOAT_GONE || (i < 2 && status == UDMA_IOAT_OK));
	}
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	/* At the first descriptor that moves data: the trial of a fill. */
	inject("removal:at=1");
	assert_int_equal(attach(), -ENODEV);
	assert_null(g_chan);
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_int_equal(attach(), 0);
	assert_works();
}

/* ---- Configuration space ---- */

static void
config_space_fails_at_attach(void **state)
{
	(void)state;
	spdk_ioat_detach(g_chan);
	inject("config:every=1");
	assert_int_equal(attach(), -EIO);
	assert_null(g_chan);
	assert_int_equal(udma_fault_withdraw(g_device), 0);
	assert_int_equal(attach(), 0);
	assert_works();
}

/** What a reset needs of it cannot be had: the channel stays failed. */
static void
config_space_fails_at_a_reset(void **state)
{
	(void)state;
	g_status = UDMA_IOAT_GONE;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("ones:at=8");
		run_copies(interface, EACH);
		check_copies(interface, fail_from_it_on);
		assert_failed(-ENODEV);
		assert_int_equal(udma_fault_withdraw(g_device), 0);
		inject("config:offset=4:every=1");
		assert_int_equal(udma_ioat_reset(g_chan), -EIO);
		assert_int_equal(udma_ioat_get_state(g_chan), UDMA_IOAT_HAS_FAILED);
		assert_int_equal(udma_fault_withdraw(g_device), 0);
		assert_int_equal(udma_ioat_reset(g_chan), 0);
		assert_works();
	}
}

/** A known trouble of some machines, survived. */
static void
config_register_180h_fails(void **state)
{
	(void)state;
	start("1,generation=hsw,fault=config:offset=0x180:every=1");
	g_status = UDMA_IOAT_BAD_DATA;
	for (enum interface interface = UDMA; interface <= SPDK; interface++) {
		scribble();
		inject("halt:bit=7:at=8");
		run_copies(interface, BATCH);
		check_copies(interface, one_fails);
	}
	/* At attach and at each halt. */
	assert_in_range(udma_fault_count(g_device, UDMA_FAULT_CONFIG), 3, 100);
	assert_works();
	end();
}

/* ---- By option ---- */

static void
faults_by_option(void **state)
{
	(void)state;
	/* The first data-moving descriptor is the trial of a fill at attach. */
	start("2,fault=error:bit=8:at=9,fault=error:bit=9:at=11,fault=delay:us=10:every=2");
	scribble();
	run_copies(UDMA, BATCH);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(g_copies[i].result.status, i == 7   ? UDMA_IOAT_BAD_SOURCE
							    : i == 9 ? UDMA_IOAT_BAD_DESTINATION
								     : UDMA_IOAT_OK);
	}
	assert_works();
	end();
	start("1,fault=reset:us=5000:every=1");
	assert_works();
	end();
}

static void
faults_by_option_that_are_refused(void **state)
{
	static const char *const bad[] = {"1,fault",
					  "1,fault=",
					  "1,fault=nonsense",
					  "1,fault=error",
					  "1,fault=error:bit=32",
					  "1,fault=hang:step",
					  "1,fault=hang,at=5"};
	char many[UDMA_FAULTS_MAX * 12 + 32] = "1";

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("UDMA_EMULATE", bad[i], 1);
		assert_int_equal(spdk_env_init(NULL), -EINVAL);
	}
	for (unsigned i = 0; i <= UDMA_FAULTS_MAX; i++) {
		strcat(many, ",fault=hang");
	}
	setenv("UDMA_EMULATE", many, 1);
	assert_int_equal(spdk_env_init(NULL), -EINVAL);
}

/** Functions that are not emulated here have no faults to inject. */
static void
devices_of_others(void **state)
{
	struct spdk_pci_device other = {0};
	struct udma_fault fault = {.kind = UDMA_FAULT_HANG};

	(void)state;
	assert_int_equal(udma_fault_inject(&other, &fault), -ENOTSUP);
	assert_int_equal(udma_fault_withdraw(&other), -ENOTSUP);
	assert_int_equal(udma_fault_count(&other, UDMA_FAULT_HANG), 0);
	fault.kind = UDMA_FAULT_KINDS;
	assert_int_equal(udma_fault_inject(g_device, &fault), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lost_word),
		TEST(doubled_word),
		TEST(wrong_word),
		TEST(reset_that_does_not_end),
		TEST(reset_that_takes_long),
		TEST(reset_does_not_end_at_attach),
		TEST(all_ones),
		TEST(all_ones_for_a_while),
		TEST(all_ones_at_attach),
		TEST(removal_and_return),
		TEST(removal_and_return_of_an_attached_one),
		TEST(gone_between_two_polls),
		TEST(removal_of_an_idle_one),
		TEST(removal_at_detach_and_attach),
		TEST(config_space_fails_at_attach),
		TEST(config_space_fails_at_a_reset),
		cmocka_unit_test(config_register_180h_fails),
		cmocka_unit_test(faults_by_option),
		cmocka_unit_test(faults_by_option_that_are_refused),
		TEST(devices_of_others),
	};

	return cmocka_run_group_tests_name("faults of a function", tests, NULL, NULL);
}
