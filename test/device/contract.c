/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What udma/emu.h promises to whoever hosts a function, beside the hardware: creating and
 * destroying it, what it does with the host's functions, and hosts that leave some of them out or
 * answer more than they were asked. More of it in grants.c and unmappable.c.
 */

#include "host.h"

#include "udma/fault.h"

#include <errno.h>

/* A host of our own: one buffer at address 0, and counters. */

struct bare {
	uint64_t memory[0x800];
	bool maps;
	uint64_t answer; /* what grant, read and write say they hold for; 0: what was asked */
	unsigned grants, reads, writes, interrupts;
};

static void *
bare_grant(void *ctx, uint64_t iova, uint64_t *len, bool write)
{
	struct bare *b = ctx;

	(void)write;
	b->grants++;
	if (!b->maps || iova >= sizeof(b->memory) || *len > sizeof(b->memory) - iova) {
		return NULL;
	}
	*len = b->answer != 0 ? b->answer : *len;
	return (char *)b->memory + iova;
}

static uint64_t
bare_read(void *ctx, uint64_t iova, void *buf, uint64_t len)
{
	struct bare *b = ctx;

	b->reads++;
	if (iova >= sizeof(b->memory) || len > sizeof(b->memory) - iova) {
		return 0;
	}
	memcpy(buf, (char *)b->memory + iova, len);
	return b->answer != 0 ? b->answer : len;
}

static uint64_t
bare_write(void *ctx, uint64_t iova, const void *buf, uint64_t len)
{
	struct bare *b = ctx;

	b->writes++;
	if (iova >= sizeof(b->memory) || len > sizeof(b->memory) - iova) {
		return 0;
	}
	memcpy((char *)b->memory + iova, buf, len);
	return b->answer != 0 ? b->answer : len;
}

static void
bare_interrupt(void *ctx, const struct udma_emu_interrupt *interrupt)
{
	struct bare *b = ctx;

	(void)interrupt;
	b->interrupts++;
}

/** Runs one copy of 256 bytes from 1000h to 2000h, with a completion at 800h. \return CHANERR. */
static uint32_t
run_copy(struct udma_emu *emu, struct bare *b)
{
	unsigned i;

	for (i = 0; i < 32; i++) {
		b->memory[0x200 + i] = 0x0123456789ABCDEF * (i + 1);
		b->memory[0x400 + i] = 0;
	}
	b->memory[0x100] = 0;
	b->memory[0] = (uint64_t)(COMPL_UPDATE | INT_EN) << 32 | 256;
	b->memory[1] = 0x1000;
	b->memory[2] = 0x2000;
	b->memory[3] = 0;
	udma_emu_cfg_write(emu, 0x04, &(uint16_t){0x0006}, 2);
	udma_emu_write(emu, CHANERR, 4, 0xFFFFFFFF);
	udma_emu_write(emu, CHANCTRL, 2, 0x0008);
	udma_emu_write(emu, CHANCMP, 8, 0x800);
	udma_emu_write(emu, CHAINADDR, 8, 0);
	udma_emu_write(emu, DMACOUNT, 2, 1);
	while (udma_emu_step(emu)) {
	}
	return udma_emu_read(emu, CHANERR, 4);
}

static void
assert_copied(const struct bare *b)
{
	assert_memory_equal(b->memory + 0x400, b->memory + 0x200, 256);
	assert_int_equal(b->memory[0x400 + 32], 0);
	assert_int_equal(b->memory[0x100], 0); /* the word: address 0, ACTIVE */
}

/* Coming and going */

static void
emu_config_of_zeros_is_2021h(void **state)
{
	struct udma_emu_config config = {0};
	struct host *h = host_new(&config);

	(void)state;
	assert_int_equal(cfg(h, 0x00, 4), 0x20218086);
	assert_int_equal(rd(h, 0x01, 1), 20);
	assert_int_equal(cfg(h, 0x0E, 1), 0);
	assert_int_equal(cfg(h, 0x34, 1), 0x90);
	assert_int_equal(cfg(h, 0x3D, 1), 0);
	host_free(h);
}

static void
assert_refused(const struct udma_emu_config *config, const struct udma_emu_host *host)
{
	errno = 0;
	assert_null(udma_emu_create(config, host, NULL));
	assert_int_equal(errno, EINVAL);
}

