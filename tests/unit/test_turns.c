/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose turn it is on the open port, over simulated time. */
#include "support.h"

#include "base/macros.h"
#include "conductor/enrolment/turns.h"
#include "faults.h"

#define START_MS    1000000
#define PATIENCE_MS 2000 /* before anybody has got through */

static const struct turns_options ssh = {
	.places = 8,
	.waiting = 100,
	.we_speak_first = true,
	.cores = 4,
	.pace_per_s = 32,
	.turn_ms = 20000,
};

static struct turns *make(const struct turns_options *options)
{
	struct turns *t = turns_new(options);

	assert_non_null(t);
	return t;
}

static turns_ticket wait_as(struct turns *t, enum turns_class class, uint64_t now)
{
	turns_ticket shown_out;
	turns_ticket ticket = turns_wait(t, class, now, &shown_out);

	assert_int_equal(shown_out, 0);
	return ticket;
}

/* Whose turn it is; 0 = nobody's. It must need nobody to go. */
static turns_ticket next(struct turns *t, uint64_t now)
{
	struct turns_move move;
	bool some = turns_next(t, now, &move);

	assert_int_equal(move.shown_out, 0);
	assert_int_equal(some, move.begins != 0);
	return move.begins;
}

/* It has spoken, and waits for the peer. */
static void greet(struct turns *t, turns_ticket ticket, uint64_t now)
{
	assert_true(turns_observe(t, ticket, &(struct turns_sample){.sent = 1100}, now));
}

static turns_ticket begin(struct turns *t, enum turns_class class, uint64_t now)
{
	turns_ticket ticket = wait_as(t, class, now);

	assert_int_equal(next(t, now), ticket);
	greet(t, ticket, now);
	return ticket;
}

static void fill(struct turns *t, enum turns_class class, unsigned n, turns_ticket *ret,
		 uint64_t now)
{
	for (unsigned i = 0; i < n; i++)
		ret[i] = begin(t, class, now);
}

static void test_who_waits_longest_is_next(void **state)
{
	struct turns *t = make(&ssh);
	turns_ticket in[8];
	turns_ticket waiting[3];

	(void)state;
	fill(t, TURNS_KNOWN, 8, in, START_MS);
	for (unsigned i = 0; i < 3; i++)
		waiting[i] = wait_as(t, TURNS_KNOWN, START_MS + i);
	assert_int_equal(next(t, START_MS + 3), 0); /* nobody has stalled */
	assert_int_equal(turns_waiting(t), 3);
	assert_int_equal(turns_begun(t), 8);
	assert_false(turns_has_begun(t, waiting[0]));
	turns_leave(t, waiting[1]); /* it hung up */
	turns_leave(t, in[5]);
	turns_leave(t, in[5]);
	assert_int_equal(next(t, START_MS + 4), waiting[0]);
	assert_true(turns_has_begun(t, waiting[0]));
	turns_through(t, in[0], START_MS + 5);
	assert_false(turns_has_begun(t, in[0]));
	assert_int_equal(next(t, START_MS + 5), waiting[2]);
	assert_int_equal(next(t, START_MS + 6), 0);
	turns_free(t);
}

