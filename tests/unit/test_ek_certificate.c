/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which certificate of an endorsement key is believed. */
#include "pki.h"
#include "support.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/enrolment/ek_certificate.h"

#define EK_USAGE "2.23.133.8.1"
#define ENCRYPTS "critical,keyEncipherment"
#define AGREES   "critical,keyAgreement"

struct world {
	EVP_PKEY *ca_key;
	EVP_PKEY *issuing_key;
	EVP_PKEY *rsa;
	EVP_PKEY *curve;
	X509 *ca;
	X509 *issuing; /* by ca */
	X509 *foreign; /* of the same name as ca */
};

static const struct pki_subject maker = {.common_name = "maker", .ca = true};
static const struct pki_subject good = {.common_name = "EK", .extended_usage = EK_USAGE};

static int make(void **state)
{
	static const struct pki_subject issuing = {.common_name = "issuing", .ca = true};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->ca_key = pki_key(2048);
	w->issuing_key = pki_key(2048);
	w->rsa = pki_key(2048);
	w->curve = pki_curve_key("P-384");
	w->ca = pki_certificate(&maker, w->ca_key, NULL, NULL);
	w->issuing = pki_certificate(&issuing, w->issuing_key, w->ca, w->ca_key);
	w->foreign = pki_certificate(&maker, w->issuing_key, NULL, NULL);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	EVP_PKEY_free(w->ca_key);
	EVP_PKEY_free(w->issuing_key);
	EVP_PKEY_free(w->rsa);
	EVP_PKEY_free(w->curve);
	X509_free(w->ca);
	X509_free(w->issuing);
	X509_free(w->foreign);
	free(w);
	return 0;
}

/* By trusted, which may be two; above: what the TPM shows beside it, NULL = nothing. */
static int check_chain(X509 *certificate, X509 *above, EVP_PKEY *ek, X509 *const trusted[2],
		       struct err *err)
{
	struct device_ca ca = {.certificates = sk_X509_new_null()};
	struct span chain[2] = {pki_der(certificate)};
	const size_t n = above ? 2 : 1;
	uint8_t *spki = NULL;
	int size = i2d_PUBKEY(ek, &spki);
	int rc;

	for (unsigned i = 0; i < 2 && trusted[i]; i++)
		assert_true(sk_X509_push(ca.certificates, trusted[i]) > 0);
	if (above)
		chain[1] = pki_der(above);
	rc = ek_certificate_check(&ca, chain, n, span_of(spki, (size_t)size), (uint64_t)time(NULL),
				  err);
	sk_X509_free(ca.certificates);
	OPENSSL_free(spki);
	for (size_t i = 0; i < n; i++)
		pki_der_free(&chain[i]);
	return rc;
}

static int check(X509 *certificate, EVP_PKEY *ek, X509 *const trusted[2], struct err *err)
{
	return check_chain(certificate, NULL, ek, trusted, err);
}

#define NO_USAGE  "its extended key usage has no tcg-kp-EKCertificate"
#define OTHER_KEY "of another key than the EK"

static void test_which_are_believed(void **state)
{
	const struct pki_subject without = {.common_name = "EK"};
	const struct pki_subject of_client = {.common_name = "EK", .extended_usage = "clientAuth"};
	const struct pki_subject of_ak = {.common_name = "AK", .extended_usage = "2.23.133.8.3"};
	const struct pki_subject of_ca = {
		.common_name = "EK", .extended_usage = EK_USAGE, .ca = true};
	const struct pki_subject expired = {
		.common_name = "EK", .extended_usage = EK_USAGE, .expires_s = -60};
	struct world *w = *state;
	const struct {
		struct pki_subject subject;
		const char *usage;
		EVP_PKEY *key;
		EVP_PKEY *shown;
		X509 *issuer;
		EVP_PKEY *issuer_key;
		X509 *trusted[2];
		const char *reason; /* NULL = believed */
	} rows[] = {
		{good, ENCRYPTS, w->rsa, w->rsa, w->ca, w->ca_key, {w->ca}, NULL},
		{good, AGREES, w->curve, w->curve, w->ca, w->ca_key, {w->ca}, NULL},
		/* What is between is in the file, with the root or without. */
		{good,
		 ENCRYPTS,
		 w->rsa,
		 w->rsa,
		 w->issuing,
		 w->issuing_key,
		 {w->ca, w->issuing},
		 NULL},
		{good, ENCRYPTS, w->rsa, w->rsa, w->issuing, w->issuing_key, {w->issuing}, NULL},
		{good,
		 ENCRYPTS,
		 w->rsa,
		 w->rsa,
		 w->issuing,
		 w->issuing_key,
		 {w->ca},
		 "unable to get local issuer certificate"},
		{good,
		 ENCRYPTS,
		 w->rsa,
		 w->rsa,
		 w->ca,
		 w->ca_key,
		 {w->foreign},
		 "EK certificate: "},
		{good, ENCRYPTS, w->rsa, w->rsa, NULL, NULL, {w->ca}, "EK certificate: "},
		{without, ENCRYPTS, w->rsa, w->rsa, w->ca, w->ca_key, {w->ca}, NO_USAGE},
		{of_client, ENCRYPTS, w->rsa, w->rsa, w->ca, w->ca_key, {w->ca}, NO_USAGE},
		{of_ak, ENCRYPTS, w->rsa, w->rsa, w->ca, w->ca_key, {w->ca}, NO_USAGE},
		{good, AGREES, w->rsa, w->rsa, w->ca, w->ca_key, {w->ca}, "no keyEncipherment"},
		{good, ENCRYPTS, w->curve, w->curve, w->ca, w->ca_key, {w->ca}, "no keyAgreement"},
		{of_ca,
		 "keyEncipherment,keyCertSign",
		 w->rsa,
		 w->rsa,
		 w->ca,
		 w->ca_key,
		 {w->ca},
		 "EK certificate: is a CA's"},
		{expired,
		 ENCRYPTS,
		 w->rsa,
		 w->rsa,
		 w->ca,
		 w->ca_key,
		 {w->ca},
		 "certificate has expired"},
		{good, ENCRYPTS, w->rsa, w->curve, w->ca, w->ca_key, {w->ca}, OTHER_KEY},
		{good, ENCRYPTS, w->rsa, w->ca_key, w->ca, w->ca_key, {w->ca}, OTHER_KEY},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		X509 *certificate =
			pki_certificate_for(&rows[i].subject, rows[i].usage, rows[i].key,
					    rows[i].issuer, rows[i].issuer_key);
		struct err err = {0};
		int rc = check(certificate, rows[i].shown, rows[i].trusted, &err);

		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %d %s", i, rc, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		X509_free(certificate);
	}
}

