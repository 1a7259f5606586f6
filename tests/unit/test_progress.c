/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A download in one line, and numbers as people read them. */
#include "support.h"

#include <cjson/cJSON.h>

#include "base/macros.h"
#include "stewardctl/format.h"
#include "stewardctl/progress.h"

static const char downloading[] =
	"{\"version\":\"V1\",\"state\":\"downloading\",\"bytes-verified\":503316480,"
	"\"bytes-total\":1048576000,\"rate\":11848909,\"eta\":46,\"active-source\":\"artifactory\","
	"\"attempt\":2,\"error\":\"\"}";

static void test_bar(void **state)
{
	cJSON *download = cJSON_Parse(downloading);
	char line[PROGRESS_SIZE];

	(void)state;
	progress_bar(download, 130, false, line);
	assert_string_equal(line, "V1 ###################.....................  48 %  480.0 MiB of "
				  "1000.0 MiB  11.3 MiB/s  46s left  artifactory  attempt 2");
	progress_bar(download, 200, true, line);
	assert_contains(line, "█░");
	cJSON_Delete(download);
}

/* What was reused has another shade; of a bar of ten a percentage is not always a mark. */
static void test_bar_of_what_was_reused(void **state)
{
	static const struct {
		const char *reused;
		const char *plain;
		const char *utf8;
	} rows[] = {
		{"", "V1 ###################.....................  48 %",
		 "V1 ███████████████████░"},
		{",\"bytes-reused\":0", "V1 ###################....", "V1 ███████████████████░"},
		{",\"bytes-reused\":262144000", "V1 ==========#########....",
		 "V1 ▓▓▓▓▓▓▓▓▓▓█████████░"},
		{",\"bytes-reused\":503316480", "V1 ===================....", "▓░"},
		/* More than is verified: something was damaged, and is fetched again. */
		{",\"bytes-reused\":1048576000", "V1 ===================....", "▓░"},
		{",\"bytes-reused\":1e300", "V1 ===================....", "▓░"},
		{",\"bytes-reused\":-1", "V1 ###################....", "V1 █"},
		{",\"bytes-reused\":\"x\"", "V1 ###################....", "V1 █"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char line[PROGRESS_SIZE];
		char text[512];
		cJSON *download;

		(void)snprintf(text, sizeof(text), "%.*s%s}", (int)strlen(downloading) - 1,
			       downloading, rows[i].reused);
		download = cJSON_Parse(text);
		assert_non_null(download);
		progress_bar(download, 130, false, line);
		assert_contains(line, rows[i].plain);
		progress_bar(download, 130, true, line);
		assert_contains(line, rows[i].utf8);
		cJSON_Delete(download);
	}
}

/* It never wraps: a line too long for the terminal would be drawn again and again. */
static void test_bar_fits(void **state)
{
	cJSON *download = cJSON_Parse(downloading);

	(void)state;
	for (unsigned columns = 1; columns < 140; columns++) {
		char line[PROGRESS_SIZE];

		progress_bar(download, columns, false, line);
		if (strlen(line) > columns)
			fail_msg("%u columns: '%s'", columns, line);
	}
	cJSON_Delete(download);
}

/* The line of a terminal of 80 columns has a bar, and what fits beside it whole. */
static void test_bar_of_eighty_columns(void **state)
{
	static const struct {
		const char *rate_and_eta;
		const char *line;
	} rows[] = {
		{"\"rate\":0,\"eta\":0", "SSR-7.1.3-1 ######......  50 %  128.0 MiB of 256.0 "
					 "MiB  conductor-1  attempt 1"},
		{"\"rate\":11848909,\"eta\":11",
		 "SSR-7.1.3-1 #######.......  50 %  128.0 MiB of 256.0 MiB  11.3 MiB/s  11s left"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char text[512];
		char line[PROGRESS_SIZE];
		cJSON *download;

		(void)snprintf(text, sizeof(text),
			       "{\"version\":\"SSR-7.1.3-1\",\"state\":\"downloading\","
			       "\"bytes-verified\":134217728,\"bytes-total\":268435456,%s,"
			       "\"active-source\":\"conductor-1\",\"attempt\":1}",
			       rows[i].rate_and_eta);
		download = cJSON_Parse(text);
		progress_bar(download, 79, false, line);
		assert_string_equal(line, rows[i].line);
		cJSON_Delete(download);
	}
}

static void test_states(void **state)
{
	static const struct {
		const char *download;
		const char *bar;
		const char *line;
	} rows[] = {
		{"{\"version\":\"V1\",\"state\":\"queued\",\"bytes-total\":0}", "0 %  queued",
		 "V1 queued 0 %"},
		{"{\"version\":\"V1\",\"state\":\"waiting-retry\",\"bytes-verified\":5,"
		 "\"bytes-total\":10,\"error\":\"s0: refused\",\"active-source\":null}",
		 "50 %  waiting-retry", "V1 waiting-retry 50 %: s0: refused"},
		{"{\"version\":\"V1\",\"state\":\"complete\",\"bytes-verified\":10,"
		 "\"bytes-total\":10}",
		 "100 %  complete", "V1 complete 100 %"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *download = cJSON_Parse(rows[i].download);
		char text[PROGRESS_SIZE];

		progress_bar(download, 80, false, text);
		assert_contains(text, rows[i].bar);
		progress_line(download, text);
		assert_string_equal(text, rows[i].line);
		cJSON_Delete(download);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} sizes[] = {{0, "0 B"},          {1023, "1023 B"},         {1024, "1.00 KiB"},
		     {10240, "10.0 KiB"}, {1503238553, "1.40 GiB"}, {1e18, "888.2 PiB"}};
	static const struct {
		int64_t seconds;
		const char *text;
	} durations[] = {{0, "0s"},        {59, "59s"},      {60, "1m 00s"},    {125, "2m 05s"},
			 {3600, "1h 00m"}, {3720, "1h 02m"}, {86400, "1d 00h"}, {90000, "1d 01h"}};
	char text[FORMAT_SIZE];

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(sizes); i++)
		assert_string_equal(format_bytes(text, sizes[i].bytes), sizes[i].text);
	for (unsigned i = 0; i < N_ELEMENTS(durations); i++)
		assert_string_equal(format_duration(text, durations[i].seconds), durations[i].text);
	assert_string_equal(format_rate(text, 11848909), "11.3 MiB/s");
	assert_string_equal(format_date(text, 1767268800), "2026-01-01 12:00 UTC");
	assert_string_equal(format_clock(text, 1767268805), "12:00:05");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),      cmocka_unit_test(test_bar_of_what_was_reused),
		cmocka_unit_test(test_bar_fits), cmocka_unit_test(test_bar_of_eighty_columns),
		cmocka_unit_test(test_states),   cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
