#include "download/block_job.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

static int begin_piece(struct block_job *job)
{
	if (!job->digest)
		job->digest = EVP_MD_CTX_new();
	if (!job->digest || EVP_DigestInit_ex(job->digest, EVP_sha256(), NULL) != 1)
		return err_set(&job->err, -ENOMEM, "SHA-256: out of memory");
	job->hashed = 0;
	return 0;
}

static int hash_bytes(struct block_job *job, struct span bytes)
{
	if (EVP_DigestUpdate(job->digest, bytes.bytes, bytes.size) != 1)
		return err_set(&job->err, -EIO, "SHA-256 failed");
	job->hashed += (uint32_t)bytes.size;
	return 0;
}

static int hash_from_file(struct block_job *job, struct image_file *file, uint64_t first,
			  uint32_t length)
{
	uint8_t bytes[16 << 10];
	int rc = begin_piece(job);

	while (rc == 0 && job->hashed < length) {
		size_t n = MIN(sizeof(bytes), length - job->hashed);

		rc = image_file_read(file, first + job->hashed, bytes, n, &job->err);
		if (rc == 0)
			rc = hash_bytes(job, span_of(bytes, n));
	}
	return rc;
}

static int judge_piece(struct block_job *job, const struct manifest *manifest, uint32_t piece)
{
	uint8_t found[DIGEST_SIZE];

	if (EVP_DigestFinal_ex(job->digest, found, NULL) != 1)
		return err_set(&job->err, -EIO, "SHA-256 failed");
	job->hashed = 0;
	if (memcmp(found, manifest->pieces[piece], DIGEST_SIZE) != 0) {
		job->mismatch = true;
		job->bad_piece = piece;
		return manifest_describe_mismatch(manifest, piece, found, &job->err);
	}
	job->pieces[job->n_pieces++] = piece;
	return 0;
}

/* The part of the block that lies in one piece. Returns the bytes it took, or an error. */
static int64_t take_part(struct block_job *job, const struct manifest *manifest,
			 struct image_file *file, uint32_t done)
{
	uint64_t offset = job->block->offset + done;
	uint32_t piece = (uint32_t)(offset / manifest->piece_size);
	uint32_t within = (uint32_t)(offset % manifest->piece_size);
	uint32_t length = manifest_piece_length(manifest, piece);
	uint32_t n = MIN(length - within, job->block->size - done);
	int rc = 0;

	if (within == 0)
		rc = begin_piece(job);
	else if (job->hashed == 0)
		rc = hash_from_file(job, file, offset - within, within);
	if (rc == 0)
		rc = hash_bytes(job, span_of(job->block->bytes + done, n));
	if (rc == 0 && within + n == length)
		rc = judge_piece(job, manifest, piece);
	return rc < 0 ? rc : (int64_t)n;
}

void block_job_run(struct block_job *job, const struct manifest *manifest, struct image_file *file)
{
	const struct block *block = job->block;
	uint32_t done = 0;

	job->n_pieces = 0;
	if (image_file_write(file, block->offset, span_of(block->bytes, block->size), &job->err) <
	    0)
		return;
	while (done < block->size) {
		int64_t n = take_part(job, manifest, file, done);

		if (n < 0)
			return;
		done += (uint32_t)n;
	}
}
