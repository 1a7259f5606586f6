/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HA peer while it downloads the same image itself: pieces that it has are taken from it, the
 * others come from another source at the same time, and neither is waited for.
 */
#include <string.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

static void join_source(struct engine *e, unsigned source)
{
	struct source *s = &e->sources[source];

	if (e->state != ENGINE_DOWNLOADING || source_is_usable(s) || s->state == SOURCE_EXCLUDED ||
	    s->state == SOURCE_BROKEN)
		return;
	memcpy(e->answers[source], e->digest, DIGEST_SIZE);
	source_set_state(s, SOURCE_AVAILABLE, "");
}

/* The peer has not failed, so it is asked again when it has pieces again. A conductor that fetches
 * the image has said why it does not go on. */
static void part_with_source(struct engine *e, unsigned source, const char *reason,
			     struct engine_actions *out)
{
	struct source *s = &e->sources[source];

	if (!source_is_usable(s) || !s->pieces)
		return;
	if (s->fetches) {
		engine_leave_source(e, source, SOURCE_UNAVAILABLE, reason, out);
		return;
	}
	source_set_state(s, SOURCE_NO_VERSION, reason);
	engine_cancel_requests(e, (int)source, out);
	if (e->partner == (int)source)
		e->partner = SOURCE_NOBODY;
}

void engine_pieces_changed(struct engine *e, const struct engine_event *event,
			   struct engine_actions *out)
{
	const char *reason = event->reason ? event->reason : "";
	unsigned source = event->pieces.source;

	switch (event->pieces.what) {
	case PIECES_KNOWN:
		e->sources[source].pieces = event->pieces.bits;
		join_source(e, source);
		return;
	case PIECES_NONE:
		part_with_source(e, source, reason, out);
		return;
	case PIECES_OF_ANOTHER:
		if (e->sources[source].state != SOURCE_EXCLUDED)
			engine_leave_source(e, source, SOURCE_EXCLUDED, reason, out);
		return;
	}
}

int engine_trusted_partner(const struct engine *e)
{
	const struct source *s;

	if (e->partner == SOURCE_NOBODY)
		return SOURCE_NOBODY;
	s = &e->sources[e->partner];
	if (!source_is_usable(s) || s->skip_until_ms > e->last_ms || s->conduct != CONDUCT_DELIVERS)
		return SOURCE_NOBODY;
	return e->partner;
}

bool engine_may_share(const struct engine *e)
{
	for (unsigned i = 0; i < e->n_sources; i++)
		if (e->sources[i].kind == SOURCE_HA_PEER)
			return e->turn == TURN_FREE && e->sources[i].state != SOURCE_EXCLUDED;
	return false;
}

unsigned engine_share_beside_partner(const struct engine *e)
{
	int partner = engine_trusted_partner(e);
	uint32_t half;

	if (partner == SOURCE_NOBODY)
		return e->limits.concurrency;
	half = (picker_missing_besides(&e->picker, e->sources[partner].pieces) + 1) / 2;
	return MIN(e->limits.concurrency, MAX(half, 1));
}

static bool may_be_left_to(const struct engine *e, const struct engine_slot *slot, unsigned partner)
{
	return slot->used && !slot->cancelling && !slot->whole && slot->source != partner &&
	       picker_is_had_by(&e->picker, &slot->range, e->sources[partner].pieces, partner);
}

static bool has_not_been_tried(const struct engine *e, unsigned partner)
{
	const struct source *s = &e->sources[partner];

	if (s->conduct != CONDUCT_UNKNOWN || s->skip_until_ms > e->last_ms)
		return false;
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (e->slots[i].used && (e->slots[i].source == partner || e->slots[i].cancelling))
			return false;
	return true;
}

/* Requests to other sources fill all slots, and may last long. So the longest of those whose
 * pieces the partner has is cancelled, to make room for the first request to the partner. */
static void make_room_for(struct engine *e, unsigned partner, struct engine_actions *out)
{
	int longest = -1;
	uint64_t most = 0;

	if (e->in_flight < e->limits.concurrency || !has_not_been_tried(e, partner))
		return;
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		const struct byte_range *range = &e->slots[i].range;

		if (!may_be_left_to(e, &e->slots[i], partner) || range->end - range->first <= most)
			continue;
		most = range->end - range->first;
		longest = (int)i;
	}
	if (longest >= 0)
		engine_cancel_slot(e, (unsigned)longest, out);
}

/* Cancels requests to other sources for pieces that the partner has. What they brought is kept,
 * and the partner is near. */
void engine_leave_to_partner(struct engine *e, struct engine_actions *out)
{
	int partner = engine_trusted_partner(e);

	if (partner == SOURCE_NOBODY) {
		if (e->partner != SOURCE_NOBODY)
			make_room_for(e, (unsigned)e->partner, out);
		return;
	}
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (may_be_left_to(e, &e->slots[i], (unsigned)partner))
			engine_cancel_slot(e, i, out);
}
