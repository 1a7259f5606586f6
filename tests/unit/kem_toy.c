/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kem_toy.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/kem.h"

static enum kem_toy mode;

bool __real_kem_is_there(void);
int __real_kem_generate(uint8_t ret_seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
			struct err *err);
int __real_kem_encapsulate(struct span public, uint8_t ret_ciphertext[KEM_CIPHERTEXT_SIZE],
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);
int __real_kem_decapsulate(const uint8_t seed[KEM_SEED_SIZE], struct span ciphertext,
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);

bool __wrap_kem_is_there(void);
int __wrap_kem_generate(uint8_t ret_seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
			struct err *err);
int __wrap_kem_encapsulate(struct span public, uint8_t ret_ciphertext[KEM_CIPHERTEXT_SIZE],
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);
int __wrap_kem_decapsulate(const uint8_t seed[KEM_SEED_SIZE], struct span ciphertext,
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);

void kem_toy_set(enum kem_toy how)
{
	mode = how;
}

static bool is_toy(void)
{
	return mode == KEM_THERE && !__real_kem_is_there();
}

bool __wrap_kem_is_there(void)
{
	return mode != KEM_MISSING && (mode == KEM_THERE || __real_kem_is_there());
}

static void make_public(const uint8_t seed[KEM_SEED_SIZE], uint8_t ret[KEM_PUBLIC_SIZE])
{
	memset(ret, 0, KEM_PUBLIC_SIZE);
	(void)EVP_Digest(seed, KEM_SEED_SIZE, ret, NULL, EVP_sha256(), NULL);
}

static void make_secret(const uint8_t *public, const uint8_t *ciphertext, uint8_t *ret)
{
	uint8_t text[KEM_PUBLIC_SIZE + KEM_CIPHERTEXT_SIZE];

	memcpy(text, public, KEM_PUBLIC_SIZE);
	memcpy(text + KEM_PUBLIC_SIZE, ciphertext, KEM_CIPHERTEXT_SIZE);
	(void)EVP_Digest(text, sizeof(text), ret, NULL, EVP_sha256(), NULL);
}

int __wrap_kem_generate(uint8_t ret_seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
			struct err *err)
{
	if (!is_toy())
		return __real_kem_generate(ret_seed, ret_public, err);
	(void)RAND_bytes(ret_seed, KEM_SEED_SIZE);
	make_public(ret_seed, ret_public);
	return 0;
}

int __wrap_kem_encapsulate(struct span public, uint8_t ret_ciphertext[KEM_CIPHERTEXT_SIZE],
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err)
{
	if (!is_toy())
		return __real_kem_encapsulate(public, ret_ciphertext, ret_secret, err);
	/* A real one is no such bytes either. */
	if (public.size != KEM_PUBLIC_SIZE || public.bytes[KEM_PUBLIC_SIZE - 40] == 0xff)
		return err_set(err, -EBADMSG, "no key");
	(void)RAND_bytes(ret_ciphertext, KEM_CIPHERTEXT_SIZE);
	make_secret(public.bytes, ret_ciphertext, ret_secret);
	return 0;
}

int __wrap_kem_decapsulate(const uint8_t seed[KEM_SEED_SIZE], struct span ciphertext,
			   uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err)
{
	uint8_t public[KEM_PUBLIC_SIZE];

	if (!is_toy())
		return __real_kem_decapsulate(seed, ciphertext, ret_secret, err);
	make_public(seed, public);
	make_secret(public, ciphertext.bytes, ret_secret);
	return 0;
}
