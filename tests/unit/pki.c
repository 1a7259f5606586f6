/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pki.h"
#include "support.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

EVP_PKEY *pki_key(unsigned bits)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);

	assert_non_null(key);
	return key;
}

EVP_PKEY *pki_curve_key(const char *curve)
{
	EVP_PKEY *key = EVP_EC_gen(curve);

	assert_non_null(key);
	return key;
}

EVP_PKEY *pki_public_key(int bits, const char *exponent)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new();
	BIGNUM *e = NULL;
	OSSL_PARAM *parameters;
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	assert_true(BN_hex2bn(&e, exponent) > 0);
	(void)OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
	(void)OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
	parameters = OSSL_PARAM_BLD_to_param(builder);
	(void)EVP_PKEY_fromdata_init(context);
	assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	BN_free(e);
	return key;
}

static void add_name(X509_NAME *name, const char *field, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, field, V_ASN1_UTF8STRING,
						    (const uint8_t *)value, -1, -1, 0),
			 1);
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX made = {0};
	X509_EXTENSION *extension;

	X509V3_set_ctx(&made, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &made, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

X509 *pki_certificate(const struct pki_subject *subject, EVP_PKEY *key, X509 *issuer,
		      EVP_PKEY *issuer_key)
{
	return pki_certificate_for(
		subject, subject->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature",
		key, issuer, issuer_key);
}

X509 *pki_certificate_for(const struct pki_subject *subject, const char *usage, EVP_PKEY *key,
			  X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	(void)X509_set_version(certificate, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	(void)X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	(void)X509_gmtime_adj(X509_getm_notAfter(certificate),
			      subject->expires_s ? subject->expires_s : 86400);
	add_name(name, "CN", subject->common_name);
	for (unsigned i = 0; i < 3 && subject->serial_numbers[i]; i++)
		add_name(name, "serialNumber", subject->serial_numbers[i]);
	(void)X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name);
	(void)X509_set_pubkey(certificate, key);
	add_extension(certificate, issuer ? issuer : certificate, NID_basic_constraints,
		      subject->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(certificate, issuer ? issuer : certificate, NID_key_usage, usage);
	if (subject->extended_usage)
		add_extension(certificate, issuer ? issuer : certificate, NID_ext_key_usage,
			      subject->extended_usage);
	assert_true(X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256()) > 0);
	return certificate;
}

void pki_extend(X509 *certificate, int nid, struct span der, EVP_PKEY *issuer_key)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	assert_int_equal(ASN1_OCTET_STRING_set(value, der.bytes, (int)der.size), 1);
	extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	assert_true(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
}

static X509 *commented(EVP_PKEY *key, const char *comment)
{
	static const struct pki_subject subject = {.common_name = "of some size"};
	X509 *certificate = pki_certificate(&subject, key, NULL, NULL);

	add_extension(certificate, certificate, NID_netscape_comment, comment);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

X509 *pki_certificate_of_size(EVP_PKEY *key, size_t size)
{
	char *comment = calloc(1, size);

	assert_non_null(comment);
	memset(comment, 'x', 150); /* from here on lengths take as many bytes as they will */
	for (;;) {
		X509 *certificate = commented(key, comment);
		size_t got = (size_t)i2d_X509(certificate, NULL);
		size_t n = strlen(comment);

		if (got == size) {
			free(comment);
			return certificate;
		}
		assert_true(got < size && n < size - 1);
		memset(comment + n, 'x', size - got > 8 ? size - got - 8 : 1);
		X509_free(certificate);
	}
}

struct span pki_der(X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	assert_true(size > 0);
	return span_of(der, (size_t)size);
}

void pki_der_free(struct span *der)
{
	union {
		const uint8_t *borrowed;
		void *owned;
	} bytes = {.borrowed = der->bytes};

	OPENSSL_free(bytes.owned);
}

int pki_make(void **state)
{
	static const struct pki_subject ca = {.common_name = "test CA", .ca = true};
	static const struct pki_subject server = {.common_name = "conductor",
						  .extended_usage = "serverAuth"};
	struct pki *pki = calloc(1, sizeof(*pki));

	assert_non_null(pki);
	pki->ca_key = pki_key(2048);
	pki->key = pki_key(2048);
	pki->ca = pki_certificate(&ca, pki->ca_key, NULL, NULL);
	pki->certificate = pki_certificate(&server, pki->key, pki->ca, pki->ca_key);
	pki->ca_der = pki_der(pki->ca);
	pki->der = pki_der(pki->certificate);
	*state = pki;
	return 0;
}

int pki_end(void **state)
{
	struct pki *pki = *state;

	pki_der_free(&pki->ca_der);
	pki_der_free(&pki->der);
	X509_free(pki->ca);
	X509_free(pki->certificate);
	EVP_PKEY_free(pki->ca_key);
	EVP_PKEY_free(pki->key);
	free(pki);
	return 0;
}
