/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key exchange by ML-KEM inside the handshake: both sides have it, one, or none; one requires
 * it; somebody takes it out on the way. */
#include "handshake_world.h"
#include "kem_toy.h"
#include "support.h"

#include "base/base64.h"
#include "base/macros.h"

#define HYBRID "p-256+ml-kem-768"

static struct world_keys *keys;

static const struct {
	enum onboarding_mode mode;
	enum message_identity identity;
} kinds[] = {
	{ONBOARDING_PSK_ONLY, IDENTITY_NONE},
	{ONBOARDING_WEAK, IDENTITY_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_EK},
};

/* A world in which the router has ML-KEM; whether the conductor has, is said last. */
static void begin(struct world *w, unsigned kind, enum kem_toy conductor)
{
	world_init(w, keys, kinds[kind].mode, kinds[kind].identity);
	kem_toy_set(KEM_THERE);
	w->router_setup.has_kem = true;
	assert_int_equal(kem_generate(w->router_setup.kem_seed, w->router_setup.kem_key, NULL), 0);
	kem_toy_set(conductor);
}

static void set_version(struct world *w, unsigned version)
{
	w->router_setup.version = version;
	w->conductor_setup.version = version;
}

static void assert_enrolled(const struct world *w, const char *key_exchange)
{
	if (w->n_enrolled != 1)
		fail_msg("router: %s; conductor: %s", w->router_err.text, w->conductor_err.text);
	assert_int_equal(w->router_end, ROUTER_ENROL);
	assert_int_equal(w->conductor_end, CONDUCTOR_ENROLLED);
	assert_string_equal(w->enrolment.key_exchange, key_exchange);
	assert_string_equal(w->router_key_exchange, key_exchange);
}

/* The JSON of a message as it left. */
static bool said(const struct world *w, unsigned number, const char *what)
{
	const struct frame *frame = &w->sent[number];

	return memmem(frame->bytes, frame->size, what, strlen(what)) != NULL;
}

static void test_both_have_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(kinds); i++) {
		struct world w;

		begin(&w, i, KEM_THERE);
		world_run(&w);
		assert_enrolled(&w, HYBRID);
		assert_true(said(&w, 1, "\"version\":2"));
		assert_true(said(&w, 1, "\"ml-kem-768\":"));
		assert_true(said(&w, 2, "\"ml-kem-768\":"));
		world_release(&w);
	}
}

/* Whoever has none is let in as before, in each mode and from either side. */
static void test_mixed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(kinds); i++) {
		struct world w;

		begin(&w, i, KEM_MISSING);
		world_run(&w);
		assert_enrolled(&w, "p-256");
		assert_true(said(&w, 1, "\"ml-kem-768\":"));
		assert_false(said(&w, 2, "\"ml-kem-768\":"));
		world_release(&w);

		begin(&w, i, KEM_THERE);
		w.router_setup.has_kem = false;
		w.router_setup.group = "x25519";
		w.conductor_setup.group = "x25519";
		world_run(&w);
		assert_enrolled(&w, "x25519");
		assert_false(said(&w, 1, "\"ml-kem-768\":"));
		assert_false(said(&w, 2, "\"ml-kem-768\":"));
		world_release(&w);

		/* A peer that knows only the messages of version 1. */
		begin(&w, i, KEM_THERE);
		set_version(&w, 1);
		world_run(&w);
		assert_enrolled(&w, "p-256");
		assert_true(said(&w, 1, "\"version\":1"));
		assert_false(said(&w, 1, "\"ml-kem-768\":"));
		world_release(&w);
	}
}

