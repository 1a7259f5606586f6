/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine, a table row at a time: whom it asks for what, and what it makes of the answers. */
#include "simulation.h"

#include "base/macros.h"
#include "download/image/piece_map.h"

#define S UINT64_C(1000)

/* The sixth failure of the first source, and the second takes over in the same millisecond. */
static void test_failover_is_at_once(void **state)
{
	struct sim *sim = sim_with(&sim_failing, &sim_good);
	uint64_t left_ms = 0;

	(void)state;
	while (sim->n_requests_of[1] == 0 && sim_next(sim, UINT64_MAX))
		if (sim->engine.sources[0].state == SOURCE_BROKEN && left_ms == 0)
			left_ms = sim->now_ms;
	assert_int_equal(sim->engine.sources[0].failures, 6);
	assert_true(sim->n_requests_of[0] <= 6 + 3); /* those in flight were cancelled */
	assert_int_equal(left_ms, sim->now_ms);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_contains(sim->engine.sources[0].reason, "more than half of the last 10");
	assert_int_equal(sim->n_discoveries, 1);
	sim_free(sim);
}

/* The last source is asked again after 0, 1, 2, 4, 8 s, one request at a time. */
static void test_last_source_is_not_stormed(void **state)
{
	static const uint64_t pauses_s[] = {0, 0, 1, 2, 4, 8};
	struct sim *sim = sim_with(&sim_failing, NULL);
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
	sim_free(sim);
}

static void test_first_request_is_small_and_alone(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);

	(void)state;
	while (sim->n_requests == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->n_requests, 1);
	assert_true(sim->bytes_asked <= PROBE_BYTES);
	while (sim->n_requests == 1)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.in_flight,
			 1); /* nor is the second joined before it is answered */
	while (sim->n_requests == 2)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.in_flight, 4);
	sim_free(sim);
}

/* A better source that comes back is not asked again within the attempt. */
static void test_stays_where_it_is(void **state)
{
	struct sim *sim = sim_with(&sim_failing, &sim_good);
	unsigned asked;

	(void)state;
	while (sim->n_requests_of[1] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim->sources[0] = sim_good;
	asked = sim->n_requests_of[0];
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[0], asked);
	sim_free(sim);
}

/* Each attempt begins with fresh windows, and with the best source. */
static void test_next_attempt_asks_all_again(void **state)
{
	struct sim *sim = sim_with(&sim_failing, &sim_failing);

	(void)state;
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_contains(sim->engine.error, "s0: more than half");
	assert_contains(sim->engine.error, "s1: more than half");
	sim->sources[0] = sim_good;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.attempt, 2);
	assert_string_equal(
		sim->engine.sources[sim->engine.active < 0 ? 0 : sim->engine.active].name, "s0");
	sim_free(sim);
}

/* The first wrong piece is asked for past caches. The next one is asked elsewhere and its source
 * goes on; the second of these leaves it out. */
static void test_pieces_that_do_not_match(void **state)
{
	static const struct {
		uint64_t bad;
		uint64_t stale;
		unsigned told;
		unsigned mismatches; /* that the source is blamed for */
		enum source_state end;
	} rows[] = {
		{0, 1 << 5, 1, 0, SOURCE_AVAILABLE},                    /* a cache's */
		{0, UINT64_MAX, 1, 0, SOURCE_AVAILABLE},                /* in several requests */
		{1 << 5, 0, 2, 1, SOURCE_AVAILABLE},                    /* past it, too */
		{1 << 9, 1 << 5, 2, 1, SOURCE_AVAILABLE},               /* the cache's, its own */
		{1 << 5 | 1 << 6 | 1 << 7, 0, 3, 2, SOURCE_EXCLUDED},   /* */
		{1 << 20 | 1 << 21, 1 << 5 | 1, 3, 2, SOURCE_EXCLUDED}, /* */
		{UINT64_MAX, 0, 3, 2, SOURCE_EXCLUDED},                 /* */
		{UINT64_MAX, UINT64_MAX, 3, 2, SOURCE_EXCLUDED},        /* */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source bad = sim_good;
		struct sim *sim;

		bad.bad_pieces = rows[i].bad;
		bad.stale_pieces = rows[i].stale;
		sim = sim_with(&bad, &sim_good);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		if (sim->engine.sources[0].state != rows[i].end ||
		    sim->engine.sources[0].mismatches != rows[i].mismatches ||
		    sim->n_mismatches < rows[i].told)
			fail_msg("row %u", i);
		assert_int_equal(sim->engine.sources[1].mismatches, 0);
		assert_int_equal(sim->n_discoveries, 1);
		sim_free(sim);
	}
}

