/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_initialization.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

struct claim_work {
	const struct registry_origin *origin;
	const struct registry_enrolment *who;
	enum registry_claim claim; /* out */
};

/* An enrolment that came later begins its own initialization, by the same key or not. */
static int must_be_this_enrolment(struct registry_session *session, const struct claim_work *w,
				  struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT 1 FROM enrolments WHERE router = $1 AND node = $2"
			" AND ssh_key = $3 AND jti = $4 AND enrolled = $5",
			value_text(w->who->router), value_text(w->who->node),
			value_bytes(span_of(w->who->ssh_key, sizeof(w->who->ssh_key))),
			value_text(w->who->jti), value_integer(w->who->enrolled_s));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc != 0)
		return MIN(rc, 0);
	return err_set(err, -ENOENT, "node %s of router %s is not enrolled so (any more)",
		       w->who->node, w->who->router);
}

/* Returns 1 if there is a claim that holds: w->claim says whose it is. */
static int find_claim(struct registry_session *session, struct claim_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char conductor[TOKEN_NAME_SIZE];
	int rc;

	rc = query_open(&q, session, err,
			"SELECT conductor, claimed, finished FROM initializations"
			" WHERE router = $1 AND node = $2",
			value_text(w->who->router), value_text(w->who->node));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	query_text(&q, 0, conductor, sizeof(conductor));
	if (!query_is_null(&q, 2)) {
		w->claim = REGISTRY_CLAIM_FINISHED;
		return 1;
	}
	w->claim = strcmp(conductor, session->conductor) == 0 ? REGISTRY_CLAIM_OURS
							      : REGISTRY_CLAIM_OTHERS;
	return w->origin->time_s - query_integer(&q, 1) <= REGISTRY_CLAIM_S;
}

static int claim(struct registry_session *session, void *work, struct err *err)
{
	struct claim_work *w = work;
	int rc;

	rc = must_be_this_enrolment(session, w, err);
	if (rc == 0)
		rc = find_claim(session, w, err);
	if (rc != 0)
		return MIN(rc, 0);
	w->claim = REGISTRY_CLAIM_OURS;
	return query_run(session, err,
			 "INSERT INTO initializations (router, node, conductor, claimed)"
			 " VALUES ($1, $2, $3, $4) ON CONFLICT (router, node) DO UPDATE"
			 " SET conductor = excluded.conductor, claimed = excluded.claimed",
			 value_text(w->who->router), value_text(w->who->node),
			 value_text(session->conductor), value_integer(w->origin->time_s));
}

static int check_names(const struct claim_work *w, struct err *err)
{
	int rc = registry_check_name("router", w->who->router, err);

	return rc < 0 ? rc : registry_check_name("node", w->who->node, err);
}

int registry_initialization_claim(struct registry *r, const struct registry_enrolment *who,
				  const struct registry_origin *origin, enum registry_claim *ret,
				  struct err *err)
{
	struct claim_work w = {.origin = origin, .who = who};
	int rc;

	rc = check_names(&w, err);
	if (rc == 0)
		rc = registry_write(r, claim, &w, err);
	if (rc == 0)
		*ret = w.claim;
	return rc;
}

static int finish_claim(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct claim_work *w = work;
	struct registry_event event = {.outcome = REGISTRY_INITIALIZED,
				       .router = w->who->router,
				       .node = w->who->node,
				       .reason = "has its configuration"};
	int rc = must_be_this_enrolment(session, w, err);

	if (rc < 0)
		return rc;
	rc = query_open(&q, session, err,
			"UPDATE initializations SET finished = $4 WHERE router = $1 AND node = $2"
			" AND conductor = $3 AND finished IS NULL RETURNING node",
			value_text(w->who->router), value_text(w->who->node),
			value_text(session->conductor), value_integer(w->origin->time_s));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT,
			       "conductor %s has no claim to initialize %s of router %s",
			       session->conductor, w->who->node, w->who->router);
	query_close(&q);
	return registry_audit_add(session, w->origin, &event, err);
}

int registry_initialization_finish(struct registry *r, const struct registry_enrolment *who,
				   const struct registry_origin *origin, struct err *err)
{
	struct claim_work w = {.origin = origin, .who = who};
	int rc = check_names(&w, err);

	return rc < 0 ? rc : registry_write(r, finish_claim, &w, err);
}
