/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commit of an enrolment: what is judged again, and that each refusal says why. */
#include "registry_lists.h"
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

static void set_mode(struct registry *r, enum onboarding_mode mode)
{
	struct err err;

	assert_ok(registry_router_set_mode(r, "r0", mode, &world_origin, &err), &err);
}

static void new_secret(struct registry *r)
{
	struct err err;

	assert_ok(registry_router_set_secret(r, "r0", NULL, &world_origin, &err), &err);
}

static void disable(struct registry *r)
{
	set_mode(r, ONBOARDING_DISABLED);
}

static void raise_mode(struct registry *r)
{
	set_mode(r, ONBOARDING_STRONG);
}

static void move_asset_id(struct registry *r)
{
	struct err err;

	assert_ok(registry_node_set_asset_id(r, "r0", "n0", "A1", &world_origin, &err), &err);
	assert_ok(registry_node_set_asset_id(r, "r1", "n0", "A0", &world_origin, &err), &err);
}

static void change_asset_id(struct registry *r)
{
	struct err err;

	assert_ok(registry_node_set_asset_id(r, "r0", "n0", "A1", &world_origin, &err), &err);
}

static void delete_router(struct registry *r)
{
	struct err err;

	assert_ok(registry_router_delete(r, "r0", &world_origin, &err), &err);
}

static void revoke_token(struct registry *r)
{
	struct err err;

	assert_ok(registry_token_revoke(r, WORLD_JTI, &world_origin, &err), &err);
}

static void reset(struct registry *r)
{
	struct err err;

	assert_ok(registry_node_reset(r, "r0", "n0", &world_origin, &err), &err);
}

static void see_later_time(struct registry *r)
{
	struct err err;

	assert_ok(registry_clock_check(r, WORLD_NOW_S + 301, &err), &err);
}

static void ask_for_endorsement_key(struct registry *r)
{
	struct err err;

	assert_ok(registry_node_set_endorsement_key(r, "r0", "n0", world_endorsement_key(0),
						    &world_origin, &err),
		  &err);
}

/* One change between message 1 and the commit. */
static void test_changed_during_the_handshake(struct registry_world *w)
{
	static const struct {
		enum onboarding_mode mode;
		void (*change)(struct registry *r);
		enum registry_verdict verdict;
		const char *reason;
	} rows[] = {
		{ONBOARDING_PSK_ONLY, disable, REGISTRY_VERDICT_MODE,
		 "mode disabled is asked for, psk-only was shown"},
		{ONBOARDING_WEAK, raise_mode, REGISTRY_VERDICT_MODE,
		 "mode strong is asked for, weak was shown"},
		{ONBOARDING_PSK_ONLY, new_secret, REGISTRY_VERDICT_SECRET,
		 "the pre-shared secret is another"},
		{ONBOARDING_WEAK, change_asset_id, REGISTRY_VERDICT_ASSET_ID,
		 "asset-id A0 is no node's"},
		{ONBOARDING_WEAK, move_asset_id, REGISTRY_VERDICT_ASSET_ID,
		 "asset-id A0 is n0's of router r1, not of r0"},
		{ONBOARDING_WEAK, delete_router, REGISTRY_VERDICT_ASSET_ID,
		 "asset-id A0 is no node's"},
		{ONBOARDING_STRONG, ask_for_endorsement_key, REGISTRY_VERDICT_IDENTITY,
		 "endorsement-key is asked for, certificate was shown"},
		{ONBOARDING_PSK_ONLY, revoke_token, REGISTRY_VERDICT_TOKEN_REVOKED, "was revoked"},
		{ONBOARDING_PSK_ONLY, reset, REGISTRY_VERDICT_TOKEN_REVOKED, "was revoked"},
		{ONBOARDING_PSK_ONLY, see_later_time, REGISTRY_VERDICT_CLOCK,
		 "the clock of conductor c0 was set back"},
	};
	struct registry_decision decision;
	struct err err;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct registry_proof proof = world_proof(rows[i].mode, i);

		world_configure(w->r, rows[i].mode);
		rows[i].change(w->r);
		if (world_enrol(w->r, &proof, &decision) != rows[i].verdict)
			fail_msg("row %u: %s", i, decision.reason);
		assert_contains(decision.reason, rows[i].reason);
		assert_int_equal(decision.listen_port, 0);
		assert_int_equal(world_count_enrolments(w->r), 0);
		assert_int_equal(world_count_audit(w->r, REGISTRY_REFUSED), i + 1);
		/* Away with everything, for the next row. */
		(void)registry_router_delete(w->r, "r0", &world_origin, &err);
		(void)registry_router_delete(w->r, "r1", &world_origin, &err);
	}
	assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), 0);
}

