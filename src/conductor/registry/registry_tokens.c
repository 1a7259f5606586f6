/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_pin.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

struct token_work {
	const struct registry_origin *origin;
	const struct registry_token_order *order;
	const char *jti;
	struct registry_claims *claims; /* out */
};

void registry_claims_release(struct registry_claims *claims)
{
	explicit_bzero(claims, sizeof(*claims));
}

static int read_secret(struct registry_session *session, const char *router,
		       struct registry_claims *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct span secret;
	int rc;

	rc = query_open(&q, session, err, "SELECT secret FROM routers WHERE name = $1",
			value_text(router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	secret = query_bytes(&q, 0);
	ret->has_secret = secret.size == sizeof(ret->secret);
	if (ret->has_secret)
		memcpy(ret->secret, secret.bytes, sizeof(ret->secret));
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int read_asset_ids(struct registry_session *session, const char *router,
			  struct registry_claims *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT asset_id FROM nodes"
			" WHERE router = $1 AND asset_id IS NOT NULL",
			value_text(router));
	if (rc < 0)
		return rc;
	while ((rc = query_next(&q, err)) == 1 && ret->n_asset_ids < TOKEN_ASSET_IDS_MAX)
		query_text(&q, 0, ret->asset_ids[ret->n_asset_ids++], sizeof(ret->asset_ids[0]));
	if (rc < 0)
		return rc;
	qsort(ret->asset_ids, ret->n_asset_ids, sizeof(ret->asset_ids[0]), by_bytes);
	return 0;
}

int registry_claims_read(struct registry_session *session, const char *router,
			 struct registry_claims *ret, struct err *err)
{
	int rc;

	registry_claims_release(ret);
	(void)snprintf(ret->router, sizeof(ret->router), "%s", router);
	rc = registry_router_mode(session, router, &ret->mode, err);
	if (rc == 0)
		rc = read_secret(session, router, ret, err);
	return rc < 0 ? rc : read_asset_ids(session, router, ret, err);
}

void registry_claims_asset_ids(const struct registry_claims *claims,
			       char ret[REGISTRY_ASSET_IDS_SIZE])
{
	size_t size = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < claims->n_asset_ids; i++)
		size += (size_t)snprintf(ret + size, REGISTRY_ASSET_IDS_SIZE - size, "%s%s",
					 i > 0 ? " " : "", claims->asset_ids[i]);
}

static int check_claims(const struct registry_claims *claims, struct err *err)
{
	if (claims->mode == ONBOARDING_DISABLED)
		return err_set(err, -EINVAL,
			       "router %s: its secure-conductor-onboarding mode is disabled: "
			       "configure psk-only, weak or strong",
			       claims->router);
	if (!claims->has_secret)
		return err_set(err, -EINVAL, "router %s has no pre-shared secret: configure one",
			       claims->router);
	if (claims->n_asset_ids == 0)
		return err_set(err, -EINVAL,
			       "router %s: no node of it has an asset-id: configure one",
			       claims->router);
	return 0;
}

static int note(struct registry_session *session, const struct token_work *w, const char *router,
		enum registry_outcome outcome, struct err *err)
{
	struct registry_event event = {.outcome = outcome, .router = router};
	char reason[TOKEN_JTI_SIZE + 8];

	(void)snprintf(reason, sizeof(reason), "token %s", w->jti);
	event.reason = reason;
	return registry_audit_add(session, w->origin, &event, err);
}

/* Stores digests of what the token contains, to tell later what has changed since. The token
 * itself is not kept. */
static int store(struct registry_session *session, const struct token_work *w, struct err *err)
{
	uint8_t secret[REGISTRY_DIGEST_SIZE];
	uint8_t certificate[REGISTRY_DIGEST_SIZE];
	char asset_ids[REGISTRY_ASSET_IDS_SIZE];

	registry_digest(span_of(w->claims->secret, sizeof(w->claims->secret)), secret);
	registry_digest(w->order->certificate, certificate);
	registry_claims_asset_ids(w->claims, asset_ids);
	return query_run(session, err,
			 "INSERT INTO tokens (jti, router, issued, expires, secret_digest,"
			 " asset_ids, certificate_digest) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			 value_text(w->order->jti), value_text(w->order->router),
			 value_integer(w->origin->time_s), value_integer(w->order->expires_s),
			 value_bytes(span_of(secret, sizeof(secret))), value_text(asset_ids),
			 value_bytes(span_of(certificate, sizeof(certificate))));
}

static int issue(struct registry_session *session, void *work, struct err *err)
{
	const struct token_work *w = work;
	const char *router = w->order->router;
	int64_t now_s = w->origin->time_s;
	int rc;

	rc = registry_clock_note(session, now_s, err);
	if (rc == 0)
		rc = registry_claims_read(session, router, w->claims, err);
	if (rc == -ENOENT)
		return err_set(err, -EINVAL, "there is no router %s: configure it first", router);
	if (rc == 0)
		rc = check_claims(w->claims, err);
	if (rc == 0)
		rc = query_run(session, err, "DELETE FROM tokens WHERE expires < $1",
			       value_integer(now_s - REGISTRY_TOKENS_KEPT_S));
	if (rc == 0)
		rc = store(session, w, err);
	return rc < 0 ? rc : note(session, w, router, REGISTRY_TOKEN_ISSUED, err);
}

int registry_token_issue(struct registry *r, const struct registry_token_order *order,
			 const struct registry_origin *origin, struct registry_claims *ret,
			 struct err *err)
{
	struct token_work w = {.origin = origin, .order = order, .jti = order->jti, .claims = ret};
	int rc;

	*ret = (struct registry_claims){0};
	if (!token_jti_is_valid(order->jti))
		return err_set(err, -EINVAL, "token '%s': not 32 lower-case hex digits",
			       order->jti);
	rc = registry_check_name("router", order->router, err);
	if (rc == 0)
		rc = registry_write(r, issue, &w, err);
	if (rc < 0)
		registry_claims_release(ret);
	return rc;
}

static int revoke_token(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct token_work *w = work;
	char router[TOKEN_NAME_SIZE];
	int rc;

	rc = query_open(&q, session, err, "SELECT router, revoked FROM tokens WHERE jti = $1",
			value_text(w->jti));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "there is no token %s", w->jti);
	if (!query_is_null(&q, 1))
		return 0;
	query_text(&q, 0, router, sizeof(router));
	query_close(&q);
	rc = query_run(session, err, "UPDATE tokens SET revoked = $2 WHERE jti = $1",
		       value_text(w->jti), value_integer(w->origin->time_s));
	return rc < 0 ? rc : note(session, w, router, REGISTRY_TOKEN_REVOKED, err);
}

