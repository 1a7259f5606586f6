/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mounts.h - on which filesystem a path is, and whether that is the one on which it should be.
 *
 * /proc/self/mountinfo says what is mounted. /etc/fstab (also its entries with "nofail" and
 * "noauto") and systemd's mount units, unless they are masked, say what should be.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "integrity/failure.h"

/* Should path, or a directory above it, be mounted, and is it not? Then ret is that mount point. */
bool mount_missing(const char *path, char ret[PATH_MAX]);

/* The same as a failure: -ENOENT with CAUSE_NOT_MOUNTED. */
int mount_check(const char *path, struct failure *f);

/* The mount point of the filesystem that path is, or would be, on: where its root is mounted,
 * since fscrypt keeps its .fscrypt there; a part of it may also be mounted elsewhere, or over
 * itself (bind mounts). If the root is not mounted, the mounted part that contains all others.
 * -EOPNOTSUPP with CAUSE_METADATA_MISSING: only parts are mounted, and none contains the others. */
int mount_of(const char *path, char ret[PATH_MAX], struct failure *f);

/* As systemd names the unit of a mount point, without ".mount"; -ENAMETOOLONG. */
#define MOUNT_UNIT_SIZE 256
int mount_unit_name(const char *path, char ret[MOUNT_UNIT_SIZE]);
