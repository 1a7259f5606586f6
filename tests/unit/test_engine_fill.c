/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces that are filled from other images, beside sources of all kinds. */
#include "simulation.h"

#include "base/macros.h"
#include "base/piece_bits.h"

#define PIECES 64u

/* The next pieces, and the event that is due for them; n is 0 if none is left. */
static struct engine_event take(struct sim *sim, uint32_t max)
{
	struct engine_event event = {.type = EVENT_FILLED};

	event.filled.n = engine_fill_take(&sim->engine, max, &event.filled.first);
	return event;
}

/* Those of which a bit is set in right are; the others are wrong on disk. */
static void fill(struct sim *sim, struct engine_event *event, uint32_t right)
{
	const size_t units = SIM_PIECE_SIZE / SIM_UNIT;

	for (uint32_t i = 0; i < event->filled.n; i++) {
		uint32_t piece = event->filled.first + i;
		bool good = right >> i & 1;

		memset(sim->units + piece * units, good ? 1 : 2, units);
		if (good)
			piece_bits_set(sim->verified, piece);
	}
	event->filled.right = right;
	sim_happens(sim, event);
	event->filled.n = 0;
}

static void begin(struct sim *sim, uint64_t pieces)
{
	uint8_t bits[PIECES / 8];

	for (unsigned i = 0; i < sizeof(bits); i++)
		bits[i] = (uint8_t)(pieces >> (8 * i));
	assert_int_equal(engine_fill_begin(&sim->engine, bits), 0);
}

static struct sim *downloading(const struct sim_source *a, const struct sim_source *b)
{
	struct sim *sim = sim_with(a, b);

	while (sim->engine.state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	return sim;
}

/* All but the first request is filled, and no byte of it is fetched. */
static void test_filled_is_not_fetched(void **state)
{
	struct sim *sim = downloading(&sim_good, NULL);
	uint64_t asked = sim->bytes_asked;
	struct engine_event event;

	(void)state;
	begin(sim, UINT64_MAX);
	while ((event = take(sim, 32)).filled.n > 0)
		fill(sim, &event, UINT32_MAX);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->bytes_asked, asked);
	assert_int_equal(sim->engine.bytes_reused + sim->engine.bytes_fetched, sim->manifest.size);
	sim_free(sim);
}

/* What is not right when it was copied is fetched, and nobody is blamed. */
static void test_wrong_is_fetched(void **state)
{
	struct sim *sim = downloading(&sim_good, NULL);
	struct engine_event event;

	(void)state;
	begin(sim, UINT64_MAX);
	while ((event = take(sim, 8)).filled.n > 0)
		fill(sim, &event, 0x55);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_mismatches, 0);
	assert_int_equal(sim->engine.sources[0].failures, 0);
	assert_int_equal(sim->engine.bytes_reused + sim->engine.bytes_fetched, sim->manifest.size);
	assert_in_range(sim->engine.bytes_reused, 28 * SIM_PIECE_SIZE, 32 * SIM_PIECE_SIZE);
	sim_free(sim);
}

/* While it is not known what can be filled nothing is asked for; and not for long. */
static void test_expected(void **state)
{
	struct sim *sim = sim_with(&sim_good, NULL);
	struct engine *e = &sim->engine;
	uint64_t began_ms;

	(void)state;
	engine_fill_expect(e, true);
	while (e->state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	began_ms = sim->now_ms;
	assert_int_equal(engine_next_wake(e), began_ms + FILL_GRACE_MS);
	(void)sim_next(sim, began_ms + FILL_GRACE_MS - 1);
	sim_tell(sim, EVENT_TICK);
	assert_int_equal(sim->n_requests, 0);
	(void)sim_next(sim, began_ms + FILL_GRACE_MS);
	assert_int_equal(sim->n_requests, 1);
	sim_free(sim);
	sim = sim_with(&sim_good, NULL);
	engine_fill_expect(&sim->engine, true);
	while (sim->engine.state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	engine_fill_expect(&sim->engine, false);
	sim_tell(sim, EVENT_TICK);
	assert_int_equal(sim->n_requests, 1);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	sim_free(sim);
}

/* Of pieces that could not be filled whole the holes are fetched; whole where the bytes beside them
 * turn out to be wrong. Nobody is blamed, whatever the seeds say. */
static void test_holes(void **state)
{
	static const unsigned lies[] = {0, 30, 100};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(lies); i++) {
		struct sim *sim = downloading(&sim_good, NULL);
		const struct engine *e = &sim->engine;

		sim->seed_lies = lies[i];
		sim->has_seeds = true;
		assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
		assert_int_equal(sim->n_mismatches, 0);
		assert_int_equal(e->sources[0].failures, 0);
		assert_true(e->bytes_reused > 0);
		if (lies[i] == 0)
			assert_int_equal(e->bytes_reused + e->bytes_fetched, sim->manifest.size);
		else
			assert_true(e->bytes_reused + e->bytes_fetched > sim->manifest.size);
		sim_free(sim);
	}
}

/* A source that has a piece wrong is found out although a seed's bytes are in it: when the piece is
 * fetched whole. */
static void test_holes_and_a_source_that_lies(void **state)
{
	struct sim_source bad = sim_good;
	struct sim *sim;

	(void)state;
	bad.bad_pieces = UINT64_C(0xffffffff00000000);
	sim = downloading(&bad, &sim_good);
	sim->has_seeds = true;
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->n_mismatches > 0);
	assert_int_equal(sim->engine.sources[1].failures, 0);
	sim_free(sim);
}

