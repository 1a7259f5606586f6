/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/credential_ek.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/ec_key.h"
#include "base/macros.h"
#include "base/rsa_key.h"
#include "conductor/enrolment/tpm_reader.h"
#include "onboarding/key_bounds.h"

#define LABEL "IDENTITY" /* with its final zero, in both schemes */

/* TPM_ECC_CURVE (Part 2, 6.4) */
static const struct curve {
	uint64_t id;
	const char *name;
	size_t size; /* bytes of a coordinate */
} curves[] = {
	{0x0003, "P-256", 32},
	{0x0004, "P-384", 48},
	{0x0005, "P-521", 66},
};

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_key_operation(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}

static void free_digest(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

/* What the EK's public area says. */

static const EVP_MD *hash_of(uint64_t algorithm)
{
	switch (algorithm) {
	case TPM_ALG_SHA256:
		return EVP_sha256();
	case TPM_ALG_SHA384:
		return EVP_sha384();
	case TPM_ALG_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static const EVP_CIPHER *cipher_of(uint64_t algorithm, uint64_t bits, uint64_t mode)
{
	if (algorithm != TPM_ALG_AES || mode != TPM_ALG_CFB)
		return NULL;
	return bits == 128 ? EVP_aes_128_cfb128() : bits == 256 ? EVP_aes_256_cfb128() : NULL;
}

static EVP_PKEY *read_rsa(struct tpm_reader *r)
{
	uint64_t exponent;
	struct span modulus;

	(void)tpm_read_uint(r, 2); /* bits: those of the modulus */
	exponent = tpm_read_uint(r, 4);
	modulus = tpm_read_sized(r);
	if (!tpm_read_all(r) || modulus.size == 0)
		return NULL;
	return rsa_key_new(modulus, exponent ? (unsigned)exponent : RSA_KEY_EXPONENT);
}

/* A TPM may leave out leading zeros. */
static bool put_number(struct span number, uint8_t *to, size_t size)
{
	if (number.size == 0 || number.size > size)
		return false;
	memset(to, 0, size - number.size);
	memcpy(to + size - number.size, number.bytes, number.size);
	return true;
}

static EVP_PKEY *read_point(struct tpm_reader *r)
{
	const uint64_t id = tpm_read_uint(r, 2);
	const uint64_t kdf = tpm_read_uint(r, 2);
	const struct span x = tpm_read_sized(r);
	const struct span y = tpm_read_sized(r);
	uint8_t point[EC_KEY_POINT_MAX] = {POINT_CONVERSION_UNCOMPRESSED};

	for (unsigned i = 0; tpm_read_all(r) && kdf == TPM_ALG_NULL && i < N_ELEMENTS(curves); i++)
		if (curves[i].id == id && put_number(x, point + 1, curves[i].size) &&
		    put_number(y, point + 1 + curves[i].size, curves[i].size))
			return ec_key_new(curves[i].name, span_of(point, 1 + 2 * curves[i].size));
	return NULL;
}

/* Reads TPMT_PUBLIC (Part 2, 12.2.4) of a storage key: of RSA, or on a curve. */
static int read_area(struct credential_ek *ek, struct span public, struct err *err)
{
	struct tpm_reader reader = {.rest = public};
	struct tpm_reader *r = &reader;
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	uint64_t hash;
	uint64_t fields[4]; /* symmetric algorithm, bits, mode; scheme */
	uint64_t type;

	if (tpm_read_uint(r, 2) != public.size - 2 || public.size < 2)
		return err_set(err, -EBADMSG, "EK: not a TPM2B_PUBLIC");
	type = tpm_read_uint(r, 2);
	hash = tpm_read_uint(r, 2);
	(void)tpm_read_uint(r, 4); /* attributes: which key it is, was decided by its digits */
	(void)tpm_read_sized(r);   /* authPolicy */
	for (unsigned i = 0; i < N_ELEMENTS(fields); i++)
		fields[i] = tpm_read_uint(r, 2);
	ek->hash = hash_of(hash);
	ek->cipher = cipher_of(fields[0], fields[1], fields[2]);
	if (!ek->hash || !ek->cipher || fields[3] != TPM_ALG_NULL)
		return err_set(err, -EKEYREJECTED,
			       "EK: name algorithm 0x%04" PRIx64 ", symmetric 0x%04" PRIx64
			       " with %" PRIu64 " bits, expected SHA-256, SHA-384 or SHA-512 and "
			       "AES-128 or AES-256 in CFB",
			       hash, fields[0], fields[1]);
	key = type == TPM_ALG_RSA ? read_rsa(r) : type == TPM_ALG_ECC ? read_point(r) : NULL;
	if (!key)
		return err_set(err, -EBADMSG, "EK: not a TPM2B_PUBLIC of RSA or of a curve");
	if (EVP_PKEY_eq(key, ek->key) != 1)
		return err_set(err, -EKEYREJECTED, "EK: its TPM2B_PUBLIC is of another key");
	return 0;
}

static EVP_PKEY *read_key(struct span der)
{
	const uint8_t *at = der.bytes;
	EVP_PKEY *key;

	if (key_bounds_check("EK", der, NULL) < 0)
		return NULL;
	key = d2i_PUBKEY(NULL, &at, (long)der.size);
	if (key && at == der.bytes + der.size &&
	    (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC")))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

int credential_ek_read(struct credential_ek *ret, struct span der, struct span public,
		       struct err *err)
{
	struct credential_ek ek = {
		.key = read_key(der), .hash = EVP_sha256(), .cipher = EVP_aes_128_cfb128()};
	int rc = 0;

	if (!ek.key)
		return err_set(err, -EINVAL,
			       "EK: expected a key of RSA, of %d to %d bits, or on P-256, P-384 or "
			       "P-521, in DER",
			       KEY_BOUNDS_RSA_MIN, KEY_BOUNDS_RSA_MAX);
	if (public.size > 0)
		rc = read_area(&ek, public, err);
	if (rc < 0) {
		credential_ek_release(&ek);
		return rc;
	}
	*ret = ek;
	return 0;
}

void credential_ek_release(struct credential_ek *ek)
{
	EVP_PKEY_free(ek->key);
	memset(ek, 0, sizeof(*ek));
}

void credential_ek_kind(struct span der, char ret[CREDENTIAL_EK_KIND_SIZE])
{
	_cleanup_(free_key) EVP_PKEY *key = read_key(der);

	if (key)
		(void)snprintf(ret, CREDENTIAL_EK_KIND_SIZE, "%s-%d",
			       EVP_PKEY_is_a(key, "RSA") ? "RSA" : "P", EVP_PKEY_get_bits(key));
	else
		(void)snprintf(ret, CREDENTIAL_EK_KIND_SIZE, "no key that is taken");
}

/* The seed to the TPM. */

static void put_size(uint8_t *at, size_t size)
{
	at[0] = (uint8_t)(size >> 8);
	at[1] = (uint8_t)size;
}

static int encrypt_seed(const struct credential_ek *ek, const uint8_t *seed,
			struct message_bytes *ret)
{
	_cleanup_(free_key_operation) EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(ek->key, NULL);
	void *label = OPENSSL_memdup(LABEL, sizeof(LABEL));
	size_t size = sizeof(ret->bytes) - 2;

	if (!operation || !label || EVP_PKEY_encrypt_init(operation) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(operation, ek->hash) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(operation, ek->hash) != 1 ||
	    EVP_PKEY_CTX_set0_rsa_oaep_label(operation, label, sizeof(LABEL)) != 1) {
		OPENSSL_free(label);
		return -ENOMEM;
	}
	/* From here on the label is the operation's. */
	if (EVP_PKEY_encrypt(operation, ret->bytes + 2, &size, seed,
			     (size_t)EVP_MD_get_size(ek->hash)) != 1)
		return -ENOMEM;
	put_size(ret->bytes, size);
	ret->size = size + 2;
	return 0;
}

/* Uncompressed; returns the size of a coordinate, 0 = failed. */
static size_t read_coordinates(const EVP_PKEY *key, uint8_t ret[EC_KEY_POINT_MAX])
{
	size_t size = 0;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, ret,
					    EC_KEY_POINT_MAX, &size) != 1 ||
	    ret[0] != POINT_CONVERSION_UNCOMPRESSED)
		return 0;
	return (size - 1) / 2;
}

static bool agree(EVP_PKEY *ours, EVP_PKEY *peer, uint8_t ret[EC_KEY_NUMBER_MAX], size_t size)
{
	_cleanup_(free_key_operation) EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(ours, NULL);
	size_t found = EC_KEY_NUMBER_MAX;

	return operation && EVP_PKEY_derive_init(operation) == 1 &&
	       EVP_PKEY_derive_set_peer(operation, peer) == 1 &&
	       EVP_PKEY_derive(operation, ret, &found) == 1 && found == size;
}

/* KDFe (Part 1, 11.4.10.3), one block: SP 800-56A's one-step derivation. */
static bool kdfe(const EVP_MD *hash, struct span z, struct span x, struct span peer_x, uint8_t *ret)
{
	static const uint8_t counter[4] = {0, 0, 0, 1};
	_cleanup_(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();

	return digest && EVP_DigestInit_ex(digest, hash, NULL) == 1 &&
	       EVP_DigestUpdate(digest, counter, sizeof(counter)) == 1 &&
	       EVP_DigestUpdate(digest, z.bytes, z.size) == 1 &&
	       EVP_DigestUpdate(digest, LABEL, sizeof(LABEL)) == 1 &&
	       EVP_DigestUpdate(digest, x.bytes, x.size) == 1 &&
	       EVP_DigestUpdate(digest, peer_x.bytes, peer_x.size) == 1 &&
	       EVP_DigestFinal_ex(digest, ret, NULL) == 1;
}

/* TPM2B_ENCRYPTED_SECRET of a TPMS_ECC_POINT. */
static void put_point(struct message_bytes *ret, const uint8_t *point, size_t size)
{
	put_size(ret->bytes, 2 * (2 + size));
	put_size(ret->bytes + 2, size);
	memcpy(ret->bytes + 4, point + 1, size);
	put_size(ret->bytes + 4 + size, size);
	memcpy(ret->bytes + 6 + size, point + 1 + size, size);
	ret->size = 6 + 2 * size;
}

static int agree_on_seed(const struct credential_ek *ek, uint8_t *ret_seed,
			 struct message_bytes *ret)
{
	_cleanup_(free_key_operation) EVP_PKEY_CTX *making = EVP_PKEY_CTX_new(ek->key, NULL);
	_cleanup_(free_key) EVP_PKEY *ours = NULL;
	uint8_t peer_point[EC_KEY_POINT_MAX];
	uint8_t point[EC_KEY_POINT_MAX];
	uint8_t z[EC_KEY_NUMBER_MAX];
	size_t size = 0;
	bool good;

	good = making && EVP_PKEY_keygen_init(making) == 1 && EVP_PKEY_keygen(making, &ours) == 1 &&
	       (size = read_coordinates(ours, point)) > 0 &&
	       read_coordinates(ek->key, peer_point) == size && agree(ours, ek->key, z, size) &&
	       kdfe(ek->hash, span_of(z, size), span_of(point + 1, size),
		    span_of(peer_point + 1, size), ret_seed);
	OPENSSL_cleanse(z, sizeof(z));
	if (!good)
		return -ENOMEM;
	put_point(ret, point, size);
	return 0;
}

int credential_ek_make_seed(const struct credential_ek *ek, uint8_t ret_seed[EVP_MAX_MD_SIZE],
			    struct message_bytes *ret, struct err *err)
{
	int rc;

	if (EVP_PKEY_is_a(ek->key, "EC"))
		rc = agree_on_seed(ek, ret_seed, ret);
	else if (RAND_priv_bytes(ret_seed, EVP_MD_get_size(ek->hash)) != 1)
		return err_set(err, -EIO, "no random numbers");
	else
		rc = encrypt_seed(ek, ret_seed, ret);
	return rc < 0 ? err_set(err, rc, "credential: out of memory") : 0;
}
