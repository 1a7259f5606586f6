/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which source is asked for which bytes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

/* Bytes that the node has already are fetched between two holes if they are fewer than a request
 * costs, and in any case so few, or no more. */
#define JOIN_MIN (16u << 10)
#define JOIN_MAX (4u << 20)

void engine_cancel_slot(struct engine *e, unsigned slot, struct engine_actions *out)
{
	e->slots[slot].cancelling = true;
	engine_add_action(out, ACTION_CANCEL_REQUEST)->slot = slot;
}

void engine_cancel_requests(struct engine *e, int source, struct engine_actions *out)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		struct engine_slot *slot = &e->slots[i];

		if (!slot->used || slot->cancelling)
			continue;
		if (source != SOURCE_NOBODY && slot->source != (unsigned)source)
			continue;
		engine_cancel_slot(e, i, out);
	}
}

void engine_leave_source(struct engine *e, unsigned source, enum source_state state,
			 const char *reason, struct engine_actions *out)
{
	struct engine_action *left;

	source_set_state(&e->sources[source], state, reason);
	engine_cancel_requests(e, (int)source, out);
	if (e->active == (int)source)
		e->active = SOURCE_NOBODY;
	if (e->partner == (int)source)
		e->partner = SOURCE_NOBODY;
	left = engine_add_action(out, ACTION_SOURCE_LEFT);
	left->source = source;
	(void)snprintf(left->reason, sizeof(left->reason), "%s", reason);
}

static bool is_skipped(const struct engine *e, unsigned source)
{
	return e->sources[source].skip_until_ms > e->last_ms;
}

static bool can_be_asked(const struct engine *e, unsigned source)
{
	return source_is_usable(&e->sources[source]) && !is_skipped(e, source);
}

bool engine_is_last(const struct engine *e, unsigned source)
{
	for (unsigned i = 0; i < e->n_sources; i++)
		if (i != source && can_be_asked(e, i))
			return false;
	return true;
}

/* What a source can be used for. */
enum use {
	USE_RANGES,      /* it has the image or fetches it for us, and serves ranges of it */
	USE_WHOLE_FILE,  /* it has the image, and serves it only from beginning to end */
	USE_SOME_PIECES, /* it has only some pieces yet, and serves ranges of them */
};

static bool is_for(const struct source *s, enum use use)
{
	switch (use) {
	case USE_RANGES:
		return (!s->pieces || s->fetches) && !s->no_range;
	case USE_WHOLE_FILE:
		return !s->pieces && s->no_range;
	case USE_SOME_PIECES:
		return s->pieces && !s->fetches && !s->no_range;
	}
	return false;
}

static int first_source(const struct engine *e, enum use use)
{
	for (unsigned i = 0; i < e->n_sources; i++)
		if (can_be_asked(e, i) && is_for(&e->sources[i], use))
			return (int)i;
	return SOURCE_NOBODY;
}

/* A conductor that has the image goes before one that fetches it. */
static int first_ranged(const struct engine *e)
{
	int first = first_source(e, USE_RANGES);

	if (first == SOURCE_NOBODY || !e->sources[first].fetches)
		return first;
	for (unsigned i = (unsigned)first; i < e->n_sources; i++)
		if (e->sources[i].kind == e->sources[first].kind && can_be_asked(e, i) &&
		    is_for(&e->sources[i], USE_RANGES) && !e->sources[i].fetches)
			return (int)i;
	return first;
}

/* May the download stay with its active source? It stays as long as it can. With a source that
 * serves no ranges it stays only while no other does: ranged is the first that does, or
 * SOURCE_NOBODY. */
static bool may_stay(const struct engine *e, int ranged)
{
	const struct source *s;

	if (e->active == SOURCE_NOBODY || !can_be_asked(e, (unsigned)e->active))
		return false;
	s = &e->sources[e->active];
	return is_for(s, USE_RANGES) || (is_for(s, USE_WHOLE_FILE) && ranged == SOURCE_NOBODY);
}

