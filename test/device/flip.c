/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The contract of flip_every and seed: a function that spoils a byte at times.
 */

#include "parity.h"

/** Only the destination and the completion word are asked for to be written. */
static void
check_direction(struct host *h, uint64_t iova, bool write)
{
	(void)h;
	assert_int_equal(write, iova >= DST || iova == WORD);
}

/** Copies `count` times and says where a byte differs: its place, or -1. */
static void
copy_and_compare(uint32_t every, uint64_t seed, unsigned count, int *where)
{
	struct udma_emu_config config = {
		.device_id = 0x2021, .xfercap = 20, .flip_every = every, .seed = seed};
	struct host *h = host_new(&config);
	uint8_t src[512], dst[512];
	unsigned i, at;

	h->on_grant = check_direction;
	for (i = 0; i < count; i++) {
		scribble(h, SRC, sizeof(src), i);
		scribble(h, DST, sizeof(dst), i + 1);
		copy_succeeds(h, SRC, DST, sizeof(src));
		get(h, SRC, src, sizeof(src));
		get(h, DST, dst, sizeof(dst));
		where[i] = -1;
		for (at = 0; at < sizeof(src); at++) {
			if (src[at] != dst[at]) {
				assert_int_equal(where[i], -1); /* one byte at most */
				where[i] = (int)at;
			}
		}
	}
	host_free(h);
}

static void
flip_every_nth_descriptor_and_no_other(void **state)
{
	int where[30];
	unsigned i;

	(void)state;
	copy_and_compare(7, 1, 30, where);
	for (i = 0; i < 30; i++) {
		assert_int_equal(where[i] >= 0, (i + 1) % 7 == 0);
	}
	copy_and_compare(0, 1, 30, where);
	for (i = 0; i < 30; i++) {
		assert_int_equal(where[i], -1);
	}
}

static void
flip_place_follows_the_seed(void **state)
{
	int first[16], again[16], other[16];

	(void)state;
	copy_and_compare(1, 5, 16, first);
	copy_and_compare(1, 5, 16, again);
	copy_and_compare(1, 6, 16, other);
	assert_memory_equal(first, again, sizeof(first));
	assert_memory_not_equal(first, other, sizeof(first));
	assert_int_not_equal(first[0], first[1]);
}

/** Fills the eight bytes at DST. */
static void
fill(struct host *h)
{
	put_copy(h, RING, OP(0x01), 0x1111111111111111, DST, 8, RING);
	start_and_run(h, 1);
	assert_int_equal(rd(h, CHANSTS, 8), RING | IDLE);
}

/** Null descriptors do not count, fills do, and a reset does not start the count again. */
static void
flip_counts_data_moving_descriptors_since_creation(void **state)
{
	struct udma_emu_config config = {.device_id = 0x2021, .xfercap = 20, .flip_every = 3};
	struct host *h = host_new(&config);
	uint8_t bytes[8];
	unsigned i, flipped = 0;

	(void)state;
	put_null(h, RING, 0, RING + 64);
	put_null(h, RING + 64, 0, RING + 128);
	put_null(h, RING + 128, 0, RING);
	start_and_run(h, 3);
	fill(h);
	assert_all(h, DST, 8, 0x11);
	fill(h);
	assert_all(h, DST, 8, 0x11);
	udma_emu_reset(h->emu);
	cfg_wr(h, 0x04, 2, 0x0006);
	put64(h, DST - 8, 0);
	put64(h, DST + 8, 0);
	fill(h);
	get(h, DST, bytes, 8);
	for (i = 0; i < 8; i++) {
		flipped += bytes[i] != 0x11;
	}
	assert_int_equal(flipped, 1);
	assert_int_equal(get64(h, DST - 8), 0);
	assert_int_equal(get64(h, DST + 8), 0);
	host_free(h);
}

/** The second XOR of two is wrong, for validations do not count. */
static void
flip_spoils_an_xor_and_no_validation(void **state)
{
	struct udma_emu_config config = {.device_id = 0x6F2E, .flip_every = 2};
	struct host *h = host_new(&config);
	struct parity x = parity_of(h, OP_XOR, 3, 1000);
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		x.op = OP_XOR;
		run_parity(h, &x);
		x.op = OP_XOR_VAL;
		run_parity(h, &x);
		assert_int_equal(rd(h, CHANERR, 4), i % 2 == 1 ? 0x10000 : 0);
		wr(h, CHANERR, 4, 0x10000);
	}
	host_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flip_every_nth_descriptor_and_no_other),
		cmocka_unit_test(flip_place_follows_the_seed),
		cmocka_unit_test(flip_counts_data_moving_descriptors_since_creation),
		cmocka_unit_test(flip_spoils_an_xor_and_no_validation),
	};

	return cmocka_run_group_tests_name("flip", tests, NULL, NULL);
}
