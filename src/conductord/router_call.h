/* SPDX-License-Identifier: GPL-3.0-or-later */
/* router_call.h - asks a router something through its tunnel: HTTP to the control socket that the
 * router has for its conductors.
 *
 * A call is over within its time, whatever does not answer: helper, tunnel or router. It is over
 * at once when this conductor stops.
 *
 * Calling sequence: router_call_start -> done, once.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct node;
struct tunnels;

/* For a request that changes something: the router may have to write a configuration, to a slow
 * disk at the end of a slow line. */
#define ROUTER_CALL_CHANGE_MS 30000u
/* For a request that somebody at a prompt waits for: enough for a few tries on a line that loses
 * packets. */
#define ROUTER_CALL_ASK_MS    5000u

/* Of an answer: nobody holds that port. */
#define ROUTER_NOT_CONNECTED "it is not connected"

struct router_call;

/* Those of one conductor. */
struct router_calls {
	struct node *node; /* waits for calls that are not over */
	struct tunnels *tunnels;
	struct router_call *first; /* that is not over */
};

struct router_answer {
	int status;       /* 0 = the router could not be asked: see err */
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
int router_call_start(struct router_calls *calls, const struct router_ask *ask, router_call_cb done,
		      void *owner);

/* Ends the calls that are running; new ones fail. */
void router_calls_stop(struct router_calls *calls);
