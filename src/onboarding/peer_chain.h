/* peer_chain.h - the certificates that a peer showed in TLS, the whole of them or nothing.
 *
 * What is kept here is a copy of the one Certificate message of a handshake: the first is the leaf,
 * whose key CertificateVerify is checked with. wolfSSL's own copy in a session is not looked at:
 * it leaves out what is larger than 2 KiB, and more than nine, so that its first certificate may
 * be one whose key nobody has proved to hold.
 *
 * A chain that goes beyond the bounds, of number, size or keys, is refused as a whole, and before
 * anything is computed with it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"

#define PEER_CHAIN_MAX             8    /* certificates */
#define PEER_CHAIN_CERTIFICATE_MAX 2047 /* bytes of each */

/* Zeroed: nothing was shown. */
struct peer_chain {
	uint8_t *bytes; /* owned */
	struct span certificates[PEER_CHAIN_MAX];
	size_t n;
	struct err err; /* why it was refused: code < 0 */
};

/* n DER certificates, the leaf first; once. -EKEYREJECTED (a key), -E2BIG (number, size), -EBADMSG,
 * -ENOMEM; err has it too. */
int peer_chain_keep(struct peer_chain *chain, const struct span *certificates, size_t n);
void peer_chain_release(struct peer_chain *chain);

/* Would a peer keep it? The same rules, for a chain of our own. what begins messages. */
int peer_chain_check(const char *what, const struct span *certificates, size_t n, struct err *err);
