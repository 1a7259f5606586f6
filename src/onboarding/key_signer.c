/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/key_signer.h"

#include <errno.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/macros.h"

static void free_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

static const EVP_MD *digest_of_size(size_t size)
{
	switch (size) {
	case 32:
		return EVP_sha256();
	case 48:
		return EVP_sha384();
	case 64:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static bool use_padding(EVP_PKEY_CTX *operation)
{
	return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int sign(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	_cleanup_(free_operation) EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(owner, NULL);
	const EVP_MD *kind = digest_of_size(digest.size);

	if (!operation || !kind)
		return operation ? -EINVAL : -ENOMEM;
	if (EVP_PKEY_sign_init(operation) != 1 ||
	    (EVP_PKEY_is_a(owner, "RSA") && !use_padding(operation)) ||
	    EVP_PKEY_CTX_set_signature_md(operation, kind) != 1 ||
	    EVP_PKEY_sign(operation, ret, size, digest.bytes, digest.size) != 1)
		return -EIO;
	return 0;
}

struct tls_signer key_signer(EVP_PKEY *key)
{
	return (struct tls_signer){.sign = sign, .owner = key};
}

int key_signer_public(EVP_PKEY *key, uint8_t **ret, size_t *ret_size)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);

	if (size <= 0)
		return -ENOMEM;
	*ret = der;
	*ret_size = (size_t)size;
	return 0;
}
