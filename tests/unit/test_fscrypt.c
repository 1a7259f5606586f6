/* Encrypted directories: the real tool on a real ext4 in a loop device.
 *
 * All mounts are in a mount namespace of this process: however it ends they go with it, and so do
 * the loop devices (autoclear) and the files, which are in a tmpfs. */
#include "support.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/hex.h"
#include "core/macros.h"
#include "core/process.h"
#include "core/span.h"
#include "integrity/fscrypt.h"

/* /mnt is always there; in our namespace it is a tmpfs. */
#define FOLDER    "/mnt"
#define MOUNT     FOLDER "/encrypt"
#define DIRECTORY MOUNT "/secrets"
#define WITHOUT   FOLDER "/without"
#define CUT       FOLDER "/cut"

struct world {
	struct secret fek;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	struct failure f;
	char *path; /* PATH as it was */
};

static void must(const struct world *w, int rc)
{
	if (rc < 0)
		fail_msg("%s", w->f.err.text);
	assert_int_equal(rc, 0);
}

static void shell(const char *script)
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

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("test", FOLDER, "tmpfs", 0, NULL), 0);
	shell("cd " FOLDER
	      "; mkdir encrypt without cut plain bin empty; truncate -s 64M e.img w.img;"
	      "mkfs.ext4 -q -O encrypt e.img; mkfs.ext4 -q w.img; mount -o loop w.img without");
	assert_int_equal(secret_init(&w->fek, FSCRYPT_FEK_SIZE, NULL), 0);
	for (size_t i = 0; i < w->fek.size; i++)
		w->fek.bytes[i] = (uint8_t)(7 * i + 1);
	w->path = strdup(getenv("PATH"));
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	shell("umount " WITHOUT " " FOLDER);
	secret_release(&w->fek);
	free(w->path);
	free(w);
	return 0;
}

/* A filesystem as the tool has set it up, with an empty directory. */
static int mount_fresh(void **state)
{
	struct world *w = *state;

	memset(&w->f, 0, sizeof(w->f));
	shell("cd " FOLDER "; mkfs.ext4 -qF -O encrypt e.img; mount -o loop e.img encrypt;"
	      "mkdir " DIRECTORY "; rm -f " FOLDER "/bin/*");
	return 0;
}

static int unmount(void **state)
{
	struct world *w = *state;

	assert_int_equal(setenv("PATH", w->path, 1), 0);
	shell("umount " MOUNT);
	return 0;
}

/* Likewise with the directory encrypted, and unlocked. */
static int mount_encrypted(void **state)
{
	struct world *w = *state;

	(void)mount_fresh(state);
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	must(w, fscrypt_encrypt(DIRECTORY, &w->fek, w->identifier, &w->f));
	return 0;
}

/* The tool is a shell script from here on: first in PATH, or alone. */
static void replace_tool(const struct world *w, const char *script, bool alone)
{
	char path[4096];

	test_write(FOLDER "/bin/fscrypt", span_of_string(script));
	assert_int_equal(chmod(FOLDER "/bin/fscrypt", 0755), 0);
	(void)snprintf(path, sizeof(path), alone ? FOLDER "/bin" : FOLDER "/bin:%s", w->path);
	assert_int_equal(setenv("PATH", path, 1), 0);
}

static void assert_failed(const struct world *w, int rc, int code, enum integrity_cause cause,
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

static enum fscrypt_state state_of(struct world *w, const char *path)
{
	struct fscrypt_directory directory;

	if (fscrypt_inspect(path, &directory, &w->f) < 0)
		fail_msg("%s", w->f.err.text);
	return directory.state;
}

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
	assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_PLAIN);
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

	shell("umount " MOUNT "; mount -o loop " FOLDER "/e.img " MOUNT);
	must(w, fscrypt_unlock(DIRECTORY, identifier, &w->fek, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, identifier, &w->fek, &w->f));
	must(w, fscrypt_check(DIRECTORY, identifier, &unlocked, &w->f));
	assert_true(unlocked);
	shell("grep -q secret " DIRECTORY "/file");
	/* The operator's own commands go on working. */
	shell("fscrypt status " DIRECTORY "; fscrypt lock " DIRECTORY);
	assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_LOCKED);
}

