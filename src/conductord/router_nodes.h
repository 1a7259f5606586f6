/* router_nodes.h - the nodes of a router, or the one of them that is meant, and what is told of
 * each when it was asked something through its tunnel.
 */
#pragma once

#include <cjson/cJSON.h>

#include "conductord/router_call.h"
#include "core/http_server.h"
#include "onboarding/token.h"

#define ROUTER_NODES_MAX TOKEN_ASSET_IDS_MAX /* a router has no more */

struct router_node {
	char name[TOKEN_NAME_SIZE];
	uint16_t listen_port; /* of its tunnel */
};

struct router_nodes {
	char router[TOKEN_NAME_SIZE];
	char only[TOKEN_NAME_SIZE]; /* "" = all */
	struct router_node each[ROUTER_NODES_MAX];
	size_t n;
};

/* By the exchange: {router} of its path, and ?node=. */
void router_nodes_meant(struct router_nodes *ret, const struct http_exchange *x);

/* Blocks. -ENOENT: there is none such; those of the registry. */
int router_nodes_list(struct registry *registry, struct router_nodes *nodes, struct err *err);
/* The status of HTTP for such an error. */
unsigned router_nodes_status(int rc);

/* {"node","connected","status","answer","error"}: answer is what it says, or null with an error. */
cJSON *router_node_told(const struct router_node *node, const struct router_answer *answer);
