/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_conductors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

/* What was registered of this name; ret->name is "" if nothing was. */
static int find_row(struct registry_session *session, const char *name,
		    struct registry_conductor *ret, struct registry_own_row *ret_own,
		    int64_t *ret_contested_s, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open(&q, session, err,
			"SELECT address, port, ssh_host_keys, moved, contested, contested_by"
			" FROM conductors WHERE name = $1",
			value_text(name));
	if (rc == 0)
		rc = query_next(&q, err);
	*ret = (struct registry_conductor){.name = ""};
	if (rc <= 0)
		return rc;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	query_text(&q, 0, ret->host, sizeof(ret->host));
	ret->port = (uint16_t)query_integer(&q, 1);
	query_text(&q, 2, ret->ssh_host_keys, sizeof(ret->ssh_host_keys));
	ret_own->moved_s = query_integer(&q, 3);
	*ret_contested_s = query_integer(&q, 4);
	query_text(&q, 5, ret_own->other, sizeof(ret_own->other));
	return 0;
}

static bool is_same_place(const struct registry_conductor *a, const struct registry_conductor *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static bool is_same(const struct registry_conductor *a, const struct registry_conductor *b)
{
	return is_same_place(a, b) && strcmp(a->ssh_host_keys, b->ssh_host_keys) == 0;
}

/* Does one of the lines of these keys stand in those? */
static bool shares_key(const char *these, const char *those)
{
	char line[REGISTRY_HOST_KEYS_SIZE];

	while (*these) {
		const size_t length = strcspn(these, "\n");
		const char *found;

		(void)snprintf(line, sizeof(line), "%.*s", (int)length, these);
		found = length > 0 ? strstr(those, line) : NULL;
		if (found && (found == those || found[-1] == '\n') &&
		    (found[length] == '\n' || found[length] == '\0'))
			return true;
		these += length + (these[length] == '\n');
	}
	return false;
}

static int raise_version(struct registry_session *session, int64_t now_s, struct err *err)
{
	return query_run(session, err,
			 "INSERT INTO conductor_list (id, version) VALUES (1, $1)"
			 " ON CONFLICT (id) DO UPDATE SET version ="
			 " CASE WHEN conductor_list.version >= excluded.version"
			 " THEN conductor_list.version + 1 ELSE excluded.version END",
			 value_integer(now_s));
}

/* A registry of before has conductors, and no version yet. */
static int touch(struct registry_session *session, const struct registry_conductor *conductor,
		 struct err *err)
{
	int rc = query_run(session, err, "UPDATE conductors SET seen = $2 WHERE name = $1",
			   value_text(conductor->name), value_integer(conductor->seen_s));

	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO conductor_list (id, version) VALUES (1, $1)"
			 " ON CONFLICT (id) DO NOTHING",
			 value_integer(conductor->seen_s));
}

static int store(struct registry_session *session, void *work, struct err *err)
{
	const struct registry_conductor *conductor = work;
	struct registry_conductor before;
	struct registry_own_row own = {0};
	int64_t contested_s = 0;
	bool is_where_it_was;
	int rc = find_row(session, conductor->name, &before, &own, &contested_s, err);

	if (rc < 0)
		return rc;
	if (is_same(&before, conductor))
		return touch(session, conductor, err);
	is_where_it_was =
		!before.name[0] || (is_same_place(&before, conductor) &&
				    shares_key(before.ssh_host_keys, conductor->ssh_host_keys));
	rc = query_run(session, err,
		       "DELETE FROM conductors WHERE address = $1 AND port = $2 AND name <> $3",
		       value_text(conductor->host), value_integer(conductor->port),
		       value_text(conductor->name));
	if (rc == 0)
		rc = query_run(session, err,
			       "INSERT INTO conductors"
			       " (name, address, port, ssh_host_keys, seen, moved)"
			       " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET"
			       " address = excluded.address, port = excluded.port,"
			       " ssh_host_keys = excluded.ssh_host_keys, seen = excluded.seen,"
			       " moved = excluded.moved, contested = 0, contested_by = ''",
			       value_text(conductor->name), value_text(conductor->host),
			       value_integer(conductor->port), value_text(conductor->ssh_host_keys),
			       value_integer(conductor->seen_s),
			       value_integer(is_where_it_was ? own.moved_s : conductor->seen_s));
	return rc < 0 ? rc : raise_version(session, conductor->seen_s, err);
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

/* Returns 1 if something was removed. */
static int delete_one(struct registry_session *session, const char *sql, const char *name,
		      struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err, sql, value_text(name));

	return rc < 0 ? rc : query_next(&q, err);
}

/* One that has another name now has left its keys behind. */
static int remove_row(struct registry_session *session, void *work, struct err *err)
{
	const struct remove_work *w = work;
	struct registry_event event = {.outcome = REGISTRY_DELETED};
	char reason[TOKEN_NAME_SIZE + 16];
	int keys = 0;
	int row;
	int rc = 0;

	row = delete_one(session, "DELETE FROM conductors WHERE name = $1 RETURNING name", w->name,
			 err);
	if (row >= 0)
		keys = delete_one(session,
				  "DELETE FROM conductor_keys WHERE conductor = $1"
				  " RETURNING conductor",
				  w->name, err);
	if (row < 0 || keys < 0)
		return MIN(row, keys);
	if (row == 0 && keys == 0)
		return err_set(err, -ENOENT, "there is no conductor %s", w->name);
	if (row > 0)
		rc = raise_version(session, w->origin->time_s, err);
	(void)snprintf(reason, sizeof(reason), "conductor %s", w->name);
	event.reason = reason;
	return rc < 0 ? rc : registry_audit_add(session, w->origin, &event, err);
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
	conductor->list_version = (uint64_t)query_integer(q, 5);
}

