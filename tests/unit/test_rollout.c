/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rollout's decisions: a table of cases, and 100,000 members in virtual time, whose conductor is
 * killed at any moment. STEWARD_SEED repeats a run. */
#include "support.h"

#include <sys/resource.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/rollout/rollout.h"

#define NIGHT_S INT64_C(1800057600) /* a Friday, 00:00 UTC */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

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
			rollout_member_told(&s.r, m, ROLLOUT_TOLD_FAILED, now());
		}
		if (rows[i].allowed < rows[i].n_first)
			assert_string_equal(rollout_state_name(&s.r.head), "halted");
		rollout_release(&s.r);
	}
	/* Whoever resumes a halted one forgives what was, and no more. */
	begin(&s, &(struct rollout_plan){.n = 4, .phase_ends = {4}, .n_phases = 1, .parallel = 1});
	tick(&s, "o0 ", "running");
	tell(&s, 0, ROLLOUT_TOLD_FAILED, "");
	tick(&s, "", "halted");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_RESUME, 1, &err), 0);
	tick(&s, "o1 ", "running");
	tell(&s, 1, ROLLOUT_TOLD_FAILED, "");
	tick(&s, "", "halted");
	assert_int_equal(rollout_wish(&s.r.head, ROLLOUT_CANCEL, 2, &err), 0);
	tick(&s, "", "cancelled");
	assert_true(rollout_is_over(&s.r));
	check_member(&s, 3, "skipped");
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

/* Many routers in virtual time. */

#define MANY     100000u
#define PARALLEL 2000u

enum device_state { NOTHING, LOADS, RESTS, HAS, BROKEN };

struct device {
	uint8_t state;
	bool is_away;
	bool is_dead; /* until an operator deletes it */
	int32_t ends; /* at this second */
};

struct order {
	uint32_t member;
	enum rollout_order order;
};

static struct world {
	struct rollout r;
	struct device devices[MANY];
	uint8_t written[MANY];
	uint8_t unwritten[MANY]; /* marks of this step */
	uint32_t changed[4 * MANY];
	size_t n_changed;
	struct order orders[4 * MANY];
	size_t n_orders;
	int64_t steady_s;
	int64_t wall_s;
	int64_t soaked_from; /* when the phase was over */
	unsigned phase;
	size_t ordered, kills, halts;
} world;

static bool wall_is_open(void)
{
	int64_t minute = world.wall_s / 60 % 1440;

	return minute >= 1320 || minute < 300;
}

static void world_changed(void *owner, uint32_t member)
{
	struct world *w = owner;

	if ((w->written[member] & 0x7f) >= ROLLOUT_DONE)
		fail_msg("member %u had its end, and has another", member);
	w->changed[w->n_changed++] = member;
}

static void world_order(void *owner, enum rollout_order order, uint32_t member)
{
	struct world *w = owner;
	const struct rollout *r = &w->r;

	if (order == ROLLOUT_ORDER) {
		assert_true(member < r->plan.phase_ends[r->head.phase]);
		assert_int_equal(r->head.stop, ROLLOUT_GOES);
		assert_true(wall_is_open());
		assert_true(w->wall_s < r->plan.deadline_s);
	}
	assert_true(r->counts[ROLLOUT_ORDERED] + r->counts[ROLLOUT_DOWNLOADING] <= PARALLEL);
	w->orders[w->n_orders++] = (struct order){member, order};
}

static struct rollout_time world_now(void)
{
	return (struct rollout_time){world.wall_s, world.steady_s * 1000};
}

static void carry_out(struct order o)
{
	struct device *d = &world.devices[o.member];

	if (d->is_away || d->is_dead)
		return;
	if (o.order == ROLLOUT_HOLD && d->state == LOADS)
		d->state = RESTS;
	if (o.order == ROLLOUT_GO_ON && d->state == RESTS)
		d->state = LOADS;
	if (o.order != ROLLOUT_ORDER)
		return;
	world.ordered++;
	if (d->state == NOTHING)
		*d = (struct device){.state = LOADS,
				     .ends = (int32_t)world.steady_s + 20 + (int32_t)draw(60)};
}

static void restart(void)
{
	const struct rollout_calls calls = {world_changed, world_order, &world};
	const struct rollout_plan plan = world.r.plan;
	const struct rollout_head head = world.r.head;

	rollout_release(&world.r);
	assert_int_equal(rollout_init(&world.r, &plan, &head, world.written, &calls), 0);
	world.kills++;
}

/* All changes are written, then the orders go out; a kill may come before, between and after. */
static void end_step(const struct rollout_head *before)
{
	const unsigned kill = draw(200);

	if (kill == 0) {
		world.r.head = *before;
	} else {
		for (size_t i = 0; i < world.n_changed; i++)
			world.written[world.changed[i]] = world.r.members[world.changed[i]];
		for (size_t i = 0; i < world.n_orders && kill != 1; i++)
			if (kill != 2 || draw(2))
				carry_out(world.orders[i]);
	}
	world.n_changed = world.n_orders = 0;
	if (kill < 3)
		restart();
}

