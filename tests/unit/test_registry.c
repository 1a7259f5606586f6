/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registry's operations, each on both databases. */
#include "pki.h"
#include "registry_lists.h"
#include "registry_world.h"

#include <openssl/x509.h>

#include "base/macros.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_counts.h"
#include "conductor/registry/registry_initialization.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

#define OTHER_JTI "ffffffffffffffffffffffffffffffff"

static const struct registry_secret_values no_secrets;

static void set_asset_id(struct registry *r, const char *router, const char *node, const char *id)
{
	struct err err;

	assert_ok(registry_node_set_asset_id(r, router, node, id, &world_origin, &err), &err);
}

static void set_mode(struct registry *r, enum onboarding_mode mode)
{
	struct err err;

	assert_ok(registry_router_set_mode(r, "r0", mode, &world_origin, &err), &err);
}

static int look_up(struct registry *r, const char *router, const char *asset_id, const char *jti,
		   struct registry_candidate *ret)
{
	struct registry_question question = world_question(router, asset_id, jti);
	struct err err;

	return registry_lookup(r, &question, WORLD_NOW_S, ret, &err);
}

static int refused_lookup(struct registry *r, const char *asset_id, struct err *err)
{
	struct registry_question question = world_question("r0", asset_id, WORLD_JTI);
	struct registry_candidate candidate;

	return registry_lookup(r, &question, WORLD_NOW_S, &candidate, err);
}

static void test_routers(struct registry_world *w)
{
	static const char *const names[] = {"b", "a-1", "a.1", "B", "a_1"};
	static const char *const sorted[] = {"B", "a-1", "a.1", "a_1", "b"}; /* by bytes */
	struct registry_router *rows;
	struct err err;
	size_t n;

	assert_ok(registry_routers_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < N_ELEMENTS(names); i++)
		assert_ok(registry_router_add(w->r, names[i], &world_origin, &err), &err);
	assert_ok(registry_router_add(w->r, "b", &world_origin, &err), &err);
	assert_ok(registry_router_set_mode(w->r, "B", ONBOARDING_WEAK, &world_origin, &err), &err);
	set_asset_id(w->r, "B", "n1", NULL);
	assert_ok(registry_routers_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, N_ELEMENTS(names));
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(rows[i].name, sorted[i]);
	assert_int_equal(rows[0].mode, ONBOARDING_WEAK);
	assert_true(rows[0].has_secret);
	assert_int_equal(rows[0].n_nodes, 1);
	assert_int_equal(rows[1].mode, ONBOARDING_DISABLED);
	assert_false(rows[1].has_secret);
	free(rows);
	assert_ok(registry_router_delete(w->r, "B", &world_origin, &err), &err);
	assert_int_equal(registry_router_delete(w->r, "B", &world_origin, &err), -ENOENT);
	assert_contains(err.text, "there is no router B");
}

/* Enabling makes a secret that then stays. */
static void test_secret(struct registry_world *w)
{
	static const char *const bad[] = {
		"",                                                  /* empty is not "none" */
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU",   /* 47 */
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW", /* 49 */
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU'",  /* not of the alphabet */
	};
	struct registry_candidate first;
	struct registry_candidate then;
	struct err err;

	set_asset_id(w->r, "r0", "n0", "A0");
	set_mode(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &first), 0);
	assert_true(first.claims.has_secret);
	assert_true(token_secret_is_valid(span_of(first.claims.secret, TOKEN_SECRET_SIZE)));
	set_mode(w->r, ONBOARDING_DISABLED);
	set_mode(w->r, ONBOARDING_STRONG);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &then), 0);
	assert_memory_equal(first.claims.secret, then.claims.secret, TOKEN_SECRET_SIZE);
	assert_ok(registry_router_set_secret(w->r, "r0", NULL, &world_origin, &err), &err);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &then), 0);
	assert_memory_not_equal(first.claims.secret, then.claims.secret, TOKEN_SECRET_SIZE);
	for (unsigned i = 0; i < N_ELEMENTS(bad); i++) {
		assert_int_equal(
			registry_router_set_secret(w->r, "r0", bad[i], &world_origin, &err),
			-EINVAL);
		if (*bad[i])
			assert_null(strstr(err.text, bad[i]));
	}
	assert_ok(registry_router_set_secret(w->r, "r0", WORLD_SECRET, &world_origin, &err), &err);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &then), 0);
	assert_memory_equal(WORLD_SECRET, then.claims.secret, TOKEN_SECRET_SIZE);
	registry_candidate_release(&then);
	assert_false(then.claims.has_secret);
}

