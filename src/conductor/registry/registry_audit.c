/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_audit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "conductor/registry/registry_transaction.h"

static const char *const outcome_names[] = {
	[REGISTRY_ENROLLED] = "enrolled",           [REGISTRY_REFUSED] = "refused",
	[REGISTRY_OTHER_DEVICE] = "other-device",   [REGISTRY_TOKEN_ISSUED] = "token-issued",
	[REGISTRY_TOKEN_REVOKED] = "token-revoked", [REGISTRY_NODE_RESET] = "node-reset",
	[REGISTRY_CONFIGURED] = "configured",       [REGISTRY_DELETED] = "deleted",
	[REGISTRY_INITIALIZED] = "initialized",     [REGISTRY_CLOCK_RESET] = "clock-reset",
};

const char *registry_outcome_name(enum registry_outcome outcome)
{
	return outcome_names[outcome];
}

static enum registry_outcome outcome_from_name(const char *name)
{
	for (unsigned i = 0; i < N_ELEMENTS(outcome_names); i++)
		if (strcmp(name, outcome_names[i]) == 0)
			return (enum registry_outcome)i;
	return REGISTRY_REFUSED; /* a newer conductor wrote it: it is shown as a refusal, and lets
				    nobody in */
}

int registry_audit_add(struct registry_session *session, const struct registry_origin *origin,
		       const struct registry_event *event, struct err *err)
{
	char address[REGISTRY_ADDRESS_SIZE];
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	char reason[REGISTRY_REASON_SIZE];

	printable_copy(origin->address, address, sizeof(address));
	printable_copy(event->router ? event->router : "", router, sizeof(router));
	printable_copy(event->node ? event->node : "", node, sizeof(node));
	printable_copy(event->reason, reason, sizeof(reason));
	session->audit_sequence++;
	return query_run(session, err,
			 "INSERT INTO audit (conductor, sequence, time, address, router, node,"
			 " outcome, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			 value_text(session->conductor), value_integer(session->audit_sequence),
			 value_integer(origin->time_s), value_text(address), value_text(router),
			 value_text(node), value_text(outcome_names[event->outcome]),
			 value_text(reason));
}

struct append_work {
	const struct registry_origin *origin;
	const struct registry_event *event;
};

static int append(struct registry_session *session, void *work, struct err *err)
{
	const struct append_work *w = work;

	return registry_audit_add(session, w->origin, w->event, err);
}

int registry_audit_append(struct registry *r, const struct registry_origin *origin,
			  const struct registry_event *event, struct err *err)
{
	struct append_work w = {.origin = origin, .event = event};

	return registry_write(r, append, &w, err);
}

static void read_audit_row(struct query *q, void *row)
{
	struct registry_audit_row *audit = row;
	char outcome[32];

	audit->time_s = query_integer(q, 0);
	query_text(q, 1, audit->conductor, sizeof(audit->conductor));
	query_text(q, 2, audit->address, sizeof(audit->address));
	query_text(q, 3, audit->router, sizeof(audit->router));
	query_text(q, 4, audit->node, sizeof(audit->node));
	query_text(q, 5, outcome, sizeof(outcome));
	audit->outcome = outcome_from_name(outcome);
	query_text(q, 6, audit->reason, sizeof(audit->reason));
	audit->sequence = query_integer(q, 7);
}

#define AUDIT  "SELECT time, conductor, address, router, node, outcome, reason, sequence FROM audit"
#define NEWEST " ORDER BY time DESC, conductor DESC, sequence DESC LIMIT $2"
/* The first condition alone lets the index find the rows. */
#define PAGE   " WHERE time >= $1 AND (time, conductor, sequence) > ($1, $2, $3)"
#define OLDEST " ORDER BY time, conductor, sequence LIMIT $4"

