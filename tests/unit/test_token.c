/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The onboarding token: written in one form, read strictly, and dead with what it contains. */
#include "faults.h"
#include "pki.h"
#include "support.h"

#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "base/base64url.h"
#include "base/macros.h"
#include "onboarding/token.h"

#define JTI    "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"steward-sco+jwt\"}"
#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"

static const char *const asset_ids[] = {"A1", "A0"};

static struct token_claims claims_of(const struct pki *pki)
{
	return (struct token_claims){
		.jti = JTI,
		.router = "router1",
		.asset_ids = asset_ids,
		.n_asset_ids = 2,
		.iat = 1700000000,
		.exp = 1700086400,
		.conductor_certificate = pki->der,
		.ca_certificate = pki->ca_der,
		.secret = span_of_string(SECRET),
	};
}

static char *sign(const struct pki *pki, const struct token_claims *claims)
{
	const struct jws_key key = {.key = pki->key};
	char *token = NULL;
	struct err err = {0};

	if (token_sign(claims, &key, &token, &err) < 0)
		fail_msg("%s", err.text);
	return token;
}

static char *encode(const char *text)
{
	char *encoded = base64url_encode(span_of_string(text));

	assert_non_null(encoded);
	return encoded;
}

/* As encode(), in memory that is used again. */
static const char *encode_once(const char *text)
{
	static char kept[200];
	char *encoded = encode(text);

	(void)snprintf(kept, sizeof(kept), "%s", encoded);
	free(encoded);
	return kept;
}

static void test_payload_byte_for_byte(void **state)
{
	static const struct token_claims claims = {
		.jti = JTI,
		.router = "router1",
		.asset_ids = asset_ids,
		.n_asset_ids = 2,
		.iat = 1,
		.exp = 2,
		.conductor_certificate = {(const uint8_t *)"\x30\x82\xff", 3},
		.ca_certificate = {(const uint8_t *)"\x30", 1},
		.secret = {(const uint8_t *)SECRET, 48},
	};
	char *payload = NULL;

	(void)state;
	assert_int_equal(token_payload(&claims, &payload, NULL), 0);
	assert_string_equal(
		payload, "{\"jti\":\"" JTI "\",\"router\":\"router1\",\"asset-id\":[\"A0\",\"A1\"],"
			 "\"iat\":1,\"exp\":2,\"conductor-public-cert\":\"MIL/\","
			 "\"conductor-ca-cert\":\"MA==\",\"secret\":"
			 "\"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXpBQkNERUZHSElKS0xNTk9QUVJTVFVW\"}");
	token_text_free(&payload);
	assert_null(payload);
}

/* Somebody else's eyes: openssl verifies what was signed, and the header is as promised. */
static void test_openssl_verifies(void **state)
{
	struct pki *pki = *state;
	struct token_claims claims = claims_of(pki);
	char *token = sign(pki, &claims);
	char *signature = strrchr(token, '.') + 1;
	char *folder = test_folder();
	FILE *out = fopen(test_path(folder, "key.pem"), "we");
	uint8_t *bytes;
	size_t size;
	char command[512];

	assert_int_equal(PEM_write_PUBKEY(out, pki->key), 1);
	(void)fclose(out);
	test_write(test_path(folder, "text"), span_of(token, (size_t)(signature - 1 - token)));
	assert_int_equal(base64url_decode(span_of_string(signature), &bytes, &size), 0);
	test_write(test_path(folder, "signature"), span_of(bytes, size));
	free(bytes);
	(void)snprintf(command, sizeof(command),
		       "cd %s && openssl dgst -sha256 -verify key.pem -signature signature text "
		       ">/dev/null",
		       folder);
	assert_int_equal(system(command), 0);
	assert_memory_equal(token, "eyJhbGciOiJSUzI1NiIsInR5cCI6InN0ZXdhcmQtc2NvK2p3dCJ9.", 53);
	token_text_free(&token);
	test_folder_remove(folder);
}

