/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token_signature.h - how a token is signed: by RS256 with an RSA key, by ES256 with one on P-256,
 * by ES384 with one on P-384 (RFC 7518, 3.1).
 *
 * The key chooses, never the token: its header must be the one that belongs to the key of the
 * certificate in it.
 */
#pragma once

#include <openssl/evp.h>

#include "base/err.h"
#include "base/jws.h"
#include "base/span.h"

/* The header, byte for byte. There is no kid: the token names the one certificate whose key signed
 * it. NULL = no token can be signed with a key of this kind. */
const char *token_signature_header(EVP_PKEY *key);

/* Over text, as base64url; freed by the caller. NULL = libcrypto failed. */
char *token_signature_make(const struct jws_key *key, struct span text);

/* signature is base64url. -EBADMSG (it is not), -EKEYREJECTED (it does not fit). */
int token_signature_check(const struct jws_key *key, struct span text, struct span signature,
			  struct err *err);
