/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A change is all or nothing, and what is deleted takes all that it has given with it: on both
 * databases. */
#include "registry_lists.h"
#include "registry_world.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include "base/macros.h"

#define A0    "A0"
#define OTHER "ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfe"

static struct registry_candidate look_up(struct registry_world *w, const char *asset_id)
{
	struct registry_question question = world_question("r0", asset_id, WORLD_JTI);
	struct registry_candidate candidate;
	struct err err;

	assert_ok(registry_lookup(w->r, &question, WORLD_NOW_S, &candidate, &err), &err);
	return candidate;
}

static void set_asset_id(struct registry_world *w, const char *node, const char *asset_id)
{
	struct err err;

	assert_ok(registry_node_set_asset_id(w->r, "r0", node, asset_id, &world_origin, &err),
		  &err);
}

/* Is the token dead, for the device that has it and for one that is half through a handshake? */
static void assert_token_is_dead(struct registry_world *w, const char *asset_id)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 1);
	struct registry_candidate candidate = look_up(w, asset_id);
	struct registry_decision decision;

	assert_true(candidate.token_is_known);
	assert_true(candidate.token_is_revoked);
	proof.asset_id = asset_id;
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_TOKEN_REVOKED);
}

static void test_a_node_takes_its_tokens(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct registry_authorized_key *keys;
	struct err err;
	size_t n;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	assert_ok(registry_node_delete(w->r, "r0", "n0", &world_origin, &err), &err);
	assert_int_equal(world_count_enrolments(w->r), 0);
	assert_ok(list_keys(w->r, &keys, &n, &err), &err);
	assert_int_equal(n, 0);
	free(keys);
	set_asset_id(w, "n0", A0);
	assert_token_is_dead(w, A0);
}

/* The same device under another node's name, and another device under the same. */
static void test_a_renamed_node_takes_its_tokens(struct registry_world *w)
{
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_node_delete(w->r, "r0", "n0", &world_origin, &err), &err);
	set_asset_id(w, "n9", A0);
	assert_token_is_dead(w, A0);
}

static void test_an_asset_id_takes_its_tokens(struct registry_world *w)
{
	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set_asset_id(w, "n0", A0); /* what is there already changes nothing */
	assert_false(look_up(w, A0).token_is_revoked);
	set_asset_id(w, "n0", NULL);
	set_asset_id(w, "n0", A0);
	assert_token_is_dead(w, A0);
}

static void test_a_second_nodes_asset_id_too(struct registry_world *w)
{
	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set_asset_id(w, "n1", "A1");
	set_asset_id(w, "n1", NULL);
	assert_token_is_dead(w, A0);
}

static void test_a_secret_takes_its_tokens(struct registry_world *w)
{
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_router_set_secret(w->r, "r0", WORLD_SECRET, &world_origin, &err), &err);
	assert_false(look_up(w, A0).token_is_revoked);
	assert_ok(registry_router_set_secret(w->r, "r0", OTHER, &world_origin, &err), &err);
	assert_ok(registry_router_set_secret(w->r, "r0", WORLD_SECRET, &world_origin, &err), &err);
	assert_token_is_dead(w, A0);
}

/* Who was enrolled by what is taken away is out, and stays out when it is given back. */
static void test_an_asset_id_takes_its_enrolment(struct registry_world *w)
{
	static const char *const instead[] = {NULL, "A9"};
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct err err;

	for (unsigned i = 0; i < N_ELEMENTS(instead); i++) {
		world_configure(w->r, ONBOARDING_PSK_ONLY);
		assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
		set_asset_id(w, "n0", A0); /* what is there already ends nothing */
		assert_int_equal(world_count_enrolments(w->r), 1);
		set_asset_id(w, "n0", instead[i]);
		assert_int_equal(world_count_enrolments(w->r), 0);
		set_asset_id(w, "n0", A0);
		assert_int_equal(world_count_enrolments(w->r), 0);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
}

static void set_endorsement_key(struct registry_world *w, struct span key)
{
	struct err err;

	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", key, &world_origin, &err),
		  &err);
}

