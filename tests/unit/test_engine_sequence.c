/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One node of a router after the other: when the second one's turn comes, and what it waits for. */
#include "simulation.h"

#include "base/macros.h"

#define S          UINT64_C(1000)
#define PATIENCE_S 60

static struct sim *second(void)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim;

	limits.follows_peer = true;
	limits.peer_patience_ms = PATIENCE_S * S;
	sim = sim_new(&limits, 16);
	sim_add_source(sim, &sim_good, SOURCE_ARTIFACTORY);
	engine_set_turn(&sim->engine, TURN_AWAITED);
	return sim;
}

static void hear(struct sim *sim, enum engine_peer peer)
{
	sim_happens(sim, &(struct engine_event){
				 .type = EVENT_PEER_HEARD, .peer.how = peer, .reason = "why"});
}

static void pass(struct sim *sim, uint64_t until_ms)
{
	while (sim_next(sim, until_ms))
		;
}

/* What is heard once a second from the beginning on, and when the second node then goes on. */
static void test_when_the_turn_comes(void **state)
{
	static const struct {
		const char *name;
		enum engine_peer heard[4]; /* each for `for_s` seconds */
		unsigned for_s[4];
		unsigned waits_s; /* UINT_MAX = as long as the above takes, and on */
		bool alone;
	} rows[] = {
		{"the peer has it already", {PEER_HAS_IT}, {9}, 0, false},
		{"it works, and then has it", {PEER_WORKING, PEER_HAS_IT}, {500, 9}, 500, false},
		{"it works for a day", {PEER_WORKING}, {86400}, UINT_MAX, false},
		{"it gives up", {PEER_WORKING, PEER_GAVE_UP}, {20, 9}, 20, true},
		{"it has given up", {PEER_GAVE_UP}, {99}, 10, true},
		{"an earlier order's end",
		 {PEER_GAVE_UP, PEER_WORKING, PEER_HAS_IT},
		 {9, 500, 9},
		 509,
		 false},
		{"nothing is ever heard", {PEER_NOTHING}, {99}, PATIENCE_S, true},
		{"it dies at work", {PEER_WORKING, PEER_NOTHING}, {30, 99}, 29 + PATIENCE_S, true},
		{"it comes back", {PEER_NOTHING, PEER_WORKING}, {59, 500}, UINT_MAX, false},
		{"patience begins anew",
		 {PEER_NOTHING, PEER_WORKING, PEER_NOTHING},
		 {59, 1, 99},
		 59 + PATIENCE_S,
		 true},
		{"it comes and goes",
		 {PEER_NOTHING, PEER_WORKING, PEER_NOTHING, PEER_HAS_IT},
		 {50, 1, 50, 9},
		 101,
		 false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim *sim = second();
		uint64_t begin = sim->now_ms;
		unsigned second_of = 0;

		sim_tell(sim, EVENT_RUN);
		for (unsigned n = 0; n < N_ELEMENTS(rows[i].heard); n++) {
			for (unsigned s = 0; s < rows[i].for_s[n]; s++, second_of++) {
				pass(sim, begin + second_of * S);
				if (sim->engine.state == ENGINE_WAITING_PEER)
					hear(sim, rows[i].heard[n]);
				if (sim->engine.state != ENGINE_WAITING_PEER &&
				    second_of < rows[i].waits_s)
					fail_msg("%s: went on after %u s", rows[i].name, second_of);
				if (sim->engine.state == ENGINE_WAITING_PEER &&
				    second_of >= rows[i].waits_s)
					fail_msg("%s: waits after %u s", rows[i].name, second_of);
			}
		}
		assert_int_equal(sim->n_not_awaited, rows[i].alone);
		sim_free(sim);
	}
}

/* Its disk is looked at for an order that was cancelled before: that is not its turn. */
static void test_opened_while_waiting(void **state)
{
	struct sim *sim = second();

	(void)state;
	sim_tell(sim, EVENT_RUN);
	sim->engine.disk = DISK_OPENING;
	sim_happens(sim, &(struct engine_event){.type = EVENT_OPENED});
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	assert_int_equal(sim->engine.disk, DISK_EMPTY);
	hear(sim, PEER_HAS_IT);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* A question that is still on its way, however long, ends nothing: only answers do. */
static void test_patience_needs_an_answer(void **state)
{
	struct sim *sim = second();

	(void)state;
	sim->engine.limits.peer_patience_ms = 1 * S;
	sim_tell(sim, EVENT_RUN);
	hear(sim, PEER_WORKING);
	pass(sim, sim->now_ms + 20 * S);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	hear(sim, PEER_NOTHING);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	sim_free(sim);
}

static void test_waiting_counts_no_time(void **state)
{
	struct sim *sim = second();
	uint64_t begin = sim->now_ms;

	(void)state;
	sim->engine.limits.timeout_ms = 1800 * S;
	sim->sources[0] = sim_dead;
	sim->engine.limits.attempts = 0;
	sim_tell(sim, EVENT_RUN);
	hear(sim, PEER_WORKING);
	pass(sim, begin + 5000 * S);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	hear(sim, PEER_HAS_IT);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_FAILED);
	assert_string_equal(sim->engine.error, "timeout");
	assert_int_equal(sim->now_ms, begin + (5000 + 1800) * S);
	sim_free(sim);
}

static void test_who_does_not_wait(void **state)
{
	static const struct {
		enum engine_turn turn;
		bool follows, waits;
	} rows[] = {
		{TURN_AWAITED, true, true},
		{TURN_AWAITED, false, false}, /* it sorts first */
		{TURN_FREE, true, false},     /* both at once */
		{TURN_COME, true, false},     /* it has waited already */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct sim *sim = second();

		sim->engine.limits.follows_peer = rows[i].follows;
		engine_set_turn(&sim->engine, rows[i].turn);
		sim_tell(sim, EVENT_RUN);
		assert_int_equal(sim->engine.state,
				 rows[i].waits ? ENGINE_WAITING_PEER : ENGINE_DISCOVERING);
		/* Means nothing to who does not wait. */
		hear(sim, PEER_WORKING);
		hear(sim, PEER_GAVE_UP);
		assert_int_equal(sim->n_not_awaited, rows[i].waits);
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		sim_free(sim);
	}
}

/* What an operator does while it waits. */
static void test_orders_while_waiting(void **state)
{
	struct sim *sim = second();

	(void)state;
	sim_tell(sim, EVENT_RUN);
	hear(sim, PEER_NOTHING);
	assert_string_equal(sim->engine.error, "why");
	hear(sim, PEER_WORKING);
	assert_string_equal(sim->engine.error, "");
	sim_tell(sim, EVENT_PAUSE);
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	hear(sim, PEER_HAS_IT);
	assert_int_equal(sim->engine.state, ENGINE_PAUSED);
	sim_tell(sim, EVENT_RESUME);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	/* A configuration without a peer. */
	sim->engine.limits.follows_peer = false;
	sim_tell(sim, EVENT_CONFIGURED);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	sim_tell(sim, EVENT_CANCEL);
	/* Asked for anew, and in sequence: it waits again. */
	sim->engine.limits.follows_peer = true;
	engine_set_turn(&sim->engine, TURN_AWAITED);
	sim_tell(sim, EVENT_RESTART);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	sim_tell(sim, EVENT_CANCEL);
	assert_int_equal(sim->engine.state, ENGINE_CANCELLED);
	sim_free(sim);
}

/* The turn came, the daemon was killed: it is not waited for again. */
static void test_restart(void **state)
{
	struct sim *sim = second();

	(void)state;
	sim_tell(sim, EVENT_RUN);
	sim_restart_daemon(sim);
	engine_set_turn(&sim->engine, TURN_AWAITED);
	sim_tell(sim, EVENT_PAUSE);
	sim_tell(sim, EVENT_RESUME);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_PEER);
	hear(sim, PEER_WORKING);
	hear(sim, PEER_GAVE_UP);
	assert_int_equal(sim->engine.turn, TURN_COME);
	/* Paused and resumed, it goes on where it was. */
	sim_tell(sim, EVENT_PAUSE);
	sim_tell(sim, EVENT_RESUME);
	sim_tell(sim, EVENT_RUN);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_the_turn_comes),
		cmocka_unit_test(test_opened_while_waiting),
		cmocka_unit_test(test_patience_needs_an_answer),
		cmocka_unit_test(test_waiting_counts_no_time),
		cmocka_unit_test(test_who_does_not_wait),
		cmocka_unit_test(test_orders_while_waiting),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
