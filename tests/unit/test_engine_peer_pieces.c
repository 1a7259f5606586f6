/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HA peer downloads the same image: what comes from it, what from elsewhere, and that neither
 * is waited for. */
#include "simulation.h"

#include "base/macros.h"

#define PEER 0u
#define FAR  1u

/* Source 0 has nothing at discovery, source 1 everything; 64 pieces. */
static struct sim *with_peer(const struct sim_source *far)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, 64);
	struct sim_source peer = sim_good;

	peer.answer = ANSWER_NO_VERSION;
	sim_add_source(sim, &peer, SOURCE_HA_PEER);
	sim_add_source(sim, far, SOURCE_ARTIFACTORY);
	sim_tell(sim, EVENT_RUN);
	while (sim->engine.state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	return sim;
}

static void until_verified(struct sim *sim, uint32_t n)
{
	while (sim->engine.picker.n_verified < n)
		assert_true(sim_next(sim, UINT64_MAX));
}

static unsigned in_flight_at(const struct sim *sim, unsigned source)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		n += sim->engine.slots[i].used && !sim->engine.slots[i].cancelling &&
		     sim->engine.slots[i].source == source;
	return n;
}

/* It had no version when it was asked; it gets its manifest later, and pieces. */
static void test_peer_begins_later(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_NO_VERSION);
	until_verified(sim, 4);
	sim_give_pieces(sim, PEER, 40, 64);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_AVAILABLE);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.sources[PEER].bytes >= UINT64_C(20) * SIM_PIECE_SIZE);
	assert_int_equal(sim->n_discoveries, 1);
	assert_int_equal(sim->engine.active, FAR);
	sim_free(sim);
}

/* It could not be reached when it was asked. */
static void test_peer_starts_later(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	source_set_state(&sim->engine.sources[PEER], SOURCE_UNAVAILABLE, "refused");
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->n_requests_of[PEER] > 0);
	sim_free(sim);
}

/* It is complete: everything that is missing is taken from it, what is on its way too. */
static void test_peer_completes(void **state)
{
	struct sim_source slow = sim_good;
	struct sim *sim;

	(void)state;
	slow.bytes_per_ms = 1;
	sim = with_peer(&slow);
	until_verified(sim, 4);
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.sources[FAR].bytes < UINT64_C(9) * SIM_PIECE_SIZE);
	assert_int_equal(sim->engine.sources[FAR].failures, 0);
	sim_free(sim);
}

/* Two that work towards each other do not both ask for the last pieces. */
static void test_half_of_the_last_pieces(void **state)
{
	struct sim_source slow = sim_good;
	struct sim *sim;

	(void)state;
	slow.bytes_per_ms = 1;
	sim = with_peer(&slow);
	until_verified(sim, 4);
	sim_give_pieces(sim, PEER, 4, 62);
	until_verified(sim, 56);
	/* What neither has is asked for by halves, so that the peer may have the other one. */
	while (sim->engine.picker.n_verified < 64) {
		uint32_t missing = picker_missing_besides(&sim->engine.picker,
							  sim->engine.sources[PEER].pieces);

		if (in_flight_at(sim, FAR) > MAX((missing + 1) / 2, 1))
			fail_msg("%u in flight, %u missing", in_flight_at(sim, FAR), missing);
		assert_true(sim_next(sim, UINT64_MAX));
	}
	sim_free(sim);
}

/* What a slow request still misses is left to the peer as soon as it has it; what came is kept. */
static void test_requests_are_left_to_the_peer(void **state)
{
	struct sim_source slow = sim_good;
	struct sim *sim;
	uint64_t before;

	(void)state;
	slow.bytes_per_ms = 4;
	sim = with_peer(&slow);
	sim_give_pieces(sim, PEER, 60, 64);
	until_verified(sim, 8);
	assert_true(in_flight_at(sim, FAR) > 0);
	before = sim->engine.bytes_fetched;
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(in_flight_at(sim, FAR), 0);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.bytes_fetched, sim->manifest.size);
	assert_true(before < sim->engine.bytes_fetched);
	sim_free(sim);
}

/* A slow source, and requests to it in all slots, none of which has just ended. */
static struct sim *with_full_slots(void)
{
	struct sim_source slow = sim_good;
	struct sim *sim;

	slow.bytes_per_ms = 1;
	sim = with_peer(&slow);
	until_verified(sim, 8);
	while (sim_next(sim, sim->now_ms + 1000))
		;
	assert_int_equal(in_flight_at(sim, FAR), sim->engine.limits.concurrency);
	return sim;
}

/* One of the requests makes room for the first one to the peer, and only one. */
static void test_room_for_the_first_request(void **state)
{
	struct sim *sim = with_full_slots();
	uint64_t began_ms = sim->now_ms;

	(void)state;
	sim->sources[PEER].stalls = 100;
	for (unsigned i = 0; i < 3; i++) {
		sim_give_pieces(sim, PEER, 0, 64);
		while (sim_next(sim, began_ms + 1000))
			;
		assert_int_equal(in_flight_at(sim, PEER), 1);
		assert_int_equal(in_flight_at(sim, FAR), sim->engine.limits.concurrency - 1);
	}
	sim_free(sim);
}

