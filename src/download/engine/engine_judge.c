/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each reply says about the source that sent it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

/* Is this source to blame for a piece that does not match? Not if several sources brought it, or if
 * some of it was filled. */
static bool is_to_blame(struct engine *e, const struct engine_slot *slot, uint32_t piece)
{
	bool begun_by_another =
		slot->beginner != SOURCE_NOBODY && slot->beginner != (int)slot->source;
	uint64_t first = picker_piece_first(&e->picker, piece);

	return !(begun_by_another && slot->range.first >= first) &&
	       !picker_is_filled(&e->picker, piece);
}

/* May a cache have sent this, from an older file? There is no cache between the nodes of a
 * router. */
static bool may_be_stale(const struct engine *e, const struct engine_slot *slot)
{
	return !slot->past_caches && e->sources[slot->source].kind != SOURCE_HA_PEER;
}

/* The bytes are wrong, but a cache may have sent them. So from now on the source is asked past
 * caches, and is to blame for what comes then. */
static void go_past_caches(struct engine *e, unsigned source)
{
	e->sources[source].past_caches = true;
	picker_disown_source(&e->picker, source);
}

/* If a piece was found wrong and may be from a cache, its beginning is forgotten. */
static void give_back(struct engine *e, const struct engine_slot *slot, uint64_t held_end)
{
	int source = (int)slot->source;
	bool disowned = e->sources[source].past_caches && may_be_stale(e, slot);
	int by = disowned ? SOURCE_SEVERAL : source;

	picker_give_back(&e->picker, &slot->range, held_end, by,
			 slot->beginner == source ? by : slot->beginner);
}

static enum request_outcome take_bad_piece(struct engine *e, const struct engine_slot *slot,
					   const struct engine_event *event,
					   struct engine_actions *out)
{
	bool stale = may_be_stale(e, slot);
	bool to_blame = is_to_blame(e, slot, event->ended.piece);
	struct engine_action *mismatch;

	picker_forget(&e->picker, event->ended.piece);
	if (!to_blame)
		return REQUEST_NEUTRAL;
	if (stale)
		go_past_caches(e, slot->source);
	else
		picker_mismatch(&e->picker, event->ended.piece, slot->source);
	mismatch = engine_add_action(out, ACTION_MISMATCH);
	mismatch->source = slot->source;
	mismatch->piece = event->ended.piece;
	(void)snprintf(mismatch->reason, sizeof(mismatch->reason), "%s%s",
		       stale ? "asked again past caches: " : "", event->reason);
	return stale ? REQUEST_NEUTRAL : REQUEST_BAD_PIECE;
}

/* A cache may have an older file than the source, or none. */
static enum request_outcome take_other_file(struct engine *e, const struct engine_slot *slot,
					    const struct engine_event *event,
					    struct engine_actions *out)
{
	struct engine_action *past_caches;

	if (!may_be_stale(e, slot))
		return event->ended.outcome;
	if (e->sources[slot->source].past_caches)
		return REQUEST_NEUTRAL; /* another request was the first to find it */
	go_past_caches(e, slot->source);
	past_caches = engine_add_action(out, ACTION_PAST_CACHES);
	past_caches->source = slot->source;
	(void)snprintf(past_caches->reason, sizeof(past_caches->reason),
		       "asked again past caches: %s", event->reason);
	return REQUEST_NEUTRAL;
}

/* Some caches ignore the request to be passed by: this says what an operator can do then. */
static void describe_other_file(const struct engine_slot *slot, const char *reason,
				char text[SOURCE_REASON_SIZE])
{
	(void)snprintf(text, SOURCE_REASON_SIZE, "%s%s", reason,
		       slot->past_caches
			       ? "; it was asked past caches, so it has another file than its "
				 "manifest says, or a cache on the way has, and ignores no-cache: "
				 "empty that one"
			       : "");
}

static void describe_broken(const struct source *s, enum request_outcome outcome,
			    const char *reason, char text[SOURCE_REASON_SIZE])
{
	if (outcome == REQUEST_REFUSED || outcome == REQUEST_LIED)
		(void)snprintf(text, SOURCE_REASON_SIZE, "%s", reason);
	else
		(void)snprintf(text, SOURCE_REASON_SIZE,
			       "more than half of the last %u requests failed, the last: %s",
			       s->window.size, reason);
}

