/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/signature_check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/ec_key.h"
#include "base/macros.h"
#include "base/rsa_key.h"
#include "onboarding/key_bounds.h"

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

int signature_recover(struct span modulus, struct span exponent, struct span signature,
		      uint8_t *ret, size_t *size)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	_cleanup_(free_operation) EVP_PKEY_CTX *operation = NULL;
	unsigned e = 0;

	if (key_bounds_check_rsa("signature", modulus, exponent, KEY_BOUNDS_RSA_CA_MAX, NULL) < 0)
		return -EKEYREJECTED;
	for (size_t i = 0; i < exponent.size; i++)
		e = e << 8 | exponent.bytes[i];
	key = rsa_key_new(modulus, e);
	operation = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	if (!operation || EVP_PKEY_encrypt_init(operation) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(operation, RSA_NO_PADDING) != 1)
		return -ENOMEM;
	/* Encrypting without padding is RSA's public operation and nothing else, which is what
	 * recovers the signed text. */
	if (EVP_PKEY_encrypt(operation, ret, size, signature.bytes, signature.size) == 1)
		return 0;
	ERR_clear_error();
	return -EBADMSG;
}

bool signature_is_ecdsa(const char *curve, struct span point, struct span digest,
			struct span signature)
{
	_cleanup_(free_key) EVP_PKEY *key = ec_key_new(curve, point);
	_cleanup_(free_operation) EVP_PKEY_CTX *operation =
		key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool good = operation && EVP_PKEY_verify_init(operation) == 1 &&
		    EVP_PKEY_verify(operation, signature.bytes, signature.size, digest.bytes,
				    digest.size) == 1;

	ERR_clear_error();
	return good;
}
