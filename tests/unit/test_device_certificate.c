/* Who a client certificate is of: one device, by its maker, now. */
#include "pki.h"
#include "support.h"

#include <openssl/pem.h>
#include <time.h>

#include "core/macros.h"
#include "onboarding/certificate.h"
#include "onboarding/conductor/device_certificate.h"

struct world {
	EVP_PKEY *ca_key;
	EVP_PKEY *issuing_key;
	EVP_PKEY *foreign_key;
	EVP_PKEY *key;
	X509 *ca;
	X509 *issuing; /* by ca */
	X509 *foreign; /* another CA, of the same name as ca */
	struct device_ca trusted;
	char *folder;
};

static const struct pki_subject maker = {.common_name = "maker", .ca = true};

static void write_pem(const struct world *w, const char *name, X509 *certificate)
{
	FILE *file = fopen(test_path(w->folder, name), "we");

	assert_int_equal(PEM_write_X509(file, certificate), 1);
	(void)fclose(file);
}

static int make(void **state)
{
	static const struct pki_subject issuing = {.common_name = "issuing", .ca = true};
	struct world *w = calloc(1, sizeof(*w));

	w->folder = test_folder();
	w->ca_key = pki_key(2048);
	w->issuing_key = pki_key(2048);
	w->foreign_key = pki_key(2048);
	w->key = pki_key(2048);
	w->ca = pki_certificate(&maker, w->ca_key, NULL, NULL);
	w->issuing = pki_certificate(&issuing, w->issuing_key, w->ca, w->ca_key);
	w->foreign = pki_certificate(&maker, w->foreign_key, NULL, NULL);
	write_pem(w, "ca.pem", w->ca);
	assert_int_equal(device_ca_load(&w->trusted, test_path(w->folder, "ca.pem"), NULL, NULL),
			 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	device_ca_release(&w->trusted);
	X509_free(w->ca);
	X509_free(w->issuing);
	X509_free(w->foreign);
	EVP_PKEY_free(w->ca_key);
	EVP_PKEY_free(w->issuing_key);
	EVP_PKEY_free(w->foreign_key);
	EVP_PKEY_free(w->key);
	test_folder_remove(w->folder);
	free(w);
	return 0;
}

static int check(const struct device_ca *ca, X509 **chain, size_t n, struct err *err)
{
	struct span ders[CERTIFICATE_CHAIN_MAX + 1];
	int rc;

	for (size_t i = 0; i < n; i++)
		ders[i] = pki_der(chain[i]);
	rc = device_certificate_check(ca, ders, n, "A0", (uint64_t)time(NULL), err);
	for (size_t i = 0; i < n; i++)
		pki_der_free(&ders[i]);
	return rc;
}

static void test_subjects(void **state)
{
	static const struct {
		struct pki_subject subject;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{{"router", {"A0"}, "clientAuth", false, 0}, NULL},
		{{"router", {"A0"}, "serverAuth,clientAuth", false, 0}, NULL},
		{{"router", {NULL}, "clientAuth", false, 0}, "found none"},
		{{"A0", {NULL}, "clientAuth", false, 0}, "found none"}, /* the CN is none */
		{{"router", {"A0", "A1"}, "clientAuth", false, 0}, "found several"},
		{{"router", {"A1", "A0"}, "clientAuth", false, 0}, "found several"},
		{{"router", {"A0", "A0"}, "clientAuth", false, 0}, "found several"},
		{{"router", {"A1"}, "clientAuth", false, 0},
		 "serialNumber is 'A1', expected asset-id A0"},
		{{"router", {"a0"}, "clientAuth", false, 0}, "is 'a0'"}, /* look-alikes */
		{{"router", {"A0 "}, "clientAuth", false, 0}, "is 'A0 '"},
		{{"router", {"A00"}, "clientAuth", false, 0}, "is 'A00'"},
		{{"router", {"A"}, "clientAuth", false, 0}, "is 'A'"},
		{{"router",
		  {"\xce\x91"
		   "0"},
		  "clientAuth",
		  false,
		  0},
		 "expected asset-id A0"}, /* a Greek Alpha */
		{{"router", {"A0"}, NULL, false, 0}, "is not for clientAuth"},
		{{"router", {"A0"}, "serverAuth", false, 0}, "is not for clientAuth"},
		{{"router", {"A0"}, "clientAuth", false, -60}, "certificate has expired"},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		X509 *leaf = pki_certificate(&rows[i].subject, w->key, w->ca, w->ca_key);
		struct err err = {0};
		int rc = check(&w->trusted, &leaf, 1, &err);

		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		X509_free(leaf);
	}
}

static const struct pki_subject device = {"router", {"A0"}, "clientAuth", false, 0};
static const struct pki_subject child = {"child", {"A0"}, "clientAuth", false, 0};

static void test_issuers(void **state)
{
	struct world *w = *state;
	EVP_PKEY *small_key = pki_key(1024);
	X509 *self_signed = pki_certificate(&device, w->key, NULL, NULL);
	X509 *foreign = pki_certificate(&device, w->key, w->foreign, w->foreign_key);
	X509 *issued = pki_certificate(&device, w->key, w->issuing, w->issuing_key);
	/* A device that acts as CA for another. */
	X509 *by_device = pki_certificate(&child, w->foreign_key, issued, w->key);
	X509 *small = pki_certificate(&device, small_key, w->ca, w->ca_key);
	const struct {
		X509 *chain[3];
		size_t n;
		const char *reason;
	} rows[] = {
		{{issued, w->issuing}, 2, NULL},
		{{issued}, 1, "unable to get"}, /* not helped by the row before */
		{{self_signed}, 1, "self"},
		{{foreign}, 1, "signature failure"},
		{{foreign, w->foreign}, 2, "client certificate: "}, /* its CA comes along */
		{{by_device, issued, w->issuing}, 3, "CA"},
		{{small}, 1, "key too weak"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		X509 *chain[3] = {rows[i].chain[0], rows[i].chain[1], rows[i].chain[2]};
		struct err err = {0};
		int rc = check(&w->trusted, chain, rows[i].n, &err);

		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
	}
	X509_free(small);
	X509_free(by_device);
	X509_free(issued);
	X509_free(foreign);
	X509_free(self_signed);
	EVP_PKEY_free(small_key);
}

static void write_crl(const struct world *w, X509 *revoked, long expires_s)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *last = X509_gmtime_adj(NULL, -7200);
	ASN1_TIME *next = X509_gmtime_adj(NULL, expires_s);
	FILE *file = fopen(test_path(w->folder, "crl.pem"), "we");

	(void)X509_CRL_set_version(crl, 1);
	(void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(w->ca));
	(void)X509_CRL_set1_lastUpdate(crl, last);
	(void)X509_CRL_set1_nextUpdate(crl, next);
	(void)X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
	(void)X509_REVOKED_set_revocationDate(entry, last);
	assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
	assert_true(X509_CRL_sign(crl, w->ca_key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
	(void)fclose(file);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
}

static void test_revoked(void **state)
{
	struct world *w = *state;
	X509 *revoked = pki_certificate(&device, w->key, w->ca, w->ca_key);
	X509 *good = pki_certificate(&device, w->key, w->ca, w->ca_key);
	struct device_ca ca;
	struct err err = {0};

	write_crl(w, revoked, 3600);
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "ca.pem"),
					test_path(w->folder, "crl.pem"), &err),
			 0);
	assert_int_equal(check(&ca, &revoked, 1, &err), -EKEYREJECTED);
	assert_contains(err.text, "client certificate: certificate revoked");
	if (check(&ca, &good, 1, &err) < 0)
		fail_msg("%s", err.text);
	device_ca_release(&ca);
	write_crl(w, revoked, -60);
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "ca.pem"),
					test_path(w->folder, "crl.pem"), &err),
			 0);
	assert_int_equal(check(&ca, &good, 1, &err), -EKEYREJECTED); /* who knows? */
	assert_contains(err.text, "CRL has expired");
	device_ca_release(&ca);
	X509_free(good);
	X509_free(revoked);
}

