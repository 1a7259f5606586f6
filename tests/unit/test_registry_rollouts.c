/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rollouts in both databases: as they are written, who may write, and what an operator wants. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_rollouts.h"

#define MANY 2500u /* three blocks */

static registry_member_name names[MANY];
static registry_member_name found[MANY];
static uint8_t members[MANY];

static struct registry_rollout rollout_of(const char *name, uint32_t n)
{
	struct registry_rollout r = {
		.version = "V1",
		.selector = "all",
		.zone = "Europe/Berlin",
		.created_s = WORLD_NOW_S,
		.plan = {.n = n,
			 .phase_ends = {1, n},
			 .n_phases = 2,
			 .parallel = 7,
			 .failures = 2,
			 .failures_are_percent = true,
			 .soak_s = 60,
			 .approve = true,
			 .window = {{.days = 31, .from_m = 1320, .to_m = 300}},
			 .n_window = 1,
			 .deadline_s = WORLD_NOW_S + 1000},
	};

	(void)snprintf(r.name, sizeof(r.name), "%s", name);
	for (uint32_t i = 0; i < n; i++)
		(void)snprintf(names[i], sizeof(names[i]), "router-%u", i);
	return r;
}

static void create(struct registry_world *w, const char *name, uint32_t n)
{
	struct registry_rollout r = rollout_of(name, n);
	struct err err;

	assert_ok(registry_rollout_create(w->r, &r, names, &world_origin, &err), &err);
}

static struct registry_rollout look(struct registry_world *w, const char *name)
{
	struct registry_rollout r;
	struct err err;

	assert_ok(registry_rollout_find(w->r, name, &r, &err), &err);
	return r;
}

static void test_created(struct registry_world *w)
{
	struct registry_rollout r;
	struct registry_rollout second = rollout_of("night", 1);
	struct err err;

	create(w, "night", MANY);
	r = look(w, "night");
	second = rollout_of("night", MANY);
	assert_memory_equal(&r.plan, &second.plan, sizeof(r.plan));
	assert_string_equal(r.zone, "Europe/Berlin");
	assert_string_equal(r.holder, "");
	assert_int_equal(r.counts[ROLLOUT_WAITING], MANY);
	assert_string_equal(rollout_state_name(&r.head), "running");
	assert_ok(registry_rollout_members(w->r, "night", MANY, found, members, &err), &err);
	assert_memory_equal(found, names, sizeof(names));
	assert_int_equal(registry_rollout_members(w->r, "night", MANY - 1, found, members, &err),
			 0); /* of more rows the first */
	assert_int_equal(registry_rollout_create(w->r, &second, names, &world_origin, &err),
			 -EEXIST);
	assert_int_equal(registry_rollout_find(w->r, "day", &r, &err), -ENOENT);
	assert_contains(err.text, "there is no rollout day");
	assert_int_equal(world_count_audit(w->r, REGISTRY_CONFIGURED), 1);
}

static void on_changed(void *owner, uint32_t member)
{
	((bool *)owner)[member / REGISTRY_ROLLOUT_BLOCK] = true;
}

static void on_order(void *owner, enum rollout_order order, uint32_t member)
{
	(void)owner;
	(void)order;
	(void)member;
}

static int write_by(struct registry *r, struct rollout *rollout, const bool *dirty,
		    int64_t revision, struct err *err)
{
	const struct registry_rollout_reason reasons[] = {{1, "no room"}};
	const struct registry_rollout_changes changes = {
		.rollout = rollout,
		.revision = revision,
		.dirty = dirty,
		.reasons = reasons,
		.n_reasons = 1,
	};

	return registry_rollout_write(r, "night", &changes, err);
}

