/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a client certificate is of: one device, by its maker, now. */
#include "pki.h"
#include "support.h"

#include <openssl/x509v3.h>

#include <openssl/pem.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/enrolment/device_certificate.h"
#include "onboarding/certificate.h"

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
		 "expected asset-id A0"},                   /* a Greek Alpha */
		{{"router", {"A0"}, NULL, false, 0}, NULL}, /* IEEE 802.1AR asks for none */
		{{"router", {"A1"}, NULL, false, 0}, "is 'A1'"},
		{{"router", {"A0"}, "serverAuth", false, 0}, "is not for clientAuth"},
		{{"router", {"A0"}, "codeSigning", false, 0}, "is not for clientAuth"},
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

/* subjectAltName: HardwareModuleNames, each of hwType 1.2.3 and these bytes. */
#define HW(serial_length, length_all, length_any, length_sequence, serial)                         \
	"\xa0" length_all "\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0" length_any                \
	"\x30" length_sequence "\x06\x02\x2a\x03\x04" serial_length serial
#define NAMES(length, names)                                                                       \
	{                                                                                          \
		"\x30" length names, sizeof("\x30" length names) - 1                               \
	}
#define A0 HW("\x02", "\x16", "\x0a", "\x08", "A0")
#define A1 HW("\x02", "\x16", "\x0a", "\x08", "A1")

