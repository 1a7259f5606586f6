/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chunk_keep.h - the chunk index that is kept beside an image: the one that came with it, or one
 * that is made from the image. Both are believed only if they are what the manifest says.
 *
 * All functions block on the disk.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "download/image/image_file.h"
#include "download/image/manifest.h"

/* Is it the index of the manifest? -EBADMSG, with both digests. */
int chunk_keep_check(const struct manifest_chunks *chunks, struct span index, struct err *err);

/* Reads the index in the file at path. -ENOENT, -EBADMSG, and other errors of files. The caller
 * frees *ret_index. */
int chunk_keep_read(const char *path, const struct manifest_chunks *chunks, char **ret_index,
		    struct err *err);

/* The index of an image whose pieces are all right: read from `path`, if it is there and right,
 * else made from the image, while go_on returns true (-ECANCELED). The manifest has one. The caller
 * frees *ret_index, of manifest->chunks.size bytes. */
int chunk_keep_obtain(const struct image_file *f, const struct manifest *manifest, const char *path,
		      bool (*go_on)(void *owner), void *owner, char **ret_index, struct err *err);
