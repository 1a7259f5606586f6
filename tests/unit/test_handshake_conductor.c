/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a conductor refuses: a row for each attack and each change of the registry, with the sentence
 * that the audit gets. The peer is told "refused", always.
 */
#include "handshake_world.h"
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"

enum kind { PSK, WEAK, DEVICE, EK, CERTIFIED };

static void init(struct world *w, void **state, enum kind kind)
{
	static const struct {
		enum onboarding_mode mode;
		enum message_identity identity;
	} kinds[] = {
		[PSK] = {ONBOARDING_PSK_ONLY, IDENTITY_NONE},
		[WEAK] = {ONBOARDING_WEAK, IDENTITY_CERTIFICATE},
		[DEVICE] = {ONBOARDING_STRONG, IDENTITY_CERTIFICATE},
		[EK] = {ONBOARDING_STRONG, IDENTITY_EK},
		[CERTIFIED] = {ONBOARDING_STRONG, IDENTITY_EK_CERTIFICATE},
	};

	world_init(w, *state, kinds[kind].mode, kinds[kind].identity);
}

/* Message 1: the registry. */

static void unknown(struct world *w)
{
	w->candidate.claims.router[0] = '\0';
}

static void other_router(struct world *w)
{
	(void)strcpy(w->candidate.claims.router, "router2");
}

static void disabled(struct world *w)
{
	w->candidate.claims.mode = ONBOARDING_DISABLED;
}

static void clock_back(struct world *w)
{
	w->clock_set_back = true;
}

static void revoked(struct world *w)
{
	w->candidate.token_is_revoked = true;
}

static void never_issued(struct world *w)
{
	w->candidate.token_is_known = false;
}

static void expired(struct world *w)
{
	w->now_s = w->token.exp;
}

static void expired_long_ago(struct world *w)
{
	w->now_s = w->token.exp + 86400;
}

static void not_quite_expired(struct world *w)
{
	w->now_s = w->token.exp - 1;
}

static void other_secret(struct world *w)
{
	w->candidate.claims.secret[0]++;
	(void)strcpy(w->candidate.changed, "the pre-shared secret was changed since");
}

static void other_certificate(struct world *w)
{
	w->conductor_setup.conductor_certificate = w->keys->pki->ca_der;
}

static void other_ca(struct world *w)
{
	w->conductor_setup.ca_certificate = w->keys->pki->der;
}

static void more_asset_ids(struct world *w)
{
	(void)strcpy(w->candidate.claims.asset_ids[2], "A2");
	w->candidate.claims.n_asset_ids = 3;
}

static void no_asset_ids(struct world *w)
{
	w->candidate.claims.n_asset_ids = 0;
}

/* Message 1: the token. */

static void later_exp(struct world *w)
{
	w->token.exp++;
}

static void much_later_exp(struct world *w)
{
	w->token.exp += 2 * TOKEN_DURATION_MAX_S;
}

static void other_jti(struct world *w)
{
	w->token.jti[0] = 'f';
}

static void other_signature(struct world *w)
{
	w->token.signature[10] = w->token.signature[10] == 'A' ? 'B' : 'A';
}

static void set_header(struct world *w, const char *header)
{
	free(w->token.header);
	w->token.header = strdup(header);
}

static void header_none(struct world *w)
{
	/* {"alg":"none","typ":"steward-sco+jwt"} */
	set_header(w, "eyJhbGciOiJub25lIiwidHlwIjoic3Rld2FyZC1zY28rand0In0");
}

static void header_hs256(struct world *w)
{
	/* {"alg":"HS256","typ":"steward-sco+jwt"} */
	set_header(w, "eyJhbGciOiJIUzI1NiIsInR5cCI6InN0ZXdhcmQtc2NvK2p3dCJ9");
}

static void header_manifest(struct world *w)
{
	/* {"alg":"RS256","typ":"steward-manifest+jws"} */
	set_header(w, "eyJhbGciOiJSUzI1NiIsInR5cCI6InN0ZXdhcmQtbWFuaWZlc3QrandzIn0");
}

