/* pace.h - how many turns get through on this machine, measured while they do.
 *
 * - How many at once. A turn begins with work of ours alone (sshd starts, and says its first word).
 *   If that is quick, one more at once is well; if it takes long, all that are under way share a
 * CPU that is short, and are to be fewer. It does not count how far a peer is away, nor how slow.
 * - How many a second, while somebody waits: what a queue can hope for.
 * - How long getting through takes: who has not moved for four times that has stalled. Where all
 * are slow, by a machine or a line that is, nobody has.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_QUICK_MS 150 /* sshd starts in 10 to 30 where nobody else is at work */
#define PACE_SLOW_MS  400

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

/* Our work at a begin was done between these times, or is not done after the first: told once a
 * turn. */
void pace_started(struct pace *p, uint64_t at_least_ms, uint64_t at_most_ms);

/* A turn begins. */
void pace_count(struct pace *p);
/* To be called before what is asked of per_s. */
void pace_measure(struct pace *p, bool somebody_waits, uint64_t now_ms);

/* One got through in that time. */
void pace_through(struct pace *p, uint64_t took_ms);
uint64_t pace_stalled_ms(const struct pace *p);