static enum rollout_told ask(struct device *d)
{
	if (d->is_away || d->is_dead)
		return ROLLOUT_TOLD_LOST;
	if (d->state == LOADS && d->ends <= world.steady_s)
		d->state = draw(100) < 3 ? BROKEN : HAS;
	switch (d->state) {
	case NOTHING:
		return ROLLOUT_TOLD_NOTHING;
	case LOADS:
		return ROLLOUT_TOLD_GOES_ON;
	case RESTS:
		return ROLLOUT_TOLD_PAUSED;
	case HAS:
		return ROLLOUT_TOLD_DONE;
	default:
		return ROLLOUT_TOLD_FAILED;
	}
}

static void ask_members(void)
{
	for (uint32_t i = 0; i < world.r.next; i++) {
		struct device *d = &world.devices[i];

		if (rollout_member_is_at_work(&world.r, i))
			rollout_member_told(&world.r, i, ask(d), world_now());
		else if (rollout_member_state(&world.r, i) != ROLLOUT_UNREACHABLE)
			continue;
		else if (d->is_dead && draw(100) == 0)
			rollout_member_told(&world.r, i, ROLLOUT_TOLD_GONE, world_now());
		else if (!d->is_away && !d->is_dead)
			rollout_member_told(&world.r, i, ROLLOUT_TOLD_BACK, world_now());
	}
}

static void operate(void)
{
	struct rollout_head *head = &world.r.head;
	struct err err;

	if (head->stop == ROLLOUT_HALTED)
		world.halts++;
	if (head->stop == ROLLOUT_HALTED || (head->stop == ROLLOUT_PAUSED && draw(20) == 0))
		(void)rollout_wish(head, ROLLOUT_RESUME, world.r.counts[ROLLOUT_FAILED], &err);
	else if (draw(200) == 0)
		(void)rollout_wish(head, ROLLOUT_PAUSE, 0, &err);
	(void)rollout_wish(head, ROLLOUT_APPROVE, 0, &err);
}

/* No phase begins before all of the one before have their end, and have soaked. */
static void check_phase(void)
{
	const struct rollout *r = &world.r;

	if (r->head.phase == world.phase) {
		if (r->open > 0 || r->head.stage == ROLLOUT_RUNNING)
			world.soaked_from = world.steady_s;
		return;
	}
	assert_int_equal(r->head.phase, world.phase + 1);
	for (uint32_t i = 0; i < r->plan.phase_ends[world.phase]; i++)
		assert_true(rollout_member_state(r, i) >= ROLLOUT_DONE);
	assert_true(world.steady_s - world.soaked_from >= r->plan.soak_s);
	world.phase = r->head.phase;
	world.soaked_from = world.steady_s;
}

static void pass_time(void)
{
	const unsigned chance = draw(400);

	world.steady_s += 5;
	world.wall_s += 5;
	if (chance == 0)
		world.wall_s += 7200;
	else if (chance == 1)
		world.wall_s -= 3600;
	for (int i = 0; i < 200; i++)
		world.devices[draw(MANY)].is_away = draw(20) == 0;
}

static void test_many(void **state)
{
	static const struct rollout_plan plan = {
		.n = MANY,
		.phase_ends = {1, 5000, 25000, MANY},
		.n_phases = 4,
		.parallel = PARALLEL,
		.failures = 2,
		.failures_are_percent = true,
		.soak_s = 60,
		.approve = true,
		.n_window = 1,
		.window = {{.days = 0x7f, .from_m = 1320, .to_m = 300}},
		.deadline_s = NIGHT_S + 86400 * 12,
	};
	const struct rollout_head head = {.phase = 0};
	const struct rollout_calls calls = {world_changed, world_order, &world};
	const char *seed = getenv("STEWARD_SEED");
	struct rusage usage;
	size_t steps = 0;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	print_message("STEWARD_SEED=%llu\n", (unsigned long long)random_state);
	memset(&world, 0, sizeof(world));
	world.wall_s = NIGHT_S;
	for (uint32_t i = 0; i < MANY; i++)
		world.devices[i].is_dead = i > 0 && draw(1000) == 0;
	assert_int_equal(rollout_init(&world.r, &plan, &head, NULL, &calls), 0);
	for (; !rollout_is_over(&world.r); steps++) {
		const struct rollout_head before = world.r.head;

		assert_true(steps < 400000);
		rollout_tick(&world.r, world_now());
		check_phase();
		ask_members();
		check_phase();
		end_step(&before);
		operate();
		pass_time();
	}
	for (uint32_t i = 0; i < MANY; i++)
		assert_true(rollout_member_state(&world.r, i) >= ROLLOUT_DONE);
	assert_int_equal(world.r.counts[ROLLOUT_DONE] + world.r.counts[ROLLOUT_FAILED] +
				 world.r.counts[ROLLOUT_SKIPPED],
			 MANY);
	(void)getrusage(RUSAGE_SELF, &usage);
	print_message(
		"%zu steps, %zu orders, %zu kills, %zu halts: %u done, %u failed, %u skipped; "
		"%ld.%01ld s, %ld KiB\n",
		steps, world.ordered, world.kills, world.halts, world.r.counts[ROLLOUT_DONE],
		world.r.counts[ROLLOUT_FAILED], world.r.counts[ROLLOUT_SKIPPED],
		usage.ru_utime.tv_sec, usage.ru_utime.tv_usec / 100000, usage.ru_maxrss);
	assert_true(world.kills > 0 && world.halts > 0);
	assert_true(world.r.head.phase == 3);
	rollout_release(&world.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_window), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_wishes), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
