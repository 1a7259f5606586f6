/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The secrets of a configuration: taken out of it, and put back where they belong. */
#include "support.h"

#include <cjson/cJSON.h>

#include "base/macros.h"
#include "config/config.h"
#include "config/config_secrets.h"

#define SOURCES(sources) "{\"software-update\":{\"source\":[" sources "]}}"

static const struct {
	const char *path;
	const char *value;
} known[] = {
	{"software-update/source/a/url/http://a/", "1"},
	{"software-update/source/a/url/http://b/", "2"},
	{"software-update/source/d/url/http://a/", "3"},
	{"software-update/source/a/password", "p\"'\\"},
	{"software-update/source/d/bearer-token", "t"},
};

static const char *find_known(void *owner, const char *path)
{
	(void)owner;
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcmp(known[i].path, path) == 0)
			return known[i].value;
	return NULL;
}

static void check_text(cJSON *json, const char *expected, const char *given)
{
	char *text = cJSON_PrintUnformatted(json);

	if (strcmp(text, expected) != 0)
		fail_msg("%s: %s", given, text);
	free(text);
}

static void test_put_in(void **state)
{
	static const struct {
		const char *given;
		const char *whole;
	} rows[] = {
		{"{}", "{}"},
		{SOURCES("{\"name\":\"a\",\"url\":\"http://a/?...\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://a/?1\"}")},
		{SOURCES("{\"name\":\"d\",\"url\":\"http://a/?...\"}"),
		 SOURCES("{\"name\":\"d\",\"url\":\"http://a/?3\"}")},
		{SOURCES("{\"name\":\"a\",\"url\":\"http://c/\",\"password\":\"set\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://c/\",\"password\":\"p\\\"'\\\\\"}")},
		{SOURCES("{\"name\":\"d\",\"bearer-token\":\"set\"}"),
		 SOURCES("{\"name\":\"d\",\"bearer-token\":\"t\"}")},
		/* another one is that */
		{SOURCES("{\"name\":\"a\",\"url\":\"http://a/?4\",\"password\":\"new\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://a/?4\",\"password\":\"new\"}")},
		{SOURCES("{\"name\":\"a\",\"url\":\"http://a/\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://a/\"}")},
		/* mirrors, and one that has become the first */
		{SOURCES("{\"name\":\"a\",\"url\":\"http://b/?...\",\"mirror\":["
			 "\"http://c/\",\"http://a/?...\"]}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://b/?2\",\"mirror\":["
			 "\"http://c/\",\"http://a/?1\"]}")},
		/* nobody gets it to another place, or under another name */
		{SOURCES("{\"name\":\"a\",\"url\":\"http://evil/?...\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://evil/?...\"}")},
		{SOURCES("{\"name\":\"a\",\"url\":\"http://?...\"}"),
		 SOURCES("{\"name\":\"a\",\"url\":\"http://?...\"}")},
		{SOURCES("{\"name\":\"n\",\"url\":\"http://a/?...\",\"password\":\"set\"}"),
		 SOURCES("{\"name\":\"n\",\"url\":\"http://a/?...\",\"password\":\"set\"}")},
		{SOURCES("{\"name\":\"a\",\"bearer-token\":\"set\"}"),
		 SOURCES("{\"name\":\"a\",\"bearer-token\":\"set\"}")},
		/* what is none of ours */
		{SOURCES("{\"name\":\"a\",\"username\":\"set\",\"password-file\":\"set\"}"),
		 SOURCES("{\"name\":\"a\",\"username\":\"set\",\"password-file\":\"set\"}")},
		{SOURCES("{\"url\":\"http://a/?...\"}"), SOURCES("{\"url\":\"http://a/?...\"}")},
		{SOURCES("5,{\"name\":5,\"url\":5,\"mirror\":5,\"password\":5}"),
		 SOURCES("5,{\"name\":5,\"url\":5,\"mirror\":5,\"password\":5}")},
		{SOURCES("{\"name\":\"a\",\"url\":5,\"mirror\":{\"a\":[]},\"password\":[\"set\"]}"),
		 SOURCES("{\"name\":\"a\",\"url\":5,\"mirror\":{\"a\":[]},\"password\":["
			 "\"set\"]}")},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *json = cJSON_Parse(rows[i].given);

		assert_int_equal(config_secrets_put_in(json, find_known, NULL, NULL), 0);
		check_text(json, rows[i].whole, rows[i].given);
		cJSON_Delete(json);
	}
}

