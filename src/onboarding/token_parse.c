/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/macros.h"
#include "onboarding/certificate.h"
#include "onboarding/key_bounds.h"
#include "onboarding/token.h"

static int split(struct span text, struct span *ret_payload, struct token *token, struct err *err)
{
	const char *first = memchr(text.bytes, '.', text.size);
	const char *end = (const char *)text.bytes + text.size;
	const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

	if (!second || memchr(text.bytes, '\0', text.size))
		return err_set(err, -EBADMSG, "expected three parts with dots between them");
	*ret_payload = span_of(first + 1, (size_t)(second - first - 1));
	token->header =
		strndup((const char *)text.bytes, (size_t)(first - (const char *)text.bytes));
	token->signature = strndup(second + 1, (size_t)(end - second - 1));
	if (!token->header || !token->signature)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int decode_payload(struct span text, cJSON **ret, struct err *err)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = base64url_decode(text, &bytes, &size);

	if (rc < 0)
		return err_set(err, rc, "not base64url");
	rc = json_parse(ret, span_of(bytes, size), TOKEN_SIZE_MAX, err);
	OPENSSL_cleanse(bytes, size);
	free(bytes);
	if (rc == 0 && !cJSON_IsObject(*ret))
		rc = err_set(err, -EBADMSG, "expected a JSON object");
	return rc;
}

/* Wipes the parsed payload, since the secret in it would otherwise stay in freed memory. */
static void free_payload(cJSON **payload)
{
	char *secret = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(*payload, "secret"));

	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	cJSON_Delete(*payload);
}

static int read_text(const cJSON *payload, const char *member, char *ret, size_t size,
		     struct err *err)
{
	const char *text;
	int rc = json_get_string(payload, member, size - 1, &text, err);

	if (rc == 0)
		(void)snprintf(ret, size, "%s", text);
	return rc;
}

static int read_asset_ids(struct token *token, const cJSON *payload, struct err *err)
{
	const cJSON *array = NULL;
	const cJSON *item;
	int rc = json_get_array(payload, "asset-id", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		const char *id = cJSON_GetStringValue(item);

		if (!id || !token_name_is_valid(id))
			return err_set(err, -EBADMSG, "\"asset-id\": expected names");
		if (token->n_asset_ids == TOKEN_ASSET_IDS_MAX)
			return err_set(err, -EBADMSG, "\"asset-id\": more than %d",
				       TOKEN_ASSET_IDS_MAX);
		(void)snprintf(token->asset_ids[token->n_asset_ids++], TOKEN_NAME_SIZE, "%s", id);
	}
	return 0;
}

static int read_bytes(const cJSON *payload, const char *member, size_t max, uint8_t **ret,
		      size_t *ret_size, struct err *err)
{
	const char *text;
	int rc = json_get_string(payload, member, BASE64_LENGTH(max), &text, err);

	if (rc < 0)
		return rc;
	rc = base64_decode(span_of_string(text), ret, ret_size);
	return rc < 0 ? err_set(err, rc, "\"%s\": not base64", member) : 0;
}

static int read_secret(struct token *token, const cJSON *payload, struct err *err)
{
	uint8_t *secret = NULL;
	size_t size = 0;
	int rc = read_bytes(payload, "secret", TOKEN_SECRET_SIZE, &secret, &size, err);

	if (rc == 0 && !token_secret_is_valid(span_of(secret, size)))
		rc = err_set(err, -EBADMSG, "\"secret\": expected %d characters of A-Z, a-z, 0-9",
			     TOKEN_SECRET_SIZE);
	if (rc == 0)
		memcpy(token->secret, secret, TOKEN_SECRET_SIZE);
	if (secret)
		OPENSSL_cleanse(secret, size);
	free(secret);
	return rc;
}

