/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An image's folder is removed so that it is never half there. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "download/image/repository.h"

/* '#' is in no version's name: what is left of it after a power cut is not an image. */
#define REMOVED_SUFFIX "#removed"

static int remove_folder(const char *path, struct err *err)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (!folder)
		return errno == ENOENT ? 0 : err_set_errno(err, -errno, "open %s", path);
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
	if (rmdir(path) < 0)
		return err_set_errno(err, -errno, "remove %s", path);
	return 0;
}

int repository_remove_files(struct repository *r, const char *version, struct err *err)
{
	char path[PATH_MAX - sizeof(REMOVED_SUFFIX)];
	char away[PATH_MAX];
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", repository_directory(r), version) >=
	    sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", repository_directory(r));
	(void)snprintf(away, sizeof(away), "%s%s", path, REMOVED_SUFFIX);
	rc = remove_folder(away, err);
	if (rc < 0)
		return rc;
	if (rename(path, away) < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, -errno, "remove %s", path);
	rc = directory_sync(repository_directory(r), err);
	if (rc == 0)
		rc = remove_folder(away, err);
	return rc < 0 ? rc : repository_write_index(r, err);
}
