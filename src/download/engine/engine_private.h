/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine_private.h - what the files of the engine share.
 *
 * engine.c takes events; engine_time.c says when it wants to be called without one; engine_state.c
 * knows which state follows which; engine_attempt.c ends attempts; engine_discovery.c weighs the
 * sources' answers; engine_requests.c fills the slots, and engine_judge.c judges what came;
 * engine_crowd.c knows who is asked for too much at once; engine_sequence.c waits for the HA peer,
 * and engine_peer_pieces.c takes from it what it has, while it is downloading itself;
 * engine_fetcher.c waits for a conductor that fetches the image for us; engine_fill.c
 * has pieces filled, whole or in part, from other images of the node. "Now" is
 * e->last_ms, set at the beginning of each step.
 */
#pragma once

#include "download/engine/engine.h"

struct engine_action *engine_add_action(struct engine_actions *out, enum engine_action_type type);
void engine_set_state(struct engine *e, enum engine_state state, struct engine_actions *out);

/* The source is not asked again in this attempt, or for this download. */
void engine_leave_source(struct engine *e, unsigned source, enum source_state state,
			 const char *reason, struct engine_actions *out);
void engine_cancel_requests(struct engine *e, int source, struct engine_actions *out);
/* Everything in flight stops, what it brought is kept, and the state becomes state. */
void engine_stop(struct engine *e, enum engine_state state, const char *reason,
		 struct engine_actions *out);
void engine_end_attempt(struct engine *e, struct engine_actions *out);
void engine_finish(struct engine *e, struct engine_actions *out);

/* Continue the download from wherever it was left: open the files, check them, then ask the
 * sources. */
void engine_go_on(struct engine *e, struct engine_actions *out);

/* Does time count for the timeout in this state? */
bool engine_time_counts(const struct engine *e);
/* "Now" is now_ms from here on. */
void engine_account_time(struct engine *e, uint64_t now_ms);
bool engine_is_timed_out(const struct engine *e);
/* Is a retry due whose attempt is already on disk? */
bool engine_may_retry(const struct engine *e);

/* Is it the peer's turn? */
bool engine_must_wait(const struct engine *e);
void engine_wait_for_peer(struct engine *e, struct engine_actions *out);
void engine_peer_heard(struct engine *e, const struct engine_event *event,
		       struct engine_actions *out);
/* While waiting: is it over? */
void engine_weigh_waiting(struct engine *e, struct engine_actions *out);
/* When patience ends; ENGINE_NEVER = the peer was heard. */
uint64_t engine_patience_ends(const struct engine *e);

/* Are pieces filled, or to be filled? */
bool engine_fills(const struct engine *e);
/* Is it about to be known what can be filled? */
bool engine_waits_for_fill(const struct engine *e);
void engine_filled(struct engine *e, const struct engine_event *event, struct engine_actions *out);

void engine_pieces_changed(struct engine *e, const struct engine_event *event,
			   struct engine_actions *out);
/* The partner, if it delivers, so that its pieces can be left to it; else SOURCE_NOBODY. */
int engine_trusted_partner(const struct engine *e);
/* If the HA peer may be fetching from the other end, a request takes at most this part of a
 * slot's share of what is left: when the request begins a piece, the peer may already have it. */
#define PARTNER_STEPS 4u
bool engine_may_share(const struct engine *e);
/* How many slots other sources than the partner may fill. Both nodes fetch the pieces that
 * neither has, from both ends; towards the end each takes at most half of them, so that they
 * meet. */
unsigned engine_share_beside_partner(const struct engine *e);
/* Requests to other sources for pieces that the partner has by now are cancelled. */
void engine_leave_to_partner(struct engine *e, struct engine_actions *out);

/* Is one of the first n sources about to fetch the version for us? */
bool engine_awaits_fetcher(const struct engine *e, unsigned n);
/* A conductor that fetches the image, and has had nothing new for FETCHER_PATIENCE_MS, is left if
 * another source can be asked. */
void engine_leave_idle_fetcher(struct engine *e, struct engine_actions *out);

void engine_begin_discovery(struct engine *e, struct engine_actions *out);
void engine_stop_discovery(struct engine *e, struct engine_actions *out);
void engine_take_answer(struct engine *e, const struct engine_event *event,
			struct engine_actions *out);
/* Has one of the first n sources not answered yet? */
bool engine_is_awaited(const struct engine *e, unsigned n);
/* While discovering: is it known whose manifest to take? */
void engine_weigh_answers(struct engine *e, struct engine_actions *out);
void engine_start_downloading(struct engine *e, struct engine_actions *out);

/* A request's first byte has come, or does not come. */
void engine_answered(struct engine *e, unsigned slot, struct engine_actions *out);
void engine_silent(struct engine *e, unsigned slot, struct engine_actions *out);
/* Was the request that ended refused only because of others beside or before it? Then it is no
 * failure of the source. last: there is no other source. */
bool engine_is_forgiven(struct engine *e, const struct engine_slot *slot,
			const struct engine_request_end *end, bool last);
/* Is there no other source that can be asked now? */
bool engine_is_last(const struct engine *e, unsigned source);
void engine_cancel_slot(struct engine *e, unsigned slot, struct engine_actions *out);

void engine_whole_offered(struct engine *e, unsigned slot, struct engine_actions *out);
void engine_request_ended(struct engine *e, const struct engine_event *event,
			  struct engine_actions *out);
/* While downloading: choose whom to ask, and ask. */
void engine_keep_busy(struct engine *e, struct engine_actions *out);