/* Is it too soon to use this source, since a better one has just been asked and may still answer?
 */
static bool is_too_early_for(const struct engine *e, unsigned source)
{
	return e->last_ms < e->asked_ms + FAILOVER_GRACE_MS && engine_is_awaited(e, source);
}

static int next_source(const struct engine *e, int ranged)
{
	int next = ranged != SOURCE_NOBODY ? ranged : first_source(e, USE_WHOLE_FILE);

	if (next != SOURCE_NOBODY && is_too_early_for(e, (unsigned)next))
		return SOURCE_NOBODY;
	return next;
}

static void choose_sources(struct engine *e, struct engine_actions *out)
{
	int ranged = first_ranged(e);

	e->partner = first_source(e, USE_SOME_PIECES);
	if (may_stay(e, ranged))
		return;
	if (e->active != SOURCE_NOBODY)
		engine_cancel_requests(e, e->active, out);
	e->active = next_source(e, ranged);
}

static unsigned requests_of(const struct engine *e, unsigned source)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		n += e->slots[i].used && e->slots[i].source == source;
	return n;
}

static bool partner_fails(const struct engine *e)
{
	return e->partner != SOURCE_NOBODY && e->active != SOURCE_NOBODY &&
	       e->limits.concurrency > 1 && source_fails(&e->sources[e->partner]);
}

/* The partner does not take all requests: should it stall, the others go on. One that fails keeps a
 * single one, until it succeeds or is left. */
static unsigned share_of(const struct engine *e, unsigned source)
{
	unsigned all = e->limits.concurrency;

	if (e->partner == SOURCE_NOBODY || e->active == SOURCE_NOBODY)
		return all;
	if ((int)source == e->partner)
		return partner_fails(e) ? 1 : (all + 1) / 2;
	return partner_fails(e) ? all - 1 : engine_share_beside_partner(e);
}

static unsigned requests_max(const struct engine *e, unsigned source)
{
	return allowance_at_once(&e->sources[source].allowance, share_of(e, source), e->last_ms);
}

/* A source that has not proven itself is asked for little, the first time alone; so is the second,
 * until it is seen whether a second range comes as the first did. One that fails and is the last is
 * asked one thing at a time, and rests in between. */
static bool may_be_asked_more(const struct engine *e, unsigned source)
{
	const struct source *s = &e->sources[source];

	if (engine_waits_for_fill(e) || e->in_flight >= e->limits.concurrency ||
	    !can_be_asked(e, source) || requests_of(e, source) >= requests_max(e, source) ||
	    s->allowance.rest_until_ms > e->last_ms)
		return false;
	if (s->no_range) /* its reply goes over all pieces */
		return e->in_flight == 0 && !engine_fills(e) && s->rest_until_ms <= e->last_ms;
	if (source_fails(s) && engine_is_last(e, source))
		return requests_of(e, source) == 0 && s->rest_until_ms <= e->last_ms;
	if (s->conduct == CONDUCT_UNKNOWN ||
	    (s->conduct == CONDUCT_DELIVERS && s->allowance.answers < 2))
		return requests_of(e, source) == 0;
	return true;
}

static uint64_t smaller_cap(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return MAX(a, b);
	return MIN(a, b);
}

/* How many bytes one request asks for at a cache that fetches the whole file first: all of them.
 * Beside a partner it is half of them, so that the two do not fetch the same; the other half
 * comes from the partner. */
static uint64_t all_in_order(const struct engine *e)
{
	if (e->partner == SOURCE_NOBODY)
		return e->picker.size;
	return (picker_missing_besides(&e->picker, e->sources[e->partner].pieces) + 1) / 2 *
	       (uint64_t)e->picker.piece_size;
}

