/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time zones, held to the C library; files and rules that are none. */
#include "support.h"

#include <time.h>

#include "base/macros.h"
#include "base/zone.h"

#define ZONE_FILE "/usr/share/zoneinfo/Europe/Berlin"

static void use_zone(const char *name)
{
	if (name)
		assert_return_code(setenv("TZ", name, 1), errno);
	else
		assert_return_code(unsetenv("TZ"), errno);
	tzset();
}

static long library_offset(int64_t utc_s)
{
	time_t moment = utc_s;
	struct tm local;

	assert_non_null(localtime_r(&moment, &local));
	return local.tm_gmtoff;
}

/* Both in summer and in winter, in the files' tables and, from 2038 on, by their rules. */
static void hold_to_library(const struct zone *zone, const char *name, int64_t begin_s,
			    uint64_t *random)
{
	for (int i = 0; i < 300; i++) {
		int64_t at = begin_s + (int64_t)(test_random(random) % (200ull * 365 * 86400));
		struct zone_span span = zone_at(zone, at);

		if (span.offset_s != library_offset(at))
			fail_msg("%s at %lld: %d, the C library has %ld", name, (long long)at,
				 span.offset_s, library_offset(at));
		assert_true(span.until_s > at);
		if (span.until_s == INT64_MAX)
			continue;
		if (span.offset_s != library_offset(span.until_s - 1))
			fail_msg("%s at %lld: the C library has %ld at once before %lld", name,
				 (long long)at, library_offset(span.until_s - 1),
				 (long long)span.until_s);
		if (zone_at(zone, span.until_s).offset_s != library_offset(span.until_s))
			fail_msg("%s: from %lld on the C library has %ld", name,
				 (long long)span.until_s, library_offset(span.until_s));
	}
}

static void test_names(void **state)
{
	static const char *const names[] = {"UTC",
					    "Europe/Berlin",
					    "Europe/Dublin",
					    "America/New_York",
					    "America/St_Johns",
					    "America/Argentina/Buenos_Aires",
					    "Asia/Kathmandu",
					    "Asia/Tehran",
					    "Africa/Casablanca",
					    "Australia/Lord_Howe",
					    "America/Nuuk",
					    "Pacific/Chatham",
					    "Asia/Gaza",
					    "Antarctica/Troll",
					    "Etc/GMT+12",
					    "Pacific/Apia",
					    "America/Asuncion"};
	uint64_t random = 4711;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct zone *zone = NULL;
		struct err err;

		if (zone_load(&zone, names[i], &err) < 0)
			fail_msg("%s: %s", names[i], err.text);
		use_zone(names[i]);
		hold_to_library(zone, names[i], -20ll * 365 * 86400, &random);
		zone_free(zone);
	}
	use_zone(NULL);
}

/* As TZ may have them, and as they stand at the ends of files. The C library computes a rule right
 * from 1971 on only. */
static void test_rules(void **state)
{
	static const char *const rules[] = {
		"UTC0",
		"CET-1CEST,M3.5.0,M10.5.0/3",
		"EST5EDT,M3.2.0,M11.1.0",
		"<+0545>-5:45",
		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
		"NZST-12NZDT,M9.5.0,M4.1.0/3",
		"AAA-1BBB,J60,J300",
		"AAA-1BBB,59/1:30:15,299/-24",
		"IST-2IDT,M3.4.4/26,M10.5.0",
	};
	uint64_t random = 815;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
		struct zone *zone = NULL;
		struct err err;

		use_zone(rules[i]);
		if (zone_load(&zone, NULL, &err) < 0)
			fail_msg("%s: %s", rules[i], err.text);
		hold_to_library(zone, rules[i], 86400 * 366, &random);
		zone_free(zone);
	}
	use_zone(NULL);
}

/* The C library has some hours of standard time at the end of such a year. */
static void test_summer_all_year(void **state)
{
	struct zone_rule rule;
	struct err err;

	(void)state;
	assert_int_equal(zone_rule_parse(&rule, "XXX3EDT4,0/0,J365/23", &err), 0);
	for (int64_t at = 1767225600; at < 1767225600 + 800ll * 86400; at += 600)
		assert_int_equal(zone_rule_at(&rule, at).offset_s, -4 * 3600);
}

static void test_refused_rules(void **state)
{
	static const char *const rules[] = {
		"",
		"CE-1",
		"CET",
		"CET-25",
		"CET-1:60",
		"<CET-1",
		"CET-1 ",
		"CET-1CEST",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J365",
		"CET-1CEST,366,0",
		"CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/",
		"CET-0000000000000001",
		"CET-1CEST,M3.5.0,M10.5.0,",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
		struct zone_rule rule = {.standard_s = 42};
		struct err err;

		if (zone_rule_parse(&rule, rules[i], &err) != -EBADMSG)
			fail_msg("'%s' is taken", rules[i]);
		assert_contains(err.text, rules[i]);
		assert_int_equal(rule.standard_s, 42);
	}
}

static void test_unknown(void **state)
{
	static const char *const names[] = {"Europe/Berlln",
					    "../../../etc/passwd",
					    "/etc/localtime",
					    "Europe",
					    "",
					    "CET-1CEST,M3.5.0,M10.5.0/3"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct zone *zone = NULL;
		struct err err;

		if (zone_load(&zone, names[i], &err) != -ENOENT)
			fail_msg("'%s' is taken", names[i]);
		assert_contains(err.text, "there is no time zone");
		assert_contains(err.text, names[i]);
		assert_null(zone);
	}
}

/* Wherever a file is cut, and whatever one of its bytes becomes: it is refused, or it is a zone. */
static void test_damaged(void **state)
{
	size_t size;
	char *bytes = test_read(ZONE_FILE, &size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		struct zone *zone = NULL;
		struct err err;
		char was = bytes[i];

		assert_int_equal(zone_parse(&zone, span_of(bytes, i), &err), -EBADMSG);
		assert_null(zone);
		bytes[i] = (char)~was;
		if (zone_parse(&zone, span_of(bytes, size), &err) == 0)
			assert_true(zone_at(zone, 1774746000).until_s > 1774746000);
		zone_free(zone);
		bytes[i] = was;
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),           cmocka_unit_test(test_rules),
		cmocka_unit_test(test_summer_all_year), cmocka_unit_test(test_refused_rules),
		cmocka_unit_test(test_unknown),         cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
