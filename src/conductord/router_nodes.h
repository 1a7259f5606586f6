/* SPDX-License-Identifier: GPL-3.0-or-later */
/* router_nodes.h - the nodes of a router, or one of them, and the JSON of each node's answer to a
 * question through its tunnel.
 */
#pragma once

#include <cjson/cJSON.h>

#include "conductord/router_call.h"
#include "http/http_server.h"
#include "onboarding/ssh_key.h"
#include "onboarding/token.h"

struct registry;

#define ROUTER_NODES_MAX TOKEN_ASSET_IDS_MAX /* a router has no more */

#define ROUTER_ANSWER_MAX ((size_t)256 << 10)

struct router_node {
	char name[TOKEN_NAME_SIZE];
	uint16_t listen_port; /* of its tunnel */
	bool enrolled;        /* if it is not, the node is not asked, although a device may still be
				 connected */
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE]; /* of the enrolled device */
};

struct router_nodes {
	char router[TOKEN_NAME_SIZE];
	char only[TOKEN_NAME_SIZE]; /* "" = all */
	struct router_node each[ROUTER_NODES_MAX];
	size_t n;
};

/* Fills the names in ret. only: NULL = all nodes. -EINVAL: one of them cannot be a name. */
int router_nodes_mean(struct router_nodes *ret, const char *router, const char *only,
		      struct err *err);
/* The same, from a request: {router} of its path, and ?node=. */
int router_nodes_meant(struct router_nodes *ret, const struct http_exchange *x, struct err *err);

/* Fills nodes->each from the registry. Blocks. -ENOENT: there is no such router or node; errors
 * of the registry. */
int router_nodes_list(struct registry *registry, struct router_nodes *nodes, struct err *err);
/* NULL = it is none of them. */
const struct router_node *router_nodes_find(const struct router_nodes *nodes, const char *name);
/* Is this node still the one that was listed in was? NULL = it is, or it has come only now. Else
 * a sentence that says why not: its port belongs to nobody, or to another node. */
const char *router_node_end(const struct router_node *was, const struct router_nodes *now);
/* The HTTP status for such an error. */
unsigned router_nodes_status(int rc);

/* {"node","connected","status","answer","error"}: answer is the JSON that the node sent, or null,
 * with an error. An answer longer than ROUTER_ANSWER_MAX bytes is an error: it would be parsed on
 * the loop. */
cJSON *router_node_told(const struct router_node *node, const struct router_answer *answer);
/* The same for a node that is not asked. status: 0, or an HTTP status: then it will not be asked
 * again. */
cJSON *router_node_not_asked(const struct router_node *node, unsigned status, const char *why);
