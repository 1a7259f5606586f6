/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a download went, drawn: what stands where, in any width, whatever the history says. */
#include "support.h"

#include <stdlib.h>

#include "base/macros.h"
#include "stewardctl/plot_axis.h"
#include "stewardctl/plot_svg.h"
#include "stewardctl/plot_text.h"

#define BEGIN INT64_C(1767225600) /* 2026-01-01 00:00:00 UTC */

/* Four seconds from s0, which then fails; four from s1, half as fast. */
static void make(struct history *h)
{
	history_init(h);
	for (unsigned i = 0; i < 8; i++) {
		history_begin_point(h, BEGIN + i);
		history_count(h, i < 4 ? "s0" : "s1", i < 4 ? 2 << 20 : 1 << 20, i == 3);
		if (i == 4)
			history_mark(h, BEGIN + i, HISTORY_FAILOVER, "s1", "instead of s0");
	}
	history_mark(h, BEGIN + 8, HISTORY_COMPLETE, NULL, NULL);
}

static char *drawn(const struct history *h, unsigned columns, bool utf8)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	plot_text(h, columns, utf8, out);
	(void)fclose(out);
	return text;
}

static void test_text(void **state)
{
	static const char expected[] = "From      2026-01-01 00:00 UTC, in steps of 1 s\n"
				       "\n"
				       "  2.00 MiB/s |########        \n"
				       "             |########        \n"
				       "             |########        \n"
				       "             |########        \n"
				       "             |########        \n"
				       "             |########++++++++\n"
				       "             |########++++++++\n"
				       "             |########++++++++\n"
				       "             |########++++++++\n"
				       "             |########++++++++\n"
				       "       0 B/s +----------------\n"
				       "                    xxF      E\n"
				       "              00:00:0000:00:08\n"
				       "\n"
				       "#  s0                       8.00 MiB\n"
				       "+  s1                       4.00 MiB\n"
				       "x  requests that failed: 1\n"
				       "F  00:00:04  another source is asked: s1: instead of s0\n"
				       "E  00:00:08  complete\n";
	struct history h;
	char *text;

	(void)state;
	make(&h);
	text = drawn(&h, 30, false);
	assert_string_equal(text, expected);
	free(text);
	text = drawn(&h, 30, true);
	assert_contains(text, "  2.00 MiB/s │████████        \n");
	assert_contains(text, "             │████████▒▒▒▒▒▒▒▒\n");
	free(text);
	history_release(&h);
}

static size_t width_of(const char *line, size_t bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += (line[i] & 0xc0) != 0x80;
	return n;
}

/* The picture, which is between the two empty lines, never wraps. */
static void test_text_fits(void **state)
{
	struct history h;

	(void)state;
	make(&h);
	for (unsigned columns = 30; columns < 300; columns++) {
		char *text = drawn(&h, columns, columns % 2);
		char *line = strstr(text, "\n\n") + 2;

		for (unsigned row = 0; row < 13; row++) {
			const size_t bytes = strcspn(line, "\n");

			if (width_of(line, bytes) > columns)
				fail_msg("%u columns: %.*s", columns, (int)bytes, line);
			line += bytes + 1;
		}
		free(text);
	}
	history_release(&h);
}

/* A night's pause does not squeeze the rest. */
static void test_pause_is_cut(void **state)
{
	struct plot_axis axis;
	struct plot_span span;
	struct history h;
	char *text;

	(void)state;
	history_init(&h);
	for (unsigned i = 0; i < 80; i++) {
		history_begin_point(&h, BEGIN + i + (i < 40 ? 0 : 30000));
		history_count(&h, "s0", 100, 0);
	}
	plot_axis_init(&axis, &h);
	assert_float_equal(axis.length, 90, 0.001); /* an eighth of 80 s, in place of 30,000 s */
	assert_float_equal(plot_axis_of(&axis, BEGIN - 5), 0, 0.001);
	assert_float_equal(plot_axis_of(&axis, BEGIN + 10), 10, 0.001);
	assert_float_equal(plot_axis_of(&axis, BEGIN + 20000), 50, 0.001);
	assert_float_equal(plot_axis_of(&axis, BEGIN + 30040), 50, 0.001);
	assert_float_equal(plot_axis_of(&axis, BEGIN + 90000), 90, 0.001);
	plot_axis_between(&axis, 30, 40, &span);
	assert_float_equal(span.rate, 100, 0.001);
	assert_false(span.is_cut);
	plot_axis_between(&axis, 35, 45, &span);
	assert_float_equal(span.rate, 50, 0.001);
	assert_true(span.is_cut);
	text = drawn(&h, 104, false);
	assert_contains(text, "+----------------------------------------~~~~~~~~~~----");
	assert_contains(text, "the axis is cut");
	free(text);
	history_release(&h);
}

static void test_empty(void **state)
{
	struct history h;
	char *text;

	(void)state;
	history_init(&h);
	history_mark(&h, BEGIN, HISTORY_FAILED, "s0", "refused");
	text = drawn(&h, 80, false);
	assert_string_equal(text, "Nothing was fetched yet.\nX  00:00:00  failed: s0: refused\n");
	free(text);
	history_begin_point(&h, BEGIN); /* a second in which nothing came */
	text = drawn(&h, 80, false);
	assert_contains(text, "0 B/s |");
	free(text);
	history_release(&h);
}

/* Names and reasons are a stranger's: no markup, no escape sequences, in either picture. */
static void test_hostile_texts(void **state)
{
	static const char hostile[] = "</text><script>\"'&\033[2J\xff\xe2\x80\xae";
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct history h;

	(void)state;
	history_init(&h);
	history_begin_point(&h, BEGIN);
	history_count(&h, hostile, 100, 0);
	history_mark(&h, BEGIN, HISTORY_FAILOVER, hostile, hostile);
	plot_svg(&h, hostile, out);
	(void)fclose(out);
	assert_null(strstr(text, "<script"));
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_contains(text, "&lt;/text&gt;&lt;script&gt;&quot;'&amp;\\x1b[2J\\xff");
	free(text);
	text = drawn(&h, 80, true);
	assert_null(strchr(text, '\033'));
	assert_contains(text, "\\x1b[2J");
	free(text);
	history_release(&h);
}

/* SVG breaks no lines: we do, at a blank. Letters of one time stand beside each other. */
static void test_long_texts(void **state)
{
	static const char reason[] =
		"6 of its last 10 requests failed: https://images.example.net/a/long/path: the "
		"connection was closed after 3 bytes, and nobody knows why";
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct history h;

	(void)state;
	history_init(&h);
	history_begin_point(&h, BEGIN);
	history_count(&h, "s0", 100, 0);
	history_mark(&h, BEGIN, HISTORY_SOURCE_LEFT, "s0", reason);
	history_mark(&h, BEGIN, HISTORY_FAILOVER, "s1", NULL);
	plot_svg(&h, "V1", out);
	(void)fclose(out);
	assert_contains(text,
			">L  00:00:00  a source is left: s0: 6 of its last 10 requests failed: "
			"https://images.example.net/a/long/path: </text>");
	assert_contains(text,
			">the connection was closed after 3 bytes, and nobody knows why</text>");
	assert_contains(text, "<text x=\"96.0\" y=\"48\" text-anchor=\"middle\">L</text>");
	assert_contains(text, "<text x=\"108.0\" y=\"48\" text-anchor=\"middle\">F</text>");
	free(text);
	history_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),          cmocka_unit_test(test_text_fits),
		cmocka_unit_test(test_pause_is_cut),  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_hostile_texts), cmocka_unit_test(test_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
