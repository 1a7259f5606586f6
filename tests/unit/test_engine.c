/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine, a table row at a time: attempts and time, retries, and what an operator does. */
#include "simulation.h"

#include "base/macros.h"

#define S UINT64_C(1000)

/* The manual's examples, and what lies between them. Nobody ever answers. */
static void test_attempts_and_timeout(void **state)
{
	static const struct {
		const char *name;
		uint32_t attempts;
		uint64_t timeout_s; /* 0 = disabled */
		uint64_t run_s;
		enum engine_state end;
		uint32_t attempts_made; /* 0 = as many as there was time for */
		const char *error;
	} rows[] = {
		{"attempts 10, timeout on", 10, 10800, 1000000, ENGINE_FAILED, 0, ""},
		{"attempts 10, a long timeout", 10, 604800, 1000000, ENGINE_FAILED, 10,
		 "s0: as the"},
		{"attempts 50, timeout off", 50, 0, 1000000, ENGINE_FAILED, 50, "s0: as the"},
		{"attempts 0, timeout on", 0, 10800, 1000000, ENGINE_FAILED, 0, "timeout"},
		{"attempts 0, timeout off", 0, 0, 1000000, ENGINE_WAITING_RETRY, 0, "s0: as the"},
		{"attempts 1, timeout on", 1, 10800, 1000000, ENGINE_FAILED, 1, "s0: as the"},
		{"attempts 65535, a short timeout", 65535, 1800, 1000000, ENGINE_FAILED, 0,
		 "timeout"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct engine_limits limits = sim_limits();
		struct sim *sim;
		uint64_t begin;
		enum engine_state end;

		limits.attempts = rows[i].attempts;
		limits.timeout_ms = rows[i].timeout_s * S;
		sim = sim_new(&limits, 8);
		begin = sim->now_ms;
		sim_add_source(sim, &sim_dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, EVENT_RUN);
		end = sim_run(sim, begin + rows[i].run_s * S);
		if (end != rows[i].end)
			fail_msg("%s: %s", rows[i].name, engine_state_name(end));
		if (rows[i].attempts_made)
			assert_int_equal(sim->engine.attempt, rows[i].attempts_made);
		assert_contains(sim->engine.error, rows[i].error);
		if (strcmp(rows[i].error, "timeout") == 0)
			assert_int_equal(sim->now_ms - begin, rows[i].timeout_s * S);
		if (rows[i].timeout_s)
			assert_true(sim->now_ms - begin <= rows[i].timeout_s * S);
		if (!engine_state_is_ended(end)) {
			assert_int_equal(sim->now_ms, begin + rows[i].run_s * S);
			assert_true(engine_next_wake(&sim->engine) != ENGINE_NEVER);
			assert_true(sim->engine.attempt > 1000000 / 3600);
		}
		sim_free(sim);
	}
}

static void test_retry_delays(void **state)
{
	static const uint64_t expected_s[] = {30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
	struct engine_limits limits = sim_limits();
	bool differs = false;

	(void)state;
	limits.attempts = 0;
	limits.timeout_ms = 0;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct sim *sim = malloc(sizeof(*sim));

		assert_non_null(sim);
		sim_init(sim, &limits, 8, seed * 7919);
		sim_add_source(sim, &sim_dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, EVENT_RUN);
		(void)sim_run(sim, sim->now_ms + 20000 * S);
		assert_true(sim->n_retries >= N_ELEMENTS(expected_s));
		for (unsigned i = 0; i < N_ELEMENTS(expected_s); i++) {
			assert_true(sim->retry_delay_ms[i] <= expected_s[i] * S);
			assert_true(sim->retry_delay_ms[i] >= expected_s[i] * S * 9 / 10);
			differs |= sim->retry_delay_ms[i] != expected_s[i] * S;
		}
		sim_free(sim);
	}
	assert_true(differs);
}

/* Other limits: the delay is capped by the maximum, also when it is less than the initial one. */
static void test_retry_delay_limits(void **state)
{
	static const struct {
		uint64_t initial_s, maximum_s;
		uint64_t expected_ms[4];
	} rows[] = {
		{0, 3600, {1000, 1000, 1000, 1000}}, /* never a storm */
		{10, 0, {1000, 1000, 1000, 1000}},
		{100, 150, {100000, 150000, 150000, 150000}},
		{3600, 86400, {3600000, 7200000, 14400000, 28800000}},
		{100, 50, {50000, 50000, 50000, 50000}},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct engine_limits limits = sim_limits();
		struct sim *sim;

		limits.attempts = 0;
		limits.timeout_ms = 0;
		limits.initial_retry_delay_ms = rows[i].initial_s * S;
		limits.maximum_retry_delay_ms = rows[i].maximum_s * S;
		sim = sim_new(&limits, 8);
		sim_add_source(sim, &sim_dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, EVENT_RUN);
		(void)sim_run(sim, sim->now_ms + 100000 * S);
		for (unsigned n = 0; n < 4; n++) {
			assert_true(sim->retry_delay_ms[n] <= rows[i].expected_ms[n]);
			assert_true(sim->retry_delay_ms[n] >= rows[i].expected_ms[n] * 9 / 10);
		}
		sim_free(sim);
	}
}

static void test_happy_path(void **state)
{
	static const enum engine_state expected[] = {ENGINE_DISCOVERING, ENGINE_DOWNLOADING,
						     ENGINE_FINISHING, ENGINE_COMPLETE};
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_states, N_ELEMENTS(expected));
	assert_memory_equal(sim->states, expected, sizeof(expected));
	assert_int_equal(sim->bytes_asked, sim->manifest.size);
	assert_true(sim->n_requests <= 64 + 10);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	sim_free(sim);
}

