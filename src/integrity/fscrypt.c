/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"
#include "integrity/fscrypt_metadata.h"
#include "integrity/fscrypt_policy.h"
#include "integrity/fscrypt_tool.h"

/* fscrypt's MOUNT:ID. */
#define OBJECT_SIZE (PATH_MAX + FSCRYPT_POLICY_SIZE + 32)

static_assert(FSCRYPT_IDENTIFIER_SIZE == FSCRYPT_KEY_IDENTIFIER_SIZE, "the kernel's");

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static void name_policy(const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
			char ret[FSCRYPT_POLICY_SIZE + 1])
{
	hex_encode(span_of(identifier, FSCRYPT_IDENTIFIER_SIZE), ret);
}

/* A key that is being removed while files are still open counts as absent, since it opens no more
 * files. */
static enum fscrypt_state state_of(const struct fscrypt_encryption *policy)
{
	switch (policy->kind) {
	case FSCRYPT_KIND_PLAIN:
		return FSCRYPT_PLAIN;
	case FSCRYPT_KIND_OTHER:
		return FSCRYPT_FOREIGN;
	default:
		return policy->key_status == FSCRYPT_KEY_STATUS_PRESENT ? FSCRYPT_UNLOCKED
									: FSCRYPT_LOCKED;
	}
}

static int read_policy_of(const char *path, struct fscrypt_encryption *ret, struct failure *f)
{
	_cleanup_(close_fd) int fd = fscrypt_open(path, f);

	return fd < 0 ? fd : fscrypt_policy_read(fd, path, ret, f);
}

int fscrypt_inspect(const char *path, struct fscrypt_directory *ret, struct failure *f)
{
	_cleanup_(close_fd) int fd = fscrypt_open(path, f);
	struct fscrypt_directory found = {.state = FSCRYPT_ABSENT};
	struct fscrypt_encryption policy;
	int rc;

	if (fd == -ENOENT) {
		*ret = found;
		return 0;
	}
	if (fd < 0)
		return fd;
	rc = fscrypt_policy_read(fd, path, &policy, f);
	if (rc < 0)
		return rc;
	rc = fscrypt_read_empty(fd, path, &found.empty, f);
	if (rc < 0)
		return rc;
	found.state = state_of(&policy);
	memcpy(found.identifier, policy.identifier, sizeof(found.identifier));
	*ret = found;
	return 0;
}

static int not_ours(const char *path, const struct fscrypt_encryption *policy, struct failure *f)
{
	if (policy->kind == FSCRYPT_KIND_PLAIN)
		return failure_set(f, CAUSE_DIRECTORY_PLAIN, -ENODATA, "%s is not encrypted", path);
	return failure_set(f, CAUSE_DIRECTORY_FOREIGN, -EKEYREJECTED,
			   "%s has an encryption policy of version %u with the modes %u and %u, "
			   "expected version 2 with AES-256-XTS (1) and AES-256-CTS (4)",
			   path, policy->version == FSCRYPT_POLICY_V1 ? 1 : policy->version,
			   policy->contents, policy->filenames);
}

int fscrypt_check(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		  bool *ret_unlocked, struct failure *f)
{
	struct fscrypt_encryption policy;
	char expected[FSCRYPT_POLICY_SIZE + 1];
	char found[FSCRYPT_POLICY_SIZE + 1];
	int rc;

	rc = read_policy_of(path, &policy, f);
	if (rc < 0)
		return rc;
	if (policy.kind != FSCRYPT_KIND_OURS)
		return not_ours(path, &policy, f);
	name_policy(identifier, expected);
	name_policy(policy.identifier, found);
	if (strcmp(expected, found) != 0)
		return failure_set(f, CAUSE_DIRECTORY_FOREIGN, -EKEYREJECTED,
				   "%s is encrypted under the key %s, expected %s", path, found,
				   expected);
	*ret_unlocked = policy.key_status == FSCRYPT_KEY_STATUS_PRESENT;
	return 0;
}

/* A system that cannot take part is no event yet, so the sentence has no cause in front. */
static int not_possible(struct failure *f, const char *mount, const char *why)
{
	f->cause = CAUSE_NONE;
	return err_set(&f->err, -EOPNOTSUPP, "the filesystem at %s cannot encrypt: %s", mount, why);
}

