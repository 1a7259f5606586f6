/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A day of a bad network, again and again: what must always hold, whatever happens.
 *
 * The rules are checked at each step in simulation.c. STEWARD_SEED repeats a day, STEWARD_DAYS
 * says how many.
 */
#include "simulation.h"

#include <inttypes.h>
#include <time.h>

#include "base/macros.h"

#define DAY_MS     UINT64_C(86400000)
#define DAYS_USUAL 10000

static uint64_t below(struct sim *sim, uint64_t limit)
{
	return test_random(&sim->random) % limit;
}

static struct sim_source random_source(struct sim *sim)
{
	static const enum engine_answer answers[] = {ANSWER_HAS_VERSION, ANSWER_HAS_VERSION,
						     ANSWER_HAS_VERSION, ANSWER_NO_VERSION,
						     ANSWER_FAILED,      ANSWER_BAD_MANIFEST};
	static const enum request_outcome refusals[] = {REQUEST_BUSY, REQUEST_UNREACHED,
							REQUEST_ERROR, REQUEST_CUT};
	struct sim_source s = {
		.answer = answers[below(sim, 6)],
		.answer_ms = below(sim, 40000),
		.fails = (unsigned)below(sim, 30),
		.stalls = (unsigned)below(sim, 20),
		.cuts = (unsigned)below(sim, 40),
		.corrupts = (unsigned)below(sim, 4),
		.refuses = below(sim, 4) == 0,
		.says_later = (unsigned)below(sim, 5),
		.later_ms = below(sim, 200000),
		.ignores_ranges = below(sim, 8) == 0,
		.other_image = below(sim, 20) == 0,
		.bytes_per_ms = 1 + below(sim, 64),
		.at_once = below(sim, 4) ? 0 : 1 + (unsigned)below(sim, 3),
		.refuses_with = refusals[below(sim, N_ELEMENTS(refusals))],
		.apart_ms = below(sim, 6) ? 0 : below(sim, 2000),
		.connect_ms = below(sim, 3) ? 0 : below(sim, 1000),
		.fetches_all = below(sim, 6) == 0,
	};

	if (below(sim, 10) == 0)
		s.bad_pieces = test_random(&sim->random) & test_random(&sim->random);
	if (below(sim, 10) == 0)
		s.stale_pieces = test_random(&sim->random);
	if (below(sim, 10) == 0) {
		s.other_file = below(sim, 2) ? REQUEST_LIED : REQUEST_REFUSED;
		s.other_file_after = (unsigned)below(sim, 20);
		s.only_in_cache = below(sim, 3) > 0;
	}
	return s;
}

static void random_limits(struct sim *sim, struct engine_limits *limits)
{
	*limits = sim_limits();
	limits->concurrency = 1 + (unsigned)below(sim, 8);
	limits->window = 2 + (unsigned)below(sim, 20);
	limits->attempts = (uint32_t)below(sim, 12);
	limits->timeout_ms = below(sim, 3) ? 1800000 + below(sim, 20000000) : 0;
	limits->initial_retry_delay_ms = below(sim, 100) * 1000;
	limits->order = below(sim, 2) ? PICK_ASCENDING : PICK_DESCENDING;
	limits->follows_peer = below(sim, 2);
	limits->peer_patience_ms = 1000 + below(sim, 600000);
}

/* Another node, that has some of the image, and gets more. */
static void gain_pieces(struct sim *sim, unsigned source)
{
	uint8_t some[SIM_PIECES_MAX / 8];

	for (unsigned i = 0; i < sizeof(some); i++)
		some[i] = (uint8_t)(sim->pieces[source][i] | (test_random(&sim->random) & 0xff));
	sim_set_pieces(sim, source, some);
}

