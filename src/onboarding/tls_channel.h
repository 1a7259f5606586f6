/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_channel.h - TLS 1.3 for onboarding, in memory: the caller moves bytes to and from the peer.
 *
 * Only this file, tls_context and tls_crypto know wolfSSL. TLS 1.3 only, without tickets,
 * resumption, early data or renegotiation. ALPN is required on both sides: "steward-sco/2", or
 * "steward-sco/1" with a peer that knows nothing else; the name says which messages follow. The
 * server asks for a client certificate. TLS accepts any certificate whose key the peer has proved
 * to hold: the two sides of the handshake decide whether it is the right one, by rules that TLS
 * does not know (docs/onboarding.md, "The handshake, on port 930").
 *
 * Of a peer's chain only the limits of peer_chain.h are checked here. A chain that cannot be kept
 * whole ends the handshake, and so does a key that is not allowed.
 *
 * A channel belongs to one thread at a time. Its calls do not wait for the peer, but
 * tls_channel_advance() computes, and signs by the context's signer: it belongs on the thread pool.
 *
 * Calling sequence: tls_channel_open -> tls_channel_receive and tls_channel_advance, sending what
 * tls_channel_pending returns, until the channel is established -> tls_channel_read,
 * tls_channel_write -> tls_channel_shut -> tls_channel_free.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/peer_chain.h"
#include "onboarding/tls_context.h"

#define TLS_ALPN          "steward-sco/2"
#define TLS_ALPN_1        "steward-sco/1"
#define TLS_CHAIN_MAX     PEER_CHAIN_MAX
#define TLS_WAITING_MAX   ((size_t)64 << 10) /* bytes that may wait in each direction */
#define TLS_EXPORTER_SIZE 32

struct tls_channel;

/* -ENOMEM. */
int tls_channel_open(struct tls_channel **ret, struct tls_context *context, struct err *err);
void tls_channel_free(struct tls_channel *c); /* takes NULL */

/* Bytes came from the peer. -ENOBUFS: more than it may send unread; -ENOMEM. */
int tls_channel_receive(struct tls_channel *c, struct span bytes);

/* Bytes for the peer. The caller sends them and then calls tls_channel_sent(). */
struct span tls_channel_pending(const struct tls_channel *c);
void tls_channel_sent(struct tls_channel *c, size_t n);

/* Continue the TLS handshake. 0: established; -EAGAIN: it is the peer's turn, and err is not
 * filled; -EPROTO: it failed, and the pending bytes tell the peer. */
int tls_channel_advance(struct tls_channel *c, struct err *err);

/* Once established. -EAGAIN: nothing to read; -EPIPE: the peer has closed; -EPROTO. */
int tls_channel_read(struct tls_channel *c, uint8_t *ret, size_t size, size_t *ret_size,
		     struct err *err);
int tls_channel_write(struct tls_channel *c, struct span bytes, struct err *err);
/* Tell the peer that nothing more comes. */
void tls_channel_shut(struct tls_channel *c);

/* The exporter to which the transcript is bound (RFC 9266). To be called once, when the channel
 * is established: the material for it is freed then, since 1,000 channels may wait. -EPROTO. */
int tls_channel_export(struct tls_channel *c, uint8_t ret[TLS_EXPORTER_SIZE], struct err *err);

/* Once established: the version of the messages that both sides know, 1 or 2; and the group by
 * which TLS exchanged keys, "p-256" or "x25519". */
unsigned tls_channel_version(const struct tls_channel *c);
const char *tls_channel_group(const struct tls_channel *c);

/* The certificates that the peer showed, DER, valid as long as the channel: first the leaf, with
 * whose key CertificateVerify was checked, then the others. Returns how many; 0 = it showed none.
 * Call it after tls_channel_advance() returned 0. */
size_t tls_channel_peer_chain(struct tls_channel *c, struct span ret[TLS_CHAIN_MAX]);
