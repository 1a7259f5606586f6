/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "registry_world.h"
#include "registry_lists.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/macros.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_postgresql.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_sqlite.h"

#define TESTS_MAX 64
#define N_KEYS    3

const struct registry_origin world_origin = {.address = "192.0.2.1", .time_s = WORLD_NOW_S};

static struct postgres server;
static struct registry_case {
	const struct registry_test *test;
	const struct registry_driver *driver;
} cases[TESTS_MAX];

struct postgres *registry_world_server(void)
{
	return &server;
}

struct registry_origin world_later(int64_t seconds)
{
	return (struct registry_origin){.address = "192.0.2.1", .time_s = WORLD_NOW_S + seconds};
}

struct span world_ssh_key(unsigned number)
{
	static uint8_t blobs[16][SSH_KEY_ED25519_SIZE];
	uint8_t *blob = blobs[number];

	assert_true(number < N_ELEMENTS(blobs));
	memcpy(blob, "\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
	memset(blob + 19, (int)(number + 1), 32);
	return span_of(blob, SSH_KEY_ED25519_SIZE);
}

struct span world_endorsement_key(unsigned number)
{
	static uint8_t *keys[N_KEYS];
	static int sizes[N_KEYS];

	if (!keys[number]) {
		EVP_PKEY *key = EVP_RSA_gen(2048);

		sizes[number] = i2d_PUBKEY(key, &keys[number]);
		EVP_PKEY_free(key);
	}
	assert_true(sizes[number] > 0);
	return span_of(keys[number], (size_t)sizes[number]);
}

struct registry *registry_world_open(const struct registry_world *w, const char *conductor)
{
	struct registry *r;
	struct err err;

	assert_ok(registry_open(&r, w->uri, conductor, &err), &err);
	return r;
}

struct registry_token_order world_order(const char *jti, int64_t expires_s)
{
	return (struct registry_token_order){.router = "r0",
					     .jti = jti,
					     .expires_s = expires_s,
					     .certificate = span_of_string(WORLD_CERTIFICATE)};
}

struct registry_question world_question(const char *router, const char *asset_id, const char *jti)
{
	return (struct registry_question){.router = router,
					  .asset_id = asset_id,
					  .jti = jti,
					  .certificate = span_of_string(WORLD_CERTIFICATE)};
}

void world_configure_router(struct registry *r, const char *router, const char *asset_id,
			    const char *jti, enum onboarding_mode mode)
{
	struct registry_token_order order = world_order(jti, WORLD_NOW_S + 86400);
	struct registry_claims claims;
	struct err err;

	order.router = router;
	assert_ok(registry_node_set_asset_id(r, router, "n0", asset_id, &world_origin, &err), &err);
	assert_ok(registry_router_set_secret(r, router, WORLD_SECRET, &world_origin, &err), &err);
	assert_ok(registry_router_set_mode(r, router, mode, &world_origin, &err), &err);
	assert_ok(registry_token_issue(r, &order, &world_origin, &claims, &err), &err);
	registry_claims_release(&claims);
}

void world_configure(struct registry *r, enum onboarding_mode mode)
{
	world_configure_router(r, "r0", "A0", WORLD_JTI, mode);
}

struct registry_proof world_proof(enum onboarding_mode mode, unsigned number)
{
	struct registry_proof proof = {
		.key_exchange = "p-256",
		.router = "r0",
		.asset_id = "A0",
		.jti = WORLD_JTI,
		.mode = mode,
		.secret = span_of_string(WORLD_SECRET),
		.pin.kind = REGISTRY_PIN_SSH_KEY,
		.ssh_key = world_ssh_key(number),
	};

	if (mode != ONBOARDING_PSK_ONLY)
		proof.pin.kind = REGISTRY_PIN_CERTIFICATE;
	registry_digest(proof.ssh_key, proof.pin.digest);
	return proof;
}

enum registry_verdict world_enrol(struct registry *r, const struct registry_proof *proof,
				  struct registry_decision *ret)
{
	struct err err;

	assert_ok(registry_enrol(r, proof, &world_origin, ret, &err), &err);
	return ret->verdict;
}

void world_empty(struct registry_world *w)
{
	registry_close(w->r);
	w->r = NULL;
	if (w->driver == &registry_sqlite) {
		assert_int_equal(remove(test_path(w->folder, "registry")), 0);
		(void)remove(test_path(w->folder, "registry-wal"));
		(void)remove(test_path(w->folder, "registry-shm"));
		return;
	}
	postgres_execute(registry_world_server(), w->database,
			 "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

const struct registry_patience *world_patience(void)
{
	static struct registry_patience patience = {.wake = -1};

	registry_patience_begin(&patience, 60000);
	return &patience;
}

size_t world_count_enrolments(struct registry *r)
{
	struct registry_enrolment *rows;
	struct err err;
	size_t n;

	assert_ok(list_enrolments(r, NULL, &rows, &n, &err), &err);
	free(rows);
	return n;
}

size_t world_count_audit(struct registry *r, enum registry_outcome outcome)
{
	struct registry_audit_row *rows;
	struct err err;
	size_t found = 0;
	size_t n;

	assert_ok(registry_audit_query(r, NULL, 0, &rows, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		found += rows[i].outcome == outcome;
	free(rows);
	return found;
}

static int start_server(void **state)
{
	(void)state;
	postgres_make(&server);
	return 0;
}

static int end_server(void **state)
{
	(void)state;
	postgres_remove(&server);
	return 0;
}

static void make_database(struct registry_world *w)
{
	static unsigned n;
	char sql[64];

	if (w->driver == &registry_sqlite) {
		(void)snprintf(w->uri, sizeof(w->uri), "sqlite:%s/registry", w->folder);
		return;
	}
	(void)snprintf(w->database, sizeof(w->database), "t%u", n++);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", w->database);
	postgres_execute(&server, "postgres", sql);
	postgres_uri(&server, w->database, w->uri, sizeof(w->uri));
}

static void run_case(void **state)
{
	struct registry_world w = {.folder = test_folder()};
	const struct registry_case *mine = *state;
	struct err err;

	w.driver = mine->driver;
	make_database(&w);
	w.r = registry_world_open(&w, "c0");
	assert_ok(registry_check(w.r, &err), &err);
	mine->test->run(&w);
	registry_close(w.r);
	test_folder_remove(w.folder);
}

int registry_world_main(const struct registry_test *tests, size_t n)
{
	static const struct registry_driver *const drivers[] = {&registry_sqlite,
								&registry_postgresql};
	static char names[TESTS_MAX][96];
	struct CMUnitTest table[TESTS_MAX] = {0};
	size_t at = 0;

	for (size_t d = 0; d < N_ELEMENTS(drivers); d++) {
		for (size_t i = 0; i < n && at < TESTS_MAX; i++, at++) {
			cases[at].test = &tests[i];
			cases[at].driver = drivers[d];
			(void)snprintf(names[at], sizeof(names[at]), "%s, %s", tests[i].name,
				       drivers[d]->name);
			table[at].name = names[at];
			table[at].test_func = run_case;
			table[at].initial_state = &cases[at];
		}
	}
	/* cmocka's macro takes the size of an array. */
	return _cmocka_run_group_tests("registry", table, at, start_server, end_server);
}
