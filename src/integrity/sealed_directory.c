/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/sealed_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"

#define DESCRIPTORS_OF_WALK 16

static int failed(struct failure *f, const char *what, const char *path)
{
	const int code = -errno;

	return failure_set(f, CAUSE_SYSTEM, code, "%s %s: %s", what, path, strerror(-code));
}

static void parent_of(const char *path, char ret[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(ret, PATH_MAX, "%.*s", (int)MAX(slash - path, 1), path);
}

static int sync_parent(const char *path, struct failure *f)
{
	char parent[PATH_MAX];

	parent_of(path, parent);
	return directory_sync(parent, &f->err) < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

int directory_provide(const char *path, mode_t mode, struct failure *f)
{
	char parent[PATH_MAX];
	struct stat st;
	int rc;

	if (stat(path, &st) == 0)
		return 0;
	parent_of(path, parent);
	rc = strcmp(parent, path) == 0 ? 0 : directory_provide(parent, 0755, f);
	if (rc < 0)
		return rc;
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return failed(f, "create directory", path);
	return sync_parent(path, f);
}

static int make_beside(const char *path, const char *beside, struct failure *f)
{
	char parent[PATH_MAX];
	int rc;

	parent_of(path, parent);
	rc = directory_provide(parent, 0755, f);
	if (rc == 0 && mkdir(beside, 0700) < 0)
		rc = failed(f, "create directory", beside);
	return rc;
}

/* Gives the directory the owner and mode of the one that it replaces. This is done only now,
 * because fscrypt sets the mode 0700. */
static int give_owner_and_mode(const char *path, const char *beside, struct failure *f)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : failed(f, "stat", path);
	if (chown(beside, st.st_uid, st.st_gid) < 0 || chmod(beside, st.st_mode & 07777) < 0)
		return failed(f, "give owner and mode to", beside);
	return 0;
}

static int name_beside(const char *path, char ret[PATH_MAX], struct failure *f)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s.new", path) >= PATH_MAX)
		return failure_set(f, CAUSE_SYSTEM, -ENAMETOOLONG, "%s: path too long", path);
	return 0;
}

int sealed_directory_make(const char *path, const struct secret *fek,
			  uint8_t ret_identifier[FSCRYPT_IDENTIFIER_SIZE], struct failure *f)
{
	char beside[PATH_MAX];
	int rc = name_beside(path, beside, f);

	if (rc == 0)
		rc = make_beside(path, beside, f);
	if (rc == 0)
		rc = fscrypt_setup(beside, f);
	if (rc == 0)
		rc = fscrypt_encrypt(beside, fek, ret_identifier, f);
	if (rc == 0)
		rc = give_owner_and_mode(path, beside, f);
	if (rc == 0 && rename(beside, path) < 0)
		rc = failed(f, "rename into place", path);
	return rc == 0 ? sync_parent(path, f) : rc;
}

static bool is_encrypted(const struct fscrypt_directory *found)
{
	return found->state != FSCRYPT_ABSENT && found->state != FSCRYPT_PLAIN;
}

static int remove_empty(const char *path, bool plain_too, struct failure *f)
{
	struct fscrypt_directory found;
	int rc = fscrypt_inspect(path, &found, f);

	if (rc < 0 || found.state == FSCRYPT_ABSENT || (!is_encrypted(&found) && !plain_too))
		return rc;
	if (!found.empty && is_encrypted(&found))
		return failure_set(f, CAUSE_RECORD_LOST, -ENOTEMPTY,
				   "%s is encrypted and has files in it, but there is no record of "
				   "it",
				   path);
	if (rmdir(path) < 0)
		return failed(f, "remove directory", path);
	if (is_encrypted(&found))
		rc = fscrypt_forget(path, found.identifier, f);
	return rc == 0 ? sync_parent(path, f) : rc;
}

int sealed_directory_undo(const char *path, struct failure *f)
{
	char beside[PATH_MAX];
	int rc = name_beside(path, beside, f);

	if (rc == 0)
		rc = remove_empty(beside, true, f);
	return rc == 0 ? remove_empty(path, false, f) : rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

int sealed_directory_destroy(const char *path, struct failure *f)
{
	struct fscrypt_directory found;
	int rc = fscrypt_inspect(path, &found, f);

	if (rc < 0 || !is_encrypted(&found))
		return rc;
	/* Without the key the kernel shows encrypted names; files can be removed by these. */
	if (nftw(path, remove_one, DESCRIPTORS_OF_WALK, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		return failed(f, "remove", path);
	rc = fscrypt_forget(path, found.identifier, f);
	return rc == 0 ? sync_parent(path, f) : rc;
}

int filesystem_sync(const char *path, struct failure *f)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? failure_set(f, CAUSE_SYSTEM, rc, "sync the filesystem of %s: %s", path,
				    strerror(-rc))
		      : 0;
}