static void test_malformed(void **state)
{
	struct world *w = *state;
	X509 *leaf = pki_certificate(&device, w->key, w->ca, w->ca_key);
	struct span chain[CERTIFICATE_CHAIN_MAX + 1];
	struct span der = pki_der(leaf);
	uint8_t digest[32];
	struct err err = {0};

	for (size_t i = 0; i < N_ELEMENTS(chain); i++)
		chain[i] = der;
	assert_int_equal(device_certificate_check(&w->trusted, chain, 0, "A0", 0, &err), -EBADMSG);
	assert_int_equal(
		device_certificate_check(&w->trusted, chain, N_ELEMENTS(chain), "A0", 0, &err),
		-EBADMSG);
	chain[1].size--;
	assert_int_equal(device_certificate_check(&w->trusted, chain, 2, "A0", 0, &err), -EBADMSG);
	assert_contains(err.text, "client certificate: malformed, or more than 8 in its chain");
	for (chain[0].size = 0; chain[0].size < der.size; chain[0].size++) {
		assert_int_equal(device_certificate_check(&w->trusted, chain, 1, "A0", 0, &err),
				 -EBADMSG);
		assert_int_equal(device_certificate_key_digest(chain[0], digest, &err), -EBADMSG);
	}
	assert_int_equal(device_certificate_key_digest(der, digest, &err), 0);
	pki_der_free(&der);
	X509_free(leaf);
}

static void test_files(void **state)
{
	struct world *w = *state;
	const char *nothing = test_path(w->folder, "nothing.pem");
	struct device_ca ca = {0};
	struct err err = {0};

	test_write(nothing, span_of_string("nothing\n"));
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "missing"), NULL, &err), -ENOENT);
	assert_int_equal(device_ca_load(&ca, nothing, NULL, &err), -EINVAL);
	assert_contains(err.text, "nothing.pem: expected certificates in PEM");
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "ca.pem"), nothing, &err),
			 -EINVAL);
	assert_contains(err.text, "nothing.pem: expected a CRL in PEM");
	assert_null(ca.certificates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects), cmocka_unit_test(test_issuers),
		cmocka_unit_test(test_revoked),  cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, make, end);
}
