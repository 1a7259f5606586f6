/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/jws.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/base64url.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"

#define HEADER_SIZE_MAX  ((size_t)4096)    /* decoded */
#define PAYLOAD_SIZE_MAX ((size_t)8 << 20) /* decoded */
#define RSA_BITS_MIN     2048
#define RSA_BITS_MAX     8192

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

static int hex_digest(struct span bytes, char ret[JWS_KID_SIZE])
{
	uint8_t digest[32];

	if (EVP_Digest(bytes.bytes, bytes.size, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	hex_encode(span_of(digest, sizeof(digest)), ret);
	return 0;
}

int jws_key_set_kid(struct jws_key *key)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key->key, &der);
	int rc = size > 0 ? hex_digest(span_of(der, (size_t)size), key->kid) : -ENOMEM;

	OPENSSL_free(der);
	return rc;
}

typedef EVP_PKEY *(*pem_read)(FILE *file, EVP_PKEY **key, pem_password_cb *cb, void *user);

/* A key file with a pass phrase is refused, not asked for on a terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static int load(struct jws_key *ret, const char *path, pem_read read_pem, const char *what,
		struct err *err)
{
	struct jws_key key = {0};
	FILE *file = file_open_stream(path, err);

	if (!file)
		return err ? err->code : -EINVAL;
	key.key = read_pem(file, NULL, no_pass_phrase, NULL);
	(void)fclose(file);
	if (!key.key)
		return err_set(err, -EINVAL, "%s: expected %s key in PEM", path, what);
	if (!EVP_PKEY_is_a(key.key, "RSA") || EVP_PKEY_get_bits(key.key) < RSA_BITS_MIN ||
	    EVP_PKEY_get_bits(key.key) > RSA_BITS_MAX) {
		jws_key_release(&key);
		return err_set(err, -EINVAL, "%s: expected an RSA key of %d to %d bits", path,
			       RSA_BITS_MIN, RSA_BITS_MAX);
	}
	if (jws_key_set_kid(&key) < 0) {
		jws_key_release(&key);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	*ret = key;
	return 0;
}

int jws_key_load_public(struct jws_key *ret, const char *path, struct err *err)
{
	return load(ret, path, PEM_read_PUBKEY, "a public", err);
}

int jws_key_load_private(struct jws_key *ret, const char *path, struct err *err)
{
	return load(ret, path, PEM_read_PrivateKey, "an unencrypted private", err);
}

void jws_key_release(struct jws_key *key)
{
	EVP_PKEY_free(key->key);
	memset(key, 0, sizeof(*key));
}

struct jws_parts {
	struct span header;
	struct span payload;
	struct span signature;
	struct span signed_part; /* header "." payload, as they are in the JWS */
};

static int split(struct span jws, struct jws_parts *ret, struct err *err)
{
	const uint8_t *end = jws.bytes + jws.size;
	const uint8_t *first = memchr(jws.bytes, '.', jws.size);
	const uint8_t *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return err_set(err, -EBADMSG, "not a JWS in compact form: expected three parts");
	ret->header = span_of(jws.bytes, (size_t)(first - jws.bytes));
	ret->payload = span_of(first + 1, (size_t)(second - first - 1));
	ret->signature = span_of(second + 1, (size_t)(end - second - 1));
	ret->signed_part = span_of(jws.bytes, (size_t)(second - jws.bytes));
	return 0;
}

static int decode_json(struct span text, size_t max, const char *what, cJSON **ret, struct err *err)
{
	_cleanup_(free_bytes) uint8_t *bytes = NULL;
	size_t size = 0;

	if (base64url_decode(text, &bytes, &size) < 0)
		return err_set(err, -EBADMSG, "%s: not base64url", what);
	if (json_parse(ret, span_of(bytes, size), max, err) < 0)
		return err_wrap(err, "%s", what);
	if (!cJSON_IsObject(*ret)) {
		json_freep(ret);
		*ret = NULL;
		return err_set(err, -EBADMSG, "%s: expected a JSON object", what);
	}
	return 0;
}

/* The header may not choose algorithm or type: it must have those that we expect. */
static int check_header(const cJSON *header, const char *typ, const char **ret_kid, struct err *err)
{
	static const char *const members[] = {"alg", "typ", "kid", NULL};
	const char *alg;
	const char *found;
	int rc = json_refuse_others(header, members, err);

	if (rc == 0)
		rc = json_get_string(header, "alg", 64, &alg, err);
	if (rc == 0 && strcmp(alg, "RS256") != 0)
		rc = err_set(err, -EBADMSG, "\"alg\" is \"%.32s\", expected \"RS256\"", alg);
	if (rc == 0)
		rc = json_get_string(header, "typ", 128, &found, err);
	if (rc == 0 && strcmp(found, typ) != 0)
		rc = err_set(err, -EBADMSG, "\"typ\" is \"%.64s\", expected \"%s\"", found, typ);
	if (rc == 0)
		rc = json_get_string(header, "kid", JWS_KID_SIZE - 1, ret_kid, err);
	return rc == 0 ? 0 : err_wrap(err, "header");
}