static void test_written(struct registry_world *w)
{
	const struct rollout_time now = {WORLD_NOW_S, 0};
	bool dirty[3] = {false};
	const struct rollout_calls calls = {on_changed, on_order, dirty};
	struct registry *other = registry_world_open(w, "c1");
	struct registry_rollout_reason *reasons;
	struct registry_rollout r;
	struct rollout core;
	struct err err;
	size_t n;

	create(w, "night", MANY);
	r = look(w, "night");
	r.plan.n_window = 0;
	r.head.phase = 1;
	assert_int_equal(rollout_init(&core, &r.plan, &r.head, NULL, &calls), 0);
	assert_int_equal(write_by(w->r, &core, dirty, 0, &err), -ESTALE); /* not its holder */
	assert_ok(registry_rollout_take(w->r, "night", 0, &err), &err);
	assert_int_equal(registry_rollout_take(other, "night", 0, &err),
			 -ESTALE); /* it has beaten */
	rollout_tick(&core, now);
	rollout_member_told(&core, 0, ROLLOUT_TOLD_DONE, now);
	rollout_member_told(&core, 1, ROLLOUT_TOLD_REFUSED, now);
	core.members[2400] = rollout_member_pack(ROLLOUT_DOWNLOADING, true);
	dirty[2] = true;
	assert_ok(write_by(w->r, &core, dirty, 0, &err), &err);
	r = look(w, "night");
	assert_string_equal(r.holder, "c0");
	assert_int_equal(r.beat, 2);
	assert_int_equal(r.head.phase, 1);
	assert_int_equal(r.counts[ROLLOUT_ORDERED], 5);
	assert_ok(registry_rollout_members(w->r, "night", MANY, found, members, &err), &err);
	assert_memory_equal(members, core.members, MANY);
	assert_ok(registry_rollout_reasons(w->r, "night", &reasons, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(reasons[0].text, "no room");
	free(reasons);
	/* Another one takes over where the beat stands still, and the first may not write any more.
	 */
	assert_ok(registry_rollout_take(other, "night", 2, &err), &err);
	assert_int_equal(write_by(w->r, &core, dirty, 0, &err), -ESTALE);
	assert_ok(write_by(other, &core, dirty, 0, &err), &err);
	rollout_release(&core);
	registry_close(other);
}

static void test_wishes(struct registry_world *w)
{
	struct rollout core;
	const struct rollout_calls calls = {on_changed, on_order, NULL};
	struct registry_rollout r;
	struct err err;

	create(w, "night", 3);
	r = look(w, "night");
	assert_int_equal(rollout_init(&core, &r.plan, &r.head, NULL, &calls), 0);
	assert_ok(registry_rollout_take(w->r, "night", 0, &err), &err);
	assert_ok(registry_rollout_wish(w->r, "night", ROLLOUT_PAUSE, &world_origin, &err), &err);
	assert_int_equal(registry_rollout_wish(w->r, "night", ROLLOUT_APPROVE, &world_origin, &err),
			 -EBUSY);
	assert_contains(err.text, "it is paused");
	assert_int_equal(registry_rollout_wish(w->r, "day", ROLLOUT_PAUSE, &world_origin, &err),
			 -ENOENT);
	assert_int_equal(registry_rollout_wish(w->r, "a b", ROLLOUT_PAUSE, &world_origin, &err),
			 -EINVAL);
	/* Its holder does not know that yet. */
	assert_int_equal(write_by(w->r, &core, NULL, 0, &err), -ESTALE);
	r = look(w, "night");
	assert_string_equal(rollout_state_name(&r.head), "paused");
	core.head = r.head;
	assert_ok(write_by(w->r, &core, NULL, 1, &err), &err);
	assert_ok(registry_rollout_wish(w->r, "night", ROLLOUT_CANCEL, &world_origin, &err), &err);
	assert_int_equal(world_count_audit(w->r, REGISTRY_CONFIGURED), 3);
	rollout_release(&core);
}

/* Of those that are over so many are kept. */
static void test_old_ones_go(struct registry_world *w)
{
	struct registry_rollout *rows;
	char name[16];
	struct err err;
	size_t n;

	for (unsigned i = 0; i < REGISTRY_ROLLOUTS_KEPT + 2; i++) {
		struct registry_rollout r;

		(void)snprintf(name, sizeof(name), "r%02u", i);
		r = rollout_of(name, 1);
		r.created_s += i;
		assert_ok(registry_rollout_create(w->r, &r, names, &world_origin, &err), &err);
		if (i > 0) {
			struct rollout core = {.plan = r.plan, .head = {.stage = ROLLOUT_OVER}};
			const struct registry_rollout_changes changes = {.rollout = &core};

			assert_ok(registry_rollout_take(w->r, name, 0, &err), &err);
			assert_ok(registry_rollout_write(w->r, name, &changes, &err), &err);
		}
	}
	assert_ok(registry_rollouts_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, REGISTRY_ROLLOUTS_KEPT + 1);
	assert_string_equal(rows[0].name, "r00"); /* which is not over */
	assert_string_equal(rows[1].name, "r02");
	free(rows);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_created),
		REGISTRY_TEST(test_written),
		REGISTRY_TEST(test_wishes),
		REGISTRY_TEST(test_old_ones_go),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