static void test_claims_refused(void **state)
{
	static const char *const none[] = {""};
	static const char *const twice[] = {"A0", "A1", "A0"};
	static const char *const many[TOKEN_ASSET_IDS_MAX + 1] = {"A0"};
	static const char *const quoted[] = {"A\""};
	struct token_claims good = claims_of(*state);
	struct token_claims rows[] = {good, good, good, good, good, good, good, good,
				      good, good, good, good, good, good, good, good};
	static const char *const reasons[] = {
		"jti: expected 32 lower-case hex digits",
		"jti: expected 32 lower-case hex digits",
		"'router 1' cannot be a router's name",
		"router router1 has no asset-id",
		"'' cannot be an asset-id",
		"asset-id A0 stands twice",
		"17 asset-ids, expected at most 16",
		"'A\"' cannot be an asset-id",
		"exp 1700000000: expected at most a year after iat 1700000000",
		"exp 1731536001: expected at most a year after iat 1700000000",
		"pre-shared secret: expected 48 characters of A-Z, a-z, 0-9",
		"pre-shared secret: expected 48 characters of A-Z, a-z, 0-9",
		"conductor's certificate: expected 1 to 8192 bytes, found 0",
		"conductor's certificate: expected 1 to 8192 bytes, found 8193",
		"CA's certificate: expected 1 to 8192 bytes, found 0",
		"exp 9007199254740992: expected",
	};

	rows[0].jti = "0123456789abcdef0123456789abcde";
	rows[1].jti = "0123456789ABCDEF0123456789ABCDEF";
	rows[2].router = "router 1";
	rows[3].n_asset_ids = 0;
	rows[4].asset_ids = none;
	rows[4].n_asset_ids = 1;
	rows[5].asset_ids = twice;
	rows[5].n_asset_ids = 3;
	rows[6].asset_ids = many;
	rows[6].n_asset_ids = N_ELEMENTS(many);
	rows[7].asset_ids = quoted;
	rows[7].n_asset_ids = 1;
	rows[8].exp = rows[8].iat;
	rows[9].exp = rows[9].iat + TOKEN_DURATION_MAX_S + 1;
	rows[10].secret.size--;
	rows[11].secret = span_of_string("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST-V");
	rows[12].conductor_certificate.size = 0;
	rows[13].conductor_certificate.size = TOKEN_CERTIFICATE_MAX + 1;
	rows[14].ca_certificate.size = 0;
	rows[15].iat = (UINT64_C(1) << 53) - 1;
	rows[15].exp = UINT64_C(1) << 53;
	assert_int_equal(N_ELEMENTS(rows), N_ELEMENTS(reasons));
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *payload = NULL;
		struct err err = {0};

		assert_int_equal(token_payload(&rows[i], &payload, &err), -EINVAL);
		assert_contains(err.text, reasons[i]);
		assert_null(payload);
	}
}

/* What may differ between the registry and an old token: each makes its signature worthless. */
static void test_dies_with_what_it_contains(void **state)
{
	static const char *const other_ids[] = {"A0", "A2"};
	struct pki *pki = *state;
	const struct jws_key key = {.key = pki->key};
	struct token_claims good = claims_of(pki);
	struct token_claims rows[] = {good, good, good, good, good, good, good, good, good};
	char *token = sign(pki, &good);
	char *header = strndup(token, (size_t)(strchr(token, '.') - token));
	const char *signature = strrchr(token, '.') + 1;

	rows[1].jti = "1123456789abcdef0123456789abcdef";
	rows[2].router = "router2";
	rows[3].asset_ids = other_ids;
	rows[4].n_asset_ids = 1;
	rows[5].iat++;
	rows[6].exp++;
	rows[7].ca_certificate = pki->der;
	rows[8].secret = span_of_string("bbcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV");
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		int rc = token_check(&rows[i], &key, header, signature, &err);

		assert_int_equal(rc, i == 0 ? 0 : -EKEYREJECTED);
		if (i > 0)
			assert_contains(err.text, "token: wrong signature");
	}
	good.conductor_certificate = pki->ca_der;
	assert_int_equal(token_check(&good, &key, header, signature, &(struct err){0}),
			 -EKEYREJECTED);
	free(header);
	token_text_free(&token);
}

