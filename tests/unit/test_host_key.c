/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SSH keys that are made once, a conductor's and a router's: both halves are there, synced, and
 * stay the same. */
#include "support.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "conductor/tunnels/host_key.h"
#include "onboarding/router/ssh_identity.h"

/* What was synced, in that order. */
static struct stat synced[16];
static unsigned n_synced;

/* Instead of libc's. */
int fsync(int fd)
{
	if (n_synced < N_ELEMENTS(synced))
		assert_int_equal(fstat(fd, &synced[n_synced++]), 0);
	return (int)syscall(SYS_fsync, fd);
}

/* At which place of the order, at last? -1: never. */
static int synced_at(const char *path)
{
	int found = -1;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	for (unsigned i = 0; i < n_synced; i++)
		if (synced[i].st_ino == st.st_ino && synced[i].st_dev == st.st_dev)
			found = (int)i;
	return found;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

typedef int (*provide_cb)(const char *path, uint8_t ret[SSH_KEY_ED25519_SIZE], struct err *err);

static void check_new_key(provide_cb provide, const char *comment)
{
	uint8_t key[SSH_KEY_ED25519_SIZE];
	uint8_t again[SSH_KEY_ED25519_SIZE];
	char *folder = test_folder();
	const char *path = test_path(folder, "key");
	const char *public = test_path(folder, "key.pub");
	char *text;
	size_t size;
	struct err err;

	n_synced = 0;
	if (provide(path, key, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(ssh_key_is_ed25519(span_of(key, sizeof(key))));
	assert_int_equal(mode_of(path), 0600);
	assert_int_not_equal(access(test_path(folder, "key.new"), F_OK), 0);
	assert_int_not_equal(access(test_path(folder, "key.new.pub"), F_OK), 0);
	/* The public half, then the private one, then their names. */
	assert_true(synced_at(public) >= 0);
	assert_true(synced_at(path) > synced_at(public));
	assert_true(synced_at(folder) > synced_at(path));
	text = test_read(public, &size);
	assert_contains(text, comment);
	free(text);

	assert_int_equal(provide(path, again, &err), 0);
	assert_memory_equal(again, key, sizeof(key));
	test_folder_remove(folder);
}

static void test_both_are_whole_and_synced(void **state)
{
	(void)state;
	check_new_key(host_key_ensure, "ssh-ed25519 ");
	check_new_key(ssh_identity_provide, " steward\n");
}

/* A power cut before the private half was there leaves the public one; and what ssh-keygen had
 * begun. */
static void check_left_over(provide_cb provide)
{
	uint8_t key[SSH_KEY_ED25519_SIZE];
	uint8_t again[SSH_KEY_ED25519_SIZE];
	char *folder = test_folder();
	const char *path = test_path(folder, "key");
	struct err err;

	assert_int_equal(provide(path, key, &err), 0);
	assert_int_equal(unlink(path), 0);
	test_write(test_path(folder, "key.new"), span_of_string("half a key"));
	assert_int_equal(provide(path, again, &err), 0);
	assert_memory_not_equal(again, key, sizeof(key));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_not_equal(access(test_path(folder, "key.new"), F_OK), 0);
	test_folder_remove(folder);
}

static void test_half_a_pair_is_made_anew(void **state)
{
	(void)state;
	check_left_over(host_key_ensure);
	check_left_over(ssh_identity_provide);
}

static void test_no_key_is_told(void **state)
{
	uint8_t key[SSH_KEY_ED25519_SIZE] = {0};
	char *folder = test_folder();
	struct err err;

	(void)state;
	test_write(test_path(folder, "key"), span_of_string("private"));
	test_write(test_path(folder, "key.pub"), span_of_string("ssh-rsa AAAA me\n"));
	assert_int_equal(host_key_ensure(test_path(folder, "key"), key, &err), -EBADMSG);
	assert_contains(err.text, "key.pub holds no ssh-ed25519 key");
	assert_int_equal(ssh_identity_provide(test_path(folder, "key"), key, &err), -EINVAL);
	assert_contains(err.text, "key.pub: expected an ssh-ed25519 key");
	assert_int_equal(key[0], 0);
	assert_int_equal(host_key_ensure(test_path(folder, "none/key"), key, &err), -EIO);
	assert_contains(err.text, "ssh-keygen: exit status");
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_are_whole_and_synced),
		cmocka_unit_test(test_half_a_pair_is_made_anew),
		cmocka_unit_test(test_no_key_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
