/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many turns at once, and how many a second. */
#include "support.h"

#include "base/macros.h"
#include "conductor/enrolment/pace.h"

static void test_at_once(void **state)
{
	static const struct {
		uint64_t took_ms; /* 0 = it began slowly */
		uint32_t round_trip_ms;
		bool failed;
		unsigned times;
		uint32_t at_once;
	} rows[] = {
		{100, 0, false, 1, 9},     /* quick: one more */
		{1000, 0, false, 3, 12},   /* still */
		{1001, 0, false, 5, 12},   /* neither */
		{2499, 0, false, 5, 12},   /* neither */
		{2500, 0, false, 1, 10},   /* slow: an eighth fewer */
		{5800, 600, false, 1, 11}, /* by a satellite, and quick */
		{7300, 600, false, 1, 9},  /* and slow */
		{10000, 0, true, 1, 6},    /* out of time: a quarter fewer */
		{0, 0, false, 1, 5},        {10000, 0, true, 50, 2}, /* never fewer */
		{30, 900, false, 1000, 64},                          /* never more */
	};
	struct pace p;

	(void)state;
	pace_init(&p, 2, 8, 64, 32);
	assert_int_equal(p.at_once, 8);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		for (unsigned n = 0; n < rows[i].times; n++)
			if (rows[i].took_ms == 0)
				pace_begins_slowly(&p);
			else if (rows[i].failed)
				pace_failed(&p, rows[i].took_ms);
			else
				pace_through(&p, rows[i].took_ms, rows[i].round_trip_ms);
		if (p.at_once != rows[i].at_once)
			fail_msg("row %u: %u at once", i, p.at_once);
	}
	pace_init(&p, 2, 8, 1, 32); /* one place */
	assert_int_equal(p.at_once, 1);
	pace_failed(&p, 10000);
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
	assert_int_equal(pace_stalled_ms(&p), 2000); /* nobody has shown yet how long it takes */
	for (unsigned i = 0; i < 30; i++)
		pace_through(&p, 100, 0);
	assert_int_equal(pace_stalled_ms(&p), PACE_STALLED_MS);
	for (unsigned i = 0; i < 30; i++)
		pace_through(&p, 3000, 0); /* a machine that is slow */
	assert_in_range(pace_stalled_ms(&p), 11000, 12000);
	for (unsigned i = 0; i < 60; i++)
		pace_failed(&p, 600000);
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
