/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_pem.h - the certificates of a PEM file, as they go over the wire.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "onboarding/peer_chain.h"

/* In DER, in their order. */
struct certificate_chain {
	struct span certificates[PEER_CHAIN_MAX + 1]; /* one more tells of too many */
	size_t n;
};

/* Reads the whole file, up to one certificate more than a peer may show. -EINVAL: there is none,
 * or one is malformed; -ENOMEM. */
int certificate_chain_read(struct certificate_chain *ret, struct span pem);
void certificate_chain_release(struct certificate_chain *chain);

/* To be called after libcrypto's PEM reader returned nothing: true = the end was reached; false =
 * a further block begins that is malformed. */
bool certificate_pem_is_at_end(void);
