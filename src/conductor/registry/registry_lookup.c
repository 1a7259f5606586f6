/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

void registry_candidate_release(struct registry_candidate *candidate)
{
	registry_claims_release(&candidate->claims);
}

static int read_node(struct registry_session *session, const struct registry_question *question,
		     struct registry_candidate *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char *of_router = ret->claims.router;
	struct span key;
	int rc;

	rc = query_open(&q, session, err,
			"SELECT router, name, endorsement_key, listen_port FROM nodes"
			" WHERE asset_id = $1",
			value_text(question->asset_id));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "asset-id %s is no node's", question->asset_id);
	query_text(&q, 0, of_router, sizeof(ret->claims.router));
	query_text(&q, 1, ret->node, sizeof(ret->node));
	if (strcmp(of_router, question->router) != 0)
		return err_set(err, -ENOENT, "asset-id %s is %s's of router %s, not of %s",
			       question->asset_id, ret->node, of_router, question->router);
	key = query_bytes(&q, 2);
	ret->endorsement_key_size = MIN(key.size, sizeof(ret->endorsement_key));
	memcpy(ret->endorsement_key, key.bytes, ret->endorsement_key_size);
	ret->listen_port = (uint16_t)query_integer(&q, 3);
	return 0;
}

static bool is_digest_of(struct span digest, struct span bytes)
{
	uint8_t now[REGISTRY_DIGEST_SIZE];

	registry_digest(bytes, now);
	return digest.size == sizeof(now) && memcmp(digest.bytes, now, sizeof(now)) == 0;
}

/* q: the digests of what the token was made of. */
static void compare(struct query *q, const struct registry_question *question,
		    struct registry_candidate *ret)
{
	const struct registry_claims *claims = &ret->claims;
	char were[REGISTRY_ASSET_IDS_SIZE];
	char are[REGISTRY_ASSET_IDS_SIZE];
	const char *changed = NULL;

	query_text(q, 3, were, sizeof(were));
	registry_claims_asset_ids(claims, are);
	if (!is_digest_of(query_bytes(q, 2), span_of(claims->secret, sizeof(claims->secret))))
		changed = "the pre-shared secret";
	else if (!is_digest_of(query_bytes(q, 4), question->certificate))
		changed = "the conductor's certificate";
	if (changed)
		(void)snprintf(ret->changed, sizeof(ret->changed),
			       "%s was changed since it was issued", changed);
	else if (strcmp(were, are) != 0)
		(void)snprintf(ret->changed, sizeof(ret->changed),
			       "the router's asset-ids were changed since it was issued: then %s",
			       were);
}

static int read_token(struct registry_session *session, const struct registry_question *question,
		      struct registry_candidate *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT expires, revoked, secret_digest, asset_ids, certificate_digest"
			" FROM tokens WHERE jti = $1 AND router = $2",
			value_text(question->jti), value_text(question->router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	ret->token_is_known = true;
	ret->token_expires_s = query_integer(&q, 0);
	ret->token_is_revoked = !query_is_null(&q, 1);
	compare(&q, question, ret);
	return 0;
}

static int read_pin(struct registry_session *session, const char *router,
		    struct registry_candidate *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct span digest;
	char kind[32];
	int rc;

	rc = query_open(&q, session, err,
			"SELECT pin, pin_digest FROM enrolments WHERE router = $1 AND node = $2",
			value_text(router), value_text(ret->node));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	query_text(&q, 0, kind, sizeof(kind));
	ret->pin.kind = registry_pin_kind_from_name(kind);
	digest = query_bytes(&q, 1);
	memcpy(ret->pin.digest, digest.bytes, MIN(digest.size, sizeof(ret->pin.digest)));
	return 0;
}

int registry_candidate_read(struct registry_session *session,
			    const struct registry_question *question,
			    struct registry_candidate *ret, struct err *err)
{
	int rc;

	registry_candidate_release(ret);
	*ret = (struct registry_candidate){0};
	rc = read_node(session, question, ret, err);
	if (rc == 0)
		rc = registry_claims_read(session, question->router, &ret->claims, err);
	if (rc == 0)
		rc = read_token(session, question, ret, err);
	return rc < 0 ? rc : read_pin(session, question->router, ret, err);
}

struct lookup_work {
	const struct registry_question *question;
	int64_t now_s;
	struct registry_candidate *candidate;
	struct registry_conductor **conductors; /* NULL = they are not asked for */
	size_t *n_conductors;
};

static int look_up(struct registry_session *session, void *work, struct err *err)
{
	const struct lookup_work *w = work;
	int rc;

	rc = registry_clock_compare(session, w->now_s, err);
	if (rc == 0)
		rc = registry_candidate_read(session, w->question, w->candidate, err);
	if (rc == 0 && w->conductors)
		rc = registry_conductors_read(session, w->conductors, w->n_conductors, err);
	return rc;
}

static int run_lookup(struct registry *r, struct lookup_work *w, struct err *err)
{
	const struct registry_question *question = w->question;
	int rc;

	*w->candidate = (struct registry_candidate){0};
	rc = registry_check_name("router", question->router, err);
	if (rc == 0)
		rc = registry_check_name("asset-id", question->asset_id, err);
	if (rc == 0 && !token_jti_is_valid(question->jti))
		rc = err_set(err, -EINVAL, "token '%s': not 32 lower-case hex digits",
			     question->jti);
	return rc < 0 ? rc : registry_read(r, look_up, w, err);
}

int registry_lookup(struct registry *r, const struct registry_question *question, int64_t now_s,
		    struct registry_candidate *ret, struct err *err)
{
	struct lookup_work w = {.question = question, .now_s = now_s, .candidate = ret};

	return run_lookup(r, &w, err);
}

int registry_lookup_all(struct registry *r, const struct registry_question *question, int64_t now_s,
			struct registry_candidate *ret, struct registry_conductor **ret_conductors,
			size_t *ret_n_conductors, struct err *err)
{
	struct lookup_work w = {
		.question = question,
		.now_s = now_s,
		.candidate = ret,
		.conductors = ret_conductors,
		.n_conductors = ret_n_conductors,
	};

	*ret_conductors = NULL;
	*ret_n_conductors = 0;
	return run_lookup(r, &w, err);
}
