/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is one database's alone: SQLite's file, PostgreSQL's URI and TLS. */
#include "postgres.h"
#include "registry_calls.h"
#include "support.h"

#include <openssl/pem.h>
#include <pwd.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_postgresql.h"
#include "conductor/registry/registry_routers.h"
#include "pki.h"

static const struct registry_origin origin = {.address = "uid 0", .time_s = 1};

/* Open, use and close. */
static int try_registry(const char *uri, struct err *err)
{
	struct registry *r;
	int rc = registry_open(&r, uri, "c0", err);

	if (rc < 0)
		return rc;
	rc = registry_router_add(r, "r0", &origin, err);
	registry_close(r);
	return rc;
}

static int try_file(const char *folder, const char *name, struct err *err)
{
	char uri[256];

	(void)snprintf(uri, sizeof(uri), "sqlite:%s/%s", folder, name);
	return try_registry(uri, err);
}

static mode_t mode_of(const char *folder, const char *name)
{
	struct stat st;

	assert_int_equal(stat(test_path(folder, name), &st), 0);
	return st.st_mode & 07777;
}

static void test_uris(void **state)
{
	static const char *const bad[] = {
		"",         "registry",   "sqlite:",       "sqlite:registry", "mysql://db/steward",
		"sqlite",   "/var/lib/x", "postgresql:db", "host=db",         "postgresql://[::1",
		"SQLITE:/x"};
	struct registry *r;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(bad); i++)
		if (registry_open(&r, bad[i], "c0", &err) != -EINVAL)
			fail_msg("%s", bad[i]);
	assert_int_equal(registry_open(&r, "sqlite:/x", "c 0", &err), -EINVAL);
	assert_contains(err.text, "conductor 'c 0'");
}

static void test_file_is_its_owners_alone(void **state)
{
	char *folder = test_folder();
	mode_t mask = umask(0);
	struct registry *r;
	struct err err;
	char uri[256];

	(void)state;
	(void)snprintf(uri, sizeof(uri), "sqlite:%s/registry", folder);
	assert_int_equal(registry_open(&r, uri, "c0", &err), 0);
	assert_int_equal(registry_router_add(r, "r0", &origin, &err), 0);
	assert_int_equal(mode_of(folder, "registry"), 0600);
	assert_int_equal(mode_of(folder, "registry-wal"), 0600);
	assert_int_equal(mode_of(folder, "registry-shm"), 0600);
	registry_close(r);
	assert_int_equal(chmod(test_path(folder, "registry"), 0644), 0);
	assert_int_equal(try_file(folder, "registry", &err), 0);
	assert_int_equal(mode_of(folder, "registry"), 0600);
	(void)umask(mask);
	test_folder_remove(folder);
}

static void test_what_is_no_registry(void **state)
{
	char *folder = test_folder();
	struct err err;

	(void)state;
	test_write(test_path(folder, "text"),
		   span_of_string("this is no database, and long enough "
				  "for SQLite to see that it is none; "
				  "at least a hundred bytes of it here"));
	assert_int_equal(try_file(folder, "text", &err), -EBADMSG);
	assert_contains(err.text, "not a database");
	assert_int_equal(symlink("/etc/passwd", test_path(folder, "link")), 0);
	assert_int_equal(try_file(folder, "link", &err), -EINVAL);
	assert_contains(err.text, "is no file");
	assert_int_equal(try_file(folder, "nowhere/registry", &err), -ENOENT);
	assert_contains(err.text, "nowhere/registry: No such file or directory");
	test_folder_remove(folder);
}

static int64_t pragma(const char *path, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *database;
	int64_t value;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_type(statement, 0) == SQLITE_TEXT
			? sqlite3_column_text(statement, 0)[0]
			: sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(database);
	return value;
}

static void test_file_is_wal_and_sound(void **state)
{
	char *folder = test_folder();
	struct err err;

	(void)state;
	assert_int_equal(try_file(folder, "registry", &err), 0);
	assert_int_equal(pragma(test_path(folder, "registry"), "PRAGMA journal_mode"), 'w');
	assert_int_equal(pragma(test_path(folder, "registry"), "PRAGMA integrity_check"), 'o');
	assert_int_equal(pragma(test_path(folder, "registry"), "SELECT COUNT(*) FROM routers"), 1);
	test_folder_remove(folder);
}

