/* The engine, a table row at a time: attempts and time, failover, retries, and what an operator
 * does. */
#include "simulation.h"

#include "core/macros.h"
#include "download/piece_map.h"

#define S UINT64_C(1000)

static const struct sim_source good = {
	.answer = ANSWER_HAS_VERSION, .answer_ms = 50, .bytes_per_ms = 64};
static const struct sim_source dead = {.answer = ANSWER_FAILED, .answer_ms = 50};
static const struct sim_source failing = {
	.answer = ANSWER_HAS_VERSION, .answer_ms = 50, .fails = 100, .bytes_per_ms = 64};

static struct sim *new_sim(const struct engine_limits *limits, unsigned n_pieces)
{
	struct sim *sim = malloc(sizeof(*sim));

	assert_non_null(sim);
	sim_init(sim, limits, n_pieces, 4711);
	return sim;
}

static void end_sim(struct sim *sim)
{
	sim_release(sim);
	free(sim);
}

static struct sim *with_sources(const struct sim_source *a, const struct sim_source *b)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = new_sim(&limits, 64);

	sim_add_source(sim, a, SOURCE_ARTIFACTORY);
	if (b)
		sim_add_source(sim, b, SOURCE_ARTIFACTORY);
	sim_tell(sim, ENGINE_RUN);
	return sim;
}

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
		sim = new_sim(&limits, 8);
		begin = sim->now_ms;
		sim_add_source(sim, &dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, ENGINE_RUN);
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
		end_sim(sim);
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
		sim_add_source(sim, &dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, ENGINE_RUN);
		(void)sim_run(sim, sim->now_ms + 20000 * S);
		assert_true(sim->n_retries >= N_ELEMENTS(expected_s));
		for (unsigned i = 0; i < N_ELEMENTS(expected_s); i++) {
			assert_true(sim->retry_delay_ms[i] <= expected_s[i] * S);
			assert_true(sim->retry_delay_ms[i] >= expected_s[i] * S * 9 / 10);
			differs |= sim->retry_delay_ms[i] != expected_s[i] * S;
		}
		end_sim(sim);
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
		sim = new_sim(&limits, 8);
		sim_add_source(sim, &dead, SOURCE_ARTIFACTORY);
		sim_tell(sim, ENGINE_RUN);
		(void)sim_run(sim, sim->now_ms + 100000 * S);
		for (unsigned n = 0; n < 4; n++) {
			assert_true(sim->retry_delay_ms[n] <= rows[i].expected_ms[n]);
			assert_true(sim->retry_delay_ms[n] >= rows[i].expected_ms[n] * 9 / 10);
		}
		end_sim(sim);
	}
}

static void test_happy_path(void **state)
{
	static const enum engine_state expected[] = {ENGINE_DISCOVERING, ENGINE_DOWNLOADING,
						     ENGINE_FINISHING, ENGINE_COMPLETE};
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_states, N_ELEMENTS(expected));
	assert_memory_equal(sim->states, expected, sizeof(expected));
	assert_int_equal(sim->bytes_asked, sim->manifest.size);
	assert_true(sim->n_requests <= 64 + 10);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	end_sim(sim);
}

/* The sixth failure of the first source, and the second takes over in the same millisecond. */
static void test_failover_is_at_once(void **state)
{
	struct sim *sim = with_sources(&failing, &good);
	uint64_t left_ms = 0;

	(void)state;
	while (sim->n_requests_of[1] == 0 && sim_next(sim, UINT64_MAX))
		if (sim->engine.sources[0].state == SOURCE_UNAVAILABLE && left_ms == 0)
			left_ms = sim->now_ms;
	assert_int_equal(sim->engine.sources[0].failures, 6);
	assert_true(sim->n_requests_of[0] <= 6 + 3); /* those in flight were cancelled */
	assert_int_equal(left_ms, sim->now_ms);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_contains(sim->engine.sources[0].reason, "more than half of the last 10");
	assert_int_equal(sim->n_discoveries, 1);
	end_sim(sim);
}

