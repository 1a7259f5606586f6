/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queries of URLs: hidden where they are shown. */
#include "support.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/url_query.h"

static void test_hide(void **state)
{
	static const struct {
		const char *text;
		const char *shown;
	} rows[] = {
		{"", ""},
		{"what? no URL", "what? no URL"},
		{"http://h/a", "http://h/a"},
		{"http://h/a?b", "http://h/a?..."},
		{"http://h?", "http://h?..."},
		{"HTTPS://h/a?b=c?d&e=//f", "HTTPS://h/a?..."},
		{"{\"url\":\"http://h/a?b\",\"c\":\"d?\"}",
		 "{\"url\":\"http://h/a?...\",\"c\":\"d?\"}"},
		{"[\"http://a?b\",\"http://c\",\"http://d?e\"]",
		 "[\"http://a?...\",\"http://c\",\"http://d?...\"]"},
		{"http://h/a?b=http://c?d is it", "http://h/a?... is it"},
		{"://?://?", "://?..."},
		{"a://?b c://?d e://?f", "a://?... c://?... e://?..."},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *shown = url_queries_hide(rows[i].text);

		if (!shown || strcmp(shown, rows[i].shown) != 0)
			fail_msg("%s: %s", rows[i].text, shown ? shown : "none");
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
