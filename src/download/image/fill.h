/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fill.h - copies into an unfinished image what the node has of it: in other images, and in
 * files and block devices that the configuration names.
 *
 * Which bytes are where is what the chunk indices say. They are only proposals: a piece counts when
 * its own digest is right. Of a piece that cannot be copied whole those bytes are held whose chunks
 * are right. A seed is read, never written; what of it is changed, cut off or cannot be read makes
 * no piece right, and is fetched. Where there is no index the seed is cut as an image is.
 *
 * Calling sequence: fill_add_seed, fill_add_file ... -> fill_open -> fill_piece ... -> (fill_scan
 * -> fill_piece ...) -> fill_release. All but fill_add_* and fill_release block on the disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/byte_range.h"
#include "base/err.h"
#include "download/image/chunk_index.h"
#include "download/image/image_file.h"
#include "download/image/manifest.h"

struct fill_seed {
	char *image; /* its path */
	char *index; /* its chunk index's; NULL = it has none */
	struct manifest_chunks chunks;
	uint64_t size;
	int fd; /* -1 = it is not used */
};

/* Where a chunk of the new image is. */
struct fill_place {
	uint64_t offset;
	uint32_t seed; /* SEED_NONE = nowhere */
};

struct fill {
	struct fill_seed *seeds; /* owned, as all here */
	uint32_t n_seeds;
	uint32_t n_open;
	uint32_t n_looked;      /* of the seeds; the others are to be cut */
	struct fill_scan *scan; /* of the next of these; NULL = not begun */
	struct chunk_index wanted;
	struct fill_place *places; /* of each chunk of wanted */
	uint32_t *order;           /* of wanted: numbers, ordered by digest */
	uint32_t piece_size;
	uint8_t *found; /* bitmap: pieces of which seeds have enough; after fill_scan of which they
			   have more than before */
	uint32_t n_found;
	uint8_t *chunk; /* room for one */
};

/* Fewer bytes of a piece are not worth a hole less. */
#define FILL_LEAST (16u << 10)

/* Bytes of pieces that are not right yet, in order; each run lies in one piece. */
struct fill_held {
	struct byte_range *runs; /* owned */
	size_t n;
	size_t room;
};

/* An image of the repository in `directory`. -ENOMEM. */
int fill_add_seed(struct fill *f, const char *directory, const char *version, const char *file,
		  uint64_t size, const struct manifest_chunks *chunks);

/* A file or a block device; after all images. -ENOMEM. */
int fill_add_file(struct fill *f, const char *path);

/* Reads the new image's index from the file at path, and looks for its chunks in the seeds'
 * indices. A seed that cannot be read is left out. */
int fill_open(struct fill *f, const struct manifest *manifest, const char *path, struct err *err);

/* Copies to its place what of a piece was found. Returns whether it is right. If it is not, adds to
 * held what of it is, by the digests of the chunks. */
bool fill_piece(const struct fill *f, const struct manifest *manifest,
		const struct image_file *file, uint32_t piece, struct fill_held *held);
/* Cuts some more of a file that was added by fill_add_file. Returns whether there is more to cut.
 * err->code < 0: why a seed, or what is left of it, is not used. */
bool fill_scan(struct fill *f, const struct manifest *manifest, struct err *err);
void fill_held_release(struct fill_held *held);

void fill_release(struct fill *f);
