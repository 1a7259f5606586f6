/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers that serve few requests at once, caches that fetch all, and files that never come whole:
 * how long a download takes, what it costs them, and that none is blamed who is not to blame. */
#include "simulation.h"

#include "base/macros.h"

#define PIECES 64u

static uint64_t alone_ms(const struct sim *sim)
{
	return sim->manifest.size / sim->sources[0].bytes_per_ms;
}

/* At most a quarter more than one request for everything takes, and nobody is blamed. */
static void test_limits(void **state)
{
	static const struct {
		unsigned at_once;
		uint64_t apart_ms;
		unsigned busy; /* refused, at most */
		enum request_outcome with;
	} rows[] = {
		{1, 0, 8, REQUEST_BUSY}, /* limit_conn */
		{2, 0, 8, REQUEST_BUSY},
		{3, 0, 8, REQUEST_BUSY},
		{1, 0, 8, REQUEST_UNREACHED}, /* further connections are refused */
		{2, 0, 8, REQUEST_UNREACHED},
		{1, 0, 8, REQUEST_ERROR}, /* limit_conn_status 509, for example */
		{2, 0, 8, REQUEST_ERROR},
		{1, 0, 8, REQUEST_CUT},     /* closed without a word: nginx's 444 */
		{0, 200, 40, REQUEST_BUSY}, /* limit_req, 5 a second */
		{0, 200, 40, REQUEST_CUT},
		{0, 500, 40, REQUEST_BUSY}, /* 2 a second */
		{0, 500, 40, REQUEST_CUT},
		{1, 500, 40, REQUEST_BUSY},  /* both */
		{0, 2000, 40, REQUEST_BUSY}, /* few a minute */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source s = sim_good;
		struct sim *sim;
		uint64_t began_ms;

		s.bytes_per_ms = 200; /* 21 s */
		s.at_once = rows[i].at_once;
		s.apart_ms = rows[i].apart_ms;
		s.refuses_with = rows[i].with;
		sim = sim_with(&s, NULL);
		began_ms = sim->now_ms;
		if (sim_run(sim, UINT64_MAX) != ENGINE_COMPLETE ||
		    sim->now_ms - began_ms > alone_ms(sim) * 5 / 4)
			fail_msg("row %u: %s, %llu ms", i, sim->engine.sources[0].reason,
				 (unsigned long long)(sim->now_ms - began_ms));
		if (sim->n_busy[0] > rows[i].busy)
			fail_msg("row %u: refused %u times", i, sim->n_busy[0]);
		assert_int_equal(sim->engine.sources[0].failures, 0);
		assert_int_equal(sim->n_discoveries, 1);
		sim_free(sim);
	}
}

/* The limited one is the better one: the other is not asked. */
static void test_limited_beside_another(void **state)
{
	struct sim_source s = sim_good;
	struct sim *sim;

	(void)state;
	s.at_once = 1;
	s.bytes_per_ms = 200;
	sim = sim_with(&s, &sim_good);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[1], 0);
	assert_int_equal(sim->engine.sources[0].failures, 0);
	sim_free(sim);
}

