/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Discovery: which sources have the version, and whose manifest is used. */
#include <string.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

void engine_begin_discovery(struct engine *e, struct engine_actions *out)
{
	engine_set_state(e, ENGINE_DISCOVERING, out);
	if (e->in_flight > 0) { /* the list of sources is exchanged when no request refers to it */
		e->discovery = DISCOVERY_WANTED;
		return;
	}
	for (unsigned i = 0; i < e->n_sources; i++)
		source_begin_attempt(&e->sources[i], e->limits.window);
	e->asked_ms = e->last_ms;
	e->grace_until_ms = 0;
	e->retry_not_before_ms = 0;
	e->waited_ms = 0;
	e->waiting = false;
	e->discovery = DISCOVERY_BEGINS;
	engine_add_action(out, ACTION_DISCOVER);
}

void engine_stop_discovery(struct engine *e, struct engine_actions *out)
{
	if (e->discovery == DISCOVERY_BEGINS || e->discovery == DISCOVERY_RUNS)
		engine_add_action(out, ACTION_STOP_DISCOVERY);
	e->discovery = DISCOVERY_OVER;
}

static bool is_of_our_image(const struct engine *e, unsigned source)
{
	return memcmp(e->answers[source], e->digest, DIGEST_SIZE) == 0;
}

static void leave_if_different(struct engine *e, unsigned source, struct engine_actions *out)
{
	if (source_is_usable(&e->sources[source]) && !is_of_our_image(e, source))
		engine_leave_source(e, source, SOURCE_EXCLUDED, "different manifest", out);
}

void engine_take_answer(struct engine *e, const struct engine_event *event,
			struct engine_actions *out)
{
	unsigned source = event->answer.source;
	struct source *s = &e->sources[source];

	if (e->discovery != DISCOVERY_RUNS || s->state != SOURCE_ASKED)
		return;
	if (event->answer.retry_after_ms > 0) {
		uint64_t at = e->last_ms + event->answer.retry_after_ms;

		if (e->retry_not_before_ms == 0 || at < e->retry_not_before_ms)
			e->retry_not_before_ms = at;
	}
	switch (event->answer.what) {
	case ANSWER_HAS_VERSION:
		memcpy(e->answers[source], event->answer.digest, DIGEST_SIZE);
		source_set_state(s, SOURCE_AVAILABLE, "");
		s->fetches = event->answer.pieces != NULL;
		if (s->fetches)
			s->pieces = event->answer.pieces;
		s->allowance.served_ms = e->last_ms;
		if (e->state == ENGINE_DOWNLOADING)
			leave_if_different(e, source, out);
		return;
	case ANSWER_NO_VERSION:
		source_set_state(s, SOURCE_NO_VERSION, event->reason);
		return;
	case ANSWER_FAILED:
	case ANSWER_BAD_MANIFEST:
		engine_leave_source(e, source, SOURCE_UNAVAILABLE, event->reason, out);
		return;
	case ANSWER_LATER:
		source_set_state(s, SOURCE_ASKED, event->reason);
		s->fetches = true;
		return;
	}
}

/* The first source that has what is on disk already, else the first one that has anything. */
static int best_answer(const struct engine *e)
{
	int first = SOURCE_NOBODY;

	for (unsigned i = 0; i < e->n_sources; i++) {
		if (!source_is_usable(&e->sources[i]))
			continue;
		if (e->has_image && is_of_our_image(e, i))
			return (int)i;
		if (first == SOURCE_NOBODY)
			first = (int)i;
	}
	return first;
}

bool engine_is_awaited(const struct engine *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (e->sources[i].state == SOURCE_ASKED)
			return true;
	return false;
}

/* May the best answer be taken, although other sources have not answered yet? Not if it would
 * throw away what is on disk: then all answers are awaited. Otherwise a better source gets a
 * moment to answer. */
static bool is_time_to_take(struct engine *e, unsigned best)
{
	if (e->has_image && !is_of_our_image(e, best))
		return !engine_is_awaited(e, e->n_sources);
	if (!engine_is_awaited(e, best))
		return true;
	if (e->grace_until_ms == 0)
		e->grace_until_ms = e->last_ms + DISCOVERY_GRACE_MS;
	if (engine_awaits_fetcher(e, best))
		return e->last_ms >= e->asked_ms + FETCHER_PATIENCE_MS;
	return e->last_ms >= e->grace_until_ms;
}

void engine_weigh_answers(struct engine *e, struct engine_actions *out)
{
	int best;

	if (e->discovery != DISCOVERY_RUNS || (e->disk != DISK_EMPTY && e->disk != DISK_READY))
		return;
	best = best_answer(e);
	if (best == SOURCE_NOBODY) {
		if (!engine_is_awaited(e, e->n_sources))
			engine_end_attempt(e, out);
		return;
	}
	if (!is_time_to_take(e, (unsigned)best))
		return;
	if (e->has_image && is_of_our_image(e, (unsigned)best)) {
		engine_start_downloading(e, out);
		return;
	}
	e->disk = DISK_PREPARING;
	engine_add_action(out, ACTION_PREPARE)->source = (unsigned)best;
}

void engine_start_downloading(struct engine *e, struct engine_actions *out)
{
	for (unsigned i = 0; i < e->n_sources; i++)
		leave_if_different(e, i, out);
	if (picker_is_complete(&e->picker)) {
		engine_finish(e, out);
		return;
	}
	e->error[0] = '\0';
	e->ended_ms = e->last_ms;
	e->fill_until_ms = e->last_ms + FILL_GRACE_MS;
	engine_set_state(e, ENGINE_DOWNLOADING, out);
}
