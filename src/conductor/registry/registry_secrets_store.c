/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_secrets_store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_secret_rows.h"
#include "conductor/registry/registry_transaction.h"
#include "onboarding/sealed_value.h"

static void free_holders(struct registry_holder **holders)
{
	free(*holders);
}

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

static struct registry_value id_of(const struct registry_secret_row *row)
{
	return value_bytes(span_of(row->id, sizeof(row->id)));
}

static int seal(const char *router, const struct registry_secret_row *row,
		const struct registry_holder *holder, const char *value, uint8_t **ret,
		size_t *ret_size, struct err *err)
{
	const struct sealed_place place = {
		.router = router, .path = row->path, .version = (uint64_t)row->version};
	int rc =
		sealed_value_seal(&holder->keys, &place, span_of_string(value), ret, ret_size, err);

	return rc < 0 ? err_wrap(err, "%s: seal it to %s", row->path, holder->name) : 0;
}

static int seal_to_node(struct registry_session *session, const char *router,
			const struct registry_secret_row *row, const struct registry_holder *node,
			const char *value, struct err *err)
{
	_cleanup_(free_bytes) uint8_t *sealed = NULL;
	size_t size = 0;
	int rc = seal(router, row, node, value, &sealed, &size, err);

	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO sealed_to_nodes (router, id, node, sealed)"
			 " VALUES ($1, $2, $3, $4) ON CONFLICT (router, id, node)"
			 " DO UPDATE SET sealed = excluded.sealed",
			 value_text(router), id_of(row), value_text(node->name),
			 value_bytes(span_of(sealed, size)));
}

static int seal_to_conductor(struct registry_session *session, const char *router,
			     const struct registry_secret_row *row,
			     const struct registry_holder *conductor, const char *value,
			     struct err *err)
{
	_cleanup_(free_bytes) uint8_t *sealed = NULL;
	size_t size = 0;
	int rc = seal(router, row, conductor, value, &sealed, &size, err);

	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO sealed_to_conductors (router, id, conductor, sealed)"
			 " VALUES ($1, $2, $3, $4)",
			 value_text(router), id_of(row), value_text(conductor->name),
			 value_bytes(span_of(sealed, size)));
}

static int drop_copies(struct registry_session *session, const char *router,
		       const struct registry_secret_row *row, const struct registry_holder *nodes,
		       size_t n_nodes, struct err *err)
{
	enum secret_state *states = calloc(n_nodes + 1, sizeof(*states));
	bool needed = true;
	int rc = states ? 0 : err_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; rc == 0 && i < n_nodes; i++)
		rc = registry_secret_state(session, router, row, &nodes[i], &states[i], NULL, NULL,
					   err);
	if (rc == 0)
		needed = secret_copies_are_needed(states, n_nodes);
	free(states);
	if (rc < 0 || needed)
		return rc;
	return query_run(session, err,
			 "DELETE FROM sealed_to_conductors WHERE router = $1 AND id = $2",
			 value_text(router), id_of(row));
}

/* A configuration is written. */

struct storing {
	struct registry_session *session;
	const char *router;
	struct registry_holder *nodes;
	size_t n_nodes;
	struct registry_holder *conductors;
	size_t n_conductors;
};

static void release_storing(struct storing *s)
{
	free(s->nodes);
	free(s->conductors);
}

static bool all_have_keys(const struct storing *s)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (!s->nodes[i].has_keys)
			return false;
	return s->n_nodes > 0;
}

/* In place of an older one, which goes with all that was sealed of it. */
static int store_value(const struct storing *s, const struct registry_secret_row *row,
		       const char *value, struct err *err)
{
	int rc = query_run(s->session, err, "DELETE FROM secrets WHERE router = $1 AND id = $2",
			   value_text(s->router), id_of(row));

	if (rc == 0)
		rc = query_run(s->session, err,
			       "INSERT INTO secrets (router, id, path, version)"
			       " VALUES ($1, $2, $3, $4)",
			       value_text(s->router), id_of(row), value_text(row->path),
			       value_integer(row->version));
	for (size_t i = 0; rc == 0 && i < s->n_nodes; i++)
		if (s->nodes[i].has_keys)
			rc = seal_to_node(s->session, s->router, row, &s->nodes[i], value, err);
	for (size_t i = 0; rc == 0 && i < s->n_conductors && !all_have_keys(s); i++)
		rc = seal_to_conductor(s->session, s->router, row, &s->conductors[i], value, err);
	return rc;
}