int registry_audit_page(struct registry *r, const char *router, int64_t since_s,
			const struct registry_audit_row *after, size_t limit,
			struct registry_audit_row **ret, size_t *ret_n, struct err *err)
{
	const bool goes_on = after && after->time_s >= since_s;
	struct registry_listing list = {
		.sql = router ? AUDIT PAGE " AND router = $5" OLDEST : AUDIT PAGE OLDEST,
		.values = {value_integer(goes_on ? after->time_s : since_s),
			   value_text(goes_on ? after->conductor : ""),
			   value_integer(goes_on ? after->sequence : 0),
			   value_integer((int64_t)limit), value_text(router)},
		.n_values = router ? 5 : 4,
		.row_size = sizeof(**ret),
		.read = read_audit_row,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_audit_query(struct registry *r, const char *router, int64_t since_s,
			 struct registry_audit_row **ret, size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = router ? AUDIT " WHERE time >= $1 AND router = $3" NEWEST
			      : AUDIT " WHERE time >= $1" NEWEST,
		.values = {value_integer(since_s), value_integer(REGISTRY_AUDIT_ROWS_MAX),
			   value_text(router)},
		.n_values = router ? 3 : 2,
		.row_size = sizeof(**ret),
		.read = read_audit_row,
	};
	struct registry_audit_row *rows = NULL;
	size_t n = 0;
	int rc = registry_list(r, &list, &rows, &n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n / 2; i++) { /* they came newest first */
		struct registry_audit_row row = rows[i];

		rows[i] = rows[n - 1 - i];
		rows[n - 1 - i] = row;
	}
	*ret = rows;
	*ret_n = n;
	return 0;
}

void registry_failures_address(const char *address, char ret[REGISTRY_ADDRESS_SIZE])
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1) {
		(void)inet_ntop(AF_INET, &four, ret, REGISTRY_ADDRESS_SIZE);
	} else if (inet_pton(AF_INET6, address, &six) != 1) {
		(void)snprintf(ret, REGISTRY_ADDRESS_SIZE, "unknown");
	} else if (IN6_IS_ADDR_V4MAPPED(&six)) {
		(void)inet_ntop(AF_INET, &six.s6_addr[12], ret, REGISTRY_ADDRESS_SIZE);
	} else {
		memset(&six.s6_addr[8], 0, 8);
		(void)inet_ntop(AF_INET6, &six, text, sizeof(text));
		(void)snprintf(ret, REGISTRY_ADDRESS_SIZE, "%s/64", text);
	}
}

struct failures_work {
	const struct registry_failures *rows;
	size_t n;
	int64_t now_s;
};

static int add_failures(struct registry_session *session, void *work, struct err *err)
{
	const struct failures_work *w = work;
	int rc;

	rc = query_run(session, err, "DELETE FROM failures WHERE minute < $1",
		       value_integer(w->now_s - REGISTRY_FAILURES_KEPT_S));
	for (size_t i = 0; rc == 0 && i < w->n; i++) {
		const struct registry_failures *row = &w->rows[i];

		rc = query_run(session, err,
			       "INSERT INTO failures (minute, address, conductor, failures)"
			       " VALUES ($1, $2, $3, $4)"
			       " ON CONFLICT (minute, address, conductor) DO UPDATE"
			       " SET failures = failures.failures + excluded.failures",
			       value_integer(row->minute_s - row->minute_s % 60),
			       value_text(row->address), value_text(session->conductor),
			       value_integer(row->n));
	}
	return rc;
}

int registry_failures_add(struct registry *r, const struct registry_failures *rows, size_t n,
			  int64_t now_s, struct err *err)
{
	struct failures_work w = {.rows = rows, .n = n, .now_s = now_s};

	return registry_write(r, add_failures, &w, err);
}

static void read_failures_row(struct query *q, void *row)
{
	struct registry_failures *failures = row;

	failures->minute_s = query_integer(q, 0);
	query_text(q, 1, failures->address, sizeof(failures->address));
	failures->n = query_integer(q, 2);
}

int registry_failures_query(struct registry *r, int64_t since_s, struct registry_failures **ret,
			    size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		/* PostgreSQL sums into a type of any length. */
		.sql = "SELECT minute, address, CAST(SUM(failures) AS BIGINT) FROM failures"
		       " WHERE minute >= $1 GROUP BY minute, address ORDER BY minute, address",
		.values = {value_integer(since_s)},
		.n_values = 1,
		.row_size = sizeof(**ret),
		.read = read_failures_row,
	};

	return registry_list(r, &list, ret, ret_n, err);
}
