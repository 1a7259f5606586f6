/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"

#define SCHEME "sqlite:"
#define LOCK_RETRY_MS                                                                              \
	10 /* how long to wait between two tries while another process holds the lock */
#define STEPS_AT_ONCE                                                                              \
	10000 /* SQLite's virtual machine runs so many instructions between two looks at the clock \
	       */
#define STATEMENTS_MAX 64 /* statements that are kept prepared */

struct registry_statement {
	struct registry_connection *connection;
	sqlite3_stmt *statement;
	bool is_kept; /* kept in its connection, to be used again */
	bool is_used;
	int rc; /* of the first bind that failed */
};

/* Reading and planning a statement costs more than running it. */
struct registry_connection {
	sqlite3 *database;
	const struct registry_patience *patience;
	struct registry_statement kept[STATEMENTS_MAX];
	unsigned n_kept;
};

static int code_of(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		return -EAGAIN;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return -ENOENT;
	case SQLITE_BUSY: /* it was waited for already: wait_for_lock() */
	case SQLITE_INTERRUPT:
		return -ETIMEDOUT;
	default:
		break;
	}
	switch (extended & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int fail(const struct registry_connection *connection, struct err *err)
{
	int code = code_of(sqlite3_extended_errcode(connection->database));

	if (code == -ETIMEDOUT && registry_patience_is_given_up(connection->patience))
		return registry_patience_lost(connection->patience, "SQLite", err);
	return err_set(err, code, "SQLite: %s", sqlite3_errmsg(connection->database));
}

static int check_uri(const char *uri, struct err *err)
{
	const char *path = uri + strlen(SCHEME);

	if (path[0] != '/')
		return err_set(err, -EINVAL, "registry %s: sqlite: wants an absolute path", uri);
	if (strlen(path) >= PATH_MAX)
		return err_set(err, -EINVAL, "registry: longer than a path may be");
	return 0;
}

static int sync_parent(const char *path, struct err *err)
{
	char parent[PATH_MAX];
	char *slash;

	(void)snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	slash[slash == parent] = '\0';
	return directory_sync(parent, err);
}

/* Makes the file before SQLite does, which would use the umask: the files that SQLite makes
 * beside it get its mode. A file that exists is not opened here, because closing it would release
 * the locks that this process has on it. */
static int make_file(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return err_set(err, -EINVAL, "%s is no file", path);
		if ((st.st_mode & 077) && chmod(path, 0600) < 0)
			return err_set_errno(err, -errno, "close %s to others", path);
		return 0;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST) /* another process was faster */
		return 0;
	if (fd < 0)
		return err_set_errno(err, -errno, "create %s", path);
	(void)close(fd);
	return sync_parent(path, err);
}

