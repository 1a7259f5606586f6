/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry.h - what conductors know of routers, in a database that they may share.
 *
 * Routers, their nodes, modes and secrets; tokens; who is enrolled, and the pin of each; the
 * other conductors; an audit to which rows are only added. Its parts:
 *
 *	registry_routers         routers: mode, pre-shared secret, configuration; delete
 *	registry_nodes           nodes: asset-id, endorsement key, reset
 *	registry_tokens          onboarding tokens: issue, revoke, list
 *	registry_lookup          what a handshake must know of a router that says hello
 *	registry_enrolment       the commit of a handshake; enrolments; the keys that may log in
 *	registry_audit           every attempt; failures of strangers counted
 *	registry_conductors      the conductors themselves
 *	registry_initialization  which of them initializes a router
 *	registry_clock           a clock that was set back
 *
 * Threads: except for registry_open() and registry_close(), every function of these parts blocks,
 * on a disk or a server, and belongs on a worker. Any number of threads may call; they are served
 * one after the other. Strings and structs that are passed in are borrowed for the call; what is
 * returned is a copy and belongs to the caller.
 *
 * Each call is one serializable transaction, which is tried again if another conductor's came
 * between. If the connection was lost, a new one is made and the call begins again. If it is lost
 * within the commit itself, the call fails, and it is not known whether it took effect: calls may
 * be repeated.
 *
 * Errors: -EINVAL (not a name, a key …), -ENOENT (no such router …), -EEXIST (somebody else has
 * it: the message says who), -EBUSY (changed meanwhile), -ETIME (our clock was set back),
 * -ENOTSUP (a newer schema). Any other error means that the registry cannot be asked now
 * (-ECONNRESET, -ENOSPC, -EAGAIN …): then nobody is let in.
 *
 * No call waits for the database longer than 5 seconds in all. After a call that was not answered
 * (-ECONNRESET, -ETIMEDOUT) others fail at once, for one second at a time (registry_health.h).
 *
 * Calling sequence: registry_open -> registry_check -> … -> registry_stop -> registry_close.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry_health.h"

#define REGISTRY_ADDRESS_SIZE 64 /* of an address as text, with the final zero */

/* Who asks for something, and when: for the audit. */
struct registry_origin {
	const char *address; /* "192.0.2.1", or "uid 0" of the control socket */
	int64_t time_s;      /* Unix seconds, of this conductor's clock */
};

struct registry;

/* For _cleanup_: rows as a list gave them. The address of their pointer. */
void registry_rows_free(void *rows);

/* uri: sqlite:PATH or postgresql://…; conductor: this one's name. Looks at the URI alone: the
 * database is opened by the first call. -EINVAL, -ENOMEM. */
int registry_open(struct registry **ret, const char *uri, const char *conductor, struct err *err);

/* Can it be used? Makes and upgrades the tables. */
int registry_check(struct registry *r, struct err *err);

/* Does the registry not answer at present; since when (uv_hrtime, in ms), and why? From any
 * thread; does not block. */
bool registry_is_out(struct registry *r, struct registry_outage *ret);
/* If it does not answer: ask it whether it does again. */
void registry_look_again(struct registry *r);

/* What was overwritten or deleted is to be nowhere in the database's files any more, as far as that
 * is in our hands: in a file of SQLite it is not; what a PostgreSQL server still has is its own. */
int registry_forget(struct registry *r, struct err *err);

/* From any thread: calls that are under way, and all later ones, end at once with -ECANCELED. */
void registry_stop(struct registry *r);

/* Takes NULL. No other call may be under way. */
void registry_close(struct registry *r);
