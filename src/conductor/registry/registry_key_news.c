/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_key_news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_transaction.h"

struct news_work {
	const struct registry_key_marks *was;
	struct registry_key_marks now;
	struct registry_key_news news;
};

/* Jumps from one conductor to the next in the index of the audit, instead of reading its rows. */
#define LAST_ROWS                                                                                  \
	"WITH RECURSIVE c (name) AS ("                                                             \
	" SELECT MIN(conductor) FROM audit"                                                        \
	" UNION ALL"                                                                               \
	" SELECT (SELECT MIN(conductor) FROM audit WHERE conductor > c.name) FROM c"               \
	" WHERE c.name IS NOT NULL)"                                                               \
	" SELECT name, (SELECT MAX(sequence) FROM audit WHERE conductor = c.name)"                 \
	" FROM c WHERE name IS NOT NULL"

/* With more conductors than are told apart no mark is kept: each look reads all. */
static int read_marks(struct registry_session *session, struct registry_key_marks *ret,
		      struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	size_t n = 0;
	int rc = query_open_values(&q, session, err, LAST_ROWS, NULL, 0);

	while (rc == 0 && (rc = query_next(&q, err)) == 1) {
		if (n < REGISTRY_KEY_MARKS_MAX) {
			struct registry_key_mark *mark = &ret->each[n];

			query_text(&q, 0, mark->conductor, sizeof(mark->conductor));
			mark->sequence = query_integer(&q, 1);
		}
		n++;
		rc = 0;
	}
	ret->n = n <= REGISTRY_KEY_MARKS_MAX ? n : 0;
	return rc;
}

static const struct registry_key_mark *find_mark(const struct registry_key_marks *marks,
						 const char *conductor)
{
	for (size_t i = 0; i < marks->n; i++)
		if (strcmp(marks->each[i].conductor, conductor) == 0)
			return &marks->each[i];
	return NULL;
}

/* Rows that are gone, or more than one reads: a backup was restored, or the audit was cut. */
static bool must_read_all(const struct registry_key_marks *was,
			  const struct registry_key_marks *now)
{
	if (was->n == 0 || now->n < was->n)
		return true;
	for (size_t i = 0; i < now->n; i++) {
		const struct registry_key_mark *old = find_mark(was, now->each[i].conductor);
		int64_t from = old ? old->sequence : 0;

		if (now->each[i].sequence < from ||
		    now->each[i].sequence - from > REGISTRY_KEY_NEWS_MAX)
			return true;
	}
	return false;
}

static void read_router(struct query *q, void *row)
{
	query_text(q, 0, row, TOKEN_NAME_SIZE);
}

static int append(void **rows, size_t *n, const void *more, size_t n_more, size_t size,
		  struct err *err)
{
	void *larger = reallocarray(*rows, *n + n_more, size);

	if (!larger)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy((char *)larger + *n * size, more, n_more * size);
	*rows = larger;
	*n += n_more;
	return 0;
}

/* A router that is in several rows, or in those of several conductors, is only read twice. */
static int read_routers(struct registry_session *session, struct news_work *w,
			const struct registry_key_mark *mark, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct registry_key_mark *old = find_mark(w->was, mark->conductor);
	void *all = w->news.routers;
	void *rows = NULL;
	size_t n = 0;
	int rc;

	if (old && old->sequence == mark->sequence)
		return 0;
	rc = query_open(&q, session, err,
			"SELECT DISTINCT router FROM audit"
			" WHERE conductor = $1 AND sequence > $2 AND router <> ''",
			value_text(mark->conductor), value_integer(old ? old->sequence : 0));
	if (rc == 0)
		rc = query_collect(&q, TOKEN_NAME_SIZE, read_router, &rows, &n, err);
	if (rc == 0 && n > 0)
		rc = append(&all, &w->news.n_routers, rows, n, TOKEN_NAME_SIZE, err);
	w->news.routers = all;
	free(rows);
	return rc;
}

#define KEYS                                                                                       \
	"SELECT e.router, e.node, e.ssh_key, n.listen_port"                                        \
	" FROM enrolments e JOIN nodes n ON n.router = e.router AND n.name = e.node"

static void read_key(struct query *q, void *row)
{
	struct registry_authorized_key *key = row;
	struct span blob = query_bytes(q, 2);

	query_text(q, 0, key->router, sizeof(key->router));
	query_text(q, 1, key->node, sizeof(key->node));
	if (blob.size == sizeof(key->ssh_key))
		memcpy(key->ssh_key, blob.bytes, blob.size);
	key->listen_port = (uint16_t)query_integer(q, 3);
}

static int read_keys_of(struct registry_session *session, struct news_work *w, const char *router,
			struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	void *all = w->news.keys;
	void *rows = NULL;
	size_t n = 0;
	int rc = query_open(&q, session, err, KEYS " WHERE e.router = $1", value_text(router));

	if (rc == 0)
		rc = query_collect(&q, sizeof(*w->news.keys), read_key, &rows, &n, err);
	if (rc == 0 && n > 0)
		rc = append(&all, &w->news.n_keys, rows, n, sizeof(*w->news.keys), err);
	w->news.keys = all;
	free(rows);
	return rc;
}

static int read_all(struct registry_session *session, struct news_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	void *rows = NULL;
	int rc = query_open_values(&q, session, err, KEYS " ORDER BY n.listen_port", NULL, 0);

	if (rc == 0)
		rc = query_collect(&q, sizeof(*w->news.keys), read_key, &rows, &w->news.n_keys,
				   err);
	w->news.keys = rows;
	w->news.all = true;
	return rc;
}

static int read_news(struct registry_session *session, void *work, struct err *err)
{
	struct news_work *w = work;
	int rc;

	registry_key_news_release(&w->news);
	rc = read_marks(session, &w->now, err);
	if (rc == 0 && must_read_all(w->was, &w->now))
		return read_all(session, w, err);
	for (size_t i = 0; rc == 0 && i < w->now.n; i++)
		rc = read_routers(session, w, &w->now.each[i], err);
	for (size_t i = 0; rc == 0 && i < w->news.n_routers; i++)
		rc = read_keys_of(session, w, w->news.routers[i], err);
	return rc;
}

int registry_key_news_read(struct registry *r, struct registry_key_marks *marks,
			   struct registry_key_news *ret, struct err *err)
{
	struct news_work w = {.was = marks};
	int rc = registry_read(r, read_news, &w, err);

	if (rc < 0) {
		registry_key_news_release(&w.news);
		return rc;
	}
	*marks = w.now;
	*ret = w.news;
	return 0;
}

void registry_key_news_release(struct registry_key_news *news)
{
	free(news->routers);
	free(news->keys);
	*news = (struct registry_key_news){0};
}