static void test_pause_counts_no_time(void **state)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim;
	uint64_t begin;

	(void)state;
	limits.attempts = 0;
	limits.timeout_ms = 1800 * S;
	sim = sim_new(&limits, 64);
	sim_add_source(sim, &sim_dead, SOURCE_ARTIFACTORY);
	begin = sim->now_ms;
	sim->now_ms += 5000 * S; /* queued */
	sim_tell(sim, EVENT_RUN);
	(void)sim_run(sim, begin + 5600 * S);
	sim_tell(sim, EVENT_PAUSE);
	assert_int_equal(engine_next_wake(&sim->engine), ENGINE_NEVER);
	sim->now_ms += 100000 * S;
	sim_tell(sim, EVENT_RESUME);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_FAILED);
	assert_int_equal(sim->now_ms, begin + (5000 + 100000 + 1800) * S);
	sim_free(sim);
}

static void test_pause_stops_and_resume_goes_on(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_PAUSE);
	while (sim->engine.in_flight > 0)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	sim_tell(sim, EVENT_RESUME);
	assert_int_equal(sim->engine.state, ENGINE_QUEUED);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size);
	sim_free(sim);
}

/* Resumed before the cancelled requests have ended: the list of sources waits for them. */
static void test_pause_and_resume_at_once(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	for (unsigned i = 0; i < 5; i++) {
		sim_tell(sim, EVENT_PAUSE);
		sim_tell(sim, EVENT_RESUME);
		sim_tell(sim, EVENT_RUN);
	}
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* What a job reports late changes nothing any more. */
static void test_finished_after_the_end(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	while (sim->engine.state != ENGINE_FINISHING)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_CANCEL);
	assert_true(sim_next(sim, UINT64_MAX)); /* EVENT_FINISHED */
	assert_int_equal(sim->engine.state, ENGINE_CANCELLED);
	sim_free(sim);
}

static void test_restart_of_an_ended_one(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_CANCEL);
	while (sim->engine.in_flight > 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_RESTART);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.attempt, 1);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size);
	sim_free(sim);
}

static void test_local_errors(void **state)
{
	static const struct {
		bool fatal;
		enum engine_state end;
	} rows[] = {{false, ENGINE_PAUSED}, {true, ENGINE_FAILED}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim *sim = sim_with(&sim_good, NULL);
		struct engine_actions actions;
		struct engine_event event = {.type = EVENT_LOCAL_ERROR,
					     .reason = "the disk is full",
					     .local_error.fatal = rows[i].fatal};

		while (sim->engine.picker.n_verified < 5)
			assert_true(sim_next(sim, UINT64_MAX));
		engine_step(&sim->engine, &event, sim->now_ms, &actions);
		assert_int_equal(sim->engine.state, rows[i].end);
		assert_string_equal(sim->engine.error, "the disk is full");
		assert_int_equal(sim->engine.sources[0].failures, 0);
		sim_free(sim);
	}
}

/* What of the last writes is on disk, only the disk knows: the pieces that its journal does not
 * have are fetched again. */
static void test_after_a_local_error_the_disk_is_asked(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);
	unsigned before = 0;

	(void)state;
	while (sim->engine.picker.n_verified < 40)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, EVENT_LOCAL_ERROR);
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	sim_tell(sim, EVENT_RESUME);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.disk, DISK_OPENING);
	while (sim->engine.disk == DISK_OPENING) {
		before = sim->engine.picker.n_verified;
		assert_true(sim_next(sim, UINT64_MAX));
	}
	assert_true(sim->engine.picker.n_verified < before);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* What was written was changed under us: that piece is fetched again, and nobody is blamed. A disk
 * that does so again is the operator's to look at. */