int fscrypt_possible(const char *path, struct failure *f)
{
	static const char *const version[] = {"fscrypt", "--version", NULL};
	_cleanup_(close_fd) int fd = -1;
	struct fscrypt_metadata m;
	struct statfs fs;
	int rc;

	rc = fscrypt_metadata_find(&m, path, f);
	if (rc < 0)
		return rc;
	fd = open(m.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "open %s: %s", m.mount,
				   strerror(errno));
	if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != F2FS_SUPER_MAGIC)
		return not_possible(f, m.mount, "it is neither ext4 nor f2fs");
	if (!fscrypt_policy_possible(fd))
		return not_possible(f, m.mount,
				    "its feature \"encrypt\" is off, or the kernel's is");
	rc = fscrypt_tool(version, NULL, f);
	if (rc < 0 && f->cause != CAUSE_SYSTEM)
		f->err.code = -EOPNOTSUPP;
	return rc < 0 ? f->err.code : 0;
}

int fscrypt_setup(const char *path, struct failure *f)
{
	struct fscrypt_metadata m;
	const char *const everything[] = {"fscrypt", "setup", "--quiet", NULL};
	const char *const filesystem[] = {"fscrypt", "setup", m.mount, "--quiet", NULL};
	int rc;

	rc = fscrypt_metadata_find(&m, path, f);
	if (rc == 0 && !fscrypt_conf_is_whole()) {
		(void)unlink(FSCRYPT_CONF);
		rc = fscrypt_tool(everything, NULL, f);
	}
	/* The setup of the root may have set up this filesystem too, if they are the same. */
	if (rc == 0 && !fscrypt_metadata_is_set_up(&m))
		rc = fscrypt_tool(filesystem, NULL, f);
	if (rc < 0)
		return rc;
	if (!fscrypt_conf_is_whole() || !fscrypt_metadata_is_set_up(&m))
		return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EPROTO,
				   "fscrypt setup: exit status 0, but %s is not set up", m.mount);
	rc = fscrypt_conf_sync(f);
	return rc < 0 ? rc : fscrypt_metadata_sync(&m, f);
}

/* The tool does not check this, but we do: a directory that is encrypted already would be
 * somebody else's. */
static int check_untouched(const char *path, struct failure *f)
{
	struct fscrypt_directory directory;
	int rc;

	rc = fscrypt_inspect(path, &directory, f);
	if (rc < 0)
		return rc;
	switch (directory.state) {
	case FSCRYPT_ABSENT:
		return failure_set(f, CAUSE_DIRECTORY_MISSING, -ENOENT, "%s is not there", path);
	case FSCRYPT_PLAIN:
		if (directory.empty)
			return 0;
		return failure_set(f, CAUSE_SYSTEM, -ENOTEMPTY, "%s is not empty", path);
	default:
		return failure_set(f, CAUSE_DIRECTORY_FOREIGN, -EEXIST, "%s is encrypted already",
				   path);
	}
}

static int run_encrypt(const char *path, const struct secret *fek, struct failure *f)
{
	char name[sizeof("--name=steward-") + 16] = "--name=steward-";
	const char *const argv[] = {"fscrypt", "encrypt",        path,      "--source=raw_key",
				    name,      FSCRYPT_TOOL_KEY, "--quiet", NULL};
	uint8_t random[8];

	/* This is no secret. The tool wants a different name for each raw key. */
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return failure_set(f, CAUSE_SYSTEM, -EIO, "getrandom: %s", strerror(errno));
	hex_encode(span_of(random, sizeof(random)), name + strlen(name));
	return fscrypt_tool(argv, fek, f);
}

/* Locks the directory and opens it again with the FEK. If the tool had wrapped its key under
 * something else, the contents would be lost at the next boot. A process that has the directory
 * open may keep it from being locked completely; its key is removed nevertheless. */
static int prove_key(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		     const struct secret *fek, struct failure *f)
{
	int rc = fscrypt_lock(path, f);

	if (rc < 0 && rc != -EBUSY)
		return rc;
	return fscrypt_unlock(path, identifier, fek, f);
}

static int sync_policy(const char *path, struct failure *f)
{
	_cleanup_(close_fd) int fd = fscrypt_open(path, f);

	if (fd < 0)
		return fd;
	if (fsync(fd) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "sync %s: %s", path, strerror(errno));
	return 0;
}

int fscrypt_encrypt(const char *path, const struct secret *fek,
		    uint8_t ret_identifier[FSCRYPT_IDENTIFIER_SIZE], struct failure *f)
{
	struct fscrypt_metadata m;
	struct fscrypt_encryption policy = {0};
	int rc;

	assert(fek->size == FSCRYPT_FEK_SIZE);
	rc = fscrypt_metadata_find(&m, path, f);
	if (rc == 0)
		rc = check_untouched(path, f);
	if (rc == 0)
		rc = run_encrypt(path, fek, f);
	if (rc == 0)
		rc = read_policy_of(path, &policy, f);
	if (rc < 0)
		return rc;
	if (policy.kind != FSCRYPT_KIND_OURS) {
		(void)not_ours(path, &policy, f);
		(void)err_wrap(&f->err, "after fscrypt encrypt, with the options of " FSCRYPT_CONF);
		f->err.code = -EPROTO;
		return failure_because(f, CAUSE_FSCRYPT_REFUSED);
	}
	rc = prove_key(path, policy.identifier, fek, f);
	if (rc == 0)
		rc = sync_policy(path, f);
	if (rc == 0)
		rc = fscrypt_metadata_sync(&m, f);
	if (rc == 0)
		memcpy(ret_identifier, policy.identifier, FSCRYPT_IDENTIFIER_SIZE);
	return rc;
}

