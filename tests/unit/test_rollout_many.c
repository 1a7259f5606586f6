/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rollout to 100,000 members in virtual time, whose conductor is killed at any moment, and what
 * it costs. STEWARD_SEED repeats a run. */
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

#define MANY     100000u
#define PARALLEL 2000u

enum device_state { NOTHING, LOADS, RESTS, HAS, BROKEN };

struct device {
	uint8_t state;
	bool is_away;
	bool is_dead;   /* until an operator deletes it */
	bool has_tried; /* what it was ordered */
	int32_t ends;   /* at this second */
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
	if (d->state == NOTHING || d->state == BROKEN)
		*d = (struct device){.state = LOADS,
				     .has_tried = true,
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

/* No failure of before the rollout is one of it, before the deadline. */
static void tell_of(uint32_t member, enum rollout_told told)
{
	rollout_member_told(&world.r, member, told, world_now());
	if (told == ROLLOUT_TOLD_FAILED &&
	    rollout_member_state(&world.r, member) == ROLLOUT_FAILED &&
	    world.wall_s < world.r.plan.deadline_s)
		assert_true(world.devices[member].has_tried);
}

static void ask_members(void)
{
	for (uint32_t i = 0; i < world.r.next; i++) {
		struct device *d = &world.devices[i];

		if (rollout_member_is_at_work(&world.r, i))
			tell_of(i, ask(d));
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
		world.devices[i] = (struct device){.is_dead = i > 0 && draw(1000) == 0,
						   .state = draw(100) == 0 ? BROKEN : NOTHING};
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
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(usage.ru_maxrss < 64 << 10); /* KiB */
#endif
	assert_true(world.kills > 0 && world.halts > 0);
	assert_true(world.r.head.phase == 3);
	rollout_release(&world.r);
}

static void ignore_change(void *owner, uint32_t member)
{
	(void)owner;
	(void)member;
}

static void ignore_order(void *owner, enum rollout_order order, uint32_t member)
{
	(void)owner;
	(void)order;
	(void)member;
}

/* What it costs alone: each member is told of eleven times, as a driver does. */
static void test_cost(void **state)
{
	const struct rollout_plan plan = {.n = MANY,
					  .phase_ends = {1, 5000, 25000, MANY},
					  .n_phases = 4,
					  .parallel = PARALLEL,
					  .failures = 5,
					  .failures_are_percent = true};
	const struct rollout_head head = {.phase = 0};
	static uint8_t told[MANY];
	struct rollout r;
	const struct rollout_calls calls = {ignore_change, ignore_order, NULL};
	clock_t cpu = clock();
	double took_s;
	size_t steps = 0;

	(void)state;
	assert_int_equal(rollout_init(&r, &plan, &head, NULL, &calls), 0);
	for (; !rollout_is_over(&r); steps++) {
		const struct rollout_time at = {NIGHT_S + (int64_t)steps, (int64_t)steps * 1000};

		rollout_tick(&r, at);
		for (uint32_t i = 0; i < r.next; i++) {
			if (!rollout_member_is_at_work(&r, i))
				continue;
			if (told[i]++ < 10)
				rollout_member_told(&r, i, ROLLOUT_TOLD_GOES_ON, at);
			else
				rollout_member_told(
					&r, i,
					i % 33 == 7 ? ROLLOUT_TOLD_FAILED : ROLLOUT_TOLD_DONE, at);
		}
	}
	took_s = (double)(clock() - cpu) / CLOCKS_PER_SEC;
	print_message("%u members, %zu seconds of theirs: %.3f s CPU, %zu KiB\n", MANY, steps,
		      took_s, (sizeof(r) + MANY) / 1024);
	assert_int_equal(r.counts[ROLLOUT_DONE] + r.counts[ROLLOUT_FAILED], MANY);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(took_s < 2);
#endif
	rollout_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