static void test_an_endorsement_key_takes_its_enrolment(struct registry_world *w)
{
	const struct span instead[] = {span_of(NULL, 0), world_endorsement_key(1)};
	struct registry_proof proof = world_proof(ONBOARDING_STRONG, 0);
	struct registry_decision decision;
	struct err err;

	proof.pin.kind = REGISTRY_PIN_ENDORSEMENT_KEY;
	registry_digest(world_endorsement_key(0), proof.pin.digest);
	for (unsigned i = 0; i < N_ELEMENTS(instead); i++) {
		world_configure(w->r, ONBOARDING_STRONG);
		set_endorsement_key(w, world_endorsement_key(0));
		assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
		set_endorsement_key(w, world_endorsement_key(0));
		assert_int_equal(world_count_enrolments(w->r), 1);
		set_endorsement_key(w, instead[i]);
		assert_int_equal(world_count_enrolments(w->r), 0);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
}

/* Who was let in by its certificate has nothing of a key that is another proof. */
static void test_an_endorsement_key_leaves_others(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_STRONG, 0);
	struct registry_decision decision;

	world_configure(w->r, ONBOARDING_STRONG);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	set_endorsement_key(w, world_endorsement_key(0));
	set_endorsement_key(w, span_of(NULL, 0));
	assert_int_equal(world_count_enrolments(w->r), 1);
}

/* Tokens of another router are none of it. */
static void test_others_tokens_stay(struct registry_world *w)
{
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	world_configure_router(w->r, "r1", "B0", "00000000000000000000000000000001",
			       ONBOARDING_PSK_ONLY);
	assert_ok(registry_node_delete(w->r, "r1", "n0", &world_origin, &err), &err);
	assert_ok(registry_router_delete(w->r, "r1", &world_origin, &err), &err);
	assert_false(look_up(w, A0).token_is_revoked);
	assert_true(look_up(w, A0).token_is_known);
}

static struct registry_node only_node(struct registry_world *w)
{
	struct registry_node *rows;
	struct registry_node node;
	struct err err;
	size_t n;

