/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_audit.h - what was tried, and with what result. Rows are added and never changed.
 *
 * Enrolments and their refusals at the commit, tokens, resets and changes by operators write
 * their row in the transaction that does it. Attempts that were refused earlier are added by
 * registry_audit_append(). Attempts of strangers, whose first message did not verify, are too
 * many for a row each: they are counted by address and minute, and forgotten after 30 days.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "onboarding/token.h"

#define REGISTRY_REASON_SIZE     512
#define REGISTRY_AUDIT_ROWS_MAX  10000 /* in one answer */
#define REGISTRY_FAILURES_KEPT_S INT64_C(2592000)

enum registry_outcome {
	REGISTRY_ENROLLED,
	REGISTRY_REFUSED,
	REGISTRY_OTHER_DEVICE, /* refused, and an operator must look */
	REGISTRY_TOKEN_ISSUED,
	REGISTRY_TOKEN_REVOKED,
	REGISTRY_NODE_RESET,
	REGISTRY_CONFIGURED,
	REGISTRY_DELETED,
	REGISTRY_INITIALIZED,
	REGISTRY_CLOCK_RESET,
};

const char *registry_outcome_name(enum registry_outcome outcome);

struct registry_audit_row {
	int64_t sequence; /* of its conductor */
	int64_t time_s;
	char conductor[TOKEN_NAME_SIZE];
	char address[REGISTRY_ADDRESS_SIZE];
	char router[TOKEN_NAME_SIZE]; /* "" = not known */
	char node[TOKEN_NAME_SIZE];   /* likewise */
	enum registry_outcome outcome;
	char reason[REGISTRY_REASON_SIZE];
};

/* What happened to whom; router and node may be NULL. router and reason may contain text that a
 * stranger wrote. */
struct registry_event {
	enum registry_outcome outcome;
	const char *router;
	const char *node;
	const char *reason;
};

int registry_audit_append(struct registry *r, const struct registry_origin *origin,
			  const struct registry_event *event, struct err *err);

/* The last rows, at most REGISTRY_AUDIT_ROWS_MAX of them, oldest first. router: NULL = of all.
 * Freed with free(). */
int registry_audit_query(struct registry *r, const char *router, int64_t since_s,
			 struct registry_audit_row **ret, size_t *ret_n, struct err *err);

/* The next rows since then, oldest first, at most limit of them, after that one; NULL = from the
 * first. Of after only time, conductor and sequence count. Freed with free(). */
int registry_audit_page(struct registry *r, const char *router, int64_t since_s,
			const struct registry_audit_row *after, size_t limit,
			struct registry_audit_row **ret, size_t *ret_n, struct err *err);

struct registry_failures {
	int64_t minute_s;                    /* when it began */
	char address[REGISTRY_ADDRESS_SIZE]; /* IPv6: the /64 */
	int64_t n;
};

/* The address to which failures are counted: the address itself; of an IPv6 address the /64
 * ("2001:db8::/64"); of an IPv4 address mapped into IPv6 the IPv4 address. Anything else is
 * counted as "unknown". */
void registry_failures_address(const char *address, char ret[REGISTRY_ADDRESS_SIZE]);

/* Add what was counted since the last call, of any minutes, in one transaction. Removes what is
 * older than 30 days before now_s. */
int registry_failures_add(struct registry *r, const struct registry_failures *rows, size_t n,
			  int64_t now_s, struct err *err);

/* Sums over all conductors since since_s, oldest first; freed with free(). */
int registry_failures_query(struct registry *r, int64_t since_s, struct registry_failures **ret,
			    size_t *ret_n, struct err *err);

/* For the registry's other parts: a row within their transaction. */
struct registry_session;
int registry_audit_add(struct registry_session *session, const struct registry_origin *origin,
		       const struct registry_event *event, struct err *err);
