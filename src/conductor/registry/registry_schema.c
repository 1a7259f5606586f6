/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_schema.h"

#include <errno.h>

#include "base/macros.h"

/* Times are Unix seconds. What the binary columns and the names contain is in the headers
 * registry_*.h. */

static const char *const steps[] = {
	/* 1: who there is, and what each must show */
	"CREATE TABLE routers ("
	"  name TEXT PRIMARY KEY,"
	"  mode TEXT NOT NULL CHECK (mode IN ('disabled', 'psk-only', 'weak', 'strong')),"
	"  secret TEXT,"
	"  configuration TEXT NOT NULL,"
	"  revision BIGINT NOT NULL);"
	"CREATE TABLE nodes ("
	"  router TEXT NOT NULL REFERENCES routers (name) ON DELETE CASCADE,"
	"  name TEXT NOT NULL,"
	"  asset_id TEXT UNIQUE,"
	"  endorsement_key BYTEA UNIQUE,"
	"  listen_port BIGINT NOT NULL UNIQUE,"
	"  PRIMARY KEY (router, name));"
	"CREATE TABLE tokens ("
	"  jti TEXT PRIMARY KEY,"
	"  router TEXT NOT NULL REFERENCES routers (name) ON DELETE CASCADE,"
	"  issued BIGINT NOT NULL,"
	"  expires BIGINT NOT NULL,"
	"  revoked BIGINT,"
	"  secret_digest BYTEA NOT NULL,"
	"  asset_ids TEXT NOT NULL,"
	"  certificate_digest BYTEA NOT NULL);"
	"CREATE INDEX tokens_of_router ON tokens (router);"
	"CREATE TABLE enrolments ("
	"  router TEXT NOT NULL,"
	"  node TEXT NOT NULL,"
	"  pin TEXT NOT NULL CHECK (pin IN ('ssh-key', 'certificate', 'endorsement-key')),"
	"  pin_digest BYTEA NOT NULL,"
	"  ssh_key BYTEA NOT NULL UNIQUE,"
	"  pcrs BYTEA,"
	"  jti TEXT NOT NULL,"
	"  enrolled BIGINT NOT NULL,"
	"  address TEXT NOT NULL,"
	"  PRIMARY KEY (router, node),"
	"  UNIQUE (pin, pin_digest),"
	"  FOREIGN KEY (router, node) REFERENCES nodes (router, name) ON DELETE CASCADE)",

	/* 2: what happened */
	"CREATE TABLE audit ("
	"  conductor TEXT NOT NULL,"
	"  sequence BIGINT NOT NULL,"
	"  time BIGINT NOT NULL,"
	"  address TEXT NOT NULL,"
	"  router TEXT NOT NULL,"
	"  node TEXT NOT NULL,"
	"  outcome TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  PRIMARY KEY (conductor, sequence));"
	"CREATE INDEX audit_by_time ON audit (time);"
	"CREATE INDEX audit_of_router ON audit (router, time);"
	"CREATE TABLE failures ("
	"  minute BIGINT NOT NULL,"
	"  address TEXT NOT NULL,"
	"  conductor TEXT NOT NULL,"
	"  failures BIGINT NOT NULL,"
	"  PRIMARY KEY (minute, address, conductor))",

	/* 3: several conductors */
	"CREATE TABLE conductors ("
	"  name TEXT PRIMARY KEY,"
	"  address TEXT NOT NULL,"
	"  port BIGINT NOT NULL,"
	"  ssh_host_keys TEXT NOT NULL,"
	"  seen BIGINT NOT NULL);"
	"CREATE TABLE clocks ("
	"  conductor TEXT PRIMARY KEY,"
	"  latest BIGINT NOT NULL);"
	"CREATE TABLE initializations ("
	"  router TEXT NOT NULL,"
	"  node TEXT NOT NULL,"
	"  conductor TEXT NOT NULL,"
	"  claimed BIGINT NOT NULL,"
	"  finished BIGINT,"
	"  PRIMARY KEY (router, node),"
	"  FOREIGN KEY (router, node) REFERENCES enrolments (router, node) ON DELETE CASCADE)",

	/* 4: secrets of configurations, sealed; and to whose keys. id: the digest of the path */
	"CREATE TABLE node_keys ("
	"  router TEXT NOT NULL,"
	"  node TEXT NOT NULL,"
	"  keys BYTEA NOT NULL,"
	"  PRIMARY KEY (router, node),"
	"  FOREIGN KEY (router, node) REFERENCES enrolments (router, node) ON DELETE CASCADE);"
	"CREATE TABLE conductor_keys ("
	"  conductor TEXT PRIMARY KEY,"
	"  keys BYTEA NOT NULL);"
	"CREATE TABLE secrets ("
	"  router TEXT NOT NULL REFERENCES routers (name) ON DELETE CASCADE,"
	"  id BYTEA NOT NULL,"
	"  path TEXT NOT NULL,"
	"  version BIGINT NOT NULL,"
	"  PRIMARY KEY (router, id));"
	"CREATE TABLE sealed_to_nodes ("
	"  router TEXT NOT NULL,"
	"  id BYTEA NOT NULL,"
	"  node TEXT NOT NULL,"
	"  sealed BYTEA NOT NULL,"
	"  PRIMARY KEY (router, id, node),"
	"  FOREIGN KEY (router, id) REFERENCES secrets (router, id) ON DELETE CASCADE,"
	"  FOREIGN KEY (router, node) REFERENCES nodes (router, name) ON DELETE CASCADE);"
	"CREATE TABLE sealed_to_conductors ("
	"  router TEXT NOT NULL,"
	"  id BYTEA NOT NULL,"
	"  conductor TEXT NOT NULL"
	"    REFERENCES conductor_keys (conductor) ON DELETE CASCADE,"
	"  sealed BYTEA NOT NULL,"
	"  PRIMARY KEY (router, id, conductor),"
	"  FOREIGN KEY (router, id) REFERENCES secrets (router, id) ON DELETE CASCADE)",

	/* 5: how a handshake exchanged its keys. Rows of older versions do not say it: it was P-256
	   or X25519 alone. */
	"ALTER TABLE enrolments ADD COLUMN key_exchange TEXT NOT NULL DEFAULT 'classical'",

	/* 6: the same in a table of its own. Operators' programs fill in enrolments by position, as
	   it was before step 5, and SQLite then takes no default for a column that is left out. */
	"CREATE TABLE key_exchanges ("
	"  router TEXT NOT NULL,"
	"  node TEXT NOT NULL,"
	"  key_exchange TEXT NOT NULL,"
	"  PRIMARY KEY (router, node),"
	"  FOREIGN KEY (router, node) REFERENCES enrolments (router, node) ON DELETE CASCADE);"
	"INSERT INTO key_exchanges (router, node, key_exchange)"
	"  SELECT router, node, key_exchange FROM enrolments WHERE key_exchange <> 'classical';"
	"ALTER TABLE enrolments DROP COLUMN key_exchange",

	/* 7: which list of conductors is the newest (one row), since when routers that know no
	   other cannot reach a conductor, and who else claims its name */
	"CREATE TABLE conductor_list ("
	"  id BIGINT PRIMARY KEY,"
	"  version BIGINT NOT NULL);"
	"ALTER TABLE conductors ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE conductors ADD COLUMN contested BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE conductors ADD COLUMN contested_by TEXT NOT NULL DEFAULT ''",

	/* 8: by what an operator finds routers */
	"CREATE TABLE labels ("
	"  router TEXT NOT NULL REFERENCES routers (name) ON DELETE CASCADE,"
	"  name TEXT NOT NULL,"
	"  value TEXT NOT NULL,"
	"  PRIMARY KEY (router, name))",

	/* 9: rollouts. Members are in blocks of a thousand, a line and a letter for each, so that a
	   rollout to 100,000 is written in a hundred rows. */
	"CREATE TABLE rollouts ("
	"  name TEXT PRIMARY KEY,"
	"  version TEXT NOT NULL,"
	"  selector TEXT NOT NULL,"
	"  created BIGINT NOT NULL,"
	"  members BIGINT NOT NULL,"
	"  phases TEXT NOT NULL,"
	"  parallel BIGINT NOT NULL,"
	"  failures BIGINT NOT NULL,"
	"  failures_percent BIGINT NOT NULL,"
	"  soak BIGINT NOT NULL,"
	"  approve BIGINT NOT NULL,"
	"  finish BIGINT NOT NULL,"
	"  sequenced BIGINT NOT NULL,"
	"  opens TEXT NOT NULL,"
	"  zone TEXT NOT NULL,"
	"  deadline BIGINT NOT NULL,"
	"  stage BIGINT NOT NULL,"
	"  stop BIGINT NOT NULL,"
	"  phase BIGINT NOT NULL,"
	"  approved BIGINT NOT NULL,"
	"  soaked BIGINT NOT NULL,"
	"  forgiven BIGINT NOT NULL,"
	"  counts TEXT NOT NULL,"
	"  holder TEXT NOT NULL,"
	"  beat BIGINT NOT NULL,"
	"  revision BIGINT NOT NULL);"
	"CREATE TABLE rollout_blocks ("
	"  rollout TEXT NOT NULL REFERENCES rollouts (name) ON DELETE CASCADE,"
	"  block BIGINT NOT NULL,"
	"  routers TEXT NOT NULL,"
	"  states TEXT NOT NULL,"
	"  PRIMARY KEY (rollout, block));"
	"CREATE TABLE rollout_reasons ("
	"  rollout TEXT NOT NULL REFERENCES rollouts (name) ON DELETE CASCADE,"
	"  member BIGINT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  PRIMARY KEY (rollout, member))",
};