static void test_asset_ids_are_unique(struct registry_world *w)
{
	struct err err;

	set_asset_id(w->r, "r2", "node1", "A0");
	set_asset_id(w->r, "r2", "node1", "A0"); /* once more */
	assert_int_equal(registry_node_set_asset_id(w->r, "r3", "node1", "A0", &world_origin, &err),
			 -EEXIST);
	assert_string_equal(err.text, "registry: asset-id A0 is already node1's of r2");
	set_asset_id(w->r, "r2", "node1", "A1");
	set_asset_id(w->r, "r3", "node1", "A0"); /* free now */
	set_asset_id(w->r, "r3", "node1", NULL);
	set_asset_id(w->r, "r3", "node2", NULL); /* none is not one that two have */
	assert_ok(registry_node_delete(w->r, "r2", "node1", &world_origin, &err), &err);
	set_asset_id(w->r, "r3", "node1", "A1");
	assert_int_equal(registry_node_delete(w->r, "r2", "node1", &world_origin, &err), -ENOENT);
	assert_contains(err.text, "router r2 has no node node1");
}

static void test_asset_ids_fit_a_token(struct registry_world *w)
{
	struct registry_candidate candidate;
	struct err err;
	char name[16];

	for (int i = TOKEN_ASSET_IDS_MAX; i > 0; i--) {
		(void)snprintf(name, sizeof(name), "A%d", i);
		set_asset_id(w->r, "r0", name, name);
	}
	assert_int_equal(
		registry_node_set_asset_id(w->r, "r0", "more", "More", &world_origin, &err),
		-E2BIG);
	assert_int_equal(look_up(w->r, "r0", "A7", WORLD_JTI, &candidate), 0);
	assert_int_equal(candidate.claims.n_asset_ids, TOKEN_ASSET_IDS_MAX);
	assert_string_equal(candidate.claims.asset_ids[0], "A1");
	assert_string_equal(candidate.claims.asset_ids[1], "A10"); /* by bytes */
	assert_int_equal(look_up(w->r, "r0", "More", WORLD_JTI, &candidate), -ENOENT);
}

static void test_endorsement_keys(struct registry_world *w)
{
	static const struct {
		int bits;
		const char *exponent;
		const char *reason;
	} dear[] = {
		{1024, "10001", "n0 of r1: it: an RSA modulus of 1024 bits"},
		{3072, "100000001", "n0 of r1: it: an RSA exponent of 33 bits"},
	};
	struct span key = world_endorsement_key(0);
	struct registry_node *rows;
	uint8_t longer[1024];
	struct err err;
	size_t n;

	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", key, &world_origin, &err),
		  &err);
	assert_int_equal(
		registry_node_set_endorsement_key(w->r, "r1", "n0", key, &world_origin, &err),
		-EEXIST);
	assert_string_equal(err.text, "registry: this endorsement key is already n0's of r0");
	memcpy(longer, key.bytes, key.size);
	longer[key.size] = 0;
	assert_int_equal(registry_node_set_endorsement_key(w->r, "r1", "n0",
							   span_of(longer, key.size + 1),
							   &world_origin, &err),
			 -EINVAL);
	assert_int_equal(registry_node_set_endorsement_key(w->r, "r1", "n0",
							   span_of(longer, key.size - 1),
							   &world_origin, &err),
			 -EINVAL);
	assert_contains(err.text, "endorsement key of n0 of r1: no public key in DER");
	for (unsigned i = 0; i < N_ELEMENTS(dear); i++) {
		EVP_PKEY *unfit = pki_public_key(dear[i].bits, dear[i].exponent);
		uint8_t *der = NULL;
		int size = i2d_PUBKEY(unfit, &der);

		assert_int_equal(registry_node_set_endorsement_key(w->r, "r1", "n0",
								   span_of(der, (size_t)size),
								   &world_origin, &err),
				 -EINVAL);
		assert_contains(err.text, dear[i].reason);
		OPENSSL_free(der);
		EVP_PKEY_free(unfit);
	}
	assert_ok(registry_nodes_list(w->r, NULL, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].endorsement_key_size, key.size);
	assert_memory_equal(rows[0].endorsement_key, key.bytes, key.size);
	free(rows);
	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", span_of(NULL, 0),
						    &world_origin, &err),
		  &err);
	assert_ok(registry_node_set_endorsement_key(w->r, "r1", "n0", key, &world_origin, &err),
		  &err);
}