static void judge_source(struct engine *e, unsigned source, enum request_outcome outcome,
			 const struct engine_event *event, struct engine_actions *out)
{
	struct source *s = &e->sources[source];
	enum source_state before = s->state;
	enum source_state after =
		source_record(s, outcome, event->ended.bytes, e->picker.piece_size);
	char text[SOURCE_REASON_SIZE];
	const char *reason = event->reason ? event->reason : "no reason given";

	if (before != SOURCE_AVAILABLE)
		return;
	if (after == SOURCE_EXCLUDED)
		engine_leave_source(e, source, after, reason, out);
	if (after == SOURCE_BROKEN) {
		describe_broken(s, outcome, reason, text);
		engine_leave_source(e, source, after, text, out);
	}
	if (after != SOURCE_AVAILABLE)
		return;
	if (outcome == REQUEST_RETRY_AFTER) {
		s->skip_until_ms =
			e->last_ms + MAX(event->ended.retry_after_ms, RETRY_DELAY_MIN_MS);
		(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
	}
	if (source_fails(s) && engine_is_last(e, source))
		s->rest_until_ms = e->last_ms + source_backoff_ms(s);
	if (outcome == REQUEST_OK || outcome == REQUEST_CUT)
		source_note_rate(s, event->ended.bytes, event->ended.duration_ms);
}

/* Judges a whole file that was cut. If it was cut where the last one was, it brought nothing new,
 * and neither would the next one: the source is not asked again in this attempt, and after one
 * more such cut not for this download. If it was cut elsewhere, the next one may still come
 * whole, but it was no progress. */
static enum request_outcome judge_cut_whole(struct engine *e, const struct engine_slot *slot,
					    const struct engine_event *event,
					    struct engine_actions *out)
{
	struct source *s = &e->sources[slot->source];
	uint64_t before = s->whole_end;
	char reason[SOURCE_REASON_SIZE];

	s->whole_end = event->ended.bytes;
	if (slot->n_verified > 0) {
		s->whole_stuck = false;
		return event->ended.outcome;
	}
	if (before == 0 || MAX(before, event->ended.bytes) - MIN(before, event->ended.bytes) >=
				   e->picker.piece_size)
		return event->ended.outcome == REQUEST_CUT ? REQUEST_FAILED : event->ended.outcome;
	(void)snprintf(reason, sizeof(reason),
		       "serves no ranges, and each reply ends after %" PRIu64 " of %" PRIu64
		       " bytes: %s",
		       event->ended.bytes, e->picker.size, event->reason ? event->reason : "cut");
	s->failures++;
	if (source_is_usable(s))
		engine_leave_source(e, slot->source,
				    s->whole_stuck ? SOURCE_EXCLUDED : SOURCE_BROKEN, reason, out);
	s->whole_stuck = true;
	return REQUEST_NEUTRAL;
}

void engine_request_ended(struct engine *e, const struct engine_event *event,
			  struct engine_actions *out)
{
	struct engine_slot *slot = &e->slots[event->ended.slot];
	enum request_outcome outcome = event->ended.outcome;
	bool other_file = event->ended.other_file || outcome == REQUEST_BAD_PIECE;
	struct engine_event told = *event;
	char reason[SOURCE_REASON_SIZE];

	assert(slot->used);
	if (other_file && event->reason) {
		describe_other_file(slot, event->reason, reason);
		told.reason = reason;
	}
	slot->used = false;
	e->in_flight--;
	e->ended_ms = e->last_ms;
	give_back(e, slot, event->ended.held_end);
	if (outcome == REQUEST_BAD_PIECE)
		outcome = take_bad_piece(e, slot, &told, out);
	if (event->ended.other_file)
		outcome = take_other_file(e, slot, &told, out);
	if (slot->whole && (outcome == REQUEST_CUT || outcome == REQUEST_STALLED))
		outcome = judge_cut_whole(e, slot, event, out);
	else if (engine_is_forgiven(e, slot, &event->ended, engine_is_last(e, slot->source)))
		outcome = REQUEST_NEUTRAL;
	judge_source(e, slot->source, outcome, &told, out);
}
