/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/macros.h"
#include "conductor/registry/registry_health.h"
#include "conductor/registry/registry_patience.h"
#include "conductor/registry/registry_schema.h"
#include "onboarding/token.h"

#define TRIES          20 /* how often a transaction is tried that conflicts with others */
#define PAUSE_MAX_MS   64 /* the longest random pause between two tries */
#define NANOSECONDS_MS 1000000
#define FORGET_MS      2500

struct registry {
	char *uri;
	char *conductor;
	uv_mutex_t turn; /* held by the call that uses the session */
	struct registry_session session;
	struct registry_patience patience;
	struct registry_health health;
	bool connect_failed; /* of this call */
};

static int init_parts(struct registry *r, const char *uri, const char *conductor, struct err *err)
{
	int rc = registry_patience_init(&r->patience, err);

	if (rc < 0)
		return rc;
	rc = registry_health_init(&r->health, err);
	r->uri = strdup(uri);
	r->conductor = strdup(conductor);
	if (rc == 0 && r->uri && r->conductor && uv_mutex_init(&r->turn) == 0)
		return 0;
	if (rc == 0)
		registry_health_release(&r->health);
	registry_patience_release(&r->patience);
	free(r->uri);
	free(r->conductor);
	return err_set(err, -ENOMEM, "registry: out of memory");
}

int registry_open_driver(struct registry **ret, const struct registry_driver *driver,
			 const char *uri, const char *conductor, struct err *err)
{
	struct registry *r;
	int rc;

	if (!token_name_is_valid(conductor))
		return err_set(err, -EINVAL, "conductor '%s': a name is 1 to 63 of A-Za-z0-9._-",
			       conductor);
	rc = driver->check_uri(uri, err);
	if (rc < 0)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "registry: out of memory");
	r->session = (struct registry_session){.driver = driver, .audit_sequence = -1};
	rc = init_parts(r, uri, conductor, err);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->session.conductor = r->conductor;
	*ret = r;
	return 0;
}

static void disconnect(struct registry *r)
{
	if (r->session.connection)
		r->session.driver->disconnect(r->session.connection);
	r->session.connection = NULL;
	r->session.audit_sequence = -1;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	disconnect(r);
	uv_mutex_destroy(&r->turn);
	registry_health_release(&r->health);
	registry_patience_release(&r->patience);
	explicit_bzero(r->uri, strlen(r->uri)); /* there may be a password in it */
	free(r->uri);
	free(r->conductor);
	free(r);
}

static int read_order(struct registry_session *session, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	session->collates = false;
	if (!session->driver->finds_bytewise)
		return 0;
	rc = query_open_values(&q, session, err, session->driver->finds_bytewise, NULL, 0);
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	session->collates = query_integer(&q, 0) == 0;
	return 0;
}

static int connect_session(struct registry *r, struct err *err)
{
	int rc;

	if (r->session.connection)
		return 0;
	rc = r->session.driver->connect(&r->session.connection, r->uri, &r->patience, err);
	if (rc == 0)
		rc = registry_schema_upgrade(&r->session, registry_schema_version(), err);
	if (rc == 0)
		rc = read_order(&r->session, err);
	r->connect_failed = rc < 0;
	if (rc < 0)
		disconnect(r);
	return rc;
}

/* Takes the next number outside the transaction: nobody else gets the same number, and a gap does
 * no harm. */
static int read_audit_sequence(struct registry_session *session, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	if (session->audit_sequence >= 0)
		return 0;
	rc = query_open(&q, session, err,
			"SELECT COALESCE(MAX(sequence), 0) FROM audit WHERE conductor = $1",
			value_text(session->conductor));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	session->audit_sequence = query_integer(&q, 0);
	return 0;
}

static int run_once(struct registry *r, const char *begin, registry_work_cb run, void *work,
		    bool *ret_committing, struct err *err)
{
	struct registry_session *session = &r->session;
	const struct registry_driver *driver = session->driver;
	int rc;

	*ret_committing = false;
	rc = connect_session(r, err);
	if (rc == 0)
		rc = read_audit_sequence(session, err);
	if (rc == 0)
		rc = driver->execute(session->connection, begin, err);
	if (rc < 0)
		return rc;
	rc = run(session, work, err);
	if (rc == 0) {
		*ret_committing = true;
		rc = driver->execute(session->connection, "COMMIT", err);
	}
	/* If a transaction cannot even be rolled back, its connection is closed. */
	if (rc < 0 && driver->execute(session->connection, "ROLLBACK", NULL) < 0 &&
	    rc != -ECONNRESET)
		disconnect(r);
	return rc;
}

/* Is the connection lost, so that a new one must be made? */
static bool is_lost(const struct registry *r, int rc)
{
	return rc == -ECONNRESET ||
	       ((rc == -ETIMEDOUT || rc == -ECANCELED) && r->session.driver->answers_may_come_late);
}

