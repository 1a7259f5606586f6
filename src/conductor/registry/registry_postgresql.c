/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_postgresql.h"

#include <endian.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_postgresql_link.h"
#include "conductor/registry/registry_postgresql_uri.h"

#define PARAMETERS_MAX 20
/* Makes the server end a statement for which nobody waits any more. This is set for each
 * transaction, because a connection pool in between gives the connection to others. */
#define LIMITS                                                                                     \
	"SET LOCAL statement_timeout = 10000;"                                                     \
	"SET LOCAL idle_in_transaction_session_timeout = 30000"

/* Type numbers from the catalog pg_type: they are the same on every server of this protocol. */
enum { OID_BYTES = 17, OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25 };

struct registry_connection {
	PGconn *connection;
	const struct registry_patience *patience;
};

struct registry_statement {
	struct registry_connection *connection;
	const char *sql; /* a literal of ours */
	Oid types[PARAMETERS_MAX];
	const char *values[PARAMETERS_MAX];
	int sizes[PARAMETERS_MAX];
	int64_t integers[PARAMETERS_MAX]; /* big-endian: values points here */
	char *texts[PARAMETERS_MAX];      /* owned: libpq wants a final zero */
	int n;
	int rc;           /* of a bind that failed */
	PGresult *result; /* NULL = not run yet */
	int row;
};

int registry_postgresql_needs_tls(const char *uri, bool *ret, struct err *err)
{
	struct postgresql_uri parsed;
	int rc = postgresql_uri_parse(&parsed, uri, err);

	if (rc < 0)
		return rc;
	*ret = parsed.needs_tls;
	postgresql_uri_release(&parsed);
	return 0;
}

