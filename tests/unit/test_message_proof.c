/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a router shows of its TPM in message 3. */
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"
#include "onboarding/message.h"

/* ek and ak come together or not at all. */
static void test_proof_without_ek(void **state)
{
	static const char bare[] = "{\"type\":\"proof\"}";
	struct message m;
	struct err err;

	(void)state;
	assert_int_equal(message_decode(&m, span_of_string(bare), &err), 0);
	assert_false(m.proof.with_ek);
	assert_message_refused("{\"type\":\"proof\",\"ak\":\"AA==\"}", 28,
			       "\"ek\": expected a string");
	assert_message_refused("{\"type\":\"proof\",\"ek\":\"AA==\"}", 28,
			       "\"ak\": expected a string");
	assert_message_refused("{\"type\":\"proof\",\"ek-public\":\"AA==\"}", 35,
			       "\"ek\": expected a string");
}

static void test_proof_with_certificate(void **state)
{
	struct message m = sample_message(MESSAGE_PROOF);
	struct message_certificate *certificate = &m.proof.ek_certificate;
	struct message read;
	char *json = NULL;
	struct err err;

	(void)state;
	certificate->size = MESSAGE_CERTIFICATE_MAX;
	memset(certificate->bytes, 5, certificate->size);
	assert_int_equal(message_encode(&m, &json, &err), 0);
	assert_int_equal(message_decode(&read, span_of_string(json), &err), 0);
	assert_int_equal(read.proof.ek_certificate.size, MESSAGE_CERTIFICATE_MAX);
	assert_memory_equal(read.proof.ek_certificate.bytes, certificate->bytes,
			    MESSAGE_CERTIFICATE_MAX);
	free(json);
	assert_message_refused(
		"{\"type\":\"proof\",\"ek\":\"AA==\",\"ak\":\"AA==\",\"ek-certificate\":\"\"}", 60,
		"\"ek-certificate\": expected 1 to 2732 characters");
}

#define CERTIFIED "{\"type\":\"proof\",\"ek\":\"AA==\",\"ak\":\"AA==\",\"ek-certificate\":\"AA==\""

/* The largest that is allowed fits into a message. */
static void test_proof_with_chain(void **state)
{
	struct message m = sample_message(MESSAGE_PROOF);
	struct message_ek_chain chain = {.n = MESSAGE_EK_CHAIN_MAX};
	struct message read;
	char *json = NULL;
	struct err err;

	(void)state;
	m.proof.ek.size = m.proof.ak.size = m.proof.ek_public.size = MESSAGE_BYTES_MAX;
	m.proof.ek_certificate.size = MESSAGE_CERTIFICATE_MAX;
	for (unsigned i = 0; i < chain.n; i++)
		chain.certificates[i].size = MESSAGE_EK_CHAIN_SIZE / chain.n;
	chain.certificates[3].bytes[1] = 77;
	m.proof.ek_chain = &chain;
	assert_int_equal(message_encode(&m, &json, &err), 0);
	assert_int_equal(message_decode(&read, span_of_string(json), &err), 0);
	assert_int_equal(read.proof.ek_chain->n, chain.n);
	assert_int_equal(read.proof.ek_chain->certificates[3].size, chain.certificates[3].size);
	assert_int_equal(read.proof.ek_chain->certificates[3].bytes[1], 77);
	message_release(&read);
	free(json);
	chain.n = 4;
	for (unsigned i = 0; i < chain.n; i++)
		chain.certificates[i].size = MESSAGE_EK_CHAIN_SIZE / 4 + 1;
	assert_int_equal(message_encode(&m, &json, &err), 0);
	assert_int_equal(message_decode(&read, span_of_string(json), &err), -EBADMSG);
	assert_contains(err.text, "\"ek-chain\": 6148 bytes, expected at most 6144");
	free(json);
}

static void test_chains_that_are_refused(void **state)
{
	static const struct {
		const char *json;
		const char *reason;
	} rows[] = {
		{"{\"type\":\"proof\",\"ek\":\"AA==\",\"ak\":\"AA==\",\"ek-chain\":[\"AA==\"]}",
		 "\"ek-chain\" without \"ek-certificate\""},
		{CERTIFIED ",\"ek-chain\":[]}", "\"ek-chain\": 0 certificates, expected 1 to 7"},
		{CERTIFIED ",\"ek-chain\":\"AA==\"}", "\"ek-chain\": expected an array"},
		{CERTIFIED ",\"ek-chain\":[1]}", "\"ek-chain\": expected strings"},
		{CERTIFIED ",\"ek-chain\":[\"AA==\",\"\"]}",
		 "\"ek-chain\": 0 bytes, expected 1 to 2047"},
		{CERTIFIED ",\"ek-chain\":[\"A\"]}", "\"ek-chain\": not base64"},
		{CERTIFIED ",\"ek-chain\":[\"AA==\",\"AA==\",\"AA==\",\"AA==\",\"AA==\",\"AA==\","
			   "\"AA==\",\"AA==\"]}",
		 "\"ek-chain\": 8 certificates, expected 1 to 7"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		assert_message_refused(rows[i].json, strlen(rows[i].json), rows[i].reason);
}

/* Only of an EK of another kind than all conductors know. */
static void test_proof_with_public_area(void **state)
{
	struct message m = sample_message(MESSAGE_PROOF);
	struct message read;
	char *json = NULL;
	struct err err;

	(void)state;
	assert_int_equal(message_encode(&m, &json, &err), 0);
	assert_null(strstr(json, "ek-public"));
	free(json);
	m.proof.ek_public = m.proof.ak;
	assert_int_equal(message_encode(&m, &json, &err), 0);
	assert_non_null(strstr(json, ",\"ek-public\":\"BAQE"));
	assert_null(strstr(json, "ek-certificate"));
	assert_int_equal(message_decode(&read, span_of_string(json), &err), 0);
	assert_true(read.proof.with_ek);
	assert_int_equal(read.proof.ek_public.size, m.proof.ak.size);
	assert_memory_equal(read.proof.ek_public.bytes, m.proof.ak.bytes, m.proof.ak.size);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof_without_ek),
		cmocka_unit_test(test_proof_with_certificate),
		cmocka_unit_test(test_proof_with_chain),
		cmocka_unit_test(test_chains_that_are_refused),
		cmocka_unit_test(test_proof_with_public_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