/* What comes in the time until the first byte of a request. */
static uint64_t bytes_of_a_round_trip(const struct source *s)
{
	return MIN(s->rate * s->allowance.answer_ms / 1000, JOIN_MAX);
}

static struct pick pick_for(const struct engine *e, unsigned source)
{
	const struct source *s = &e->sources[source];
	int partner = engine_trusted_partner(e);
	bool in_order = s->allowance.in_order;
	uint64_t length = s->allowance.paced ? REQUEST_BYTES_MAX : source_request_length(s);
	/* Towards the end requests get shorter, so that they all end together. */
	unsigned at_once = allowance_at_once(&s->allowance, e->limits.concurrency, e->last_ms);
	uint64_t share = picker_unasked_bytes(&e->picker) / MAX(at_once, 1) /
			 (engine_may_share(e) ? PARTNER_STEPS : 1);

	return (struct pick){
		.source = source,
		.has = s->pieces,
		.left = partner != SOURCE_NOBODY && partner != (int)source
				? e->sources[partner].pieces
				: NULL,
		.left_to = (unsigned)partner,
		.order = s->kind == SOURCE_HA_PEER || (in_order && e->partner == SOURCE_NOBODY)
				 ? PICK_ASCENDING
				 : e->limits.order,
		.want = in_order ? all_in_order(e) : MIN(length, share),
		.join = MAX(bytes_of_a_round_trip(s), JOIN_MIN),
		.cap = smaller_cap(source_is_proven(s) ? 0 : PROBE_BYTES, s->length_limit),
	};
}

static unsigned free_slot(const struct engine *e)
{
	unsigned i = 0;

	while (e->slots[i].used)
		i++;
	assert(i < SLOTS_MAX);
	return i;
}

static void ask_for_range(struct engine *e, unsigned source, const struct byte_range *range,
			  bool whole, struct engine_actions *out)
{
	struct source *s = &e->sources[source];
	unsigned slot = free_slot(e);
	uint64_t held_behind = whole ? 0 : picker_filled_behind(&e->picker, range);
	struct engine_action *request;

	e->slots[slot] = (struct engine_slot){
		.used = true,
		.whole = whole,
		.past_caches = s->past_caches,
		.source = source,
		.began_ms = e->last_ms,
		.range = whole ? picker_take_all(&e->picker) : *range,
		.beginner = whole ? SOURCE_NOBODY : picker_take(&e->picker, range),
	};
	e->in_flight++;
	if (source_fails(s) && engine_is_last(e, source))
		s->asked_again++;
	s->requests++;
	request = engine_add_action(out, ACTION_REQUEST);
	request->slot = slot;
	request->source = source;
	request->range = e->slots[slot].range;
	request->held_behind = held_behind;
	request->whole = whole;
	request->past_caches = s->past_caches;
}

/* Pieces that a source got wrong are asked for at other sources first, also at those that are not
 * active. */
static void ask_for_mismatched(struct engine *e, struct engine_actions *out)
{
	for (unsigned i = 0; i < e->n_sources && e->picker.n_mismatches > 0; i++) {
		struct byte_range range;
		struct pick pick;

		if (e->sources[i].no_range || !may_be_asked_more(e, i))
			continue;
		pick = pick_for(e, i);
		while (may_be_asked_more(e, i) && picker_next_mismatched(&e->picker, &pick, &range))
			ask_for_range(e, i, &range, false, out);
	}
}

static void ask_source(struct engine *e, int source, bool for_anything, struct engine_actions *out)
{
	while (source != SOURCE_NOBODY && may_be_asked_more(e, (unsigned)source)) {
		struct byte_range range = {0};
		struct pick pick = pick_for(e, (unsigned)source);
		bool whole = e->sources[source].no_range;

		pick.even_mismatched = for_anything || engine_is_last(e, (unsigned)source);
		if (for_anything)
			pick.left = NULL;
		if (!whole && !picker_next(&e->picker, &pick, &range))
			return;
		ask_for_range(e, (unsigned)source, &range, whole, out);
	}
}

