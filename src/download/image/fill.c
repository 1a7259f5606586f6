/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/image/chunk_keep.h"

#define SEED_NONE  UINT32_MAX
#define COPY_BLOCK (64u << 10)

/* Each keeps a file open. */
#define SEEDS_OPEN_MAX 16u

int fill_add_seed(struct fill *f, const char *directory, const char *version, const char *file,
		  uint64_t size, const struct manifest_chunks *chunks)
{
	struct fill_seed *larger = realloc(f->seeds, (f->n_seeds + 1) * sizeof(*larger));
	struct fill_seed *seed;

	if (!larger)
		return -ENOMEM;
	f->seeds = larger;
	seed = &f->seeds[f->n_seeds++];
	*seed = (struct fill_seed){.chunks = *chunks, .size = size, .fd = -1};
	if (asprintf(&seed->image, "%s/%s/%s", directory, version, file) < 0)
		seed->image = NULL;
	if (asprintf(&seed->index, "%s/%s/%s", directory, version, chunks->file) < 0)
		seed->index = NULL;
	return seed->image && seed->index ? 0 : -ENOMEM;
}

static int compare_chunks(const struct chunk *a, const struct chunk *b)
{
	int order = memcmp(a->digest, b->digest, CHUNK_DIGEST_SIZE);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_numbers(const void *a, const void *b, void *context)
{
	const struct chunk *chunks = context;

	return compare_chunks(&chunks[*(const uint32_t *)a], &chunks[*(const uint32_t *)b]);
}

/* The numbers of the wanted chunks, ordered by what the chunks are; freed by the caller. */
static uint32_t *order_chunks(const struct chunk_index *wanted)
{
	uint32_t *order = calloc(wanted->n, sizeof(*order));

	if (!order)
		return NULL;
	for (uint32_t i = 0; i < wanted->n; i++)
		order[i] = i;
	qsort_r(order, wanted->n, sizeof(*order), compare_numbers, wanted->chunks);
	return order;
}

/* The first place in the order that is not before chunk. */
static uint32_t first_not_before(const struct chunk_index *wanted, const uint32_t *order,
				 const struct chunk *chunk)
{
	uint32_t low = 0;
	uint32_t high = wanted->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_chunks(&wanted->chunks[order[middle]], chunk) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The same chunk may be wanted at several places, which are all noted when it is first seen: a seed
 * full of zeros has it as often. Returns whether they are new. */
static bool note_places(struct fill *f, const uint32_t *order, uint32_t seed,
			const struct chunk *chunk)
{
	const uint32_t first = first_not_before(&f->wanted, order, chunk);
	uint32_t i = first;

	for (; i < f->wanted.n && compare_chunks(&f->wanted.chunks[order[i]], chunk) == 0; i++) {
		if (f->places[order[i]].seed != SEED_NONE)
			return false;
		f->places[order[i]] = (struct fill_place){.offset = chunk->offset, .seed = seed};
	}
	return i > first;
}

/* It stays open if it has a chunk that no seed before it has. */
static void note_chunks(struct fill *f, const uint32_t *order, uint32_t number,
			const struct chunk_index *index)
{
	struct fill_seed *seed = &f->seeds[number];
	bool needed = false;

	seed->fd = open(seed->image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	for (uint32_t i = 0; i < index->n && seed->fd >= 0; i++)
		needed |= note_places(f, order, number, &index->chunks[i]);
	if (!needed && seed->fd >= 0) {
		(void)close(seed->fd);
		seed->fd = -1;
	}
	f->n_open += needed;
}

static void look_into_seed(struct fill *f, const uint32_t *order, uint32_t number)
{
	struct fill_seed *seed = &f->seeds[number];
	struct chunk_index index = {0};
	struct err ignored;
	char *bytes = NULL;

	if (f->n_open == SEEDS_OPEN_MAX ||
	    chunk_keep_read(seed->index, &seed->chunks, &bytes, &ignored) < 0)
		return;
	if (chunk_index_parse(&index, span_of(bytes, seed->chunks.size), seed->size, &ignored) == 0)
		note_chunks(f, order, number, &index);
	chunk_index_release(&index);
	free(bytes);
}

/* The number of the chunk in which the byte at offset lies. */
static uint32_t chunk_at(const struct chunk_index *index, uint64_t offset)
{
	uint32_t low = 0;
	uint32_t high = index->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (index->chunks[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* How many bytes of those from first to end are in chunks that a seed has. */
static uint64_t found_bytes(const struct fill *f, uint64_t first, uint64_t end)
{
	uint64_t bytes = 0;

	for (uint32_t i = chunk_at(&f->wanted, first);
	     i < f->wanted.n && f->wanted.chunks[i].offset < end; i++) {
		const struct chunk *chunk = &f->wanted.chunks[i];

		if (f->places[i].seed != SEED_NONE)
			bytes +=
				MIN(end, chunk->offset + chunk->length) - MAX(first, chunk->offset);
	}
	return bytes;
}

static void note_found(struct fill *f, const struct manifest *m)
{
	for (uint32_t piece = 0; piece < m->n_pieces; piece++) {
		uint64_t first = manifest_piece_first(m, piece);
		uint32_t length = manifest_piece_length(m, piece);

		if (found_bytes(f, first, first + length) < MIN(length, FILL_LEAST))
			continue;
		piece_bits_set(f->found, piece);
		f->n_found++;
	}
}

static int find_places(struct fill *f, const struct manifest *m, struct err *err)
{
	uint32_t *order = order_chunks(&f->wanted);

	f->places = calloc(f->wanted.n, sizeof(*f->places));
	f->found = calloc(piece_bits_size(m->n_pieces), 1);
	f->chunk = malloc(CHUNK_MAX);
	if (!order || !f->places || !f->found || !f->chunk) {
		free(order);
		return err_set(err, -ENOMEM, "out of memory");
	}
	for (uint32_t i = 0; i < f->wanted.n; i++)
		f->places[i].seed = SEED_NONE;
	for (uint32_t seed = 0; seed < f->n_seeds; seed++)
		look_into_seed(f, order, seed);
	free(order);
	note_found(f, m);
	return 0;
}

int fill_open(struct fill *f, const struct manifest *manifest, const char *path, struct err *err)
{
	char *bytes = NULL;
	int rc = chunk_keep_read(path, &manifest->chunks, &bytes, err);

	if (rc < 0)
		return rc;
	rc = chunk_index_parse(&f->wanted, span_of(bytes, manifest->chunks.size), manifest->size,
			       err);
	free(bytes);
	return rc < 0 ? err_wrap(err, "%s", path) : find_places(f, manifest, err);
}

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
	for (uint32_t i = chunk_at(&f->wanted, first);
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

	return found_bytes(f, first, first + length) == length &&
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

	for (uint32_t i = chunk_at(&f->wanted, piece->first);
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
	for (uint32_t i = 0; i < f->n_seeds; i++) {
		free(f->seeds[i].image);
		free(f->seeds[i].index);
		if (f->seeds[i].fd >= 0)
			(void)close(f->seeds[i].fd);
	}
	free(f->seeds);
	chunk_index_release(&f->wanted);
	free(f->places);
	free(f->found);
	free(f->chunk);
	memset(f, 0, sizeof(*f));
}
