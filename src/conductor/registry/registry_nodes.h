/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_nodes.h - a router's nodes: asset-id, endorsement key, and the port of the node's
 * tunnel.
 *
 * asset-ids and endorsement keys are unique over all routers. Configuring a node makes the node
 * and its router, if they are not there yet. A node gets the lowest free port from
 * REGISTRY_PORT_FIRST on, and keeps it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry.h"
#include "onboarding/ssh_key.h"
#include "onboarding/token.h"

#define REGISTRY_PORT_FIRST 10000 /* not 8930, which is forwarded to the repository */
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
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE]; /* of the present enrolment */
};

/* What a node is to have from now on; what is not set stays as it is. */
struct registry_node_changes {
	bool sets_asset_id;
	const char *asset_id; /* NULL takes it away */
	bool sets_endorsement_key;
	struct span endorsement_key; /* DER SubjectPublicKeyInfo; size 0 takes it away */
};

/* Makes all of these changes, or none. asset_id: -EEXIST: another node has it; -E2BIG: the router
 * would have more asset-ids than TOKEN_ASSET_IDS_MAX. If the node loses an asset-id, its enrolment
 * is deleted and the router's tokens are revoked. endorsement_key: RSA of at least 2048
 * bits, or a point of P-256, P-384 or P-521, written out; -EEXIST: another node has it. If the node
 * is enrolled by another one, that enrolment is deleted. */
int registry_node_put(struct registry *r, const char *router, const char *node,
		      const struct registry_node_changes *changes,
		      const struct registry_origin *origin, struct err *err);

/* Deletes the node and its enrolment, and revokes the router's tokens, since each of them names
 * the node. -ENOENT. After its last node the router stays. */
int registry_node_delete(struct registry *r, const char *router, const char *node,
			 const struct registry_origin *origin, struct err *err);

/* Lets another device come under this asset-id: the enrolment with its pin is deleted, and the
 * router's tokens are revoked. -ENOENT: no such node. */
int registry_node_reset(struct registry *r, const char *router, const char *node,
			const struct registry_origin *origin, struct err *err);

/* Those of the routers from first to last, in the order of registry_routers_page(), ordered by
 * router and name. Freed with free(). */
int registry_nodes_between(struct registry *r, const char *first, const char *last,
			   struct registry_node **ret, size_t *ret_n, struct err *err);

/* Lists nodes, ordered by router and name. router: NULL = of all routers. Freed with free(). */
int registry_nodes_list(struct registry *r, const char *router, struct registry_node **ret,
			size_t *ret_n, struct err *err);
