/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_channel_private.h - for tls_channel.c and tls_context.c alone: what they consist of, and how
 * wolfSSL calls a channel.
 */
#pragma once

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdbool.h>

#include "onboarding/byte_queue.h"
#include "onboarding/peer_chain.h"

struct tls_signer;

struct tls_context {
	WOLFSSL_CTX *wolfssl;
	const struct tls_signer *signer; /* NULL = a client without certificate */
	bool is_server;
};

struct tls_channel {
	WOLFSSL *wolfssl;
	bool is_server;
	unsigned version;   /* of the messages; 0 = not agreed on yet */
	bool chain_is_told; /* the peer has shown all, or nothing, and shows no more */
	struct byte_queue received;
	struct byte_queue pending;
	struct peer_chain peer;
};

/* The callbacks that a context sets for all of its channels. */
int tls_channel_take_any(int verified, WOLFSSL_X509_STORE_CTX *store);
int tls_channel_take_received(WOLFSSL *wolfssl, char *ret, int size, void *owner);
int tls_channel_put_pending(WOLFSSL *wolfssl, char *bytes, int size, void *owner);
