/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_nodes.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/ec_key.h"
#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_pin.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_tokens.h"
#include "conductor/registry/registry_transaction.h"
#include "onboarding/key_bounds.h"

struct node_work {
	const struct registry_origin *origin;
	const char *router;
	const char *node;
	struct registry_node_changes changes;
};

static int check_names(const struct node_work *w, struct err *err)
{
	int rc = registry_check_name("router", w->router, err);

	return rc < 0 ? rc : registry_check_name("node", w->node, err);
}

static int write_node(struct registry *r, registry_work_cb run, struct node_work *w,
		      struct err *err)
{
	int rc = check_names(w, err);

	return rc < 0 ? rc : registry_write(r, run, w, err);
}

static int note(struct registry_session *session, const struct node_work *w,
		enum registry_outcome outcome, const char *reason, struct err *err)
{
	struct registry_event event = {
		.outcome = outcome, .router = w->router, .node = w->node, .reason = reason};

	return registry_audit_add(session, w->origin, &event, err);
}

/* Returns 1 if the node is there. */
static int find(struct registry_session *session, const struct node_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err, "SELECT 1 FROM nodes WHERE router = $1 AND name = $2",
			value_text(w->router), value_text(w->node));
	return rc < 0 ? rc : query_next(&q, err);
}

static int must_find(struct registry_session *session, const struct node_work *w, struct err *err)
{
	int rc = find(session, w, err);

	if (rc != 0)
		return MIN(rc, 0);
	return err_set(err, -ENOENT, "router %s has no node %s", w->router, w->node);
}

static int ask_port(struct registry_session *session, const char *sql, int64_t *ret,
		    struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err, sql, value_integer(REGISTRY_PORT_FIRST - 1));

	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	*ret = query_integer(&q, 0); /* each of these questions has one row */
	return 0;
}

/* Where no port was given back, the lowest free one is the next; only to count them costs a tenth
 * of looking behind each for a gap. */
static int free_port(struct registry_session *session, int64_t *ret, struct err *err)
{
	int rc = ask_port(session,
			  "SELECT CASE WHEN COUNT(*) = COALESCE(MAX(listen_port), $1) - $1"
			  " THEN COALESCE(MAX(listen_port), $1) + 1 ELSE 0 END FROM nodes",
			  ret, err);

	if (rc == 0 && *ret == 0)
		rc = ask_port(session,
			      "SELECT MIN(before.port) + 1 FROM"
			      " (SELECT $1 AS port UNION ALL SELECT listen_port FROM nodes)"
			      " AS before WHERE NOT EXISTS"
			      " (SELECT 1 FROM nodes WHERE listen_port = before.port + 1)",
			      ret, err);
	if (rc == 0 && *ret > REGISTRY_PORT_LAST)
		return err_set(err, -E2BIG, "no port is free: there are %d nodes",
			       REGISTRY_PORT_LAST - REGISTRY_PORT_FIRST + 1);
	return rc;
}

static int ensure(struct registry_session *session, const struct node_work *w, struct err *err)
{
	int64_t port = 0;
	int rc;

	rc = registry_router_ensure(session, w->router, err);
	if (rc == 0)
		rc = find(session, w, err);
	if (rc != 0)
		return MIN(rc, 0);
	rc = free_port(session, &port, err);
	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO nodes (router, name, listen_port) VALUES ($1, $2, $3)",
			 value_text(w->router), value_text(w->node), value_integer(port));
}

/* q returns the router and node that already have what this node is to get. */
static int refuse_other(struct query *q, const struct node_work *w, const char *what,
			struct err *err)
{
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	int rc = query_next(q, err);

	if (rc <= 0)
		return rc;
	query_text(q, 0, router, sizeof(router));
	query_text(q, 1, node, sizeof(node));
	if (strcmp(router, w->router) == 0 && strcmp(node, w->node) == 0)
		return 0;
	return err_set(err, -EEXIST, "%s is already %s's of %s", what, node, router);
}

static int check_asset_id_is_free(struct registry_session *session, const struct node_work *w,
				  struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char what[TOKEN_NAME_SIZE + 16];
	int rc;

	(void)snprintf(what, sizeof(what), "asset-id %s", w->changes.asset_id);
	rc = query_open(&q, session, err, "SELECT router, name FROM nodes WHERE asset_id = $1",
			value_text(w->changes.asset_id));
	return rc < 0 ? rc : refuse_other(&q, w, what, err);
}

