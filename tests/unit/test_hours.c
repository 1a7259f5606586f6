/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hours of the week: what holds at a moment, and until when. */
#include "support.h"

#include <time.h>

#include "base/hours.h"
#include "base/macros.h"

#define ENTRIES_MAX 4
#define NEVER       "never"

/* "mon-fri 22:00 05:00; sat,sun 00:00 24:00" */
static size_t read_entries(struct hours entries[ENTRIES_MAX], const char *text)
{
	size_t n = 0;
	char days[32];
	char from[8];
	char to[8];
	int length;

	while (sscanf(text, " %31[^ ] %7s %5s%n", days, from, to, &length) == 3) {
		assert_true(n < ENTRIES_MAX);
		assert_int_equal(hours_parse_days(days, &entries[n].days), 0);
		assert_int_equal(hours_parse_time(from, &entries[n].from_m), 0);
		assert_int_equal(hours_parse_time(to, &entries[n].to_m), 0);
		n++;
		text += length;
		text += *text == ';' ? 1 : 0;
	}
	return n;
}

/* UTC */
static int64_t moment(const char *text)
{
	struct tm date = {0};

	if (strcmp(text, NEVER) == 0)
		return INT64_MAX;
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &date));
	return timegm(&date);
}

static const struct {
	const char *what;
	const char *zone;
	const char *entries;
	const char *now;
	int entry;
	const char *until;
} rows[] = {
	{"no entries", "UTC", "", "2026-11-29 12:00:00", -1, NEVER},
	{"before it", "UTC", "mon-sun 12:00 13:00", "2026-11-29 11:59:59", -1,
	 "2026-11-29 12:00:00"},
	{"at its first second", "UTC", "mon-sun 12:00 13:00", "2026-11-29 12:00:00", 0,
	 "2026-11-29 13:00:00"},
	{"at its last second", "UTC", "mon-sun 12:00 13:00", "2026-11-29 12:59:59", 0,
	 "2026-11-29 13:00:00"},
	{"behind it", "UTC", "mon-sun 12:00 13:00", "2026-11-29 13:00:00", -1,
	 "2026-11-30 12:00:00"},
	{"another day", "UTC", "wed 12:00 13:00", "2026-11-29 12:30:00", -1, "2026-12-02 12:00:00"},
	{"a week away", "UTC", "sun 12:00 13:00", "2026-11-29 13:00:00", -1, "2026-12-06 12:00:00"},
	{"days over the end of the week", "UTC", "sat-mon 12:00 13:00", "2026-11-30 12:30:00", 0,
	 "2026-11-30 13:00:00"},
	{"over midnight, before it", "UTC", "mon-fri 22:00 05:00", "2026-11-27 23:00:00", 0,
	 "2026-11-28 05:00:00"},
	{"over midnight, behind it: of the day before", "UTC", "mon-fri 22:00 05:00",
	 "2026-11-28 04:59:59", 0, "2026-11-28 05:00:00"},
	{"over midnight, and the day before is none", "UTC", "mon-fri 22:00 05:00",
	 "2026-11-30 04:00:00", -1, "2026-11-30 22:00:00"},
	{"over the end of the week", "UTC", "sun 22:00 05:00", "2026-11-30 01:00:00", 0,
	 "2026-11-30 05:00:00"},
	{"over the end of the year", "UTC", "thu 22:00 05:00", "2027-01-01 00:00:00", 0,
	 "2027-01-01 05:00:00"},
	{"up to midnight", "UTC", "sun 22:00 24:00", "2026-11-29 23:00:00", 0,
	 "2026-11-30 00:00:00"},
	{"up to midnight, said otherwise", "UTC", "sun 22:00 00:00", "2026-11-29 23:00:00", 0,
	 "2026-11-30 00:00:00"},
	{"whole days", "UTC", "sat,sun 00:00 00:00", "2026-11-28 12:00:00", 0,
	 "2026-11-30 00:00:00"},
	{"a day from noon on", "UTC", "sat 12:00 12:00", "2026-11-29 11:00:00", 0,
	 "2026-11-29 12:00:00"},
	{"always", "UTC", "mon-sun 00:00 24:00", "2026-11-29 12:00:00", 0, NEVER},
	{"always, by two entries", "UTC", "mon-sun 06:00 18:00; mon-sun 18:00 06:00",
	 "2026-11-29 12:00:00", 0, "2026-11-29 18:00:00"},
	{"the first of two that overlap", "UTC", "mon-sun 12:00 13:00; mon-sun 00:00 24:00",
	 "2026-11-29 12:30:00", 0, "2026-11-29 13:00:00"},
	{"the second, until the first begins", "UTC", "mon-sun 12:00 13:00; mon-sun 00:00 24:00",
	 "2026-11-29 13:00:00", 1, "2026-11-30 12:00:00"},
	{"one that is hidden by the first", "UTC", "mon-sun 00:00 24:00; mon-sun 12:00 13:00",
	 "2026-11-29 12:30:00", 0, NEVER},
	/* Summer time begins in Berlin on 29 March 2026, 01:00 UTC: 02:00 becomes 03:00. */
	{"in winter", "Europe/Berlin", "mon-sun 12:00 13:00", "2026-11-29 11:30:00", 0,
	 "2026-11-29 12:00:00"},
	{"in summer", "Europe/Berlin", "mon-sun 12:00 13:00", "2026-07-29 11:30:00", -1,
	 "2026-07-30 10:00:00"},
	{"the next day is a summer's", "Europe/Berlin", "mon-sun 12:00 13:00",
	 "2026-03-28 12:00:00", -1, "2026-03-29 10:00:00"},
	{"an hour that is left out", "Europe/Berlin", "sun 02:15 02:45", "2026-03-29 00:59:59", -1,
	 "2026-04-05 00:15:00"},
	{"it ends in an hour that is left out", "Europe/Berlin", "sun 01:00 02:30",
	 "2026-03-29 00:30:00", 0, "2026-03-29 01:00:00"},
	{"it begins in an hour that is left out", "Europe/Berlin", "sun 02:30 05:00",
	 "2026-03-29 00:30:00", -1, "2026-03-29 01:00:00"},
	{"a night that is an hour shorter", "Europe/Berlin", "sat 22:00 05:00",
	 "2026-03-28 21:00:00", 0, "2026-03-29 03:00:00"},
	/* It ends on 25 October 2026, 01:00 UTC: 03:00 becomes 02:00. */
	{"a night that is an hour longer", "Europe/Berlin", "sat 22:00 05:00",
	 "2026-10-24 20:00:00", 0, "2026-10-25 04:00:00"},
	{"an hour that comes twice, the first time", "Europe/Berlin", "sun 02:15 02:45",
	 "2026-10-25 00:20:00", 0, "2026-10-25 00:45:00"},
	{"between the two", "Europe/Berlin", "sun 02:15 02:45", "2026-10-25 00:45:00", -1,
	 "2026-10-25 01:15:00"},
	{"the second time", "Europe/Berlin", "sun 02:15 02:45", "2026-10-25 01:20:00", 0,
	 "2026-10-25 01:45:00"},
	{"half an hour's summer time", "Australia/Lord_Howe", "mon-sun 12:00 13:00",
	 "2026-01-10 01:00:00", 0, "2026-01-10 02:00:00"},
	{"on the other side of the date line", "Pacific/Auckland", "mon 00:00 24:00",
	 "2026-11-29 11:00:00", 0, "2026-11-30 11:00:00"},
	{"a day that a zone left out", "Pacific/Apia", "fri 00:00 24:00", "2011-12-29 12:00:00", -1,
	 "2012-01-05 10:00:00"},
	{"a clock that has never been set", "Europe/Berlin", "thu 00:00 02:00",
	 "1970-01-01 00:00:00", 0, "1970-01-01 01:00:00"},
	{"before 1970", "UTC", "wed 23:00 24:00", "1969-12-31 23:30:00", 0, "1970-01-01 00:00:00"},
	{"in years that no file lists", "Europe/Berlin", "mon-sun 12:00 13:00",
	 "2099-07-29 10:30:00", 0, "2099-07-29 11:00:00"},
};

