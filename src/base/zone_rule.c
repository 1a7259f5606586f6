/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/zone_rule.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"

#define HOUR_S 3600
#define DAY_S  86400
#define LETTERS                                                                                    \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
	"abcdefghijklmnopqrstuvwxyz"

/* Reads a number of at most three digits. Each of these returns whether it was there, and moves
 * *at behind it. */
static bool read_number(const char **at, int least, int most, int *ret)
{
	size_t digits = strspn(*at, "0123456789");
	int number = 0;

	if (digits == 0 || digits > 3)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + *(*at)++ - '0';
	*ret = number;
	return number >= least && number <= most;
}

static bool read_sign(const char **at, char sign)
{
	bool is_there = **at == sign;

	*at += is_there ? 1 : 0;
	return is_there;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **at, int hours_max, int32_t *ret)
{
	bool is_negative = read_sign(at, '-');
	int parts[3] = {0};

	if (!is_negative)
		(void)read_sign(at, '+');
	if (!read_number(at, 0, hours_max, &parts[0]))
		return false;
	for (int i = 1; i < 3 && read_sign(at, ':'); i++)
		if (!read_number(at, 0, 59, &parts[i]))
			return false;
	*ret = parts[0] * HOUR_S + parts[1] * 60 + parts[2];
	*ret = is_negative ? -*ret : *ret;
	return true;
}

/* Three letters at least, or anything of that kind between < and >. */
static bool pass_name(const char **at)
{
	bool is_quoted = read_sign(at, '<');
	size_t length = strspn(*at, is_quoted ? LETTERS "0123456789+-" : LETTERS);

	*at += length;
	return length >= 3 && (!is_quoted || read_sign(at, '>'));
}

static bool read_day(const char **at, struct zone_day *ret)
{
	ret->time_s = 2 * HOUR_S;
	if (!read_sign(at, ','))
		return false;
	if (read_sign(at, 'M')) {
		ret->kind = ZONE_DAY_OF_WEEK;
		if (!read_number(at, 1, 12, &ret->month) || !read_sign(at, '.') ||
		    !read_number(at, 1, 5, &ret->week) || !read_sign(at, '.') ||
		    !read_number(at, 0, 6, &ret->day))
			return false;
	} else {
		ret->kind = read_sign(at, 'J') ? ZONE_DAY_WITHOUT_LEAP : ZONE_DAY_OF_YEAR;
		if (!read_number(at, ret->kind == ZONE_DAY_OF_YEAR ? 0 : 1, 365, &ret->day))
			return false;
	}
	return !read_sign(at, '/') || read_time(at, 167, &ret->time_s);
}

/* What POSIX writes counts westwards. */
static bool read_offset(const char **at, int32_t *ret)
{
	int32_t west;

	if (!read_time(at, 24, &west))
		return false;
	*ret = -west;
	return true;
}

static bool read_rule(const char *at, struct zone_rule *ret)
{
	if (!pass_name(&at) || !read_offset(&at, &ret->standard_s))
		return false;
	ret->has_summer = *at;
	if (!ret->has_summer)
		return true;
	if (!pass_name(&at))
		return false;
	ret->summer_s = ret->standard_s + HOUR_S;
	if (*at != ',' && !read_offset(&at, &ret->summer_s))
		return false;
	return read_day(&at, &ret->begins) && read_day(&at, &ret->ends) && !*at;
}

int zone_rule_parse(struct zone_rule *ret, const char *text, struct err *err)
{
	struct zone_rule rule = {0};

	if (!read_rule(text, &rule))
		return err_set(err, -EBADMSG,
			       "'%s' is no rule of a time zone, such as CET-1CEST,M3.5.0,M10.5.0/3",
			       text);
	*ret = rule;
	return 0;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* month: 1 to 12, or 13 for the next January. */
static int64_t first_of(int year, int month)
{
	struct tm date = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};

	return timegm(&date) / DAY_S;
}

/* Both in days since 1970-01-01, which was a Thursday. */
static int64_t day_of_week(const struct zone_day *day, int year)
{
	int64_t first = first_of(year, day->month);
	int64_t end = first_of(year, day->month + 1);
	int64_t found =
		first + (day->day - (first + 4) % 7 + 14) % 7 + (int64_t)7 * (day->week - 1);

	return found < end ? found : found - 7;
}

/* By the clock in force until then, in seconds since 1970-01-01. */
static int64_t moment_of(const struct zone_day *day, int year)
{
	int64_t days = first_of(year, 1);

	if (day->kind == ZONE_DAY_OF_WEEK)
		days = day_of_week(day, year);
	else if (day->kind == ZONE_DAY_OF_YEAR)
		days += day->day;
	else
		days += day->day - 1 + (is_leap(year) && day->day >= 60 ? 1 : 0);
	return days * DAY_S + day->time_s;
}

static int year_of(int64_t local_s)
{
	time_t moment = local_s;
	struct tm date = {0};

	/* Fails only where the year has no room in an int. */
	return gmtime_r(&moment, &date) ? date.tm_year + 1900 : 1970;
}

/* Where a zone has summer time all year, it ends and begins in one moment, and goes on. */
struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t utc_s)
{
	struct zone_span span = {rule->standard_s, INT64_MAX};
	int64_t latest = INT64_MIN;
	int year;

	if (!rule->has_summer)
		return span;
	year = year_of(utc_s + rule->standard_s);
	for (int at = year - 1; at <= year + 1; at++) {
		const int64_t moments[2] = {moment_of(&rule->ends, at) - rule->summer_s,
					    moment_of(&rule->begins, at) - rule->standard_s};

		for (int i = 0; i < 2; i++) {
			if (moments[i] > utc_s) {
				span.until_s = MIN(span.until_s, moments[i]);
			} else if (moments[i] > latest || (moments[i] == latest && i == 1)) {
				latest = moments[i];
				span.offset_s = i == 1 ? rule->summer_s : rule->standard_s;
			}
		}
	}
	return span;
}