static void
emu_create_refuses_what_it_cannot_be(void **state)
{
	struct udma_emu_host host = {.grant = bare_grant}, no_grant = {.read = bare_read};
	struct udma_emu_config good = {0};
	unsigned i;

	(void)state;
	/* Ids: section_1_1_no_other_id. */
	for (i = 1; i <= 0xFF; i++) {
		struct udma_emu_config config = {.xfercap = i};

		if (i < 12 || i > 31) {
			assert_refused(&config, &host);
		}
	}
	for (i = 3; i < 32; i++) {
		struct udma_emu_config config = {.interrupts = 1u << i | UDMA_EMU_MSIX};

		assert_refused(&config, &host);
	}
	for (i = 5; i <= 0xFF; i++) {
		struct udma_emu_config config = {.interrupts = UDMA_EMU_INTX, .intx_pin = i};

		assert_refused(&config, &host);
		config.interrupts = 0;
		assert_refused(&config, &host);
	}
	assert_refused(&good, &no_grant);
}

/** Config and host may be gone behind the call, and the host is asked for nothing by it. */
static void
emu_create_copies_and_calls_nothing(void **state)
{
	static struct bare b = {.maps = true};
	struct udma_emu_config config = {.device_id = 0x6F21, .interrupts = UDMA_EMU_INTX};
	struct udma_emu_host host = {
		bare_grant,
		bare_read,
		bare_write,
		bare_interrupt,
	};
	struct udma_emu *emu = udma_emu_create(&config, &host, &b);
	uint32_t id;

	(void)state;
	assert_non_null(emu);
	memset(&config, 0xFF, sizeof(config));
	memset(&host, 0, sizeof(host));
	udma_emu_reset(emu);
	assert_int_equal(b.grants + b.reads + b.writes + b.interrupts, 0);
	assert_int_equal(udma_emu_cfg_read(emu, 0x00, &id, 4), 0);
	assert_int_equal(id, 0x6F218086);
	assert_int_equal(run_copy(emu, &b), 0);
	assert_copied(&b);
	assert_true(b.grants > 0);
	udma_emu_destroy(emu);
}

/** Not even for a line that is up. */
static void
emu_destroy_calls_nothing(void **state)
{
	static struct bare b = {.maps = true};
	static const struct udma_emu_host host = {.grant = bare_grant, .interrupt = bare_interrupt};
	struct udma_emu_config config = {.interrupts = UDMA_EMU_INTX};
	struct udma_emu *emu = udma_emu_create(&config, &host, &b);
	unsigned grants;

	(void)state;
	assert_non_null(emu);
	udma_emu_write(emu, INTRCTRL, 1, 1);
	assert_int_equal(run_copy(emu, &b), 0);
	assert_int_equal(b.interrupts, 1);
	grants = b.grants;
	udma_emu_destroy(emu);
	assert_int_equal(b.interrupts, 1);
	assert_int_equal(b.grants, grants);
	udma_emu_destroy(NULL);
}

/** Registers, configuration space and time touch no memory: only steps do, and errors. */
static void
emu_only_steps_touch_memory(void **state)
{
	struct udma_emu_config config = {.interrupts = UDMA_EMU_MSIX};
	struct host *h = host_new(&config);
	uint32_t offset;

	(void)state;
	start(h, RING);
	wr(h, DMACOUNT, 2, 5);
	for (offset = 0; offset < 0x4000; offset += 8) {
		(void)rd(h, offset, 8);
	}
	udma_emu_elapse(h->emu, 1000);
	assert_int_equal(udma_emu_interrupt_due(h->emu), UINT32_MAX);
	wr(h, CHANCMD, 1, SUSPEND);
	wr(h, CHANCMD, 1, RESET);
	udma_emu_reset(h->emu);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(h->grants, 0);
	host_free(h);
}

static void
emu_functions_know_nothing_of_each_other(void **state)
{
	struct udma_emu_config config = {.interrupts = UDMA_EMU_MSI};
	struct host *a = host_new(&config), *b = host_new(&config);

	(void)state;
	enable_msi(a);
	wr(a, INTRCTRL, 1, 1);
	start(a, RING);
	cause(a);
	assert_int_equal(a->interrupts, 1);
	assert_int_equal(b->interrupts, 0);
	assert_int_equal(b->grants, 0);
	assert_int_equal(rd(b, CHANSTS, 8), HALTED);
	assert_int_equal(rd(b, INTRCTRL, 1), 0);
	host_free(a);
	copy_succeeds(b, SRC, DST, 100);
	host_free(b);
}

static void
emu_configuration_access_of_no_bytes(void **state)
{
	struct udma_emu_config config = {0};
	struct host *h = host_new(&config);
	uint8_t byte = 0x5A;

	(void)state;
	assert_int_equal(udma_emu_cfg_read(h->emu, 4096, &byte, 0), 0);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x99, &byte, 0), 0);
	assert_int_equal(udma_emu_cfg_read(h->emu, 4097, &byte, 0), -EINVAL);
	assert_int_equal(byte, 0x5A);
	assert_int_equal(cfg(h, 0x04, 2), 0x0006);
	host_free(h);
}

/* What it tells of itself */

