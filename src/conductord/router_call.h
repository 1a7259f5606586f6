/* router_call.h - ask a router something through its tunnel: HTTP to the control socket that it has
 * for its conductor.
 *
 * Calling sequence: router_call_start -> done, once.
 */
#pragma once

#include "conductord/conductor.h"
#include "core/http_fetch.h"

struct router_call;

struct router_answer {
	int status;       /* 0 = it could not be asked: err */
	struct span body; /* during done */
	struct err err;
};

typedef void (*router_call_cb)(void *owner, const struct router_answer *answer);

/* listen_port: of the node's tunnel; path and body are copied. -ENOMEM. */
int router_call_start(struct conductor *c, uint16_t listen_port, const char *method,
		      const char *path, const char *body, router_call_cb done, void *owner);
