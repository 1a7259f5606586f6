/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Failures told: what was tried goes in front, the code stays, length is bounded. */
#include "support.h"

#include "base/err.h"
#include "base/hex.h"

static int deep(struct err *err)
{
	return err_set(err, -EKEYREJECTED, "signature by an unknown key");
}

static void test_each_caller_says_what_it_did(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(deep(&err), -EKEYREJECTED);
	assert_int_equal(err_wrap(&err, "source %s", "artifactory"), -EKEYREJECTED);
	assert_int_equal(err_wrap(&err, "download %s", "V1"), -EKEYREJECTED);
	assert_string_equal(err.text,
			    "download V1: source artifactory: signature by an unknown key");
	assert_int_equal(err.code, -EKEYREJECTED);
}

static void test_system_error(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set_errno(&err, -ENOENT, "open %s", "/x"), -ENOENT);
	assert_string_equal(err.text, "open /x: No such file or directory");
}

static void test_nobody_wants_to_know(void **state)
{
	(void)state;
	assert_int_equal(deep(NULL), -EKEYREJECTED);
	assert_int_equal(err_set_errno(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, "x"), -EIO);
}

static void test_quotes_are_harmless_and_short(void **state)
{
	char hostile[4000];
	struct err err;

	(void)state;
	memset(hostile, '\n', sizeof(hostile) - 1);
	hostile[sizeof(hostile) - 1] = '\0';
	(void)err_set(&err, -EBADMSG, "got '%s'", hostile);
	assert_null(strchr(err.text, '\n'));
	assert_true(strlen(err.text) < ERR_TEXT_SIZE);
	for (unsigned i = 0; i < 10; i++)
		(void)err_wrap(&err, "caller %u", i);
	assert_true(strlen(err.text) < ERR_TEXT_SIZE);
	assert_int_equal(strncmp(err.text, "caller 9: caller 8", 18), 0);
}

static void test_hex(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x7f, 0xff, 0xa0};
	char hex[9];

	(void)state;
	hex_encode(span_of(bytes, sizeof(bytes)), hex);
	assert_string_equal(hex, "007fffa0");
	for (int c = 0; c < 256; c++) {
		static const char digits[] = "0123456789abcdef";
		const char *at = c ? strchr(digits, c) : NULL;

		assert_int_equal(hex_value((char)c), at ? at - digits : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_caller_says_what_it_did),
		cmocka_unit_test(test_system_error),
		cmocka_unit_test(test_nobody_wants_to_know),
		cmocka_unit_test(test_quotes_are_harmless_and_short),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
