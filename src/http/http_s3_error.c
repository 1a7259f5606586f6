/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_s3_error.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define CODE_SIZE 64

static const struct {
	const char *code;
	const char *advice;
} KNOWN[] = {
	{"RequestTimeTooSkewed", "set the clock of this machine"},
	{"RequestExpired", "set the clock of this machine"},
	{"AuthorizationHeaderMalformed", "check s3-region"},
	{"PermanentRedirect", "check s3-region, and that the url names the bucket's own region"},
	{"TemporaryRedirect", "check s3-region, and that the url names the bucket's own region"},
	{"InvalidAccessKeyId", "check s3-access-key-file"},
	{"SignatureDoesNotMatch", "check s3-secret-key-file and s3-region"},
	{"AccessDenied", "let this key read the bucket"},
	{"NoSuchBucket", "check the url"},
};

/* Codes consist of letters; anything else is not told to anybody. */
static bool read_code(struct span body, char ret[CODE_SIZE])
{
	static const char before[] = "<Code>";
	const char *at = body.size ? memmem(body.bytes, body.size, before, strlen(before)) : NULL;
	const char *end = (const char *)body.bytes + body.size;
	size_t n = 0;

	if (!at)
		return false;
	for (at += strlen(before); at < end && isalpha((unsigned char)*at); at++)
		if (n < CODE_SIZE - 1)
			ret[n++] = *at;
	ret[n] = '\0';
	return n > 0 && at < end && *at == '<';
}

void http_s3_error_tell(struct span body, struct err *err)
{
	char code[CODE_SIZE];
	char said[ERR_TEXT_SIZE];
	const char *advice = NULL;

	if (!read_code(body, code))
		return;
	for (size_t i = 0; i < N_ELEMENTS(KNOWN); i++)
		if (strcmp(KNOWN[i].code, code) == 0)
			advice = KNOWN[i].advice;
	(void)snprintf(said, sizeof(said), "%s", err->text);
	(void)err_set(err, err->code, "%s, %s%s%s", said, code, advice ? ": " : "",
		      advice ? advice : "");
}