static void test_ports(struct registry_world *w)
{
	static const uint16_t ports[] = {10000, 10001, 10002, 10001};
	struct registry_node *rows;
	struct err err;
	size_t n;

	set_asset_id(w->r, "r0", "n0", "A0");
	set_asset_id(w->r, "r0", "n1", "A1");
	set_asset_id(w->r, "r1", "n0", "A2");
	set_asset_id(w->r, "r0", "n0", "A3"); /* keeps its port */
	assert_ok(registry_nodes_list(w->r, NULL, &rows, &n, &err), &err);
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rows[i].listen_port, ports[i]);
	free(rows);
	assert_ok(registry_node_delete(w->r, "r0", "n1", &world_origin, &err), &err);
	set_asset_id(w->r, "r2", "n0", "A4"); /* the gap */
	assert_ok(registry_nodes_list(w->r, "r2", &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].listen_port, ports[3]);
	free(rows);
}

static void test_configuration(struct registry_world *w)
{
	static const char text[] = "{\"a\":\"it's \\\"quoted\\\"; -- \xc3\xa9 $1 ?\"}";
	int64_t revision;
	struct err err;
	char *got;

	assert_int_equal(registry_router_get_configuration(w->r, "r0", &got, &revision, &err),
			 -ENOENT);
	assert_ok(registry_router_set_configuration(w->r, "r0", text, &no_secrets, 0, &world_origin,
						    &err),
		  &err);
	assert_ok(registry_router_get_configuration(w->r, "r0", &got, &revision, &err), &err);
	assert_string_equal(got, text);
	assert_int_equal(revision, 1);
	free(got);
	assert_int_equal(registry_router_set_configuration(w->r, "r0", "{}", &no_secrets, 0,
							   &world_origin, &err),
			 -EBUSY);
	assert_contains(err.text, "revision 0 was edited, and 1 is there");
	assert_ok(registry_router_set_configuration(w->r, "r0", "{}", &no_secrets, 1, &world_origin,
						    &err),
		  &err);
}

static void test_token_says_what_is_missing(struct registry_world *w)
{
	struct registry_token_order order = world_order(WORLD_JTI, WORLD_NOW_S + 60);
	struct registry_claims claims;
	struct registry_token *rows;
	struct err err;
	size_t n;

#define ISSUE() registry_token_issue(w->r, &order, &world_origin, &claims, &err)
	assert_int_equal(ISSUE(), -EINVAL);
	assert_contains(err.text, "there is no router r0");
	set_asset_id(w->r, "r0", "n0", NULL);
	assert_int_equal(ISSUE(), -EINVAL);
	assert_contains(err.text, "mode is disabled");
	set_mode(w->r, ONBOARDING_WEAK);
	assert_int_equal(ISSUE(), -EINVAL);
	assert_contains(err.text, "no node of it has an asset-id");
	assert_int_equal(claims.has_secret, false);
	set_asset_id(w->r, "r0", "n0", "A0");
	assert_int_equal(world_count_audit(w->r, REGISTRY_TOKEN_ISSUED), 0);
	assert_ok(ISSUE(), &err);
#undef ISSUE
	assert_true(claims.has_secret);
	assert_int_equal(claims.n_asset_ids, 1);
	registry_claims_release(&claims);
	assert_int_equal(world_count_audit(w->r, REGISTRY_TOKEN_ISSUED), 1);
	assert_ok(list_tokens(w->r, "r0", &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].jti, WORLD_JTI);
	assert_int_equal(rows[0].issued_s, WORLD_NOW_S);
	assert_int_equal(rows[0].expires_s, WORLD_NOW_S + 60);
	assert_int_equal(rows[0].revoked_s, 0);
	free(rows);
}