static const struct jws_key *find_key(const struct jws_key *keys, size_t n_keys, const char *kid)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcmp(keys[i].kid, kid) == 0)
			return &keys[i];
	return NULL;
}

static bool is_signed_by(const struct jws_key *key, struct span text, struct span signature)
{
	EVP_MD_CTX *verification = EVP_MD_CTX_new();
	bool good = verification &&
		    EVP_DigestVerifyInit(verification, NULL, EVP_sha256(), NULL, key->key) == 1 &&
		    EVP_DigestVerify(verification, signature.bytes, signature.size, text.bytes,
				     text.size) == 1;

	EVP_MD_CTX_free(verification);
	return good;
}

int jws_signature_check(const struct jws_key *key, struct span text, struct span signature,
			struct err *err)
{
	_cleanup_(free_bytes) uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = base64url_decode(signature, &bytes, &size);

	if (rc < 0)
		return err_set(err, rc, "signature: not base64url");
	if (!is_signed_by(key, text, span_of(bytes, size)))
		return err_set(err, -EKEYREJECTED, "wrong signature (kid %.16s...)", key->kid);
	return 0;
}

static int check_signature(const struct jws_parts *parts, const struct jws_key *keys, size_t n_keys,
			   const char *kid, struct err *err)
{
	const struct jws_key *key = find_key(keys, n_keys, kid);

	if (!key)
		return err_set(err, -EKEYREJECTED, "signature by an unknown key (kid %.16s...)",
			       kid);
	return jws_signature_check(key, parts->signed_part, parts->signature, err);
}

int jws_verify(struct span jws, const char *typ, const struct jws_key *keys, size_t n_keys,
	       cJSON **ret_payload, struct err *err)
{
	_cleanup_(json_freep) cJSON *header = NULL;
	struct jws_parts parts = {0};
	const char *kid = NULL;
	int rc;

	rc = split(jws, &parts, err);
	if (rc == 0 && parts.header.size > 2 * HEADER_SIZE_MAX)
		rc = err_set(err, -EBADMSG, "header: longer than %zu bytes", 2 * HEADER_SIZE_MAX);
	if (rc == 0)
		rc = decode_json(parts.header, HEADER_SIZE_MAX, "header", &header, err);
	if (rc == 0)
		rc = check_header(header, typ, &kid, err);
	if (rc == 0)
		rc = check_signature(&parts, keys, n_keys, kid, err);
	if (rc == 0)
		rc = decode_json(parts.payload, PAYLOAD_SIZE_MAX, "payload", ret_payload, err);
	return rc;
}

int jws_payload(struct span jws, cJSON **ret_payload, struct err *err)
{
	struct jws_parts parts = {0};
	int rc = split(jws, &parts, err);

	return rc < 0 ? rc
		      : decode_json(parts.payload, PAYLOAD_SIZE_MAX, "payload", ret_payload, err);
}

char *jws_signature(const struct jws_key *key, struct span text)
{
	EVP_MD_CTX *signing = EVP_MD_CTX_new();
	uint8_t signature[RSA_BITS_MAX / 8];
	size_t size = sizeof(signature);
	char *encoded = NULL;

	if (signing && EVP_DigestSignInit(signing, NULL, EVP_sha256(), NULL, key->key) == 1 &&
	    EVP_DigestSign(signing, signature, &size, text.bytes, text.size) == 1)
		encoded = base64url_encode(span_of(signature, size));
	EVP_MD_CTX_free(signing);
	return encoded;
}

int jws_sign(const struct jws_key *key, const char *typ, struct span payload, char **ret_jws,
	     struct err *err)
{
	char header[256];
	char *encoded_header;
	char *encoded_payload = base64url_encode(payload);
	char *text = NULL;
	char *signature = NULL;
	int rc = -ENOMEM;

	(void)snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"typ\":\"%s\",\"kid\":\"%s\"}",
		       typ, key->kid);
	encoded_header = base64url_encode(span_of_string(header));
	if (encoded_header && encoded_payload &&
	    asprintf(&text, "%s.%s", encoded_header, encoded_payload) < 0)
		text = NULL;
	if (text)
		signature = jws_signature(key, span_of_string(text));
	if (signature && asprintf(ret_jws, "%s.%s", text, signature) >= 0)
		rc = 0;
	free(encoded_header);
	free(encoded_payload);
	free(text);
	free(signature);
	return rc < 0 ? err_set(err, rc, "cannot sign: out of memory") : 0;
}
