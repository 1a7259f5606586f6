/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ML-KEM-768: published values come out, strangers' bytes are refused, and where libcrypto has none
 * that is said. */
#include "support.h"

#include <openssl/evp.h>

#include "base/hex.h"
#include "base/kem.h"

/* Whoever runs this on an older system reads why. */
static void only_where_it_is(void)
{
	if (kem_is_there())
		return;
	print_message("[ skipped ] %s has no ML-KEM-768: nothing to compare here\n",
		      OpenSSL_version(OPENSSL_VERSION));
	skip();
}

static void from_hex(const char *text, uint8_t *ret, size_t size)
{
	size_t found;

	assert_int_equal(hex_decode(text, size, size, ret, &found), 0);
}

static void check_key(const char *seed_hex, const char *public_hex)
{
	uint8_t seed[KEM_SEED_SIZE];
	uint8_t expected[KEM_PUBLIC_SIZE];
	uint8_t public[KEM_PUBLIC_SIZE];
	struct err err;

	from_hex(seed_hex, seed, sizeof(seed));
	from_hex(public_hex, expected, sizeof(expected));
	assert_int_equal(kem_public(seed, public, &err), 0);
	assert_memory_equal(public, expected, sizeof(public));
}

static void check_secret(const char *seed_hex, const char *ciphertext_hex, const char *secret_hex)
{
	uint8_t seed[KEM_SEED_SIZE];
	uint8_t ciphertext[KEM_CIPHERTEXT_SIZE];
	uint8_t expected[KEM_SECRET_SIZE];
	uint8_t secret[KEM_SECRET_SIZE];
	struct err err;

	from_hex(seed_hex, seed, sizeof(seed));
	from_hex(ciphertext_hex, ciphertext, sizeof(ciphertext));
	from_hex(secret_hex, expected, sizeof(expected));
	assert_int_equal(
		kem_decapsulate(seed, span_of(ciphertext, sizeof(ciphertext)), secret, &err), 0);
	assert_memory_equal(secret, expected, sizeof(secret));
}

static void test_published_values(void **state)
{
	size_t size;
	char *text;
	char *rest;
	unsigned n_keys = 0;
	unsigned n_secrets = 0;

	(void)state;
	only_where_it_is();
	text = test_read(TEST_SOURCE_DIR "/tests/unit/vectors/ml-kem-768", &size);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *at;
		const char *kind = strtok_r(line, " ", &at);
		const char *seed = strtok_r(NULL, " ", &at);
		const char *public = strtok_r(NULL, " ", &at);

		if (kind[0] == '#')
			continue;
		check_key(seed, public);
		n_keys++;
		if (strcmp(kind, "secret") == 0) {
			const char *ciphertext = strtok_r(NULL, " ", &at);

			check_secret(seed, ciphertext, strtok_r(NULL, " ", &at));
			n_secrets++;
		}
	}
	assert_int_equal(n_keys, 6);
	assert_int_equal(n_secrets, 3);
	free(text);
}

static void test_both_sides_agree(void **state)
{
	uint8_t seed[2][KEM_SEED_SIZE];
	uint8_t public[2][KEM_PUBLIC_SIZE];
	uint8_t ciphertext[2][KEM_CIPHERTEXT_SIZE];
	uint8_t secret[2][KEM_SECRET_SIZE];
	uint8_t again[KEM_SECRET_SIZE];
	struct err err;

	(void)state;
	only_where_it_is();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(kem_generate(seed[i], public[i], &err), 0);
		assert_int_equal(kem_encapsulate(span_of(public[0], sizeof(public[0])),
						 ciphertext[i], secret[i], &err),
				 0);
		assert_int_equal(kem_decapsulate(seed[0],
						 span_of(ciphertext[i], KEM_CIPHERTEXT_SIZE), again,
						 &err),
				 0);
		assert_memory_equal(again, secret[i], sizeof(again));
	}
	/* Nothing is the same twice, and another key does not get the secret. */
	assert_memory_not_equal(seed[0], seed[1], sizeof(seed[0]));
	assert_memory_not_equal(public[0], public[1], sizeof(public[0]));
	assert_memory_not_equal(secret[0], secret[1], sizeof(secret[0]));
	assert_int_equal(
		kem_decapsulate(seed[1], span_of(ciphertext[0], KEM_CIPHERTEXT_SIZE), again, &err),
		0);
	assert_memory_not_equal(again, secret[0], sizeof(again));
}

