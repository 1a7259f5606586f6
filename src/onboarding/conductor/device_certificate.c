#include "onboarding/conductor/device_certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/macros.h"

#define AUTH_LEVEL 2 /* 112 bits: RSA of 2048, SHA-2 */

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void free_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

static void free_store(X509_STORE **store)
{
	X509_STORE_free(*store);
}

static void free_verification(X509_STORE_CTX **verification)
{
	X509_STORE_CTX_free(*verification);
}

static int load_certificates(STACK_OF(X509) * certificates, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	X509 *certificate;

	if (!file)
		return err_set_errno(err, -errno, "open %s", path);
	while ((certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(certificates, certificate) == 0) {
			X509_free(certificate);
			break;
		}
	(void)fclose(file);
	if (sk_X509_num(certificates) < 1)
		return err_set(err, -EINVAL, "%s: expected certificates in PEM", path);
	return 0;
}

static int load_crl(X509_CRL **ret, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return err_set_errno(err, -errno, "open %s", path);
	*ret = PEM_read_X509_CRL(file, NULL, NULL, NULL);
	(void)fclose(file);
	return *ret ? 0 : err_set(err, -EINVAL, "%s: expected a CRL in PEM", path);
}

int device_ca_load(struct device_ca *ret, const char *path, const char *crl_path, struct err *err)
{
	struct device_ca ca = {.certificates = sk_X509_new_null()};
	int rc = ca.certificates ? load_certificates(ca.certificates, path, err)
				 : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0 && crl_path)
		rc = load_crl(&ca.crl, crl_path, err);
	if (rc < 0)
		device_ca_release(&ca);
	else
		*ret = ca;
	return rc;
}

void device_ca_release(struct device_ca *ca)
{
	sk_X509_pop_free(ca->certificates, X509_free);
	X509_CRL_free(ca->crl);
	memset(ca, 0, sizeof(*ca));
}

static X509 *read_certificate(struct span der)
{
	const uint8_t *at = der.bytes;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

	if (certificate && at == der.bytes + der.size)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* All but the leaf: they may help to build the chain, and are trusted for nothing. */
static int read_intermediates(STACK_OF(X509) * ret, const struct span *chain, size_t n,
			      struct err *err)
{
	for (size_t i = 1; i < n; i++) {
		X509 *certificate = read_certificate(chain[i]);

		if (!certificate || sk_X509_push(ret, certificate) == 0) {
			X509_free(certificate);
			return err_set(err, -EBADMSG, "client certificate: its chain is malformed");
		}
	}
	return 0;
}

static X509_STORE *make_store(const struct device_ca *ca, uint64_t now_s)
{
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *parameters = store ? X509_STORE_get0_param(store) : NULL;
	bool good = parameters != NULL;

	for (int i = 0; good && i < sk_X509_num(ca->certificates); i++)
		good = X509_STORE_add_cert(store, sk_X509_value(ca->certificates, i)) == 1;
	good = good && (!ca->crl || X509_STORE_add_crl(store, ca->crl) == 1);
	if (!good) {
		X509_STORE_free(store);
		return NULL;
	}
	X509_VERIFY_PARAM_set_time(parameters, (time_t)now_s);
	X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
	/* A maker's issuing CA may be the one that is configured. */
	(void)X509_VERIFY_PARAM_set_flags(
		parameters, X509_V_FLAG_PARTIAL_CHAIN | (ca->crl ? X509_V_FLAG_CRL_CHECK : 0));
	return store;
}

static int check_chain(const struct device_ca *ca, X509 *leaf, STACK_OF(X509) * intermediates,
		       uint64_t now_s, struct err *err)
{
	_cleanup_(free_store) X509_STORE *store = make_store(ca, now_s);
	_cleanup_(free_verification) X509_STORE_CTX *verification = X509_STORE_CTX_new();

	if (!store || !verification ||
	    X509_STORE_CTX_init(verification, store, leaf, intermediates) != 1 ||
	    X509_STORE_CTX_set_purpose(verification, X509_PURPOSE_SSL_CLIENT) != 1)
		return err_set(err, -ENOMEM, "client certificate: out of memory");
	if (X509_verify_cert(verification) != 1)
		return err_set(
			err, -EKEYREJECTED, "client certificate: %s",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification)));
	return 0;
}

/* libcrypto's purpose is content with a certificate that says nothing of its use. */
static int check_usage(X509 *leaf, struct err *err)
{
	if (!(X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) ||
	    !(X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT))
		return err_set(err, -EKEYREJECTED, "client certificate: is not for clientAuth");
	return 0;
}

static int check_serial_number(X509 *leaf, const char *asset_id, struct err *err)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int first = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
	unsigned char *text = NULL;
	bool same;
	int size;

	if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_serialNumber, first) >= 0)
		return err_set(err, -EKEYREJECTED,
			       "client certificate: expected one serialNumber in its subject, "
			       "found %s",
			       first < 0 ? "none" : "several");
	size = ASN1_STRING_to_UTF8(&text,
				   X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
	if (size < 0)
		return err_set(err, -EKEYREJECTED, "client certificate: serialNumber is no text");
	same = (size_t)size == strlen(asset_id) && memcmp(text, asset_id, (size_t)size) == 0;
	if (!same)
		(void)err_set(err, -EKEYREJECTED,
			      "client certificate: serialNumber is '%.*s', expected asset-id %s",
			      MIN(size, 100), (const char *)text, asset_id);
	OPENSSL_free(text);
	return same ? 0 : -EKEYREJECTED;
}

int device_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			     const char *asset_id, uint64_t now_s, struct err *err)
{
	_cleanup_(free_certificate) X509 *leaf = n > 0 ? read_certificate(chain[0]) : NULL;
	_cleanup_(free_certificates) STACK_OF(X509) *intermediates = sk_X509_new_null();
	int rc;

	if (!leaf || n > DEVICE_CHAIN_MAX)
		return err_set(err, -EBADMSG, "client certificate: malformed, or of more than %d",
			       DEVICE_CHAIN_MAX);
	if (!intermediates)
		return err_set(err, -ENOMEM, "client certificate: out of memory");
	rc = read_intermediates(intermediates, chain, n, err);
	if (rc == 0)
		rc = check_usage(leaf, err);
	if (rc == 0)
		rc = check_serial_number(leaf, asset_id, err);
	if (rc == 0)
		rc = check_chain(ca, leaf, intermediates, now_s, err);
	return rc;
}

int device_certificate_key_digest(struct span der, uint8_t ret[32], struct err *err)
{
	_cleanup_(free_certificate) X509 *certificate = read_certificate(der);
	unsigned char *spki = NULL;
	int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : -1;
	bool good = size > 0 && EVP_Digest(spki, (size_t)size, ret, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	return good ? 0 : err_set(err, -EBADMSG, "client certificate: malformed");
}
