/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source that refuses, or is silent, because too much is asked of it at the same time. */
#include "base/macros.h"
#include "download/engine/engine_private.h"

/* A cache that fetches the whole file first is waited for as if it did so at this rate. */
#define PATIENCE_BYTES_PER_S        (256u << 10)
#define PATIENCE_BYTES_PER_S_BESIDE (1u << 20) /* where another source could be asked instead */
/* Up to this long that makes no difference: whoever gives up has the cache fetch it all again. */
#define PATIENCE_BESIDE_MS          120000u

#define MANY 64u

/* A source that takes so many times longer than for its first answer counts as silent, and not as
 * slow. */
#define SILENCE_FACTOR 4u

/* A server that says 429 or 503, or closes without a word, may count requests a second; one that
 * cannot be reached may be through with its only connection a moment later. Beside other sources
 * little is forgiven. */
static const struct forgiveness busy_alone = {.since_served_ms = 10000, .refusals = MANY};
static const struct forgiveness busy_beside = {.since_served_ms = 2000, .refusals = 4};
static const struct forgiveness wordless = {.since_served_ms = 2000, .refusals = 6};
static const struct forgiveness unreached = {.since_served_ms = 1000, .refusals = 3};

/* Requests of the source of which bytes have come. */
static unsigned being_served(const struct engine *e, unsigned source)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		n += e->slots[i].used && e->slots[i].answered && e->slots[i].source == source;
	return n;
}

static unsigned served_beside(const struct engine *e, const struct engine_slot *slot)
{
	unsigned n = being_served(e, slot->source) - (slot->used && slot->answered);

	if (n == 0 && e->sources[slot->source].allowance.served_ms > slot->began_ms &&
	    !slot->answered)
		return 1; /* requests that end at once are never seen together */
	return n;
}

void engine_answered(struct engine *e, unsigned slot, struct engine_actions *out)
{
	struct engine_slot *s = &e->slots[slot];
	struct allowance *a = &e->sources[s->source].allowance;

	if (!s->used || s->answered)
		return;
	s->answered = true;
	e->waited_ms = 0; /* the wait that Retry-After asked for has helped */
	/* The source was asked for all of the image in one request, as such a cache is. Since it is
	 * none, the request is cancelled, and the rest is asked for in ranges. */
	if (allowance_answered(a, s->range.first, e->last_ms - s->began_ms) && !s->cancelling)
		engine_cancel_slot(e, slot, out);
	allowance_served(a, being_served(e, s->source), e->last_ms);
}

static void note_crowd(struct engine *e, const struct engine_slot *slot, unsigned served,
		       uint64_t retry_after_ms)
{
	allowance_crowded(&e->sources[slot->source].allowance, served,
			  retry_after_ms > 0 ? e->last_ms + retry_after_ms : 0, e->last_ms);
}

static bool is_refusal(const struct engine_request_end *end)
{
	switch (end->outcome) {
	case REQUEST_BUSY:
	case REQUEST_ERROR:
	case REQUEST_UNREACHED:
	case REQUEST_RETRY_AFTER:
		return true;
	case REQUEST_CUT:
	case REQUEST_STALLED:
		return end->bytes == 0;
	case REQUEST_OK:
	case REQUEST_FAILED:
	case REQUEST_BAD_PIECE:
	case REQUEST_REFUSED:
	case REQUEST_LIED:
	case REQUEST_NEUTRAL:
		return false;
	}
	return false;
}

bool engine_is_forgiven(struct engine *e, const struct engine_slot *slot,
			const struct engine_request_end *end, bool last)
{
	struct source *s = &e->sources[slot->source];
	unsigned served = served_beside(e, slot);

	if (!is_refusal(end) || slot->answered)
		return false;
	if (served > 0) {
		note_crowd(e, slot, served, end->retry_after_ms);
		return true;
	}
	if (end->outcome == REQUEST_BUSY && last)
		return allowance_forgives(&s->allowance, &busy_alone, e->last_ms);
	if (end->outcome == REQUEST_BUSY && source_is_proven(s))
		return allowance_forgives(&s->allowance, &busy_beside, e->last_ms);
	if (end->outcome == REQUEST_CUT && source_is_proven(s) && last)
		return allowance_forgives(&s->allowance, &wordless, e->last_ms);
	if (end->outcome == REQUEST_UNREACHED && source_is_proven(s) && last)
		return allowance_forgives(&s->allowance, &unreached, e->last_ms);
	return false;
}

/* May this source be a cache that fetches the whole file first? Such a cache answers later for
 * what is farther into the image. A conductor that is silent only has many routers to serve:
 * another conductor may have fewer. */
static bool may_fetch_all(const struct engine *e, const struct engine_slot *slot)
{
	const struct source *source = &e->sources[slot->source];
	const struct allowance *a = &source->allowance;

	return source->kind != SOURCE_CONDUCTOR &&
	       (slot->range.first > a->farthest ||
		e->last_ms - slot->began_ms < SILENCE_FACTOR * a->farthest_ms);
}

/* The server is connected, but no byte has come for a while. If it serves other requests of ours,
 * it wants fewer at the same time, or it is a cache that fetches the whole file first. If this is
 * the request after its first range, it is such a cache. */
void engine_silent(struct engine *e, unsigned slot, struct engine_actions *out)
{
	struct engine_slot *s = &e->slots[slot];
	struct source *source = &e->sources[s->source];
	unsigned served;

	if (!s->used || s->cancelling || s->answered || s->whole ||
	    source->kind == SOURCE_HA_PEER || !source_is_proven(source))
		return;
	if (e->last_ms - s->began_ms < SILENCE_FACTOR * source->allowance.answer_ms)
		return;
	served = served_beside(e, s);
	if ((served > 0 || source->allowance.answers == 1) && may_fetch_all(e, s))
		allowance_silent(&source->allowance, s->range.first, e->last_ms - s->began_ms);
	if (served > 0) {
		note_crowd(e, s, served, 0);
		engine_cancel_slot(e, slot, out);
	}
}

static bool could_ask_another(const struct engine *e, unsigned source)
{
	for (unsigned i = 0; i < e->n_sources; i++)
		if (i != source && source_is_usable(&e->sources[i]))
			return true;
	return false;
}

uint64_t engine_patience_ms(const struct engine *e, unsigned slot)
{
	const struct engine_slot *s = &e->slots[slot];
	const uint64_t alone_ms = e->picker.size * 1000 / PATIENCE_BYTES_PER_S;
	const uint64_t beside_ms = e->picker.size * 1000 / PATIENCE_BYTES_PER_S_BESIDE;

	if (!s->used || s->answered || !e->sources[s->source].allowance.in_order)
		return 0;
	if (!could_ask_another(e, s->source))
		return alone_ms;
	return MAX(beside_ms, MIN(alone_ms, PATIENCE_BESIDE_MS));
}
