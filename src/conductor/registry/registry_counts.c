/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_counts.h"

#include <errno.h>

#include "base/macros.h"
#include "conductor/registry/registry_transaction.h"

struct counts_work {
	const char *router; /* "" = all: no router is called so */
	int64_t now_s;
	struct registry_counts counts; /* out */
};

static int count_routers(struct registry_session *session, struct counts_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	enum onboarding_mode mode;
	char name[32];
	int rc;

	rc = query_open(&q, session, err,
			"SELECT mode, COUNT(*) FROM routers WHERE $1 = '' OR name = $1"
			" GROUP BY mode",
			value_text(w->router));
	if (rc < 0)
		return rc;
	while ((rc = query_next(&q, err)) == 1) {
		query_text(&q, 0, name, sizeof(name));
		if (onboarding_mode_from_name(name, &mode))
			w->counts.routers[mode] = (unsigned)query_integer(&q, 1);
	}
	return rc;
}

static int count_nodes(struct registry_session *session, struct counts_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT (SELECT COUNT(*) FROM nodes WHERE $1 = '' OR router = $1),"
			" (SELECT COUNT(*) FROM enrolments WHERE $1 = '' OR router = $1)",
			value_text(w->router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	w->counts.nodes = (unsigned)query_integer(&q, 0);
	w->counts.enrolments = (unsigned)query_integer(&q, 1);
	return 0;
}

static int count_tokens(struct registry_session *session, struct counts_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT COUNT(*), COUNT(revoked),"
			" COUNT(CASE WHEN revoked IS NULL AND expires <= $2 THEN 1 END)"
			" FROM tokens WHERE $1 = '' OR router = $1",
			value_text(w->router), value_integer(w->now_s));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	w->counts.tokens_revoked = (unsigned)query_integer(&q, 1);
	w->counts.tokens_expired = (unsigned)query_integer(&q, 2);
	w->counts.tokens_valid = (unsigned)query_integer(&q, 0) - w->counts.tokens_revoked -
				 w->counts.tokens_expired;
	return 0;
}

static int count_all(struct registry_session *session, void *work, struct err *err)
{
	struct counts_work *w = work;
	int rc;

	w->counts = (struct registry_counts){0};
	rc = count_routers(session, w, err);
	if (rc == 0)
		rc = count_nodes(session, w, err);
	return rc == 0 ? count_tokens(session, w, err) : rc;
}

static int must_exist(const struct counts_work *w, struct err *err)
{
	unsigned found = 0;

	for (int mode = ONBOARDING_DISABLED; mode <= ONBOARDING_STRONG; mode++)
		found += w->counts.routers[mode];
	return found > 0 || !w->router[0]
		       ? 0
		       : err_set(err, -ENOENT, "there is no router %s", w->router);
}

int registry_counts_read(struct registry *r, const char *router, int64_t now_s,
			 struct registry_counts *ret, struct err *err)
{
	struct counts_work w = {.router = router ? router : "", .now_s = now_s};
	int rc = registry_read(r, count_all, &w, err);

	if (rc == 0)
		rc = must_exist(&w, err);
	if (rc == 0)
		*ret = w.counts;
	return rc;
}
