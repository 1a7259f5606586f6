/* pace.h - how many turns get through on this machine, measured while they do.
 *
 * - How many at once. Who gets through quickly, its way over the network not counted, shows that
 * one more at once is well; who takes long, or is out of time amid it, that all who are under way
 *   share a CPU that is short, and are to be fewer. So they are when our own part of a begin takes
 *   long (sshd starts, and says its first word).
 * - How many a second, while somebody waits: what a queue can hope for.
 * - How long getting through takes: who has not moved for four times that has stalled. Where all
 * are slow, by a machine or a line that is, nobody has.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_QUICK_MS 1000 /* on a machine that is not busy it takes a tenth of that */
#define PACE_SLOW_MS  2500 /* of the 10 s that there are */
#define PACE_BEGIN_MS 400  /* sshd starts in 10 to 30 */

#define PACE_ROUND_TRIPS 8 /* that a login needs, with that of TCP */

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

/* A begin is longer than PACE_BEGIN_MS: told once a turn. */
void pace_begins_slowly(struct pace *p);

/* One got through in that time, over such a network. */
void pace_through(struct pace *p, uint64_t took_ms, uint32_t round_trip_ms);
/* One did not, though it had begun to: its time was over. */
void pace_failed(struct pace *p, uint64_t took_ms);

/* A turn begins. */
void pace_count(struct pace *p);
/* To be called before what is asked of per_s. */
void pace_measure(struct pace *p, bool somebody_waits, uint64_t now_ms);

uint64_t pace_stalled_ms(const struct pace *p);
