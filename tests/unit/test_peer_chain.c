/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chain is kept as it came, or not at all. */
#include "pki.h"
#include "support.h"

#include <errno.h>
#include <openssl/pem.h>

#include "base/macros.h"
#include "onboarding/certificate_pem.h"
#include "onboarding/peer_chain.h"

static void test_sizes(void **state)
{
	static const size_t sizes[] = {1000, 2047, 2048, 2049, 3000};
	EVP_PKEY *key = pki_key(2048);

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(sizes); i++) {
		X509 *certificate = pki_certificate_of_size(key, sizes[i]);
		struct span der = pki_der(certificate);
		struct span chain[] = {der, der};
		struct peer_chain peer = {0};
		bool fits = sizes[i] <= PEER_CHAIN_CERTIFICATE_MAX;

		assert_int_equal(peer_chain_keep(&peer, chain, 2), fits ? 0 : -E2BIG);
		assert_int_equal(peer.n, fits ? 2 : 0);
		assert_int_equal(peer.err.code, fits ? 0 : -E2BIG);
		if (fits)
			assert_memory_equal(peer.certificates[1].bytes, der.bytes, der.size);
		else
			assert_contains(peer.err.text, "number 1 of the chain: ");
		peer_chain_release(&peer);
		pki_der_free(&der);
		X509_free(certificate);
	}
	EVP_PKEY_free(key);
}

static void test_numbers(void **state)
{
	EVP_PKEY *key = pki_key(2048);
	X509 *certificate = pki_certificate_of_size(key, 1000);
	struct span der = pki_der(certificate);
	struct span chain[PEER_CHAIN_MAX + 1];
	struct peer_chain peer = {0};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(chain); i++)
		chain[i] = der;
	assert_int_equal(peer_chain_keep(&peer, chain, PEER_CHAIN_MAX), 0);
	assert_int_equal(peer.n, PEER_CHAIN_MAX);
	peer_chain_release(&peer);
	assert_int_equal(peer_chain_keep(&peer, chain, PEER_CHAIN_MAX + 1), -E2BIG);
	assert_contains(peer.err.text, "more than 8 certificates");
	assert_int_equal(peer.n, 0);
	peer_chain_release(&peer);
	chain[3] = span_of(NULL, 0); /* an empty one among them */
	assert_int_equal(peer_chain_keep(&peer, chain, PEER_CHAIN_MAX), -EBADMSG);
	assert_contains(peer.err.text, "number 4 of the chain");
	assert_int_equal(peer.n, 0);
	peer_chain_release(&peer);
	pki_der_free(&der);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* The key of every one of them, not of the leaf alone. */
static void test_login_keys(void **state)
{
	EVP_PKEY *small = pki_key(1024);
	EVP_PKEY *key = pki_key(2048);
	X509 *certificates[] = {pki_certificate_of_size(key, 1000),
				pki_certificate_of_size(small, 1000)};
	struct span chain[] = {pki_der(certificates[0]), pki_der(certificates[1])};
	struct peer_chain peer = {0};

	(void)state;
	assert_int_equal(peer_chain_keep(&peer, chain, 2), -EKEYREJECTED);
	assert_contains(peer.err.text, "number 2 of the chain: ");
	assert_contains(peer.err.text, "RSA modulus of 1024 bits");
	assert_int_equal(peer.n, 0);
	peer_chain_release(&peer);
	for (unsigned i = 0; i < 2; i++) {
		pki_der_free(&chain[i]);
		X509_free(certificates[i]);
	}
	EVP_PKEY_free(small);
	EVP_PKEY_free(key);
}

static void test_pem(void **state)
{
	EVP_PKEY *key = pki_key(2048);
	X509 *certificate = pki_certificate_of_size(key, 1000);
	struct span der = pki_der(certificate);
	BIO *bio = BIO_new(BIO_s_mem());
	struct certificate_chain chain = {0};
	char *text;
	size_t size;

	(void)state;
	assert_int_equal(certificate_chain_read(&chain, span_of_string("nothing")), -EINVAL);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	size = (size_t)BIO_get_mem_data(bio, &text);
	assert_int_equal(certificate_chain_read(&chain, span_of(text, size)), 0);
	assert_int_equal(chain.n, PEER_CHAIN_MAX + 1);
	certificate_chain_release(&chain);
	assert_int_equal(certificate_chain_read(&chain, span_of(text, size / 6)), 0);
	assert_int_equal(chain.n, 2);
	assert_memory_equal(chain.certificates[1].bytes, der.bytes, der.size);
	certificate_chain_release(&chain);
	text[size / 12 + 100] = '!'; /* within the second */
	assert_int_equal(certificate_chain_read(&chain, span_of(text, size / 6)), -EINVAL);
	assert_int_equal(chain.n, 0);
	BIO_free(bio);
	pki_der_free(&der);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_login_keys),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
