/* SPDX-License-Identifier: BSD-3-Clause */

#include "memory_test.h"

static const enum spdk_ring_type types[] = {SPDK_RING_TYPE_SP_SC, SPDK_RING_TYPE_MP_SC,
					    SPDK_RING_TYPE_MP_MC};

static void
a_ring_holds_what_it_was_made_for(void **state)
{
	static const size_t counts[] = {1, 2, 7, 8, 9, 64};
	void *objs[65];
	size_t room;

	(void)state;
	for (unsigned i = 0; i < 3 * 6; i++) {
		size_t count = counts[i / 3];
		struct spdk_ring *ring =
			spdk_ring_create(types[i % 3], count, SPDK_ENV_NUMA_ID_ANY);

		assert_non_null(ring);
		assert_int_equal(spdk_ring_count(ring), 0);
		assert_int_equal(spdk_ring_dequeue(ring, objs, count), 0);
		for (uintptr_t k = 0; k <= count; k++) {
			objs[k] = (void *)(k + 1);
		}
		assert_int_equal(spdk_ring_enqueue(ring, objs, count + 1, &room), 0);
		assert_int_equal(room, count);
		assert_int_equal(spdk_ring_enqueue(ring, objs, count, &room), count);
		assert_int_equal(room, 0);
		assert_int_equal(spdk_ring_count(ring), count);
		assert_int_equal(spdk_ring_enqueue(ring, objs, 1, NULL), 0);
		memset(objs, 0, sizeof(objs));
		assert_int_equal(spdk_ring_dequeue(ring, objs, count + 1), count);
		for (uintptr_t k = 0; k < count; k++) {
			assert_ptr_equal(objs[k], (void *)(k + 1));
		}
		assert_int_equal(spdk_ring_count(ring), 0);
		spdk_ring_free(ring);
	}
	spdk_ring_free(NULL);
}

static void
order_is_kept_around_the_end(void **state)
{
	struct spdk_ring *ring = spdk_ring_create(SPDK_RING_TYPE_SP_SC, 13, SPDK_ENV_NUMA_ID_ANY);
	uintptr_t in = 0, out = 0;
	void *objs[16];

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		size_t want = round * 7 % 11, count;

		for (size_t i = 0; i < want; i++) {
			objs[i] = (void *)(in + i);
		}
		in += spdk_ring_enqueue(ring, objs, want, NULL);
		count = spdk_ring_dequeue(ring, objs, round * 5 % 9);
		for (size_t i = 0; i < count; i++) {
			assert_ptr_equal(objs[i], (void *)out);
			out++;
		}
		assert_int_equal(spdk_ring_count(ring), in - out);
	}
	assert_true(out > 1000);
	spdk_ring_free(ring);
}

static void
an_empty_or_endless_ring_is_refused(void **state)
{
	(void)state;
	assert_null(spdk_ring_create(SPDK_RING_TYPE_MP_MC, 0, SPDK_ENV_NUMA_ID_ANY));
	assert_null(spdk_ring_create(SPDK_RING_TYPE_MP_MC, (size_t)1 << 32, SPDK_ENV_NUMA_ID_ANY));
	assert_null(spdk_ring_create((enum spdk_ring_type)3, 8, SPDK_ENV_NUMA_ID_ANY));
}

/* ---- Threads ---------------------------------------------------------------------------- */

#define EACH ((uintptr_t)20000)

struct traffic {
	struct spdk_ring *ring;
	unsigned producers;
	uintptr_t next_producer;
	uintptr_t taken; /* by all consumers */
	uintptr_t sum;
	unsigned disorder;
};

static void *
produce(void *arg)
{
	struct traffic *traffic = arg;
	uintptr_t id = __atomic_fetch_add(&traffic->next_producer, 1, __ATOMIC_RELAXED);

	for (uintptr_t i = 1; i <= EACH;) {
		void *objs[2] = {(void *)(id << 32 | i), (void *)(id << 32 | (i + 1))};

		if (spdk_ring_enqueue(traffic->ring, objs, 2, NULL) == 2) {
			i += 2;
		} else {
			sched_yield();
		}
	}
	return NULL;
}

static void *
consume(void *arg)
{
	struct traffic *traffic = arg;
	uintptr_t last[4] = {0}, sum = 0;
	unsigned disorder = 0;

	while (__atomic_load_n(&traffic->taken, __ATOMIC_RELAXED) < traffic->producers * EACH) {
		void *objs[5];
		size_t count = spdk_ring_dequeue(traffic->ring, objs, 5);

		for (size_t i = 0; i < count; i++) {
			uintptr_t producer = (uintptr_t)objs[i] >> 32;
			uintptr_t value = (uintptr_t)objs[i] & UINT32_MAX;

			disorder += value <= last[producer];
			last[producer] = value;
			sum += value;
		}
		if (count == 0) {
			sched_yield();
		}
		__atomic_fetch_add(&traffic->taken, count, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&traffic->sum, sum, __ATOMIC_RELAXED);
	__atomic_fetch_add(&traffic->disorder, disorder, __ATOMIC_RELAXED);
	return NULL;
}

static void
run_traffic(enum spdk_ring_type type, unsigned producers, unsigned consumers)
{
	struct traffic traffic = {.producers = producers};
	pthread_t threads[6];

	traffic.ring = spdk_ring_create(type, 64, SPDK_ENV_NUMA_ID_ANY);
	assert_non_null(traffic.ring);
	for (unsigned i = 0; i < producers + consumers; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < producers ? produce : consume, &traffic),
				 0);
	}
	for (unsigned i = 0; i < producers + consumers; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(traffic.taken, producers * EACH);
	assert_int_equal(traffic.sum, producers * (EACH * (EACH + 1) / 2));
	assert_int_equal(traffic.disorder, 0);
	spdk_ring_free(traffic.ring);
}

static void
nothing_is_lost_between_threads(void **state)
{
	(void)state;
	run_traffic(SPDK_RING_TYPE_SP_SC, 1, 1);
	run_traffic(SPDK_RING_TYPE_MP_SC, 3, 1);
	run_traffic(SPDK_RING_TYPE_MP_MC, 3, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_holds_what_it_was_made_for),
		cmocka_unit_test(order_is_kept_around_the_end),
		cmocka_unit_test(an_empty_or_endless_ring_is_refused),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
