/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything that is not as it should be: directories, keys, metadata, and the tool itself. */
#include "fscrypt_world.h"

#include <linux/fscrypt.h>
#include <sys/stat.h>

#include "base/macros.h"

/* What stands where an encrypted directory should. */
static void test_impostors(void **state)
{
	static const struct {
		const char *path;
		int code;
		enum integrity_cause cause;
		const char *part;
	} rows[] = {
		{MOUNT "/plain", -ENODATA, CAUSE_DIRECTORY_PLAIN, "is not encrypted"},
		{FOLDER "/plain", -ENODATA, CAUSE_DIRECTORY_PLAIN, "is not encrypted"}, /* tmpfs */
		{WITHOUT, -ENODATA, CAUSE_DIRECTORY_PLAIN, "is not encrypted"},
		{MOUNT "/link", -ELOOP, CAUSE_DIRECTORY_SYMLINK, "symbolic link"},
		{MOUNT "/link/", -ELOOP, CAUSE_DIRECTORY_SYMLINK, "symbolic link"},
		{MOUNT "/dangling", -ELOOP, CAUSE_DIRECTORY_SYMLINK, "symbolic link"},
		{MOUNT "/missing", -ENOENT, CAUSE_DIRECTORY_MISSING, "is not there"},
		{MOUNT "/missing/too", -ENOENT, CAUSE_DIRECTORY_MISSING, "is not there"},
		{MOUNT "/file", -ENOTDIR, CAUSE_DIRECTORY_MISSING, "is no directory"},
		{MOUNT "/v1", -EKEYREJECTED, CAUSE_DIRECTORY_FOREIGN, "of version 1"},
		{MOUNT "/modes", -EKEYREJECTED, CAUSE_DIRECTORY_FOREIGN, "the modes 1 and 10"},
		{MOUNT "/other", -EKEYREJECTED, CAUSE_DIRECTORY_FOREIGN, "under the key"},
	};
	struct world *w = *state;
	bool unlocked;

	world_shell("cd " MOUNT
		    "; mkdir plain v1 modes other; ln -s secrets link; ln -s nowhere dangling;"
		    "touch file");
	world_set_policy(MOUNT "/v1", 1, FSCRYPT_MODE_AES_256_CTS);
	world_set_policy(MOUNT "/modes", 2, FSCRYPT_MODE_AES_256_HCTR2);
	world_set_policy(MOUNT "/other", 2, FSCRYPT_MODE_AES_256_CTS);
	/* Nobody asks the tool about them. */
	world_replace_tool(w, "#!/bin/sh\ntouch " FOLDER "/asked\n");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_failed(w, fscrypt_check(rows[i].path, w->identifier, &unlocked, &w->f),
			      rows[i].code, rows[i].cause, rows[i].part);
		assert_failed(w, fscrypt_unlock(rows[i].path, w->identifier, &w->fek, &w->f),
			      rows[i].code, rows[i].cause, rows[i].part);
	}
	assert_int_equal(access(FOLDER "/asked", F_OK), -1);
}

static void test_wrong_key(void **state)
{
	struct world *w = *state;
	struct secret wrong;

	assert_int_equal(secret_init(&wrong, FSCRYPT_FEK_SIZE, NULL), 0);
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &wrong, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED,
		      "exit status 1: [ERROR] fscrypt unlock: incorrect key");
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
	secret_release(&wrong);
}

static void test_metadata_missing(void **state)
{
	static const struct {
		const char *hide, *part;
	} rows[] = {
		{".fscrypt", MOUNT "/.fscrypt is not there"},
		{".fscrypt/policies", MOUNT "/.fscrypt is not there, or not whole"},
		{".fscrypt/protectors", MOUNT "/.fscrypt is not there, or not whole"},
		{".fscrypt/policies/*", "No such file"},
		{".fscrypt/protectors/*", "has no protector of policy"},
	};
	struct world *w = *state;
	char script[256];

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	world_shell("cp -a " MOUNT "/.fscrypt " FOLDER "/kept");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		(void)snprintf(script, sizeof(script), "rm -r " MOUNT "/%s", rows[i].hide);
		world_shell(script);
		assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -ENOENT,
			      CAUSE_METADATA_MISSING, rows[i].part);
		world_shell("cp -a " FOLDER "/kept/. " MOUNT "/.fscrypt");
	}
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	world_shell("rm -r " FOLDER "/kept");
}

static void test_tool_missing(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	assert_int_equal(setenv("PATH", FOLDER "/empty", 1), 0);
	assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -ENOENT,
		      CAUSE_FSCRYPT_MISSING, "run fscrypt: No such file or directory");
	assert_failed(w, fscrypt_possible(DIRECTORY, &w->f), -EOPNOTSUPP, CAUSE_FSCRYPT_MISSING,
		      "run fscrypt: No such file or directory");
	assert_failed(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f), -ENOENT,
		      CAUSE_FSCRYPT_MISSING, "run fscrypt");
	assert_int_equal(mkdir(MOUNT "/second", 0700), 0);
	assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f), -ENOENT,
		      CAUSE_FSCRYPT_MISSING, "run fscrypt");
}

/* What the tool gets to see, written down by one in its place: the FEK comes as descriptor 3 only,
 * from memory that is locked and in no core. */
