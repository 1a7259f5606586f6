/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_router_row.h"

#include <errno.h>

#include "base/macros.h"
#include "conductor/registry/registry_query.h"
#include "onboarding/token.h"

int registry_check_name(const char *what, const char *name, struct err *err)
{
	if (token_name_is_valid(name))
		return 0;
	return err_set(err, -EINVAL, "%s '%s': a name is 1 to 63 of A-Za-z0-9._-", what, name);
}

int registry_router_ensure(struct registry_session *session, const char *router, struct err *err)
{
	return query_run(session, err,
			 "INSERT INTO routers (name, mode, configuration, revision)"
			 " VALUES ($1, 'disabled', '{}', 0) ON CONFLICT (name) DO NOTHING",
			 value_text(router));
}

int registry_router_mode(struct registry_session *session, const char *router,
			 enum onboarding_mode *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char mode[16];
	int rc;

	rc = query_open(&q, session, err, "SELECT mode FROM routers WHERE name = $1",
			value_text(router));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "there is no router %s", router);
	query_text(&q, 0, mode, sizeof(mode));
	if (!onboarding_mode_from_name(mode, ret))
		return err_set(err, -EBADMSG, "router %s: mode '%s' is none", router, mode);
	return 0;
}
