/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two engines that share: each hears once a second what the other has. Whatever they begin with and
 * however fast they are, both complete, neither stands still, and together they take the image
 * about once from afar. */
#include "simulation.h"

#include "base/macros.h"
#include "download/image/piece_map.h"

#define PEER     0u
#define FAR      1u
#define N_PIECES 256u

struct pair {
	struct sim *sims[2];
	uint64_t now_ms;
};

static void begin(struct pair *pair, unsigned concurrency, const uint64_t bytes_per_ms[2],
		  const struct sim_source *like)
{
	for (unsigned i = 0; i < 2; i++) {
		struct engine_limits limits = sim_limits();
		struct sim_source peer = sim_good;
		struct sim_source far = *like;

		limits.concurrency = concurrency;
		limits.order = i ? PICK_DESCENDING : PICK_ASCENDING;
		far.bytes_per_ms = bytes_per_ms[i];
		peer.answer = ANSWER_NO_VERSION;
		peer.bytes_per_ms = 64 * SIM_UNIT;
		pair->sims[i] = sim_new(&limits, N_PIECES);
		sim_add_source(pair->sims[i], &peer, SOURCE_HA_PEER);
		sim_add_source(pair->sims[i], &far, SOURCE_ARTIFACTORY);
		pair->now_ms = pair->sims[i]->now_ms;
	}
}

static void end(struct pair *pair)
{
	sim_free(pair->sims[0]);
	sim_free(pair->sims[1]);
}

/* What peer_pieces tells of the other one. */
static void exchange(const struct sim *from, struct sim *to)
{
	if (to->engine.state != ENGINE_DOWNLOADING)
		return;
	if (from->engine.has_image)
		sim_set_pieces(to, PEER, from->verified);
	sim_tell_pieces(to, PEER, from->engine.has_image ? PIECES_KNOWN : PIECES_NONE);
}

static void pass_second(struct pair *pair)
{
	pair->now_ms += 1000;
	for (unsigned i = 0; i < 2; i++)
		while (sim_next(pair->sims[i], pair->now_ms))
			;
	exchange(pair->sims[0], pair->sims[1]);
	exchange(pair->sims[1], pair->sims[0]);
}

static bool is_over(const struct pair *pair)
{
	return pair->sims[0]->engine.state == ENGINE_COMPLETE &&
	       pair->sims[1]->engine.state == ENGINE_COMPLETE;
}

static uint64_t from_afar(const struct pair *pair)
{
	return pair->sims[0]->engine.sources[FAR].bytes + pair->sims[1]->engine.sources[FAR].bytes;
}

struct row {
	unsigned concurrency;
	uint64_t bytes_per_ms[2]; /* of one request */
	uint64_t later_ms;        /* the second begins */
	unsigned at_most;         /* percent of the image, from afar */
};

/* It may take so much longer than the faster one alone would. */
static void share(unsigned row_number, const struct row *row, const struct sim_source *like,
		  uint64_t longer_ms)
{
	struct pair pair;
	uint64_t size;
	uint64_t began_ms;
	uint64_t alone_ms;

	begin(&pair, row->concurrency, row->bytes_per_ms, like);
	size = pair.sims[0]->manifest.size;
	began_ms = pair.now_ms;
	sim_tell(pair.sims[0], EVENT_RUN);
	while (pair.now_ms < began_ms + row->later_ms)
		pass_second(&pair);
	sim_tell(pair.sims[1], EVENT_RUN);
	alone_ms = size / row->concurrency / MAX(row->bytes_per_ms[0], row->bytes_per_ms[1]);
	while (!is_over(&pair)) {
		pass_second(&pair);
		if (pair.now_ms - began_ms > alone_ms + row->later_ms + longer_ms)
			fail_msg("row %u: not complete after %llu ms", row_number,
				 (unsigned long long)(pair.now_ms - began_ms));
	}
	if (from_afar(&pair) > size * row->at_most / 100)
		fail_msg("row %u: %.2f times the image from afar", row_number,
			 (double)from_afar(&pair) / (double)size);
	assert_int_equal(pair.sims[0]->engine.sources[PEER].failures, 0);
	assert_int_equal(pair.sims[1]->engine.sources[PEER].failures, 0);
	end(&pair);
}