/* Excluded is for the whole download, other than unavailable. */
static void test_excluded_stays_excluded(void **state)
{
	struct sim_source liar = sim_good;
	struct sim *sim;

	(void)state;
	liar.bad_pieces = UINT64_MAX;
	sim = sim_with(&liar, NULL);
	while (sim->n_retries < 2)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.sources[0].state, SOURCE_EXCLUDED);
	assert_true(sim->n_requests <= 4);
	sim_free(sim);
}

/* All that a cache has is of another file: its source is asked past it, and brings all. */
static void test_only_source_behind_a_stale_cache(void **state)
{
	static const struct {
		uint64_t stale;
		unsigned at_once;
		unsigned cuts;
		bool whole;
	} rows[] = {
		{UINT64_MAX, 4, 0, false},          {UINT64_MAX, 1, 0, false},
		{UINT64_MAX << 6, 8, 0, false},     {1, 4, 0, true},
		{0x5555555555555550, 8, 40, false}, /* parts of pieces that came from the cache */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source stale = sim_good;
		struct sim *sim;

		stale.stale_pieces = rows[i].stale;
		stale.cuts = rows[i].cuts;
		stale.ignores_ranges = rows[i].whole;
		sim = sim_with(&stale, NULL);
		sim->engine.limits.concurrency = rows[i].at_once;
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		if ((sim->engine.attempt != 1 && rows[i].cuts == 0) ||
		    sim->engine.sources[0].mismatches != 0 || !sim->engine.sources[0].past_caches)
			fail_msg("row %u: attempt %u, %u mismatches", i, sim->engine.attempt,
				 sim->engine.sources[0].mismatches);
		sim_free(sim);
	}
}

/* A cache has another file, of another size, or says that there is none: its source is asked past
 * it once, and if it says the same then, it is left. */
static void test_another_file(void **state)
{
	static const struct {
		enum request_outcome says;
		unsigned after; /* requests */
		bool only_in_cache;
		enum source_kind kind;
		enum source_state end;
		unsigned past_caches;
		const char *left;
	} rows[] = {
		{REQUEST_LIED, 0, true, SOURCE_ARTIFACTORY, SOURCE_AVAILABLE, 1, ""},
		{REQUEST_REFUSED, 0, true, SOURCE_ARTIFACTORY, SOURCE_AVAILABLE, 1, ""},
		{REQUEST_LIED, 7, true, SOURCE_MIST_PROXY, SOURCE_AVAILABLE, 1, ""},
		{REQUEST_REFUSED, 7, true, SOURCE_CONDUCTOR, SOURCE_AVAILABLE, 1, ""},
		{REQUEST_LIED, 0, false, SOURCE_ARTIFACTORY, SOURCE_BROKEN, 1,
		 "wrong total; it was asked past caches, so"},
		{REQUEST_REFUSED, 7, false, SOURCE_ARTIFACTORY, SOURCE_BROKEN, 1,
		 "a cache on the way has, and ignores no-cache: empty that one"},
		{REQUEST_REFUSED, 7, false, SOURCE_HA_PEER, SOURCE_BROKEN, 0, "wrong total"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim_source stale = sim_good;
		struct sim *sim;

		stale.other_file = rows[i].says;
		stale.other_file_after = rows[i].after;
		stale.only_in_cache = rows[i].only_in_cache;
		sim = sim_with(&stale, &sim_good);
		sim->kinds[0] = sim->engine.sources[0].kind = rows[i].kind;
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		if (sim->engine.sources[0].state != rows[i].end ||
		    sim->engine.sources[0].failures != (rows[i].left[0] != '\0') ||
		    sim->n_past_caches != rows[i].past_caches ||
		    (sim->n_requests_of[1] == 0) != (rows[i].left[0] == '\0'))
			fail_msg("row %u: %u failures, %u times past caches, %s", i,
				 sim->engine.sources[0].failures, sim->n_past_caches, sim->left);
		if (rows[i].left[0] == '\0')
			assert_string_equal(sim->left, "");
		else
			assert_contains(sim->left, rows[i].left);
		assert_true(sim->n_requests_of[0] <= rows[i].after + 8 || rows[i].only_in_cache);
		sim_free(sim);
	}
}

/* Between the nodes of a router there is no cache. */
static void test_peer_is_blamed_at_once(void **state)
{
	struct sim_source bad = sim_good;
	struct sim *sim;

	(void)state;
	bad.bad_pieces = 1 << 5;
	sim = sim_with(&bad, &sim_good);
	sim->kinds[0] = sim->engine.sources[0].kind = SOURCE_HA_PEER;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_mismatches, 1);
	assert_int_equal(sim->engine.sources[0].mismatches, 1);
	sim_free(sim);
}

