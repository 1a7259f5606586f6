/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/rollout/rollout.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define HELD 0x80u
#define STEP_MAX                                                                                   \
	5000 /* ms that one tick may add to a soak: a driver that slept has seen nothing           \
	      */

static const char *const member_names[] = {
	[ROLLOUT_WAITING] = "waiting", [ROLLOUT_UNREACHABLE] = "unreachable",
	[ROLLOUT_ORDERED] = "ordered", [ROLLOUT_DOWNLOADING] = "downloading",
	[ROLLOUT_DONE] = "done",       [ROLLOUT_FAILED] = "failed",
	[ROLLOUT_SKIPPED] = "skipped",
};

const char *rollout_member_state_name(enum rollout_member_state state)
{
	return member_names[state];
}

const char *const rollout_state_names[] = {"running", "soaking",   "approval", "paused",
					   "halted",  "cancelled", "done",     NULL};

const char *rollout_state_name(const struct rollout_head *head)
{
	static const char *const stages[] = {
		[ROLLOUT_RUNNING] = "running",
		[ROLLOUT_SOAKING] = "soaking",
		[ROLLOUT_APPROVAL] = "approval",
		[ROLLOUT_OVER] = "done",
	};
	static const char *const stops[] = {
		[ROLLOUT_GOES] = NULL,
		[ROLLOUT_PAUSED] = "paused",
		[ROLLOUT_HALTED] = "halted",
		[ROLLOUT_CANCELLED] = "cancelled",
	};

	if (head->stop == ROLLOUT_CANCELLED)
		return stops[head->stop];
	return head->stage == ROLLOUT_OVER || !stops[head->stop] ? stages[head->stage]
								 : stops[head->stop];
}

uint8_t rollout_member_pack(enum rollout_member_state state, bool is_held)
{
	return (uint8_t)(state | (is_held ? HELD : 0));
}

enum rollout_member_state rollout_member_state(const struct rollout *r, uint32_t member)
{
	return (enum rollout_member_state)(r->members[member] & ~HELD);
}

bool rollout_member_is_held(const struct rollout *r, uint32_t member)
{
	return r->members[member] & HELD;
}

static bool is_end(enum rollout_member_state state)
{
	return state >= ROLLOUT_DONE;
}

bool rollout_member_is_at_work(const struct rollout *r, uint32_t member)
{
	enum rollout_member_state state = rollout_member_state(r, member);

	return state == ROLLOUT_ORDERED || state == ROLLOUT_DOWNLOADING;
}

static uint32_t at_work(const struct rollout *r)
{
	return r->counts[ROLLOUT_ORDERED] + r->counts[ROLLOUT_DOWNLOADING];
}

static uint32_t begun(const struct rollout *r)
{
	return r->plan.phase_ends[r->head.phase];
}

/* What follows from the members. Those of later phases that have an end were skipped. */
static void count(struct rollout *r)
{
	memset(r->counts, 0, sizeof(r->counts));
	r->open = 0;
	r->next = begun(r);
	for (uint32_t i = r->plan.n; i-- > 0;) {
		enum rollout_member_state state = rollout_member_state(r, i);

		r->counts[state]++;
		if (i < begun(r) && !is_end(state))
			r->open++;
		if (i < begun(r) && state == ROLLOUT_WAITING)
			r->next = i;
	}
}

int rollout_init(struct rollout *r, const struct rollout_plan *plan,
		 const struct rollout_head *head, const uint8_t *members,
		 const struct rollout_calls *calls)
{
	uint8_t *copy = calloc(plan->n ? plan->n : 1, 1);

	if (!copy)
		return -ENOMEM;
	assert(plan->n_phases > 0 && plan->phase_ends[plan->n_phases - 1] == plan->n);
	if (members)
		memcpy(copy, members, plan->n);
	*r = (struct rollout){.plan = *plan, .head = *head, .members = copy, .calls = *calls};
	count(r);
	return 0;
}

void rollout_release(struct rollout *r)
{
	free(r->members);
	r->members = NULL;
}

bool rollout_is_over(const struct rollout *r)
{
	return r->head.stage == ROLLOUT_OVER;
}

bool rollout_is_open(const struct rollout *r, int64_t wall_s)
{
	return r->plan.n_window == 0 ||
	       hours_at(r->plan.window, r->plan.n_window, r->zone, wall_s).entry >= 0;
}

static bool is_late(const struct rollout *r, int64_t wall_s)
{
	return r->plan.deadline_s > 0 && wall_s >= r->plan.deadline_s;
}

static bool may_order(const struct rollout *r, int64_t wall_s)
{
	return r->head.stage == ROLLOUT_RUNNING && r->head.stop == ROLLOUT_GOES &&
	       !is_late(r, wall_s) && rollout_is_open(r, wall_s);
}

static bool wants_hold(const struct rollout *r, int64_t wall_s)
{
	if (r->plan.finish || r->head.stop == ROLLOUT_CANCELLED)
		return false;
	return r->head.stop == ROLLOUT_PAUSED || !rollout_is_open(r, wall_s);
}