static void test_revocation(struct registry_world *w)
{
	struct registry_candidate candidate;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &candidate), 0);
	assert_true(candidate.token_is_known && !candidate.token_is_revoked);
	assert_int_equal(candidate.token_expires_s, WORLD_NOW_S + 86400);
	assert_int_equal(registry_token_revoke(w->r, OTHER_JTI, &world_origin, &err), -ENOENT);
	assert_ok(registry_token_revoke(w->r, WORLD_JTI, &world_origin, &err), &err);
	assert_ok(registry_token_revoke(w->r, WORLD_JTI, &world_origin, &err), &err);
	assert_int_equal(world_count_audit(w->r, REGISTRY_TOKEN_REVOKED), 1);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &candidate), 0);
	assert_true(candidate.token_is_known && candidate.token_is_revoked);
	assert_int_equal(look_up(w->r, "r0", "A0", OTHER_JTI, &candidate), 0);
	assert_false(candidate.token_is_known);
}

static void test_counts(struct registry_world *w)
{
	const struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 1);
	const struct registry_token_order short_lived = world_order(OTHER_JTI, WORLD_NOW_S + 60);
	struct registry_decision decision;
	struct registry_claims claims;
	struct registry_counts all;
	struct registry_counts one;
	struct err err;

	assert_ok(registry_counts_read(w->r, NULL, WORLD_NOW_S, &all, &err), &err);
	assert_int_equal(all.routers[ONBOARDING_DISABLED] + all.nodes + all.tokens_valid, 0);
	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_token_issue(w->r, &short_lived, &world_origin, &claims, &err), &err);
	registry_claims_release(&claims);
	(void)world_enrol(w->r, &proof, &decision);
	assert_ok(registry_node_set_asset_id(w->r, "r1", "n0", "A1", &world_origin, &err), &err);
	assert_ok(registry_node_set_asset_id(w->r, "r1", "n1", "A2", &world_origin, &err), &err);

	assert_ok(registry_counts_read(w->r, NULL, WORLD_NOW_S + 59, &all, &err), &err);
	assert_int_equal(all.routers[ONBOARDING_PSK_ONLY], 1);
	assert_int_equal(all.routers[ONBOARDING_DISABLED], 1);
	assert_int_equal(all.nodes, 3);
	assert_int_equal(all.enrolments, 1);
	assert_int_equal(all.tokens_valid, 2);
	assert_ok(registry_token_revoke(w->r, WORLD_JTI, &world_origin, &err), &err);
	assert_ok(registry_counts_read(w->r, NULL, WORLD_NOW_S + 60, &all, &err), &err);
	assert_int_equal(all.tokens_valid, 0);
	assert_int_equal(all.tokens_expired, 1);
	assert_int_equal(all.tokens_revoked, 1);

	assert_ok(registry_counts_read(w->r, "r1", WORLD_NOW_S, &one, &err), &err);
	assert_int_equal(one.routers[ONBOARDING_DISABLED], 1);
	assert_int_equal(one.routers[ONBOARDING_PSK_ONLY], 0);
	assert_int_equal(one.nodes, 2);
	assert_int_equal(one.enrolments + one.tokens_revoked + one.tokens_expired, 0);
	assert_int_equal(registry_counts_read(w->r, "r2", WORLD_NOW_S, &one, &err), -ENOENT);
	assert_string_equal(err.text, "there is no router r2");
}

