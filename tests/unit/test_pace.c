/* How many turns at once, and how many a second. */
#include "support.h"

#include "core/macros.h"
#include "onboarding/conductor/pace.h"

static void test_at_once(void **state)
{
	static const struct {
		uint64_t at_least_ms, at_most_ms;
		unsigned times;
		uint32_t at_once;
	} rows[] = {
		{10, 30, 1, 9},          /* quick: one more */
		{100, 150, 3, 12},       /* still */
		{140, 151, 5, 12},       /* it may have been more: neither */
		{399, 1000, 5, 12},      /* it may have been less: neither */
		{400, 420, 1, 10},       /* slow: an eighth fewer */
		{400, UINT64_MAX, 1, 8}, /* and it is not over */
		{9000, 9000, 1, 7},      /* the same, however slow */
		{9000, 9000, 50, 2},     /* never fewer */
		{0, 20, 1000, 64},       /* never more */
	};
	struct pace p;

	(void)state;
	pace_init(&p, 2, 8, 64, 32);
	assert_int_equal(p.at_once, 8);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		for (unsigned n = 0; n < rows[i].times; n++)
			pace_started(&p, rows[i].at_least_ms, rows[i].at_most_ms);
		if (p.at_once != rows[i].at_once)
			fail_msg("row %u: %u at once", i, p.at_once);
	}
	pace_init(&p, 2, 8, 1, 32); /* one place */
	assert_int_equal(p.at_once, 1);
	pace_started(&p, 9000, 9000);
	assert_int_equal(p.at_once, 1);
}

static void test_per_second(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 2, 8, 64, 32);
	pace_measure(&p, true, 1000000);
	pace_measure(&p, true, 1000000);
	for (unsigned i = 0; i < 30; i++)
		pace_count(&p);
	pace_measure(&p, true, 1000000 + PACE_WINDOW_MS - 1);
	assert_int_equal(p.per_s, 0); /* of the first window, which began long ago */
	pace_measure(&p, true, 1000000 + PACE_WINDOW_MS);
	assert_int_equal(p.per_s, 15);
	pace_measure(&p, true, 1000000 + 2 * PACE_WINDOW_MS); /* none at all */
	assert_int_equal(p.per_s, 0);
	pace_measure(&p, false, 1000000 + 2 * PACE_WINDOW_MS + 1); /* nobody waits */
	assert_int_equal(p.per_s, 32);
}

static void test_stalled(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 2, 8, 64, 32);
	assert_int_equal(pace_stalled_ms(&p), 5000); /* nobody has shown yet how long it takes */
	for (unsigned i = 0; i < 30; i++)
		pace_through(&p, 100);
	assert_int_equal(pace_stalled_ms(&p), PACE_STALLED_MS);
	for (unsigned i = 0; i < 30; i++)
		pace_through(&p, 3000); /* a machine that is slow */
	assert_in_range(pace_stalled_ms(&p), 11000, 12000);
	for (unsigned i = 0; i < 60; i++)
		pace_through(&p, 600000);
	assert_int_equal(pace_stalled_ms(&p), PACE_STALLED_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_per_second),
		cmocka_unit_test(test_stalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
