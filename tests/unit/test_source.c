/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a source can be trusted to answer: the breaker, cuts, lengths and rests. */
#include "support.h"

#include "base/macros.h"
#include "download/engine/source.h"

#define PIECE (1u << 20)

static struct source ready_source(unsigned window)
{
	struct source s;

	source_init(&s, "s0", SOURCE_ARTIFACTORY);
	source_begin_attempt(&s, window);
	source_set_state(&s, SOURCE_AVAILABLE, "");
	return s;
}

/* '.' = a success, 'x' = a failure. */
static enum source_state play(struct source *s, const char *history)
{
	for (; *history; history++)
		(void)source_record(s, *history == 'x' ? REQUEST_FAILED : REQUEST_OK, PIECE, PIECE);
	return s->state;
}

static void test_breaker(void **state)
{
	static const struct {
		unsigned window;
		const char *history;
		enum source_state end;
	} rows[] = {
		{10, "xxxxx", SOURCE_AVAILABLE},           /* half is not more than half */
		{10, "xxxxxx", SOURCE_BROKEN},             /* the 6th of 10 */
		{10, "x.x.x.x.x.", SOURCE_AVAILABLE},      /* 5 of 10 */
		{10, "x.x.x.x.xx", SOURCE_BROKEN},         /* 6 of 10, the last */
		{10, "....xxxxx", SOURCE_AVAILABLE},       /* 5 of 9 */
		{10, "....xxxxxx", SOURCE_BROKEN},         /* 6 of 10 */
		{10, "xxxxx.....xxxxx", SOURCE_AVAILABLE}, /* old ones have left the window */
		{10, "xxxxx.....xxxxxx", SOURCE_BROKEN},   /* 6 in a row are 6 of 10 */
		{10, "xxxxx....x", SOURCE_BROKEN},         /* the first is just within */
		{10, "xxxxx.....x", SOURCE_AVAILABLE},     /* the first has just left */
		{2, "x", SOURCE_AVAILABLE},                /* the smallest window */
		{2, "xx", SOURCE_BROKEN},                  /* both */
		{2, "x.x.x.x.x", SOURCE_AVAILABLE},        /* never both */
		{3, "x.x", SOURCE_BROKEN},                 /* odd: 2 of 3 */
		{64, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", SOURCE_AVAILABLE}, /* 32 of 64 */
		{64, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", SOURCE_BROKEN},   /* 33 of 64 */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct source s = ready_source(rows[i].window);

		if (play(&s, rows[i].history) != rows[i].end)
			fail_msg("row %u: window %u, %s", i, rows[i].window, rows[i].history);
	}
}

static void test_breaker_trips_at_the_sixth_and_not_before(void **state)
{
	(void)state;
	/* Every history of ten requests. */
	for (unsigned history = 0; history < 1024; history++) {
		struct source s = ready_source(10);
		unsigned failures = 0;

		for (unsigned i = 0; i < 10 && failures < 6; i++) {
			bool fails = (history >> i) & 1;

			failures += fails;
			assert_int_equal(source_record(&s, fails ? REQUEST_STALLED : REQUEST_OK,
						       PIECE, PIECE),
					 failures < 6 ? SOURCE_AVAILABLE : SOURCE_BROKEN);
		}
	}
}

static void test_outcomes(void **state)
{
	static const struct {
		enum request_outcome outcome;
		uint64_t bytes;
		uint32_t piece_size;
		uint64_t failures;
		enum source_state end;
	} rows[] = {
		{REQUEST_OK, 1, PIECE, 0, SOURCE_AVAILABLE},                      /* */
		{REQUEST_CUT, CUT_SUCCESS_BYTES, PIECE, 0, SOURCE_AVAILABLE},     /* enough */
		{REQUEST_CUT, CUT_SUCCESS_BYTES - 1, PIECE, 1, SOURCE_AVAILABLE}, /* too little */
		{REQUEST_CUT, 65536, 65536, 0, SOURCE_AVAILABLE},       /* a small piece */
		{REQUEST_CUT, 65535, 65536, 1, SOURCE_AVAILABLE},       /* not quite */
		{REQUEST_FAILED, 0, PIECE, 1, SOURCE_AVAILABLE},        /* */
		{REQUEST_STALLED, PIECE, PIECE, 1, SOURCE_AVAILABLE},   /* whatever it brought */
		{REQUEST_BAD_PIECE, PIECE, PIECE, 1, SOURCE_AVAILABLE}, /* the first one */
		{REQUEST_REFUSED, 0, PIECE, 1, SOURCE_BROKEN},          /* at once */
		{REQUEST_LIED, 0, PIECE, 1, SOURCE_BROKEN},             /* likewise */
		{REQUEST_RETRY_AFTER, 0, PIECE, 1, SOURCE_AVAILABLE},   /* it said when */
		{REQUEST_NEUTRAL, 0, PIECE, 0, SOURCE_AVAILABLE},       /* our own doing */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct source s = ready_source(10);

		if (source_record(&s, rows[i].outcome, rows[i].bytes, rows[i].piece_size) !=
			    rows[i].end ||
		    s.failures != rows[i].failures)
			fail_msg("row %u", i);
	}
}

/* Who never served a range is asked for the whole file, next time. */
static void test_who_lies_about_ranges(void **state)
{
	struct source s = ready_source(10);

	(void)state;
	(void)source_record(&s, REQUEST_OK, PIECE, PIECE);
	(void)source_record(&s, REQUEST_LIED, 0, PIECE);
	source_begin_attempt(&s, 10);
	assert_false(s.no_range); /* it only stumbled */
	source_set_state(&s, SOURCE_AVAILABLE, "");
	(void)source_record(&s, REQUEST_LIED, 0, PIECE);
	source_begin_attempt(&s, 10);
	assert_true(s.no_range);
	assert_int_equal(s.state, SOURCE_ASKED);
}

static void test_second_bad_piece_excludes(void **state)
{
	struct source s = ready_source(10);

	(void)state;
	(void)source_record(&s, REQUEST_BAD_PIECE, 0, PIECE);
	assert_int_equal(s.state, SOURCE_AVAILABLE);
	play(&s, "...");
	assert_int_equal(source_record(&s, REQUEST_BAD_PIECE, 0, PIECE), SOURCE_EXCLUDED);
	source_begin_attempt(&s, 10);
	assert_int_equal(s.state, SOURCE_EXCLUDED);
	assert_false(source_is_usable(&s));
}

static void test_new_attempt_forgets_the_window(void **state)
{
	struct source s = ready_source(10);

	(void)state;
	assert_int_equal(play(&s, "xxxxxx"), SOURCE_BROKEN);
	source_begin_attempt(&s, 10);
	assert_int_equal(s.state, SOURCE_ASKED);
	assert_string_equal(s.reason, "");
	source_set_state(&s, SOURCE_AVAILABLE, "");
	assert_int_equal(play(&s, "xxxxx"), SOURCE_AVAILABLE);
	assert_int_equal(s.failures, 11);
}

/* docs/download.md, "Sources": every cell. */
static void test_access_modes(void **state)
{
	static const struct {
		enum config_role role;
		enum access_mode mode;
		bool used[4];     /* peer, conductor, artifactory, mist-proxy */
		bool imported[4]; /* and of that only what was imported there */
	} rows[] = {
		{CONFIG_ROUTER, ACCESS_INTERNET_ONLY, {true, false, true, true}, {false}},
		{CONFIG_ROUTER, ACCESS_PREFER_CONDUCTOR, {true, true, true, true}, {false}},
		{CONFIG_ROUTER, ACCESS_CONDUCTOR_ONLY, {true, true, false, false}, {false}},
		{CONFIG_ROUTER, ACCESS_OFFLINE, {true, true, false, false}, {false, true}},
		{CONFIG_CONDUCTOR, ACCESS_INTERNET_ONLY, {true, false, true, true}, {false}},
		{CONFIG_CONDUCTOR, ACCESS_PREFER_CONDUCTOR, {true, true, true, true}, {false}},
		{CONFIG_CONDUCTOR, ACCESS_CONDUCTOR_ONLY, {true, true, false, false}, {false}},
		{CONFIG_CONDUCTOR, ACCESS_OFFLINE, {true}, {true}}, /* nobody but its peer */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		for (unsigned at = 0; at < 4; at++) {
			enum source_kind kind = (enum source_kind)at;
			bool used = source_kind_is_used(rows[i].role, rows[i].mode, kind);
			bool imported =
				source_offers_only_imported(rows[i].role, rows[i].mode, kind);

			if (used != rows[i].used[at] || (used && imported != rows[i].imported[at]))
				fail_msg("row %u: %s, %s", i, access_mode_name(rows[i].mode),
					 source_kind_name(kind));
		}
	}
}

static void test_request_length_follows_the_rate(void **state)
{
	struct source s = ready_source(10);

	(void)state;
	assert_int_equal(source_request_length(&s), 0);
	source_note_rate(&s, 1 << 20, 1000);
	assert_int_equal(source_request_length(&s), 4 << 20);
	source_note_rate(&s, 3 << 20, 1000);
	assert_int_equal(source_request_length(&s), 8 << 20);
	source_note_rate(&s, UINT64_C(1) << 40, 0); /* faster than the clock */
	assert_int_equal(source_request_length(&s), REQUEST_BYTES_MAX);
}

static void test_cut_limits_the_length(void **state)
{
	struct source s = ready_source(10);

	(void)state;
	(void)source_record(&s, REQUEST_CUT, 700000, PIECE);
	assert_int_equal(s.length_limit, 700000);
	(void)source_record(&s, REQUEST_CUT, 900000, PIECE);
	assert_int_equal(s.length_limit, 700000);
	(void)source_record(&s, REQUEST_CUT, 300000, PIECE);
	assert_int_equal(s.length_limit, 300000);
	source_begin_attempt(&s, 10);
	assert_int_equal(s.length_limit, 0);
}

static void test_backoff(void **state)
{
	static const uint64_t expected_s[] = {0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
	struct source s = ready_source(10);

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(expected_s); i++) {
		s.asked_again = i;
		assert_int_equal(source_backoff_ms(&s), expected_s[i] * 1000);
	}
	s.asked_again = UINT32_MAX;
	assert_int_equal(source_backoff_ms(&s), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breaker),
		cmocka_unit_test(test_breaker_trips_at_the_sixth_and_not_before),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_who_lies_about_ranges),
		cmocka_unit_test(test_second_bad_piece_excludes),
		cmocka_unit_test(test_new_attempt_forgets_the_window),
		cmocka_unit_test(test_access_modes),
		cmocka_unit_test(test_request_length_follows_the_rate),
		cmocka_unit_test(test_cut_limits_the_length),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