static int check_asset_ids_fit(struct registry_session *session, const struct node_work *w,
			       struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT COUNT(*) FROM nodes WHERE router = $1 AND asset_id IS NOT NULL",
			value_text(w->router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (query_integer(&q, 0) > TOKEN_ASSET_IDS_MAX)
		return err_set(err, -E2BIG, "router %s: a token holds %u asset-ids, and no more",
			       w->router, TOKEN_ASSET_IDS_MAX);
	return 0;
}

/* Returns 1 if the node loses an asset-id by this change. The tokens with that asset-id stay
 * revoked, and a router that was enrolled by it is not let in, even if the node gets the same
 * asset-id back. */
static int loses_asset_id(struct registry_session *session, const struct node_work *w,
			  struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const char *asset_id = w->changes.asset_id;
	int rc;

	rc = query_open(&q, session, err,
			"SELECT 1 FROM nodes WHERE router = $1 AND name = $2"
			" AND asset_id IS NOT NULL AND asset_id <> $3",
			value_text(w->router), value_text(w->node),
			value_text(asset_id ? asset_id : ""));
	return rc < 0 ? rc : query_next(&q, err);
}

/* Ends an enrolment, and revokes the tokens by which it could begin again. */
static int end_enrolment(struct registry_session *session, const struct node_work *w,
			 struct err *err)
{
	int rc = query_run(session, err, "DELETE FROM enrolments WHERE router = $1 AND node = $2",
			   value_text(w->router), value_text(w->node));

	return rc < 0 ? rc : registry_tokens_revoke_all(session, w->router, w->origin->time_s, err);
}

static int change_asset_id(struct registry_session *session, const struct node_work *w,
			   struct err *err)
{
	int rc = loses_asset_id(session, w, err);

	if (rc == 1)
		rc = end_enrolment(session, w, err);
	if (rc == 0)
		rc = query_run(session, err,
			       "UPDATE nodes SET asset_id = $3 WHERE router = $1 AND name = $2",
			       value_text(w->router), value_text(w->node),
			       value_text(w->changes.asset_id));
	return rc < 0 ? rc : check_asset_ids_fit(session, w, err);
}

static int set_asset_id(struct registry_session *session, const struct node_work *w,
			struct err *err)
{
	const char *asset_id = w->changes.asset_id;
	char reason[TOKEN_NAME_SIZE + 16];
	int rc = 0;

	if (asset_id)
		rc = check_asset_id_is_free(session, w, err);
	if (rc == 0)
		rc = change_asset_id(session, w, err);
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "asset-id %s", asset_id ? asset_id : "none");
	return note(session, w, REGISTRY_CONFIGURED, reason, err);
}

/* A point may be written as half of itself, and its key would be another text. */
static bool is_whole_point(const EVP_PKEY *key)
{
	uint8_t point[EC_KEY_POINT_MAX];
	size_t size = 0;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					       &size) == 1 &&
	       point[0] == POINT_CONVERSION_UNCOMPRESSED;
}

/* Checks that the key is complete and in its only valid encoding, since keys are compared by
 * bytes, and that MakeCredential can encrypt to it. */
static int check_endorsement_key(struct span key, struct err *err)
{
	const uint8_t *at = key.bytes;
	uint8_t *again = NULL;
	struct err why;
	EVP_PKEY *parsed;
	int size;
	int rc = 0;

	if (key.size > REGISTRY_KEY_MAX)
		return err_set(err, -EINVAL, "%zu bytes, and at most %u are taken", key.size,
			       REGISTRY_KEY_MAX);
	if (key_bounds_check("it", key, &why) == -EKEYREJECTED)
		return err_set(err, -EINVAL, "%s", why.text);
	parsed = d2i_PUBKEY(NULL, &at, (long)key.size);
	size = parsed ? i2d_PUBKEY(parsed, &again) : 0;
	if (size < 0 || (size_t)size != key.size || memcmp(again, key.bytes, key.size) != 0)
		rc = err_set(err, -EINVAL,
			     "no public key in DER, as 'tpm2_readpublic -f DER' "
			     "writes it");
	else if (!EVP_PKEY_is_a(parsed, "RSA") && !is_whole_point(parsed))
		rc = err_set(err, -EINVAL,
			     "no RSA key of at least %d bits and no whole point of P-256, P-384 or "
			     "P-521",
			     KEY_BOUNDS_RSA_MIN);
	OPENSSL_free(again);
	EVP_PKEY_free(parsed);
	return rc;
}

