/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt_policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

static void close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
}

static int cannot_open(const char *path, int code, struct failure *f)
{
	struct stat st;

	if (code == -ENOENT)
		return failure_set(f, CAUSE_DIRECTORY_MISSING, code, "%s is not there", path);
	if ((code == -ENOTDIR || code == -ELOOP) && lstat(path, &st) == 0) {
		if (S_ISLNK(st.st_mode))
			return failure_set(f, CAUSE_DIRECTORY_SYMLINK, -ELOOP,
					   "%s is a symbolic link, expected a directory", path);
		return failure_set(f, CAUSE_DIRECTORY_MISSING, -ENOTDIR, "%s is no directory",
				   path);
	}
	return failure_set(f, CAUSE_SYSTEM, code, "open directory %s: %s", path, strerror(-code));
}

int fscrypt_open(const char *path, struct failure *f)
{
	char itself[PATH_MAX];
	size_t length = strlen(path);
	int fd;

	if (length >= sizeof(itself))
		return failure_set(f, CAUSE_SYSTEM, -ENAMETOOLONG, "%s: path too long", path);
	/* With a slash at its end, a path that is a symbolic link would be followed. */
	while (length > 1 && path[length - 1] == '/')
		length--;
	memcpy(itself, path, length);
	itself[length] = '\0';
	fd = open(itself, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? cannot_open(itself, -errno, f) : fd;
}

static int read_key_status(int fd, const char *path, struct fscrypt_encryption *p,
			   struct failure *f)
{
	struct fscrypt_get_key_status_arg key = {
		.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER,
	};

	memcpy(key.key_spec.u.identifier, p->identifier, sizeof(p->identifier));
	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &key) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "read the status of %s's key: %s", path,
				   strerror(errno));
	p->key_status = key.status;
	return 0;
}

static void take_policy(struct fscrypt_encryption *p,
			const struct fscrypt_get_policy_ex_arg *policy)
{
	p->version = policy->policy.version;
	if (policy->policy.version == FSCRYPT_POLICY_V1) {
		p->contents = policy->policy.v1.contents_encryption_mode;
		p->filenames = policy->policy.v1.filenames_encryption_mode;
		return;
	}
	p->contents = policy->policy.v2.contents_encryption_mode;
	p->filenames = policy->policy.v2.filenames_encryption_mode;
	memcpy(p->identifier, policy->policy.v2.master_key_identifier, sizeof(p->identifier));
	if (p->version == FSCRYPT_POLICY_V2 && p->contents == FSCRYPT_MODE_AES_256_XTS &&
	    p->filenames == FSCRYPT_MODE_AES_256_CTS)
		p->kind = FSCRYPT_KIND_OURS;
}

int fscrypt_policy_read(int fd, const char *path, struct fscrypt_encryption *ret, struct failure *f)
{
	struct fscrypt_get_policy_ex_arg policy = {.policy_size = sizeof(policy.policy)};
	struct fscrypt_encryption p = {.kind = FSCRYPT_KIND_OTHER};
	int rc = ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &policy) < 0 ? -errno : 0;

	if (rc == 0)
		take_policy(&p, &policy);
	else if (rc == -ENODATA || rc == -EOPNOTSUPP || rc == -ENOTTY)
		p.kind = FSCRYPT_KIND_PLAIN;
	else if (rc != -EINVAL &&
		 rc != -EOVERFLOW) /* a policy that this kernel, or this program, does not know */
		return failure_set(f, CAUSE_SYSTEM, rc, "read the policy of %s: %s", path,
				   strerror(-rc));
	if (p.kind == FSCRYPT_KIND_OURS) {
		rc = read_key_status(fd, path, &p, f);
		if (rc < 0)
			return rc;
	}
	*ret = p;
	return 0;
}

bool fscrypt_policy_possible(int fd)
{
	struct fscrypt_get_policy_ex_arg policy = {.policy_size = sizeof(policy.policy)};

	return ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &policy) == 0 ||
	       (errno != EOPNOTSUPP && errno != ENOTTY);
}

int fscrypt_read_empty(int fd, const char *path, bool *ret, struct failure *f)
{
	_cleanup_(close_directory) DIR *directory = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory) {
		int rc = -errno;

		if (copy >= 0)
			(void)close(copy);
		return failure_set(f, CAUSE_SYSTEM, rc, "list %s: %s", path, strerror(-rc));
	}
	do {
		errno = 0;
		entry = readdir(directory);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (!entry && errno != 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "list %s: %s", path, strerror(errno));
	*ret = entry == NULL;
	return 0;
}
