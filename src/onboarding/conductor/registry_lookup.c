#include "onboarding/conductor/registry_lookup.h"

#include <errno.h>
#include <string.h>

#include "core/macros.h"
#include "onboarding/conductor/registry_clock.h"
#include "onboarding/conductor/registry_routers.h"
#include "onboarding/conductor/registry_transaction.h"

void registry_candidate_release(struct registry_candidate *candidate)
{
	registry_claims_release(&candidate->claims);
}

static int read_node(struct registry_session *session, const char *router, const char *asset_id,
		     struct registry_candidate *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char of_router[TOKEN_NAME_SIZE];
	struct span key;
	int rc;

	rc = query_open(&q, session, err,
			"SELECT router, name, endorsement_key, listen_port FROM nodes"
			" WHERE asset_id = $1",
			value_text(asset_id));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "asset-id %s is no node's", asset_id);
	query_text(&q, 0, of_router, sizeof(of_router));
	query_text(&q, 1, ret->node, sizeof(ret->node));
	if (strcmp(of_router, router) != 0)
		return err_set(err, -ENOENT, "asset-id %s is %s's of router %s, not of %s",
			       asset_id, ret->node, of_router, router);
	key = query_bytes(&q, 2);
	ret->endorsement_key_size = MIN(key.size, sizeof(ret->endorsement_key));
	memcpy(ret->endorsement_key, key.bytes, ret->endorsement_key_size);
	ret->listen_port = (uint16_t)query_integer(&q, 3);
	return 0;
}

static int read_token(struct registry_session *session, const char *router, const char *jti,
		      struct registry_candidate *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT expires, revoked FROM tokens WHERE jti = $1 AND router = $2",
			value_text(jti), value_text(router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	ret->token_is_known = true;
	ret->token_expires_s = query_integer(&q, 0);
	ret->token_is_revoked = !query_is_null(&q, 1);
	return 0;
}

int registry_candidate_read(struct registry_session *session, const char *router,
			    const char *asset_id, const char *jti, struct registry_candidate *ret,
			    struct err *err)
{
	int rc;

	registry_candidate_release(ret);
	*ret = (struct registry_candidate){0};
	rc = read_node(session, router, asset_id, ret, err);
	if (rc == 0)
		rc = registry_claims_read(session, router, &ret->claims, err);
	return rc < 0 ? rc : read_token(session, router, jti, ret, err);
}

struct lookup_work {
	const char *router;
	const char *asset_id;
	const char *jti;
	int64_t now_s;
	struct registry_candidate *candidate;
};

static int look_up(struct registry_session *session, void *work, struct err *err)
{
	const struct lookup_work *w = work;
	int rc;

	rc = registry_clock_compare(session, w->now_s, err);
	if (rc < 0)
		return rc;
	return registry_candidate_read(session, w->router, w->asset_id, w->jti, w->candidate, err);
}

int registry_lookup(struct registry *r, const char *router, const char *asset_id, const char *jti,
		    int64_t now_s, struct registry_candidate *ret, struct err *err)
{
	struct lookup_work w = {.router = router,
				.asset_id = asset_id,
				.jti = jti,
				.now_s = now_s,
				.candidate = ret};
	int rc;

	*ret = (struct registry_candidate){0};
	rc = registry_check_name("router", router, err);
	if (rc == 0)
		rc = registry_check_name("asset-id", asset_id, err);
	if (rc == 0 && !token_jti_is_valid(jti))
		rc = err_set(err, -EINVAL, "token '%s': not 32 lower-case hex digits", jti);
	return rc < 0 ? rc : registry_read(r, look_up, &w, err);
}
