/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stranger's text becomes one harmless line, cut at a whole character. */
#include "support.h"

#include "base/macros.h"
#include "base/printable.h"

static void test_rows(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{"plain", "plain"},
		{"Gr\xc3\xbc\xc3\x9f"
		 "e",
		 "Gr\xc3\xbc\xc3\x9f"
		 "e"},                                 /* UTF-8 */
		{"a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"}, /* a second line */
		{"\x1b[31mred", "\\x1b[31mred"},       /* a terminal's colour */
		{"del\x7f", "del\\x7f"},
		{"\xff", "\\xff"},                            /* no UTF-8 at all */
		{"\xc3", "\\xc3"},                            /* cut short */
		{"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong '/' */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},     /* four bytes */
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"}, /* C1: a terminal's escape in one character */
		{"a\xe2\x80\xae"
		 "b",
		 "a\\xe2\\x80\\xaeb"},               /* right-to-left override */
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"}, /* isolate */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
		{"V\xe2\x80\x8b"
		 "1",
		 "V\\xe2\\x80\\x8b1"},                                    /* zero width */
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},                      /* byte order mark */
		{"\xd8\x9c", "\\xd8\\x9c"},                               /* Arabic letter mark */
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"},             /* a tag */
		{"\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c"},                 /* Hebrew is text */
		{"\xe2\x80\x93\xe2\x80\xa6", "\xe2\x80\x93\xe2\x80\xa6"}, /* dash, dots */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char out[64];

		printable_copy(rows[i].text, out, sizeof(out));
		assert_string_equal(out, rows[i].expected);
	}
}

static void test_cut_at_a_whole_character(void **state)
{
	static const char text[] = "a\xc3\xbc\x01\xf0\x9f\x98\x80z";
	static const char *const expected[] = {
		"", "a", "a", "a\xc3\xbc", "a\xc3\xbc", "a\xc3\xbc", "a\xc3\xbc", "a\xc3\xbc\\x01",
	};

	(void)state;
	for (size_t size = 1; size <= N_ELEMENTS(expected); size++) {
		char *out = malloc(size); /* exact: a sanitizer sees one byte more */

		assert_non_null(out);
		printable_copy(text, out, size);
		assert_string_equal(out, expected[size - 1]);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut_at_a_whole_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
