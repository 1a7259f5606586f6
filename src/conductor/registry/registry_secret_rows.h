/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_secret_rows.h - for the registry's parts, within their transaction: the secrets of a
 * router, and how each stands at a node.
 */
#pragma once

#include "conductor/registry/registry_holders.h"
#include "conductor/registry/registry_pin.h"
#include "conductor/registry/secret_rules.h"

/* A secret: its path, and the digest of it by which tables know it, since a path may be longer
 * than an index takes. */
struct registry_secret_row {
	uint8_t id[REGISTRY_DIGEST_SIZE];
	char *path;
	int64_t version;
};

struct registry_secret_rows {
	struct registry_secret_row *list;
	size_t n;
};

/* Ordered by path. */
int registry_secret_rows_load(struct registry_session *session, const char *router,
			      struct registry_secret_rows *ret, struct err *err);
void registry_secret_rows_release(struct registry_secret_rows *rows);

/* How a secret stands at one of the router's nodes. ret_sealed: may be NULL; else, if it is set,
 * what is sealed to the node, freed by the caller. */
int registry_secret_state(struct registry_session *session, const char *router,
			  const struct registry_secret_row *row, const struct registry_holder *node,
			  enum secret_state *ret, uint8_t **ret_sealed, size_t *ret_sealed_size,
			  struct err *err);
