/* registry.h - what conductors know of routers, in a database that they may share.
 *
 * Routers, their nodes, modes and secrets; tokens; who is enrolled and pinned by what; the other
 * conductors; an audit that is only ever appended to. Its parts:
 *
 *   registry_routers         routers: mode, pre-shared secret, configuration; delete
 *   registry_nodes           nodes: asset-id, endorsement key, reset
 *   registry_tokens          onboarding tokens: issue, revoke, list
 *   registry_lookup          what a handshake needs to know about who says hello
 *   registry_enrolment       its commit; enrolments; the keys that may log in
 *   registry_audit           every attempt; failures of strangers counted
 *   registry_conductors      the conductors themselves
 *   registry_initialization  which of them initializes a router
 *   registry_clock           a clock that was set back
 *
 * Threads: every function of these but registry_open() and registry_close() blocks, on a disk or
 * a server, and belongs on the thread pool. Any number of threads may call at once; they are
 * served one at a time. Strings and structs that are passed in are borrowed for the call; what
 * comes back is a copy and the caller's.
 *
 * Each call is one serializable transaction, tried again where another conductor's came between.
 * A connection that was lost is made anew, and the call begun again. When it is lost within the
 * commit itself, the call fails and whether it took place is not known: calls may be repeated.
 *
 * Errors: -EINVAL (not a name, a key …), -ENOENT (no such router …), -EEXIST (somebody else's
 * already: the message says whose), -EBUSY (changed meanwhile), -ETIME (our clock was set back),
 * -ENOTSUP (a newer schema). Any other one means that the registry cannot be asked now
 * (-ECONNRESET, -ENOSPC, -EAGAIN …): whoever was to be let in by its answer is not.
 *
 * Nothing waits for a database longer than 5 seconds, all of a call together. After one that was
 * not answered (-ECONNRESET, -ETIMEDOUT) others fail at once, for a second at a time
 * (registry_health.h).
 *
 * Calling sequence: registry_open -> registry_check -> … -> registry_stop -> registry_close.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "onboarding/conductor/registry_health.h"

#define REGISTRY_ADDRESS_SIZE 64 /* of an address as text, with the final zero */

/* Who wants something, and when: for the audit. */
struct registry_origin {
	const char *address; /* "192.0.2.1", or "uid 0" of the control socket */
	int64_t time_s;      /* Unix seconds, of this conductor's clock */
};

struct registry;

/* uri: sqlite:PATH or postgresql://…; conductor: this one's name. Looks at the URI alone: the
 * database is opened by the first call. -EINVAL, -ENOMEM. */
int registry_open(struct registry **ret, const char *uri, const char *conductor, struct err *err);

/* Can it be used? Makes and upgrades the tables. */
int registry_check(struct registry *r, struct err *err);

/* Does it not answer, since when (uv_hrtime, in ms) and why? From any thread; does not block. */
bool registry_is_out(struct registry *r, struct registry_outage *ret);
/* If so: ask it whether it does again. */
void registry_look_again(struct registry *r);

/* From any thread: calls that are under way, and all later ones, end at once with -ECANCELED. */
void registry_stop(struct registry *r);

/* Takes NULL. No other call may be under way. */
void registry_close(struct registry *r);
