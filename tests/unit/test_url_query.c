/* The queries of URLs: hidden where they are shown, and back where they came from. */
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

#define CONFIGURATION(sources) "{\"software-update\":{\"source\":[" sources "]}}"

static void test_restore(void **state)
{
	static const char old[] = CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/"
						"?1\",\"mirror\":[\"http://b/?2\",\"http://c/\"]},"
						"{\"name\":\"d\",\"url\":\"http://a/?3\"}");
	static const struct {
		const char *given;
		const char *kept;
	} rows[] = {
		{"{}", "{}"},
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/?...\"}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/?1\"}")},
		{CONFIGURATION("{\"name\":\"d\",\"url\":\"http://a/?...\"}"),
		 CONFIGURATION("{\"name\":\"d\",\"url\":\"http://a/?3\"}")},
		/* another URL is that */
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/?4\"}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/?4\"}")},
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/\"}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://a/\"}")},
		/* mirrors, and one that has become the first */
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://b/?...\",\"mirror\":["
			       "\"http://c/\",\"http://a/?...\"]}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://b/?2\",\"mirror\":["
			       "\"http://c/\",\"http://a/?1\"]}")},
		/* nobody gets it to another place, or under another name */
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://evil/?...\"}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://evil/?...\"}")},
		{CONFIGURATION("{\"name\":\"a\",\"url\":\"http://?...\"}"),
		 CONFIGURATION("{\"name\":\"a\",\"url\":\"http://?...\"}")},
		{CONFIGURATION("{\"name\":\"n\",\"url\":\"http://a/?...\"}"),
		 CONFIGURATION("{\"name\":\"n\",\"url\":\"http://a/?...\"}")},
		{CONFIGURATION("{\"url\":\"http://a/?...\"}"),
		 CONFIGURATION("{\"url\":\"http://a/?...\"}")},
		{CONFIGURATION("5,{\"name\":5,\"url\":5,\"mirror\":5}"),
		 CONFIGURATION("5,{\"name\":5,\"url\":5,\"mirror\":5}")},
	};
	cJSON *known = cJSON_Parse(old);

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *given = cJSON_Parse(rows[i].given);
		char *kept;

		assert_int_equal(url_queries_restore(given, known), 0);
		kept = cJSON_PrintUnformatted(given);
		if (strcmp(kept, rows[i].kept) != 0)
			fail_msg("%s: %s", rows[i].given, kept);
		free(kept);
		cJSON_Delete(given);
	}
	cJSON_Delete(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hide),
		cmocka_unit_test(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