/* The disk as it is right now, as if the power had failed, at CUT. */
static void cut_power(void)
{
	shell("cd " FOLDER "; cp --sparse=always e.img cut.img; mount -o loop cut.img cut");
}

static void test_power_cuts(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	must(w, fscrypt_setup(DIRECTORY, &w->f));
	cut_power();
	shell("rmdir " CUT "/.fscrypt/policies " CUT "/.fscrypt/protectors; umount " CUT);
	must(w, fscrypt_encrypt(DIRECTORY, &w->fek, identifier, &w->f));
	cut_power();
	must(w, fscrypt_unlock(CUT "/secrets", identifier, &w->fek, &w->f));
	shell("umount " CUT);
	must(w, fscrypt_forget(DIRECTORY, identifier, &w->f));
	cut_power();
	shell("rmdir " CUT "/.fscrypt/policies " CUT "/.fscrypt/protectors; umount " CUT);
}

static void test_two_directories(void **state)
{
	struct world *w = *state;
	uint8_t second[FSCRYPT_IDENTIFIER_SIZE];
	bool unlocked;

	shell("mkdir " MOUNT "/second");
	must(w, fscrypt_encrypt(MOUNT "/second", &w->fek, second, &w->f));
	/* Each has a key of its own. */
	assert_memory_not_equal(second, w->identifier, sizeof(second));
	must(w, fscrypt_lock(MOUNT "/second", &w->f));
	must(w, fscrypt_check(DIRECTORY, w->identifier, &unlocked, &w->f));
	assert_true(unlocked);
	/* One in the place of the other. */
	assert_failed(w, fscrypt_unlock(MOUNT "/second", w->identifier, &w->fek, &w->f),
		      -EKEYREJECTED, CAUSE_DIRECTORY_FOREIGN, "is encrypted under the key");
	assert_int_equal(state_of(w, MOUNT "/second"), FSCRYPT_LOCKED);
	/* And what is kept of one goes without the other's. */
	must(w, fscrypt_forget(MOUNT "/second", second, &w->f));
	must(w, fscrypt_lock(DIRECTORY, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
}

/* Set a policy by hand, under a key that nobody has added (v1) or that is added here (v2). */
static void set_policy(const char *path, unsigned version, uint8_t filenames)
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

	shell("cd " MOUNT
	      "; mkdir plain v1 modes other; ln -s secrets link; ln -s nowhere dangling;"
	      "touch file");
	set_policy(MOUNT "/v1", 1, FSCRYPT_MODE_AES_256_CTS);
	set_policy(MOUNT "/modes", 2, FSCRYPT_MODE_AES_256_HCTR2);
	set_policy(MOUNT "/other", 2, FSCRYPT_MODE_AES_256_CTS);
	/* Nobody asks the tool about them. */
	replace_tool(w, "#!/bin/sh\ntouch " FOLDER "/asked\n", false);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_failed(w, fscrypt_check(rows[i].path, w->identifier, &unlocked, &w->f),
			      rows[i].code, rows[i].cause, rows[i].part);
		assert_failed(w, fscrypt_unlock(rows[i].path, w->identifier, &w->fek, &w->f),
			      rows[i].code, rows[i].cause, rows[i].part);
	}
	assert_int_equal(access(FOLDER "/asked", F_OK), -1);
}

