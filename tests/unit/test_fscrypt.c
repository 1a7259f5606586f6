/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encrypted directories and their life: the real tool on a real ext4. */
#include "fscrypt_world.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/macros.h"

static void test_its_whole_life(void **state)
{
	struct world *w = *state;
	struct fscrypt_directory directory;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	char policy[2 * FSCRYPT_IDENTIFIER_SIZE + 1];
	bool unlocked;

	must(w, fscrypt_possible(DIRECTORY "/not/there", &w->f));
	assert_int_equal(access(MOUNT "/.fscrypt", F_OK), -1);
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_PLAIN);
	must(w, fscrypt_encrypt(DIRECTORY, &w->fek, identifier, &w->f));
	must(w, fscrypt_inspect(DIRECTORY, &directory, &w->f));
	assert_int_equal(directory.state, FSCRYPT_UNLOCKED);
	assert_true(directory.empty);
	assert_memory_equal(directory.identifier, identifier, sizeof(identifier));
	hex_encode(span_of(identifier, sizeof(identifier)), policy);
	assert_int_equal(access(test_path(MOUNT "/.fscrypt/policies", policy), F_OK), 0);
	test_write(DIRECTORY "/file", span_of_string("secret"));

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	must(w, fscrypt_inspect(DIRECTORY, &directory, &w->f));
	assert_int_equal(directory.state, FSCRYPT_LOCKED);
	assert_false(directory.empty);
	assert_int_equal(access(DIRECTORY "/file", F_OK), -1);
	must(w, fscrypt_check(DIRECTORY, identifier, &unlocked, &w->f));
	assert_false(unlocked);

	world_shell("umount " MOUNT "; mount -o loop " FOLDER "/e.img " MOUNT);
	must(w, fscrypt_unlock(DIRECTORY, identifier, &w->fek, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, identifier, &w->fek, &w->f));
	must(w, fscrypt_check(DIRECTORY, identifier, &unlocked, &w->f));
	assert_true(unlocked);
	world_shell("grep -q secret " DIRECTORY "/file");
	/* The operator's own commands go on working. */
	world_shell("fscrypt status " DIRECTORY "; fscrypt lock " DIRECTORY);
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
}

/* The disk as it is right now, as if the power had failed, at CUT. */
static void cut_power(void)
{
	world_shell("cd " FOLDER "; cp --sparse=always e.img cut.img; mount -o loop cut.img cut");
}

static void test_power_cuts(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	must(w, fscrypt_setup(DIRECTORY, &w->f));
	cut_power();
	world_shell("rmdir " CUT "/.fscrypt/policies " CUT "/.fscrypt/protectors; umount " CUT);
	must(w, fscrypt_encrypt(DIRECTORY, &w->fek, identifier, &w->f));
	cut_power();
	must(w, fscrypt_unlock(CUT "/secrets", identifier, &w->fek, &w->f));
	world_shell("umount " CUT);
	must(w, fscrypt_forget(DIRECTORY, identifier, &w->f));
	cut_power();
	world_shell("rmdir " CUT "/.fscrypt/policies " CUT "/.fscrypt/protectors; umount " CUT);
}

static void test_two_directories(void **state)
{
	struct world *w = *state;
	uint8_t second[FSCRYPT_IDENTIFIER_SIZE];
	bool unlocked;

	world_shell("mkdir " MOUNT "/second");
	must(w, fscrypt_encrypt(MOUNT "/second", &w->fek, second, &w->f));
	/* Each has a key of its own. */
	assert_memory_not_equal(second, w->identifier, sizeof(second));
	must(w, fscrypt_lock(MOUNT "/second", &w->f));
	must(w, fscrypt_check(DIRECTORY, w->identifier, &unlocked, &w->f));
	assert_true(unlocked);
	/* One in the place of the other. */
	assert_failed(w, fscrypt_unlock(MOUNT "/second", w->identifier, &w->fek, &w->f),
		      -EKEYREJECTED, CAUSE_DIRECTORY_FOREIGN, "is encrypted under the key");
	assert_int_equal(world_state_of(w, MOUNT "/second"), FSCRYPT_LOCKED);
	/* And what is kept of one goes without the other's. */
	must(w, fscrypt_forget(MOUNT "/second", second, &w->f));
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
}

static void test_inspect(void **state)
{
	struct world *w = *state;
	struct fscrypt_directory directory;

	world_shell("cd " MOUNT "; mkdir v1; touch file; ln -s secrets link");
	world_set_policy(MOUNT "/v1", 1, FSCRYPT_MODE_AES_256_CTS);
	assert_int_equal(world_state_of(w, MOUNT "/missing"), FSCRYPT_ABSENT);
	assert_int_equal(world_state_of(w, MOUNT "/v1"), FSCRYPT_FOREIGN);
	assert_int_equal(world_state_of(w, WITHOUT), FSCRYPT_PLAIN);
	must(w, fscrypt_inspect(WITHOUT, &directory, &w->f));
	assert_false(directory.empty); /* lost+found */
	must(w, fscrypt_inspect(MOUNT "/v1", &directory, &w->f));
	assert_true(directory.empty);
	assert_failed(w, fscrypt_inspect(MOUNT "/file", &directory, &w->f), -ENOTDIR,
		      CAUSE_DIRECTORY_MISSING, "is no directory");
	assert_failed(w, fscrypt_inspect(MOUNT "/link", &directory, &w->f), -ELOOP,
		      CAUSE_DIRECTORY_SYMLINK, "symbolic link");
}

