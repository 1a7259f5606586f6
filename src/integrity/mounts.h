/* mounts.h - which filesystem a path is on, and whether that is the one it is meant to be on.
 *
 * What is mounted says /proc/self/mountinfo; what is to be mounted say /etc/fstab (also its
 * entries with "nofail" and "noauto") and systemd's mount units, unless they are masked.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "integrity/failure.h"

/* path, or what is above it, is to be mounted and is not: ret is where. */
bool mount_missing(const char *path, char ret[PATH_MAX]);

/* The same as a failure: -ENOENT with CAUSE_NOT_MOUNTED. */
int mount_check(const char *path, struct failure *f);

/* Where the filesystem that path is, or would be, on is mounted as far up as it is mounted at all:
 * fscrypt keeps its .fscrypt there. A part of it may be mounted elsewhere, or over itself (a bind
 * mount). -EOPNOTSUPP with CAUSE_METADATA_MISSING: only parts of it are, and none has the others
 * in it. */
int mount_of(const char *path, char ret[PATH_MAX], struct failure *f);

/* As systemd names the unit of a mount point, without ".mount"; -ENAMETOOLONG. */
#define MOUNT_UNIT_SIZE 256
int mount_unit_name(const char *path, char ret[MOUNT_UNIT_SIZE]);
