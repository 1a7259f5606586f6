/* SPDX-License-Identifier: GPL-3.0-or-later */
/* image_file.h - the image of a download while it is incomplete: <directory>/<file>.part.
 *
 * All functions block on the disk: call them on the thread pool. image_file_write may run on
 * several threads for ranges that do not overlap, with a struct image_pieces for each.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "download/image/manifest.h"
#include "download/image/piece_codes.h"

/* A file of this name is, on a conductor, beside an image that no operator imported there or on
 * its HA peer. No manifest can use the name. */
#define IMAGE_DOWNLOADED_MARK ".downloaded"

struct image_file {
	int fd;
	char *path;
	uint64_t size;
	bool marked;              /* it is published with IMAGE_DOWNLOADED_MARK */
	struct piece_codes codes; /* of what was written since it was opened */
};

/* Opens or makes the file, with room for size bytes. -ENOSPC says how much is needed and how much
 * is there, and leaves nothing behind. *ret_existed: it was there, with this size; else nothing
 * in it is valid. */
int image_file_open(struct image_file *ret, const char *directory, const char *file, uint64_t size,
		    bool *ret_existed, struct err *err);
void image_file_close(struct image_file *f);
void image_file_remove(struct image_file *f);

/* Remove every .part in directory. */
void image_file_remove_stale(const char *directory);

/* How many bytes one write takes at most, how many writes image_file_write begins that belong
 * together, and how many pieces can end in these. */
#define IMAGE_WRITE_MAX   (256u << 10)
#define IMAGE_WRITES_MAX  4
#define PIECES_PER_WRITES (IMAGE_WRITES_MAX * IMAGE_WRITE_MAX / PIECE_SIZE_MIN + 1)

/* The pieces that are written one after the other, hashed as their bytes come. Zeroed before the
 * first write; image_pieces_release() after the last. */
struct image_pieces {
	EVP_MD_CTX *digest;                /* of the piece that the next byte belongs to */
	EVP_MAC_CTX *code;                 /* likewise; NULL = none is kept */
	uint32_t hashed;                   /* bytes of that piece, from its start; 0 = not begun */
	uint64_t held_from;                /* from this offset on the rest of its piece is in the
					      file already; 0 = nothing is */
	uint32_t right[PIECES_PER_WRITES]; /* pieces whose last byte the last writes brought */
	unsigned n_right;
	bool mismatch; /* of wrong, whose digest is not the manifest's */
	uint32_t wrong;
	struct err err; /* of the disk, or both digests of a mismatch */
};

void image_pieces_release(struct image_pieces *p);

/* Writes bytes at offset, hashes them, and judges the pieces that end in them: fills pieces, whose
 * err says if the disk failed or a piece is wrong. Where they begin inside a piece whose beginning
 * came before, that is read back from the file and hashed first; where they end at held_from, the
 * rest is, too, and the piece is judged. */
void image_file_write(const struct image_file *f, const struct manifest *manifest, uint64_t offset,
		      struct span bytes, struct image_pieces *pieces);
/* Another write that belongs to the last: adds to what is right, and does nothing after an error.
 */
void image_file_write_on(const struct image_file *f, const struct manifest *manifest,
			 uint64_t offset, struct span bytes, struct image_pieces *pieces);
int image_file_read(const struct image_file *f, uint64_t offset, void *ret, size_t n,
		    struct err *err);
int image_file_sync(const struct image_file *f, struct err *err);
int image_file_hash(const struct image_file *f, uint64_t offset, uint64_t length,
		    uint8_t ret[DIGEST_SIZE], struct err *err);

/* From now on image_file_check() need not hash again what image_file_write() found right. To be
 * called before the first write of a file that will be checked. */
void image_file_keep_codes(struct image_file *f, const struct manifest *manifest);

/* Reads a piece, and compares it with the manifest. p may be used for one after the other. */
int image_file_check(const struct image_file *f, const struct manifest *manifest, uint32_t piece,
		     struct image_pieces *p, bool *ret_right, struct err *err);

/* Is it still the file at its path, with its size? Then what will be renamed is what was read. */
bool image_file_is_in_place(const struct image_file *f);

/* What is published with an image. */
struct image_papers {
	struct span jws;         /* its manifest */
	struct span chunk_index; /* of no bytes = none */
	struct err *without; /* filled if the index could not be written: the image goes without */
};

/* Publishes the image once all pieces are verified: makes <images>/<version>/ with the papers, and
 * moves the file into it. After a power cut at any step it can be done again. Closes f on
 * success. */
int image_file_publish(struct image_file *f, const struct manifest *manifest,
		       const struct image_papers *papers, const char *images, struct err *err);