/* Message 3: the secret, certificates. */

static void secret_unknown(struct world *w)
{
	w->token.secret[47]++; /* somebody saw the token's signature, but not its payload */
}

static void no_certificate(struct world *w)
{
	w->conductor_setup.n_client_chain = 0;
	w->router_setup.client_certificate.size = 0;
	w->router_setup.minimum_mode = ONBOARDING_DISABLED;
}

static void show(struct world *w, struct span certificate)
{
	w->client_chain[0] = certificate;
	w->router_setup.client_certificate = certificate;
}

static void show_self_signed(struct world *w)
{
	show(w, w->keys->self_signed);
}

static void show_other_device(struct world *w)
{
	show(w, w->keys->other_device);
}

static void show_garbage(struct world *w)
{
	show(w, span_of("garbage", 7));
}

static void no_device_ca(struct world *w)
{
	w->conductor_setup.device_ca = NULL;
}

/* Message 3: EK and AK. */

static void other_tpm(struct world *w)
{
	w->tpm = w->keys->other_tpm;
	soft_tpm_read_ek(&w->tpm, &w->shown_ek);
}

static void other_kind(struct world *w)
{
	struct soft_tpm curve = {.ek = pki_curve_key("P-384")};

	soft_tpm_read_ek(&curve, &w->shown_ek);
	soft_tpm_release(&curve);
}

/* The token still holds, and the certificate does not. */
static void much_later(struct world *w)
{
	w->now_s = w->keys->iat + 86399;
}

/* A thief of token and secret: knows the EK, which is public, and has his own TPM. */
static void stolen(struct world *w)
{
	w->tpm = w->keys->other_tpm;
}

static void swapped_ek(struct world *w)
{
	soft_tpm_read_ek(&w->keys->other_tpm, &w->shown_ek); /* but the AK is in the right TPM */
}

static void configured_nonsense(struct world *w)
{
	w->shown_ek.size = 7;
	memcpy(w->shown_ek.bytes, "garbage", 7);
	w->candidate.endorsement_key_size = 7;
	memcpy(w->candidate.endorsement_key, "garbage", 7);
}

static void make_ak(struct world *w, struct soft_tpm_ak ak)
{
	soft_tpm_make_ak(&w->tpm, &ak);
}

static void unrestricted(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x10000u});
}

static void not_fixed_tpm(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x2u});
}

static void not_fixed_parent(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x10u});
}

static void imported(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x20u});
}

static void decrypting(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.attributes = SOFT_TPM_AK_ATTRIBUTES | 0x20000u});
}

static void small(struct world *w)
{
	make_ak(w, (struct soft_tpm_ak){.bits = 1024});
}

static void garbage_ak(struct world *w)
{
	w->tpm.public.size = 7;
}

/* Message 5: the quote. */

static void quote_other_data(struct world *w)
{
	w->quote_other_data = true;
}

static void quote_nothing(struct world *w)
{
	w->quote.selection = SOFT_TPM_NOTHING;
}

static void quote_no_selection(struct world *w)
{
	w->quote.n_selections = 3;
}

static void quote_other_pcrs(struct world *w)
{
	w->quote.selection = 0x0000ff;
}

static void quote_sha1(struct world *w)
{
	w->quote.hash = 0x0004;
}

static void quote_other_values(struct world *w)
{
	w->quote.other_pcrs = true;
}

static void quote_by_other(struct world *w)
{
	w->quote.signer = w->keys->other_tpm.ak;
}

static void quote_magic(struct world *w)
{
	w->quote.magic = 0x12345678;
}

static void quote_creation(struct world *w)
{
	w->quote.type = 0x801a;
}

/* The pin. */

static void pin(struct world *w, enum registry_pin_kind kind)
{
	w->candidate.pin.kind = kind;
	memset(w->candidate.pin.digest, 0x55, sizeof(w->candidate.pin.digest));
}

