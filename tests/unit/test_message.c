/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages: each written and read again, and every other form refused as a whole. */
#include "faults.h"
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"
#include "onboarding/message.h"

#define N_TYPES (MESSAGE_ERROR + 1)

static char *encode(enum message_type type)
{
	struct message m = sample_message(type);
	struct err err = {0};
	char *json = NULL;

	if (message_encode(&m, &json, &err) < 0)
		fail_msg("%s", err.text);
	message_release(&m);
	return json;
}

static void test_round_trips(void **state)
{
	(void)state;
	for (enum message_type type = 0; type < N_TYPES; type++) {
		char *json = encode(type);
		char *again = NULL;
		struct message m;
		struct err err = {0};

		if (message_decode(&m, span_of_string(json), &err) < 0)
			fail_msg("%s: %s", json, err.text);
		assert_int_equal(m.type, type);
		assert_int_equal(message_encode(&m, &again, &err), 0);
		assert_string_equal(again, json);
		message_release(&m);
		free(again);
		free(json);
	}
}

/* As they stand in docs/onboarding.md: names and order are an interface. */
static void test_as_written(void **state)
{
	static const struct {
		enum message_type type;
		const char *begins;
	} rows[] = {
		{MESSAGE_HELLO,
		 "{\"type\":\"hello\",\"version\":1,\"router\":\"router1\",\"asset-id\":\"A0\","
		 "\"nonce\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\",\"header\":\"eyJhbGci"
		 "OiJSUzI1NiIsInR5cCI6InN0ZXdhcmQtc2NvK2p3dCJ9\",\"jti\":"
		 "\"0123456789abcdef0123456789abcdef\",\"iat\":1700000000,\"exp\":1700086400,"
		 "\"signature\":\"c2lnbmF0dXJl\"}"},
		{MESSAGE_CHALLENGE, "{\"type\":\"challenge\",\"nonce\":"
				    "\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\","
				    "\"mode\":\"strong\",\"identity\":\"ek\"}"},
		{MESSAGE_PROOF, "{\"type\":\"proof\",\"ek\":\"AwMD"},
		{MESSAGE_CREDENTIAL,
		 "{\"type\":\"credential\",\"credential-blob\":\"BQ==\",\"secret\":\"BgYG"},
		{MESSAGE_ATTESTATION, "{\"type\":\"attestation\",\"quote\":\"BwcH"},
		{MESSAGE_ACCEPT,
		 "{\"type\":\"accept\",\"conductors\":[{\"host\":\"192.0.2.1\",\"port\":930,"
		 "\"ssh-host-keys\":[\"AAAAC3NzaC1lZDI1NTE5AAAAIAoK"},
		{MESSAGE_KEYS, "{\"type\":\"keys\",\"ssh-key\":\"AAAAC3NzaC1lZDI1NTE5AAAAIAwM"},
		{MESSAGE_DONE, "{\"type\":\"done\"}"},
		{MESSAGE_ERROR, "{\"type\":\"error\",\"reason\":\"retry-later\"}"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *json = encode(rows[i].type);

		if (strncmp(json, rows[i].begins, strlen(rows[i].begins)) != 0)
			fail_msg("%s", json);
		free(json);
	}
}

/* What came with version 2 goes both ways, and does not go under the name of version 1. */
static void test_kem(void **state)
{
	struct message hello = sample_message(MESSAGE_HELLO);
	struct message challenge = sample_message(MESSAGE_CHALLENGE);
	struct message got = {0};
	struct err err = {0};
	char *json = NULL;

	(void)state;
	hello.hello.version = 2;
	hello.hello.has_kem_key = true;
	memset(hello.hello.kem_key, 11, sizeof(hello.hello.kem_key));
	assert_int_equal(message_encode(&hello, &json, &err), 0);
	/* What an operator may set limits/message-size to is enough for it. */
	assert_true(strlen(json) < 4096 - 4 * (size_t)TOKEN_NAME_SIZE - MESSAGE_SIGNATURE_SIZE);
	assert_int_equal(message_decode(&got, span_of_string(json), &err), 0);
	assert_int_equal(got.hello.version, 2);
	assert_true(got.hello.has_kem_key);
	assert_memory_equal(got.hello.kem_key, hello.hello.kem_key, sizeof(got.hello.kem_key));
	free(json);

	hello.hello.version = 1;
	assert_int_equal(message_encode(&hello, &json, &err), 0);
	assert_message_refused(json, strlen(json), "\"ml-kem-768\": version 1 has none");
	free(json);

	challenge.challenge.has_kem_ciphertext = true;
	memset(challenge.challenge.kem_ciphertext, 12, KEM_CIPHERTEXT_SIZE);
	assert_int_equal(message_encode(&challenge, &json, &err), 0);
	assert_int_equal(message_decode(&got, span_of_string(json), &err), 0);
	assert_true(got.challenge.has_kem_ciphertext);
	assert_memory_equal(got.challenge.kem_ciphertext, challenge.challenge.kem_ciphertext,
			    KEM_CIPHERTEXT_SIZE);
	free(json);
}

/* A good message with one thing in it changed. */
static void test_changed(void **state)
{
	static const struct {
		enum message_type type;
		const char *from;
		const char *to;
		const char *reason;
	} rows[] = {
		{MESSAGE_HELLO, "\"type\":\"hello\",\"version\":1",
		 "\"version\":1,\"type\":\"hello\"",
		 "message: expected an object that begins with \"type\""},
		{MESSAGE_HELLO, "\"hello\"", "\"hallo\"", "\"type\": 'hallo' is none"},
		{MESSAGE_HELLO, "\"hello\"", "1", "\"type\": expected a string"},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":3",
		 "\"version\" is 3, expected 1 or 2"},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":0",
		 "\"version\" is 0, expected 1 or 2"},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":2,\"ml-kem-768\":\"AAAA\"",
		 "\"ml-kem-768\": 3 bytes, expected 1184 to 1184"},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":2,\"ml-kem-768\":null",
		 "\"ml-kem-768\": expected a string"},
		{MESSAGE_CHALLENGE, "\"mode\"", "\"ml-kem-768\":\"AAAA\",\"mode\"",
		 "\"ml-kem-768\": 3 bytes, expected 1088 to 1088"},
		{MESSAGE_PROOF, "\"ek\"", "\"ml-kem-768\":\"AAAA\",\"ek\"",
		 "unknown member \"ml-kem-768\""},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":1,\"version\":1", "stands twice"},
		{MESSAGE_HELLO, "\"version\":1,", "", "hello: \"version\": expected"},
		{MESSAGE_HELLO, "\"version\":1", "\"version\":1,\"x\":0",
		 "hello: unknown member \"x\""},
		{MESSAGE_HELLO, "router1", "router 1", "\"router\": 'router 1' is not a name"},
		{MESSAGE_HELLO, "router1", "", "\"router\": expected 1 to 63 characters"},
		{MESSAGE_HELLO, "\"A0\"", "\"A0\\n\"", "\"asset-id\": 'A0\\x0a' is not a name"},
		{MESSAGE_HELLO, "\"A0\"", "[\"A0\"]", "\"asset-id\": expected a string"},
		{MESSAGE_HELLO, "AQEBAQEBAQEBAQEB", "AQEBAQEBAQEB",
		 "\"nonce\": 29 bytes, expected 32 to 32"},
		{MESSAGE_HELLO, "AQEBAQEBAQEBAQEB", "AQEBAQEBAQEBAQEBAQEB",
		 "\"nonce\": expected 1 to 44"},
		{MESSAGE_HELLO, "AQE=", "AQF=", "\"nonce\": not base64"}, /* bits left over */
		{MESSAGE_HELLO, "AQE=", "AQE", "\"nonce\": not base64"},
		{MESSAGE_HELLO, "eyJh", "ey+h", "\"header\": not base64url"},
		{MESSAGE_HELLO, "eyJh", "ey.h", "\"header\": not base64url"},
		{MESSAGE_HELLO, "\"0123456789a", "\"0123456789A", "\"jti\": expected 32"},
		{MESSAGE_HELLO, "\"iat\":1700000000", "\"iat\":-1", "\"iat\": expected a whole"},
		{MESSAGE_HELLO, "\"iat\":1700000000", "\"iat\":1.7e9", "fraction"},
		{MESSAGE_HELLO, "\"exp\":1700086400", "\"exp\":9007199254740992", "\"exp\""},
		{MESSAGE_CHALLENGE, "\"strong\"", "\"disabled\"", "\"mode\": 'disabled' is none"},
		{MESSAGE_CHALLENGE, "\"strong\"", "\"Strong\"", "\"mode\": 'Strong' is none"},
		{MESSAGE_CHALLENGE, "\"ek\"", "\"tpm\"", "\"identity\": 'tpm' is none"},
		{MESSAGE_PROOF, "\"ek\"", "\"EK\"", "unknown member \"EK\""},
		{MESSAGE_PROOF, "\"ak\":\"BAQE", "\"ak\":\"BAQEBAQE", "\"ak\": expected 1 to 1368"},
		{MESSAGE_CREDENTIAL, "\"BQ==\"", "\"\"", "\"credential-blob\": expected 1 to"},
		{MESSAGE_CREDENTIAL, "\"BQ==\"", "\"====\"", "not base64"},
		{MESSAGE_ATTESTATION, "\"pcrs\":[", "\"pcrs\":[\"\",", "\"pcrs\": 9 values"},
		{MESSAGE_ATTESTATION, "\"pcrs\":[\"CQkJ", "\"pcrs\":[\"", "\"pcrs\": 29 bytes"},
		{MESSAGE_ATTESTATION, "\"pcrs\":[", "\"pcr\":[", "unknown member \"pcr\""},
		{MESSAGE_ACCEPT, "\"port\":930", "\"port\":0", "\"port\": expected 1 to 65535"},
		{MESSAGE_ACCEPT, "\"port\":930", "\"port\":65536", "\"port\": expected a whole"},
		{MESSAGE_ACCEPT, "192.0.2.1", "-oProxyCommand=x", "is neither name nor address"},
		{MESSAGE_ACCEPT, "192.0.2.1", "a b", "\"host\": 'a b' is neither"},
		{MESSAGE_ACCEPT, "192.0.2.1", "a\\nb", "\"host\": 'a\\x0ab' is neither"},
		{MESSAGE_ACCEPT, "192.0.2.1", "*", "is neither"},
		{MESSAGE_ACCEPT, "\"ssh-host-keys\":[\"AAAAC3Nz", "\"ssh-host-keys\":[\"AAAAC3Nr",
		 "\"ssh-host-keys\": not a key blob"},
		{MESSAGE_ACCEPT, "\"ssh-host-keys\":[", "\"ssh-host-keys\":[1,",
		 "\"ssh-host-keys\": expected 1 to 3 keys"},
		{MESSAGE_ACCEPT, "\"repository-port\":8930", "\"repository-port\":\"8930\"",
		 "\"repository-port\": expected a whole"},
		{MESSAGE_ACCEPT, "\"repository-port\":8930", "\"x\":8930", "unknown member \"x\""},
		{MESSAGE_ACCEPT, "{\"host\"", "1,{\"host\"", "\"conductors\": expected objects"},
		{MESSAGE_KEYS, "AAAAC3NzaC1lZDI1NTE5", "AAAAB3NzaC1lZDI1NTE5",
		 "\"ssh-key\": not an ssh-ed25519 key blob"},
		{MESSAGE_KEYS, "AAAAC3NzaC1lZDI1NTE5", "AAAAC3NzaC1lZDI1NTE4",
		 "\"ssh-key\": not an ssh-ed25519 key blob"}, /* ssh-ed25518 */
		{MESSAGE_KEYS, "AAAAC3NzaC1lZDI1NTE5", "AAAAC3NzaC1lZDI1NTEK",
		 "\"ssh-key\": not an ssh-ed25519 key blob"}, /* ends in a newline */
		{MESSAGE_KEYS, "AAAAC3Nz", "AAAAC3Nz\\n", "\"ssh-key\": expected 1 to 68"},
		{MESSAGE_DONE, "}", ",\"ssh-key\":\"\"}", "done: unknown member \"ssh-key\""},
		{MESSAGE_ERROR, "retry-later", "because", "\"reason\": 'because' is none"},
		{MESSAGE_ERROR, "{\"type\":\"error\",\"reason\":\"retry-later\"}", "[]",
		 "begins with \"type\""},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *json = encode(rows[i].type);
		const char *at = strstr(json, rows[i].from);
		char *changed = NULL;

		if (!at)
			fail_msg("row %u: not in %s", i, json);
		assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - json), json, rows[i].to,
				     at + strlen(rows[i].from)) > 0);
		assert_message_refused(changed, strlen(changed), rows[i].reason);
		free(changed);
		free(json);
	}
}