int registry_token_revoke(struct registry *r, const char *jti, const struct registry_origin *origin,
			  struct err *err)
{
	struct token_work w = {.origin = origin, .jti = jti};

	if (!token_jti_is_valid(jti))
		return err_set(err, -EINVAL, "token '%s': not 32 lower-case hex digits", jti);
	return registry_write(r, revoke_token, &w, err);
}

int registry_tokens_revoke_all(struct registry_session *session, const char *router, int64_t now_s,
			       struct err *err)
{
	return query_run(session, err,
			 "UPDATE tokens SET revoked = $2 WHERE router = $1 AND revoked IS NULL",
			 value_text(router), value_integer(now_s));
}

static void read_token(struct query *q, void *row)
{
	struct registry_token *token = row;

	query_text(q, 0, token->jti, sizeof(token->jti));
	query_text(q, 1, token->router, sizeof(token->router));
	token->issued_s = query_integer(q, 2);
	token->expires_s = query_integer(q, 3);
	token->revoked_s = query_integer(q, 4);
}

#define TOKENS "SELECT jti, router, issued, expires, revoked FROM tokens"
#define PAGE   " (issued, jti) > ($1, $2) ORDER BY issued, jti LIMIT $3"

int registry_tokens_page(struct registry *r, const char *router, int64_t after_issued_s,
			 const char *after_jti, size_t limit, struct registry_token **ret,
			 size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = router ? TOKENS " WHERE router = $4 AND" PAGE : TOKENS " WHERE" PAGE,
		.values = {value_integer(after_issued_s), value_text(after_jti),
			   value_integer((int64_t)limit), value_text(router)},
		.n_values = router ? 4 : 3,
		.row_size = sizeof(**ret),
		.read = read_token,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_token_find(struct registry *r, const char *jti, struct registry_token *ret,
			struct err *err)
{
	struct registry_listing list = {
		.sql = TOKENS " WHERE jti = $1",
		.values = {value_text(jti)},
		.n_values = 1,
		.row_size = sizeof(*ret),
		.read = read_token,
	};
	int rc = registry_find(r, &list, ret, err);

	return rc == 0 ? err_set(err, -ENOENT, "there is no token %s", jti) : MIN(rc, 0);
}
