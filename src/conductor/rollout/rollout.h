/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout.h - brings one version to many routers, a phase of them after the other. Pure.
 *
 * Told what happened, and when, it says what is to be done next; whoever drives it writes each
 * change down before it carries the order out, so that a rollout goes on from what is written.
 *
 *	rollout   running -> soaking -> approval -> running (the next phase) ... -> done
 *	          at any time: paused, halted (too many failures), cancelled
 *	member    waiting -> ordered -> downloading -> done, failed or skipped
 *	          ordered, downloading -> unreachable -> ordered
 *
 * A phase is over when each of its members has its end. Members stand in the order in which their
 * turn comes: those of a phase behind those of the phases before.
 *
 * Calling sequence: rollout_init -> rollout_member_told, rollout_wish, rollout_tick ... ->
 * rollout_release.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hours.h"

#define ROLLOUT_PHASES_MAX 16
#define ROLLOUT_WINDOW_MAX 8

enum rollout_member_state {
	ROLLOUT_WAITING,
	ROLLOUT_UNREACHABLE, /* its turn has come, and it has no tunnel: not counted in parallel */
	ROLLOUT_ORDERED,     /* the order is written, and perhaps sent */
	ROLLOUT_DOWNLOADING,
	ROLLOUT_DONE,
	ROLLOUT_FAILED,
	ROLLOUT_SKIPPED, /* nothing was asked of it: it is no router any more, or it was too late */
	N_ROLLOUT_MEMBER_STATES,
};
const char *rollout_member_state_name(enum rollout_member_state state);

enum rollout_stage {
	ROLLOUT_RUNNING,
	ROLLOUT_SOAKING,  /* the phase is over, and time shows whether it was good */
	ROLLOUT_APPROVAL, /* an operator has to approve the next phase */
	ROLLOUT_OVER,
	N_ROLLOUT_STAGES,
};

/* Why nobody is ordered, whatever the stage is. */
enum rollout_stop {
	ROLLOUT_GOES,
	ROLLOUT_PAUSED,
	ROLLOUT_HALTED, /* more failures than it may have */
	ROLLOUT_CANCELLED,
	N_ROLLOUT_STOPS,
};

struct rollout_plan {
	uint32_t n; /* members */
	/* The first member behind each phase; the last one is n. */
	uint32_t phase_ends[ROLLOUT_PHASES_MAX];
	unsigned n_phases;
	uint32_t parallel; /* at work at once, at least 1 */
	/* It halts at more failures: of all that have begun so many percent, or so many. */
	uint32_t failures;
	bool failures_are_percent;
	int64_t soak_s;
	bool approve; /* an operator approves each phase after the first */
	bool finish;  /* who is at work when the window ends goes on */
	bool sequenced;
	struct hours window[ROLLOUT_WINDOW_MAX]; /* none = always open */
	size_t n_window;
	int64_t deadline_s; /* UTC; 0 = none */
};

/* Of a rollout what changes, beside its members. */
struct rollout_head {
	enum rollout_stage stage;
	enum rollout_stop stop;
	unsigned phase; /* from 0 */
	bool approved;  /* the next phase */
	int64_t soaked_s;
	uint32_t forgiven; /* failures up to the last time that an operator went on in spite of them
			    */
};

/* "running", "halted" ... */
const char *rollout_state_name(const struct rollout_head *head);
/* All that it may say; NULL at the end. */
extern const char *const rollout_state_names[];

enum rollout_order {
	ROLLOUT_ORDER, /* let it download */
	ROLLOUT_HOLD,  /* let it pause its download */
	ROLLOUT_GO_ON, /* and resume it */
};

/* What is known of a member's own download. */
enum rollout_told {
	ROLLOUT_TOLD_GOES_ON,
	ROLLOUT_TOLD_PAUSED,
	ROLLOUT_TOLD_DONE,
	ROLLOUT_TOLD_FAILED, /* perhaps before the order came, where it is not known to have come */
	ROLLOUT_TOLD_REFUSED, /* the order: it came, and is the reason */
	ROLLOUT_TOLD_NOTHING, /* it has no such download */
	ROLLOUT_TOLD_LOST,    /* it cannot be asked */
	ROLLOUT_TOLD_BACK,    /* it has a tunnel again */
	ROLLOUT_TOLD_GONE,    /* it is no router of this registry any more */
};

enum rollout_wish { ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_APPROVE, ROLLOUT_CANCEL };

struct rollout_calls {
	/* The state of a member, and whether it is held, has changed. */
	void (*changed)(void *owner, uint32_t member);
	/* To be carried out once all changes are written. */
	void (*order)(void *owner, enum rollout_order order, uint32_t member);
	void *owner;
};

/* wall_s: UTC, which may jump; steady_ms: never goes back, of one driver. */
struct rollout_time {
	int64_t wall_s;
	int64_t steady_ms;
};

struct rollout {
	struct rollout_plan plan;
	struct zone *zone; /* of the window; borrowed; NULL = UTC */
	struct rollout_head head;
	struct rollout_calls calls;
	uint8_t *members; /* a state, and whether it is held */
	uint32_t counts[N_ROLLOUT_MEMBER_STATES];
	uint32_t open; /* of the phases that have begun: without an end */
	uint32_t next; /* the first whose turn has not come */
	int64_t steady_ms;
	bool has_steady;
};

/* members: plan->n of rollout_member_pack(), copied; NULL = all wait. -ENOMEM. */
int rollout_init(struct rollout *r, const struct rollout_plan *plan,
		 const struct rollout_head *head, const uint8_t *members,
		 const struct rollout_calls *calls);
void rollout_release(struct rollout *r);

uint8_t rollout_member_pack(enum rollout_member_state state, bool is_held);
enum rollout_member_state rollout_member_state(const struct rollout *r, uint32_t member);
bool rollout_member_is_held(const struct rollout *r, uint32_t member);
bool rollout_member_is_at_work(const struct rollout *r, uint32_t member);

/* May the operator have this? Changes the head alone. -EBUSY with a sentence. */
int rollout_wish(struct rollout_head *head, enum rollout_wish wish, uint32_t failed,
		 struct err *err);

void rollout_member_told(struct rollout *r, uint32_t member, enum rollout_told told,
			 struct rollout_time now);
/* At least once a second while it is not over, and after each wish. */
void rollout_tick(struct rollout *r, struct rollout_time now);

bool rollout_is_over(const struct rollout *r);
/* Is it the hour? */
bool rollout_is_open(const struct rollout *r, int64_t wall_s);
/* More failures than these halt it. */
uint32_t rollout_failures_allowed(const struct rollout *r);
