/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/credential.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/enrolment/credential_ek.h"

#define INNER_SIZE (2 + CREDENTIAL_SECRET_SIZE) /* TPM2B_DIGEST */

/* The keys of a credential, and what they are derived from. */
struct keys {
	const struct credential_ek *ek;
	size_t hash_size; /* of EK's name algorithm */
	uint8_t seed[EVP_MAX_MD_SIZE];
	uint8_t aes[EVP_MAX_MD_SIZE];
	uint8_t hmac[EVP_MAX_MD_SIZE];
};

static void free_cipher(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
}

/* KDFa (Part 1, 11.4.10.2), one block of HMAC: SP 800-108 in counter mode. */
static int kdfa(const struct keys *keys, const char *label, struct span context, size_t size,
		uint8_t ret[EVP_MAX_MD_SIZE])
{
	uint8_t text[4 + 16 + CREDENTIAL_NAME_SIZE + 4] = {0, 0, 0, 1};
	size_t label_size = strlen(label) + 1; /* its final zero is the separator */
	size_t bits = 8 * size;
	uint8_t *at = text + 4;

	assert(size <= keys->hash_size);
	memcpy(at, label, label_size);
	at += label_size;
	memcpy(at, context.bytes, context.size);
	at += context.size;
	memcpy(at, (const uint8_t[]){0, 0, (uint8_t)(bits >> 8), (uint8_t)bits}, 4);
	at += 4;
	return HMAC(keys->ek->hash, keys->seed, (int)keys->hash_size, text, (size_t)(at - text),
		    ret, NULL)
		       ? 0
		       : -ENOMEM;
}

/* With an initialization vector of zeros: each seed is used once. */
static int encrypt_inner(const struct keys *keys, const uint8_t inner[INNER_SIZE],
			 uint8_t ret[INNER_SIZE])
{
	static const uint8_t zeros[EVP_MAX_IV_LENGTH];
	_cleanup_(free_cipher) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int size = 0;

	if (!cipher || EVP_EncryptInit_ex(cipher, keys->ek->cipher, NULL, keys->aes, zeros) != 1 ||
	    EVP_EncryptUpdate(cipher, ret, &size, inner, INNER_SIZE) != 1 || size != INNER_SIZE)
		return -ENOMEM;
	return 0;
}

static int derive(struct keys *keys, const uint8_t name[CREDENTIAL_NAME_SIZE])
{
	int rc = kdfa(keys, "STORAGE", span_of(name, CREDENTIAL_NAME_SIZE),
		      (size_t)EVP_CIPHER_get_key_length(keys->ek->cipher), keys->aes);

	return rc < 0 ? rc : kdfa(keys, "INTEGRITY", span_of(NULL, 0), keys->hash_size, keys->hmac);
}

/* TPM2B_ID_OBJECT: size, HMAC as TPM2B_DIGEST, the encrypted TPM2B_DIGEST. */
static int write_blob(struct message_bytes *ret, const struct keys *keys,
		      const uint8_t name[CREDENTIAL_NAME_SIZE], struct span secret)
{
	const size_t hash_size = keys->hash_size;
	uint8_t inner[INNER_SIZE] = {0, CREDENTIAL_SECRET_SIZE};
	uint8_t sealed[INNER_SIZE + CREDENTIAL_NAME_SIZE];
	uint8_t *hmac = ret->bytes + 4;
	int rc;

	memcpy(inner + 2, secret.bytes, CREDENTIAL_SECRET_SIZE);
	rc = encrypt_inner(keys, inner, sealed);
	OPENSSL_cleanse(inner, sizeof(inner));
	if (rc < 0)
		return rc;
	memcpy(sealed + INNER_SIZE, name, CREDENTIAL_NAME_SIZE);
	if (!HMAC(keys->ek->hash, keys->hmac, (int)hash_size, sealed, sizeof(sealed), hmac, NULL))
		return -ENOMEM;
	memcpy(ret->bytes,
	       (const uint8_t[]){0, (uint8_t)(2 + hash_size + INNER_SIZE), 0, (uint8_t)hash_size},
	       4);
	memcpy(hmac + hash_size, sealed, INNER_SIZE);
	ret->size = 4 + hash_size + INNER_SIZE;
	return 0;
}

int credential_make(struct message_credential *ret, const struct message_proof *proof,
		    const uint8_t name[CREDENTIAL_NAME_SIZE], struct span secret, struct err *err)
{
	_cleanup_(credential_ek_release) struct credential_ek ek = {0};
	struct keys keys = {.ek = &ek};
	int rc = credential_ek_read(&ek, span_of(proof->ek.bytes, proof->ek.size),
				    span_of(proof->ek_public.bytes, proof->ek_public.size), err);

	if (rc < 0)
		return rc;
	keys.hash_size = (size_t)EVP_MD_get_size(ek.hash);
	rc = credential_ek_make_seed(&ek, keys.seed, &ret->secret, err);
	if (rc < 0)
		return rc;
	rc = derive(&keys, name);
	if (rc == 0)
		rc = write_blob(&ret->blob, &keys, name, secret);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return rc < 0 ? err_set(err, rc, "credential: out of memory") : 0;
}

void credential_ak_release(struct credential_ak *ak)
{
	EVP_PKEY_free(ak->key);
	memset(ak, 0, sizeof(*ak));
}