static void test_who_needs_tls(void **state)
{
	enum { LOCAL, TLS, REFUSED };
	static const struct {
		const char *uri;
		int expected;
	} rows[] = {
		{"postgresql:///steward", LOCAL},
		{"postgresql://u@/steward?host=/run/postgresql", LOCAL},
		{"postgresql://%2Frun%2Fpostgresql/steward", LOCAL},
		{"postgresql://localhost/steward", LOCAL},
		{"postgresql://127.0.0.1:5433/steward", LOCAL},
		{"postgresql://[::1]/steward", LOCAL},
		{"postgresql://localhost/steward?sslmode=disable", LOCAL},
		{"postgresql://db.example/steward", TLS},
		{"postgresql://db.example/steward?sslmode=verify-full", TLS},
		{"postgresql://db.example/steward?sslmode=verify-ca", REFUSED},
		{"postgresql://db.example/steward?sslmode=require", REFUSED},
		{"postgresql://db.example/steward?sslmode=disable", REFUSED},
		{"postgresql://192.0.2.1/steward", TLS},
		{"postgresql://127.evil.example/steward", TLS},
		{"postgresql://localhost.evil.example/steward", TLS},
		{"postgresql://localhost,db.example/steward", TLS},
		{"postgresql://localhost,db.example/steward?sslmode=prefer", REFUSED},
		{"postgresql://db.example/steward?hostaddr=127.0.0.1", TLS}, /* the name counts */
		{"postgresql:///steward?hostaddr=192.0.2.1", TLS},
		{"postgresql:///steward?hostaddr=127.0.0.1", LOCAL},
		{"postgresql:///steward?service=elsewhere", REFUSED},
		{"postgresql:///steward?nonsense=1", REFUSED},
		/* Where it goes counts, whatever the name says. */
		{"postgresql://localhost/steward?hostaddr=192.0.2.1", TLS},
		{"postgresql://localhost/steward?hostaddr=192.0.2.1&sslmode=disable", REFUSED},
		{"postgresql:///steward?host=localhost&hostaddr=2001:db8::1&sslmode=prefer",
		 REFUSED},
		{"postgresql:///steward?host=/run/postgresql&hostaddr=192.0.2.1&sslmode=disable",
		 REFUSED},
		{"postgresql:///steward?host=@abstract&hostaddr=192.0.2.1&sslmode=allow", REFUSED},
		{"postgresql:///steward?host=@abstract", LOCAL},
		{"postgresql://localhost,localhost/steward?hostaddr=127.0.0.1,192.0.2.1"
		 "&sslmode=disable",
		 REFUSED},
		{"postgresql://localhost,localhost/steward?hostaddr=127.0.0.1,::1&sslmode=disable",
		 LOCAL},
		{"postgresql://localhost,127.0.0.1:5433/steward?sslmode=disable", LOCAL},
		{"postgresql://localhost/steward?hostaddr=127.0.0.1,192.0.2.1", REFUSED},
		{"postgresql://localhost,localhost/steward?hostaddr=127.0.0.1", REFUSED},
		{"postgresql://localhost,,db.example/steward", REFUSED},
		{"postgresql:///steward?hostaddr=::ffff:127.0.0.1", LOCAL},
		{"postgresql:///steward?hostaddr=::ffff:192.0.2.1&sslmode=disable", REFUSED},
		{"postgresql://127.0.0.1.5/steward?sslmode=disable", REFUSED}, /* a name */
		{"postgresql://localhost:1,localhost:2,localhost:3/steward", LOCAL},
		/* A conductor writes, and a standby takes no writes. */
		{"postgresql:///steward?target_session_attrs=primary", LOCAL},
		{"postgresql:///steward?target_session_attrs=read-write", LOCAL},
		{"postgresql:///steward?target_session_attrs=any", LOCAL},
		{"postgresql:///steward?target_session_attrs=standby", REFUSED},
		{"postgresql:///steward?target_session_attrs=prefer-standby", REFUSED},
		{"postgresql://localhost:1,localhost:2/steward?target_session_attrs=read-only",
		 REFUSED},
	};
	struct err err;
	bool tls;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		int rc = registry_postgresql_needs_tls(rows[i].uri, &tls, &err);

		if (rc != (rows[i].expected == REFUSED ? -EINVAL : 0) ||
		    (rc == 0 && tls != (rows[i].expected == TLS)))
			fail_msg("%s", rows[i].uri);
	}
}

