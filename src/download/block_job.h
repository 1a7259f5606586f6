/* block_job.h - one received block: hashed, written, and its pieces judged. On the thread pool.
 *
 * A block that begins inside a piece whose beginning an earlier request brought is hashed
 * after that beginning, which is read back from the file.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/work.h"
#include "download/image/image_file.h"
#include "download/image/manifest.h"
#include "download/receive_buffers.h"

/* Pieces that can end in one block. */
#define PIECES_PER_BLOCK (BLOCK_SIZE / PIECE_SIZE_MIN + 1)

/* What happens to one block on the thread pool, and what came of it. */
struct block_job {
	struct work work;
	struct block *block;               /* NULL = idle */
	EVP_MD_CTX *digest;                /* of the piece that the next byte belongs to */
	uint32_t hashed;                   /* bytes of that piece, from its start; 0 = not begun */
	uint32_t pieces[PIECES_PER_BLOCK]; /* verified by the last block */
	unsigned n_pieces;
	bool mismatch;
	uint32_t bad_piece;
	struct err err; /* of the disk, or both digests of a mismatch */
};

/* Fills job's results. job->err is set for a failure of the disk and for a mismatch. */
void block_job_run(struct block_job *job, const struct manifest *manifest, struct image_file *file);
