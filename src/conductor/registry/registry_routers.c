/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_routers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/pre_shared_secret.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_tokens.h"
#include "conductor/registry/registry_transaction.h"

struct router_work {
	const struct registry_origin *origin;
	const char *router;
	struct registry_router_changes changes;
	const char *configuration;
	const struct registry_secret_values *secrets;
	int64_t revision;
	char *copy; /* out */
};

static int note(struct registry_session *session, const struct router_work *w,
		enum registry_outcome outcome, const char *reason, struct err *err)
{
	struct registry_event event = {.outcome = outcome, .router = w->router, .reason = reason};

	return registry_audit_add(session, w->origin, &event, err);
}

static int write_router(struct registry *r, registry_work_cb run, struct router_work *w,
			struct err *err)
{
	int rc = registry_check_name("router", w->router, err);

	return rc < 0 ? rc : registry_write(r, run, w, err);
}

/* Returns 1 if the router has this secret already. */
static int has_secret(struct registry_session *session, const char *router, const char *secret,
		      struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err, "SELECT 1 FROM routers WHERE name = $1 AND secret = $2",
			value_text(router), value_text(secret));
	return rc < 0 ? rc : query_next(&q, err);
}

static int store_secret(struct registry_session *session, const struct router_work *w,
			const char *secret, struct err *err)
{
	int rc = has_secret(session, w->router, secret, err);

	if (rc != 0)
		return MIN(rc, 0);
	rc = query_run(session, err, "UPDATE routers SET secret = $2 WHERE name = $1",
		       value_text(w->router), value_text(secret));
	/* The tokens of the old secret stay revoked, even if the same secret is set again later. */
	return rc < 0 ? rc : registry_tokens_revoke_all(session, w->router, w->origin->time_s, err);
}

static int make_secret(struct registry_session *session, const struct router_work *w,
		       struct err *err)
{
	char made[TOKEN_SECRET_SIZE + 1] = "";
	int rc = pre_shared_secret_make(made, err);

	if (rc == 0)
		rc = store_secret(session, w, made, err);
	explicit_bzero(made, sizeof(made));
	return rc;
}

static int set_secret(struct registry_session *session, const struct router_work *w,
		      struct err *err)
{
	const char *secret = w->changes.secret;
	int rc = secret ? store_secret(session, w, secret, err) : make_secret(session, w, err);

	if (rc < 0)
		return rc;
	return note(session, w, REGISTRY_CONFIGURED,
		    secret ? "pre-shared secret set" : "pre-shared secret made", err);
}

