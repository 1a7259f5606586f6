/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that somebody else wrote: shape, numbers and names are checked before it is believed. */
#include "support.h"

#include "base/json.h"
#include "base/macros.h"

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *reason;
	} rows[] = {
		{"", -EBADMSG, "not JSON"},
		{"{", -EBADMSG, "not JSON"},
		{"{} {}", -EBADMSG, "something follows at byte 3"},
		{"{}x", -EBADMSG, "something follows"},
		{"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", -EBADMSG, "nested deeper than 16"},
		{"{\"a\":1,\"a\":2}", -EBADMSG, "\"a\" stands twice"},
		{"[{\"b\":{\"a\":1,\"a\":2}}]", -EBADMSG, "\"a\" stands twice"},
		{"{\"a\":1.5}", -EBADMSG, "fraction or an exponent at byte 6"},
		{"{\"a\":1e3}", -EBADMSG, "exponent"},
		{"{\"a\":1E3}", -EBADMSG, "exponent"},
		{"{\"a\":1.00000000000000000001}", -EBADMSG, "fraction"},
		{"{\"a\":\"x\\u0000y\"}", -EBADMSG, "zero character"},
		{"{\"a\":\"12345678901234567890123456789012345678901234567890\"}", -E2BIG,
		 "longer than the 50 bytes"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *json = NULL;
		struct err err;

		if (json_parse(&json, span_of_string(rows[i].text), 50, &err) != rows[i].rc)
			fail_msg("row %u: %s", i, err.text);
		assert_contains(err.text, rows[i].reason);
		assert_null(json);
	}
}

static void test_zero_byte(void **state)
{
	cJSON *json = NULL;
	struct err err;

	(void)state;
	assert_int_equal(json_parse(&json, span_of("{}\0{}", 5), 50, &err), -EBADMSG);
	assert_contains(err.text, "zero byte at 2");
}

static void test_taken(void **state)
{
	static const char *const rows[] = {
		"{}",
		" [1, 2 ]\n",
		"{\"a\":{\"a\":1}}",
		"\"1.5 {[ \\\" e9\"",
		"-3",
		"true",
		"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", /* 16 deep */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *json = NULL;
		struct err err;

		if (json_parse(&json, span_of_string(rows[i]), 100, &err) < 0)
			fail_msg("%s: %s", rows[i], err.text);
		json_freep(&json);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int rc;
		uint64_t value;
	} rows[] = {
		{"{\"n\":0}", 10, 0, 0},
		{"{\"n\":10}", 10, 0, 10},
		{"{\"n\":11}", 10, -EBADMSG, 0},
		{"{\"n\":-1}", 10, -EBADMSG, 0},
		{"{\"n\":\"1\"}", 10, -EBADMSG, 0},
		{"{\"n\":null}", 10, -EBADMSG, 0},
		{"{}", 10, -EBADMSG, 0},
		{"{\"N\":1}", 10, -EBADMSG, 0}, /* names keep their case */
		{"{\"n\":9007199254740991}", UINT64_MAX, 0, JSON_INT_MAX},
		{"{\"n\":9007199254740992}", UINT64_MAX, -EBADMSG, 0}, /* 2^53 */
		{"{\"n\":18446744073709551616}", UINT64_MAX, -EBADMSG, 0},
		{"{\"n\":99999999999999999999999999999999999999}", UINT64_MAX, -EBADMSG, 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		uint64_t value = 0;
		cJSON *json = NULL;
		struct err err;

		assert_int_equal(json_parse(&json, span_of_string(rows[i].text), 100, &err), 0);
		if (json_get_uint(json, "n", rows[i].max, &value, &err) != rows[i].rc)
			fail_msg("row %u", i);
		assert_int_equal(value, rows[i].value);
		json_freep(&json);
	}
}

static void test_members(void **state)
{
	static const char *const allowed[] = {"s", "b", "a", NULL};
	static const char *const fewer[] = {"s", "b", NULL};
	const char *text = NULL;
	const cJSON *array = NULL;
	cJSON *json = NULL;
	bool flag = false;
	struct err err;

	(void)state;
	assert_int_equal(
		json_parse(&json, span_of_string("{\"s\":\"abc\",\"b\":true,\"a\":[]}"), 100, &err),
		0);
	assert_int_equal(json_get_string(json, "s", 3, &text, &err), 0);
	assert_string_equal(text, "abc");
	assert_int_equal(json_get_string(json, "s", 2, &text, &err), -EBADMSG);
	assert_contains(err.text, "expected 1 to 2 characters, found 3");
	assert_int_equal(json_get_string(json, "b", 2, &text, &err), -EBADMSG);
	assert_int_equal(json_get_array(json, "a", &array, &err), 0);
	assert_int_equal(json_get_array(json, "s", &array, &err), -EBADMSG);
	assert_int_equal(json_get_optional_bool(json, "b", &flag, &err), 0);
	assert_true(flag);
	assert_int_equal(json_get_optional_bool(json, "missing", &flag, &err), 0);
	assert_int_equal(json_get_optional_bool(json, "s", &flag, &err), -EBADMSG);
	assert_int_equal(json_refuse_others(json, allowed, &err), 0);
	assert_int_equal(json_refuse_others(json, fewer, &err), -EBADMSG);
	assert_contains(err.text, "unknown member \"a\"");
	json_freep(&json);
}

static void test_many_members(void **state)
{
	char text[2048] = "{";
	cJSON *json = NULL;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < 65; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"m%u\":0",
			       i ? "," : "", i);
	(void)strcat(text, "}");
	assert_int_equal(json_parse(&json, span_of_string(text), sizeof(text), &err), -EBADMSG);
	assert_contains(err.text, "more than 64 members");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused), cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_taken),   cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_members), cmocka_unit_test(test_many_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
