/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/lowered_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int give_directory(const char *directory, const struct passwd *user, struct err *err)
{
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "make %s", directory);
	if (geteuid() == 0 && chown(directory, user->pw_uid, user->pw_gid) < 0)
		return err_set_errno(err, -errno, "give %s to %s", directory, user->pw_name);
	return 0;
}

int lowered_user_become(const char *user, const char *directory, struct err *err)
{
	const struct passwd *entry;
	int rc;

	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return err_set(err, errno ? -errno : -ENOENT, "there is no user %s", user);
	rc = give_directory(directory, entry, err);
	if (rc < 0)
		return rc;
	if (geteuid() != 0 && entry->pw_uid != geteuid())
		return err_set(err, -EPERM, "neither root nor %s", user);
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	     setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0))
		return err_set_errno(err, -errno, "become %s", user);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set_errno(err, -errno, "give up privileges");
	return 0;
}
