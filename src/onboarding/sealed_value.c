/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/sealed_value.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/hkdf.h"
#include "base/macros.h"

#define MAGIC       "SWS1"
#define CONTEXT     "steward-sealed 1"
#define MAGIC_SIZE  4u
#define ENTRY_SIZE  (1u + SEALING_ID_SIZE)
#define KEY_SIZE    32u
#define TAG_SIZE    16u
#define DIGEST_SIZE 32u
#define LAYER_MAX                                                                                  \
	(KEY_SIZE + (size_t)SEALING_KEYS_MAX * (ENCAPSULATION_MAX + TAG_SIZE)) /* the outermost */

static size_t head_size(size_t n_keys)
{
	return MAGIC_SIZE + 1 + n_keys * ENTRY_SIZE;
}

static void free_cipher(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
}

static void free_digest(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

static const uint8_t nonce[12];

/* ret: as many bytes, and the tag. */
static int encrypt(const uint8_t key[KEY_SIZE], const uint8_t context[DIGEST_SIZE],
		   struct span bytes, uint8_t *ret, struct err *err)
{
	_cleanup_(free_cipher) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int size = 0;

	if (!cipher || EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
	    EVP_EncryptUpdate(cipher, NULL, &size, context, DIGEST_SIZE) != 1 ||
	    EVP_EncryptUpdate(cipher, ret, &size, bytes.bytes, (int)bytes.size) != 1 ||
	    EVP_EncryptFinal_ex(cipher, ret + size, &size) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, ret + bytes.size) != 1)
		return err_set(err, -ENOMEM, "seal: libcrypto refuses");
	return 0;
}

/* bytes: with the tag. -EBADMSG; ret has nothing of use then. */
static int decrypt(const uint8_t key[KEY_SIZE], const uint8_t context[DIGEST_SIZE],
		   struct span bytes, uint8_t *ret, struct err *err)
{
	_cleanup_(free_cipher) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	const size_t plain = bytes.size - TAG_SIZE;
	uint8_t tag[TAG_SIZE];
	int size = 0;

	memcpy(tag, bytes.bytes + plain, TAG_SIZE);
	if (!cipher || EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
	    EVP_DecryptUpdate(cipher, NULL, &size, context, DIGEST_SIZE) != 1 ||
	    EVP_DecryptUpdate(cipher, ret, &size, bytes.bytes, (int)plain) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1)
		return err_set(err, -ENOMEM, "open: libcrypto refuses");
	if (EVP_DecryptFinal_ex(cipher, ret + plain, &size) != 1)
		return err_set(err, -EBADMSG,
			       "the sealed value was changed, or is of another router, leaf or "
			       "version");
	return 0;
}

static bool add_text(EVP_MD_CTX *digest, const char *text)
{
	const size_t size = strlen(text);
	const uint8_t length[2] = {(uint8_t)(size >> 8), (uint8_t)size};

	return EVP_DigestUpdate(digest, length, sizeof(length)) == 1 &&
	       EVP_DigestUpdate(digest, text, size) == 1;
}

