/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_transaction.h"

static void read_node(struct query *q, void *row)
{
	struct registry_node *node = row;
	struct span key = query_bytes(q, 3);
	struct span ssh_key = query_bytes(q, 5);

	query_text(q, 0, node->router, sizeof(node->router));
	query_text(q, 1, node->name, sizeof(node->name));
	query_text(q, 2, node->asset_id, sizeof(node->asset_id));
	node->endorsement_key_size = MIN(key.size, sizeof(node->endorsement_key));
	memcpy(node->endorsement_key, key.bytes, node->endorsement_key_size);
	node->listen_port = (uint16_t)query_integer(q, 4);
	node->enrolled = ssh_key.size == sizeof(node->ssh_key);
	if (node->enrolled)
		memcpy(node->ssh_key, ssh_key.bytes, ssh_key.size);
}

/* Sorts by bytes, whatever the database's collation is. */
static int by_name(const void *a, const void *b)
{
	const struct registry_node *left = a;
	const struct registry_node *right = b;
	int order = strcmp(left->router, right->router);

	return order ? order : strcmp(left->name, right->name);
}

#define NODES                                                                                      \
	"SELECT n.router, n.name, n.asset_id, n.endorsement_key, n.listen_port, e.ssh_key"         \
	" FROM nodes n LEFT JOIN enrolments e ON e.router = n.router AND e.node = n.name"
#define BETWEEN(bytewise) NODES " WHERE n.router" bytewise " >= $1 AND n.router" bytewise " <= $2"

static int list_nodes(struct registry *r, struct registry_listing *list, struct registry_node **ret,
		      size_t *ret_n, struct err *err)
{
	list->row_size = sizeof(**ret);
	list->read = read_node;
	list->compare = by_name;
	return registry_list(r, list, ret, ret_n, err);
}

int registry_nodes_list(struct registry *r, const char *router, struct registry_node **ret,
			size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = router ? NODES " WHERE n.router = $1" : NODES,
		.values = {value_text(router)},
		.n_values = router ? 1 : 0,
	};

	return list_nodes(r, &list, ret, ret_n, err);
}

int registry_nodes_between(struct registry *r, const char *first, const char *last,
			   struct registry_node **ret, size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = BETWEEN(""),
		.sql_collated = BETWEEN(REGISTRY_BYTEWISE),
		.values = {value_text(first), value_text(last)},
		.n_values = 2,
	};

	return list_nodes(r, &list, ret, ret_n, err);
}
