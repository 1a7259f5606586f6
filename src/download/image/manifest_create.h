/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manifest_create.h - makes a repository entry out of an image and a key. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* <output>/<version>/ gets the image, hard-linked or copied, its chunk index and its signed
 * manifest, and <output>/index.json the version. An image whose chunk index would be too long, or
 * whose name leaves no room for its name, gets none: *ret_without says why, else its code is 0. The
 * folder appears whole or not at all. piece_size in bytes; 0 = 1 MiB, or larger where the manifest
 * would get too long. Errors: -EEXIST (the version is there), -EINVAL (names, piece size, key), and
 * the files'. */
int manifest_create(const char *image, const char *version, const char *key, uint32_t piece_size,
		    const char *output, struct err *ret_without, struct err *err);