unsigned registry_schema_version(void)
{
	return N_ELEMENTS(steps);
}

const char *registry_schema_step(unsigned version)
{
	return steps[version - 1];
}

static int read_number(struct registry_session *session, const char *sql, unsigned *ret,
		       struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc;

	rc = query_open_values(&q, session, err, sql, NULL, 0);
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc < 0)
		return rc;
	*ret = (unsigned)query_integer(&q, 0);
	return 0;
}

/* The version is the highest number in the table: each step adds a row, and no row is ever
 * updated. Whoever may only read and write rows can ask this. */
static int read_version(struct registry_session *session, unsigned *ret, struct err *err)
{
	unsigned is_there = 0;
	int rc = read_number(session, session->driver->finds_versions, &is_there, err);

	if (rc == 0 && is_there)
		return read_number(session, "SELECT COALESCE(MAX(version), 0) FROM schema_versions",
				   ret, err);
	if (rc == 0)
		*ret = 0;
	return rc;
}

/* session: within a transaction. It is over afterwards. */
static int end(struct registry_session *session, int rc, struct err *err)
{
	if (rc == 0)
		rc = session->driver->execute(session->connection, "COMMIT", err);
	if (rc < 0)
		(void)session->driver->execute(session->connection, "ROLLBACK", NULL);
	return rc;
}

