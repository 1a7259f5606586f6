/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a store's refusal says to an operator. */
#include "support.h"

#include <errno.h>

#include "base/macros.h"
#include "http/http_s3_error.h"

#define BEFORE "<?xml version=\"1.0\"?>\n<Error><Code>"
#define AFTER  "</Code><Message>The difference between</Message></Error>"

static void test_told(void **state)
{
	static const struct {
		const char *body;
		const char *text;
	} rows[] = {
		{BEFORE "RequestTimeTooSkewed" AFTER,
		 "HTTP 403, RequestTimeTooSkewed: set the clock of this machine"},
		{BEFORE "AuthorizationHeaderMalformed" AFTER,
		 "HTTP 403, AuthorizationHeaderMalformed: check s3-region"},
		{BEFORE "InvalidAccessKeyId" AFTER,
		 "HTTP 403, InvalidAccessKeyId: check s3-access-key-file"},
		{BEFORE "PermanentRedirect" AFTER,
		 "HTTP 403, PermanentRedirect: check s3-region, and that the url names the "
		 "bucket's own region"},
		{BEFORE "SlowDown" AFTER, "HTTP 403, SlowDown"},
		/* Not codes: */
		{"", "HTTP 403"},
		{"<html>no</html>", "HTTP 403"},
		{BEFORE, "HTTP 403"},
		{BEFORE "Access", "HTTP 403"},
		{BEFORE AFTER, "HTTP 403"},
		{BEFORE "Access Denied" AFTER, "HTTP 403"},
		{BEFORE "\x1b[31mRed" AFTER, "HTTP 403"},
		/* As much as fits of a long one. */
		{BEFORE
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" AFTER,
		 "HTTP 403, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};

		(void)err_set(&err, -EPROTO, "HTTP 403");
		http_s3_error_tell(span_of(rows[i].body, strlen(rows[i].body)), &err);
		assert_string_equal(err.text, rows[i].text);
		assert_int_equal(err.code, -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