static void test_lookup(struct registry_world *w)
{
	struct registry_candidate candidate;
	struct err err;

	world_configure(w->r, ONBOARDING_STRONG);
	set_asset_id(w->r, "r0", "n1", "A1");
	set_asset_id(w->r, "r1", "n0", "B0");
	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", world_endorsement_key(0),
						    &world_origin, &err),
		  &err);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &candidate), 0);
	assert_string_equal(candidate.claims.router, "r0");
	assert_string_equal(candidate.node, "n0");
	assert_int_equal(candidate.claims.mode, ONBOARDING_STRONG);
	assert_int_equal(candidate.claims.n_asset_ids, 2);
	assert_int_equal(candidate.listen_port, REGISTRY_PORT_FIRST);
	assert_int_equal(candidate.endorsement_key_size, world_endorsement_key(0).size);
	assert_int_equal(look_up(w->r, "r0", "A1", WORLD_JTI, &candidate), 0);
	assert_int_equal(candidate.endorsement_key_size, 0);
	assert_int_equal(refused_lookup(w->r, "A2", &err), -ENOENT);
	assert_contains(err.text, "asset-id A2 is no node's");
	assert_int_equal(refused_lookup(w->r, "B0", &err), -ENOENT);
	assert_contains(err.text, "asset-id B0 is n0's of router r1, not of r0");
	/* A token is its own router's alone. */
	assert_int_equal(look_up(w->r, "r1", "B0", WORLD_JTI, &candidate), 0);
	assert_false(candidate.token_is_known);
}

/* A token's signature fits no longer: the registry knows why. */
static void test_what_changed_since(struct registry_world *w)
{
	struct registry_question question = world_question("r0", "A0", WORLD_JTI);
	struct registry_candidate candidate;
	struct err err;

#define LOOK(words)                                                                                \
	assert_ok(registry_lookup(w->r, &question, WORLD_NOW_S, &candidate, &err), &err);          \
	assert_string_equal(candidate.changed, words)
	world_configure(w->r, ONBOARDING_WEAK);
	LOOK("");
	set_asset_id(w->r, "r0", "n1", "A1");
	LOOK("the router's asset-ids were changed since it was issued: then A0");
	set_asset_id(w->r, "r0", "n1", NULL);
	LOOK("");
	question.certificate = span_of_string("another");
	LOOK("the conductor's certificate was changed since it was issued");
	question = world_question("r0", "A0", WORLD_JTI);
	assert_ok(registry_router_set_secret(w->r, "r0", NULL, &world_origin, &err), &err);
	LOOK("the pre-shared secret was changed since it was issued");
#undef LOOK
}

static void test_deletion_takes_all(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct registry_candidate candidate;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	assert_int_equal(world_count_enrolments(w->r), 0);
	/* Made again with the same secret, its old token stays dead. */
	set_asset_id(w->r, "r0", "n0", "A0");
	assert_ok(registry_router_set_secret(w->r, "r0", WORLD_SECRET, &world_origin, &err), &err);
	set_mode(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI, &candidate), 0);
	assert_false(candidate.token_is_known);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_TOKEN_UNKNOWN);
	assert_int_equal(world_count_audit(w->r, REGISTRY_DELETED), 1);
}

static void test_clock(struct registry_world *w)
{
	struct registry *other = registry_world_open(w, "c1");
	struct registry_candidate candidate;
	struct registry_question question = world_question("r0", "A0", WORLD_JTI);
	struct registry_token_order order = world_order(OTHER_JTI, WORLD_NOW_S);
	struct registry_origin early = world_later(-301);
	struct registry_claims claims;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_clock_check(w->r, WORLD_NOW_S, &err), &err);
	assert_ok(registry_clock_check(w->r, WORLD_NOW_S - 300, &err), &err);
	assert_int_equal(registry_clock_check(w->r, WORLD_NOW_S - 301, &err), -ETIME);
	assert_contains(err.text, "it says 2027-01-15T07:54:59Z and has said 2027-01-15T08:00:00Z");
	assert_int_equal(registry_lookup(w->r, &question, early.time_s, &candidate, &err), -ETIME);
	assert_int_equal(registry_token_issue(w->r, &order, &early, &claims, &err), -ETIME);
	/* Each conductor has a clock of its own. */
	assert_ok(registry_clock_check(other, early.time_s, &err), &err);
	assert_ok(registry_clock_reset(w->r, &early, &err), &err);
	assert_ok(registry_clock_check(w->r, early.time_s, &err), &err);
	assert_int_equal(world_count_audit(w->r, REGISTRY_CLOCK_RESET), 1);
	registry_close(other);
}

