/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/encapsulation.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>

#include "base/kem.h"
#include "base/macros.h"

#define X25519_SIZE 32u

_Static_assert(ENCAPSULATION_PUBLIC_MAX >= KEM_PUBLIC_SIZE &&
		       ENCAPSULATION_PRIVATE_MAX >= KEM_SEED_SIZE &&
		       ENCAPSULATION_MAX >= KEM_CIPHERTEXT_SIZE &&
		       ENCAPSULATION_SECRET == KEM_SECRET_SIZE,
	       "room for each kind");

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

static int fail(const char *what, struct err *err)
{
	return err_set(err, -EIO, "%s: libcrypto refuses", what);
}

static int make_x25519(uint8_t *ret_public, uint8_t *ret_private, struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t public_size = X25519_SIZE;
	size_t private_size = X25519_SIZE;

	if (!key || EVP_PKEY_get_raw_public_key(key, ret_public, &public_size) != 1 ||
	    EVP_PKEY_get_raw_private_key(key, ret_private, &private_size) != 1)
		return fail("make an X25519 key", err);
	return 0;
}

static int publish_x25519(const uint8_t *private, uint8_t *ret_public, struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, X25519_SIZE);
	size_t size = X25519_SIZE;

	if (!key || EVP_PKEY_get_raw_public_key(key, ret_public, &size) != 1)
		return fail("read an X25519 key", err);
	return 0;
}

/* libcrypto refuses a public half that makes the same secret of every private one. */
static int agree(const uint8_t *private, const uint8_t *public,
		 uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *ours =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, X25519_SIZE);
	_cleanup_(free_key) EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, X25519_SIZE);
	_cleanup_(free_operation) EVP_PKEY_CTX *operation =
		ours ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
	size_t size = ENCAPSULATION_SECRET;

	if (!theirs || !operation || EVP_PKEY_derive_init(operation) != 1)
		return fail("agree on a key by X25519", err);
	if (EVP_PKEY_derive_set_peer(operation, theirs) != 1 ||
	    EVP_PKEY_derive(operation, ret_secret, &size) != 1)
		return err_set(err, -EBADMSG, "its X25519 key is none that a secret comes of");
	return 0;
}

static int encapsulate_x25519(const uint8_t *public, uint8_t *ret,
			      uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err)
{
	uint8_t private[X25519_SIZE];
	int rc = make_x25519(ret, private, err);

	if (rc == 0)
		rc = agree(private, public, ret_secret, err);
	OPENSSL_cleanse(private, sizeof(private));
	return rc;
}

static int decapsulate_x25519(const uint8_t *private, const uint8_t *encapsulated,
			      uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err)
{
	return agree(private, encapsulated, ret_secret, err);
}

static int make_ml_kem(uint8_t *ret_public, uint8_t *ret_private, struct err *err)
{
	return kem_generate(ret_private, ret_public, err);
}

static int publish_ml_kem(const uint8_t *private, uint8_t *ret_public, struct err *err)
{
	return kem_public(private, ret_public, err);
}

static int encapsulate_ml_kem(const uint8_t *public, uint8_t *ret,
			      uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err)
{
	return kem_encapsulate(span_of(public, KEM_PUBLIC_SIZE), ret, ret_secret, err);
}

static int decapsulate_ml_kem(const uint8_t *private, const uint8_t *encapsulated,
			      uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err)
{
	return kem_decapsulate(private, span_of(encapsulated, KEM_CIPHERTEXT_SIZE), ret_secret,
			       err);
}

/* From the innermost; those that a libcrypto may lack are the last. */
static const struct encapsulation kinds[] = {
	{ENCAPSULATION_X25519, "x25519", "steward-sealed x25519", X25519_SIZE, X25519_SIZE,
	 X25519_SIZE, make_x25519, publish_x25519, encapsulate_x25519, decapsulate_x25519},
	{ENCAPSULATION_ML_KEM_768, "ml-kem-768", "steward-sealed ml-kem-768", KEM_PUBLIC_SIZE,
	 KEM_SEED_SIZE, KEM_CIPHERTEXT_SIZE, make_ml_kem, publish_ml_kem, encapsulate_ml_kem,
	 decapsulate_ml_kem},
};

static bool is_there(const struct encapsulation *kind)
{
	return kind->kind != ENCAPSULATION_ML_KEM_768 || kem_is_there();
}

const struct encapsulation *encapsulation_of(unsigned kind)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if ((unsigned)kinds[i].kind == kind && is_there(&kinds[i]))
			return &kinds[i];
	return NULL;
}

const struct encapsulation *encapsulation_at(size_t i)
{
	return i < N_ELEMENTS(kinds) && is_there(&kinds[i]) ? &kinds[i] : NULL;
}