static void pause_at_random(unsigned tried)
{
	unsigned most_ms = MIN(1u << MIN(tried, 16), PAUSE_MAX_MS);
	struct timespec pause = {0};
	unsigned random = 0;

	(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
	pause.tv_nsec = (long)(random % (most_ms * NANOSECONDS_MS));
	(void)nanosleep(&pause, NULL);
}

static bool may_try_again(const struct registry *r, unsigned tried)
{
	return tried + 1 < TRIES && registry_patience_left_ms(&r->patience) > 0;
}

static int transact(struct registry *r, const char *begin, registry_work_cb run, void *work,
		    struct err *err)
{
	bool reconnected = false;
	bool committing;
	int rc;

	for (unsigned tried = 0;; tried++) {
		bool was_connected = r->session.connection;

		rc = run_once(r, begin, run, work, &committing, err);
		if (is_lost(r, rc)) {
			disconnect(r);
			if (committing)
				return err_wrap(err, "whether it was written is not known");
			if (rc != -ECONNRESET || !was_connected || reconnected)
				return rc;
			reconnected = true;
		} else if (rc != -EAGAIN || !may_try_again(r, tried)) {
			return rc;
		} else {
			r->session.audit_sequence = -1;
			pause_at_random(tried);
		}
	}
}

/* Did the database fail to answer? A refusal is an answer, too. */
static bool is_unanswered(const struct registry *r, int rc)
{
	return rc == -ECONNRESET || rc == -ETIMEDOUT || (r->connect_failed && rc != -EAGAIN);
}

static void note_ending(struct registry *r, enum registry_kind kind, int rc, const struct err *err)
{
	struct registry_ending ending = {
		.kind = kind,
		.began_ms = r->patience.began_ms,
		.is_of_both = !r->session.connection,
		.is_left_alone = rc == -ETIMEDOUT || r->connect_failed,
	};

	if (rc == -ECANCELED)
		return;
	if (rc < 0 && is_unanswered(r, rc))
		ending.err = *err;
	registry_health_note(&r->health, &ending, registry_now_ms());
}

/* Its tables are there, but its role lacks a right to one of them. */
static const char *hint(const struct registry *r, int rc)
{
	return rc == -EACCES && r->session.driver->has_roles && !r->connect_failed
		       ? "; 'conductord --schema' prints the rights that a conductor needs"
		       : "";
}

static int take_turn(struct registry *r, enum registry_kind kind, registry_work_cb run, void *work,
		     struct err *err)
{
	const struct registry_driver *driver = r->session.driver;
	struct err why = {0};
	uint64_t patience_ms;
	int rc;

	uv_mutex_lock(&r->turn);
	patience_ms = registry_health_patience_ms(&r->health, kind, registry_now_ms(), &why);
	if (patience_ms > 0) {
		registry_patience_begin(&r->patience, patience_ms);
		r->connect_failed = false;
		rc = transact(r, kind == REGISTRY_WRITES ? driver->begin_write : driver->begin_read,
			      run, work, &why);
		note_ending(r, kind, rc, &why);
	} else {
		rc = why.code;
	}
	uv_mutex_unlock(&r->turn);
	return rc < 0 ? err_set(err, rc, "registry: %s%s", why.text, hint(r, rc)) : 0;
}

int registry_read(struct registry *r, registry_work_cb run, void *work, struct err *err)
{
	return take_turn(r, REGISTRY_READS, run, work, err);
}

int registry_write(struct registry *r, registry_work_cb run, void *work, struct err *err)
{
	return take_turn(r, REGISTRY_WRITES, run, work, err);
}

void registry_stop(struct registry *r)
{
	registry_patience_give_up(&r->patience);
}

bool registry_is_out(struct registry *r, struct registry_outage *ret)
{
	enum registry_kind kind;

	return registry_health_outage(&r->health, ret, &kind);
}

/* A reader of the same file, another process, may keep the log from being cut: then that is done
 * when it has gone. */
int registry_forget(struct registry *r, struct err *err)
{
	struct registry_session *session = &r->session;
	struct err why = {0};
	int rc = 0;

	if (!session->driver->forget)
		return 0;
	uv_mutex_lock(&r->turn);
	registry_patience_begin(&r->patience, FORGET_MS);
	if (session->connection)
		rc = session->driver->execute(session->connection, session->driver->forget, &why);
	uv_mutex_unlock(&r->turn);
	return rc < 0 ? err_set(err, rc, "registry: %s", why.text) : 0;
}

/* Checks that the database can be written: a standby, or a file that another process has locked,
 * can only be read. */
static int touch(struct registry_session *session, void *work, struct err *err)
{
	(void)work;
	return query_run(session, err, "UPDATE clocks SET latest = latest WHERE conductor = $1",
			 value_text(session->conductor));
}

void registry_look_again(struct registry *r)
{
	struct registry_outage outage;
	enum registry_kind kind;

	if (!registry_health_outage(&r->health, &outage, &kind))
		return;
	if (kind == REGISTRY_WRITES)
		(void)registry_write(r, touch, NULL, NULL);
	else
		(void)registry_check(r, NULL);
}

static int read_rows(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct registry_listing *list = work;
	const char *sql = list->sql;
	int rc;

	if (session->collates && list->sql_collated)
		sql = list->sql_collated;
	free(list->rows);
	list->rows = NULL;
	rc = query_open_values(&q, session, err, sql, list->values, list->n_values);
	if (rc < 0)
		return rc;
	return query_collect(&q, list->row_size, list->read, &list->rows, &list->n, err);
}

int registry_list(struct registry *r, struct registry_listing *list, void *ret, size_t *ret_n,
		  struct err *err)
{
	int rc = registry_read(r, read_rows, list, err);

	if (rc < 0) {
		free(list->rows);
		return rc;
	}
	if (list->compare && list->n > 1)
		qsort(list->rows, list->n, list->row_size, list->compare);
	memcpy(ret, &list->rows, sizeof(list->rows)); /* all pointers to objects are alike */
	*ret_n = list->n;
	return 0;
}

int registry_find(struct registry *r, struct registry_listing *list, void *ret, struct err *err)
{
	void *rows = NULL;
	size_t n = 0;
	int rc = registry_list(r, list, &rows, &n, err);

	if (rc < 0)
		return rc;
	if (n == 1)
		memcpy(ret, rows, list->row_size);
	free(rows);
	return n == 1;
}
