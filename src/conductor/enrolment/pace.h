/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace.h - measures how many turns (logins) this machine gets through, while they run.
 *
 * - How many at the same time. A login that is done quickly, time on the network not counted,
 *   shows that one more at a time is fine. One that takes long, or runs out of time, shows that
 *   too many share the CPU: then fewer are begun. The same if starting sshd takes long.
 * - How many a second, while somebody waits: from this it follows how long a new peer would wait.
 * - How long a login usually takes: a peer that has made no progress for four times that has
 *   stalled. If all are slow, because of the machine or the line, none of them counts as stalled.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_QUICK_MS 1000 /* on a machine that is not busy it takes a tenth of that */
#define PACE_SLOW_MS  2500 /* of the 10 s that a login has */
#define PACE_BEGIN_MS 400  /* sshd usually starts in 10 to 30 */

#define PACE_ROUND_TRIPS 8 /* round trips that a login needs, those of TCP included */

#define PACE_WINDOW_MS 2000

#define PACE_STALLED_MS     2000 /* at least; a satellite's round trip is 0.6 s */
#define PACE_STALLED_MAX_MS 60000

struct pace {
	uint32_t at_once;
	uint32_t least;
	uint32_t most;
	uint32_t believed_per_s;
	uint32_t per_s;
	uint64_t since_ms; /* of the window */
	uint32_t turns;    /* in it */
	uint64_t usual_ms;
};

/* believed_per_s: until there is a queue to measure. Each at least 1. */
void pace_init(struct pace *p, uint32_t least, uint32_t first, uint32_t most,
	       uint32_t believed_per_s);

/* Starting one took longer than PACE_BEGIN_MS. To be told once for each turn. */
void pace_begins_slowly(struct pace *p);

/* A login is done after that time, over a network with that round trip time. */
void pace_through(struct pace *p, uint64_t took_ms, uint32_t round_trip_ms);
/* A login was not done in time, although the peer had begun it. */
void pace_failed(struct pace *p, uint64_t took_ms);

/* A turn begins. */
void pace_count(struct pace *p);
/* To be called before per_s is used. */
void pace_measure(struct pace *p, bool somebody_waits, uint64_t now_ms);

uint64_t pace_stalled_ms(const struct pace *p);
