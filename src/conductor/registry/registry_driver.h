/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_driver.h - what the registry needs of a database. There are two drivers.
 *
 * Both understand one dialect of SQL: parameters $1, $2 ..., types TEXT, BIGINT and BYTEA,
 * upserts by ON CONFLICT. A driver blocks and is used by one thread at a time; it has no state
 * but its connection's. Both return the same codes:
 *
 *	-EAGAIN      another transaction came between, holds a lock, or has inserted a row that must
 *	             be unique: try again; a look at the database first will see it
 *	-ECONNRESET  the connection is gone   -ENOENT  a foreign key to nothing
 *	-ENOSPC      no room on the disk      -EBADMSG the file is no database, or damaged
 *	-EACCES      not allowed to           -ENOMEM, -EIO the rest
 *	-ETIMEDOUT   it hangs, or is locked, for longer than patience allows
 *	-ECANCELED   given up: this conductor stops
 *
 * Messages have the database's own words, and never a value that was bound.
 *
 * Calling sequence of a statement: prepare -> bind ... -> step, column ... -> finish.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry_patience.h"

enum registry_type { REGISTRY_NULL, REGISTRY_INTEGER, REGISTRY_TEXT, REGISTRY_BYTES };

/* A parameter or a column. Bytes and text are borrowed: of a column until the next step. */
struct registry_value {
	enum registry_type type; /* of a parameter that is NULL too: see is_null */
	bool is_null;
	int64_t integer;
	struct span bytes; /* of text too, which has no final zero here */
};

struct registry_connection; /* the driver's own */
struct registry_statement;  /* likewise */

struct registry_driver {
	const char *name;
	const char *begin_read;  /* begins a transaction that sees one state of everything */
	const char *begin_write; /* begins a serializable transaction */
	const char *forget; /* run outside of transactions after secrets were deleted; or NULL */
	const char *finds_versions; /* a query: 1 = there is a table schema_versions, else 0 */
	bool has_roles;             /* may tables belong to another than who uses them? */
	/* A query: 1 = it orders names by bytes; 0 = as its language does. NULL = always by bytes.
	 */
	const char *finds_bytewise;
	/* An answer that came too late may still arrive: then the connection cannot be used any
	 * more. */
	bool answers_may_come_late;

	/* May this URI be used? Touches nothing. -EINVAL. */
	int (*check_uri)(const char *uri, struct err *err);
	/* patience: borrowed; what all calls of this connection go by. */
	int (*connect)(struct registry_connection **ret, const char *uri,
		       const struct registry_patience *patience, struct err *err);
	void (*disconnect)(struct registry_connection *connection);

	/* Statements without parameters, whose rows nobody wants. */
	int (*execute)(struct registry_connection *connection, const char *sql, struct err *err);

	int (*prepare)(struct registry_connection *connection, const char *sql,
		       struct registry_statement **ret, struct err *err);
	/* parameter: from 1. The value is borrowed until the first step, which tells failures. */
	void (*bind)(struct registry_statement *statement, unsigned parameter,
		     const struct registry_value *value);
	/* 1 = there is a row, 0 = no more. */
	int (*step)(struct registry_statement *statement, struct err *err);
	/* column: from 0, of those the statement has. */
	void (*column)(struct registry_statement *statement, unsigned column,
		       struct registry_value *ret);
	/* Takes NULL. */
	void (*finish)(struct registry_statement *statement);
};
