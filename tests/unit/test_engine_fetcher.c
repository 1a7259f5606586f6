/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conductor that fetches the image for us: it is preferred, and waited for, and left with its
 * reason.
 */
#include "simulation.h"

#include "base/macros.h"

#define CONDUCTOR 0u
#define FAR       1u
#define PIECES    64u

/* Source 0 fetches the image and has none of it yet; source 1, if there is one, has it. */
static struct sim *with_fetcher(const struct sim_source *other, enum source_kind kind)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, PIECES);
	struct sim_source fetcher = sim_good;

	fetcher.fetches = true;
	sim_add_source(sim, &fetcher, SOURCE_CONDUCTOR);
	if (other)
		sim_add_source(sim, other, kind);
	sim_tell(sim, EVENT_RUN);
	while (sim->engine.state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_give_pieces(sim, CONDUCTOR, 0, 0);
	return sim;
}

/* Time goes by; more pieces are heard of each second. */
static void fetch_up_to(struct sim *sim, uint32_t from, uint32_t end)
{
	for (uint32_t piece = from; piece <= end; piece++) {
		(void)sim_run(sim, sim->now_ms + 1000);
		sim_give_pieces(sim, CONDUCTOR, 0, piece);
	}
}

static void let_pass(struct sim *sim, uint64_t ms)
{
	const uint64_t end = sim->now_ms + ms;

	while (sim_next(sim, end))
		;
}

static void test_only_source(void **state)
{
	struct sim *sim = with_fetcher(NULL, SOURCE_CONDUCTOR);

	(void)state;
	fetch_up_to(sim, 1, 20);
	let_pass(sim, 600000); /* its line is slow: it says so, and is waited for */
	assert_int_equal(sim->engine.state, ENGINE_DOWNLOADING);
	fetch_up_to(sim, 21, PIECES);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_discoveries, 1);
	assert_int_equal(sim->engine.sources[CONDUCTOR].failures, 0);
	assert_true(sim->engine.bytes_fetched == sim->manifest.size);
	sim_free(sim);
}

static void test_preferred(void **state)
{
	struct sim *sim = with_fetcher(&sim_good, SOURCE_ARTIFACTORY);

	(void)state;
	fetch_up_to(sim, 1, PIECES);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[FAR], 0);
	sim_free(sim);
}

static void test_one_that_has_it_goes_before(void **state)
{
	struct sim *sim = with_fetcher(&sim_good, SOURCE_CONDUCTOR);

	(void)state;
	fetch_up_to(sim, 1, PIECES);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[CONDUCTOR], 0);
	sim_free(sim);
}

static void test_idle_one_is_left(void **state)
{
	struct sim *sim = with_fetcher(&sim_good, SOURCE_ARTIFACTORY);

	(void)state;
	fetch_up_to(sim, 1, 10);
	let_pass(sim, FETCHER_PATIENCE_MS - 2000);
	assert_int_equal(sim->n_requests_of[FAR], 0);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_true(sim->n_requests_of[FAR] > 0);
	assert_non_null(strstr(sim->left, "nothing new for 30 s"));
	assert_true(sim->engine.sources[CONDUCTOR].bytes >= UINT64_C(9) * SIM_PIECE_SIZE);
	assert_true(sim->engine.bytes_fetched == sim->manifest.size);
	sim_free(sim);
}

/* It says why it does not go on: that is the error of the attempt. */
static void test_reason_is_told(void **state)
{
	struct sim *sim = with_fetcher(NULL, SOURCE_CONDUCTOR);

	(void)state;
	fetch_up_to(sim, 1, 10);
	sim_tell_pieces(sim, CONDUCTOR, PIECES_NONE);
	assert_int_equal(sim->engine.state, ENGINE_WAITING_RETRY);
	assert_string_equal(sim->left, "why");
	assert_non_null(strstr(sim->engine.error, ": why"));
	sim_free(sim);
}

static void test_failed_one_is_replaced(void **state)
{
	struct sim *sim = with_fetcher(&sim_good, SOURCE_ARTIFACTORY);

	(void)state;
	fetch_up_to(sim, 1, 10);
	sim_tell_pieces(sim, CONDUCTOR, PIECES_NONE);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_discoveries, 1);
	assert_true(sim->n_requests_of[FAR] > 0);
	sim_free(sim);
}

/* Before it has a manifest it says that it is about to fetch the version. */
static struct sim *with_late_fetcher(uint64_t answer_ms)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, PIECES);
	struct sim_source fetcher = sim_good;

	fetcher.fetches = true;
	fetcher.answer_ms = answer_ms;
	sim_add_source(sim, &fetcher, SOURCE_CONDUCTOR);
	sim_add_source(sim, &sim_good, SOURCE_ARTIFACTORY);
	sim_tell(sim, EVENT_RUN);
	while (sim->engine.discovery != DISCOVERY_RUNS || sim->engine.disk != DISK_EMPTY)
		assert_true(sim_next(sim, UINT64_MAX));
	sim_happens(sim, &(struct engine_event){.type = EVENT_ANSWER,
						.answer.source = CONDUCTOR,
						.answer.what = ANSWER_LATER,
						.reason = "it is queued there"});
	assert_string_equal(sim->engine.sources[CONDUCTOR].reason, "it is queued there");
	return sim;
}

static void test_waited_for_before_it_begins(void **state)
{
	struct sim *sim = with_late_fetcher(20000);

	(void)state;
	let_pass(sim, 19000);
	assert_int_equal(sim->engine.state, ENGINE_DISCOVERING);
	while (sim->engine.state != ENGINE_DOWNLOADING)
		assert_true(sim_next(sim, UINT64_MAX));
	fetch_up_to(sim, 0, PIECES);
	assert_int_equal(sim_run(sim, UINT64_MAX), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[FAR], 0);
	sim_free(sim);
}

static void test_not_waited_for_too_long(void **state)
{
	struct sim *sim = with_late_fetcher(3600000);

	(void)state;
	assert_int_equal(sim_run(sim, sim->now_ms + FETCHER_PATIENCE_MS + 60000), ENGINE_COMPLETE);
	assert_int_equal(sim->n_requests_of[CONDUCTOR], 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_source),
		cmocka_unit_test(test_preferred),
		cmocka_unit_test(test_one_that_has_it_goes_before),
		cmocka_unit_test(test_idle_one_is_left),
		cmocka_unit_test(test_reason_is_told),
		cmocka_unit_test(test_failed_one_is_replaced),
		cmocka_unit_test(test_waited_for_before_it_begins),
		cmocka_unit_test(test_not_waited_for_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
