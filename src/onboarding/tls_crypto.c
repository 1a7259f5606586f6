/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/tls_crypto.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After libcrypto's headers: wolfSSL's options say OPENSSL_NO_EC. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "base/ec_key.h"
#include "base/macros.h"
#include "onboarding/key_bounds.h"
#include "onboarding/signature_check.h"

#define SCALAR_SIZE 32
#define POINT_SIZE  (1 + 2 * SCALAR_SIZE) /* uncompressed: 4, x, y */

static EC_GROUP *p256; /* as long as the process; only read, by all threads */

static void free_number(BN_CTX **numbers)
{
	BN_CTX_free(*numbers);
}

static void clear_scalar(BIGNUM **scalar)
{
	BN_clear_free(*scalar);
}

static void clear_point(EC_POINT **point)
{
	EC_POINT_clear_free(*point);
}

/* Makes a new key: the private half as a number, and the public half as a point. */
static bool make_key(uint8_t scalar[SCALAR_SIZE], uint8_t ret[POINT_SIZE])
{
	_cleanup_(free_number) BN_CTX *numbers = BN_CTX_secure_new();
	_cleanup_(clear_scalar) BIGNUM *d = BN_secure_new();
	_cleanup_(clear_point) EC_POINT *q = EC_POINT_new(p256);

	if (!numbers || !d || !q)
		return false;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	do {
		if (BN_priv_rand_range(d, EC_GROUP_get0_order(p256)) != 1)
			return false;
	} while (BN_is_zero(d));
	return EC_POINT_mul(p256, q, d, NULL, NULL, numbers) == 1 &&
	       BN_bn2binpad(d, scalar, SCALAR_SIZE) == SCALAR_SIZE &&
	       EC_POINT_point2oct(p256, q, POINT_CONVERSION_UNCOMPRESSED, ret, POINT_SIZE,
				  numbers) == POINT_SIZE;
}

static int generate(ecc_key *key, int curve)
{
	uint8_t scalar[SCALAR_SIZE];
	uint8_t point[POINT_SIZE];
	int rc = BAD_STATE_E;

	if (curve != ECC_SECP256R1)
		return CRYPTOCB_UNAVAILABLE;
	if (make_key(scalar, point))
		rc = wc_ecc_import_unsigned(key, point + 1, point + 1 + SCALAR_SIZE, scalar, curve);
	OPENSSL_cleanse(scalar, sizeof(scalar));
	return rc;
}

/* A point of the peer that is not on the curve is refused here, because wolfSSL does not check
 * it. */
static bool agree(const uint8_t scalar[SCALAR_SIZE], const uint8_t peer[POINT_SIZE],
		  uint8_t ret[SCALAR_SIZE])
{
	_cleanup_(free_number) BN_CTX *numbers = BN_CTX_secure_new();
	_cleanup_(clear_scalar) BIGNUM *d = BN_secure_new();
	_cleanup_(clear_scalar) BIGNUM *x = BN_secure_new();
	_cleanup_(clear_point) EC_POINT *q = EC_POINT_new(p256);

	if (!numbers || !d || !x || !q || !BN_bin2bn(scalar, SCALAR_SIZE, d))
		return false;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	return EC_POINT_oct2point(p256, q, peer, POINT_SIZE, numbers) == 1 &&
	       EC_POINT_mul(p256, q, NULL, q, d, numbers) == 1 &&
	       EC_POINT_get_affine_coordinates(p256, q, x, NULL, numbers) == 1 &&
	       BN_bn2binpad(x, ret, SCALAR_SIZE) == SCALAR_SIZE;
}

static int exchange(ecc_key *key, ecc_key *peer, uint8_t *ret, word32 *ret_size)
{
	uint8_t scalar[SCALAR_SIZE];
	uint8_t point[POINT_SIZE];
	word32 scalar_size = sizeof(scalar);
	word32 point_size = sizeof(point);
	int rc;

	if (wc_ecc_get_curve_id(key->idx) != ECC_SECP256R1)
		return CRYPTOCB_UNAVAILABLE;
	if (*ret_size < SCALAR_SIZE)
		return BUFFER_E;
	rc = wc_ecc_export_private_only(key, scalar, &scalar_size);
	if (rc == 0)
		rc = wc_ecc_export_x963(peer, point, &point_size);
	if (rc == 0 &&
	    (scalar_size != SCALAR_SIZE || point_size != POINT_SIZE || !agree(scalar, point, ret)))
		rc = ECC_BAD_ARG_E;
	OPENSSL_cleanse(scalar, sizeof(scalar));
	if (rc == 0)
		*ret_size = SCALAR_SIZE;
	return rc;
}