/* The oldest trick: HMAC keyed with the public key, which everybody has. */
static char *hs256_signature(const struct pki *pki, const char *payload)
{
	char *header = encode("{\"alg\":\"HS256\",\"typ\":\"steward-sco+jwt\"}");
	char *encoded = encode(payload);
	char *text = NULL;
	unsigned char *key = NULL;
	int key_size = i2d_PUBKEY(pki->key, &key);
	uint8_t mac[32];
	char *signature;

	assert_true(asprintf(&text, "%s.%s", header, encoded) > 0);
	assert_non_null(
		HMAC(EVP_sha256(), key, key_size, (uint8_t *)text, strlen(text), mac, NULL));
	signature = base64url_encode(span_of(mac, sizeof(mac)));
	OPENSSL_free(key);
	free(text);
	free(encoded);
	free(header);
	return signature;
}

/* A token signed by a key on a curve, and what may not pass for one. */
static void sign_on(const struct pki *pki, const char *curve, const char *alg, size_t size)
{
	static const struct pki_subject subject = {.common_name = "conductor"};
	EVP_PKEY *curve_key = pki_curve_key(curve);
	X509 *certificate = pki_certificate(&subject, curve_key, pki->ca, pki->ca_key);
	const struct jws_key key = {.key = curve_key};
	const struct jws_key rsa = {.key = pki->key};
	struct token_claims claims = claims_of(pki);
	struct token token;
	struct err err = {0};
	char *rs256 = sign(pki, &claims);
	char *header = NULL;
	char *encoded;
	char *text = NULL;

	claims.conductor_certificate = pki_der(certificate);
	if (token_sign(&claims, &key, &text, &err) < 0 ||
	    token_parse(&token, span_of_string(text), &err) < 0)
		fail_msg("%s: %s", curve, err.text);
	assert_true(asprintf(&header, "{\"alg\":\"%s\",\"typ\":\"steward-sco+jwt\"}", alg) > 0);
	encoded = encode(header);
	assert_string_equal(token.header, encoded);
	assert_int_equal(strlen(token.signature), size); /* both numbers, without padding */
	assert_int_equal(token_check(&claims, &key, token.header, token.signature, &err), 0);
	/* Another algorithm's header, the signature of another key, half a signature, one bit. */
	assert_int_equal(token_check(&claims, &key, encode_once(HEADER), token.signature, &err),
			 -EBADMSG);
	assert_int_equal(token_check(&claims, &rsa, token.header, token.signature, &err), -EBADMSG);
	assert_int_equal(token_check(&claims, &key, token.header, strrchr(rs256, '.') + 1, &err),
			 -EKEYREJECTED);
	token.signature[10] = token.signature[10] == 'A' ? 'B' : 'A';
	assert_int_equal(token_check(&claims, &key, token.header, token.signature, &err),
			 -EKEYREJECTED);
	assert_string_equal(err.text, "token: wrong signature");
	token.signature[size / 2] = '\0';
	assert_true(token_check(&claims, &key, token.header, token.signature, &err) < 0);
	token_release(&token);
	token_text_free(&text);
	token_text_free(&rs256);
	free(encoded);
	free(header);
	pki_der_free(&claims.conductor_certificate);
	X509_free(certificate);
	EVP_PKEY_free(curve_key);
}

