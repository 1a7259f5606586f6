/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of an attempt, and when the next one begins. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

/* 0 to 10 % less, so that routers that failed together do not come back together. */
static uint64_t jittered(struct engine *e, uint64_t delay_ms)
{
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return delay_ms - delay_ms / 10 * (e->seed % 1001) / 1000;
}

static uint64_t retry_delay_ms(struct engine *e)
{
	uint64_t delay = e->limits.initial_retry_delay_ms;

	for (uint32_t n = 1; n < e->attempt && delay < e->limits.maximum_retry_delay_ms; n++)
		delay *= 2;
	delay = jittered(e, MIN(delay, e->limits.maximum_retry_delay_ms));
	return MAX(delay, RETRY_DELAY_MIN_MS);
}

/* The earliest time at which any source that said "later" may be asked. */
static uint64_t asked_not_before_ms(const struct engine *e)
{
	uint64_t earliest = e->retry_not_before_ms;

	for (unsigned i = 0; i < e->n_sources; i++)
		if (source_is_usable(&e->sources[i]) && e->sources[i].skip_until_ms > e->last_ms &&
		    (earliest == 0 || e->sources[i].skip_until_ms < earliest))
			earliest = e->sources[i].skip_until_ms;
	return MIN(earliest, e->last_ms + e->limits.maximum_retry_delay_ms);
}

static void describe_attempt(struct engine *e)
{
	size_t used;

	if (e->n_sources == 0) {
		(void)snprintf(e->error, sizeof(e->error),
			       "no source is configured that the access mode allows");
		return;
	}
	used = (size_t)snprintf(e->error, sizeof(e->error), "no usable source");
	for (unsigned i = 0; i < e->n_sources && used < sizeof(e->error); i++)
		used += (size_t)snprintf(e->error + used, sizeof(e->error) - used, "%s %s: %s",
					 i ? ";" : ":", e->sources[i].name,
					 e->sources[i].reason[0] ? e->sources[i].reason
								 : "nothing to be had");
}

void engine_end_attempt(struct engine *e, struct engine_actions *out)
{
	char reason[ENGINE_ERROR_SIZE];
	uint64_t not_before = asked_not_before_ms(e);

	describe_attempt(e);
	memcpy(reason, e->error, sizeof(reason));
	if (e->limits.attempts && e->attempt >= e->limits.attempts) {
		engine_stop(e, ENGINE_FAILED, reason, out);
		return;
	}
	e->retry_at_ms = MAX(e->last_ms + retry_delay_ms(e), not_before);
	e->attempt++;
	engine_stop(e, ENGINE_WAITING_RETRY, reason, out);
}
