/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One node of a router after the other: how long this one waits (docs/download.md, "High
 * availability"). */
#include <stdio.h>

#include "download/engine/engine_private.h"

void engine_set_turn(struct engine *e, enum engine_turn turn)
{
	e->turn = turn;
}

bool engine_must_wait(const struct engine *e)
{
	return e->turn == TURN_AWAITED && e->limits.follows_peer;
}

void engine_wait_for_peer(struct engine *e, struct engine_actions *out)
{
	e->peer_heard_ms = e->last_ms;
	e->peer_missed = false;
	e->peer_has_worked = false;
	engine_set_state(e, ENGINE_WAITING_PEER, out);
}

static void take_turn(struct engine *e, struct engine_actions *out)
{
	e->turn = TURN_COME;
	e->error[0] = '\0';
	engine_go_on(e, out);
}

static void take_turn_alone(struct engine *e, const char *reason, struct engine_actions *out)
{
	struct engine_action *action = engine_add_action(out, ACTION_PEER_NOT_AWAITED);

	(void)snprintf(action->reason, sizeof(action->reason), "%s", reason);
	take_turn(e, out);
}

/* May the end that the peer reports belong to an earlier order? An order reaches both nodes, but
 * not at the same time. */
static bool may_be_of_earlier_order(const struct engine *e)
{
	return !e->peer_has_worked && e->last_ms < e->peer_heard_ms + PEER_ORDER_MS;
}

static void peer_gave_up(struct engine *e, const char *reason, struct engine_actions *out)
{
	if (may_be_of_earlier_order(e))
		(void)snprintf(e->error, sizeof(e->error), "%s", reason);
	else
		take_turn_alone(e, reason, out);
}

void engine_peer_heard(struct engine *e, const struct engine_event *event,
		       struct engine_actions *out)
{
	const char *reason = event->reason ? event->reason : "";

	if (e->state != ENGINE_WAITING_PEER)
		return;
	switch (event->peer.how) {
	case PEER_NOTHING:
		e->peer_missed = true;
		(void)snprintf(e->error, sizeof(e->error), "%s", reason);
		return;
	case PEER_WORKING:
		e->peer_missed = false;
		e->peer_has_worked = true;
		e->peer_heard_ms = e->last_ms;
		e->error[0] = '\0';
		return;
	case PEER_HAS_IT:
		take_turn(e, out);
		return;
	case PEER_GAVE_UP:
		peer_gave_up(e, reason, out);
		return;
	}
}

/* Patience ends only after an answer was heard, or was missed: a question that is still open says
 * nothing yet. */
uint64_t engine_patience_ends(const struct engine *e)
{
	return e->peer_missed ? e->peer_heard_ms + e->limits.peer_patience_ms : ENGINE_NEVER;
}

void engine_weigh_waiting(struct engine *e, struct engine_actions *out)
{
	char reason[SOURCE_REASON_SIZE];

	if (!engine_must_wait(e)) {
		take_turn(e, out); /* the configuration has changed */
		return;
	}
	if (e->last_ms < engine_patience_ends(e))
		return;
	(void)snprintf(reason, sizeof(reason), "it was not at work for %llu s: %.*s",
		       (unsigned long long)(e->limits.peer_patience_ms / 1000),
		       SOURCE_REASON_SIZE / 2, e->error);
	take_turn_alone(e, reason, out);
}