static int recover(struct span signature, RsaKey *key, uint8_t *ret, word32 *ret_size)
{
	uint8_t n[KEY_BOUNDS_RSA_CA_MAX / 8];
	uint8_t e[KEY_BOUNDS_EXPONENT_SIZE_MAX];
	word32 n_size = sizeof(n);
	word32 e_size = sizeof(e);
	size_t size = *ret_size;

	if (wc_RsaFlattenPublicKey(key, e, &e_size, n, &n_size) != 0 ||
	    signature_recover(span_of(n, n_size), span_of(e, e_size), signature, ret, &size) < 0)
		return WC_KEY_SIZE_E;
	*ret_size = (word32)size;
	return 0;
}

/* NULL = a curve that we do not compute with. */
static const char *curve_name(int curve)
{
	switch (curve) {
	case ECC_SECP256R1:
		return "P-256";
	case ECC_SECP384R1:
		return "P-384";
	case ECC_SECP521R1:
		return "P-521";
	default:
		return NULL;
	}
}

static int verify(struct span digest, struct span signature, ecc_key *key, int *ret_good)
{
	const char *curve = curve_name(wc_ecc_get_curve_id(key->idx));
	uint8_t point[EC_KEY_POINT_MAX];
	word32 point_size = sizeof(point);

	if (!curve)
		return ECC_CURVE_OID_E;
	if (wc_ecc_export_x963(key, point, &point_size) != 0)
		return ECC_BAD_ARG_E;
	*ret_good = signature_is_ecdsa(curve, span_of(point, point_size), digest, signature);
	return 0;
}

static int answer_rsa(wc_CryptoInfo *operation)
{
	if (operation->pk.rsa.type != RSA_PUBLIC_DECRYPT)
		return CRYPTOCB_UNAVAILABLE;
	return recover(span_of(operation->pk.rsa.in, operation->pk.rsa.inLen),
		       operation->pk.rsa.key, operation->pk.rsa.out, operation->pk.rsa.outLen);
}

static int answer_key(wc_CryptoInfo *operation)
{
	switch (operation->pk.type) {
	case WC_PK_TYPE_RSA:
		return answer_rsa(operation);
	case WC_PK_TYPE_ECDSA_VERIFY:
		return verify(
			span_of(operation->pk.eccverify.hash, operation->pk.eccverify.hashlen),
			span_of(operation->pk.eccverify.sig, operation->pk.eccverify.siglen),
			operation->pk.eccverify.key, operation->pk.eccverify.res);
	case WC_PK_TYPE_EC_KEYGEN:
		return generate(operation->pk.eckg.key, operation->pk.eckg.curveId);
	case WC_PK_TYPE_ECDH:
		return exchange(operation->pk.ecdh.private_key, operation->pk.ecdh.public_key,
				operation->pk.ecdh.out, operation->pk.ecdh.outlen);
	default:
		return CRYPTOCB_UNAVAILABLE;
	}
}

/* wolfSSL computes itself what this function does not answer. */
static int answer(int device, wc_CryptoInfo *operation, void *owner)
{
	(void)device;
	(void)owner;
	switch (operation->algo_type) {
	case WC_ALGO_TYPE_PK:
		return answer_key(operation);
	case WC_ALGO_TYPE_RNG:
		return RAND_priv_bytes(operation->rng.out, (int)operation->rng.sz) == 1
			       ? 0
			       : RNG_FAILURE_E;
	case WC_ALGO_TYPE_SEED:
		return RAND_priv_bytes(operation->seed.seed, (int)operation->seed.sz) == 1
			       ? 0
			       : RNG_FAILURE_E;
	default:
		return CRYPTOCB_UNAVAILABLE;
	}
}

int tls_crypto_register(void)
{
	p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	return p256 && wc_CryptoCb_RegisterDevice(TLS_CRYPTO_DEVICE, answer, NULL) == 0 ? 0 : -EIO;
}
