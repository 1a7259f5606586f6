/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_secret_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/sealed_value.h"

static void read_row(struct query *q, void *row)
{
	struct registry_secret_row *secret = row;
	struct span id = query_bytes(q, 0);

	memcpy(secret->id, id.bytes, MIN(id.size, sizeof(secret->id)));
	secret->path = query_copy(q, 1);
	secret->version = query_integer(q, 2);
}

/* By bytes, whatever the database's collation is. */
static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct registry_secret_row *)a)->path,
		      ((const struct registry_secret_row *)b)->path);
}

void registry_secret_rows_release(struct registry_secret_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->list[i].path);
	free(rows->list);
	*rows = (struct registry_secret_rows){0};
}

int registry_secret_rows_load(struct registry_session *session, const char *router,
			      struct registry_secret_rows *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct registry_secret_rows rows = {0};
	void *list = NULL;
	int rc = query_open(&q, session, err,
			    "SELECT id, path, version FROM secrets WHERE router = $1",
			    value_text(router));

	if (rc == 0)
		rc = query_collect(&q, sizeof(*rows.list), read_row, &list, &rows.n, err);
	rows.list = list;
	for (size_t i = 0; rc == 0 && i < rows.n; i++)
		if (!rows.list[i].path)
			rc = err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		registry_secret_rows_release(&rows);
		return rc;
	}
	if (rows.n > 1)
		qsort(rows.list, rows.n, sizeof(*rows.list), by_path);
	*ret = rows;
	return 0;
}

static int copy_sealed(struct span sealed, uint8_t **ret, size_t *ret_size, struct err *err)
{
	*ret = malloc(sealed.size);
	if (!*ret)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(*ret, sealed.bytes, sealed.size);
	*ret_size = sealed.size;
	return 0;
}

static int find_copies(struct registry_session *session, const char *router,
		       const struct registry_secret_row *row, struct secret_facts *facts,
		       struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err,
			    "SELECT 1 FROM sealed_to_conductors WHERE router = $1 AND id = $2",
			    value_text(router), value_bytes(span_of(row->id, sizeof(row->id))));

	if (rc == 0)
		rc = query_next(&q, err);
	facts->is_at_conductor = rc == 1;
	return MIN(rc, 0);
}

int registry_secret_state(struct registry_session *session, const char *router,
			  const struct registry_secret_row *row, const struct registry_holder *node,
			  enum secret_state *ret, uint8_t **ret_sealed, size_t *ret_sealed_size,
			  struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct secret_facts facts = {.knows_keys = node->has_keys};
	int rc = find_copies(session, router, row, &facts, err);

	if (rc == 0)
		rc = query_open(&q, session, err,
				"SELECT sealed FROM sealed_to_nodes"
				" WHERE router = $1 AND id = $2 AND node = $3",
				value_text(router), value_bytes(span_of(row->id, sizeof(row->id))),
				value_text(node->name));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	facts.is_sealed = rc == 1;
	facts.fits_keys = rc == 1 && sealed_value_is_for(query_bytes(&q, 0), &node->keys);
	*ret = secret_state_of(&facts);
	if (!ret_sealed || *ret != SECRET_SET)
		return 0;
	return copy_sealed(query_bytes(&q, 0), ret_sealed, ret_sealed_size, err);
}
