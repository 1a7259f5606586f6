/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_holders.h - for the registry's parts, within their transaction: who has keys to which
 * secrets are sealed: the nodes of a router, and the conductors.
 */
#pragma once

#include "conductor/registry/registry_query.h"
#include "onboarding/sealing_keys.h"
#include "onboarding/token.h"

struct registry_holder {
	char name[TOKEN_NAME_SIZE];
	bool has_keys;
	struct sealing_keys keys; /* public halves */
};

/* All nodes of router, without keys those that have told none in their present enrolment. Freed
 * with free(). */
int registry_holders_nodes(struct registry_session *session, const char *router,
			   struct registry_holder **ret, size_t *ret_n, struct err *err);

/* All conductors that have keys; freed with free(). */
int registry_holders_conductors(struct registry_session *session, struct registry_holder **ret,
				size_t *ret_n, struct err *err);

/* This conductor has these keys: what waits sealed to others that it had goes. */
int registry_holders_put_conductor(struct registry_session *session,
				   const struct sealing_keys *keys, struct err *err);
int registry_holders_put_node(struct registry_session *session, const char *router,
			      const char *node, const struct sealing_keys *keys, struct err *err);