static void test_curves(void **state)
{
	static const char *const unfit[] = {"P-521", "P-224", "secp256k1"};
	struct pki *pki = *state;

	sign_on(pki, "P-256", "ES256", 86);
	sign_on(pki, "P-384", "ES384", 128);
	for (unsigned i = 0; i < N_ELEMENTS(unfit); i++) {
		struct jws_key key = {.key = pki_curve_key(unfit[i])};
		struct token_claims claims = claims_of(pki);
		struct err err = {0};
		char *text = NULL;

		assert_int_equal(token_sign(&claims, &key, &text, &err), -EINVAL);
		assert_string_equal(err.text, "token: expected a key that is RSA, P-256 or P-384");
		EVP_PKEY_free(key.key);
	}
}

static void test_forged_headers(void **state)
{
	static const struct {
		const char *header;
		bool hmac; /* else the signature of a good token */
		const char *reason;
	} rows[] = {
		{"{\"alg\":\"none\",\"typ\":\"steward-sco+jwt\"}", false,
		 "token: header is '{\"alg\":\"none\""},
		{"{\"alg\":\"HS256\",\"typ\":\"steward-sco+jwt\"}", true,
		 "token: header is '{\"alg\":\"HS256\""},
		{"{\"alg\":\"RS256\",\"typ\":\"JWT\"}", false, "\"typ\":\"JWT\"}', expected"},
		{"{\"alg\":\"RS256\",\"typ\":\"steward-manifest+jws\",\"kid\":\"00\"}", false,
		 "steward-manifest+jws"}, /* a manifest used as token */
		{"{\"typ\":\"steward-sco+jwt\",\"alg\":\"RS256\"}", false, "header is"},
		{"{\"alg\":\"RS256\",\"typ\":\"steward-sco+jwt\"} ", false, "header is"},
		{"", false, "token: header is ''"},
		{HEADER, true, "token: wrong signature"},
	};
	struct pki *pki = *state;
	const struct jws_key key = {.key = pki->key};
	struct token_claims claims = claims_of(pki);
	char *token = sign(pki, &claims);
	char *payload = NULL;

	assert_int_equal(token_payload(&claims, &payload, NULL), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *header = encode(rows[i].header);
		char *hmac = hs256_signature(pki, payload);
		struct err err = {0};

		assert_true(token_check(&claims, &key, header,
					rows[i].hmac ? hmac : strrchr(token, '.') + 1, &err) < 0);
		assert_contains(err.text, rows[i].reason);
		free(header);
		free(hmac);
	}
	assert_int_equal(token_check(&claims, &key, "+++", "", &(struct err){0}), -EBADMSG);
	token_text_free(&payload);
	token_text_free(&token);
}

static void test_parsed(void **state)
{
	struct pki *pki = *state;
	struct token_claims claims = claims_of(pki);
	char *text = sign(pki, &claims);
	char *line = NULL;
	struct token token;
	struct err err = {0};

	assert_true(asprintf(&line, "%s\n", text) > 0);
	assert_int_equal(token_parse(&token, span_of_string(line), &err), 0);
	assert_string_equal(token.jti, JTI);
	assert_string_equal(token.router, "router1");
	assert_int_equal(token.n_asset_ids, 2);
	assert_string_equal(token.asset_ids[0], "A0");
	assert_string_equal(token.asset_ids[1], "A1");
	assert_int_equal(token.iat, 1700000000);
	assert_int_equal(token.exp, 1700086400);
	assert_int_equal(token.conductor_certificate_size, pki->der.size);
	assert_memory_equal(token.conductor_certificate, pki->der.bytes, pki->der.size);
	assert_int_equal(token.ca_certificate_size, pki->ca_der.size);
	assert_memory_equal(token.ca_certificate, pki->ca_der.bytes, pki->ca_der.size);
	assert_memory_equal(token.secret, SECRET, TOKEN_SECRET_SIZE);
	assert_string_equal(token.signature, strrchr(text, '.') + 1);
	token_release(&token);
	assert_null(token.header);
	token_text_free(&line);
	token_text_free(&text);
}

