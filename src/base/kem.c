/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/kem.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/macros.h"

#define PARAMETER_SEED "seed" /* EVP_PKEY-ML-KEM(7); headers before 3.5 do not name it */

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_use(EVP_PKEY_CTX **use)
{
	EVP_PKEY_CTX_free(*use);
}

/* A libcrypto without it leaves an error in its queue, which is nobody's. */
static EVP_PKEY_CTX *new_use(void)
{
	EVP_PKEY_CTX *use;

	(void)ERR_set_mark();
	use = EVP_PKEY_CTX_new_from_name(NULL, KEM_NAME, NULL);
	(void)ERR_pop_to_mark();
	return use;
}

bool kem_is_there(void)
{
	_cleanup_(free_use) EVP_PKEY_CTX *use = new_use();

	return use != NULL;
}

/* Either half of a key. -EBADMSG: libcrypto makes no key of it. */
static int import(EVP_PKEY **ret, const char *parameter, int selection, struct span bytes,
		  struct err *err)
{
	_cleanup_(free_use) EVP_PKEY_CTX *use = new_use();
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(parameter, (void *)(uintptr_t)bytes.bytes,
						  bytes.size),
		OSSL_PARAM_construct_end(),
	};
	bool good;

	if (!use)
		return err_set(err, -EOPNOTSUPP,
			       "this system's libcrypto has no " KEM_NAME
			       " (it came with OpenSSL 3.5)");
	(void)ERR_set_mark();
	good = EVP_PKEY_fromdata_init(use) == 1 &&
	       EVP_PKEY_fromdata(use, ret, selection, parameters) == 1;
	(void)ERR_pop_to_mark();
	return good ? 0
		    : err_set(err, -EBADMSG, "the %zu bytes are no " KEM_NAME " key", bytes.size);
}

int kem_public(const uint8_t seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
	       struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	uint8_t public[KEM_PUBLIC_SIZE];
	size_t size = 0;
	int rc = import(&key, PARAMETER_SEED, EVP_PKEY_KEYPAIR, span_of(seed, KEM_SEED_SIZE), err);

	if (rc < 0)
		return rc;
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public, sizeof(public),
					    &size) != 1 ||
	    size != sizeof(public))
		return err_set(err, -ENOMEM, KEM_NAME ": no public half of a key");
	memcpy(ret_public, public, sizeof(public));
	return 0;
}

int kem_generate(uint8_t ret_seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
		 struct err *err)
{
	uint8_t seed[KEM_SEED_SIZE];
	int rc = RAND_priv_bytes(seed, sizeof(seed)) == 1
			 ? kem_public(seed, ret_public, err)
			 : err_set(err, -ENOMEM, KEM_NAME ": no random numbers");

	if (rc == 0)
		memcpy(ret_seed, seed, sizeof(seed));
	OPENSSL_cleanse(seed, sizeof(seed));
	return rc;
}

int kem_encapsulate(struct span public, uint8_t ret_ciphertext[KEM_CIPHERTEXT_SIZE],
		    uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	_cleanup_(free_use) EVP_PKEY_CTX *use = NULL;
	uint8_t ciphertext[KEM_CIPHERTEXT_SIZE];
	uint8_t secret[KEM_SECRET_SIZE];
	size_t size = sizeof(ciphertext);
	size_t secret_size = sizeof(secret);
	int rc = import(&key, OSSL_PKEY_PARAM_PUB_KEY, EVP_PKEY_PUBLIC_KEY, public, err);

	if (rc < 0)
		return rc;
	use = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!use || EVP_PKEY_encapsulate_init(use, NULL) != 1 ||
	    EVP_PKEY_encapsulate(use, ciphertext, &size, secret, &secret_size) != 1 ||
	    size != sizeof(ciphertext) || secret_size != sizeof(secret)) {
		rc = err_set(err, -ENOMEM, KEM_NAME ": nothing can be encapsulated");
	} else {
		memcpy(ret_ciphertext, ciphertext, sizeof(ciphertext));
		memcpy(ret_secret, secret, sizeof(secret));
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return rc;
}

int kem_decapsulate(const uint8_t seed[KEM_SEED_SIZE], struct span ciphertext,
		    uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	_cleanup_(free_use) EVP_PKEY_CTX *use = NULL;
	uint8_t secret[KEM_SECRET_SIZE];
	size_t size = sizeof(secret);
	int rc = import(&key, PARAMETER_SEED, EVP_PKEY_KEYPAIR, span_of(seed, KEM_SEED_SIZE), err);

	if (rc < 0)
		return rc;
	if (ciphertext.size != KEM_CIPHERTEXT_SIZE)
		return err_set(err, -EBADMSG, KEM_NAME ": ciphertext of %zu bytes, expected %d",
			       ciphertext.size, KEM_CIPHERTEXT_SIZE);
	use = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!use || EVP_PKEY_decapsulate_init(use, NULL) != 1 ||
	    EVP_PKEY_decapsulate(use, secret, &size, ciphertext.bytes, ciphertext.size) != 1 ||
	    size != sizeof(secret))
		rc = err_set(err, -ENOMEM, KEM_NAME ": nothing can be decapsulated");
	else
		memcpy(ret_secret, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	return rc;
}
