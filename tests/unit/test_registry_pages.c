/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists page by page: each row once, in the order of the whole list, whatever comes or goes. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

/* In the order of their bytes, which is no language's: capitals, digits and signs are not where
 * a dictionary has them. */
static const char *const names[] = {"1", "A", "B-1", "Z", "_x", "a", "a-b", "a.b", "a0", "ab", "b"};

static void make_routers(struct registry *r)
{
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		const char *name = names[(i * 7) % N_ELEMENTS(names)];
		char asset_id[TOKEN_NAME_SIZE];
		struct err err;

		(void)snprintf(asset_id, sizeof(asset_id), "X%s", name);
		assert_ok(registry_node_set_asset_id(r, name, "n1", asset_id, &world_origin, &err),
			  &err);
		(void)snprintf(asset_id, sizeof(asset_id), "Y%s", name);
		assert_ok(registry_node_set_asset_id(r, name, "N0", asset_id, &world_origin, &err),
			  &err);
	}
}

static void test_routers(struct registry_world *w)
{
	char after[TOKEN_NAME_SIZE] = "";
	struct registry_router *rows;
	struct err err;
	size_t seen = 0;
	size_t n;

	make_routers(w->r);
	do {
		assert_ok(registry_routers_page(w->r, after, 4, &rows, &n, &err), &err);
		assert_true(n <= 4);
		for (size_t i = 0; i < n; i++) {
			assert_string_equal(rows[i].name, names[seen++]);
			assert_int_equal(rows[i].n_nodes, 2);
		}
		if (n > 0)
			(void)snprintf(after, sizeof(after), "%s", rows[n - 1].name);
		free(rows);
	} while (n == 4);
	assert_int_equal(seen, N_ELEMENTS(names));
	/* The place is found although its router has gone. */
	assert_ok(registry_router_delete(w->r, "Z", &world_origin, &err), &err);
	assert_ok(registry_routers_page(w->r, "Z", 1, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "_x");
	free(rows);
	assert_ok(registry_routers_page(w->r, "b", 1, &rows, &n, &err), &err);
	assert_int_equal(n, 0);
	free(rows);
}

static void test_nodes_of_a_page(struct registry_world *w)
{
	struct registry_node *rows;
	struct registry_router one;
	struct err err;
	size_t n;

	make_routers(w->r);
	assert_ok(registry_nodes_between(w->r, "B-1", "a-b", &rows, &n, &err), &err);
	assert_int_equal(n, 2 * 5);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(rows[i].router, names[2 + i / 2]);
		assert_string_equal(rows[i].name, i % 2 ? "n1" : "N0");
	}
	free(rows);
	assert_ok(registry_router_find(w->r, "a.b", &one, &err), &err);
	assert_string_equal(one.name, "a.b");
	assert_int_equal(one.n_nodes, 2);
	assert_int_equal(registry_router_find(w->r, "A.B", &one, &err), -ENOENT);
	assert_contains(err.text, "there is no router A.B");
}

/* Nodes of one router, which are enrolled by the token of world_configure(). */
static void enrol_nodes(struct registry *r, unsigned count)
{
	world_configure(r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < count; i++) {
		struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, i);
		struct registry_decision decision;
		char node[8];
		char asset_id[8];
		struct err err;

		(void)snprintf(node, sizeof(node), "n%u", i);
		(void)snprintf(asset_id, sizeof(asset_id), "A%u", i);
		assert_ok(registry_node_set_asset_id(r, "r0", node, asset_id, &world_origin, &err),
			  &err);
		proof.asset_id = asset_id;
		assert_int_equal(world_enrol(r, &proof, &decision), REGISTRY_VERDICT_NEW);
	}
}

static void test_enrolments(struct registry_world *w)
{
	struct registry_enrolment *rows;
	struct err err;
	size_t n;

	enrol_nodes(w->r, 5);
	for (unsigned of_router = 0; of_router < 2; of_router++) {
		const char *router = of_router ? "r0" : NULL;

		assert_ok(registry_enrolments_page(w->r, router, "", "", 3, &rows, &n, &err), &err);
		assert_int_equal(n, 3);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(rows[i].node[1], '0' + (int)i);
		free(rows);
		assert_ok(registry_enrolments_page(w->r, router, "r0", "n2", 3, &rows, &n, &err),
			  &err);
		assert_int_equal(n, 2);
		assert_string_equal(rows[1].node, "n4");
		free(rows);
	}
	assert_ok(registry_enrolments_page(w->r, "r1", "", "", 3, &rows, &n, &err), &err);
	assert_int_equal(n, 0);
	free(rows);
}

