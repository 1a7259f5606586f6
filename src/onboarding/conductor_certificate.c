/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/conductor_certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "onboarding/certificate.h"

static void free_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

int conductor_certificate_check(struct span ca, const struct span *chain, size_t n, struct err *err)
{
	_cleanup_(free_certificates) STACK_OF(X509) *trusted = sk_X509_new_null();
	const struct certificate_rules rules = {
		.what = "conductor's certificate",
		.trusted = trusted,
		.purpose = X509_PURPOSE_SSL_SERVER,
		.ignore_dates = true,
	};
	X509 *certificate = certificate_read(ca);

	if (!certificate)
		return err_set(err, -EBADMSG, "the token's CA is not a certificate");
	if (!trusted || sk_X509_push(trusted, certificate) == 0) {
		X509_free(certificate);
		return err_set(err, -ENOMEM, "conductor's certificate: out of memory");
	}
	return certificate_verify(&rules, chain, n, err);
}