/* In this order, each is a clock that has jumped, too. */
static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct hours entries[ENTRIES_MAX] = {{0}};
		size_t n = read_entries(entries, rows[i].entries);
		struct zone *zone = NULL;
		struct hours_now now;
		struct err err;

		if (zone_load(&zone, rows[i].zone, &err) < 0)
			fail_msg("%s", err.text);
		now = hours_at(entries, n, zone, moment(rows[i].now));
		if (now.entry != rows[i].entry || now.until_s != moment(rows[i].until))
			fail_msg("%s: entry %d until %lld", rows[i].what, now.entry,
				 (long long)now.until_s);
		zone_free(zone);
	}
}

/* Second by second through the two nights in which the clock changes, and a minute at a time
 * through a year: between two answers nothing else holds. */
static void test_nothing_changes_before(void **state)
{
	struct hours entries[ENTRIES_MAX];
	size_t n = read_entries(entries, "sun 02:15 02:45; mon-fri 22:00 05:00; sat 06:30 01:00");
	struct zone *zone = NULL;
	struct hours_now last;
	int64_t end = moment("2027-01-01 00:00:00");
	struct err err;

	(void)state;
	assert_int_equal(zone_load(&zone, "Europe/Berlin", &err), 0);
	last = hours_at(entries, n, zone, moment("2026-01-01 00:00:00"));
	for (int64_t at = moment("2026-01-01 00:00:00"); at < end; at += 60) {
		struct hours_now now = hours_at(entries, n, zone, at);

		if (at < last.until_s) {
			assert_int_equal(now.entry, last.entry);
			assert_int_equal(now.until_s, last.until_s);
		} else {
			assert_int_equal(at, last.until_s);
			assert_int_not_equal(now.entry, last.entry);
		}
		last = now;
	}
	zone_free(zone);
}