static void test_conductors(struct registry_world *w)
{
	struct registry_conductor c1 = {.name = "c1",
					.host = "192.0.2.2",
					.port = 930,
					.ssh_host_keys = "AAAA\nBBBB",
					.seen_s = 5};
	struct registry_conductor c0 = {.name = "c0",
					.host = "192.0.2.1",
					.port = 930,
					.ssh_host_keys = "AAAA\nBBBB",
					.seen_s = 5};
	struct registry_conductor *rows;
	struct err err;
	size_t n;

	assert_ok(registry_conductor_register(w->r, &c1, &err), &err);
	assert_ok(registry_conductor_register(w->r, &c0, &err), &err);
	c1.port = 931;
	c1.seen_s = 6;
	assert_ok(registry_conductor_register(w->r, &c1, &err), &err);
	assert_ok(registry_conductors_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].name, "c0");
	assert_int_equal(rows[1].port, 931);
	assert_string_equal(rows[1].host, "192.0.2.2");
	assert_string_equal(rows[1].ssh_host_keys, "AAAA\nBBBB");
	assert_int_equal(rows[1].seen_s, 6);
	free(rows);
	c1.host[0] = '\0';
	assert_int_equal(registry_conductor_register(w->r, &c1, &err), -EINVAL);
	assert_ok(registry_conductor_remove(w->r, "c1", &world_origin, &err), &err);
	assert_int_equal(registry_conductor_remove(w->r, "c1", &world_origin, &err), -ENOENT);
}

static uint64_t list_version(struct registry *r)
{
	uint64_t version = 0;
	struct err err;

	assert_ok(registry_conductors_version(r, &version, &err), &err);
	return version;
}

static struct registry_own_row own_row(struct registry *r, const struct registry_conductor *self,
				       int64_t later_s)
{
	struct registry_own_row row;
	struct err err;

	assert_ok(registry_conductor_check(r, self, WORLD_NOW_S + later_s, &row, &err), &err);
	return row;
}

/* The version rises with what routers are told, and with nothing else. */
static void test_version_of_the_conductors(struct registry_world *w)
{
	struct registry_conductor c = {.name = "c0",
				       .host = "192.0.2.1",
				       .port = 930,
				       .ssh_host_keys = "AAAA\n",
				       .seen_s = WORLD_NOW_S};
	struct registry_origin origin = world_origin;
	struct registry_conductor *rows;
	struct err err;
	size_t n;

	assert_int_equal(list_version(w->r), 0);
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_int_equal(list_version(w->r), WORLD_NOW_S);
	c.seen_s += 10;
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_int_equal(list_version(w->r), WORLD_NOW_S);
	assert_int_equal(own_row(w->r, &c, 0).moved_s, 0);
	/* A key more, and the first one less: routers find it all the time. */
	(void)snprintf(c.ssh_host_keys, sizeof(c.ssh_host_keys), "AAAA\nBBBB\n");
	c.seen_s = WORLD_NOW_S - 5; /* by a clock that is late */
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_int_equal(list_version(w->r), WORLD_NOW_S + 1);
	(void)snprintf(c.ssh_host_keys, sizeof(c.ssh_host_keys), "BBBB\n");
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_int_equal(list_version(w->r), WORLD_NOW_S + 2);
	assert_int_equal(own_row(w->r, &c, 0).moved_s, 0);
	/* A key that is a part of another is another. */
	(void)snprintf(c.ssh_host_keys, sizeof(c.ssh_host_keys), "BBB\n");
	c.seen_s = WORLD_NOW_S + 20;
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_int_equal(own_row(w->r, &c, 0).moved_s, WORLD_NOW_S + 20);
	/* Another name at the same place: it was renamed. */
	(void)snprintf(c.name, sizeof(c.name), "renamed");
	c.seen_s = WORLD_NOW_S + 30;
	assert_ok(registry_conductor_register(w->r, &c, &err), &err);
	assert_ok(registry_conductors_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "renamed");
	assert_int_equal(rows[0].list_version, WORLD_NOW_S + 30);
	free(rows);
	origin.time_s = WORLD_NOW_S + 40;
	assert_ok(registry_conductor_remove(w->r, "renamed", &origin, &err), &err);
	assert_int_equal(list_version(w->r), WORLD_NOW_S + 40);
	assert_int_equal(registry_conductor_remove(w->r, "renamed", &origin, &err), -ENOENT);
	assert_int_equal(list_version(w->r), WORLD_NOW_S + 40);
}

