/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/token.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/base64url.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "onboarding/token_signature.h"

static bool is_alphanumeric(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool token_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= TOKEN_NAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

bool token_secret_is_valid(struct span secret)
{
	if (secret.size != TOKEN_SECRET_SIZE)
		return false;
	for (size_t i = 0; i < secret.size; i++)
		if (!is_alphanumeric((char)secret.bytes[i]))
			return false;
	return true;
}

bool token_jti_is_valid(const char *jti)
{
	if (strlen(jti) != TOKEN_JTI_SIZE - 1)
		return false;
	for (size_t i = 0; i < TOKEN_JTI_SIZE - 1; i++)
		if (hex_value(jti[i]) < 0)
			return false;
	return true;
}

static uint64_t seconds_of(char unit)
{
	switch (unit) {
	case 'm':
		return 60;
	case 'h':
		return UINT64_C(60) * 60;
	case 'd':
		return UINT64_C(24) * 60 * 60;
	case 'y':
		return TOKEN_DURATION_MAX_S;
	default:
		return 0;
	}
}

int token_duration_parse(const char *text, uint64_t *ret_s, struct err *err)
{
	size_t n_digits = strspn(text, "0123456789");
	uint64_t unit = n_digits > 0 ? seconds_of(text[n_digits]) : 0;
	uint64_t n = 0;

	if (unit == 0 || text[n_digits + 1] != '\0' || n_digits > 9)
		return err_set(err, -EINVAL, "'%s': expected a number and m, h, d or y, like 12h",
			       text);
	for (size_t i = 0; i < n_digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	if (n == 0 || n > TOKEN_DURATION_MAX_S / unit)
		return err_set(err, -EINVAL, "'%s': expected 1m to 1y", text);
	*ret_s = n * unit;
	return 0;
}

static int check_certificate(struct span der, const char *what, struct err *err)
{
	if (der.size == 0 || der.size > TOKEN_CERTIFICATE_MAX)
		return err_set(err, -EINVAL, "%s: expected 1 to %u bytes, found %zu", what,
			       TOKEN_CERTIFICATE_MAX, der.size);
	return 0;
}

static int check_asset_ids(const struct token_claims *claims, struct err *err)
{
	if (claims->n_asset_ids == 0)
		return err_set(err, -EINVAL, "router %s has no asset-id", claims->router);
	if (claims->n_asset_ids > TOKEN_ASSET_IDS_MAX)
		return err_set(err, -EINVAL, "%zu asset-ids, expected at most %d",
			       claims->n_asset_ids, TOKEN_ASSET_IDS_MAX);
	for (size_t i = 0; i < claims->n_asset_ids; i++) {
		const char *id = claims->asset_ids[i];

		if (!token_name_is_valid(id))
			return err_set(err, -EINVAL, "'%s' cannot be an asset-id", id);
		for (size_t j = 0; j < i; j++)
			if (strcmp(id, claims->asset_ids[j]) == 0)
				return err_set(err, -EINVAL, "asset-id %s stands twice", id);
	}
	return 0;
}

static int check_claims(const struct token_claims *claims, struct err *err)
{
	int rc;

	if (!token_jti_is_valid(claims->jti))
		return err_set(err, -EINVAL, "jti: expected 32 lower-case hex digits");
	if (!token_name_is_valid(claims->router))
		return err_set(err, -EINVAL, "'%s' cannot be a router's name", claims->router);
	if (claims->exp > JSON_INT_MAX || claims->exp <= claims->iat ||
	    claims->exp - claims->iat > TOKEN_DURATION_MAX_S)
		return err_set(err, -EINVAL,
			       "exp %" PRIu64 ": expected at most a year after iat %" PRIu64,
			       claims->exp, claims->iat);
	if (!token_secret_is_valid(claims->secret))
		return err_set(err, -EINVAL,
			       "pre-shared secret: expected %d characters of "
			       "A-Z, a-z, 0-9",
			       TOKEN_SECRET_SIZE);
	rc = check_asset_ids(claims, err);
	if (rc == 0)
		rc = check_certificate(claims->conductor_certificate, "conductor's certificate",
				       err);
	if (rc == 0)
		rc = check_certificate(claims->ca_certificate, "CA's certificate", err);
	return rc;
}

void token_text_free(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define ASSET_IDS_TEXT_SIZE ((size_t)TOKEN_ASSET_IDS_MAX * (TOKEN_NAME_SIZE + 2) + 1)

static void write_asset_ids(const struct token_claims *claims, char ret[ASSET_IDS_TEXT_SIZE])
{
	const char *sorted[TOKEN_ASSET_IDS_MAX];
	size_t at = 0;

	memcpy(sorted, claims->asset_ids, claims->n_asset_ids * sizeof(sorted[0]));
	qsort(sorted, claims->n_asset_ids, sizeof(sorted[0]), compare_names);
	for (size_t i = 0; i < claims->n_asset_ids; i++)
		at += (size_t)snprintf(ret + at, ASSET_IDS_TEXT_SIZE - at, "%s\"%s\"",
				       i > 0 ? "," : "", sorted[i]);
}

struct encoded {
	char asset_ids[ASSET_IDS_TEXT_SIZE];
	char *conductor_certificate;
	char *ca_certificate;
	char *secret;
};

static void encoded_release(struct encoded *encoded)
{
	free(encoded->conductor_certificate);
	free(encoded->ca_certificate);
	token_text_free(&encoded->secret);
}

/* None of the values needs escaping: check_claims() and base64 see to that. */
static int print_payload(char *to, size_t size, const struct token_claims *claims,
			 const struct encoded *encoded)
{
	return snprintf(to, size,
			"{\"jti\":\"%s\",\"router\":\"%s\",\"asset-id\":[%s],\"iat\":%" PRIu64
			",\"exp\":%" PRIu64 ",\"conductor-public-cert\":\"%s\","
			"\"conductor-ca-cert\":\"%s\",\"secret\":\"%s\"}",
			claims->jti, claims->router, encoded->asset_ids, claims->iat, claims->exp,
			encoded->conductor_certificate, encoded->ca_certificate, encoded->secret);
}

int token_payload(const struct token_claims *claims, char **ret, struct err *err)
{
	_cleanup_(encoded_release) struct encoded encoded = {0};
	int rc = check_claims(claims, err);
	size_t size;
	char *text;

	if (rc < 0)
		return rc;
	write_asset_ids(claims, encoded.asset_ids);
	encoded.conductor_certificate = base64_encode(claims->conductor_certificate);
	encoded.ca_certificate = base64_encode(claims->ca_certificate);
	encoded.secret = base64_encode(claims->secret);
	if (!encoded.conductor_certificate || !encoded.ca_certificate || !encoded.secret)
		return err_set(err, -ENOMEM, "token: out of memory");
	/* The size is computed first, because a buffer that grows would leave copies of the secret
	 * behind. */
	size = (size_t)print_payload(NULL, 0, claims, &encoded) + 1;
	text = malloc(size);
	if (!text)
		return err_set(err, -ENOMEM, "token: out of memory");
	(void)print_payload(text, size, claims, &encoded);
	*ret = text;
	return 0;
}

/* header "." payload: what is signed. */
static int signed_text(const struct token_claims *claims, const char *header, char **ret,
		       struct err *err)
{
	_cleanup_(token_text_free) char *payload = NULL;
	_cleanup_(token_text_free) char *encoded_payload = NULL;
	_cleanup_(token_text_free) char *encoded_header = NULL;
	int rc = token_payload(claims, &payload, err);

	if (rc < 0)
		return rc;
	encoded_header = base64url_encode(span_of_string(header));
	encoded_payload = base64url_encode(span_of_string(payload));
	if (!encoded_header || !encoded_payload ||
	    asprintf(ret, "%s.%s", encoded_header, encoded_payload) < 0)
		return err_set(err, -ENOMEM, "token: out of memory");
	return 0;
}

static int refuse_key(struct err *err)
{
	return err_set(err, -EINVAL, "token: expected a key that is RSA, P-256 or P-384");
}

int token_sign(const struct token_claims *claims, const struct jws_key *key, char **ret_token,
	       struct err *err)
{
	const char *header = token_signature_header(key->key);
	_cleanup_(token_text_free) char *text = NULL;
	char *signature = NULL;
	char *token = NULL;
	int rc = header ? signed_text(claims, header, &text, err) : refuse_key(err);

	if (rc < 0)
		return rc;
	signature = token_signature_make(key, span_of_string(text));
	if (!signature || asprintf(&token, "%s.%s", text, signature) < 0)
		rc = err_set(err, -ENOMEM, "token: out of memory");
	else
		*ret_token = token;
	free(signature);
	return rc;
}

static int check_header(const char *header, const char *expected, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = base64url_decode(span_of_string(header), &bytes, &size);

	if (rc < 0)
		return err_set(err, rc, "header: not base64url");
	if (size != strlen(expected) || memcmp(bytes, expected, size) != 0)
		rc = err_set(err, -EBADMSG, "header is '%.*s', expected '%s'",
			     (int)MIN(size, (size_t)200), (const char *)bytes, expected);
	free(bytes);
	return rc;
}

int token_check(const struct token_claims *claims, const struct jws_key *key, const char *header,
		const char *signature, struct err *err)
{
	const char *expected = token_signature_header(key->key);
	_cleanup_(token_text_free) char *text = NULL;
	int rc = expected ? check_header(header, expected, err) : refuse_key(err);

	if (rc == 0)
		rc = signed_text(claims, expected, &text, err);
	if (rc == 0)
		rc = token_signature_check(key, span_of_string(text), span_of_string(signature),
					   err);
	return rc < 0 ? err_wrap(err, "token") : 0;
}
