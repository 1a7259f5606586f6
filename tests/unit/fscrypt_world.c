/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fscrypt_world.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/process.h"

void must(const struct world *w, int rc)
{
	if (rc < 0)
		fail_msg("%s", w->f.err.text);
	assert_int_equal(rc, 0);
}

void world_shell(const char *script)
{
	const char *const argv[] = {"sh", "-ec", script, NULL};
	struct process_command command = {.argv = argv, .fd = -1, .timeout_ms = 60000};
	struct process_result result;
	struct err err = {0};

	if (process_run(&command, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (result.exit_status != 0)
		fail_msg("%s: %s", script, result.last_line);
}

/* /etc is the world's own: fscrypt's configuration does not stay behind, and two of these programs
 * do not race for it. One that is there already spares the tool the root directory's setup. */
static void make_etc(void)
{
	static const char configuration[] =
		"{\"source\": \"custom_passphrase\", \"hash_costs\": {\"time\": \"1\", "
		"\"memory\": \"8\", \"parallelism\": \"1\"}, \"options\": {\"padding\": \"32\", "
		"\"contents\": \"AES_256_XTS\", \"filenames\": \"AES_256_CTS\", "
		"\"policy_version\": \"2\"}, \"use_fs_keyring_for_v1_policies\": false, "
		"\"allow_cross_user_metadata\": false}";

	world_shell("cd " FOLDER "; mkdir etc work; mount -t overlay -o lowerdir=/etc,"
		    "upperdir=etc,workdir=work overlay /etc");
	test_write("/etc/fscrypt.conf", span_of_string(configuration));
}

int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("test", FOLDER, "tmpfs", 0, NULL), 0);
	make_etc();
	world_shell(
		"cd " FOLDER
		"; mkdir encrypt without cut plain bin empty; truncate -s 64M e.img w.img;"
		"mkfs.ext4 -q -O encrypt e.img; mkfs.ext4 -q w.img; mount -o loop w.img without");
	assert_int_equal(secret_init(&w->fek, FSCRYPT_FEK_SIZE, NULL), 0);
	for (size_t i = 0; i < w->fek.size; i++)
		w->fek.bytes[i] = (uint8_t)(7 * i + 1);
	w->path = strdup(getenv("PATH"));
	*state = w;
	return 0;
}

int world_end(void **state)
{
	struct world *w = *state;

	world_shell("umount /etc " WITHOUT " " FOLDER);
	secret_release(&w->fek);
	free(w->path);
	free(w);
	return 0;
}

int world_mount(void **state)
{
	struct world *w = *state;

	memset(&w->f, 0, sizeof(w->f));
	world_shell("cd " FOLDER "; mkfs.ext4 -qF -O encrypt e.img; mount -o loop e.img encrypt;"
		    "mkdir " DIRECTORY "; rm -f " FOLDER "/bin/*");
	return 0;
}

int world_unmount(void **state)
{
	struct world *w = *state;

	assert_int_equal(setenv("PATH", w->path, 1), 0);
	world_shell("umount " MOUNT);
	return 0;
}

int world_mount_encrypted(void **state)
{
	struct world *w = *state;

	(void)world_mount(state);
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	must(w, fscrypt_encrypt(DIRECTORY, &w->fek, w->identifier, &w->f));
	return 0;
}

void world_replace_tool(const struct world *w, const char *script)
{
	char path[4096];

	test_write(FOLDER "/bin/fscrypt", span_of_string(script));
	assert_int_equal(chmod(FOLDER "/bin/fscrypt", 0755), 0);
	(void)snprintf(path, sizeof(path), FOLDER "/bin:%s", w->path);
	assert_int_equal(setenv("PATH", path, 1), 0);
}

void assert_failed(const struct world *w, int rc, int code, enum integrity_cause cause,
		   const char *part)
{
	if (rc != code || w->f.cause != cause || w->f.err.code != code)
		fail_msg("%d (%s), expected %d: %s", rc, integrity_cause_name(w->f.cause), code,
			 w->f.err.text);
	assert_int_equal(strncmp(w->f.err.text, integrity_cause_name(cause),
				 strlen(integrity_cause_name(cause))),
			 0);
	assert_contains(w->f.err.text, part);
}

enum fscrypt_state world_state_of(struct world *w, const char *path)
{
	struct fscrypt_directory directory;

	if (fscrypt_inspect(path, &directory, &w->f) < 0)
		fail_msg("%s", w->f.err.text);
	return directory.state;
}

void world_set_policy(const char *path, unsigned version, uint8_t filenames)
{
	struct {
		struct fscrypt_add_key_arg arg;
		uint8_t raw[64];
	} key = {.arg.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER, .arg.raw_size = 64};
	struct fscrypt_policy_v1 v1 = {.version = FSCRYPT_POLICY_V1,
				       .contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
				       .filenames_encryption_mode = filenames};
	struct fscrypt_policy_v2 v2 = {.version = FSCRYPT_POLICY_V2,
				       .contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
				       .filenames_encryption_mode = filenames};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(key.raw, 0x5a, sizeof(key.raw));
	if (version == 1) {
		assert_int_equal(ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &v1), 0);
	} else {
		assert_int_equal(ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &key), 0);
		memcpy(v2.master_key_identifier, key.arg.key_spec.u.identifier,
		       sizeof(v2.master_key_identifier));
		assert_int_equal(ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &v2), 0);
	}
	(void)close(fd);
}
