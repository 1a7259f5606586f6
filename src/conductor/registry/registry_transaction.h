/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_transaction.h - for the registry's own parts: runs a piece of work in one transaction.
 *
 * The work may run several times, each time on a database in which the run before had no effect.
 * So it must initialize whatever it leaves in its argument.
 */
#pragma once

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_query.h"

/* 0 = commit; negative = roll back, and return that. */
typedef int (*registry_work_cb)(struct registry_session *session, void *work, struct err *err);

int registry_read(struct registry *r, registry_work_cb run, void *work, struct err *err);
int registry_write(struct registry *r, registry_work_cb run, void *work, struct err *err);

/* What makes PostgreSQL order by bytes: a page goes on where the one before it ended, in the order
 * that a list as a whole has. */
#define REGISTRY_BYTEWISE " COLLATE \"C\""

/* One query's rows: what nearly every list is. */
struct registry_listing {
	const char *sql;
	const char *sql_collated; /* for a session that collates; NULL = the same */
	struct registry_value values[6];
	size_t n_values;
	size_t row_size;
	query_read_cb read;
	int (*compare)(const void *a, const void *b); /* the order; NULL = as it comes */
	void *rows;                                   /* while they are read */
	size_t n;
};
/* ret: where the pointer to the rows goes, of whichever type they are; freed by the caller. */
int registry_list(struct registry *r, struct registry_listing *list, void *ret, size_t *ret_n,
		  struct err *err);
/* Copies the only row to ret. Returns 1, or 0 if there is none. */
int registry_find(struct registry *r, struct registry_listing *list, void *ret, struct err *err);

/* Which of the two is the URI's? -EINVAL. */
int registry_find_driver(const struct registry_driver **ret, const char *uri, struct err *err);
/* registry_open() with a driver that is given: for tests that let one fail. */
int registry_open_driver(struct registry **ret, const struct registry_driver *driver,
			 const char *uri, const char *conductor, struct err *err);