static void test_inspect(void **state)
{
	struct world *w = *state;
	struct fscrypt_directory directory;

	shell("cd " MOUNT "; mkdir v1; touch file; ln -s secrets link");
	set_policy(MOUNT "/v1", 1, FSCRYPT_MODE_AES_256_CTS);
	assert_int_equal(state_of(w, MOUNT "/missing"), FSCRYPT_ABSENT);
	assert_int_equal(state_of(w, MOUNT "/v1"), FSCRYPT_FOREIGN);
	assert_int_equal(state_of(w, WITHOUT), FSCRYPT_PLAIN);
	must(w, fscrypt_inspect(WITHOUT, &directory, &w->f));
	assert_false(directory.empty); /* lost+found */
	must(w, fscrypt_inspect(MOUNT "/v1", &directory, &w->f));
	assert_true(directory.empty);
	assert_failed(w, fscrypt_inspect(MOUNT "/file", &directory, &w->f), -ENOTDIR,
		      CAUSE_DIRECTORY_MISSING, "is no directory");
	assert_failed(w, fscrypt_inspect(MOUNT "/link", &directory, &w->f), -ELOOP,
		      CAUSE_DIRECTORY_SYMLINK, "symbolic link");
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
	assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_LOCKED);
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
	shell("cp -a " MOUNT "/.fscrypt " FOLDER "/kept");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		(void)snprintf(script, sizeof(script), "rm -r " MOUNT "/%s", rows[i].hide);
		shell(script);
		assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -ENOENT,
			      CAUSE_METADATA_MISSING, rows[i].part);
		shell("cp -a " FOLDER "/kept/. " MOUNT "/.fscrypt");
	}
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	shell("rm -r " FOLDER "/kept");
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
	replace_tool(w, script, false);
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
	shell("! grep -q memfd:fek /proc/$PPID/maps; ! ls -l /proc/$PPID/fd | grep memfd");
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
		replace_tool(w, rows[i].script, false);
		assert_failed(w, fscrypt_lock(DIRECTORY, &w->f), -EPROTO, CAUSE_FSCRYPT_REFUSED,
			      rows[i].part);
		assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_UNLOCKED);
		assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f),
			      -EPROTO, CAUSE_FSCRYPT_REFUSED, rows[i].part);
		assert_int_equal(setenv("PATH", w->path, 1), 0);
		must(w, fscrypt_lock(DIRECTORY, &w->f));
		replace_tool(w, rows[i].script, false);
		assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -EPROTO,
			      CAUSE_FSCRYPT_REFUSED, rows[i].part);
		assert_failed(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f), -EPROTO,
			      CAUSE_FSCRYPT_REFUSED, rows[i].part);
		shell("mv " MOUNT "/.fscrypt " MOUNT "/moved");
		assert_failed(w, fscrypt_setup(DIRECTORY, &w->f), -EPROTO, CAUSE_FSCRYPT_REFUSED,
			      rows[i].part);
		shell("mv " MOUNT "/moved " MOUNT "/.fscrypt");
		assert_int_equal(setenv("PATH", w->path, 1), 0);
	}
}

/* It encrypts, but with a key of its own: the FEK would not open it at the next boot. */
static void test_another_key_is_wrapped(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	char script[512];

	shell("head -c 32 /dev/urandom > " FOLDER "/key; mkdir " MOUNT "/second");
	(void)snprintf(script, sizeof(script),
		       "#!/bin/sh\nPATH=%s\n[ \"$1\" = encrypt ] || exec fscrypt \"$@\"\n"
		       "exec fscrypt encrypt $2 $3 $4 --key=" FOLDER "/key --quiet\n",
		       w->path);
	replace_tool(w, script, false);
	assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "incorrect key provided");
}

static void test_encrypt_refuses(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	shell("cd " MOUNT "; mkdir full; touch full/file; ln -s secrets link");
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
	assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_LOCKED);
	must(w, fscrypt_check(DIRECTORY, w->identifier, &unlocked, &w->f));
	assert_false(unlocked);
	/* And back from there. */
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	assert_int_equal(state_of(w, DIRECTORY), FSCRYPT_UNLOCKED);
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
	shell("cd " MOUNT "/.fscrypt; rmdir policies protectors; mkdir policies protectors");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	shell("rm -r " MOUNT "/.fscrypt");
	must(w, fscrypt_forget(MOUNT "/never/was", w->identifier, &w->f));
}