/* What the TPM shows helps to find a way, and is nothing that is trusted. */
static void test_what_the_tpm_has_of_its_makers_chain(void **state)
{
	const struct pki_subject no_ca = {.common_name = "issuing"};
	const struct pki_subject old = {.common_name = "issuing", .ca = true, .expires_s = -60};
	struct world *w = *state;
	X509 *certificate =
		pki_certificate_for(&good, ENCRYPTS, w->rsa, w->issuing, w->issuing_key);
	X509 *leaf = pki_certificate(&no_ca, w->issuing_key, w->ca, w->ca_key);
	X509 *expired = pki_certificate(&old, w->issuing_key, w->ca, w->ca_key);
	X509 *own = pki_certificate(&old, w->issuing_key, NULL, NULL);
	const struct {
		X509 *above;
		X509 *trusted;
		const char *reason; /* NULL = believed */
	} rows[] = {
		{w->issuing, w->ca, NULL},
		{w->issuing, w->issuing, NULL},
		{w->ca, w->issuing, NULL}, /* of no use, and no harm */
		{w->ca, w->ca, "unable to get local issuer certificate"},
		{w->issuing, w->foreign, "EK certificate: "},
		{leaf, w->ca, "EK certificate: invalid CA certificate"},
		{expired, w->ca, "EK certificate: certificate has expired"},
		{own, w->ca, "EK certificate: "},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		int rc = check_chain(certificate, rows[i].above, w->rsa,
				     (X509 *[2]){rows[i].trusted}, &err);

		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %d %s", i, rc, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
	}
	X509_free(certificate);
	X509_free(leaf);
	X509_free(expired);
	X509_free(own);
}

/* The pin is made of the DER that is shown: one key is no two pins. */
static void test_one_key_is_shown_in_one_way(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = pki_curve_key("P-256");
	EVP_PKEY *half = EVP_PKEY_dup(key);
	X509 *certificate = pki_certificate_for(&good, AGREES, key, w->ca, w->ca_key);
	X509 *of_half;
	struct err err = {0};

	assert_int_equal(EVP_PKEY_set_utf8_string_param(
				 half, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
			 1);
	of_half = pki_certificate_for(&good, AGREES, half, w->ca, w->ca_key);
	assert_int_equal(check(certificate, half, (X509 *[2]){w->ca}, &err), -EKEYREJECTED);
	assert_int_equal(check(of_half, half, (X509 *[2]){w->ca}, &err), -EKEYREJECTED);
	assert_contains(err.text, "of another key than the EK");
	assert_int_equal(check(of_half, key, (X509 *[2]){w->ca}, &err), 0);
	assert_int_equal(check(certificate, key, (X509 *[2]){w->ca}, &err), 0);
	X509_free(certificate);
	X509_free(of_half);
	EVP_PKEY_free(key);
	EVP_PKEY_free(half);
}

static void test_cut_at_every_byte(void **state)
{
	struct world *w = *state;
	X509 *certificate = pki_certificate_for(&good, ENCRYPTS, w->rsa, w->ca, w->ca_key);
	struct device_ca ca = {.certificates = sk_X509_new_null()};
	struct span der = pki_der(certificate);
	struct err err;

	assert_true(sk_X509_push(ca.certificates, w->ca) > 0);
	for (size_t n = 0; n < der.size; n++)
		assert_true(ek_certificate_check(&ca, &(struct span){der.bytes, n}, 1,
						 span_of(NULL, 0), (uint64_t)time(NULL), &err) < 0);
	sk_X509_free(ca.certificates);
	pki_der_free(&der);
	X509_free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_are_believed),
		cmocka_unit_test(test_what_the_tpm_has_of_its_makers_chain),
		cmocka_unit_test(test_one_key_is_shown_in_one_way),
		cmocka_unit_test(test_cut_at_every_byte),
	};

	return cmocka_run_group_tests(tests, make, end);
}