static void
emu_completed_counts_what_was_carried_out(void **state)
{
	struct udma_emu_config config = {0};
	struct host *h = host_new(&config);

	(void)state;
	assert_int_equal(udma_emu_completed(h->emu), 0);
	put_copy(h, RING, COMPL_UPDATE, SRC, DST, 64, RING + 0x40);
	put_copy(h, RING + 0x40, 0, SRC, DST, 64, RING + 0x80);
	put_copy(h, RING + 0x80, 0, 0, DST, 64, RING + 0xC0); /* nothing is there */
	start_and_run(h, 2);
	assert_int_equal(udma_emu_completed(h->emu), 2);
	assert_false(udma_emu_step(h->emu));
	cfg_wr(h, 0x04, 2, 0x0002); /* no bus master */
	wr(h, DMACOUNT, 2, 3);
	assert_false(udma_emu_step(h->emu));
	assert_int_equal(udma_emu_completed(h->emu), 2);
	cfg_wr(h, 0x04, 2, 0x0006);
	run(h);
	assert_int_equal(rd(h, CHANSTS, 1) & 7, HALTED);
	assert_int_equal(udma_emu_completed(h->emu), 2);
	udma_emu_reset(h->emu);
	assert_int_equal(udma_emu_completed(h->emu), 2);
	host_free(h);
}

static void
emu_resets_counts_resets(void **state)
{
	struct udma_emu_config config = {0};
	struct host *h = host_new(&config);
	struct udma_fault refused = {.kind = UDMA_FAULT_CONFIG, .value = 0x99};
	struct udma_fault ones = {.kind = UDMA_FAULT_ONES};

	(void)state;
	assert_int_equal(udma_emu_resets(h->emu), 0);
	udma_emu_reset(h->emu);
	assert_int_equal(udma_emu_resets(h->emu), 1);
	cfg_wr(h, 0x98, 2, 0x2810);
	wr(h, CHANCMD, 1, 0x20); /* the channel's */
	assert_int_equal(udma_emu_resets(h->emu), 1);
	cfg_wr(h, 0x98, 2, 0xA810);
	assert_int_equal(udma_emu_resets(h->emu), 2);
	/* What a fault keeps from the function is none. */
	assert_int_equal(udma_emu_inject(h->emu, &refused), 0);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x98, (uint8_t[]){0x10, 0xA8}, 2), -EIO);
	assert_int_equal(udma_emu_inject(h->emu, &ones), 0);
	assert_int_equal(udma_emu_cfg_write(h->emu, 0x98, (uint8_t[]){0x10, 0xA8}, 2), 0);
	assert_int_equal(udma_emu_resets(h->emu), 2);
	udma_emu_withdraw(h->emu); /* it is back, as after power-on */
	assert_int_equal(udma_emu_resets(h->emu), 3);
	host_free(h);
}

/* Functions that a host leaves out */

/** Without `read` and `write` there is only what is granted. */
static void
emu_without_read_and_write(void **state)
{
	static const struct udma_emu_host hosts[] = {
		{.grant = bare_grant},
		{.grant = bare_grant, .read = bare_read},
		{.grant = bare_grant, .write = bare_write},
		{.grant = bare_grant, .read = bare_read, .write = bare_write},
	};
	/* The chain address; the destination; the chain address; none. */
	static const uint32_t errors[] = {0x10, 0x200, 0x10, 0};
	struct udma_emu_config config = {0};
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct bare *b = calloc(1, sizeof(*b));
		struct udma_emu *emu = udma_emu_create(&config, &hosts[i], b);

		assert_non_null(emu);
		assert_int_equal(run_copy(emu, b), errors[i]);
		if (errors[i] == 0) {
			assert_copied(b);
		}
		b->maps = true;
		assert_int_equal(run_copy(emu, b), 0);
		assert_copied(b);
		udma_emu_destroy(emu);
		free(b);
	}
}

/** Without `interrupt` they are lost, and everything else is as if they were not. */
static void
emu_without_interrupt(void **state)
{
	static const struct udma_emu_host host = {.grant = bare_grant};
	static struct bare b = {.maps = true};
	struct udma_emu_config config = {.interrupts = UDMA_EMU_INTX | UDMA_EMU_MSIX};
	struct udma_emu *emu = udma_emu_create(&config, &host, &b);

	(void)state;
	assert_non_null(emu);
	udma_emu_write(emu, INTRCTRL, 1, 1);
	assert_int_equal(run_copy(emu, &b), 0);
	assert_copied(&b);
	assert_int_equal(udma_emu_read(emu, CHANCTRL, 1) & 1, 1);
	assert_int_equal(udma_emu_read(emu, INTRCTRL, 1), 0x07);
	assert_int_equal(udma_emu_read(emu, ATTNSTATUS, 4), 1);
	udma_emu_write(emu, CHANCTRL, 2, 0x0009);
	udma_emu_cfg_write(emu, 0x82, &(uint16_t){0x8000}, 2);
	udma_emu_write(emu, 0x200C, 4, 0);
	assert_int_equal(run_copy(emu, &b), 0);
	udma_emu_reset(emu);
	udma_emu_destroy(emu);
}

