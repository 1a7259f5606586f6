/* SPDX-License-Identifier: GPL-3.0-or-later */
/* allowance.h - how many requests a source accepts at the same time, learned from what it
 * refuses.
 *
 * Pure. Some servers limit a client's connections or requests, have one worker, or let
 * connections wait. A source that refuses one request while it serves another wants fewer at the
 * same time: that is no failure. The number shrinks to what is served. Later one more is tried,
 * each time later if that is refused too. A source that refuses a request that stands alone,
 * although it served one just before, limits requests a second: it gets a short rest and is asked
 * again.
 *
 * Some caches fetch the whole file for any range of it, and are silent until they have it: they
 * are asked for one range at a time, in order (in_order). On a bad line a request may be silent as
 * long. A source that then answers at once, for a range nearly as far into the image, is no such
 * cache. The next time it takes twice as many silent requests until it is taken for one.
 *
 * Calling sequence: allowance_begin_attempt -> allowance_served, _crowded, _forgives ...
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GROW_FIRST_MS 2000u /* after the first refusal, then twice as long each time */
#define GROW_MAX_MS   120000u
/* After refusing a request that stood alone: the rest lasts so long, for two refusals each; then
 * twice as long. */
#define REST_FIRST_MS 125u
#define REST_MAX_MS   4000u

struct allowance {
	unsigned configured; /* requests at once, by configuration; 0 = no limit of its own */
	unsigned learned;    /* likewise, by what it refused; 0 = nothing was refused */
	bool paced;       /* has refused a request that stood alone: it limits requests a second */
	bool in_order;    /* fetches the whole file first: one request at a time, in order */
	unsigned answers; /* requests of this attempt of which a byte came */
	uint64_t answer_ms;     /* how long the first of them took to come */
	unsigned silences;      /* requests that were silent, as those of such a cache are */
	unsigned silences_min;  /* so many make it one; 0 = the first */
	uint64_t silent_first;  /* the first offset of the last of them */
	uint64_t silent_ms;     /* and how long it was silent */
	uint64_t farthest;      /* the first offset of the one farthest into the image */
	uint64_t farthest_ms;   /* how long that took to come */
	unsigned refusals;      /* in a row, alone */
	uint64_t grow_at_ms;    /* one more is tried from then on */
	uint64_t grow_after_ms; /* how long the last refusal let that wait */
	uint64_t rest_until_ms; /* nothing is asked for before */
	uint64_t served_ms;     /* when it last served anything; 0 = never */
};

/* For how long after its last success, and how often, a source is forgiven that refuses a request
 * that stands alone. */
struct forgiveness {
	uint64_t since_served_ms;
	unsigned refusals;
};

/* Forgets what was learned in the attempt before: it may not be true any more. */
void allowance_begin_attempt(struct allowance *a);

/* How many requests may run at the source, of the `all` that the download may make. */
unsigned allowance_at_once(const struct allowance *a, unsigned all, uint64_t now_ms);

/* A request, or a document, is served; at_once requests are being served now. */
void allowance_served(struct allowance *a, unsigned at_once, uint64_t now_ms);

/* A request was refused while `served` others are being served. The source asked to wait until
 * not_before_ms; 0 = it did not say. */
void allowance_crowded(struct allowance *a, unsigned served, uint64_t not_before_ms,
		       uint64_t now_ms);

/* A request was silent for silent_ms, as the requests to a cache are that fetches the whole file.
 * first: the offset at which it begins. */
void allowance_silent(struct allowance *a, uint64_t first, uint64_t silent_ms);

/* The first byte of a request came, after_ms after it was sent. true = the source was taken for
 * such a cache, and is none. */
bool allowance_answered(struct allowance *a, uint64_t first, uint64_t after_ms);

/* A request was refused, and no other is being served. true = that is no failure, and the source
 * rests. */
bool allowance_forgives(struct allowance *a, const struct forgiveness *f, uint64_t now_ms);
