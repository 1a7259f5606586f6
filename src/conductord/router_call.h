/* router_call.h - ask a router something through its tunnel: HTTP to the control socket that it has
 * for its conductor.
 *
 * A call is over within its time, whatever is dead on the way: helper, tunnel or router; and at
 * once when this conductor stops.
 *
 * Calling sequence: router_call_start -> done, once.
 */
#pragma once

#include "conductord/conductor.h"
#include "http/http_fetch.h"

/* It may have to write a configuration, on a slow disk at the end of a slow line. */
#define ROUTER_CALL_CHANGE_MS 30000u
/* For who waits at a prompt: a line that loses packets is given a few tries. */
#define ROUTER_CALL_ASK_MS    5000u

/* Of an answer: nobody holds that port. */
#define ROUTER_NOT_CONNECTED "it is not connected"

struct router_call;

struct router_answer {
	int status;       /* 0 = it could not be asked: err */
	struct span body; /* during done */
	struct err err;
};

typedef void (*router_call_cb)(void *owner, const struct router_answer *answer);

struct router_ask {
	uint16_t listen_port; /* of the node's tunnel */
	const char *method;
	const char *path;
	const char *body; /* NULL = none */
	uint64_t timeout_ms;
};

/* ask is copied. done does not come inside. -ENOMEM. */
int router_call_start(struct conductor *c, const struct router_ask *ask, router_call_cb done,
		      void *owner);

/* Those that are under way are over, and those to come are in vain. */
void router_calls_stop(struct conductor *c);