/* Ends the enrolment of a node that was enrolled by another endorsement key than this one. */
static int end_enrolment_by_others(struct registry_session *session, const struct node_work *w,
				   struct err *err)
{
	uint8_t digest[REGISTRY_DIGEST_SIZE];

	registry_digest(w->changes.endorsement_key, digest);
	return query_run(session, err,
			 "DELETE FROM enrolments WHERE router = $1 AND node = $2"
			 " AND pin = $3 AND pin_digest <> $4",
			 value_text(w->router), value_text(w->node),
			 value_text(registry_pin_kind_name(REGISTRY_PIN_ENDORSEMENT_KEY)),
			 value_bytes(span_of(digest, sizeof(digest))));
}

static int set_key(struct registry_session *session, const struct node_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct span key = w->changes.endorsement_key;
	int rc;

	rc = query_open(&q, session, err,
			"SELECT router, name FROM nodes WHERE endorsement_key = $1",
			value_bytes(key));
	if (rc == 0)
		rc = refuse_other(&q, w, "this endorsement key", err);
	if (rc == 0)
		rc = query_run(session, err,
			       "UPDATE nodes SET endorsement_key = $3"
			       " WHERE router = $1 AND name = $2",
			       value_text(w->router), value_text(w->node), value_bytes(key));
	if (rc == 0)
		rc = end_enrolment_by_others(session, w, err);
	if (rc < 0)
		return rc;
	return note(session, w, REGISTRY_CONFIGURED,
		    key.size > 0 ? "endorsement key set" : "endorsement key none", err);
}

static int put(struct registry_session *session, void *work, struct err *err)
{
	const struct node_work *w = work;
	int rc = ensure(session, w, err);

	if (rc == 0 && w->changes.sets_asset_id)
		rc = set_asset_id(session, w, err);
	if (rc == 0 && w->changes.sets_endorsement_key)
		rc = set_key(session, w, err);
	return rc;
}

int registry_node_put(struct registry *r, const char *router, const char *node,
		      const struct registry_node_changes *changes,
		      const struct registry_origin *origin, struct err *err)
{
	struct node_work w = {
		.origin = origin, .router = router, .node = node, .changes = *changes};
	const struct span key = changes->endorsement_key;
	int rc = changes->asset_id ? registry_check_name("asset-id", changes->asset_id, err) : 0;

	if (rc == 0 && key.size > 0 && check_endorsement_key(key, err) < 0)
		return err_wrap(err, "endorsement key of %s of %s", node, router);
	return rc < 0 ? rc : write_node(r, put, &w, err);
}

static int delete_node(struct registry_session *session, void *work, struct err *err)
{
	const struct node_work *w = work;
	int rc;

	rc = must_find(session, w, err);
	if (rc == 0)
		rc = query_run(session, err, "DELETE FROM nodes WHERE router = $1 AND name = $2",
			       value_text(w->router), value_text(w->node));
	if (rc == 0)
		rc = registry_tokens_revoke_all(session, w->router, w->origin->time_s, err);
	if (rc < 0)
		return rc;
	return note(session, w, REGISTRY_DELETED,
		    "node and its enrolment, the router's tokens revoked", err);
}

int registry_node_delete(struct registry *r, const char *router, const char *node,
			 const struct registry_origin *origin, struct err *err)
{
	struct node_work w = {.origin = origin, .router = router, .node = node};

	return write_node(r, delete_node, &w, err);
}

static int reset_node(struct registry_session *session, void *work, struct err *err)
{
	const struct node_work *w = work;
	int rc;

	rc = must_find(session, w, err);
	if (rc == 0)
		rc = end_enrolment(session, w, err);
	if (rc < 0)
		return rc;
	return note(session, w, REGISTRY_NODE_RESET, "pin removed, the router's tokens revoked",
		    err);
}

int registry_node_reset(struct registry *r, const char *router, const char *node,
			const struct registry_origin *origin, struct err *err)
{
	struct node_work w = {.origin = origin, .router = router, .node = node};

	return write_node(r, reset_node, &w, err);
}
