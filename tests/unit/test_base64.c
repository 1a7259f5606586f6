/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64: RFC 4648's vectors, and everything else refused. */
#include "faults.h"
#include "support.h"

#include "base/base64.h"
#include "base/macros.h"

static void test_vectors(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"}, /* the two letters that differ from base64url */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = base64_encode(span_of_string(rows[i].bytes));
		uint8_t *bytes;
		size_t size;

		assert_string_equal(text, rows[i].text);
		assert_int_equal(strlen(text), BASE64_LENGTH(strlen(rows[i].bytes)));
		assert_int_equal(base64_decode(span_of_string(text), &bytes, &size), 0);
		assert_int_equal(size, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, size);
		free(bytes);
		free(text);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"Z",                /* six bits are no byte */
		"Zg",               /* without padding */
		"Zg=",              /* too little of it */
		"=Zg=",             /* where none may be */
		"Zg==Zg==",         /* likewise */
		"====",             /* nothing but */
		"Z===",             /* likewise */
		"Zm9v\n",           /* white space */
		" Zm9v   ",         /* likewise, which libcrypto overlooks */
		"Zm9vZm8=\n\n\n\n", /* likewise */
		"Zm-v",             /* base64url */
		"Zm_v",             /* likewise */
		"Zh==",             /* bits left over */
		"Zm9=",             /* likewise */
		"Z\xc3\xa4v",       /* not ASCII */
	};
	uint8_t *bytes = NULL;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		if (base64_decode(span_of_string(rows[i]), &bytes, &size) != -EBADMSG)
			fail_msg("'%s' was taken", rows[i]);
		assert_null(bytes);
	}
	assert_int_equal(base64_decode(span_of("Zm9\0", 4), &bytes, &size), -EBADMSG);
}

static void test_round_trip(void **state)
{
	uint64_t random = 4711;
	uint8_t bytes[97];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint8_t *decoded;
		size_t size;
		char *text;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)test_random(&random);
		text = base64_encode(span_of(bytes, n));
		assert_int_equal(base64_decode(span_of_string(text), &decoded, &size), 0);
		assert_int_equal(size, n);
		assert_memory_equal(decoded, bytes, n);
		free(decoded);
		free(text);
	}
}

static void test_memory_runs_out(void **state)
{
	uint8_t *bytes = NULL;
	size_t size;

	(void)state;
	faults_fail_allocation(1);
	assert_int_equal(base64_decode(span_of_string("Zm9v"), &bytes, &size), -ENOMEM);
	assert_true(faults_had_effect());
	faults_fail_allocation(1);
	assert_null(base64_encode(span_of_string("foo")));
	assert_true(faults_had_effect());
	assert_null(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