static void test_how_the_key_is_handed_over(void **state)
{
	struct world *w = *state;
	char script[1024];
	char *seen;

	(void)snprintf(script, sizeof(script),
		       "#!/bin/sh\nPATH=%s\nexec 4>" FOLDER "/seen\n"
		       "echo \"$@\" >&4; readlink /proc/$$/fd/3 >&4\n"
		       "cmp /proc/self/fd/3 " FOLDER "/key && echo the key >&4\n"
		       "sed -n '/memfd:fek/,/^VmFlags/p' /proc/$PPID/smaps | grep VmFlags >&4\n",
		       w->path);
	test_write(FOLDER "/key", span_of(w->fek.bytes, w->fek.size));
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	world_replace_tool(w, script);
	assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "still locked");
	seen = test_read(FOLDER "/seen", NULL);
	assert_contains(seen, "unlock " DIRECTORY " --key=/proc/self/fd/3 --quiet\n");
	assert_contains(seen, "\n/memfd:fek (deleted)\n");
	assert_contains(seen, "\nthe key\n");
	assert_contains(seen, " lo ");
	assert_contains(seen, " dd ");
	free(seen);
	/* And nothing of it is left here. */
	world_shell("! grep -q memfd:fek /proc/$PPID/maps; ! ls -l /proc/$PPID/fd | grep memfd");
}

/* Everything that believes the tool, told a lie. */
static void test_liars(void **state)
{
	static const struct {
		const char *script, *part;
	} rows[] = {
		{"#!/bin/sh\necho gar'\033'bage >&2; exit 3\n", "exit status 3: gar\\x1bbage"},
		{"#!/bin/sh\nexit 3\n", "exit status 3: it said nothing"},
		{"#!/bin/sh\nkill -SEGV $$\n", "exit status 139"},
		{"#!/bin/sh\necho fine >&2; exit 0\n", ""},
	};
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	assert_int_equal(mkdir(MOUNT "/second", 0700), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
		world_replace_tool(w, rows[i].script);
		assert_failed(w, fscrypt_lock(DIRECTORY, &w->f), -EPROTO, CAUSE_FSCRYPT_REFUSED,
			      rows[i].part);
		assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_UNLOCKED);
		assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f),
			      -EPROTO, CAUSE_FSCRYPT_REFUSED, rows[i].part);
		assert_int_equal(setenv("PATH", w->path, 1), 0);
		must(w, fscrypt_lock(DIRECTORY, &w->f));
		world_replace_tool(w, rows[i].script);
		assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -EPROTO,
			      CAUSE_FSCRYPT_REFUSED, rows[i].part);
		assert_failed(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f), -EPROTO,
			      CAUSE_FSCRYPT_REFUSED, rows[i].part);
		world_shell("mv " MOUNT "/.fscrypt " MOUNT "/moved");
		assert_failed(w, fscrypt_setup(DIRECTORY, &w->f), -EPROTO, CAUSE_FSCRYPT_REFUSED,
			      rows[i].part);
		world_shell("mv " MOUNT "/moved " MOUNT "/.fscrypt");
		assert_int_equal(setenv("PATH", w->path, 1), 0);
	}
}

/* It encrypts, but with a key of its own: the FEK would not open it at the next boot. */
static void test_another_key_is_wrapped(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	char script[512];

	world_shell("head -c 32 /dev/urandom > " FOLDER "/key; mkdir " MOUNT "/second");
	(void)snprintf(script, sizeof(script),
		       "#!/bin/sh\nPATH=%s\n[ \"$1\" = encrypt ] || exec fscrypt \"$@\"\n"
		       "exec fscrypt encrypt $2 $3 $4 --key=" FOLDER "/key --quiet\n",
		       w->path);
	world_replace_tool(w, script);
	assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "incorrect key provided");
}

/* fscrypt's own configuration: made where it is missing, and obeyed by it, but not by us. The tool
 * makes the root directory's folder with it. */
static void test_configuration(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	world_shell("[ -e /.fscrypt ] || touch " FOLDER "/made; rm /etc/fscrypt.conf");
	assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -ENOENT,
		      CAUSE_FSCRYPT_NOT_SET_UP, "/etc/fscrypt.conf is not there");
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	world_shell("sed -i 's/AES_256_XTS/AES_128_CBC/; s/AES_256_CTS/AES_128_CTS/' "
		    "/etc/fscrypt.conf; "
		    "mkdir " MOUNT "/second");
	assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "the modes 5 and 6");
	world_shell("[ ! -e " FOLDER "/made ] || rm -r /.fscrypt");
}

#define ENCRYPTED(test) cmocka_unit_test_setup_teardown(test, world_mount_encrypted, world_unmount)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENCRYPTED(test_impostors),
		ENCRYPTED(test_wrong_key),
		ENCRYPTED(test_metadata_missing),
		ENCRYPTED(test_tool_missing),
		ENCRYPTED(test_how_the_key_is_handed_over),
		ENCRYPTED(test_liars),
		ENCRYPTED(test_another_key_is_wrapped),
		ENCRYPTED(test_configuration),
	};

	return cmocka_run_group_tests(tests, world_make, world_end);
}
