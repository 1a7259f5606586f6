/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define ROWS_AT_FIRST 16

struct registry_value value_text(const char *text)
{
	return (struct registry_value){.type = REGISTRY_TEXT,
				       .is_null = !text,
				       .bytes = span_of(text, text ? strlen(text) : 0)};
}

struct registry_value value_integer(int64_t integer)
{
	return (struct registry_value){.type = REGISTRY_INTEGER, .integer = integer};
}

struct registry_value value_bytes(struct span bytes)
{
	return (struct registry_value){
		.type = REGISTRY_BYTES, .is_null = bytes.size == 0, .bytes = bytes};
}

int query_open_values(struct query *q, struct registry_session *session, struct err *err,
		      const char *sql, const struct registry_value *values, size_t n)
{
	int rc;

	q->driver = session->driver;
	rc = q->driver->prepare(session->connection, sql, &q->statement, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < n; i++)
		q->driver->bind(q->statement, i + 1, &values[i]);
	return 0;
}

int query_next(struct query *q, struct err *err)
{
	return q->driver->step(q->statement, err);
}

void query_close(struct query *q)
{
	if (q->driver)
		q->driver->finish(q->statement);
	*q = (struct query){0};
}

static struct registry_value value_at(struct query *q, unsigned column)
{
	struct registry_value value;

	q->driver->column(q->statement, column, &value);
	return value;
}

bool query_is_null(struct query *q, unsigned column)
{
	return value_at(q, column).is_null;
}

int64_t query_integer(struct query *q, unsigned column)
{
	return value_at(q, column).integer;
}

void query_text(struct query *q, unsigned column, char *ret, size_t size)
{
	struct span text = query_bytes(q, column);
	size_t n = text.size < size ? text.size : 0;

	if (n > 0)
		memcpy(ret, text.bytes, n);
	ret[n] = '\0';
}

struct span query_bytes(struct query *q, unsigned column)
{
	struct registry_value value = value_at(q, column);

	return value.is_null ? span_of(NULL, 0) : value.bytes;
}

char *query_copy(struct query *q, unsigned column)
{
	struct span bytes = query_bytes(q, column);
	char *copy = malloc(bytes.size + 1);

	if (!copy)
		return NULL;
	memcpy(copy, bytes.bytes, bytes.size);
	copy[bytes.size] = '\0';
	return copy;
}

int query_run_values(struct registry_session *session, struct err *err, const char *sql,
		     const struct registry_value *values, size_t n)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open_values(&q, session, err, sql, values, n);
	if (rc == 0)
		rc = query_next(&q, err);
	return MIN(rc, 0);
}

static int make_room(void **rows, size_t *room, size_t n, size_t row_size)
{
	size_t more = *room > 0 ? 2 * *room : ROWS_AT_FIRST;
	void *larger;

	if (n < *room)
		return 0;
	larger = reallocarray(*rows, more, row_size);
	if (!larger)
		return -ENOMEM;
	*rows = larger;
	*room = more;
	return 0;
}

int query_collect(struct query *q, size_t row_size, query_read_cb read, void **ret_rows,
		  size_t *ret_n, struct err *err)
{
	void *rows = NULL;
	size_t room = 0;
	size_t n = 0;
	int rc;

	while ((rc = query_next(q, err)) == 1) {
		uint8_t *row;

		rc = make_room(&rows, &room, n, row_size);
		if (rc < 0) {
			(void)err_set(err, rc, "out of memory after %zu rows", n);
			break;
		}
		row = (uint8_t *)rows + n++ * row_size;
		memset(row, 0, row_size);
		read(q, row);
	}
	if (rc < 0) {
		free(rows);
		return rc;
	}
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}