static void test_required(void **state)
{
	static const struct {
		bool router_requires;
		bool conductor_requires;
		bool router_has;
		enum kem_toy conductor;
		unsigned version;
		const char *router_says; /* NULL = it is enrolled */
		const char *conductor_says;
	} rows[] = {
		{true, true, true, KEM_THERE, 2, NULL, NULL},
		{true, false, true, KEM_THERE, 2, NULL, NULL},
		{true, false, true, KEM_MISSING, 2,
		 "is required, the conductor offers only p-256: its libcrypto has no ML-KEM-768",
		 NULL},
		{true, false, false, KEM_THERE, 2,
		 "is required, and this router itself has only p-256: its libcrypto has no "
		 "ML-KEM-768",
		 NULL},
		{true, false, true, KEM_THERE, 1,
		 "is required, the conductor offers only p-256: its Steward is older", NULL},
		{false, true, false, KEM_THERE, 2,
		 "the conductor requires a post-quantum key exchange; this router offers only "
		 "p-256",
		 "is required, router router1 node node0 offers only p-256: its libcrypto has no"},
		{false, true, true, KEM_THERE, 1,
		 "the conductor refused while the router was greeted",
		 "is required, router router1 node node0 offers only p-256: its Steward is older"},
		{false, true, true, KEM_MISSING, 2,
		 "the conductor refused while the router was greeted",
		 "is required, and this conductor itself has only p-256: its libcrypto has no"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		begin(&w, i % N_ELEMENTS(kinds), rows[i].conductor);
		set_version(&w, rows[i].version);
		w.router_setup.has_kem = rows[i].router_has;
		w.router_setup.requires_post_quantum = rows[i].router_requires;
		w.conductor_setup.requires_post_quantum = rows[i].conductor_requires;
		world_run(&w);
		if (!rows[i].router_says) {
			assert_enrolled(&w, HYBRID);
		} else {
			assert_int_equal(w.n_enrolled, 0);
			assert_int_equal(w.router_end, ROUTER_REFUSE);
			assert_contains(w.router_err.text, rows[i].router_says);
		}
		if (rows[i].conductor_says) {
			assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
			assert_contains(w.conductor_err.text, rows[i].conductor_says);
			assert_contains(w.conductor_err.text, "set post-quantum required to false");
			/* It has a good token: no stranger's failure. */
			assert_true(w.verified);
		}
		world_release(&w);
	}
}

/* Who is between takes the member out, or puts another in. */
static char *find_kem(struct frame *frame)
{
	char *at = memmem(frame->bytes, frame->size, ",\"ml-kem-768\":\"", 15);

	assert_non_null(at);
	return at;
}

static void take_out(struct frame *frame)
{
	char *at = find_kem(frame);
	char *end = strchr(at + 15, '"') + 1;
	char json[MESSAGE_JSON_MAX];
	int size = snprintf(json, sizeof(json), "%.*s%.*s", (int)(at - (char *)frame->bytes - 4),
			    (char *)frame->bytes + 4,
			    (int)((char *)frame->bytes + frame->size - end), end);

	world_set_frame(frame, json, (size_t)size, NULL);
}

/* Of a key in its rho, where all bytes are allowed. */
static void change(char *digit)
{
	*digit = *digit == 'A' ? 'B' : 'A';
}

static void tamper(struct world *w, unsigned number, struct frame *frame)
{
	/* 1, 2: takes it out of hello, of challenge; 3, 4: changes it there. */
	if (w->tamper_at == number && number <= 2)
		take_out(frame);
	else if (w->tamper_at == number + 2 && number <= 2)
		change(find_kem(frame) + 15 + (number == 1 ? 1557 : 700));
}

static void test_taken_out_on_the_way(void **state)
{
	(void)state;
	for (unsigned how = 1; how <= 4; how++) {
		for (unsigned i = 0; i < N_ELEMENTS(kinds); i++) {
			struct world w;

			begin(&w, i, KEM_THERE);
			w.tamper = tamper;
			w.tamper_at = how;
			world_run(&w);
			assert_int_equal(w.n_enrolled, 0);
			assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
			assert_contains(w.conductor_err.text, "wrong MAC r1");
			assert_contains(w.conductor_err.text, "changed on its way");
			world_release(&w);
		}
	}
}

/* What goes on under the required exchange is refused before anything is proved. */
static void test_taken_out_and_required(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 0, KEM_THERE);
	w.conductor_setup.requires_post_quantum = true;
	w.tamper = tamper;
	w.tamper_at = 1;
	world_run(&w);
	assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
	assert_contains(w.conductor_err.text, "post-quantum key exchange is required");
	world_release(&w);

	begin(&w, 0, KEM_THERE);
	w.router_setup.requires_post_quantum = true;
	w.tamper = tamper;
	w.tamper_at = 2;
	world_run(&w);
	assert_int_equal(w.router_end, ROUTER_REFUSE);
	assert_contains(w.router_err.text, "post-quantum key exchange is required");
	assert_int_equal(w.n_sent, 2);
	world_release(&w);
}

static void say_version_1(struct world *w, unsigned number, struct frame *frame)
{
	(void)w;
	if (number == 1) {
		take_out(frame);
		*(char *)memmem(frame->bytes, frame->size, "\"version\":2", 11) = '"';
		((char *)memmem(frame->bytes, frame->size, "\"version\":2", 11))[10] = '1';
	}
}

static void add_unasked(struct world *w, unsigned number, struct frame *frame)
{
	char json[MESSAGE_JSON_MAX];
	char zeros[BASE64_LENGTH(KEM_CIPHERTEXT_SIZE) + 1];
	int size;

	(void)w;
	if (number != 2)
		return;
	memset(zeros, 'A', sizeof(zeros) - 1);
	zeros[sizeof(zeros) - 1] = '\0';
	zeros[sizeof(zeros) - 2] = '=';
	size = snprintf(json, sizeof(json), "%.*s,\"ml-kem-768\":\"%s\"}", (int)frame->size - 5,
			(char *)frame->bytes + 4, zeros);
	world_set_frame(frame, json, (size_t)size, NULL);
}

static void test_what_was_not_agreed_on(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 0, KEM_THERE);
	w.tamper = say_version_1;
	world_run(&w);
	assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
	assert_contains(w.conductor_err.text, "hello of version 1, TLS has agreed on version 2");
	assert_false(w.verified);
	world_release(&w);

	begin(&w, 0, KEM_THERE);
	w.router_setup.has_kem = false;
	w.tamper = add_unasked;
	world_run(&w);
	assert_int_equal(w.router_end, ROUTER_RETRY);
	assert_contains(w.router_err.text, "a key exchange that was not offered");
	assert_int_equal(w.n_enrolled, 0);
	world_release(&w);
}

static void test_key_that_is_none(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 0, KEM_THERE);
	memset(w.router_setup.kem_key, 0xff, sizeof(w.router_setup.kem_key));
	world_run(&w);
	assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
	assert_int_equal(w.n_enrolled, 0);
	world_release(&w);
}

static int make(void **state)
{
	int rc = world_keys_make(state);

	keys = *state;
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_have_it),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_taken_out_on_the_way),
		cmocka_unit_test(test_taken_out_and_required),
		cmocka_unit_test(test_what_was_not_agreed_on),
		cmocka_unit_test(test_key_that_is_none),
	};

	return cmocka_run_group_tests(tests, make, world_keys_end);
}
