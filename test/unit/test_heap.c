/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"
#include "env/heap.h"

#define CHUNKS 3

static const size_t chunk_lens[CHUNKS] = {2 * MiB, 6 * MiB, 256 * KiB};

struct rig {
	struct udma_heap heap;
	struct udma_heap_chunk *chunks[CHUNKS];
	char *bases[CHUNKS];
};

static void
set_up(struct rig *rig)
{
	udma_heap_init(&rig->heap);
	for (unsigned i = 0; i < CHUNKS; i++) {
		rig->bases[i] = map_pages(chunk_lens[i]);
		rig->chunks[i] = udma_heap_add(&rig->heap, rig->bases[i], chunk_lens[i]);
		assert_non_null(rig->chunks[i]);
	}
	assert_true(udma_heap_check(&rig->heap));
}

static void
tear_down(struct rig *rig)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		udma_heap_remove(rig->chunks[i]);
		munmap(rig->bases[i], chunk_lens[i]);
	}
	assert_true(udma_heap_check(&rig->heap));
}

static struct udma_heap_chunk *
chunk_of(struct rig *rig, const void *ptr)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		if ((uintptr_t)ptr - (uintptr_t)rig->bases[i] < chunk_lens[i]) {
			return rig->chunks[i];
		}
	}
	return NULL;
}

/* ---- Against a model -------------------------------------------------------------------- */

#define MODEL_SLOTS 600

/** An allocation that the model knows of: its bytes are all `fill`. */
struct piece {
	unsigned char *ptr;
	size_t size;
	unsigned char fill;
};

static void
check_fill(const struct piece *piece, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (piece->ptr[i] != piece->fill) {
			fail_msg("byte %zu of %zu is another's", i, piece->size);
		}
	}
}

static size_t
random_size(uint64_t *seed)
{
	return 1 + test_random(seed) % ((size_t)1 << (4 + test_random(seed) % 14));
}

static void
fill(struct piece *piece, uint64_t *seed)
{
	piece->fill = (unsigned char)test_random(seed);
	memset(piece->ptr, piece->fill, piece->size);
}

static void
allocate(struct rig *rig, struct piece *piece, uint64_t *seed)
{
	size_t align = test_random(seed) % 3 ? 64 : (size_t)64 << (test_random(seed) % 13);

	piece->size = random_size(seed);
	piece->ptr = udma_heap_alloc(&rig->heap, piece->size, align);
	if (piece->ptr == NULL) {
		return;
	}
	assert_int_equal((uintptr_t)piece->ptr % align, 0);
	assert_non_null(chunk_of(rig, piece->ptr));
	assert_ptr_equal(chunk_of(rig, piece->ptr), chunk_of(rig, piece->ptr + piece->size - 1));
	assert_int_equal(udma_heap_size(chunk_of(rig, piece->ptr), piece->ptr), piece->size);
	fill(piece, seed);
}

static void
resize(struct rig *rig, struct piece *piece, uint64_t *seed)
{
	size_t size = random_size(seed), old = piece->size;

	if (!udma_heap_resize(chunk_of(rig, piece->ptr), piece->ptr, size)) {
		return;
	}
	check_fill(piece, old < size ? old : size);
	piece->size = size;
	fill(piece, seed);
}

static void
agrees_with_a_model(void **state)
{
	static struct piece pieces[MODEL_SLOTS];
	uint64_t seed = test_seed();
	struct rig rig;

	(void)state;
	memset(pieces, 0, sizeof(pieces));
	set_up(&rig);
	for (unsigned round = 0; round < 60000; round++) {
		struct piece *piece = &pieces[test_random(&seed) % MODEL_SLOTS];

		if (piece->ptr == NULL) {
			allocate(&rig, piece, &seed);
		} else if (test_random(&seed) % 4 == 0) {
			resize(&rig, piece, &seed);
		} else {
			check_fill(piece, piece->size);
			assert_int_equal(udma_heap_free(chunk_of(&rig, piece->ptr), piece->ptr), 0);
			piece->ptr = NULL;
		}
		if (round % 512 == 0) {
			assert_true(udma_heap_check(&rig.heap));
		}
	}
	for (unsigned i = 0; i < MODEL_SLOTS; i++) {
		if (pieces[i].ptr != NULL) {
			check_fill(&pieces[i], pieces[i].size);
			assert_int_equal(
				udma_heap_free(chunk_of(&rig, pieces[i].ptr), pieces[i].ptr), 0);
		}
	}
	assert_true(udma_heap_check(&rig.heap));
	/* All has grown together again: each chunk can be had in one piece. */
	for (unsigned i = 0; i < CHUNKS; i++) {
		assert_int_equal(rig.chunks[i]->used, 0);
		assert_int_equal(rig.chunks[i]->allocations, 0);
	}
	for (unsigned n = 0; n < CHUNKS; n++) {
		static const size_t descending[CHUNKS] = {6 * MiB, 2 * MiB, 256 * KiB};

		assert_non_null(udma_heap_alloc(&rig.heap, descending[n], 64));
	}
	assert_null(udma_heap_alloc(&rig.heap, 1, 64));
	tear_down(&rig);
}

/* ---- One by one ------------------------------------------------------------------------- */

