/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conductor that fetches the image for us: how long it is waited for, where another source could
 * be asked. While it is the only one, it is waited for as long as it says that it is at work.
 */
#include <stdio.h>

#include "download/engine/engine_private.h"

bool engine_awaits_fetcher(const struct engine *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (e->sources[i].state == SOURCE_ASKED && e->sources[i].fetches)
			return true;
	return false;
}

static bool could_take_over(const struct engine *e, unsigned source)
{
	const struct source *s = &e->sources[source];

	return (int)source != e->active && source_is_usable(s) && s->skip_until_ms <= e->last_ms &&
	       (!s->pieces || s->fetches);
}

void engine_leave_idle_fetcher(struct engine *e, struct engine_actions *out)
{
	char reason[SOURCE_REASON_SIZE];
	bool another = false;

	if (e->active == SOURCE_NOBODY || !e->sources[e->active].fetches || e->in_flight > 0 ||
	    e->last_ms < e->ended_ms + FETCHER_PATIENCE_MS)
		return;
	for (unsigned i = 0; i < e->n_sources; i++)
		another |= could_take_over(e, i);
	if (!another)
		return;
	(void)snprintf(reason, sizeof(reason),
		       "it is fetching the image itself, and has had nothing new for %u s",
		       FETCHER_PATIENCE_MS / 1000);
	engine_leave_source(e, (unsigned)e->active, SOURCE_BROKEN, reason, out);
}
