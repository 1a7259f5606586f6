/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A database that answers neither yes nor no: how long anybody waits for it. */
#include "registry_world.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/macros.h"
#include "conductor/registry/registry_patience.h"

#define CALL_MS  5000
#define PROBE_MS 2500

/* Takes connections, and never says a word. */
static int listen_silently(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static sqlite3 *lock_file(const char *path, const char *how)
{
	sqlite3 *database;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, how, NULL, NULL, NULL), SQLITE_OK);
	return database;
}

static uint64_t how_long(struct registry *r, int expected, bool writes)
{
	const uint64_t began = registry_now_ms();
	struct err err;
	int rc = writes ? registry_router_add(r, "r1", &world_origin, &err)
			: registry_check(r, &err);

	if (rc != expected)
		fail_msg("%d: %s", rc, rc < 0 ? err.text : "");
	return registry_now_ms() - began;
}

static void assert_about(uint64_t ms, uint64_t expected)
{
	if (ms + 100 < expected || ms > expected + 3000)
		fail_msg("%u ms, not about %u", (unsigned)ms, (unsigned)expected);
}

static void test_a_server_that_says_nothing(void **state)
{
	char *folder = test_folder();
	int fd = listen_silently(folder);
	struct registry_outage outage;
	struct registry *r;
	struct err err;
	char uri[256];

	(void)state;
	(void)snprintf(uri, sizeof(uri), "postgresql://u@/d?host=%s&port=5432", folder);
	assert_int_equal(registry_open(&r, uri, "c0", &err), 0);
	assert_false(registry_is_out(r, &outage));
	assert_about(how_long(r, -ETIMEDOUT, false), CALL_MS);
	assert_true(registry_is_out(r, &outage));
	assert_contains(outage.why.text, "no answer within 5000 ms");
	/* The others are told at once. */
	for (unsigned i = 0; i < 10; i++)
		assert_true(how_long(r, -ETIMEDOUT, i % 2) < 500);
	(void)usleep(1000000);
	assert_about(how_long(r, -ETIMEDOUT, true), PROBE_MS);
	registry_close(r);
	(void)close(fd);
	test_folder_remove(folder);
}

static void test_a_file_that_is_locked(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "registry");
	struct registry_outage outage;
	struct registry *r;
	sqlite3 *other;
	struct err err;
	char uri[256];

	(void)state;
	(void)snprintf(uri, sizeof(uri), "sqlite:%s", path);
	assert_int_equal(registry_open(&r, uri, "c0", &err), 0);
	assert_ok(registry_router_add(r, "r0", &world_origin, &err), &err);
	other = lock_file(uri + strlen("sqlite:"), "BEGIN IMMEDIATE");
	assert_about(how_long(r, -ETIMEDOUT, true), CALL_MS);
	assert_true(how_long(r, -ETIMEDOUT, true) < 500);
	assert_true(how_long(r, 0, false) < 500); /* who reads is not held up */
	assert_true(registry_is_out(r, &outage));
	assert_contains(outage.why.text, "locked");
	(void)sqlite3_close(other);
	(void)usleep(1100000);
	registry_look_again(r);
	assert_false(registry_is_out(r, &outage));
	assert_ok(registry_router_add(r, "r1", &world_origin, &err), &err);
	registry_close(r);
	test_folder_remove(folder);
}

static void *stop_soon(void *r)
{
	(void)usleep(300000);
	registry_stop(r);
	return NULL;
}

static void give_up(const char *uri, bool writes)
{
	struct registry *r;
	pthread_t thread;
	struct err err;
	uint64_t ms;

	assert_int_equal(registry_open(&r, uri, "c0", &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, r), 0);
	ms = how_long(r, -ECANCELED, writes);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(ms >= 200 && ms < 2000);
	assert_true(how_long(r, -ECANCELED, writes) < 500);
	registry_close(r);
}

static void test_it_is_given_up(void **state)
{
	char *folder = test_folder();
	int fd = listen_silently(folder);
	sqlite3 *other;
	char uri[256];

	(void)state;
	(void)snprintf(uri, sizeof(uri), "postgresql://u@/d?host=%s&port=5432", folder);
	give_up(uri, false);
	(void)snprintf(uri, sizeof(uri), "sqlite:%s/registry", folder);
	other = lock_file(uri + strlen("sqlite:"), "CREATE TABLE t (a); BEGIN EXCLUSIVE");
	give_up(uri, true);
	(void)sqlite3_close(other);
	(void)close(fd);
	test_folder_remove(folder);
}

/* The first of several hangs: the others are asked while there is time. */
static void test_the_next_of_several_hosts_is_asked(void **state)
{
	char *silent = test_folder();
	int fd = listen_silently(silent);
	struct registry *r;
	struct err err;
	char uri[256];

	(void)state;
	(void)snprintf(uri, sizeof(uri), "postgresql://u@/d?host=%s,/nowhere&port=5432", silent);
	assert_int_equal(registry_open(&r, uri, "c0", &err), 0);
	assert_about(how_long(r, -ECONNRESET, false), CALL_MS / 2);
	registry_close(r);
	(void)close(fd);
	test_folder_remove(silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_that_says_nothing),
		cmocka_unit_test(test_a_file_that_is_locked),
		cmocka_unit_test(test_it_is_given_up),
		cmocka_unit_test(test_the_next_of_several_hosts_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
