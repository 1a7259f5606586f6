/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The states of a download: their names, and which may follow which. */
#include <assert.h>
#include <string.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

static const char *const state_names[] = {
	[ENGINE_QUEUED] = "queued",           [ENGINE_WAITING_PEER] = "waiting-peer",
	[ENGINE_CHECKING] = "checking",       [ENGINE_DISCOVERING] = "discovering",
	[ENGINE_DOWNLOADING] = "downloading", [ENGINE_WAITING_RETRY] = "waiting-retry",
	[ENGINE_FINISHING] = "finishing",     [ENGINE_COMPLETE] = "complete",
	[ENGINE_PAUSED] = "paused",           [ENGINE_CANCELLED] = "cancelled",
	[ENGINE_FAILED] = "failed",
};

#define TO(state)   (1u << (state))
#define TO_ANY_STOP (TO(ENGINE_PAUSED) | TO(ENGINE_CANCELLED) | TO(ENGINE_FAILED))

static const unsigned allowed_moves[] = {
	[ENGINE_QUEUED] = TO(ENGINE_WAITING_PEER) | TO(ENGINE_CHECKING) | TO(ENGINE_DISCOVERING) |
			  TO(ENGINE_FINISHING) | TO_ANY_STOP,
	[ENGINE_WAITING_PEER] =
		TO(ENGINE_CHECKING) | TO(ENGINE_DISCOVERING) | TO(ENGINE_FINISHING) | TO_ANY_STOP,
	[ENGINE_CHECKING] = TO(ENGINE_DISCOVERING) | TO(ENGINE_FINISHING) | TO_ANY_STOP,
	[ENGINE_DISCOVERING] = TO(ENGINE_CHECKING) | TO(ENGINE_DOWNLOADING) |
			       TO(ENGINE_WAITING_RETRY) | TO(ENGINE_FINISHING) | TO_ANY_STOP,
	[ENGINE_DOWNLOADING] = TO(ENGINE_DISCOVERING) | TO(ENGINE_WAITING_RETRY) |
			       TO(ENGINE_FINISHING) | TO_ANY_STOP,
	[ENGINE_WAITING_RETRY] = TO(ENGINE_DISCOVERING) | TO_ANY_STOP,
	[ENGINE_FINISHING] = TO(ENGINE_COMPLETE) | TO(ENGINE_DISCOVERING) | TO_ANY_STOP,
	[ENGINE_COMPLETE] = 0,
	[ENGINE_PAUSED] = TO(ENGINE_QUEUED) | TO(ENGINE_CANCELLED) | TO(ENGINE_FAILED),
	[ENGINE_CANCELLED] = TO(ENGINE_QUEUED),
	[ENGINE_FAILED] = TO(ENGINE_QUEUED) | TO(ENGINE_CANCELLED),
};

const char *engine_state_name(enum engine_state state)
{
	return state_names[state];
}

bool engine_state_from_name(const char *name, enum engine_state *ret)
{
	for (unsigned i = 0; i < N_ELEMENTS(state_names); i++) {
		if (strcmp(state_names[i], name) == 0) {
			*ret = (enum engine_state)i;
			return true;
		}
	}
	return false;
}

bool engine_state_is_ended(enum engine_state state)
{
	return state == ENGINE_COMPLETE || state == ENGINE_CANCELLED || state == ENGINE_FAILED;
}

bool engine_state_is_running(enum engine_state state)
{
	return !engine_state_is_ended(state) && state != ENGINE_QUEUED && state != ENGINE_PAUSED;
}

void engine_set_state(struct engine *e, enum engine_state state, struct engine_actions *out)
{
	if (e->state == state)
		return;
	assert(allowed_moves[e->state] & TO(state));
	e->state = state;
	engine_add_action(out, ACTION_STATE)->state = state;
}
