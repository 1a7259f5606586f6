/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_conductors.h - the conductors of the authority: what routers are told of each. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "onboarding/token.h"

#define REGISTRY_HOST_SIZE      256  /* a name or an address, with the final zero */
#define REGISTRY_HOST_KEYS_SIZE 8192 /* likewise */

struct registry_conductor {
	char name[TOKEN_NAME_SIZE];
	char host[REGISTRY_HOST_SIZE];
	uint16_t port;
	char ssh_host_keys[REGISTRY_HOST_KEYS_SIZE]; /* base64 of each blob, a line each */
	int64_t seen_s;                              /* when it last registered */
};

/* Register a conductor, in place of what was known of it. Its name has the same rules as a
 * router's; host and keys are not empty. */
int registry_conductor_register(struct registry *r, const struct registry_conductor *conductor,
				struct err *err);

/* From now on routers that are enrolled are not told of this conductor. -ENOENT. */
int registry_conductor_remove(struct registry *r, const char *name,
			      const struct registry_origin *origin, struct err *err);

/* Lists conductors, ordered by name; freed with free(). */
int registry_conductors_list(struct registry *r, struct registry_conductor **ret, size_t *ret_n,
			     struct err *err);