static int execute_text(struct registry_connection *connection, const char *sql, struct err *err)
{
	if (sqlite3_exec(connection->database, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(connection, err);
	return 0;
}

static void sqlite_disconnect(struct registry_connection *connection)
{
	/* Every statement is finished by now: this cannot be busy. */
	for (unsigned i = 0; i < connection->n_kept; i++)
		(void)sqlite3_finalize(connection->kept[i].statement);
	(void)sqlite3_close(connection->database);
	free(connection);
}

/* SQLite calls this when another connection holds a lock. Returns 1 to try again. */
static int wait_for_lock(void *owner, int n)
{
	const struct registry_patience *patience = owner;

	(void)n;
	(void)registry_patience_wait(patience, -1, 0, LOCK_RETRY_MS);
	return registry_patience_left_ms(patience) > 0;
}

/* SQLite calls this while a statement runs. Returns 1 to end a statement that has run for too
 * long. */
static int look_at_clock(void *owner)
{
	return registry_patience_left_ms(owner) == 0;
}

/* If two processes switch a new file at the same time, they would wait for each other: so SQLite
 * lets one of them fail at once, and it tries again. */
static int switch_to_wal(struct registry_connection *connection, struct err *err)
{
	int rc = execute_text(connection, "PRAGMA journal_mode = WAL", err);

	while (rc == -ETIMEDOUT && registry_patience_left_ms(connection->patience) > 0) {
		(void)registry_patience_wait(connection->patience, -1, 0, LOCK_RETRY_MS);
		rc = execute_text(connection, "PRAGMA journal_mode = WAL", err);
	}
	return rc;
}

/* SQLite's type has no const, although it only passes the pointer on. */
static void *patience_of(const struct registry_connection *connection)
{
	union {
		const struct registry_patience *patience;
		void *passed;
	} from = {.patience = connection->patience};

	return from.passed;
}

static int prepare_connection(struct registry_connection *connection, struct err *err)
{
	int rc;

	(void)sqlite3_extended_result_codes(connection->database, 1);
	(void)sqlite3_busy_handler(connection->database, wait_for_lock, patience_of(connection));
	sqlite3_progress_handler(connection->database, STEPS_AT_ONCE, look_at_clock,
				 patience_of(connection));
	rc = switch_to_wal(connection, err);
	if (rc < 0)
		return rc;
	return execute_text(connection,
			    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
			    "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF",
			    err);
}

static int connect_file(struct registry_connection **ret, const char *uri,
			const struct registry_patience *patience, struct err *err)
{
	/* Users of the registry take turns already, so SQLite needs no mutex of its own. */
	static const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	const char *path = uri + strlen(SCHEME);
	struct registry_connection *connection;
	int rc;

	rc = make_file(path, err);
	if (rc < 0)
		return rc;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return err_set(err, -ENOMEM, "out of memory");
	connection->patience = patience;
	if (sqlite3_open_v2(path, &connection->database, flags, NULL) != SQLITE_OK)
		rc = connection->database ? fail(connection, err)
					  : err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = prepare_connection(connection, err);
	if (rc < 0) {
		sqlite_disconnect(connection);
		return err_wrap(err, "%s", path);
	}
	*ret = connection;
	return 0;
}

static struct registry_statement *find_kept(struct registry_connection *connection, const char *sql)
{
	for (unsigned i = 0; i < connection->n_kept; i++) {
		struct registry_statement *kept = &connection->kept[i];

		if (!kept->is_used && strcmp(sqlite3_sql(kept->statement), sql) == 0)
			return kept;
	}
	return NULL;
}

static int prepare_new(struct registry_connection *connection, const char *sql,
		       struct registry_statement *ret, struct err *err)
{
	*ret = (struct registry_statement){.connection = connection};
	if (sqlite3_prepare_v3(connection->database, sql, -1, SQLITE_PREPARE_PERSISTENT,
			       &ret->statement, NULL) != SQLITE_OK)
		return fail(connection, err);
	return 0;
}

static int sqlite_prepare(struct registry_connection *connection, const char *sql,
			  struct registry_statement **ret, struct err *err)
{
	struct registry_statement *statement = find_kept(connection, sql);
	bool is_kept = connection->n_kept < STATEMENTS_MAX;
	int rc = 0;

	if (!statement) {
		statement = is_kept ? &connection->kept[connection->n_kept]
				    : calloc(1, sizeof(*statement));
		if (!statement)
			return err_set(err, -ENOMEM, "out of memory");
		rc = prepare_new(connection, sql, statement, err);
		if (rc < 0 && !is_kept)
			free(statement);
		if (rc < 0)
			return rc;
		statement->is_kept = is_kept;
		connection->n_kept += is_kept;
	}
	statement->is_used = true;
	*ret = statement;
	return 0;
}

static int bind_value(sqlite3_stmt *statement, int at, const struct registry_value *value)
{
	const void *bytes = value->bytes.bytes;
	sqlite3_uint64 size = value->bytes.size;

	if (value->is_null)
		return sqlite3_bind_null(statement, at);
	if (value->type == REGISTRY_INTEGER)
		return sqlite3_bind_int64(statement, at, value->integer);
	if (value->type == REGISTRY_TEXT)
		return sqlite3_bind_text64(statement, at, bytes, size, SQLITE_STATIC, SQLITE_UTF8);
	return sqlite3_bind_blob64(statement, at, bytes, size, SQLITE_STATIC);
}

static void sqlite_bind(struct registry_statement *statement, unsigned parameter,
			const struct registry_value *value)
{
	char name[16];
	int rc;

	/* For SQLite "$2" is the name of a parameter, not its number. */
	(void)snprintf(name, sizeof(name), "$%u", parameter);
	rc = bind_value(statement->statement,
			sqlite3_bind_parameter_index(statement->statement, name), value);
	if (statement->rc == SQLITE_OK)
		statement->rc = rc;
}

static int sqlite_step(struct registry_statement *statement, struct err *err)
{
	if (statement->rc != SQLITE_OK)
		return err_set(err, code_of(statement->rc), "SQLite: %s",
			       sqlite3_errstr(statement->rc));
	switch (sqlite3_step(statement->statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return fail(statement->connection, err);
	}
}

static void sqlite_column(struct registry_statement *statement, unsigned at,
			  struct registry_value *ret)
{
	sqlite3_stmt *row = statement->statement;
	const void *bytes;

	*ret = (struct registry_value){.type = REGISTRY_BYTES};
	switch (sqlite3_column_type(row, (int)at)) {
	case SQLITE_NULL:
		ret->is_null = true;
		return;
	case SQLITE_INTEGER:
		ret->type = REGISTRY_INTEGER;
		ret->integer = sqlite3_column_int64(row, (int)at);
		return;
	case SQLITE_TEXT:
		ret->type = REGISTRY_TEXT;
		break;
	default:
		break;
	}
	bytes = sqlite3_column_blob(row, (int)at);
	ret->bytes = span_of(bytes, (size_t)sqlite3_column_bytes(row, (int)at));
}

static void sqlite_finish(struct registry_statement *statement)
{
	if (!statement)
		return;
	if (statement->is_kept) {
		/* The values that were bound are borrowed and may be secret, so the statement gives
		 * them up now. */
		(void)sqlite3_reset(statement->statement);
		(void)sqlite3_clear_bindings(statement->statement);
		statement->is_used = false;
		statement->rc = SQLITE_OK;
		return;
	}
	(void)sqlite3_finalize(statement->statement);
	free(statement);
}

/* What begins and ends each transaction is kept prepared, too. */
static int sqlite_execute(struct registry_connection *connection, const char *sql, struct err *err)
{
	struct registry_statement *statement;
	int rc;

	if (strchr(sql, ';'))
		return execute_text(connection, sql, err);
	rc = sqlite_prepare(connection, sql, &statement, err);
	if (rc < 0)
		return rc;
	rc = sqlite_step(statement, err);
	sqlite_finish(statement);
	return MIN(rc, 0);
}

const struct registry_driver registry_sqlite = {
	.name = "SQLite",
	.begin_read = "BEGIN",
	.begin_write = "BEGIN IMMEDIATE",
	/* secure_delete has overwritten it in the file; in the log older pages still are. */
	.forget = "PRAGMA wal_checkpoint(TRUNCATE)",
	.finds_versions = "SELECT COUNT(*) FROM sqlite_master"
			  " WHERE type = 'table' AND name = 'schema_versions'",
	.check_uri = check_uri,
	.connect = connect_file,
	.disconnect = sqlite_disconnect,
	.execute = sqlite_execute,
	.prepare = sqlite_prepare,
	.bind = sqlite_bind,
	.step = sqlite_step,
	.column = sqlite_column,
	.finish = sqlite_finish,
};
