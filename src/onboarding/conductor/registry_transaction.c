#include "onboarding/conductor/registry_transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "core/macros.h"
#include "onboarding/conductor/registry_schema.h"
#include "onboarding/token.h"

#define TRIES          20   /* against transactions of others */
#define PAUSE_MAX_MS   64   /* between them, at random */
#define RECONNECT_MS   1000 /* a server that could not be reached is left alone for so long */
#define NANOSECONDS_MS 1000000

struct registry {
	char *uri;
	char *conductor;
	uv_mutex_t turn; /* held by the call that uses the session */
	struct registry_session session;
	uint64_t down_until_ms; /* of uv_hrtime; 0 = not known to be down */
	struct err down;        /* why */
};

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
	r->uri = strdup(uri);
	r->conductor = strdup(conductor);
	if (!r->uri || !r->conductor || uv_mutex_init(&r->turn) != 0) {
		free(r->uri);
		free(r->conductor);
		free(r);
		return err_set(err, -ENOMEM, "registry: out of memory");
	}
	r->session = (struct registry_session){
		.driver = driver, .conductor = r->conductor, .audit_sequence = -1};
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
	explicit_bzero(r->uri, strlen(r->uri)); /* there may be a password in it */
	free(r->uri);
	free(r->conductor);
	free(r);
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / NANOSECONDS_MS;
}

/* Each that waits for its turn would else wait for the same timeout once more. */
static void note_down(struct registry *r, const struct err *why)
{
	if (why->code == -EAGAIN)
		return;
	r->down_until_ms = now_ms() + RECONNECT_MS;
	r->down = *why;
}

static int connect_session(struct registry *r, struct err *err)
{
	struct err why;
	int rc;

	if (r->session.connection)
		return 0;
	if (now_ms() < r->down_until_ms)
		return err_set(err, r->down.code, "%s", r->down.text);
	rc = r->session.driver->connect(&r->session.connection, r->uri, &why);
	if (rc == 0)
		rc = registry_schema_upgrade(&r->session, registry_schema_version(), &why);
	if (rc < 0) {
		disconnect(r);
		note_down(r, &why);
		return err_set(err, why.code, "%s", why.text);
	}
	r->down_until_ms = 0;
	return 0;
}

/* Not within a transaction: it is nobody else's number, and a gap is no harm. */
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
	/* A transaction that cannot even be rolled back goes with its connection. */
	if (rc < 0 && driver->execute(session->connection, "ROLLBACK", NULL) < 0 &&
	    rc != -ECONNRESET)
		disconnect(r);
	return rc;
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

static int transact(struct registry *r, const char *begin, registry_work_cb run, void *work,
		    struct err *err)
{
	bool reconnected = false;
	bool committing;
	int rc;

	for (unsigned tried = 0;; tried++) {
		bool was_connected = r->session.connection;

		rc = run_once(r, begin, run, work, &committing, err);
		if (rc == -ECONNRESET) {
			disconnect(r);
			if (committing)
				return err_wrap(err, "whether it was written is not known");
			if (!was_connected || reconnected)
				return rc;
			reconnected = true;
		} else if (rc != -EAGAIN || tried + 1 == TRIES) {
			return rc;
		} else {
			r->session.audit_sequence = -1;
			pause_at_random(tried);
		}
	}
}

static int take_turn(struct registry *r, const char *begin, registry_work_cb run, void *work,
		     struct err *err)
{
	int rc;

	uv_mutex_lock(&r->turn);
	rc = transact(r, begin, run, work, err);
	uv_mutex_unlock(&r->turn);
	return rc < 0 ? err_wrap(err, "registry") : 0;
}

int registry_read(struct registry *r, registry_work_cb run, void *work, struct err *err)
{
	return take_turn(r, r->session.driver->begin_read, run, work, err);
}

int registry_write(struct registry *r, registry_work_cb run, void *work, struct err *err)
{
	return take_turn(r, r->session.driver->begin_write, run, work, err);
}

static int read_rows(struct registry_session *session, void *work, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	struct registry_listing *list = work;
	int rc;

	free(list->rows);
	list->rows = NULL;
	rc = query_open_values(&q, session, err, list->sql, list->values, list->n_values);
	if (rc < 0)
		return rc;
	return query_collect(&q, list->row_size, list->read, &list->rows, &list->n, err);
}

int registry_list(struct registry *r, struct registry_listing *list, struct err *err)
{
	int rc = registry_read(r, read_rows, list, err);

	if (rc < 0) {
		free(list->rows);
		list->rows = NULL;
	}
	return rc;
}