static void pinned_ssh_key(struct world *w)
{
	pin(w, REGISTRY_PIN_SSH_KEY);
}

static void pinned_certificate(struct world *w)
{
	pin(w, REGISTRY_PIN_CERTIFICATE);
}

static void pinned_ek(struct world *w)
{
	pin(w, REGISTRY_PIN_ENDORSEMENT_KEY);
}

/* At the commit: what the registry found to be otherwise by then. */

static void pinned_meanwhile(struct world *w)
{
	w->denied = "another device under asset-id A0";
	w->denied_as_other_device = true;
}

static void mode_raised(struct world *w)
{
	w->denied = "changed during the handshake: mode strong is asked for";
}

static void key_of_another(struct world *w)
{
	w->denied = "SSH key is that of router2 node0";
}

static const struct {
	enum kind kind;
	void (*change)(struct world *w);
	unsigned n_sent; /* messages, the refusal too */
	const char *reason;
	bool alert;
} rows[] = {
	{PSK, unknown, 2, "asset-id A0 is not known", false},
	{PSK, other_router, 2, "asset-id A0 is of router router2, not router1", false},
	{PSK, disabled, 2, "mode of router router1 is disabled", false},
	{PSK, clock_back, 2, "this conductor's clock was set back", false},
	{PSK, revoked, 2, "token " WORLD_JTI " is revoked", false},
	{PSK, never_issued, 2, "token " WORLD_JTI " is revoked", false},
	{PSK, expired, 2, "token " WORLD_JTI " has expired 0 s ago", false},
	{PSK, expired_long_ago, 2, "token " WORLD_JTI " has expired 86400 s ago", false},
	{PSK, other_secret, 2,
	 "token " WORLD_JTI " does not fit the registry: the pre-shared secret was changed since",
	 false},
	{PSK, other_certificate, 2,
	 "does not fit the registry: it is forged, or what it contains changed", false},
	{PSK, other_ca, 2, "does not fit the registry", false},
	{PSK, more_asset_ids, 2, "does not fit the registry", false},
	{PSK, no_asset_ids, 2, "token: router router1 has no asset-id", false},
	{PSK, later_exp, 2, "does not fit the registry", false},
	{PSK, much_later_exp, 2, "expected at most a year after", false},
	{PSK, other_jti, 2, "token f123456789abcdef0123456789abcdef does not fit", false},
	{PSK, other_signature, 2, "does not fit the registry", false},
	{PSK, header_none, 2, "token: header is '{\"alg\":\"none\"", false},
	{PSK, header_hs256, 2, "token: header is '{\"alg\":\"HS256\"", false},
	{PSK, header_manifest, 2, "\"typ\":\"steward-manifest+jws\"}', expected", false},
	{EK, secret_unknown, 4, "wrong MAC r1", false}, /* before anything of the TPM's */
	{DEVICE, no_device_ca, 2,
	 "mode strong: node node0 has no endorsement-key, and there is no device-id-ca", false},
	{DEVICE, show_self_signed, 4,
	 "client certificate: expected one serialNumber in its subject, or without it one "
	 "hwSerialNum",
	 false},
	{DEVICE, show_other_device, 4,
	 "client certificate: serialNumber is 'A1', expected asset-id A0", false},
	{WEAK, show_garbage, 4, "client certificate: malformed", false},
	{DEVICE, show_garbage, 4, "client certificate: malformed", false},
	{EK, other_tpm, 4, "EK: not the endorsement-key that is configured for node node0", false},
	{EK, swapped_ek, 4, "EK: not the endorsement-key", false},
	{EK, other_kind, 4,
	 "EK: not the endorsement-key that is configured for node node0: P-384 was shown, RSA-2048 "
	 "is configured (the router's ek-handle says",
	 false},
	{EK, stolen, 6, "wrong MAC t1", false},
	{CERTIFIED, other_tpm, 4, "EK certificate: it is of another key than the EK", false},
	{CERTIFIED, swapped_ek, 4, "EK certificate: it is of another key than the EK", false},
	{CERTIFIED, stolen, 6, "wrong MAC t1", false},
	{CERTIFIED, much_later, 4, "EK certificate: certificate has expired", false},
	{CERTIFIED, pinned_ek, 6, "node node0 is enrolled with another EK", true},
	{CERTIFIED, pinned_certificate, 6, "is enrolled by its certificate, now shows its EK",
	 true},
	{EK, configured_nonsense, 4, "EK: expected a key of RSA", false},
	{EK, unrestricted, 4, "AK: is not restricted", false},
	{EK, not_fixed_tpm, 4, "AK: is not fixedTPM", false},
	{EK, not_fixed_parent, 4, "AK: is not fixedParent", false},
	{EK, imported, 4, "AK: is not sensitiveDataOrigin", false},
	{EK, decrypting, 4, "AK: may decrypt", false},
	{EK, small, 4, "AK: 1024 bits, expected 2048 to 4096", false},
	{EK, garbage_ak, 4, "AK: not a TPM2B_PUBLIC", false},
	{EK, quote_other_data, 6, "quote: over other data than this handshake", false},
	{EK, quote_nothing, 6, "quote: another PCR selection than sha256 0 to 7", false},
	{EK, quote_no_selection, 6, "quote: 0 PCR selections, expected 1", false},
	{EK, quote_other_pcrs, 6, "quote: another PCR selection", false},
	{EK, quote_sha1, 6, "quote: another PCR selection", false},
	{EK, quote_other_values, 6, "quote: over other PCR values than shown", false},
	{EK, quote_by_other, 6, "quote: not signed by the AK", false},
	{EK, quote_magic, 6, "quote: magic 0x12345678, expected 0xff544347", false},
	{EK, quote_creation, 6, "quote: attests type 0x801a, expected a quote", false},
	{PSK, pinned_ssh_key, 6,
	 "another device under a known asset-id: node node0 is enrolled with another SSH key",
	 true},
	{WEAK, pinned_certificate, 4, "node node0 is enrolled with another certificate", true},
	{DEVICE, pinned_certificate, 4, "node node0 is enrolled with another certificate", true},
	{EK, pinned_ek, 6, "node node0 is enrolled with another EK", true},
	{PSK, pinned_ek, 6, "node node0 is enrolled by its EK, now shows its SSH key", true},
	{EK, pinned_certificate, 6, "is enrolled by its certificate, now shows its EK", true},
	{PSK, pinned_meanwhile, 6, "another device under asset-id A0", true},
	{PSK, mode_raised, 6, "changed during the handshake: mode strong is asked for", false},
	{EK, mode_raised, 8, "changed during the handshake: mode strong is asked for", false},
	{PSK, key_of_another, 6, "SSH key is that of router2 node0", false},
};