int registry_postgresql_role(const char *uri, char **ret, struct err *err)
{
	struct postgresql_uri parsed;
	const char *user;
	int rc = postgresql_uri_parse(&parsed, uri, err);

	if (rc < 0)
		return rc;
	user = postgresql_uri_value(&parsed, "user");
	*ret = user ? strdup(user) : NULL;
	postgresql_uri_release(&parsed);
	return user && !*ret ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int check_uri(const char *uri, struct err *err)
{
	bool needs_tls;

	return registry_postgresql_needs_tls(uri, &needs_tls, err);
}

static int code_of(const char *state)
{
	static const struct {
		const char *prefix;
		int code;
	} rows[] = {
		{"23505", -EAGAIN},     /* unique_violation */
		{"42P07", -EAGAIN},     /* duplicate_table: another conductor makes it too */
		{"42710", -EAGAIN},     /* duplicate_object: and its type */
		{"23503", -ENOENT},     /* foreign_key_violation */
		{"40", -EAGAIN},        /* serialization_failure, deadlock_detected */
		{"55P03", -EAGAIN},     /* lock_not_available */
		{"08", -ECONNRESET},    /* connection exceptions */
		{"57P", -ECONNRESET},   /* admin_shutdown, crash_shutdown, cannot_connect_now */
		{"25P03", -ECONNRESET}, /* idle_in_transaction_session_timeout */
		{"25006", -ECONNRESET}, /* read_only_sql_transaction: a standby, as yet */
		{"0A000", -ECONNRESET}, /* feature_not_supported: serializable, on a standby */
		{"53300", -ECONNRESET}, /* too_many_connections */
		{"53100", -ENOSPC},     /* disk_full */
		{"53200", -ENOMEM},     /* out_of_memory */
		{"42501", -EACCES},     /* insufficient_privilege */
		{"3F000", -EACCES},     /* invalid_schema_name: none in which it may create */
		{"28", -EACCES},        /* invalid authorization */
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].code;
	return -EIO;
}

/* Tells only the primary message, because the detail of a unique violation quotes the value. */
static int fail(const struct registry_connection *connection, const PGresult *result,
		struct err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char text[512];
	/* An error without an SQLSTATE is libpq's own: the connection is gone. Its status may still
	 * be CONNECTION_OK, because a failed write changes that only at the next read. */
	int code = state ? code_of(state) : -ECONNRESET;

	if (PQstatus(connection->connection) != CONNECTION_OK)
		code = -ECONNRESET;
	postgresql_link_message(primary ? primary : PQerrorMessage(connection->connection), text,
				sizeof(text));
	return err_set(err, code, "PostgreSQL: %s", text);
}

static int postgresql_execute(struct registry_connection *connection, const char *sql,
			      struct err *err)
{
	PGresult *result;
	ExecStatusType status;
	int rc;

	rc = postgresql_link_finish(connection->connection,
				    PQsendQuery(connection->connection, sql), connection->patience,
				    &result, err);
	if (rc < 0)
		return rc;
	status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = fail(connection, result, err);
	else if (strcmp(sql, "COMMIT") == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0)
		rc = err_set(err, -EIO, "PostgreSQL: rolled back instead of committed");
	PQclear(result);
	return rc;
}

static void postgresql_disconnect(struct registry_connection *connection)
{
	PQfinish(connection->connection);
	free(connection);
}

static int connect_server(struct registry_connection **ret, const char *uri,
			  const struct registry_patience *patience, struct err *err)
{
	struct registry_connection *connection = calloc(1, sizeof(*connection));
	int rc;

	if (!connection)
		return err_set(err, -ENOMEM, "out of memory");
	connection->patience = patience;
	rc = postgresql_link_open(&connection->connection, uri, patience, err);
	if (rc < 0) {
		free(connection);
		return rc;
	}
	*ret = connection;
	return 0;
}

static int postgresql_prepare(struct registry_connection *connection, const char *sql,
			      struct registry_statement **ret, struct err *err)
{
	struct registry_statement *statement = calloc(1, sizeof(*statement));

	if (!statement)
		return err_set(err, -ENOMEM, "out of memory");
	statement->connection = connection;
	statement->sql = sql;
	*ret = statement;
	return 0;
}

static void bind_text(struct registry_statement *statement, unsigned at, struct span text)
{
	statement->texts[at] = strndup((const char *)text.bytes, text.size);
	if (!statement->texts[at])
		statement->rc = -ENOMEM;
	statement->values[at] = statement->texts[at];
}

static void postgresql_bind(struct registry_statement *statement, unsigned parameter,
			    const struct registry_value *value)
{
	unsigned at = parameter - 1;

	if (at >= PARAMETERS_MAX) {
		statement->rc = -E2BIG;
		return;
	}
	statement->n = MAX(statement->n, (int)parameter);
	statement->types[at] = value->type == REGISTRY_INTEGER ? OID_INT8
			       : value->type == REGISTRY_TEXT  ? OID_TEXT
							       : OID_BYTES;
	if (value->is_null)
		return;
	if (value->type == REGISTRY_TEXT) {
		bind_text(statement, at, value->bytes);
	} else if (value->type == REGISTRY_INTEGER) {
		statement->integers[at] = (int64_t)htobe64((uint64_t)value->integer);
		statement->values[at] = (const char *)&statement->integers[at];
		statement->sizes[at] = sizeof(int64_t);
	} else {
		statement->values[at] = (const char *)value->bytes.bytes;
		statement->sizes[at] = (int)value->bytes.size;
	}
}

static int postgresql_execute_statement(struct registry_statement *statement, struct err *err)
{
	PGconn *connection = statement->connection->connection;
	int formats[PARAMETERS_MAX];
	ExecStatusType status;
	int rc;

	if (statement->rc < 0)
		return err_set_errno(err, statement->rc, "PostgreSQL: bind");
	for (int i = 0; i < statement->n; i++)
		formats[i] = statement->types[i] != OID_TEXT;
	rc = postgresql_link_finish(connection,
				    PQsendQueryParams(connection, statement->sql, statement->n,
						      statement->types, statement->values,
						      statement->sizes, formats, 1),
				    statement->connection->patience, &statement->result, err);
	if (rc < 0)
		return rc;
	status = PQresultStatus(statement->result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		return fail(statement->connection, statement->result, err);
	statement->row = -1;
	return 0;
}

static int postgresql_step(struct registry_statement *statement, struct err *err)
{
	if (!statement->result) {
		int rc = postgresql_execute_statement(statement, err);

		if (rc < 0)
			return rc;
	}
	return ++statement->row < PQntuples(statement->result);
}

static int64_t integer_of(const uint8_t *bytes, int size)
{
	uint32_t four;
	uint64_t eight;

	if (size == sizeof(four)) {
		memcpy(&four, bytes, sizeof(four));
		return (int32_t)be32toh(four);
	}
	memcpy(&eight, bytes, sizeof(eight));
	return (int64_t)be64toh(eight);
}

static void postgresql_column(struct registry_statement *statement, unsigned at,
			      struct registry_value *ret)
{
	PGresult *result = statement->result;
	int field = (int)at;
	const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, statement->row, field);
	int size = PQgetlength(result, statement->row, field);

	*ret = (struct registry_value){.type = REGISTRY_TEXT};
	ret->is_null = PQgetisnull(result, statement->row, field);
	switch (PQftype(result, field)) {
	case OID_INT4:
	case OID_INT8:
		ret->type = REGISTRY_INTEGER;
		if (!ret->is_null)
			ret->integer = integer_of(bytes, size);
		return;
	case OID_BYTES:
		ret->type = REGISTRY_BYTES;
		break;
	default:
		break;
	}
	ret->bytes = span_of(bytes, (size_t)size);
}

static void postgresql_finish(struct registry_statement *statement)
{
	if (!statement)
		return;
	for (int i = 0; i < statement->n; i++) {
		if (!statement->texts[i])
			continue;
		explicit_bzero(statement->texts[i], strlen(statement->texts[i]));
		free(statement->texts[i]);
	}
	PQclear(statement->result);
	free(statement);
}

const struct registry_driver registry_postgresql = {
	.name = "PostgreSQL",
	/* Where the database's own order is that of bytes, its indexes serve the pages of lists.
	 * Each language puts one of these otherwise: they are of all that a name may have. */
	.finds_bytewise = "SELECT CASE WHEN '-' < '.' AND '.' < '0' AND '9' < 'A' AND 'B' < 'a'"
			  " AND 'Z' < '_' AND '_' < 'a' AND 'a-z' < 'aa' AND 'aB' < 'aa'"
			  " AND 'a.b' < 'ab' THEN 1 ELSE 0 END",
	.begin_read = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;" LIMITS,
	/* What the database or the role has as its default is for others' transactions. */
	.begin_write = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE;" LIMITS,
	/* To be found by its search_path, in a schema that it may use. */
	.finds_versions =
		"SELECT CASE WHEN to_regclass('schema_versions') IS NULL THEN 0 ELSE 1 END",
	.has_roles = true,
	.answers_may_come_late = true,
	.check_uri = check_uri,
	.connect = connect_server,
	.disconnect = postgresql_disconnect,
	.execute = postgresql_execute,
	.prepare = postgresql_prepare,
	.bind = postgresql_bind,
	.step = postgresql_step,
	.column = postgresql_column,
	.finish = postgresql_finish,
};
