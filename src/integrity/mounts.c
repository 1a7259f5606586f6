/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/mounts.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macros.h"

#define MOUNTINFO "/proc/self/mountinfo"
#define FSTAB     "/etc/fstab"

static void unref_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iterator(struct libmnt_iter **iterator)
{
	mnt_free_iter(*iterator);
}

/* NULL = cannot be read. */
static struct libmnt_table *read_table(const char *path)
{
	struct libmnt_table *table = mnt_new_table();

	if (table && mnt_table_parse_file(table, path) == 0)
		return table;
	mnt_unref_table(table);
	return NULL;
}

/* Cuts the last component of an absolute path; "/" stays. */
static void go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == path)
		slash++;
	*slash = '\0';
}

/* Finds path, or else the nearest directory above it that exists; symbolic links are resolved. */
static int nearest(const char *path, char ret[PATH_MAX])
{
	char above[PATH_MAX];

	if (path[0] != '/')
		return -EINVAL;
	if ((size_t)snprintf(above, sizeof(above), "%s", path) >= sizeof(above))
		return -ENAMETOOLONG;
	while (!realpath(above, ret)) {
		if (errno != ENOENT || above[1] == '\0')
			return -errno;
		go_up(above);
	}
	return 0;
}

/* systemd.unit(5), "String escaping for inclusion in unit names". */
int mount_unit_name(const char *path, char ret[MOUNT_UNIT_SIZE])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789:_.";
	size_t used = 0;

	ret[0] = '\0';
	for (const char *at = path; *at; at++) {
		const bool begins = used == 0;
		int n;

		if (*at == '/' && (begins || at[1] == '/' || at[1] == '\0'))
			continue;
		if (*at == '/')
			n = snprintf(ret + used, MOUNT_UNIT_SIZE - used, "-");
		else if (strchr(plain, *at) && !(begins && *at == '.'))
			n = snprintf(ret + used, MOUNT_UNIT_SIZE - used, "%c", *at);
		else
			n = snprintf(ret + used, MOUNT_UNIT_SIZE - used, "\\x%02x",
				     (unsigned char)*at);
		if (n < 0 || (size_t)n >= MOUNT_UNIT_SIZE - used)
			return -ENAMETOOLONG;
		used += (size_t)n;
	}
	return 0;
}

/* As for systemd, the first folder that contains the unit decides. */
static bool has_unit(const char *path)
{
	static const char *const folders[] = {
		"/etc/systemd/system",           "/run/systemd/system",
		"/run/systemd/generator.early",  "/run/systemd/generator",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
		"/lib/systemd/system",           "/run/systemd/generator.late",
	};
	char name[MOUNT_UNIT_SIZE];
	char unit[PATH_MAX];
	struct stat st;

	if (mount_unit_name(path, name) < 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		(void)snprintf(unit, sizeof(unit), "%s/%s.mount", folders[i], name);
		if (stat(unit, &st) == 0)
			return S_ISREG(st.st_mode) &&
			       st.st_size > 0; /* an empty file, or a link to /dev/null, masks the
						  unit */
	}
	return false;
}

struct plan {
	struct libmnt_table *mounted;
	struct libmnt_table *fstab; /* NULL = there is none */
};

static bool is_planned(const struct plan *plan, const char *path)
{
	return (plan->fstab && mnt_table_find_target(plan->fstab, path, MNT_ITER_FORWARD)) ||
	       has_unit(path);
}

/* Of the planned mount points, the one nearest to path counts: path is meant to be on that
 * filesystem. */
static bool misses(const struct plan *plan, const char *path, char ret[PATH_MAX])
{
	char at[PATH_MAX];

	if ((size_t)snprintf(at, sizeof(at), "%s", path) >= sizeof(at) || at[0] != '/')
		return false;
	for (; at[1] != '\0'; go_up(at)) {
		if (mnt_table_find_target(plan->mounted, at, MNT_ITER_BACKWARD))
			return false;
		if (is_planned(plan, at)) {
			memcpy(ret, at, strlen(at) + 1);
			return true;
		}
	}
	return false;
}

