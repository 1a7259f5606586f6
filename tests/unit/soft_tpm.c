/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "soft_tpm.h"
#include "support.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "pki.h"

static void put(struct message_bytes *to, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to->bytes[to->size++] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static void put_bytes(struct message_bytes *to, const void *bytes, size_t size)
{
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void sha256(struct span bytes, uint8_t ret[32])
{
	assert_int_equal(EVP_Digest(bytes.bytes, bytes.size, ret, NULL, EVP_sha256(), NULL), 1);
}

void soft_tpm_init(struct soft_tpm *tpm)
{
	memset(tpm, 0, sizeof(*tpm));
	tpm->ek = pki_key(2048);
	tpm->ak = pki_key(2048);
	for (unsigned i = 0; i < MESSAGE_PCRS; i++)
		memset(tpm->pcrs[i], (int)i, MESSAGE_PCR_SIZE);
	soft_tpm_make_ak(tpm, &(struct soft_tpm_ak){0});
}

void soft_tpm_release(struct soft_tpm *tpm)
{
	EVP_PKEY_free(tpm->ek);
	EVP_PKEY_free(tpm->ak);
	memset(tpm, 0, sizeof(*tpm));
}

#define OR(value, otherwise) ((value) ? (value) : (otherwise))

void soft_tpm_make_ak(struct soft_tpm *tpm, const struct soft_tpm_ak *ak)
{
	struct message_bytes *p = &tpm->public;
	int bits = EVP_PKEY_get_bits(tpm->ak);
	uint8_t modulus[1024];
	BIGNUM *n = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(tpm->ak, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	(void)BN_bn2bin(n, modulus);
	p->size = 2;
	put(p, OR(ak->type, 0x0001), 2);
	put(p, OR(ak->name_algorithm, 0x000b), 2);
	put(p, OR(ak->attributes, SOFT_TPM_AK_ATTRIBUTES), 4);
	put(p, 0, 2); /* no policy */
	put(p, OR(ak->symmetric, 0x0010), 2);
	put(p, OR(ak->scheme, 0x0014), 2);
	if (ak->scheme != 0x0010)
		put(p, OR(ak->hash, 0x000b), 2);
	put(p, OR(ak->bits, (unsigned)bits), 2);
	put(p, ak->exponent, 4);
	put(p, (unsigned)BN_num_bytes(n), 2);
	put_bytes(p, modulus, (size_t)BN_num_bytes(n));
	p->bytes[0] = (uint8_t)((p->size - 2) >> 8);
	p->bytes[1] = (uint8_t)(p->size - 2);
	BN_free(n);
}

void soft_tpm_read_ek(const struct soft_tpm *tpm, struct message_bytes *ret)
{
	uint8_t *at = ret->bytes;
	int size = i2d_PUBKEY(tpm->ek, &at);

	assert_true(size > 0);
	ret->size = (size_t)size;
}

static const EVP_MD *hash_of(const struct soft_tpm *tpm)
{
	return EVP_get_digestbyname(OR(tpm->ek_hash, "SHA256"));
}

static size_t hash_size(const struct soft_tpm *tpm)
{
	return (size_t)EVP_MD_get_size(hash_of(tpm));
}

static void put_number(struct message_bytes *to, const EVP_PKEY *key, const char *which)
{
	BIGNUM *number = NULL;
	uint8_t bytes[1024];

	assert_int_equal(EVP_PKEY_get_bn_param(key, which, &number), 1);
	put(to, (unsigned)BN_num_bytes(number), 2);
	put_bytes(to, bytes, (size_t)BN_bn2bin(number, bytes));
	BN_free(number);
}

/* The TCG's numbers. */
static unsigned curve_of(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	return bits == 256 ? 3 : bits == 384 ? 4 : 5;
}

void soft_tpm_read_ek_public(const struct soft_tpm *tpm, struct message_bytes *ret)
{
	bool is_rsa = EVP_PKEY_is_a(tpm->ek, "RSA");

	memset(ret, 0, sizeof(*ret));
	if (is_rsa && !tpm->ek_hash && !tpm->ek_aes_bits)
		return;
	put(ret, 0, 2);
	put(ret, is_rsa ? 0x0001 : 0x0023, 2);
	put(ret, 0x000a + hash_size(tpm) / 16 - 1, 2); /* 32, 48, 64: 0x000b, 0x000c, 0x000d */
	put(ret, 0x000300f2, 4);
	put(ret, 2, 2); /* a policy, whatever it is */
	put(ret, 0xabcd, 2);
	put(ret, 0x0006, 2);
	put(ret, OR(tpm->ek_aes_bits, 128), 2);
	put(ret, 0x0043, 2);
	put(ret, 0x0010, 2);
	if (is_rsa) {
		put(ret, (unsigned)EVP_PKEY_get_bits(tpm->ek), 2);
		put(ret, 0, 4);
		put_number(ret, tpm->ek, OSSL_PKEY_PARAM_RSA_N);
	} else {
		put(ret, curve_of(tpm->ek), 2);
		put(ret, 0x0010, 2);
		put_number(ret, tpm->ek, OSSL_PKEY_PARAM_EC_PUB_X);
		put_number(ret, tpm->ek, OSSL_PKEY_PARAM_EC_PUB_Y);
	}
	ret->bytes[0] = (uint8_t)((ret->size - 2) >> 8);
	ret->bytes[1] = (uint8_t)(ret->size - 2);
}

struct message_proof soft_tpm_proof(const struct soft_tpm *tpm)
{
	struct message_proof proof = {.with_ek = true, .ak = tpm->public};

	soft_tpm_read_ek(tpm, &proof.ek);
	soft_tpm_read_ek_public(tpm, &proof.ek_public);
	return proof;
}

/* The key of a point that was sent: TPMS_ECC_POINT, whose numbers have all their zeros. */
static EVP_PKEY *read_point(const struct soft_tpm *tpm, struct span from, uint8_t *point)
{
	size_t n = ((size_t)EVP_PKEY_get_bits(tpm->ek) + 7) / 8;
	EVP_PKEY *key = EVP_PKEY_new();

	if (from.size != 2 * (2 + n) || from.bytes[1] != n || from.bytes[3 + n] != n) {
		EVP_PKEY_free(key);
		return NULL;
	}
	point[0] = 4;
	memcpy(point + 1, from.bytes + 2, n);
	memcpy(point + 1 + n, from.bytes + 4 + n, n);
	assert_int_equal(EVP_PKEY_copy_parameters(key, tpm->ek), 1);
	if (EVP_PKEY_set1_encoded_public_key(key, point, 1 + 2 * n) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* SP 800-56A's derivation is libcrypto's "SSKDF": counter, Z, and what it calls info. */
static void sskdf(const struct soft_tpm *tpm, uint8_t *z, size_t z_size, struct message_bytes *info,
		  uint8_t *ret)
{
	char hash[16] = "SHA256";
	EVP_KDF *kind = EVP_KDF_fetch(NULL, "SSKDF", NULL);
	EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(kind);
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string("digest", hash, 0),
		OSSL_PARAM_construct_octet_string("key", z, z_size),
		OSSL_PARAM_construct_octet_string("info", info->bytes, info->size),
		OSSL_PARAM_construct_end(),
	};

	if (tpm->ek_hash)
		(void)snprintf(hash, sizeof(hash), "%s", tpm->ek_hash);
	assert_int_equal(EVP_KDF_derive(kdf, ret, hash_size(tpm), parameters), 1);
	EVP_KDF_CTX_free(kdf);
	EVP_KDF_free(kind);
}

static bool open_agreed_seed(const struct soft_tpm *tpm, const struct message_bytes *secret,
			     uint8_t *ret)
{
	size_t n = ((size_t)EVP_PKEY_get_bits(tpm->ek) + 7) / 8;
	struct message_bytes info = {0};
	uint8_t point[200];
	uint8_t own[200];
	uint8_t z[100];
	size_t own_size;
	size_t z_size = sizeof(z);
	EVP_PKEY *peer = read_point(tpm, span_of(secret->bytes + 2, secret->size - 2), point);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(tpm->ek, NULL);
	bool good = peer && EVP_PKEY_derive_init(operation) == 1 &&
		    EVP_PKEY_derive_set_peer(operation, peer) == 1 &&
		    EVP_PKEY_derive(operation, z, &z_size) == 1;

	EVP_PKEY_CTX_free(operation);
	EVP_PKEY_free(peer);
	if (!good)
		return false;
	assert_int_equal(EVP_PKEY_get_octet_string_param(tpm->ek,
							 OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, own,
							 sizeof(own), &own_size),
			 1);
	put_bytes(&info, "IDENTITY", 9);
	put_bytes(&info, point + 1, n);
	put_bytes(&info, own + 1, n);
	sskdf(tpm, z, z_size, &info, ret);
	return true;
}

static bool open_seed(const struct soft_tpm *tpm, const struct message_bytes *secret, uint8_t *ret)
{
	EVP_PKEY_CTX *operation;
	uint8_t seed[512];
	size_t size = sizeof(seed);
	bool good;

	if (EVP_PKEY_is_a(tpm->ek, "EC"))
		return open_agreed_seed(tpm, secret, ret);
	operation = EVP_PKEY_CTX_new(tpm->ek, NULL);

	assert_int_equal(EVP_PKEY_decrypt_init(operation), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(operation, hash_of(tpm)), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(operation, hash_of(tpm)), 1);
	assert_int_equal(
		EVP_PKEY_CTX_set0_rsa_oaep_label(operation, OPENSSL_memdup("IDENTITY", 9), 9), 1);
	good = EVP_PKEY_decrypt(operation, seed, &size, secret->bytes + 2, secret->size - 2) == 1 &&
	       size == hash_size(tpm);
	EVP_PKEY_CTX_free(operation);
	if (good)
		memcpy(ret, seed, size);
	return good;
}

static void derive(const struct soft_tpm *tpm, const uint8_t *seed, const char *label,
		   struct span context, uint32_t bits, uint8_t *ret)
{
	struct message_bytes text = {0};

	put(&text, 1, 4);
	put_bytes(&text, label, strlen(label) + 1);
	put_bytes(&text, context.bytes, context.size);
	put(&text, bits, 4);
	assert_non_null(
		HMAC(hash_of(tpm), seed, (int)hash_size(tpm), text.bytes, text.size, ret, NULL));
}

static void decrypt(const struct soft_tpm *tpm, const uint8_t *key, struct span from, uint8_t *to)
{
	static const uint8_t zeros[16];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int size;

	assert_int_equal(EVP_DecryptInit_ex(cipher,
					    tpm->ek_aes_bits == 256 ? EVP_aes_256_cfb128()
								    : EVP_aes_128_cfb128(),
					    NULL, key, zeros),
			 1);
	assert_int_equal(EVP_DecryptUpdate(cipher, to, &size, from.bytes, (int)from.size), 1);
	EVP_CIPHER_CTX_free(cipher);
}

bool soft_tpm_activate(const struct soft_tpm *tpm, const struct message_credential *credential,
		       uint8_t ret_secret[32])
{
	const size_t n = hash_size(tpm);
	const uint8_t sizes[] = {0, (uint8_t)(2 + n + 34), 0, (uint8_t)n};
	const uint8_t *blob = credential->blob.bytes;
	struct message_bytes checked = {0};
	uint8_t name[34] = {0, 0x0b};
	uint8_t seed[64];
	uint8_t key[64];
	uint8_t inner[34];

	if (credential->blob.size != 2 + 2 + n + 34 || memcmp(blob, sizes, 4) != 0)
		return false;
	sha256(span_of(tpm->public.bytes + 2, tpm->public.size - 2), name + 2);
	if (credential->secret.size < 2 || !open_seed(tpm, &credential->secret, seed))
		return false;
	put_bytes(&checked, blob + 4 + n, 34);
	put_bytes(&checked, name, sizeof(name));
	derive(tpm, seed, "INTEGRITY", span_of(NULL, 0), (uint32_t)n * 8, key);
	assert_non_null(HMAC(hash_of(tpm), key, (int)n, checked.bytes, checked.size,
			     checked.bytes + 100, NULL));
	if (memcmp(checked.bytes + 100, blob + 4, n) != 0)
		return false;
	derive(tpm, seed, "STORAGE", span_of(name, sizeof(name)), OR(tpm->ek_aes_bits, 128), key);
	decrypt(tpm, key, span_of(blob + 4 + n, 34), inner);
	assert_memory_equal(inner, "\x00\x20", 2);
	memcpy(ret_secret, inner + 2, 32);
	return true;
}

static void put_selections(const struct soft_tpm_quote *quote, struct message_bytes *q)
{
	unsigned n = quote->n_selections == 3 ? 0 : OR(quote->n_selections, 1);
	uint32_t bits = quote->selection == SOFT_TPM_NOTHING ? 0 : OR(quote->selection, 0xff0000);

	put(q, n, 4);
	for (unsigned i = 0; i < n; i++) {
		put(q, OR(quote->hash, 0x000b), 2);
		put(q, 3, 1);
		put(q, bits, 3);
	}
}

static void sign(EVP_PKEY *key, const struct message_bytes *text, uint16_t scheme,
		 struct message_bytes *ret)
{
	EVP_MD_CTX *signing = EVP_MD_CTX_new();
	size_t size = sizeof(ret->bytes) - 6;

	ret->size = 0;
	put(ret, OR(scheme, 0x0014), 2);
	put(ret, 0x000b, 2);
	assert_int_equal(EVP_DigestSignInit(signing, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(signing, ret->bytes + 6, &size, text->bytes, text->size),
			 1);
	put(ret, size, 2);
	ret->size += size;
	EVP_MD_CTX_free(signing);
}

void soft_tpm_quote(const struct soft_tpm *tpm, const struct soft_tpm_quote *quote,
		    struct span extra, struct message_attestation *ret)
{
	struct message_bytes *q = &ret->quote;
	uint8_t signer[34] = {0, 0x0b, 1};
	uint8_t digest[32];

	memcpy(ret->pcrs, tpm->pcrs, sizeof(ret->pcrs));
	sha256(span_of(ret->pcrs, sizeof(ret->pcrs)), digest);
	if (quote->other_pcrs)
		ret->pcrs[0][0] ^= 1;
	q->size = 0;
	put(q, OR(quote->magic, 0xff544347), 4);
	put(q, OR(quote->type, 0x8018), 2);
	put(q, sizeof(signer), 2);
	put_bytes(q, signer, sizeof(signer));
	put(q, extra.size, 2);
	put_bytes(q, extra.bytes, extra.size);
	put(q, 4711, 8); /* clock, resetCount, restartCount, safe, firmware */
	put(q, 1, 4);
	put(q, 0, 4);
	put(q, 1, 1);
	put(q, 0x2019, 8);
	put_selections(quote, q);
	put(q, sizeof(digest), 2);
	put_bytes(q, digest, sizeof(digest));
	sign(OR(quote->signer, tpm->ak), q, quote->scheme, &ret->signature);
}