static void test_hardware_serial_numbers(void **state)
{
	static const struct {
		struct {
			const char *bytes;
			size_t size;
		} names;
		const char *subject_serial; /* NULL = none */
		const char *asset_id;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{NAMES("\x18", A0), NULL, "A0", NULL},
		{NAMES("\x1d", "\x82\x03x.y" A0), NULL, "A0", NULL}, /* beside a DNS name */
		{NAMES("\x18", HW("\x02", "\x16", "\x0a", "\x08", "\xff\x01")), NULL, "ff01", NULL},
		{NAMES("\x18", HW("\x02", "\x16", "\x0a", "\x08", "\xff\x01")), NULL, "FF01",
		 "hwSerialNum in hex is 'ff01'"},
		{NAMES("\x18", A0), NULL, "4130", "hwSerialNum is 'A0', expected asset-id 4130"},
		{NAMES("\x18", A1), NULL, "A0", "hwSerialNum is 'A1', expected asset-id A0"},
		{NAMES("\x18", HW("\x02", "\x16", "\x0a", "\x08", "A\0")), NULL, "A", "is '4100'"},
		{NAMES("\x30", A0 A0), NULL, "A0", "found several"},
		{NAMES("\x30", A0 A1), NULL, "A0", "found several"},
		{NAMES("\x05", "\x82\x03x.y"), NULL, "A0", "found none"},
		/* No bytes; fewer than the length says; no SEQUENCE; text. */
		{NAMES("\x16", HW("\0", "\x14", "\x08", "\x06", "")), NULL, "A0", "malformed"},
		{NAMES("\x18", HW("\x04", "\x16", "\x0a", "\x08", "A0")), NULL, "A0", "malformed"},
		{NAMES("\x12", "\xa0\x10\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0\x04\x0c\x02"
			       "A0"),
		 NULL, "A0", "malformed"},
		/* The subject's decides where it has one. */
		{NAMES("\x18", A1), "A0", "A0", NULL},
		{NAMES("\x18", A0), "A1", "A0", "serialNumber is 'A1'"},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		const struct pki_subject subject = {"router", {rows[i].subject_serial}, NULL, 0, 0};
		X509 *leaf = pki_certificate(&subject, w->key, w->ca, w->ca_key);
		struct span der;
		struct err err = {0};
		int rc;

		pki_extend(leaf, NID_subject_alt_name,
			   span_of(rows[i].names.bytes, rows[i].names.size), w->ca_key);
		der = pki_der(leaf);
		rc = device_certificate_check(&w->trusted, &der, 1, rows[i].asset_id,
					      (uint64_t)time(NULL), &err);
		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %d %s", i, rc, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		pki_der_free(&der);
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
		{{small}, 1, "RSA modulus of 1024 bits"},
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

/* value: NULL = it is a number. */
static void extend(X509_CRL *crl, int nid, const char *value)
{
	ASN1_INTEGER *one = s2i_ASN1_INTEGER(NULL, "1");
	X509_EXTENSION *extension;

	if (!value)
		assert_int_equal(X509_CRL_add1_ext_i2d(crl, nid, one, nid == NID_delta_crl, 0), 1);
	ASN1_INTEGER_free(one);
	if (!value)
		return;
	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_int_equal(X509_CRL_add_ext(crl, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Adds one to crl.pem. revoked may be NULL; extension: a NID, or 0. */
static void add_extended_crl(const struct world *w, X509 *issuer, EVP_PKEY *key, X509 *revoked,
			     long expires_s, int nid, const char *value)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *last = X509_gmtime_adj(NULL, -7200);
	ASN1_TIME *next = X509_gmtime_adj(NULL, expires_s);
	FILE *file = fopen(test_path(w->folder, "crl.pem"), "ae");

	(void)X509_CRL_set_version(crl, 1);
	(void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
	(void)X509_CRL_set1_lastUpdate(crl, last);
	(void)X509_CRL_set1_nextUpdate(crl, next);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();

		(void)X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
		(void)X509_REVOKED_set_revocationDate(entry, last);
		assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
	}
	if (nid)
		extend(crl, nid, value);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
	(void)fclose(file);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
}

static void add_crl(const struct world *w, X509 *issuer, EVP_PKEY *key, X509 *revoked,
		    long expires_s)
{
	add_extended_crl(w, issuer, key, revoked, expires_s, 0, NULL);
}

static void load(const struct world *w, struct device_ca *ret, const char *authorities)
{
	struct err err = {0};

	if (device_ca_load(ret, test_path(w->folder, authorities), test_path(w->folder, "crl.pem"),
			   &err) < 0)
		fail_msg("%s", err.text);
	(void)unlink(test_path(w->folder, "crl.pem"));
}

/* expected: NULL = it is taken. */
static void expect(const struct device_ca *ca, X509 **chain, size_t n, const char *expected)
{
	struct err err = {0};
	int rc = check(ca, chain, n, &err);

	if (rc != (expected ? -EKEYREJECTED : 0))
		fail_msg("%d: %s", rc, err.text);
	if (expected)
		assert_contains(err.text, expected);
}

static void test_revoked(void **state)
{
	struct world *w = *state;
	X509 *revoked = pki_certificate(&device, w->key, w->ca, w->ca_key);
	X509 *good = pki_certificate(&device, w->key, w->ca, w->ca_key);
	struct device_ca ca;

	add_crl(w, w->ca, w->ca_key, revoked, 3600);
	load(w, &ca, "ca.pem");
	expect(&ca, &revoked, 1, "client certificate: certificate revoked: ");
	expect(&ca, &good, 1, NULL);
	device_ca_release(&ca);
	add_crl(w, w->ca, w->ca_key, revoked, -60);
	load(w, &ca, "ca.pem");
	expect(&ca, &good, 1, "CRL has expired: that of CA CN=maker"); /* who knows? */
	device_ca_release(&ca);
	X509_free(good);
	X509_free(revoked);
}

/* Each CA has its own, wherever in the file it stands. */
static void test_crls_of_two_makers(void **state)
{
	static const struct pki_subject second = {.common_name = "second", .ca = true};
	struct world *w = *state;
	X509 *other = pki_certificate(&second, w->foreign_key, NULL, NULL);
	X509 *first_device = pki_certificate(&device, w->key, w->ca, w->ca_key);
	X509 *good = pki_certificate(&device, w->key, other, w->foreign_key);
	X509 *revoked = pki_certificate(&device, w->key, other, w->foreign_key);
	FILE *file = fopen(test_path(w->folder, "both.pem"), "we");
	struct device_ca ca;

	assert_int_equal(PEM_write_X509(file, w->ca), 1);
	assert_int_equal(PEM_write_X509(file, other), 1);
	(void)fclose(file);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	add_crl(w, other, w->foreign_key, revoked, 3600);
	load(w, &ca, "both.pem");
	expect(&ca, &first_device, 1, NULL);
	expect(&ca, &good, 1, NULL);
	expect(&ca, &revoked, 1, "certificate revoked");
	device_ca_release(&ca);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	load(w, &ca, "both.pem");
	expect(&ca, &first_device, 1, NULL);
	expect(&ca, &good, 1,
	       "client certificate: there is no CRL of CA CN=second, which has certified "
	       "serialNumber=A0,CN=router");
	device_ca_release(&ca);
	X509_free(other);
	X509_free(first_device);
	X509_free(good);
	X509_free(revoked);
}

static void test_crls_of_a_chain(void **state)
{
	struct world *w = *state;
	X509 *leaf = pki_certificate(&device, w->key, w->issuing, w->issuing_key);
	X509 *chain[] = {leaf, w->issuing};
	struct device_ca ca;

	add_crl(w, w->issuing, w->issuing_key, NULL, 3600);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	load(w, &ca, "ca.pem");
	expect(&ca, chain, 2, NULL);
	device_ca_release(&ca);
	add_crl(w, w->issuing, w->issuing_key, NULL, 3600);
	add_crl(w, w->ca, w->ca_key, w->issuing, 3600); /* the second one */
	load(w, &ca, "ca.pem");
	expect(&ca, chain, 2, "certificate revoked: CN=issuing by CA CN=maker");
	device_ca_release(&ca);
	add_crl(w, w->issuing, w->issuing_key, NULL, 3600);
	load(w, &ca, "ca.pem");
	expect(&ca, chain, 2, "no CRL of CA CN=maker, which has certified CN=issuing");
	device_ca_release(&ca);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	load(w, &ca, "ca.pem");
	expect(&ca, chain, 2, "no CRL of CA CN=issuing, which has certified");
	device_ca_release(&ca);
	add_crl(w, w->issuing, w->foreign_key, NULL, 3600); /* not by its key */
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	load(w, &ca, "ca.pem");
	expect(&ca, chain, 2, "CRL signature failure");
	device_ca_release(&ca);
	X509_free(leaf);
}

/* A trusted CA that is not its own issuer: its issuer owes it nothing, but may revoke it. */
static void test_crls_where_an_intermediate_is_trusted(void **state)
{
	struct world *w = *state;
	X509 *leaf = pki_certificate(&device, w->key, w->issuing, w->issuing_key);
	struct device_ca ca;

	write_pem(w, "issuing.pem", w->issuing);
	add_crl(w, w->issuing, w->issuing_key, NULL, 3600);
	load(w, &ca, "issuing.pem");
	expect(&ca, &leaf, 1, NULL);
	device_ca_release(&ca);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	load(w, &ca, "issuing.pem");
	expect(&ca, &leaf, 1, "no CRL of CA CN=issuing");
	device_ca_release(&ca);
	add_crl(w, w->issuing, w->issuing_key, leaf, 3600);
	load(w, &ca, "issuing.pem");
	expect(&ca, &leaf, 1, "certificate revoked");
	device_ca_release(&ca);
	add_crl(w, w->issuing, w->issuing_key, NULL, 3600);
	add_crl(w, w->ca, w->ca_key, w->issuing, 3600);
	load(w, &ca, "issuing.pem");
	expect(&ca, &leaf, 1, "certificate revoked: CN=issuing by CA CN=maker");
	device_ca_release(&ca);
	X509_free(leaf);
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
		-E2BIG);
	assert_contains(err.text, "client certificate: more than 8 certificates in its chain");
	chain[1].size--;
	assert_int_equal(device_certificate_check(&w->trusted, chain, 2, "A0", 0, &err), -EBADMSG);
	assert_contains(err.text, "client certificate: number 2 of the chain: no certificate");
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
	FILE *file;
	struct device_ca ca = {0};
	struct err err = {0};

	test_write(nothing, span_of_string("nothing\n"));
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "missing"), NULL, &err), -ENOENT);
	assert_int_equal(device_ca_load(&ca, nothing, NULL, &err), -EINVAL);
	assert_contains(err.text, "nothing.pem: expected certificates in PEM");
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "ca.pem"), nothing, &err),
			 -EINVAL);
	assert_contains(err.text, "nothing.pem: expected CRLs in PEM");
	assert_null(ca.certificates);
	add_crl(w, w->ca, w->ca_key, NULL, 3600);
	file = fopen(test_path(w->folder, "crl.pem"), "ae");
	(void)fputs("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", file);
	(void)fclose(file);
	assert_int_equal(device_ca_load(&ca, test_path(w->folder, "ca.pem"),
					test_path(w->folder, "crl.pem"), &err),
			 -EINVAL);
	assert_contains(err.text, "crl.pem: expected CRLs in PEM, number 2 is malformed");
	assert_null(ca.certificates);
	(void)unlink(test_path(w->folder, "crl.pem"));
}

