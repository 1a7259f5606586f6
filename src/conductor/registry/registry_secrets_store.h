/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_secrets_store.h - writes the secrets of routers' configurations, sealed
 * (docs/onboarding.md).
 *
 * The configuration itself has none of them (config_secrets.h says what stands in their place).
 * Each is known by its path, and has the revision of the configuration as its version in which it
 * was set. It is sealed to each node that has told its keys, and as long as there is one that has
 * not, to each conductor (secret_rules.h).
 *
 * Nobody gets a secret back from here: but for this conductor's own copies, which are opened only
 * to be sealed to a node.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_enrolment.h"
#include "onboarding/sealing_keys.h"

struct registry_session;

struct registry_secret_value {
	const char *path;
	const char *value; /* NULL = it stays as it is */
};

/* All secrets of a configuration. */
struct registry_secret_values {
	const struct registry_secret_value *list;
	size_t n;
	const struct sealing_keys *keys; /* of this conductor; NULL = there are no secrets */
};

/* Within the transaction that writes a configuration: those that are not in values go. -EINVAL: one
 * that is to stay is not there. */
int registry_secrets_store(struct registry_session *session, const char *router,
			   const struct registry_secret_values *values, int64_t version,
			   struct err *err);

/* This conductor has these keys. */
int registry_secrets_put_conductor(struct registry *r, const struct sealing_keys *keys,
				   struct err *err);

/* The node says what its keys are: seals to it what waits sealed to this conductor, whose keys
 * (private halves too) are own. -ENOENT: that enrolment has ended. */
int registry_secrets_put_node(struct registry *r, const struct registry_enrolment *who,
			      const struct sealing_keys *keys, const struct sealing_keys *own,
			      const struct registry_origin *origin, struct err *err);