/* While pieces are being filled no whole file is asked for: its reply would go over them. */
static void test_source_without_ranges(void **state)
{
	struct sim_source whole = sim_good;
	struct sim *sim;
	struct engine_event event;

	(void)state;
	whole.ignores_ranges = true;
	sim = downloading(&whole, NULL);
	begin(sim, UINT64_C(0xffff));
	event = take(sim, 8);
	assert_int_equal(event.filled.n, 8);
	for (unsigned i = 0; i < 3; i++)
		(void)sim_next(sim, sim->now_ms + 1000);
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
		assert_false(sim->engine.slots[slot].used && sim->engine.slots[slot].whole);
	fill(sim, &event, UINT32_MAX);
	engine_fill_end(&sim->engine);
	sim_tell(sim, EVENT_TICK);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->engine.bytes_reused, 8 * SIM_PIECE_SIZE);
	sim_free(sim);
}

static uint64_t below(struct sim *sim, uint64_t limit)
{
	return test_random(&sim->random) % limit;
}

static void random_step(struct sim *sim, struct engine_event *event)
{
	if (event->filled.n > 0 && below(sim, 3) == 0)
		fill(sim, event, (uint32_t)test_random(&sim->random));
	else if (event->filled.n == 0 && sim->engine.picker.promised)
		*event = take(sim, 1 + (uint32_t)below(sim, 32));
	else if (event->filled.n == 0 && sim->engine.state == ENGINE_DOWNLOADING &&
		 below(sim, 4) == 0)
		begin(sim, test_random(&sim->random) | test_random(&sim->random));
	if (below(sim, 20) == 0)
		engine_fill_end(&sim->engine);
	(void)sim_next(sim, sim->now_ms + 50);
	if (!engine_state_is_ended(sim->engine.state))
		sim_tell(sim, EVENT_TICK); /* as the driver does when nothing is left to fill */
}

/* Random days: sources that cut, lie and ignore ranges, and fillings that begin, fail and end at
 * any time. The rules of simulation.c hold at each step, and complete means right. */
static void test_days(void **state)
{
	unsigned completed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct sim_source a = sim_good;
		struct sim_source b = sim_good;
		struct engine_event event = {.type = EVENT_FILLED};
		struct sim *sim;

		a.cuts = (unsigned)(seed % 40);
		a.corrupts = (unsigned)(seed % 3);
		a.bytes_per_ms = 1 + seed % 50;
		b.ignores_ranges = seed % 4 == 0;
		b.fails = (unsigned)(seed % 30);
		sim = sim_with(&a, seed % 2 ? &b : NULL);
		sim->random = seed;
		for (unsigned step = 0; step < 20000; step++) {
			if (engine_state_is_ended(sim->engine.state))
				break;
			random_step(sim, &event);
		}
		completed += sim->engine.state == ENGINE_COMPLETE;
		sim_free(sim);
	}
	assert_true(completed > 380);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled_is_not_fetched),
		cmocka_unit_test(test_wrong_is_fetched),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_holes_and_a_source_that_lies),
		cmocka_unit_test(test_source_without_ranges),
		cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
