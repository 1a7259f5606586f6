/* conductor_certificate.h - is it a conductor's? The CA in the token says so, and nobody else.
 *
 * Dates are ignored: a router that nobody has configured may have no clock, and how long a token
 * lets it in is judged by the conductor. That the leaf is the very certificate in the token is
 * handshake_router's to check.
 */
#pragma once

#include <stddef.h>

#include "core/err.h"
#include "core/span.h"

/* DER, the leaf first. -EKEYREJECTED, -EBADMSG, -ENOMEM. */
int conductor_certificate_check(struct span ca, const struct span *chain, size_t n,
				struct err *err);
