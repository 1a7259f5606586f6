/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys unwrapped without the tool, from metadata that the real tool made, on a real ext4. */
#include "fscrypt_world.h"

#include "base/hex.h"
#include "base/macros.h"
#include "integrity/fscrypt_key.h"
#include "integrity/fscrypt_wrapped.h"

struct files {
	char *policy, *protector;
	size_t policy_size, protector_size;
	char policy_path[128], protector_path[128];
	struct fscrypt_wrapped wrapped;
};

static void read_files(const struct world *w, struct files *ret)
{
	char name[2 * FSCRYPT_IDENTIFIER_SIZE + 1];

	hex_encode(span_of(w->identifier, FSCRYPT_IDENTIFIER_SIZE), name);
	(void)snprintf(ret->policy_path, sizeof(ret->policy_path), MOUNT "/.fscrypt/policies/%s",
		       name);
	ret->policy = test_read(ret->policy_path, &ret->policy_size);
	assert_int_equal(
		fscrypt_wrapped_by(span_of(ret->policy, ret->policy_size), 0, &ret->wrapped), 0);
	assert_int_equal(
		fscrypt_wrapped_by(span_of(ret->policy, ret->policy_size), 1, &ret->wrapped),
		-ENOENT);
	(void)snprintf(ret->protector_path, sizeof(ret->protector_path),
		       MOUNT "/.fscrypt/protectors/%s", ret->wrapped.descriptor);
	ret->protector = test_read(ret->protector_path, &ret->protector_size);
}

static void free_files(const struct files *files)
{
	free(files->policy);
	free(files->protector);
}

static void lock(struct world *w)
{
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
}

/* And the tool finds it as it would have left it. */
static void test_added_without_the_tool(void **state)
{
	struct world *w = *state;

	test_write(DIRECTORY "/file", span_of_string("secret"));
	lock(w);
	world_replace_tool(w, "#!/bin/sh\nexit 1\n");
	must(w, fscrypt_key_add(DIRECTORY, w->identifier, &w->fek, &w->f));
	must(w, fscrypt_key_add(DIRECTORY, w->identifier, &w->fek, &w->f));
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_UNLOCKED);
	world_shell("rm " FOLDER "/bin/fscrypt; grep -q secret " DIRECTORY "/file; "
		    "fscrypt status " DIRECTORY " | grep -q 'Unlocked: Yes'; "
		    "fscrypt lock " DIRECTORY);
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
}

static void test_another_fek(void **state)
{
	struct world *w = *state;

	lock(w);
	w->fek.bytes[31] ^= 1;
	assert_failed(w, fscrypt_key_add(DIRECTORY, w->identifier, &w->fek, &w->f), -EKEYREJECTED,
		      CAUSE_FSCRYPT_REFUSED, "is not unwrapped without the tool");
	w->fek.bytes[31] ^= 1;
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
}

/* Another directory's policy in its place: what it unwraps is no key of this one, and goes. */
static void test_another_policy(void **state)
{
	struct world *w = *state;
	uint8_t second[FSCRYPT_IDENTIFIER_SIZE];
	char name[2 * FSCRYPT_IDENTIFIER_SIZE + 1];
	char from[128];
	struct files files;
	size_t size;
	char *other;

	world_shell("mkdir " MOUNT "/second");
	must(w, fscrypt_encrypt(MOUNT "/second", &w->fek, second, &w->f));
	must(w, fscrypt_lock(MOUNT "/second", &w->f));
	lock(w);
	read_files(w, &files);
	hex_encode(span_of(second, sizeof(second)), name);
	(void)snprintf(from, sizeof(from), MOUNT "/.fscrypt/policies/%s", name);
	other = test_read(from, &size);
	test_write(files.policy_path, span_of(other, size));
	assert_failed(w, fscrypt_key_add(DIRECTORY, w->identifier, &w->fek, &w->f), -EKEYREJECTED,
		      CAUSE_FSCRYPT_REFUSED, "have another key");
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
	assert_int_equal(world_state_of(w, MOUNT "/second"), FSCRYPT_LOCKED);
	free(other);
	free_files(&files);
}

static int unwrap(const struct world *w, struct span policy, struct span protector,
		  uint8_t ret[FSCRYPT_DIRECTORY_KEY_SIZE])
{
	struct fscrypt_wrapped wrapped;
	int rc = fscrypt_wrapped_by(policy, 0, &wrapped);

	return rc < 0 ? rc : fscrypt_unwrap(&wrapped, protector, w->fek.bytes, ret);
}