static void test_new_same_and_renewed(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_WEAK, 0);
	struct registry_enrolment *rows;
	struct registry_decision decision;
	struct err err;
	struct registry_enrolment one;
	size_t n;

	world_configure(w->r, ONBOARDING_WEAK);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	assert_string_equal(decision.node, "n0");
	assert_int_equal(decision.listen_port, REGISTRY_PORT_FIRST);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_SAME);
	proof.ssh_key = world_ssh_key(7);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_RENEWED);
	assert_int_equal(decision.listen_port, REGISTRY_PORT_FIRST);
	assert_ok(list_enrolments(w->r, "r0", &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].router, "r0");
	assert_string_equal(rows[0].node, "n0");
	assert_int_equal(rows[0].pin.kind, REGISTRY_PIN_CERTIFICATE);
	assert_memory_equal(rows[0].ssh_key, world_ssh_key(7).bytes, SSH_KEY_ED25519_SIZE);
	assert_false(rows[0].has_pcrs);
	assert_string_equal(rows[0].jti, WORLD_JTI);
	assert_int_equal(rows[0].enrolled_s, WORLD_NOW_S);
	assert_string_equal(rows[0].address, "192.0.2.1");
	assert_int_equal(rows[0].listen_port, REGISTRY_PORT_FIRST);
	assert_ok(registry_enrolment_at(w->r, REGISTRY_PORT_FIRST, &one, &err), &err);
	assert_memory_equal(&one, &rows[0], sizeof(one));
	assert_ok(registry_enrolment_of(w->r, "r0", "n0", &one, &err), &err);
	assert_memory_equal(&one, &rows[0], sizeof(one));
	assert_int_equal(registry_enrolment_at(w->r, REGISTRY_PORT_FIRST + 1, &one, &err), -ENOENT);
	assert_int_equal(registry_enrolment_of(w->r, "r0", "n1", &one, &err), -ENOENT);
	free(rows);
	assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), 3);
}

static void test_another_device(struct registry_world *w)
{
	static const enum onboarding_mode modes[] = {ONBOARDING_PSK_ONLY, ONBOARDING_WEAK,
						     ONBOARDING_STRONG};
	struct registry_decision decision;
	struct err err;

	for (unsigned i = 0; i < N_ELEMENTS(modes); i++) {
		struct registry_proof first = world_proof(modes[i], 0);
		struct registry_proof second = world_proof(modes[i], 1);

		world_configure(w->r, modes[i]);
		assert_int_equal(world_enrol(w->r, &first, &decision), REGISTRY_VERDICT_NEW);
		assert_int_equal(world_enrol(w->r, &second, &decision),
				 REGISTRY_VERDICT_OTHER_DEVICE);
		assert_contains(decision.reason, "another device under asset-id A0");
		assert_int_equal(world_count_audit(w->r, REGISTRY_OTHER_DEVICE), i + 1);
		assert_int_equal(world_enrol(w->r, &first, &decision), REGISTRY_VERDICT_SAME);
		/* An operator lets it in, with a new token. */
		reset(w->r);
		assert_int_equal(world_count_enrolments(w->r), 0);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
		world_configure(w->r, modes[i]);
		assert_int_equal(world_enrol(w->r, &second, &decision), REGISTRY_VERDICT_NEW);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
}

/* A pin of another kind shows nothing of the device that was pinned. */
static void test_another_kind_of_pin(struct registry_world *w)
{
	struct registry_proof weak = world_proof(ONBOARDING_WEAK, 0);
	struct registry_proof psk = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;

	world_configure(w->r, ONBOARDING_WEAK);
	assert_int_equal(world_enrol(w->r, &weak, &decision), REGISTRY_VERDICT_NEW);
	set_mode(w->r, ONBOARDING_PSK_ONLY); /* a lower mode keeps who is in */
	assert_int_equal(world_count_enrolments(w->r), 1);
	assert_int_equal(world_enrol(w->r, &psk, &decision), REGISTRY_VERDICT_OTHER_DEVICE);
	assert_contains(decision.reason, "pinned by certificate");
}

static void test_endorsement_key(struct registry_world *w)
{
	uint8_t pcrs[REGISTRY_N_PCRS * REGISTRY_DIGEST_SIZE];
	struct registry_proof proof = world_proof(ONBOARDING_STRONG, 0);
	struct registry_enrolment *rows;
	struct registry_decision decision;
	struct err err;
	size_t n;

	memset(pcrs, 0x5a, sizeof(pcrs));
	world_configure(w->r, ONBOARDING_STRONG);
	ask_for_endorsement_key(w->r);
	proof.pin.kind = REGISTRY_PIN_ENDORSEMENT_KEY;
	proof.pcrs = span_of(pcrs, sizeof(pcrs));
	registry_digest(world_endorsement_key(1), proof.pin.digest);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_IDENTITY);
	assert_contains(decision.reason, "the configured endorsement key is another");
	registry_digest(world_endorsement_key(0), proof.pin.digest);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	assert_ok(list_enrolments(w->r, NULL, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].pin.kind, REGISTRY_PIN_ENDORSEMENT_KEY);
	assert_true(rows[0].has_pcrs);
	assert_memory_equal(rows[0].pcrs, pcrs, sizeof(pcrs));
	free(rows);
}

