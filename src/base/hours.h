/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hours.h - hours of the week, such as "mon-fri 22:00 05:00", and what holds at a moment.
 *
 * Pure. What the clock on the wall shows decides: an hour that summer time leaves out is in no
 * entry, and one that comes twice is twice in its entry. Where "from" is not before "to", the
 * hours end on the next day, and the days are those on which they begin; from 00:00 to 00:00 is
 * the whole day. Of entries that overlap the first holds.
 *
 * Nothing is remembered from one question to the next, so that a clock may jump.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zone.h"

struct hours {
	uint8_t days;    /* one bit a day on which they begin, Monday is the lowest */
	uint16_t from_m; /* minutes from midnight */
	uint16_t to_m;   /* likewise, at most 1440 */
};

/* "mon-fri", "sat,sun", "fri-mon,wed". -EINVAL: it is not like that. */
int hours_parse_days(const char *text, uint8_t *ret);

/* "00:00" to "24:00". -EINVAL likewise. */
int hours_parse_time(const char *text, uint16_t *ret);

struct hours_now {
	int entry;       /* which one holds; -1 = none */
	int64_t until_s; /* UTC: then another holds, or none. INT64_MAX = never */
};

struct hours_now hours_at(const struct hours *entries, size_t n, const struct zone *zone,
			  int64_t utc_s);
