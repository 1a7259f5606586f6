/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt_wrapped.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "base/secret.h"

#define KEY_SIZE  32 /* of each but the directory's */
#define IV_SIZE   16
#define HMAC_SIZE 32

/* Protocol Buffers: a field is a tag, number << 3 | type, and its value. */
enum { TYPE_NUMBER = 0, TYPE_8_BYTES = 1, TYPE_BYTES = 2, TYPE_4_BYTES = 5 };

struct field {
	unsigned number, type;
	uint64_t value;    /* of a number */
	struct span bytes; /* of bytes */
};

static bool take_number(struct span *rest, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
		const uint8_t byte = rest->bytes[0];

		*rest = span_of(rest->bytes + 1, rest->size - 1);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct span *rest, uint64_t size, struct span *ret)
{
	if (size > rest->size)
		return false;
	*ret = span_of(rest->bytes, (size_t)size);
	*rest = span_of(rest->bytes + size, rest->size - (size_t)size);
	return true;
}

/* Reads a tag of one byte only: the numbers that we and the tool use need no more. */
static bool take_field(struct span *rest, struct field *ret)
{
	struct field field = {0};
	uint64_t size = 0;

	if (rest->size == 0 || rest->bytes[0] >= 0x80)
		return false;
	field.number = rest->bytes[0] >> 3;
	field.type = rest->bytes[0] & 7;
	*rest = span_of(rest->bytes + 1, rest->size - 1);
	*ret = field;
	switch (field.type) {
	case TYPE_NUMBER:
		return take_number(rest, &ret->value);
	case TYPE_8_BYTES:
		return take_bytes(rest, 8, &ret->bytes);
	case TYPE_4_BYTES:
		return take_bytes(rest, 4, &ret->bytes);
	case TYPE_BYTES:
		return take_number(rest, &size) && take_bytes(rest, size, &ret->bytes);
	default:
		return false;
	}
}

/* Finds the last field of this number: in Protocol Buffers the last one counts. If there is none,
 * the result is empty, which no field of ours is. */
static bool find_field(struct span message, unsigned number, struct field *ret)
{
	struct field field;

	*ret = (struct field){.bytes = span_of(NULL, 0)};
	while (message.size > 0) {
		if (!take_field(&message, &field))
			return false;
		if (field.number == number)
			*ret = field;
	}
	return true;
}

static int read_wrapped(struct span message, size_t key_size, struct fscrypt_wrapped *ret)
{
	struct field iv, encrypted, hmac;

	if (!find_field(message, 1, &iv) || !find_field(message, 2, &encrypted) ||
	    !find_field(message, 3, &hmac) || iv.bytes.size != IV_SIZE ||
	    encrypted.bytes.size != key_size || hmac.bytes.size != HMAC_SIZE)
		return -EBADMSG;
	ret->iv = iv.bytes;
	ret->encrypted = encrypted.bytes;
	ret->hmac = hmac.bytes;
	return 0;
}

static int read_policy_key(struct span message, struct fscrypt_wrapped *ret)
{
	struct fscrypt_wrapped w = {0};
	struct field descriptor, wrapped;
	int rc;

	if (!find_field(message, 1, &descriptor) || !find_field(message, 2, &wrapped) ||
	    descriptor.bytes.size != FSCRYPT_DESCRIPTOR_SIZE)
		return -EBADMSG;
	/* The descriptor becomes a part of a path, so it may only consist of hex digits. */
	for (size_t i = 0; i < FSCRYPT_DESCRIPTOR_SIZE; i++)
		if (hex_value((char)descriptor.bytes.bytes[i]) < 0)
			return -EBADMSG;
	memcpy(w.descriptor, descriptor.bytes.bytes, FSCRYPT_DESCRIPTOR_SIZE);
	rc = read_wrapped(wrapped.bytes, FSCRYPT_DIRECTORY_KEY_SIZE, &w);
	if (rc == 0)
		*ret = w;
	return rc;
}

