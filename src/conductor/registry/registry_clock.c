/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_transaction.h"

#define TIME_SIZE 32

static const char *time_text(int64_t time_s, char ret[TIME_SIZE])
{
	time_t seconds = (time_t)time_s;
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) ||
	    strftime(ret, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		(void)snprintf(ret, TIME_SIZE, "%lld", (long long)time_s);
	return ret;
}

int registry_clock_compare(struct registry_session *session, int64_t now_s, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	char seen[TIME_SIZE];
	char now[TIME_SIZE];
	int rc;

	rc = query_open(&q, session, err, "SELECT latest FROM clocks WHERE conductor = $1",
			value_text(session->conductor));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0 || query_integer(&q, 0) - now_s <= REGISTRY_CLOCK_TOLERANCE_S)
		return MIN(rc, 0);
	return err_set(
		err, -ETIME,
		"the clock of conductor %s was set back: it says %s and has said %s; set it, "
		"or tell by 'reset clock' that it is right",
		session->conductor, time_text(now_s, now), time_text(query_integer(&q, 0), seen));
}

static int store(struct registry_session *session, int64_t now_s, struct err *err)
{
	return query_run(session, err,
			 "INSERT INTO clocks (conductor, latest) VALUES ($1, $2)"
			 " ON CONFLICT (conductor) DO UPDATE SET latest = excluded.latest",
			 value_text(session->conductor), value_integer(now_s));
}

int registry_clock_note(struct registry_session *session, int64_t now_s, struct err *err)
{
	int rc = registry_clock_compare(session, now_s, err);

	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO clocks (conductor, latest) VALUES ($1, $2)"
			 " ON CONFLICT (conductor) DO UPDATE SET latest = excluded.latest"
			 " WHERE clocks.latest < excluded.latest",
			 value_text(session->conductor), value_integer(now_s));
}

static int check(struct registry_session *session, void *work, struct err *err)
{
	const int64_t *now_s = work;

	return registry_clock_note(session, *now_s, err);
}

int registry_clock_check(struct registry *r, int64_t now_s, struct err *err)
{
	return registry_write(r, check, &now_s, err);
}

static int reset(struct registry_session *session, void *work, struct err *err)
{
	const struct registry_origin *const *origin = work;
	struct registry_event event = {.outcome = REGISTRY_CLOCK_RESET};
	char reason[64];
	char now[TIME_SIZE];
	int rc;

	rc = store(session, (*origin)->time_s, err);
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "the clock is right at %s",
		       time_text((*origin)->time_s, now));
	event.reason = reason;
	return registry_audit_add(session, *origin, &event, err);
}

int registry_clock_reset(struct registry *r, const struct registry_origin *origin, struct err *err)
{
	return registry_write(r, reset, &origin, err);
}
