/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tpm_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/ec_key.h"
#include "base/macros.h"
#include "base/rsa_key.h"

static const struct {
	TPMI_ECC_CURVE id;
	const char *name;
	size_t size; /* bytes of a coordinate */
} curves[] = {
	{TPM2_ECC_NIST_P256, "P-256", 32},
	{TPM2_ECC_NIST_P384, "P-384", 48},
	{TPM2_ECC_NIST_P521, "P-521", 66},
};

static void free_signature(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *public)
{
	const TPM2B_PUBLIC_KEY_RSA *modulus = &public->unique.rsa;
	const unsigned exponent = public->parameters.rsaDetail.exponent;

	return rsa_key_new(span_of(modulus->buffer, modulus->size),
			   exponent ? exponent : RSA_KEY_EXPONENT);
}

/* A number at the end of as many bytes as the curve has: a TPM may leave out leading zeros. */
static bool put_number(const TPM2B_ECC_PARAMETER *number, uint8_t *to, size_t size)
{
	if (number->size > size)
		return false;
	memset(to, 0, size - number->size);
	memcpy(to + size - number->size, number->buffer, number->size);
	return true;
}

static EVP_PKEY *point_key(const TPMT_PUBLIC *public)
{
	const TPMI_ECC_CURVE curve = public->parameters.eccDetail.curveID;
	uint8_t point[EC_KEY_POINT_MAX] = {POINT_CONVERSION_UNCOMPRESSED};

	for (unsigned i = 0; i < N_ELEMENTS(curves); i++)
		if (curves[i].id == curve &&
		    put_number(&public->unique.ecc.x, point + 1, curves[i].size) &&
		    put_number(&public->unique.ecc.y, point + 1 + curves[i].size, curves[i].size))
			return ec_key_new(curves[i].name, span_of(point, 1 + 2 * curves[i].size));
	return NULL;
}

static EVP_PKEY *key_of(const TPMT_PUBLIC *public)
{
	switch (public->type) {
	case TPM2_ALG_RSA:
		return rsa_key(public);
	case TPM2_ALG_ECC:
		return point_key(public);
	default:
		return NULL;
	}
}

int tpm_key_public(const TPMT_PUBLIC *public, struct message_bytes *ret, struct err *err)
{
	EVP_PKEY *key = key_of(public);
	unsigned char *der = NULL;
	int size = key ? i2d_PUBKEY(key, &der) : -1;
	bool fits = size > 0 && (size_t)size <= sizeof(ret->bytes);

	if (fits) {
		memcpy(ret->bytes, der, (size_t)size);
		ret->size = (size_t)size;
	}
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return fits ? 0
		    : err_set(err, -EPROTO,
			      "the TPM's key is not RSA, P-256, P-384 or P-521, or too large");
}

static TPM2_ALG_ID hash_of(size_t size)
{
	switch (size) {
	case 32:
		return TPM2_ALG_SHA256;
	case 48:
		return TPM2_ALG_SHA384;
	case 64:
		return TPM2_ALG_SHA512;
	default:
		return TPM2_ALG_ERROR;
	}
}

int tpm_key_scheme(TPMI_ALG_PUBLIC kind, size_t digest_size, TPMT_SIG_SCHEME *ret, struct err *err)
{
	TPM2_ALG_ID hash = hash_of(digest_size);

	if (hash == TPM2_ALG_ERROR)
		return err_set(err, -EINVAL, "a digest of %zu bytes", digest_size);
	*ret = (TPMT_SIG_SCHEME){
		.scheme = kind == TPM2_ALG_ECC ? TPM2_ALG_ECDSA : TPM2_ALG_RSAPSS,
		.details = {.any = {hash}},
	};
	return 0;
}

static int put(struct span bytes, uint8_t *ret, size_t *size, struct err *err)
{
	if (bytes.size > *size)
		return err_set(err, -EPROTO, "a signature of %zu bytes", bytes.size);
	memcpy(ret, bytes.bytes, bytes.size);
	*size = bytes.size;
	return 0;
}

static int put_ecdsa(const TPMS_SIGNATURE_ECC *signature, uint8_t *ret, size_t *size,
		     struct err *err)
{
	_cleanup_(free_signature) ECDSA_SIG *both = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature->signatureR.buffer, signature->signatureR.size, NULL);
	BIGNUM *s = BN_bin2bn(signature->signatureS.buffer, signature->signatureS.size, NULL);
	unsigned char *der = NULL;
	int der_size;
	int rc;

	if (!both || !r || !s || ECDSA_SIG_set0(both, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	der_size = i2d_ECDSA_SIG(both, &der);
	rc = der_size > 0 ? put(span_of(der, (size_t)der_size), ret, size, err)
			  : err_set(err, -ENOMEM, "out of memory");
	OPENSSL_free(der);
	return rc;
}

int tpm_key_signature(const TPMT_SIGNATURE *signature, uint8_t *ret, size_t *size, struct err *err)
{
	const TPM2B_PUBLIC_KEY_RSA *rsa = &signature->signature.rsapss.sig;

	switch (signature->sigAlg) {
	case TPM2_ALG_RSAPSS:
		return put(span_of(rsa->buffer, rsa->size), ret, size, err);
	case TPM2_ALG_ECDSA:
		return put_ecdsa(&signature->signature.ecdsa, ret, size, err);
	default:
		return err_set(err, -EPROTO, "a signature of scheme 0x%04x", signature->sigAlg);
	}
}