/* By its maker's certificate: then no node needs to have it configured, and no other may have. */
static void test_certified_endorsement_key(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_STRONG, 0);
	struct registry_decision decision;
	struct err err;

	world_configure(w->r, ONBOARDING_STRONG);
	proof.pin.kind = REGISTRY_PIN_ENDORSEMENT_KEY;
	registry_digest(world_endorsement_key(1), proof.pin.digest);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_IDENTITY);
	assert_contains(decision.reason, "certificate is asked for, endorsement-key was shown");
	proof.certified_ek = world_endorsement_key(1);
	assert_ok(registry_node_set_endorsement_key(w->r, "r1", "n0", world_endorsement_key(1),
						    &world_origin, &err),
		  &err);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_PIN);
	assert_contains(decision.reason, "its endorsement key is configured for n0 of r1");
	assert_ok(registry_node_set_endorsement_key(w->r, "r1", "n0", span_of(NULL, 0),
						    &world_origin, &err),
		  &err);
	ask_for_endorsement_key(w->r); /* another one, during the handshake */
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_IDENTITY);
	assert_contains(decision.reason, "the configured endorsement key is another");
	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", span_of(NULL, 0),
						    &world_origin, &err),
		  &err);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_SAME);
	/* Another TPM of the same maker. */
	proof.certified_ek = world_endorsement_key(2);
	registry_digest(proof.certified_ek, proof.pin.digest);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_OTHER_DEVICE);
}

static void test_keys_are_unique(struct registry_world *w)
{
	struct registry_proof first = world_proof(ONBOARDING_WEAK, 0);
	struct registry_proof second = world_proof(ONBOARDING_WEAK, 1);
	struct registry_decision decision;
	struct err err;

	world_configure(w->r, ONBOARDING_WEAK);
	assert_ok(registry_node_set_asset_id(w->r, "r0", "n1", "A1", &world_origin, &err), &err);
	second.asset_id = "A1";
	assert_int_equal(world_enrol(w->r, &first, &decision), REGISTRY_VERDICT_NEW);
	second.ssh_key = first.ssh_key; /* another router's, registered as one's own */
	assert_int_equal(world_enrol(w->r, &second, &decision), REGISTRY_VERDICT_SSH_KEY);
	assert_string_equal(decision.reason, "its SSH key is already n0's of r0");
	second.ssh_key = world_ssh_key(1);
	second.pin = first.pin;
	assert_int_equal(world_enrol(w->r, &second, &decision), REGISTRY_VERDICT_PIN);
	assert_string_equal(decision.reason, "its certificate is already n0's of r0");
	registry_digest(world_ssh_key(1), second.pin.digest);
	assert_int_equal(world_enrol(w->r, &second, &decision), REGISTRY_VERDICT_NEW);
	first.ssh_key = second.ssh_key; /* and not by renewal either */
	assert_int_equal(world_enrol(w->r, &first, &decision), REGISTRY_VERDICT_SSH_KEY);
	assert_int_equal(world_count_enrolments(w->r), 2);
}

