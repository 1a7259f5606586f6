/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/fill_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

#define COPY_BLOCK (64u << 10)

static bool copy_by_hand(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t n)
{
	uint8_t block[COPY_BLOCK];

	while (n > 0) {
		ssize_t got = pread(from, block, (size_t)MIN(n, sizeof(block)), (off_t)from_offset);

		if (got <= 0 || pwrite(to, block, (size_t)got, (off_t)to_offset) != got)
			return false;
		from_offset += (uint64_t)got;
		to_offset += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return true;
}

/* The kernel copies, and shares the blocks where the filesystem can. */
static bool copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t n)
{
	off_t in = (off_t)from_offset;
	off_t out = (off_t)to_offset;

	while (n > 0) {
		ssize_t copied = copy_file_range(from, &in, to, &out, (size_t)n, 0);

		if (copied < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return copy_by_hand(from, (uint64_t)in, to, (uint64_t)out, n);
		if (copied <= 0)
			return false;
		n -= (uint64_t)copied;
	}
	return true;
}

static bool copy_chunks(const struct fill *f, const struct image_file *file, uint64_t first,
			uint64_t end)
{
	for (uint32_t i = fill_chunk_at(&f->wanted, first);
	     i < f->wanted.n && f->wanted.chunks[i].offset < end; i++) {
		const struct chunk *chunk = &f->wanted.chunks[i];
		uint64_t from = MAX(first, chunk->offset);
		uint64_t until = MIN(end, chunk->offset + chunk->length);
		const struct fill_place *place = &f->places[i];

		if (!copy(f->seeds[place->seed].fd, place->offset + (from - chunk->offset),
			  file->fd, from, until - from))
			return false;
	}
	return true;
}

static bool copy_whole(const struct fill *f, const struct manifest *manifest,
		       const struct image_file *file, uint32_t piece)
{
	uint64_t first = manifest_piece_first(manifest, piece);
	uint32_t length = manifest_piece_length(manifest, piece);
	uint8_t found[DIGEST_SIZE];
	struct err ignored;

	return fill_found_bytes(f, first, first + length) == length &&
	       copy_chunks(f, file, first, first + length) &&
	       image_file_hash(file, first, length, found, &ignored) == 0 &&
	       memcmp(found, manifest->pieces[piece], DIGEST_SIZE) == 0;
}

/* Reads a wanted chunk from where it should be. Returns whether it is there. */
static bool read_chunk(const struct fill *f, uint32_t number)
{
	const struct chunk *chunk = &f->wanted.chunks[number];
	const struct fill_place *place = &f->places[number];
	uint8_t digest[DIGEST_SIZE];

	return place->seed != SEED_NONE &&
	       pread(f->seeds[place->seed].fd, f->chunk, chunk->length, (off_t)place->offset) ==
		       (ssize_t)chunk->length &&
	       EVP_Digest(f->chunk, chunk->length, digest, NULL, EVP_sha256(), NULL) == 1 &&
	       memcmp(digest, chunk->digest, CHUNK_DIGEST_SIZE) == 0;
}

/* What there is no memory for is fetched. */
static void add_run(struct fill_held *held, size_t first, const struct byte_range *run)
{
	if (held->n > first && held->runs[held->n - 1].end == run->first) {
		held->runs[held->n - 1].end = run->end;
		return;
	}
	if (held->n == held->room) {
		size_t room = held->room ? 2 * held->room : 64;
		struct byte_range *larger = realloc(held->runs, room * sizeof(*larger));

		if (!larger)
			return;
		held->runs = larger;
		held->room = room;
	}
	held->runs[held->n++] = *run;
}

/* If all its chunks are right and the piece is not, the index lies. */
static void judge_runs(struct fill_held *held, size_t first, const struct byte_range *piece)
{
	if (held->n == first + 1 && held->runs[first].first == piece->first &&
	    held->runs[first].end == piece->end)
		held->n = first;
}

static void copy_some(const struct fill *f, const struct image_file *file,
		      const struct byte_range *piece, struct fill_held *held)
{
	size_t n_before = held->n;

	for (uint32_t i = fill_chunk_at(&f->wanted, piece->first);
	     i < f->wanted.n && f->wanted.chunks[i].offset < piece->end; i++) {
		const struct chunk *chunk = &f->wanted.chunks[i];
		const struct byte_range run = {
			.first = MAX(piece->first, chunk->offset),
			.end = MIN(piece->end, chunk->offset + chunk->length)};
		size_t n = (size_t)(run.end - run.first);

		if (read_chunk(f, i) && pwrite(file->fd, f->chunk + (run.first - chunk->offset), n,
					       (off_t)run.first) == (ssize_t)n)
			add_run(held, n_before, &run);
	}
	judge_runs(held, n_before, piece);
}

bool fill_piece(const struct fill *f, const struct manifest *manifest,
		const struct image_file *file, uint32_t piece, struct fill_held *held)
{
	uint64_t first = manifest_piece_first(manifest, piece);
	const struct byte_range bytes = {.first = first,
					 .end = first + manifest_piece_length(manifest, piece)};

	if (copy_whole(f, manifest, file, piece))
		return true;
	copy_some(f, file, &bytes, held);
	return false;
}

void fill_held_release(struct fill_held *held)
{
	free(held->runs);
	memset(held, 0, sizeof(*held));
}

void fill_release(struct fill *f)
{
	fill_scan_release(f);
	for (uint32_t i = 0; i < f->n_seeds; i++) {
		free(f->seeds[i].image);
		free(f->seeds[i].index);
		if (f->seeds[i].fd >= 0)
			(void)close(f->seeds[i].fd);
	}
	free(f->seeds);
	chunk_index_release(&f->wanted);
	free(f->places);
	free(f->order);
	free(f->found);
	free(f->chunk);
	memset(f, 0, sizeof(*f));
}
