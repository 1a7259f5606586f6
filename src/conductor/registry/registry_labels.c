/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_labels.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

struct label_work {
	const struct registry_label *label;
	const struct registry_origin *origin;
};

static int note(struct registry_session *session, const struct label_work *w, const char *reason,
		struct err *err)
{
	struct registry_event event = {
		.outcome = REGISTRY_CONFIGURED, .router = w->label->router, .reason = reason};

	return registry_audit_add(session, w->origin, &event, err);
}

/* How many others it has. */
static int count_others(struct registry_session *session, const struct registry_label *label,
			int64_t *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err,
			    "SELECT COUNT(*) FROM labels WHERE router = $1 AND name <> $2",
			    value_text(label->router), value_text(label->name));

	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	*ret = query_integer(&q, 0);
	return 0;
}

/* Two conductors that give it a label at the same time wait for each other at the router's row, so
 * that neither counts without the other's. */
static int check_room(struct registry_session *session, const struct registry_label *label,
		      struct err *err)
{
	int64_t others = 0;
	int rc = query_run(session, err, "UPDATE routers SET name = name WHERE name = $1",
			   value_text(label->router));

	if (rc == 0)
		rc = count_others(session, label, &others, err);
	if (rc == 0 && others >= REGISTRY_LABELS_MAX)
		rc = err_set(err, -EDQUOT,
			     "router %s has %d labels, as many as it may: delete one before it "
			     "gets %s",
			     label->router, REGISTRY_LABELS_MAX, label->name);
	return rc;
}

static int set(struct registry_session *session, void *work, struct err *err)
{
	const struct label_work *w = work;
	const struct registry_label *label = w->label;
	char reason[2 * TOKEN_NAME_SIZE + 16];
	int rc = registry_router_ensure(session, label->router, err);

	if (rc == 0)
		rc = check_room(session, label, err);
	if (rc == 0)
		rc = query_run(session, err,
			       "INSERT INTO labels (router, name, value) VALUES ($1, $2, $3)"
			       " ON CONFLICT (router, name) DO UPDATE SET value = EXCLUDED.value",
			       value_text(label->router), value_text(label->name),
			       value_text(label->value));
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "label %s=%s", label->name, label->value);
	return note(session, w, reason, err);
}

int registry_label_set(struct registry *r, const struct registry_label *label,
		       const struct registry_origin *origin, struct err *err)
{
	struct label_work w = {.label = label, .origin = origin};
	int rc = registry_check_name("router", label->router, err);

	if (rc == 0)
		rc = registry_check_name("label", label->name, err);
	if (rc == 0)
		rc = registry_check_name("value of a label", label->value, err);
	return rc < 0 ? rc : registry_write(r, set, &w, err);
}

static int find(struct registry_session *session, const struct registry_label *label,
		struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc =
		query_open(&q, session, err, "SELECT 1 FROM labels WHERE router = $1 AND name = $2",
			   value_text(label->router), value_text(label->name));

	if (rc == 0)
		rc = query_next(&q, err);
	return rc == 0 ? err_set(err, -ENOENT, "router %s has no label %s", label->router,
				 label->name)
		       : MIN(rc, 0);
}

static int delete (struct registry_session *session, void *work, struct err *err)
{
	const struct label_work *w = work;
	const struct registry_label *label = w->label;
	char reason[TOKEN_NAME_SIZE + 32];
	enum onboarding_mode mode;
	int rc = registry_router_mode(session, label->router, &mode, err);

	if (rc == 0)
		rc = find(session, label, err);
	if (rc == 0)
		rc = query_run(session, err, "DELETE FROM labels WHERE router = $1 AND name = $2",
			       value_text(label->router), value_text(label->name));
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "label %s deleted", label->name);
	return note(session, w, reason, err);
}

int registry_label_delete(struct registry *r, const char *router, const char *name,
			  const struct registry_origin *origin, struct err *err)
{
	struct registry_label label = {.router = ""};
	struct label_work w = {.label = &label, .origin = origin};
	int rc = registry_check_name("router", router, err);

	if (rc == 0)
		rc = registry_check_name("label", name, err);
	if (rc < 0)
		return rc;
	(void)snprintf(label.router, sizeof(label.router), "%s", router);
	(void)snprintf(label.name, sizeof(label.name), "%s", name);
	return registry_write(r, delete, &w, err);
}

static void read_label(struct query *q, void *row)
{
	struct registry_label *label = row;

	query_text(q, 0, label->router, sizeof(label->router));
	query_text(q, 1, label->name, sizeof(label->name));
	query_text(q, 2, label->value, sizeof(label->value));
}

/* Sorts by bytes, whatever the database's collation is. */
static int by_name(const void *a, const void *b)
{
	const struct registry_label *left = a;
	const struct registry_label *right = b;
	int order = strcmp(left->router, right->router);

	return order ? order : strcmp(left->name, right->name);
}

#define LABELS            "SELECT router, name, value FROM labels"
#define BETWEEN(bytewise) LABELS " WHERE router" bytewise " >= $1 AND router" bytewise " <= $2"

int registry_labels_between(struct registry *r, const char *first, const char *last,
			    struct registry_label **ret, size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = BETWEEN(""),
		.sql_collated = BETWEEN(REGISTRY_BYTEWISE),
		.values = {value_text(first), value_text(last)},
		.n_values = 2,
		.row_size = sizeof(**ret),
		.read = read_label,
		.compare = by_name,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

static bool has(const struct registry_label *labels, size_t n, const struct registry_label *wanted)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, wanted->name) == 0)
			return strcmp(labels[i].value, wanted->value) == 0;
	return false;
}

bool registry_labels_hold(const struct registry_label *wanted, size_t n_wanted,
			  const struct registry_label *labels, size_t n)
{
	for (size_t i = 0; i < n_wanted; i++)
		if (!has(labels, n, &wanted[i]))
			return false;
	return true;
}
