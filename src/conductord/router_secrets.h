/* SPDX-License-Identifier: GPL-3.0-or-later */
/* router_secrets.h - the secrets of the configuration that is sent to a router: taken out of it
 * before it is written into the registry, and put beside it, sealed, before it is sent.
 *
 * All of this asks the registry: on a worker.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "conductor/registry/registry.h"
#include "onboarding/sealing_keys.h"

/* Checks the configuration of a router, and writes it over that revision. configuration loses its
 * secrets. keys: of this conductor. -EINVAL: the model refuses it, or a secret is only shown that
 * is not known; else errors of registry_router_set_configuration(). */
int router_secrets_write(struct registry *registry, const char *router, cJSON *configuration,
			 const struct sealing_keys *keys, int64_t revision,
			 const struct registry_origin *origin, struct err *err);

/* Seals what an older version has left readable in the registry, of router, or of all (NULL). *ret:
 * of how many routers. */
int router_secrets_take_over(struct registry *registry, const char *router,
			     const struct sealing_keys *keys, const struct registry_origin *origin,
			     size_t *ret, struct err *err);

/* An array: for each secret "path", "version" and "nodes", an object with its state at each. */
int router_secrets_show(struct registry *registry, const char *router, cJSON **ret,
			struct err *err);

/* The configuration as one node is sent it. */
struct router_message {
	char *body;      /* freed by the caller; NULL = it has to wait */
	bool is_written; /* there is a configuration */
	bool has_secrets;
	bool lacks_keys; /* the node has not told its keys yet */
};

/* -ENOKEY: a secret is to be set again; the message says which and what to do. */
int router_secrets_compose(struct registry *registry, const char *router, const char *node,
			   const struct sealing_keys *keys, const struct registry_origin *origin,
			   struct router_message *ret, struct err *err);
