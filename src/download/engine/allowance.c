/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/allowance.h"

#include <string.h>

#include "base/macros.h"

#define AT_ONCE_PART 4u /* a source that answers within this part of that time answers at once */

void allowance_begin_attempt(struct allowance *a)
{
	*a = (struct allowance){.configured = a->configured};
}

unsigned allowance_at_once(const struct allowance *a, unsigned all, uint64_t now_ms)
{
	unsigned n = all;

	if (a->configured > 0)
		n = MIN(n, a->configured);
	if (a->in_order)
		return MIN(n, 1);
	if (a->learned > 0)
		n = MIN(n, a->learned + (now_ms >= a->grow_at_ms));
	return n;
}

void allowance_served(struct allowance *a, unsigned at_once, uint64_t now_ms)
{
	a->served_ms = now_ms;
	a->refusals = 0;
	if (a->learned == 0 || at_once <= a->learned)
		return;
	a->learned = at_once;
	a->grow_after_ms = 0;
	a->grow_at_ms = now_ms + GROW_FIRST_MS;
}

void allowance_crowded(struct allowance *a, unsigned served, uint64_t not_before_ms,
		       uint64_t now_ms)
{
	bool again = a->learned > 0 && a->grow_at_ms > now_ms; /* of those asked together */

	a->learned = a->learned == 0 ? MAX(served, 1) : MIN(a->learned, MAX(served, 1));
	if (!again)
		a->grow_after_ms = a->grow_after_ms == 0 ? GROW_FIRST_MS
							 : MIN(2 * a->grow_after_ms, GROW_MAX_MS);
	a->grow_at_ms = MAX(now_ms + a->grow_after_ms, not_before_ms);
}

void allowance_silent(struct allowance *a, uint64_t first, uint64_t silent_ms)
{
	a->silent_first = first;
	a->silent_ms = silent_ms;
	if (++a->silences >= MAX(a->silences_min, 1))
		a->in_order = true;
}

bool allowance_answered(struct allowance *a, uint64_t first, uint64_t after_ms)
{
	if (a->answers++ == 0)
		a->answer_ms = after_ms;
	if (first >= a->farthest) {
		a->farthest = first;
		a->farthest_ms = after_ms;
	}
	if (!a->in_order || first < a->silent_first / 2 || after_ms >= a->silent_ms / AT_ONCE_PART)
		return false;
	a->in_order = false;
	a->silences_min = 2 * MAX(a->silences_min, 1);
	a->silences = 0;
	return true;
}

bool allowance_forgives(struct allowance *a, const struct forgiveness *f, uint64_t now_ms)
{
	if (a->rest_until_ms > now_ms)
		return true; /* this request was sent at the same time as one that was refused
				already */
	if (a->served_ms == 0 || a->refusals >= f->refusals ||
	    now_ms > a->served_ms + f->since_served_ms)
		return false;
	a->paced = true;
	a->rest_until_ms = now_ms + MIN(REST_FIRST_MS << MIN(a->refusals / 2, 8), REST_MAX_MS);
	a->refusals++;
	return true;
}
