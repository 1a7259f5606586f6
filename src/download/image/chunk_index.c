/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/chunk_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "download/image/chunk_cut.h"

#define MAGIC      "STWDCH01"
#define MAGIC_SIZE 8u

static void put_u32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

void chunk_index_put_head(uint8_t ret[CHUNK_INDEX_HEAD_SIZE])
{
	memcpy(ret, MAGIC, MAGIC_SIZE);
	put_u32(ret + MAGIC_SIZE, CHUNK_MIN);
	put_u32(ret + MAGIC_SIZE + 4, CHUNK_AVERAGE);
	put_u32(ret + MAGIC_SIZE + 8, CHUNK_MAX);
}

uint32_t chunk_index_entry_length(const uint8_t entry[CHUNK_ENTRY_SIZE])
{
	return get_u32(entry);
}

void chunk_index_put_entry(uint8_t ret[CHUNK_ENTRY_SIZE], uint32_t length,
			   const uint8_t digest[CHUNK_DIGEST_SIZE])
{
	put_u32(ret, length);
	memcpy(ret + 4, digest, CHUNK_DIGEST_SIZE);
}

static int check_head(struct span bytes, struct err *err)
{
	uint8_t expected[CHUNK_INDEX_HEAD_SIZE];

	chunk_index_put_head(expected);
	if (bytes.size > CHUNK_INDEX_MAX)
		return err_set(err, -E2BIG, "%zu bytes, at most %u are allowed", bytes.size,
			       CHUNK_INDEX_MAX);
	if (bytes.size < CHUNK_INDEX_HEAD_SIZE || memcmp(bytes.bytes, MAGIC, MAGIC_SIZE) != 0)
		return err_set(err, -EBADMSG, "does not begin as an index of this format ('%s')",
			       MAGIC);
	if (memcmp(bytes.bytes, expected, sizeof(expected)) != 0)
		return err_set(
			err, -EBADMSG,
			"of chunks of %" PRIu32 ", %" PRIu32 " and %" PRIu32
			" bytes (least, average, most), expected %u, %u and %u",
			get_u32(bytes.bytes + MAGIC_SIZE), get_u32(bytes.bytes + MAGIC_SIZE + 4),
			get_u32(bytes.bytes + MAGIC_SIZE + 8), CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX);
	if ((bytes.size - CHUNK_INDEX_HEAD_SIZE) % CHUNK_ENTRY_SIZE != 0 ||
	    bytes.size == CHUNK_INDEX_HEAD_SIZE)
		return err_set(
			err, -EBADMSG,
			"%zu bytes, expected %u and %u more for each chunk, of which there is "
			"at least one",
			bytes.size, CHUNK_INDEX_HEAD_SIZE, CHUNK_ENTRY_SIZE);
	return 0;
}

static int read_chunk(struct chunk *ret, const uint8_t *entry, uint64_t offset, uint64_t left,
		      uint32_t number, struct err *err)
{
	uint32_t length = get_u32(entry);

	if (length > left)
		return err_set(err, -EBADMSG,
			       "chunk %" PRIu32 " of %" PRIu32 " bytes, but only %" PRIu64
			       " bytes of the image are left for it",
			       number, length, left);
	/* Only the image's end makes a chunk shorter. */
	if (length == 0 || length > CHUNK_MAX || (length < CHUNK_MIN && length != left))
		return err_set(err, -EBADMSG,
			       "chunk %" PRIu32 " of %" PRIu32 " bytes, expected %u to %u", number,
			       length, CHUNK_MIN, CHUNK_MAX);
	ret->offset = offset;
	ret->length = length;
	memcpy(ret->digest, entry + 4, CHUNK_DIGEST_SIZE);
	return 0;
}

int chunk_index_parse(struct chunk_index *ret, struct span bytes, uint64_t image_size,
		      struct err *err)
{
	struct chunk_index index = {0};
	uint64_t offset = 0;
	int rc = check_head(bytes, err);

	if (rc < 0)
		return rc;
	index.n = (uint32_t)((bytes.size - CHUNK_INDEX_HEAD_SIZE) / CHUNK_ENTRY_SIZE);
	index.chunks = calloc(index.n, sizeof(*index.chunks));
	if (!index.chunks)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < index.n && rc == 0; i++) {
		rc = read_chunk(&index.chunks[i],
				bytes.bytes + CHUNK_INDEX_HEAD_SIZE + (size_t)i * CHUNK_ENTRY_SIZE,
				offset, image_size - offset, i, err);
		offset += index.chunks[i].length;
	}
	if (rc == 0 && offset != image_size)
		rc = err_set(err, -EBADMSG, "the chunks have %" PRIu64 " bytes, the image %" PRIu64,
			     offset, image_size);
	if (rc < 0) {
		chunk_index_release(&index);
		return rc;
	}
	*ret = index;
	return 0;
}

void chunk_index_release(struct chunk_index *index)
{
	free(index->chunks);
	*index = (struct chunk_index){0};
}
