/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much is asked of a source at once: each row is a history, a letter an event. */
#include "support.h"

#include "base/macros.h"
#include "download/engine/allowance.h"

#define ALL 4u

/* c: one was refused while one other is served; C: while two are; s: one more than were allowed is
 * served; a second passes before each. */
static unsigned after(const char *history, struct allowance *a)
{
	uint64_t now_ms = 1000000;

	for (; *history; history++) {
		now_ms += 1000;
		if (*history == 'c' || *history == 'C')
			allowance_crowded(a, *history == 'c' ? 1 : 2, 0, now_ms);
		else if (*history == 's')
			allowance_served(a, allowance_at_once(a, ALL, now_ms), now_ms);
	}
	return allowance_at_once(a, ALL, now_ms);
}

static void test_shrinks_and_grows(void **state)
{
	static const struct {
		const char *history;
		unsigned at_once;
	} rows[] = {
		{"", ALL},               /* nothing was refused */
		{"c", 1},                /* what is served */
		{"C", 2},                /* likewise */
		{"Cc", 1},               /* fewer than it seemed */
		{"cC", 1},               /* not more by being refused */
		{"c.", 1},               /* not at once */
		{"c..", 2},              /* one more is tried */
		{"c..s", 2},             /* and served: that holds */
		{"c..s..s..s", ALL},     /* until all are */
		{"c..c", 1},             /* and refused: */
		{"c..c...", 1},          /* twice as long now */
		{"c..c....", 2},         /* */
		{"c..c....c.......", 1}, /* and again */
		{"c..c....c........", 2},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct allowance a = {0};

		if (after(rows[i].history, &a) != rows[i].at_once)
			fail_msg("row %u: %u at once", i, after("", &a));
	}
}

static void test_limits_of_its_own(void **state)
{
	struct allowance a = {.configured = 2};

	(void)state;
	assert_int_equal(allowance_at_once(&a, ALL, 0), 2);
	assert_int_equal(allowance_at_once(&a, 1, 0), 1);
	a.in_order = true;
	assert_int_equal(allowance_at_once(&a, ALL, 0), 1);
	allowance_begin_attempt(&a);
	assert_int_equal(allowance_at_once(&a, ALL, 0), 2);
}

/* It does not ask to be asked for more before it said. */
static void test_retry_after_holds_growth_back(void **state)
{
	struct allowance a = {0};

	(void)state;
	allowance_crowded(&a, 1, 30000, 1000);
	assert_int_equal(allowance_at_once(&a, ALL, 29999), 1);
	assert_int_equal(allowance_at_once(&a, ALL, 30000), 2);
}

/* Several that were refused together are one refusal. */
static void test_refused_together(void **state)
{
	struct allowance a = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		allowance_crowded(&a, 1, 0, 1000);
	assert_int_equal(a.grow_after_ms, GROW_FIRST_MS);
	assert_int_equal(a.grow_at_ms, 1000 + GROW_FIRST_MS);
}

static void test_forgives(void **state)
{
	static const struct forgiveness f = {.since_served_ms = 2000, .refusals = 4};
	static const struct {
		uint64_t served_ms; /* 0 = never */
		uint64_t at_ms[6];  /* it is refused, 0 = no more */
		unsigned forgiven;  /* of these */
	} rows[] = {
		{0, {1000}, 0},                                  /* it never served */
		{1000, {1001}, 1},                               /* just before */
		{1000, {3000}, 1},                               /* just so */
		{1000, {3001}, 0},                               /* too long ago */
		{1000, {1010, 1010, 1010, 1010, 1010, 1010}, 6}, /* all at once: one */
		{1000, {1200, 1400, 1700, 2300, 3300, 5000}, 4}, /* often enough */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct allowance a = {.served_ms = rows[i].served_ms};
		unsigned forgiven = 0;

		for (unsigned n = 0; n < 6 && rows[i].at_ms[n] > 0; n++)
			forgiven += allowance_forgives(&a, &f, rows[i].at_ms[n]);
		if (forgiven != rows[i].forgiven)
			fail_msg("row %u: %u forgiven", i, forgiven);
	}
}

/* 125 ms twice, 250 ms twice and so on, and from the beginning once it has served. */
static void test_rests(void **state)
{
	static const uint64_t expected_ms[] = {125,  125,  250,  250,  500,  500, 1000,
					       1000, 2000, 2000, 4000, 4000, 4000};
	static const struct forgiveness f = {.since_served_ms = UINT64_C(1) << 40, .refusals = 64};
	struct allowance a = {.served_ms = 1};
	uint64_t now_ms = 1000;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(expected_ms); i++) {
		assert_true(allowance_forgives(&a, &f, now_ms));
		assert_int_equal(a.rest_until_ms, now_ms + expected_ms[i]);
		now_ms = a.rest_until_ms;
	}
	allowance_served(&a, 1, now_ms);
	assert_true(allowance_forgives(&a, &f, now_ms));
	assert_int_equal(a.rest_until_ms, now_ms + 125);
}

/* S: silent for 3 s at 8 MiB; a: answered at once at 6 MiB; n: at 1 MiB; l: late at 6 MiB. */
static void test_taken_for_a_cache(void **state)
{
	static const struct {
		const char *history;
		bool in_order;
	} rows[] = {
		{"", false},      {"S", true},         {"Sn", true},   {"Sl", true},
		{"Sa", false},    {"SaS", false},      {"SaSS", true}, {"SaSaS", true},
		{"SaSSa", false}, {"SaSSaSSS", false}, {"aS", true},   {"SaSSaSSSS", true},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct allowance a = {0};

		for (const char *event = rows[i].history; *event; event++) {
			if (*event == 'S')
				allowance_silent(&a, 8 << 20, 3000);
			else
				(void)allowance_answered(&a, *event == 'n' ? 1 << 20 : 6 << 20,
							 *event == 'l' ? 1000 : 50);
		}
		if (a.in_order != rows[i].in_order)
			fail_msg("row %u: %s", i, rows[i].history);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shrinks_and_grows),
		cmocka_unit_test(test_limits_of_its_own),
		cmocka_unit_test(test_retry_after_holds_growth_back),
		cmocka_unit_test(test_refused_together),
		cmocka_unit_test(test_forgives),
		cmocka_unit_test(test_rests),
		cmocka_unit_test(test_taken_for_a_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