/* More are asked for again when it serves more. */
static void test_limit_is_lifted(void **state)
{
	struct sim_source s = sim_good;
	struct sim *sim;
	unsigned most = 0;

	(void)state;
	s.at_once = 1;
	s.bytes_per_ms = 50; /* 84 s for one */
	sim = sim_with(&s, NULL);
	assert_false(sim_next(sim, sim->now_ms) && sim->engine.state == ENGINE_COMPLETE);
	while (sim->n_busy[0] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim->sources[0].at_once = 0;
	while (sim->engine.state != ENGINE_COMPLETE) {
		assert_true(sim_next(sim, UINT64_MAX));
		most = MAX(most, sim->engine.in_flight);
	}
	assert_int_equal(most, 4);
	sim_free(sim);
}

/* One that is out of order says 503 to everything: it is left, soon beside another. */
static void test_who_never_serves_is_left(void **state)
{
	struct sim_source s = sim_good;
	struct sim *sim;
	uint64_t began_ms;

	(void)state;
	s.apart_ms = UINT64_C(1) << 40;
	sim = sim_with(&s, &sim_good);
	while (sim->n_busy[0] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	began_ms = sim->now_ms;
	while (sim->n_requests_of[1] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_true(sim->now_ms - began_ms < 3000);
	assert_true(sim->n_requests_of[0] <= 16);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* The whole file is fetched once, and the source is not left, however long that takes. */
static void test_cache_that_fetches_all(void **state)
{
	static const struct {
		uint64_t bytes_per_ms;
		bool beside; /* another source */
	} rows[] = {{2000, false}, {500, false}, {50, false}, {2000, true}, {500, true}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source s = sim_good;
		struct sim *sim;
		uint64_t began_ms;

		s.fetches_all = true;
		s.bytes_per_ms = rows[i].bytes_per_ms;
		sim = sim_with(&s, rows[i].beside ? &sim_good : NULL);
		began_ms = sim->now_ms;
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		if (sim->n_fetches[0] != 1 || sim->engine.sources[0].failures > 0)
			fail_msg("row %u: fetched %u times", i, sim->n_fetches[0]);
		/* The model brings what the cache has no faster than that got it. */
		assert_true(sim->now_ms - began_ms <= 2 * alone_ms(sim) + 4000);
		sim_free(sim);
	}
}

/* How long it may be silent until it has fetched all. Beside another source a big image is not
 * waited for as long as without one; a small one is, as whoever gives up has it fetched again. */
static void test_patience_with_a_cache(void **state)
{
	static const struct {
		uint64_t mib;
		bool beside;
		uint64_t patience_s;
	} rows[] = {{32, false, 128}, {2048, false, 8192}, {1, true, 4},
		    {32, true, 120},  {120, true, 120},    {2048, true, 2048}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source s = sim_good;
		struct sim *sim;
		unsigned slot = 0;

		s.fetches_all = true;
		sim = sim_with(&s, rows[i].beside ? &sim_good : NULL);
		while (!sim->engine.sources[0].allowance.in_order || !sim->engine.slots[slot].used)
			if (slot + 1 < SLOTS_MAX && sim->engine.sources[0].allowance.in_order)
				slot++;
			else
				assert_true(sim_next(sim, UINT64_MAX));
		sim->engine.picker.size = rows[i].mib << 20;
		assert_int_equal(engine_patience_ms(&sim->engine, slot), rows[i].patience_s * 1000);
		sim_free(sim);
	}
}

/* A request whose packets are lost is as silent as one to such a cache, but who answers the next
 * one at once is none: several are asked for at once again. */
static void test_bad_line_is_no_cache(void **state)
{
	static const struct {
		unsigned late;
		uint64_t bytes_per_ms;
	} rows[] = {{5, 50}, {10, 50}, {10, 20}, {20, 20}, {5, 200}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source s = sim_good;
		struct sim *sim;
		uint64_t began_ms;

		s.late = rows[i].late;
		s.late_ms = 3500;
		s.bytes_per_ms = rows[i].bytes_per_ms;
		sim = sim_with(&s, NULL);
		began_ms = sim->now_ms;
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		if (sim->now_ms - began_ms > alone_ms(sim) * 3 / 4)
			fail_msg("row %u: %llu ms of %llu", i,
				 (unsigned long long)(sim->now_ms - began_ms),
				 (unsigned long long)alone_ms(sim));
		assert_int_equal(sim->engine.sources[0].failures, 0);
		sim_free(sim);
	}
}

/* Each reply ends at the same byte: progress once, then it is seen once more in this attempt, and
 * once in the next. */
static void test_whole_file_cut_at_the_same_byte(void **state)
{
	struct sim_source s = sim_good;
	struct sim *sim;

	(void)state;
	s.ignores_ranges = true;
	s.ends_at = 40 * SIM_PIECE_SIZE + 5 * SIM_UNIT;
	sim = sim_with(&s, NULL);
	while (sim->n_retries < 4)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.picker.n_verified, 40);
	assert_int_equal(sim->engine.bytes_fetched, 3 * s.ends_at);
	assert_int_equal(sim->engine.sources[0].state, SOURCE_EXCLUDED);
	assert_contains(sim->engine.sources[0].reason, "each reply ends after 2626560 of");
	sim_free(sim);
}

/* It comes a bit further each time: asked again and again. */
static void test_whole_file_with_progress(void **state)
{
	struct sim_source s = sim_good;
	struct sim *sim;

	(void)state;
	s.ignores_ranges = true;
	s.ends_at = 10 * SIM_PIECE_SIZE;
	s.ends_later = 10 * SIM_PIECE_SIZE;
	sim = sim_with(&s, NULL);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_discoveries, 1);
	assert_int_equal(sim->engine.sources[0].failures, 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limited_beside_another),
		cmocka_unit_test(test_limit_is_lifted),
		cmocka_unit_test(test_who_never_serves_is_left),
		cmocka_unit_test(test_cache_that_fetches_all),
		cmocka_unit_test(test_patience_with_a_cache),
		cmocka_unit_test(test_bad_line_is_no_cache),
		cmocka_unit_test(test_whole_file_cut_at_the_same_byte),
		cmocka_unit_test(test_whole_file_with_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