static void
every_alignment_up_to_1_gib(void **state)
{
	size_t len = 2 * GiB;
	char *base = map_pages(len);
	struct udma_heap heap;
	struct udma_heap_chunk *chunk;

	(void)state;
	udma_heap_init(&heap);
	chunk = udma_heap_add(&heap, base, len);
	assert_non_null(chunk);
	for (size_t align = 64; align <= GiB; align *= 2) {
		void *ptr = udma_heap_alloc(&heap, 100, align);

		assert_non_null(ptr);
		assert_int_equal((uintptr_t)ptr % align, 0);
		assert_true(udma_heap_check(&heap));
		assert_int_equal(udma_heap_free(chunk, ptr), 0);
	}
	assert_int_equal(chunk->used, 0);
	udma_heap_remove(chunk);
	munmap(base, len);
}

static void
a_chunk_of_the_length_computed_serves_the_request(void **state)
{
	uint64_t seed = test_seed();
	size_t room = 64 * MiB;
	char *base = map_pages(room + 2 * MiB);
	char *start = (char *)(((uintptr_t)base + 2 * MiB - 1) & ~(2 * MiB - 1));

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		size_t size = 1 + test_random(&seed) % ((size_t)1 << (1 + test_random(&seed) % 24));
		size_t align = (size_t)64 << (test_random(&seed) % 18);
		size_t len = udma_heap_chunk_len(size, align, 2 * MiB);
		struct udma_heap heap;
		struct udma_heap_chunk *chunk;

		assert_true(len >= size && len <= room);
		udma_heap_init(&heap);
		chunk = udma_heap_add(&heap, start, len);
		assert_non_null(chunk);
		assert_non_null(udma_heap_alloc(&heap, size, align));
		udma_heap_remove(chunk);
	}
	munmap(base, room + 2 * MiB);
}

static void
sizes_that_no_chunk_has_are_refused(void **state)
{
	struct rig rig;

	(void)state;
	set_up(&rig);
	assert_null(udma_heap_alloc(&rig.heap, 0, 64));
	assert_null(udma_heap_alloc(&rig.heap, SIZE_MAX, 64));
	assert_null(udma_heap_alloc(&rig.heap, SIZE_MAX - 63, 64));
	assert_null(udma_heap_alloc(&rig.heap, 64, (size_t)1 << 63));
	assert_null(udma_heap_alloc(&rig.heap, 7 * MiB, 64));
	assert_int_equal(udma_heap_chunk_len(SIZE_MAX, 64, 64), 0);
	assert_int_equal(udma_heap_chunk_len(1, (size_t)1 << 63, 64), 0);
	assert_true(udma_heap_check(&rig.heap));
	tear_down(&rig);
}

static void
freeing_what_is_not_allocated_is_noticed(void **state)
{
	struct rig rig;
	char *ptr;

	(void)state;
	set_up(&rig);
	ptr = udma_heap_alloc(&rig.heap, 1000, 64);
	assert_non_null(ptr);
	assert_int_equal(udma_heap_free(chunk_of(&rig, ptr), ptr + 1), -EINVAL);
	assert_int_equal(udma_heap_free(chunk_of(&rig, ptr), ptr + 64), -EINVAL);
	assert_int_equal(udma_heap_free(chunk_of(&rig, ptr), &rig), -EINVAL);
	assert_int_equal(udma_heap_free(chunk_of(&rig, ptr), ptr), 0);
	assert_int_equal(udma_heap_free(chunk_of(&rig, ptr), ptr), -EINVAL);
	assert_int_equal(udma_heap_size(chunk_of(&rig, ptr), ptr), 0);
	assert_true(udma_heap_check(&rig.heap));
	tear_down(&rig);
}

static void
a_block_grows_into_free_memory_behind_it_only(void **state)
{
	struct rig rig;
	struct udma_heap_chunk *chunk;
	char *low, *high;

	(void)state;
	set_up(&rig);
	low = udma_heap_alloc(&rig.heap, 128 * KiB, 64);
	chunk = chunk_of(&rig, low);
	high = udma_heap_alloc(&rig.heap, 64, 64);
	assert_ptr_equal(high, low + 128 * KiB);
	assert_false(udma_heap_resize(chunk, low, 128 * KiB + 1));
	assert_int_equal(udma_heap_size(chunk, low), 128 * KiB);
	assert_true(udma_heap_resize(chunk, low, 1));
	assert_true(udma_heap_check(&rig.heap));
	assert_true(udma_heap_resize(chunk, low, 128 * KiB));
	assert_int_equal(udma_heap_free(chunk, high), 0);
	assert_true(udma_heap_resize(chunk, low, chunk->len));
	assert_int_equal(chunk->used, chunk->len);
	assert_false(udma_heap_resize(chunk, low, chunk->len + 1));
	assert_true(udma_heap_check(&rig.heap));
	assert_int_equal(udma_heap_free(chunk, low), 0);
	tear_down(&rig);
}

static void
a_withdrawn_chunk_is_not_used(void **state)
{
	struct rig rig;

	(void)state;
	set_up(&rig);
	udma_heap_withdraw(rig.chunks[1]);
	assert_null(udma_heap_alloc(&rig.heap, 3 * MiB, 64));
	udma_heap_offer(rig.chunks[1]);
	assert_non_null(udma_heap_alloc(&rig.heap, 3 * MiB, 64));
	assert_int_equal(rig.chunks[1]->used, 3 * MiB);
	udma_heap_withdraw(rig.chunks[0]);
	tear_down(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(every_alignment_up_to_1_gib),
		cmocka_unit_test(a_chunk_of_the_length_computed_serves_the_request),
		cmocka_unit_test(sizes_that_no_chunk_has_are_refused),
		cmocka_unit_test(freeing_what_is_not_allocated_is_noticed),
		cmocka_unit_test(a_block_grows_into_free_memory_behind_it_only),
		cmocka_unit_test(a_withdrawn_chunk_is_not_used),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