static void set_member(struct rollout *r, uint32_t member, enum rollout_member_state state,
		       bool is_held)
{
	enum rollout_member_state before = rollout_member_state(r, member);

	if (r->members[member] == rollout_member_pack(state, is_held))
		return;
	r->counts[before]--;
	r->counts[state]++;
	if (member < begun(r) && !is_end(before) && is_end(state))
		r->open--;
	r->members[member] = rollout_member_pack(state, is_held);
	r->calls.changed(r->calls.owner, member);
}

/* One that was held when it was lost may rest still: it is told to go on when it says so. */
static void order(struct rollout *r, uint32_t member)
{
	set_member(r, member, ROLLOUT_ORDERED, rollout_member_is_held(r, member));
	r->calls.order(r->calls.owner, ROLLOUT_ORDER, member);
}

uint32_t rollout_failures_allowed(const struct rollout *r)
{
	if (!r->plan.failures_are_percent)
		return r->plan.failures;
	return (uint32_t)((uint64_t)begun(r) * r->plan.failures / 100);
}

static void fail(struct rollout *r, uint32_t member)
{
	set_member(r, member, ROLLOUT_FAILED, false);
	if (r->head.stop != ROLLOUT_CANCELLED &&
	    r->counts[ROLLOUT_FAILED] - r->head.forgiven > rollout_failures_allowed(r))
		r->head.stop = ROLLOUT_HALTED;
}

/* Pauses the download where nobody shall be at work, and resumes what was paused here. What an
 * operator paused by hand stays paused. */
static void follow(struct rollout *r, uint32_t member, bool is_paused, int64_t wall_s)
{
	bool is_held = rollout_member_is_held(r, member);

	if (wants_hold(r, wall_s)) {
		set_member(r, member, ROLLOUT_DOWNLOADING, is_held || !is_paused);
		if (!is_paused)
			r->calls.order(r->calls.owner, ROLLOUT_HOLD, member);
		return;
	}
	set_member(r, member, ROLLOUT_DOWNLOADING, is_held && is_paused);
	if (is_held && is_paused)
		r->calls.order(r->calls.owner, ROLLOUT_GO_ON, member);
}

/* An order that did not reach it is given again; a download that somebody took away has failed. */
static void has_nothing(struct rollout *r, uint32_t member, int64_t wall_s)
{
	if (rollout_member_state(r, member) == ROLLOUT_DOWNLOADING)
		fail(r, member);
	else if (r->head.stop == ROLLOUT_CANCELLED || is_late(r, wall_s))
		set_member(r, member, ROLLOUT_SKIPPED, false);
	else if (may_order(r, wall_s))
		r->calls.order(r->calls.owner, ROLLOUT_ORDER, member);
}

/* A download that failed before the order came says nothing of it: then it is given again. */
static void has_failed(struct rollout *r, uint32_t member, int64_t wall_s)
{
	if (rollout_member_state(r, member) == ROLLOUT_DOWNLOADING ||
	    r->head.stop == ROLLOUT_CANCELLED || is_late(r, wall_s))
		fail(r, member);
	else if (may_order(r, wall_s))
		r->calls.order(r->calls.owner, ROLLOUT_ORDER, member);
}

static void told_at_work(struct rollout *r, uint32_t member, enum rollout_told told, int64_t wall_s)
{
	switch (told) {
	case ROLLOUT_TOLD_GOES_ON:
	case ROLLOUT_TOLD_PAUSED:
		follow(r, member, told == ROLLOUT_TOLD_PAUSED, wall_s);
		break;
	case ROLLOUT_TOLD_FAILED:
		has_failed(r, member, wall_s);
		break;
	case ROLLOUT_TOLD_REFUSED:
		fail(r, member);
		break;
	case ROLLOUT_TOLD_NOTHING:
		has_nothing(r, member, wall_s);
		break;
	case ROLLOUT_TOLD_LOST:
		set_member(r, member, ROLLOUT_UNREACHABLE, rollout_member_is_held(r, member));
		break;
	case ROLLOUT_TOLD_DONE:
	case ROLLOUT_TOLD_BACK:
	case ROLLOUT_TOLD_GONE:
		break;
	}
}

/* The phase is over when each member has its end; all else follows from that and the time. */
static void end_phase(struct rollout *r)
{
	const uint32_t left =
		r->counts[ROLLOUT_WAITING] + r->counts[ROLLOUT_UNREACHABLE] + at_work(r);

	if (left == 0)
		r->head.stage = ROLLOUT_OVER;
	else if (r->head.stage == ROLLOUT_RUNNING && r->open == 0) {
		r->head.stage = ROLLOUT_SOAKING;
		r->head.soaked_s = 0;
		r->head.approved = false;
	}
}

void rollout_member_told(struct rollout *r, uint32_t member, enum rollout_told told,
			 struct rollout_time now)
{
	enum rollout_member_state state = rollout_member_state(r, member);