/* What libpq takes from elsewhere, as it takes it: only what the URI leaves open. */
static void test_who_needs_tls_by_the_environment(void **state)
{
	static const struct {
		const char *name, *value, *uri;
		bool tls;
	} rows[] = {
		{"PGHOST", "db.example", "postgresql:///steward", true},
		{"PGHOST", "db.example", "postgresql://localhost/steward", false},
		{"PGHOST", "/run/postgresql", "postgresql:///steward", false},
		{"PGHOSTADDR", "192.0.2.1", "postgresql:///steward", true},
		{"PGHOSTADDR", "192.0.2.1", "postgresql://localhost/steward", true},
		{"PGHOSTADDR", "192.0.2.1", "postgresql:///steward?host=/run/postgresql", true},
		{"PGHOSTADDR", "192.0.2.1", "postgresql://localhost/steward?hostaddr=::1", false},
		{"PGHOSTADDR", "127.0.0.1", "postgresql://localhost/steward", false},
		{"PGSERVICE", "far", "postgresql:///steward", true},
		{"PGSERVICE", "far", "postgresql://localhost/steward", true}, /* its hostaddr */
		{"PGSERVICE", "near", "postgresql:///steward", false},
	};
	char *folder = test_folder();
	const char *path = test_path(folder, "services");
	struct err err;
	bool tls;

	(void)state;
	test_write(path, span_of_string("[far]\nhost=db.example\nhostaddr=192.0.2.1\n"
					"[near]\nhost=/run/postgresql\n"));
	(void)setenv("PGSERVICEFILE", path, 1);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		(void)setenv(rows[i].name, rows[i].value, 1);
		assert_int_equal(registry_postgresql_needs_tls(rows[i].uri, &tls, &err), 0);
		if (tls != rows[i].tls)
			fail_msg("%s=%s: %s", rows[i].name, rows[i].value, rows[i].uri);
		(void)unsetenv(rows[i].name);
	}
	(void)unsetenv("PGSERVICEFILE");
	test_folder_remove(folder);
}

/* Not even when it is no URI. */
static void test_password_is_in_no_message(void **state)
{
	static const char *const uris[] = {
		"postgresql://u:geheim@db.example:port/steward",
		"postgresql://u:geheim@db.example/steward?sslmode=disable",
		"postgresql://u:geheim@localhost:1/steward",
		"postgresql://u:geheim@/steward?host=/nowhere",
	};
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(uris); i++) {
		assert_true(try_registry(uris[i], &err) < 0);
		if (strstr(err.text, "geheim"))
			fail_msg("%s", err.text);
	}
}

static void write_pem(const struct postgres *p, const char *name, EVP_PKEY *key, X509 *certificate)
{
	const struct passwd *user = getpwnam("postgres");
	const char *path = test_path(p->folder, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	if (key)
		assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	if (certificate)
		assert_int_equal(PEM_write_X509(file, certificate), 1);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, key ? 0600 : 0644), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, user->pw_uid, user->pw_gid), 0);
}

static void make_certificates(const struct postgres *p)
{
	static const struct pki_subject ca = {.common_name = "CA", .ca = true};
	static const struct pki_subject server = {.common_name = "db.example"};
	EVP_PKEY *keys[] = {pki_key(2048), pki_key(2048)};
	X509 *authority = pki_certificate(&ca, keys[0], NULL, NULL);
	X509 *other = pki_certificate(&ca, keys[1], NULL, NULL);
	X509 *leaf = pki_certificate(&server, keys[1], authority, keys[0]);

	write_pem(p, "ca.pem", NULL, authority);
	write_pem(p, "other.pem", NULL, other);
	write_pem(p, "server.pem", NULL, leaf);
	write_pem(p, "server.key", keys[1], NULL);
	X509_free(authority);
	X509_free(other);
	X509_free(leaf);
	EVP_PKEY_free(keys[0]);
	EVP_PKEY_free(keys[1]);
}

/* A server elsewhere, as far as its name tells: it must prove that it is the one. */
static void test_server_elsewhere(void **state)
{
	static const struct {
		const char *host;
		const char *ca;
		const char *error; /* NULL = taken */
	} rows[] = {
		{"db.example", "ca.pem", NULL},
		{"db.example", "other.pem", "SSL error"},
		{"db2.example", "ca.pem", "does not match host name"},
		{"db.example", "none.pem", "does not exist"},
	};
	struct postgres p;
	struct err err;
	char uri[512];

	(void)state;
	postgres_make(&p);
	make_certificates(&p);
	for (unsigned tls = 0; tls < 2; tls++) {
		postgres_end(&p, SIGINT);
		p.tcp = true;
		p.tls = tls;
		postgres_run(&p);
		for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
			const char *error = tls ? rows[i].error : "does not support SSL";
			int rc;

			(void)snprintf(uri, sizeof(uri),
				       "postgresql://postgres@%s:%u/postgres?hostaddr=127.0.0.1"
				       "&sslrootcert=%s/%s",
				       rows[i].host, p.port, p.folder, rows[i].ca);
			rc = try_registry(uri, &err);
			if (rc != (error ? -ECONNRESET : 0))
				fail_msg("row %u: %s", i, err.text);
			if (error)
				assert_contains(err.text, error);
		}
	}
	postgres_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_file_is_its_owners_alone),
		cmocka_unit_test(test_what_is_no_registry),
		cmocka_unit_test(test_file_is_wal_and_sound),
		cmocka_unit_test(test_who_needs_tls),
		cmocka_unit_test(test_who_needs_tls_by_the_environment),
		cmocka_unit_test(test_password_is_in_no_message),
		cmocka_unit_test(test_server_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
