/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_context.h - what all TLS channels of one side have in common: versions and groups, and by
 * which certificate and key they show themselves.
 *
 * A context is made once and shared, also between threads. Rules and limits: tls_channel.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* The holder of the private key. */
struct tls_signer {
	/* With an RSA key RSASSA-PSS, salt as long as the digest: SHA-256, 384 or 512 by its size;
	 * with one on a curve ECDSA, in DER. *size is the room at ret, and then what was used. 0,
	 * or a negative errno. */
	int (*sign)(void *owner, struct span digest, uint8_t *ret, size_t *size);
	void *owner;
};

/* Borrowed for the call; the signer until the context is freed. */
struct tls_identity {
	struct span chain;      /* PEM, the leaf first; its key is RSA, P-256 or P-384 */
	struct span public_key; /* the leaf's, DER SubjectPublicKeyInfo */
	const struct tls_signer *signer;
};

struct tls_context;

/* -EINVAL (no such certificate), -ENOMEM. identity NULL: a client without certificate. */
int tls_context_new_server(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err);
int tls_context_new_client(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err);
void tls_context_free(struct tls_context *context); /* takes NULL; no channel may be left */