/** A host that says more than it was asked for is not believed. */
static void
emu_answers_beyond_what_was_asked(void **state)
{
	static const uint64_t answers[] = {257, 0x100000, UINT64_MAX};
	static const struct udma_emu_host host = {
		.grant = bare_grant, .read = bare_read, .write = bare_write};
	struct udma_emu_config config = {0};
	unsigned i, maps;

	(void)state;
	for (maps = 0; maps < 2; maps++) {
		for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
			struct bare *b = calloc(1, sizeof(*b));
			struct udma_emu *emu = udma_emu_create(&config, &host, b);

			assert_non_null(emu);
			b->maps = maps;
			b->answer = answers[i];
			assert_int_equal(run_copy(emu, b), 0);
			assert_copied(b);
			udma_emu_destroy(emu);
			free(b);
		}
	}
}

/* The MSI-X table in the host, as QEMU keeps it */

static int
setup_table_in_host(void **state)
{
	struct udma_emu_config config = {.interrupts = UDMA_EMU_MSIX | UDMA_EMU_MSI,
					 .msix_table_in_host = true};
	struct host *h = host_new(&config);

	wr(h, INTRCTRL, 1, 0x09);
	wr(h, CHANCTRL, 2, 0x001C);
	*state = h;
	return 0;
}

static void
assert_announced(struct host *h, unsigned *count)
{
	assert_interrupt(h, count, UDMA_EMU_MSIX, true);
	assert_int_equal(h->last.vector, 0);
	assert_int_equal(h->last.address, 0);
	assert_int_equal(h->last.data, 0);
}

/** Masked as the entry in BAR0 is at reset, and with the function mask: the host sees to those. */
static void
emu_table_in_host_announces_the_vector(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cfg_wr(h, 0x82, 2, 0x8000);
	assert_int_equal(rd(h, 0x200C, 4), 1);
	cause(h);
	assert_announced(h, &count);
	rearm(h);
	cfg_wr(h, 0x82, 2, 0xC000);
	enable_msix(h, 0x2000);
	wr(h, 0x200C, 4, 1);
	cause(h);
	assert_announced(h, &count);
	assert_int_equal(rd(h, 0x3000, 8), 0);
	rearm(h);
	wr(h, 0x200C, 4, 0);
	assert_int_equal(h->interrupts, count);
}

/** What else holds an interrupt back does so. */
static void
emu_table_in_host_keeps_the_rest(void **state)
{
	struct host *h = *state;
	unsigned count = 0;

	cause(h);
	assert_int_equal(h->interrupts, 0); /* MSI-X is not enabled */
	wr(h, INTRCTRL, 1, 0x08);
	cfg_wr(h, 0x82, 2, 0x8000);
	assert_int_equal(h->interrupts, 0);
	wr(h, INTRCTRL, 1, 0x09);
	assert_announced(h, &count);
	cause(h);
	assert_int_equal(h->interrupts, count);
	rearm(h);
	assert_announced(h, &count);
	/* And MSI has no table. */
	rearm(h);
	cfg_wr(h, 0x82, 2, 0);
	enable_msi(h);
	cause(h);
	assert_interrupt(h, &count, UDMA_EMU_MSI, true);
	assert_int_equal(h->last.address, MSI_ADDRESS);
	assert_int_equal(h->last.data, MSI_DATA);
}

#define TABLE(name) cmocka_unit_test_setup_teardown(name, setup_table_in_host, host_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emu_config_of_zeros_is_2021h),
		cmocka_unit_test(emu_create_refuses_what_it_cannot_be),
		cmocka_unit_test(emu_create_copies_and_calls_nothing),
		cmocka_unit_test(emu_destroy_calls_nothing),
		cmocka_unit_test(emu_only_steps_touch_memory),
		cmocka_unit_test(emu_functions_know_nothing_of_each_other),
		cmocka_unit_test(emu_configuration_access_of_no_bytes),
		cmocka_unit_test(emu_completed_counts_what_was_carried_out),
		cmocka_unit_test(emu_resets_counts_resets),
		cmocka_unit_test(emu_without_read_and_write),
		cmocka_unit_test(emu_without_interrupt),
		cmocka_unit_test(emu_answers_beyond_what_was_asked),
		TABLE(emu_table_in_host_announces_the_vector),
		TABLE(emu_table_in_host_keeps_the_rest),
	};

	return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
