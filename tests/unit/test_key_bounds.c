/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which keys of strangers are computed with, and which are not, before any is. */
#include "pki.h"
#include "support.h"

#include <errno.h>
#include <openssl/core_names.h>

#include "base/macros.h"
#include "onboarding/key_bounds.h"

static struct span info_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);

	assert_true(size > 0);
	return span_of(der, (size_t)size);
}

/* What becomes of the key, and the same of a certificate that has it. */
static int judge(EVP_PKEY *key, struct err *err)
{
	static const struct pki_subject subject = {.common_name = "anybody"};
	EVP_PKEY *signer = EVP_EC_gen("P-256");
	X509 *issuer = pki_certificate(&subject, signer, NULL, NULL);
	X509 *certificate = pki_certificate(&subject, key, issuer, signer);
	struct span info = info_of(key);
	struct span der = pki_der(certificate);
	int rc = key_bounds_check("key", info, err);

	assert_int_equal(key_bounds_check_certificate("key", der, err), rc);
	pki_der_free(&info);
	pki_der_free(&der);
	X509_free(certificate);
	X509_free(issuer);
	EVP_PKEY_free(signer);
	EVP_PKEY_free(key);
	return rc;
}

static void test_rsa(void **state)
{
	static const struct {
		int bits;
		const char *exponent;
		const char *expected; /* NULL = taken */
	} rows[] = {
		{2048, "10001", NULL},
		{2048, "3", NULL},
		{4096, "10001", NULL},
		{4096, "FFFFFFFF", NULL},
		{2047, "10001", "RSA modulus of 2047 bits, expected an odd one of 2048 to 4096"},
		{1024, "10001", "RSA modulus of 1024 bits"},
		{4097, "10001", "RSA modulus of 4097 bits"},
		{16384, "10001", "RSA modulus of 16384 bits"},
		{2048, "1", "RSA exponent of 1 bits, expected an odd one of 2 to 32"},
		{2048, "10000", "RSA exponent of 17 bits"},
		{2048, "100000001", "RSA exponent of 33 bits"},
		{2048, "FFFFFFFFFFFFFFFF", "RSA exponent of 64 bits"},
		{4096, "80000000000000000000000000000000000000000000000000000000000000000001",
		 "RSA exponent of 272 bits"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		int rc = judge(pki_public_key(rows[i].bits, rows[i].exponent), &err);

		assert_int_equal(rc, rows[i].expected ? -EKEYREJECTED : 0);
		if (rows[i].expected)
			assert_contains(err.text, rows[i].expected);
	}
}

/* A CA signs certificates, which libcrypto verifies: it has room for larger keys. */
static void test_keys_of_authorities(void **state)
{
	static const struct pki_subject subject = {.common_name = "ca"};
	static const struct {
		int bits;
		const char *expected; /* NULL = taken */
	} rows[] = {
		{2047, "RSA modulus of 2047 bits, expected an odd one of 2048 to 8192"},
		{2048, NULL},
		{4097, NULL},
		{8192, NULL},
		{8193, "RSA modulus of 8193 bits"},
	};
	EVP_PKEY *signer = EVP_EC_gen("P-256");
	X509 *issuer = pki_certificate(&subject, signer, NULL, NULL);

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		EVP_PKEY *key = pki_public_key(rows[i].bits, "10001");
		X509 *certificate = pki_certificate(&subject, key, issuer, signer);
		struct span der = pki_der(certificate);
		struct err err = {0};

		assert_int_equal(key_bounds_check_ca_certificate("key", der, &err),
				 rows[i].expected ? -EKEYREJECTED : 0);
		if (rows[i].expected)
			assert_contains(err.text, rows[i].expected);
		pki_der_free(&der);
		X509_free(certificate);
		EVP_PKEY_free(key);
	}
	X509_free(issuer);
	EVP_PKEY_free(signer);
}

static void test_numbers(void **state)
{
	uint8_t n[513] = {0};
	struct err err;

	(void)state;
	n[1] = 0x80;
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 513), span_of("\x03", 1),
					      KEY_BOUNDS_RSA_MAX, &err),
			 -EKEYREJECTED); /* even */
	n[512] = 1;
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 513), span_of("\x03", 1),
					      KEY_BOUNDS_RSA_MAX, &err),
			 0);
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 513), span_of("\0\0\0\0\3", 5),
					      KEY_BOUNDS_RSA_MAX, &err),
			 0); /* zeros in front count for nothing */
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 0), span_of("\x03", 1),
					      KEY_BOUNDS_RSA_MAX, &err),
			 -EKEYREJECTED);
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 513), span_of("", 0),
					      KEY_BOUNDS_RSA_MAX, &err),
			 -EKEYREJECTED);
	assert_int_equal(key_bounds_check_rsa("key", span_of(n, 1), span_of("\x03", 1),
					      KEY_BOUNDS_RSA_MAX, &err),
			 -EKEYREJECTED);
}

static EVP_PKEY *curve_spelled_out(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen(name);

	assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
							OSSL_PKEY_EC_ENCODING_EXPLICIT),
			 1);
	return key;
}

static void test_other_kinds(void **state)
{
	static const char *const taken[] = {"P-256", "P-384", "P-521"};
	static const char *const not_taken[] = {"secp256k1", "brainpoolP512t1", "P-192"};
	struct err err;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(judge(EVP_EC_gen(taken[i]), &err), 0);
		assert_int_equal(judge(EVP_EC_gen(not_taken[i]), &err), -EKEYREJECTED);
		assert_contains(err.text, "on a curve that is not taken");
		assert_int_equal(judge(curve_spelled_out(taken[i]), &err), -EKEYREJECTED);
		assert_contains(err.text, "expected P-256, P-384 or P-521 by name");
	}
	assert_int_equal(judge(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &err), 0);
	assert_int_equal(judge(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), &err), -EKEYREJECTED);
	assert_contains(err.text, "a kind of key that is not taken, expected RSA");
}

/* Whatever is cut, or has something after it, is none. */
static void test_malformed(void **state)
{
	static const struct pki_subject subject = {.common_name = "anybody"};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = pki_certificate(&subject, key, NULL, NULL);
	struct span der = pki_der(certificate);
	struct span info = info_of(key);
	uint8_t *longer = calloc(1, der.size + 1);
	struct err err;

	(void)state;
	for (size_t size = 0; size < der.size; size++)
		assert_int_equal(key_bounds_check_certificate("it", span_of(der.bytes, size), &err),
				 -EBADMSG);
	for (size_t size = 0; size < info.size; size++)
		assert_int_equal(key_bounds_check("it", span_of(info.bytes, size), &err), -EBADMSG);
	memcpy(longer, der.bytes, der.size);
	assert_int_equal(key_bounds_check_certificate("it", span_of(longer, der.size + 1), &err),
			 -EBADMSG);
	longer[1] = 0x80; /* of no definite length */
	assert_int_equal(key_bounds_check_certificate("it", span_of(longer, der.size), &err),
			 -EBADMSG);
	assert_string_equal(err.text, "it: no certificate in DER");
	free(longer);
	pki_der_free(&der);
	pki_der_free(&info);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa),       cmocka_unit_test(test_keys_of_authorities),
		cmocka_unit_test(test_numbers),   cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
