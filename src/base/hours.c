/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hours.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

#define DAY_S  86400
#define DAYS   7
#define WEEK_S (DAYS * (int64_t)DAY_S)

static int read_day(const char *text)
{
	static const char names[DAYS][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < DAYS; i++)
		if (strncmp(text, names[i], 3) == 0)
			return i;
	return -1;
}

int hours_parse_days(const char *text, uint8_t *ret)
{
	uint8_t days = 0;

	for (;; text++) {
		int first = read_day(text);
		int last = first;

		if (first < 0)
			return -EINVAL;
		text += 3;
		if (*text == '-') {
			last = read_day(text + 1);
			if (last < 0)
				return -EINVAL;
			text += 4;
		}
		days |= (uint8_t)(1u << last);
		for (int day = first; day != last; day = (day + 1) % DAYS)
			days |= (uint8_t)(1u << day);
		if (*text != ',')
			break;
	}
	if (*text)
		return -EINVAL;
	*ret = days;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int hours_parse_time(const char *text, uint16_t *ret)
{
	int hour;
	int minute;

	if (strlen(text) != 5 || text[2] != ':' || !is_digit(text[0]) || !is_digit(text[1]) ||
	    !is_digit(text[3]) || !is_digit(text[4]))
		return -EINVAL;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	if (minute > 59 || hour * 60 + minute > 24 * 60)
		return -EINVAL;
	*ret = (uint16_t)(hour * 60 + minute);
	return 0;
}

/* local_s: what the clock on the wall shows, as seconds since 1970-01-01, a Thursday. */
struct wall {
	int day;   /* 0 = Monday */
	int64_t s; /* since midnight */
};

static struct wall wall_at(int64_t local_s)
{
	int64_t s = ((local_s % WEEK_S) + WEEK_S + 3 * (int64_t)DAY_S) % WEEK_S;

	return (struct wall){(int)(s / DAY_S), s % DAY_S};
}

static bool begins_on(const struct hours *hours, int day)
{
	return hours->days & (1u << day);
}

static bool holds(const struct hours *hours, struct wall wall)
{
	const int64_t from = hours->from_m * (int64_t)60;
	const int64_t to = hours->to_m * (int64_t)60;

	if (from < to)
		return begins_on(hours, wall.day) && wall.s >= from && wall.s < to;
	return (begins_on(hours, wall.day) && wall.s >= from) ||
	       (begins_on(hours, (wall.day + DAYS - 1) % DAYS) && wall.s < to);
}

static int which_holds(const struct hours *entries, size_t n, int64_t local_s)
{
	struct wall wall = wall_at(local_s);

	for (size_t i = 0; i < n; i++)
		if (holds(&entries[i], wall))
			return (int)i;
	return -1;
}

/* How long until the clock on the wall shows a time at which an entry begins or ends, or
 * midnight. At least a second. */
static int64_t to_next_edge(const struct hours *entries, size_t n, int64_t local_s)
{
	const int64_t now = wall_at(local_s).s;
	int64_t wait = DAY_S - now;

	for (size_t i = 0; i < n; i++) {
		const int64_t edges[2] = {entries[i].from_m * (int64_t)60,
					  entries[i].to_m * (int64_t)60};

		for (int j = 0; j < 2; j++)
			if (edges[j] > now)
				wait = MIN(wait, edges[j] - now);
	}
	return wait;
}

/* Goes from one moment at which something may change to the next. What has held for a week and a
 * day of the same clock holds for ever, whatever the clock does later. */
struct hours_now hours_at(const struct hours *entries, size_t n, const struct zone *zone,
			  int64_t utc_s)
{
	struct zone_span span = zone_at(zone, utc_s);
	struct hours_now now = {which_holds(entries, n, utc_s + span.offset_s), INT64_MAX};
	int64_t since = utc_s;
	int64_t at = utc_s;

	while (at - since <= WEEK_S + DAY_S) {
		int64_t edge = at + to_next_edge(entries, n, at + span.offset_s);
		bool clock_changes = span.until_s <= edge;

		at = MIN(edge, span.until_s);
		if (clock_changes) {
			span = zone_at(zone, at);
			since = at;
		}
		if (which_holds(entries, n, at + span.offset_s) != now.entry) {
			now.until_s = at;
			break;
		}
	}
	return now;
}
