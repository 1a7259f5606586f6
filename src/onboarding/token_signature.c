/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/token_signature.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/macros.h"

#define NUMBER_SIZE_MAX 48  /* of P-384 */
#define DER_SIZE_MAX    128 /* of a signature by it */

struct curve {
	const char *group; /* as libcrypto calls it */
	const char *header;
	const EVP_MD *(*digest)(void);
	size_t number_size; /* bytes of each of the two numbers of a signature */
};

static const struct curve curves[] = {
	{"prime256v1", "{\"alg\":\"ES256\",\"typ\":\"steward-sco+jwt\"}", EVP_sha256, 32},
	{"secp384r1", "{\"alg\":\"ES384\",\"typ\":\"steward-sco+jwt\"}", EVP_sha384, 48},
};

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

static void free_digest(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

static void free_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

static void free_signature(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

static const struct curve *curve_of(EVP_PKEY *key)
{
	char name[32];

	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1) {
		ERR_clear_error();
		return NULL;
	}
	for (unsigned i = 0; i < N_ELEMENTS(curves); i++)
		if (strcmp(name, curves[i].group) == 0)
			return &curves[i];
	return NULL;
}

const char *token_signature_header(EVP_PKEY *key)
{
	const struct curve *curve = curve_of(key);

	if (EVP_PKEY_is_a(key, "RSA"))
		return "{\"alg\":\"RS256\",\"typ\":\"steward-sco+jwt\"}";
	return curve ? curve->header : NULL;
}

/* JWS has the two numbers one after the other (RFC 7518, 3.4), libcrypto has them in DER. */
static bool to_jws(const struct curve *curve, struct span der, uint8_t ret[2 * NUMBER_SIZE_MAX])
{
	const uint8_t *at = der.bytes;
	_cleanup_(free_signature) ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
	const int size = (int)curve->number_size;

	return signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret, size) == size &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret + size, size) == size;
}

/* *ret is freed by the caller with OPENSSL_free(). Returns its size, or at most 0. */
static int to_der(const struct curve *curve, struct span jws, uint8_t **ret)
{
	const int size = (int)curve->number_size;
	_cleanup_(free_signature) ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(jws.bytes, size, NULL);
	BIGNUM *s = BN_bin2bn(jws.bytes + size, size, NULL);

	if (!signature || !r || !s || ECDSA_SIG_set0(signature, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(signature, ret);
}

static char *make_on_curve(const struct curve *curve, EVP_PKEY *key, struct span text)
{
	_cleanup_(free_digest) EVP_MD_CTX *signing = EVP_MD_CTX_new();
	uint8_t der[DER_SIZE_MAX];
	uint8_t jws[2 * NUMBER_SIZE_MAX];
	size_t size = sizeof(der);

	if (!signing || EVP_DigestSignInit(signing, NULL, curve->digest(), NULL, key) != 1 ||
	    EVP_DigestSign(signing, der, &size, text.bytes, text.size) != 1 ||
	    !to_jws(curve, span_of(der, size), jws))
		return NULL;
	return base64url_encode(span_of(jws, 2 * curve->number_size));
}

char *token_signature_make(const struct jws_key *key, struct span text)
{
	const struct curve *curve = curve_of(key->key);

	return curve ? make_on_curve(curve, key->key, text) : jws_signature(key, text);
}

static bool fits(const struct curve *curve, EVP_PKEY *key, struct span text, struct span jws)
{
	_cleanup_(free_operation) EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_size = 0;
	uint8_t *der = NULL;
	int size = to_der(curve, jws, &der);
	bool good = size > 0 && operation && EVP_PKEY_verify_init(operation) == 1 &&
		    EVP_Digest(text.bytes, text.size, digest, &digest_size, curve->digest(),
			       NULL) == 1 &&
		    EVP_PKEY_verify(operation, der, (size_t)size, digest, digest_size) == 1;

	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}

int token_signature_check(const struct jws_key *key, struct span text, struct span signature,
			  struct err *err)
{
	const struct curve *curve = curve_of(key->key);
	_cleanup_(free_bytes) uint8_t *bytes = NULL;
	size_t size = 0;
	int rc;

	if (!curve)
		return jws_signature_check(key, text, signature, err);
	rc = base64url_decode(signature, &bytes, &size);
	if (rc < 0)
		return err_set(err, rc, "signature: not base64url");
	if (size != 2 * curve->number_size)
		return err_set(err, -EKEYREJECTED, "a signature of %zu bytes, expected %zu", size,
			       2 * curve->number_size);
	return fits(curve, key->key, text, span_of(bytes, size))
		       ? 0
		       : err_set(err, -EKEYREJECTED, "wrong signature");
}
