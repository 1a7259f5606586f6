/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rollout's decisions, a case after the other. */
#include "support.h"

#include "base/macros.h"
#include "conductor/rollout/rollout.h"

#define NIGHT_S INT64_C(1800057600) /* a Friday, 00:00 UTC */

/* A small rollout, told by letters. */

struct small {
	struct rollout r;
	char orders[256]; /* "o0 h1 g1 " */
};

static void on_changed(void *owner, uint32_t member)
{
	(void)owner;
	(void)member;
}

static void on_order(void *owner, enum rollout_order order, uint32_t member)
{
	struct small *s = owner;
	size_t used = strlen(s->orders);

	(void)snprintf(s->orders + used, sizeof(s->orders) - used, "%c%u ", "ohg"[order], member);
}

static struct rollout_plan plan_of(uint32_t n)
{
	return (struct rollout_plan){
		.n = n, .phase_ends = {1, n}, .n_phases = 2, .parallel = 2, .failures = 0};
}

static void begin(struct small *s, const struct rollout_plan *plan)
{
	const struct rollout_head head = {.phase = 0};
	const struct rollout_calls calls = {on_changed, on_order, s};

	memset(s, 0, sizeof(*s));
	assert_int_equal(rollout_init(&s->r, plan, &head, NULL, &calls), 0);
}

static int64_t seconds;

static struct rollout_time now(void)
{
	return (struct rollout_time){NIGHT_S + seconds, seconds * 1000};
}

/* Which orders come of one second. */
static void tick(struct small *s, const char *orders, const char *state)
{
	s->orders[0] = '\0';
	seconds++;
	rollout_tick(&s->r, now());
	if (strcmp(s->orders, orders) != 0)
		fail_msg("second %lld: orders %s, expected %s", (long long)seconds, s->orders,
			 orders);
	assert_string_equal(rollout_state_name(&s->r.head), state);
}

static void tell(struct small *s, uint32_t member, enum rollout_told told, const char *orders)
{
	s->orders[0] = '\0';
	rollout_member_told(&s->r, member, told, now());
	if (strcmp(s->orders, orders) != 0)
		fail_msg("member %u: orders %s, expected %s", member, s->orders, orders);
}

static void check_member(struct small *s, uint32_t member, const char *state)
{
	assert_string_equal(rollout_member_state_name(rollout_member_state(&s->r, member)), state);
}

static void test_phases(void **state)
{
	struct rollout_plan plan = plan_of(4);
	struct small s;
	struct err err;

	(void)state;
	plan.soak_s = 3;
	plan.approve = true;
	begin(&s, &plan);
	tick(&s, "o0 ", "running");
	tick(&s, "", "running");
	tell(&s, 0, ROLLOUT_TOLD_NOTHING, "o0 "); /* it did not get the order */
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	check_member(&s, 0, "downloading");
	tell(&s, 0, ROLLOUT_TOLD_LOST, "");
	check_member(&s, 0, "unreachable");
	tick(&s, "", "running"); /* it holds up its phase */
	tell(&s, 0, ROLLOUT_TOLD_BACK, "o0 ");
	tell(&s, 0, ROLLOUT_TOLD_DONE, "");
	for (int i = 0; i < 3; i++)
		tick(&s, "", i < 2 ? "soaking" : "approval");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_PAUSE, 0, &err), 0);
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_APPROVE, 0, &err), 0);
	tick(&s, "", "paused");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_RESUME, 0, &err), 0);
	tick(&s, "o1 o2 ", "running"); /* two at once */
	tell(&s, 1, ROLLOUT_TOLD_DONE, "");
	tell(&s, 2, ROLLOUT_TOLD_GONE, "");
	tick(&s, "o3 ", "running");
	tell(&s, 3, ROLLOUT_TOLD_DONE, "");
	assert_true(rollout_is_over(&s.r));
	assert_string_equal(rollout_state_name(&s.r.head), "done");
	tell(&s, 3, ROLLOUT_TOLD_FAILED, ""); /* an end is an end */
	check_member(&s, 3, "done");
	check_member(&s, 2, "skipped");
	rollout_release(&s.r);
}