static const struct registry_secret_row *find_row(const struct registry_secret_rows *rows,
						  const char *path)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->list[i].path, path) == 0)
			return &rows->list[i];
	return NULL;
}

static bool is_in(const struct registry_secret_values *values, const char *path)
{
	for (size_t i = 0; i < values->n; i++)
		if (strcmp(values->list[i].path, path) == 0)
			return true;
	return false;
}

static int remove_others(const struct storing *s, const struct registry_secret_rows *rows,
			 const struct registry_secret_values *values, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < rows->n; i++)
		if (!is_in(values, rows->list[i].path))
			rc = query_run(s->session, err,
				       "DELETE FROM secrets WHERE router = $1 AND id = $2",
				       value_text(s->router), id_of(&rows->list[i]));
	return rc;
}

static int store_all(const struct storing *s, const struct registry_secret_rows *rows,
		     const struct registry_secret_values *values, int64_t version, struct err *err)
{
	int rc = remove_others(s, rows, values, err);

	for (size_t i = 0; rc == 0 && i < values->n; i++) {
		const struct registry_secret_value *value = &values->list[i];
		union {
			const char *borrowed;
			char *path;
		} path = {.borrowed = value->path};
		struct registry_secret_row row = {.path = path.path, .version = version};

		registry_digest(span_of_string(value->path), row.id);
		if (value->value)
			rc = store_value(s, &row, value->value, err);
		else if (!find_row(rows, value->path))
			rc = err_set(err, -EINVAL,
				     "%s: what stands there is only shown, and no value is known "
				     "for it: give the value, or of a query give the whole URL",
				     value->path);
	}
	return rc;
}

int registry_secrets_store(struct registry_session *session, const char *router,
			   const struct registry_secret_values *values, int64_t version,
			   struct err *err)
{
	_cleanup_(registry_secret_rows_release) struct registry_secret_rows rows = {0};
	_cleanup_(release_storing) struct storing s = {.session = session, .router = router};
	int rc = registry_secret_rows_load(session, router, &rows, err);

	if (rc == 0 && values->keys)
		rc = registry_holders_put_conductor(session, values->keys, err);
	if (rc == 0)
		rc = registry_holders_nodes(session, router, &s.nodes, &s.n_nodes, err);
	if (rc == 0)
		rc = registry_holders_conductors(session, &s.conductors, &s.n_conductors, err);
	return rc == 0 ? store_all(&s, &rows, values, version, err) : rc;
}

/* Keys come. */

static int put_conductor(struct registry_session *session, void *work, struct err *err)
{
	return registry_holders_put_conductor(session, work, err);
}

int registry_secrets_put_conductor(struct registry *r, const struct sealing_keys *keys,
				   struct err *err)
{
	struct sealing_keys copy = *keys;
	int rc = registry_write(r, put_conductor, &copy, err);

	sealing_keys_release(&copy);
	return rc;
}

struct node_work {
	const struct registry_enrolment *who;
	const struct sealing_keys *keys;
	const struct sealing_keys *own;
	const struct registry_origin *origin;
};

/* The sealing keys came through a tunnel of this SSH key: it must be the node's still. */
static int must_hold_its_key(struct registry_session *session, const struct node_work *w,
			     struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err,
			    "SELECT 1 FROM enrolments WHERE router = $1 AND node = $2"
			    " AND ssh_key = $3",
			    value_text(w->who->router), value_text(w->who->node),
			    value_bytes(span_of(w->who->ssh_key, sizeof(w->who->ssh_key))));

	if (rc == 0)
		rc = query_next(&q, err);
	if (rc != 0)
		return MIN(rc, 0);
	return err_set(err, -ENOENT, "node %s of router %s is not enrolled so (any more)",
		       w->who->node, w->who->router);
}

