/* SPDX-License-Identifier: GPL-3.0-or-later */
/* atomic_file.h - a file that is either the old one or the new one, also after a power cut.
 *
 * Written beside its target as "<path>.new", fsynced, renamed over it, and the directory
 * fsynced. A left-over ".new" of an earlier power cut is overwritten.
 */
#pragma once

#include <stdio.h>

#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

/* Errors: those of open, write, fsync, rename, with path and step named. On failure the old
 * file is as it was. */
int atomic_file_write(const char *path, struct span content, mode_t mode, struct err *err);

/* Whoever can write a file that we read decides what we do. So it must belong to root, or to the
 * user of this process. This switches the check off, for a program that a person runs on any
 * files. */
void file_accept_any_owner(void);

/* Opens a regular file for reading, and never waits: somebody may have put a FIFO or a device in
 * its place, which would block or never end. -EINVAL: it is not a regular file; -EPERM: it is
 * somebody else's; else the errors of open. A link to a regular file is followed, since the path
 * is configured. */
int file_open(const char *path, struct err *err);
/* The same; NULL with err filled. The caller closes it. */
FILE *file_open_stream(const char *path, struct err *err);

/* Read a whole file of at most max bytes, zero-terminated for those who want a string. The
 * caller frees *ret_bytes. Errors: -EFBIG if it is longer, else those of open and read. */
int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_size, struct err *err);

/* The same for files that we keep ourselves: follows no link. -EBADMSG: it is not a regular file,
 * or somebody else's; the message says which. */
int file_read_regular(const char *path, size_t max, char **ret_bytes, size_t *ret_size,
		      struct err *err);

/* fsync a directory, so that names made or removed in it are on disk. */
int directory_sync(const char *path, struct err *err);
