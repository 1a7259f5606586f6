/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a router goes no further: whom it takes for its conductor, what it lets itself be asked, and
 * which ends need a new token.
 */
#include "handshake_world.h"
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"

static void init(struct world *w, void **state, enum onboarding_mode mode,
		 enum message_identity identity)
{
	world_init(w, *state, mode, identity);
}

static void init_ek(struct world *w, void **state)
{
	init(w, state, ONBOARDING_STRONG, IDENTITY_EK);
}

/* Who is not the conductor cannot make the router give up its token. */
static void test_other_certificate(void **state)
{
	struct world w;

	init_ek(&w, state);
	w.router_setup.conductor_certificate = w.keys->device; /* by the same CA */
	world_run(&w);
	assert_int_equal(w.router_end, ROUTER_RETRY);
	assert_string_equal(w.router_err.text,
			    "the conductor's certificate is not the one in the token");
	assert_int_equal(w.n_sent, 0);
	world_release(&w);
	init_ek(&w, state);
	w.router_setup.conductor_certificate.size--;
	world_run(&w);
	assert_int_equal(w.router_end, ROUTER_RETRY);
	world_release(&w);
}

static void test_asset_id_not_in_token(void **state)
{
	struct world w;
	struct handshake_router router;
	struct err err = {0};

	init_ek(&w, state);
	w.router_setup.asset_id = "A2";
	assert_int_equal(handshake_router_init(&router, &w.router_setup, &err), -EINVAL);
	assert_string_equal(err.text, "asset-id A2 is none of the token's, which is for router1");
	world_release(&w);
}

/* An effect that fails is tried again, and nothing was sent that says otherwise. */
static void test_effects_that_fail(void **state)
{
	static const struct {
		const char *effect;
		unsigned n_sent;
	} rows[] = {
		{"verify", 0}, {"present", 2}, {"activate", 4}, {"quote", 4}, {"store", 6},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init_ek(&w, state);
		w.failed = rows[i].effect;
		world_run(&w);
		assert_int_equal(w.router_end, ROUTER_RETRY);
		assert_string_equal(w.router_err.text, "the TPM is on fire");
		assert_int_equal(w.n_sent, rows[i].n_sent);
		assert_int_equal(w.n_enrolled, 0);
		world_release(&w);
	}
}

static void test_minimum_mode(void **state)
{
	static const struct {
		enum onboarding_mode asked;
		enum onboarding_mode minimum;
		const char *reason; /* NULL = the router goes on */
	} rows[] = {
		{ONBOARDING_PSK_ONLY, ONBOARDING_PSK_ONLY, NULL},
		{ONBOARDING_PSK_ONLY, ONBOARDING_WEAK,
		 "the conductor asks for mode psk-only, minimum-mode is weak"},
		{ONBOARDING_PSK_ONLY, ONBOARDING_STRONG,
		 "the conductor asks for mode psk-only, minimum-mode is strong"},
		{ONBOARDING_WEAK, ONBOARDING_STRONG,
		 "the conductor asks for mode weak, minimum-mode is strong"},
		{ONBOARDING_WEAK, ONBOARDING_PSK_ONLY, NULL},
		{ONBOARDING_STRONG, ONBOARDING_PSK_ONLY, NULL},
		{ONBOARDING_STRONG, ONBOARDING_STRONG, NULL},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init(&w, state, rows[i].asked,
		     rows[i].asked == ONBOARDING_PSK_ONLY ? IDENTITY_NONE : IDENTITY_CERTIFICATE);
		w.router_setup.minimum_mode = rows[i].minimum;
		world_run(&w);
		assert_int_equal(w.router_end, rows[i].reason ? ROUTER_REFUSE : ROUTER_ENROL);
		if (rows[i].reason)
			assert_string_equal(w.router_err.text, rows[i].reason);
		assert_int_equal(w.n_sent, rows[i].reason ? 2 : 6);
		world_release(&w);
	}
}

static const char *challenge;

static void replace_challenge(struct world *w, unsigned number, struct frame *frame)
{
	char json[256];

	(void)w;
	if (number != 2)
		return;
	(void)snprintf(json, sizeof(json),
		       "{\"type\":\"challenge\",\"nonce\":"
		       "\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\",%s}",
		       challenge);
	world_set_frame(frame, json, strlen(json), NULL);
}

