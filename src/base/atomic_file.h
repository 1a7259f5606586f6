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

/* Whoever may write a file that we read decides what we do: it has to be root's, or of the user
 * that this process is. For a program that a person runs on files of anybody: no matter whose. */
void file_accept_any_owner(void);

/* Open a regular file to be read, without waiting: somebody may have put a FIFO or a device in its
 * place, which would never end or never begin. -EINVAL; -EPERM: it is somebody else's; else the
 * errors of open. A link to one is followed: who configures a path may have it so. */
int file_open(const char *path, struct err *err);
/* The same; NULL with err filled. The caller closes it. */
FILE *file_open_stream(const char *path, struct err *err);

/* Read a whole file of at most max bytes, zero-terminated for those who want a string. The
 * caller frees *ret_bytes. Errors: -EFBIG if it is longer, else those of open and read. */
int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_size, struct err *err);

/* The same of a regular file at its own name, for what we keep ourselves: follows no link.
 * -EBADMSG: it is something else, and what; or somebody else's. */
int file_read_regular(const char *path, size_t max, char **ret_bytes, size_t *ret_size,
		      struct err *err);

/* fsync a directory, so that names made or removed in it are on disk. */
int directory_sync(const char *path, struct err *err);