/* Whom such a one revokes, nobody would see. */
static void test_crls_that_are_not_whole(void **state)
{
	static const struct {
		int nid;
		const char *value;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{NID_delta_crl, NULL, "number 2 is a delta CRL"},
		{NID_issuing_distribution_point, "critical,indirectCRL:TRUE",
		 "number 2 is an indirect CRL"},
		{NID_issuing_distribution_point, "critical,onlysomereasons:keyCompromise",
		 "for some reasons only"},
		{NID_issuing_distribution_point, "critical,onlyuser:TRUE", NULL},
		{NID_crl_number, NULL, NULL},
	};
	struct world *w = *state;
	X509 *revoked = pki_certificate(&device, w->key, w->ca, w->ca_key);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct device_ca ca = {0};
		struct err err = {0};
		int rc;

		add_crl(w, w->ca, w->ca_key, NULL, 3000);
		add_extended_crl(w, w->ca, w->ca_key, revoked, 3600, rows[i].nid, rows[i].value);
		rc = device_ca_load(&ca, test_path(w->folder, "ca.pem"),
				    test_path(w->folder, "crl.pem"), &err);
		assert_int_equal(rc, rows[i].reason ? -EINVAL : 0);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		assert_int_equal(!ca.crls, rc < 0);
		device_ca_release(&ca);
		(void)unlink(test_path(w->folder, "crl.pem"));
	}
	X509_free(revoked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_hardware_serial_numbers),
		cmocka_unit_test(test_issuers),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_crls_of_two_makers),
		cmocka_unit_test(test_crls_that_are_not_whole),
		cmocka_unit_test(test_crls_of_a_chain),
		cmocka_unit_test(test_crls_where_an_intermediate_is_trusted),
	};

	return cmocka_run_group_tests(tests, make, end);
}
