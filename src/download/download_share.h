/* SPDX-License-Identifier: GPL-3.0-or-later */
/* download_share.h - what others may have of a download while it is unfinished.
 *
 * Its manifest, and of its image the pieces that are verified and written: never a byte else. A
 * download shares once it has looked at its disk, and checked it where that was needed, until it
 * has ended. What these return is borrowed, and valid until the next turn of the loop.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "download/download.h"

/* The others may be asked only of one that shares. */
bool download_shares(const struct download *d);
void download_shared_manifest(const struct download *d, char ret_path[PATH_MAX]);
/* The chunk index, once it has come. */
void download_shared_chunks(const struct download *d, char ret_path[PATH_MAX]);
/* One bit a piece, most significant first. */
struct span download_shared_pieces(const struct download *d);
/* Are all these bytes in verified pieces? length is at least 1, and all within the file. */
bool download_shares_range(const struct download *d, uint64_t first, uint64_t length);
/* A descriptor of the image as far as it is there, to be closed by the caller; or -errno. */
int download_open_shared(const struct download *d);