static void test_counts(void **state)
{
	struct message m = sample_message(MESSAGE_ACCEPT);
	struct message none = {.type = MESSAGE_ACCEPT};
	struct message_conductor many[MESSAGE_CONDUCTORS_MAX + 1];
	char *json = NULL;

	(void)state;
	for (unsigned i = 0; i <= MESSAGE_CONDUCTORS_MAX; i++)
		many[i] = m.accept.conductors[0];
	message_release(&m);
	assert_int_equal(message_encode(&none, &json, NULL), 0);
	assert_message_refused(json, strlen(json), "\"conductors\": 0, expected 1 to 8");
	free(json);
	none.accept.conductors = many;
	none.accept.n_conductors = MESSAGE_CONDUCTORS_MAX + 1;
	assert_int_equal(message_encode(&none, &json, NULL), 0);
	assert_message_refused(json, strlen(json), "\"conductors\": 9, expected 1 to 8");
	free(json);
	for (unsigned i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		many[i].n_ssh_host_keys = 0;
	none.accept.n_conductors = 1;
	assert_int_equal(message_encode(&none, &json, NULL), 0);
	assert_message_refused(json, strlen(json), "\"ssh-host-keys\": expected 1 to 3 keys");
	free(json);
}

static void test_cut_at_every_byte(void **state)
{
	(void)state;
	for (enum message_type type = 0; type < N_TYPES; type++) {
		char *json = encode(type);

		for (size_t n = 0; n < strlen(json); n++)
			assert_message_refused(json, n, "");
		free(json);
	}
}

static void test_oversized(void **state)
{
	char *json = malloc(MESSAGE_JSON_MAX + 1);
	struct message m;
	struct err err;

	(void)state;
	memset(json, ' ', MESSAGE_JSON_MAX + 1);
	memcpy(json, "{\"type\":\"done\"}", 15);
	assert_int_equal(message_decode(&m, span_of(json, MESSAGE_JSON_MAX), &err), 0);
	assert_int_equal(message_decode(&m, span_of(json, MESSAGE_JSON_MAX + 1), &err), -E2BIG);
	free(json);
}

static void test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool valid;
	} rows[] = {
		{"192.0.2.1", true}, {"2001:db8::1", true}, {"conductor.example", true},
		{"a-b", true},       {"", false},           {"-a", false},
		{"a@b", false},      {"[::1]", false},      {"a%eth0", false},
		{"a,b", false},      {"a_b", false},        {"\xc3\xa4", false},
	};
	char host[MESSAGE_HOST_SIZE + 1];

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (message_host_is_valid(rows[i].host) != rows[i].valid)
			fail_msg("'%s'", rows[i].host);
	memset(host, 'a', sizeof(host));
	host[MESSAGE_HOST_SIZE] = '\0';
	assert_false(message_host_is_valid(host));
	host[MESSAGE_HOST_SIZE - 1] = '\0';
	assert_true(message_host_is_valid(host));
}

static void test_memory_runs_out(void **state)
{
	(void)state;
	for (enum message_type type = 0; type < N_TYPES; type++) {
		struct message sample = sample_message(type);
		struct message read = {0};
		char *json = NULL;
		unsigned n = 0;
		int rc;

		do {
			faults_fail_allocation(++n);
			rc = message_encode(&sample, &json, NULL);
			assert_int_equal(rc == 0, !faults_had_effect());
		} while (rc < 0);
		assert_true(n > 2);
		n = 0;
		do {
			faults_fail_allocation(++n);
			rc = message_decode(&read, span_of_string(json), NULL);
			assert_int_equal(rc == 0, !faults_had_effect());
		} while (rc < 0);
		assert_true(n > 2);
		message_release(&read);
		message_release(&sample);
		free(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_as_written),
		cmocka_unit_test(test_kem),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