static void test_damage_of_what_was_written(void **state)
{
	static const struct {
		unsigned damages;
		enum engine_state end;
		uint64_t fetched_again;
	} rows[] = {{1, ENGINE_COMPLETE, SIM_PIECE_SIZE}, {2, ENGINE_PAUSED, SIM_PIECE_SIZE}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim *sim = sim_with(&sim_good, NULL);

		sim->damages = rows[i].damages;
		while (sim->engine.state != ENGINE_COMPLETE && sim->engine.state != ENGINE_PAUSED)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_int_equal(sim->engine.state, rows[i].end);
		assert_int_equal(sim->engine.sources[0].failures, 0);
		assert_int_equal(sim->engine.bytes_fetched,
				 sim->manifest.size + rows[i].fetched_again);
		if (rows[i].end == ENGINE_PAUSED) {
			assert_string_equal(sim->engine.error, "changed after it was written");
			sim_tell(sim, EVENT_RESUME);
			sim_tell(sim, EVENT_RUN);
			assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		}
		sim_free(sim);
	}
}

static void test_daemon_is_killed(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);
	uint32_t attempt;

	(void)state;
	while (sim->engine.picker.n_verified < 30)
		assert_true(sim_next(sim, UINT64_MAX));
	attempt = sim->engine.attempt;
	sim_restart_daemon(sim);
	assert_int_equal(sim->engine.attempt, attempt);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* The next attempt waits until the disk knows of it: no kill gives one away for nothing. */
static void test_attempts_are_counted_before_they_begin(void **state)
{
	struct sim *sim = sim_with(&sim_dead, NULL);
	struct engine_event recorded = {.type = EVENT_RECORDED, .recorded.attempt = 1};
	struct engine_actions actions;

	(void)state;
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.attempt, 2);
	sim->now_ms += 31 * S;
	engine_step(&sim->engine, &(struct engine_event){.type = EVENT_TICK}, sim->now_ms,
		    &actions);
	engine_step(&sim->engine, &recorded, sim->now_ms, &actions); /* of before */
	assert_int_equal(sim->engine.state, ENGINE_WAITING_RETRY);
	recorded.recorded.attempt = 2;
	engine_step(&sim->engine, &recorded, sim->now_ms, &actions);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	sim_free(sim);
}

/* However often it is killed or paused while it waits, it has no more attempts than it may. */
static void test_attempts_survive(void **state)
{
	(void)state;
	for (unsigned paused = 0; paused <= 1; paused++) {
		struct sim *sim = sim_with(&sim_dead, NULL);

		while (!engine_state_is_ended(sim->engine.state)) {
			while (!engine_state_is_ended(sim->engine.state) &&
			       (sim->engine.state != ENGINE_WAITING_RETRY ||
				sim->recorded_attempt != sim->engine.attempt))
				assert_true(sim_next(sim, UINT64_MAX));
			if (engine_state_is_ended(sim->engine.state))
				break;
			if (!paused) {
				sim_restart_daemon(sim);
				continue;
			}
			sim_tell(sim, EVENT_PAUSE);
			sim_tell(sim, EVENT_RESUME);
			sim_tell(sim, EVENT_RUN);
		}
		assert_int_equal(sim->engine.state, ENGINE_FAILED);
		assert_int_equal(sim->n_discoveries, 10);
		sim_free(sim);
	}
}

static void test_names_of_states(void **state)
{
	enum engine_state found;

	(void)state;
	for (int i = ENGINE_QUEUED; i <= ENGINE_FAILED; i++) {
		assert_true(
			engine_state_from_name(engine_state_name((enum engine_state)i), &found));
		assert_int_equal(found, i);
	}
	assert_false(engine_state_from_name("nonsense", &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts_and_timeout),
		cmocka_unit_test(test_retry_delays),
		cmocka_unit_test(test_retry_delay_limits),
		cmocka_unit_test(test_happy_path),
		cmocka_unit_test(test_pause_counts_no_time),
		cmocka_unit_test(test_pause_stops_and_resume_goes_on),
		cmocka_unit_test(test_pause_and_resume_at_once),
		cmocka_unit_test(test_finished_after_the_end),
		cmocka_unit_test(test_restart_of_an_ended_one),
		cmocka_unit_test(test_local_errors),
		cmocka_unit_test(test_after_a_local_error_the_disk_is_asked),
		cmocka_unit_test(test_damage_of_what_was_written),
		cmocka_unit_test(test_daemon_is_killed),
		cmocka_unit_test(test_attempts_are_counted_before_they_begin),
		cmocka_unit_test(test_attempts_survive),
		cmocka_unit_test(test_names_of_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
