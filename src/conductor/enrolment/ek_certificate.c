/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/ek_certificate.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/certificate.h"
#include "onboarding/peer_chain.h"

#define WHAT     "EK certificate"
#define EK_USAGE "2.23.133.8.1" /* tcg-kp-EKCertificate */

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void free_usages(EXTENDED_KEY_USAGE **usages)
{
	EXTENDED_KEY_USAGE_free(*usages);
}

static int check_extended_usage(X509 *certificate, struct err *err)
{
	_cleanup_(free_usages) EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	char name[64];

	for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages); i++)
		if (OBJ_obj2txt(name, sizeof(name), sk_ASN1_OBJECT_value(usages, i), 1) > 0 &&
		    strcmp(name, EK_USAGE) == 0)
			return 0;
	return err_set(err, -EKEYREJECTED,
		       WHAT ": its extended key usage has no tcg-kp-EKCertificate (" EK_USAGE ")");
}

static int check_usage(X509 *certificate, struct err *err)
{
	const bool is_rsa = EVP_PKEY_is_a(X509_get0_pubkey(certificate), "RSA");
	const uint32_t usage = X509_get_key_usage(certificate); /* all bits where there is none */

	if (!(usage & (is_rsa ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT)))
		return err_set(err, -EKEYREJECTED, WHAT ": its key usage has no %s",
			       is_rsa ? "keyEncipherment" : "keyAgreement");
	if (X509_get_extension_flags(certificate) & EXFLAG_CA)
		return err_set(err, -EKEYREJECTED, WHAT ": is a CA's");
	return check_extended_usage(certificate, err);
}

/* A key can be written in several ways; the pin is made of one of them. */
static int check_key(X509 *certificate, struct span ek, struct err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	uint8_t *der = NULL;
	int size = -1;
	bool same;

	if (key && EVP_PKEY_is_a(key, "EC"))
		(void)EVP_PKEY_set_utf8_string_param(
			key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
	if (key)
		size = i2d_PUBKEY(key, &der);
	same = size > 0 && (size_t)size == ek.size && memcmp(der, ek.bytes, ek.size) == 0;
	OPENSSL_free(der);
	ERR_clear_error();
	return same ? 0 : err_set(err, -EKEYREJECTED, WHAT ": it is of another key than the EK");
}

int ek_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			 struct span ek, uint64_t now_s, struct err *err)
{
	_cleanup_(free_certificate) X509 *read = NULL;
	/* libcrypto knows no purpose for these: check_usage() judges it. */
	const struct certificate_rules rules = {.what = WHAT,
						.trusted = ca->certificates,
						.crls = ca->crls,
						.purpose = X509_PURPOSE_ANY,
						.now_s = now_s};
	int rc = peer_chain_check(WHAT, chain, n, err);

	if (rc < 0)
		return rc;
	read = certificate_read(chain[0]);
	if (!read)
		return err_set(err, -EBADMSG, WHAT ": malformed");
	rc = check_key(read, ek, err);
	if (rc == 0)
		rc = check_usage(read, err);
	return rc < 0 ? rc : certificate_verify(&rules, chain, n, err);
}