/* Interrupted after the protector: the second time ends it. */
static void test_forget_again(void **state)
{
	struct world *w = *state;

	shell("rm " MOUNT "/.fscrypt/protectors/*");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	shell("rmdir " MOUNT "/.fscrypt/policies");
}

/* What the operator has put under the same protector is not taken from him. */
static void test_forget_keeps_a_shared_protector(void **state)
{
	struct world *w = *state;

	test_write(FOLDER "/key", span_of(w->fek.bytes, w->fek.size));
	shell("cd " MOUNT "; mkdir his; fscrypt encrypt his --quiet --key=" FOLDER
	      "/key --protector=" MOUNT ":$(ls .fscrypt/protectors)");
	must(w, fscrypt_forget(DIRECTORY, w->identifier, &w->f));
	shell("cd " MOUNT "; fscrypt lock his; fscrypt unlock his --quiet --key=" FOLDER "/key");
}

/* A unit's ReadWritePaths= is a mount of its own: of the same filesystem. */
static void test_bind_mount(void **state)
{
	struct world *w = *state;

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	shell("mount --bind " DIRECTORY " " DIRECTORY);
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	shell("umount " DIRECTORY);
}

/* fscrypt's own configuration: made where it is missing, and obeyed by it, but not by us. The /etc
 * of others stays as it is. */
static void test_configuration(void **state)
{
	struct world *w = *state;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];

	must(w, fscrypt_lock(DIRECTORY, &w->f));
	shell("cd " FOLDER "; mkdir -p upper work; mount -t overlay -o lowerdir=/etc,"
	      "upperdir=upper,workdir=work overlay /etc; rm -f /etc/fscrypt.conf");
	assert_failed(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f), -ENOENT,
		      CAUSE_METADATA_MISSING, "/etc/fscrypt.conf is not there");
	must(w, fscrypt_setup(DIRECTORY, &w->f));
	must(w, fscrypt_unlock(DIRECTORY, w->identifier, &w->fek, &w->f));
	shell("sed -i 's/AES_256_XTS/AES_128_CBC/; s/AES_256_CTS/AES_128_CTS/' /etc/fscrypt.conf; "
	      "mkdir " MOUNT "/second");
	assert_failed(w, fscrypt_encrypt(MOUNT "/second", &w->fek, identifier, &w->f), -EPROTO,
		      CAUSE_FSCRYPT_REFUSED, "the modes 5 and 6");
	shell("umount /etc");
}

#define LIFE(test)      cmocka_unit_test_setup_teardown(test, mount_fresh, unmount)
#define ENCRYPTED(test) cmocka_unit_test_setup_teardown(test, mount_encrypted, unmount)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(test_its_whole_life),
		LIFE(test_power_cuts),
		LIFE(test_inspect),
		LIFE(test_not_possible),
		ENCRYPTED(test_two_directories),
		ENCRYPTED(test_impostors),
		ENCRYPTED(test_wrong_key),
		ENCRYPTED(test_metadata_missing),
		ENCRYPTED(test_tool_missing),
		ENCRYPTED(test_how_the_key_is_handed_over),
		ENCRYPTED(test_liars),
		ENCRYPTED(test_another_key_is_wrapped),
		ENCRYPTED(test_encrypt_refuses),
		ENCRYPTED(test_lock_with_an_open_file),
		ENCRYPTED(test_forget),
		ENCRYPTED(test_forget_again),
		ENCRYPTED(test_forget_keeps_a_shared_protector),
		ENCRYPTED(test_bind_mount),
		ENCRYPTED(test_configuration),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
