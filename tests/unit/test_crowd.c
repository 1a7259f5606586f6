/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who comes in, who waits and who goes, over simulated time. */
#include "support.h"

#include "base/crowd.h"
#include "base/macros.h"
#include "faults.h"

#define N_MEMBERS 400
#define START_MS  1000000

/* Four places for each stranger or guest, of six that strangers have, of sixteen, and four of those
 * for the trusted alone. */
static const struct crowd_limits limits = {
	.places = 16,
	.strangers = 6,
	.reserve = 4,
	.each = {[CROWD_STRANGER] = 4, [CROWD_GUEST] = 4, [CROWD_TRUSTED] = 8},
	.waiting = {[CROWD_STRANGER] = 2, [CROWD_GUEST] = 2, [CROWD_TRUSTED] = 16},
	.waiting_others = 7,
	.streams = 3,
	.grace_ms = 250,
	.patience_ms = 2000,
	.idle_ms = 60000,
};

struct world {
	struct crowd *crowd;
	uint64_t now_ms;
	struct crowd_member members[N_MEMBERS];
	unsigned n;
	unsigned n_gone;
	unsigned n_refused;
	struct crowd_member *last_gone;
};

static void settle(struct world *w)
{
	struct crowd_change change;

	while (crowd_next(w->crowd, w->now_ms, &change)) {
		assert_true(change.goes || change.enters);
		assert_true(!change.goes || change.goes->state == CROWD_ABSENT);
		assert_true(!change.enters || change.enters->state == CROWD_IDLE);
		w->n_gone += change.goes ? 1 : 0;
		w->last_gone = change.goes ? change.goes : w->last_gone;
	}
}

static void pass(struct world *w, uint64_t ms)
{
	w->now_ms += ms;
	settle(w);
}

static struct crowd_member *come(struct world *w, uint64_t who, enum crowd_rank rank)
{
	struct crowd_member *m = &w->members[w->n++];
	const struct crowd_origin origin = {{0, who}};

	assert_true(w->n <= N_MEMBERS);
	if (!crowd_arrive(w->crowd, m, origin, rank, w->now_ms))
		w->n_refused++;
	settle(w);
	return m;
}

static unsigned come_many(struct world *w, uint64_t who, enum crowd_rank rank, unsigned n)
{
	unsigned n_in = 0;

	while (n-- > 0)
		n_in += come(w, who, rank)->state == CROWD_IDLE;
	return n_in;
}

static void all_busy(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		crowd_busy(w->crowd, &w->members[i]);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->crowd = crowd_new(&limits);
	assert_non_null(w->crowd);
	w->now_ms = START_MS;
	*state = w;
	return 0;
}

/* Twice, for a connection that was shown out is closed afterwards. */
static int end(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 2 * w->n; i++)
		crowd_leave(w->crowd, &w->members[i % w->n]);
	assert_int_equal(crowd_due_ms(w->crowd, w->now_ms), UINT64_MAX);
	crowd_free(w->crowd);
	free(w);
	return 0;
}