static void test_refused_is_unavailable_at_once(void **state)
{
	struct sim_source refusing = sim_good;
	struct sim *sim;

	(void)state;
	refusing.refuses = 100;
	sim = sim_with(&refusing, &sim_good);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[0], 1);
	assert_int_equal(sim->engine.sources[0].state, SOURCE_BROKEN);
	sim_free(sim);
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
		struct sim_source busy = sim_good;
		struct sim *sim;
		uint64_t said_ms;

		busy.says_later = 100;
		busy.later_ms = rows[i].later_s * S;
		sim = sim_with(&busy, rows[i].second ? &sim_good : NULL);
		while (sim->engine.sources[0].failures == 0)
			assert_true(sim_next(sim, UINT64_MAX));
		said_ms = sim->now_ms;
		sim->sources[0] = sim_good;
		while (sim->n_requests == 1)
			assert_true(sim_next(sim, UINT64_MAX));
		assert_true(sim->now_ms - said_ms >= rows[i].waits_s * S);
		assert_true(sim->now_ms - said_ms <= rows[i].waits_s * S + 200);
		assert_int_equal(sim->engine.attempt, rows[i].attempt);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		sim_free(sim);
	}
}

/* A server without ranges, alone: the very first response goes on as the one for the whole file. */
static void test_no_range(void **state)
{
	struct sim_source whole = sim_good;
	struct sim *sim;

	(void)state;
	whole.ignores_ranges = true;
	sim = sim_with(&whole, NULL);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests, 1);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	sim_free(sim);
	/* Beside one with ranges it is not used at all. */
	sim = sim_with(&whole, &sim_good);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.sources[0].no_range);
	assert_int_equal(sim->n_requests_of[0], 1);
	assert_int_equal(sim->engine.sources[0].bytes, 0);
	sim_free(sim);
}

/* Cuts smaller than a piece, from the only source. */
static void test_small_cuts_still_finish(void **state)
{
	struct sim_source cutting = sim_good;
	struct sim *sim;

	(void)state;
	cutting.cuts = 40;
	sim = sim_with(&cutting, NULL);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.bytes_fetched <= sim->manifest.size * 102 / 100);
	sim_free(sim);
}

/* One source has only some pieces: both are asked at once, each piece of one of them. */
static void test_two_sources_share(void **state)
{
	uint8_t some[SIM_PIECES_MAX / 8] = {0};
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, 64);
	uint64_t of_peer = 0;
	bool both = false;

	(void)state;
	for (uint32_t piece = 16; piece < 48; piece++) {
		piece_bits_set(some, piece);
		of_peer += SIM_PIECE_SIZE;
	}
	sim_add_source(sim, &sim_good, SOURCE_HA_PEER);
	sim_add_source(sim, &sim_good, SOURCE_HA_PEER);
	sim_set_pieces(sim, 0, some);
	sim_tell(sim, EVENT_RUN);
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
	sim_free(sim);
}

/* Waiting for the only source as it asked, which is left meanwhile by a request that ends late. */
static void test_waited_for_and_left(void **state)
{
	struct sim_source busy = sim_good;
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
		sim_tell(sim, EVENT_RUN);
		while (sim->engine.state != ENGINE_WAITING_RETRY)
			assert_true(sim_next(sim, UINT64_MAX));
		sim_free(sim);
	}
}

/* A piece that two sources have wrong, and nobody else has: both are left out, and then a third. */
static void test_everyone_has_it_wrong(void **state)
{
	struct sim_source wrong = sim_good;
	struct sim *sim;

	(void)state;
	wrong.bad_pieces = 1 << 9;
	sim = sim_with(&wrong, &wrong);
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.sources[0].state, SOURCE_EXCLUDED);
	assert_int_equal(sim->engine.sources[1].state, SOURCE_EXCLUDED);
	assert_int_equal(sim->engine.picker.n_verified, 63);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failover_is_at_once),
		cmocka_unit_test(test_last_source_is_not_stormed),
		cmocka_unit_test(test_first_request_is_small_and_alone),
		cmocka_unit_test(test_stays_where_it_is),
		cmocka_unit_test(test_next_attempt_asks_all_again),
		cmocka_unit_test(test_pieces_that_do_not_match),
		cmocka_unit_test(test_excluded_stays_excluded),
		cmocka_unit_test(test_only_source_behind_a_stale_cache),
		cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_peer_is_blamed_at_once),
		cmocka_unit_test(test_refused_is_unavailable_at_once),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_no_range),
		cmocka_unit_test(test_small_cuts_still_finish),
		cmocka_unit_test(test_two_sources_share),
		cmocka_unit_test(test_waited_for_and_left),
		cmocka_unit_test(test_everyone_has_it_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
