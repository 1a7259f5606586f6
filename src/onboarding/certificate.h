/* certificate.h - certificates that came over TLS, verified apart from it.
 *
 * By libcrypto, in a store made for the one check: what an earlier peer sent can help nobody. Keys
 * and signatures of less than 112 bits are refused. An intermediate CA may be trusted as it is.
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"

#include "onboarding/peer_chain.h"

#define CERTIFICATE_CHAIN_MAX PEER_CHAIN_MAX

struct certificate_rules {
	const char *what; /* begins messages: "client certificate" */
	const STACK_OF(X509) * trusted;
	/* NULL = none is looked for. Else each CA that has certified one of the chain must have one
	 * here, and none of the chain be in it; the trusted one that the chain ends at may do
	 * without one of its own issuer's.
	 */
	const STACK_OF(X509_CRL) * crls;
	int purpose; /* X509_PURPOSE_SSL_CLIENT, X509_PURPOSE_SSL_SERVER */
	bool ignore_dates;
	uint64_t now_s; /* else */
};

/* All of der and nothing more; NULL = it is none. */
X509 *certificate_read(struct span der);

/* chain is DER, the leaf first; all but the leaf only help to find the way to a trusted one.
 * -EKEYREJECTED, -EBADMSG (malformed), -ENOMEM. */
int certificate_verify(const struct certificate_rules *rules, const struct span *chain, size_t n,
		       struct err *err);
