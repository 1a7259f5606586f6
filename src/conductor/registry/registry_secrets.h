/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_secrets.h - how the secrets of routers' configurations stand, and what is sealed of them
 * to a node (registry_secrets_store.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/secret_rules.h"
#include "onboarding/token.h"

/* One secret at one node. */
struct registry_secret {
	char *path;
	int64_t version;
	char node[TOKEN_NAME_SIZE];
	bool knows_keys; /* of the node */
	enum secret_state state;
	uint8_t *sealed; /* to the node, if it is set */
	size_t sealed_size;
};

struct registry_secret_list {
	struct registry_secret *rows;
	size_t n;
	bool lacks_keys; /* a node that was asked for has not told its keys */
};

/* Ordered by path and node. node: NULL = all of the router's. Released by the caller. */
int registry_secrets_list(struct registry *r, const char *router, const char *node,
			  struct registry_secret_list *ret, struct err *err);
void registry_secret_list_release(struct registry_secret_list *list);
