/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_calls.h - one change at a time, as tests make them.
 */
#pragma once

#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

static inline int registry_router_add(struct registry *r, const char *router,
				      const struct registry_origin *origin, struct err *err)
{
	const struct registry_router_changes none = {0};

	return registry_router_put(r, router, &none, origin, err);
}

static inline int registry_router_set_mode(struct registry *r, const char *router,
					   enum onboarding_mode mode,
					   const struct registry_origin *origin, struct err *err)
{
	const struct registry_router_changes changes = {.sets_mode = true, .mode = mode};

	return registry_router_put(r, router, &changes, origin, err);
}

static inline int registry_router_set_secret(struct registry *r, const char *router,
					     const char *secret,
					     const struct registry_origin *origin, struct err *err)
{
	const struct registry_router_changes changes = {.sets_secret = true, .secret = secret};

	return registry_router_put(r, router, &changes, origin, err);
}

static inline int registry_node_set_asset_id(struct registry *r, const char *router,
					     const char *node, const char *asset_id,
					     const struct registry_origin *origin, struct err *err)
{
	const struct registry_node_changes changes = {.sets_asset_id = true, .asset_id = asset_id};

	return registry_node_put(r, router, node, &changes, origin, err);
}

static inline int registry_node_set_endorsement_key(struct registry *r, const char *router,
						    const char *node, struct span key,
						    const struct registry_origin *origin,
						    struct err *err)
{
	const struct registry_node_changes changes = {.sets_endorsement_key = true,
						      .endorsement_key = key};

	return registry_node_put(r, router, node, &changes, origin, err);
}