/* Whoever has a turn keeps it while it makes progress, and while it is we who are slow. */
static void test_who_is_shown_out(void **state)
{
	static const struct {
		const char *what;
		struct turns_sample first, second; /* 4 s after the begin, and 4 s later */
		bool goes;
	} rows[] = {
		{"it says nothing", {1100, 0, 0, 0}, {1100, 0, 0, 0}, true},
		{"only a version", {1100, 21, 0, 0}, {1100, 21, 0, 0}, true},
		{"a byte now and then", {1100, 25, 0, 0}, {1100, 29, 0, 0}, true},
		{"a key exchange", {1100, 1500, 0, 0}, {1100, 3000, 0, 0}, false},
		{"we answered", {1100, 1500, 0, 0}, {2600, 1500, 0, 0}, false},
		{"we have not read it", {1100, 100, 80, 0}, {1100, 100, 80, 0}, false},
		{"sshd has not started", {0, 40, 40, 0}, {0, 40, 40, 0}, false},
		{"nor read by one that says nothing", {0, 0, 0, 0}, {0, 0, 0, 0}, false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct turns *t = make(&ssh);
		struct turns_move move;
		turns_ticket in[8];

		fill(t, TURNS_STRANGER, 6, in, START_MS);
		(void)wait_as(t, TURNS_STRANGER, START_MS);
		for (unsigned n = 1; n <= 2; n++) {
			const struct turns_sample *sample =
				n == 1 ? &rows[i].first : &rows[i].second;

			assert_true(turns_observe(t, in[3], sample, START_MS + n * 4000));
			for (unsigned other = 0; other < 6; other++) /* they do */
				if (other != 3)
					assert_true(turns_observe(
						t, in[other],
						&(struct turns_sample){.sent = 1100 + n},
						START_MS + n * 4000));
		}
		(void)turns_next(t, START_MS + 8001, &move);
		assert_int_equal(move.begins, 0);
		if (move.shown_out != (rows[i].goes ? in[3] : 0))
			fail_msg("row %u, %s: %u", i, rows[i].what, move.shown_out);
		turns_free(t);
	}
}

/* Without somebody who waits, or with a place that is free, nobody goes. */
static void test_nobody_goes_for_nothing(void **state)
{
	struct turns *t = make(&ssh);
	struct turns_move move;
	turns_ticket in[8];

	(void)state;
	fill(t, TURNS_KNOWN, 8, in, START_MS);
	assert_false(turns_next(t, START_MS + 600000, &move));
	turns_leave(t, in[0]);
	assert_int_equal(begin(t, TURNS_KNOWN, START_MS + 600000) != 0, true);
	turns_free(t);
}

/* One that its owner knows to be at work: not asked for again, but the next. */
static void test_owner_knows_better(void **state)
{
	struct turns *t = make(&ssh);
	struct turns_move move;
	turns_ticket in[8];

	(void)state;
	fill(t, TURNS_KNOWN, 8, in, START_MS);
	(void)wait_as(t, TURNS_KNOWN, START_MS + PATIENCE_MS);
	assert_true(turns_next(t, START_MS + PATIENCE_MS, &move));
	assert_int_equal(move.shown_out, in[0]);
	turns_progress(t, in[0], START_MS + PATIENCE_MS);
	assert_true(turns_next(t, START_MS + PATIENCE_MS, &move));
	assert_int_equal(move.shown_out, in[1]);
	turns_leave(t, in[1]);
	assert_true(turns_next(t, START_MS + PATIENCE_MS, &move));
	assert_int_not_equal(move.begins, 0);
	turns_free(t);
}

/* Where all take long nobody has stalled: patience is four times of what it takes. */
static void test_a_slow_machine(void **state)
{
	struct turns_options options = ssh;
	struct turns *t;
	struct turns_move move;
	uint64_t now = START_MS;
	turns_ticket in[8];

	(void)state;
	options.places = 4;
	t = make(&options);
	for (unsigned i = 0; i < 40; i++, now += 8000)
		turns_through(t, begin(t, TURNS_KNOWN, now), now + 8000);
	fill(t, TURNS_KNOWN, 4, in, now);
	(void)wait_as(t, TURNS_KNOWN, now + 20000);
	assert_false(turns_next(t, now + 20000, &move));
	assert_true(turns_next(t, now + 32000, &move));
	turns_free(t);
}

/* Known ones first, three times of four; a quarter of the places is theirs. */
static void test_classes(void **state)
{
	static const char expected[] = "KKKSKKKSSS";
	struct turns_options options = ssh;
	struct turns *t;
	turns_ticket in[6];
	turns_ticket known;
	uint64_t now = START_MS;

	(void)state;
	options.places = 100;
	t = make(&options);
	for (unsigned i = 0; i < 5; i++)
		(void)wait_as(t, TURNS_STRANGER, now);
	for (unsigned i = 0; i < 6; i++)
		in[i] = wait_as(t, TURNS_KNOWN, now);
	for (const char *c = expected; *c; c++) {
		turns_ticket ticket = next(t, now);
		bool is_known = false;

		for (unsigned i = 0; i < 6; i++)
			is_known |= in[i] == ticket;
		if (ticket == 0 || is_known != (*c == 'K'))
			fail_msg("turn %u", (unsigned)(c - expected));
		turns_through(t, ticket, ++now);
	}
	turns_free(t);

	t = make(&ssh);
	fill(t, TURNS_STRANGER, 6, in, START_MS);
	(void)wait_as(t, TURNS_STRANGER, START_MS);
	assert_int_equal(next(t, START_MS), 0);
	known = wait_as(t, TURNS_KNOWN, START_MS);
	assert_int_equal(next(t, START_MS), known);
	turns_free(t);
}

/* Nobody begins while we are at work at as many as there are cores for, two each; a stranger not
 * while known ones wait and one of theirs is. */
static void test_at_work(void **state)
{
	struct turns_options options = ssh;
	struct turns *t;
	turns_ticket in[9];

	(void)state;
	options.places = 100;
	t = make(&options);
	for (unsigned i = 0; i < 9; i++)
		in[i] = wait_as(t, TURNS_KNOWN, START_MS);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(next(t, START_MS), in[i]);
	assert_int_equal(next(t, START_MS), 0);
	greet(t, in[2], START_MS + 20);
	assert_int_equal(next(t, START_MS + 20), in[8]);
	/* A peer's bytes that nobody has read are work again. */
	assert_true(turns_observe(
		t, in[2], &(struct turns_sample){.sent = 1100, .received = 40, .unread = 40},
		START_MS + 40));
	greet(t, in[3], START_MS + 40);
	(void)wait_as(t, TURNS_KNOWN, START_MS + 40);
	assert_int_equal(next(t, START_MS + 40), 0);
	turns_leave(t, in[2]); /* what is over is no work */
	assert_int_not_equal(next(t, START_MS + 40), 0);
	turns_free(t);
}

/* When logins take long, or are out of time, there are fewer at once; and more again when they do
 * not. What strangers show is not held against the known. */
static void test_fewer_at_once(void **state)
{
	struct turns_options options = ssh;
	const struct turns_sample answered = {.sent = 1100, .received = 1500};
	uint64_t now = START_MS;
	turns_ticket in[64];
	struct turns *t;
	unsigned n = 0;

	(void)state;
	options.places = 64;
	options.cores = 1;
	t = make(&options);
	for (unsigned i = 0; i < 40; i++, now += 10000) {
		turns_ticket ticket = begin(t, TURNS_STRANGER, now);

		assert_true(turns_observe(t, ticket, &answered, now));
		turns_over(t, ticket, now + 10000);
	}
	for (unsigned i = 0; i < 8; i++)
		(void)wait_as(t, TURNS_STRANGER, now);
	for (; (in[n] = next(t, now)) != 0; n++)
		greet(t, in[n], now);
	assert_int_equal(n, 2);
	for (unsigned i = 0; i < 40; i++)
		(void)wait_as(t, TURNS_KNOWN, now);
	for (; (in[n] = next(t, now)) != 0; n++)
		greet(t, in[n], now);
	assert_int_equal(n, 2 + 8);
	for (unsigned i = 2; i < 10; i++) /* each shows that one more is well */
		turns_through(t, in[i], now + 100);
	for (n = 0; (in[n] = next(t, now + 100)) != 0; n++)
		greet(t, in[n], now + 100);
	assert_int_equal(n, 16);
	turns_free(t);
}

/* Who cannot hope for a turn in time is told at once, who has not had it in time then. */
static void test_hope(void **state)
{
	struct turns_options options = ssh;
	struct turns *t;
	turns_ticket shown_out;
	turns_ticket first;
	turns_ticket in[8];

	(void)state;
	options.waiting = 1000;
	t = make(&options);
	fill(t, TURNS_STRANGER, 6, in, START_MS);
	fill(t, TURNS_KNOWN, 2, in + 6, START_MS);
	first = wait_as(t, TURNS_STRANGER, START_MS);
	for (unsigned i = 1; i <= 384; i++) /* 32 a second, for 12 s */
		assert_int_not_equal(wait_as(t, TURNS_STRANGER, START_MS), 0);
	assert_int_equal(turns_wait(t, TURNS_STRANGER, START_MS, &shown_out), 0);
	assert_int_equal(shown_out, 0);
	assert_int_not_equal(wait_as(t, TURNS_KNOWN, START_MS), 0); /* strangers are behind it */
	assert_int_equal(turns_overdue(t, START_MS + TURNS_WAIT_MS - 1), 0);
	assert_int_equal(turns_overdue(t, START_MS + TURNS_WAIT_MS) != 0, true);
	turns_leave(t, first);
	/* None had its turn in two seconds: there is no hope for anybody but the first 32. */
	assert_int_equal(turns_wait(t, TURNS_STRANGER, START_MS + 4000, &shown_out), 0);
	assert_int_not_equal(wait_as(t, TURNS_KNOWN, START_MS + 4000), 0);
	turns_free(t);
}

static void test_full_waiting_room(void **state)
{
	struct turns_options options = ssh;
	struct turns *t;
	turns_ticket shown_out;
	turns_ticket waiting[10];
	turns_ticket in[8];

	(void)state;
	options.waiting = 10;
	t = make(&options);
	fill(t, TURNS_KNOWN, 8, in, START_MS);
	for (unsigned i = 0; i < 10; i++)
		waiting[i] = wait_as(t, i < 8 ? TURNS_KNOWN : TURNS_STRANGER, START_MS);
	assert_int_equal(turns_wait(t, TURNS_STRANGER, START_MS, &shown_out), 0);
	assert_int_equal(shown_out, 0);
	assert_int_not_equal(turns_wait(t, TURNS_KNOWN, START_MS, &shown_out), 0);
	assert_int_equal(shown_out, waiting[9]);
	assert_int_not_equal(turns_wait(t, TURNS_KNOWN, START_MS, &shown_out), 0);
	assert_int_equal(shown_out, waiting[8]);
	assert_int_equal(turns_wait(t, TURNS_KNOWN, START_MS, &shown_out), 0);
	assert_int_equal(shown_out, 0);
	assert_int_equal(turns_waiting(t), 10);
	turns_free(t);
}

static void test_too_much_or_too_long(void **state)
{
	struct turns *t = make(&ssh);
	turns_ticket ticket = begin(t, TURNS_STRANGER, START_MS);
	const struct turns_sample most = {.sent = 9000, .received = TURNS_RECEIVED_MAX};
	const struct turns_sample more = {.sent = 9000, .received = TURNS_RECEIVED_MAX + 1};

	(void)state;
	assert_true(turns_observe(t, ticket, &most, START_MS + 100));
	assert_false(turns_observe(t, ticket, &more, START_MS + 100));
	assert_true(turns_observe(t, ticket, &most, START_MS + 19999));
	assert_false(turns_observe(t, ticket, &most, START_MS + 20000));
	turns_leave(t, ticket);
	assert_true(turns_observe(t, ticket, &more, START_MS + 20000)); /* nobody's */
	turns_free(t);
}

/* Whatever comes, goes and happens: never more turns than places, no ticket twice, an end to all.
 */
static void test_at_random(void **state)
{
	struct turns *t = make(&ssh);
	turns_ticket all[108] = {0}; /* by place */
	uint64_t random = 4711;
	uint64_t now = START_MS;

	(void)state;
	for (unsigned i = 0; i < 200000; i++, now += test_random(&random) % 40) {
		uint32_t at = (uint32_t)(test_random(&random) % N_ELEMENTS(all));
		struct turns_move move;
		turns_ticket out;
		turns_ticket in;

		switch (test_random(&random) % 4) {
		case 0:
			in = turns_wait(t, test_random(&random) % 2 ? TURNS_KNOWN : TURNS_STRANGER,
					now, &out);
			if (out)
				all[turns_place(out)] = 0;
			assert_true(in == 0 || all[turns_place(in)] == 0);
			if (in)
				all[turns_place(in)] = in;
			break;
		case 1:
			turns_leave(t, all[at]);
			all[at] = 0;
			break;
		case 2:
			(void)turns_observe(
				t, all[at],
				&(struct turns_sample){.sent = test_random(&random) % 3000,
						       .unread = test_random(&random) % 4 == 0},
				now);
			break;
		default:
			if (!turns_next(t, now, &move))
				break;
			assert_true((move.begins != 0) != (move.shown_out != 0));
			turns_leave(t, move.shown_out);
			if (move.shown_out)
				all[turns_place(move.shown_out)] = 0;
		}
		assert_true(turns_begun(t) <= 8 && turns_waiting(t) <= 100);
	}
	for (unsigned i = 0; i < N_ELEMENTS(all); i++)
		turns_leave(t, all[i]);
	assert_int_equal(turns_begun(t) + turns_waiting(t), 0);
	turns_free(t);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		faults_fail_allocation(n);
		assert_null(turns_new(&ssh));
		assert_true(faults_had_effect());
	}
	turns_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_waits_longest_is_next),
		cmocka_unit_test(test_who_is_shown_out),
		cmocka_unit_test(test_nobody_goes_for_nothing),
		cmocka_unit_test(test_owner_knows_better),
		cmocka_unit_test(test_a_slow_machine),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_at_work),
		cmocka_unit_test(test_fewer_at_once),
		cmocka_unit_test(test_hope),
		cmocka_unit_test(test_full_waiting_room),
		cmocka_unit_test(test_too_much_or_too_long),
		cmocka_unit_test(test_at_random),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