static int run_step(struct registry_session *session, unsigned step, struct err *err)
{
	int rc;

	rc = session->driver->execute(session->connection, session->driver->begin_write, err);
	if (rc < 0)
		return rc;
	/* This row is written first, so that if two conductors change the schema at the same time,
	 * one of them fails here. */
	rc = query_run(session, err, "INSERT INTO schema_versions (version) VALUES ($1)",
		       value_integer(step + 1));
	if (rc == 0)
		rc = session->driver->execute(session->connection, steps[step], err);
	return end(session, rc, err);
}

static int make_versions_table(struct registry_session *session, struct err *err)
{
	int rc = session->driver->execute(session->connection, session->driver->begin_write, err);

	if (rc < 0)
		return rc;
	rc = session->driver->execute(
		session->connection,
		"CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY)", err);
	return end(session, rc, err);
}

static int upgrade_from(struct registry_session *session, unsigned found, unsigned version,
			struct err *err)
{
	unsigned now;
	int rc;

	while (found < version) {
		rc = run_step(session, found, err);
		/* Has another conductor done this step in the meantime? */
		if (rc < 0 && (read_version(session, &now, NULL) < 0 || now <= found))
			return err_wrap(err, "schema version %u", found + 1);
		found++;
	}
	return 0;
}

/* Nothing is created where nothing is missing. */
static int upgrade(struct registry_session *session, unsigned found, unsigned version,
		   struct err *err)
{
	int rc = 0;

	if (found == version)
		return 0;
	if (found == 0)
		rc = make_versions_table(session, err);
	if (rc == -EAGAIN) /* "IF NOT EXISTS" loses a race at PostgreSQL */
		rc = make_versions_table(session, err);
	return rc < 0 ? rc : upgrade_from(session, found, version, err);
}

/* Another role made the tables, or is to make them. */
static int tell_what_to_do(unsigned found, unsigned version, struct err *err)
{
	struct err why = *err;

	if (found == 0)
		return err_set(err, -EACCES,
			       "its tables are not there, and this role may not make them: whoever "
			       "may does that with 'conductord --schema' (%s)",
			       why.text);
	return err_set(err, -EACCES,
		       "its tables are of version %u, version %u is needed, and this role may not "
		       "change them: whoever owns them does that with 'conductord --schema' (%s)",
		       found, version, why.text);
}

int registry_schema_upgrade(struct registry_session *session, unsigned version, struct err *err)
{
	struct err why = {0};
	unsigned found = 0;
	int rc = read_version(session, &found, &why);

	if (rc < 0)
		return err_set(err, rc, "schema: %s", why.text);
	if (found > version)
		return err_set(err, -ENOTSUP,
			       "its schema is version %u, and this program knows versions up to "
			       "%u: upgrade this conductor",
			       found, version);
	rc = upgrade(session, found, version, &why);
	if (rc == -EACCES && session->driver->has_roles)
		rc = tell_what_to_do(found, version, &why);
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}
