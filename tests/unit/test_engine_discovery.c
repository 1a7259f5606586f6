/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom the sources' answers make a source, and when they are asked anew. */
#include "simulation.h"

#include "base/macros.h"

static void test_different_manifest(void **state)
{
	struct sim_source other = sim_good;
	struct sim *sim;

	(void)state;
	other.other_image = true;
	sim = sim_with(&sim_good, &other);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.sources[1].state, SOURCE_EXCLUDED);
	assert_string_equal(sim->engine.sources[1].reason, "different manifest");
	assert_int_equal(sim->n_requests_of[1], 0);
	sim_free(sim);
}

/* Asked all at once: the better one gets two seconds more, the worse none. */
static void test_slow_answers(void **state)
{
	static const struct {
		uint64_t first_ms, second_ms, begins_ms;
		const char *active;
	} rows[] = {
		{50, 10000, 50, "s0"},
		{10000, 50, 2050, "s1"},
		{1500, 50, 1500, "s0"},
		{50, 50, 50, "s0"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source first = sim_good;
		struct sim_source second = sim_good;
		struct sim *sim;
		uint64_t begin;

		first.answer_ms = rows[i].first_ms;
		second.answer_ms = rows[i].second_ms;
		sim = sim_with(&first, &second);
		begin = sim->now_ms;
		while (sim->n_requests == 0)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_string_equal(sim->engine.sources[sim->engine.active].name, rows[i].active);
		assert_true(sim->now_ms - begin >= rows[i].begins_ms);
		assert_true(sim->now_ms - begin <= rows[i].begins_ms + 20);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		sim_free(sim);
	}
}

/* The first source fails at its first request: the second, which has not answered yet, is preferred
 * to the third, but only for half a second. */
static void test_failover_right_after_discovery(void **state)
{
	static const struct {
		uint64_t second_ms;
		int active;
		uint64_t by_ms; /* after discovery began */
	} rows[] = {
		{50, 1, 200},
		{400, 1, 450},
		{3000, 2, 550},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source refusing = sim_good;
		struct sim_source second = sim_good;
		struct engine_limits limits = sim_limits();
		struct sim *sim = sim_new(&limits, 64);
		uint64_t begin = sim->now_ms;

		refusing.refuses = 100;
		second.answer_ms = rows[i].second_ms;
		sim_add_source(sim, &refusing, SOURCE_ARTIFACTORY);
		sim_add_source(sim, &second, SOURCE_ARTIFACTORY);
		sim_add_source(sim, &sim_good, SOURCE_ARTIFACTORY);
		sim_tell(sim, EVENT_RUN);
		while (sim->n_requests < 2)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_int_equal(sim->engine.active, rows[i].active);
		assert_true(sim->now_ms - begin <= rows[i].by_ms);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		sim_free(sim);
	}
}

static bool entered(const struct sim *sim, enum engine_state state)
{
	for (unsigned i = 0; i < sim->n_states; i++)
		if (sim->states[i] == state)
			return true;
	return false;
}

/* A source must not be asked any more: all are asked anew, at once and in the same attempt. */
static void test_sources_forbidden(void **state)
{
	struct sim *sim = sim_with(&sim_good, &sim_good);

	(void)state;
	while (sim->engine.picker.n_verified < 8)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_SOURCES_FORBIDDEN);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_discoveries, 2);
	assert_int_equal(sim->engine.attempt, 1);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	assert_false(entered(sim, ENGINE_PAUSED));
	sim_free(sim);
}

/* It is told while the disk makes room for what a source has that is not asked any more. */
static void test_sources_forbidden_while_preparing(void **state)
{
	struct sim *sim = sim_with(&sim_good, &sim_good);

	(void)state;
	while (sim->engine.disk != DISK_PREPARING)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_SOURCES_FORBIDDEN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_discoveries, 2);
	sim_free(sim);
}

/* Likewise an order to pause and to go on; one source never answers the first time. */
static void test_paused_while_preparing(void **state)
{
	struct sim_source silent = sim_good;
	struct sim *sim;

	(void)state;
	silent.answer_ms = UINT32_MAX;
	sim = sim_with(&sim_good, &silent);
	while (sim->engine.disk != DISK_PREPARING)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_PAUSE);
	sim_tell(sim, EVENT_RESUME);
	sim->sources[1] = sim_dead;
	sim->sources[0] = sim_failing;
	sim_tell(sim, EVENT_RUN);
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, sim->now_ms + 3600000));
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_different_manifest),
		cmocka_unit_test(test_slow_answers),
		cmocka_unit_test(test_failover_right_after_discovery),
		cmocka_unit_test(test_sources_forbidden),
		cmocka_unit_test(test_sources_forbidden_while_preparing),
		cmocka_unit_test(test_paused_while_preparing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
