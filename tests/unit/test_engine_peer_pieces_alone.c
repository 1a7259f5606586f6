/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HA peer downloads the same image, and nobody else can be asked: how long it is waited for. */
#include "simulation.h"

#include "base/macros.h"

#define S    UINT64_C(1000)
#define PEER 0u
#define FAR  1u

/* Both have answered at discovery, the peer has the first 8 of 64 pieces. */
static struct sim *with_peer(const struct sim_source *peer, const struct sim_source *far)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, 64);
	uint8_t some[SIM_PIECES_MAX / 8] = {0xff};

	sim_add_source(sim, peer, SOURCE_HA_PEER);
	sim_add_source(sim, far, SOURCE_ARTIFACTORY);
	sim_set_pieces(sim, PEER, some);
	sim_tell(sim, EVENT_RUN);
	return sim;
}

static void pass(struct sim *sim, uint64_t ms)
{
	uint64_t until_ms = sim->now_ms + ms;

	while (sim_next(sim, until_ms))
		;
}

/* It has not everything, and gets no more: the attempt ends, the next asks all. */
static void test_standing_still(void **state)
{
	struct sim *sim = with_peer(&sim_good, &sim_dead);
	uint64_t began_ms;

	(void)state;
	while (sim->engine.picker.n_verified < 8)
		assert_true(sim_next(sim, UINT64_MAX));
	began_ms = sim->now_ms;
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->engine.picker.n_verified, 8);
	assert_true(sim->now_ms - began_ms >= PARTNER_PATIENCE_MS - 1 * S);
	assert_true(sim->now_ms - began_ms <= PARTNER_PATIENCE_MS + 1 * S);
	sim->sources[FAR] = sim_good;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* It gets one piece in two seconds: all of them are taken from it, in one attempt. */
static void test_slow_progress(void **state)
{
	struct sim *sim = with_peer(&sim_good, &sim_dead);

	(void)state;
	for (uint32_t n = 8; n <= 64; n++) {
		sim_give_pieces(sim, PEER, 0, n);
		pass(sim, 2 * S);
	}
	assert_int_equal(sim->engine.state, ENGINE_COMPLETE);
	assert_int_equal(sim->engine.attempt, 1);
	sim_free(sim);
}

/* It fails: it is asked again and again, later and later, until it is left. */
static void test_failing(void **state)
{
	struct sim *sim = with_peer(&sim_failing, &sim_dead);

	(void)state;
	while (sim->engine.state != ENGINE_WAITING_RETRY)
		assert_true(sim_next(sim, UINT64_MAX));
	assert_int_equal(sim->n_requests_of[PEER], 6);
	assert_int_equal(sim->engine.sources[PEER].state, SOURCE_BROKEN);
	sim_free(sim);
}

/* The other source asked for 20 s, while the peer is heard of each second. */
static void test_another_asked_to_wait(void **state)
{
	struct sim_source later = sim_good;
	struct sim *sim;

	(void)state;
	later.says_later = 100;
	later.later_ms = 20 * S;
	sim = with_peer(&sim_good, &later);
	while (sim->n_requests_of[FAR] == 0)
		assert_true(sim_next(sim, UINT64_MAX));
	sim->sources[FAR].says_later = 0;
	for (unsigned n = 0; n < 30; n++) {
		pass(sim, 1 * S);
		if (sim->engine.state == ENGINE_DOWNLOADING)
			sim_give_pieces(sim, PEER, 0, 8);
	}
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.attempt, 1);
	sim_free(sim);
}

/* A source got a piece wrong that the peer has, and the peer is busy: it is left to the peer, and
 * not asked for and cancelled at a third source again and again. */
static void test_mismatched_is_left_to_the_peer(void **state)
{
	struct sim_source slow = sim_good;
	struct sim_source wrong = sim_good;
	struct sim *sim;

	(void)state;
	slow.bytes_per_ms = 4;
	wrong.bytes_per_ms = 4;
	wrong.bad_pieces = UINT64_C(1) << 40;
	sim = with_peer(&slow, &wrong);
	sim_add_source(sim, &slow, SOURCE_ARTIFACTORY);
	while (sim->engine.picker.n_mismatches == 0) {
		assert_true(sim_next(sim, UINT64_MAX));
		if (sim->engine.state == ENGINE_DOWNLOADING)
			sim_tell_pieces(sim, PEER, PIECES_KNOWN);
	}
	while (sim->engine.state == ENGINE_DOWNLOADING) {
		sim_give_pieces(sim, PEER, 0, 64);
		pass(sim, 1 * S);
	}
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->n_requests <= 64 + 10);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standing_still),
		cmocka_unit_test(test_slow_progress),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_another_asked_to_wait),
		cmocka_unit_test(test_mismatched_is_left_to_the_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
