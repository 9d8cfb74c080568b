/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The reference by itself: a few cases computed by hand, so that it is known to do something before
 * it is asked to judge.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "reference.h"

#define MEMORY     65536u
#define RING       0x1000u
#define COMPLETION 0x800u

/* All of it is granted, but the first page is read-only up to COMPLETION. */
static uint8_t memory[MEMORY];

static bool
load(void *ctx, uint64_t iova, uint8_t *byte)
{
	(void)ctx;
	if (iova >= MEMORY) {
		return false;
	}
	*byte = memory[iova];
	return true;
}

static bool
store(void *ctx, uint64_t iova, uint8_t byte)
{
	(void)ctx;
	if (iova >= MEMORY || iova < COMPLETION) {
		return false;
	}
	memory[iova] = byte;
	return true;
}

static bool
takes_word(void *ctx, uint64_t iova)
{
	(void)ctx;
	return iova >= COMPLETION && iova + 8 <= MEMORY;
}

static bool
whole(void *ctx, uint64_t iova, uint64_t len)
{
	(void)ctx;
	return iova + len <= MEMORY;
}

static void
put(uint32_t at, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		memory[at + i] = (uint8_t)(value >> 8 * i);
	}
}

static uint64_t
get(uint32_t at)
{
	return reference_qword(memory + at, 0);
}

static void
put_descriptor(unsigned slot, const uint64_t *words)
{
	for (unsigned i = 0; i < 8; i++) {
		put(RING + 64 * slot + 8 * i, words[i]);
	}
}

static uint32_t
next(unsigned slot)
{
	return RING + 64 * (slot + 1);
}

/* A channel that waits for DMACOUNT, as Linux sets it up. */
static void
start(struct reference *r, uint16_t device_id)
{
	const struct reference_config config = {.device_id = device_id,
						.interrupts = REFERENCE_MSIX};
	const struct reference_memory means = {NULL, load, store, takes_word, whole};

	memset(memory, 0, sizeof(memory));
	assert_true(reference_init(r, &config, &means));
	assert_true(reference_config_write(r, 0x04, "\x06\x00", 2));
	assert_true(reference_config_write(r, 0x83, "\x80", 1));
	reference_write(r, 0x200C, 4, 0);
	reference_write(r, 0x2000, 8, 0xFEE00000);
	reference_write(r, 0x2008, 4, 0x31);
	reference_write(r, 0x03, 1, 0x09);
	reference_write(r, 0x80, 2, 0x1D);
	reference_write(r, 0x98, 4, COMPLETION);
	reference_write(r, 0x9C, 4, 0);
	reference_write(r, 0x90, 4, RING);
	reference_write(r, 0x94, 4, 0);
	assert_int_equal(reference_read(r, 0x88, 8), REFERENCE_ARMED);
}

static void
power_on_is_as_silicon_was_read(void **state)
{
	struct reference r;
	uint8_t bytes[4];

	(void)state;
	start(&r, 0x2021);
	reference_reset(&r);
	assert_int_equal(reference_read(&r, 0x88, 8), 3);
	assert_int_equal(reference_read(&r, 0x00, 2), 0x1401);
	assert_int_equal(reference_read(&r, 0x08, 1), 0x33);
	assert_true(reference_config_read(&r, 0x184, bytes, 4));
	assert_memory_equal(bytes, "\x00\x00\x06\x00", 4);
	assert_true(reference_config_read(&r, 0xE4, bytes, 1));
	assert_int_equal(bytes[0], 8);
	assert_false(reference_config_read(&r, 4093, bytes, 4));
}

static void
a_copy_completes_and_interrupts_once(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 0x2021);
	memcpy(memory + 0x3001, "eleven byte", 11);
	put_descriptor(0, (const uint64_t[8]){11 | 0x09ull << 32, 0x3001, 0x4002, next(0)});
	put_descriptor(1, (const uint64_t[8]){1 | 0x29ull << 32, 0, 0, next(1)});
	reference_write(&r, 0x86, 2, 2);
	assert_int_equal(reference_read(&r, 0x88, 1), REFERENCE_ACTIVE);
	assert_true(reference_step(&r));
	assert_memory_equal(memory + 0x4001, "\0eleven byte\0", 13);
	assert_int_equal(get(COMPLETION), RING);
	assert_false(reference_step(&r));
	assert_int_equal(reference_read(&r, 0x88, 8), (RING + 64) | REFERENCE_IDLE);
	assert_int_equal(r.logged, 1);
	assert_int_equal(r.log[0].address, 0xFEE00000);
	assert_int_equal(r.log[0].data, 0x31);
	reference_write(&r, 0x80, 2, 0x1D);
	assert_int_equal(r.logged, 2);
}

