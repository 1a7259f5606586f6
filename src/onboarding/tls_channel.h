/* tls_channel.h - TLS 1.3 of SCO over memory: bytes from and for the peer are handed in and out.
 *
 * With tls_crypto the only file that knows wolfSSL. TLS 1.3 alone; no tickets, resumption, early
 * data or renegotiation; ALPN "steward-sco/1" is required on both sides. The server asks for a
 * client certificate. Both sides take any certificate whose key the peer has proved to hold: whose
 * it is, the handshake's two sides judge themselves, by rules TLS does not know
 * (docs/onboarding.md, "The handshake, on port 930").
 *
 * Of what a peer shows only peer_chain.h's bounds are judged here: a chain that cannot be kept
 * whole ends the handshake, and so does a key that is not computed with.
 *
 * A context is made once and shared, by threads too. A channel belongs to one thread at a time, and
 * its calls do not wait for the peer; but tls_channel_advance() computes, and signs through the
 * context's signer: it belongs on the thread pool.
 *
 * Calling sequence: tls_channel_open -> tls_channel_receive and tls_channel_advance, and what
 * tls_channel_pending has is sent, until it is established -> tls_channel_read, tls_channel_write
 * -> tls_channel_shut -> tls_channel_free.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"
#include "onboarding/peer_chain.h"

#define TLS_ALPN          "steward-sco/1"
#define TLS_CHAIN_MAX     PEER_CHAIN_MAX
#define TLS_WAITING_MAX   ((size_t)64 << 10) /* bytes that may wait in each direction */
#define TLS_EXPORTER_SIZE 32

/* Who has the private key. */
struct tls_signer {
	/* RSASSA-PSS, salt as long as the digest: SHA-256, 384 or 512 by its size. *size is the
	 * room at ret, and then what was used. 0, or a negative errno. */
	int (*sign)(void *owner, struct span digest, uint8_t *ret, size_t *size);
	void *owner;
};

/* Borrowed for the call; the signer until the context is freed. */
struct tls_identity {
	struct span chain;      /* PEM, the leaf first; an RSA key */
	struct span public_key; /* the leaf's, DER SubjectPublicKeyInfo */
	const struct tls_signer *signer;
};

struct tls_context;
struct tls_channel;

/* -EINVAL (no such certificate), -ENOMEM. identity NULL: a client without certificate. */
int tls_context_new_server(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err);
int tls_context_new_client(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err);
void tls_context_free(struct tls_context *context); /* takes NULL; no channel may be left */

/* -ENOMEM. */
int tls_channel_open(struct tls_channel **ret, struct tls_context *context, struct err *err);
void tls_channel_free(struct tls_channel *c); /* takes NULL */

/* Bytes came from the peer. -ENOBUFS: more than it may send unread; -ENOMEM. */
int tls_channel_receive(struct tls_channel *c, struct span bytes);

/* Bytes for the peer: sent by the caller, and then told so. */
struct span tls_channel_pending(const struct tls_channel *c);
void tls_channel_sent(struct tls_channel *c, size_t n);

/* Go on with the TLS handshake. 0: it is established; -EAGAIN: the peer's turn, and err is not
 * filled; -EPROTO: it failed, and what is pending tells the peer. */
int tls_channel_advance(struct tls_channel *c, struct err *err);

/* After that. -EAGAIN: nothing there; -EPIPE: the peer has ended it; -EPROTO. */
int tls_channel_read(struct tls_channel *c, uint8_t *ret, size_t size, size_t *ret_size,
		     struct err *err);
int tls_channel_write(struct tls_channel *c, struct span bytes, struct err *err);
/* Tell the peer that nothing more comes. */
void tls_channel_shut(struct tls_channel *c);

/* What the transcript is bound to (RFC 9266); when it is established, and once: what it is made of
 * is then freed, as 1,000 channels may wait. -EPROTO. */
int tls_channel_export(struct tls_channel *c, uint8_t ret[TLS_EXPORTER_SIZE], struct err *err);

/* What the peer showed, DER, as long as the channel: the leaf first, whose key CertificateVerify
 * was checked with, and all that came after it; how many. 0 = it showed nothing. After
 * tls_channel_advance() returned 0. */
size_t tls_channel_peer_chain(struct tls_channel *c, struct span ret[TLS_CHAIN_MAX]);
