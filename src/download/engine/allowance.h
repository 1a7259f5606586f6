/* allowance.h - how much a source lets be asked of it at once, learned from what it refuses.
 *
 * Pure. Servers limit connections or requests a client, have one worker, or wait in their backlog.
 * Who refuses one request while it serves another wants fewer at once: that says nothing against
 * it. The number shrinks to what is served, and one more is tried by and by, each time later if
 * that is refused too. Who refuses a request that stands alone, although it served just before,
 * counts requests a second: a short rest, and it is asked again.
 *
 * Some caches fetch the whole file for any range of it, and are silent until they are there: they
 * are asked one thing at a time, in order (in_order).
 *
 * Calling sequence: allowance_begin_attempt -> allowance_served, _crowded, _forgives ...
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GROW_FIRST_MS 2000u /* after the first refusal, then twice as long each time */
#define GROW_MAX_MS   120000u
/* Where one refused request stood alone: twice, then twice each of twice as long. */
#define REST_FIRST_MS 125u
#define REST_MAX_MS   4000u

struct allowance {
	unsigned configured;    /* requests at once, by configuration; 0 = no limit of its own */
	unsigned learned;       /* likewise, by what it refused; 0 = nothing was refused */
	bool paced;             /* has refused one that stood alone: each request is dear */
	bool in_order;          /* fetches all for a range: one at a time, and to the end */
	unsigned answers;       /* requests of this attempt of which a byte came */
	uint64_t answer_ms;     /* how long the first of them took to come */
	unsigned refusals;      /* in a row, alone */
	uint64_t grow_at_ms;    /* one more is tried from then on */
	uint64_t grow_after_ms; /* how long the last refusal let that wait */
	uint64_t rest_until_ms; /* nothing is asked for before */
	uint64_t served_ms;     /* when it last served anything; 0 = never */
};

/* Who refuses a request that stands alone is forgiven for how long, and how often. */
struct forgiveness {
	uint64_t since_served_ms;
	unsigned refusals;
};

/* What was learned in another attempt may not be true any more. */
void allowance_begin_attempt(struct allowance *a);

/* How many requests may be in flight at the source, of those that the download may make. */
unsigned allowance_at_once(const struct allowance *a, unsigned all, uint64_t now_ms);

/* A request, or a document, is served, with at_once requests being served by now. */
void allowance_served(struct allowance *a, unsigned at_once, uint64_t now_ms);

/* One was refused while served others are being served. It asked for not_before_ms; 0 = it did
 * not say. */
void allowance_crowded(struct allowance *a, unsigned served, uint64_t not_before_ms,
		       uint64_t now_ms);

/* One was refused with nothing served beside it. true = it is not to blame, and rests. */
bool allowance_forgives(struct allowance *a, const struct forgiveness *f, uint64_t now_ms);