static void test_encrypt_refuses(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	world_shell("cd " MOUNT "; mkdir full; touch full/file; ln -s secrets link");
	assert_failed(w, fscrypt_encrypt(MOUNT "/full", &w->fek, identifier, &w->f), -ENOTEMPTY,
		      CAUSE_SYSTEM, "is not empty");
	assert_failed(w, fscrypt_encrypt(DIRECTORY, &w->fek, identifier, &w->f), -EEXIST,
		      CAUSE_DIRECTORY_FOREIGN, "is encrypted already");
	assert_failed(w, fscrypt_encrypt(MOUNT "/missing", &w->fek, identifier, &w->f), -ENOENT,
		      CAUSE_DIRECTORY_MISSING, "is not there");
	assert_failed(w, fscrypt_encrypt(MOUNT "/link", &w->fek, identifier, &w->f), -ELOOP,
		      CAUSE_DIRECTORY_SYMLINK, "symbolic link");
	assert_failed(w, fscrypt_encrypt(FOLDER "/plain", &w->fek, identifier, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "fscrypt encrypt: exit status 1");
}

static void test_not_possible(void **state)
{
	static const struct {
		const char *path, *part;
	} rows[] = {
		{FOLDER "/plain/x/y", "neither ext4 nor f2fs"},
		{WITHOUT "/secrets", "\"encrypt\" is off"},
		{"/proc/nothing", "neither ext4 nor f2fs"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(fscrypt_possible(rows[i].path, &w->f), -EOPNOTSUPP);
		assert_int_equal(w->f.cause, CAUSE_NONE);
		assert_contains(w->f.err.text, rows[i].part);
	}
}

static void test_lock_with_an_open_file(void **state)
{
	struct world *w = *state;
	bool unlocked;
	int fd;

	test_write(DIRECTORY "/file", span_of_string("secret"));
	fd = open(DIRECTORY "/file", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_failed(w, fscrypt_lock(DIRECTORY, &w->f), -EBUSY, CAUSE_SYSTEM, "still open");
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_LOCKED);
	must(w, fscrypt_check(DIRECTORY, w->identifier, &unlocked, &w->f));
	assert_false(unlocked);
	/* And back from there. */
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	assert_int_equal(world_state_of(w, DIRECTORY), FSCRYPT_UNLOCKED);
	assert_failed(w, fscrypt_lock(DIRECTORY, &w->f), -EBUSY, CAUSE_SYSTEM, "still open");
	(void)close(fd);
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	assert_failed(w, fscrypt_lock(WITHOUT, &w->f), -ENODATA, CAUSE_DIRECTORY_PLAIN,
		      "is not encrypted");
}

static void test_forget(void **state)
{
	struct world *w = *state;

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	/* rmdir removes what is empty only. */
	world_shell("cd " MOUNT "/.fscrypt; rmdir policies protectors; mkdir policies protectors");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	world_shell("rm -r " MOUNT "/.fscrypt");
	must(w, fscrypt_forget(MOUNT "/never/was", w->identifier, &w->f));
}

/* Interrupted after the protector: the second time ends it. */
static void test_forget_again(void **state)
{
	struct world *w = *state;

	world_shell("rm " MOUNT "/.fscrypt/protectors/*");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	world_shell("rmdir " MOUNT "/.fscrypt/policies");
}

/* What the operator has put under the same protector is not taken from him. */
static void test_forget_keeps_a_shared_protector(void **state)
{
	struct world *w = *state;

	test_write(FOLDER "/key", span_of(w->fek.bytes, w->fek.size));
	world_shell("cd " MOUNT "; mkdir his; fscrypt encrypt his --quiet --key=" FOLDER
		    "/key --protector=" MOUNT ":$(ls .fscrypt/protectors)");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	world_shell("cd " MOUNT "; fscrypt lock his; fscrypt unlock his --quiet --key=" FOLDER
		    "/key");
}

/* A unit's ReadWritePaths= is a mount of its own: of the same filesystem. */
static void test_bind_mount(void **state)
{
	struct world *w = *state;

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	world_shell("mount --bind " DIRECTORY " " DIRECTORY);
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	world_shell("umount " DIRECTORY);
}

#define LIFE(test)      cmocka_unit_test_setup_teardown(test, world_mount, world_unmount)
#define ENCRYPTED(test) cmocka_unit_test_setup_teardown(test, world_mount_encrypted, world_unmount)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(test_its_whole_life),
		LIFE(test_power_cuts),
		ENCRYPTED(test_two_directories),
		LIFE(test_inspect),
		ENCRYPTED(test_encrypt_refuses),
		LIFE(test_not_possible),
		ENCRYPTED(test_lock_with_an_open_file),
		ENCRYPTED(test_forget),
		ENCRYPTED(test_forget_again),
		ENCRYPTED(test_forget_keeps_a_shared_protector),
		ENCRYPTED(test_bind_mount),
	};

	return cmocka_run_group_tests(tests, world_make, world_end);
}