/* C of the header. head: the first bytes of what is sealed. */
static int digest_place(struct span head, const struct sealed_place *place,
			uint8_t ret[DIGEST_SIZE], struct err *err)
{
	_cleanup_(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t version[8];

	if (strlen(place->router) > SEALED_PLACE_SIZE || strlen(place->path) > SEALED_PLACE_SIZE)
		return err_set(err, -EINVAL, "the names of a place are too long");
	for (size_t i = 0; i < sizeof(version); i++)
		version[i] = (uint8_t)(place->version >> (8 * (sizeof(version) - 1 - i)));
	if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(digest, CONTEXT, sizeof(CONTEXT)) != 1 ||
	    EVP_DigestUpdate(digest, head.bytes, head.size) != 1 ||
	    !add_text(digest, place->router) || !add_text(digest, place->path) ||
	    EVP_DigestUpdate(digest, version, sizeof(version)) != 1 ||
	    EVP_DigestFinal_ex(digest, ret, NULL) != 1)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* The key of one layer. */
static int derive(const struct sealing_key *key, const uint8_t context[DIGEST_SIZE],
		  const uint8_t *encapsulated, const uint8_t secret[ENCAPSULATION_SECRET],
		  uint8_t ret[KEY_SIZE], struct err *err)
{
	_cleanup_(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t salt[DIGEST_SIZE];

	if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(digest, context, DIGEST_SIZE) != 1 ||
	    EVP_DigestUpdate(digest, key->public, key->kind->public_size) != 1 ||
	    EVP_DigestUpdate(digest, encapsulated, key->kind->size) != 1 ||
	    EVP_DigestFinal_ex(digest, salt, NULL) != 1 ||
	    hkdf_sha256(HKDF_EXTRACT_AND_EXPAND, span_of(secret, ENCAPSULATION_SECRET),
			span_of(salt, sizeof(salt)), key->kind->label, ret) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* Puts one more layer around *size bytes of layer. */
static int wrap(const struct sealing_key *key, const uint8_t context[DIGEST_SIZE],
		uint8_t layer[LAYER_MAX], size_t *size, struct err *err)
{
	uint8_t secret[ENCAPSULATION_SECRET];
	uint8_t derived[KEY_SIZE];
	uint8_t inner[LAYER_MAX];
	int rc;

	memcpy(inner, layer, *size);
	rc = key->kind->encapsulate(key->public, layer, secret, err);
	if (rc == 0)
		rc = derive(key, context, layer, secret, derived, err);
	if (rc == 0)
		rc = encrypt(derived, context, span_of(inner, *size), layer + key->kind->size, err);
	if (rc == 0)
		*size += key->kind->size + TAG_SIZE;
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(derived, sizeof(derived));
	OPENSSL_cleanse(inner, sizeof(inner));
	return rc;
}

/* Takes one away. */
static int unwrap(const struct sealing_key *key, const uint8_t context[DIGEST_SIZE],
		  uint8_t layer[LAYER_MAX], size_t *size, struct err *err)
{
	const size_t left = *size - key->kind->size;
	uint8_t secret[ENCAPSULATION_SECRET];
	uint8_t derived[KEY_SIZE];
	uint8_t inner[LAYER_MAX];
	int rc = key->kind->decapsulate(key->private, layer, secret, err);

	if (rc == 0)
		rc = derive(key, context, layer, secret, derived, err);
	if (rc == 0)
		rc = decrypt(derived, context, span_of(layer + key->kind->size, left), inner, err);
	if (rc == 0) {
		*size = left - TAG_SIZE;
		memcpy(layer, inner, *size);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(derived, sizeof(derived));
	OPENSSL_cleanse(inner, sizeof(inner));
	return rc;
}

static void write_head(const struct sealing_keys *keys, uint8_t *ret)
{
	memcpy(ret, MAGIC, MAGIC_SIZE);
	ret[MAGIC_SIZE] = (uint8_t)keys->n;
	ret += MAGIC_SIZE + 1;
	for (size_t i = 0; i < keys->n; i++, ret += ENTRY_SIZE) {
		ret[0] = (uint8_t)keys->keys[i].kind->kind;
		memcpy(ret + 1, keys->keys[i].id, SEALING_ID_SIZE);
	}
}

/* The wrapped key of K, in layer. */
static int wrap_all(const struct sealing_keys *keys, const uint8_t context[DIGEST_SIZE],
		    const uint8_t key[KEY_SIZE], uint8_t layer[LAYER_MAX], size_t *ret_size,
		    struct err *err)
{
	size_t size = KEY_SIZE;
	int rc = 0;

	memcpy(layer, key, KEY_SIZE);
	for (size_t i = 0; rc == 0 && i < keys->n; i++)
		rc = wrap(&keys->keys[i], context, layer, &size, err);
	if (rc == 0)
		*ret_size = size;
	return rc;
}

static int put_together(struct span head, struct span layer, const uint8_t key[KEY_SIZE],
			const uint8_t context[DIGEST_SIZE], struct span value, uint8_t **ret,
			size_t *ret_size, struct err *err)
{
	const size_t size = head.size + layer.size + value.size + TAG_SIZE;
	uint8_t *sealed = malloc(size);
	int rc;

	if (!sealed)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(sealed, head.bytes, head.size);
	memcpy(sealed + head.size, layer.bytes, layer.size);
	rc = encrypt(key, context, value, sealed + head.size + layer.size, err);
	if (rc < 0) {
		free(sealed);
		return rc;
	}
	*ret = sealed;
	*ret_size = size;
	return 0;
}

int sealed_value_seal(const struct sealing_keys *keys, const struct sealed_place *place,
		      struct span value, uint8_t **ret, size_t *ret_size, struct err *err)
{
	uint8_t head[MAGIC_SIZE + 1 + SEALING_KEYS_MAX * ENTRY_SIZE];
	const struct span header = span_of(head, head_size(keys->n));
	uint8_t context[DIGEST_SIZE];
	uint8_t layer[LAYER_MAX];
	uint8_t key[KEY_SIZE];
	size_t size = 0;
	int rc;

	if (value.size > SEALED_VALUE_MAX)
		return err_set(err, -EINVAL, "a secret of %zu bytes: at most %zu can be sealed",
			       value.size, SEALED_VALUE_MAX);
	write_head(keys, head);
	rc = digest_place(header, place, context, err);
	if (rc == 0 && RAND_priv_bytes(key, sizeof(key)) != 1)
		rc = err_set(err, -EIO, "no random bytes");
	if (rc == 0)
		rc = wrap_all(keys, context, key, layer, &size, err);
	if (rc == 0)
		rc = put_together(header, span_of(layer, size), key, context, value, ret, ret_size,
				  err);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(layer, sizeof(layer));
	return rc;
}

struct opened {
	const struct sealing_key *keys[SEALING_KEYS_MAX]; /* NULL = not among ours */
	size_t n;
	size_t layer_size;
};

/* What it says of itself. -EBADMSG. */
static int read_head(struct span sealed, const struct sealing_keys *keys, struct opened *ret,
		     struct err *err)
{
	const uint8_t *at = sealed.bytes + MAGIC_SIZE + 1;

	if (sealed.size < MAGIC_SIZE + 1 || memcmp(sealed.bytes, MAGIC, MAGIC_SIZE) != 0)
		return err_set(err, -EBADMSG, "this is no sealed value");
	ret->n = sealed.bytes[MAGIC_SIZE];
	if (ret->n < 1 || ret->n > SEALING_KEYS_MAX || sealed.size < head_size(ret->n))
		return err_set(err, -EBADMSG, "a sealed value for %zu keys, or a part of one",
			       ret->n);
	ret->layer_size = KEY_SIZE;
	for (size_t i = 0; i < ret->n; i++, at += ENTRY_SIZE) {
		const struct encapsulation *kind = encapsulation_of(at[0]);
		const struct sealing_key *key = sealing_keys_find(keys, at + 1);

		ret->keys[i] = key && key->kind == kind ? key : NULL;
		ret->layer_size += kind ? kind->size + TAG_SIZE : 0;
	}
	if (sealed.size > SEALED_SIZE_MAX ||
	    sealed.size < head_size(ret->n) + ret->layer_size + TAG_SIZE)
		return err_set(err, -EBADMSG, "a sealed value of %zu bytes", sealed.size);
	return 0;
}

static bool has_all_keys(const struct opened *opened)
{
	for (size_t i = 0; i < opened->n; i++)
		if (!opened->keys[i])
			return false;
	return true;
}

bool sealed_value_is_for(struct span sealed, const struct sealing_keys *keys)
{
	struct opened opened;

	return read_head(sealed, keys, &opened, NULL) == 0 && has_all_keys(&opened);
}

/* K, in layer. */
static int unwrap_all(const struct opened *opened, const uint8_t context[DIGEST_SIZE],
		      uint8_t layer[LAYER_MAX], struct err *err)
{
	size_t size = opened->layer_size;
	int rc = 0;

	for (size_t i = opened->n; rc == 0 && i-- > 0;)
		rc = unwrap(opened->keys[i], context, layer, &size, err);
	return rc;
}

static int open_value(const uint8_t key[KEY_SIZE], const uint8_t context[DIGEST_SIZE],
		      struct span sealed, char **ret, size_t *ret_size, struct err *err)
{
	const size_t size = sealed.size - TAG_SIZE;
	char *value = calloc(1, size + 1);
	int rc;

	if (!value)
		return err_set(err, -ENOMEM, "out of memory");
	rc = decrypt(key, context, sealed, (uint8_t *)value, err);
	if (rc < 0) {
		OPENSSL_cleanse(value, size);
		free(value);
		return rc;
	}
	*ret = value;
	*ret_size = size;
	return 0;
}

int sealed_value_open(const struct sealing_keys *keys, const struct sealed_place *place,
		      struct span sealed, char **ret, size_t *ret_size, struct err *err)
{
	uint8_t context[DIGEST_SIZE];
	uint8_t layer[LAYER_MAX];
	struct opened opened;
	size_t head;
	int rc = read_head(sealed, keys, &opened, err);

	if (rc < 0)
		return rc;
	if (!keys->has_private || !has_all_keys(&opened))
		return err_set(err, -ENOKEY, "it is sealed to other keys");
	head = head_size(opened.n);
	rc = digest_place(span_of(sealed.bytes, head), place, context, err);
	if (rc < 0)
		return rc;
	memcpy(layer, sealed.bytes + head, opened.layer_size);
	rc = unwrap_all(&opened, context, layer, err);
	if (rc == 0)
		rc = open_value(layer, context,
				span_of(sealed.bytes + head + opened.layer_size,
					sealed.size - head - opened.layer_size),
				ret, ret_size, err);
	OPENSSL_cleanse(layer, sizeof(layer));
	return rc;
}