/* The payload of a good token with one thing in it changed. */
static char *with(const char *payload, const char *from, const char *to)
{
	const char *at = strstr(payload, from);
	char *header = encode(HEADER);
	char *changed = NULL;
	char *encoded;
	char *token = NULL;

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - payload), payload, to,
			     at + strlen(from)) > 0);
	encoded = encode(changed);
	assert_true(asprintf(&token, "%s.%s.AAAA", header, encoded) > 0);
	free(encoded);
	free(changed);
	free(header);
	return token;
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		int rc;
		const char *reason;
	} rows[] = {
		{"", "", -EKEYREJECTED, "token: wrong signature"}, /* as it is, but AAAA */
		{"}", ",\"x\":1}", -EBADMSG, "unknown member \"x\""},
		{"{\"jti\"", "{\"jti\":\"" JTI "\",\"jti\"", -EBADMSG, "stands twice"},
		{"{\"jti\":\"" JTI "\",", "{", -EBADMSG, "\"jti\": expected a string"},
		{JTI, "x", -EBADMSG, "jti: expected 32"},
		{"\"router1\"", "\"../x\"", -EBADMSG, "'../x' cannot be a router's name"},
		{"[\"A0\",\"A1\"]", "[]", -EBADMSG, "has no asset-id"},
		{"[\"A0\",\"A1\"]", "[\"A0\",1]", -EBADMSG, "\"asset-id\": expected names"},
		{"[\"A0\",\"A1\"]", "\"A0\"", -EBADMSG, "\"asset-id\": expected an array"},
		{"1700000000", "1.7e9", -EBADMSG, "whole number"},
		{"1700000000", "-1", -EBADMSG, "\"iat\": expected a whole number"},
		{"\"secret\":\"", "\"secret\":\"!", -EBADMSG, "\"secret\""},
		{"\"secret\":\"YWJj", "\"secret\":\"YWIt", -EBADMSG, "\"secret\": expected 48"},
		{"\"conductor-ca-cert\":\"", "\"conductor-ca-cert\":\" ", -EBADMSG,
		 "\"conductor-ca-cert\": not base64"},
		{"\"conductor-public-cert\":\"M", "\"conductor-public-cert\":\"A", -EBADMSG,
		 "\"conductor-public-cert\": not a certificate"},
	};
	struct token_claims claims = claims_of(*state);
	char *payload = NULL;

	assert_int_equal(token_payload(&claims, &payload, NULL), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = with(payload, rows[i].from, rows[i].to);
		struct token token = {.iat = 4711};
		struct err err = {0};

		if (token_parse(&token, span_of_string(text), &err) != rows[i].rc)
			fail_msg("row %u: %s", i, err.text);
		assert_contains(err.text, rows[i].reason);
		assert_int_equal(token.iat, 4711);
		free(text);
	}
	token_text_free(&payload);
}

