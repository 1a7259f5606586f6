/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RS256 and nothing else: what a token says about itself chooses nothing. */
#include "faults.h"
#include "support.h"

#include "base/base64url.h"
#include "base/jws.h"
#include "base/macros.h"

#define TYP "steward-test+jws"

static char *sign(const struct jws_key *key, const char *payload)
{
	char *jws = NULL;

	assert_int_equal(jws_sign(key, TYP, span_of_string(payload), &jws, NULL), 0);
	return jws;
}

/* header.payload of one, the signature of another. */
static char *with_header(const char *header, const char *jws)
{
	char *encoded = base64url_encode(span_of_string(header));
	char *made = NULL;

	assert_true(asprintf(&made, "%s%s", encoded, strchr(jws, '.')) > 0);
	free(encoded);
	return made;
}

static void test_round_trip(void **state)
{
	struct test_signer *w = *state;
	char *jws = sign(&w->key, "{\"a\":\"b\"}");
	cJSON *payload = NULL;
	struct err err;

	assert_string_equal(w->key.kid, w->trusted.kid);
	assert_int_equal(jws_verify(span_of_string(jws), TYP, &w->trusted, 1, &payload, &err), 0);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(payload, "a")), "b");
	cJSON_Delete(payload);
	free(jws);
}

static void test_headers(void **state)
{
	static const struct {
		const char *header; /* %s = kid */
		int rc;
		const char *reason;
	} rows[] = {
		{"{\"alg\":\"none\",\"typ\":\"" TYP "\",\"kid\":\"%s\"}", -EBADMSG,
		 "\"alg\" is \"none\", expected \"RS256\""},
		{"{\"alg\":\"HS256\",\"typ\":\"" TYP "\",\"kid\":\"%s\"}", -EBADMSG, "HS256"},
		{"{\"alg\":\"RS512\",\"typ\":\"" TYP "\",\"kid\":\"%s\"}", -EBADMSG, "RS512"},
		{"{\"alg\":\"rs256\",\"typ\":\"" TYP "\",\"kid\":\"%s\"}", -EBADMSG, "rs256"},
		{"{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", -EBADMSG,
		 "\"typ\" is \"JWT\", expected \"" TYP "\""},
		{"{\"alg\":\"RS256\",\"kid\":\"%s\"}", -EBADMSG, "\"typ\""},
		{"{\"alg\":\"RS256\",\"typ\":\"" TYP "\"}", -EBADMSG, "\"kid\""},
		{"{\"alg\":\"RS256\",\"typ\":\"" TYP "\",\"kid\":\"no%s\"}", -EBADMSG,
		 "1 to 64 characters"},
		{"{\"alg\":\"RS256\",\"typ\":\"" TYP "\",\"kid\":\"other\"}", -EKEYREJECTED,
		 "signature by an unknown key (kid other"},
		{"{\"alg\":\"RS256\",\"typ\":\"" TYP "\",\"kid\":\"%s\",\"jku\":\"http://x\"}",
		 -EBADMSG, "unknown member \"jku\""},
		{"{\"alg\":\"RS256\",\"typ\":\"" TYP "\",\"kid\":\"%s\",\"crit\":[\"b64\"]}",
		 -EBADMSG, "unknown member \"crit\""},
		{"{\"alg\":\"none\",\"alg\":\"RS256\",\"typ\":\"" TYP "\",\"kid\":\"%s\"}",
		 -EBADMSG, "stands twice"},
		{"{\"typ\":\"" TYP "\",\"alg\":\"RS256\",\"kid\":\"%s\"}", -EKEYREJECTED,
		 "wrong signature"}, /* all well, but not what was signed */
		{"[]", -EBADMSG, "expected a JSON object"},
	};
	struct test_signer *w = *state;
	char *jws = sign(&w->key, "{}");

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char header[512];
		cJSON *payload = NULL;
		struct err err;
		char *forged;
		const char *slot = strstr(rows[i].header, "%s");

		(void)snprintf(header, sizeof(header), "%.*s%s%s",
			       (int)(slot ? slot - rows[i].header : 500), rows[i].header,
			       slot ? w->key.kid : "", slot ? slot + 2 : "");
		forged = with_header(header, jws);
		if (jws_verify(span_of_string(forged), TYP, &w->trusted, 1, &payload, &err) !=
		    rows[i].rc)
			fail_msg("%s: %s", header, err.text);
		assert_contains(err.text, rows[i].reason);
		assert_null(payload);
		free(forged);
	}
	free(jws);
}