static void test_each_has_its_part(void **state)
{
	static const struct {
		enum crowd_rank rank;
		uint64_t who;
		unsigned come;
		unsigned in; /* at once */
	} rows[] = {
		{CROWD_STRANGER, 1, 9, 4}, /* of one user */
		{CROWD_STRANGER, 2, 9, 2}, /* strangers have six together */
		{CROWD_STRANGER, 3, 9, 0}, {CROWD_GUEST, 4, 9, 4},
		{CROWD_GUEST, 5, 9, 2}, /* all but the reserve */
		{CROWD_GUEST, 6, 1, 0},    {CROWD_TRUSTED, 0, 3, 3},
		{CROWD_TRUSTED, 7, 9, 1},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(come_many(w, rows[i].who, rows[i].rank, rows[i].come), rows[i].in);
	assert_int_equal(w->n_gone, 0); /* all are new */
	assert_true(w->n_refused > 0);
}

static void test_idle_ones_make_room(void **state)
{
	struct world *w = *state;
	struct crowd_member *first;
	struct crowd_member *m;

	first = come(w, 1, CROWD_GUEST);
	assert_int_equal(come_many(w, 1, CROWD_GUEST, 3), 3);
	m = come(w, 1, CROWD_GUEST);
	assert_int_equal(m->state, CROWD_WAITING);
	assert_true(crowd_due_ms(w->crowd, w->now_ms) <= 100);
	pass(w, limits.grace_ms - 1);
	assert_int_equal(m->state, CROWD_WAITING);
	pass(w, 1);
	assert_int_equal(m->state, CROWD_IDLE);
	assert_ptr_equal(w->last_gone, first);
	assert_int_equal(w->n_gone, 1);
}

/* Who has just been answered is not who goes. */
static void test_served_ones_stay(void **state)
{
	struct world *w = *state;
	struct crowd_member *served = come(w, 1, CROWD_GUEST);
	struct crowd_member *silent = come(w, 1, CROWD_GUEST);

	(void)come_many(w, 1, CROWD_GUEST, 2);
	pass(w, 1000);
	crowd_busy(w->crowd, served);
	crowd_idle(w->crowd, served, w->now_ms);
	(void)come(w, 1, CROWD_GUEST);
	assert_ptr_equal(w->last_gone, silent);
	assert_int_equal(served->state, CROWD_IDLE);
}

/* Busy ones never go; who would need their place waits, and is refused in the end. */
static void test_busy_ones_stay(void **state)
{
	struct world *w = *state;
	struct crowd_member *m;

	(void)come_many(w, 1, CROWD_GUEST, 4);
	all_busy(w);
	pass(w, 1000);
	m = come(w, 1, CROWD_GUEST);
	pass(w, limits.patience_ms - 1);
	assert_int_equal(m->state, CROWD_WAITING);
	assert_int_equal(w->n_gone, 0);
	pass(w, 1);
	assert_int_equal(m->state, CROWD_ABSENT);
	assert_ptr_equal(w->last_gone, m);
}

static void test_a_place_that_is_left_is_given(void **state)
{
	struct world *w = *state;
	struct crowd_member *first = come(w, 1, CROWD_GUEST);
	struct crowd_member *m;

	(void)come_many(w, 1, CROWD_GUEST, 3);
	all_busy(w);
	m = come(w, 1, CROWD_GUEST);
	assert_int_equal(m->state, CROWD_WAITING);
	crowd_leave(w->crowd, first);
	settle(w);
	assert_int_equal(m->state, CROWD_IDLE);
}

/* Whoever fills all places with whatever: the trusted come in at once, or after the grace. */
static void test_the_trusted_always_get_in(void **state)
{
	struct world *w = *state;
	struct crowd_member *m;

	for (uint64_t who = 1; who < 20; who++)
		(void)come_many(w, who, who % 2 ? CROWD_STRANGER : CROWD_GUEST, 9);
	all_busy(w);
	assert_int_equal(come_many(w, 0, CROWD_TRUSTED, 4), 4);
	m = come(w, 0, CROWD_TRUSTED);
	pass(w, limits.grace_ms);
	assert_int_equal(m->state, CROWD_IDLE); /* instead of one of its own */
}

static void test_who_has_most_gives(void **state)
{
	struct world *w = *state;
	struct crowd_member *large;
	struct crowd_member *m;

	(void)come_many(w, 1, CROWD_GUEST, 2);
	large = come(w, 2, CROWD_GUEST);
	(void)come_many(w, 2, CROWD_GUEST, 3);
	for (uint64_t who = 3; who < 6; who++)
		(void)come_many(w, who, CROWD_GUEST, 2);
	pass(w, 1000);
	m = come(w, 6, CROWD_GUEST);
	assert_int_equal(m->state, CROWD_IDLE);
	assert_ptr_equal(w->last_gone, large);
	/* Nobody's second connection is worth another's second. */
	pass(w, 1000);
	(void)come(w, 6, CROWD_GUEST);
	(void)come(w, 2, CROWD_GUEST);
	assert_int_equal(w->n_gone, 3);
	m = come(w, 1, CROWD_GUEST);
	assert_ptr_not_equal(m, NULL);
	for (unsigned i = 0; i < w->n; i++)
		assert_true(w->members[i].state != CROWD_ABSENT || w->members[i].party == NULL);
}

/* Half a request, or a byte a minute: it ends. */
static void test_nobody_is_idle_for_long(void **state)
{
	struct world *w = *state;
	struct crowd_member *idle = come(w, 1, CROWD_GUEST);
	struct crowd_member *busy = come(w, 1, CROWD_GUEST);

	crowd_busy(w->crowd, busy);
	assert_int_equal(crowd_due_ms(w->crowd, w->now_ms), limits.idle_ms);
	pass(w, limits.idle_ms - 1);
	assert_int_equal(idle->state, CROWD_IDLE);
	pass(w, 1);
	assert_int_equal(idle->state, CROWD_ABSENT);
	assert_int_equal(busy->state, CROWD_BUSY);
}

static void test_streams_are_counted(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	(void)come_many(w, 1, CROWD_TRUSTED, 8);
	all_busy(w);
	for (unsigned i = 0; i < 8; i++)
		n += crowd_stream(w->crowd, &w->members[i]);
	assert_int_equal(n, limits.streams);
	crowd_leave(w->crowd, &w->members[0]);
	assert_true(crowd_stream(w->crowd, &w->members[7]));
	assert_false(crowd_stream(w->crowd, &w->members[6]));
	crowd_idle(w->crowd, &w->members[1], w->now_ms);
	assert_true(crowd_stream(w->crowd, &w->members[6]));
}

/* A descriptor is missing: who gives one. */
static void test_room_is_made(void **state)
{
	struct world *w = *state;
	struct crowd_member *guest = come(w, 1, CROWD_GUEST);

	(void)come(w, 0, CROWD_TRUSTED);
	assert_null(crowd_make_room(w->crowd, CROWD_GUEST, w->now_ms));
	w->now_ms += 1000;
	assert_null(crowd_make_room(w->crowd, CROWD_STRANGER, w->now_ms));
	assert_ptr_equal(crowd_make_room(w->crowd, CROWD_GUEST, w->now_ms), guest);
	assert_null(crowd_make_room(w->crowd, CROWD_GUEST, w->now_ms));
	(void)come(w, 1, CROWD_GUEST);
	(void)come(w, 2, CROWD_GUEST);
	guest = come(w, 2, CROWD_GUEST);
	all_busy(w);
	assert_null(crowd_make_room(w->crowd, CROWD_GUEST, w->now_ms));
	assert_int_equal(crowd_make_room(w->crowd, CROWD_TRUSTED, w->now_ms)->since_ms,
			 guest->since_ms);
	assert_non_null(crowd_make_room(w->crowd, CROWD_TRUSTED, w->now_ms));
	assert_non_null(crowd_make_room(w->crowd, CROWD_TRUSTED, w->now_ms));
	assert_null(crowd_make_room(w->crowd, CROWD_TRUSTED, w->now_ms));
}

static void test_no_memory(void **state)
{
	struct world *w = *state;

	faults_fail_allocation(1);
	(void)come(w, 1, CROWD_GUEST);
	assert_int_equal(w->n_refused, 1);
	faults_fail_allocation(1);
	assert_null(crowd_new(&limits));
	faults_fail_allocation(0);
}

/* Random days: the counts are right whatever happens, and the trusted get in. */
static void test_random_days(void **state)
{
	struct world *w = *state;
	uint64_t seed = 4711;

	for (unsigned round = 0; round < 20000; round++) {
		struct crowd_member *m = &w->members[test_random(&seed) % N_MEMBERS];
		const uint64_t who = test_random(&seed) % 8;
		unsigned n_in = 0;
		unsigned n_others = 0;

		w->n = N_MEMBERS;
		if (m->state == CROWD_ABSENT)
			(void)crowd_arrive(w->crowd, m, (struct crowd_origin){{0, who}},
					   who % CROWD_N_RANKS, w->now_ms);
		else if (test_random(&seed) % 3 == 0)
			crowd_leave(w->crowd, m);
		else if (test_random(&seed) % 2)
			crowd_busy(w->crowd, m);
		else
			crowd_idle(w->crowd, m, w->now_ms);
		pass(w, test_random(&seed) % 100);
		for (unsigned i = 0; i < N_MEMBERS; i++) {
			const struct crowd_member *each = &w->members[i];

			if (each->state != CROWD_IDLE && each->state != CROWD_BUSY)
				continue;
			n_in++;
			n_others += crowd_member_rank(each) != CROWD_TRUSTED;
		}
		assert_true(n_in <= limits.places);
		assert_true(n_others <= limits.places - limits.reserve);
	}
	assert_true(w->n_gone > 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_has_its_part, make, end),
		cmocka_unit_test_setup_teardown(test_idle_ones_make_room, make, end),
		cmocka_unit_test_setup_teardown(test_served_ones_stay, make, end),
		cmocka_unit_test_setup_teardown(test_busy_ones_stay, make, end),
		cmocka_unit_test_setup_teardown(test_a_place_that_is_left_is_given, make, end),
		cmocka_unit_test_setup_teardown(test_the_trusted_always_get_in, make, end),
		cmocka_unit_test_setup_teardown(test_who_has_most_gives, make, end),
		cmocka_unit_test_setup_teardown(test_nobody_is_idle_for_long, make, end),
		cmocka_unit_test_setup_teardown(test_streams_are_counted, make, end),
		cmocka_unit_test_setup_teardown(test_room_is_made, make, end),
		cmocka_unit_test_setup_teardown(test_no_memory, make, end),
		cmocka_unit_test_setup_teardown(test_random_days, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
