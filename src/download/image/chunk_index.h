/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chunk_index.h - of which chunks an image consists: <version>/<file>.chunks (docs/download.md,
 * "The chunk index").
 *
 * An index only proposes: what makes bytes right is the digest of their piece. So the first 16
 * bytes of a chunk's SHA-256 are enough.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define CHUNK_INDEX_MAX       (16u << 20) /* bytes of the file */
#define CHUNK_INDEX_HEAD_SIZE 20u
#define CHUNK_ENTRY_SIZE      20u
#define CHUNK_DIGEST_SIZE     16u
#define CHUNK_INDEX_SUFFIX    ".chunks"

struct chunk {
	uint64_t offset; /* in the image */
	uint32_t length;
	uint8_t digest[CHUNK_DIGEST_SIZE];
};

struct chunk_index {
	struct chunk *chunks; /* owned; one after the other, they are the whole image */
	uint32_t n;
};

/* Reads the index of an image of image_size bytes. Errors: -EBADMSG, -E2BIG, -ENOMEM; *ret is
 * untouched then. */
int chunk_index_parse(struct chunk_index *ret, struct span bytes, uint64_t image_size,
		      struct err *err);
void chunk_index_release(struct chunk_index *index);

/* For those who make one. */
uint32_t chunk_index_entry_length(const uint8_t entry[CHUNK_ENTRY_SIZE]);
void chunk_index_put_head(uint8_t ret[CHUNK_INDEX_HEAD_SIZE]);
void chunk_index_put_entry(uint8_t ret[CHUNK_ENTRY_SIZE], uint32_t length,
			   const uint8_t digest[CHUNK_DIGEST_SIZE]);
