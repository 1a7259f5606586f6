/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/backoff.h"

#include "base/macros.h"

#define DOUBLINGS_MAX 6 /* 2^6 s are more than the longest wait */

uint32_t backoff_next_ms(struct backoff *b, uint32_t random)
{
	uint32_t whole = MIN(1000u << b->failures, BACKOFF_MAX_MS);

	if (b->failures < DOUBLINGS_MAX)
		b->failures++;
	return whole - random % (whole / 2 + 1);
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