static int read_payload(struct token *token, const cJSON *payload, struct err *err)
{
	static const char *const members[] = {
		"jti",
		"router",
		"asset-id",
		"iat",
		"exp",
		"conductor-public-cert",
		"conductor-ca-cert",
		"secret",
		NULL,
	};
	int rc = json_refuse_others(payload, members, err);

	if (rc == 0)
		rc = read_text(payload, "jti", token->jti, sizeof(token->jti), err);
	if (rc == 0)
		rc = read_text(payload, "router", token->router, sizeof(token->router), err);
	if (rc == 0)
		rc = read_asset_ids(token, payload, err);
	if (rc == 0)
		rc = json_get_uint(payload, "iat", JSON_INT_MAX, &token->iat, err);
	if (rc == 0)
		rc = json_get_uint(payload, "exp", JSON_INT_MAX, &token->exp, err);
	if (rc == 0)
		rc = read_bytes(payload, "conductor-public-cert", TOKEN_CERTIFICATE_MAX,
				&token->conductor_certificate, &token->conductor_certificate_size,
				err);
	if (rc == 0)
		rc = read_bytes(payload, "conductor-ca-cert", TOKEN_CERTIFICATE_MAX,
				&token->ca_certificate, &token->ca_certificate_size, err);
	if (rc == 0)
		rc = read_secret(token, payload, err);
	return rc;
}

static EVP_PKEY *key_of(struct span der)
{
	X509 *certificate = key_bounds_check_certificate("token", der, NULL) == 0
				    ? certificate_read(der)
				    : NULL;
	EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;

	X509_free(certificate);
	return key;
}

/* Writes the payload again from what was read. If the signature fits, nothing was left out. */
static int check_itself(const struct token *token, struct err *err)
{
	const char *asset_ids[TOKEN_ASSET_IDS_MAX];
	struct token_claims claims = {
		.jti = token->jti,
		.router = token->router,
		.asset_ids = asset_ids,
		.n_asset_ids = token->n_asset_ids,
		.iat = token->iat,
		.exp = token->exp,
		.conductor_certificate =
			span_of(token->conductor_certificate, token->conductor_certificate_size),
		.ca_certificate = span_of(token->ca_certificate, token->ca_certificate_size),
		.secret = span_of(token->secret, TOKEN_SECRET_SIZE),
	};
	struct jws_key key = {.key = key_of(claims.conductor_certificate)};
	int rc;

	if (!key.key)
		return err_set(err, -EBADMSG, "\"conductor-public-cert\": not a certificate");
	for (size_t i = 0; i < token->n_asset_ids; i++)
		asset_ids[i] = token->asset_ids[i];
	rc = token_check(&claims, &key, token->header, token->signature, err);
	jws_key_release(&key);
	return rc == -EINVAL ? -EBADMSG : rc;
}

int token_parse(struct token *ret, struct span text, struct err *err)
{
	_cleanup_(token_release) struct token token = {0};
	_cleanup_(free_payload) cJSON *payload = NULL;
	struct span encoded = {0};
	int rc;

	if (text.size > TOKEN_SIZE_MAX)
		return err_set(err, -E2BIG, "token: longer than the %u bytes allowed",
			       TOKEN_SIZE_MAX);
	if (text.size > 0 && text.bytes[text.size - 1] == '\n')
		text.size--;
	rc = split(text, &encoded, &token, err);
	if (rc < 0)
		return err_wrap(err, "token");
	rc = decode_payload(encoded, &payload, err);
	if (rc == 0)
		rc = read_payload(&token, payload, err);
	if (rc < 0)
		return err_wrap(err, "token: payload");
	rc = check_itself(&token, err);
	if (rc < 0)
		return rc;
	*ret = token;
	memset(&token, 0, sizeof(token));
	return 0;
}

void token_release(struct token *token)
{
	free(token->conductor_certificate);
	free(token->ca_certificate);
	free(token->header);
	free(token->signature);
	OPENSSL_cleanse(token, sizeof(*token));
}