/* Sorts by bytes, whatever the database's collation is. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct registry_conductor *)a)->name,
		      ((const struct registry_conductor *)b)->name);
}

#define ROWS                                                                                       \
	"SELECT name, address, port, ssh_host_keys, seen,"                                         \
	" (SELECT version FROM conductor_list) FROM conductors"

int registry_conductors_list(struct registry *r, struct registry_conductor **ret, size_t *ret_n,
			     struct err *err)
{
	struct registry_listing list = {
		.sql = ROWS,
		.row_size = sizeof(**ret),
		.read = read_conductor,
		.compare = by_name,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_conductors_read(struct registry_session *session, struct registry_conductor **ret,
			     size_t *ret_n, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	void *rows = NULL;
	int rc = query_open_values(&q, session, err, ROWS, NULL, 0);

	free(*ret);
	*ret = NULL;
	*ret_n = 0;
	if (rc == 0)
		rc = query_collect(&q, sizeof(**ret), read_conductor, &rows, ret_n, err);
	*ret = rows;
	if (rc == 0 && *ret_n > 1)
		qsort(*ret, *ret_n, sizeof(**ret), by_name);
	return rc;
}

/* Blobs in base64, a line each. */
static void read_host_keys(const char *lines, struct message_conductor *ret)
{
	while (*lines && ret->n_ssh_host_keys < MESSAGE_HOST_KEYS_MAX) {
		size_t length = strcspn(lines, "\n");
		struct message_host_key *key = &ret->ssh_host_keys[ret->n_ssh_host_keys];
		uint8_t *blob = NULL;
		size_t size = 0;

		if (base64_decode(span_of(lines, length), &blob, &size) == 0 &&
		    size <= sizeof(key->bytes)) {
			memcpy(key->bytes, blob, size);
			key->size = size;
			ret->n_ssh_host_keys++;
		}
		free(blob);
		lines += length + (lines[length] == '\n');
	}
}

void registry_conductors_tell(const struct registry_conductor *rows, size_t n, uint16_t listen_port,
			      uint16_t repository_port, struct conductor_list *ret)
{
	*ret = (struct conductor_list){.version = n > 0 ? rows[0].list_version : 0};
	for (size_t i = 0; i < n && ret->n < MESSAGE_CONDUCTORS_MAX; i++) {
		struct known_conductor *known = &ret->each[ret->n++];

		(void)snprintf(known->name, sizeof(known->name), "%s", rows[i].name);
		(void)snprintf(known->at.host, sizeof(known->at.host), "%s", rows[i].host);
		known->at.port = rows[i].port;
		known->at.listen_port = listen_port;
		known->at.repository_port = repository_port;
		read_host_keys(rows[i].ssh_host_keys, &known->at);
	}
}

static int read_version(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	uint64_t *version = work;
	int rc = query_open(&q, session, err, "SELECT MAX(version) FROM conductor_list");

	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	*version = (uint64_t)query_integer(&q, 0);
	return 0;
}

int registry_conductors_version(struct registry *r, uint64_t *ret, struct err *err)
{
	uint64_t version = 0;
	int rc = registry_read(r, read_version, &version, err);

	if (rc == 0)
		*ret = version;
	return rc;
}

struct check_work {
	const struct registry_conductor *self;
	int64_t now_s;
	struct registry_own_row own; /* out */
};

static int contest(struct registry_session *session, const struct check_work *w, struct err *err)
{
	char us[REGISTRY_HOST_SIZE + 32];

	(void)snprintf(us, sizeof(us), "%s port %u", w->self->host, w->self->port);
	return query_run(session, err,
			 "UPDATE conductors SET contested = $2, contested_by = $3 WHERE name = $1",
			 value_text(w->self->name), value_integer(w->now_s), value_text(us));
}

static int check_row(struct registry_session *session, void *work, struct err *err)
{
	struct check_work *w = work;
	struct registry_conductor row;
	int64_t contested_s = 0;
	int rc;

	w->own = (struct registry_own_row){.standing = REGISTRY_STANDS};
	rc = find_row(session, w->self->name, &row, &w->own, &contested_s, err);
	if (rc < 0)
		return rc;
	if (!row.name[0]) {
		w->own.standing = REGISTRY_IS_REMOVED;
	} else if (!is_same(&row, w->self)) {
		w->own.standing = REGISTRY_IS_OTHERS;
		(void)snprintf(w->own.other, sizeof(w->own.other), "%s port %u", row.host,
			       row.port);
		return contest(session, w, err);
	} else if (contested_s && w->now_s - contested_s <= REGISTRY_CONTESTED_S) {
		w->own.standing = REGISTRY_IS_CONTESTED;
	}
	return 0;
}

int registry_conductor_check(struct registry *r, const struct registry_conductor *self,
			     int64_t now_s, struct registry_own_row *ret, struct err *err)
{
	struct check_work w = {.self = self, .now_s = now_s};
	int rc = registry_write(r, check_row, &w, err);

	if (rc == 0)
		*ret = w.own;
	return rc;
}