static int make_secret_if_none(struct registry_session *session, const struct router_work *w,
			       struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT 1 FROM routers WHERE name = $1 AND secret IS NULL",
			value_text(w->router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	query_close(&q);
	return make_secret(session, w, err);
}

static int set_mode(struct registry_session *session, const struct router_work *w, struct err *err)
{
	const enum onboarding_mode mode = w->changes.mode;
	enum onboarding_mode old;
	char reason[64];
	int rc;

	rc = registry_router_mode(session, w->router, &old, err);
	if (rc == 0)
		rc = query_run(session, err, "UPDATE routers SET mode = $2 WHERE name = $1",
			       value_text(w->router), value_text(onboarding_mode_name(mode)));
	if (rc == 0 && mode != ONBOARDING_DISABLED)
		rc = make_secret_if_none(session, w, err);
	/* A router that was enrolled by less than the new mode asks for is not enrolled any more.
	 */
	if (rc == 0 && (mode == ONBOARDING_DISABLED || mode > old))
		rc = query_run(session, err, "DELETE FROM enrolments WHERE router = $1",
			       value_text(w->router));
	if (rc != 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "mode %s, was %s", onboarding_mode_name(mode),
		       onboarding_mode_name(old));
	return note(session, w, REGISTRY_CONFIGURED, reason, err);
}

static int put(struct registry_session *session, void *work, struct err *err)
{
	const struct router_work *w = work;
	int rc = registry_router_ensure(session, w->router, err);

	if (rc == 0 && w->changes.sets_secret)
		rc = set_secret(session, w, err);
	if (rc == 0 && w->changes.sets_mode)
		rc = set_mode(session, w, err);
	return rc;
}

int registry_router_put(struct registry *r, const char *router,
			const struct registry_router_changes *changes,
			const struct registry_origin *origin, struct err *err)
{
	struct router_work w = {.origin = origin, .router = router, .changes = *changes};
	const char *secret = changes->secret;

	if (secret && !token_secret_is_valid(span_of_string(secret)))
		return err_set(err, -EINVAL,
			       "router %s: a pre-shared secret is 48 characters of A-Za-z0-9, "
			       "and not %zu or other ones",
			       router, strlen(secret));
	return write_router(r, put, &w, err);
}

static int get_configuration(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct router_work *w = work;
	int rc;

	free(w->copy);
	w->copy = NULL;
	rc = query_open(&q, session, err,
			"SELECT revision, configuration FROM routers WHERE name = $1",
			value_text(w->router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "there is no router %s", w->router);
	w->revision = query_integer(&q, 0);
	w->copy = query_copy(&q, 1);
	return w->copy ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int registry_router_get_configuration(struct registry *r, const char *router, char **ret,
				      int64_t *ret_revision, struct err *err)
{
	struct router_work w = {.router = router};
	int rc;

	rc = registry_check_name("router", router, err);
	if (rc == 0)
		rc = registry_read(r, get_configuration, &w, err);
	if (rc < 0) {
		free(w.copy);
		return rc;
	}
	*ret = w.copy;
	*ret_revision = w.revision;
	return 0;
}

static int set_configuration(struct registry_session *session, void *work, struct err *err)
{
	const struct router_work *w = work;
	struct router_work now = {.router = w->router};
	char reason[64];
	int rc;

	rc = registry_router_ensure(session, w->router, err);
	if (rc == 0)
		rc = get_configuration(session, &now, err);
	free(now.copy);
	if (rc < 0)
		return rc;
	if (now.revision != w->revision)
		return err_set(err, -EBUSY,
			       "router %s: its configuration was changed meanwhile: revision %lld "
			       "was edited, and %lld is there",
			       w->router, (long long)w->revision, (long long)now.revision);
	rc = query_run(session, err,
		       "UPDATE routers SET configuration = $2, revision = $3 WHERE name = $1",
		       value_text(w->router), value_text(w->configuration),
		       value_integer(w->revision + 1));
	if (rc == 0)
		rc = registry_secrets_store(session, w->router, w->secrets, w->revision + 1, err);
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "configuration revision %lld",
		       (long long)w->revision + 1);
	return note(session, w, REGISTRY_CONFIGURED, reason, err);
}

int registry_router_set_configuration(struct registry *r, const char *router,
				      const char *configuration,
				      const struct registry_secret_values *secrets,
				      int64_t revision, const struct registry_origin *origin,
				      struct err *err)
{
	struct router_work w = {.origin = origin,
				.router = router,
				.configuration = configuration,
				.secrets = secrets,
				.revision = revision};

	if (strlen(configuration) > REGISTRY_CONFIGURATION_MAX)
		return err_set(err, -EINVAL, "router %s: a configuration of more than %u bytes",
			       router, REGISTRY_CONFIGURATION_MAX);
	return write_router(r, set_configuration, &w, err);
}

static int delete_router(struct registry_session *session, void *work, struct err *err)
{
	const struct router_work *w = work;
	enum onboarding_mode mode;
	int rc;

	rc = registry_router_mode(session, w->router, &mode, err);
	if (rc == 0)
		rc = query_run(session, err, "DELETE FROM routers WHERE name = $1",
			       value_text(w->router));
	if (rc < 0)
		return rc;
	return note(session, w, REGISTRY_DELETED, "router, its nodes, tokens and enrolments", err);
}

int registry_router_delete(struct registry *r, const char *router,
			   const struct registry_origin *origin, struct err *err)
{
	struct router_work w = {.origin = origin, .router = router};

	return write_router(r, delete_router, &w, err);
}
