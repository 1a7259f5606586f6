/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token.h - the onboarding token: a JWT (RFC 7519), signed with the conductor's key
 * (token_signature.h), short enough to be sent by mail.
 *
 * token_payload() is the only function that writes a payload, from what the registry holds. So a
 * conductor keeps no token: it writes the payload again and checks whether the signature still
 * fits. After a new secret, another certificate or other asset-ids no old token fits any more.
 *
 * A router reads a token with token_parse(). In the handshake it sends the token without its
 * payload: header and signature as they are in it, jti, iat and exp. The conductor compares that
 * with its registry by token_check().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/jws.h"
#include "base/span.h"

#define TOKEN_NAME_SIZE       64 /* of routers and asset-ids, with the final zero */
#define TOKEN_JTI_SIZE        33 /* 32 lower-case hex digits and a zero */
#define TOKEN_SECRET_SIZE     48 /* characters [A-Za-z0-9]; no final zero */
#define TOKEN_ASSET_IDS_MAX   16
#define TOKEN_CERTIFICATE_MAX 8192u       /* bytes of DER */
#define TOKEN_SIZE_MAX        (64u << 10) /* bytes of JWT */

#define TOKEN_DURATION_DEFAULT_S UINT64_C(86400)
#define TOKEN_DURATION_MAX_S     (UINT64_C(365) * 86400)

/* The content of a token. All pointers are borrowed. */
struct token_claims {
	const char *jti;
	const char *router;
	const char *const *asset_ids; /* in any order: they are sorted where they are written */
	size_t n_asset_ids;
	uint64_t iat; /* Unix seconds */
	uint64_t exp;
	struct span conductor_certificate; /* DER */
	struct span ca_certificate;        /* DER */
	struct span secret;                /* TOKEN_SECRET_SIZE characters */
};

/* A token that was read. Zeroed = none. */
struct token {
	char jti[TOKEN_JTI_SIZE];
	char router[TOKEN_NAME_SIZE];
	char asset_ids[TOKEN_ASSET_IDS_MAX][TOKEN_NAME_SIZE];
	size_t n_asset_ids;
	uint64_t iat;
	uint64_t exp;
	uint8_t *conductor_certificate; /* DER; owned */
	size_t conductor_certificate_size;
	uint8_t *ca_certificate; /* DER; owned */
	size_t ca_certificate_size;
	uint8_t secret[TOKEN_SECRET_SIZE];
	char *header;    /* the first part, base64url; owned */
	char *signature; /* the third; owned */
};

/* [A-Za-z0-9._-]{1,63} */
bool token_name_is_valid(const char *name);
/* 48 characters [A-Za-z0-9] */
bool token_secret_is_valid(struct span secret);
/* 32 lower-case hex digits */
bool token_jti_is_valid(const char *jti);

/* "30m", "12h", "1d", "1y" (365 days): at least a minute, at most a year. -EINVAL, and *ret_s as
 * it was. */
int token_duration_parse(const char *text, uint64_t *ret_s, struct err *err);

/* The payload, byte for byte; zero-terminated, to be wiped and freed with token_text_free().
 * -EINVAL names the claim that cannot stand in a token. */
int token_payload(const struct token_claims *claims, char **ret, struct err *err);
void token_text_free(char **text);

/* The whole token, to be freed likewise. key is that of claims->conductor_certificate. -EINVAL:
 * claims, as above, or a key that is not RSA, P-256 or P-384. */
int token_sign(const struct token_claims *claims, const struct jws_key *key, char **ret_token,
	       struct err *err);

/* Are these the header and the signature of a token with these claims? key may be public or
 * private. -EBADMSG: another header, or not base64url; -EKEYREJECTED: the signature does not fit.
 */
int token_check(const struct token_claims *claims, const struct jws_key *key, const char *header,
		const char *signature, struct err *err);

/* Read a token. Only the conductor can decide whether it is authentic, but here the signature
 * must fit the content and the conductor's certificate in it, so that a damaged token is noticed
 * at once. A newline at its end is allowed. -E2BIG, -EBADMSG, -EKEYREJECTED, -ENOMEM. */
int token_parse(struct token *ret, struct span text, struct err *err);
void token_release(struct token *token); /* wipes the secret */