/* FIPS 203, algorithm 18: then the secret is J(z || c), which is SHAKE256. */
static void test_changed_ciphertext(void **state)
{
	uint8_t seed[KEM_SEED_SIZE];
	uint8_t public[KEM_PUBLIC_SIZE];
	uint8_t text[32 + KEM_CIPHERTEXT_SIZE];
	uint8_t *ciphertext = text + 32;
	uint8_t secret[KEM_SECRET_SIZE];
	uint8_t got[KEM_SECRET_SIZE];
	uint8_t expected[KEM_SECRET_SIZE];
	EVP_MD_CTX *shake = EVP_MD_CTX_new();
	struct err err;

	(void)state;
	if (!kem_is_there())
		EVP_MD_CTX_free(shake);
	only_where_it_is();
	assert_int_equal(kem_generate(seed, public, &err), 0);
	assert_int_equal(kem_encapsulate(span_of(public, sizeof(public)), ciphertext, secret, &err),
			 0);
	ciphertext[500] ^= 1;
	memcpy(text, seed + 32, 32);
	assert_int_equal(EVP_DigestInit_ex(shake, EVP_shake256(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(shake, text, sizeof(text)), 1);
	assert_int_equal(EVP_DigestFinalXOF(shake, expected, sizeof(expected)), 1);
	EVP_MD_CTX_free(shake);
	assert_int_equal(kem_decapsulate(seed, span_of(ciphertext, KEM_CIPHERTEXT_SIZE), got, &err),
			 0);
	assert_memory_not_equal(got, secret, sizeof(got));
	assert_memory_equal(got, expected, sizeof(got));
}

static void test_refused(void **state)
{
	uint8_t seed[KEM_SEED_SIZE];
	uint8_t public[KEM_PUBLIC_SIZE + 1] = {0};
	uint8_t ciphertext[KEM_CIPHERTEXT_SIZE + 1] = {0};
	uint8_t secret[KEM_SECRET_SIZE] = "untouched";
	struct err err;

	(void)state;
	only_where_it_is();
	assert_int_equal(kem_generate(seed, public, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		static const size_t sizes[] = {0, KEM_PUBLIC_SIZE - 1, KEM_PUBLIC_SIZE + 1};

		assert_int_equal(
			kem_encapsulate(span_of(public, sizes[i]), ciphertext, secret, &err),
			-EBADMSG);
		assert_contains(err.text, "are no ML-KEM-768 key");
	}
	/* A coefficient that is not below q: FIPS 203, 7.2, "modulus check". */
	public[0] = 0xff;
	public[1] |= 0x0f;
	assert_int_equal(
		kem_encapsulate(span_of(public, KEM_PUBLIC_SIZE), ciphertext, secret, &err),
		-EBADMSG);
	for (size_t i = 0; i < 3; i++) {
		static const size_t sizes[] = {0, KEM_CIPHERTEXT_SIZE - 1, KEM_CIPHERTEXT_SIZE + 1};

		assert_int_equal(kem_decapsulate(seed, span_of(ciphertext, sizes[i]), secret, &err),
				 -EBADMSG);
		assert_contains(err.text, "expected 1088");
	}
	assert_string_equal((char *)secret, "untouched");
}

static void test_where_there_is_none(void **state)
{
	uint8_t seed[KEM_SEED_SIZE] = {0};
	uint8_t public[KEM_PUBLIC_SIZE] = {0};
	uint8_t ciphertext[KEM_CIPHERTEXT_SIZE] = {0};
	uint8_t secret[KEM_SECRET_SIZE];
	struct err err;

	(void)state;
	if (kem_is_there())
		return;
	assert_int_equal(kem_generate(seed, public, &err), -EOPNOTSUPP);
	assert_contains(err.text, "no ML-KEM-768 (it came with OpenSSL 3.5)");
	assert_int_equal(kem_public(seed, public, &err), -EOPNOTSUPP);
	assert_int_equal(kem_encapsulate(span_of(public, sizeof(public)), ciphertext, secret, &err),
			 -EOPNOTSUPP);
	assert_int_equal(
		kem_decapsulate(seed, span_of(ciphertext, sizeof(ciphertext)), secret, &err),
		-EOPNOTSUPP);
}

/* OpenSSL has it since 3.5, and who has that must not find it missing. */
static void test_by_version(void **state)
{
	(void)state;
	assert_int_equal(kem_is_there(), OpenSSL_version_num() >= 0x30500000L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_values),    cmocka_unit_test(test_both_sides_agree),
		cmocka_unit_test(test_changed_ciphertext),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_where_there_is_none), cmocka_unit_test(test_by_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