/* The last source is asked again after 0, 1, 2, 4, 8 s, one request at a time. */
static void test_last_source_is_not_stormed(void **state)
{
	static const uint64_t pauses_s[] = {0, 0, 1, 2, 4, 8};
	struct sim *sim = with_sources(&failing, NULL);
	uint64_t ended_ms = 0;
	unsigned asked = 0;

	(void)state;
	while (sim->engine.state != ENGINE_WAITING_RETRY) {
		unsigned before = sim->n_requests;

		assert_true(sim_next(sim, UINT64_MAX));
		if (sim->n_requests > before) {
			assert_int_equal(sim->n_requests, before + 1);
			assert_int_equal(sim->engine.in_flight, 1);
			assert_true(asked < N_ELEMENTS(pauses_s));
			if (asked > 0)
				assert_int_equal(sim->now_ms - ended_ms, pauses_s[asked] * S);
			asked++;
			ended_ms = sim->now_ms + 20; /* that is how long it takes to fail */
		}
	}
	assert_int_equal(sim->n_requests, 6);
	end_sim(sim);
}

static void test_first_request_is_small_and_alone(void **state)
{
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	while (sim->n_requests == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->n_requests, 1);
	assert_true(sim->bytes_asked <= PROBE_BYTES);
	while (sim->n_requests == 1)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.in_flight, 4);
	end_sim(sim);
}

/* A better source that comes back is not asked again within the attempt. */
static void test_stays_where_it_is(void **state)
{
	struct sim *sim = with_sources(&failing, &good);
	unsigned asked;

	(void)state;
	while (sim->n_requests_of[1] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim->sources[0] = good;
	asked = sim->n_requests_of[0];
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[0], asked);
	end_sim(sim);
}

/* Each attempt begins with fresh windows, and with the best source. */
static void test_next_attempt_asks_all_again(void **state)
{
	struct sim *sim = with_sources(&failing, &failing);

	(void)state;
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_contains(sim->engine.error, "s0: more than half");
	assert_contains(sim->engine.error, "s1: more than half");
	sim->sources[0] = good;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.attempt, 2);
	assert_string_equal(
		sim->engine.sources[sim->engine.active < 0 ? 0 : sim->engine.active].name, "s0");
	end_sim(sim);
}

/* The first wrong piece is asked elsewhere and its source goes on; the second leaves it out. */
static void test_pieces_that_do_not_match(void **state)
{
	static const struct {
		uint64_t bad;
		unsigned mismatches;
		enum source_state end;
	} rows[] = {
		{1 << 5, 1, SOURCE_AVAILABLE},
		{1 << 5 | 1 << 6 | 1 << 7, 2, SOURCE_EXCLUDED},
		{UINT64_MAX, 2, SOURCE_EXCLUDED},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source bad = good;
		struct sim *sim;

		bad.bad_pieces = rows[i].bad;
		sim = with_sources(&bad, &good);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		assert_int_equal(sim->engine.sources[0].state, rows[i].end);
		assert_true(sim->n_mismatches >= rows[i].mismatches);
		assert_int_equal(sim->engine.sources[1].mismatches, 0);
		assert_int_equal(sim->n_discoveries, 1);
		end_sim(sim);
	}
}

/* Excluded is for the whole download, other than unavailable. */
static void test_excluded_stays_excluded(void **state)
{
	struct sim_source liar = good;
	struct sim *sim;

	(void)state;
	liar.bad_pieces = UINT64_MAX;
	sim = with_sources(&liar, NULL);
	while (sim->n_retries < 2)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.sources[0].state, SOURCE_EXCLUDED);
	assert_true(sim->n_requests <= 3);
	end_sim(sim);
}

static void test_different_manifest(void **state)
{
	struct sim_source other = good;
	struct sim *sim;

	(void)state;
	other.other_image = true;
	sim = with_sources(&good, &other);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.sources[1].state, SOURCE_EXCLUDED);
	assert_string_equal(sim->engine.sources[1].reason, "different manifest");
	assert_int_equal(sim->n_requests_of[1], 0);
	end_sim(sim);
}

static void test_refused_is_unavailable_at_once(void **state)
{
	struct sim_source refusing = good;
	struct sim *sim;

	(void)state;
	refusing.refuses = 100;
	sim = with_sources(&refusing, &good);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[0], 1);
	assert_int_equal(sim->engine.sources[0].state, SOURCE_UNAVAILABLE);
	end_sim(sim);
}

