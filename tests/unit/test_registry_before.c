/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A registry that another version of conductord has left: an older one is taken over with all that
 * is in it, a newer one is refused. On both databases. */
#include <stdio.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_schema.h"
#include "conductor/registry/registry_sqlite.h"
#include "registry_lists.h"
#include "registry_world.h"

/* From this version on an enrolment says how its keys were exchanged: in a column of its own, and
 * from the second on in a table. */
#define NOTED_SINCE 5
#define TABLE_SINCE 6

static void execute(struct registry_world *w, struct registry_session *session, const char *sql)
{
	struct err err;

	assert_ok(w->driver->execute(session->connection, sql, &err), &err);
}

/* As SQL has them: each database has its own form. */
static const char *literal(const struct registry_world *w, struct span bytes, char ret[256])
{
	bool sqlite = w->driver == &registry_sqlite;
	int at = snprintf(ret, 256, "%s", sqlite ? "X'" : "'\\x");

	for (size_t i = 0; i < bytes.size; i++)
		at += snprintf(ret + at, 256 - (size_t)at, "%02x", bytes.bytes[i]);
	(void)snprintf(ret + at, 256 - (size_t)at, "'");
	return ret;
}

/* Router r0's n0, by the SSH key of world_proof(ONBOARDING_PSK_ONLY, 0). By position, as programs
 * of operators do: all nine columns that there have been from the first. */
static void enrol_as_before(struct registry_world *w, struct registry_session *session,
			    unsigned version)
{
	const struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	char digest[256];
	char key[256];
	char sql[1024];

	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO enrolments"
		       " VALUES ('r0', 'n0', 'ssh-key', %s, %s, NULL, '" WORLD_JTI
		       "', 1700000000, '192.0.2.7'%s)",
		       literal(w, span_of(proof.pin.digest, sizeof(proof.pin.digest)), digest),
		       literal(w, proof.ssh_key, key), version == NOTED_SINCE ? ", 'x25519'" : "");
	execute(w, session, sql);
}

/* With what the programs of that version wrote. */
static void make_old(struct registry_world *w, unsigned version)
{
	struct registry_session session = {.driver = w->driver, .conductor = "c0"};
	struct err err;

	world_empty(w);
	assert_ok(w->driver->connect(&session.connection, w->uri, world_patience(), &err), &err);
	assert_ok(registry_schema_upgrade(&session, version, &err), &err);
	if (version >= 1) {
		execute(w, &session,
			"INSERT INTO routers (name, mode, secret, configuration, revision)"
			" VALUES ('r0', 'psk-only', '" WORLD_SECRET "', '{}', 0);"
			"INSERT INTO nodes (router, name, asset_id, listen_port)"
			" VALUES ('r0', 'n0', 'A0', 10000);"
			"INSERT INTO tokens (jti, router, issued, expires, secret_digest,"
			" asset_ids, certificate_digest)"
			" VALUES ('" WORLD_JTI "', 'r0', 1, 1800009999, '', 'A0', '')");
		enrol_as_before(w, &session, version);
	}
	if (version >= 2)
		execute(w, &session,
			"INSERT INTO audit VALUES"
			" ('c0', 7, 1, '192.0.2.1', 'r0', 'n0', 'enrolled', 'once')");
	if (version >= 3)
		execute(w, &session,
			"INSERT INTO initializations (router, node, conductor, claimed, finished)"
			" VALUES ('r0', 'n0', 'c0', 1700000000, 1700000001)");
	w->driver->disconnect(session.connection);
}

static void check_may_log_in(struct registry_world *w)
{
	struct registry_authorized_key *keys;
	size_t n;
	struct err err;

	assert_ok(list_keys(w->r, &keys, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(keys[0].listen_port, 10000);
	assert_memory_equal(keys[0].ssh_key, world_ssh_key(0).bytes, SSH_KEY_ED25519_SIZE);
	free(keys);
}

static void check_key_exchange(struct registry_world *w, const char *expected)
{
	struct registry_enrolment found;
	struct err err;

	assert_ok(registry_enrolment_of(w->r, "r0", "n0", &found, &err), &err);
	assert_string_equal(found.key_exchange, expected);
}

/* What was not noted is not made up; who comes again is the same, and somebody else is not. */
static void check_enrolment(struct registry_world *w, const char *noted)
{
	const struct registry_proof same = world_proof(ONBOARDING_PSK_ONLY, 0);
	const struct registry_proof other = world_proof(ONBOARDING_PSK_ONLY, 1);
	struct registry_decision decision;

	check_may_log_in(w);
	check_key_exchange(w, noted);
	assert_int_equal(world_enrol(w->r, &other, &decision), REGISTRY_VERDICT_OTHER_DEVICE);
	check_may_log_in(w);
	assert_int_equal(world_enrol(w->r, &same, &decision), REGISTRY_VERDICT_SAME);
	check_may_log_in(w);
	check_key_exchange(w, "p-256");
}

static void test_older_schemas(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct err err;

	assert_true(registry_schema_version() >= TABLE_SINCE);
	for (unsigned version = 0; version <= registry_schema_version(); version++) {
		make_old(w, version);
		w->r = registry_world_open(w, "c0");
		assert_ok(registry_check(w->r, &err), &err);
		assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), version >= 2);
		if (version > 0) {
			check_enrolment(w, version == NOTED_SINCE ? "x25519" : "classical");
			continue;
		}
		world_configure(w->r, ONBOARDING_PSK_ONLY);
		assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	}
}

static void test_newer_schema_is_refused(struct registry_world *w)
{
	char told[128];
	struct registry_session session = {.driver = w->driver, .conductor = "c0"};
	struct err err;

	assert_ok(w->driver->connect(&session.connection, w->uri, world_patience(), &err), &err);
	assert_ok(w->driver->execute(session.connection,
				     "INSERT INTO schema_versions (version) VALUES (99)", &err),
		  &err);
	registry_close(w->r);
	w->r = registry_world_open(w, "c0");
	assert_int_equal(registry_check(w->r, &err), -ENOTSUP);
	(void)snprintf(told, sizeof(told),
		       "its schema is version 99, and this program knows versions up to %u: "
		       "upgrade this conductor",
		       registry_schema_version());
	assert_contains(err.text, told);
	assert_int_equal(registry_router_add(w->r, "r0", &world_origin, &err), -ENOTSUP);
	assert_ok(w->driver->execute(session.connection,
				     "DELETE FROM schema_versions WHERE version = 99", &err),
		  &err);
	w->driver->disconnect(session.connection);
	for (unsigned tried = 0; tried < 100 && registry_check(w->r, &err) < 0; tried++)
		(void)usleep(100000);
	assert_ok(registry_check(w->r, &err), &err);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_older_schemas),
		REGISTRY_TEST(test_newer_schema_is_refused),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
