/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_holders.h"

#include <string.h>

#include "base/macros.h"

/* Keys that no conductor has written count as none. */
static void read_holder(struct query *q, void *row)
{
	struct registry_holder *holder = row;

	query_text(q, 0, holder->name, sizeof(holder->name));
	holder->has_keys =
		!query_is_null(q, 1) &&
		sealing_keys_parse(&holder->keys, query_bytes(q, 1), SEALING_PUBLIC, NULL) == 0;
}

int registry_holders_nodes(struct registry_session *session, const char *router,
			   struct registry_holder **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	void *rows = NULL;
	int rc = query_open(&q, session, err,
			    "SELECT nodes.name, node_keys.keys FROM nodes LEFT JOIN node_keys"
			    " ON node_keys.router = nodes.router AND node_keys.node = nodes.name"
			    " WHERE nodes.router = $1",
			    value_text(router));

	if (rc == 0)
		rc = query_collect(&q, sizeof(**ret), read_holder, &rows, ret_n, err);
	if (rc == 0)
		*ret = rows;
	return rc;
}

int registry_holders_conductors(struct registry_session *session, struct registry_holder **ret,
				size_t *ret_n, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	void *rows = NULL;
	int rc = query_open_values(&q, session, err, "SELECT conductor, keys FROM conductor_keys",
				   NULL, 0);

	if (rc == 0)
		rc = query_collect(&q, sizeof(**ret), read_holder, &rows, ret_n, err);
	if (rc == 0)
		*ret = rows;
	return rc;
}

/* Does the row have only keys that are among these, so that copies that are sealed to it are of
 * use?
 */
static int keeps_keys(struct registry_session *session, const struct sealing_keys *keys, bool *ret,
		      struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct sealing_keys old;
	int rc =
		query_open(&q, session, err, "SELECT keys FROM conductor_keys WHERE conductor = $1",
			   value_text(session->conductor));

	if (rc == 0)
		rc = query_next(&q, err);
	*ret = rc == 1 && sealing_keys_parse(&old, query_bytes(&q, 0), SEALING_PUBLIC, NULL) == 0 &&
	       sealing_keys_have(keys, &old);
	return MIN(rc, 0);
}

int registry_holders_put_conductor(struct registry_session *session,
				   const struct sealing_keys *keys, struct err *err)
{
	uint8_t bytes[SEALING_LIST_MAX];
	const struct span list = span_of(bytes, sealing_keys_print(keys, SEALING_PUBLIC, bytes));
	bool keeps = false;
	int rc = keeps_keys(session, keys, &keeps, err);

	/* With the row go the copies that were sealed to its keys. */
	if (rc == 0 && !keeps)
		rc = query_run(session, err, "DELETE FROM conductor_keys WHERE conductor = $1",
			       value_text(session->conductor));
	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO conductor_keys (conductor, keys) VALUES ($1, $2)"
			 " ON CONFLICT (conductor) DO UPDATE SET keys = excluded.keys",
			 value_text(session->conductor), value_bytes(list));
}

int registry_holders_put_node(struct registry_session *session, const char *router,
			      const char *node, const struct sealing_keys *keys, struct err *err)
{
	uint8_t bytes[SEALING_LIST_MAX];
	const struct span list = span_of(bytes, sealing_keys_print(keys, SEALING_PUBLIC, bytes));

	return query_run(session, err,
			 "INSERT INTO node_keys (router, node, keys) VALUES ($1, $2, $3)"
			 " ON CONFLICT (router, node) DO UPDATE SET keys = excluded.keys",
			 value_text(router), value_text(node), value_bytes(list));
}
