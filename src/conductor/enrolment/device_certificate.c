/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/device_certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "conductor/enrolment/device_serial.h"
#include "onboarding/certificate.h"
#include "onboarding/certificate_pem.h"
#include "onboarding/key_bounds.h"

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

/* Reads the next object of the file onto the stack; false = there is none, or no memory for it. */
typedef bool (*take_one)(FILE *file, void *stack);

static bool take_certificate(FILE *file, void *stack)
{
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

	if (certificate && sk_X509_push(stack, certificate) > 0)
		return true;
	X509_free(certificate);
	return false;
}

static bool take_crl(FILE *file, void *stack)
{
	X509_CRL *crl = PEM_read_X509_CRL(file, NULL, NULL, NULL);

	if (crl && sk_X509_CRL_push(stack, crl) > 0)
		return true;
	X509_CRL_free(crl);
	return false;
}

static int load(void *stack, take_one take, const char *what, const char *path, struct err *err)
{
	FILE *file = file_open_stream(path, err);
	unsigned n = 0;
	bool is_whole;

	if (!file)
		return err ? err->code : -EINVAL;
	ERR_clear_error();
	while (take(file, stack))
		n++;
	is_whole = certificate_pem_is_at_end();
	(void)fclose(file);
	if (n == 0)
		return err_set(err, -EINVAL, "%s: expected %s in PEM", path, what);
	if (!is_whole)
		return err_set(err, -EINVAL, "%s: expected %s in PEM, number %u is malformed", path,
			       what, n + 1);
	return 0;
}

/* libcrypto ignores a CRL that is limited to some reasons, indirect, or a delta CRL: the
 * certificates that it revokes would be let in. So such a CRL is refused. */
static int check_crl(X509_CRL *crl, const char *path, unsigned number, struct err *err)
{
	int critical = -1;
	ISSUING_DIST_POINT *scope =
		X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
	const bool is_partial = scope && (scope->onlysomereasons || scope->indirectCRL > 0);
	const bool is_unreadable = !scope && critical != -1;

	ISSUING_DIST_POINT_free(scope);
	ERR_clear_error();
	if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
		return err_set(err, -EINVAL,
			       "%s: number %u is a delta CRL: expected complete ones, of which "
			       "each stands for itself",
			       path, number);
	if (is_partial || is_unreadable)
		return err_set(err, -EINVAL,
			       "%s: number %u is an indirect CRL, or one for some reasons only: "
			       "expected a CA's own, for all reasons",
			       path, number);
	return 0;
}

static int check_crls(STACK_OF(X509_CRL) * crls, const char *path, struct err *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < sk_X509_CRL_num(crls); i++)
		rc = check_crl(sk_X509_CRL_value(crls, i), path, (unsigned)i + 1, err);
	return rc;
}

int device_ca_load(struct device_ca *ret, const char *path, const char *crl_path, struct err *err)
{
	struct device_ca ca = {
		.certificates = sk_X509_new_null(),
		.crls = crl_path ? sk_X509_CRL_new_null() : NULL,
	};
	int rc = 0;

	if (!ca.certificates || (crl_path && !ca.crls))
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = load(ca.certificates, take_certificate, "certificates", path, err);
	if (rc == 0 && crl_path)
		rc = load(ca.crls, take_crl, "CRLs", crl_path, err);
	if (rc == 0 && crl_path)
		rc = check_crls(ca.crls, crl_path, err);
	if (rc < 0)
		device_ca_release(&ca);
	else
		*ret = ca;
	return rc;
}

void device_ca_release(struct device_ca *ca)
{
	sk_X509_pop_free(ca->certificates, X509_free);
	sk_X509_CRL_pop_free(ca->crls, X509_CRL_free);
	memset(ca, 0, sizeof(*ca));
}

/* A device-ID certificate needs no extended key usage (IEEE 802.1AR). But one that says what
 * it is for must be for this. */
static int check_usage(X509 *leaf, struct err *err)
{
	if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) &&
	    !(X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT))
		return err_set(err, -EKEYREJECTED, "client certificate: is not for clientAuth");
	return 0;
}

int device_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			     const char *asset_id, uint64_t now_s, struct err *err)
{
	_cleanup_(free_certificate) X509 *leaf = NULL;
	const struct certificate_rules rules = {
		.what = "client certificate",
		.trusted = ca->certificates,
		.crls = ca->crls,
		.purpose = X509_PURPOSE_SSL_CLIENT,
		.now_s = now_s,
	};
	int rc;

	if (n == 0 || key_bounds_check_certificate("leaf", chain[0], NULL) == -EBADMSG)
		return err_set(err, -EBADMSG, "client certificate: malformed");
	rc = peer_chain_check(rules.what, chain, n, err);
	if (rc < 0)
		return rc;
	leaf = certificate_read(chain[0]);
	if (!leaf)
		return err_set(err, -EBADMSG, "client certificate: malformed");
	rc = check_usage(leaf, err);
	if (rc == 0)
		rc = device_serial_check(leaf, asset_id, err);
	return rc < 0 ? rc : certificate_verify(&rules, chain, n, err);
}

int device_certificate_key_digest(struct span der, uint8_t ret[32], struct err *err)
{
	_cleanup_(free_certificate) X509 *certificate =
		key_bounds_check_certificate("client certificate", der, NULL) == 0
			? certificate_read(der)
			: NULL;
	unsigned char *spki = NULL;
	int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki) : -1;
	bool good = size > 0 && EVP_Digest(spki, (size_t)size, ret, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	return good ? 0 : err_set(err, -EBADMSG, "client certificate: malformed");
}
