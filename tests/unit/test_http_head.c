/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header lines of a stranger. */
#include "support.h"

#include "base/macros.h"
#include "http/http_head.h"
#include "http/http_range.h"

static struct http_head read_line(const char *line)
{
	struct http_head head;

	http_head_reset(&head);
	http_head_add_line(&head, span_of_string(line), 1700000000);
	return head;
}

static void test_lengths(void **state)
{
	static const struct {
		const char *line;
		bool has;
		uint64_t length;
	} rows[] = {
		{"Content-Length: 0", true, 0},
		{"content-length:42\r\n", true, 42},
		{"CONTENT-LENGTH:   42   ", true, 42},
		{"Content-Length: 18446744073709551615", true, UINT64_MAX},
		{"Content-Length: 18446744073709551616", false, 0},
		{"Content-Length: -1", false, 0},
		{"Content-Length: 1 2", false, 0},
		{"Content-Length: 0x10", false, 0},
		{"Content-Length:", false, 0},
		{"Content-Length", false, 0},
		{"X-Content-Length: 42", false, 0},
		{"", false, 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_head head = read_line(rows[i].line);

		if (head.has_length != rows[i].has ||
		    (rows[i].has && head.length != rows[i].length))
			fail_msg("'%s'", rows[i].line);
	}
}

static void test_content_range(void **state)
{
	static const struct {
		const char *value;
		bool valid;
		uint64_t first;
		uint64_t last;
		bool has_total;
		uint64_t total;
	} rows[] = {
		{"bytes 0-0/1", true, 0, 0, true, 1},
		{"bytes 5-9/100", true, 5, 9, true, 100},
		{"bytes 5-9/*", true, 5, 9, false, 0},
		{"BYTES 5-9/100 ", true, 5, 9, true, 100},
		{"bytes 0-18446744073709551614/18446744073709551615", true, 0, UINT64_MAX - 1, true,
		 UINT64_MAX},
		{"bytes 9-5/100", false, 0, 0, false, 0},   /* backwards */
		{"bytes 5-100/100", false, 0, 0, false, 0}, /* beyond its own total */
		{"bytes 5-9", false, 0, 0, false, 0},
		{"bytes 5-9/", false, 0, 0, false, 0},
		{"bytes */100", false, 0, 0, false, 0},
		{"bytes -9/100", false, 0, 0, false, 0},
		{"bytes 5-/100", false, 0, 0, false, 0},
		{"bytes +5-9/100", false, 0, 0, false, 0},
		{"bytes 5-9/100x", false, 0, 0, false, 0},
		{"bytes 5-9/18446744073709551616", false, 0, 0, false, 0},
		{"items 5-9/100", false, 0, 0, false, 0},
		{"", false, 0, 0, false, 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_head head;
		char line[128];

		(void)snprintf(line, sizeof(line), "Content-Range: %s\r\n", rows[i].value);
		head = read_line(line);
		if (head.range_state != (rows[i].valid ? RANGE_VALID : RANGE_GARBAGE))
			fail_msg("'%s'", rows[i].value);
		if (!rows[i].valid)
			continue;
		assert_int_equal(head.range_first, rows[i].first);
		assert_int_equal(head.range_last, rows[i].last);
		assert_int_equal(head.range_has_total, rows[i].has_total);
		if (rows[i].has_total)
			assert_int_equal(head.range_total, rows[i].total);
	}
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *line;
		int64_t seconds;
	} rows[] = {
		{"Retry-After: 120", 120},
		{"Retry-After: 0", 0},
		{"Retry-After: Tue, 14 Nov 2023 22:14:20 GMT", 60}, /* a minute from now */
		{"Retry-After: Tue, 14 Nov 2023 22:00:00 GMT", 0},  /* has passed */
		{"Retry-After: tomorrow", -1},
		{"Retry-After: -5", -1},
		{"Retry-After:", -1},
		{"Retry-Before: 5", -1},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (read_line(rows[i].line).retry_after_s != rows[i].seconds)
			fail_msg("'%s': %ld", rows[i].line,
				 (long)read_line(rows[i].line).retry_after_s);
}

/* By the reply's own clock, an hour ahead of ours, whichever line comes first. */
static void test_retry_after_by_the_clock_of_the_reply(void **state)
{
	static const char *const lines[] = {"Date: Tue, 14 Nov 2023 23:13:20 GMT",
					    "Retry-After: Tue, 14 Nov 2023 23:13:23 GMT"};

	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		struct http_head head;

		http_head_reset(&head);
		http_head_add_line(&head, span_of_string(lines[first]), 1700000000);
		http_head_add_line(&head, span_of_string(lines[1 - first]), 1700000000);
		assert_int_equal(head.retry_after_s, 3);
	}
}

static void test_encoding_and_location(void **state)
{
	(void)state;
	assert_true(read_line("Content-Encoding: gzip").encoded);
	assert_string_equal(read_line("content-encoding: x-\x1b[31m").encoding, "x-\\x1b[31m");
	assert_false(read_line("Content-Encoding: identity").encoded);
	assert_false(read_line("Content-Encoding: Identity ").encoded);
	assert_false(read_line("Content-Encoding: aws-chunked").encoded);
	assert_false(read_line("Content-Encoding: UTF-8").encoded);
	assert_false(read_line("Content-Encoding: aws-chunked, identity").encoded);
	assert_true(read_line("Content-Encoding: aws-chunked,gzip").encoded);
	assert_true(read_line("Location: http://x/").has_location);
}

static void test_requests_range(void **state)
{
	static const struct {
		const char *header;
		enum http_range_kind kind;
		uint64_t first;
		uint64_t length;
	} rows[] = {
		{NULL, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=0-0", HTTP_RANGE_PART, 0, 1},
		{"Bytes=10-19", HTTP_RANGE_PART, 10, 10},
		{"bytes=990-", HTTP_RANGE_PART, 990, 10},
		{"bytes=990-5000", HTTP_RANGE_PART, 990, 10},
		{"bytes=990-18446744073709551615", HTTP_RANGE_PART, 990, 10},
		{"bytes=-10", HTTP_RANGE_PART, 990, 10},
		{"bytes=-5000", HTTP_RANGE_PART, 0, 1000},
		{"bytes=-0", HTTP_RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=1000-", HTTP_RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=1000-1001", HTTP_RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=19-10", HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=0-1,5-6", HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=18446744073709551616-", HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=a-b", HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=", HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=-", HTTP_RANGE_WHOLE, 0, 0},
		{"lines=0-1", HTTP_RANGE_WHOLE, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		uint64_t first = 0;
		uint64_t length = 0;

		if (http_range_parse(rows[i].header, 1000, &first, &length) != rows[i].kind ||
		    first != rows[i].first || length != rows[i].length)
			fail_msg("'%s'", rows[i].header);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_content_range),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_encoding_and_location),
		cmocka_unit_test(test_retry_after_by_the_clock_of_the_reply),
		cmocka_unit_test(test_requests_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
