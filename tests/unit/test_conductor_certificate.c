/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom a router takes for a conductor: only the token's CA says so, whatever the date. */
#include "pki.h"
#include "support.h"

#include "base/macros.h"
#include "onboarding/conductor_certificate.h"

static int check(struct span ca, X509 **chain, size_t n, struct err *err)
{
	struct span ders[3];
	int rc;

	for (size_t i = 0; i < n; i++)
		ders[i] = pki_der(chain[i]);
	rc = conductor_certificate_check(ca, ders, n, err);
	for (size_t i = 0; i < n; i++)
		pki_der_free(&ders[i]);
	return rc;
}

static void test_chains(void **state)
{
	static const struct pki_subject server = {"conductor", {NULL}, "serverAuth", false, 0};
	static const struct pki_subject expired = {"conductor", {NULL}, "serverAuth", false, -60};
	static const struct pki_subject client = {"router", {NULL}, "clientAuth", false, 0};
	static const struct pki_subject issuing = {.common_name = "issuing", .ca = true};
	static const struct pki_subject same_name = {.common_name = "test CA", .ca = true};
	static const struct pki_subject below = {"below", {NULL}, "serverAuth", false, 0};
	struct pki *pki = *state;
	EVP_PKEY *other_key = pki_key(2048);
	X509 *late = pki_certificate(&expired, pki->key, pki->ca, pki->ca_key);
	X509 *intermediate = pki_certificate(&issuing, other_key, pki->ca, pki->ca_key);
	X509 *issued = pki_certificate(&server, pki->key, intermediate, other_key);
	X509 *false_ca = pki_certificate(&same_name, other_key, NULL, NULL);
	X509 *foreign = pki_certificate(&server, pki->key, false_ca, other_key);
	X509 *self = pki_certificate(&server, pki->key, NULL, NULL);
	X509 *routers = pki_certificate(&client, pki->key, pki->ca, pki->ca_key);
	X509 *by_server = pki_certificate(&below, other_key, pki->certificate, pki->key);
	struct {
		X509 *chain[2];
		size_t n;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{{pki->certificate}, 1, NULL},
		{{late}, 1, NULL}, /* the router may have no clock */
		{{issued, intermediate}, 2, NULL},
		{{issued}, 1, "conductor's certificate: unable to get"},
		{{foreign}, 1, "signature failure"},
		{{foreign, false_ca}, 2, "conductor's certificate: "},
		{{self}, 1, "self-signed"},
		{{routers}, 1, "unsuitable certificate purpose"},
		{{by_server, pki->certificate}, 2, "conductor's certificate: "},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		int rc = check(pki->ca_der, rows[i].chain, rows[i].n, &err);

		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
	}
	X509_free(by_server);
	X509_free(routers);
	X509_free(self);
	X509_free(foreign);
	X509_free(false_ca);
	X509_free(issued);
	X509_free(intermediate);
	X509_free(late);
	EVP_PKEY_free(other_key);
}

static void test_malformed(void **state)
{
	struct pki *pki = *state;
	struct span chain[2] = {pki->der, pki->ca_der};
	struct err err = {0};

	assert_int_equal(conductor_certificate_check(span_of("x", 1), chain, 1, &err), -EBADMSG);
	assert_string_equal(err.text, "the token's CA is not a certificate");
	assert_int_equal(conductor_certificate_check(pki->ca_der, chain, 0, &err), -EBADMSG);
	chain[1].size--;
	assert_int_equal(conductor_certificate_check(pki->ca_der, chain, 2, &err), -EBADMSG);
	for (chain[0].size = 0; chain[0].size < pki->der.size; chain[0].size++)
		assert_int_equal(conductor_certificate_check(pki->ca_der, chain, 1, &err),
				 -EBADMSG);
	assert_string_equal(
		err.text, "conductor's certificate: number 1 of the chain: no certificate in DER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