int fscrypt_wrapped_by(struct span policy, size_t i, struct fscrypt_wrapped *ret)
{
	struct field field;

	while (policy.size > 0) {
		if (!take_field(&policy, &field))
			return -EBADMSG;
		if (field.number == 3 && field.type == TYPE_BYTES && i-- == 0)
			return read_policy_key(field.bytes, ret);
	}
	return -ENOENT;
}

static void free_kdf(EVP_KDF **kdf)
{
	EVP_KDF_free(*kdf);
}

static void free_kdf_context(EVP_KDF_CTX **context)
{
	EVP_KDF_CTX_free(*context);
}

static void free_cipher_context(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

/* The first half is the key that encrypts, the second the key that authenticates. OSSL_PARAM's
 * types have no const. */
static bool stretch(uint8_t key[KEY_SIZE], uint8_t ret[2 * KEY_SIZE])
{
	_cleanup_(free_kdf) EVP_KDF *hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	_cleanup_(free_kdf_context) EVP_KDF_CTX *context = hkdf ? EVP_KDF_CTX_new(hkdf) : NULL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, KEY_SIZE),
		OSSL_PARAM_construct_end(),
	};

	return context && EVP_KDF_derive(context, ret, (size_t)2 * KEY_SIZE, params) == 1;
}

static bool is_authentic(const uint8_t key[KEY_SIZE], const struct fscrypt_wrapped *w)
{
	uint8_t text[IV_SIZE + FSCRYPT_DIRECTORY_KEY_SIZE];
	uint8_t hmac[HMAC_SIZE];
	unsigned size = 0;

	memcpy(text, w->iv.bytes, IV_SIZE);
	memcpy(text + IV_SIZE, w->encrypted.bytes, w->encrypted.size);
	return HMAC(EVP_sha256(), key, KEY_SIZE, text, IV_SIZE + w->encrypted.size, hmac, &size) &&
	       size == HMAC_SIZE && CRYPTO_memcmp(hmac, w->hmac.bytes, HMAC_SIZE) == 0;
}

static bool decrypt(const uint8_t key[KEY_SIZE], const struct fscrypt_wrapped *w, uint8_t *ret)
{
	_cleanup_(free_cipher_context) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int size = 0;

	return context &&
	       EVP_DecryptInit_ex(context, EVP_aes_256_ctr(), NULL, key, w->iv.bytes) == 1 &&
	       EVP_DecryptUpdate(context, ret, &size, w->encrypted.bytes, (int)w->encrypted.size) ==
		       1 &&
	       (size_t)size == w->encrypted.size;
}

static int unwrap(const struct fscrypt_wrapped *w, uint8_t key[KEY_SIZE], uint8_t *ret)
{
	uint8_t keys[2 * KEY_SIZE];
	int rc = stretch(key, keys) ? 0 : -EIO;

	if (rc == 0 && !is_authentic(keys + KEY_SIZE, w))
		rc = -EKEYREJECTED;
	if (rc == 0 && !decrypt(keys, w, ret))
		rc = -EIO;
	explicit_bzero(keys, sizeof(keys));
	return rc;
}

int fscrypt_unwrap(const struct fscrypt_wrapped *w, struct span protector,
		   const uint8_t fek[FSCRYPT_FEK_SIZE], uint8_t ret[FSCRYPT_DIRECTORY_KEY_SIZE])
{
	enum { RAW_KEY = 3 };

	struct fscrypt_wrapped of_protector = {0};
	struct field source, wrapped;
	uint8_t key[KEY_SIZE];
	int rc;

	if (!find_field(protector, 2, &source) || !find_field(protector, 7, &wrapped))
		return -EBADMSG;
	if (source.value != RAW_KEY)
		return -EOPNOTSUPP;
	rc = read_wrapped(wrapped.bytes, KEY_SIZE, &of_protector);
	secret_copy(key, fek, KEY_SIZE);
	if (rc == 0)
		rc = unwrap(&of_protector, key, key);
	if (rc == 0)
		rc = unwrap(w, key, ret);
	explicit_bzero(key, sizeof(key));
	return rc;
}