static void test_token_expires(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_origin origin = world_later(86399);
	struct registry_decision decision;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_enrol(w->r, &proof, &origin, &decision, &err), &err);
	assert_int_equal(decision.verdict, REGISTRY_VERDICT_NEW);
	origin = world_later(86400);
	assert_ok(registry_enrol(w->r, &proof, &origin, &decision, &err), &err);
	assert_int_equal(decision.verdict, REGISTRY_VERDICT_TOKEN_EXPIRED);
	proof.jti = "ffffffffffffffffffffffffffffffff";
	assert_ok(registry_enrol(w->r, &proof, &origin, &decision, &err), &err);
	assert_int_equal(decision.verdict, REGISTRY_VERDICT_TOKEN_UNKNOWN);
	assert_int_equal(world_count_enrolments(w->r), 1);
}

/* Mode: who stays in. */
static void test_modes_and_enrolments(struct registry_world *w)
{
	static const struct {
		enum onboarding_mode from;
		enum onboarding_mode to;
		size_t stay;
	} rows[] = {
		{ONBOARDING_PSK_ONLY, ONBOARDING_PSK_ONLY, 1},
		{ONBOARDING_PSK_ONLY, ONBOARDING_WEAK, 0},
		{ONBOARDING_WEAK, ONBOARDING_STRONG, 0},
		{ONBOARDING_STRONG, ONBOARDING_WEAK, 1},
		{ONBOARDING_STRONG, ONBOARDING_DISABLED, 0},
	};
	struct registry_authorized_key *keys;
	struct registry_decision decision;
	struct err err;
	size_t n;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct registry_proof proof = world_proof(rows[i].from, i);

		world_configure(w->r, rows[i].from);
		(void)world_enrol(w->r, &proof, &decision);
		assert_ok(list_keys(w->r, &keys, &n, &err), &err);
		assert_int_equal(n, 1);
		assert_string_equal(keys[0].router, "r0");
		assert_string_equal(keys[0].node, "n0");
		assert_int_equal(keys[0].listen_port, REGISTRY_PORT_FIRST);
		assert_memory_equal(keys[0].ssh_key, proof.ssh_key.bytes, SSH_KEY_ED25519_SIZE);
		free(keys);
		set_mode(w->r, rows[i].to);
		assert_ok(list_keys(w->r, &keys, &n, &err), &err);
		assert_int_equal(n, rows[i].stay);
		free(keys);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
}

/* What a handshake must have refused is no verdict but our own mistake. */
static void test_malformed(struct registry_world *w)
{
	struct registry_proof good = world_proof(ONBOARDING_WEAK, 0);
	struct registry_proof proof = good;
	struct registry_decision decision = {.listen_port = 7};
	uint8_t key[SSH_KEY_ED25519_SIZE + 1] = {0};
	struct err err;

	world_configure(w->r, ONBOARDING_WEAK);
	memcpy(key, good.ssh_key.bytes, good.ssh_key.size);
	key[good.ssh_key.size] = '\n';
#define REFUSES(words)                                                                             \
	assert_int_equal(registry_enrol(w->r, &proof, &world_origin, &decision, &err), -EINVAL);   \
	assert_contains(err.text, words);                                                          \
	assert_int_equal(decision.listen_port, 7);                                                 \
	proof = good
	proof.ssh_key = span_of(key, good.ssh_key.size + 1);
	REFUSES("no ssh-ed25519 key");
	proof.ssh_key = span_of(key, good.ssh_key.size - 1);
	REFUSES("no ssh-ed25519 key");
	proof.pin.kind = REGISTRY_PIN_SSH_KEY;
	proof.pin.digest[0] ^= 1;
	REFUSES("pinned by another SSH key than its own");
	proof.pcrs = span_of(key, 32);
	REFUSES("32 bytes of PCR values");
	proof.jti = "' OR 1=1";
	REFUSES("32 lower-case hex digits");
#undef REFUSES
	assert_int_equal(world_count_enrolments(w->r), 0);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_changed_during_the_handshake),
		REGISTRY_TEST(test_new_same_and_renewed),
		REGISTRY_TEST(test_another_device),
		REGISTRY_TEST(test_another_kind_of_pin),
		REGISTRY_TEST(test_endorsement_key),
		REGISTRY_TEST(test_certified_endorsement_key),
		REGISTRY_TEST(test_keys_are_unique),
		REGISTRY_TEST(test_token_expires),
		REGISTRY_TEST(test_modes_and_enrolments),
		REGISTRY_TEST(test_malformed),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
