/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_chain.h - the certificates that a peer showed in TLS: all of them, or none.
 *
 * This is a copy of the one Certificate message of a handshake. The first certificate is the
 * leaf; CertificateVerify is checked with its key. wolfSSL's own copy in a session is not used:
 * it leaves out certificates larger than 2 KiB and those beyond the ninth, so that its first one
 * may be a certificate whose key nobody has proved to hold.
 *
 * A chain with too many or too large certificates, or with a key that key_bounds.h does not
 * allow, is refused as a whole, before anything is computed with it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define PEER_CHAIN_MAX             8    /* certificates */
#define PEER_CHAIN_CERTIFICATE_MAX 2047 /* bytes of each */

/* Zeroed: nothing was shown. */
struct peer_chain {
	uint8_t *bytes; /* owned */
	struct span certificates[PEER_CHAIN_MAX];
	size_t n;
	struct err err; /* why it was refused: code < 0 */
};

/* Keeps n DER certificates, the leaf first; to be called once. -EKEYREJECTED (a key), -E2BIG
 * (number, size), -EBADMSG, -ENOMEM; chain->err has the error too. */
int peer_chain_keep(struct peer_chain *chain, const struct span *certificates, size_t n);
void peer_chain_release(struct peer_chain *chain);

/* Would a peer keep this chain of our own? The same rules. Messages begin with what. */
int peer_chain_check(const char *what, const struct span *certificates, size_t n, struct err *err);
