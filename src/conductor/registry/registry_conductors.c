/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_conductors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

static int store(struct registry_session *session, void *work, struct err *err)
{
	const struct registry_conductor *conductor = work;

	return query_run(session, err,
			 "INSERT INTO conductors (name, address, port, ssh_host_keys, seen)"
			 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET"
			 " address = excluded.address, port = excluded.port,"
			 " ssh_host_keys = excluded.ssh_host_keys, seen = excluded.seen",
			 value_text(conductor->name), value_text(conductor->host),
			 value_integer(conductor->port), value_text(conductor->ssh_host_keys),
			 value_integer(conductor->seen_s));
}

int registry_conductor_register(struct registry *r, const struct registry_conductor *conductor,
				struct err *err)
{
	struct registry_conductor copy = *conductor;
	int rc = registry_check_name("conductor", conductor->name, err);

	if (rc < 0)
		return rc;
	if (!conductor->host[0] || !conductor->port || !conductor->ssh_host_keys[0])
		return err_set(err, -EINVAL,
			       "conductor %s: host, port and SSH host keys are needed",
			       conductor->name);
	return registry_write(r, store, &copy, err);
}

struct remove_work {
	const char *name;
	const struct registry_origin *origin;
};

static int remove_row(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct remove_work *w = work;
	struct registry_event event = {.outcome = REGISTRY_DELETED};
	char reason[TOKEN_NAME_SIZE + 16];
	int rc;

	rc = query_open(&q, session, err, "DELETE FROM conductors WHERE name = $1 RETURNING name",
			value_text(w->name));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, -ENOENT, "there is no conductor %s", w->name);
	query_close(&q);
	rc = query_run(session, err, "DELETE FROM conductor_keys WHERE conductor = $1",
		       value_text(w->name));
	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason), "conductor %s", w->name);
	event.reason = reason;
	return registry_audit_add(session, w->origin, &event, err);
}

int registry_conductor_remove(struct registry *r, const char *name,
			      const struct registry_origin *origin, struct err *err)
{
	struct remove_work w = {.name = name, .origin = origin};
	int rc = registry_check_name("conductor", name, err);

	return rc < 0 ? rc : registry_write(r, remove_row, &w, err);
}

static void read_conductor(struct query *q, void *row)
{
	struct registry_conductor *conductor = row;

	query_text(q, 0, conductor->name, sizeof(conductor->name));
	query_text(q, 1, conductor->host, sizeof(conductor->host));
	conductor->port = (uint16_t)query_integer(q, 2);
	query_text(q, 3, conductor->ssh_host_keys, sizeof(conductor->ssh_host_keys));
	conductor->seen_s = query_integer(q, 4);
}

/* Sorts by bytes, whatever the database's collation is. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct registry_conductor *)a)->name,
		      ((const struct registry_conductor *)b)->name);
}

int registry_conductors_list(struct registry *r, struct registry_conductor **ret, size_t *ret_n,
			     struct err *err)
{
	struct registry_listing list = {
		.sql = "SELECT name, address, port, ssh_host_keys, seen FROM conductors",
		.row_size = sizeof(**ret),
		.read = read_conductor,
		.compare = by_name,
	};

	return registry_list(r, &list, ret, ret_n, err);
}