/* Challenges that no mode has. The router has no certificate in these. */
static void test_challenges(void **state)
{
	static const struct {
		const char *members;
		enum handshake_router_effect_type end;
		const char *reason;
	} rows[] = {
		{"\"mode\":\"strong\",\"identity\":\"none\"", ROUTER_REFUSE,
		 "the conductor asks for identity none in mode strong"},
		{"\"mode\":\"weak\",\"identity\":\"ek\"", ROUTER_REFUSE,
		 "the conductor asks for identity ek in mode weak"},
		{"\"mode\":\"psk-only\",\"identity\":\"certificate\"", ROUTER_REFUSE,
		 "the conductor asks for identity certificate in mode psk-only"},
		{"\"mode\":\"strong\",\"identity\":\"certificate\"", ROUTER_REFUSE,
		 "the conductor asks for a certificate in mode strong, none is configured"},
		{"\"mode\":\"disabled\",\"identity\":\"none\"", ROUTER_RETRY,
		 "challenge: \"mode\": 'disabled' is none that is known"},
		{"\"mode\":\"strong\"", ROUTER_RETRY, "challenge: \"identity\": expected a string"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init(&w, state, ONBOARDING_PSK_ONLY, IDENTITY_NONE);
		challenge = rows[i].members;
		w.tamper = replace_challenge;
		world_run(&w);
		assert_int_equal(w.router_end, rows[i].end);
		assert_string_equal(w.router_err.text, rows[i].reason);
		assert_int_equal(w.n_sent, 2);
		world_release(&w);
	}
}

/* One between who makes the mode weaker is found out by r1 already. */
static void test_downgrade(void **state)
{
	struct world w;

	init_ek(&w, state);
	w.router_setup.minimum_mode = ONBOARDING_PSK_ONLY;
	challenge = "\"mode\":\"psk-only\",\"identity\":\"none\"";
	w.tamper = replace_challenge;
	world_run(&w);
	assert_contains(w.conductor_err.text, "wrong MAC r1");
	assert_int_equal(w.router_end, ROUTER_REFUSE);
	world_release(&w);
}

static enum message_reason told;
static unsigned told_at;

static void tell_error(struct world *w, unsigned number, struct frame *frame)
{
	const char *json = told == REASON_REFUSED
				   ? "{\"type\":\"error\",\"reason\":\"refused\"}"
				   : "{\"type\":\"error\",\"reason\":\"retry-later\"}";

	(void)w;
	if (number == told_at)
		world_set_frame(frame, json, strlen(json), NULL);
}

static void test_errors_told(void **state)
{
	static const struct {
		unsigned number;
		const char *state;
	} rows[] = {{2, "greeted"}, {4, "presented"}, {6, "proved"}, {8, "keyed"}};

	for (unsigned i = 0; i < 2 * N_ELEMENTS(rows); i++) {
		struct world w;

		init_ek(&w, state);
		told = i % 2 ? REASON_REFUSED : REASON_RETRY_LATER;
		told_at = rows[i / 2].number;
		w.tamper = tell_error;
		world_run(&w);
		assert_int_equal(w.router_end, i % 2 ? ROUTER_REFUSE : ROUTER_RETRY);
		assert_contains(w.router_err.text, i % 2 ? rows[i / 2].state : "retry-later");
		assert_int_equal(w.n_conductors, 0);
		world_release(&w);
	}
}

static void forge_mac(struct world *w, unsigned number, struct frame *frame)
{
	if (number == w->tamper_at)
		memset(frame->bytes + frame->size - 32, 0, 32);
}

/* A conductor that does not know the secret: nothing it said is used. */
static void test_conductor_without_secret(void **state)
{
	static const struct {
		unsigned number;
		const char *reason;
	} rows[] = {{6, "wrong MAC c1"}, {8, "wrong MAC c2"}};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init_ek(&w, state);
		w.tamper = forge_mac;
		w.tamper_at = rows[i].number;
		world_run(&w);
		assert_int_equal(w.router_end, ROUTER_REFUSE);
		assert_contains(w.router_err.text, rows[i].reason);
		assert_int_equal(w.n_conductors, 0);
		assert_int_equal(w.n_sent, rows[i].number);
		world_release(&w);
	}
}

static struct handshake_router_effect step(struct handshake_router *router,
					   const struct handshake_router_event *event)
{
	struct handshake_router_effect effect;

	handshake_router_step(router, event, &effect);
	return effect;
}

/* The conductor speaks while it is not its turn, in each such state. */
static void test_out_of_turn(void **state)
{
	const struct handshake_router_event noise = {
		.type = ROUTER_RECEIVED,
		.received = span_of("\0\0\0\0", 4),
	};
	struct world w;
	struct handshake_router router;
	struct handshake_router_effect effect;

	init_ek(&w, state);
	assert_int_equal(handshake_router_init(&router, &w.router_setup, NULL), 0);
	handshake_router_begin(&router, &effect);
	assert_int_equal(effect.type, ROUTER_VERIFY_CERTIFICATE);
	effect = step(&router, &noise);
	assert_int_equal(effect.type, ROUTER_RETRY);
	assert_string_equal(effect.err.text, "the conductor spoke while the router was verifying");
	effect = step(&router, &(struct handshake_router_event){.type = ROUTER_VERIFIED});
	assert_int_equal(effect.type, ROUTER_WAIT); /* nothing more is said after the end */
	assert_null(effect.frame.bytes);
	handshake_router_release(&router);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_certificate),
		cmocka_unit_test(test_asset_id_not_in_token),
		cmocka_unit_test(test_effects_that_fail),
		cmocka_unit_test(test_minimum_mode),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_errors_told),
		cmocka_unit_test(test_conductor_without_secret),
		cmocka_unit_test(test_out_of_turn),
	};

	return cmocka_run_group_tests(tests, world_keys_make, world_keys_end);
}