static void test_failures(void **state)
{
	static const struct {
		uint32_t n_first, n;
		uint32_t failures;
		bool percent;
		uint32_t allowed;
	} rows[] = {{1, 100, 2, true, 0},  {50, 100, 2, true, 1},          {49, 100, 2, true, 0},
		    {1, 100, 3, false, 3}, {99, 100, 0, false, 0},         {10, 100, 100, true, 10},
		    {1, 100, 0, true, 0},  {100000, 100000, 2, true, 2000}};
	struct small s;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct rollout_plan plan = plan_of(rows[i].n);

		plan.phase_ends[0] = rows[i].n_first;
		plan.n_phases = rows[i].n_first == rows[i].n ? 1 : 2;
		plan.failures = rows[i].failures;
		plan.failures_are_percent = rows[i].percent;
		plan.parallel = rows[i].n;
		begin(&s, &plan);
		rollout_tick(&s.r, now());
		assert_int_equal(rollout_failures_allowed(&s.r), rows[i].allowed);
		for (uint32_t m = 0; m <= rows[i].allowed && m < rows[i].n_first; m++) {
			assert_string_equal(rollout_state_name(&s.r.head), "running");
			rollout_member_told(&s.r, m, ROLLOUT_TOLD_REFUSED, now());
		}
		if (rows[i].allowed < rows[i].n_first)
			assert_string_equal(rollout_state_name(&s.r.head), "halted");
		rollout_release(&s.r);
	}
	/* Whoever resumes a halted one forgives what was, and no more. */
	begin(&s, &(struct rollout_plan){.n = 4, .phase_ends = {4}, .n_phases = 1, .parallel = 1});
	tick(&s, "o0 ", "running");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	tell(&s, 0, ROLLOUT_TOLD_FAILED, "");
	tick(&s, "", "halted");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_RESUME, 1, &err), 0);
	tick(&s, "o1 ", "running");
	tell(&s, 1, ROLLOUT_TOLD_REFUSED, "");
	tick(&s, "", "halted");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_CANCEL, 2, &err), 0);
	tick(&s, "", "cancelled");
	assert_true(rollout_is_over(&s.r));
	check_member(&s, 3, "skipped");
	rollout_release(&s.r);
}

/* A conductor that was killed does not know whether its orders arrived. */
static void test_failures_of_before(void **state)
{
	struct rollout_plan plan = plan_of(3);
	struct small s;
	struct err err;

	(void)state;
	seconds = 0;
	plan.phase_ends[0] = 3;
	plan.n_phases = 1;
	plan.parallel = 3;
	begin(&s, &plan);
	tick(&s, "o0 o1 o2 ", "running");
	tell(&s, 0, ROLLOUT_TOLD_FAILED, "o0 "); /* of another day, perhaps */
	check_member(&s, 0, "ordered");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, ""); /* now it has come */
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_PAUSE, 0, &err), 0);
	tell(&s, 1, ROLLOUT_TOLD_FAILED, ""); /* nobody is ordered at a pause */
	check_member(&s, 1, "ordered");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_RESUME, 0, &err), 0);
	tell(&s, 1, ROLLOUT_TOLD_FAILED, "o1 ");
	tell(&s, 1, ROLLOUT_TOLD_REFUSED, "");
	check_member(&s, 1, "failed");
	tick(&s, "", "halted");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_CANCEL, 1, &err), 0);
	tell(&s, 2, ROLLOUT_TOLD_FAILED, ""); /* no order comes any more */
	check_member(&s, 2, "failed");
	tell(&s, 0, ROLLOUT_TOLD_FAILED, "");
	tick(&s, "", "cancelled");
	assert_true(rollout_is_over(&s.r));
	rollout_release(&s.r);
}

