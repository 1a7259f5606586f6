/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/transcript.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/hkdf.h"
#include "base/macros.h"

static int sha256(const struct span *parts, size_t n, uint8_t ret[TRANSCRIPT_SIZE])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < n && good; i++)
		good = EVP_DigestUpdate(digest, parts[i].bytes, parts[i].size) == 1;
	good = good && EVP_DigestFinal_ex(digest, ret, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return good ? 0 : -ENOMEM;
}

int transcript_begin(struct transcript *t, const uint8_t exporter[TRANSCRIPT_SIZE],
		     struct span server_leaf, struct span client_leaf)
{
	uint8_t server[TRANSCRIPT_SIZE];
	uint8_t client[TRANSCRIPT_SIZE];
	const struct span parts[] = {
		span_of_string("steward-sco/1"),
		span_of(exporter, TRANSCRIPT_SIZE),
		span_of(server, sizeof(server)),
		span_of(client, sizeof(client)),
	};

	memset(t, 0, sizeof(*t));
	memcpy(t->exporter, exporter, TRANSCRIPT_SIZE);
	if (sha256(&server_leaf, 1, server) < 0 || sha256(&client_leaf, 1, client) < 0)
		return -ENOMEM;
	return sha256(parts, N_ELEMENTS(parts), t->hash);
}

void transcript_release(struct transcript *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
}

int transcript_add(struct transcript *t, struct span json)
{
	const uint8_t length[4] = {
		(uint8_t)(json.size >> 24),
		(uint8_t)(json.size >> 16),
		(uint8_t)(json.size >> 8),
		(uint8_t)json.size,
	};
	uint8_t before[TRANSCRIPT_SIZE] = {0};
	const struct span parts[] = {
		span_of(before, sizeof(before)),
		span_of(length, sizeof(length)),
		json,
	};

	memcpy(before, t->hash, sizeof(before));
	return sha256(parts, N_ELEMENTS(parts), t->hash);
}

void transcript_set_kem_secret(struct transcript *t, const uint8_t secret[KEM_SECRET_SIZE])
{
	assert(!t->has_keys && !t->has_tpm_key);
	memcpy(t->kem_secret, secret, sizeof(t->kem_secret));
	t->has_kem_secret = true;
}

/* A key from a secret, the channel, and what was exchanged by ML-KEM, which stands behind the
 * secret: that has one length wherever it stands before it. */
static int derive(const struct transcript *t, enum hkdf_step step, struct span secret,
		  const char *label, uint8_t ret[TRANSCRIPT_SIZE])
{
	uint8_t both[TRANSCRIPT_SECRET_MAX + KEM_SECRET_SIZE];
	size_t size = secret.size;
	int rc;

	assert(size <= TRANSCRIPT_SECRET_MAX);
	memcpy(both, secret.bytes, size);
	if (t->has_kem_secret) {
		memcpy(both + size, t->kem_secret, sizeof(t->kem_secret));
		size += sizeof(t->kem_secret);
	}
	rc = hkdf_sha256(step, span_of(both, size), span_of(t->exporter, sizeof(t->exporter)),
			 label, ret);
	OPENSSL_cleanse(both, sizeof(both));
	return rc;
}

int transcript_set_secret(struct transcript *t, struct span secret)
{
	uint8_t extracted[TRANSCRIPT_SIZE] = {0};
	struct span k = span_of(extracted, sizeof(extracted));
	int rc = derive(t, HKDF_EXTRACT, secret, "", extracted);

	if (rc == 0)
		rc = hkdf_sha256(HKDF_EXPAND, k, span_of(NULL, 0), "router", t->router_key);
	if (rc == 0)
		rc = hkdf_sha256(HKDF_EXPAND, k, span_of(NULL, 0), "conductor", t->conductor_key);
	OPENSSL_cleanse(extracted, sizeof(extracted));
	t->has_keys = rc == 0;
	return rc;
}

int transcript_set_tpm_secret(struct transcript *t, struct span secret)
{
	int rc = derive(t, HKDF_EXTRACT_AND_EXPAND, secret, "tpm", t->tpm_key);

	t->has_tpm_key = rc == 0;
	return rc;
}

static const char *const labels[] = {
	[TRANSCRIPT_R1] = "r1", [TRANSCRIPT_T1] = "t1", [TRANSCRIPT_C1] = "c1",
	[TRANSCRIPT_R2] = "r2", [TRANSCRIPT_C2] = "c2",
};

const char *transcript_mac_name(enum transcript_mac which)
{
	return labels[which];
}

static const uint8_t *key_of(const struct transcript *t, enum transcript_mac which)
{
	if (which == TRANSCRIPT_T1) {
		assert(t->has_tpm_key);
		return t->tpm_key;
	}
	assert(t->has_keys);
	return which == TRANSCRIPT_C1 || which == TRANSCRIPT_C2 ? t->conductor_key : t->router_key;
}

int transcript_make_mac(const struct transcript *t, enum transcript_mac which,
			uint8_t ret[TRANSCRIPT_SIZE])
{
	uint8_t text[2 + TRANSCRIPT_SIZE];

	memcpy(text, labels[which], 2);
	memcpy(text + 2, t->hash, TRANSCRIPT_SIZE);
	return HMAC(EVP_sha256(), key_of(t, which), TRANSCRIPT_SIZE, text, sizeof(text), ret, NULL)
		       ? 0
		       : -ENOMEM;
}

int transcript_check_mac(const struct transcript *t, enum transcript_mac which, struct span mac)
{
	uint8_t expected[TRANSCRIPT_SIZE];
	int rc = transcript_make_mac(t, which, expected);

	if (rc == 0 && (mac.size != sizeof(expected) ||
			CRYPTO_memcmp(mac.bytes, expected, sizeof(expected)) != 0))
		rc = -EKEYREJECTED;
	OPENSSL_cleanse(expected, sizeof(expected));
	return rc;
}

int transcript_quote_data(const struct transcript *t, uint8_t ret[TRANSCRIPT_SIZE])
{
	const struct span parts[] = {
		span_of_string("sco ek"),
		span_of(t->hash, sizeof(t->hash)),
	};

	return sha256(parts, N_ELEMENTS(parts), ret);
}
