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

static struct certificate_rules rules_of(const STACK_OF(X509) * trusted)
{
	return (struct certificate_rules){
		.what = "conductor's certificate",
		.trusted = trusted,
		.purpose = X509_PURPOSE_SSL_SERVER,
		.ignore_dates = true,
	};
}

int conductor_certificate_find_chain(const STACK_OF(X509) * trusted, X509 *leaf,
				     STACK_OF(X509) * others, STACK_OF(X509) * *ret,
				     struct err *err)
{
	const struct certificate_rules rules = rules_of(trusted);

	return certificate_find_chain(&rules, leaf, others, ret, err);
}

int conductor_certificate_check(struct span ca, const struct span *chain, size_t n, struct err *err)
{
	_cleanup_(free_certificates) STACK_OF(X509) *trusted = sk_X509_new_null();
	const struct certificate_rules rules = rules_of(trusted);
	X509 *certificate = certificate_read(ca);

	if (!certificate)
		return err_set(err, -EBADMSG, "the token's CA is not a certificate");
	if (!trusted || sk_X509_push(trusted, certificate) == 0) {
		X509_free(certificate);
		return err_set(err, -ENOMEM, "conductor's certificate: out of memory");
	}
	return certificate_verify(&rules, chain, n, err);
}