/* Each enrolment's key, with its router: who of them has a tunnel is asked by it. */
static void test_keys_of_all(struct registry_world *w)
{
	struct registry_enrolled_key *keys;
	struct registry_enrolment *rows;
	struct err err;
	size_t n;
	size_t n_keys;

	assert_ok(registry_enrolled_keys_list(w->r, &keys, &n_keys, &err), &err);
	assert_int_equal(n_keys, 0);
	free(keys);
	enrol_nodes(w->r, 3);
	assert_ok(registry_enrolments_page(w->r, NULL, "", "", 10, &rows, &n, &err), &err);
	assert_ok(registry_enrolled_keys_list(w->r, &keys, &n_keys, &err), &err);
	assert_int_equal(n_keys, n);
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;

		while (at < n_keys &&
		       memcmp(keys[at].ssh_key, rows[i].ssh_key, SSH_KEY_ED25519_SIZE) != 0)
			at++;
		assert_true(at < n_keys);
		assert_string_equal(keys[at].router, rows[i].router);
	}
	free(rows);
	free(keys);
}

/* Several of one second: their numbers order them. */
static void test_tokens(struct registry_world *w)
{
	struct registry_token *rows;
	struct err err;
	size_t n;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < 4; i++) {
		const struct registry_origin origin = world_later(i / 2);
		char jti[TOKEN_JTI_SIZE];
		struct registry_token_order order;
		struct registry_claims claims;

		(void)snprintf(jti, sizeof(jti), "%032x", 15 - i);
		order = world_order(jti, WORLD_NOW_S + 86400);
		assert_ok(registry_token_issue(w->r, &order, &origin, &claims, &err), &err);
		registry_claims_release(&claims);
	}
	for (unsigned of_router = 0; of_router < 2; of_router++) {
		const char *router = of_router ? "r0" : NULL;
		const char *jti = "0000000000000000000000000000000e";

		assert_ok(registry_tokens_page(w->r, router, WORLD_NOW_S, jti, 3, &rows, &n, &err),
			  &err);
		assert_int_equal(n, 3);
		assert_string_equal(rows[0].jti, "0000000000000000000000000000000f");
		assert_string_equal(rows[1].jti, WORLD_JTI);
		assert_string_equal(rows[2].jti, "0000000000000000000000000000000c");
		free(rows);
		assert_ok(registry_tokens_page(w->r, router, 0, "", 100, &rows, &n, &err), &err);
		assert_int_equal(n, 5); /* with that of world_configure() */
		free(rows);
	}
}

static void test_audit(struct registry_world *w)
{
	struct registry *other = registry_world_open(w, "c1");
	struct registry_audit_row after = {0};
	struct registry_audit_row *rows;
	struct registry_audit_row *all;
	struct err err;
	size_t n_all;
	size_t seen = 0;
	size_t n;

	for (unsigned i = 0; i < 9; i++) {
		const struct registry_origin origin = world_later(i / 4);
		const struct registry_event event = {REGISTRY_REFUSED, i % 3 ? "r0" : "r1", NULL,
						     "because"};

		assert_ok(registry_audit_append(i % 2 ? other : w->r, &origin, &event, &err), &err);
	}
	assert_ok(registry_audit_query(w->r, NULL, 0, &all, &n_all, &err), &err);
	assert_int_equal(n_all, 9);
	do {
		assert_ok(registry_audit_page(w->r, NULL, 0, seen ? &after : NULL, 2, &rows, &n,
					      &err),
			  &err);
		for (size_t i = 0; i < n; i++, seen++) {
			assert_int_equal(rows[i].sequence, all[seen].sequence);
			assert_string_equal(rows[i].conductor, all[seen].conductor);
		}
		if (n > 0)
			after = rows[n - 1];
		free(rows);
	} while (n == 2);
	assert_int_equal(seen, n_all);
	assert_ok(registry_audit_page(w->r, "r1", WORLD_NOW_S + 1, NULL, 100, &rows, &n, &err),
		  &err);
	assert_int_equal(n, 1); /* number 6: 0 and 3 were before */
	free(rows);
	/* Since then, although the page before ended earlier. */
	assert_ok(registry_audit_page(w->r, NULL, WORLD_NOW_S + 2, &all[0], 100, &rows, &n, &err),
		  &err);
	assert_int_equal(n, 1);
	free(rows);
	free(all);
	registry_close(other);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_routers),    REGISTRY_TEST(test_nodes_of_a_page),
		REGISTRY_TEST(test_enrolments), REGISTRY_TEST(test_keys_of_all),
		REGISTRY_TEST(test_tokens),     REGISTRY_TEST(test_audit),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
