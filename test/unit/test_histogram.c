/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"
#include "histogram.h"

#define COUNT 100000

/* What a value may be off by, as the tool's help promises: half a percent. */
#define LARGEST_ERROR 0.005

static const struct {
	unsigned parts, whole;
} quantiles[] = {{1, 100000}, {1, 4},      {1, 2},        {9, 10},
		 {99, 100},   {999, 1000}, {9999, 10000}, {1, 1}};

static uint64_t
random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state;
}

static int
compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

/* The definition: the smallest of the values that so many of them do not exceed. */
static uint64_t
exact(const uint64_t *sorted, size_t count, unsigned parts, unsigned whole)
{
	for (size_t i = 0; i < count; i++) {
		if ((double)(i + 1) * whole >= (double)count * parts) {
			return sorted[i];
		}
	}
	return 0;
}

/* Every quantile is what sorting all values gives, but for the error allowed. */
static void
assert_as_sorted(uint64_t *values, size_t count)
{
	static struct histogram histogram;

	memset(&histogram, 0, sizeof(histogram));
	for (size_t i = 0; i < count; i++) {
		histogram_add(&histogram, values[i]);
	}
	qsort(values, count, sizeof(*values), compare);
	assert_int_equal(histogram_count(&histogram), count);
	assert_true(histogram.max == values[count - 1]);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		unsigned parts = quantiles[i].parts, whole = quantiles[i].whole;
		double got = (double)histogram_quantile(&histogram, parts, whole);
		double want = (double)exact(values, count, parts, whole);
		double error = got > want ? got - want : want - got;

		if (error > want * LARGEST_ERROR) {
			fail_msg("%u in %u of %zu values: %.0f, sorting gives %.0f", parts, whole,
				 count, got, want);
		}
	}
}

static void
quantiles_are_those_of_the_sorted_values(void **state)
{
	static uint64_t values[COUNT];
	uint64_t random = 1;

	(void)state;
	/* Even, over some octaves, over all of them, and a few far away from the rest. */
	for (unsigned kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < COUNT; i++) {
			uint64_t next = random_next(&random);

			values[i] = kind == 0   ? next % 1000000
				    : kind == 1 ? next >> (40 + next % 20)
				    : kind == 2
					    ? next >> next % 64
					    : 5000 + next % 100 + (i % 997 == 0 ? next >> 20 : 0);
		}
		assert_as_sorted(values, COUNT);
	}
}

static void
few_values_will_do(void **state)
{
	uint64_t one[] = {123456789}, two[] = {1000, 7}, same[] = {77, 77, 77, 77, 77};
	uint64_t extremes[] = {0, UINT64_MAX, 1, UINT64_MAX / 2, UINT64_MAX / 2 + 1};

	(void)state;
	assert_as_sorted(one, 1);
	assert_as_sorted(two, 2);
	assert_as_sorted(same, 5);
	assert_as_sorted(extremes, 5);
}

static void
small_values_are_exact(void **state)
{
	static struct histogram histogram;

	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	for (uint64_t value = 1; value <= 200; value++) {
		histogram_add(&histogram, value);
	}
	for (unsigned parts = 1; parts <= 200; parts++) {
		assert_int_equal(histogram_quantile(&histogram, parts, 200), parts);
	}
}

/* Neighbouring buckets hold neighbouring values, each power of two as well as what is beside it. */
static void
buckets_leave_nothing_out(void **state)
{
	unsigned last = 0;

	(void)state;
	for (unsigned shift = 0; shift < 64; shift++) {
		uint64_t power = (uint64_t)1 << shift;

		for (uint64_t value = power - (shift > 0); value <= power + 1; value++) {
			unsigned bucket = histogram_bucket(value);

			assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
			assert_true(bucket >= last || value < 4);
			last = bucket;
		}
	}
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void
quantiles_rise_and_end_at_the_largest(void **state)
{
	static struct histogram histogram;
	uint64_t random = 3, last = 0;

	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	for (unsigned i = 0; i < 1000; i++) {
		histogram_add(&histogram, random_next(&random) >> 30);
	}
	for (unsigned parts = 1; parts <= 10000; parts++) {
		uint64_t value = histogram_quantile(&histogram, parts, 10000);

		assert_true(value >= last && value <= histogram.max);
		last = value;
	}
}

static void
two_are_put_together(void **state)
{
	static struct histogram first, second;

	(void)state;
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	for (unsigned i = 0; i < 90; i++) {
		histogram_add(&first, 10);
	}
	for (unsigned i = 0; i < 10; i++) {
		histogram_add(&second, 100);
	}
	histogram_merge(&first, &second);
	assert_int_equal(histogram_count(&first), 100);
	assert_int_equal(histogram_quantile(&first, 90, 100), 10);
	assert_int_equal(histogram_quantile(&first, 91, 100), 100);
	assert_int_equal(first.max, 100);
}

static void
an_empty_one_has_no_values(void **state)
{
	static const struct histogram empty;

	(void)state;
	assert_int_equal(histogram_count(&empty), 0);
	assert_int_equal(histogram_quantile(&empty, 1, 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
		cmocka_unit_test(few_values_will_do),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(buckets_leave_nothing_out),
		cmocka_unit_test(quantiles_rise_and_end_at_the_largest),
		cmocka_unit_test(two_are_put_together),
		cmocka_unit_test(an_empty_one_has_no_values),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