static void test_words(void **state)
{
	static const struct {
		const char *days;
		int expected; /* -1 = refused */
	} days[] = {{"mon", 0x01},         {"sun", 0x40},       {"mon-fri", 0x1f},
		    {"mon-sun", 0x7f},     {"fri-mon", 0x71},   {"sat,sun", 0x60},
		    {"mon-tue,thu", 0x0b}, {"wed-wed", 0x04},   {"", -1},
		    {"mon-", -1},          {"-mon", -1},        {"mon,", -1},
		    {"Mon", -1},           {"mo", -1},          {"monday", -1},
		    {"mon fri", -1},       {"mon-wed-fri", -1}, {"mon,,tue", -1}};
	static const struct {
		const char *time;
		int expected;
	} times[] = {{"00:00", 0},  {"05:30", 330}, {"23:59", 1439}, {"24:00", 1440},
		     {"24:01", -1}, {"25:00", -1},  {"5:30", -1},    {"05:60", -1},
		     {"05.30", -1}, {"+5:30", -1},  {"", -1},        {"05:300", -1}};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(days); i++) {
		uint8_t got = 0;
		int rc = hours_parse_days(days[i].days, &got);

		if ((rc < 0 ? -1 : got) != days[i].expected)
			fail_msg("'%s': %d, 0x%x", days[i].days, rc, got);
	}
	for (size_t i = 0; i < N_ELEMENTS(times); i++) {
		uint16_t got = 0;
		int rc = hours_parse_time(times[i].time, &got);

		if ((rc < 0 ? -1 : got) != times[i].expected)
			fail_msg("'%s': %d, %u", times[i].time, rc, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nothing_changes_before),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
