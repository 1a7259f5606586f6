/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks for the chunks of the new image in files and block devices: cuts them as an image is cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/image/chunk_maker.h"
#include "download/image/fill_private.h"

/* A pause, or the daemon's end, waits for a step. */
#define STEP_BYTES (16u << 20)

/* A disk may take seconds for each read that fails. */
#define ERRORS_MAX 16u

struct fill_scan {
	struct fill *fill;
	struct chunk_maker maker;
	uint8_t lengths[CHUNK_MAX / 8 + 1]; /* a bit for each length that is wanted */
	uint64_t at;                        /* of the next byte to be read */
	uint64_t chunk_at;                  /* of the next chunk */
	unsigned errors;
	bool needed; /* the seed has a chunk that no seed before it has */
};

static void close_seed(struct fill_seed *seed)
{
	(void)close(seed->fd);
	seed->fd = -1;
}

static int open_seed(struct fill_seed *seed, struct err *err)
{
	struct stat st;

	/* It need not be a file: nothing waits for a FIFO's other end. */
	seed->fd = open(seed->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (seed->fd < 0)
		return err_set_errno(err, -errno, "open %s", seed->image);
	if (fstat(seed->fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return 0;
	close_seed(seed);
	return err_set(err, -EINVAL, "%s is neither a file nor a block device", seed->image);
}

static int begin(struct fill *f, struct err *err)
{
	struct fill_scan *scan = calloc(1, sizeof(*scan));
	int rc =
		scan ? chunk_maker_init(&scan->maker, err) : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0) {
		rc = open_seed(&f->seeds[f->n_looked], err);
		if (rc < 0)
			chunk_maker_release(&scan->maker);
	}
	if (rc < 0) {
		free(scan);
		return rc;
	}
	scan->fill = f;
	scan->maker.lengths = scan->lengths;
	for (uint32_t i = 0; i < f->wanted.n; i++)
		scan->lengths[f->wanted.chunks[i].length / 8] =
			(uint8_t)(scan->lengths[f->wanted.chunks[i].length / 8] |
				  1u << f->wanted.chunks[i].length % 8);
	f->scan = scan;
	return 0;
}

/* The seed is not read any more but for what was found in it. */
static void end(struct fill *f)
{
	struct fill_seed *seed = &f->seeds[f->n_looked++];

	if (f->scan->needed)
		f->n_open++;
	else
		close_seed(seed);
	fill_scan_release(f);
}

static void take_chunk(uint32_t length, const uint8_t *digest, void *owner)
{
	struct fill_scan *scan = owner;
	struct chunk chunk = {.offset = scan->chunk_at, .length = length};

	scan->chunk_at += length;
	if (!(scan->lengths[length / 8] >> length % 8 & 1))
		return;
	memcpy(chunk.digest, digest, CHUNK_DIGEST_SIZE);
	scan->needed |= fill_note_chunk(scan->fill, scan->fill->n_looked, &chunk);
}

/* What cannot be read is passed over; behind it chunks are found again. */
static int pass_over(struct fill *f, int code, struct err *err)
{
	struct fill_scan *scan = f->scan;
	int rc = chunk_maker_flush(&scan->maker, err);

	if (rc < 0)
		return rc;
	if (++scan->errors > ERRORS_MAX)
		return err_set_errno(err, code, "read %s at %" PRIu64, f->seeds[f->n_looked].image,
				     scan->at);
	chunk_maker_take(&scan->maker, take_chunk, scan);
	scan->at += CHUNK_MAX;
	scan->chunk_at = scan->at;
	return 0;
}

/* Returns how many bytes were read, 0 at the end. */
static int64_t read_some(struct fill *f, struct err *err)
{
	struct fill_scan *scan = f->scan;
	ssize_t got = pread(f->seeds[f->n_looked].fd, f->chunk, CHUNK_MAX, (off_t)scan->at);
	int rc;

	if (got < 0) {
		rc = pass_over(f, -errno, err);
		return rc < 0 ? rc : (int64_t)CHUNK_MAX;
	}
	rc = chunk_maker_feed(&scan->maker, span_of(f->chunk, (size_t)got), err);
	if (rc == 0 && got == 0)
		rc = chunk_maker_flush(&scan->maker, err);
	scan->at += (uint64_t)got;
	return rc < 0 ? rc : got;
}

static void step(struct fill *f, struct err *err)
{
	int64_t n = 1;

	for (int64_t bytes = 0; bytes < STEP_BYTES && n > 0; bytes += n)
		n = read_some(f, err);
	chunk_maker_take(&f->scan->maker, take_chunk, f->scan);
	if (n <= 0)
		end(f);
}

bool fill_scan(struct fill *f, const struct manifest *manifest, struct err *err)
{
	err->code = 0;
	memset(f->found, 0, piece_bits_size(manifest->n_pieces));
	if (f->n_looked < f->n_seeds && !f->scan && begin(f, err) < 0)
		f->n_looked++;
	if (f->scan)
		step(f, err);
	fill_judge_found(f, manifest);
	return f->n_looked < f->n_seeds;
}

void fill_scan_release(struct fill *f)
{
	if (!f->scan)
		return;
	chunk_maker_release(&f->scan->maker);
	free(f->scan);
	f->scan = NULL;
}
