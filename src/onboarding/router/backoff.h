/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backoff.h - how long to wait before the next try: 1, 2, 4 ... 60 s, then every 60 s, for ever.
 *
 * Each wait is random, between half of that time and all of it, so that a thousand routers that
 * lost their conductor together do not come back together. Pure.
 */
#pragma once

#include <stdint.h>

#define BACKOFF_MAX_MS 60000u

/* Zeroed = nothing has failed yet. */
struct backoff {
	unsigned failures;
};

/* One more failure: milliseconds to wait. random: any number. */
uint32_t backoff_next_ms(struct backoff *b, uint32_t random);

/* It works again. */
void backoff_reset(struct backoff *b);
