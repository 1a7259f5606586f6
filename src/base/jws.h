/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jws.h - RS256 signatures in JWS compact serialization (RFC 7515), and nothing else of JOSE.
 *
 * The algorithm is pinned to RS256 and the header's typ is required: what a token says about
 * itself chooses nothing. The key is chosen by kid among the caller's; kid is the hex SHA-256
 * of the key's DER SubjectPublicKeyInfo, so that a lying kid names a key whose signature does
 * not verify. RSA keys of 2048 to 8192 bits.
 */
#pragma once

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

#define JWS_KID_SIZE 65 /* 64 hex digits and a zero */

struct jws_key {
	EVP_PKEY *key; /* owned */
	char kid[JWS_KID_SIZE];
};

/* PEM files. Errors: the file's own; -EINVAL if it holds no RSA key of a size we take. */
int jws_key_load_public(struct jws_key *ret, const char *path, struct err *err);
int jws_key_load_private(struct jws_key *ret, const char *path, struct err *err);
/* Sets the kid of a key that was not loaded from a file. -ENOMEM. */
int jws_key_set_kid(struct jws_key *key);
void jws_key_release(struct jws_key *key);

/* Verify a compact JWS and give its payload as parsed JSON (an object; nesting is bounded by
 * json_parse). Errors: -EBADMSG (malformed, wrong alg or typ), -EKEYREJECTED (unknown key or
 * wrong signature). */
int jws_verify(struct span jws, const char *typ, const struct jws_key *keys, size_t n_keys,
	       cJSON **ret_payload, struct err *err);

/* The payload of a JWS whose signature was verified before. */
int jws_payload(struct span jws, cJSON **ret_payload, struct err *err);

/* Sign payload; the result is zero-terminated and freed by the caller. */
int jws_sign(const struct jws_key *key, const char *typ, struct span payload, char **ret_jws,
	     struct err *err);

/* For callers that compose header and payload themselves: the signature over text, as base64url,
 * freed by the caller; NULL = libcrypto failed for lack of memory. */
char *jws_signature(const struct jws_key *key, struct span text);
/* signature is base64url. Errors: -EBADMSG (it is not), -EKEYREJECTED (it does not fit),
 * -ENOMEM. */
int jws_signature_check(const struct jws_key *key, struct span text, struct span signature,
			struct err *err);