bool mount_missing(const char *path, char ret[PATH_MAX])
{
	_cleanup_(unref_table) struct libmnt_table *mounted = read_table(MOUNTINFO);
	_cleanup_(unref_table) struct libmnt_table *fstab = read_table(FSTAB);
	const struct plan plan = {.mounted = mounted, .fstab = fstab};
	char there[PATH_MAX];

	if (!mounted)
		return false;
	/* Checks the path as it is written, and also where its symbolic links lead. */
	return misses(&plan, path, ret) || (nearest(path, there) == 0 && misses(&plan, there, ret));
}

int mount_check(const char *path, struct failure *f)
{
	char where[PATH_MAX];

	if (!mount_missing(path, where))
		return 0;
	return failure_set(f, CAUSE_NOT_MOUNTED, -ENOENT,
			   "%s is to be on the filesystem at %s, which is not mounted", path,
			   where);
}

static bool is_within(const char *root, const char *above)
{
	size_t length = strlen(above);

	if (above[0] == '/' && length == 1)
		return true;
	return strncmp(root, above, length) == 0 && (root[length] == '/' || root[length] == '\0');
}

/* Is no other filesystem mounted over this one? */
static bool is_in_front(struct libmnt_fs *fs, dev_t device)
{
	const char *target = mnt_fs_get_target(fs);
	struct stat st;

	return target && stat(target, &st) == 0 && st.st_dev == device;
}

static bool is_better(struct libmnt_fs *fs, struct libmnt_fs *than)
{
	const char *root = mnt_fs_get_root(fs);
	const char *other = mnt_fs_get_root(than);

	if (strcmp(root, other) != 0)
		return is_within(other, root);
	return strlen(mnt_fs_get_target(fs)) < strlen(mnt_fs_get_target(than));
}

struct search {
	dev_t device;
	struct libmnt_fs *found;  /* the mount that shows the largest part of the filesystem */
	struct libmnt_fs *beside; /* a mounted part that is not inside found; NULL = all are */
};

static void take_if_better(struct search *s, struct libmnt_fs *fs)
{
	if (!s->found || is_better(fs, s->found))
		s->found = fs;
}

static void note_beside(struct search *s, struct libmnt_fs *fs)
{
	if (!is_within(mnt_fs_get_root(fs), mnt_fs_get_root(s->found)))
		s->beside = fs;
}

static void for_each_mount(struct libmnt_table *mounted, struct search *s,
			   void (*work)(struct search *s, struct libmnt_fs *fs))
{
	_cleanup_(free_iterator) struct libmnt_iter *at = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (at && mnt_table_next_fs(mounted, at, &fs) == 0)
		if (mnt_fs_get_devno(fs) == s->device && mnt_fs_get_root(fs) &&
		    is_in_front(fs, s->device))
			work(s, fs);
}

int mount_of(const char *path, char ret[PATH_MAX], struct failure *f)
{
	_cleanup_(unref_table) struct libmnt_table *mounted = read_table(MOUNTINFO);
	struct search s = {0};
	char there[PATH_MAX];
	struct stat st = {0};
	int rc = nearest(path, there);

	if (rc == 0 && (!mounted || stat(there, &st) < 0))
		rc = mounted ? -errno : -EIO;
	if (rc < 0)
		return failure_set(f, CAUSE_SYSTEM, rc, "find the filesystem of %s: %s", path,
				   strerror(-rc));
	s.device = st.st_dev;
	for_each_mount(mounted, &s, take_if_better);
	for_each_mount(mounted, &s, note_beside);
	if (s.beside)
		return failure_set(f, CAUSE_METADATA_MISSING, -EOPNOTSUPP,
				   "the filesystem of %s is mounted in parts (%s, %s), expected "
				   "that its root is mounted too: fscrypt keeps its files there",
				   path, mnt_fs_get_target(s.found), mnt_fs_get_target(s.beside));
	/* On some filesystems (btrfs) files have another device number than the mount. */
	if (!s.found)
		s.found = mnt_table_find_mountpoint(mounted, there, MNT_ITER_BACKWARD);
	(void)snprintf(ret, PATH_MAX, "%s", s.found ? mnt_fs_get_target(s.found) : "/");
	return 0;
}