static void test_lying_kid(void **state)
{
	struct test_signer *w = *state;
	struct jws_key stranger;
	cJSON *payload = NULL;
	struct err err;
	char *jws;

	test_make_key(w->folder, "stranger");
	assert_int_equal(
		jws_key_load_private(&stranger, test_path(w->folder, "stranger.pem"), NULL), 0);
	memcpy(stranger.kid, w->trusted.kid, JWS_KID_SIZE);
	jws = sign(&stranger, "{}");
	jws_key_release(&stranger);
	assert_int_equal(jws_verify(span_of_string(jws), TYP, &w->trusted, 1, &payload, &err),
			 -EKEYREJECTED);
	assert_contains(err.text, "wrong signature");
	free(jws);
}

static void test_every_flipped_bit(void **state)
{
	struct test_signer *w = *state;
	char *jws = sign(&w->key, "{\"a\":\"b\"}");

	for (size_t bit = 0; bit < 8 * strlen(jws); bit++) {
		cJSON *payload = NULL;
		struct err err;

		jws[bit / 8] = (char)(jws[bit / 8] ^ 1 << bit % 8);
		if (jws_verify(span_of(jws, strlen(jws)), TYP, &w->trusted, 1, &payload, &err) == 0)
			fail_msg("bit %zu makes no difference", bit);
		jws[bit / 8] = (char)(jws[bit / 8] ^ 1 << bit % 8);
	}
	free(jws);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {"",    ".",       "..",       "...",
					   "a.b", "a.b.c.d", "e30.e30.", "%%.%%.%%"};
	struct test_signer *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *payload = NULL;
		struct err err;

		assert_int_equal(
			jws_verify(span_of_string(rows[i]), TYP, &w->trusted, 1, &payload, &err),
			-EBADMSG);
		assert_null(payload);
	}
}

static void test_keys_refused(void **state)
{
	struct test_signer *w = *state;
	const char *small = test_path(w->folder, "small.pem");
	const char *curve = test_path(w->folder, "curve.pem");
	char command[512];
	struct jws_key key;
	struct err err;

	(void)snprintf(command, sizeof(command),
		       "openssl genrsa -out %s 1024 2>/dev/null && "
		       "openssl ecparam -name prime256v1 -genkey -noout -out %s",
		       small, curve);
	assert_int_equal(system(command), 0);
	assert_int_equal(jws_key_load_private(&key, small, &err), -EINVAL);
	assert_contains(err.text, "RSA key of 2048 to 8192 bits");
	assert_int_equal(jws_key_load_private(&key, curve, &err), -EINVAL);
	assert_int_equal(jws_key_load_public(&key, test_path(w->folder, "key.pem"), &err), -EINVAL);
	assert_contains(err.text, "expected a public key in PEM");
	assert_int_equal(jws_key_load_public(&key, test_path(w->folder, "missing"), &err), -ENOENT);
	assert_contains(err.text, "missing: No such file");
}

static void test_memory_runs_out(void **state)
{
	struct test_signer *w = *state;
	char *jws = sign(&w->key, "{\"a\":\"b\"}");
	unsigned n = 0;
	int rc;

	do {
		cJSON *payload = NULL;
		struct err err;

		faults_fail_allocation(++n);
		rc = jws_verify(span_of_string(jws), TYP, &w->trusted, 1, &payload, &err);
		assert_int_equal(rc == 0, !faults_had_effect());
		assert_int_equal(rc == 0, payload != NULL);
		cJSON_Delete(payload);
	} while (rc < 0);
	assert_true(n > 5);
	free(jws);
	n = 0;
	do {
		char *made = NULL;

		faults_fail_allocation(++n);
		rc = jws_sign(&w->key, TYP, span_of_string("{}"), &made, NULL);
		assert_int_equal(rc == 0, !faults_had_effect());
		free(made);
	} while (rc < 0);
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_headers, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_lying_kid, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_every_flipped_bit, test_signer_make,
						test_signer_end),
		cmocka_unit_test_setup_teardown(test_malformed, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_keys_refused, test_signer_make,
						test_signer_end),
		cmocka_unit_test_setup_teardown(test_memory_runs_out, test_signer_make,
						test_signer_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
