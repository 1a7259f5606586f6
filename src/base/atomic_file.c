/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static int write_all(int fd, struct span content)
{
	size_t done = 0;

	while (done < content.size) {
		ssize_t n = write(fd, content.bytes + done, content.size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int write_and_sync(const char *path, struct span content, mode_t mode, struct err *err)
{
	_cleanup_(close_fd) int fd = -1;
	int rc;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_set_errno(err, -errno, "create %s", path);
	rc = write_all(fd, content);
	if (rc < 0)
		return err_set_errno(err, rc, "write %s", path);
	if (fsync(fd) < 0)
		return err_set_errno(err, -errno, "sync %s", path);
	return 0;
}

static int sync_directory_of(const char *path, struct err *err)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return directory_sync(".", err);
	if (slash == path)
		return directory_sync("/", err);
	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	return directory_sync(directory, err);
}

int atomic_file_write(const char *path, struct span content, mode_t mode, struct err *err)
{
	char beside[PATH_MAX];
	int rc;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
		return err_set(err, -ENAMETOOLONG, "write %s: path too long", path);
	rc = write_and_sync(beside, content, mode, err);
	if (rc < 0) {
		(void)unlink(beside);
		return rc;
	}
	if (rename(beside, path) < 0) {
		rc = err_set_errno(err, -errno, "rename %s to %s", beside, path);
		(void)unlink(beside);
		return rc;
	}
	return sync_directory_of(path, err);
}

int directory_sync(const char *path, struct err *err)
{
	_cleanup_(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, -errno, "open directory %s", path);
	if (fsync(fd) < 0)
		return err_set_errno(err, -errno, "sync directory %s", path);
	return 0;
}

static int read_all(int fd, size_t max, char **ret_bytes, size_t *ret_size)
{
	size_t room = 4096;
	size_t size = 0;
	char *bytes = malloc(room + 1);

	while (bytes) {
		ssize_t n = read(fd, bytes + size, room - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || size + (size_t)n > max) {
			int rc = n < 0 ? -errno : -EFBIG;

			free(bytes);
			return rc;
		}
		size += (size_t)n;
		if (n == 0) {
			bytes[size] = '\0';
			*ret_bytes = bytes;
			*ret_size = size;
			return 0;
		}
		if (size == room) {
			char *larger = realloc(bytes, 2 * room + 1);

			if (!larger)
				free(bytes);
			bytes = larger;
			room *= 2;
		}
	}
	return -ENOMEM;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static bool any_owner;

void file_accept_any_owner(void)
{
	any_owner = true;
}

static int check_owner(const char *path, const struct stat *st, int code, struct err *err)
{
	if (any_owner || st->st_uid == 0 || st->st_uid == geteuid())
		return 0;
	return err_set(err, code,
		       "open %s: it belongs to user %u, who could change it: expected a file of "
		       "root's ('chown root')",
		       path, (unsigned)st->st_uid);
}

int file_open(const char *path, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_set_errno(err, -errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		rc = err_set_errno(err, -errno, "open %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, -EINVAL, "open %s: it is %s, expected a regular file", path,
			     kind_of(st.st_mode));
	else
		rc = check_owner(path, &st, -EPERM, err);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

FILE *file_open_stream(const char *path, struct err *err)
{
	int fd = file_open(path, err);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file) {
		(void)err_set_errno(err, -errno, "open %s", path);
		(void)close(fd);
	}
	return file;
}

static int read_from(int fd, const char *path, size_t max, char **ret_bytes, size_t *ret_size,
		     struct err *err)
{
	int rc = read_all(fd, max, ret_bytes, ret_size);

	if (rc == -EFBIG)
		return err_set(err, rc, "%s is longer than the %zu bytes allowed", path, max);
	if (rc < 0)
		return err_set_errno(err, rc, "read %s", path);
	return 0;
}

int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_size, struct err *err)
{
	_cleanup_(close_fd) int fd = file_open(path, err);

	return fd < 0 ? fd : read_from(fd, path, max, ret_bytes, ret_size, err);
}

int file_read_regular(const char *path, size_t max, char **ret_bytes, size_t *ret_size,
		      struct err *err)
{
	_cleanup_(close_fd) int fd = -1;
	struct stat st;
	int rc;

	/* The type is looked at before the file is opened, since opening a device may already cause
	 * something. */
	if (lstat(path, &st) < 0)
		return err_set_errno(err, -errno, "open %s", path);
	if (S_ISREG(st.st_mode)) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_set_errno(err, -errno, "open %s", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s is %s, expected a regular file", path,
			       kind_of(st.st_mode));
	rc = check_owner(path, &st, -EBADMSG, err);
	return rc < 0 ? rc : read_from(fd, path, max, ret_bytes, ret_size, err);
}
