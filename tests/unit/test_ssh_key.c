/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SSH keys as blobs: of a known type, and whole. */
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"
#include "onboarding/ssh_key.h"

static void test_types(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *type; /* NULL = none */
	} rows[] = {
		{"\0\0\0\x07ssh-rsa\0\0\0\3\1\0\1\0\0\0\2\0\xff", 24, "ssh-rsa"},
		{"\0\0\0\x13"
		 "ecdsa-sha2-nistp256\0\0\0\x08nistp256\0\0\0\1\4",
		 40, "ecdsa-sha2-nistp256"},
		{"\0\0\0\x0bssh-ed25519\0\0\0\1\1", 20, "ssh-ed25519"}, /* of a known type only */
		{"\0\0\0\x07ssh-dss\0\0\0\3\1\0\1\0\0\0\2\0\xff", 24, NULL},
		{"\0\0\0\x07ssh-rsa\0\0\0\3\1\0\1", 18, NULL},         /* a field missing */
		{"\0\0\0\x07ssh-rsa\0\0\0\3\1\0\1\0\0\0\0", 22, NULL}, /* an empty one */
		{"\0\0\0\x07ssh-rsa\0\0\0\3\1\0\1\0\0\0\2\0\xff\0", 25,
		 NULL}, /* something after it */
		{"\0\0\0\x08ssh-rsa\n\0\0\0\3\1\0\1\0\0\0\2\0\xff", 25, NULL},
		{"\0\0\0\0", 4, NULL},
		{"\xff\xff\xff\xff", 4, NULL},
		{"", 0, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct span blob = span_of(rows[i].bytes, rows[i].size);
		const char *type = ssh_key_type(blob);

		if (!rows[i].type != !type || (type && strcmp(type, rows[i].type) != 0))
			fail_msg("row %u: %s", i, type ? type : "none");
		assert_false(ssh_key_is_ed25519(blob));
	}
}

static void test_ed25519(void **state)
{
	uint8_t key[SSH_KEY_ED25519_SIZE + 1] = {0};

	(void)state;
	sample_ssh_key(key, 7);
	assert_true(ssh_key_is_ed25519(span_of(key, SSH_KEY_ED25519_SIZE)));
	assert_false(ssh_key_is_ed25519(span_of(key, SSH_KEY_ED25519_SIZE + 1)));
	for (size_t n = 0; n < SSH_KEY_ED25519_SIZE; n++)
		assert_false(ssh_key_is_ed25519(span_of(key, n)));
	for (size_t bit = 0; bit < (size_t)19 * 8; bit++) { /* all but the key itself */
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(ssh_key_is_ed25519(span_of(key, SSH_KEY_ED25519_SIZE)));
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_too_large(void **state)
{
	uint8_t key[SSH_KEY_SIZE_MAX + 1] = {0};

	(void)state;
	memcpy(key, "\0\0\0\x0bssh-ed25519\0\0\x02\x45", 19);
	assert_string_equal(ssh_key_type(span_of(key, SSH_KEY_SIZE_MAX)), "ssh-ed25519");
	key[18]++;
	assert_null(ssh_key_type(span_of(key, SSH_KEY_SIZE_MAX + 1)));
}

/* As ssh-keygen writes it, and what is not so. */
static void test_line(void **state)
{
	static const char base64[] =
		"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
	static const struct {
		const char *before;
		const char *after;
		bool good;
	} rows[] = {
		{"ssh-ed25519 ", " steward\n", true}, {"ssh-ed25519 ", "\n", true},
		{"ssh-ed25519 ", "", true},           {"ssh-rsa ", " steward\n", false},
		{"ssh-ed25519  ", "\n", false},       {"ssh-ed25519 ", "AAAA\n", false},
		{"ssh-ed25519 !", "\n", false},       {"", "", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		uint8_t key[SSH_KEY_ED25519_SIZE] = {0};
		char line[256];
		int rc;

		(void)snprintf(line, sizeof(line), "%s%s%s", rows[i].before, base64, rows[i].after);
		rc = ssh_key_from_line(line, key);
		if (rc != (rows[i].good ? 0 : -EINVAL))
			fail_msg("row %u: %d", i, rc);
		/* 0, 1, 2 ... 31 are its last bytes. */
		assert_int_equal(key[SSH_KEY_ED25519_SIZE - 1], rows[i].good ? 31 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