static void test_window(void **state)
{
	struct rollout_plan plan = plan_of(3);
	struct small s;

	(void)state;
	seconds = 0;
	plan.phase_ends[0] = 3;
	plan.n_phases = 1;
	plan.n_window = 1;
	plan.window[0] = (struct hours){.days = 0x7f, .from_m = 1, .to_m = 2}; /* 00:01 to 00:02 */
	begin(&s, &plan);
	tick(&s, "", "running");
	seconds = 59;
	tick(&s, "o0 o1 ", "running");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	tell(&s, 1, ROLLOUT_TOLD_PAUSED, ""); /* by hand */
	seconds = 120;
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "h0 ");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "h0 "); /* it has not heard it */
	tell(&s, 0, ROLLOUT_TOLD_PAUSED, "");
	tell(&s, 1, ROLLOUT_TOLD_PAUSED, "");
	seconds = 60 + 86400;
	tell(&s, 0, ROLLOUT_TOLD_PAUSED, "g0 ");
	tell(&s, 0, ROLLOUT_TOLD_PAUSED, "g0 ");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	tell(&s, 0, ROLLOUT_TOLD_PAUSED, ""); /* by hand, this time */
	tell(&s, 1, ROLLOUT_TOLD_PAUSED, "");
	seconds = 120;
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "h0 ");
	tell(&s, 0, ROLLOUT_TOLD_LOST, ""); /* and rests, when it is back in the window */
	seconds = 60 + 2 * 86400;
	tell(&s, 0, ROLLOUT_TOLD_BACK, "o0 ");
	tell(&s, 0, ROLLOUT_TOLD_PAUSED, "g0 ");
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	seconds = 120;
	s.r.plan.finish = true;
	tell(&s, 0, ROLLOUT_TOLD_GOES_ON, "");
	tell(&s, 0, ROLLOUT_TOLD_DONE, "");
	tick(&s, "", "running"); /* and nobody else begins */
	rollout_release(&s.r);
}

static void test_deadline(void **state)
{
	struct rollout_plan plan = plan_of(4);
	struct small s;

	(void)state;
	seconds = 0;
	plan.phase_ends[0] = 3;
	plan.failures = 9;
	plan.deadline_s = NIGHT_S + 10;
	begin(&s, &plan);
	tick(&s, "o0 o1 ", "running");
	tell(&s, 0, ROLLOUT_TOLD_LOST, "");
	tick(&s, "o2 ", "running");
	tell(&s, 1, ROLLOUT_TOLD_GOES_ON, "");
	seconds = 9;
	tick(&s, "", "running");
	check_member(&s, 0, "failed");
	check_member(&s, 3, "skipped");
	tell(&s, 2, ROLLOUT_TOLD_NOTHING, ""); /* too late for an order */
	check_member(&s, 2, "skipped");
	tell(&s, 1, ROLLOUT_TOLD_LOST, "");
	tick(&s, "", "done");
	check_member(&s, 1, "failed");
	rollout_release(&s.r);
}

static void test_wishes(void **state)
{
	static const struct {
		enum rollout_stage stage;
		enum rollout_stop stop;
		const char *allowed; /* of pause, resume, approve, cancel */
	} rows[] = {
		{ROLLOUT_RUNNING, ROLLOUT_GOES, "p..c"},
		{ROLLOUT_SOAKING, ROLLOUT_GOES, "p..c"},
		{ROLLOUT_APPROVAL, ROLLOUT_GOES, "p.ac"},
		{ROLLOUT_OVER, ROLLOUT_GOES, "...."},
		{ROLLOUT_RUNNING, ROLLOUT_PAUSED, ".r.c"},
		{ROLLOUT_APPROVAL, ROLLOUT_PAUSED, ".rac"},
		{ROLLOUT_RUNNING, ROLLOUT_HALTED, ".r.c"},
		{ROLLOUT_OVER, ROLLOUT_HALTED, "...."},
		{ROLLOUT_RUNNING, ROLLOUT_CANCELLED, "...."},
	};
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		for (unsigned wish = 0; wish < 4; wish++) {
			struct rollout_head head = {.stage = rows[i].stage, .stop = rows[i].stop};
			int rc = rollout_wish(&head, (enum rollout_wish)wish, 0, &err);

			if ((rc == 0) != (rows[i].allowed[wish] != '.'))
				fail_msg("row %u, wish %u: %d", i, wish, rc);
			if (rc < 0)
				assert_contains(err.text, "the rollout cannot be ");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_window), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_wishes), cmocka_unit_test(test_failures_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
