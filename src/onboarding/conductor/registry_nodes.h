/* registry_nodes.h - a router's nodes: asset-id, endorsement key, and the port of its tunnel.
 *
 * asset-ids and endorsement keys are unique over all routers. What configures a node makes it and
 * its router, if they are not there yet; a node gets the lowest free port from
 * REGISTRY_PORT_FIRST on, and keeps it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"
#include "onboarding/conductor/registry.h"
#include "onboarding/token.h"

#define REGISTRY_PORT_FIRST 10000 /* beyond what is forwarded back: 8930 */
#define REGISTRY_PORT_LAST  65535
#define REGISTRY_KEY_MAX    2048u /* bytes of DER SubjectPublicKeyInfo */

struct registry_node {
	char router[TOKEN_NAME_SIZE];
	char name[TOKEN_NAME_SIZE];
	char asset_id[TOKEN_NAME_SIZE]; /* "" = none yet */
	uint8_t endorsement_key[REGISTRY_KEY_MAX];
	size_t endorsement_key_size; /* 0 = none */
	uint16_t listen_port;
	bool enrolled;
};

/* What a node is to have from now on; what is not set stays as it is. */
struct registry_node_changes {
	bool sets_asset_id;
	const char *asset_id; /* NULL takes it away */
	bool sets_endorsement_key;
	struct span endorsement_key; /* DER SubjectPublicKeyInfo; size 0 takes it away */
};

/* All of it, or nothing. asset_id: -EEXIST: another node's; -E2BIG: a token holds no more than
 * TOKEN_ASSET_IDS_MAX of a router. The router's tokens are revoked when the
 * node loses one.
 * endorsement_key: of an RSA key of at least 2048 bits; -EEXIST: another node's. */
int registry_node_put(struct registry *r, const char *router, const char *node,
		      const struct registry_node_changes *changes,
		      const struct registry_origin *origin, struct err *err);

/* With its enrolment, and with the router's tokens: each of them names it. -ENOENT. The last node
 * leaves its router there. */
int registry_node_delete(struct registry *r, const char *router, const char *node,
			 const struct registry_origin *origin, struct err *err);

/* Another device may come under this asset-id: the enrolment goes, pin and all, and the router's
 * tokens are revoked. -ENOENT: no such node. */
int registry_node_reset(struct registry *r, const char *router, const char *node,
			const struct registry_origin *origin, struct err *err);

/* By router and name; router: NULL = of all. Freed with free(). */
int registry_nodes_list(struct registry *r, const char *router, struct registry_node **ret,
			size_t *ret_n, struct err *err);