static void test_take_out(void **state)
{
	static const char given[] =
		SOURCES("{\"name\":\"a\",\"url\":\"http://a/?q=1&r\",\"mirror\":[\"http://b/?...\","
			"\"http://c/\",\"http://d/?\"],\"username\":\"u\",\"password\":\"pass\","
			"\"bearer-token\":\"\",\"s3-access-key\":\"i\",\"s3-secret-key\":\"set\","
			"\"proxy-password\":\"pp\"},{\"name\":\"d\",\"url\":\"http://a/?q=2\"}");
	static const struct config_secret expected[] = {
		{(char *)(uintptr_t) "software-update/source/a/password",
		 (char *)(uintptr_t) "pass"},
		{(char *)(uintptr_t) "software-update/source/a/bearer-token",
		 (char *)(uintptr_t) ""},
		{(char *)(uintptr_t) "software-update/source/a/s3-access-key",
		 (char *)(uintptr_t) "i"},
		{(char *)(uintptr_t) "software-update/source/a/s3-secret-key", NULL},
		{(char *)(uintptr_t) "software-update/source/a/proxy-password",
		 (char *)(uintptr_t) "pp"},
		{(char *)(uintptr_t) "software-update/source/a/url/http://a/",
		 (char *)(uintptr_t) "q=1&r"},
		{(char *)(uintptr_t) "software-update/source/a/url/http://b/", NULL},
		{(char *)(uintptr_t) "software-update/source/d/url/http://a/",
		 (char *)(uintptr_t) "q=2"},
	};
	struct config_secrets secrets;
	cJSON *json = cJSON_Parse(given);

	(void)state;
	assert_int_equal(config_secrets_take_out(json, &secrets, NULL), 0);
	assert_int_equal(secrets.n, N_ELEMENTS(expected));
	for (size_t i = 0; i < secrets.n; i++) {
		assert_string_equal(secrets.list[i].path, expected[i].path);
		if (expected[i].value)
			assert_string_equal(secrets.list[i].value, expected[i].value);
		else
			assert_null(secrets.list[i].value);
	}
	check_text(json,
		   SOURCES("{\"name\":\"a\",\"url\":\"http://a/?...\",\"mirror\":["
			   "\"http://b/?...\",\"http://c/\",\"http://d/?\"],\"username\":\"u\","
			   "\"password\":\"set\",\"bearer-token\":\"set\","
			   "\"s3-access-key\":\"set\",\"s3-secret-key\":\"set\","
			   "\"proxy-password\":\"set\"},{\"name\":\"d\",\"url\":\"http://a/"
			   "?...\"}"),
		   given);
	config_secrets_release(&secrets);
	assert_int_equal(secrets.n, 0);
	cJSON_Delete(json);
}

static void test_two_queries_of_one_url(void **state)
{
	cJSON *json = cJSON_Parse(SOURCES("{\"name\":\"a\",\"url\":\"http://a/?1\",\"mirror\":["
					  "\"http://a/?2\"],\"password\":\"p\"}"));
	struct config_secrets secrets = {.n = 4711};
	struct err err;

	(void)state;
	assert_int_equal(config_secrets_take_out(json, &secrets, &err), -EINVAL);
	assert_string_equal(err.text, "software-update/source/a/url/http://a/: two URLs of one "
				      "source that differ in their query alone");
	assert_int_equal(secrets.n, 4711);
	/* But both are hidden. */
	assert_int_equal(config_secrets_hide(json, &err), 0);
	check_text(json,
		   SOURCES("{\"name\":\"a\",\"url\":\"http://a/?...\",\"mirror\":["
			   "\"http://a/?...\"],\"password\":\"set\"}"),
		   "hidden");
	cJSON_Delete(json);
}