	assert_ok(registry_nodes_list(w->r, "r0", &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	node = rows[0];
	free(rows);
	return node;
}

/* Each second half is refused, by its form or by what others have: the first is not done either. */
static void test_a_node_is_put_whole(struct registry_world *w)
{
	const struct registry_node_changes rows[] = {
		{true, "A9", true, span_of_string("no key")},
		{true, "A9", true, world_endorsement_key(1)}, /* r1's */
		{true, "B0", true, world_endorsement_key(0)}, /* r1's */
		{true, "a b", true, world_endorsement_key(0)},
	};
	struct err err;

	world_configure(w->r, ONBOARDING_STRONG);
	world_configure_router(w->r, "r1", "B0", "00000000000000000000000000000001",
			       ONBOARDING_STRONG);
	assert_ok(registry_node_set_endorsement_key(w->r, "r1", "n0", world_endorsement_key(1),
						    &world_origin, &err),
		  &err);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		int rc = registry_node_put(w->r, "r0", "n0", &rows[i], &world_origin, &err);

		assert_true(rc == -EINVAL || rc == -EEXIST);
		assert_string_equal(only_node(w).asset_id, A0);
		assert_int_equal(only_node(w).endorsement_key_size, 0);
		assert_false(look_up(w, A0).token_is_revoked);
		/* Nor is there a node that was to be made. */
		rc = registry_node_put(w->r, "r9", "n9", &rows[i], &world_origin, &err);
		assert_true(rc == -EINVAL || rc == -EEXIST);
		assert_int_equal(registry_router_delete(w->r, "r9", &world_origin, &err), -ENOENT);
	}
}

static void test_both_halves_are_put(struct registry_world *w)
{
	const struct registry_node_changes node = {true, "A9", true, world_endorsement_key(0)};
	const struct registry_router_changes router = {
		.sets_mode = true, .mode = ONBOARDING_WEAK, .sets_secret = true, .secret = OTHER};
	struct err err;

	world_configure(w->r, ONBOARDING_STRONG);
	assert_ok(registry_node_put(w->r, "r0", "n0", &node, &world_origin, &err), &err);
	assert_string_equal(only_node(w).asset_id, "A9");
	assert_int_equal(only_node(w).endorsement_key_size, world_endorsement_key(0).size);
	assert_ok(registry_router_put(w->r, "r0", &router, &world_origin, &err), &err);
	assert_int_equal(look_up(w, "A9").claims.mode, ONBOARDING_WEAK);
	assert_memory_equal(look_up(w, "A9").claims.secret, OTHER, TOKEN_SECRET_SIZE);
}

/* Written by somebody else: what is too long is nobody's name, and not that of whoever has its
 * beginning. */
static void test_no_name_is_cut(struct registry_world *w)
{
#define LONGEST "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
	struct registry_session session = {.driver = w->driver, .conductor = "c0"};
	struct registry_question question = world_question(LONGEST, "A7", WORLD_JTI);
	struct registry_candidate candidate;
	struct registry_router *rows;
	struct err err;
	size_t n;

	assert_int_equal(strlen(LONGEST), TOKEN_NAME_SIZE - 1);
	world_configure_router(w->r, LONGEST, "A0", WORLD_JTI, ONBOARDING_PSK_ONLY);
	assert_ok(w->driver->connect(&session.connection, w->uri, world_patience(), &err), &err);
	assert_ok(w->driver->execute(session.connection,
				     "INSERT INTO routers (name, mode, configuration, revision)"
				     " VALUES ('" LONGEST "x', 'psk-only', '{}', 0);"
				     "INSERT INTO nodes (router, name, asset_id, listen_port)"
				     " VALUES ('" LONGEST "x', 'n7', 'A7', 20007)",
				     &err),
		  &err);
	w->driver->disconnect(session.connection);
	assert_ok(registry_routers_list(w->r, &rows, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].name, "");
	assert_string_equal(rows[1].name, LONGEST);
	free(rows);
	assert_int_equal(registry_lookup(w->r, &question, WORLD_NOW_S, &candidate, &err), -ENOENT);
	assert_contains(err.text, "asset-id A7");
#undef LONGEST
}

static void set_form(EVP_PKEY *key, const char *form)
{
	assert_int_equal(EVP_PKEY_set_utf8_string_param(
				 key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form),
			 1);
}

/* On curves, too; each written in the one way in which a router shows it. */
static void test_endorsement_keys_on_curves(struct registry_world *w)
{
	static const struct {
		const char *curve; /* NULL = Ed25519 */
		const char *form;
		const char *reason; /* NULL = taken */
	} rows[] = {
		{"P-256", "uncompressed", NULL},
		{"P-384", "uncompressed", NULL},
		{"P-521", "uncompressed", NULL},
		{"P-384", "compressed", "no whole point of P-256, P-384 or P-521"},
		{"P-256", "hybrid", "no whole point of P-256, P-384 or P-521"},
		{"secp256k1", "uncompressed", "on a curve that is not taken"},
		{NULL, NULL, "no RSA key of at least 2048 bits and no whole point"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		EVP_PKEY *key = rows[i].curve ? EVP_EC_gen(rows[i].curve)
					      : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		uint8_t *der = NULL;
		struct err err = {0};
		int size;
		int rc;

		if (rows[i].curve)
			set_form(key, rows[i].form);
		size = i2d_PUBKEY(key, &der);
		rc = registry_node_set_endorsement_key(w->r, "r0", "n0", span_of(der, (size_t)size),
						       &world_origin, &err);
		if (rc != (rows[i].reason ? -EINVAL : 0))
			fail_msg("row %u: %d %s", i, rc, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		else
			assert_memory_equal(only_node(w).endorsement_key, der, (size_t)size);
		OPENSSL_free(der);
		EVP_PKEY_free(key);
	}
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_a_node_takes_its_tokens),
		REGISTRY_TEST(test_a_renamed_node_takes_its_tokens),
		REGISTRY_TEST(test_an_asset_id_takes_its_tokens),
		REGISTRY_TEST(test_a_second_nodes_asset_id_too),
		REGISTRY_TEST(test_an_asset_id_takes_its_enrolment),
		REGISTRY_TEST(test_an_endorsement_key_takes_its_enrolment),
		REGISTRY_TEST(test_endorsement_keys_on_curves),
		REGISTRY_TEST(test_an_endorsement_key_leaves_others),
		REGISTRY_TEST(test_a_secret_takes_its_tokens),
		REGISTRY_TEST(test_others_tokens_stay),
		REGISTRY_TEST(test_a_node_is_put_whole),
		REGISTRY_TEST(test_both_halves_are_put),
		REGISTRY_TEST(test_no_name_is_cut),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
