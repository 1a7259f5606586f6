/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone_rule.h - when a time zone changes between standard and summer time, year after year.
 *
 * Pure. A rule is what stands at the end of a zone's file for all years that are not listed, and
 * in the variable TZ: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1-2017, 8.3, with the times of -167 to
 * 167 hours of RFC 9636, 3.3.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A part of time in which the clocks are the same number of seconds ahead of UTC. */
struct zone_span {
	int32_t offset_s; /* to be added to UTC */
	int64_t until_s;  /* UTC; the next part begins then at the earliest. INT64_MAX = never */
};

enum zone_day_kind {
	ZONE_DAY_OF_WEEK,      /* Mm.w.d */
	ZONE_DAY_WITHOUT_LEAP, /* Jn: 1 to 365, 29 February is never counted */
	ZONE_DAY_OF_YEAR,      /* n: 0 to 365 */
};

struct zone_day {
	enum zone_day_kind kind;
	int month;      /* 1 to 12 */
	int week;       /* 1 to 5; 5 = the last */
	int day;        /* of the week, 0 = Sunday; or of the year */
	int32_t time_s; /* from its midnight, by the clock that is in force until then */
};

struct zone_rule {
	int32_t standard_s; /* ahead of UTC */
	bool has_summer;    /* if not, the rest says nothing */
	int32_t summer_s;
	struct zone_day begins; /* summer */
	struct zone_day ends;
};

/* -EBADMSG: text is no rule. Summer time without its two days is refused. */
int zone_rule_parse(struct zone_rule *ret, const char *text, struct err *err);

struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t utc_s);