/* Whatever is wrong with it, or with what is beside it, a refusal does not show it. */
static void test_refusals(void **state)
{
#define BASIC(more) "{\"name\":\"a\",\"kind\":\"artifactory\",\"url\":\"http://a/\"," more "}"
	static const struct {
		const char *source;
		const char *said;
	} rows[] = {
		{BASIC("\"password\":\"hunter2\""), "needs a username"},
		{BASIC("\"username\":\"u\",\"password\":\"hunter2\",\"password-file\":\"/p\""),
		 "is not for a source that has a password-file"},
		{BASIC("\"username\":\"u\",\"password\":\"hunter2\\nx\""),
		 "/password is \"...\": must be 1 to 1024 characters without a line break"},
		{BASIC("\"username\":\"u\",\"password\":\"\""), "must be 1 to 1024 characters"},
		{BASIC("\"username\":\"u\",\"password\":\"set\""),
		 "stands for a value that is not shown: give the value"},
		{BASIC("\"username\":\"u\",\"password\":{\"hunter2\":\"hunter2\"}"), "password"},
		{BASIC("\"username\":\"u\",\"password\":[\"hunter2\"]"), "password"},
		{BASIC("\"username\":\"u\",\"password\":true"), "password"},
		{BASIC("\"username\":\"u\",\"password\":\"hunter2\",\"bearer-token\":\"hunter2\""),
		 "is not for a source that has a username"},
		{BASIC("\"bearer-token\":\"hunter2\",\"bearer-token-file\":\"/t\""),
		 "is not for a source that has a bearer-token-file"},
		{BASIC("\"s3-access-key\":\"hunter2\",\"s3-secret-key\":\"hunter2\""),
		 "needs an s3-region"},
		{BASIC("\"s3-region\":\"r\",\"s3-access-key\":\"hunter2\""),
		 "needs an s3-access-key-file and an s3-secret-key-file, or an s3-access-key and "
		 "an s3-secret-key"},
		{BASIC("\"s3-region\":\"r\",\"s3-access-key\":\"hunter2\",\"s3-secret-key\":"
		       "\"hunter2\",\"bearer-token\":\"hunter2\""),
		 "is not for a source that has a username or a bearer-token-file"},
		{BASIC("\"proxy-password\":\"hunter2\""), "needs a proxy-username"},
		{BASIC("\"proxy-username\":\"u\",\"proxy-password\":\"hunter2\""), "needs a proxy"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text;

		assert_true(asprintf(&text, SOURCES("%s"), rows[i].source) > 0);
		assert_int_equal(config_check_router(text, &err), -EINVAL);
		if (!strstr(err.text, rows[i].said) || strstr(err.text, "hunter2"))
			fail_msg("%s: %s", text, err.text);
		free(text);
	}
}

static void test_what_fits(void **state)
{
	static const char *const sources[] = {
		BASIC("\"username\":\"u\",\"password\":\"/hunter2 \\u00fc \\\"<&\""),
		BASIC("\"bearer-token\":\"hunter2\""),
		BASIC("\"s3-region\":\"r\",\"s3-access-key\":\"a\",\"s3-secret-key\":\"/b+c=\""),
		BASIC("\"proxy\":\"http://p:1/"
		      "\",\"proxy-username\":\"u\",\"proxy-password\":\"p\""),
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sources); i++) {
		char *text;

		assert_true(asprintf(&text, SOURCES("%s"), sources[i]) > 0);
		if (config_check_router(text, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_in),
		cmocka_unit_test(test_take_out),
		cmocka_unit_test(test_two_queries_of_one_url),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
