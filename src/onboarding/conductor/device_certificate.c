#include "onboarding/conductor/device_certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/macros.h"
#include "onboarding/certificate.h"

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
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
	_cleanup_(free_certificate) X509 *leaf = n > 0 ? certificate_read(chain[0]) : NULL;
	const struct certificate_rules rules = {
		.what = "client certificate",
		.trusted = ca->certificates,
		.crl = ca->crl,
		.purpose = X509_PURPOSE_SSL_CLIENT,
		.now_s = now_s,
	};
	int rc;

	if (!leaf)
		return err_set(err, -EBADMSG, "client certificate: malformed");
	rc = check_usage(leaf, err);
	if (rc == 0)
		rc = check_serial_number(leaf, asset_id, err);
	return rc < 0 ? rc : certificate_verify(&rules, chain, n, err);
}

int device_certificate_key_digest(struct span der, uint8_t ret[32], struct err *err)
{
	_cleanup_(free_certificate) X509 *certificate = certificate_read(der);
	unsigned char *spki = NULL;
	int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : -1;
	bool good = size > 0 && EVP_Digest(spki, (size_t)size, ret, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	return good ? 0 : err_set(err, -EBADMSG, "client certificate: malformed");
}
