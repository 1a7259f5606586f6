/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_routers.h - the authority's routers: mode, pre-shared secret, configuration.
 *
 * Configuring a router makes it, if it is not there yet: disabled, without a secret. Only
 * registry_lookup() and registry_token_issue() return secrets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_secrets_store.h"
#include "onboarding/mode.h"
#include "onboarding/token.h"

#define REGISTRY_CONFIGURATION_MAX (256u << 10) /* bytes of JSON */

struct registry_router {
	char name[TOKEN_NAME_SIZE];
	enum onboarding_mode mode;
	bool has_secret;
	int64_t revision; /* of its configuration; 0 = it has none */
	int64_t n_nodes;
	int64_t n_enrolled;
};

/* What a router is to have from now on; what is not set stays as it is. */
struct registry_router_changes {
	bool sets_mode;
	enum onboarding_mode mode;
	bool sets_secret;
	const char *secret; /* 48 characters [A-Za-z0-9]; NULL = make one */
};

/* Makes all of these changes, or none. A router that is not there is made, also if nothing is
 * set. Setting a mode other than disabled makes a secret, if there is none. Disabling, and a
 * higher mode, end the router's enrolments: registry_key_news_read() no longer has their keys.
 * Another secret revokes the tokens that were issued before. */
int registry_router_put(struct registry *r, const char *router,
			const struct registry_router_changes *changes,
			const struct registry_origin *origin, struct err *err);

/* The router's own configuration: JSON text that the caller has validated, and its secrets, which
 * are not in it. revision: the one that was edited, so that no other change is lost (-EBUSY); 0 =
 * there was none. -EINVAL: too long; errors of registry_secrets_store(). */
int registry_router_set_configuration(struct registry *r, const char *router,
				      const char *configuration,
				      const struct registry_secret_values *secrets,
				      int64_t revision, const struct registry_origin *origin,
				      struct err *err);

/* *ret is freed with free(); "{}" and revision 0 if it has none. -ENOENT. */
int registry_router_get_configuration(struct registry *r, const char *router, char **ret,
				      int64_t *ret_revision, struct err *err);

/* Deletes the router and all that it has: nodes, tokens, enrolments. -ENOENT. */
int registry_router_delete(struct registry *r, const char *router,
			   const struct registry_origin *origin, struct err *err);

/* -ENOENT. */
int registry_router_find(struct registry *r, const char *router, struct registry_router *ret,
			 struct err *err);

/* The next routers by name, at most limit of them, after the one of that name: "" = from the
 * first. Freed with free(). */
int registry_routers_page(struct registry *r, const char *after, size_t limit,
			  struct registry_router **ret, size_t *ret_n, struct err *err);

/* Lists routers, ordered by name; freed with free(). */
int registry_routers_list(struct registry *r, struct registry_router **ret, size_t *ret_n,
			  struct err *err);
