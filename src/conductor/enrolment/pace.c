/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/pace.h"

#include "base/macros.h"

/* How long a turn is assumed to take before the first one has ended, and how many turns the mean
 * is over. */
#define USUAL_MS 500
#define USUAL_OF 8

void pace_init(struct pace *p, uint32_t least, uint32_t first, uint32_t most,
	       uint32_t believed_per_s)
{
	*p = (struct pace){
		.at_once = MIN(first, most),
		.least = MIN(least, most),
		.most = most,
		.believed_per_s = believed_per_s,
		.per_s = believed_per_s,
		.usual_ms = USUAL_MS,
	};
}

static void have_fewer(struct pace *p, uint32_t part)
{
	p->at_once = MAX(p->at_once - (p->at_once + part - 1) / part, p->least);
}

void pace_begins_slowly(struct pace *p)
{
	have_fewer(p, 8);
}

static void remember(struct pace *p, uint64_t took_ms)
{
	p->usual_ms = (p->usual_ms * (USUAL_OF - 1) + took_ms) / USUAL_OF;
}

void pace_through(struct pace *p, uint64_t took_ms, uint32_t round_trip_ms)
{
	uint64_t network_ms = (uint64_t)PACE_ROUND_TRIPS * round_trip_ms;
	uint64_t here_ms = took_ms - MIN(network_ms, took_ms);

	remember(p, took_ms);
	if (here_ms <= PACE_QUICK_MS)
		p->at_once = MIN(p->at_once + 1, p->most);
	else if (here_ms >= PACE_SLOW_MS)
		have_fewer(p, 8);
}

void pace_failed(struct pace *p, uint64_t took_ms)
{
	remember(p, took_ms);
	have_fewer(p, 4);
}

void pace_count(struct pace *p)
{
	p->turns++;
}

void pace_measure(struct pace *p, bool somebody_waits, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - p->since_ms;

	if (!somebody_waits)
		p->per_s = p->believed_per_s;
	else if (passed_ms >= PACE_WINDOW_MS)
		p->per_s = (uint32_t)(p->turns * UINT64_C(1000) / passed_ms);
	else
		return;
	p->since_ms = now_ms;
	p->turns = 0;
}

uint64_t pace_stalled_ms(const struct pace *p)
{
	return MIN(MAX(PACE_STALLED_MS, 4 * p->usual_ms), PACE_STALLED_MAX_MS);
}
