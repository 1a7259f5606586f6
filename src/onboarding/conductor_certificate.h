/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conductor_certificate.h - does this certificate belong to a conductor? Only the CA in the token
 * decides.
 *
 * Dates are ignored: a router that nobody has configured may have no clock, and the conductor
 * judges how long a token is valid. handshake_router checks that the leaf is the very certificate
 * in the token.
 */
#pragma once

#include <openssl/x509.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

/* The conductor's own question, before it shows itself: by which certificates does leaf lead to a
 * trusted one? As certificate_find_chain() does. */
int conductor_certificate_find_chain(const STACK_OF(X509) * trusted, X509 *leaf,
				     STACK_OF(X509) * others, STACK_OF(X509) * *ret,
				     struct err *err);

/* DER, the leaf first. -EKEYREJECTED, -EBADMSG, -ENOMEM. */
int conductor_certificate_check(struct span ca, const struct span *chain, size_t n,
				struct err *err);
