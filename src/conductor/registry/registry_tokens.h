/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_tokens.h - the onboarding tokens that were issued, and what they contained.
 *
 * The token itself is not kept: token_payload() writes it again from the claims here. A token
 * whose number is not here is not valid, whatever its signature is: so the tokens of a router
 * that was deleted stay void when a router of that name is made again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry.h"
#include "onboarding/mode.h"
#include "onboarding/token.h"

#define REGISTRY_TOKENS_KEPT_S INT64_C(2592000) /* after they expired */

/* What the tokens of a router contain. */
struct registry_claims {
	char router[TOKEN_NAME_SIZE];
	enum onboarding_mode mode;
	bool has_secret;
	uint8_t secret[TOKEN_SECRET_SIZE];
	char asset_ids[TOKEN_ASSET_IDS_MAX][TOKEN_NAME_SIZE]; /* sorted by bytes */
	size_t n_asset_ids;
};

/* Wipes the secret. */
void registry_claims_release(struct registry_claims *claims);

struct registry_token {
	char jti[TOKEN_JTI_SIZE];
	char router[TOKEN_NAME_SIZE];
	int64_t issued_s;
	int64_t expires_s;
	int64_t revoked_s; /* 0 = not revoked */
};

/* A token that is going to be signed; issued is origin's time. */
struct registry_token_order {
	const char *router;
	const char *jti;
	int64_t expires_s;
	struct span certificate; /* DER, the conductor's, that will stand in it */
};

/* Records a token that is about to be signed. *ret is what it must contain; the caller releases
 * it. -EINVAL: mode disabled, no asset-id, or no such router: the message says what to configure;
 * -ETIME. */
int registry_token_issue(struct registry *r, const struct registry_token_order *order,
			 const struct registry_origin *origin, struct registry_claims *ret,
			 struct err *err);

/* Revokes a token, also one that is revoked already. -ENOENT: there is no token of this number. */
int registry_token_revoke(struct registry *r, const char *jti, const struct registry_origin *origin,
			  struct err *err);

/* The next in the order of issue, at most limit of them, after that one; 0 and "" = from the first.
 * router: NULL = of all. Freed with free(). */
int registry_tokens_page(struct registry *r, const char *router, int64_t after_issued_s,
			 const char *after_jti, size_t limit, struct registry_token **ret,
			 size_t *ret_n, struct err *err);

/* -ENOENT: none of this number was issued. */
int registry_token_find(struct registry *r, const char *jti, struct registry_token *ret,
			struct err *err);

/* For the registry's other parts, within their transaction. -ENOENT: no such router. */
struct registry_session;
int registry_claims_read(struct registry_session *session, const char *router,
			 struct registry_claims *ret, struct err *err);
/* All of a router's that are not revoked yet. */
int registry_tokens_revoke_all(struct registry_session *session, const char *router, int64_t now_s,
			       struct err *err);
/* All of them, as the registry remembers what a token held: "A0 A1". */
#define REGISTRY_ASSET_IDS_SIZE ((size_t)TOKEN_ASSET_IDS_MAX * TOKEN_NAME_SIZE)
void registry_claims_asset_ids(const struct registry_claims *claims,
			       char ret[REGISTRY_ASSET_IDS_SIZE]);