static void test_each_piece_about_once(void **state)
{
	static const struct row rows[] = {
		{1, {100, 100}, 0, 105}, /* two and a half minutes for one alone */
		{2, {100, 100}, 0, 105}, {4, {25, 25}, 0, 105},
		{4, {100, 100}, 0, 110}, {4, {25, 200}, 0, 105},
		{4, {200, 25}, 0, 105},  {4, {50, 50}, 20000, 105},
		{8, {20, 20}, 0, 105},   {16, {10, 10}, 0, 105},
		{4, {400, 400}, 0, 140}, /* ten seconds: hardly time to hear of one another */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		share(i, &rows[i], &sim_good, 8000); /* to find out about the other */
}

/* On a bad line a request is silent now and then, while others are served: nothing is fetched twice
 * for that. */
static void test_bad_line(void **state)
{
	static const struct row rows[] = {
		{4, {100, 100}, 0, 112}, {4, {25, 25}, 0, 112},     {4, {25, 200}, 0, 112},
		{8, {20, 20}, 0, 112},   {4, {50, 50}, 20000, 112},
	};
	struct sim_source bad = sim_good;

	(void)state;
	bad.late = 10;
	bad.late_ms = 3500;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		share(i, &rows[i], &bad, 45000);
}

/* Both take it from a cache that fetches all: in one piece each, and not all of it. */
static void test_cache_that_fetches_all(void **state)
{
	static const struct row rows[] = {
		{4, {500, 500}, 0, 115},
		{4, {100, 100}, 0, 115},
		{4, {100, 200}, 0, 115},
	};
	struct sim_source cache = sim_good;

	(void)state;
	cache.fetches_all = true;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		share(i, &rows[i], &cache, 400000);
}

/* One of them is killed, paused, or cannot be heard, again and again. */
static void disturb(struct pair *pair, uint64_t *random)
{
	struct sim *sim = pair->sims[test_random(random) % 2];

	if (sim->engine.state != ENGINE_DOWNLOADING)
		return;
	switch (test_random(random) % 4) {
	case 0:
		sim_restart_daemon(sim);
		return;
	case 1:
		sim_tell(sim, EVENT_PAUSE);
		sim_tell(sim, EVENT_RESUME);
		sim_tell(sim, EVENT_RUN);
		return;
	case 2:
		sim_tell_pieces(sim, PEER, PIECES_NONE);
		return;
	default:
		sim->sources[PEER].fails = (unsigned)(test_random(random) % 100);
		sim->sources[PEER].stalls = sim->sources[PEER].fails / 4;
		return;
	}
}

static void test_both_complete_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t random = seed * 7919;
		uint64_t rates[2] = {5 + test_random(&random) % 200,
				     5 + test_random(&random) % 200};
		struct pair pair;
		unsigned seconds = 0;

		begin(&pair, 1 + (unsigned)(seed % 8), rates, &sim_good);
		sim_tell(pair.sims[0], EVENT_RUN);
		sim_tell(pair.sims[1], EVENT_RUN);
		while (!is_over(&pair)) {
			pass_second(&pair);
			if (test_random(&random) % 8 == 0 && seconds < 600)
				disturb(&pair, &random);
			if (++seconds > 36000)
				fail_msg("seed %llu: %u and %u pieces after ten hours",
					 (unsigned long long)seed,
					 pair.sims[0]->engine.picker.n_verified,
					 pair.sims[1]->engine.picker.n_verified);
		}
		end(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_piece_about_once),
		cmocka_unit_test(test_bad_line),
		cmocka_unit_test(test_cache_that_fetches_all),
		cmocka_unit_test(test_both_complete_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