static int check_metadata(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
			  struct failure *f)
{
	struct fscrypt_metadata m;
	char policy[FSCRYPT_POLICY_SIZE + 1];
	int rc = fscrypt_metadata_find(&m, path, f);

	name_policy(identifier, policy);
	return rc < 0 ? rc : fscrypt_metadata_check(&m, policy, f);
}

int fscrypt_unlock(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		   const struct secret *fek, struct failure *f)
{
	const char *const argv[] = {"fscrypt", "unlock", path, FSCRYPT_TOOL_KEY, "--quiet", NULL};
	struct failure later;
	bool unlocked = false;
	int refused;
	int rc;

	assert(fek->size == FSCRYPT_FEK_SIZE);
	rc = fscrypt_check(path, identifier, &unlocked, f);
	if (rc < 0 || unlocked)
		return rc;
	rc = check_metadata(path, identifier, f);
	if (rc < 0)
		return rc;
	refused = fscrypt_tool(argv, fek, f);
	later = *f;
	rc = fscrypt_check(path, identifier, &unlocked, &later);
	if (rc < 0) {
		*f = later;
		return rc;
	}
	/* Another process may have unlocked it in the meantime: then the tool refuses, but the
	 * directory is open. */
	if (unlocked || refused < 0)
		return unlocked ? 0 : refused;
	return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EPROTO,
			   "fscrypt unlock: exit status 0, but %s is still locked", path);
}

int fscrypt_lock(const char *path, struct failure *f)
{
	const char *const argv[] = {"fscrypt", "lock", path, "--quiet", NULL};
	struct fscrypt_encryption policy;
	int refused;
	int rc;

	rc = read_policy_of(path, &policy, f);
	if (rc < 0)
		return rc;
	if (policy.kind != FSCRYPT_KIND_OURS)
		return not_ours(path, &policy, f);
	if (policy.key_status == FSCRYPT_KEY_STATUS_ABSENT)
		return 0;
	refused = fscrypt_tool(argv, NULL, f);
	if (refused < 0 && f->cause != CAUSE_FSCRYPT_REFUSED)
		return refused;
	rc = read_policy_of(path, &policy, f);
	if (rc < 0)
		return rc;
	if (policy.key_status == FSCRYPT_KEY_STATUS_ABSENT)
		return 0;
	if (policy.key_status == FSCRYPT_KEY_STATUS_INCOMPLETELY_REMOVED)
		return failure_set(f, CAUSE_SYSTEM, -EBUSY,
				   "%s is locked, but files in it are still open", path);
	if (refused < 0)
		return refused;
	return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EPROTO,
			   "fscrypt lock: exit status 0, but %s is still unlocked", path);
}

/* what: "policy" or "protector". */
static int destroy(const struct fscrypt_metadata *m, const char *what, const char *name,
		   struct failure *f)
{
	char object[OBJECT_SIZE];
	const char *const argv[] = {"fscrypt", "metadata", "destroy", object,
				    "--quiet", "--force",  NULL};

	(void)snprintf(object, sizeof(object), "--%s=%s:%s", what, m->mount, name);
	return fscrypt_tool(argv, NULL, f);
}

int fscrypt_forget(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		   struct failure *f)
{
	struct fscrypt_protectors protectors = {0};
	struct fscrypt_metadata m;
	char policy[FSCRYPT_POLICY_SIZE + 1];
	int rc;

	name_policy(identifier, policy);
	rc = fscrypt_metadata_find(&m, path, f);
	if (rc < 0 || !fscrypt_metadata_has_policy(&m, policy))
		return rc;
	/* The policy is removed last, since it names its protectors: after an interruption they can
	 * still be found. */
	rc = fscrypt_metadata_own_protectors(&m, policy, &protectors, f);
	for (size_t i = 0; rc == 0 && i < protectors.n; i++)
		rc = destroy(&m, "protector", protectors.descriptor[i], f);
	if (rc == 0)
		rc = destroy(&m, "policy", policy, f);
	if (rc < 0)
		return rc;
	if (fscrypt_metadata_has_policy(&m, policy))
		return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EPROTO,
				   "fscrypt metadata destroy: exit status 0, but policy %s is "
				   "still there",
				   policy);
	return fscrypt_metadata_sync(&m, f);
}