static void test_two_conductors_of_one_name(struct registry_world *w)
{
	const struct registry_conductor one = {.name = "c0",
					       .host = "192.0.2.1",
					       .port = 930,
					       .ssh_host_keys = "AAAA\n",
					       .seen_s = WORLD_NOW_S};
	struct registry_conductor two = one;
	struct err err;

	(void)snprintf(two.host, sizeof(two.host), "192.0.2.2");
	assert_int_equal(own_row(w->r, &one, 0).standing, REGISTRY_IS_REMOVED);
	assert_ok(registry_conductor_register(w->r, &one, &err), &err);
	assert_int_equal(own_row(w->r, &one, 0).standing, REGISTRY_STANDS);
	assert_ok(registry_conductor_register(w->r, &two, &err), &err);
	assert_int_equal(own_row(w->r, &two, 0).standing, REGISTRY_STANDS); /* not known yet */
	assert_int_equal(own_row(w->r, &one, 1).standing, REGISTRY_IS_OTHERS);
	assert_string_equal(own_row(w->r, &one, 1).other, "192.0.2.2 port 930");
	assert_int_equal(own_row(w->r, &two, 2).standing, REGISTRY_IS_CONTESTED);
	assert_string_equal(own_row(w->r, &two, 2).other, "192.0.2.1 port 930");
	/* The other was stopped. */
	assert_int_equal(own_row(w->r, &two, 2 + REGISTRY_CONTESTED_S).standing, REGISTRY_STANDS);
}

static struct registry_enrolment enrolled(struct registry *r)
{
	struct registry_enrolment who;
	struct err err;

	assert_ok(registry_enrolment_of(r, "r0", "n0", &who, &err), &err);
	return who;
}

static enum registry_claim claim(struct registry *r, int64_t later)
{
	struct registry_origin origin = world_later(later);
	struct registry_enrolment who = enrolled(r);
	enum registry_claim claim;
	struct err err;

	assert_ok(registry_initialization_claim(r, &who, &origin, &claim, &err), &err);
	return claim;
}

static void test_initialization(struct registry_world *w)
{
	struct registry *other = registry_world_open(w, "c1");
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct registry_enrolment who = {.router = "r0", .node = "n0"};
	enum registry_claim ours;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(registry_initialization_claim(w->r, &who, &world_origin, &ours, &err),
			 -ENOENT);
	(void)world_enrol(w->r, &proof, &decision);
	who = enrolled(w->r);
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_OURS);
	assert_int_equal(claim(other, 300), REGISTRY_CLAIM_OTHERS);
	/* It asks all the while, and is no nearer to it. */
	assert_int_equal(claim(w->r, 300), REGISTRY_CLAIM_OURS);
	assert_int_equal(claim(other, 301), REGISTRY_CLAIM_OURS);
	assert_int_equal(claim(w->r, 302), REGISTRY_CLAIM_OTHERS);
	assert_int_equal(registry_initialization_finish(w->r, &who, &world_origin, &err), -ENOENT);
	assert_ok(registry_initialization_finish(other, &who, &world_origin, &err), &err);
	assert_int_equal(claim(w->r, 9999), REGISTRY_CLAIM_FINISHED);
	assert_int_equal(claim(other, 9999), REGISTRY_CLAIM_FINISHED);
	(void)world_enrol(w->r, &proof, &decision); /* a new handshake waits for it again */
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_OURS);
	assert_int_equal(claim(w->r, 301), REGISTRY_CLAIM_OURS); /* anybody's: it is the first */
	assert_int_equal(claim(other, 302), REGISTRY_CLAIM_OTHERS);
	registry_close(other);
}