static void test_damaged(void **state)
{
	struct pki *pki = *state;
	struct token_claims claims = claims_of(pki);
	char *text = sign(pki, &claims);
	size_t size = strlen(text);
	char *large = calloc(1, TOKEN_SIZE_MAX + 1);
	struct token token;
	struct err err;

	for (size_t n = 0; n < size; n++) /* cut at every byte */
		if (token_parse(&token, span_of(text, n), &err) == 0)
			fail_msg("%zu of %zu bytes were taken", n, size);
	for (size_t bit = 0; bit < 8 * size; bit += 7) {
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		if (token_parse(&token, span_of(text, size), &err) == 0)
			fail_msg("bit %zu makes no difference", bit);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
	assert_int_equal(token_parse(&token, span_of(large, TOKEN_SIZE_MAX + 1), &err), -E2BIG);
	free(large);
	token_text_free(&text);
}

/* Tokens that another implementation wrote and signed (Python's cryptography). */
static void test_made_elsewhere(void **state)
{
	static const struct {
		const char *file;
		int rc;
	} rows[] = {
		{"good", 0},
		{"newline", 0},
		{"unsorted", -EKEYREJECTED},    /* signed so, but not what would be written */
		{"white-space", -EKEYREJECTED}, /* likewise */
		{"none", -EBADMSG},
		{"zero-byte", -EBADMSG},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char path[256];
		struct token token = {0};
		struct err err = {0};
		size_t size;
		char *text;

		(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/token/%s", TEST_SOURCE_DIR,
			       rows[i].file);
		text = test_read(path, &size);
		if (token_parse(&token, span_of(text, size), &err) != rows[i].rc)
			fail_msg("%s: %s", rows[i].file, err.text);
		token_release(&token);
		free(text);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds; /* 0 = refused */
	} rows[] = {
		{"30m", 1800},
		{"12h", 43200},
		{"1d", 86400},
		{"1y", 31536000},
		{"1m", 60},
		{"365d", 31536000},
		{"525600m", 31536000},
		{"007d", 604800},
		{"366d", 0}, /* more than a year */
		{"2y", 0},
		{"8761h", 0},
		{"999999999m", 0},
		{"9999999999m", 0}, /* more digits than a number here may have */
		{"0d", 0},
		{"", 0},
		{"d", 0},
		{"1", 0},
		{"1s", 0},
		{"1D", 0},
		{"-1d", 0},
		{"+1d", 0},
		{" 1d", 0},
		{"1d ", 0},
		{"1d12h", 0},
		{"1.5d", 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		uint64_t seconds = 4711;
		struct err err = {0};
		int rc = token_duration_parse(rows[i].text, &seconds, &err);

		if (rc != (rows[i].seconds ? 0 : -EINVAL))
			fail_msg("'%s': %s", rows[i].text, err.text);
		assert_int_equal(seconds, rows[i].seconds ? rows[i].seconds : 4711);
		if (rc < 0)
			assert_contains(err.text, "expected");
	}
}

static void test_names(void **state)
{
	char name[TOKEN_NAME_SIZE + 1];

	(void)state;
	assert_true(token_name_is_valid("aZ09._-"));
	assert_true(token_name_is_valid("..")); /* no path is made of it */
	assert_false(token_name_is_valid(""));
	assert_false(token_name_is_valid("a/b"));
	assert_false(token_name_is_valid("a\n"));
	assert_false(token_name_is_valid("\xc3\xa4"));
	memset(name, 'a', sizeof(name));
	name[TOKEN_NAME_SIZE] = '\0';
	assert_false(token_name_is_valid(name)); /* 64 */
	name[TOKEN_NAME_SIZE - 1] = '\0';
	assert_true(token_name_is_valid(name));
}

static void test_memory_runs_out(void **state)
{
	struct pki *pki = *state;
	const struct jws_key key = {.key = pki->key};
	struct token_claims claims = claims_of(pki);
	char *text = NULL;
	unsigned n = 0;
	int rc;

	do {
		faults_fail_allocation(++n);
		rc = token_sign(&claims, &key, &text, NULL);
		assert_int_equal(rc == 0, !faults_had_effect());
		assert_int_equal(rc == 0, text != NULL);
	} while (rc < 0);
	assert_true(n > 8);
	n = 0;
	do {
		struct token token = {0};

		faults_fail_allocation(++n);
		rc = token_parse(&token, span_of_string(text), NULL);
		assert_int_equal(rc == 0, !faults_had_effect());
		token_release(&token);
	} while (rc < 0);
	assert_true(n > 20);
	token_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload_byte_for_byte),
		cmocka_unit_test(test_openssl_verifies),
		cmocka_unit_test(test_claims_refused),
		cmocka_unit_test(test_dies_with_what_it_contains),
		cmocka_unit_test(test_curves),
		cmocka_unit_test(test_forged_headers),
		cmocka_unit_test(test_parsed),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_made_elsewhere),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