static void test_retry_after(void **state)
{
	static const struct {
		uint64_t later_s;
		bool second; /* is there another source? */
		uint64_t waits_s;
		uint32_t attempt;
	} rows[] = {
		{5, false, 5, 1},                         /* worth waiting for */
		{60, false, 60, 1},   {61, false, 61, 2}, /* the next attempt is not earlier */
		{300, false, 300, 2}, {5, true, 0, 1},    /* somebody else is there */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source busy = good;
		struct sim *sim;
		uint64_t said_ms;

		busy.says_later = 100;
		busy.later_ms = rows[i].later_s * S;
		sim = with_sources(&busy, rows[i].second ? &good : NULL);
		while (sim->engine.sources[0].failures == 0)
			assert_true(sim_next(sim, UINT64_MAX));
		said_ms = sim->now_ms;
		sim->sources[0] = good;
		while (sim->n_requests == 1)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_true(sim->now_ms - said_ms >= rows[i].waits_s * S);
		assert_true(sim->now_ms - said_ms <= rows[i].waits_s * S + 200);
		assert_int_equal(sim->engine.attempt, rows[i].attempt);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		end_sim(sim);
	}
}

/* A server without ranges, alone: the very first response goes on as the one for the whole file. */
static void test_no_range(void **state)
{
	struct sim_source whole = good;
	struct sim *sim;

	(void)state;
	whole.ignores_ranges = true;
	sim = with_sources(&whole, NULL);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests, 1);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	end_sim(sim);
	/* Beside one with ranges it is not used at all. */
	sim = with_sources(&whole, &good);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.sources[0].no_range);
	assert_int_equal(sim->n_requests_of[0], 1);
	assert_int_equal(sim->engine.sources[0].bytes, 0);
	end_sim(sim);
}

/* Cuts smaller than a piece, from the only source. */
static void test_small_cuts_still_finish(void **state)
{
	struct sim_source cutting = good;
	struct sim *sim;

	(void)state;
	cutting.cuts = 40;
	sim = with_sources(&cutting, NULL);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size * 102 / 100);
	end_sim(sim);
}

static void test_pause_counts_no_time(void **state)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim;
	uint64_t begin;

	(void)state;
	limits.attempts = 0;
	limits.timeout_ms = 1800 * S;
	sim = new_sim(&limits, 64);
	sim_add_source(sim, &dead, SOURCE_ARTIFACTORY);
	begin = sim->now_ms;
	sim->now_ms += 5000 * S; /* queued */
	sim_tell(sim, ENGINE_RUN);
	(void)sim_run(sim, begin + 5600 * S);
	sim_tell(sim, ENGINE_PAUSE);
	assert_int_equal(engine_next_wake(&sim->engine), ENGINE_NEVER);
	sim->now_ms += 100000 * S;
	sim_tell(sim, ENGINE_RESUME);
	sim_tell(sim, ENGINE_RUN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_FAILED);
	assert_int_equal(sim->now_ms, begin + (5000 + 100000 + 1800) * S);
	end_sim(sim);
}

static void test_pause_stops_and_resume_goes_on(void **state)
{
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, ENGINE_PAUSE);
	while (sim->engine.in_flight > 0)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	sim_tell(sim, ENGINE_RESUME);
	assert_int_equal(sim->engine.state, ENGINE_QUEUED);
	sim_tell(sim, ENGINE_RUN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size);
	end_sim(sim);
}

/* Resumed before the cancelled requests have ended: the list of sources waits for them. */
static void test_pause_and_resume_at_once(void **state)
{
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	for (unsigned i = 0; i < 5; i++) {
		sim_tell(sim, ENGINE_PAUSE);
		sim_tell(sim, ENGINE_RESUME);
		sim_tell(sim, ENGINE_RUN);
	}
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	end_sim(sim);
}