#define SECOND_JTI "ffffffffffffffffffffffffffffffff"

/* Who has the configuration was reset meanwhile, and another device is in its place: that one waits
 * for its own. */
static void test_initialization_of_one_that_was_replaced(struct registry_world *w)
{
	struct registry_proof first = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_proof second = world_proof(ONBOARDING_PSK_ONLY, 1);
	struct registry_enrolment old;
	struct registry_enrolment new;
	struct registry_decision decision;
	enum registry_claim ours;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	(void)world_enrol(w->r, &first, &decision);
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_OURS);
	old = enrolled(w->r);
	assert_ok(registry_node_reset(w->r, "r0", "n0", &world_origin, &err), &err);
	world_configure_router(w->r, "r0", "A0", SECOND_JTI, ONBOARDING_PSK_ONLY);
	second.jti = SECOND_JTI;
	assert_int_equal(world_enrol(w->r, &second, &decision), REGISTRY_VERDICT_NEW);
	new = enrolled(w->r);
	assert_int_equal(registry_initialization_claim(w->r, &old, &world_origin, &ours, &err),
			 -ENOENT);
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_OURS);
	assert_int_equal(registry_initialization_finish(w->r, &old, &world_origin, &err), -ENOENT);
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_OURS);
	assert_ok(registry_initialization_finish(w->r, &new, &world_origin, &err), &err);
	assert_int_equal(claim(w->r, 0), REGISTRY_CLAIM_FINISHED);
}

/* What several threads do to one handle is done one after the other. */
static void append_sixteen(void *argument)
{
	struct registry_event event = {.outcome = REGISTRY_INITIALIZED, .reason = "of a thread"};

	for (int i = 0; i < 16; i++)
		assert_int_equal(registry_audit_append(argument, &world_origin, &event, NULL), 0);
}

static void test_sixty_four_calls_at_once(struct registry_world *w)
{
	uv_thread_t threads[4];

	for (unsigned i = 0; i < N_ELEMENTS(threads); i++)
		assert_int_equal(uv_thread_create(&threads[i], append_sixteen, w->r), 0);
	for (unsigned i = 0; i < N_ELEMENTS(threads); i++)
		assert_int_equal(uv_thread_join(&threads[i]), 0);
	assert_int_equal(world_count_audit(w->r, REGISTRY_INITIALIZED), 64);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_routers),
		REGISTRY_TEST(test_secret),
		REGISTRY_TEST(test_asset_ids_are_unique),
		REGISTRY_TEST(test_asset_ids_fit_a_token),
		REGISTRY_TEST(test_endorsement_keys),
		REGISTRY_TEST(test_ports),
		REGISTRY_TEST(test_configuration),
		REGISTRY_TEST(test_token_says_what_is_missing),
		REGISTRY_TEST(test_initialization_of_one_that_was_replaced),
		REGISTRY_TEST(test_revocation),
		REGISTRY_TEST(test_counts),
		REGISTRY_TEST(test_lookup),
		REGISTRY_TEST(test_what_changed_since),
		REGISTRY_TEST(test_deletion_takes_all),
		REGISTRY_TEST(test_clock),
		REGISTRY_TEST(test_conductors),
		REGISTRY_TEST(test_version_of_the_conductors),
		REGISTRY_TEST(test_two_conductors_of_one_name),
		REGISTRY_TEST(test_initialization),
		REGISTRY_TEST(test_sixty_four_calls_at_once),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
