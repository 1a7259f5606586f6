/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/credential.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/key_bounds.h"

#define SEED_SIZE   32 /* of EK's nameAlg, SHA-256 */
#define AES_SIZE    16
#define INNER_SIZE  (2 + CREDENTIAL_SECRET_SIZE) /* TPM2B_DIGEST */
#define DIGEST_SIZE 32

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_key_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

static void free_cipher(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
}

/* KDFa (Part 1, 11.4.10.2), one block of HMAC-SHA256: SP 800-108 in counter mode. */
static int kdfa(const uint8_t seed[SEED_SIZE], const char *label, struct span context,
		uint8_t bits_high, uint8_t bits_low, uint8_t ret[DIGEST_SIZE])
{
	uint8_t text[4 + 16 + CREDENTIAL_NAME_SIZE + 4] = {0, 0, 0, 1};
	size_t label_size = strlen(label) + 1; /* its final zero is the separator */
	uint8_t *at = text + 4;

	memcpy(at, label, label_size);
	at += label_size;
	memcpy(at, context.bytes, context.size);
	at += context.size;
	memcpy(at, (const uint8_t[]){0, 0, bits_high, bits_low}, 4);
	at += 4;
	return HMAC(EVP_sha256(), seed, SEED_SIZE, text, (size_t)(at - text), ret, NULL) ? 0
											 : -ENOMEM;
}

/* With an initialization vector of zeros: each seed is used once. */
static int encrypt_inner(const uint8_t key[AES_SIZE], const uint8_t inner[INNER_SIZE],
			 uint8_t ret[INNER_SIZE])
{
	static const uint8_t zeros[AES_SIZE];
	_cleanup_(free_cipher) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int size = 0;

	if (!cipher || EVP_EncryptInit_ex(cipher, EVP_aes_128_cfb128(), NULL, key, zeros) != 1 ||
	    EVP_EncryptUpdate(cipher, ret, &size, inner, INNER_SIZE) != 1 || size != INNER_SIZE)
		return -ENOMEM;
	return 0;
}

/* TPM2B_ID_OBJECT: size, HMAC as TPM2B_DIGEST, the encrypted TPM2B_DIGEST. */
static int write_blob(struct message_bytes *ret, const uint8_t seed[SEED_SIZE],
		      const uint8_t name[CREDENTIAL_NAME_SIZE], struct span secret)
{
	uint8_t aes_key[DIGEST_SIZE];
	uint8_t hmac_key[DIGEST_SIZE];
	uint8_t inner[INNER_SIZE] = {0, CREDENTIAL_SECRET_SIZE};
	uint8_t sealed[INNER_SIZE + CREDENTIAL_NAME_SIZE];
	uint8_t *hmac = ret->bytes + 4;
	int rc;

	memcpy(inner + 2, secret.bytes, CREDENTIAL_SECRET_SIZE);
	rc = kdfa(seed, "STORAGE", span_of(name, CREDENTIAL_NAME_SIZE), 0, 128, aes_key);
	if (rc == 0)
		rc = encrypt_inner(aes_key, inner, sealed);
	if (rc == 0)
		rc = kdfa(seed, "INTEGRITY", span_of(NULL, 0), 1, 0, hmac_key);
	if (rc == 0) {
		memcpy(sealed + INNER_SIZE, name, CREDENTIAL_NAME_SIZE);
		if (!HMAC(EVP_sha256(), hmac_key, DIGEST_SIZE, sealed, sizeof(sealed), hmac, NULL))
			rc = -ENOMEM;
	}
	memcpy(ret->bytes, (const uint8_t[]){0, 2 + DIGEST_SIZE + INNER_SIZE, 0, DIGEST_SIZE}, 4);
	memcpy(hmac + DIGEST_SIZE, sealed, INNER_SIZE);
	ret->size = 4 + DIGEST_SIZE + INNER_SIZE;
	OPENSSL_cleanse(aes_key, sizeof(aes_key));
	OPENSSL_cleanse(hmac_key, sizeof(hmac_key));
	OPENSSL_cleanse(inner, sizeof(inner));
	return rc;
}

/* TPM2B_ENCRYPTED_SECRET: the seed in RSA-OAEP (Part 1, B.10.3), whose label has its final zero. */
static int write_seed(struct message_bytes *ret, EVP_PKEY *ek, const uint8_t seed[SEED_SIZE])
{
	_cleanup_(free_key_operation) EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(ek, NULL);
	void *label = OPENSSL_memdup("IDENTITY", 9);
	size_t size = sizeof(ret->bytes) - 2;

	if (!operation || !label || EVP_PKEY_encrypt_init(operation) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(operation, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(operation, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set0_rsa_oaep_label(operation, label, 9) != 1) {
		OPENSSL_free(label);
		return -ENOMEM;
	}
	/* From here on the label is the operation's. */
	if (EVP_PKEY_encrypt(operation, ret->bytes + 2, &size, seed, SEED_SIZE) != 1)
		return -ENOMEM;
	ret->bytes[0] = (uint8_t)(size >> 8);
	ret->bytes[1] = (uint8_t)size;
	ret->size = size + 2;
	return 0;
}

static EVP_PKEY *read_ek(struct span der)
{
	const uint8_t *at = der.bytes;
	EVP_PKEY *key;

	if (key_bounds_check("EK", der, NULL) < 0)
		return NULL;
	key = d2i_PUBKEY(NULL, &at, (long)der.size);
	if (key && at == der.bytes + der.size && EVP_PKEY_is_a(key, "RSA"))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

int credential_make(struct message_credential *ret, struct span ek,
		    const uint8_t name[CREDENTIAL_NAME_SIZE], struct span secret, struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = read_ek(ek);
	uint8_t seed[SEED_SIZE];
	int rc;

	if (!key)
		return err_set(err, -EINVAL, "EK: expected an RSA key of %d to %d bits in DER",
			       KEY_BOUNDS_RSA_MIN, KEY_BOUNDS_RSA_MAX);
	if (RAND_priv_bytes(seed, sizeof(seed)) != 1)
		return err_set(err, -EIO, "no random numbers");
	rc = write_blob(&ret->blob, seed, name, secret);
	if (rc == 0)
		rc = write_seed(&ret->secret, key, seed);
	OPENSSL_cleanse(seed, sizeof(seed));
	return rc < 0 ? err_set(err, rc, "credential: out of memory") : 0;
}

void credential_ak_release(struct credential_ak *ak)
{
	EVP_PKEY_free(ak->key);
	memset(ak, 0, sizeof(*ak));
}