/* Of no use to anybody: the operator is told by "to be set again". */
static int drop_copy(struct registry_session *session, const struct node_work *w,
		     const struct registry_secret_row *row, const struct err *why, struct err *err)
{
	struct registry_event event = {.outcome = REGISTRY_CONFIGURED, .router = w->who->router};
	char reason[REGISTRY_REASON_SIZE];
	int rc = query_run(session, err,
			   "DELETE FROM sealed_to_conductors WHERE router = $1 AND id = $2"
			   " AND conductor = $3",
			   value_text(w->who->router), id_of(row), value_text(session->conductor));

	(void)snprintf(reason, sizeof(reason), "%.160s: the copy that waited does not open: %.80s",
		       row->path, why->text);
	event.reason = reason;
	return rc < 0 ? rc : registry_audit_add(session, w->origin, &event, err);
}

/* This conductor's copy; *ret NULL = it has none, or none that opens. */
static int open_copy(struct registry_session *session, const struct node_work *w,
		     const struct registry_secret_row *row, char **ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct sealed_place place = {
		.router = w->who->router, .path = row->path, .version = (uint64_t)row->version};
	struct err why;
	size_t size;
	int rc = query_open(&q, session, err,
			    "SELECT sealed FROM sealed_to_conductors WHERE router = $1 AND id = $2"
			    " AND conductor = $3",
			    value_text(w->who->router), id_of(row), value_text(session->conductor));

	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	if (sealed_value_open(w->own, &place, query_bytes(&q, 0), ret, &size, &why) == 0)
		return 0;
	query_close(&q);
	return drop_copy(session, w, row, &why, err);
}

static int give(struct registry_session *session, const struct node_work *w,
		const struct registry_secret_row *row, const struct registry_holder *node,
		struct err *err)
{
	enum secret_state state;
	char *value = NULL;
	int rc = registry_secret_state(session, w->who->router, row, node, &state, NULL, NULL, err);

	if (rc == 0 && state == SECRET_WAITING)
		rc = open_copy(session, w, row, &value, err);
	if (rc == 0 && value)
		rc = seal_to_node(session, w->who->router, row, node, value, err);
	if (value)
		explicit_bzero(value, strlen(value));
	free(value);
	return rc;
}

static int give_all(struct registry_session *session, const struct node_work *w, struct err *err)
{
	_cleanup_(registry_secret_rows_release) struct registry_secret_rows rows = {0};
	_cleanup_(free_holders) struct registry_holder *nodes = NULL;
	const char *router = w->who->router;
	size_t n_nodes = 0;
	int rc = registry_secret_rows_load(session, router, &rows, err);

	assert(w->who->node); /* must_hold_its_key() has found it */
	if (rc == 0)
		rc = registry_holders_nodes(session, router, &nodes, &n_nodes, err);
	for (size_t i = 0; rc == 0 && i < rows.n; i++) {
		for (size_t n = 0; rc == 0 && n < n_nodes; n++)
			if (strcmp(nodes[n].name, w->who->node) == 0)
				rc = give(session, w, &rows.list[i], &nodes[n], err);
		if (rc == 0)
			rc = drop_copies(session, router, &rows.list[i], nodes, n_nodes, err);
	}
	return rc;
}

static int put_node(struct registry_session *session, void *work, struct err *err)
{
	const struct node_work *w = work;
	int rc = must_hold_its_key(session, w, err);

	if (rc == 0)
		rc = registry_holders_put_node(session, w->who->router, w->who->node, w->keys, err);
	return rc == 0 ? give_all(session, w, err) : rc;
}

int registry_secrets_put_node(struct registry *r, const struct registry_enrolment *who,
			      const struct sealing_keys *keys, const struct sealing_keys *own,
			      const struct registry_origin *origin, struct err *err)
{
	struct node_work w = {.who = who, .keys = keys, .own = own, .origin = origin};

	return registry_write(r, put_node, &w, err);
}