static void test_refusals(void **state)
{
	static const char refused[] = "{\"type\":\"error\",\"reason\":\"refused\"}";

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;
		const struct frame *last;

		init(&w, state, rows[i].kind);
		rows[i].change(&w);
		world_run(&w);
		if (w.conductor_end != CONDUCTOR_REFUSED)
			fail_msg("row %u was not refused: %s", i, w.conductor_err.text);
		assert_contains(w.conductor_err.text, rows[i].reason);
		assert_int_equal(w.alert, rows[i].alert);
		assert_int_equal(w.verified, rows[i].n_sent > 2 || rows[i].change == no_device_ca);
		assert_int_equal(w.n_enrolled, 0);
		if (w.n_sent != rows[i].n_sent)
			fail_msg("row %u: %u messages", i, w.n_sent);
		/* All that the peer learns, whatever it was. */
		last = &w.sent[w.n_sent];
		assert_int_equal(last->size, 4 + sizeof(refused) - 1);
		assert_memory_equal(last->bytes + 4, refused, sizeof(refused) - 1);
		assert_int_equal(w.router_end, ROUTER_REFUSE);
		world_release(&w);
	}
}

static void test_in_time(void **state)
{
	struct world w;

	init(&w, state, PSK);
	not_quite_expired(&w);
	world_run(&w);
	assert_int_equal(w.conductor_end, CONDUCTOR_ENROLLED);
	world_release(&w);
}

