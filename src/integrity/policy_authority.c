/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/policy_authority.h"

#include <endian.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/macros.h"
#include "base/rsa_key.h"

static void free_number(BIGNUM **n)
{
	BN_free(*n);
}

int policy_authority_check(const struct jws_key *key, uint8_t ret_modulus[POLICY_KEY_SIZE],
			   struct err *err)
{
	_cleanup_(free_number) BIGNUM *n = NULL;
	_cleanup_(free_number) BIGNUM *e = NULL;

	if (EVP_PKEY_get_bits(key->key) != 8 * POLICY_KEY_SIZE ||
	    EVP_PKEY_get_bn_param(key->key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(key->key, OSSL_PKEY_PARAM_RSA_E, &e) != 1 ||
	    !BN_is_word(e, RSA_KEY_EXPONENT))
		return err_set(err, -EINVAL,
			       "expected an RSA key of %d bits with the exponent %u, which every "
			       "TPM takes",
			       8 * POLICY_KEY_SIZE, RSA_KEY_EXPONENT);
	return BN_bn2binpad(n, ret_modulus, POLICY_KEY_SIZE) == POLICY_KEY_SIZE
		       ? 0
		       : err_set(err, -EINVAL, "the key's modulus is too large");
}

int policy_authority_load(const char *path, TPM2_HANDLE counter, struct policy_authority *ret,
			  struct err *err)
{
	struct policy_authority a = {.is_set = true, .counter = counter};
	struct jws_key key = {0};
	int rc = jws_key_load_public(&key, path, err);

	if (rc == 0)
		rc = policy_authority_check(&key, a.modulus, err);
	jws_key_release(&key);
	if (rc < 0)
		return err_wrap(err, "policy-key %s", path);
	*ret = a;
	return 0;
}

int policy_authority_key(const struct policy_authority *a, struct jws_key *ret)
{
	struct jws_key key = {
		.key = rsa_key_new(span_of(a->modulus, POLICY_KEY_SIZE), RSA_KEY_EXPONENT)};

	if (!key.key || jws_key_set_kid(&key) < 0) {
		jws_key_release(&key);
		return -ENOMEM;
	}
	*ret = key;
	return 0;
}

TPM2B_PUBLIC policy_authority_public(const struct policy_authority *a)
{
	TPM2B_PUBLIC public = {
		.publicArea = {.type = TPM2_ALG_RSA,
			       .nameAlg = TPM2_ALG_SHA256,
			       .objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_DECRYPT |
						   TPMA_OBJECT_SIGN_ENCRYPT,
			       .parameters = {.rsaDetail = {.symmetric = {.algorithm =
										  TPM2_ALG_NULL},
							    .scheme = {.scheme = TPM2_ALG_NULL},
							    .keyBits = 8 * POLICY_KEY_SIZE,
							    .exponent = RSA_KEY_EXPONENT}},
			       .unique = {.rsa = {.size = POLICY_KEY_SIZE}}},
	};

	memcpy(public.publicArea.unique.rsa.buffer, a->modulus, POLICY_KEY_SIZE);
	return public;
}

int policy_authority_name(const struct policy_authority *a, TPM2B_NAME *ret)
{
	const TPM2B_PUBLIC public = policy_authority_public(a);
	uint8_t area[sizeof(public.publicArea)];
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t size = 0;

	if (Tss2_MU_TPMT_PUBLIC_Marshal(&public.publicArea, area, sizeof(area), &size) !=
		    TSS2_RC_SUCCESS ||
	    EVP_Digest(area, size, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	ret->size = 2 + TPM2_SHA256_DIGEST_SIZE;
	ret->name[0] = TPM2_ALG_SHA256 >> 8;
	ret->name[1] = TPM2_ALG_SHA256 & 0xff;
	memcpy(ret->name + 2, digest, TPM2_SHA256_DIGEST_SIZE);
	return 0;
}

/* PolicyUpdate(TPM_CC_PolicyAuthorize, keySign, policyRef): two hashes, the second over the first
 * and a reference, which is empty here (TPM 2.0 part 3, 23.2.3 and 23.16). What was in the session
 * before is gone: it begins with zeros. */
int policy_authority_digest(const struct policy_authority *a, TPM2B_DIGEST *ret)
{
	struct __attribute__((packed)) {
		uint8_t before[TPM2_SHA256_DIGEST_SIZE];
		uint32_t command;
		uint8_t name[2 + TPM2_SHA256_DIGEST_SIZE];
	} authorize = {.command = htobe32(TPM2_CC_PolicyAuthorize)};
	struct __attribute__((packed)) {
		uint8_t before[TPM2_SHA256_DIGEST_SIZE];
		uint32_t command;
		uint32_t code;
	} command_code = {.command = htobe32(TPM2_CC_PolicyCommandCode),
			  .code = htobe32(TPM2_CC_RSA_Decrypt)};
	uint8_t digest[EVP_MAX_MD_SIZE];
	TPM2B_NAME name;

	if (policy_authority_name(a, &name) < 0)
		return -ENOMEM;
	memcpy(authorize.name, name.name, sizeof(authorize.name));
	if (EVP_Digest(&authorize, sizeof(authorize), digest, NULL, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(digest, TPM2_SHA256_DIGEST_SIZE, command_code.before, NULL, EVP_sha256(),
		       NULL) != 1 ||
	    EVP_Digest(&command_code, sizeof(command_code), digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	ret->size = TPM2_SHA256_DIGEST_SIZE;
	memcpy(ret->buffer, digest, ret->size);
	return 0;
}
