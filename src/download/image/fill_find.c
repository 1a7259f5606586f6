/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks for the chunks of the new image: in the indices of other images. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/image/chunk_keep.h"
#include "download/image/fill_private.h"

/* Each keeps a file open. */
#define SEEDS_OPEN_MAX 16u

static struct fill_seed *add_seed(struct fill *f)
{
	struct fill_seed *larger = realloc(f->seeds, (f->n_seeds + 1) * sizeof(*larger));
	struct fill_seed *seed;

	if (!larger)
		return NULL;
	f->seeds = larger;
	seed = &f->seeds[f->n_seeds++];
	*seed = (struct fill_seed){.fd = -1};
	return seed;
}

int fill_add_seed(struct fill *f, const char *directory, const char *version, const char *file,
		  uint64_t size, const struct manifest_chunks *chunks)
{
	struct fill_seed *seed = add_seed(f);

	if (!seed)
		return -ENOMEM;
	seed->chunks = *chunks;
	seed->size = size;
	if (asprintf(&seed->image, "%s/%s/%s", directory, version, file) < 0)
		seed->image = NULL;
	if (asprintf(&seed->index, "%s/%s/%s", directory, version, chunks->file) < 0)
		seed->index = NULL;
	return seed->image && seed->index ? 0 : -ENOMEM;
}

int fill_add_file(struct fill *f, const char *path)
{
	struct fill_seed *seed = add_seed(f);

	if (!seed)
		return -ENOMEM;
	seed->image = strdup(path);
	return seed->image ? 0 : -ENOMEM;
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

/* The numbers of the wanted chunks, ordered by what the chunks are. */
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
static uint32_t first_not_before(const struct fill *f, const struct chunk *chunk)
{
	uint32_t low = 0;
	uint32_t high = f->wanted.n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_chunks(&f->wanted.chunks[f->order[middle]], chunk) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void note_pieces(struct fill *f, const struct chunk *chunk)
{
	uint32_t last = (uint32_t)((chunk->offset + chunk->length - 1) / f->piece_size);

	for (uint32_t piece = (uint32_t)(chunk->offset / f->piece_size); piece <= last; piece++)
		piece_bits_set(f->found, piece);
}

/* The same chunk may be wanted at several places: all are noted at once. */
bool fill_note_chunk(struct fill *f, uint32_t seed, const struct chunk *chunk)
{
	uint32_t first = first_not_before(f, chunk);

	for (uint32_t i = first; i < f->wanted.n; i++) {
		const struct chunk *wanted = &f->wanted.chunks[f->order[i]];
		struct fill_place *place = &f->places[f->order[i]];

		if (compare_chunks(wanted, chunk) != 0 || place->seed != SEED_NONE)
			return i > first;
		*place = (struct fill_place){.offset = chunk->offset, .seed = seed};
		note_pieces(f, wanted);
	}
	return f->wanted.n > first;
}

/* It stays open if it has a chunk that no seed before it has. */
static void note_chunks(struct fill *f, uint32_t number, const struct chunk_index *index)
{
	struct fill_seed *seed = &f->seeds[number];
	bool needed = false;

	seed->fd = open(seed->image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	for (uint32_t i = 0; i < index->n && seed->fd >= 0; i++)
		needed |= fill_note_chunk(f, number, &index->chunks[i]);
	if (!needed && seed->fd >= 0) {
		(void)close(seed->fd);
		seed->fd = -1;
	}
	f->n_open += needed;
}

static void look_into_seed(struct fill *f, uint32_t number)
{
	struct fill_seed *seed = &f->seeds[number];
	struct chunk_index index = {0};
	struct err ignored;
	char *bytes = NULL;

	if (f->n_open == SEEDS_OPEN_MAX ||
	    chunk_keep_read(seed->index, &seed->chunks, &bytes, &ignored) < 0)
		return;
	if (chunk_index_parse(&index, span_of(bytes, seed->chunks.size), seed->size, &ignored) == 0)
		note_chunks(f, number, &index);
	chunk_index_release(&index);
	free(bytes);
}

/* The number of the chunk in which the byte at offset lies. */
uint32_t fill_chunk_at(const struct chunk_index *index, uint64_t offset)
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
uint64_t fill_found_bytes(const struct fill *f, uint64_t first, uint64_t end)
{
	uint64_t bytes = 0;

	for (uint32_t i = fill_chunk_at(&f->wanted, first);
	     i < f->wanted.n && f->wanted.chunks[i].offset < end; i++) {
		const struct chunk *chunk = &f->wanted.chunks[i];

		if (f->places[i].seed != SEED_NONE)
			bytes +=
				MIN(end, chunk->offset + chunk->length) - MAX(first, chunk->offset);
	}
	return bytes;
}

void fill_judge_found(struct fill *f, const struct manifest *m)
{
	f->n_found = 0;
	for (uint32_t piece = 0; piece < m->n_pieces; piece++) {
		uint64_t first = manifest_piece_first(m, piece);
		uint32_t length = manifest_piece_length(m, piece);

		if (!piece_bits_has(f->found, piece))
			continue;
		if (fill_found_bytes(f, first, first + length) >= MIN(length, FILL_LEAST))
			f->n_found++;
		else
			piece_bits_clear(f->found, piece);
	}
}

static int find_places(struct fill *f, const struct manifest *m, struct err *err)
{
	f->piece_size = m->piece_size;
	f->order = order_chunks(&f->wanted);
	f->places = calloc(f->wanted.n, sizeof(*f->places));
	f->found = calloc(piece_bits_size(m->n_pieces), 1);
	f->chunk = malloc(CHUNK_MAX);
	if (!f->order || !f->places || !f->found || !f->chunk)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < f->wanted.n; i++)
		f->places[i].seed = SEED_NONE;
	for (; f->n_looked < f->n_seeds && f->seeds[f->n_looked].index; f->n_looked++)
		look_into_seed(f, f->n_looked);
	fill_judge_found(f, m);
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
