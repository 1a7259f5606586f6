/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.h - how a download went: what came from whom in each second, and marks for what happened.
 *
 * Pure. A point counts the bytes of `resolution_s` seconds. It begins with one second; when there
 * are more than HISTORY_POINTS_MAX points the resolution doubles, and neighbours become one point.
 * So nothing that was counted is lost, and a download of a week needs no more room than one of ten
 * minutes. Where nothing was downloaded (paused, waiting for the next attempt) there is no point.
 *
 * Time never goes back in a history: where the clock was set back, it goes on from the newest time
 * in it until the clock has passed that.
 *
 * Without memory a point or a mark is left out, and nothing else happens: no download fails for
 * want of its history.
 *
 * Calling sequence: history_init -> (history_begin_point -> history_count ...) ... ->
 * history_release.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "download/engine/source.h"

#define HISTORY_POINTS_MAX     600u
#define HISTORY_MARKS_MAX      100u /* the newest; of older ones it is counted how many there were */
#define HISTORY_SOURCES_MAX    8u   /* by name; where more deliver, the last one is all others */
#define HISTORY_OTHERS         "others"
#define HISTORY_REASON_SIZE    160
#define HISTORY_AT_MAX         (INT64_C(1) << 40)        /* Unix seconds */
#define HISTORY_RESOLUTION_MAX (1u << 30)                /* seconds */
#define HISTORY_COUNT_MAX      UINT64_C(999999999999999) /* cJSON writes no longer ones whole */

enum history_kind {
	HISTORY_FAILOVER, /* from here on another source is asked: source, and reason = instead of
			   */
	HISTORY_SOURCE_LEFT,   /* source became unavailable or excluded */
	HISTORY_MISMATCH,      /* a piece of source did not match */
	HISTORY_WAITING_RETRY, /* the attempt ended; this and the next are states of a download */
	HISTORY_PAUSED,
	HISTORY_FAILED,
	HISTORY_CANCELLED,
	HISTORY_COMPLETE,
	HISTORY_KIND_COUNT,
};

struct history_point {
	int64_t at_s; /* Unix time at which it begins, a multiple of the resolution */
	uint64_t bytes[HISTORY_SOURCES_MAX];
	uint64_t failures; /* requests that failed, of any source */
};

struct history_mark {
	int64_t at_s;
	enum history_kind kind;
	char source[SOURCE_NAME_SIZE]; /* "" = none */
	char reason[HISTORY_REASON_SIZE];
};

struct history {
	uint32_t resolution_s; /* a power of two */
	char sources[HISTORY_SOURCES_MAX][SOURCE_NAME_SIZE];
	unsigned n_sources;
	struct history_point *points; /* in order of time */
	size_t n_points;
	size_t room_points;
	struct history_mark *marks; /* likewise */
	size_t n_marks;
	size_t room_marks;
	uint64_t older_marks; /* that were dropped */
	int64_t ahead_s;      /* of the clock, which was set back */
};

void history_init(struct history *h);
void history_release(struct history *h); /* may be used again after history_init() */

/* What is counted from now on belongs to this time. */
void history_begin_point(struct history *h, int64_t now_s);
/* Adds to the newest point. Without one nothing is counted. */
void history_count(struct history *h, const char *source, uint64_t bytes, uint64_t failures);

/* source and reason may be NULL. */
void history_mark(struct history *h, int64_t now_s, enum history_kind kind, const char *source,
		  const char *reason);

/* Room for so many in all, for who fills a history from a file. Returns whether there was memory.
 */
bool history_reserve(struct history *h, size_t n_points, size_t n_marks);

/* Of all sources together. */
uint64_t history_point_bytes(const struct history_point *point);

const char *history_kind_name(enum history_kind kind);
/* false = no kind of that name; *ret is then untouched. */
bool history_kind_from_name(const char *name, enum history_kind *ret);
