/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/fetch_rules.h"

static bool has_unfinished(const struct fetch_question *q)
{
	return q->has_download && !engine_state_is_ended(q->state);
}

/* Is it worth beginning, if a source has it? Not if an operator has given it up. */
static bool may_begin(const struct fetch_question *q)
{
	if (!q->is_manifest || q->is_present || has_unfinished(q))
		return false;
	if (!q->has_download)
		return true;
	return q->state == ENGINE_COMPLETE || (q->state == ENGINE_FAILED && q->is_rested);
}

bool fetch_needs_list(const struct fetch_question *q)
{
	return may_begin(q);
}

enum fetch_step fetch_decide(const struct fetch_question *q)
{
	if (q->is_present)
		return FETCH_SERVE;
	if (may_begin(q) && q->is_listed)
		return FETCH_BEGIN;
	if (!q->has_download || q->state == ENGINE_COMPLETE)
		return FETCH_SERVE;
	if (q->state == ENGINE_PAUSED || engine_state_is_ended(q->state))
		return FETCH_REFUSE;
	return q->shares ? FETCH_SERVE : FETCH_AT_WORK;
}