static void
a_fill_starts_with_the_first_byte_of_the_pattern(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 0x2021);
	put_descriptor(0, (const uint64_t[8]){11 | 0x01000000ull << 32, 0x3736353433323130, 0x4003,
					      next(0)});
	reference_write(&r, 0x86, 2, 1);
	assert_false(reference_step(&r));
	assert_memory_equal(memory + 0x4002,
			    "\0"
			    "01234567012\0",
			    13);
}

static void
a_bad_destination_halts_with_one_bit_and_the_last_good_address(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 0x2021);
	put_descriptor(0, (const uint64_t[8]){8 | 0x20ull << 32, 0, 0, next(0)});
	put_descriptor(1, (const uint64_t[8]){8, 0x3000, 0x10, next(1)});
	reference_write(&r, 0x86, 2, 2);
	assert_true(reference_step(&r));
	assert_false(reference_step(&r));
	assert_int_equal(reference_read(&r, 0xA8, 4), 0x200);
	assert_int_equal(reference_read(&r, 0x88, 8), RING | REFERENCE_HALTED);
	assert_int_equal(get(COMPLETION), RING | REFERENCE_HALTED);
	reference_write(&r, 0x90, 8, RING);
	assert_int_equal(reference_read(&r, 0x88, 1) & 7, REFERENCE_HALTED);
	reference_write(&r, 0xA8, 4, 0x200);
	reference_write(&r, 0x90, 8, RING);
	assert_int_equal(reference_read(&r, 0x88, 8), REFERENCE_ARMED);
}

/* By hand: 01 ^ 80 ^ FF = 7E; 1*01 ^ 2*80 ^ 4*FF = 01 ^ 1D ^ DB = C7, modulo 11Dh. */
static void
p_and_q_are_those_of_raid_6(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 0x3C2E);
	memory[0x3000] = 0x01;
	memory[0x3001] = 0x80;
	memory[0x3002] = 0xFF;
	put_descriptor(0, (const uint64_t[8]){1 | 0x89000020ull << 32, 0x3000, 0x4000, next(0),
					      0x3001, 0x3002, 0x040201, 0x4001});
	put_descriptor(1, (const uint64_t[8]){1 | 0x8A000020ull << 32, 0x3000, 0x4001, next(1),
					      0x3001, 0x3002, 0x040201, 0x4000});
	reference_write(&r, 0x86, 2, 2);
	assert_true(reference_step(&r));
	assert_int_equal(memory[0x4000], 0x7E);
	assert_int_equal(memory[0x4001], 0xC7);
	assert_false(reference_step(&r));
	assert_int_equal(reference_read(&r, 0xA8, 4), 0x30000);
}

static void
an_extension_counts_and_the_completion_names_the_base(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 0x3C2E);
	for (unsigned i = 0; i < 6; i++) {
		memory[0x3000 + i] = (uint8_t)(1 << i);
	}
	put_descriptor(0, (const uint64_t[8]){1 | 0x87000088ull << 32, 0x3000, 0x4000, next(0),
					      0x3001, 0x3002, 0x3003, 0x3004});
	put_descriptor(1, (const uint64_t[8]){0x3005, 0, 0, next(1)});
	put_descriptor(2, (const uint64_t[8]){1 | 0x20ull << 32, 0, 0, next(2)});
	reference_write(&r, 0x86, 2, 3);
	assert_true(reference_step(&r));
	assert_int_equal(memory[0x4000], 0x3F);
	assert_int_equal(get(COMPLETION), RING);
	assert_false(reference_step(&r));
	assert_int_equal(reference_read(&r, 0x88, 8), (RING + 128) | REFERENCE_IDLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_on_is_as_silicon_was_read),
		cmocka_unit_test(a_copy_completes_and_interrupts_once),
		cmocka_unit_test(a_fill_starts_with_the_first_byte_of_the_pattern),
		cmocka_unit_test(a_bad_destination_halts_with_one_bit_and_the_last_good_address),
		cmocka_unit_test(p_and_q_are_those_of_raid_6),
		cmocka_unit_test(an_extension_counts_and_the_completion_names_the_base),
	};

	return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
