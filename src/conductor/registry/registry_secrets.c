/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_secret_rows.h"
#include "conductor/registry/registry_transaction.h"

static void free_holders(struct registry_holder **holders)
{
	free(*holders);
}

/* The list, within its transaction. */

struct list_work {
	const char *router;
	const char *node;
	struct registry_secret_list list; /* out */
};

static bool is_asked_for(const struct list_work *w, const struct registry_holder *node)
{
	return !w->node || strcmp(w->node, node->name) == 0;
}

static int add(struct registry_session *session, struct list_work *w,
	       const struct registry_secret_row *row, const struct registry_holder *node,
	       struct err *err)
{
	struct registry_secret *added = &w->list.rows[w->list.n++];

	*added = (struct registry_secret){
		.path = strdup(row->path), .version = row->version, .knows_keys = node->has_keys};
	memcpy(added->node, node->name, sizeof(added->node));
	if (!added->path)
		return err_set(err, -ENOMEM, "out of memory");
	return registry_secret_state(session, w->router, row, node, &added->state, &added->sealed,
				     &added->sealed_size, err);
}

static int add_all(struct registry_session *session, struct list_work *w,
		   const struct registry_secret_rows *rows, const struct registry_holder *nodes,
		   size_t n_nodes, struct err *err)
{
	int rc = 0;

	w->list.rows = calloc(rows->n * n_nodes + 1, sizeof(*w->list.rows));
	if (!w->list.rows)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t n = 0; n < n_nodes; n++)
		w->list.lacks_keys |= is_asked_for(w, &nodes[n]) && !nodes[n].has_keys;
	for (size_t i = 0; i < rows->n; i++)
		for (size_t n = 0; rc == 0 && n < n_nodes; n++)
			if (is_asked_for(w, &nodes[n]))
				rc = add(session, w, &rows->list[i], &nodes[n], err);
	return rc;
}

static int by_node(const void *a, const void *b)
{
	return strcmp(((const struct registry_holder *)a)->name,
		      ((const struct registry_holder *)b)->name);
}

static int list_secrets(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(registry_secret_rows_release) struct registry_secret_rows rows = {0};
	_cleanup_(free_holders) struct registry_holder *nodes = NULL;
	struct list_work *w = work;
	size_t n_nodes = 0;
	int rc;

	registry_secret_list_release(&w->list);
	rc = registry_secret_rows_load(session, w->router, &rows, err);
	if (rc == 0)
		rc = registry_holders_nodes(session, w->router, &nodes, &n_nodes, err);
	if (rc < 0)
		return rc;
	if (n_nodes > 1)
		qsort(nodes, n_nodes, sizeof(*nodes), by_node);
	return add_all(session, w, &rows, nodes, n_nodes, err);
}

int registry_secrets_list(struct registry *r, const char *router, const char *node,
			  struct registry_secret_list *ret, struct err *err)
{
	struct list_work w = {.router = router, .node = node};
	int rc = registry_check_name("router", router, err);

	if (rc == 0)
		rc = registry_read(r, list_secrets, &w, err);
	if (rc < 0)
		registry_secret_list_release(&w.list);
	else
		*ret = w.list;
	return rc;
}

void registry_secret_list_release(struct registry_secret_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->rows[i].path);
		free(list->rows[i].sealed);
	}
	free(list->rows);
	*list = (struct registry_secret_list){0};
}