static const char *ssh_key;

static void replace_ssh_key(struct world *w, unsigned number, struct frame *frame)
{
	char json[256];

	(void)w;
	if (number != 5)
		return;
	(void)snprintf(json, sizeof(json), "{\"type\":\"keys\",\"ssh-key\":\"%s\"}", ssh_key);
	world_set_frame(frame, json, strlen(json), w->conductor_setup.exporter);
}

/* What would become a line of authorized_keys. */
static void test_ssh_keys(void **state)
{
	static const struct {
		const char *key;
		const char *reason;
	} keys[] = {
		/* One that would do, but that the router did not send. */
		{"AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		 "wrong MAC r2"},
		/* ssh-rsa with fields that end where an ed25519 key would. */
		{"AAAAB3NzaC1yc2EAAAADAQABAAAAHQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		 "keys: \"ssh-key\": not an ssh-ed25519 key blob"},
		/* "ssh-ed2551\n" */
		{"AAAAC3NzaC1lZDI1NTEKAAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
		 "keys: \"ssh-key\": not an ssh-ed25519 key blob"},
		{"AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\\n",
		 "keys: \"ssh-key\": expected 1 to 68 characters"},
		{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwc", "not base64"},
		{"AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcH", "keys: \"ssh-key\": 24 bytes, expected 51"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(keys); i++) {
		struct world w;

		init(&w, state, PSK);
		ssh_key = keys[i].key;
		w.tamper = replace_ssh_key;
		world_run(&w);
		assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
		assert_contains(w.conductor_err.text, keys[i].reason);
		assert_int_equal(w.n_enrolled, 0);
		world_release(&w);
	}
}

/* Weak and strong without a certificate: the router would not go on by itself. */
static void test_no_certificate(void **state)
{
	static const enum kind kinds[] = {WEAK, DEVICE};

	for (unsigned i = 0; i < N_ELEMENTS(kinds); i++) {
		struct world w;

		init(&w, state, kinds[i]);
		no_certificate(&w);
		w.lies_about_certificate = true;
		world_run(&w);
		assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
		assert_contains(w.conductor_err.text, ": no client certificate was shown");
		world_release(&w);
	}
}

/* Nobody is let in while the registry cannot be asked. */
static void test_registry_gone(void **state)
{
	struct world w;

	init(&w, state, PSK);
	w.ends_in_commit = true;
	world_run(&w);
	assert_int_equal(w.conductor_end, CONDUCTOR_RETRY_LATER);
	assert_string_equal(w.conductor_err.text, "the registry is gone");
	assert_int_equal(w.router_end, ROUTER_RETRY);
	assert_contains(w.router_err.text, "retry-later");
	world_release(&w);
}

static struct handshake_conductor begin(struct world *w)
{
	struct handshake_conductor h;

	assert_int_equal(handshake_conductor_init(&h, &w->conductor_setup, NULL), 0);
	return h;
}

static struct handshake_conductor_effect hear(struct handshake_conductor *h,
					      const struct frame *frame)
{
	const struct handshake_conductor_event event = {
		.type = CONDUCTOR_RECEIVED,
		.received = span_of(frame->bytes, frame->size),
	};
	struct handshake_conductor_effect effect;

	handshake_conductor_step(h, &event, &effect);
	return effect;
}

static void look_up(struct world *w, struct handshake_conductor *h,
		    struct handshake_conductor_effect *effect)
{
	struct message accept = sample_message(MESSAGE_ACCEPT);
	const struct handshake_conductor_event event = {
		.type = CONDUCTOR_LOOKED_UP,
		.candidate = &w->candidate,
		.clock_set_back = w->clock_set_back,
		.conductors = &accept.accept,
		.now_s = w->now_s,
	};

	handshake_conductor_step(h, &event, effect);
	message_release(&accept);
}

/* A router with the secret, and so with a good MAC, that shows something else than was asked for.
 */
static void test_other_proof_than_asked_for(void **state)
{
	static const struct {
		enum kind kind;
		bool with_ek;
		const char *reason;
	} proofs[] = {
		{PSK, true, "proof with EK where none was asked for"},
		{DEVICE, true, "proof with EK where certificate was asked for"},
		{EK, false, "proof without EK where ek was asked for"},
		{CERTIFIED, false, "proof without EK where ek-certificate was asked for"},
		{CERTIFIED, true,
		 "proof without certificate of the EK where ek-certificate was asked for"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(proofs); i++) {
		struct message proof = {.type = MESSAGE_PROOF, .proof.with_ek = proofs[i].with_ek};
		struct handshake_conductor h;
		struct handshake_conductor_effect effect;
		struct transcript t;
		struct frame frame;
		struct world w;

		init(&w, state, proofs[i].kind);
		world_run(&w);
		h = begin(&w);
		(void)hear(&h, &w.sent[1]);
		look_up(&w, &h, &effect);
		assert_int_equal(effect.type, CONDUCTOR_SEND);
		t = h.transcript; /* both have heard the same so far */
		proof.proof.ek = w.shown_ek;
		proof.proof.ak = w.tpm.public;
		assert_int_equal(frame_write(&frame, &t, &proof, NULL), 0);
		handshake_conductor_effect_release(&effect);
		effect = hear(&h, &frame);
		assert_int_equal(effect.type, CONDUCTOR_REFUSED);
		assert_string_equal(effect.err.text, proofs[i].reason);
		handshake_conductor_effect_release(&effect);
		frame_release(&frame);
		handshake_conductor_release(&h);
		world_release(&w);
	}
}

/* A second hello while the first is looked up, and whatever comes after the end. */
static void test_out_of_turn(void **state)
{
	struct world w;
	struct handshake_conductor h;
	struct handshake_conductor_effect effect;

	init(&w, state, PSK);
	world_run(&w);
	h = begin(&w);
	effect = hear(&h, &w.sent[1]);
	assert_int_equal(effect.type, CONDUCTOR_LOOK_UP);
	assert_string_equal(h.hello.asset_id, "A0");
	assert_false(handshake_conductor_is_verified(&h));
	effect = hear(&h, &w.sent[1]);
	assert_int_equal(effect.type, CONDUCTOR_REFUSED);
	assert_string_equal(effect.err.text, "spoke out of turn, while looking-up");
	handshake_conductor_effect_release(&effect);
	effect = hear(&h, &w.sent[1]);
	assert_int_equal(effect.type, CONDUCTOR_WAIT);
	assert_null(effect.frame.bytes);
	handshake_conductor_release(&h);
	world_release(&w);
}

/* The look-up's answer that comes too late changes nothing any more. */
static void test_answer_after_the_end(void **state)
{
	struct world w;
	struct handshake_conductor h;
	struct handshake_conductor_effect effect;
	struct handshake_conductor_event event = {.type = CONDUCTOR_LOOKED_UP};

	init(&w, state, PSK);
	world_run(&w);
	h = begin(&w);
	(void)hear(&h, &w.sent[1]);
	effect = hear(&h, &w.sent[3]);
	assert_int_equal(effect.type, CONDUCTOR_REFUSED);
	handshake_conductor_effect_release(&effect);
	event.candidate = &w.candidate;
	event.clock_set_back = w.clock_set_back;
	handshake_conductor_step(&h, &event, &effect);
	assert_int_equal(effect.type, CONDUCTOR_WAIT);
	assert_string_equal(handshake_conductor_state_name(h.state), "ended");
	handshake_conductor_release(&h);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_ssh_keys),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_registry_gone),
		cmocka_unit_test(test_other_proof_than_asked_for),
		cmocka_unit_test(test_out_of_turn),
		cmocka_unit_test(test_answer_after_the_end),
	};

	return cmocka_run_group_tests(tests, world_keys_make, world_keys_end);
}