	if (rollout_is_over(r) || is_end(state))
		return;
	if (told == ROLLOUT_TOLD_GONE)
		set_member(r, member, ROLLOUT_SKIPPED, false);
	else if (told == ROLLOUT_TOLD_DONE && state != ROLLOUT_WAITING)
		set_member(r, member, ROLLOUT_DONE, false);
	else if (rollout_member_is_at_work(r, member))
		told_at_work(r, member, told, now.wall_s);
	else if (state == ROLLOUT_UNREACHABLE && told == ROLLOUT_TOLD_BACK &&
		 may_order(r, now.wall_s) && at_work(r) < r->plan.parallel)
		order(r, member);
	end_phase(r);
}

/* Those that nothing more is asked of. Who is at work goes on to its own end. */
static void end_the_rest(struct rollout *r, bool is_late)
{
	for (uint32_t i = 0; i < r->plan.n; i++) {
		enum rollout_member_state state = rollout_member_state(r, i);

		if (state == ROLLOUT_WAITING)
			set_member(r, i, ROLLOUT_SKIPPED, false);
		else if (state == ROLLOUT_UNREACHABLE)
			set_member(r, i, is_late ? ROLLOUT_FAILED : ROLLOUT_SKIPPED, false);
	}
	r->next = begun(r);
}

static void soak(struct rollout *r, struct rollout_time now)
{
	int64_t passed_ms = r->has_steady ? now.steady_ms - r->steady_ms : 0;

	/* Whole seconds are counted, so the rest is left for the next tick. */
	if (!r->has_steady || passed_ms < 0 || passed_ms > STEP_MAX)
		r->steady_ms = now.steady_ms;
	else
		r->steady_ms += passed_ms / 1000 * 1000;
	r->has_steady = true;
	if (r->head.stage == ROLLOUT_SOAKING)
		r->head.soaked_s += MAX(INT64_C(0), MIN(passed_ms, STEP_MAX)) / 1000;
}

static void begin_phase(struct rollout *r)
{
	const uint32_t first = begun(r);

	r->head.phase++;
	r->head.stage = ROLLOUT_RUNNING;
	r->head.approved = false;
	r->next = first;
	for (uint32_t i = first; i < begun(r); i++)
		r->open += !is_end(rollout_member_state(r, i));
}

static void pass_stage(struct rollout *r)
{
	if (r->head.stop != ROLLOUT_GOES)
		return;
	if (r->head.stage == ROLLOUT_SOAKING && r->head.soaked_s >= r->plan.soak_s)
		r->head.stage = ROLLOUT_APPROVAL;
	if (r->head.stage == ROLLOUT_APPROVAL && (!r->plan.approve || r->head.approved))
		begin_phase(r);
}

static void order_more(struct rollout *r)
{
	while (r->next < begun(r) && at_work(r) < r->plan.parallel) {
		if (rollout_member_state(r, r->next) == ROLLOUT_WAITING)
			order(r, r->next);
		r->next++;
	}
}

void rollout_tick(struct rollout *r, struct rollout_time now)
{
	if (rollout_is_over(r))
		return;
	soak(r, now);
	if ((r->head.stop == ROLLOUT_CANCELLED || is_late(r, now.wall_s)) &&
	    r->counts[ROLLOUT_WAITING] + r->counts[ROLLOUT_UNREACHABLE] > 0)
		end_the_rest(r, r->head.stop != ROLLOUT_CANCELLED);
	end_phase(r);
	pass_stage(r);
	if (may_order(r, now.wall_s))
		order_more(r);
}

static int refuse(const struct rollout_head *head, const char *wish, struct err *err)
{
	return err_set(err, -EBUSY, "the rollout cannot be %s: it is %s", wish,
		       rollout_state_name(head));
}

int rollout_wish(struct rollout_head *head, enum rollout_wish wish, uint32_t failed,
		 struct err *err)
{
	const bool is_over = head->stage == ROLLOUT_OVER || head->stop == ROLLOUT_CANCELLED;

	switch (wish) {
	case ROLLOUT_PAUSE:
		if (is_over || head->stop != ROLLOUT_GOES)
			return refuse(head, "paused", err);
		head->stop = ROLLOUT_PAUSED;
		return 0;
	case ROLLOUT_RESUME:
		if (is_over || head->stop == ROLLOUT_GOES)
			return refuse(head, "resumed", err);
		if (head->stop == ROLLOUT_HALTED)
			head->forgiven = failed;
		head->stop = ROLLOUT_GOES;
		return 0;
	case ROLLOUT_APPROVE:
		if (is_over || head->stage != ROLLOUT_APPROVAL)
			return refuse(head, "approved", err);
		head->approved = true;
		return 0;
	case ROLLOUT_CANCEL:
		if (is_over)
			return refuse(head, "cancelled", err);
		head->stop = ROLLOUT_CANCELLED;
		return 0;
	}
	return -EINVAL;
}