static void disturb(struct sim *sim)
{
	struct engine *e = &sim->engine;
	unsigned changed = (unsigned)below(sim, sim->n_sources);

	switch (below(sim, 9)) {
	case 0:
		sim->sources[changed] = random_source(sim);
		return;
	case 1:
		if (engine_state_is_running(e->state) && e->state != ENGINE_FINISHING)
			sim_tell(sim, EVENT_PAUSE);
		return;
	case 2:
		sim_restart_daemon(sim);
		return;
	case 3:
		e->limits.concurrency = 1 + (unsigned)below(sim, 8);
		sim_tell(sim, EVENT_CONFIGURED);
		return;
	case 4:
		if (engine_state_is_running(e->state) && e->state != ENGINE_FINISHING)
			sim_tell(sim, EVENT_LOCAL_ERROR);
		return;
	case 5:
		if (!sim->has_some[changed])
			return;
		gain_pieces(sim, changed);
		sim_tell_pieces(sim, changed, below(sim, 3) ? PIECES_KNOWN : PIECES_NONE);
		return;
	case 6:
		sim_happens(sim,
			    &(struct engine_event){.type = EVENT_PEER_HEARD,
						   .peer.how = (enum engine_peer)below(sim, 4)});
		return;
	case 7:
		sim_tell(sim, EVENT_SOURCES_FORBIDDEN);
		return;
	default:
		return;
	}
}

/* What an operator does with one that stands still. */
static void nudge(struct sim *sim)
{
	enum engine_state state = sim->engine.state;

	if (state == ENGINE_PAUSED)
		sim_tell(sim, EVENT_RESUME);
	else if (state == ENGINE_FAILED || state == ENGINE_CANCELLED)
		sim_tell(sim, EVENT_RESTART);
	if (sim->engine.state == ENGINE_QUEUED)
		sim_tell(sim, EVENT_RUN);
}

static void live_through(uint64_t seed, unsigned *completed)
{
	struct sim *sim = malloc(sizeof(*sim));
	struct engine_limits limits = sim_limits();
	uint64_t end;

	assert_non_null(sim);
	sim_init(sim, &limits, 8 + (unsigned)(seed % (SIM_PIECES_MAX - 8)), seed);
	random_limits(sim, &sim->engine.limits);
	for (uint64_t n = 1 + below(sim, 5); n > 0; n--) {
		struct sim_source source = random_source(sim);

		sim_add_source(sim, &source, SOURCE_ARTIFACTORY);
		if (below(sim, 6) == 0)
			gain_pieces(sim, sim->n_sources - 1);
	}
	sim->has_seeds = below(sim, 2);
	sim->seed_lies = (unsigned)below(sim, 40);
	engine_set_turn(&sim->engine, below(sim, 4) ? TURN_FREE : TURN_AWAITED);
	end = sim->now_ms + DAY_MS;
	sim_tell(sim, EVENT_RUN);
	while (sim->now_ms < end && sim->engine.state != ENGINE_COMPLETE) {
		uint64_t until = sim->now_ms + 1 + below(sim, 600000);

		while (sim_next(sim, until < end ? until : end) &&
		       sim->engine.state != ENGINE_COMPLETE)
			;
		nudge(sim);
		if (sim->engine.state != ENGINE_COMPLETE)
			disturb(sim);
	}
	*completed += sim->engine.state == ENGINE_COMPLETE;
	sim_release(sim);
	free(sim);
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* The day being lived, for who has to repeat it: a failed assertion leaves test_days at once. */
static uint64_t seed_of_day;

static int tell_seed(void **state)
{
	(void)state;
	print_message("the last day: STEWARD_DAYS=1 STEWARD_SEED=%" PRIu64 "\n", seed_of_day);
	return 0;
}

static void test_days(void **state)
{
	uint64_t days = number_from_environment("STEWARD_DAYS", DAYS_USUAL);
	uint64_t seed = number_from_environment("STEWARD_SEED", (uint64_t)time(NULL) * 2654435761u);
	unsigned completed = 0;

	(void)state;
	print_message("the first day: STEWARD_SEED=%" PRIu64 "\n", seed);
	for (uint64_t day = 0; day < days; day++) {
		seed_of_day = seed + day;
		live_through(seed_of_day, &completed);
	}
	print_message("%u of %" PRIu64 " complete\n", completed, days);
	/* Most days are survivable; if hardly any were, the world would test nothing. */
	if (days >= DAYS_USUAL)
		assert_true(completed > days / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_days, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