static void fill_slots(struct engine *e, struct engine_actions *out)
{
	ask_for_mismatched(e, out);
	if (partner_fails(e)) /* what the failing partner did not bring is fetched at once */
		ask_source(e, e->active, false, out);
	ask_source(e, e->partner, false, out);
	ask_source(e, e->active, false, out);
	/* Every source got the remaining pieces wrong. They are asked for again, until all sources
	 * are excluded or one is right. */
	if (e->in_flight == 0)
		ask_source(e, e->active, true, out);
}

/* When the first of the sources that said "later" may be asked again; ENGINE_NEVER = none did. */
static uint64_t skipped_until_ms(const struct engine *e)
{
	uint64_t earliest = ENGINE_NEVER;

	for (unsigned i = 0; i < e->n_sources; i++)
		if (source_is_usable(&e->sources[i]) && is_skipped(e, i))
			earliest = MIN(earliest, e->sources[i].skip_until_ms);
	return earliest;
}

/* Those that said "later" are waited for, if all such waits of an attempt stay within
 * RETRY_AFTER_WAIT_MS. */
static void decide_whether_to_wait(struct engine *e)
{
	uint64_t until_ms = skipped_until_ms(e);

	if (until_ms == ENGINE_NEVER) {
		e->waiting = false; /* the source that we waited for was excluded in the meantime */
		return;
	}
	if (e->waiting || e->waited_ms + (until_ms - e->last_ms) > RETRY_AFTER_WAIT_MS)
		return;
	e->waited_ms += until_ms - e->last_ms;
	e->waiting = true;
}

/* No source can be asked now. The attempt is over, unless we wait for a source that said "later",
 * or for one that has not answered yet. */
static void wait_or_end(struct engine *e, struct engine_actions *out)
{
	decide_whether_to_wait(e);
	if (!e->waiting && !engine_is_awaited(e, e->n_sources))
		engine_end_attempt(e, out);
}

/* The partner is the only source, and no request to it is running: it rests because it failed, or
 * it has no more pieces for now. */
static bool is_worth_waiting_for(const struct engine *e, int partner)
{
	return partner != SOURCE_NOBODY && source_is_usable(&e->sources[partner]) &&
	       (e->sources[partner].rest_until_ms > e->last_ms ||
		e->last_ms < e->ended_ms + PARTNER_PATIENCE_MS);
}

void engine_keep_busy(struct engine *e, struct engine_actions *out)
{
	if (picker_is_complete(&e->picker)) {
		engine_finish(e, out);
		return;
	}
	engine_leave_idle_fetcher(e, out);
	choose_sources(e, out);
	if (e->active == SOURCE_NOBODY && e->partner == SOURCE_NOBODY) {
		wait_or_end(e, out);
		return;
	}
	if (e->active != SOURCE_NOBODY)
		e->waiting = false;
	engine_leave_to_partner(e, out);
	fill_slots(e, out);
	if (e->in_flight == 0 && e->active == SOURCE_NOBODY && !is_worth_waiting_for(e, e->partner))
		wait_or_end(e, out);
}

void engine_whole_offered(struct engine *e, unsigned slot, struct engine_actions *out)
{
	struct engine_slot *s = &e->slots[slot];
	bool nothing_held = e->picker.n_verified == 0 && e->picker.n_partials == 0;

	if (s->cancelling)
		return;
	e->sources[s->source].no_range = true;
	if (nothing_held && e->in_flight == 1 && !engine_fills(e) && s->range.first == 0 &&
	    first_source(e, USE_RANGES) == SOURCE_NOBODY) {
		s->whole = true;
		s->range = picker_take_all(&e->picker);
		engine_add_action(out, ACTION_ACCEPT_WHOLE)->slot = slot;
		return;
	}
	engine_cancel_slot(e, slot, out);
}
