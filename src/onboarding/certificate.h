/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.h - verifies certificate chains that came over TLS, after TLS and independent of
 * it.
 *
 * libcrypto does it, in a store made for this one check, so that what an earlier peer sent cannot
 * help a later one. Keys and signatures of less than 112 bits are refused. A trusted certificate
 * may be an intermediate CA.
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#include "onboarding/peer_chain.h"

#define CERTIFICATE_CHAIN_MAX PEER_CHAIN_MAX

struct certificate_rules {
	const char *what; /* begins messages: "client certificate" */
	const STACK_OF(X509) * trusted;
	/* NULL = no CRL is needed. Else each CA that issued a certificate of the chain must have
	 * a CRL here, and no certificate of the chain may be in one. The trusted certificate at
	 * which the chain ends needs no CRL of its own issuer. */
	const STACK_OF(X509_CRL) * crls;
	int purpose; /* X509_PURPOSE_SSL_CLIENT, X509_PURPOSE_SSL_SERVER */
	bool ignore_dates;
	uint64_t now_s; /* else */
};

/* Reads DER to its end; NULL = it is no certificate. */
X509 *certificate_read(struct span der);

/* By which way does leaf lead to a trusted certificate? Others may help. *ret is that chain, from
 * leaf to the trusted one, which the caller frees; ret may be NULL. -EKEYREJECTED, -ENOMEM. */
int certificate_find_chain(const struct certificate_rules *rules, X509 *leaf,
			   STACK_OF(X509) * others, STACK_OF(X509) * *ret, struct err *err);

/* chain is DER, the leaf first. The other certificates only help to find a way to a trusted one.
 * -EKEYREJECTED, -EBADMSG (malformed), -ENOMEM. */
int certificate_verify(const struct certificate_rules *rules, const struct span *chain, size_t n,
		       struct err *err);