/* What the peer has is not what is in flight: nothing is cancelled for it. */
static void test_no_room_without_need(void **state)
{
	struct sim *sim = with_full_slots();

	(void)state;
	sim_give_pieces(sim, PEER, 60, 64);
	assert_int_equal(in_flight_at(sim, FAR), sim->engine.limits.concurrency);
	sim_free(sim);
}

/* Its pieces are gone again, or it does not answer: nobody waits for what was asked of it. */
static void test_pieces_are_gone(void **state)
{
	struct sim_source dead_end = sim_good;
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	dead_end.answer = ANSWER_NO_VERSION;
	dead_end.stalls = 100;
	until_verified(sim, 4);
	sim->sources[PEER] = dead_end;
	sim_give_pieces(sim, PEER, 0, 64);
	while (in_flight_at(sim, PEER) == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_tell_pieces(sim, PEER, PIECES_NONE);
	assert_int_equal(in_flight_at(sim, PEER), 0);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_NO_VERSION);
	assert_string_equal(sim->engine.sources[PEER].reason, "why");
	/* It comes back. */
	until_verified(sim, 32);
	sim->sources[PEER].stalls = 0;
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->engine.sources[PEER].bytes > 0);
	assert_int_equal(sim->engine.attempt, 1);
	sim_free(sim);
}

/* Who was left because of requests that failed is not asked again in this attempt, whatever it
 * claims to have. */
static void test_a_broken_peer_stays_left(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	sim->sources[PEER].refuses = 100;
	sim_give_pieces(sim, PEER, 0, 64);
	while (sim->engine.sources[PEER].state == SOURCE_AVAILABLE)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_BROKEN);
	sim->sources[PEER].refuses = 0;
	sim_tell_pieces(sim, PEER, PIECES_NONE);
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_BROKEN);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[PEER], 1);
	sim_free(sim);
}

static void test_other_image(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	sim_tell_pieces(sim, PEER, PIECES_OF_ANOTHER);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_EXCLUDED);
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_EXCLUDED);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[PEER], 0);
	sim_free(sim);
}

/* It says it has what it has wrong: twice, and it is out. */
static void test_peer_with_wrong_pieces(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	sim->sources[PEER].bad_pieces = UINT64_MAX;
	sim_give_pieces(sim, PEER, 0, 64);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_EXCLUDED);
	assert_int_equal(sim->engine.sources[FAR].mismatches, 0);
	sim_free(sim);
}

/* Each request to the peer stalls for half a minute, although it tells what it has all the time:
 * some slots are always kept for the other source. */
static void test_slots_for_others(void **state)
{
	struct sim *sim = with_peer(&sim_good);

	(void)state;
	sim_give_pieces(sim, PEER, 32, 64);
	until_verified(sim, 6);
	sim->sources[PEER].stalls = 100;
	while (in_flight_at(sim, PEER) < 2)
		assert_true(sim_next(sim, UINT64_MAX));
	while (sim->engine.picker.n_verified < 30) {
		assert_true(in_flight_at(sim, PEER) <= 2);
		assert_true(sim_next(sim, sim->now_ms + 20000));
	}
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* It has everything, says so, and then delivers nothing: after the first request that stalls the
 * other source has its pieces too. */
static void test_a_failing_peer_holds_nobody_up(void **state)
{
	(void)state;
	for (unsigned proven = 0; proven < 2; proven++) {
		struct sim_source fast = sim_good;
		struct sim *sim;
		uint64_t began_ms;

		fast.bytes_per_ms = 100;
		sim = with_peer(&fast);
		until_verified(sim, 4);
		if (proven) {
			sim_give_pieces(sim, PEER, 60, 64);
			while (!source_is_proven(&sim->engine.sources[PEER]))
				assert_true(sim_next(sim, UINT64_MAX));
		}
		sim->sources[PEER].stalls = 100;
		began_ms = sim->now_ms;
		sim_give_pieces(sim, PEER, 0, 64);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		assert_true(sim->now_ms - began_ms < 85 * UINT64_C(1000));
		sim_free(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_begins_later),
		cmocka_unit_test(test_peer_starts_later),
		cmocka_unit_test(test_peer_completes),
		cmocka_unit_test(test_half_of_the_last_pieces),
		cmocka_unit_test(test_requests_are_left_to_the_peer),
		cmocka_unit_test(test_room_for_the_first_request),
		cmocka_unit_test(test_no_room_without_need),
		cmocka_unit_test(test_pieces_are_gone),
		cmocka_unit_test(test_a_broken_peer_stays_left),
		cmocka_unit_test(test_other_image),
		cmocka_unit_test(test_peer_with_wrong_pieces),
		cmocka_unit_test(test_slots_for_others),
		cmocka_unit_test(test_a_failing_peer_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