/* A bit of text, with the rest as the tool made it: the right key, where the bit is nobody's (a
 * name), or none. */
static void flip_each_bit(const struct world *w, const struct files *files, bool of_policy,
			  const uint8_t expected[FSCRYPT_DIRECTORY_KEY_SIZE])
{
	char *text = of_policy ? files->policy : files->protector;
	const size_t size = of_policy ? files->policy_size : files->protector_size;
	size_t refused = 0;

	for (size_t i = 0; i < 8 * size; i++) {
		uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE];

		text[i / 8] ^= (char)(1 << i % 8);
		if (unwrap(w, span_of(files->policy, files->policy_size),
			   span_of(files->protector, files->protector_size), key) < 0)
			refused++;
		else
			assert_memory_equal(key, expected, sizeof(key));
		text[i / 8] ^= (char)(1 << i % 8);
	}
	/* IV, key and HMAC at least. */
	assert_true(refused >= 8 * (16 + 32 + 32));
}

static void cut_at_each_byte(const struct world *w, const struct files *files)
{
	uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE];

	for (size_t n = 0; n < files->protector_size; n++) {
		char *cut = malloc(n + 1); /* so that a sanitizer sees a byte too many */

		memcpy(cut, files->protector, n);
		assert_true(unwrap(w, span_of(files->policy, files->policy_size), span_of(cut, n),
				   key) < 0);
		free(cut);
	}
	for (size_t n = 0; n < files->wrapped.hmac.size; n++)
		assert_true(unwrap(w, span_of(files->policy, files->policy_size - n - 1),
				   span_of(files->protector, files->protector_size), key) < 0);
}

static void test_damaged(void **state)
{
	struct world *w = *state;
	uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE];
	struct files files;

	read_files(w, &files);
	assert_int_equal(unwrap(w, span_of(files.policy, files.policy_size),
				span_of(files.protector, files.protector_size), key),
			 0);
	flip_each_bit(w, &files, true, key);
	flip_each_bit(w, &files, false, key);
	cut_at_each_byte(w, &files);
	free_files(&files);
}

/* A passphrase's protector: that is not ours to ask for. */
static void test_no_raw_key(void **state)
{
	static const char passphrase[] = "\x0a\x10"
					 "0123456789abcdef"
					 "\x10\x02";
	struct world *w = *state;
	uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE];
	struct files files;

	read_files(w, &files);
	assert_int_equal(unwrap(w, span_of(files.policy, files.policy_size),
				span_of(passphrase, sizeof(passphrase) - 1), key),
			 -EOPNOTSUPP);
	lock(w);
	test_write(files.protector_path, span_of(passphrase, sizeof(passphrase) - 1));
	assert_failed(w, fscrypt_key_add(DIRECTORY, w->identifier, &w->fek, &w->f), -EOPNOTSUPP,
		      CAUSE_FSCRYPT_REFUSED, "is not unwrapped without the tool");
	free_files(&files);
}

/* Numbers of ten bytes and more, fields of every kind, lengths beyond the end. */
static void test_odd_messages(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		int rc;
	} rows[] = {
		{"", 0, -ENOENT},
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, -ENOENT},
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, -EBADMSG},
		{"\x09\1\2\3\4\5\6\7\x08", 9, -ENOENT},
		{"\x09\1\2\3\4\5\6\7", 8, -EBADMSG},
		{"\x0d\1\2\3\4", 5, -ENOENT},
		{"\x0b", 1, -EBADMSG},
		{"\x0a", 1, -EBADMSG},
		{"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, -EBADMSG},
		{"\x1a\x00", 2, -EBADMSG},
		{"\x18\x01", 2, -ENOENT},
		{"\x9a\x00\x00", 3, -EBADMSG},
	};
	struct fscrypt_wrapped w;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (fscrypt_wrapped_by(span_of(rows[i].text, rows[i].size), 0, &w) != rows[i].rc)
			fail_msg("row %zu", i);
}

#define ENCRYPTED(test) cmocka_unit_test_setup_teardown(test, world_mount_encrypted, world_unmount)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENCRYPTED(test_added_without_the_tool),
		ENCRYPTED(test_another_fek),
		ENCRYPTED(test_another_policy),
		ENCRYPTED(test_damaged),
		ENCRYPTED(test_no_raw_key),
		cmocka_unit_test(test_odd_messages),
	};

	return cmocka_run_group_tests(tests, world_make, world_end);
}
