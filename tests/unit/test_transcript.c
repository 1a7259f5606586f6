/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hashes, keys and MACs against values that Python's hashlib, hmac and cryptography computed from
 * the formulas in docs/onboarding.md; and what makes a MAC another one.
 */
#include "support.h"

#include "base/hex.h"
#include "base/macros.h"
#include "onboarding/transcript.h"

#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"

static const char *const messages[] = {
	"{\"type\":\"hello\"}",      "{\"type\":\"challenge\"}",   "{\"type\":\"proof\"}",
	"{\"type\":\"credential\"}", "{\"type\":\"attestation\"}", "{\"type\":\"accept\"}",
	"{\"type\":\"keys\"}",       "{\"type\":\"done\"}",
};

static struct transcript begin(const char *client)
{
	struct transcript t;
	uint8_t exporter[32];

	for (unsigned i = 0; i < 32; i++)
		exporter[i] = (uint8_t)i;
	assert_int_equal(
		transcript_begin(&t, exporter, span_of_string("server"), span_of_string(client)),
		0);
	return t;
}

static void set_keys(struct transcript *t)
{
	uint8_t s[32];

	for (unsigned i = 0; i < 32; i++)
		s[i] = (uint8_t)(100 + i);
	assert_int_equal(transcript_set_secret(t, span_of_string(SECRET)), 0);
	assert_int_equal(transcript_set_tpm_secret(t, span_of(s, sizeof(s))), 0);
}

static void add(struct transcript *t, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		assert_int_equal(transcript_add(t, span_of_string(messages[i])), 0);
}

static void assert_hex(const uint8_t found[32], const char *expected)
{
	char hex[65];

	hex_encode(span_of(found, 32), hex);
	assert_string_equal(hex, expected);
}

static void test_login_keys(void **state)
{
	struct transcript t = begin("client");

	(void)state;
	assert_hex(t.hash, "224a550f39e1b5b02176334bfbfc1fe8af53aaf1c422756a16f53fcee39ae799");
	set_keys(&t);
	assert_hex(t.router_key,
		   "e4a2636cc395641d975a0f048be2ce61f2f862bfdd4c7f59f7619bb1c3f41601");
	assert_hex(t.conductor_key,
		   "7466e0f2bebc25e58abeb17c39a3e760085c3d996bcb1242d7ed36d1c985b033");
	assert_hex(t.tpm_key, "d2134b104bc83cf88f0c37511b23314bdd9e7b212aab3411bc302f7d68922e38");
	transcript_release(&t);
	assert_false(t.has_keys);
	assert_hex(t.router_key,
		   "0000000000000000000000000000000000000000000000000000000000000000");
	t = begin("");
	assert_hex(t.hash, "6609dd77d07b723510c7b99145abc86554a071df43536d219cf5568e10e110be");
}

static void test_macs(void **state)
{
	static const struct {
		enum transcript_mac which;
		unsigned n_messages;
		const char *mac;
	} rows[] = {
		{TRANSCRIPT_R1, 3,
		 "16c9a27be4e360c5de395f542a43ebc67400f565828f63d8f764270f0cc6be6a"},
		{TRANSCRIPT_T1, 5,
		 "1a20fd4f92a26051e50c7f4ba8ba88d47c142ae0726ee286c3e540f8eddc84d3"},
		{TRANSCRIPT_C1, 6,
		 "b9182be89e5b6992aaecc326fd4022c731d38a36aeb29178c83133db23c1f6ad"},
		{TRANSCRIPT_R2, 7,
		 "e51f37e7b9dd3f89d0308ec798c7f50ebb518f2dd4e804bd28f8668002d452d5"},
		{TRANSCRIPT_C2, 8,
		 "ef26fe6ef854b399766da319198a09f37aa843e65d95af3f8465efeddbab2d3d"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct transcript t = begin("client");
		uint8_t mac[32];

		set_keys(&t);
		add(&t, 0, rows[i].n_messages);
		assert_int_equal(transcript_make_mac(&t, rows[i].which, mac), 0);
		assert_hex(mac, rows[i].mac);
	}
}

/* The same with a secret by ML-KEM: none of the keys is what it was. */
static void test_macs_with_kem(void **state)
{
	static const struct {
		enum transcript_mac which;
		unsigned n_messages;
		const char *mac;
	} rows[] = {
		{TRANSCRIPT_R1, 3,
		 "ea5fbfaa94ef3339d77cb8107668963f66c7835e6a999181ff6c0f42f574e3e8"},
		{TRANSCRIPT_T1, 5,
		 "50319fe38c08329d479b3e7abe7e51d27c629f5babe7bfda8cff453324cb6c82"},
		{TRANSCRIPT_C1, 6,
		 "78a096b0b55d571b77f6bd857f5bc244332ace0a45ebec1a1132bd57ec70e3cc"},
		{TRANSCRIPT_R2, 7,
		 "42bd47777e4c9e5d976279ccc419f44dd34d93c2cf922497331cb29a69feea38"},
		{TRANSCRIPT_C2, 8,
		 "dc3fbc436089bdf6a838d6d2beba8ac869bb2fc2179e7d462f2acd7e8eefdbe7"},
	};
	uint8_t shared[KEM_SECRET_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(shared); i++)
		shared[i] = (uint8_t)(200 + i);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct transcript t = begin("client");
		uint8_t mac[32];

		transcript_set_kem_secret(&t, shared);
		set_keys(&t);
		add(&t, 0, rows[i].n_messages);
		assert_int_equal(transcript_make_mac(&t, rows[i].which, mac), 0);
		assert_hex(mac, rows[i].mac);
	}
}