/* What a job reports late changes nothing any more. */
static void test_finished_after_the_end(void **state)
{
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	while (sim->engine.state != ENGINE_FINISHING)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, ENGINE_CANCEL);
	assert_true(sim_next(sim, UINT64_MAX)); /* ENGINE_FINISHED */
	assert_int_equal(sim->engine.state, ENGINE_CANCELLED);
	end_sim(sim);
}

static void test_restart_of_an_ended_one(void **state)
{
	struct sim *sim = with_sources(&good, NULL);

	(void)state;
	while (sim->engine.picker.n_verified < 20)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, ENGINE_CANCEL);
	while (sim->engine.in_flight > 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, ENGINE_RESTART);
	sim_tell(sim, ENGINE_RUN);
	assert_int_equal(sim->engine.attempt, 1);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size);
	end_sim(sim);
}

static void test_local_errors(void **state)
{
	static const struct {
		bool fatal;
		enum engine_state end;
	} rows[] = {{false, ENGINE_PAUSED}, {true, ENGINE_FAILED}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim *sim = with_sources(&good, NULL);
		struct engine_actions actions;
		struct engine_event event = {.type = ENGINE_LOCAL_ERROR,
					     .reason = "the disk is full",
					     .fatal = rows[i].fatal};

		while (sim->engine.picker.n_verified < 5)
			assert_true(sim_next(sim, UINT64_MAX));
		engine_step(&sim->engine, &event, sim->now_ms, &actions);
		assert_int_equal(sim->engine.state, rows[i].end);
		assert_string_equal(sim->engine.error, "the disk is full");
		assert_int_equal(sim->engine.sources[0].failures, 0);
		end_sim(sim);
	}
}

/* What of the last writes is on disk, only the disk knows: the pieces that its journal does not
 * have are fetched again. */
static void test_after_a_local_error_the_disk_is_asked(void **state)
{
	struct sim *sim = with_sources(&good, NULL);
	unsigned before = 0;

	(void)state;
	while (sim->engine.picker.n_verified < 40)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell(sim, ENGINE_LOCAL_ERROR);
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	sim_tell(sim, ENGINE_RESUME);
	sim_tell(sim, ENGINE_RUN);
	assert_int_equal(sim->engine.disk, DISK_OPENING);
	while (sim->engine.disk == DISK_OPENING) {
		before = sim->engine.picker.n_verified;
		assert_true(sim_next(sim, UINT64_MAX));
	}
	assert_true(sim->engine.picker.n_verified < before);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	end_sim(sim);
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
		struct sim_source first = good;
		struct sim_source second = good;
		struct sim *sim;
		uint64_t begin;

		first.answer_ms = rows[i].first_ms;
		second.answer_ms = rows[i].second_ms;
		sim = with_sources(&first, &second);
		begin = sim->now_ms;
		while (sim->n_requests == 0)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_string_equal(sim->engine.sources[sim->engine.active].name, rows[i].active);
		assert_true(sim->now_ms - begin >= rows[i].begins_ms);
		assert_true(sim->now_ms - begin <= rows[i].begins_ms + 20);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		end_sim(sim);
	}
}

/* One source has only some pieces: both are asked at once, each piece of one of them. */
static void test_two_sources_share(void **state)
{
	uint8_t some[SIM_PIECES_MAX / 8] = {0};
	struct engine_limits limits = sim_limits();
	struct sim *sim = new_sim(&limits, 64);
	uint64_t of_peer = 0;
	bool both = false;

	(void)state;
	for (uint32_t piece = 16; piece < 48; piece++) {
		piece_map_set_bit(some, piece);
		of_peer += SIM_PIECE_SIZE;
	}
	sim_add_source(sim, &good, SOURCE_HA_PEER);
	sim_add_source(sim, &good, SOURCE_HA_PEER);
	sim_set_pieces(sim, 0, some);
	sim_tell(sim, ENGINE_RUN);
	while (!engine_state_is_ended(sim->engine.state)) {
		unsigned of[2] = {0, 0};

		assert_true(sim_next(sim, UINT64_MAX));
		for (unsigned i = 0; i < SLOTS_MAX; i++)
			if (sim->engine.slots[i].used)
				of[sim->engine.slots[i].source]++;
		both |= of[0] > 0 && of[1] > 0;
	}
	assert_true(both);
	assert_int_equal(sim->engine.sources[0].bytes, of_peer);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	end_sim(sim);
}

