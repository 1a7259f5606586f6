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

static bool is_covered(const struct fill *f, uint64_t first, uint64_t end)
{
	for (uint32_t i = chunk_at(&f->wanted, first);
	     i < f->wanted.n && f->wanted.chunks[i].offset < end; i++)
		if (f->places[i].seed == SEED_NONE)
			return false;
	return true;
}

static void note_covered(struct fill *f, const struct manifest *m)
{
	for (uint32_t piece = 0; piece < m->n_pieces; piece++) {
		uint64_t first = manifest_piece_first(m, piece);

		if (!is_covered(f, first, first + manifest_piece_length(m, piece)))
			continue;
		piece_bits_set(f->covered, piece);
		f->n_covered++;
	}
}

static int find_places(struct fill *f, const struct manifest *m, struct err *err)
{
	uint32_t *order = order_chunks(&f->wanted);

	f->places = calloc(f->wanted.n, sizeof(*f->places));
	f->covered = calloc(piece_bits_size(m->n_pieces), 1);
	if (!order || !f->places || !f->covered) {
		free(order);
		return err_set(err, -ENOMEM, "out of memory");
	}
	for (uint32_t i = 0; i < f->wanted.n; i++)
		f->places[i].seed = SEED_NONE;
	for (uint32_t seed = 0; seed < f->n_seeds; seed++)
		look_into_seed(f, order, seed);
	free(order);
	note_covered(f, m);
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

bool fill_piece(const struct fill *f, const struct manifest *manifest,
		const struct image_file *file, uint32_t piece)
{
	uint64_t first = manifest_piece_first(manifest, piece);
	uint32_t length = manifest_piece_length(manifest, piece);
	uint8_t found[DIGEST_SIZE];
	struct err ignored;

	return copy_chunks(f, file, first, first + length) &&
	       image_file_hash(file, first, length, found, &ignored) == 0 &&
	       memcmp(found, manifest->pieces[piece], DIGEST_SIZE) == 0;
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
	free(f->covered);
	memset(f, 0, sizeof(*f));
}