/* Who has one of the two secrets, and guesses the other, has no MAC. */
static void test_keys_need_both_secrets(void **state)
{
	static const uint8_t shared[KEM_SECRET_SIZE] = {5};
	static const uint8_t guessed[KEM_SECRET_SIZE] = {6};
	static const uint8_t s[32] = {7};
	static const uint8_t other[32] = {8};

	(void)state;
	for (unsigned mac = TRANSCRIPT_R1; mac <= TRANSCRIPT_C2; mac++) {
		for (unsigned i = 0; i < 4; i++) {
			struct transcript good = begin("client");
			struct transcript thief = begin("client");
			uint8_t made[32];

			transcript_set_kem_secret(&good, shared);
			if (i != 2) /* without any */
				transcript_set_kem_secret(&thief, i == 1 ? guessed : shared);
			assert_int_equal(transcript_set_secret(&good, span_of_string(SECRET)), 0);
			assert_int_equal(transcript_set_tpm_secret(&good, span_of(s, 32)), 0);
			assert_int_equal(
				transcript_set_secret(&thief,
						      span_of_string(i == 3 ? "guessed" : SECRET)),
				0);
			assert_int_equal(
				transcript_set_tpm_secret(&thief, span_of(i == 3 ? other : s, 32)),
				0);
			assert_int_equal(transcript_make_mac(&thief, mac, made), 0);
			assert_int_equal(transcript_check_mac(&good, mac, span_of(made, 32)),
					 i == 0 ? 0 : -EKEYREJECTED);
		}
	}
}

static void test_quote_data(void **state)
{
	struct transcript t = begin("client");
	uint8_t extra[32];

	(void)state;
	add(&t, 0, 4);
	assert_int_equal(transcript_quote_data(&t, extra), 0);
	assert_hex(extra, "a432f537a42b74772a5d6754bcbec538b04a51bf2ee3080ce1ead61199ad5df0");
}

/* Whatever differs between two channels, two runs or two directions makes another MAC. */
static void test_macs_that_differ(void **state)
{
	struct transcript good = begin("client");
	struct transcript rows[7];
	uint8_t mac[32];
	uint8_t exporter[32] = {0};

	(void)state;
	set_keys(&good);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		rows[i] = begin(i == 1 ? "another" : "client");
		if (i == 2) /* a relay's other channel */
			assert_int_equal(transcript_begin(&rows[i], exporter,
							  span_of_string("server"),
							  span_of_string("client")),
					 0);
		if (i == 3) /* another conductor's certificate */
			assert_int_equal(transcript_begin(&rows[i], good.exporter,
							  span_of_string("other server"),
							  span_of_string("client")),
					 0);
		set_keys(&rows[i]);
		if (i == 4) /* another secret */
			assert_int_equal(transcript_set_secret(&rows[i], span_of_string("x")), 0);
		add(&rows[i], 0, i == 5 ? 2 : 3); /* a message missing */
		if (i == 6)                       /* or one twice */
			add(&rows[i], 2, 1);
	}
	add(&good, 0, 3);
	assert_int_equal(transcript_make_mac(&good, TRANSCRIPT_R1, mac), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (transcript_check_mac(&rows[i], TRANSCRIPT_R1, span_of(mac, 32)) !=
		    (i == 0 ? 0 : -EKEYREJECTED))
			fail_msg("row %u", i);
	/* Reflected, used again later, cut. */
	assert_int_equal(transcript_check_mac(&good, TRANSCRIPT_C1, span_of(mac, 32)),
			 -EKEYREJECTED);
	assert_int_equal(transcript_check_mac(&good, TRANSCRIPT_R2, span_of(mac, 32)),
			 -EKEYREJECTED);
	assert_int_equal(transcript_check_mac(&good, TRANSCRIPT_T1, span_of(mac, 32)),
			 -EKEYREJECTED);
	assert_int_equal(transcript_check_mac(&good, TRANSCRIPT_R1, span_of(mac, 31)),
			 -EKEYREJECTED);
	for (unsigned bit = 0; bit < 256; bit++) {
		mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(transcript_check_mac(&good, TRANSCRIPT_R1, span_of(mac, 32)),
				 -EKEYREJECTED);
		mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_keys),    cmocka_unit_test(test_macs),
		cmocka_unit_test(test_macs_with_kem), cmocka_unit_test(test_keys_need_both_secrets),
		cmocka_unit_test(test_quote_data),    cmocka_unit_test(test_macs_that_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
