/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How time counts for the timeout, and when the engine wants a tick although nothing happens. */
#include <assert.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

/* Paused, queued and waiting for the peer do not count (docs/download.md, "Time out"). */
bool engine_time_counts(const struct engine *e)
{
	return engine_state_is_running(e->state) && e->state != ENGINE_WAITING_PEER;
}

void engine_account_time(struct engine *e, uint64_t now_ms)
{
	assert(now_ms >= e->last_ms);
	if (engine_time_counts(e))
		e->used_ms += now_ms - e->last_ms;
	e->last_ms = now_ms;
}

bool engine_is_timed_out(const struct engine *e)
{
	return e->limits.timeout_ms > 0 && engine_time_counts(e) && e->state != ENGINE_FINISHING &&
	       e->used_ms >= e->limits.timeout_ms;
}

bool engine_may_retry(const struct engine *e)
{
	return e->state == ENGINE_WAITING_RETRY && e->recorded_attempt == e->attempt;
}

uint64_t engine_deadline(const struct engine *e, uint64_t now_ms)
{
	if (e->limits.timeout_ms == 0)
		return ENGINE_NEVER;
	if (e->used_ms >= e->limits.timeout_ms)
		return now_ms;
	return now_ms + (e->limits.timeout_ms - e->used_ms);
}

static uint64_t earlier_if_ahead(const struct engine *e, uint64_t wake, uint64_t at)
{
	return at > e->last_ms && at < wake ? at : wake;
}

uint64_t engine_next_wake(const struct engine *e)
{
	uint64_t wake = ENGINE_NEVER;

	if (engine_time_counts(e) && e->state != ENGINE_FINISHING)
		wake = engine_deadline(e, e->last_ms);
	if (engine_may_retry(e))
		wake = MIN(wake, e->retry_at_ms);
	if (e->state == ENGINE_WAITING_PEER)
		wake = MIN(wake, engine_patience_ends(e));
	if (e->state == ENGINE_DISCOVERING)
		wake = earlier_if_ahead(e, earlier_if_ahead(e, wake, e->grace_until_ms),
					e->asked_ms + FETCHER_PATIENCE_MS);
	if (e->state != ENGINE_DOWNLOADING)
		return wake;
	if (e->fill_expected)
		wake = earlier_if_ahead(e, wake, e->fill_until_ms);
	if (e->active == SOURCE_NOBODY) {
		wake = earlier_if_ahead(e, wake, e->asked_ms + FAILOVER_GRACE_MS);
		wake = earlier_if_ahead(e, wake, e->ended_ms + PARTNER_PATIENCE_MS);
	}
	if (e->active != SOURCE_NOBODY && e->sources[e->active].fetches)
		wake = earlier_if_ahead(e, wake, e->ended_ms + FETCHER_PATIENCE_MS);
	for (unsigned i = 0; i < e->n_sources; i++) {
		const struct source *s = &e->sources[i];

		if (!source_is_usable(s))
			continue;
		wake = earlier_if_ahead(e, wake, s->skip_until_ms);
		wake = earlier_if_ahead(e, wake, s->rest_until_ms);
		wake = earlier_if_ahead(e, wake, s->allowance.rest_until_ms);
		wake = earlier_if_ahead(e, wake, s->allowance.grow_at_ms);
	}
	return wake;
}
