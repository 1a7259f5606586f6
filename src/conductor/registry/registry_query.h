/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_query.h - one statement within a transaction, its parameters and its rows.
 *
 *	_cleanup_(query_close) struct query q = {0};
 *
 *	rc = query_open(&q, session, err, "SELECT mode FROM routers WHERE name = $1",
 *			value_text(router));
 *	if (rc == 0)
 *		rc = query_next(&q, err);	1 = there is a row, 0 = no more
 *
 * The SQL is a literal: what a stranger wrote is only ever a parameter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry_driver.h"

/* A connection while it belongs to one transaction. */
struct registry_session {
	const struct registry_driver *driver;
	struct registry_connection *connection; /* NULL = none */
	const char *conductor;                  /* the name of this one */
	int64_t audit_sequence;                 /* the last one used; < 0 = not read yet */
	bool collates; /* is text ordered otherwise than by bytes? Read at the connection's start */
};

struct query {
	const struct registry_driver *driver;
	struct registry_statement *statement;
};

/* Text and bytes are borrowed until the first query_next(). NULL text, and bytes of size 0, are
 * NULL. */
struct registry_value value_text(const char *text);
struct registry_value value_integer(int64_t integer);
struct registry_value value_bytes(struct span bytes);

int query_open_values(struct query *q, struct registry_session *session, struct err *err,
		      const char *sql, const struct registry_value *values, size_t n);
#define query_open(q, session, err, sql, ...)                                                      \
	query_open_values(q, session, err, sql, (const struct registry_value[]){__VA_ARGS__},      \
			  sizeof((const struct registry_value[]){__VA_ARGS__}) /                   \
				  sizeof(struct registry_value))
int query_next(struct query *q, struct err *err);
void query_close(struct query *q);

bool query_is_null(struct query *q, unsigned column);
/* 0 for NULL. */
int64_t query_integer(struct query *q, unsigned column);
/* Copied and zero-terminated. "" for NULL, and for text that does not fit: none of our conductors
 * has written it, and a name that was cut would be another name. size: of ret. */
void query_text(struct query *q, unsigned column, char *ret, size_t size);
/* Owned by the query until the next row; size 0 for NULL. */
struct span query_bytes(struct query *q, unsigned column);
/* A copy that the caller frees; zero-terminated; NULL = out of memory. */
char *query_copy(struct query *q, unsigned column);

/* A statement without rows: 0, or what went wrong. */
int query_run_values(struct registry_session *session, struct err *err, const char *sql,
		     const struct registry_value *values, size_t n);
#define query_run(session, err, sql, ...)                                                          \
	query_run_values(session, err, sql, (const struct registry_value[]){__VA_ARGS__},          \
			 sizeof((const struct registry_value[]){__VA_ARGS__}) /                    \
				 sizeof(struct registry_value))

/* All rows as an array of what read() makes of each; *ret_rows is freed by the caller, NULL if
 * there is none. */
typedef void (*query_read_cb)(struct query *q, void *row);
int query_collect(struct query *q, size_t row_size, query_read_cb read, void **ret_rows,
		  size_t *ret_n, struct err *err);