/* The partner is all that is left, and has not everything: the attempt ends, the next asks all. */
static void test_partner_alone(void **state)
{
	uint8_t some[SIM_PIECES_MAX / 8] = {0xff};
	struct engine_limits limits = sim_limits();
	struct sim *sim = new_sim(&limits, 64);

	(void)state;
	sim_add_source(sim, &good, SOURCE_HA_PEER);
	sim_add_source(sim, &dead, SOURCE_HA_PEER);
	sim_set_pieces(sim, 0, some);
	sim_tell(sim, ENGINE_RUN);
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.picker.n_verified, 8);
	sim->sources[1] = good;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	end_sim(sim);
}

/* Waiting for the only source as it asked, which is left meanwhile by a request that ends late. */
static void test_waited_for_and_left(void **state)
{
	struct sim_source busy = good;
	struct sim *sim;

	(void)state;
	busy.bad_pieces = UINT64_MAX;
	busy.says_later = 30;
	busy.later_ms = 50000;
	for (uint64_t seed = 1; seed < 200; seed++) {
		struct engine_limits limits = sim_limits();

		sim = malloc(sizeof(*sim));
		assert_non_null(sim);
		sim_init(sim, &limits, 64, seed);
		sim_add_source(sim, &busy, SOURCE_ARTIFACTORY);
		sim_tell(sim, ENGINE_RUN);
		while (sim->engine.state != ENGINE_WAITING_RETRY)
			assert_true(sim_next(sim, UINT64_MAX));
		end_sim(sim);
	}
}

/* A piece that two sources have wrong, and nobody else has: both are left out, and then a third. */
static void test_everyone_has_it_wrong(void **state)
{
	struct sim_source wrong = good;
	struct sim *sim;

	(void)state;
	wrong.bad_pieces = 1 << 9;
	sim = with_sources(&wrong, &wrong);
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.sources[0].state, SOURCE_EXCLUDED);
	assert_int_equal(sim->engine.sources[1].state, SOURCE_EXCLUDED);
	assert_int_equal(sim->engine.picker.n_verified, 63);
	end_sim(sim);
}

static void test_daemon_is_killed(void **state)
{
	struct sim *sim = with_sources(&good, NULL);
	uint32_t attempt;

	(void)state;
	while (sim->engine.picker.n_verified < 30)
		assert_true(sim_next(sim, UINT64_MAX));
	attempt = sim->engine.attempt;
	sim_restart_daemon(sim);
	assert_int_equal(sim->engine.attempt, attempt);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	end_sim(sim);
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
		cmocka_unit_test(test_failover_is_at_once),
		cmocka_unit_test(test_last_source_is_not_stormed),
		cmocka_unit_test(test_first_request_is_small_and_alone),
		cmocka_unit_test(test_stays_where_it_is),
		cmocka_unit_test(test_next_attempt_asks_all_again),
		cmocka_unit_test(test_pieces_that_do_not_match),
		cmocka_unit_test(test_excluded_stays_excluded),
		cmocka_unit_test(test_different_manifest),
		cmocka_unit_test(test_refused_is_unavailable_at_once),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_no_range),
		cmocka_unit_test(test_small_cuts_still_finish),
		cmocka_unit_test(test_pause_counts_no_time),
		cmocka_unit_test(test_pause_stops_and_resume_goes_on),
		cmocka_unit_test(test_pause_and_resume_at_once),
		cmocka_unit_test(test_finished_after_the_end),
		cmocka_unit_test(test_restart_of_an_ended_one),
		cmocka_unit_test(test_local_errors),
		cmocka_unit_test(test_after_a_local_error_the_disk_is_asked),
		cmocka_unit_test(test_slow_answers),
		cmocka_unit_test(test_two_sources_share),
		cmocka_unit_test(test_partner_alone),
		cmocka_unit_test(test_waited_for_and_left),
		cmocka_unit_test(test_everyone_has_it_wrong),
		cmocka_unit_test(test_daemon_is_killed),
		cmocka_unit_test(test_names_of_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
